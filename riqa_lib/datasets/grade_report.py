"""What a table of pictures says before anything is trained on it: grades in each split, whether
validation can choose by so few, whether the scores fit the scale that was declared.

Each remark says how bad it is: STOP (training could not work), LOOK (probably not what is wanted)
or NOTE, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .splits import SPLITS, few

STOP, LOOK, NOTE = "stop", "look", "note"
# of a grade: where the MAE of validation is known to no more than this (95 %), differences between
# methods drown in chance
SURE = 0.1
NARROW = 0.25  # of the declared range; scores that use less of it are suspicious
USUAL = ((0, 1), (1, 5), (0, 5), (0, 10), (1, 10))  # ranges that people have


class Remark(NamedTuple):
    """How bad (STOP, LOOK, NOTE), what it is about, and what to know or do."""

    level: str
    about: str
    text: str


def per_split(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Pictures of each grade (rows, named) in train, val and test; `no score` is the pool's.

    frame: columns grade (0..; -1 for none) and split. names: of all grades, worst first.

    >>> per_split(pd.DataFrame({"grade": [0, 1, 1], "split": ["train"] * 3}), ["bad", "good"])
          train  val  test  pool
    bad       1    0     0     0
    good      2    0     0     0
    """
    counts = pd.crosstab(frame["grade"], frame["split"])
    grades = [*range(len(names)), *([-1] if (frame["grade"] < 0).any() else [])]
    table = counts.reindex(index=grades, columns=list(SPLITS), fill_value=0).astype(int)
    table.index = pd.Index([*names, "no score"][: len(grades)])
    return table.rename_axis(index=None, columns=None)


# ---------------------------------------------------------------- grades and splits
def on_grades(
    frame: pd.DataFrame,
    names: Sequence[str],
    fractions: Sequence[float] | None = None,
    labels: int = 0,
) -> list[Remark]:
    """Remarks on what is there to learn from, to choose by and to test on.

    frame: columns grade, split, group. fractions: of the split, where it was not declared by the
    table. labels: how many labelled training pictures are to be used (0: all), as data.labels."""
    graded = frame[frame["grade"] >= 0]
    parts = {name: graded.loc[graded["split"] == name, "grade"] for name in SPLITS[:3]}
    told = _train(parts["train"], graded, names, labels)
    told += _small_grades(graded, names, fractions)
    told += _validation(parts["val"], graded, labels)
    if parts["test"].empty:
        text = "no test picture has a grade: nothing can be said of how well it works in the end"
        told.append(Remark(LOOK, "test", text))
    return told


def _train(
    train: pd.Series, graded: pd.DataFrame, names: Sequence[str], labels: int
) -> list[Remark]:
    if train.empty:
        text = "no training picture has a grade: give more of data.fractions to training"
        return [Remark(STOP, "training", text)]
    if labels > len(train):
        text = f"data.labels is {labels}, but only {len(train)} training pictures have a grade"
        return [Remark(STOP, "training", text)]
    found = np.bincount(train, minlength=len(names))
    if (found > 0).sum() == 1:
        text = f"all training pictures have one grade ({names[int(found.argmax())]})"
        return [Remark(STOP, "training", f"{text}: there is nothing to learn")]
    told = _untrained(found, np.bincount(graded["grade"], minlength=len(names)), names)
    if 0 < labels < (found > 0).sum():
        text = f"data.labels is {labels}, less than there are grades ({(found > 0).sum()})"
        told.append(Remark(LOOK, "training", f"{text}: some grades have no label"))
    return told


def _untrained(train: np.ndarray, every: np.ndarray, names: Sequence[str]) -> list[Remark]:
    """Grades that no picture has, or no training picture; counts of each grade in both."""
    nowhere = [name for name, n in zip(names, every, strict=True) if not n]
    unseen = [name for name, n, m in zip(names, train, every, strict=True) if m and not n]
    told = []
    if nowhere:
        text = f"no picture has grade {', '.join(nowhere)}: it can never be the answer"
        told.append(Remark(LOOK, "grades", text))
    if unseen:
        text = f"no training picture has grade {', '.join(unseen)}, but others have: it can never "
        text += "be the answer, and counts as an error; more pictures of it, or fewer grades"
        told.append(Remark(LOOK, "grades", text))
    return told


def _small_grades(
    graded: pd.DataFrame, names: Sequence[str], fractions: Sequence[float] | None
) -> list[Remark]:
    """Which grades were too small for the floors of the split, and how they are shared out."""
    if fractions is None or graded.empty:
        return []
    small = few(graded["grade"].to_numpy(), graded["group"], fractions)
    counts = graded["grade"].value_counts()
    said = ", ".join(f"{names[k]} ({counts[k]})" for k in small)
    text = f"of grade {said} there are so few that the split's shares would leave out a part: each "
    text += "has one picture to train first, then one to validate, then one to test"
    return [Remark(NOTE, "grades", text)] if small else []


def _validation(val: pd.Series, graded: pd.DataFrame, labels: int) -> list[Remark]:
    n = min(len(val), labels) if labels else len(val)
    if not n:
        text = "no validation picture has a grade, so nothing can choose the weights: more pictures"
        return [Remark(STOP, "validation", f"{text}, or more of data.fractions for validation")]
    mae, half = resolution(graded["grade"].to_numpy(), n)
    choose = "picture chooses the weights: its" if n == 1 else "pictures choose the weights: their"
    text = f"{n} {choose} MAE moves in steps of {1 / n:.3f}"
    if math.isfinite(half):
        text += f"; that of always saying the middle grade would be {mae:.2f} +- {half:.2f} (95 %)"
    if half <= SURE:
        return [Remark(NOTE, "validation", text)]
    text += ": too few to choose by, smaller differences are chance; more of data.fractions for "
    text += "validation, or other splits too (data.world = 1, 2, ...)"
    return [Remark(LOOK, "validation", text)]


def resolution(grades: np.ndarray, n: int) -> tuple[float, float]:
    """MAE of always saying the median grade, and half its 95 % interval (Student's t) where n
    pictures of such grades measure it; inf for one picture.

    >>> mae, half = resolution(np.array([0, 1, 2, 3, 4]), 4)
    >>> round(mae, 2), round(half, 2)
    (1.2, 1.33)
    """
    error = np.abs(grades - np.median(grades).round())
    if n < 2 or len(grades) < 2:
        return float(error.mean()), math.inf
    half = stats.t.ppf(0.975, n - 1) * error.std(ddof=1) / math.sqrt(n)
    return float(error.mean()), float(half)


# ---------------------------------------------------------------- the scale
def on_scores(scores: np.ndarray, low: float, high: float, rule: str, classes: int) -> list[Remark]:
    """Remarks on scores (N,) that hardly fit their declared range; rule: how grades are made of
    them ("equal_width": by that range).

    >>> on_scores(np.array([0.2, 0.9, 0.5]), 0, 100, "equal_width", 5)[0].text[:57]
    'all scores lie between 0.2 and 0.9, 0.7 % of the declared'
    """
    scores = scores[np.isfinite(scores)]
    if len(scores) < 2:
        return []
    least, most = float(scores.min()), float(scores.max())
    if least == most:
        text = f"all {len(scores)} scores are {least:g}: there is nothing to learn"
        return [Remark(STOP, "scores", text)]
    told, used = [], (most - least) / (high - low)
    if used < NARROW:
        text = f"all scores lie between {least:g} and {most:g}, {100 * used:.1f} % of the declared "
        text += f"range, {low:g} to {high:g}: is that the scale?{_likely(least, most, low, high)}"
        if rule == "equal_width":
            text += f" Its {classes} grades are of equal width, so most of them stay empty"
        told.append(Remark(LOOK, "scores", text))
    if rule == "equal_width" and len(scores) >= 20 and (scores % 1 == 0).all() and high - low <= 10:
        text = (
            f"all scores are whole numbers from {least:g} to {most:g}: are they grades? Declared "
        )
        text += f"as grade= they stay as they are; now {low:g} to {high:g} is cut into {classes} "
        told.append(Remark(NOTE, "scores", f"{text}grades of equal width"))
    return told


def _likely(least: float, most: float, low: float, high: float) -> str:
    """The narrowest usual range that all scores fit into, where it is less than the declared."""
    fitting = [
        r
        for r in USUAL
        if r[0] <= least and most <= r[1] and r[1] - r[0] < high - low and r != (low, high)
    ]
    if not fitting:
        return ""
    a, b = min(fitting, key=_width)
    return f" They would fit {a} to {b}."


def _width(limits: tuple[float, float]) -> float:
    return limits[1] - limits[0]
