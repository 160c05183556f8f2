"""How far people who graded the same pictures agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..scales import PHOTO_GRADES
from ..stats import bootstrap, metrics

MEASURES = (("accuracy", "exact"), ("mae", "mae"), ("qwk", "qwk"))


def agreement(
    labels: pd.DataFrame, resamples: int = 2000, classes: int = len(PHOTO_GRADES)
) -> pd.DataFrame:
    """How far each two labellers agree on the pictures that both graded: a, b, pictures, exact
    (share of equal grades), mae and quadratic weighted kappa, these three with 95 % intervals that
    resample pictures (nan below 2 pictures, or where both gave one grade only).

    labels: from `hand_labels.read` (id, grade 0..classes-1, labeller)."""
    rows = []
    for a, b in combinations(sorted(labels["labeller"].unique()), 2):
        both = _both(labels, a, b)
        row: dict[str, object] = {"a": a, "b": b, "pictures": len(both)}
        for metric, name in MEASURES:
            three = _interval(both, metric, resamples, classes)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), three, strict=True))
        rows.append(row)
    columns = [f"{name}{end}" for _, name in MEASURES for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["a", "b", "pictures", *columns])


def _interval(
    both: pd.DataFrame, metric: str, resamples: int, classes: int
) -> tuple[float, float, float]:
    """(estimate, low, high) of b's grades against a's; nan where it cannot be said."""
    if len(both) > 1:
        found = bootstrap.paired_bootstrap(
            _as_predictions(both, classes), ["b"], [metric], resamples
        )
        return found.interval("b", metric)
    if len(both) == 1 and metric != "qwk":
        return getattr(metrics, metric)(both["a"], both["b"], classes=classes), np.nan, np.nan
    return np.nan, np.nan, np.nan


def _both(labels: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    one, two = (labels[labels["labeller"] == who].set_index("id")["grade"] for who in (a, b))
    return pd.concat([one, two], axis=1, keys=["a", "b"], join="inner").reset_index()


def _as_predictions(both: pd.DataFrame, classes: int) -> pd.DataFrame:
    """b's grades as a sure model's predictions of a's."""
    p = np.eye(classes)[both["b"].to_numpy(int)]
    frame = pd.DataFrame(
        {
            "method": "b",
            "seed": 0,
            "id": both["id"],
            "group": both["id"],
            "truth": both["a"],
            "score": both["a"],
        }
    )
    return frame.assign(**{f"p{k}": p[:, k] for k in range(classes)})


def confusion(
    labels: pd.DataFrame, a: str, b: str, names: Sequence[object] = range(len(PHOTO_GRADES))
) -> pd.DataFrame:
    """Pictures by the grades of two labellers: rows a's, columns b's, worst first. names: of the
    grades, 0 to 4 where they have none."""
    both, all_ = _both(labels, a, b), range(len(names))
    table = pd.crosstab(both["a"], both["b"]).reindex(index=all_, columns=all_, fill_value=0)
    table = table.set_axis(list(names)).set_axis(list(names), axis=1)
    return table.rename_axis(index=a, columns=b)
