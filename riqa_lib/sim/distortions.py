"""The 25 distortions of KADID-10k and KADIS-700k, five levels each, from their formulas.

Lin, Hosu and Saupe, "KADID-10k: a large-scale artificially distorted IQA database", QoMEX 2019 (and
its public MATLAB code). Order of types and levels is the authors', so not every type gets worse
with its level: see MONOTONE.

Known differences from the MATLAB code, each deliberate:
- The min-max stretch before and after is an option (`stretch`, off). It undoes what several defects
  do: "mean shift" becomes a contrast stretch, a strong blur regains its contrast. Where defects are
  chained or their strength is the truth to be learned, that is wrong; for one defect a picture as
  in KADID, pass stretch=True.
- 15 "denoise": non-local means instead of a network whose weights are not at hand. 22: the exact
  optimum by dynamic programming, where MATLAB's search is local. 19: cubic splines instead of cubic
  convolution. 9: the ratio does not count the file's fixed header, which in a picture of 80 px
  would be more than the whole budget.
- Bodies never published or not seen (1, 2, 3, 7, 10, 11, 14, 17, 18) follow MATLAB's function of
  that name. Borders are replicated everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .blurs import gaussian_blur, lens_blur, motion_blur, sharpen
from .colours import (
    bend,
    brighten,
    colour_diffusion,
    colour_quantisation,
    colour_shift,
    contrast,
    mean_shift,
    saturate_hsv,
    saturate_lab,
)
from .displacements import colour_blocks, copy_patches, jitter, pixelate
from .noise_and_coding import (
    denoise,
    impulse_noise,
    jpeg,
    jpeg2000,
    speckle,
    white_noise,
    ycbcr_noise,
)
from .quantisation import quantise
from .value_ranges import min_max

# Picture (float32, (H, W, 3), in [0,1]), level's value, random numbers, scale -> picture, not yet
# clipped.
Distortion = Callable[[np.ndarray, float, np.random.Generator, float], np.ndarray]

# Name, the levels' values a and what they are, function.
_KINDS: dict[int, tuple[str, tuple[float, ...], Distortion]] = {
    1: (
        "Gaussian blur",
        (0.1, 0.5, 1, 2, 5),  # sigma, px
        lambda x, a, rng, s: gaussian_blur(x, s * a),
    ),
    2: (
        "lens blur",
        (1, 2, 4, 6, 8),  # radius, px
        lambda x, a, rng, s: lens_blur(x, s * a),
    ),
    3: (
        "motion blur",
        (1, 2, 4, 6, 10),  # length, px
        lambda x, a, rng, s: motion_blur(x, s * (a - 1), rng),
    ),
    4: (
        "colour diffusion",
        (1, 3, 6, 8, 12),  # k
        lambda x, a, rng, s: colour_diffusion(x, a, s),
    ),
    5: (
        "colour shift",
        (1, 3, 6, 8, 12),  # px
        lambda x, a, rng, s: colour_shift(x, a, rng, s),
    ),
    6: (
        "colour quantisation",
        (64, 48, 32, 16, 8),  # colours
        lambda x, a, rng, s: colour_quantisation(x, int(a)),
    ),
    7: (
        "colour saturation 1",
        (0.4, 0.2, 0.1, 0, -0.4),  # factor
        lambda x, a, rng, s: saturate_hsv(x, a),
    ),
    8: (
        "colour saturation 2",
        (1, 2, 3, 6, 9),  # factor
        lambda x, a, rng, s: saturate_lab(x, a),
    ),
    9: (
        "JPEG2000",
        (16, 32, 45, 120, 400),  # ratio
        lambda x, a, rng, s: jpeg2000(x, a),
    ),
    10: (
        "JPEG",
        (43, 36, 24, 7, 4),  # quality
        lambda x, a, rng, s: jpeg(x, int(a)),
    ),
    11: (
        "white noise",
        (0.001, 0.002, 0.003, 0.005, 0.01),  # variance
        lambda x, a, rng, s: white_noise(x, a, rng),
    ),
    12: (
        "white noise in YCbCr",
        (0.0001, 0.0005, 0.001, 0.002, 0.003),  # variance
        lambda x, a, rng, s: ycbcr_noise(x, a, rng),
    ),
    13: (
        "impulse noise",
        (0.001, 0.005, 0.01, 0.02, 0.03),  # density
        lambda x, a, rng, s: impulse_noise(x, a, rng),
    ),
    14: (
        "multiplicative noise",
        (0.001, 0.005, 0.01, 0.02, 0.05),  # variance
        lambda x, a, rng, s: speckle(x, a, rng),
    ),
    15: (
        "denoise",
        (0.01, 0.03, 0.05, 0.1, 0.15),  # variance
        lambda x, a, rng, s: denoise(x, a, rng),
    ),
    16: (
        "brighten",
        (0.1, 0.2, 0.4, 0.7, 1.1),  # lifts 0.5 by a/2
        lambda x, a, rng, s: brighten(x, a),
    ),
    17: (
        "darken",
        (0.05, 0.1, 0.2, 0.4, 0.8),  # drops 0.5 by a/2
        lambda x, a, rng, s: bend(x, -a),
    ),
    18: (
        "mean shift",
        (0.15, 0.08, 0, -0.08, -0.15),  # added
        lambda x, a, rng, s: mean_shift(x, a),
    ),
    19: (
        "jitter",
        (0.05, 0.1, 0.2, 0.5, 1),  # standard deviation, px
        lambda x, a, rng, s: jitter(x, s * a, rng),
    ),
    20: (
        "non-eccentricity patch",
        (20, 40, 60, 80, 100),  # patches
        lambda x, a, rng, s: copy_patches(x, int(a), rng, s),
    ),
    21: (
        "pixelate",
        (0.01, 0.05, 0.1, 0.2, 0.5),  # 0.95 - a^0.6 of the side is left
        lambda x, a, rng, s: pixelate(x, 0.95 - a**0.6),
    ),
    22: (
        "quantisation",
        (20, 16, 13, 10, 7),  # thresholds
        lambda x, a, rng, s: quantise(x, int(a)),
    ),
    23: (
        "colour block",
        (2, 4, 6, 8, 10),  # squares
        lambda x, a, rng, s: colour_blocks(x, int(a), rng, s),
    ),
    24: (
        "high sharpen",
        (1, 2, 3, 6, 12),  # amount
        lambda x, a, rng, s: sharpen(x, a, 3 * s),
    ),
    25: (
        "contrast change",
        (0.3, 0.15, 0, -0.4, -0.6),  # a/4 moves a knot
        lambda x, a, rng, s: contrast(x, a),
    ),
}

TYPES: dict[int, str] = {kind: name for kind, (name, _, _) in _KINDS.items()}
LEVELS: dict[int, tuple[float, ...]] = {kind: levels for kind, (_, levels, _) in _KINDS.items()}

# Types whose mean damage must rise with the level. 18 and 25 are mildest in the middle; of 7's last
# levels, no colour and false colour, none is the worse for everybody.
MONOTONE: frozenset[int] = frozenset(TYPES) - {7, 18, 25}
MIN_SIDE = 16  # px


def distort(
    image: np.ndarray,
    kind: int,
    level: int,
    rng: np.random.Generator,
    *,
    stretch: bool = False,
    scale: float = 1.0,
) -> np.ndarray:
    """One of the 25 distortions (TYPES) at one of five levels (LEVELS).

    image: (H, W, 3) RGB, uint8 or float in [0,1], sides of at least 16 px; never changed. kind:
    1..25; level: 1..5, in the authors' order. The same rng state gives the same result. stretch:
    min-max stretch of the picture to [0,1] before and of the result after, as in KADID (see above
    why not). scale: multiplies every length in px (blurs 1-4, 24; shifts 5, 19; patches 20, 23).
    KADID's lengths belong to 512 x 384 px, so scale = side / 512 shows the same defect in a smaller
    picture; 1 keeps the same px. Returns (H, W, 3) float32 in [0,1]. Raises ValueError for anything
    else than the above.

    >>> grey = np.full((64, 64, 3), 0.5)
    >>> for level in (1, 3, 5):
    ...     noisy = distort(grey, 11, level, np.random.default_rng(0))
    ...     print(TYPES[11], level, f"{noisy.std():.2f}")
    white noise 1 0.03
    white noise 3 0.05
    white noise 5 0.10
    """
    if kind not in TYPES:
        raise ValueError(
            f"unknown distortion {kind!r}; allowed: "
            + ", ".join(f"{k} {n}" for k, n in TYPES.items())
        )
    if level not in range(1, 6):
        raise ValueError(
            f"level {level!r} of distortion {kind} ({TYPES[kind]}); allowed: 1, 2, 3, 4, 5"
        )
    if not scale > 0:
        raise ValueError(f"scale {scale!r}; it must be above 0")
    x = _checked(image)
    _, levels, function = _KINDS[int(kind)]
    x = min_max(x) if stretch else x
    y = function(x, levels[int(level) - 1], rng, scale)
    y = min_max(y) if stretch else y
    return np.clip(y, 0, 1).astype(np.float32)


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < MIN_SIDE:
        raise ValueError(
            f"image of shape {image.shape}; expected (H, W, 3) with H and W of at least {MIN_SIDE}"
        )
    if image.dtype == np.uint8:
        return image.astype(np.float32) / 255
    if image.dtype.kind != "f":
        raise ValueError(f"image of type {image.dtype}; expected uint8, or float in [0,1]")
    low, high = image.min(), image.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also false for NaN
        raise ValueError(
            f"image values from {low} to {high}; expected uint8, or float in [0,1] without NaN"
        )
    return np.clip(image, 0, 1).astype(np.float32)
