"""Optics of the simulated fundus camera: the double-pass formula and point-spread functions."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2


def double_pass(retina: np.ndarray, light: np.ndarray, veil: np.ndarray) -> np.ndarray:
    """I = L (T^2 R + 1 - T), with R (H, W, 3), L and T (H, W, 1) or (H, W, 3)."""
    return light * (veil * veil * retina + 1 - veil)


def kernel(kind: str, sigma: float, turn: float = 0.0, bend: float = 0.0) -> np.ndarray:
    """A point-spread function (n, n), n odd, sum 1, of standard deviation sigma px along an axis
    (mean of both).

    "defocus": a disc of radius 2 sigma; "gaussian", cut at 3 sigma; "motion": a slightly bent line
    of length sqrt(24) sigma, direction turn (rad)."""
    radius, length = 2 * sigma, np.sqrt(24) * sigma
    if kind == "gaussian":
        n = int(np.ceil(3 * sigma))
        one = np.exp(-0.5 * (np.arange(-n, n + 1) / max(sigma, 1e-6)) ** 2)
        return np.outer(one, one) / one.sum() ** 2
    if kind == "defocus":
        n = int(np.ceil(radius))
        grid = np.arange(-n, n + 1)
        out = np.clip(radius + 0.5 - np.hypot(grid[:, None], grid), 0, 1)
        return out / out.sum()
    t = np.linspace(-0.5, 0.5, max(3, int(8 * length)))
    x = length * (t * np.cos(turn) - bend * (t * t - 1 / 12) * np.sin(turn))
    y = length * (t * np.sin(turn) + bend * (t * t - 1 / 12) * np.cos(turn))
    n = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    out = np.zeros((2 * n + 1, 2 * n + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for i in (0, 1):
        for j in (0, 1):
            np.add.at(
                out,
                (top + i + n, left + j + n),
                (1 - np.abs(y - top - i)) * (1 - np.abs(x - left - j)),
            )
    return out / out.sum()


def convolve(image: np.ndarray, psf: np.ndarray) -> np.ndarray:
    """image (H, W, C) with psf (n, n), mirrored at the borders; float32, the same shape."""
    n = len(psf) // 2
    n_fit = min(n, min(image.shape[:2]) - 1)
    psf = psf[n - n_fit : n + n_fit + 1, n - n_fit : n + n_fit + 1]
    padded = np.pad(image, ((n_fit, n_fit), (n_fit, n_fit), (0, 0)), mode="reflect").transpose(
        2, 0, 1
    )
    shape = [next_fast_len(s, real=True) for s in padded.shape[1:]]
    spectrum = rfft2(padded, shape) * rfft2(psf.astype(np.float32) / psf.sum(), shape)
    out = irfft2(spectrum, shape)[
        :, 2 * n_fit : 2 * n_fit + image.shape[0], 2 * n_fit : 2 * n_fit + image.shape[1]
    ]
    return np.ascontiguousarray(out.transpose(1, 2, 0), dtype=np.float32)
