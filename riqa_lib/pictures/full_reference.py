"""How close a distorted picture is to its pristine one, by three full-reference measures.

    ssim  structural similarity (Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004), scikit-image's,
          Gaussian windows of sigma 1.5, mean over R, G, B; 1 is the same
    gmsd  gradient magnitude similarity deviation (Xue, Zhang, Mou and Bovik, IEEE TIP 2014), of
          luma; 0 is the same. Written from the paper: halved by 2 x 2 means, Prewitt / 3, c = 170
    mse   mean squared error over all values, in squared steps of 1/255; 0 is the same

The Waterloo Exploration Database takes MS-SSIM, VIF and GMSD. MS-SSIM needs 176 px a side, which
working sizes do not have; VIF was left for mse, which counts colour."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import convolve1d
from skimage.metrics import structural_similarity

LUMA = np.array([0.299, 0.587, 0.114])
FLAT = 170.0  # c of GMSD, for values of 0..255


class Closeness(NamedTuple):
    """ssim -1..1, gmsd 0 or more, mse 0 or more (see above)."""

    ssim: float
    gmsd: float
    mse: float


SAME = Closeness(1.0, 0.0, 0.0)


def closeness(pristine: np.ndarray, copy: np.ndarray) -> Closeness:
    """All three, of two pictures (H, W, 3) uint8 of 12 px a side or more.

    >>> grey = np.full((32, 32, 3), 100, np.uint8)
    >>> closeness(grey, grey) == SAME, closeness(grey, grey + np.uint8(10)).mse
    (True, 100.0)
    """
    a, b = pristine.astype(float), copy.astype(float)
    like: float = structural_similarity(
        a,
        b,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        use_sample_covariance=False,
    )
    return Closeness(float(like), gmsd(a @ LUMA, b @ LUMA), float(((a - b) ** 2).mean()))


def gmsd(a: np.ndarray, b: np.ndarray) -> float:
    """Of two grey pictures (H, W), values 0..255."""
    first, second = (gradient(halved(x)) for x in (a, b))
    alike = (2 * first * second + FLAT) / (first**2 + second**2 + FLAT)
    return float(alike.std())


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 px, (H // 2, W // 2)."""
    h, w = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    return x[:h, :w].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))


def gradient(x: np.ndarray) -> np.ndarray:
    """Magnitude of Prewitt's gradient; borders replicated."""
    mean, edge = [1 / 3] * 3, [1.0, 0.0, -1.0]
    across = [
        convolve1d(convolve1d(x, mean, axis=1 - axis, mode="nearest"), edge, axis=axis,
                   mode="nearest")
        for axis in (0, 1)
    ]  # fmt: skip
    return np.hypot(*across)
