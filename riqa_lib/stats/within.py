"""How well a row tells pictures of one source (subset, collection, camera) from each other.

Where pictures come from several sources whose quality differs, knowing a picture's source alone
ranks them well. What a row knows beyond that is its rank correlation inside a source, SRCC of the
expected grade, and its MAE there. Over sources both are plain means: every source counts the same.
(Weighted by size, the MAE would be that of all pictures again, and the largest source would decide
the SRCC.)

A source with fewer than LEAST pictures is not judged, nor ranked one whose pictures all have one
score: their values are nan, with the reason, and the means leave them out, for every row alike. A
row that says the same of all pictures of a judged source ranks nothing there: its value is nan, and
so is its mean, since leaving that source out would flatter it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from .. import checks
from .bootstrap import correlation, midranks, paired
from .metrics import columns_p, expected_grade, grades, probabilities, target
from .resampling import Bootstrap, Floats, Ints, Values, resampled, resamples_of

LEAST = 10  # pictures of a source, below which nothing is said of it


METRICS = ("srcc", "mae")


WITHIN = "within"  # after a metric's name: the plain mean over sources


@dataclass(frozen=True)
class Subsets:
    """N pictures by source. names: G sources in order; members: which pictures each has; truth (N,)
    grades; target (N,) what SRCC is taken against, score or grade."""

    names: tuple[str, ...]
    members: tuple[Ints, ...]
    truth: Ints
    target: Floats

    def why(self, metric: str) -> list[str]:
        """For each source why this metric is not judged there; "" where it is."""
        return [self._why(metric, rows) for rows in self.members]

    def _why(self, metric: str, rows: Ints) -> str:
        if len(rows) < LEAST:
            return f"{len(rows)} pictures, fewer than {LEAST}"
        its = self.target[rows]
        if metric == "srcc" and its.min() == its.max():
            return f"all {len(rows)} pictures have the same label, {its[0]:g}"
        return ""

    def judged(self, metric: str) -> np.ndarray:
        """Which sources are judged by this metric, (G,)."""
        return np.array([not why for why in self.why(metric)], bool)

    def srcc(self, expected: ArrayLike) -> Floats:
        """SRCC in each source, of the expected grades (N,) or (R, N) of R runs: (G,) or (R, G);
        -1..1, nan where it is not judged or a run says the same of all its pictures."""
        x = np.asarray(expected, dtype=float)
        out = np.full((*x.shape[:-1], len(self.names)), np.nan)
        for g in np.flatnonzero(self.judged("srcc")):
            said, its = (stats.rankdata(v[..., self.members[g]], axis=-1) for v in (x, self.target))
            said, its = said - said.mean(axis=-1, keepdims=True), its - its.mean()
            scale = np.sqrt((said**2).sum(axis=-1) * (its**2).sum())
            flat = np.ptp(said, axis=-1) == 0
            out[..., g] = np.where(flat, np.nan, said @ its / np.where(flat, 1, scale))
        return out

    def mae(self, grade: ArrayLike) -> Floats:
        """MAE in each source, in grades, of the said grades (N,) or (R, N): (G,) or (R, G); nan
        where it is not judged."""
        error = np.abs(np.asarray(grade, dtype=float) - self.truth)
        out = np.full((*error.shape[:-1], len(self.names)), np.nan)
        for g in np.flatnonzero(self.judged("mae")):
            out[..., g] = error[..., self.members[g]].mean(axis=-1)
        return out

    def mean(self, metric: str, values: Floats) -> Floats:
        """The plain mean of values (..., G) over the judged sources, (...); nan where none is
        judged, or a judged one has no value."""
        judged = self.judged(metric)
        if not judged.any():
            return np.full(values.shape[:-1], np.nan)
        return values[..., judged].mean(axis=-1)


def subsets(source: ArrayLike, truth: ArrayLike, target: ArrayLike, classes: int) -> Subsets:
    """Pictures by source: names (N,), whole grades 0..classes-1 (N,), scores or grades (N,), all
    finite.

    ValueError for other shapes.

    >>> two = subsets(["a"] * 10 + ["b"] * 10, [0, 1] * 10, [0, 1] * 10, classes=5)
    >>> said = np.r_[np.tile([0.2, 0.8], 5), np.tile([3.8, 3.2], 5)]  # knows a, b the wrong way
    >>> two.srcc(said).tolist(), two.mean("srcc", two.srcc(said)).tolist()
    ([1.0, -1.0], 0.0)
    """
    names, t = np.asarray(source).astype(str), np.asarray(truth)
    y = np.asarray(target, dtype=float)
    if not names.shape == t.shape == y.shape or names.ndim != 1 or not len(names):
        raise ValueError(
            "source, truth and target: expected one value each per picture, shape (N,); found "
            f"{names.shape}, {t.shape} and {y.shape}"
        )
    if not np.isfinite(y).all():
        raise ValueError(f"target: {int((~np.isfinite(y)).sum())} of {len(y)} are not finite")
    found = tuple(sorted({*names.tolist()}))
    members = tuple(np.flatnonzero(names == name) for name in found)
    return Subsets(found, members, grades("truth", t, classes), y)


# ---------------------------------------------------------------- of predictions
def by_source(frame: pd.DataFrame) -> pd.DataFrame:
    """Each source of one run's predictions (source, truth, p0.., score if there): source, pictures,
    srcc, mae, note (why a value is nan, else "").

    ValueError for a column that is missing."""
    mine, p = _of_run(frame)
    expected = expected_grade(p)
    srcc, mae = mine.srcc(expected), mine.mae(p.argmax(axis=1))
    notes = [
        why or ("the same said of all pictures" if np.isnan(value) else "")
        for why, value in zip(mine.why("srcc"), srcc, strict=True)
    ]
    counts = [len(rows) for rows in mine.members]
    return pd.DataFrame(
        {"source": mine.names, "pictures": counts, "srcc": srcc, "mae": mae, "note": notes}
    )


def within(frame: pd.DataFrame) -> dict[str, float]:
    """srcc_within and mae_within of one run's predictions, as in `by_source`: plain means over the
    judged sources; nan where there are none or the run ranks nothing in one of them."""
    mine, p = _of_run(frame)
    values = {"srcc": mine.srcc(expected_grade(p)), "mae": mine.mae(p.argmax(axis=1))}
    return {f"{m}_{WITHIN}": float(mine.mean(m, values[m])) for m in METRICS}


def _of_run(frame: pd.DataFrame) -> tuple[Subsets, Floats]:
    checks.has(frame, ["source", "truth"], "predictions")
    p = probabilities(frame[columns_p(frame)])
    named = frame["source"].fillna("")
    return subsets(named, frame["truth"], target(frame)[1], p.shape[1]), p


# ---------------------------------------------------------------- with intervals
def metric_in(metric: str, source: str) -> str:
    """How `bootstrap_within` names a metric in one source; over them it is srcc_within.

    >>> metric_in("srcc", "ss01")
    'srcc in ss01'
    """
    return f"{metric} in {source}"


def bootstrap_within(
    predictions: pd.DataFrame, method: str, resamples: int = 2000, seed: int = 0
) -> tuple[Subsets, Bootstrap]:
    """SRCC and MAE of one method: over all pictures ("srcc", "mae"), in each source (`metric_in`)
    and their plain means ("srcc_within", "mae_within"). Resampled as in
    `bootstrap.paired_bootstrap`: pictures by `group`, and seeds, together; what such intervals
    count is said there.

    predictions: long, of one split: method, seed, id, group, source, truth, p0.., score if there.
    ValueError as `bootstrap.paired`, and for a picture of two sources."""
    checks.has(predictions, ["source", "id"], "predictions")
    data = paired(predictions, [method])
    named = _sources_in_order(predictions[predictions["method"] == method])
    mine = subsets(named, data.truth, data.target, data.p[method].shape[2])
    parts = {"": np.arange(len(data.truth))} | dict(zip(mine.names, mine.members, strict=True))

    def measure(weights: Floats) -> Callable[[Floats], Values]:
        w = weights[:, data.cluster]
        ranks = {name: midranks(mine.target[rows], w[:, rows]) for name, rows in parts.items()}
        return lambda p: _values(mine, parts, p, w, ranks)

    metrics = [
        name
        for m in METRICS
        for name in (m, f"{m}_{WITHIN}", *(metric_in(m, s) for s in mine.names))
    ]
    draws = resamples_of(data.clusters, len(data.seeds), resamples, seed)
    return mine, resampled(data, metrics, measure, draws)


def _sources_in_order(rows: pd.DataFrame) -> np.ndarray:
    """The source of each picture (N,), in the order of `bootstrap.paired`: by id."""
    pairs = rows[["id", "source"]].fillna({"source": ""}).drop_duplicates()
    twice = pairs["id"].duplicated()
    if twice.any():
        name = pairs.loc[twice, "id"].iloc[0]
        both = ", ".join(map(repr, pairs.loc[pairs["id"] == name, "source"]))
        raise ValueError(f"predictions: picture {name} has more than one source: {both}")
    return pairs.sort_values("id", kind="stable")["source"].to_numpy(str)


def _values(
    mine: Subsets, parts: dict[str, Ints], p: Floats, w: Floats, ranks: dict[str, Floats]
) -> Values:
    """All metrics of one method and seed: p (N, C), w (R, N) whole weights, ranks of the target in
    each part -> each (R,)."""
    expected, error = expected_grade(p), np.abs(mine.truth - p.argmax(axis=1))
    out: Values = {}
    with np.errstate(invalid="ignore", divide="ignore"):  # a source that was not drawn is nan
        for name, rows in parts.items():
            its = w[:, rows]
            found = {"mae": its @ error[rows] / its.sum(axis=1)}
            found["srcc"] = correlation(expected[rows], mine.target[rows], its, ranks[name])
            for m in METRICS:
                out[metric_in(m, name) if name else m] = found[m]
    for m in METRICS:
        judged = mine.judged(m)
        for name in (n for n, fine in zip(mine.names, judged, strict=True) if not fine):
            out[metric_in(m, name)] = np.full(len(w), np.nan)
        each = np.stack([out[metric_in(m, name)] for name in mine.names], axis=1)
        out[f"{m}_{WITHIN}"] = mine.mean(m, each)
    return out
