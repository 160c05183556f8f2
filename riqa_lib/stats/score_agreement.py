"""How well expected grades agree with scores on a scale of their own: SRCC, KRCC (Kendall's tau-b)
and PLCC, on all pictures and within subsets, with percentile intervals by the bootstrap over groups
of pictures.

Of one grader, so the variation between seeds is not in the intervals. Correlations are raw, higher
is better on both sides. PLCC after VQEG's logistic has no interval: its fit would be redone in
every resample. A resample is a vector of whole weights (see `resampling`); tau-b of a resample is

    sum_ij w_i w_j sign(x_i - x_j) sign(y_i - y_j) / sqrt(X Y),  X = n^2 - sum_v W_v^2

with W_v the weight of the pictures of one value of x, Y likewise: Kendall (1945), with each picture
counted as often as it was drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .bootstrap import correlation, midranks
from .metrics import UndefinedMetric, plcc_logistic
from .resampling import Floats, interval, resamples_of
from .within import LEAST, WITHIN

ALL = "all"  # the part that is every picture; WITHIN: the plain mean over subsets
RANKED = ("srcc", "krcc", "plcc")
BLOCK = 1024  # pictures whose pairs with all others are held at once
SAME, ONE_SCORE = "says the same of all pictures", "all pictures have one score"


def kendall(x: Floats, y: Floats, w: Floats) -> Floats:
    """tau-b (R,) of x and y (N,) where picture i occurs w[r, i] times; nan where x or y is the same
    for all that occur.

    >>> kendall(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]), np.ones((1, 3))).round(3).tolist()
    [0.333]
    """
    concordant = np.zeros(len(w))
    light = w.astype(np.float32)  # whole numbers, exact
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        signs = np.sign(x[:, None] - x[None, rows]) * np.sign(y[:, None] - y[None, rows])
        concordant += ((light @ signs.astype(np.float32)).astype(float) * w[:, rows]).sum(axis=1)
    scale = np.sqrt(_untied(x, w) * _untied(y, w))
    return np.where(scale > 0, concordant / np.where(scale > 0, scale, 1), np.nan)


def _untied(x: Floats, w: Floats) -> Floats:
    """Ordered pairs (R,) of drawn pictures whose values of x (N,) differ."""
    values, place = np.unique(x, return_inverse=True)
    of_value = np.zeros((len(w), len(values)))
    np.add.at(of_value.T, place, w.T)
    return w.sum(axis=1) ** 2 - (of_value**2).sum(axis=1)


def _measured(x: Floats, y: Floats, error: Floats | None, w: Floats) -> dict[str, Floats]:
    """Every metric (R,) of the pictures (N,) under weights (R, N); error: of a grade, for MAE."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a part that was not drawn is nan
        out = {
            "srcc": correlation(x, y, w, midranks(y, w)),
            "krcc": kendall(x, y, w),
            "plcc": correlation(x, y, w, None),
        }
        if error is not None:
            out["mae"] = w @ error / w.sum(axis=1)
    return out


def agreement(
    expected: ArrayLike,
    score: ArrayLike,
    group: Sequence[object],
    subset: Sequence[str] | None = None,
    grade: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a part: ALL, WITHIN (where there are subsets) and each subset. Columns: part,
    pictures, srcc, krcc, plcc with _low and _high, plcc_logistic, mae with _low and _high (where
    grades are given), note (why something is nan, else "").

    expected (N,): expected grades; score (N,): higher is better; group (N,): pictures that are
    drawn together; subset (N,): "" of a picture of none; grade (N,): true grades, only where they
    mean what the expected ones mean. A subset below LEAST pictures, or with one score, is not
    judged and not in the means; a grader that says the same of a judged one has nan there and in
    the mean. ValueError for other shapes and numbers that are not finite.

    >>> said = [0.1, 0.9, 2.2, 2.1]
    >>> table = agreement(said, [10, 20, 30, 40], ["a", "b", "c", "d"], resamples=50)
    >>> table[["part", "pictures", "srcc"]].values.tolist()
    [['all', 4, 0.8]]
    """
    x, y = _column("expected", expected), _column("score", score)
    truth = x if grade is None else _column("grade", grade)
    cluster = pd.factorize(pd.Series(list(group)))[0]
    named = np.array([""] * len(x) if subset is None else list(subset), dtype=str)
    if not len(x) == len(y) == len(cluster) == len(named) == len(truth):
        raise ValueError(
            "expected, score, group, subset and grade: expected one value each per picture"
        )
    error = None if grade is None else np.abs(x - truth)
    drawn, _ = resamples_of(int(cluster.max()) + 1, 1, resamples, seed)
    w = drawn[:, cluster].astype(float)
    parts = {ALL: np.arange(len(x))}
    parts |= {name: np.flatnonzero(named == name) for name in sorted({*named} - {""})}
    found: dict[str, _Part] = {}
    lines: list[dict[str, object]] = []
    for part, rows in parts.items():
        line: dict[str, object] = {"part": part, "pictures": len(rows)}
        if why := _why(part, y[rows]):
            lines.append(line | {"note": why})
            continue
        its = None if error is None else error[rows]
        one = np.ones((1, len(rows)))
        found[part] = _Part(*(_measured(x[rows], y[rows], its, v) for v in (one, w[:, rows])))
        lines.append(line | _line(found[part]) | _fitted(x[rows], y[rows]))
    if len(parts) > 1:
        lines.insert(1, _mean_of(found, parts))
    return pd.DataFrame(lines).reindex(columns=_columns(error is not None))


class _Part(NamedTuple):
    """Every metric of a part: of all its pictures (1,), and of the resamples (R,)."""

    estimate: dict[str, Floats]
    draws: dict[str, Floats]


def _column(name: str, values: ArrayLike) -> Floats:
    out = np.asarray(values, dtype=float)
    if out.ndim != 1 or not len(out) or not np.isfinite(out).all():
        raise ValueError(f"{name}: expected one finite number per picture, shape (N,)")
    return out


def _why(part: str, score: Floats) -> str:
    """Why a part is not judged; "" where it is."""
    if part != ALL and len(score) < LEAST:
        return f"{len(score)} pictures, fewer than {LEAST}"
    return ONE_SCORE if np.ptp(score) == 0 else ""


def _line(part: _Part) -> dict[str, object]:
    """Every metric with its interval, under name, name_low, name_high."""
    out: dict[str, object] = {}
    for name, value in part.estimate.items():
        three = interval(float(value[0]), part.draws[name])
        out |= dict(zip((name, f"{name}_low", f"{name}_high"), three, strict=True))
    return out


def _fitted(x: Floats, y: Floats) -> dict[str, object]:
    """plcc_logistic, and the note."""
    if np.ptp(x) == 0:
        return {"note": SAME}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # nan says it
        return {"plcc_logistic": plcc_logistic(x, y), "note": ""}


def _mean_of(found: dict[str, _Part], parts: dict[str, np.ndarray]) -> dict[str, object]:
    """The line WITHIN: plain means over the judged subsets."""
    judged = [part for name, part in found.items() if name != ALL]
    pictures = sum(len(parts[name]) for name in found if name != ALL)
    line: dict[str, object] = {"part": WITHIN, "pictures": pictures}
    if not judged:
        return line | {"note": "no subset can be judged"}
    mean = _Part(*(_means([part[k] for part in judged]) for k in range(2)))
    same = np.isnan(mean.estimate["srcc"][0])
    return line | _line(mean) | {"note": f"{SAME} of a subset" if same else ""}


def _means(of: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {name: np.mean([one[name] for one in of], axis=0) for name in of[0]}


def _columns(graded: bool) -> list[str]:
    ends = ("", "_low", "_high")
    correlations = [f"{name}{end}" for name in RANKED for end in ends]
    mae = [f"mae{end}" for end in ends] if graded else []
    return ["part", "pictures", *correlations, "plcc_logistic", *mae, "note"]
