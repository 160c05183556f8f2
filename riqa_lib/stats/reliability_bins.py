"""Whether predictions are right as often as they are sure: the reliability curve and the expected
calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017), over bins of equally many
pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

BINS = 10


def reliability_bins(sure: ArrayLike, right: ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """One row a bin, from the least sure to the surest: sure and right (means of its pictures, in
    0..1), pictures. Fewer bins where there are fewer pictures than bins.

    sure: probabilities (N,) of what is said; right (N,): whether it is. ValueError where they are
    of different lengths or empty.

    >>> reliability_bins([0.5, 0.9, 0.6, 0.8], [0, 1, 1, 1], 2)["right"].tolist()
    [0.5, 1.0]
    """
    s, r = np.asarray(sure, float), np.asarray(right, float)
    if s.ndim != 1 or s.shape != r.shape or not len(s):
        raise ValueError(f"sure {s.shape}, right {r.shape}; expected (N,) both, N >= 1")
    parts = [b for b in np.array_split(np.argsort(s, kind="stable"), bins) if len(b)]
    return pd.DataFrame([(s[b].mean(), r[b].mean(), len(b)) for b in parts]).set_axis(
        ["sure", "right", "pictures"], axis=1
    )


def calibration_error(curve: pd.DataFrame) -> float:
    """The expected calibration error of `reliability_bins`, sum_b n_b / n |sure_b - right_b|.

    >>> round(calibration_error(reliability_bins([0.5, 0.9], [1, 1], 2)), 2)
    0.3
    """
    gaps = (curve["sure"] - curve["right"]).abs()
    return float(np.average(gaps, weights=curve["pictures"]))
