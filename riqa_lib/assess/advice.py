"""From probabilities and picture statistics to plain instructions for whoever takes the photograph,
or to no answer at all.

What is wrong comes from the network (illumination, clarity, contrast, each with a probability),
what to do about it from simple statistics of the picture: RULES, one line each, with the number it
rests on. The limits are our own choice, set on simulated photographs (notebook 18 shows how often
they meet the true cause there); nothing published fixes them.

Abstention: a picture gets a grade only if the largest probability reaches a threshold, the lowest
at which an exact binomial test on validation pictures still says that the error among the answered
is at most `rate`. Coverages are tested from the least up, each at level 1 - confidence, and the
first that fails ends it (fixed-sequence testing, as in Angelopoulos et al., Learn then Test, 2021;
the setting is that of Geifman and El-Yaniv, NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from ..scales import DETAILS

SIDE = 160  # px, side of the crop that statistics are taken from


# a detail is called good or bad from this probability on, where no threshold was calibrated
SURE = 0.65


# ---------------------------------------------------------------- statistics
def statistics(
    crop: np.ndarray, mask: np.ndarray, *, off_centre: float = 0.0, cut: float = 0.0
) -> dict[str, float]:
    """What RULES look at, of a crop (S, S, 3) uint8 to the field of view and its mask (S, S), bool,
    S best SIDE.

    level: median of the mean of red and green, 0..1. bright: share of the field with a channel at
    250 or more. uneven: 1 - darkest over brightest of nine parts of the field. rim: level at the
    rim over that in the middle. direction: 0 where edges run all ways alike, 1 where all run one
    way. texture: local contrast (standard deviation of the band of 1.4 to 4 px over the mean).
    veil: darkest over median level. glare: how much bluer the bluest 1 % within 0.8 of the radius
    is than the middle, as blue over red, without noise; shine: level there over that of the whole
    field. off_centre, cut: as given; how far the field's centre is from the picture's, in
    radii, and the share of the circle that is not in the picture. Raises ValueError for other
    shapes or types, or a mask of fewer than 50 px."""
    a, inside = np.asarray(crop), np.asarray(mask, bool)
    if (
        a.ndim != 3
        or a.shape[2] != 3
        or a.dtype != np.uint8
        or inside.shape != a.shape[:2]
        or inside.sum() < 50
    ):
        raise ValueError(
            f"crop {a.dtype} {a.shape}, mask {inside.shape} of {int(inside.sum())} px; "
            "expected uint8 (S, S, 3) and (S, S), 50 px"
        )
    side = len(a)
    unit = side / SIDE
    x = a.astype(np.float32) / 255
    light = x[..., :2].mean(axis=2)
    where = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
    u, v = where[None, :], where[:, None]
    rho = np.hypot(u, v)
    core = ndimage.binary_erosion(inside & (rho < 0.95), iterations=max(1, round(3 * unit)))
    core = core if core.sum() >= 50 else inside
    weight = core.astype(np.float32)
    green = x[..., 1] + 0.3 * x[..., 0]
    wide = ndimage.gaussian_filter(green * weight, 10 * unit) / np.maximum(
        ndimage.gaussian_filter(weight, 10 * unit), 1e-3
    )
    local = np.where(core, green, wide)
    fine, middle, broad = (ndimage.gaussian_filter(local, s * unit) for s in (0.7, 1.4, 4.0))
    dy, dx = np.gradient(fine)
    dy, dx = dy[core], dx[core]
    low, high = np.linalg.eigvalsh(
        [[(dx * dx).mean(), (dx * dy).mean()], [(dx * dy).mean(), (dy * dy).mean()]]
    )

    def mean(part: np.ndarray, otherwise: float) -> float:
        return float(light[core & part].mean()) if (core & part).sum() > 10 else otherwise

    level = float(np.median(light[core]))
    centre = max(mean(rho < 0.5, level), 1e-3)
    eighth = np.where(rho < 0.35, 8, np.minimum((np.arctan2(v, u) / np.pi + 1) * 4, 7).astype(int))
    parts = [mean(eighth == k, level) for k in range(9)]
    glare, bluest = _bluest(x, core, core & (rho < 0.8), 1.5 * unit)
    out = {
        "level": level,
        "bright": (a.max(axis=2)[core] >= 250).mean(),
        "uneven": 1 - min(parts) / max(*parts, 1e-3),
        "rim": mean(rho > 0.7, centre) / centre,
        "direction": 1 - low / max(high, 1e-12),
        "texture": (middle - broad)[core].std() / max(float(np.median(wide[core])), 0.02),
        "veil": np.percentile(x.min(axis=2)[core], 5) / max(level, 0.02),
        "glare": glare,
        "shine": float(light[bluest].mean()) / max(level, 0.02),
        "off_centre": off_centre,
        "cut": cut,
    }
    return {k: round(float(value), 4) for k, value in out.items()}


def _bluest(
    x: np.ndarray, core: np.ndarray, where: np.ndarray, sigma: float
) -> tuple[float, np.ndarray]:
    """How much bluer the bluest 1 % of `where` is than the middle of the field `core`, and its
    mask. At the rim there are arcs of any tint, which are no reflections; noise (px, blurred away
    by sigma) has blue pixels everywhere."""
    tint = x[..., 2] / np.maximum(x[..., 0], 0.1)
    middle = float(np.median(tint[core]))
    smooth = ndimage.gaussian_filter(np.where(core, tint, middle), sigma)
    where = where if where.any() else core
    limit = np.percentile(smooth[where], 99)
    return float(limit - middle), where & (smooth >= limit)


# ---------------------------------------------------------------- advice
@dataclass(frozen=True)
class Rule:
    """One line of advice. For a bad detail (or, with detail "", for any picture that is not good)
    whose statistics meet every condition (statistic, ">=" or "<=", limit) of `when`; `why` names
    what was measured; fits: the simulated defects it is for."""

    detail: str
    when: tuple[tuple[str, str, float], ...]
    say: str
    why: str
    fits: tuple[str, ...] = ()

    def meets(self, found: Mapping[str, float]) -> bool:
        return all(
            found[s] >= limit if sign == ">=" else found[s] <= limit for s, sign, limit in self.when
        )

    def reason(self, found: Mapping[str, float]) -> str:
        """Why, with the numbers it rests on and their limits."""
        return self.why + "".join(
            f"; {s} {found[s]:.2f} ({sign} {limit:g})" for s, sign, limit in self.when
        )


# of a picture that is too dark this is said, and nothing else; of the 2,316 simulated
# photographs of demo the darkest has a level of 0.084
DIM = Rule(
    "illumination", (("level", "<=", 0.08),), "raise the flash", "too dark to judge anything"
)
# of a bad detail the first that fits is said, the last of each fits always; of the others every one
# that fits
RULES = (
    Rule("illumination", (("rim", ">=", 1.2), ("bright", ">=", 0.02)),
         "darken the room, shield the lens, re-align", "light leaks in at the rim",
         ("halo", "arc")),
    Rule("illumination", (("bright", ">=", 0.05),),
         "lower the flash", "part of the field is over-exposed", ("bright", "flood")),
    Rule("illumination", (("rim", "<=", 0.6),),
         "dilate the pupil, or come to the right distance", "the rim is dark all around",
         ("vignette", "spotlight")),
    Rule("illumination", (("uneven", ">=", 0.42),),
         "re-centre on the pupil", "light falls from one side", ("crescent",)),
    Rule("illumination", (("rim", ">=", 0.95), ("level", "<=", 0.3)),
         "come to the right distance", "the middle is dark", ("hole",)),
    Rule("illumination", (("level", "<=", 0.3),),
         "raise the flash, or dilate the pupil", "the whole field is dark", ("dim",)),
    Rule("illumination", (),
         "re-align and check the flash", "light is not as it should be"),
    Rule("clarity", (("direction", ">=", 0.5),),
         "ask for a steady gaze, hold the camera still", "edges are smeared one way", ("motion",)),
    Rule("clarity", (),
         "refocus", "vessels are not sharp", ("defocus", "gaussian", "tilt")),
    Rule("contrast", (("uneven", ">=", 0.27),),
         "clean the lens", "haze lies over part of the field", ("haze",)),
    Rule("contrast", (),
         "clean the lens; if it stays, dilate the pupil: the eye's media may be clouded",
         "a veil lies over the field", ("veil",)),
    Rule("", (("direction", ">=", 0.4), ("texture", ">=", 0.058)),
         "ask to open the eyes wide, or hold the lid", "lashes in the field", ("lashes",)),
    # what is blue but no brighter than the rest is noise in the dark, or a veil
    Rule("", (("glare", ">=", 0.2), ("shine", ">=", 1.3), ("bright", "<=", 0.01)),
         "darken the room, tilt away from the reflection", "a bluish reflection",
         ("reflection", "ghost")),
    Rule("", (("cut", ">=", 0.12),),
         "re-centre, or step back", "the picture cuts the field of view"),
    Rule("", (("off_centre", ">=", 0.25),),
         "re-centre the field", "the field of view lies off centre"),
)  # fmt: skip


def rule(say: str) -> Rule:
    """The rule that says this (each says something else). ValueError for other words."""
    for one in RULES:
        if one.say == say:
            return one
    raise ValueError(f"no rule says {say!r}")


def listing() -> pd.DataFrame:
    """All rules to read: detail ("any": what is not good), when, say, why.

    >>> listing().set_index("detail").loc["clarity"].values.tolist()[1]
    ['otherwise', 'refocus', 'vessels are not sharp']
    """
    rows = [
        {
            "detail": r.detail or "any",
            "when": " and ".join(f"{s} {sign} {limit:g}" for s, sign, limit in r.when)
            or "otherwise",
            "say": r.say,
            "why": r.why,
        }
        for r in RULES
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Advice:
    """What to do, why, and the detail it is about ("" for none)."""

    say: str
    why: str
    detail: str = ""


def advise(
    details: Mapping[str, float],
    found: Mapping[str, float],
    *,
    good: bool,
    sure: Mapping[str, float] | None = None,
) -> list[Advice]:
    """Instructions for one picture, in the order of RULES.

    details: probability of good for each of DETAILS (one that is left out or nan is not judged).
    found: `statistics`. good: whether the overall grade is the best: then nothing is said but what
    is bad for sure. sure: per detail the probability from which it is called (SURE by default);
    between 1 - sure and sure nothing is said of it. Raises ValueError for probabilities outside
    0..1.

    >>> found = {"level": 0.5, "bright": 0.0, "uneven": 0.1, "rim": 0.9, "direction": 0.7}
    >>> found |= {"texture": 0.02, "glare": 0.0, "off_centre": 0.0, "cut": 0.2}
    >>> for one in advise({"illumination": 0.9, "clarity": 0.1}, found, good=False):
    ...     print(one.say, "|", one.why)
    ask for a steady gaze, hold the camera still | clarity bad (probability 0.90): edges are \
smeared one way; direction 0.70 (>= 0.5)
    re-centre, or step back | the picture cuts the field of view; cut 0.20 (>= 0.12)
    """
    _check(details)
    fits = [r for r in RULES if r.meets(found)]
    out = []
    for detail in DETAILS:
        p = details.get(detail, np.nan)
        if call(p, (sure or {}).get(detail, SURE)) == "bad":
            first = next(r for r in fits if r.detail == detail)
            why = f"{detail} bad (probability {1 - p:.2f}): {first.reason(found)}"
            out.append(Advice(first.say, why, detail))
    return out + [Advice(r.say, r.reason(found)) for r in fits if not (r.detail or good)]


def _check(details: Mapping[str, float]) -> None:
    for detail, p in details.items():
        if detail not in DETAILS or not (np.isnan(p) or 0 <= p <= 1):
            raise ValueError(
                f"{detail} = {p}: expected probabilities of {', '.join(DETAILS)} in 0..1"
            )


def call(p_good: float, sure: float = SURE) -> str:
    """ "good", "bad" or "unsure"; "" for nan.

    >>> [call(p, 0.8) for p in (0.9, 0.1, 0.5)]
    ['good', 'bad', 'unsure']
    """
    if np.isnan(p_good):
        return ""
    if p_good >= sure:
        return "good"
    return "bad" if 1 - p_good >= sure else "unsure"
