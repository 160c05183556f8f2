"""Simulated graders of fundus photographs: severities, which the simulation knows, become votes
that disagree.

A grader feels each severity with a bias of his own and noise; a detail is bad (0) from a felt
severity of 1 on, else good (1). The overall grade, 0 reject, 1 usable, 2 good, follows from
`badness`, a weighted sum in which illumination counts little for its severity: graders call it bad
early (38 % of EyeQ-D's good pictures have bad illumination) without rejecting the
picture. Bias and noise are set so that two graders agree as published (kappa about 0.4 to 0.6);
severities are distributed so that the shares of classes come near EyeQ's and
EyeQ-D's. Part of the noise is the patient's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from .. import seeding
from ..scales import DETAILS
from .fundus_camera import CAUSES

WEIGHTS = {"illumination": 0.70, "clarity": 1.0, "contrast": 0.9, "artefact": 0.45}
USABLE, REJECT = 2.38, 3.42  # badness from which a picture is no longer good, or rejected
BIAS = 0.08  # standard deviation of a grader's bias, in severities
NOISE = 0.30  # of what a grader feels about one picture, in severities
OWN = 0.16  # of the overall impression beyond the causes

SHARED = (
    0.85  # share of that variance which is the patient's, the same for all pictures of one patient
)

PEOPLE = 3

# How severities come about: severity = max(0, 1 + width (z - from)), z from a general factor, one
# common to clarity and contrast, and one of its own.
LAW = {  # cause: (general, common, width, from)
    "illumination": (0.88, 0.00, 0.50, -0.38),
    "clarity": (0.74, 0.60, 0.45, 0.72),
    "contrast": (0.74, 0.60, 0.45, 0.43),
    "artefact": (0.45, 0.00, 0.60, 1.90),
}


@dataclass(frozen=True)
class Votes:
    """Votes of `people` graders: details (n, people, 3) of 0 bad or 1 good, in the order of
    DETAILS; overall (n, people) of 0 reject, 1 usable, 2 good."""

    details: np.ndarray
    overall: np.ndarray

    def majority(self) -> tuple[np.ndarray, np.ndarray]:
        """Details (n, 3) by majority, overall (n,) by median; the number of graders must be odd."""
        return (self.details.mean(axis=1) > 0.5).astype(int), np.median(
            self.overall, axis=1
        ).astype(int)


def badness(severity: ArrayLike) -> np.ndarray:
    """Overall badness (...,) of severities (..., 4) in the order of CAUSES; ValueError for another
    last axis."""
    s = np.asarray(severity, float)
    if s.shape[-1:] != (len(CAUSES),):
        raise ValueError(
            f"severities of shape {s.shape}; expected (..., {len(CAUSES)}): {', '.join(CAUSES)}"
        )
    return s @ np.array([WEIGHTS[c] for c in CAUSES])


def true_details(severity: ArrayLike) -> np.ndarray:
    """Details (n, 3) that a grader without bias and noise would give: 1 good where the severity is
    below 1."""
    badness(severity)
    return (np.asarray(severity, float)[..., : len(DETAILS)] < 1).astype(int)


def true_grade(severity: ArrayLike) -> np.ndarray:
    """Overall grade (n,) that a grader without bias and noise would give: 0 reject, 1 usable, 2
    good."""
    return 2 - np.searchsorted([USABLE, REJECT], badness(severity), side="right")


def votes(
    severity: ArrayLike,
    key: object,
    *,
    patients: ArrayLike | None = None,
    people: int = PEOPLE,
    noise: float = 1.0,
    panel: object = None,
) -> Votes:
    """What `people` graders say of pictures of these severities (n, 4).

    key: the noise follows from it; panel: the graders' biases do (key when None). patients: (n,),
    whose pictures share part of the noise; each picture is a patient of its own when None. noise:
    scales the noise."""
    s = np.asarray(severity, float)
    badness(s)
    n = len(s)
    code = (
        np.arange(n)
        if patients is None
        else np.unique(np.asarray(patients), return_inverse=True)[1]
    )
    rng = seeding.rng("fundus graders", key)
    bias = seeding.rng("fundus panel", key if panel is None else panel).normal(
        0, BIAS, (people, len(CAUSES))
    )

    def shared(*shape: int) -> np.ndarray:
        common = rng.standard_normal((code.max(initial=-1) + 1, *shape))[code]
        return np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * rng.standard_normal((n, *shape))

    felt = s[:, None] + bias + noise * NOISE * shared(people, len(CAUSES))
    whole = badness(np.maximum(felt, 0)) + noise * OWN * shared(people)
    return Votes(
        (felt[..., : len(DETAILS)] < 1).astype(int),
        2 - np.searchsorted([USABLE, REJECT], whole, side="right"),
    )


def severities(
    general: ArrayLike,
    rng: np.random.Generator,
    patients: ArrayLike | None = None,
    alike: float = 0.93,
) -> np.ndarray:
    """Severities (n, 4) in the order of CAUSES, given the general factor (n,), standard normal in
    EyeQ's test split.

    patients: (n,), whose pictures share the share `alike` of the variance of the other factors."""
    g = np.asarray(general, float)
    n = len(g)
    code = (
        np.arange(n)
        if patients is None
        else np.unique(np.asarray(patients), return_inverse=True)[1]
    )
    people = rng.standard_normal((code.max(initial=-1) + 1, len(CAUSES) + 1))[code]
    other = np.sqrt(alike) * people + np.sqrt(1 - alike) * rng.standard_normal((n, len(CAUSES) + 1))
    out = np.empty((n, len(CAUSES)))
    for i, cause in enumerate(CAUSES):
        a, b, width, start = LAW[cause]
        z = a * g + b * other[:, -1] + np.sqrt(1 - a * a - b * b) * other[:, i]
        out[:, i] = np.clip(
            1 + width * (z - start), 0, 1 if cause == "artefact" else None
        )  # few lashes can't cover more
    return out


def general_factor(
    n: int, rng: np.random.Generator, patients: ArrayLike, alike: float = 0.97
) -> np.ndarray:
    """The general factor (n,), standard normal; pictures of one patient share the share `alike` of
    its variance."""
    code = np.unique(np.asarray(patients), return_inverse=True)[1]
    return np.sqrt(alike) * rng.standard_normal(code.max(initial=-1) + 1)[code] + np.sqrt(
        1 - alike
    ) * rng.standard_normal(n)


def shifted(general: ArrayLike, before: tuple[float, ...], after: tuple[float, ...]) -> np.ndarray:
    """The general factor after a shift of the class shares: the quantiles that `before` cuts off
    become those of `after`.

    before, after: shares of the classes, best first, each with sum 1."""
    u = ndtr(np.asarray(general, float))
    moved = np.interp(u, np.cumsum((0, *before)), np.cumsum((0, *after)))
    return ndtri(np.clip(moved, 1e-6, 1 - 1e-6))
