"""How far predictions are from labels. Grades are whole numbers 0..classes-1, higher is better.

Every number of a table is computed here, from labels and class probabilities alone. Conventions:
errors are those of the class with the largest probability; SRCC, KRCC and PLCC are of the expected
grade, raw; `plcc_logistic` is after the VQEG 4-parameter logistic. What is undefined is nan, and a
warning (UndefinedMetric) says why."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from .. import store

FEWEST, MOST = 2, 10  # grades a scale may have; each is one digit, so "mae_34" is of 3 and 4


Floats = NDArray[np.float64]


class UndefinedMetric(UserWarning):
    """Why a metric is nan."""


# ---------------------------------------------------------------- errors of some true grades
def grouped(classes: int) -> dict[str, tuple[int, ...]]:
    """Errors of several true grades together: of the two best and of the rest, where that is
    neither a single grade nor all; by name, which has their digits. classes: FEWEST..MOST.

    >>> grouped(5)
    {'mae_34': (3, 4), 'mae_012': (0, 1, 2)}
    >>> grouped(3), grouped(2)
    ({'mae_12': (1, 2)}, {})
    """
    if classes not in range(FEWEST, MOST + 1):
        raise ValueError(f"classes = {classes}: expected {FEWEST} to {MOST}")
    best, rest = tuple(range(classes - 2, classes)), tuple(range(classes - 2))
    return {f"mae_{''.join(map(str, of))}": of for of in (best, rest) if 1 < len(of) < classes}


def true_grades(metric: str) -> tuple[int, ...]:
    """The true grades that an error "mae_..." is of.

    >>> true_grades("mae_012"), true_grades("mae_7")
    ((0, 1, 2), (7,))
    """
    return tuple(map(int, metric.removeprefix("mae_")))


# ---------------------------------------------------------------- checks
def _numbers(name: str, values: ArrayLike) -> Floats:
    out = np.asarray(values, dtype=float)
    if out.ndim != 1 or not out.size:
        raise ValueError(
            f"{name}: expected one number per picture, shape (N,) with N >= 1; "
            f"found shape {out.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(out))
    if bad.size:
        raise ValueError(
            f"{name}: {bad.size} of {out.size} values are NaN or infinite, first at row {bad[0]}"
        )
    return out


def _same_length(name: str, a: Floats, other: str, b: Floats) -> None:
    if len(a) != len(b):
        raise ValueError(
            f"{name} has {len(a)} values but {other} has {len(b)}; expected one each per picture"
        )


def grades(name: str, values: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Values (N,) as whole grades 0..classes-1; ValueError names the first row that is none."""
    out = _numbers(name, values)
    bad = np.flatnonzero((out != np.round(out)) | (out < 0) | (out > classes - 1))
    if bad.size:
        raise ValueError(
            f"{name}: {bad.size} of {out.size} values are not whole grades 0..{classes - 1}, "
            f"first {out[bad[0]]:g} at row {bad[0]}"
        )
    return out.astype(np.int64)


def _pair(truth: ArrayLike, grade: ArrayLike, classes: int) -> tuple[NDArray[np.int64], Floats]:
    """Whole labels, and predictions that may lie between grades but not outside them."""
    t, g = grades("truth", truth, classes), _numbers("grade", grade)
    _same_length("truth", t.astype(float), "grade", g)
    bad = np.flatnonzero((g < 0) | (g > classes - 1))
    if bad.size:
        raise ValueError(f"grade: expected 0..{classes - 1}, found {g[bad[0]]:g} at row {bad[0]}")
    return t, g


def probabilities(p: ArrayLike) -> Floats:
    """Class probabilities (N, C), checked: finite, in [0, 1], each row sums to 1 within 0.001.
    Raises ValueError."""
    out = np.asarray(p, dtype=float)
    if out.ndim != 2 or out.shape[0] < 1 or out.shape[1] < 2:
        raise ValueError(f"probabilities: expected shape (N, classes), found {out.shape}")
    with np.errstate(invalid="ignore"):
        total = out.sum(axis=1)
        fine = np.isfinite(out).all(axis=1) & (out >= 0).all(axis=1) & (np.abs(total - 1) <= 1e-3)
    bad = np.flatnonzero(~fine)
    if bad.size:
        raise ValueError(
            f"probabilities: {bad.size} of {len(out)} rows are not probabilities that sum to 1, "
            f"first row {bad[0]}: {np.round(out[bad[0]], 4).tolist()}"
        )
    return out


# ---------------------------------------------------------------- from probabilities to a grade
def expected_grade(p: ArrayLike) -> Floats:
    """Mean of the predicted distribution, sum_k k p_k. p (N, C) -> (N,) in [0, C-1]."""
    p = probabilities(p)
    k = np.arange(p.shape[1])
    # a matrix product of eight columns or more rounds equal rows differently by their place, and
    # rank correlations would see no tie
    return (p @ k if len(k) < 8 else (p * k).sum(axis=1)) / p.sum(axis=1)


def posterior_median(p: ArrayLike) -> NDArray[np.int64]:
    """The grade that minimises expected absolute error: the first k with p_0 + ... + p_k >= 1/2. p
    (N, C) -> (N,)."""
    p = probabilities(p)
    return (np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1) >= 0.5 - 1e-12).argmax(axis=1)


def best_constant(train_grades: ArrayLike, classes: int) -> int:
    """The one grade that has the least MAE on the training labels (N,); ties go to the lower
    grade."""
    t = grades("train_grades", train_grades, classes)
    return int(np.argmin([np.abs(t - k).mean() for k in range(classes)]))


# ---------------------------------------------------------------- errors and agreement
def mae(truth: ArrayLike, grade: ArrayLike, classes: int) -> float:
    """Mean absolute error in grades, 0..classes-1, lower is better. truth (N,) whole; grade (N,)
    may be fractional.

    >>> mae(truth=[0, 2, 4, 4], grade=[1, 2, 4, 2], classes=5)
    0.75
    """
    t, g = _pair(truth, grade, classes)
    return float(np.abs(t - g).mean())


def mae_per_class(truth: ArrayLike, grade: ArrayLike, classes: int) -> Floats:
    """MAE of the pictures of each true class: (classes,), nan for a class that has none."""
    t, g = _pair(truth, grade, classes)
    n = np.bincount(t, minlength=classes)
    total = np.bincount(t, weights=np.abs(t - g), minlength=classes)
    return np.divide(total, n, out=np.full(classes, np.nan), where=n > 0)


def macro_mae(truth: ArrayLike, grade: ArrayLike, classes: int) -> float:
    """Mean of the per-class MAEs, over the classes that occur in truth: every class counts the
    same.

    >>> macro_mae(truth=[0, 2, 4, 4], grade=[1, 2, 4, 2], classes=5)  # (1 + 0 + 1) / 3
    0.6666666666666666
    """
    return float(np.nanmean(mae_per_class(truth, grade, classes)))


def mae_of(truth: ArrayLike, grade: ArrayLike, of: tuple[int, ...], classes: int) -> float:
    """MAE over the pictures whose true class is one of `of` (a micro average); nan if there are
    none."""
    t, g = _pair(truth, grade, classes)
    inside = np.isin(t, of)
    return float(np.abs(t - g)[inside].mean()) if inside.any() else float("nan")


def accuracy(truth: ArrayLike, grade: ArrayLike, classes: int) -> float:
    """Share of pictures with the right grade, 0..1."""
    t, g = _pair(truth, grade, classes)
    return float((t == g).mean())


def qwk(truth: ArrayLike, grade: ArrayLike, classes: int) -> float:
    """Cohen's kappa with quadratic weights, -1..1; 0 is chance. nan where both only ever say one
    and the same grade.

    >>> qwk(truth=[0, 2, 4, 4], grade=[1, 2, 4, 2], classes=5)
    0.6875
    """
    t, g = grades("truth", truth, classes), grades("grade", grade, classes)
    _same_length("truth", t.astype(float), "grade", g.astype(float))
    if len(np.unique(np.concatenate([t, g]))) == 1:
        return _undefined("QWK", f"truth and prediction are both always {t[0]}")
    from sklearn.metrics import cohen_kappa_score  # a second to import: only where it is used

    return float(cohen_kappa_score(t, g, weights="quadratic", labels=list(range(classes))))


# ---------------------------------------------------------------- correlations
def _undefined(name: str, why: str) -> float:
    warnings.warn(f"{name} is undefined: {why}", UndefinedMetric, stacklevel=4)
    return float("nan")


def _correlation(name: str, function: Callable, a: ArrayLike, b: ArrayLike) -> float:
    x, y = _numbers("first variable", a), _numbers("second variable", b)
    _same_length("the first variable", x, "the second", y)
    for words, v in (("the first variable", x), ("the second variable", y)):
        if v.min() == v.max():
            return _undefined(name, f"{words} is constant ({v[0]:g})")
    return float(function(x, y)[0])


def srcc(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation (ties get their mean rank), -1..1; nan with a warning when one is
    constant."""
    return _correlation("SRCC", stats.spearmanr, a, b)


def krcc(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b, -1..1; nan with a warning when one is constant."""
    return _correlation("KRCC", stats.kendalltau, a, b)


def plcc(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation without any fit, -1..1; nan with a warning when one is constant."""
    return _correlation("PLCC", stats.pearsonr, a, b)


def logistic(x: ArrayLike, b1: float, b2: float, b3: float, b4: float) -> Floats:
    """VQEG's 4-parameter logistic, (b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2."""
    return (b1 - b2) / (
        1 + np.exp(-np.clip((np.asarray(x, dtype=float) - b3) / b4, -500, 500))
    ) + b2


def _slopes(x: Floats, b1: float, b2: float, b3: float, b4: float) -> Floats:
    """Derivatives of `logistic` by b1, b2, b3, b4: (N, 4)."""
    u = np.clip((x - b3) / b4, -500, 500)
    s = 1 / (1 + np.exp(-u))
    steep = (b1 - b2) * s * (1 - s) / b4
    return np.stack([s, 1 - s, -steep, -steep * u], axis=1)


def fitted_logistic(x: Floats, y: Floats) -> Floats:
    """(b1, b2, b3, b4) of the `logistic` of x (N,) that fits y (N,) best (least squares). Start of
    the fit: b1 = max(y), b2 = min(y), b3 = mean(x), b4 = std(x) / 4. RuntimeError where it does not
    converge.

    Its derivatives are given: where MINPACK estimates them, a last bit (SciPy 1.17.1's depends by
    one on where in memory it works) becomes a sixth digit of the correlation."""
    start = [y.max(), y.min(), x.mean(), x.std() / 4]
    with warnings.catch_warnings(), np.errstate(over="ignore"):  # of the covariance, not asked
        warnings.simplefilter("ignore", optimize.OptimizeWarning)
        best, _ = optimize.curve_fit(logistic, x, y, p0=start, jac=_slopes, maxfev=20_000)
    return best


def plcc_logistic(prediction: ArrayLike, score: ArrayLike) -> float:
    """Pearson's correlation of score and the prediction mapped by the logistic that fits it best
    (`fitted_logistic`).

    The fit sees the scores it is judged on, as VQEG prescribes, so it is the more flattering
    of the two: name which one you print. nan with a warning when a variable is constant, there are
    under 5 pictures, or the fit does not converge."""
    x, y = _numbers("prediction", prediction), _numbers("score", score)
    _same_length("prediction", x, "score", y)
    if x.min() == x.max() or y.min() == y.max() or len(x) < 5:
        return _undefined(
            "PLCC (logistic)", "a variable is constant, or there are fewer than 5 pictures"
        )
    try:
        best = fitted_logistic(x, y)
    except RuntimeError:
        return _undefined("PLCC (logistic)", "the fit does not converge")
    return plcc(logistic(x, *best), y)


# ---------------------------------------------------------------- all of them
def columns_p(frame: pd.DataFrame) -> list[str]:
    """The probability columns p0, p1, ... of a table of predictions, in order. Raises ValueError if
    there are none."""
    found = sorted(store.columns_of_p(frame), key=lambda c: int(c[1:]))
    if len(found) < 2 or found != [f"p{k}" for k in range(len(found))]:
        raise ValueError(
            f"predictions: expected columns p0, p1, ...; found {', '.join(map(str, frame.columns))}"
        )
    return found


def target(frame: pd.DataFrame) -> tuple[str, Floats]:
    """What correlations are taken against: ("score", (N,)) where every row has a score, else
    ("grade", truth)."""
    if "score" in frame and len(frame) and frame["score"].notna().all():
        return "score", frame["score"].to_numpy(float)
    return "grade", frame["truth"].to_numpy(float)


def summary(frame: pd.DataFrame) -> dict[str, float | int | str]:
    """All metrics of one table of predictions: columns truth (0..C-1), p0..p{C-1} and, if there,
    score.

    Keys: n; mae, mae_0.. (per class), those of `grouped`, macro_mae, accuracy, qwk: of the argmax
    class; mae_median, mae_expected: MAE of the posterior median and of the expected grade; srcc,
    krcc, plcc, plcc_logistic: of the expected grade against `against` ("score" or "grade"); note:
    why something is nan, else "". Raises ValueError for unlabelled rows (truth -1) or wrong
    probabilities."""
    if said := store.no_column(frame, ["truth"]):
        raise ValueError(f"predictions: {said}")
    p = probabilities(frame[columns_p(frame)])
    classes = p.shape[1]
    t = grades("truth", frame["truth"], classes)
    grade, expected = p.argmax(axis=1), expected_grade(p)
    against, y = target(frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UndefinedMetric)
        out: dict[str, float | int | str] = {"n": len(t), "mae": mae(t, grade, classes)}
        out |= {f"mae_{k}": float(v) for k, v in enumerate(mae_per_class(t, grade, classes))}
        out |= {
            **{name: mae_of(t, grade, of, classes) for name, of in grouped(classes).items()},
            "macro_mae": macro_mae(t, grade, classes),
            "mae_median": mae(t, posterior_median(p), classes),
            "mae_expected": mae(t, expected, classes),
            "accuracy": accuracy(t, grade, classes),
            "qwk": qwk(t, grade, classes),
            "srcc": srcc(expected, y),
            "krcc": krcc(expected, y),
            "plcc": plcc(expected, y),
            "plcc_logistic": plcc_logistic(expected, y),
        }
    notes = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UndefinedMetric))
    return out | {"against": against, "note": "; ".join(notes)}
