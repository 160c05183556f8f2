"""What runs predict on the pictures that they are judged by, as quantities that two runs can be
compared on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import store
from ..stats.bootstrap import paired
from ..stats.metrics import columns_p
from ..stats.resampling import Paired
from .names import name_of

NO_GRADE = "no probabilities of the overall grade"


NO_LABEL = "no picture has a label of it"


def on_test(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions of split "test"; all of them where there is no split column."""
    return predictions[predictions["split"] == "test"] if "split" in predictions else predictions


def clustered(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with each picture its own cluster where groups are sources (MSHF)."""
    if "set" not in predictions:
        return predictions
    alone = predictions["set"] == "mshf"
    return predictions.assign(group=predictions["group"].where(~alone, predictions["id"]))


# ---------------------------------------------------------------- predictions of fundus runs
def quantity(predictions: pd.DataFrame, methods: Sequence[str], name: str) -> Paired | str:
    """Predictions of one quantity ("overall" or a detail) lined up, or the reason why there is
    nothing to compare.

    predictions: long, one split: method, seed, id, group, truth, p0.. (overall; absent or NaN for a
    run that predicts no grade), illumination.. (1 good, 0 bad, -1 unknown), d_illumination..
    (probability of good). Pictures without a label of this quantity are left out. Raises ValueError
    as `bootstrap.paired`, and for a detail's probability outside [0, 1]."""
    rows = predictions[predictions["method"].isin(methods)]
    found = _overall(rows) if name == "overall" else _detail(rows, name)
    if isinstance(found, str):
        return found
    if found.empty:
        return NO_LABEL
    # a score would be taken for the target, in place of this quantity's own truth
    return paired(found.drop(columns="score", errors="ignore"), methods)


def _overall(rows: pd.DataFrame) -> pd.DataFrame | str:
    """Rows whose overall grade is known, or why they cannot be judged."""
    if not store.columns_of_p(rows):
        return NO_GRADE
    # two and three classes may stand in one table: columns that these methods don't use are empty
    rows = rows.drop(columns=[c for c in columns_p(rows) if rows[c].isna().all()])
    try:
        lacking = rows[columns_p(rows)].isna().all(axis=1)
    except ValueError:
        return NO_GRADE
    if lacking.any():
        which = ", ".join(map(name_of, rows.loc[lacking, "method"].unique()))
        return f"{which}: {NO_GRADE}"
    return rows[rows["truth"] >= 0]


def _detail(rows: pd.DataFrame, name: str) -> pd.DataFrame | str:
    """A detail as a grade of two classes, or why it cannot be judged."""
    missing = [c for c in (name, f"d_{name}") if c not in rows]
    if missing:
        return f"no column {', '.join(missing)}"
    rows = rows[rows[name] >= 0]
    p = rows[f"d_{name}"].to_numpy(float)
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if bad.size:
        row = rows.iloc[bad[0]]
        raise ValueError(
            f"d_{name}: expected probabilities, found {p[bad[0]]:g} ({row['method']}, {row['id']})"
        )
    return rows[["method", "seed", "id", "group"]].assign(
        truth=rows[name].astype(int), p0=1 - p, p1=p
    )
