"""Where a network's threshold lies: bad against the rest at its own, or at one that is matched on
validation pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..stats.resampling import Paired


def matched_thresholds(val: pd.DataFrame) -> dict[tuple[str, int], float]:
    """For each method and seed the threshold on p0 at which as many validation pictures are called
    bad as are: the operating point is then the same for all, and a difference in F1 is none of
    thresholds. val: predictions of the validation split."""
    found = {}
    for key, rows in val.groupby(["method", "seed"]):
        bad = int((rows["truth"] == 0).sum())
        p = np.sort(rows["p0"].to_numpy(float))[::-1]
        found[key] = 0.5 if bad in (0, len(p)) else float((p[bad - 1] + p[bad]) / 2)
    return found  # type: ignore[return-value]


def bad_or_not(data: Paired, thresholds: Mapping[tuple[str, int], float] | None) -> Paired:
    """Bad against the rest: said where it is the most probable grade, or, with thresholds, where p0
    exceeds the run's own."""
    p = {}
    for method, each in data.p.items():
        if thresholds is None:
            bad = (each.argmax(axis=2) == 0).astype(float)
        else:
            bad = np.stack(
                [
                    (ps[:, 0] > thresholds[method, seed]).astype(float)
                    for ps, seed in zip(each, data.seeds, strict=True)
                ]
            )
        p[method] = np.stack([bad, 1 - bad], axis=2)
    return Paired((data.truth != 0).astype(np.int64), data.target, data.cluster, data.seeds, p)
