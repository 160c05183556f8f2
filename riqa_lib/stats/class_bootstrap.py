"""The paired cluster bootstrap of F1 and AUC: patients and seeds resampled together, whole weights,
no metric computed anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .resampling import (
    Bootstrap,
    Floats,
    Ints,
    Paired,
    Values,
    known_metrics,
    resampled,
    resamples_of,
)

METRICS = ("macro_f1", "accuracy", "f1", "auc")


CELLS = 1_000_000  # numbers held at once by the AUC: 8 MB


# ---------------------------------------------------------------- the bootstrap
def f1_of(table: Floats, positive: int | None = None) -> Floats:
    """F1 from confusion matrices (R, C, C), true by said -> (R,): of class `positive`, or the macro
    F1 where None.

    F1 = 2 TP / (2 TP + FP + FN). The macro F1 is over the classes that are true or said at all; nan
    where there is none.

    >>> f1_of(np.array([[[3.0, 1.0], [2.0, 4.0]]]), positive=0).round(3).tolist()
    [0.667]
    """
    hit = np.diagonal(table, axis1=1, axis2=2)  # (R, C)
    both = table.sum(axis=1) + table.sum(axis=2)  # (R, C)
    each = np.divide(2 * hit, both, out=np.full(both.shape, np.nan), where=both > 0)
    if positive is not None:
        return each[:, positive]
    n = np.isfinite(each).sum(axis=1)
    return np.divide(np.nansum(each, axis=1), n, out=np.full(len(n), np.nan), where=n > 0)


def weighted_auc(
    positive: NDArray[np.bool_], score: Floats, cluster: Ints, weights: Floats
) -> Floats:
    """AUC (R,) where cluster k occurs weights[r, k] times in resample r; positive, score, cluster
    (N,), weights (R, K).

    Ties count a half. nan where a resample has one class only."""
    up, down = np.flatnonzero(positive), np.flatnonzero(~positive)
    down = down[np.argsort(score[down])]
    below, to = (np.searchsorted(score[down], score[up], side) for side in ("left", "right"))
    out, step = [], max(1, CELLS // len(score))
    for first in range(0, len(weights), step):
        w = np.ascontiguousarray(weights[first : first + step].T)  # (K, r)
        p = w[cluster[up]]
        lost = np.zeros((len(down) + 1, w.shape[1]))  # lost[j]: weight of the j lowest negatives
        np.cumsum(w[cluster[down]], axis=0, out=lost[1:])
        won = np.einsum("nr,nr->r", p, lost[below])
        if (below != to).any():
            won = (won + np.einsum("nr,nr->r", p, lost[to])) / 2
        pairs = p.sum(axis=0) * lost[-1]
        out.append(np.divide(won, pairs, out=np.full(w.shape[1], np.nan), where=pairs > 0))
    return np.concatenate(out)


def _values(metrics: Sequence[str], data: Paired, p: Floats, w: Floats) -> Values:
    """Metrics of one method and seed: p (N, C), w (R, K) how often each cluster is drawn -> each
    (R,)."""
    classes, clusters = p.shape[1], w.shape[1]
    cell = (data.cluster * classes + data.truth) * classes + p.argmax(axis=1)
    counts = np.bincount(cell, minlength=clusters * classes**2).reshape(clusters, classes**2)
    table = (w @ counts.astype(float)).reshape(-1, classes, classes)
    out = {"macro_f1": f1_of(table), "f1": f1_of(table, 0)}
    out["accuracy"] = np.trace(table, axis1=1, axis2=2) / table.sum(axis=(1, 2))
    if "auc" in metrics:
        out["auc"] = weighted_auc(data.truth == 0, p[:, 0], data.cluster, w)
    return {m: out[m] for m in metrics}


def bootstrap(
    data: Paired,
    metrics: Sequence[str] = METRICS,
    resamples: int = 2000,
    seed: int = 0,
    drawn: tuple[Ints, Ints] | None = None,
) -> Bootstrap:
    """Resample clusters (patients) and seeds together; the same draws for all methods (see
    `resampling`).

    data: `bootstrap.paired`; metrics: some of METRICS: macro_f1, accuracy, f1 and auc of class 0,
    bad (against the rest), of the most probable class or, for auc, of its probability. drawn:
    resamples (of `resampling.resamples_of`) where many sets share them. Raises ValueError for an
    unknown metric or a single cluster."""
    known_metrics(metrics, METRICS)

    def measure(weights: Floats) -> Callable[[Floats], Values]:
        return lambda p: _values(metrics, data, p, weights)

    draws = drawn or resamples_of(data.clusters, len(data.seeds), resamples, seed)
    return resampled(data, metrics, measure, draws)
