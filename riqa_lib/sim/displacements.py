"""Distortions 19 to 21 and 23 of KADID: pixels that are not where they belong."""

from __future__ import annotations

from math import ceil

import numpy as np
from scipy.ndimage import map_coordinates


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
