"""What each defect of a fundus photograph does to light, veil, sharpness and what lies on top: the
formulas that the camera and `added_defects` share.

Everywhere one is a defect of that cause or None, u (1, n) and v (n, 1) are field coordinates: the
field's circle has radius 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .fundus_defects import SHARP, Defect
from .fundus_eye import colour
from .fundus_optics import convolve, kernel

# tints of light leaks: white, cyan, olive
HALOES = (colour(1.1, 1.0, 0.9), colour(0.7, 1.1, 1.2), colour(1.0, 1.1, 0.9))


def light(one: Defect | None, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """By how much the light changes, (n, n, 3), or (1, 1, 1) where nothing does; 1 is no change."""
    if one is None:
        return np.ones((1, 1, 1))
    up = one.kinds[0] in ("bright", "halo")
    tint = colour(1, 1, 1) if one.kinds[0] != "halo" else HALOES[int(3 * one.place[3])]
    log = one.strength(u, v)[..., None] * (tint / tint.mean() if up else colour(0.92, 1.02, 1.06))
    return np.exp(log if up else -log)


def veil(one: Defect | None, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The transmission T of the eye's media, (n, n, 1), float32, 0..1."""
    strength = np.zeros(np.broadcast(u, v).shape) if one is None else one.strength(u, v)
    return np.exp(-0.5 * strength)[..., None].astype(np.float32)


def blurred(
    one: Defect | None,
    image: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    scale: float,
    through: Callable[[np.ndarray, np.ndarray], np.ndarray] = convolve,
) -> np.ndarray:
    """The picture (n, n, 3) after the point-spread function, which may vary over the field. scale:
    px a mm; through(image, psf) convolves."""
    if one is None:
        return image
    strength = one.strength(u, v)
    if one.kinds[0] != "tilt":
        turn, bend = np.pi * one.place[0], one.place[1] - 0.5
        return through(image, kernel(one.kinds[0], SHARP * one.amount * scale, turn, bend))
    top = float(strength.max())
    half, full = (through(image, kernel("defocus", SHARP * k * top * scale)) for k in (0.5, 1.0))
    w = np.clip(strength / top, 0, 1)[..., None].astype(np.float32) * 2
    return np.where(w < 1, image + w * (half - image), half + (w - 1) * (full - half))


def covered(one: Defect | None, image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The picture (n, n, 3) under its artefacts: dark lashes, dust and lids, bright reflections."""
    if one is None:
        return image
    paints = {"reflection": colour(0.95, 0.98, 1.0), "eyelid": colour(0.20, 0.13, 0.10)}
    paint = paints.get(one.kinds[0], colour(0.12, 0.09, 0.08))
    return (image + one.map(u, v)[..., None] * (paint - image)).astype(np.float32)


def developed(image: np.ndarray) -> np.ndarray:
    """A sensor's shoulder: levels above 0.75 are bent towards 1."""
    return np.where(image > 0.75, 0.75 + 0.25 * np.tanh((image - 0.75) / 0.25), image)
