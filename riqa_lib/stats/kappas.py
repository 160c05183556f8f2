"""Agreement of graders: Cohen's and Fleiss' kappa with intervals by patient; and whether the noise
of pseudo-labels is like the variability of experts.

Every kappa is a function of sums over pictures (a table of pairs of grades), so a bootstrap
resample is a weighted sum of the patients' tables. Intervals are 95 % percentile intervals over
patients; the graders are held fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .metrics import grades
from .paired_tests import clusters, equivalence, smallest_margin
from .resampling import Floats, Ints, interval, resamples_of

MARGIN = 0.05  # disagreement, ours: five pictures in a hundred; no margin for it is published


def kappa_of(tables: Floats, quadratic: bool = False) -> Floats:
    """Cohen's kappa of tables (..., C, C), grade of one by grade of the other: 1 - observed /
    expected weighted disagreement; weights 1 off the diagonal, or the squared distance (Cohen 1960,
    1968). nan where none is expected."""
    k = np.arange(tables.shape[-1])
    cost = (k[:, None] - k) ** 2.0 if quadratic else (k[:, None] != k).astype(float)
    n = tables.sum(axis=(-2, -1))
    expected = tables.sum(axis=-1)[..., :, None] * tables.sum(axis=-2)[..., None, :]
    below = (expected * cost).sum(axis=(-2, -1))
    return 1 - np.divide(
        (tables * cost).sum(axis=(-2, -1)) * n,
        below,
        out=np.full(below.shape, np.nan),
        where=below > 0,
    )


def fleiss_of(tables: Floats) -> Floats:
    """Fleiss' kappa from symmetric tables (..., C, C) of all ordered pairs of graders of each
    picture, with equally many graders a picture: chance from the pooled shares of the grades
    (Fleiss 1971). nan where only one grade occurs."""
    n = tables.sum(axis=(-2, -1))
    agree = np.divide(
        np.trace(tables, axis1=-2, axis2=-1), n, out=np.full(n.shape, np.nan), where=n > 0
    )
    chance = ((tables.sum(axis=-1) / np.where(n > 0, n, np.nan)[..., None]) ** 2).sum(axis=-1)
    return np.divide(agree - chance, 1 - chance, out=np.full(n.shape, np.nan), where=chance < 1)


def _tables(a: Ints, b: Ints, code: Ints, classes: int) -> Floats:
    """Tables per cluster (K, C, C)."""
    k = int(code.max()) + 1
    return (
        np.bincount((code * classes + a) * classes + b, minlength=k * classes**2)
        .reshape(k, classes, classes)
        .astype(float)
    )


def _drawn(k: int, resamples: int, seed: int) -> Floats:
    return resamples_of(k, 1, resamples, seed)[0].astype(float)


@dataclass(frozen=True)
class Estimate:
    """A number found on all pictures, and its resampled values (R,)."""

    value: float
    draws: Floats

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.draws - other.draws)

    def interval(self, level: float = 0.95) -> tuple[float, float, float]:
        """(estimate, low, high)."""
        return interval(self.value, self.draws, level)


class Pairs:
    """Pairs of graders as tables of grades, of all pictures and of each resample of the clusters.

    tables: one (K, C, C) per pair, of `_tables`; weights: (R, K), how often each cluster is
    drawn."""

    def __init__(self, tables: Sequence[Floats], weights: Floats) -> None:
        self.whole = [t.sum(axis=0) for t in tables]  # each (C, C)
        self.drawn = [np.tensordot(weights, t, 1) for t in tables]  # each (R, C, C)

    def mean(self, measure: Callable[[Floats], Floats]) -> Estimate:
        """The mean over pairs of a measure of tables (..., C, C)."""
        value = np.mean([measure(t) for t in self.whole])
        return Estimate(float(value), np.mean([measure(t) for t in self.drawn], axis=0))

    @property
    def differ(self) -> Estimate:
        """Share of pictures on which the two of a pair differ."""
        return self.mean(_differ)

    @property
    def kappa(self) -> Estimate:
        """Mean of Cohen's kappas."""
        return self.mean(kappa_of)

    @property
    def fleiss(self) -> Estimate:
        """Fleiss' kappa of all pairs together."""
        pooled, drawn = (
            sum(t + np.swapaxes(t, -2, -1) for t in tables) for tables in (self.whole, self.drawn)
        )
        return Estimate(float(fleiss_of(np.asarray(pooled))), fleiss_of(np.asarray(drawn)))


def _differ(tables: Floats) -> Floats:
    return 1 - np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1))


def cohen(
    a: ArrayLike,
    b: ArrayLike,
    cluster: ArrayLike | None = None,
    *,
    classes: int = 2,
    quadratic: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Cohen's kappa of two graders, (kappa, low, high), 95 % interval by cluster.

    a, b: whole grades 0..classes-1, (N,); cluster: (N,), each picture its own where None. nan where
    both only ever give one and the same grade, or in too many resamples. ValueError for other
    grades or lengths.

    >>> cohen([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0], resamples=200)[0]
    0.6666666666666667
    """
    x, y = grades("a", a, classes), grades("b", b, classes)
    if len(x) != len(y):
        raise ValueError(f"a has {len(x)} grades but b has {len(y)}; expected one each per picture")
    tables = _tables(x, y, clusters(cluster, len(x)), classes)
    pair = Pairs([tables], _drawn(len(tables), resamples, seed))
    return pair.mean(partial(kappa_of, quadratic=quadratic)).interval()


def _votes(votes: ArrayLike, classes: int) -> Ints:
    v = np.asarray(votes)
    if v.ndim != 2 or v.shape[1] < 2:
        raise ValueError(
            f"votes: expected shape (pictures, graders) with at least 2 graders; found {v.shape}"
        )
    return np.column_stack(
        [grades(f"votes of grader {g}", v[:, g], classes) for g in range(v.shape[1])]
    )


def graders(
    votes: ArrayLike,
    cluster: ArrayLike | None = None,
    *,
    classes: int = 2,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Agreement of several graders, one row a kappa: columns kappa, estimate, low, high, pictures,
    graders.

    votes: (N, graders), whole grades 0..classes-1. Rows: "mean pairwise" and "mean pairwise,
    quadratic" (means of Cohen's kappas over the pairs), "Fleiss". ValueError for other grades,
    shapes, or fewer than two graders."""
    v = _votes(votes, classes)
    code = clusters(cluster, len(v))
    pairs = Pairs(_among(v, code, classes), _drawn(int(code.max()) + 1, resamples, seed))
    found = {
        "mean pairwise": pairs.kappa,
        "mean pairwise, quadratic": pairs.mean(partial(kappa_of, quadratic=True)),
        "Fleiss": pairs.fleiss,
    }
    rows = [(name, *estimate.interval()) for name, estimate in found.items()]
    return pd.DataFrame(rows, columns=["kappa", "estimate", "low", "high"]).assign(
        pictures=len(v), graders=v.shape[1]
    )


def _among(votes: Ints, code: Ints, classes: int) -> list[Floats]:
    """The tables of every pair of graders."""
    pairs = combinations(range(votes.shape[1]), 2)
    return [_tables(votes[:, g], votes[:, h], code, classes) for g, h in pairs]


# `equivalence` of pseudo-label and grader, said of noise; what is not here keeps its word
NOISE = {
    "superior": "noisier",
    "inferior": "less noisy",
    "non-inferior": "undecided: perhaps noisier",
    "non-superior": "not noisier",
}


def noise_like_experts(
    pseudo: ArrayLike,
    votes: ArrayLike,
    cluster: ArrayLike | None = None,
    *,
    classes: int = 2,
    margin: float = MARGIN,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float | int | str]:
    """Does a pseudo-label differ from a random grader as often as two random graders differ from
    each other?

    pseudo: (N,), votes: (N, graders), whole grades (hard labels); cluster: (N,) patients. Keys:
    pictures, patients, graders; pseudo (share of pairs of pseudo-label and grader that differ),
    experts (share of pairs of graders that differ), difference (pseudo - experts), low, high (95
    %), low_90, high_90, margin, verdict ("equivalent", "noisier", "less noisy", "not noisier",
    "undecided: perhaps noisier" or "undecided", from the 90 % interval), decided_margin,
    planned_margin (see `comparisons.one_table`); kappa_pseudo, kappa_experts (mean Cohen's kappas
    of the same pairs), kappa_difference with kappa_low and kappa_high; words. ValueError as
    `graders`."""
    v, y = _votes(votes, classes), grades("pseudo", pseudo, classes)
    if len(v) != len(y):
        raise ValueError(f"pseudo has {len(y)} labels but votes has {len(v)} pictures")
    code = clusters(cluster, len(v))
    w = _drawn(int(code.max()) + 1, resamples, seed)
    mine = Pairs([_tables(y, v[:, i], code, classes) for i in range(v.shape[1])], w)
    theirs = Pairs(_among(v, code, classes), w)
    gap = mine.differ - theirs.differ
    difference, low, high = gap.interval()
    _, low_90, high_90 = gap.interval(0.90)
    kappa = (mine.kappa - theirs.kappa).interval()
    said = equivalence(low_90, high_90, margin)
    out: dict[str, float | int | str] = {
        "pictures": len(v),
        "patients": w.shape[1],
        "graders": v.shape[1],
        "pseudo": mine.differ.value,
        "kappa_pseudo": mine.kappa.value,
        "experts": theirs.differ.value,
        "kappa_experts": theirs.kappa.value,
        "difference": difference,
        "low": low,
        "high": high,
        "low_90": low_90,
        "high_90": high_90,
        "margin": margin,
        "verdict": NOISE.get(said, said),
        "decided_margin": max(abs(low_90), abs(high_90)),
        "planned_margin": smallest_margin(float(np.std(gap.draws, ddof=1))),
    }
    out |= dict(zip(("kappa_difference", "kappa_low", "kappa_high"), kappa, strict=True))
    return out | {"words": _words(out)}


def _words(o: dict) -> str:
    return (
        f"pseudo-label and grader differ on {o['pseudo']:.1%} of pictures, two graders on "
        f"{o['experts']:.1%}: difference {o['difference']:+.1%} (95 % interval {o['low']:+.1%} to "
        f"{o['high']:+.1%}); {o['verdict']} at the margin {o['margin']:.1%}; these data would "
        f"decide {o['decided_margin']:.1%}"
    )
