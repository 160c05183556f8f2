"""The paired cluster bootstrap of F1 and AUC: patients and seeds resampled together, whole weights,
no metric computed anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Bootstrap, Floats, Ints, Paired, resamples_of

METRICS = ("macro_f1", "accuracy", "f1", "auc")


CELLS = 1_000_000  # numbers held at once by the AUC: 8 MB


# ---------------------------------------------------------------- the bootstrap
def f1_of(table: Floats, positive: int | None = None) -> Floats:
    """F1 from confusion matrices (R, C, C), true by said -> (R,): of class `positive`, or the macro
    F1 where None.

    F1 = 2 TP / (2 TP + FP + FN). The macro F1 is over the classes that are true or said at all; nan
    where there is none."""
    hit, both = (
        np.diagonal(table, axis1=1, axis2=2),
        table.sum(axis=1) + table.sum(axis=2),
    )  # (R, C)
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
        p, lost = (
            w[cluster[up]],
            np.zeros((len(down) + 1, w.shape[1])),
        )  # lost[j]: the j lowest negatives
        np.cumsum(w[cluster[down]], axis=0, out=lost[1:])
        won = np.einsum("nr,nr->r", p, lost[below])
        if (below != to).any():
            won = (won + np.einsum("nr,nr->r", p, lost[to])) / 2
        pairs = p.sum(axis=0) * lost[-1]
        out.append(np.divide(won, pairs, out=np.full(w.shape[1], np.nan), where=pairs > 0))
    return np.concatenate(out)


def _values(metrics: Sequence[str], data: Paired, p: Floats, w: Floats) -> dict[str, Floats]:
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
    `stats`).

    data: `stats.paired`; metrics: some of METRICS: macro_f1, accuracy, f1 and auc of class 0, bad
    (against the rest), of the most probable class or, for auc, of its probability. drawn: resamples
    (of `stats.resamples_of`) where many sets share them. Raises ValueError for an unknown metric or
    a single cluster."""
    if unknown := [m for m in metrics if m not in METRICS]:
        raise ValueError(
            f"unknown metric {', '.join(unknown)}; expected some of {', '.join(METRICS)}"
        )
    clusters, seeds = drawn or resamples_of(
        int(data.cluster.max()) + 1, len(data.seeds), resamples, seed
    )
    w, one = clusters.astype(float), np.ones((1, clusters.shape[1]))
    estimate, draws = {}, {}
    for method, p in data.p.items():
        whole = [_values(metrics, data, ps, one) for ps in p]
        parts = [_values(metrics, data, ps, w) for ps in p]
        for metric in metrics:
            estimate[method, metric] = float(np.mean([v[metric][0] for v in whole]))
            each = np.stack([v[metric] for v in parts], axis=1)  # (R, S)
            draws[method, metric] = (np.where(seeds > 0, each, 0) * seeds).sum(axis=1) / seeds.sum(
                axis=1
            )
    return Bootstrap(estimate, draws)
