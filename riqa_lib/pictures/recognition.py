"""Whether a picture is a fundus photograph at all, and why not.

It must show a field of view on a dark surround, in the colours of a fundus; a field that fills the
picture, or fades into the dark, is known by its colours and smoothness alone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .field import SURE, Field, as_rgb, find_field, reduced


def is_fundus(image: np.ndarray, field: Field | None = None) -> tuple[bool, str]:
    """Whether a picture is a fundus photograph, however bad, and if not, why.

    Its field must be a bright circle on a dark surround with the colours of a fundus (red before
    green before blue on the whole; grey pictures pass on their circle). A picture cut inside the
    field passes on colours and smoothness alone.

    >>> from riqa_lib.sim.scenes import scene
    >>> is_fundus(scene("harbour", 96))
    (False, 'no rim, and only 0% of it has the colours of a fundus (expected 95 %)')
    """
    rgb = as_rgb(image)
    found = find_field(rgb) if field is None else field
    small = reduced(rgb, 128).astype(np.float32)
    light = small.max(axis=2)
    if float(np.percentile(light, 99)) - float(np.percentile(light, 1)) < 6:
        reason = "uniform: there is nothing in the picture"
    elif found.whole:
        reason = _without_rim(small)
    elif found.confidence < 0.12:
        reason = "" if _glows(small) else f"no field of view: {found.reason}"
    else:
        reason = _with_rim(small, found, max(small.shape[:2]) / max(rgb.shape[:2]))
    return not reason, reason


def _without_rim(small: np.ndarray) -> str:
    """Why a picture (H, W, 3) that a field would have to fill is no fundus; "" where it is one."""
    red, green, blue = (small[..., i] for i in range(3))
    order = float(((red > green + 4) & (green >= blue - 6)).mean())
    rough = float(
        np.abs(green - ndimage.gaussian_filter(green, 2)).mean() / max(float(green.mean()), 1.0)
    )
    if order < 0.95:
        return f"no rim, and only {order:.0%} of it has the colours of a fundus (expected 95 %)"
    return "no rim, and too rough for a fundus" if rough > 0.06 else ""


def _with_rim(small: np.ndarray, found: Field, scale: float) -> str:
    """Why a picture with a circle in it is no fundus; "" where it is one. scale: px of small a px
    of the field."""
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    distance = np.hypot(x - (found.x + 0.5) * scale + 0.5, y - (found.y + 0.5) * scale + 0.5) / (
        found.radius * scale
    )
    inside, outside = distance < 0.94, distance > 1.08
    if outside.mean() > 0.01:
        light = small.max(axis=2)
        surround = float(np.percentile(light[outside], 80))
        level = float(np.percentile(light[inside], 90))
        if surround > 0.35 * level + 4 or surround > 70:
            return "no dark surround around the circle"
    elif found.confidence < SURE:
        return "no surround to tell a field of view by"
    red, green, blue = (small[..., i] for i in range(3))
    foreign = float((blue > red + 16)[inside].mean())
    if foreign > 0.12:
        return f"{foreign:.0%} of the circle is bluer than a fundus can be"
    if float(green[inside].mean()) > 1.35 * float(red[inside].mean()) + 2:
        return "it is greener than a fundus can be"
    return ""


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
