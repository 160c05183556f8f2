"""Null worlds of several seeds: how often `crossed` decides where two methods are equally good, and
how often its intervals hold the truth.

A world is a base row and five methods of equal skill, each trained with the same S seeds and judged
on the same pictures in clusters of one to three: the error of row m, picture i, seed s is x_mis =
a_mi + b_ms + e_mis, normal; a and e are correlated by `alike` within a cluster. Each has half the
variance that the difference of two rows has: the standard deviations below are of differences, of
one picture (of the reference run's predictions: picture .164, residual .366, seeds 0 to .032, .008
in the mean). Pictures fall into five grades with the reference's shares, for macro-MAE.

Tried on each world: the first method's interval and p-value in MAE and macro-MAE (`crossed`), the
verdicts after Holm's correction over the five (`decided`: how often any of them is better or
worse), the verdict of equivalence where the true difference is just the margin, and what it
replaced, the bootstrap that resamples pictures and seeds together (`joint_bootstrap`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats as sp

from ..seeding import rng
from .bootstrap import holm
from .crossed import LEAST_SEEDS, Crossed, crossed, verdict
from .resampling import Floats, Ints, interval, resamples_of, two_sided_p

SHARES = (0.023, 0.147, 0.489, 0.32, 0.021)


MARGIN = 0.02  # of equivalence in MAE


COVERED = (0.93, 0.97)  # asked of 95 % intervals, with at least LEAST_SEEDS seeds


SHARED = 16  # sets of bootstrap resamples, used in turn


@dataclass(frozen=True)
class SeedWorld:
    """One kind of test set and training."""

    seeds: int
    sd_seed: float  # of the difference of two methods between seeds
    sd_picture: float = 0.164
    sd_residual: float = 0.366
    clusters: int = 522
    alike: float = 0.3  # correlation of two pictures of a cluster, in picture and residual
    methods: int = 5

    @property
    def name(self) -> str:
        """Such as "3 seeds, sd .015"."""
        said = f"{self.sd_seed:.3f}".lstrip("0")
        return f"{self.seeds} {'seed' if self.seeds == 1 else 'seeds'}, sd {said}"


SEED_WORLDS = tuple(SeedWorld(s, sd) for s in (1, 3, 8) for sd in (0.0, 0.008, 0.015, 0.03))


@dataclass(frozen=True)
class Trained:
    """Errors of the base row and of the methods, (1 + M, S, N), with the pictures' clusters and
    grades (N,)."""

    errors: Floats
    cluster: Ints
    grade: Ints


def simulated_runs(world: SeedWorld, number: int, seed: int = 0) -> Trained:
    """The runs with this number."""
    generator = rng("seed world", world, number, seed)
    size = generator.integers(1, 4, world.clusters)
    code = np.repeat(np.arange(world.clusters), size)
    rows, seeds = 1 + world.methods, world.seeds

    def normal(sd: float, *shape: int) -> Floats:
        own = generator.standard_normal((*shape, len(code)))
        common = generator.standard_normal((*shape, world.clusters))[..., code]
        both = np.sqrt(world.alike) * common + np.sqrt(1 - world.alike) * own
        return sd / np.sqrt(2) * both

    errors = normal(world.sd_residual, rows, seeds)
    errors += normal(world.sd_picture, rows)[:, None]
    errors += world.sd_seed / np.sqrt(2) * generator.standard_normal((rows, seeds, 1))
    grade = generator.choice(len(SHARES), len(code), p=np.array(SHARES) / sum(SHARES))
    return Trained(errors, code, grade)


# test, metric, rejected or decided, and whether the interval holds 0 (nan: no interval)
Outcome = tuple[str, str, float, float]


def tried(world: SeedWorld, runs: Trained, resamples: int, seed: int) -> Iterator[Outcome]:
    """Everything that is tried on one world."""
    d = runs.errors[1:] - runs.errors[:1]  # (M, S, N)
    found = [crossed(of_method, runs.cluster) for of_method in d]
    yield from _one_test("crossed", "mae", found[0])
    yield from _one_test("crossed", "macro_mae", crossed(d[0], runs.cluster, runs.grade))
    yield "decided", "mae", float(any(_said(found))), np.nan
    yield "equivalence", "mae", float(_equivalent(found[0])), np.nan
    yield _joint(d[0], runs.cluster, resamples, seed)


def _one_test(name: str, metric: str, found: Crossed) -> Iterator[Outcome]:
    _, low, high = found.interval()
    yield name, metric, float(found.p < 0.05), float(low <= 0 <= high)


def _said(found: list[Crossed]) -> list[bool]:
    """Of each method: whether the product's verdict is better or worse."""
    p = holm([f.p for f in found]) if found[0].seeds >= LEAST_SEEDS else [np.nan] * len(found)
    words = [
        verdict(f.interval()[1:], f.interval(0.9)[1:], f.seeds, p_holm, MARGIN)
        for f, p_holm in zip(found, p, strict=True)
    ]
    return [word in ("better", "worse") for word in words]


def _equivalent(found: Crossed) -> bool:
    """Whether the verdict would be equivalent, were the true difference just the margin."""
    ends, ends_90 = ([end + MARGIN for end in found.interval(level)[1:]] for level in (0.95, 0.9))
    # a p-value of 1: what is better or worse by the interval may be equivalent as well
    return verdict(ends, ends_90, found.seeds, 1.0, MARGIN).startswith("equivalent")


@lru_cache(maxsize=4 * SHARED)
def _drawn(clusters: int, seeds: int, resamples: int, seed: int) -> tuple[Ints, Ints]:
    return resamples_of(clusters, seeds, resamples, seed)


def _joint(d: Floats, code: Ints, resamples: int, seed: int) -> Outcome:
    """The joint bootstrap of `resampling` on a mean of differences (S, N)."""
    draws = _joint_draws(d, code, resamples, seed)
    _, low, high = interval(float(d.mean()), draws)
    return "joint_bootstrap", "mae", float(two_sided_p(draws) < 0.05), float(low <= 0 <= high)


def _joint_draws(d: Floats, code: Ints, resamples: int, seed: int) -> Floats:
    size = np.bincount(code).astype(float)
    sums = np.stack([np.bincount(code, row) for row in d], axis=1)  # (K, S)
    pictures, seeds = _drawn(len(size), len(d), resamples, seed)
    w = pictures.astype(float)
    return np.einsum("rs,rs->r", (w @ sums) / (w @ size)[:, None], seeds) / len(d)


# ---------------------------------------------------------------- rates
def share(names: tuple[str, str, str], hits: NDArray[np.bool_]) -> dict[str, float]:
    """A share with its 95 % Clopper-Pearson interval, under these names; nan where there is none.

    >>> share(("rejected", "low", "high"), np.array([True, False]))["rejected"]
    0.5
    """
    if not len(hits):
        return dict.fromkeys(names, float("nan"))
    low, high = sp.binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95)
    return dict(zip(names, (float(hits.mean()), float(low), float(high)), strict=True))


def run_seeds(
    kinds: tuple[SeedWorld, ...] = SEED_WORLDS,
    worlds: int = 2000,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Rates over `worlds` simulated worlds of each kind; one row per kind, test and metric.

    Columns: world, seeds, sd_seed, test, metric, clusters ("kept"), rejected (share decided, with
    low and high, its 95 % Clopper-Pearson interval), covered, cover_low, cover_high (share of 95 %
    intervals that hold the true difference 0), asked (whether something is asked of the row),
    worlds, resamples, seed, simulated, meets (see `meets_asked`). ValueError for worlds < 1."""
    if worlds < 1:
        raise ValueError(f"worlds {worlds}: expected at least 1")
    rows = []
    for kind in kinds:
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number in range(worlds):
            runs = simulated_runs(kind, number, seed)
            for test, metric, hit, held in tried(kind, runs, resamples, seed + number % SHARED):
                found.setdefault((test, metric), []).append((hit, held))
        alike = {"worlds": worlds, "resamples": resamples, "seed": seed, "simulated": True}
        rows += [_rates(kind, *key, np.array(pairs)) | alike for key, pairs in found.items()]
    table = pd.DataFrame(rows)
    table["meets"] = [meets_asked(row) for row in rows]
    return table


def _rates(kind: SeedWorld, test: str, metric: str, pairs: Floats) -> dict[str, object]:
    """One row from (rejected, held) of each world (W, 2)."""
    rejected, held = pairs.T
    row: dict[str, object] = {"world": kind.name, "seeds": kind.seeds, "sd_seed": kind.sd_seed}
    row |= {"test": test, "metric": metric, "clusters": "kept"}
    row |= share(("rejected", "low", "high"), rejected == 1)
    row |= share(("covered", "cover_low", "cover_high"), held[np.isfinite(held)] == 1)
    return row | {"asked": test != "joint_bootstrap"}


def meets_asked(row: dict) -> bool:
    """Whether a row does what is asked, allowing for the Monte Carlo error (the intervals overlap).

    From LEAST_SEEDS seeds on, `crossed`: coverage in COVERED; `decided`: any false verdict among
    five in at most 5 % of worlds; `equivalence`, at the margin: at most 5 %. Below, none of them
    may reject or be said at all. Nothing is asked of the joint bootstrap: it is shown."""
    if not row["asked"]:
        return True
    if row["seeds"] < LEAST_SEEDS:
        return bool(row["rejected"] == 0)
    if row["test"] == "crossed":
        return bool(row["cover_low"] <= COVERED[1] and row["cover_high"] >= COVERED[0])
    return bool(row["low"] <= 0.05)
