"""Pictures as numbers: float32 in [0, 1], bytes, and the way back from Lab."""

from __future__ import annotations

import numpy as np
from PIL import Image
from skimage.color import lab2rgb


def min_max(x: np.ndarray) -> np.ndarray:
    """(x - min) / (max - min) over the whole array; an even one is returned as it is."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low) if high > low else x


def as_bytes(x: np.ndarray) -> np.ndarray:
    return np.round(np.clip(x, 0, 1) * 255).astype(
        np.uint8
    )  # rounded: cutting off would darken by half a level


def as_floats(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255


def lab_to_rgb(lightness: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """L (H, W) in 0..100 and a, b (H, W, 2) to RGB, clipped to [0,1]; b is kept where Z >= 0."""
    b = np.minimum(chroma[..., 1], 200 * (lightness + 16) / 116 - 1e-3)
    return lab2rgb(np.stack([lightness, chroma[..., 0], b], axis=-1))
