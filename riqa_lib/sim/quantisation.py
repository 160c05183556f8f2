"""Distortion 22 of KADID: few levels, by Otsu's thresholds."""

from __future__ import annotations

import numpy as np

from .value_ranges import as_bytes


def quantise(x: np.ndarray, n: int) -> np.ndarray:
    """n Otsu thresholds t over the bytes of all channels; values up to t1 become 0, (t_k, t_k+1]
    t_k+1, above t_n 1."""
    data = as_bytes(x)
    thresholds = otsu_thresholds(np.bincount(data.ravel(), minlength=256), n)
    if len(thresholds) == 0:
        return x
    values = np.concatenate([[0], thresholds[1:] / 255, [1]]).astype(np.float32)
    return values[np.searchsorted(thresholds, data, side="left")]


def otsu_thresholds(counts: np.ndarray, n: int) -> np.ndarray:
    """The n levels, rising, that split a histogram into n + 1 classes of least variance (exact; n
    256^2 steps).

    Each is the highest occupied level of its class; fewer come back where fewer than n + 1 levels
    are occupied. Least variance within is the largest sum of (sum of levels)^2 / count over the
    classes."""
    levels = np.flatnonzero(counts)
    classes = min(n + 1, len(levels))
    count = np.concatenate([[0.0], np.cumsum(counts[levels])])
    total = np.concatenate([[0.0], np.cumsum(counts[levels] * levels)])
    number, first = count[None, :] - count[:, None], total[None, :] - total[:, None]
    gain = np.where(
        number > 0, first**2 / np.where(number > 0, number, 1), -np.inf
    )  # [i, j]: class of i..j-1
    best, cuts = gain[0], []
    for _ in range(classes - 1):
        sums = best[:, None] + gain
        cuts.append(sums.argmax(axis=0))
        best = sums.max(axis=0)
    ends = [len(levels)]
    for cut in reversed(cuts):
        ends.append(cut[ends[-1]])
    return levels[np.array(ends[:0:-1], dtype=int) - 1]
