"""The 25 distortions of KADID-10k and KADIS-700k, five levels each, from their formulas.

Lin, Hosu and Saupe, "KADID-10k: a large-scale artificially distorted IQA database", QoMEX 2019 (and
its public MATLAB code). Order of types and levels is the authors', so not every type gets worse
with its level: see MONOTONE.

Known differences from the MATLAB code, each deliberate:
- The min-max stretch before and after is an option (`stretch`, off). It undoes what several defects do: "mean shift"
  becomes a contrast stretch, a strong blur regains its contrast. Where defects are chained or their
  strength is the truth to be learned, that is wrong; for one defect a picture as in KADID, pass
  stretch=True.
- 15 "denoise": non-local means instead of a network whose weights are not at hand. 22: the exact optimum by dynamic
  programming, where MATLAB's search is local. 19: cubic splines instead of cubic convolution. 9:
  the ratio does not count the file's fixed header, which in a picture of 80 px would be more than
  the whole budget.
- Bodies never published or not seen (1, 2, 3, 7, 10, 11, 14, 17, 18) follow MATLAB's function of that name. Borders
  are replicated everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from math import ceil, log2, pi, sqrt

import numpy as np
from PIL import Image
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.signal import fftconvolve
from skimage.color import lab2rgb, rgb2lab, rgb2ycbcr, ycbcr2rgb
from skimage.restoration import denoise_nl_means

# Picture (float32, (H, W, 3), in [0,1]), level's value, random numbers, scale -> picture, not yet
# clipped.
Distortion = Callable[[np.ndarray, float, np.random.Generator, float], np.ndarray]


# Name, the levels' values a (what they are: behind), function.
_KINDS: dict[int, tuple[str, tuple[float, ...], Distortion]] = {
    1: (
        "Gaussian blur",
        (0.1, 0.5, 1, 2, 5),
        lambda x, a, rng, s: gaussian_blur(x, s * a),
    ),  # sigma, px
    2: ("lens blur", (1, 2, 4, 6, 8), lambda x, a, rng, s: lens_blur(x, s * a)),  # radius, px
    3: (
        "motion blur",
        (1, 2, 4, 6, 10),
        lambda x, a, rng, s: motion_blur(x, s * (a - 1), rng),
    ),  # length, px
    4: ("colour diffusion", (1, 3, 6, 8, 12), lambda x, a, rng, s: colour_diffusion(x, a, s)),  # k
    5: ("colour shift", (1, 3, 6, 8, 12), lambda x, a, rng, s: colour_shift(x, a, rng, s)),  # px
    6: (
        "colour quantisation",
        (64, 48, 32, 16, 8),
        lambda x, a, rng, s: colour_quantisation(x, int(a)),
    ),  # colours
    7: (
        "colour saturation 1",
        (0.4, 0.2, 0.1, 0, -0.4),
        lambda x, a, rng, s: saturate_hsv(x, a),
    ),  # factor
    8: ("colour saturation 2", (1, 2, 3, 6, 9), lambda x, a, rng, s: saturate_lab(x, a)),  # factor
    9: ("JPEG2000", (16, 32, 45, 120, 400), lambda x, a, rng, s: jpeg2000(x, a)),  # ratio
    10: ("JPEG", (43, 36, 24, 7, 4), lambda x, a, rng, s: jpeg(x, int(a))),  # quality
    11: (
        "white noise",
        (0.001, 0.002, 0.003, 0.005, 0.01),
        lambda x, a, rng, s: white_noise(x, a, rng),
    ),  # variance
    12: (
        "white noise in YCbCr",
        (0.0001, 0.0005, 0.001, 0.002, 0.003),
        lambda x, a, rng, s: ycbcr_noise(x, a, rng),
    ),
    13: (
        "impulse noise",
        (0.001, 0.005, 0.01, 0.02, 0.03),
        lambda x, a, rng, s: impulse_noise(x, a, rng),
    ),  # density
    14: (
        "multiplicative noise",
        (0.001, 0.005, 0.01, 0.02, 0.05),
        lambda x, a, rng, s: speckle(x, a, rng),
    ),
    15: (
        "denoise",
        (0.01, 0.03, 0.05, 0.1, 0.15),
        lambda x, a, rng, s: denoise(x, a, rng),
    ),  # variance
    16: (
        "brighten",
        (0.1, 0.2, 0.4, 0.7, 1.1),
        lambda x, a, rng, s: brighten(x, a),
    ),  # lift of 0.5 by a/2
    17: (
        "darken",
        (0.05, 0.1, 0.2, 0.4, 0.8),
        lambda x, a, rng, s: bend(x, -a),
    ),  # drop of 0.5 by a/2
    18: (
        "mean shift",
        (0.15, 0.08, 0, -0.08, -0.15),
        lambda x, a, rng, s: mean_shift(x, a),
    ),  # added
    19: ("jitter", (0.05, 0.1, 0.2, 0.5, 1), lambda x, a, rng, s: jitter(x, s * a, rng)),  # sd, px
    20: (
        "non-eccentricity patch",
        (20, 40, 60, 80, 100),
        lambda x, a, rng, s: copy_patches(x, int(a), rng, s),
    ),
    21: ("pixelate", (0.01, 0.05, 0.1, 0.2, 0.5), lambda x, a, rng, s: pixelate(x, 0.95 - a**0.6)),
    22: (
        "quantisation",
        (20, 16, 13, 10, 7),
        lambda x, a, rng, s: quantise(x, int(a)),
    ),  # thresholds
    23: (
        "colour block",
        (2, 4, 6, 8, 10),
        lambda x, a, rng, s: colour_blocks(x, int(a), rng, s),
    ),  # squares
    24: ("high sharpen", (1, 2, 3, 6, 12), lambda x, a, rng, s: sharpen(x, a, 3 * s)),  # amount
    25: (
        "contrast change",
        (0.3, 0.15, 0, -0.4, -0.6),
        lambda x, a, rng, s: contrast(x, a),
    ),  # a/4 moves a knot
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
    else than the above."""
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


def min_max(x: np.ndarray) -> np.ndarray:
    """(x - min) / (max - min) over the whole array; an even one is returned as it is."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low) if high > low else x


def _bytes(x: np.ndarray) -> np.ndarray:
    return np.round(np.clip(x, 0, 1) * 255).astype(
        np.uint8
    )  # rounded: cutting off would darken by half a level


def _floats(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255


def _lab_to_rgb(lightness: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """L (H, W) in 0..100 and a, b (H, W, 2) to RGB, clipped to [0,1]; b is kept where Z >= 0."""
    b = np.minimum(chroma[..., 1], 200 * (lightness + 16) / 116 - 1e-3)
    return lab2rgb(np.stack([lightness, chroma[..., 0], b], axis=-1))


def gaussian_blur(x: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian of sigma px, cut at +-ceil(2 sigma) px and normalised, over the first two axes."""
    along = [1, 1] + [0] * (x.ndim - 2)
    return gaussian_filter(
        x, [sigma * i for i in along], radius=[ceil(2 * sigma) * i for i in along], mode="nearest"
    )


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    n = kernel.shape[0] // 2
    if n == 0:
        return x
    padded = np.pad(x, ((n, n), (n, n), (0, 0)), mode="edge")
    return fftconvolve(padded, kernel.astype(np.float32)[..., None], mode="valid", axes=(0, 1))


def lens_blur(x: np.ndarray, radius: float) -> np.ndarray:
    """Convolution with a disc of this radius in px."""
    return _convolve(x, disc_kernel(radius))


def disc_kernel(radius: float) -> np.ndarray:
    """(2n+1, 2n+1): each pixel's share of the area of a disc (pillbox), exact, sums to 1.

    The corner [0,u] x [0,v] of a disc has the area v t + G(u) - G(t), with t = min(u, sqrt(r^2 -
    v^2)) and G(s) = (s sqrt(r^2 - s^2) + r^2 asin(s/r)) / 2; a pixel is a difference of four
    corners."""
    n = ceil(radius - 0.5)
    edges = np.arange(-n, n + 2) - 0.5
    side = np.sign(edges)
    v, u = np.meshgrid(*[np.minimum(np.abs(edges), radius)] * 2, indexing="ij")
    t = np.minimum(u, np.sqrt(radius**2 - v**2))
    area_u, area_t = (
        (s * np.sqrt(radius**2 - s**2) + radius**2 * np.arcsin(s / radius)) / 2 for s in (u, t)
    )
    corners = side[:, None] * side[None, :] * (v * t + area_u - area_t)
    return np.diff(np.diff(corners, axis=0), axis=1) / (pi * radius**2)


def motion_blur(x: np.ndarray, path: float, rng: np.random.Generator) -> np.ndarray:
    """Convolution with a line of `path` px at a random angle."""
    return _convolve(x, line_kernel(path, rng.uniform(0, pi)))


def line_kernel(path: float, angle: float) -> np.ndarray:
    """(2n+1, 2n+1): max(0, 1 - distance to a centred line of `path` px at `angle` rad), sums to 1
    (path 0: identity).

    MATLAB's "motion" of length L is the path L - 1: the pixel itself is the first px of the length.
    """
    n = ceil(path / 2)
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    along, across = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    kernel = np.maximum(0, 1 - np.hypot(across, np.maximum(0, np.abs(along) - path / 2)))
    return kernel / kernel.sum()


def colour_diffusion(x: np.ndarray, k: float, scale: float = 1.0) -> np.ndarray:
    """Lab: a and b blurred by a Gaussian of 1.5k + 2 px, then times k; L kept."""
    lab = rgb2lab(x)
    return _lab_to_rgb(lab[..., 0], k * gaussian_blur(lab[..., 1:], scale * (1.5 * k + 2)))


def colour_shift(
    x: np.ndarray, amount: float, rng: np.random.Generator, scale: float = 1.0
) -> np.ndarray:
    """G = e * (G moved by round(amount * u)) + (1 - e) * G, with u a random unit vector, both parts
    >= 0.

    e: gradient of the grey picture, blurred (4 px), min-max, clipped to [.1,1], 1st-99th percentile
    to [0,1]."""
    grey = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    e = np.clip(min_max(gaussian_blur(np.hypot(*np.gradient(grey)), 4 * scale)), 0.1, 1)
    low, high = np.percentile(e, [1, 99])
    e = np.clip((e - low) / (high - low), 0, 1) if high > low else e
    u = rng.random(2)
    down, right = np.round(scale * amount * u / np.hypot(*u)).astype(int)
    height, width = grey.shape
    moved = np.pad(x[..., 1], ((down, 0), (right, 0)), mode="edge")[:height, :width]
    y = x.copy()
    y[..., 1] = e * moved + (1 - e) * x[..., 1]
    return y


def colour_quantisation(x: np.ndarray, colours: int) -> np.ndarray:
    """Palette of least variance (median cut, then k-means; Pillow) and Floyd-Steinberg dither."""
    picture = Image.fromarray(_bytes(x))
    palette = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return _floats(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))


def saturate_hsv(x: np.ndarray, factor: float) -> np.ndarray:
    """S of HSV times factor, H and V kept: V - factor * (V - RGB), V the largest channel; below 0
    the hue flips."""
    value = x.max(axis=2, keepdims=True)
    return value - np.float32(factor) * (value - x)


def saturate_lab(x: np.ndarray, factor: float) -> np.ndarray:
    """a and b of Lab times factor, clipped to the RGB gamut."""
    lab = rgb2lab(x)
    return _lab_to_rgb(lab[..., 0], factor * lab[..., 1:])


def jpeg2000(x: np.ndarray, ratio: float) -> np.ndarray:
    """JPEG2000 (9/7 wavelet) whose coded data has 1/ratio of the bytes; small pictures get fewer
    resolutions."""
    header = 145  # bytes before the data in a codestream of this kind
    data = _bytes(x)
    rate = data.size / (data.size / ratio + header)
    options = {
        "quality_mode": "rates",
        "quality_layers": [rate],
        "irreversible": True,
        "no_jp2": True,
    }
    return _coded(
        data, format="JPEG2000", num_resolutions=min(6, int(log2(min(x.shape[:2])))), **options
    )


def jpeg(x: np.ndarray, quality: int) -> np.ndarray:
    """Baseline JPEG of this quality (libjpeg tables), chroma halved (4:2:0)."""
    return _coded(_bytes(x), format="JPEG", quality=quality, subsampling="4:2:0")


def _coded(data: np.ndarray, **options) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, **options)
    with Image.open(stream) as picture:
        return _floats(picture)


def _normal(x: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    return np.float32(sqrt(variance)) * rng.standard_normal(x.shape, dtype=np.float32)


def white_noise(x: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """clip(RGB + N(0, variance)), independent for each element."""
    return np.clip(x + _normal(x, variance, rng), 0, 1)


def ycbcr_noise(x: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """The same in YCbCr (ITU-R BT.601, as bytes / 255: Y in 16/255..235/255), back to RGB."""
    return ycbcr2rgb(255 * white_noise(rgb2ycbcr(x) / 255, variance, rng))


def impulse_noise(x: np.ndarray, density: float, rng: np.random.Generator) -> np.ndarray:
    """Each element becomes 0 with probability density/2 and 1 with density/2."""
    u = rng.random(x.shape, dtype=np.float32)
    return np.where(u < density / 2, np.float32(0), np.where(u < density, np.float32(1), x))


def speckle(x: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """clip(x + x n), n uniform with mean 0 and this variance (MATLAB's "speckle")."""
    n = np.float32(sqrt(12 * variance)) * (rng.random(x.shape, dtype=np.float32) - np.float32(0.5))
    return np.clip(x + x * n, 0, 1)


def denoise(x: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """White noise of this variance, then non-local means on each channel, told the noise (5 px
    patches within 6 px)."""
    noisy, sigma = white_noise(x, variance, rng), sqrt(variance)
    clean = [
        denoise_nl_means(noisy[..., c], 5, 6, h=0.8 * sigma, sigma=sigma, fast_mode=True)
        for c in range(3)
    ]
    return np.stack(clean, axis=-1)


def bend(x: np.ndarray, a: float) -> np.ndarray:
    """Parabola through (0,0), (.5, .5 + a/2), (1,1): x + 2 a x (1 - x), clipped to [0,1]."""
    return np.clip(x + np.float32(2 * a) * x * (1 - x), 0, 1)


def brighten(x: np.ndarray, a: float) -> np.ndarray:
    """(2 * curve(RGB) + RGB of Lab with curve(L)) / 3, the curve being `bend`."""
    lab = rgb2lab(x)
    return (2 * bend(x, a) + _lab_to_rgb(100 * bend(lab[..., 0] / 100, a), lab[..., 1:])) / 3


def mean_shift(x: np.ndarray, amount: float) -> np.ndarray:
    """clip(x + amount)."""
    return np.clip(x + np.float32(amount), 0, 1)


def jitter(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Five times: each pixel is read at its place plus N(0, sd) px in y and in x (cubic spline)."""
    place = np.mgrid[: x.shape[0], : x.shape[1]]
    for _ in range(5):
        there = place + sd * rng.standard_normal(place.shape)
        x = np.stack(
            [map_coordinates(x[..., c], there, order=3, mode="nearest") for c in range(3)], axis=-1
        )
    return x


def copy_patches(x: np.ndarray, n: int, rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """n times a 16 x 16 patch of the original is copied to a place within +-8 px of its own, inside
    the picture."""
    side, reach = min(max(2, round(16 * scale)), *x.shape[:2]), max(1, round(8 * scale))
    last = np.array(x.shape[:2]) - side
    y = x.copy()
    for _ in range(n):
        i, j = start = rng.integers(0, last + 1)
        k, m = np.clip(start + rng.integers(-reach, reach + 1, size=2), 0, last)
        y[k : k + side, m : m + side] = x[i : i + side, j : j + side]
    return y


def pixelate(x: np.ndarray, z: float) -> np.ndarray:
    """Nearest-neighbour down to ceil(z * side) and up again. z is a ratio, so `scale` has no part
    in it."""
    for axis in (0, 1):
        side = x.shape[axis]
        small = ceil(z * side)
        up = ((np.arange(side) + 0.5) * small / side).astype(int)
        x = x.take(((up + 0.5) * side / small).astype(int), axis=axis)
    return x


def quantise(x: np.ndarray, n: int) -> np.ndarray:
    """n Otsu thresholds t over the bytes of all channels; values up to t1 become 0, (t_k, t_k+1]
    t_k+1, above t_n 1."""
    data = _bytes(x)
    thresholds = otsu_thresholds(np.bincount(data.ravel(), minlength=256), n)
    if len(thresholds) == 0:
        return x
    values = np.concatenate([[0], thresholds[1:] / 255, [1]]).astype(np.float32)
    return values[np.searchsorted(thresholds, data, side="left")]


def otsu_thresholds(counts: np.ndarray, n: int) -> np.ndarray:
    """The n levels, rising, that split a histogram into n + 1 classes of least variance (exact; n
    256^2 steps).

    Each is the highest occupied level of its class; fewer come back where fewer than n + 1 levels
    are occupied. Least variance within is the largest sum of (sum of levels)^2 / count over the
    classes."""
    levels = np.flatnonzero(counts)
    classes = min(n + 1, len(levels))
    count = np.concatenate([[0.0], np.cumsum(counts[levels])])
    total = np.concatenate([[0.0], np.cumsum(counts[levels] * levels)])
    number, first = count[None, :] - count[:, None], total[None, :] - total[:, None]
    gain = np.where(
        number > 0, first**2 / np.where(number > 0, number, 1), -np.inf
    )  # [i, j]: class of i..j-1
    best, cuts = gain[0], []
    for _ in range(classes - 1):
        sums = best[:, None] + gain
        cuts.append(sums.argmax(axis=0))
        best = sums.max(axis=0)
    ends = [len(levels)]
    for cut in reversed(cuts):
        ends.append(cut[ends[-1]])
    return levels[np.array(ends[:0:-1], dtype=int) - 1]


def colour_blocks(
    x: np.ndarray, n: int, rng: np.random.Generator, scale: float = 1.0
) -> np.ndarray:
    """n squares of 32 x 32 px, each of one random colour, anywhere inside the picture."""
    side = min(max(1, round(32 * scale)), *x.shape[:2])
    y = x.copy()
    for _ in range(n):
        i, j = rng.integers(0, np.array(x.shape[:2]) - side + 1)
        y[i : i + side, j : j + side] = rng.random(3)
    return y


def sharpen(x: np.ndarray, amount: float, sigma: float) -> np.ndarray:
    """Unsharp mask on L of Lab: L + amount * (L - Gaussian blur of L)."""
    lab = rgb2lab(x)
    lightness = lab[..., 0]
    return _lab_to_rgb(
        lightness + amount * (lightness - gaussian_blur(lightness, sigma)), lab[..., 1:]
    )


def contrast(x: np.ndarray, a: float) -> np.ndarray:
    """Cubic spline (not-a-knot) through (0,0), (.3, .25 - a/4), (.5,.5), (.7, .75 + a/4), (1,1),
    clipped to [0,1]."""
    curve = CubicSpline([0, 0.3, 0.5, 0.7, 1], [0, 0.25 - a / 4, 0.5, 0.75 + a / 4, 1])
    return np.clip(curve(x), 0, 1)
