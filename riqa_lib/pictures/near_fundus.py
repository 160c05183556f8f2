"""Pictures that are nearly fundus photographs in colour and light (a squirrel, a lamp, a plate):
how like a fundus the field of view is, by eighteen statistics and a logistic regression whose
coefficients are here.

Statistics are of the crop to the field, SIDE px wide, within its mask; and of its circle. The
regression takes each, standardised and cut off at MOST, its square, and six products with the
circle's confidence (L2, C = 0.05). Fitted on fundus: 1940 simulated photographs (defects of
severity 0 to 2.5 at random, changed colours, 23 framings: whole, cut, inside the field, barred, on
white or grey, JPEG 40 to 95), those without a circle weighing 3; on others: 3000 photographs of
BIQ2021 drawn at random (6 where the rules of `recognition` alone let them pass) and 1497 scenes of
sim.scenes, half of them reddened (5 where they pass, else 0.4). LEAST was set on these, by cross-
validation in five folds, and on 20 real fundus photographs; other photographs of BIQ2021 were kept
for measuring."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from .field import Field, crop_field, trusted

SIDE = 64  # px of the crop
LEAST = -1.6  # log odds from which a picture is taken for a fundus
MOST = 4.0  # standard deviations
# name, mean, standard deviation, weight, weight of the square
INTERCEPT = -3.5317
COEFFICIENTS = (
    ("green", -0.2717, 0.4442, -1.3074, -0.3586),
    ("blue", -0.6421, 0.7517, -2.5729, -0.5223),
    ("greens", 0.2006, 0.2066, -0.2576, -0.3009),
    ("blues", 0.3074, 0.2643, -1.3106, -0.1270),
    ("order", 0.6058, 0.3730, -0.1777, -0.0727),
    ("fine", -3.1368, 0.7624, -0.4062, -0.2559),
    ("middle", -2.6754, 0.6374, -0.7151, -0.1555),
    ("coarse", -2.4320, 0.5310, 0.4970, 0.0458),
    ("broad", -1.9419, 0.6327, -0.3570, -0.3535),
    ("edges", -1.5488, 0.6329, -0.5465, 0.1448),
    ("sharper", 1.1266, 0.2385, 0.1449, -0.0485),
    ("thin", -3.5161, 0.7164, 0.6672, 0.3690),
    ("small", -3.6773, 0.9790, -1.1178, 0.2193),
    ("dark", 0.1077, 0.0927, -0.3795, -0.0325),
    ("full", 0.0715, 0.1695, -1.3507, 0.2921),
    ("together", 0.8787, 0.1684, 0.3686, 0.1006),
    ("circle", 0.2546, 0.4263, 0.2186, 1.0828),
    ("held", 0.2376, 0.3949, -0.1711, 0.5504),
)
WITH_CIRCLE = {
    "order": 0.2131,
    "middle": 0.0895,
    "green": -0.1163,
    "blue": 0.3553,
    "thin": -0.4526,
    "dark": 0.0388,
}


def log_odds(rgb: np.ndarray, found: Field) -> float:
    """How like a fundus the field `found` in a picture (H, W, 3) uint8 looks: log odds, higher is
    liker."""
    crop, mask = crop_field(rgb, SIDE, found)
    if mask.sum() < 50:
        return -np.inf
    sure = trusted(found)
    circle = (found.confidence * sure, mask.mean() / (np.pi / 4) * sure)
    values = np.array([*statistics(crop, mask), *circle])
    names, mean, deviation, weight, square = zip(*COEFFICIENTS, strict=True)
    z = np.clip((values - mean) / deviation, -MOST, MOST)
    by_name = dict(zip(names, z.tolist(), strict=True))
    products = sum(w * by_name["circle"] * by_name[n] for n, w in WITH_CIRCLE.items())
    return float(INTERCEPT + z @ weight + z**2 @ square + products)


def statistics(crop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Of a crop (SIDE, SIDE, 3) uint8 to a field of view with its mask (SIDE, SIDE), in this order.

    green, blue: mean log of that channel over red. greens, blues: their standard deviations. order:
    share in which red leads green, and green blue. fine, middle, coarse: log of the mean detail
    finer than 1 px, of 1 to 3, of 3 to 8, over the level of green. broad: of the spread of what is
    coarser. edges: log of the 98th percentile of gradients, over the level; sharper: that less the
    middle detail. thin, small: logs of the mean depth of thin dark things and height of small
    bright ones. dark, full: shares of the field that are dark, over-exposed. together: correlation
    of red and green."""
    x = crop.astype(np.float32)
    top = x.max(axis=2)
    inside = ndimage.binary_erosion(mask, iterations=2)
    inside = inside if inside.sum() >= 50 else mask
    lit = inside & (top > 0.12 * np.percentile(top[mask], 98))
    away = ndimage.binary_erosion(lit, iterations=1, border_value=1)
    away = away if away.sum() >= 50 else inside
    red, green, blue = (x[..., i][away] for i in range(3))
    to_green, to_blue = (np.log((c + 2) / (red + 2)) for c in (green, blue))
    lead = np.minimum(4, 0.15 * red - 0.5)
    # beyond the field its own mean, so that its border is no edge
    plane = np.where(lit, x[..., 1], green.mean())
    level = max(float(green.mean()), 10.0)
    soft = [plane, *(ndimage.gaussian_filter(plane, s) for s in (1.0, 3.0, 8.0))]
    bands = [_log(np.abs(a - b)[away].mean() / level) for a, b in pairwise(soft)]
    slope = np.hypot(*np.gradient(soft[1]))[away]
    edges = _log(np.percentile(slope, 98) / level)
    thin = (ndimage.grey_closing(soft[1], size=5) - soft[1])[away].mean()
    high = (soft[1] - ndimage.grey_opening(soft[1], size=5))[away].mean()
    return np.array(
        [
            to_green.mean(),
            to_blue.mean(),
            to_green.std(),
            to_blue.std(),
            ((red > green + lead) & (green >= blue - 6)).mean(),
            *bands,
            _log(soft[3][away].std() / level),
            edges,
            edges - bands[1],
            _log(thin / level),
            _log(high / level),
            1 - away.sum() / max(inside.sum(), 1),
            (top[away] >= 250).mean(),
            _correlation(red, green),
        ]
    )


def _log(x: float) -> float:
    return float(np.log(x + 1e-3))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() < 0.5 or b.std() < 0.5:
        return 1.0
    return float(np.corrcoef(a, b)[0, 1])
