"""Distortions 4 to 8, 16 to 18 and 25 of KADID: colour and tone."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.interpolate import CubicSpline
from skimage.color import rgb2lab

from .blurs import gaussian_blur
from .value_ranges import as_bytes, as_floats, lab_to_rgb, min_max


def colour_diffusion(x: np.ndarray, k: float, scale: float = 1.0) -> np.ndarray:
    """Lab: a and b blurred by a Gaussian of 1.5k + 2 px, then times k; L kept."""
    lab = rgb2lab(x)
    return lab_to_rgb(lab[..., 0], k * gaussian_blur(lab[..., 1:], scale * (1.5 * k + 2)))


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
    picture = Image.fromarray(as_bytes(x))
    palette = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return as_floats(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))


def saturate_hsv(x: np.ndarray, factor: float) -> np.ndarray:
    """S of HSV times factor, H and V kept: V - factor * (V - RGB), V the largest channel; below 0
    the hue flips."""
    value = x.max(axis=2, keepdims=True)
    return value - np.float32(factor) * (value - x)


def saturate_lab(x: np.ndarray, factor: float) -> np.ndarray:
    """a and b of Lab times factor, clipped to the RGB gamut."""
    lab = rgb2lab(x)
    return lab_to_rgb(lab[..., 0], factor * lab[..., 1:])


def bend(x: np.ndarray, a: float) -> np.ndarray:
    """Parabola through (0,0), (.5, .5 + a/2), (1,1): x + 2 a x (1 - x), clipped to [0,1]."""
    return np.clip(x + np.float32(2 * a) * x * (1 - x), 0, 1)


def brighten(x: np.ndarray, a: float) -> np.ndarray:
    """(2 * curve(RGB) + RGB of Lab with curve(L)) / 3, the curve being `bend`."""
    lab = rgb2lab(x)
    return (2 * bend(x, a) + lab_to_rgb(100 * bend(lab[..., 0] / 100, a), lab[..., 1:])) / 3


def mean_shift(x: np.ndarray, amount: float) -> np.ndarray:
    """clip(x + amount)."""
    return np.clip(x + np.float32(amount), 0, 1)


def contrast(x: np.ndarray, a: float) -> np.ndarray:
    """Cubic spline (not-a-knot) through (0,0), (.3, .25 - a/4), (.5,.5), (.7, .75 + a/4), (1,1),
    clipped to [0,1]."""
    curve = CubicSpline([0, 0.3, 0.5, 0.7, 1], [0, 0.25 - a / 4, 0.5, 0.75 + a / 4, 1])
    return np.clip(curve(x), 0, 1)
