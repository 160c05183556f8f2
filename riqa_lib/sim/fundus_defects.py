"""Defects of fundus photographs whose place and strength are known.

Each defect has a shape s(u, v) >= 0 over the field and an amount a; everywhere it changes the
picture by
    m = 1 - exp(-a s),
which is its defect map: the share of light lost, min(L0/L, L/L0) = 1 - m; of the retina's light
lost to the veil, T^2 = 1 - m; a blur of SHARP * a s mm (standard deviation along an axis); the
opacity of an artefact. Of leaks of light a s nears LEAKED. Severity is the mean of m over the field
divided by BAD, so that severity 1 is where graders begin to call a detail bad, whatever its
kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..scales import DETAILS

Place = tuple[float, ...]  # numbers in 0..1 that shapes read
CAUSES = (*DETAILS, "artefact")

# mean defect map at severity 1
BAD = {"illumination": 0.27, "clarity": 0.42, "contrast": 0.40, "artefact": 0.10}

SHARP = 0.28  # mm of blur at a s = 1
MOST = 80.0  # largest amount a

KINDS = {
    "illumination": {
        "dim": 0.17,
        "vignette": 0.15,
        "crescent": 0.21,
        "hole": 0.12,
        "bright": 0.09,
        "halo": 0.06,
        "arc": 0.07,  # a tinted leak at one side of the rim
        "spotlight": 0.08,  # a bright middle, a dark periphery
        "flood": 0.05,  # broad over-exposure from one side
    },
    "clarity": {"defocus": 0.40, "gaussian": 0.15, "motion": 0.2, "tilt": 0.25},
    "contrast": {"veil": 0.4, "haze": 0.6},
    "artefact": {"lashes": 0.27, "dust": 0.22, "reflection": 0.26, "eyelid": 0.13, "ghost": 0.12},
}

# kinds of illumination that add light; LEAKS of them pass by the retina and hide it
LEAKS = ("halo", "arc", "flood")
UP = ("bright", *LEAKS)
LEAKED = 1.6  # what a s of a leak nears: beyond, a sensor saturates whatever the tint

COARSE = 48  # points a side on which severities are measured: the same at every size


# ---------------------------------------------------------------- shapes
# s(u, v) >= 0 of a kind of defect, about 1 where it is strongest. place: numbers in 0..1 that say
# where and how wide: p the direction, q how far out, w how wide, z how many, then the spots.
def _even(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.ones(np.broadcast(u, v).shape)


def _vignette(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (u * u + v * v) ** (1 + place[1])


def _to_one_side(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    _, q, w, _ = place[:4]
    cosine, sine = _direction(place)
    across = u * cosine + v * sine
    return 0.08 + 0.92 / (1 + np.exp(-(across - 0.5 * (q - 0.5)) / (0.15 + 0.25 * w)))


def _spot(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _glow(place, u, v, 0.5 + 0.4 * place[2])


def _haze(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _glow(place, u, v, 0.45 + 0.5 * place[2])


def _glow(place: Place, u: np.ndarray, v: np.ndarray, reach: float) -> np.ndarray:
    cosine, sine = _direction(place)
    far = 0.15 + 0.55 * place[1]
    return np.exp(-((u - far * cosine) ** 2 + (v - far * sine) ** 2) / reach**2) + 0.15


def _halo(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    cosine, sine = _direction(place)
    inner = 0.45 + 0.3 * place[2]
    rho = np.sqrt((u - 0.15 * cosine) ** 2 + (v - 0.15 * sine) ** 2)
    return 1 / (1 + np.exp(-(rho - inner - 0.2) / 0.09))


def _arc(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    _, q, w, _ = place[:4]
    cosine, sine = _direction(place)
    rho = np.sqrt(u * u + v * v)
    facing = (u * cosine + v * sine) / np.maximum(rho, 1e-6)
    band = np.exp(-np.maximum(1.02 - rho, 0) / (0.05 + 0.20 * q))
    return band / (1 + np.exp(-(facing - 0.6 + 0.9 * w) / 0.15)) + 0.02


def spot_balance(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How much darker a spotlight leaves each place, from -0.6 in its middle to 1 far away."""
    _, q, w, _ = place[:4]
    cosine, sine = _direction(place)
    far, reach = 0.4 * q, 0.45 + 0.35 * w
    away = ((u - far * cosine) ** 2 + (v - far * sine) ** 2) / reach**2
    return 1 - 1.6 * np.exp(-away)


def _spotlight(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(spot_balance(place, u, v))


def _flood(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    _, q, w, _ = place[:4]
    cosine, sine = _direction(place)
    across = u * cosine + v * sine + 0.15 * (u * sine - v * cosine) ** 2
    return 1 / (1 + np.exp(-(across - 0.45 + 0.6 * q) / (0.12 + 0.15 * w))) + 0.03


def _ghost(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    cosine, sine = _direction(place)
    out = 0.12 * np.exp(-(u * u + v * v) / 0.5**2)  # the glow around them
    for a, b, c, d in _spots(place, 1 + int(place[3] * 4)):  # pairs, mirrored at the middle
        x, y = 0.55 * (a - 0.5), 0.55 * (b - 0.5)
        for k in (1, -0.6):
            du, dv = u - k * x, v - k * y
            along, across = du * cosine + dv * sine, dv * cosine - du * sine
            far = (along / (0.035 + 0.07 * c)) ** 2 + (across / (0.03 + 0.04 * c)) ** 2
            out = out + (0.4 + 0.6 * d) * np.exp(-far) * (1 if k > 0 else 0.6)
    return out


def _eyelid(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    p, q = place[:2]
    side = 1 if p < 0.5 else -1
    return 1 / (1 + np.exp(-(side * v + 0.25 * u * (q - 0.5) - 0.55 - 0.25 * u * u) / 0.07))


def _reflection(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    _, q, w, _ = place[:4]
    cosine, sine = _direction(place)
    far = 0.45 + 0.5 * q
    blob = ((u - far * cosine) ** 2 + (v - far * sine) ** 2) / (0.12 + 0.22 * w) ** 2
    return np.exp(-blob) + 0.2 * np.exp(-0.3 * blob)


def _dust(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.zeros(np.broadcast(u, v).shape)
    for a, b, c, d in _spots(place, 6 + int(place[3] * 10)):
        r2 = (u - 1.7 * (a - 0.5)) ** 2 + (v - 1.7 * (b - 0.5)) ** 2
        out += (0.3 + d) * np.exp(-r2 / (0.06 + 0.10 * c) ** 2)
    return out


def _lashes(place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.zeros(np.broadcast(u, v).shape)
    side = 1 if place[0] < 0.5 else -1  # they grow from below or from above
    for a, b, c, d in _spots(place, 7 + int(place[3] * 9)):
        height = 1 - side * v  # 0 at the rim they come from
        middle = 1.7 * (a - 0.5) + (b - 0.5) * height + 0.35 * (c - 0.5) * height**2
        thick = (0.012 + 0.022 * d) * (0.4 + height)
        fade = 1 / (1 + np.exp((height - 0.35 - 0.75 * d) / 0.12))
        out += np.exp(-(((u - middle) / thick) ** 2)) * fade
    return out


def _direction(place: Place) -> tuple[float, float]:
    turn = 2 * np.pi * place[0]
    return np.cos(turn), np.sin(turn)


def _spots(place: Place, n: int) -> np.ndarray:
    return np.array(place[4:]).reshape(-1, 4)[:n]


SHAPES: dict[str, Callable[[Place, np.ndarray, np.ndarray], np.ndarray]] = {
    "dim": _even,
    "vignette": _vignette,
    "crescent": _to_one_side,
    "hole": _spot,
    "bright": _spot,
    "halo": _halo,
    "arc": _arc,
    "spotlight": _spotlight,
    "flood": _flood,
    "defocus": _even,
    "gaussian": _even,
    "motion": _even,
    "tilt": _to_one_side,
    "veil": _even,
    "haze": _haze,
    "lashes": _lashes,
    "dust": _dust,
    "reflection": _reflection,
    "eyelid": _eyelid,
    "ghost": _ghost,
}


def _shape(kinds: tuple[str, ...], place: Place, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.sum([SHAPES[k](place, u, v) for k in kinds], axis=0)


def _strength(kinds: tuple[str, ...], raised: np.ndarray) -> np.ndarray:
    """a s: leaks near LEAKED."""
    return -LEAKED * np.expm1(-raised / LEAKED) if kinds[0] in LEAKS else raised


# ---------------------------------------------------------------- defects
@dataclass(frozen=True)
class Defect:
    """One cause: its shape over the field is that of `kind` with the numbers `place`, its amount
    `amount`."""

    cause: str
    kinds: tuple[str, ...]
    place: Place
    amount: float

    def strength(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """a s at field coordinates (the field's circle has radius 1): the broadcast shape of u and
        v, float."""
        return _strength(self.kinds, self.amount * _shape(self.kinds, self.place, u, v))

    def map(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The defect map m = 1 - exp(-a s), 0..1."""
        return -np.expm1(-self.strength(u, v))


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
    if cause == "illumination" and rng.random() < 0.35 and kinds[0] not in (*UP, "spotlight"):
        kinds.append(str(rng.choice(["dim", "vignette", "crescent"])))
    if cause == "artefact" and rng.random() < 0.3 and kinds[0] not in ("reflection", "ghost"):
        kinds.append("dust")
    place = tuple(rng.random(4 + 4 * 16).tolist())
    if severity == 0:
        return None
    both = tuple(dict.fromkeys(kinds))
    return Defect(cause, both, place, _amount(both, place, min(severity * BAD[cause], 0.97)))


def _amount(kinds: tuple[str, ...], place: Place, wanted: float) -> float:
    """The amount at which a map's mean over the field is `wanted`, or MOST."""
    shape = _shape(kinds, place, _U, _V)
    low, high = 0.0, MOST
    for _ in range(26):
        middle = (low + high) / 2
        reached = -np.expm1(-_strength(kinds, middle * shape)).mean()
        low, high = (middle, high) if reached < wanted else (low, middle)
    return high


def severity_of(one: Defect | None) -> float:
    """The severity of a defect as measured on its map: mean over the field / BAD."""
    return 0.0 if one is None else float(one.map(_U, _V).mean() / BAD[one.cause])
