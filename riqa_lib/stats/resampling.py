"""The one resampling engine: clusters of pictures and seeds drawn with replacement, whole weights.

Every bootstrap here draws from `resamples_of`, cuts its intervals with `percentiles` and takes its
p-values from `two_sided_p`; what differs is the metrics (`bootstrap`: errors and correlations of
grades, `class_bootstrap`: F1 and AUC)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..seeding import rng

Floats = NDArray[np.float64]

Ints = NDArray[np.int64]

Values = dict[str, Floats]  # metric -> one value per resample (R,)

TOO_OFTEN = 0.05  # share of undefined resamples above which no tails can be cut


@dataclass(frozen=True)
class Paired:
    """Predictions of some methods on the same N pictures with the same S seeds."""

    truth: Ints  # (N,)
    target: Floats  # (N,) score, or the grade
    cluster: Ints  # (N,) 0..K-1
    seeds: tuple[int, ...]
    p: dict[str, Floats]  # method -> (S, N, C)

    @property
    def clusters(self) -> int:
        """K, the number of clusters."""
        return int(self.cluster.max()) + 1


# ---------------------------------------------------------------- draws
def drawn(generator: np.random.Generator, items: int, resamples: int) -> Ints:
    """How often each of `items` is drawn in each resample: (R, items), rows sum to `items`."""
    return generator.multinomial(items, np.full(items, 1 / items), size=resamples)


def resamples_of(clusters: int, seeds: int, resamples: int, seed: int) -> tuple[Ints, Ints]:
    """How often each cluster and each seed is drawn: (R, clusters) and (R, seeds), rows sum to
    their numbers.

    >>> pictures, seeds = resamples_of(clusters=4, seeds=2, resamples=100, seed=0)
    >>> pictures.shape, seeds.shape, set(pictures.sum(axis=1).tolist())
    ((100, 4), (100, 2), {4})
    """
    if clusters < 2 or resamples < 1:
        raise ValueError(
            "a bootstrap needs at least 2 clusters and 1 resample; "
            f"found {clusters} and {resamples}"
        )
    generator = rng("bootstrap", seed)
    # the order of these two draws is part of every stored result
    return drawn(generator, clusters, resamples), drawn(generator, seeds, resamples)


# ---------------------------------------------------------------- from draws to intervals
def tails(level: float) -> tuple[float, float]:
    """The two tails that a percentile interval of this level leaves out, as places in 0..1."""
    if not 0 < level < 1:
        raise ValueError(f"level {level}: expected a share between 0 and 1, such as 0.95")
    return (1 - level) / 2, (1 + level) / 2


def percentiles(draws: Floats, ends: tuple[float, float]) -> Floats:
    """(low, high) of draws (R,), or (2, ...) of draws (R, ...): the values at `ends` of 0..1,
    resamples without a value left out; nan where more than TOO_OFTEN of them have none."""
    undefined = np.isnan(draws)
    if not undefined.any():
        return np.quantile(draws, ends, axis=0)
    rare = undefined.mean(axis=0) <= TOO_OFTEN
    filled = np.where(rare, draws, 0.0)  # any number: what is undefined too often is nan below
    return np.where(rare, np.nanquantile(filled, ends, axis=0), np.nan)


def interval(estimate: float, draws: Floats, level: float = 0.95) -> tuple[float, float, float]:
    """(estimate, low, high): the percentile interval of draws (R,) beside the estimate; nan where
    the estimate, or more than TOO_OFTEN of the draws, is undefined. ValueError for a level outside
    0..1.

    >>> interval(50, np.arange(101.0), level=0.5)
    (50.0, 25.0, 75.0)
    """
    ends = tails(level)
    if not np.isfinite(estimate):
        return float(estimate), float("nan"), float("nan")
    low, high = percentiles(draws, ends)
    return float(estimate), float(low), float(high)


def two_sided_p(differences: Floats) -> float:
    """Two-sided bootstrap p-value of "the difference is 0", from resampled differences (R,): twice
    the smaller share of them beyond 0 (ties count on both sides), at least 2 / (R + 1), at most 1;
    nan where a difference is undefined."""
    if not np.isfinite(differences).all():
        return float("nan")
    smaller = min((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1, 2 * (1 + smaller) / (1 + len(differences))))


# ---------------------------------------------------------------- the engine
@dataclass(frozen=True)
class Bootstrap:
    """Estimates and resampled values of each (method, metric)."""

    estimate: dict[tuple[str, str], float]
    draws: dict[tuple[str, str], Floats]  # each (R,)

    def interval(self, method: str, metric: str, level: float = 0.95) -> tuple[float, float, float]:
        """(estimate, low, high) of one method."""
        return interval(self.estimate[method, metric], self.draws[method, metric], level)

    def differences(self, a: str, b: str, metric: str) -> Floats:
        """Resampled values of a - b (R,), paired."""
        return self.draws[a, metric] - self.draws[b, metric]

    def difference(
        self, a: str, b: str, metric: str, level: float = 0.95
    ) -> tuple[float, float, float]:
        """(estimate, low, high) of a - b, paired."""
        estimate = self.estimate[a, metric] - self.estimate[b, metric]
        return interval(estimate, self.differences(a, b, metric), level)

    def p_value(self, a: str, b: str, metric: str) -> float:
        """`two_sided_p` of a - b = 0."""
        return two_sided_p(self.differences(a, b, metric))


def known_metrics(metrics: Sequence[str], known: Sequence[str]) -> None:
    """ValueError for a metric that is none of `known`."""
    if unknown := [m for m in metrics if m not in known]:
        raise ValueError(
            f"unknown metric {', '.join(unknown)}; expected some of {', '.join(known)}"
        )


def resampled(
    data: Paired,
    metrics: Sequence[str],
    measure: Callable[[Floats], Callable[[Floats], Values]],
    draws: tuple[Ints, Ints],
) -> Bootstrap:
    """Every method's metrics on the same draws of clusters and seeds.

    measure: given whole weights (R, K), how often each cluster occurs in each resample, returns the
    function from one method's and seed's probabilities (N, C) to its metrics, each (R,). It is
    asked twice: for all pictures once, and for the resamples; what all methods share is computed
    once. draws: of `resamples_of`. A metric that one seed leaves undefined is nan for the
    method."""
    clusters, seeds = draws
    on_all = measure(np.ones((1, clusters.shape[1])))
    on_resamples = measure(clusters.astype(float))
    estimate, values = {}, {}
    for method, p in data.p.items():
        whole = [on_all(of_seed) for of_seed in p]
        parts = [on_resamples(of_seed) for of_seed in p]
        for metric in metrics:
            estimate[method, metric] = float(np.mean([v[metric][0] for v in whole]))
            each = np.stack([v[metric] for v in parts], axis=1)  # (R, S)
            # a seed that was not drawn is out, also where it is nan
            counted = np.where(seeds > 0, each, 0) * seeds
            values[method, metric] = counted.sum(axis=1) / seeds.sum(axis=1)
    return Bootstrap(estimate, values)
