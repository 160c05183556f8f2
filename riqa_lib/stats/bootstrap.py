"""Intervals and comparisons from stored predictions, by the paired cluster bootstrap.

One resample draws the clusters of pictures (column `group`: a content or a patient) with
replacement and, on its own, the seeds with replacement. The same draw serves every method, so
differences are paired. A method's value is the mean over seeds of the metric of each seed.
Intervals are percentile intervals (Efron & Tibshirani 1993, chapter 13): they speak of new pictures
of the same kind and of new seeds. What is counted: pictures once; the variance between seeds from S
values, too small by about (S-1)/S; and the residual of picture and seed about 1 + 2(S-1)/S times,
since it is drawn with the pictures, with the seeds and with both (McCullagh 2000, Owen 2007). So
from three seeds on the intervals are too wide where seeds differ little and still too narrow where
they differ much (`seed_worlds`: they hold the truth in 99 to 91 % of null worlds at three seeds, 99
to 94 % at eight). With one seed the variance between seeds is not in them at all: print the number
of seeds. Differences of means (MAE, macro-MAE) of Table 2 are judged by `crossed`, which counts
each variation once; QWK, SRCC and the like are no means of pictures, and stay with this.

Nothing is recomputed per resample: a resample is a vector of whole weights, and each metric is a
weighted mean, a weighted confusion matrix (QWK) or a weighted correlation of midranks (SRCC): 2,000
resamples are a few matrix products."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .. import checks
from .metrics import (
    UndefinedMetric,
    columns_p,
    expected_grade,
    grades,
    grouped,
    krcc,
    mae,
    plcc_logistic,
    posterior_median,
    probabilities,
    target,
    true_grades,
)
from .resampling import (
    Bootstrap,
    Floats,
    Paired,
    Values,
    known_metrics,
    resampled,
    resamples_of,
)

CELLS = 4_000_000  # numbers held at once by the rank metrics: 32 MB


def metrics_of(classes: int) -> tuple[str, ...]:
    """The metrics there are of a scale of this many grades.

    >>> metrics_of(3)[:6]
    ('mae', 'mae_0', 'mae_1', 'mae_2', 'mae_12', 'macro_mae')
    """
    each = (f"mae_{k}" for k in range(classes))
    errors = ("mae", *each, *grouped(classes), "macro_mae", "mae_median", "mae_expected")
    return (*errors, "accuracy", "qwk", "srcc", "plcc")


# ---------------------------------------------------------------- predictions as arrays
def paired(predictions: pd.DataFrame, methods: Sequence[str]) -> Paired:
    """Line up long predictions (columns method, seed, id, group, truth, p0.., score if there).

    Raises ValueError if a column or a method is missing, if a method has two rows for one seed and
    picture, if seeds differ, if the methods (or seeds of one) have other pictures, or disagree on
    the truth or group of one."""
    checks.has(predictions, ["method", "seed", "id", "group", "truth"], "predictions")
    names = columns_p(predictions)
    known_methods(predictions, methods)
    by_method = {m: predictions[predictions["method"] == m] for m in methods}
    for method, rows in by_method.items():
        _once_each(method, rows)
    seeds = _same_seeds(by_method)
    first = _in_order(by_method[methods[0]], seeds[0])
    p = {}
    for method, rows in by_method.items():
        parts = []
        for seed in seeds:
            part = _in_order(rows, seed)
            _same_pictures(first, part, f"{method}, seed {seed}", f"{methods[0]}, seed {seeds[0]}")
            parts.append(probabilities(part[names]))
        p[method] = np.stack(parts)
    truth = grades("truth", first["truth"], len(names))
    cluster = pd.factorize(first["group"])[0].astype(np.int64)
    return Paired(truth, target(first)[1], cluster, seeds, p)


def known_methods(predictions: pd.DataFrame, methods: Sequence[str]) -> None:
    """ValueError for a method that the predictions lack, or where none is given."""
    known = predictions["method"].unique()
    if absent := [m for m in methods if m not in known]:
        raise ValueError(
            f"predictions: no method {', '.join(absent)}; found {', '.join(map(str, known))}"
        )
    if not methods:
        raise ValueError("no method given")


def _once_each(method: str, rows: pd.DataFrame) -> None:
    twice = rows.duplicated(["seed", "id"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise ValueError(
            f"{method}: {int(twice.sum())} pictures occur twice with one seed (first: {row['id']}, "
            f"seed {row['seed']}); choose one label budget or run first"
        )


def _same_seeds(by_method: dict[str, pd.DataFrame]) -> tuple[int, ...]:
    """The seeds that every method has; ValueError where one has others than the first."""
    found = {m: tuple(sorted(map(int, rows["seed"].unique()))) for m, rows in by_method.items()}
    (first, seeds), *others = found.items()
    for method, its in others:
        if its != seeds:
            raise ValueError(
                f"{method} has seeds {list(its)}, {first} has {list(seeds)}; "
                "a paired comparison needs the same"
            )
    return seeds


def _in_order(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    return rows[rows["seed"] == seed].sort_values("id", kind="stable", ignore_index=True)


def _same_pictures(a: pd.DataFrame, b: pd.DataFrame, name: str, first: str) -> None:
    if len(a) != len(b) or (a["id"].to_numpy() != b["id"].to_numpy()).any():
        extra, lacking = sorted({*b["id"]} - {*a["id"]}), sorted({*a["id"]} - {*b["id"]})
        raise ValueError(
            f"{name} has other pictures than {first}: {len(extra)} more {extra[:3]}, "
            f"{len(lacking)} fewer {lacking[:3]}"
        )
    for column in ("truth", "group", "score"):
        if column in a:
            x, y = a[column].to_numpy(), b[column].to_numpy()
            differ = np.flatnonzero((x != y) & ~(pd.isna(x) & pd.isna(y)))
            if differ.size:
                raise ValueError(
                    f"{name} and {first} disagree on the {column} of {differ.size} pictures, "
                    f"first {a['id'][differ[0]]}"
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


def of_table(metric: str, table: Floats) -> Floats:
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
    inside = np.isin(k, k if metric == "mae" else true_grades(metric))
    return _ratio(error[:, inside].sum(axis=1), n[:, inside].sum(axis=1))


def _values(
    metrics: Sequence[str], data: Paired, p: Floats, w: Floats, ranks: Floats | None
) -> Values:
    """Metrics of one method and seed: p (N, C), w (R, N) whole weights, ranks (R, N) of the target
    for SRCC -> each (R,)."""
    t, classes = data.truth, p.shape[1]
    table = (w @ np.eye(classes**2)[t * classes + p.argmax(axis=1)]).reshape(-1, classes, classes)
    out = {}
    for metric in metrics:
        if metric in ("mae_median", "mae_expected"):
            said = posterior_median(p) if metric == "mae_median" else expected_grade(p)
            out[metric] = _ratio(w @ np.abs(t - said), w.sum(axis=1))
        elif metric == "plcc":
            out[metric] = correlation(expected_grade(p), data.target, w, None)
        elif metric == "srcc":
            out[metric] = correlation(expected_grade(p), data.target, w, ranks)
        else:
            out[metric] = of_table(metric, table)
    return out


def correlation(x: Floats, y: Floats, w: Floats, ranks: Floats | None) -> Floats:
    """Weighted correlation (R,) of x and y (N,), or of x's midranks and `ranks` (R, N) where these
    are given; some rows of w (R, N) at a time, to hold no more than CELLS numbers."""
    step, parts = max(1, CELLS // len(x)), []
    for start in range(0, len(w), step):
        rows = slice(start, start + step)
        if ranks is None:
            parts.append(_pearson(x[None], y[None], w[rows]))
        else:
            parts.append(_pearson(midranks(x, w[rows]), ranks[rows], w[rows]))
    return np.concatenate(parts)


def paired_bootstrap(
    predictions: pd.DataFrame,
    methods: Sequence[str],
    metrics: Iterable[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Bootstrap:
    """Resample pictures (by `group`) and seeds together; the same draws for all methods and
    metrics. What the intervals count, and how often: head of this module.

    predictions: long predictions of one split (see `paired` for columns and errors). metrics: some
    of `metrics_of` (all by default). A metric that one seed leaves undefined is nan for the method.
    Raises ValueError for an unknown metric.

    >>> rows = pd.DataFrame({"method": "a", "seed": 0, "id": list("uvwx"), "group": list("uvwx")})
    >>> rows = rows.assign(truth=[0, 1, 1, 0], p0=[0.9, 0.2, 0.6, 0.7], p1=[0.1, 0.8, 0.4, 0.3])
    >>> both = pd.concat([rows, constant_rows(rows, 1, "always 1")])
    >>> found = paired_bootstrap(both, ["a", "always 1"], ["mae"], resamples=200)
    >>> found.estimate["a", "mae"], found.estimate["always 1", "mae"]
    (0.25, 0.5)
    >>> estimate, low, high = found.difference("a", "always 1", "mae")
    >>> low <= estimate <= high
    True
    """
    known = metrics_of(len(columns_p(predictions)))
    metrics = list(known if metrics is None else metrics)
    known_metrics(metrics, known)
    data = paired(predictions, methods)

    def measure(weights: Floats) -> Callable[[Floats], Values]:
        w = weights[:, data.cluster]  # (R, N)
        ranks = midranks(data.target, w) if "srcc" in metrics else None
        return lambda p: _values(metrics, data, p, w, ranks)

    draws = resamples_of(data.clusters, len(data.seeds), resamples, seed)
    return resampled(data, metrics, measure, draws)


def point_estimates(predictions: pd.DataFrame, metrics: Iterable[str]) -> dict[str, float]:
    """Means over seeds, without intervals, of krcc, plcc_logistic, mae_median, mae_expected
    (metrics) of one method.

    predictions: its rows (seed, truth, p0.., score if there). nan where one seed leaves it
    undefined; ValueError for another metric."""
    names, metrics = columns_p(predictions), list(metrics)
    known_metrics(metrics, list(POINTS))
    each: dict[str, list[float]] = {m: [] for m in metrics}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # nan says it
        for _, rows in predictions.groupby("seed"):
            p, y = probabilities(rows[names]), target(rows)[1]
            for m in metrics:
                each[m].append(POINTS[m](p, rows["truth"], y))
    return {m: float(np.mean(v)) for m, v in each.items()}


def _krcc(p: Floats, truth: ArrayLike, score: Floats) -> float:
    return krcc(expected_grade(p), score)


def _plcc_logistic(p: Floats, truth: ArrayLike, score: Floats) -> float:
    return plcc_logistic(expected_grade(p), score)


def _mae_median(p: Floats, truth: ArrayLike, score: Floats) -> float:
    return mae(truth, posterior_median(p), p.shape[1])


def _mae_expected(p: Floats, truth: ArrayLike, score: Floats) -> float:
    return mae(truth, expected_grade(p), p.shape[1])


# of one seed, from p (N, C), truth (N,) and score or grade (N,)
POINTS = {
    "krcc": _krcc,
    "plcc_logistic": _plcc_logistic,
    "mae_median": _mae_median,
    "mae_expected": _mae_expected,
}


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values (M,), in the order given: reject where <= alpha (Holm
    1979).

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(pvalues, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values: expected numbers in [0, 1], shape (M,); found {p.tolist()}")
    order = np.argsort(p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return out
