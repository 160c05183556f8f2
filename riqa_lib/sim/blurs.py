"""Distortions 1, 2, 3 and 24 of KADID: blurs, and the sharpening that is a blur taken away."""

from __future__ import annotations

from math import ceil, pi

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage.color import rgb2lab

from .value_ranges import lab_to_rgb


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


def sharpen(x: np.ndarray, amount: float, sigma: float) -> np.ndarray:
    """Unsharp mask on L of Lab: L + amount * (L - Gaussian blur of L)."""
    lab = rgb2lab(x)
    lightness = lab[..., 0]
    return lab_to_rgb(
        lightness + amount * (lightness - gaussian_blur(lightness, sigma)), lab[..., 1:]
    )
