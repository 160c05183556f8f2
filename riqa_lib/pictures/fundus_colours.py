"""Whether the colours of a field of view are those of a colour fundus photograph: has it colour at
all (red-free, autofluorescence, angiograms have none, tinted or not), and is red before green
before blue in its middle (at the rim light may leak in)?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

NO_COLOUR = "no colour: red-free, autofluorescence, an angiogram, or made grey?"
GREY = 0.04  # mean difference of the channels, share of the brightest one's mean
ALONE = 0.03  # share of the brightest channel's mean below which another one holds nothing
TINTED = 0.12  # grey levels that channels of a tinted grey picture differ from a curve of the first
CLIPPED = 245  # grey levels from which a channel may have been cut off


def no_colour(small: np.ndarray, inside: np.ndarray) -> str:
    """Why the part `inside` (H, W) of a picture (H, W, 3), 0..255, is no colour photograph; ""
    where it is one.

    Grey: its channels are alike. One channel: the others are black. Tinted: each channel is one
    curve (a parabola) of the brightest, to less than half of what quantisation to 8 bits does."""
    soft = np.stack([ndimage.gaussian_filter(small[..., i], 2.0) for i in range(3)], axis=2)
    full = ndimage.maximum_filter(small.max(axis=2), 5) >= CLIPPED
    part = inside & ~full if (inside & ~full).sum() >= 100 else inside
    values = soft[part].astype(float)
    if len(values) < 10:
        return ""
    means = values.mean(axis=0)
    top = float(means.max())
    if np.ptp(values, axis=1).mean() < GREY * top + 0.5:
        return NO_COLOUR
    if np.sort(means)[1] < ALONE * top:
        return NO_COLOUR
    first = values[:, means.argmax()]
    curve = np.stack([np.ones_like(first), first, first**2 / 255], axis=1)
    fitted = curve @ np.linalg.lstsq(curve, values, rcond=None)[0]
    return NO_COLOUR if (values - fitted).std(axis=0).max() < TINTED else ""


def wrong_colours(small: np.ndarray, inside: np.ndarray, middle: np.ndarray) -> str:
    """Why the colours of a field of view, `inside` (H, W) of a picture (H, W, 3), 0..255, are not a
    fundus's; "" where they are. middle (H, W): its middle, where no light leaks in."""
    red, green, blue = (small[..., i] for i in range(3))
    bluer = blue > red + 16
    foreign = float(bluer[middle].mean())
    if foreign > 0.25:
        swapped = float((blue > green + 4)[middle].mean()) > 0.8 and foreign > 0.6
        hint = ": are red and blue swapped?" if swapped else ""
        return f"{foreign:.0%} of the circle is bluer than a fundus can be{hint}"
    if float(green[inside].mean()) > 1.35 * float(red[inside].mean()) + 2:
        return "it is greener than a fundus can be"
    return ""
