"""Simulated fundus photographs: an eye, a camera, and defects whose place and strength are known.

The model is the double-pass one (the DPFR code of Zhang et al., riqa.md 4.2), then a point-spread
function:
    I = L (T^2 R + 1 - T)
R is what the retina reflects (`fundus_eye`), L the light (illumination defects), T the transmission
of a veil (contrast defects), the point-spread function blurs (clarity defects); artefacts lie on
top. The field stop is sharp whatever the eye does.

Each defect has a shape s(u, v) >= 0 over the field and an amount a; everywhere it changes the
picture by
    m = 1 - exp(-a s),
which is its defect map: the share of light lost, min(L0/L, L/L0) = 1 - m; of the retina's light
lost to the veil, T^2 = 1 - m; a blur of SHARP * a s mm (standard deviation along an axis); the
opacity of an artefact. Severity is the mean of m over the field divided by BAD, so that severity 1
is where graders begin to call a detail bad, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from .. import seeding
from ..scales import DETAILS
from . import fundus_eye
from .fundus_eye import MM_PER_DEGREE, Eye, colour
from .fundus_optics import convolve, double_pass, kernel

CAUSES = (*DETAILS, "artefact")


BAD = {
    "illumination": 0.27,
    "clarity": 0.42,
    "contrast": 0.40,
    "artefact": 0.10,
}  # mean defect map at severity 1


SHARP = 0.28  # mm of blur at a s = 1


MOST = 80.0  # largest amount a


KINDS = {
    "illumination": {
        "dim": 0.2,
        "vignette": 0.2,
        "crescent": 0.25,
        "hole": 0.15,
        "bright": 0.1,
        "halo": 0.1,
    },
    "clarity": {"defocus": 0.55, "motion": 0.2, "tilt": 0.25},
    "contrast": {"veil": 0.4, "haze": 0.6},
    "artefact": {"lashes": 0.3, "dust": 0.25, "reflection": 0.3, "eyelid": 0.15},
}


COARSE = 48  # points a side on which severities are measured: the same at every size


FRAMINGS = ("camera", "crop")


HALOES = (
    colour(1.1, 1.0, 0.9),
    colour(0.7, 1.1, 1.2),
    colour(1.0, 1.1, 0.9),
)  # tints of light leaks: white, cyan, olive


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


@dataclass(frozen=True)
class Defect:
    """One cause: its shape over the field is that of `kind` with the numbers `place`, its amount
    `amount`."""

    cause: str
    kinds: tuple[str, ...]
    place: tuple[float, ...]  # numbers in 0..1 that the shapes read
    amount: float

    def strength(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """a s at field coordinates (the field's circle has radius 1): the broadcast shape of u and
        v, float."""
        return self.amount * np.sum([_shape(k, self.place, u, v) for k in self.kinds], axis=0)

    def map(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The defect map m = 1 - exp(-a s), 0..1."""
        return -np.expm1(-self.strength(u, v))


def _shape(kind: str, place: tuple[float, ...], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """s(u, v) >= 0 of a kind of defect, about 1 where it is strongest."""
    p, q, w, z = place[:4]
    turn = 2 * np.pi * p
    cosine, sine = np.cos(turn), np.sin(turn)
    if kind in ("dim", "veil", "defocus", "motion"):
        return np.ones(np.broadcast(u, v).shape)
    rho2 = u * u + v * v
    if kind == "vignette":
        return rho2 ** (1 + q)
    if kind in ("crescent", "tilt"):
        across = u * cosine + v * sine
        return 0.08 + 0.92 / (1 + np.exp(-(across - 0.5 * (q - 0.5)) / (0.15 + 0.25 * w)))
    if kind in ("hole", "bright", "haze"):
        reach = {"hole": 0.5 + 0.4 * w, "bright": 0.5 + 0.4 * w, "haze": 0.45 + 0.5 * w}[kind]
        far = 0.15 + 0.55 * q
        return np.exp(-((u - far * cosine) ** 2 + (v - far * sine) ** 2) / reach**2) + 0.15
    if kind == "halo":
        inner = 0.45 + 0.3 * w
        rho = np.sqrt((u - 0.15 * cosine) ** 2 + (v - 0.15 * sine) ** 2)
        return 1 / (1 + np.exp(-(rho - inner - 0.2) / 0.09))
    if kind == "eyelid":
        side = 1 if p < 0.5 else -1
        return 1 / (1 + np.exp(-(side * v + 0.25 * u * (q - 0.5) - 0.55 - 0.25 * u * u) / 0.07))
    if kind == "reflection":
        far = 0.45 + 0.5 * q
        blob = ((u - far * cosine) ** 2 + (v - far * sine) ** 2) / (0.12 + 0.22 * w) ** 2
        return np.exp(-blob) + 0.2 * np.exp(-0.3 * blob)
    spots = np.array(place[4:]).reshape(-1, 4)[: 6 + int(z * 10)]
    out = np.zeros(np.broadcast(u, v).shape)
    if kind == "dust":
        for a, b, c, d in spots:
            r2 = (u - 1.7 * (a - 0.5)) ** 2 + (v - 1.7 * (b - 0.5)) ** 2
            out += (0.3 + d) * np.exp(-r2 / (0.06 + 0.10 * c) ** 2)
        return out
    side = 1 if p < 0.5 else -1  # lashes grow from below or from above
    spots = np.array(place[4:]).reshape(-1, 4)[: 7 + int(z * 9)]
    for a, b, c, d in spots:
        height = 1 - side * v  # 0 at the rim they come from
        middle = 1.7 * (a - 0.5) + (b - 0.5) * height + 0.35 * (c - 0.5) * height**2
        thick = (0.012 + 0.022 * d) * (0.4 + height)
        fade = 1 / (1 + np.exp((height - 0.35 - 0.75 * d) / 0.12))
        out += np.exp(-(((u - middle) / thick) ** 2)) * fade
    return out


def _disc_points() -> tuple[np.ndarray, np.ndarray]:
    grid = (np.arange(COARSE) + 0.5) / COARSE * 2 - 1
    u, v = np.meshgrid(grid, grid)
    inside = u * u + v * v < 1
    return u[inside], v[inside]


_U, _V = _disc_points()


def defect(cause: str, severity: float, rng: np.random.Generator) -> Defect | None:
    """A defect of this cause, of random kind and place, as strong as severity says; None for
    severity 0.

    Where a shape is too small to be that severe the amount stays at MOST: `severity_of` tells what
    came out. Raises ValueError for a negative severity or an unknown cause."""
    if cause not in KINDS or not severity >= 0:
        raise ValueError(
            f"{cause} of severity {severity}; expected {', '.join(CAUSES)} and 0 or more"
        )
    names, shares = list(KINDS[cause]), list(KINDS[cause].values())
    kinds = [str(rng.choice(names, p=shares))]
    if cause == "illumination" and rng.random() < 0.35 and kinds[0] not in ("bright", "halo"):
        kinds.append(str(rng.choice(["dim", "vignette", "crescent"])))
    if cause == "artefact" and rng.random() < 0.3:
        kinds.append("dust")
    place = tuple(rng.random(4 + 4 * 16).tolist())
    if severity == 0:
        return None
    wanted = min(severity * BAD[cause], 0.97)
    shape = Defect(cause, tuple(dict.fromkeys(kinds)), place, 1.0).strength(_U, _V)
    low, high = 0.0, MOST
    for _ in range(26):
        middle = (low + high) / 2
        low, high = (middle, high) if -np.expm1(-middle * shape).mean() < wanted else (low, middle)
    return Defect(cause, tuple(dict.fromkeys(kinds)), place, high)


def severity_of(one: Defect | None) -> float:
    """The severity of a defect as measured on its map: mean over the field / BAD."""
    return 0.0 if one is None else float(one.map(_U, _V).mean() / BAD[one.cause])


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
    chord: (
        float  # the field ends at +- chord (in radii) above and below; 1 when it is a whole circle
    )
    notch: float | None  # direction in rad
    light: tuple[float, ...]  # the camera's own unevenness: vignette, tilt x, tilt y, exposure
    gains: tuple[float, float, float]  # the style's, with this picture's white balance
    defects: Mapping[str, Defect] = field(default_factory=dict)

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
        out = np.clip((1 - np.hypot(u, v)) * sharp + 0.5, 0, 1) * np.clip(
            (self.chord - np.abs(v)) * sharp + 0.5, 0, 1
        )
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
        image = double_pass(retina, self._light(u, v), self._veil(u, v)).astype(np.float32)
        image = self._blurred(image, u, v, n * self.radius / self.size / half)
        image = self._covered(image, u, v)
        image = np.clip(image, 0, None) ** np.float32(self.style.gamma) * colour(*self.gains)
        image = np.where(
            image > 0.75, 0.75 + 0.25 * np.tanh((image - 0.75) / 0.25), image
        )  # a sensor's shoulder
        image = image * self.mask(n)[..., None]
        if n != self.size:
            image = image.reshape(self.size, 2, self.size, 2, 3).mean(axis=(1, 3))
        rng = seeding.rng("sensor", self.key)
        noise = rng.standard_normal((self.size, self.size, 3), dtype=np.float32)
        image = image + (0.35 + np.sqrt(np.maximum(image, 0))) * self.style.noise * noise + 0.01
        return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)

    def _light(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """L, (n, n, 3): the camera's own light, changed by the illumination defect."""
        vignette, tilt_x, tilt_y, exposure = self.light
        own = exposure * np.exp(-vignette * (u * u + v * v) + tilt_x * u + tilt_y * v)
        one = self.defects.get("illumination")
        if one is None:
            return own[..., None].astype(np.float32)
        up = one.kinds[0] in ("bright", "halo")
        tint = colour(1, 1, 1) if one.kinds[0] != "halo" else HALOES[int(3 * one.place[3])]
        log = one.strength(u, v)[..., None] * (
            tint / tint.mean() if up else colour(0.92, 1.02, 1.06)
        )
        return (own[..., None] * np.exp(log if up else -log)).astype(np.float32)

    def _veil(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """T, (n, n, 1)."""
        one = self.defects.get("contrast")
        strength = np.zeros(np.broadcast(u, v).shape) if one is None else one.strength(u, v)
        return np.exp(-0.5 * strength)[..., None].astype(np.float32)

    def _blurred(self, image: np.ndarray, u: np.ndarray, v: np.ndarray, scale: float) -> np.ndarray:
        """The picture after the point-spread function, which may vary over the field. scale: px a
        mm."""
        one = self.defects.get("clarity")
        if one is None:
            return image
        strength = one.strength(u, v)
        if one.kinds[0] != "tilt":
            turn, bend = np.pi * one.place[0], one.place[1] - 0.5
            return convolve(image, kernel(one.kinds[0], SHARP * one.amount * scale, turn, bend))
        top = float(strength.max())
        half, full = (
            convolve(image, kernel("defocus", SHARP * k * top * scale)) for k in (0.5, 1.0)
        )
        w = np.clip(strength / top, 0, 1)[..., None].astype(np.float32) * 2
        return np.where(w < 1, image + w * (half - image), half + (w - 1) * (full - half))

    def _covered(self, image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The picture under its artefacts: dark lashes, dust and lids, bright reflections."""
        one = self.defects.get("artefact")
        if one is None:
            return image
        paints = {"reflection": colour(0.95, 0.98, 1.0), "eyelid": colour(0.20, 0.13, 0.10)}
        paint = paints.get(one.kinds[0], colour(0.12, 0.09, 0.08))
        return (image + one.map(u, v)[..., None] * (paint - image)).astype(np.float32)


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
    0..1, which fellow eyes share. Raises ValueError for anything else."""
    rng = seeding.rng("fundus", key)
    style = str(rng.choice(list(STYLES))) if style is None else style
    left = bool(rng.random() < 0.5) if left is None else left
    wrong = sorted(set(severity or {}) - set(CAUSES))
    if (
        not 24 <= size <= 1024
        or style not in STYLES
        or view not in ("macula", "disc")
        or framing not in FRAMINGS
        or wrong
    ):
        raise ValueError(
            f"size {size}, style {style!r}, view {view!r}, framing {framing!r}, severities of {wrong or 'causes'}; expected "
            f"24 to 1024 px, {', '.join(STYLES)}, macula or disc, {' or '.join(FRAMINGS)}, severities of {', '.join(CAUSES)}"
        )
    made = STYLES[style]
    anatomy = key if anatomy is None else anatomy
    pigment = float(seeding.rng("pigment", anatomy).beta(2, 2.2)) if pigment is None else pigment
    one = _eye(anatomy, pigment)
    x, y, radius = 0.5 + rng.normal(0, 0.012), 0.5 + rng.normal(0, 0.012), rng.uniform(*made.radius)
    clipped, notched = rng.random() < made.clip, rng.random() < made.notch
    chord = float(rng.uniform(0.82, 0.96)) if clipped else 1.0
    notch = float(rng.choice([-0.7, 0.7, -2.4])) + rng.normal(0, 0.05) if notched else None
    if framing == "crop":
        x, y, radius = (
            0.5 + rng.normal(0, 0.004),
            0.5 + rng.normal(0, 0.004),
            rng.uniform(0.488, 0.502),
        )
    drift = rng.normal(0, 0.35, 2)
    if view == "macula":
        centre = (one.fovea[0] - 1.0 + drift[0], one.fovea[1] * 0.7 + drift[1])
    else:
        centre = (0.5 + drift[0], 0.1 + drift[1])
    light = (
        float(rng.uniform(0.15, 0.6)),
        *rng.normal(0, 0.09, 2).tolist(),
        float(np.exp(rng.normal(-0.12, 0.13))),
    )
    red, green, blue = made.gains
    balance = np.exp(rng.normal(0, (0.02, 0.06, 0.12)))
    gains = (red * balance[0], green * balance[1], blue * balance[2])
    defects = {}
    for cause in CAUSES:
        found = defect(
            cause, float((severity or {}).get(cause, 0)), seeding.rng("defect", key, cause)
        )
        if found is not None:
            defects[cause] = found
    x, y, radius = x * size - 0.5, y * size - 0.5, radius * size
    return Shot(
        key, size, one, made, left, centre, x, y, radius, chord, notch, light, gains, defects
    )


def space(
    key: object, size: int = 80, levels: Sequence[float] = (0.0, 1.0, 2.0), **how: object
) -> np.ndarray:
    """One eye at every combination of the levels of severity: uint8 (K, K, K, size, size, 3),
    indexed by contrast, clarity, illumination. how: style, left, view, framing, as for `fundus`."""
    k = range(len(levels))
    rows = [(levels[c], levels[b], levels[a]) for c in k for b in k for a in k]
    shots = [
        fundus(key, size, {"contrast": c, "clarity": b, "illumination": a}, **how)
        for c, b, a in rows
    ]  # type: ignore[arg-type]
    return np.stack([s.pixels for s in shots]).reshape(
        len(levels), len(levels), len(levels), size, size, 3
    )
