"""Whether a picture is a fundus photograph at all, and why not.

It must show one field of view on a dark or uniform surround, in the colours of a fundus; a field
that fills the picture, or fades into the dark, is known by its colours and smoothness alone. One
confidence (`field.TRUST`) decides whether a circle is taken, for the crop and here."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import near_fundus
from .field import SURE, Field, as_rgb, find_field, reduced, trusted
from .fundus_colours import no_colour, wrong_colours
from .several_fields import split_fields

FILLED = 0.99  # bright share of a circle that holds one field
BESIDES = 0.05  # of it, bright parts beside it; a second field has a fourth of it or more
# grey levels, plus a share of the brightest channel's mean, that soft pixels of a field of view
# scatter at least: each of 249 simulated photographs, blurred and dark ones too, has more than
# twice that, each of 20 real ones more than five times
STILL, FLAT = 0.15, 0.01
ROUGH = 0.1  # fine detail of green over its level, in a picture that a field would have to fill


def is_fundus(image: np.ndarray, field: Field | None = None) -> tuple[bool, str]:
    """Whether a picture is a colour photograph of one fundus, however bad, and if not, why.

    Its field must be a bright circle on a dark or uniform surround with the colours of a fundus
    (red before green before blue on the whole). A picture cut inside the field passes on colours
    and smoothness alone.

    >>> from riqa_lib.sim.scenes import scene
    >>> is_fundus(scene("harbour", 96))
    (False, 'no rim, and only 0% of it has the colours of a fundus (expected 95 %)')
    """
    rgb = as_rgb(image)
    found = find_field(rgb) if field is None else field
    small = reduced(rgb, 128).astype(np.float32)
    light = small.max(axis=2)
    if float(np.percentile(light, 99)) - float(np.percentile(light, 1)) < 6:
        return False, "uniform: there is nothing in the picture"
    distance = _distance(small, found, max(small.shape[:2]) / max(rgb.shape[:2]))
    if (distance < 0.65).sum() < 10:
        return False, "no field of view: hardly anything of the circle is in the picture"
    if _flat(small, distance < 0.65):
        return False, "flat: one colour all over, without a vessel or a shade"
    alone = found.confidence >= SURE and _one_disc(light, distance)
    reason = no_colour(small, distance < 0.94) or ("" if alone else _several(rgb, found))
    reason = reason or _unlike(small, found, distance)
    if not reason and near_fundus.log_odds(rgb, found) < near_fundus.LEAST:
        reason = "in detail and colours it is no fundus"
    return not reason, reason


def _flat(small: np.ndarray, inside: np.ndarray) -> bool:
    """Whether the part `inside` (H, W) of a picture (H, W, 3) has one colour, noise apart."""
    soft = np.stack([ndimage.gaussian_filter(small[..., i], 2.0)[inside] for i in range(3)])
    return bool(soft.std(axis=1).max() < STILL + FLAT * soft.mean(axis=1).max())


def _several(rgb: np.ndarray, found: Field) -> str:
    """That a picture shows more than one field of view; "" where it doesn't."""
    several = len(split_fields(rgb)) if _may_be_several(found, *rgb.shape[:2]) else 0
    return f"more than one field of view ({several})" if several else ""


def _one_disc(light: np.ndarray, distance: np.ndarray) -> bool:
    """Whether all that is bright (light (H, W)) fills one circle: then no second field is looked
    for, which takes ten times as long. Discs that lie apart leave gaps between them, or reach out
    of the circle around them. distance (H, W): from the circle's centre, in radii."""
    dark = float(np.percentile(light, 1))
    bright = light > dark + max(6.0, 0.12 * (float(np.percentile(light, 98)) - dark))
    inside, beyond = distance < 0.94, distance > 1.06
    filled, besides = bright[inside].mean(), bright[beyond].sum() / inside.sum()
    return bool(filled >= FILLED and besides <= BESIDES)


def _unlike(small: np.ndarray, found: Field, distance: np.ndarray) -> str:
    """Why a picture (H, W, 3) is none by the rules for a field with a circle, or for one without;
    "" where it is one. distance (H, W): from the field's centre, in radii."""
    if trusted(found):
        return wrong_colours(small, distance < 0.94, distance < 0.65)
    return "" if _glows(small) else _without_rim(small, distance < 1)


def _may_be_several(found: Field, height: int, width: int) -> bool:
    """Whether there is room for more than one field: none is sure, or it reaches beyond the part
    that it lies in, or leaves more than a third of the picture's longer side."""
    if not trusted(found):
        return True
    left, top, right, bottom = found.box or (0, 0, width, height)
    near = min(found.x - left, found.y - top, right - found.x, bottom - found.y)
    return near < 0.94 * found.radius or 2 * found.radius < 0.64 * max(height, width)


def _distance(small: np.ndarray, found: Field, scale: float) -> np.ndarray:
    """How far the px of a small picture are from the field's centre, in radii (H, W); infinite
    outside of the part of the picture that holds it. scale: px of small a px of the field."""
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    distance = np.hypot(x - (found.x + 0.5) * scale + 0.5, y - (found.y + 0.5) * scale + 0.5) / (
        found.radius * scale
    )
    if not trusted(found):
        distance *= 0.9
    if found.box is not None:
        left, top, right, bottom = (side * scale for side in found.box)
        outside = (x < left) | (x + 1 > right) | (y < top) | (y + 1 > bottom)
        distance[outside] = np.inf
    return distance


def _without_rim(small: np.ndarray, inside: np.ndarray) -> str:
    """Why a picture (H, W, 3) that a field would have to fill, apart from what is not `inside` (H,
    W), is no fundus; "" where it is one."""
    red, green, blue = (small[..., i] for i in range(3))
    lead = np.minimum(4, 0.15 * red - 0.5)
    order = float(((red > green + lead) & (green >= blue - 6))[inside].mean())
    lit = inside & (small.max(axis=2) > 0.12 * np.percentile(small.max(axis=2)[inside], 98))
    away = ndimage.binary_erosion(
        lit, iterations=3, border_value=1
    )  # from edges that are no retina
    away = away if away.sum() >= 50 else inside
    rough = float(np.abs(green - ndimage.gaussian_filter(green, 2))[away].mean())
    rough /= max(float(green[away].mean()), 10.0)
    if order < 0.95:
        return f"no rim, and only {order:.0%} of it has the colours of a fundus (expected 95 %)"
    return "no rim, and too rough for a fundus" if rough > ROUGH else ""


def _glows(small: np.ndarray) -> bool:
    """A fundus so dark at its rim that no circle shows: a smooth reddish glow, all four corners
    dark."""
    light = ndimage.gaussian_filter(small.max(axis=2), 2)
    height, width = light.shape
    a, b = height // 10, width // 10
    corners = max(
        float(np.median(c))
        for c in (light[:a, :b], light[:a, -b:], light[-a:, :b], light[-a:, -b:])
    )
    top = float(np.percentile(light, 98))
    lit = light > 0.4 * top
    red, green, blue = (small[..., i][lit].mean() for i in range(3))
    smooth = float(np.abs(small[..., 0] - light)[lit].mean()) < 0.12 * top
    return bool(
        corners < 0.15 * top
        and top > 12
        and smooth
        and red > 1.1 * green
        and green > 0.9 * blue
        and lit.mean() < 0.7
    )
