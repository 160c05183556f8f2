"""Fundus photographs: where the field of view is, how sure that is, and the crop to it. (Whether it
is a fundus at all: `recognition`.)

The field is a bright circle on a dark surround, often cut off by the frame or by straight edges
above and below, sometimes with a notch; in bad pictures, the ones that are graded, part of its rim
is too dark to see. So: rim points at several thresholds, a circle by RANSAC (Fischler and Bolles,
Comm. ACM 24, 1981) that must leave next to nothing bright outside, then a fit to the half-height
points of radial profiles. All on a copy whose longer side is at most WORK pixels. Nothing is
skipped silently: whatever comes in, a Field says how sure it is (0 to 1) and, below SURE, why not
more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

WORK = 288  # px, longer side of the copy that is searched
SURE = 0.5  # a field of less confidence carries a reason
SMALLEST = 16  # px, shorter side
# px, radius from which clarity can be judged. On 120 simulated photographs (one half with clarity
# severity 1, all with illumination and contrast 0 to 1.5), reduced to a radius, with a sensor's
# noise of 3 grey levels and JPEG 75: logistic regression on eight statistics of sharpness, learnt
# and tried (6 folds) at that radius, has AUC .79 at 20 px, .84 at 24, .89 at 28, .96 at 32, .99 at
# 40, .998 at 112.
CLARITY_FROM = 32
RAYS = 180  # radial profiles
TRIES = 300  # circles drawn by RANSAC for each threshold


@dataclass(frozen=True)
class Field:
    """The circle of the field of view in px of the picture (pixel centres at whole numbers), how
    sure it is (0..1), and why not more ("" when sure). whole: the picture has no visible rim; the
    circle is then the one around the picture."""

    x: float
    y: float
    radius: float
    confidence: float
    reason: str = ""
    whole: bool = False


def too_small(field: Field) -> str:
    """Why a field of view is too small to judge clarity in ("" where it isn't): blurred and sharp
    ones of so few px look alike.

    >>> too_small(Field(23, 23, 22, 1.0))
    'too small to judge clarity: a field of view of 44 px across (from 64 px on)'
    >>> too_small(Field(120, 120, 110, 1.0))
    ''
    """
    if field.radius >= CLARITY_FROM:
        return ""
    return (
        f"too small to judge clarity: a field of view of {2 * field.radius:.0f} px across "
        f"(from {2 * CLARITY_FROM} px on)"
    )


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Any picture as uint8 (H, W, 3): grey (H, W) or (H, W, 1), RGB or RGBA (alpha dropped), uint8,
    bool, or float in 0..1.

    Raises ValueError for other shapes or types, non-finite values, or a shorter side below
    SMALLEST."""
    a = np.asarray(image)
    a = a[..., None] if a.ndim == 2 else a
    if a.ndim != 3 or a.shape[2] not in (1, 3, 4) or min(a.shape[:2]) < SMALLEST:
        raise ValueError(
            f"picture of shape {np.shape(image)}; expected (H, W), (H, W, 3) or (H, W, 4), "
            f"{SMALLEST} px or more"
        )
    return _as_bytes(np.repeat(a, 3, axis=2) if a.shape[2] == 1 else a[..., :3])


def _as_bytes(a: np.ndarray) -> np.ndarray:
    if a.dtype == bool:
        return a.astype(np.uint8) * 255
    if np.issubdtype(a.dtype, np.floating):
        if not np.isfinite(a).all() or a.min() < 0 or a.max() > 1:
            raise ValueError("picture of floats that are not all within 0..1")
        return np.round(a * 255).astype(np.uint8)
    if a.dtype != np.uint8:
        raise ValueError(f"picture of {a.dtype}; expected uint8, or floats in 0..1")
    return np.ascontiguousarray(a)


# ---------------------------------------------------------------- the field
def find_field(image: np.ndarray) -> Field:
    """The field of view of a picture (see `as_rgb` for what is taken, and what raises
    ValueError).

    >>> from riqa_lib.sim.fundus_camera import fundus
    >>> shot = fundus("patient 7", 96, style="topcon50")
    >>> found = find_field(shot.pixels)
    >>> abs(found.x - shot.x) < 1, abs(found.radius - shot.radius) < 1, found.confidence
    (True, True, 1.0)
    """
    rgb = as_rgb(image)
    height, width = rgb.shape[:2]
    small = reduced(rgb, WORK)
    scale = max(rgb.shape[:2]) / max(small.shape[:2])
    light = ndimage.gaussian_filter(small.max(axis=2).astype(np.float32), 0.7)
    around = Field(
        (width - 1) / 2, (height - 1) / 2, float(np.hypot(width, height) / 2), 0.0, whole=True
    )
    dark, noise = _surround(light)
    bright = float(np.percentile(light, 98))
    if bright - dark < max(6.0, 6 * noise):
        return replace(around, reason="uniform: no field of view stands out from the rest")
    tried = []
    for share in (0.0, 0.05, 0.12, 0.25, 0.45):
        found = _circle(light > dark + max(share * (bright - dark), 3 * noise, 1.5))
        if found is not None:
            circle, seen, fits = _refined(light, found, dark, noise)
            tried.append(
                (
                    min(seen, 0.6) * fits * (circle[2] / max(light.shape)) ** 2,
                    seen,
                    fits,
                    circle.tolist(),
                )
            )
            if seen > 0.45 and fits > 0.85:
                break
    if not tried:
        return replace(
            around,
            confidence=0.1,
            reason="no rim: cut inside the field of view, or not a fundus photograph",
        )
    _, seen, fits, best = max(tried)  # a shadow's edge can be a circle too, but lies further in
    x, y, r = (
        float(c)
        for c in ((best[0] + 0.5) * scale - 0.5, (best[1] + 0.5) * scale - 0.5, best[2] * scale)
    )
    confidence = float(np.clip(seen / 0.45, 0, 1) * np.clip(fits / 0.6, 0, 1))
    reason = ""
    if confidence < SURE:
        reason = f"only {fits:.0%} of the visible rim lies on the circle"
        if seen < 0.3:
            reason = f"only {seen:.0%} of the rim can be seen"
    return Field(x, y, r, round(confidence, 3), reason)


def reduced(rgb: np.ndarray, longest: int) -> np.ndarray:
    """A copy of which the longer side has at most this many px."""
    height, width = rgb.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX, reducing_gap=2.0))


def _surround(light: np.ndarray) -> tuple[float, float]:
    """Level and noise of the darkest part of the picture's border: its corners, or whole edges."""
    height, width = light.shape
    k = max(2, min(height, width) // 16)
    corners = [light[:k, :k], light[:k, -k:], light[-k:, :k], light[-k:, -k:]]
    darkest = min(corners, key=lambda c: float(np.median(c)))
    level = float(np.median(darkest))
    return level, max(1.48 * float(np.median(np.abs(darkest - level))), 0.5)


def _circle(mask: np.ndarray) -> np.ndarray | None:
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
    rim = np.concatenate(points).astype(float)
    rim = rim[:: 1 + len(rim) // 250]
    if len(rim) < 12:
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
    light: np.ndarray, circle: np.ndarray, dark: float, noise: float
) -> tuple[np.ndarray, float, float]:
    """The circle fitted to the half-height points of radial profiles where these drop at once (a
    shadow fades slowly); the share of its rim that is seen, and of the seen points that lie on
    it."""
    height, width = light.shape
    turn = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    seen = fits = 0.0
    for reach in (0.14, 0.07):
        steps = np.linspace(1 - 1.6 * reach, 1 + reach, 66)
        x = circle[0] + circle[2] * steps * np.cos(turn)[:, None]
        y = circle[1] + circle[2] * steps * np.sin(turn)[:, None]
        profile = ndimage.map_coordinates(light, [y, x], order=1, mode="nearest")
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        inner = np.median(profile[:, :22], axis=1)
        visible = inner - dark > max(3 * noise, 2.0)
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
        if len(rows) < 12:
            return circle, len(rows) / RAYS, fits
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
    return circle, seen, fits


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


# ---------------------------------------------------------------- the crop
def crop_field(
    image: np.ndarray, size: int, field: Field | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The square around the field of view: (size, size, 3) uint8, black outside the circle, and its
    mask (size, size), bool.

    field: found when None. A part of the circle that the picture doesn't hold is black and not in
    the mask. A field without a rim, or with confidence below 0.2, is not trusted: the whole picture
    is kept, padded to a square, the mask says where it is. Raises ValueError as find_field does, or
    for a size below SMALLEST."""
    if size < SMALLEST:
        raise ValueError(f"size = {size}: expected at least {SMALLEST} px")
    rgb = as_rgb(image)
    found = find_field(rgb) if field is None else field
    height, width = rgb.shape[:2]
    trusted = not found.whole and found.confidence >= 0.2
    if trusted:
        x, y, half = found.x + 0.5, found.y + 0.5, found.radius
    else:
        x, y, half = width / 2, height / 2, max(width, height) / 2
    box = (x - half, y - half, x + half, y + half)
    left, top = int(np.floor(box[0])) - 1, int(np.floor(box[1])) - 1
    right, bottom = int(np.ceil(box[2])) + 1, int(np.ceil(box[3])) + 1
    canvas = Image.fromarray(rgb).crop((left, top, right, bottom))  # black where the picture ends
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    pixels = np.array(
        canvas.resize((size, size), Image.Resampling.BICUBIC, box=inner, reducing_gap=3.0)
    )
    where = (np.arange(size) + 0.5) * 2 * half / size - half
    mask = ((where + x > 0) & (where + x < width))[None, :] & (
        (where + y > 0) & (where + y < height)
    )[:, None]
    if trusted:
        mask &= where[None, :] ** 2 + where[:, None] ** 2 <= half**2
    pixels[~mask] = 0
    return pixels, mask


def field_errors(
    found: list[Field], x: np.ndarray, y: np.ndarray, radius: np.ndarray
) -> pd.DataFrame:
    """How far found fields are from true circles (n,): columns centre and radius, errors as shares
    of the true radius, and confidence. Raises ValueError for unequal lengths."""
    x, y, radius = (np.asarray(a, float) for a in (x, y, radius))
    if not len(found) == len(x) == len(y) == len(radius):
        raise ValueError(
            f"{len(found)} fields for {len(x)}, {len(y)}, {len(radius)} true circles; expected "
            "equal numbers"
        )
    table = np.array([(f.x, f.y, f.radius, f.confidence) for f in found]).reshape(-1, 4)
    return pd.DataFrame(
        {
            "centre": np.hypot(table[:, 0] - x, table[:, 1] - y) / radius,
            "radius": np.abs(table[:, 2] - radius) / radius,
            "confidence": table[:, 3],
        }
    )
