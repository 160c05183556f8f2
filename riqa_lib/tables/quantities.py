"""What a fundus run predicts, as quantities that two runs can be compared on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..stats.bootstrap import Paired, paired
from ..stats.metrics import columns_p
from .names import name_of


def clustered(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with each picture its own cluster where groups are sources (MSHF)."""
    alone = (
        predictions["set"] == "mshf"
        if "set" in predictions
        else pd.Series(False, predictions.index)
    )
    return predictions.assign(group=predictions["group"].where(~alone, predictions["id"]))


# ---------------------------------------------------------------- predictions of fundus runs
def quantity(predictions: pd.DataFrame, methods: Sequence[str], name: str) -> Paired | str:
    """Predictions of one quantity ("overall" or a detail) lined up, or the reason why there is
    nothing to compare.

    predictions: long, one split: method, seed, id, group, truth, p0.. (overall; absent or NaN for a
    run that predicts no grade), illumination.. (1 good, 0 bad, -1 unknown), d_illumination..
    (probability of good). Pictures without a label of this quantity are left out. Raises ValueError
    as `stats.paired`, and for a detail's probability outside [0, 1]."""
    rows = predictions[predictions["method"].isin(methods)]
    if name == "overall":
        if not any(c.startswith("p") and c[1:].isdigit() for c in rows):
            return "no probabilities of the overall grade"
        rows = rows.drop(columns=[c for c in columns_p(rows) if rows[c].isna().all()])
        try:
            lacking = rows[columns_p(rows)].isna().all(axis=1)
        except ValueError:
            return "no probabilities of the overall grade"
        if lacking.any():
            return f"{', '.join(map(name_of, rows.loc[lacking, 'method'].unique()))}: no probabilities of the overall grade"
        frame = rows[rows["truth"] >= 0]
    else:
        missing = [c for c in (name, f"d_{name}") if c not in rows]
        if missing:
            return f"no column {', '.join(missing)}"
        rows = rows[rows[name] >= 0]
        p = rows[f"d_{name}"].to_numpy(float)
        if rows.empty:
            return "no picture has a label of it"
        if (bad := np.flatnonzero(~((p >= 0) & (p <= 1)))).size:
            row = rows.iloc[bad[0]]
            raise ValueError(
                f"d_{name}: expected probabilities, found {p[bad[0]]:g} ({row['method']}, {row['id']})"
            )
        frame = rows[["method", "seed", "id", "group"]].assign(
            truth=rows[name].astype(int), p0=1 - p, p1=p
        )
    if frame.empty:
        return "no picture has a label of it"
    return paired(frame.drop(columns="score", errors="ignore"), methods)
