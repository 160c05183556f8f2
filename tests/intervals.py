"""One number with its interval, as tests ask for it: short names for `paired_bootstrap`."""

from __future__ import annotations

import pandas as pd

from riqa_lib.stats.bootstrap import paired_bootstrap


def interval(
    predictions: pd.DataFrame,
    method: str,
    metric: str,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """(estimate, low, high) of one method."""
    found = paired_bootstrap(predictions, [method], [metric], resamples, seed)
    return found.interval(method, metric, level)


def difference(
    predictions: pd.DataFrame,
    a: str,
    b: str,
    metric: str,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """(estimate, low, high) of metric(a) - metric(b) on the same pictures and seeds."""
    found = paired_bootstrap(predictions, list(dict.fromkeys([a, b])), [metric], resamples, seed)
    return found.difference(a, b, metric, level)
