"""What each defect of a fundus photograph does to light, veil, sharpness and what lies on top: the
formulas that the camera and `added_defects` share.

Everywhere one is a defect of that cause or None, u (1, n) and v (n, 1) are field coordinates: the
field's circle has radius 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .fundus_defects import LEAKS, SHARP, UP, Defect, spot_balance
from .fundus_eye import colour
from .fundus_optics import convolve, kernel

# tints of light leaks: white, cyan, olive, orange, grey
HALOES = (
    colour(1.1, 1.0, 0.9),
    colour(0.5, 1.1, 1.3),
    colour(0.95, 1.15, 0.8),
    colour(1.5, 0.85, 0.55),
    colour(0.9, 1.0, 1.05),
)
FLOODS = (colour(1.1, 1.0, 0.9), colour(1.2, 1.0, 0.6))
DIMMED = colour(0.92, 1.02, 1.06)  # log of light lost, by colour: what is left is redder
PAINTS = {  # what artefacts look like that are not dark
    "reflection": colour(0.95, 0.98, 1.0),
    "eyelid": colour(0.20, 0.13, 0.10),
    "ghost": colour(0.86, 0.82, 0.80),
}
OPEN = 0.15  # of a leak, the log of light that the retina still reflects
PALE = 0.45  # reflectance that leaked light is as bright as
BRIGHTEST = 6.0  # log of light, at most: far more than a sensor takes


def light(one: Defect | None, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """By how much the light on the retina changes, (n, n, 3) or broadcasts to it; 1 is none."""
    if one is None:
        return np.ones((1, 1, 1))
    kind, log = one.kinds[0], _log(one, u, v)
    if kind in LEAKS:
        return np.exp(OPEN * log)
    if kind == "spotlight":
        return np.exp(np.where(spot_balance(one.place, u, v)[..., None] < 0, log, -log * DIMMED))
    return np.exp(log if kind in UP else -log * DIMMED)


def leak(one: Defect | None, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Light that reaches the picture beside the retina, (n, n, 3), in units of the own light: with
    that of `light`, exp(a s) times as much as there was over a retina of reflectance PALE."""
    if one is None or one.kinds[0] not in LEAKS:
        return np.zeros((1, 1, 3))
    tints = FLOODS if one.kinds[0] == "flood" else HALOES
    tint = tints[int(len(tints) * one.place[3])]
    log = _log(one, u, v)
    return (np.exp(log) - np.exp(OPEN * log)) * PALE * tint / tint.mean()


def _log(one: Defect, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(one.strength(u, v), BRIGHTEST)[..., None]


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
    paint = PAINTS.get(one.kinds[0], colour(0.12, 0.09, 0.08))
    return (image + one.map(u, v)[..., None] * (paint - image)).astype(np.float32)


def developed(image: np.ndarray) -> np.ndarray:
    """A sensor's shoulder: levels above 0.75 are bent towards 1."""
    return np.where(image > 0.75, 0.75 + 0.25 * np.tanh((image - 0.75) / 0.25), image)
