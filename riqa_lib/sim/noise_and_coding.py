"""Distortions 9 to 15 of KADID: what coding and sensors do."""

from __future__ import annotations

import io
from math import log2, sqrt

import numpy as np
from PIL import Image
from skimage.color import rgb2ycbcr, ycbcr2rgb
from skimage.restoration import denoise_nl_means

from .value_ranges import as_bytes, as_floats


def jpeg2000(x: np.ndarray, ratio: float) -> np.ndarray:
    """JPEG2000 (9/7 wavelet) whose coded data has 1/ratio of the bytes; small pictures get fewer
    resolutions."""
    header = 145  # bytes before the data in a codestream of this kind
    data = as_bytes(x)
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
    return _coded(as_bytes(x), format="JPEG", quality=quality, subsampling="4:2:0")


def _coded(data: np.ndarray, **options) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, **options)
    with Image.open(stream, formats=(options["format"],)) as picture:
        return as_floats(picture)


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
