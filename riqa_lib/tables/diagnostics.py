"""What a method's mechanism did, as tables, from the diagnostics that its runs store."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import checks
from ..checks import columns
from ..stats.metrics import columns_p

CHANCE = 0.25  # of four turns


# ---------------------------------------------------------------- tables
def last_per_class(history: pd.DataFrame, name: str) -> np.ndarray:
    """The diagnostic name_0, name_1, ... at the last evaluation: (C,)."""
    return per_class(history, name).iloc[-1].to_numpy(float)


def kept_shares(
    predictions: pd.DataFrame, thresholds: Sequence[float] | np.ndarray
) -> pd.DataFrame:
    """What per-class thresholds (C,) keep of predictions (truth, p0..): one row per predicted grade
    with pictures, kept (share), right (share of the kept whose grade is right, where the truth is
    known, else NaN)."""
    columns(predictions, ["truth"], "predictions")
    p, limits = predictions[columns_p(predictions)].to_numpy(float), np.asarray(thresholds, float)
    if limits.shape != (p.shape[1],):
        raise ValueError(
            f"thresholds: expected {p.shape[1]} values, one per class; found shape {limits.shape}"
        )
    said, truth = p.argmax(axis=1), predictions["truth"].to_numpy()
    kept = p.max(axis=1) >= limits[said]
    rows = []
    for grade in range(p.shape[1]):
        own, known = said == grade, kept & (said == grade) & (truth >= 0)
        rows.append(
            {
                "grade": grade,
                "threshold": limits[grade],
                "pictures": int(own.sum()),
                "kept": kept[own].mean() if own.any() else np.nan,
                "right": (truth[known] == grade).mean() if known.any() else np.nan,
            }
        )
    return pd.DataFrame(rows)


def edges(predictions: pd.DataFrame, edge: float) -> tuple[np.ndarray, pd.DataFrame]:
    """CoMatch's graph of pictures by their stored probabilities q: (W (N, N), their rows sorted by
    predicted grade, surest first). W_ij = q_i . q_j, W_ii = 1, 0 where below `edge`; not yet
    divided by row sums."""
    columns(predictions, ["truth"], "predictions")
    names = columns_p(predictions)
    p = predictions[names].to_numpy(float)
    order = np.lexsort((-p.max(axis=1), p.argmax(axis=1)))
    q = p[order]
    graph = q @ q.T
    np.fill_diagonal(graph, 1.0)
    return np.where(graph >= edge, graph, 0.0), predictions.iloc[order].assign(
        said=q.argmax(axis=1)
    )


def over_steps(history: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Means over the seeds of each column, by step."""
    checks.columns(history, ["step", *columns], "history")
    if lacking := [c for c in columns if history[c].isna().all()]:
        raise ValueError(
            f"history: no value in {', '.join(lacking)}; are these the method's own rows?"
        )
    return history.groupby("step")[list(columns)].mean()


def per_class(history: pd.DataFrame, name: str) -> pd.DataFrame:
    """The columns name_0, name_1, ... by step, in the order of the classes."""
    found = [c for c in history if re.fullmatch(rf"{name}_\d+", c) and history[c].notna().any()]
    return over_steps(
        history, sorted(found, key=lambda c: int(c.rpartition("_")[2])) or [f"{name}_0"]
    )


def when_full(table: pd.DataFrame, full: pd.Series) -> pd.DataFrame:
    """Means over those steps alone at which the memory was full: diagnostics are 0 at all
    others."""
    return table[full > 0].div(full[full > 0], axis=0)


def edge_counts(predictions: pd.DataFrame, edge: float) -> dict[str, int]:
    """Pairs of pictures and those that CoMatch's graph joins (`edges`), in all (pairs, edges),
    between pictures of known true grade (known_pairs, known_edges) and of equal one (equal_pairs,
    equal_edges)."""
    graph, rows = edges(predictions, edge)
    truth = rows["truth"].to_numpy()
    upper = np.triu(np.ones(graph.shape, bool), 1)  # each pair once
    known = upper & (truth >= 0) & (truth >= 0)[:, None]
    equal = known & (truth == truth[:, None])
    kinds = {"": upper, "known_": known, "equal_": equal}
    counts = {f"{kind}pairs": int(which.sum()) for kind, which in kinds.items()}
    return counts | {f"{k}edges": int((which & (graph > 0)).sum()) for k, which in kinds.items()}
