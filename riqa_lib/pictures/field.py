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

from .field_bars import Box, between_bars, bright_surround
from .field_circle import Circle, best_circle, surround
from .field_text import text_beside

WORK = 288  # px, longer side of the copy that is searched
SURE = 0.5  # a field of less confidence carries a reason
TRUST = 0.2  # a circle of less is not taken: neither is cropped to it, nor refused for it
SMALLEST = 16  # px, shorter side
# px, radius from which clarity can be judged. On 120 simulated photographs (one half with clarity
# severity 1, all with illumination and contrast 0 to 1.5), reduced to a radius, with a sensor's
# noise of 3 grey levels and JPEG 75: logistic regression on eight statistics of sharpness, learnt
# and tried (6 folds) at that radius, has AUC .79 at 20 px, .84 at 24, .89 at 28, .96 at 32, .99 at
# 40, .998 at 112.
CLARITY_FROM = 32


@dataclass(frozen=True)
class Field:
    """The circle of the field of view in px of the picture (pixel centres at whole numbers), how
    sure it is (0..1), and why not more ("" when sure). whole: the picture has no visible rim; the
    circle is then the one around the picture, or around what bars leave of it. box: the part of the
    picture that holds the field, without bars and uniform surrounds: left, top, right, bottom, in
    px from the picture's left and top edge; None is the whole picture. note: what else was seen
    beside it, and doesn't matter."""

    x: float
    y: float
    radius: float
    confidence: float
    reason: str = ""
    whole: bool = False
    box: tuple[float, float, float, float] | None = None
    note: str = ""


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
    scale = max(height, width) / max(small.shape[:2])
    around = replace(_around((0.0, 0.0, float(width), float(height))), box=None)
    bright_parts = bright_surround(small)
    raw = small.max(axis=2).astype(np.float32)
    light = raw.copy()
    dark, noise = surround(light, bright_parts)
    light[bright_parts] = dark
    light = ndimage.gaussian_filter(light, 0.7)
    bright = float(np.percentile(light, 98))
    if bright - dark < max(6.0, 6 * noise):
        return replace(around, reason="uniform: no field of view stands out from the rest")
    between = between_bars(light, dark, bright, noise)
    best = best_circle(light, dark, bright, noise, between)
    text = text_beside(raw, _outside(raw.shape, best, between), dark)
    note = "text beside the field of view" if text else ""
    filling = replace(_around(_in_px(between, scale, rgb)), note=note)
    if best is None:
        return replace(
            filling,
            confidence=min(0.1, TRUST / 2),
            reason="no rim: cut inside the field of view, or not a fundus photograph",
        )
    if best.confidence < TRUST:
        return replace(filling, confidence=best.confidence, reason=_why(best))
    return Field(
        (best.x + 0.5) * scale - 0.5,
        (best.y + 0.5) * scale - 0.5,
        best.radius * scale,
        best.confidence,
        _why(best),
        box=_in_px(between.cuts(small.shape[1], small.shape[0]), scale, rgb),
        note=note,
    )


def _outside(shape: tuple[int, ...], best: Circle | None, between: Box) -> np.ndarray:
    """What of the small copy (H, W) lies clearly outside of the field."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    left, top, right, bottom = between[:4]
    out = (x < left - 3) | (x > right + 2) | (y < top - 3) | (y > bottom + 2)
    if best is not None and best.confidence >= TRUST:
        out = out | ((x - best.x) ** 2 + (y - best.y) ** 2 > (1.08 * best.radius) ** 2)
    return np.broadcast_to(out, shape)


def _in_px(box: Box, scale: float, rgb: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a box of the small copy, in px of the picture."""
    height, width = rgb.shape[:2]
    return (
        min(box.left * scale, width),
        min(box.top * scale, height),
        min(box.right * scale, width),
        min(box.bottom * scale, height),
    )


def _around(box: tuple[float, ...]) -> Field:
    """The field that fills a part of a picture (left, top, right, bottom in px)."""
    left, top, right, bottom = box
    x, y = (left + right - 1) / 2, (top + bottom - 1) / 2
    radius = float(np.hypot(right - left, bottom - top) / 2)
    return Field(x, y, radius, 0.0, whole=True, box=(left, top, right, bottom))


def _why(best: Circle) -> str:
    """Why a circle is not sure; "" where it is."""
    if best.confidence >= SURE:
        return ""
    if best.seen < 0.3:
        return f"only {best.seen:.0%} of the rim can be seen"
    if best.fits < 0.5:
        return f"only {best.fits:.0%} of the visible rim lies on the circle"
    return "the surround is not dark, or too little of the rim lies in the picture"


def reduced(rgb: np.ndarray, longest: int) -> np.ndarray:
    """A copy of which the longer side has at most this many px."""
    height, width = rgb.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX, reducing_gap=2.0))


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
    left, top, right, bottom = found.box or (0, 0, width, height)
    if trusted(found):
        x, y, half = found.x + 0.5, found.y + 0.5, found.radius
    else:
        x, y, half = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) / 2
    pixels = _cut_out(rgb, x, y, half, size)
    where = (np.arange(size) + 0.5) * 2 * half / size - half
    mask = ((where + x > left) & (where + x < right))[None, :] & (
        (where + y > top) & (where + y < bottom)
    )[:, None]
    if trusted(found):
        mask &= where[None, :] ** 2 + where[:, None] ** 2 <= half**2
    pixels[~mask] = 0
    return pixels, mask


def trusted(field: Field) -> bool:
    """Whether a field's circle is one to crop to, and to refuse by."""
    return not field.whole and field.confidence >= TRUST


def _cut_out(rgb: np.ndarray, x: float, y: float, half: float, size: int) -> np.ndarray:
    """The square around (x, y), in px from the picture's edges, at size x size px; black where the
    picture ends."""
    box = (x - half, y - half, x + half, y + half)
    left, top = int(np.floor(box[0])) - 1, int(np.floor(box[1])) - 1
    right, bottom = int(np.ceil(box[2])) + 1, int(np.ceil(box[3])) + 1
    canvas = Image.fromarray(rgb).crop((left, top, right, bottom))
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return np.array(
        canvas.resize((size, size), Image.Resampling.BICUBIC, box=inner, reducing_gap=3.0)
    )


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
