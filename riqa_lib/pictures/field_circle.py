"""The circle of a field of view in a picture of its light: rim points, RANSAC (Fischler and Bolles,
Comm. ACM 24, 1981) that must leave next to nothing bright outside, then a fit to the half-height
points of radial profiles. Where the frame or a straight bar cuts the field there is no rim: those
sides neither speak for a circle nor against it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .field_bars import Box

RAYS = 180  # radial profiles
TRIES = 300  # circles drawn by RANSAC for each threshold
STEPS, AT_RIM = 66, 42  # of a radial profile; that just outside of the rim
FEWEST = 12  # points that a circle is fitted to
# of the light of a picture's brightest part: what a rim must stand out by. A coarse JPEG draws
# circles of less in a dark surround
LEAST = 0.08
ENOUGH = 0.08  # of the rim that must be seen


class Circle(NamedTuple):
    """A circle (x, y, radius in px); how sure it is (0..1); the share of the rim that is seen, of
    what the picture could show of it, and of the seen points those that lie on it."""

    x: float
    y: float
    radius: float
    confidence: float
    seen: float
    fits: float


def best_circle(
    light: np.ndarray, dark: float, bright: float, noise: float, box: Box
) -> Circle | None:
    """The circle that a picture of light (H, W) shows best, or None where it shows none. dark,
    bright, noise: the levels of its surround and its brightest part, and the surround's noise; box:
    the part that bars leave."""
    tried = []
    for share in (0.0, 0.05, 0.12, 0.25, 0.45):
        found = _circle(light > dark + max(share * (bright - dark), 3 * noise, 1.5), box)
        if found is None:
            continue
        circle, seen, possible, fits = _refined(
            light, found, dark, max(3 * noise, LEAST * (bright - dark)), box
        )
        part = seen / max(possible, 0.1)
        rank = min(part, 0.6) * fits * (circle[2] / max(light.shape)) ** 2
        tried.append((rank, seen, part, fits, circle.tolist()))
        if part > 0.45 and fits > 0.85:
            break
    if not tried:
        return None
    # a shadow's edge can be a circle too, but lies further in
    _, seen, part, fits, circle = max(tried)
    sure = np.clip(part / 0.45, 0, 1) * np.clip(fits / 0.6, 0, 1) * np.clip(seen / ENOUGH, 0, 1)
    sure *= _dark_around(light, circle, dark, bright)
    x, y, radius = circle
    return Circle(x, y, radius, round(float(sure), 3), part, fits)


def _dark_around(light: np.ndarray, circle: list[float], dark: float, bright: float) -> float:
    """How surely what lies outside of a circle is a dark surround, 0..1."""
    y, x = np.ogrid[: light.shape[0], : light.shape[1]]
    outside = (x - circle[0]) ** 2 + (y - circle[1]) ** 2 > (1.05 * circle[2] + 1) ** 2
    if outside.sum() < 6:
        return 1.0
    shares = (light[outside] < dark + max(0.3 * (bright - dark), 4.0)).mean()
    return float(np.clip((shares - 0.6) / 0.25, 0, 1))


def surround(light: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """Level and noise of the darkest corner of a picture (H, W), of those that are not `known`
    (H, W) to be a bright surround; 0 and the least noise where all are."""
    height, width = light.shape
    k = max(2, min(height, width) // 16)
    ends = (slice(None, k), slice(-k, None))
    corners = [light[i, j] for i in ends for j in ends if known[i, j].mean() < 0.1]
    if not corners:
        return 0.0, 0.5
    darkest = min(corners, key=lambda c: float(np.median(c)))
    level = float(np.median(darkest))
    return level, max(1.48 * float(np.median(np.abs(darkest - level))), 0.5)


def _circle(mask: np.ndarray, box: Box) -> np.ndarray | None:
    """(x, y, radius) of the circle on which most of a mask's outer rim lies while next to none lies
    outside."""
    mask = ndimage.binary_opening(mask, iterations=1) if min(mask.shape) > 60 else mask
    labels, n = ndimage.label(mask)
    if n == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    mask = np.isin(labels, 1 + np.flatnonzero(sizes > 0.05 * sizes.max()))
    height, width = mask.shape
    if not 0.04 * mask.size < mask.sum() < 0.995 * mask.size:
        return None
    points = []
    for m, flip in ((mask, False), (mask.T, True)):
        lines = np.flatnonzero(m.any(axis=1))
        first, last = m[lines].argmax(axis=1), m.shape[1] - 1 - m[lines, ::-1].argmax(axis=1)
        for edge, limit, out in ((first, 0, -0.5), (last, m.shape[1] - 1, 0.5)):
            free = edge != limit  # where the frame cuts the field there is no rim
            pair = np.stack([edge[free] + out, lines[free]], axis=1)
            points.append(pair[:, ::-1] if flip else pair)
    rim = _off_the_bars(np.concatenate(points).astype(float), box)
    rim = rim[:: 1 + len(rim) // 250]
    if len(rim) < FEWEST:
        return None
    rng = np.random.default_rng(0)
    circles = _through(rim[rng.integers(0, len(rim), (TRIES, 3))])
    side = min(height, width)
    good = (circles[:, 2] > 0.2 * side) & (circles[:, 2] < 0.9 * max(height, width))
    good &= (np.abs(circles[:, 0] - width / 2) < width / 2) & (
        np.abs(circles[:, 1] - height / 2) < height / 2
    )
    circles = circles[good]
    if not len(circles):
        return None
    tolerance = max(0.8, 0.008 * side)
    off = (
        np.hypot(rim[None, :, 0] - circles[:, :1], rim[None, :, 1] - circles[:, 1:2])
        - circles[:, 2:]
    )
    on = (np.abs(off) < tolerance).mean(axis=1)
    outside = (off > 2.5 * tolerance).mean(axis=1)
    score = on - 1.5 * outside
    k = int(score.argmax())
    return circles[k] if score[k] > 0.12 else None


def _off_the_bars(points: np.ndarray, box: Box) -> np.ndarray:
    """Those of points (n, 2) that lie on no straight side of a box."""
    x, y = points.T + 0.5
    off = (x - box.left, y - box.top, box.right - x, box.bottom - y)
    on = [cut & (distance < 2.5) for cut, distance in zip(box.straight, off, strict=True)]
    return points[~np.any(on, axis=0)]


def _through(triples: np.ndarray) -> np.ndarray:
    """Circles (n, 3) of x, y, radius through triples (n, 3, 2) of points; nan where they lie on a
    line."""
    a, b, c = triples.transpose(1, 0, 2)
    b, c = b - a, c - a
    d = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    d = np.where(np.abs(d) < 1e-6, np.nan, d)
    bb, cc = (b * b).sum(axis=1), (c * c).sum(axis=1)
    x, y = (c[:, 1] * bb - b[:, 1] * cc) / d, (b[:, 0] * cc - c[:, 0] * bb) / d
    return np.stack([x + a[:, 0], y + a[:, 1], np.hypot(x, y)], axis=1)


def _refined(
    light: np.ndarray, circle: np.ndarray, dark: float, least: float, box: Box
) -> tuple[np.ndarray, float, float, float]:
    """The circle fitted to the half-height points of radial profiles where these drop at once (a
    shadow fades slowly); the share of its rim that is seen, that lies in the picture and between
    bars, and of the seen points that lie on it."""
    height, width = light.shape
    turn = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    seen = fits = possible = 0.0
    for reach in (0.14, 0.07):
        steps = np.linspace(1 - 1.6 * reach, 1 + reach, STEPS)
        x = circle[0] + circle[2] * steps * np.cos(turn)[:, None]
        y = circle[1] + circle[2] * steps * np.sin(turn)[:, None]
        profile = ndimage.map_coordinates(light, [y, x], order=1, mode="nearest")
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        inside &= _between(x, y, box)
        possible = float(inside[:, AT_RIM].mean())
        inner = np.median(profile[:, :22], axis=1)
        visible = inner - dark > max(least, 2.0)
        above = (profile > (0.5 * (inner + dark))[:, None]) & inside
        last = (
            len(steps) - 1 - above[:, ::-1].argmax(axis=1)
        )  # the outermost step that is still bright
        rim = visible & above.any(axis=1) & (last < len(steps) - 1)
        wide = int(
            np.ceil(max(1.6 / circle[2], 0.008) / (steps[1] - steps[0]))
        )  # the drop takes 1.6 px on either side
        every = np.arange(RAYS)
        drop = (
            profile[every, np.maximum(last - wide, 0)]
            - profile[every, np.minimum(last + wide, len(steps) - 1)]
        )
        rows = np.flatnonzero(rim & (drop > 0.55 * (inner - dark)))
        rows = rows[inside[rows, last[rows] + 1]]  # the frame is no rim
        if len(rows) < FEWEST:
            return circle, len(rows) / RAYS, possible, fits
        k = last[rows]
        one, two, half = profile[rows, k], profile[rows, k + 1], 0.5 * (inner[rows] + dark)
        at = steps[k] + (steps[1] - steps[0]) * np.clip(
            (one - half) / np.maximum(one - two, 1e-6), 0, 1
        )
        points = circle[:2] + circle[2] * at[:, None] * np.stack(
            [np.cos(turn[rows]), np.sin(turn[rows])], axis=1
        )
        circle = _fit(points, circle)
        off = np.abs(np.hypot(*(points - circle[:2]).T) - circle[2])
        on = off < max(0.7, 0.012 * circle[2])
        seen, fits = float(on.sum() / RAYS), float(on.mean())
    return circle, seen, possible, fits


def _between(x: np.ndarray, y: np.ndarray, box: Box) -> np.ndarray:
    """Whether points lie further than 2 px from the straight sides of a box, inside."""
    off = (x + 0.5 - box.left, y + 0.5 - box.top, box.right - x - 0.5, box.bottom - y - 0.5)
    cut = [distance < 2 for side, distance in zip(box.straight, off, strict=True) if side]
    return ~np.any(cut, axis=0) if cut else np.ones_like(x, bool)


def _fit(points: np.ndarray, circle: np.ndarray) -> np.ndarray:
    """Circle of least squares by Gauss-Newton, with Tukey's weights (Beaton and Tukey,
    Technometrics 16, 1974)."""
    x, y, r = circle
    for _ in range(12):
        dx, dy = points[:, 0] - x, points[:, 1] - y
        distance = np.maximum(np.hypot(dx, dy), 1e-6)
        off = distance - r
        cut = 4.7 * max(1.48 * float(np.median(np.abs(off))), 0.15)
        weight = np.clip(1 - (off / cut) ** 2, 0, None) ** 2
        slope = np.stack([-dx / distance, -dy / distance, -np.ones(len(off))], axis=1)
        system = slope.T @ (weight[:, None] * slope) + 1e-6 * np.eye(3)
        move = np.linalg.solve(system, slope.T @ (weight * off))
        x, y, r = np.array([x, y, r]) - move
    return np.array([x, y, r]) if 0.7 < r / circle[2] < 1.3 else circle
