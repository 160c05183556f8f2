"""Simulated fundus photographs: an eye, a camera, and defects whose place and strength are known.

The model is the double-pass one (the DPFR code of Zhang et al.), then a point-spread
function:
    I = L (T^2 R + 1 - T)
R is what the retina reflects (`fundus_eye`), L the light (illumination defects), T the transmission
of a veil (contrast defects), the point-spread function blurs (clarity defects); artefacts lie on
top. The field stop is sharp whatever the eye does. Defects are those of `fundus_defects`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from .. import seeding
from . import defect_effects as effects
from . import fundus_eye
from .fundus_defects import CAUSES, Defect, defect, severity_of
from .fundus_eye import MM_PER_DEGREE, Eye, colour
from .fundus_optics import double_pass

FRAMINGS = ("camera", "crop")


@dataclass(frozen=True)
class Style:
    """A camera: degrees of view, colour gains (RGB), field stop, noise (standard deviation, 0..1
    scale)."""

    degrees: float
    gains: tuple[float, float, float]
    radius: tuple[float, float]  # of the field, share of the picture's side, least and most
    clip: float  # chance that the field is cut off above and below
    notch: float  # chance of a notch at its rim
    noise: float
    gamma: float = 1.0


STYLES = {
    "kowa45": Style(45, (1.00, 0.82, 0.40), (0.44, 0.485), 0.5, 0.1, 0.010),
    "topcon50": Style(50, (0.95, 0.82, 0.52), (0.455, 0.48), 0.1, 0.75, 0.008, 1.05),
    "canon45": Style(45, (0.98, 0.70, 0.50), (0.46, 0.49), 0.6, 0.5, 0.010, 1.15),
    "portable60": Style(60, (0.84, 0.80, 0.58), (0.46, 0.52), 0.7, 0.0, 0.016, 0.9),
}


FOUR_SIDES = 0.2  # share of the cut fields that are cut left and right too
TIGHT = 0.5  # share of them that are cut as far in as EyeQ's Usable ones, .76 to .83


# ---------------------------------------------------------------- the picture
@dataclass(frozen=True)
class Shot:
    """One photograph, not yet developed. x, y, radius: the true field of view in px, pixel centres
    at whole numbers."""

    key: object
    size: int
    eye: Eye
    style: Style
    left: bool
    centre: tuple[float, float]  # mm on the retina, in the eye's frame
    x: float
    y: float
    radius: float
    # where the field is cut off left, above, right and below, in radii from its centre; 1 is not
    ends: tuple[float, float, float, float]
    notch: float | None  # direction in rad
    light: tuple[float, ...]  # the camera's own unevenness: vignette, tilt x, tilt y, exposure
    gains: tuple[float, float, float]  # the style's, with this picture's white balance
    defects: Mapping[str, Defect] = field(default_factory=dict)
    cropped: bool = False  # black outside the field, as a crop is; else as dark as a camera has it

    @property
    def severity(self) -> dict[str, float]:
        """Measured severity of each of CAUSES; 1 is where graders begin to call it bad."""
        return {c: severity_of(self.defects.get(c)) for c in CAUSES}

    def _field(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Field coordinates u (1, n), v (n, 1) of n x n pixels over the picture."""
        step = self.size / n
        where = (np.arange(n) + 0.5) * step - 0.5
        return ((where - self.x) / self.radius)[None, :], ((where - self.y) / self.radius)[:, None]

    def mask(self, n: int | None = None) -> np.ndarray:
        """Share of each pixel that lies in the field of view, (n, n), 0..1; n is the picture's size
        by default."""
        n = n or self.size
        u, v = self._field(n)
        sharp = self.radius * n / self.size  # px a unit
        out = np.clip((1 - np.hypot(u, v)) * sharp + 0.5, 0, 1)
        left, top, right, bottom = self.ends
        for end in (left + u, top + v, right - u, bottom - v):
            out = out * np.clip(end * sharp + 0.5, 0, 1)
        if self.notch is not None:
            along = u * np.cos(self.notch) + v * np.sin(self.notch)
            across = v * np.cos(self.notch) - u * np.sin(self.notch)
            tab = np.clip((0.05 - np.abs(across)) * sharp + 0.5, 0, 1) * np.clip(
                (1.055 - along) * sharp + 0.5, 0, 1
            )
            out = np.maximum(out, tab * (along > 0))
        return out

    def maps(self, n: int | None = None) -> dict[str, np.ndarray]:
        """True defect maps of CAUSES, each (n, n) float32 in 0..1: how much the defect changes this
        place; 0 outside the field, and everywhere where the severity is 0."""
        n = n or self.size
        u, v = self._field(n)
        inside = self.mask(n)
        none = np.zeros((n, n), np.float32)
        return {
            c: (self.defects[c].map(u, v) * inside).astype(np.float32)
            if c in self.defects
            else none.copy()
            for c in CAUSES
        }

    @cached_property
    def pixels(self) -> np.ndarray:
        """The photograph, (size, size, 3), uint8, RGB."""
        n = self.size * (2 if self.size < 64 else 1)
        u, v = self._field(n)
        half = self.style.degrees * MM_PER_DEGREE / 2
        flip = 1 if self.left else -1
        x, y = self.centre[0] + flip * u[0] * half, self.centre[1] + v[:, 0] * half
        retina = fundus_eye.reflectance(self.eye, x, y)
        illumination, clarity, contrast, artefact = (self.defects.get(c) for c in CAUSES)
        light = self._own_light(u, v) * effects.light(illumination, u, v)
        veil = effects.veil(contrast, u, v)
        image = double_pass(retina, light.astype(np.float32), veil)
        image = (image + self._own_light(u, v) * effects.leak(illumination, u, v)).astype(
            np.float32
        )
        image = effects.blurred(clarity, image, u, v, n * self.radius / self.size / half)
        image = effects.covered(artefact, image, u, v)
        image = np.clip(image, 0, None) ** np.float32(self.style.gamma) * colour(*self.gains)
        inside = self.mask(n)[..., None]
        image = effects.developed(image) * inside
        if n != self.size:
            image, inside = (
                a.reshape(self.size, 2, self.size, 2, -1).mean(axis=(1, 3)) for a in (image, inside)
            )
        rng = seeding.rng("sensor", self.key)
        noise = rng.standard_normal((self.size, self.size, 3), dtype=np.float32)
        image = image + (0.35 + np.sqrt(np.maximum(image, 0))) * self.style.noise * noise + 0.01
        if self.cropped:
            image = image * (inside > 0)
        return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)

    def _own_light(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(n, n, 1): the camera's own light, without the illumination defect."""
        vignette, tilt_x, tilt_y, exposure = self.light
        return (exposure * np.exp(-vignette * (u * u + v * v) + tilt_x * u + tilt_y * v))[..., None]


@lru_cache(maxsize=8)
def _eye(key: object, pigment: float) -> Eye:
    return fundus_eye.eye(key, pigment)


def fundus(
    key: object,
    size: int = 80,
    severity: Mapping[str, float] | None = None,
    *,
    style: str | None = None,
    left: bool | None = None,
    view: str = "macula",
    framing: str = "camera",
    anatomy: object = None,
    pigment: float | None = None,
) -> Shot:
    """The photograph of this key; `.pixels` develops it, `.maps()` and `.severity` are its truth.
    Same key, same bytes.

    size: 24 to 1024 px. severity: of any of CAUSES, 0 (default) or more. style: one of STYLES,
    left: left or right eye, both drawn when None. view: centred on "macula" or "disc". framing:
    "camera" leaves a black surround, "crop" is what cropping to the field of view yields. anatomy:
    the eye's key (hashable), for several views of one eye; the picture's own by default. pigment:
    0..1, which fellow eyes share. Raises ValueError for anything else.

    >>> shot = fundus("patient 7", 64, {"clarity": 2.0}, style="topcon50")
    >>> shot.pixels.shape, shot.pixels.dtype
    ((64, 64, 3), dtype('uint8'))
    >>> {cause: round(severity, 2) for cause, severity in shot.severity.items()}
    {'illumination': 0.0, 'clarity': 2.0, 'contrast': 0.0, 'artefact': 0.0}
    """
    rng = seeding.rng("fundus", key)
    style = str(rng.choice(list(STYLES))) if style is None else style
    left = bool(rng.random() < 0.5) if left is None else left
    _check(size, severity or {}, style, view, framing)
    made = STYLES[style]
    anatomy = key if anatomy is None else anatomy
    pigment = float(seeding.rng("pigment", anatomy).beta(2, 2.2)) if pigment is None else pigment
    one = _eye(anatomy, pigment)
    (x, y, radius), ends, notch = _stop(rng, made, framing)
    drift = rng.normal(0, 0.35, 2)
    centre = (0.5 + drift[0], 0.1 + drift[1])
    if view == "macula":
        centre = (one.fovea[0] - 1.0 + drift[0], one.fovea[1] * 0.7 + drift[1])
    light = (
        float(rng.uniform(0.1, 0.65)),
        *rng.normal(0, 0.11, 2).tolist(),
        float(np.exp(rng.normal(-0.08, 0.16))),
    )
    red, green, blue = made.gains
    balance = np.exp(rng.normal(0, (0.02, 0.08, 0.20)))
    return Shot(
        key=key,
        size=size,
        eye=one,
        style=made,
        left=left,
        centre=centre,
        x=x * size - 0.5,
        y=y * size - 0.5,
        radius=radius * size,
        ends=ends,
        notch=notch,
        light=light,
        gains=(red * balance[0], green * balance[1], blue * balance[2]),
        defects=_defects(key, severity or {}),
        cropped=framing == "crop",
    )


def _check(size: int, severity: Mapping[str, float], style: str, view: str, framing: str) -> None:
    wrong = sorted(set(severity) - set(CAUSES))
    known = style in STYLES and view in ("macula", "disc") and framing in FRAMINGS
    if wrong or not known or not 24 <= size <= 1024:
        raise ValueError(
            f"size {size}, style {style!r}, view {view!r}, framing {framing!r}, "
            f"severities of {wrong or 'causes'}; expected 24 to 1024 px, {', '.join(STYLES)}, "
            f"macula or disc, {' or '.join(FRAMINGS)}, severities of {', '.join(CAUSES)}"
        )


def _stop(
    rng: np.random.Generator, made: Style, framing: str
) -> tuple[tuple[float, float, float], tuple[float, float, float, float], float | None]:
    """The field stop: centre and radius in sides of the picture, ends and notch (see Shot)."""
    circle = 0.5 + rng.normal(0, 0.012), 0.5 + rng.normal(0, 0.012), rng.uniform(*made.radius)
    clipped, notched, all_around = rng.random(3) < (made.clip, made.notch, FOUR_SIDES)
    tight = rng.random() < TIGHT
    chord = rng.normal(0.80, 0.02) if tight else rng.uniform(0.80, 0.97)
    wide = rng.normal(0.81, 0.03) if tight else rng.uniform(0.84, 0.99)
    nudge = rng.normal(0, 0.02, 4)
    ends = np.array([wide if all_around else 1.0, chord, wide if all_around else 1.0, chord])
    ends = np.clip(np.where(ends < 1, ends + nudge, 1), 0.72, 1) if clipped else np.ones(4)
    notch = float(rng.choice([-0.7, 0.7, -2.4])) + rng.normal(0, 0.05) if notched else None
    if framing == "crop":  # what lies outside the circle, the notch too, is not in a crop
        notch = None
        circle = (
            0.5 + rng.normal(0, 0.004),
            0.5 + rng.normal(0, 0.004),
            rng.uniform(0.488, 0.502),
        )
    left, top, right, bottom = ends.tolist()
    return circle, (left, top, right, bottom), notch


def _defects(key: object, severity: Mapping[str, float]) -> dict[str, Defect]:
    """What each cause does to the picture of this key; causes of severity 0 are left out."""
    found = {
        cause: defect(cause, float(severity.get(cause, 0)), seeding.rng("defect", key, cause))
        for cause in CAUSES
    }
    return {cause: one for cause, one in found.items() if one is not None}


def space(
    key: object, size: int = 80, levels: Sequence[float] = (0.0, 1.0, 2.0), **how: Any
) -> np.ndarray:
    """One eye at every combination of the levels of severity: uint8 (K, K, K, size, size, 3),
    indexed by contrast, clarity, illumination. how: style, left, view, framing, as for `fundus`."""
    k = range(len(levels))
    rows = [(levels[c], levels[b], levels[a]) for c in k for b in k for a in k]
    shots = [
        fundus(key, size, {"contrast": c, "clarity": b, "illumination": a}, **how)
        for c, b, a in rows
    ]
    return np.stack([s.pixels for s in shots]).reshape(
        len(levels), len(levels), len(levels), size, size, 3
    )
