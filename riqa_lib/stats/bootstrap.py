"""Intervals and comparisons from stored predictions, by the paired cluster bootstrap.

One resample draws the clusters of pictures (column `group`: a content or a patient) with
replacement and, on its own, the seeds with replacement. The same draw serves every method, so
differences are paired. A method's value is the mean over seeds of the metric of each seed.
Intervals are percentile intervals (Efron & Tibshirani 1993, chapter 13): they speak of new pictures
of the same kind and of new seeds. With S seeds the variance between seeds is taken from S values
(too small by about a factor (S-1)/S); with one seed it is not in the interval at all: print the
number of seeds.

Nothing is recomputed per resample: a resample is a vector of whole weights, and each metric is a
weighted mean, a weighted confusion matrix (QWK) or a weighted correlation of midranks (SRCC): 2,000
resamples are a few matrix products."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..seeding import rng
from .metrics import (
    CLASSES,
    UndefinedMetric,
    columns_p,
    expected_grade,
    grades,
    krcc,
    mae,
    plcc_logistic,
    posterior_median,
    probabilities,
    target,
)

Floats = NDArray[np.float64]


Ints = NDArray[np.int64]


GROUPED = {"mae_34": (3, 4), "mae_012": (0, 1, 2)}


METRICS = (
    "mae",
    *(f"mae_{k}" for k in range(CLASSES)),
    *GROUPED,
    "macro_mae",
    "mae_median",
    "mae_expected",
    "accuracy",
    "qwk",
    "srcc",
    "plcc",
)


CELLS = 4_000_000  # numbers held at once by the rank metrics: 32 MB


# ---------------------------------------------------------------- predictions as arrays
@dataclass(frozen=True)
class Paired:
    """Predictions of some methods on the same N pictures with the same S seeds."""

    truth: Ints  # (N,)
    target: Floats  # (N,) score, or the grade
    cluster: Ints  # (N,) 0..K-1
    seeds: tuple[int, ...]
    p: dict[str, Floats]  # method -> (S, N, C)


def paired(predictions: pd.DataFrame, methods: Sequence[str]) -> Paired:
    """Line up long predictions (columns method, seed, id, group, truth, p0.., score if there).

    Raises ValueError if a column or a method is missing, if a method has two rows for one seed and
    picture, if seeds differ, if the methods (or seeds of one) have other pictures, or disagree on
    the truth or group of one."""
    missing = [c for c in ("method", "seed", "id", "group", "truth") if c not in predictions]
    if missing:
        found_columns = ", ".join(map(str, predictions.columns))
        raise ValueError(f"predictions: no column {', '.join(missing)}; found {found_columns}")
    names, known = columns_p(predictions), predictions["method"].unique()
    if absent := [m for m in methods if m not in known]:
        raise ValueError(
            f"predictions: no method {', '.join(absent)}; found {', '.join(map(str, known))}"
        )
    first: pd.DataFrame | None = None
    seeds: tuple[int, ...] = ()
    p = {}
    for method in methods:
        rows = predictions[predictions["method"] == method]
        twice = rows.duplicated(["seed", "id"])
        if twice.any():
            row = rows[twice].iloc[0]
            raise ValueError(
                f"{method}: {int(twice.sum())} pictures occur twice with one seed (first: {row['id']}, seed "
                f"{row['seed']}); choose one label budget or run first"
            )
        found = tuple(sorted(int(s) for s in rows["seed"].unique()))
        seeds = seeds or found
        if found != seeds:
            raise ValueError(
                f"{method} has seeds {list(found)}, {methods[0]} has {list(seeds)}; a paired comparison needs the same"
            )
        parts = []
        for seed in seeds:
            part = rows[rows["seed"] == seed].sort_values("id", kind="stable", ignore_index=True)
            first = part if first is None else first
            _same_pictures(first, part, f"{method}, seed {seed}", f"{methods[0]}, seed {seeds[0]}")
            parts.append(probabilities(part[names]))
        p[method] = np.stack(parts)
    if first is None:
        raise ValueError("no method given")
    truth = grades("truth", first["truth"], len(names))
    return Paired(
        truth, target(first)[1], pd.factorize(first["group"])[0].astype(np.int64), seeds, p
    )


def _same_pictures(a: pd.DataFrame, b: pd.DataFrame, name: str, first: str) -> None:
    if len(a) != len(b) or (a["id"].to_numpy() != b["id"].to_numpy()).any():
        extra, lacking = sorted({*b["id"]} - {*a["id"]}), sorted({*a["id"]} - {*b["id"]})
        raise ValueError(
            f"{name} has other pictures than {first}: {len(extra)} more {extra[:3]}, {len(lacking)} fewer {lacking[:3]}"
        )
    for column in ("truth", "group", "score"):
        if column in a:
            x, y = a[column].to_numpy(), b[column].to_numpy()
            differ = np.flatnonzero((x != y) & ~(pd.isna(x) & pd.isna(y)))
            if differ.size:
                raise ValueError(
                    f"{name} and {first} disagree on the {column} of {differ.size} pictures, first {a['id'][differ[0]]}"
                )


def constant_rows(predictions: pd.DataFrame, grade: int, name: str = "constant") -> pd.DataFrame:
    """Rows of a method `name` that says `grade` for every picture and seed in `predictions` (of its
    first method)."""
    names = columns_p(predictions)
    if grade not in range(len(names)):
        raise ValueError(f"constant grade {grade}: expected 0..{len(names) - 1}")
    rows = predictions[predictions["method"] == predictions["method"].iloc[0]].copy()
    rows["method"] = name
    rows[names] = np.eye(len(names))[grade]
    return rows


# ---------------------------------------------------------------- resamples
def resamples_of(clusters: int, seeds: int, resamples: int, seed: int) -> tuple[Ints, Ints]:
    """How often each cluster and each seed is drawn: (R, clusters) and (R, seeds), rows sum to
    their numbers."""
    if clusters < 2 or resamples < 1:
        raise ValueError(
            f"a bootstrap needs at least 2 clusters and 1 resample; found {clusters} and {resamples}"
        )
    generator = rng("bootstrap", seed)
    pictures = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return pictures, generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)


def midranks(x: Floats, weights: Floats) -> Floats:
    """Mean ranks (R, N) of x (N,) where item i occurs weights[r, i] times in resample r."""
    values, place = np.unique(x, return_inverse=True)
    if len(values) == len(x):  # no ties: sorting is enough
        of_value = np.empty_like(weights)
        of_value[:, place] = weights
    else:
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(values)))
        of_value = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(of_value, axis=1) - (of_value - 1) / 2)[:, place]


def _pearson(x: Floats, y: Floats, w: Floats) -> Floats:
    """Weighted Pearson correlation per row; x, y (R, N) or (N,), w (R, N) -> (R,); nan where one is
    constant."""
    n = w.sum(axis=1)
    dx = x - ((w * x).sum(axis=1) / n)[:, None]
    dy = y - ((w * y).sum(axis=1) / n)[:, None]
    wx = w * dx
    xy, xx, yy = (np.einsum("rn,rn->r", a, b) for a, b in ((wx, dy), (wx, dx), (w * dy, dy)))
    scale = np.sqrt(xx * yy)
    flat = (xx <= 1e-12 * n * (1 + np.abs(x).max()) ** 2) | (
        yy <= 1e-12 * n * (1 + np.abs(y).max()) ** 2
    )
    return np.where(flat, np.nan, xy / np.where(flat, 1, scale))


def _of_table(metric: str, table: Floats) -> Floats:
    """A metric of the most probable grade from weighted confusion matrices (R, C, C), true by said
    -> (R,)."""
    k = np.arange(table.shape[1])
    distance = np.abs(k[:, None] - k[None]).astype(float)
    if metric == "accuracy":
        return _ratio(np.trace(table, axis1=1, axis2=2), table.sum(axis=(1, 2)))
    if metric == "qwk":
        chance = (
            table.sum(axis=2)[:, :, None]
            * table.sum(axis=1)[:, None]
            / table.sum(axis=(1, 2))[:, None, None]
        )
        return 1 - _ratio(
            (table * distance**2).sum(axis=(1, 2)), (chance * distance**2).sum(axis=(1, 2))
        )
    error, n = (table * distance).sum(axis=2), table.sum(axis=2)  # (R, C): of each true grade
    if metric == "macro_mae":
        each = _ratio(error, n)
        return _ratio(np.nansum(each, axis=1), np.isfinite(each).sum(axis=1).astype(float))
    inside = np.isin(k, k if metric == "mae" else GROUPED.get(metric) or (int(metric[4:]),))
    return _ratio(error[:, inside].sum(axis=1), n[:, inside].sum(axis=1))


def _values(
    metrics: Sequence[str], data: Paired, p: Floats, w: Floats, ranks: Floats | None
) -> dict[str, Floats]:
    """Metrics of one method and seed: p (N, C), w (R, N) whole weights, ranks (R, N) of the target
    for SRCC -> each (R,)."""
    t, classes = data.truth, p.shape[1]
    table = (w @ np.eye(classes**2)[t * classes + p.argmax(axis=1)]).reshape(-1, classes, classes)
    out = {}
    for metric in metrics:
        if metric in ("mae_median", "mae_expected"):
            said = posterior_median(p) if metric == "mae_median" else expected_grade(p)
            out[metric] = _ratio(w @ np.abs(t - said), w.sum(axis=1))
        elif metric in ("srcc", "plcc"):
            x, y = expected_grade(p), data.target
            step, parts = max(1, CELLS // len(x)), []
            for start in range(0, len(w), step):
                part = w[start : start + step]
                a = midranks(x, part) if metric == "srcc" else x[None]
                b = (
                    ranks[start : start + step]
                    if metric == "srcc" and ranks is not None
                    else y[None]
                )
                parts.append(_pearson(a, b, part))
            out[metric] = np.concatenate(parts)
        else:
            out[metric] = _of_table(metric, table)
    return out


@dataclass(frozen=True)
class Bootstrap:
    """Estimates and resampled values of each (method, metric)."""

    estimate: dict[tuple[str, str], float]
    draws: dict[tuple[str, str], Floats]  # each (R,)

    def interval(self, method: str, metric: str, level: float = 0.95) -> tuple[float, float, float]:
        """(estimate, low, high) of one method."""
        return _interval(self.estimate[method, metric], self.draws[method, metric], level)

    def difference(
        self, a: str, b: str, metric: str, level: float = 0.95
    ) -> tuple[float, float, float]:
        """(estimate, low, high) of a - b, paired."""
        estimate = self.estimate[a, metric] - self.estimate[b, metric]
        return _interval(estimate, self.draws[a, metric] - self.draws[b, metric], level)

    def p_value(self, a: str, b: str, metric: str) -> float:
        """Two-sided bootstrap p-value of a - b = 0: twice the smaller share of resampled
        differences beyond 0 (ties count on both sides), at least 2 / (R + 1), at most 1; nan where
        a difference is undefined."""
        d = self.draws[a, metric] - self.draws[b, metric]
        if not np.isfinite(d).all():
            return float("nan")
        return float(min(1, 2 * (1 + min((d <= 0).sum(), (d >= 0).sum())) / (1 + len(d))))


def _interval(estimate: float, draws: Floats, level: float) -> tuple[float, float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level {level}: expected a share between 0 and 1, such as 0.95")
    if (
        not np.isfinite(estimate) or np.isnan(draws).mean() > 0.05
    ):  # undefined, or too often undefined to cut tails
        return float(estimate), float("nan"), float("nan")
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(estimate), float(low), float(high)


def paired_bootstrap(
    predictions: pd.DataFrame,
    methods: Sequence[str],
    metrics: Iterable[str] = METRICS,
    resamples: int = 2000,
    seed: int = 0,
) -> Bootstrap:
    """Resample pictures (by `group`) and seeds together; the same draws for all methods and
    metrics.

    predictions: long predictions of one split (see `paired` for columns and errors). metrics: some
    of METRICS. A metric that one seed leaves undefined is nan for the method. Raises ValueError for
    an unknown metric."""
    metrics = list(metrics)
    if unknown := [m for m in metrics if m not in METRICS]:
        raise ValueError(
            f"unknown metric {', '.join(unknown)}; expected some of {', '.join(METRICS)}"
        )
    data = paired(predictions, methods)
    clusters, seeds = resamples_of(int(data.cluster.max()) + 1, len(data.seeds), resamples, seed)
    w = clusters[:, data.cluster].astype(float)  # (R, N)
    one = np.ones((1, len(data.truth)))
    ranks = [midranks(data.target, weights) if "srcc" in metrics else None for weights in (one, w)]
    estimate, draws = {}, {}
    for method, p in data.p.items():
        whole = [_values(metrics, data, ps, one, ranks[0]) for ps in p]
        parts = [_values(metrics, data, ps, w, ranks[1]) for ps in p]
        for metric in metrics:
            estimate[method, metric] = float(np.mean([v[metric][0] for v in whole]))
            each = np.stack([v[metric] for v in parts], axis=1)  # (R, S)
            drawn = np.where(
                seeds > 0, each, 0
            )  # a seed that was not drawn is out, also where it is nan
            draws[method, metric] = (drawn * seeds).sum(axis=1) / seeds.sum(axis=1)
    return Bootstrap(estimate, draws)


def interval(
    predictions: pd.DataFrame,
    method: str,
    metric: str,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """(estimate, low, high): a metric of one method with its percentile interval; see
    `paired_bootstrap`."""
    return paired_bootstrap(predictions, [method], [metric], resamples, seed).interval(
        method, metric, level
    )


def difference(
    predictions: pd.DataFrame,
    a: str,
    b: str,
    metric: str,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """(estimate, low, high) of metric(a) - metric(b) on the same pictures and seeds; see
    `paired_bootstrap`."""
    return paired_bootstrap(
        predictions, list(dict.fromkeys([a, b])), [metric], resamples, seed
    ).difference(a, b, metric, level)


def point_estimates(predictions: pd.DataFrame, metrics: Iterable[str]) -> dict[str, float]:
    """Means over seeds, without intervals, of krcc, plcc_logistic, mae_median, mae_expected
    (metrics) of one method.

    predictions: its rows (seed, truth, p0.., score if there). nan where one seed leaves it
    undefined; ValueError for another metric."""
    known = {
        "krcc": lambda p, t, y: krcc(expected_grade(p), y),
        "plcc_logistic": lambda p, t, y: plcc_logistic(expected_grade(p), y),
        "mae_median": lambda p, t, y: mae(t, posterior_median(p), p.shape[1]),
        "mae_expected": lambda p, t, y: mae(t, expected_grade(p), p.shape[1]),
    }
    names, metrics = columns_p(predictions), list(metrics)
    if unknown := [m for m in metrics if m not in known]:
        raise ValueError(
            f"unknown metric {', '.join(unknown)}; expected some of {', '.join(known)}"
        )
    each: dict[str, list[float]] = {m: [] for m in metrics}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # nan says it
        for _, rows in predictions.groupby("seed"):
            p, y = probabilities(rows[names]), target(rows)[1]
            for m in metrics:
                each[m].append(known[m](p, rows["truth"], y))
    return {m: float(np.mean(v)) for m, v in each.items()}


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values (M,), in the order given: reject where <= alpha (Holm
    1979)."""
    p = np.asarray(pvalues, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values: expected numbers in [0, 1], shape (M,); found {p.tolist()}")
    order = np.argsort(p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return out
