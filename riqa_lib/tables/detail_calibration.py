"""Whether a probability of a detail is what it says, from stored predictions alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..scales import DETAILS


def calibration(predictions: pd.DataFrame, on: str, method: str, bins: int = 10) -> pd.DataFrame:
    """Said and found shares of good: detail, said (mean probability of a bin), found, pictures;
    equal numbers in the bins."""
    mine = predictions[(predictions["set"] == on) & (predictions["method"] == method)]
    rows = []
    for d in DETAILS:
        part = mine[mine[d] >= 0].sort_values(f"d_{d}", kind="stable")
        for chunk in np.array_split(np.arange(len(part)), min(bins, len(part))):
            one = part.iloc[chunk]
            rows.append(
                {
                    "detail": d,
                    "said": one[f"d_{d}"].mean(),
                    "found": (one[d] == 1).mean(),
                    "pictures": len(one),
                }
            )
    return pd.DataFrame(rows)
