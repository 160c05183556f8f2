"""Several fields of view in one picture: montages, stereo pairs, slides. How many there are, and
each by itself.

Two ways of looking: separate bright parts, and tiles of a grid whose corners are dark (fields that
touch). Either counts only where each part holds a circle that is sure, and the circles lie apart:
the halves of one field share a centre."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .field import SURE, WORK, Field, as_rgb, find_field, reduced, trusted
from .field_bars import bright_surround
from .field_circle import surround

GRIDS = ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2), (1, 4), (4, 1), (3, 3))
LEAST = 28  # px of the small copy, shorter side of a part that is searched
PART = 0.15  # of the largest bright part, from which another one counts


class Part(NamedTuple):
    """One field of several: its pixels (h, w, 3) uint8, where they are in the picture (left, top,
    right, bottom in px), and its circle in px of the whole picture."""

    pixels: np.ndarray
    box: tuple[int, int, int, int]
    field: Field


def split_fields(image: np.ndarray) -> list[Part]:
    """The fields of view in a picture (as `field.as_rgb` takes it), from top left to bottom right,
    each with a little of what is around it. Empty for a picture of one field, or of none.

    >>> from riqa_lib.sim.fundus_camera import fundus
    >>> one = fundus("patient 7", 96, style="topcon50").pixels
    >>> [part.box for part in split_fields(np.hstack([one, one]))]
    [(0, 3, 95, 96), (95, 3, 191, 96)]
    >>> split_fields(one)
    []
    """
    rgb = as_rgb(image)
    height, width = rgb.shape[:2]
    small = reduced(rgb, WORK)
    scale = max(height, width) / max(small.shape[:2])
    out = []
    for circle, limits in _several(small):
        x, y = (circle.x + 0.5) * scale, (circle.y + 0.5) * scale
        reach = 1.06 * circle.radius * scale + 1
        left, top, right, bottom = (round(side * scale) for side in limits)
        box = (
            max(left, int(x - reach)),
            max(top, int(y - reach)),
            min(right, int(np.ceil(x + reach))),
            min(bottom, int(np.ceil(y + reach))),
        )
        whole = Field(x - 0.5, y - 0.5, circle.radius * scale, circle.confidence, box=box)
        out.append(Part(rgb[box[1] : box[3], box[0] : box[2]], box, whole))
    return out


Limits = tuple[int, int, int, int]


def _several(small: np.ndarray) -> list[tuple[Field, Limits]]:
    """Circles in a small picture, each with the part that it was found in; none where there are not
    two or more."""
    known = bright_surround(small)
    light = small.max(axis=2).astype(np.float32)
    dark, noise = surround(light, known)
    seen = np.where(known[..., None], np.uint8(dark), small)
    light[known] = dark
    bright = float(np.percentile(light, 98))
    if bright - dark < max(6.0, 6 * noise):
        return []
    lit = light > dark + max(0.12 * (bright - dark), 3 * noise)
    for parts in (_bright_parts(lit), *_tiles(lit)):
        sure = _sure_circles(seen, lit, parts)
        if len(sure) >= 2 and _apart([field for field, _ in sure]):
            return sorted(sure, key=lambda one: (one[1][1], one[1][0]))
    return []


def _sure_circles(
    seen: np.ndarray, lit: np.ndarray, parts: list[Limits]
) -> list[tuple[Field, Limits]]:
    """The circles of parts of a picture; none unless every part has one, or is empty."""
    out = []
    for part in parts:
        left, top, right, bottom = part
        circle = _circle_in(seen, part)
        if circle is not None:
            out.append((circle, part))
        elif lit[top:bottom, left:right].mean() > 0.02:
            return []
    return out


def _bright_parts(lit: np.ndarray) -> list[Limits]:
    """Bounds of the separate bright parts of a picture, if there are a few."""
    labels, n = ndimage.label(ndimage.binary_opening(lit, iterations=2))
    if n < 2:
        return []
    sizes = np.bincount(labels.ravel())[1:]
    large = [k for k in range(n) if sizes[k] >= PART * sizes.max()]
    if not 2 <= len(large) <= 12:
        return []
    height, width = lit.shape
    found = ndimage.find_objects(labels)
    return [
        (max(x.start - 4, 0), max(y.start - 4, 0), min(x.stop + 4, width), min(y.stop + 4, height))
        for y, x in (found[k] for k in large)
    ]


def _tiles(lit: np.ndarray) -> list[list[Limits]]:
    """Grids of which every inner corner, and every end of a line between tiles, is dark."""
    height, width = lit.shape
    out = []
    for rows, columns in GRIDS:
        ys = np.linspace(0, height, rows + 1).round().astype(int).tolist()
        xs = np.linspace(0, width, columns + 1).round().astype(int).tolist()
        if min(ys[1], xs[1]) < LEAST:
            continue
        points = [(y, x) for y in ys for x in xs if 0 < y < height or 0 < x < width]
        corners = [lit[max(y - 2, 0) : y + 2, max(x - 2, 0) : x + 2].mean() for y, x in points]
        if max(corners) > 0.3:
            continue
        out.append([(xs[j], ys[i], xs[j + 1], ys[i + 1]) for i in range(rows)
                    for j in range(columns)])  # fmt: skip
    return out


def _circle_in(small: np.ndarray, part: Limits) -> Field | None:
    """The sure circle in a part of a picture, in px of the picture."""
    left, top, right, bottom = part
    tile = small[top:bottom, left:right]
    if min(tile.shape[:2]) < LEAST:
        return None
    found = find_field(tile)
    if not trusted(found) or found.confidence < SURE:
        return None
    return Field(found.x + left, found.y + top, found.radius, found.confidence)


def _apart(fields: list[Field]) -> bool:
    """Whether circles are of like size and lie beside each other."""
    return all(
        max(a.radius, b.radius) < 2 * min(a.radius, b.radius)
        and np.hypot(a.x - b.x, a.y - b.y) > 1.2 * max(a.radius, b.radius)
        for a, b in combinations(fields, 2)
    )
