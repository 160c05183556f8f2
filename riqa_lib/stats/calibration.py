"""Calibrated probabilities (temperature, Platt), and the threshold below which no answer is given.

Abstention: a picture gets a grade only if the largest probability reaches a threshold, the lowest
at which an exact binomial test on validation pictures still says that the error among the answered
is at most `rate`. Coverages are tested from the least up, each at level 1 - confidence, and the
first that fails ends it (fixed-sequence testing, as in Angelopoulos et al., Learn then Test, 2021;
the setting is that of Geifman and El-Yaniv, NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy.stats import binom

Floats = NDArray[np.float64]  # of its own: training stands on this file, not on the bootstrap

FEW = 30  # labels of a detail below which its probabilities are left as they are


# ---------------------------------------------------------------- calibration
def temperature(p: ArrayLike, truth: ArrayLike) -> float:
    """The temperature T of least log loss for probabilities (N, C) and classes (N,): p^(1/T),
    normalised (Guo et al., ICML 2017).

    1 where there are fewer than FEW pictures. Raises ValueError for shapes that don't fit or
    classes outside 0..C-1.

    >>> sure = np.tile([0.99, 0.01], (100, 1))  # but right only three times out of four
    >>> t = temperature(sure, np.arange(100) % 4 == 0)
    >>> tempered([0.99, 0.01], t).round(2).tolist()
    [0.75, 0.25]
    """
    a, y = _checked(p, truth)
    if len(y) < FEW:
        return 1.0
    rows = np.arange(len(y))

    def loss(log_t: float) -> float:
        return float(-np.log(np.maximum(tempered(a, np.exp(log_t))[rows, y], 1e-12)).mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))


def tempered(p: ArrayLike, t: float) -> np.ndarray:
    """Probabilities (..., C) after temperature t > 0."""
    log = np.log(np.maximum(np.asarray(p, float), 1e-7)) / t
    out = np.exp(log - log.max(axis=-1, keepdims=True))
    return out / out.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- abstention
@dataclass(frozen=True)
class Abstention:
    """Answer where the largest probability is at least `threshold`. rate: the error promised among
    the answered, with this confidence; met: whether validation could show it (if not, nothing is
    answered). coverage, error: on validation; n: its size."""

    threshold: float
    rate: float
    confidence: float
    met: bool
    coverage: float
    error: float
    n: int


def abstention(
    p: ArrayLike,
    truth: ArrayLike,
    *,
    rate: float = 0.1,
    confidence: float = 0.9,
    groups: ArrayLike | None = None,
) -> Abstention:
    """The threshold for probabilities (N, C) and classes (N,) of validation pictures; see the
    module's head.

    groups: (N,), whose pictures are alike (a patient's): only the first of each counts, so that the
    binomial test holds. Raises ValueError for a rate or confidence outside 0..1, or shapes that
    don't fit."""
    if not (0 < rate < 1 and 0 < confidence < 1):
        raise ValueError(f"rate = {rate}, confidence = {confidence}: expected both between 0 and 1")
    a, y = _checked(p, truth)
    if groups is not None:
        first = np.unique(np.asarray(groups), return_index=True)[1]
        a, y = a[first], y[first]
    order = np.argsort(-a.max(axis=1), kind="stable")
    top, wrong = a.max(axis=1)[order], (a.argmax(axis=1) != y)[order]
    n, chosen = len(y), 0
    # fewer can't show it even without an error
    least = int(np.ceil(np.log(1 - confidence) / np.log(1 - rate)))
    for k in sorted({max(least, int(np.ceil(n * c / 20))) for c in range(1, 21)}):
        k = int((top >= top[min(k, n) - 1]).sum()) if k <= n else k  # with its ties
        if k > n or binom.cdf(wrong[:k].sum(), k, rate) > 1 - confidence:
            break
        chosen = k
    if not chosen:
        return Abstention(1.01, rate, confidence, False, 0.0, float("nan"), n)
    return Abstention(
        float(top[chosen - 1]), rate, confidence, True, chosen / n, float(wrong[:chosen].mean()), n
    )


def risk_coverage(p: ArrayLike, truth: ArrayLike) -> pd.DataFrame:
    """Error among the answered at every coverage: threshold, coverage, error, answered; most
    confident first, a row a picture."""
    a, y = _checked(p, truth)
    order = np.argsort(-a.max(axis=1), kind="stable")
    count = np.arange(1, len(y) + 1)
    wrong = np.cumsum((a.argmax(axis=1) != y)[order])
    return pd.DataFrame(
        {
            "threshold": a.max(axis=1)[order],
            "coverage": count / len(y),
            "error": wrong / count,
            "answered": count,
        }
    )


def _checked(p: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, y = np.asarray(p, float), np.asarray(truth)
    if (
        a.ndim != 2
        or y.shape != a.shape[:1]
        or not len(y)
        or not np.isin(y, range(a.shape[1])).all()
    ):
        raise ValueError(
            f"probabilities {a.shape}, classes {y.shape}; "
            "expected (N, C) and (N,) of 0..C-1, N >= 1"
        )
    return a, y.astype(int)


# ---------------------------------------------------------------- after training
def platt(p: Floats, labels: np.ndarray) -> tuple[float, float]:
    """(a, b) of Platt's calibration, p -> sigmoid(a logit(p) + b), of one detail: p (N,), labels
    (N,) 1, 0, -1 unknown.

    Platt, Advances in Large Margin Classifiers, 1999, with his smoothed targets, so that separable
    data stay finite. One class only, or a slope below 0: (1, 0), unchanged."""
    from scipy.optimize import minimize

    known = labels >= 0
    x, y = logit(np.asarray(p, float)[known]), labels[known]
    good, bad = int((y == 1).sum()), int((y == 0).sum())
    if not good or not bad:
        return 1.0, 0.0
    t = np.where(y == 1, (good + 1) / (good + 2), 1 / (bad + 2))

    def loss(ab: Floats) -> tuple[float, Floats]:
        z = ab[0] * x + ab[1]
        off = 1 / (1 + np.exp(-z)) - t
        return float(np.mean(np.logaddexp(0, z) - t * z)), np.array([(off * x).mean(), off.mean()])

    a, b = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return (float(a), float(b)) if a > 0 else (1.0, 0.0)


def logit(p: Floats) -> Floats:
    """ln(p / (1 - p)), p clipped to within 1e-4 of 0 and 1."""
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(p) - np.log1p(-p)


def calibrated(p: Floats, maps: Sequence[tuple[float, float]]) -> Floats:
    """Probabilities (N, 3) through one (a, b) of `platt` per detail."""
    a, b = np.array(maps, float).T
    return 1 / (1 + np.exp(-(a * logit(np.asarray(p, float)) + b)))


def lookup(grades: np.ndarray, p: Floats, classes: int) -> Floats:
    """(classes, 3): mean probability of good of each detail in each overall grade; the mean of all
    for a grade without pictures.

    What can be said of the details from the overall grade alone."""
    table = np.tile(p.mean(axis=0), (classes, 1))
    for k in range(classes):
        if (grades == k).any():
            table[k] = p[grades == k].mean(axis=0)
    return table
