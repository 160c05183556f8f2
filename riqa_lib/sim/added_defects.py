"""One more defect on a fundus photograph, real or simulated: a picture whose detail is then known
to be bad, whatever it was before.

The shapes and formulas are the camera's (`fundus_defects`, `defect_effects`), with the picture I in
place of the retina:
    I' = blur(I),  D I + A V,  or  T^2 I + (1 - T) V,
D the change of light, A what leaks in beside the retina, T the transmission of a veil, V the local
light: what a white retina would reflect there, from the picture's own colour over a wide
neighbourhood, divided by the reflectance of a retina of middle pigment; half of it has the tint of
the cameras. Blur and neighbourhoods are normalised over the field, so that the black surround
doesn't bleed in and the rim stays sharp. What a defect takes of the picture's noise (blur takes
nearly all) comes back as fresh noise of the same strength: a sensor's noise knows no eye."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import defect_effects as effects
from .fundus_defects import SHARP, Defect, defect
from .fundus_eye import MM_PER_DEGREE, colour
from .fundus_optics import convolve

DEGREES = (45.0, 50.0)  # of view: of such a camera a picture is taken to be
RETINA = colour(0.79, 0.43, 0.25)  # reflectance of middle pigment, RGB
VEIL = colour(1.0, 0.8, 0.5)  # a veil's colour: about the gains of the simulated cameras
WIDE = 0.10  # standard deviation of a local neighbourhood, share of the picture's side
SMALLEST = 16  # px


def added(pixels: np.ndarray, cause: str, severity: float, rng: np.random.Generator) -> np.ndarray:
    """The picture (S, S, 3), uint8, with one defect of this cause and severity added.

    pixels: (S, S, 3) uint8, RGB, cropped to its field of view (its circle fills the square, black
    outside), S at least SMALLEST px. cause: one of fundus_defects.CAUSES. severity: 0 (a copy) or
    more, 1 is where graders begin to call it bad in a picture that had nothing of it. Kind and
    place are drawn from rng: the same state gives the same bytes, at any severity the same kind and
    place. Raises ValueError for another picture, cause or severity.

    >>> from riqa_lib.sim.fundus_camera import fundus
    >>> sharp = fundus("patient 7", 80, framing="crop").pixels
    >>> soft = added(sharp, "clarity", 2.0, np.random.default_rng(0))
    >>> soft.shape, soft.dtype, bool((soft[0, 0] == sharp[0, 0]).all())
    ((80, 80, 3), dtype('uint8'), True)
    """
    a = np.asarray(pixels)
    square = a.ndim == 3 and a.shape[0] == a.shape[1] >= SMALLEST and a.shape[2] == 3
    if not square or a.dtype != np.uint8:
        raise ValueError(f"pixels {a.dtype} {a.shape}; expected uint8 (S, S, 3), {SMALLEST} px")
    one = defect(cause, severity, rng)
    degrees = rng.uniform(*DEGREES)
    inside = field_of(a)
    if one is None or not inside.any():
        return a.copy()
    scale = len(a) / (degrees * MM_PER_DEGREE)  # px a mm
    image = a.astype(np.float32) / 255
    out, kept = _changed(one, image, inside, scale)
    out = out + _noise_lost(image, out, kept, inside, rng)
    out = np.where(inside[..., None], out, image)
    return np.round(np.clip(out, 0, 1) * 255).astype(np.uint8)


def field_of(pixels: np.ndarray) -> np.ndarray:
    """Where the field is in a picture (S, S, 3) uint8 cropped to it: (S, S), bool. Inside the
    circle and brighter than the surround; what light surrounds (vessels, dust) belongs to it."""
    side = len(pixels)
    top = pixels.max(axis=2)
    u, v = _coordinates(side)
    bright = (u * u + v * v <= (1 + 1 / side) ** 2) & (
        top > max(9.0, 0.06 * float(np.percentile(top, 95)))
    )
    return ndimage.binary_fill_holes(ndimage.binary_opening(bright))


def _coordinates(side: int) -> tuple[np.ndarray, np.ndarray]:
    where = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
    return where[None, :], where[:, None]


def _changed(
    one: Defect, image: np.ndarray, inside: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The picture (S, S, 3) under its defect, and the share of its noise that is left, which
    broadcasts to it."""
    u, v = _coordinates(len(image))
    core = ndimage.binary_erosion(inside, border_value=1)
    core = core if core.any() else inside
    if one.cause == "illumination":
        change = effects.light(one, u, v).astype(np.float32)
        stray = effects.leak(one, u, v).astype(np.float32)
        if stray.any():
            stray = stray * _white(image, core) * _share(image, core)
        brighter = effects.developed(_straight(image) * change + stray)
        # what was saturated is not known: less light is less of what the picture shows
        return np.where(change < 1, image * change, brighter), change
    if one.cause == "artefact":
        return effects.covered(one, image, u, v), 1 - one.map(u, v)[..., None].astype(np.float32)
    if one.cause == "contrast":
        t = effects.veil(one, u, v)
        white = _white(image, core)
        return t * t * image + (1 - t) * _share(image, core) * np.minimum(white, 1), t * t

    def through(picture: np.ndarray, psf: np.ndarray) -> np.ndarray:
        return _over(picture, psf, core)

    out = _share(image, core) * effects.blurred(one, image, u, v, scale, through)
    sigma = SHARP * one.strength(u, v)[..., None] * scale
    # the sum of a psf squared: of a disc or a Gaussian, of a line
    left = 1 / (1 + (4.9 * sigma if one.kinds[0] == "motion" else 4 * np.pi * sigma**2))
    return out, np.sqrt(left).astype(np.float32)


def _white(image: np.ndarray, core: np.ndarray) -> np.ndarray:
    """What a white retina would reflect, (S, S, 3): the local light."""
    white = _around(image, WIDE * len(image), core) / RETINA
    return (white + white[..., :1] * VEIL) / 2  # pictures are tinted, veils less so


def _straight(image: np.ndarray) -> np.ndarray:
    """The levels before a sensor's shoulder bent them."""
    bent = np.clip((image - 0.75) / 0.25, 0, 0.9999)
    return np.where(image > 0.75, 0.75 + 0.25 * np.arctanh(bent), image)


def _weighted(image: np.ndarray, core: np.ndarray) -> np.ndarray:
    weight = core[..., None].astype(np.float32)
    return np.concatenate([image * weight, weight], axis=2)


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.maximum(sums[..., :-1], 0) / np.maximum(sums[..., -1:], 1e-4)


def _over(image: np.ndarray, psf: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The picture (S, S, C) convolved with psf, over what lies in `core` (S, S) alone."""
    return _mean(convolve(_weighted(image, core), psf))


def _around(image: np.ndarray, sigma: float, core: np.ndarray) -> np.ndarray:
    """The picture's mean around each pixel within `core`: two boxes, together of standard deviation
    sigma px."""
    box = (round(sigma * np.sqrt(6)), round(sigma * np.sqrt(6)), 1)
    sums = ndimage.uniform_filter(_weighted(image, core), box, mode="constant")
    return _mean(ndimage.uniform_filter(sums, box, mode="constant"))


def _share(image: np.ndarray, core: np.ndarray) -> np.ndarray:
    """How much of each pixel lies in the field, (S, S, 1): 1 in `core`, less on the rim, where the
    picture falls off to black."""
    light = image.mean(axis=2, keepdims=True)
    near = np.maximum(_around(light, 1.5, core), 1e-3)
    return np.where(core[..., None], 1, np.clip(light / near, 0, 1))


def _noise_lost(
    image: np.ndarray,
    out: np.ndarray,
    kept: np.ndarray,
    inside: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fresh noise (S, S, 3) that makes up for what is no longer there. As in the camera, a level y
    has noise of standard deviation s (0.35 + sqrt(y)); s is measured on the picture."""

    def level(x: np.ndarray) -> np.ndarray:
        return np.float32(0.35) + np.sqrt(np.maximum(x, 0))

    second = image[:-1, :-1] - image[1:, :-1] - image[:-1, 1:] + image[1:, 1:]
    within = ndimage.binary_erosion(inside)[:-1, :-1] & inside[1:, 1:]
    ratio = np.abs(second)[within] / (2 * level(image[:-1, :-1][within]))
    # a low quantile of a half-normal one: detail of the picture fills the upper ones
    s = np.quantile(ratio, 0.25, axis=0) / 0.3186 if within.any() else np.zeros(3)
    lost = level(out) ** 2 - (kept * level(image)) ** 2
    fresh = rng.standard_normal(image.shape, dtype=np.float32)
    return s.astype(np.float32) * np.sqrt(np.maximum(lost, 0)) * fresh
