"""What a table says of its pictures' quality, from cells of text to scores and grades: a score, a
grade, votes, or one rating per person and picture. A picture of which it says nothing has score NaN
and grade -1."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..stats.votes import equal_width, mode_grade, round_mean_grade
from .declaration import Declaration, Range
from .problems import Problem

# cells that say nothing: empty, or as pandas, R, Excel and databases write it
NOTHING = ("", "na", "n/a", "#n/a", "nan", "null", "none")
MEASURES = ("score", "grade", "total")


@dataclass
class Measured:
    """Numbers (N,) of the columns, by what they are ("score", "grade", "total", "vote <name>"), NaN
    where a cell says nothing or is wrong; said: bool (N,), whether a picture has any."""

    numbers: dict[str, np.ndarray]
    said: np.ndarray
    problems: list[Problem] = field(default_factory=list)

    def only(self, keep: np.ndarray) -> Measured:
        """The same of some of the pictures (bool, N)."""
        numbers = {key: values[keep] for key, values in self.numbers.items()}
        return Measured(numbers, self.said[keep], self.problems)


def is_measure(key: str) -> bool:
    """Whether a declared column says how good a picture is."""
    return key in MEASURES or key.startswith("vote ")


def says_nothing(cells: pd.Series) -> np.ndarray:
    """Whether a cell of text is empty, or a word for that; bool (N,).

    >>> says_nothing(pd.Series(["", "NA", "0", "#N/A", "-"])).tolist()
    [True, True, False, True, False]
    """
    return cells.str.lower().isin(NOTHING).to_numpy(bool)


def measured(raw: pd.DataFrame, said: Declaration) -> Measured:
    """The numbers of every picture of a table with one row a picture. raw: the declared columns as
    text, under what they are, indexed by row. A picture that has some of its numbers, not all, is a
    problem."""
    keys = [key for key in raw if is_measure(key)]
    empty = {key: says_nothing(raw[key]) for key in keys}
    out = Measured({}, ~np.all([*empty.values()], axis=0) if keys else np.ones(len(raw), bool))
    for key in keys:
        bounds = said.bounds.get(key, (0, math.inf))
        values, found = numbers_of(raw, key, said, bounds, key == "grade", out.said)
        out.numbers[key] = values
        out.problems += found
    return out


def numbers_of(
    raw: pd.DataFrame,
    key: str,
    said: Declaration,
    bounds: Range,
    whole: bool,
    asked: np.ndarray,
) -> tuple[np.ndarray, list[Problem]]:
    """A column (N,) as numbers, and its cells that are none, or out of range, or not whole where
    they must be, of the rows asked (bool, N)."""
    cells, name = raw[key], said.columns[key]
    text = _named(cells, said, key)
    if said.decimal == ",":  # a point is then no decimal mark
        text = cells.where(~cells.str.contains(".", regex=False), "?")
        text = text.str.replace(",", ".", regex=False)
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, copy=True)
    values[~asked] = np.nan
    problems: list[Problem] = []
    hint = said.decimal == "."
    none, unless = _of_grades(said, key)
    for row, picture, (cell, value, needed) in rows(raw, zip(cells, values, asked, strict=True)):
        if not needed:
            continue
        if math.isnan(value):
            comma = hint and re.fullmatch(r"[+-]?\d*,\d+", cell)
            found = f"{cell!r}; declare decimal=','" if comma else repr(cell) + none
            problems.append(Problem(f"{name} is not a number", row, picture, found))
            hint = hint and not comma  # said once
        elif not bounds[0] <= value <= bounds[1]:
            expected = f"expected {bounds[0]:g} to {bounds[1]:g}{unless}"
            problems.append(Problem(f"{name} out of range", row, picture, f"{cell}, {expected}"))
        elif whole and value % 1:
            problems.append(Problem(f"{name} is not whole", row, picture, cell))
    return values, problems


def _of_grades(said: Declaration, key: str) -> tuple[str, str]:
    """What is said besides of a grade that is no number, and of one out of range."""
    if key != "grade":
        return "", ""
    none = f", no number and none of names = {[*said.names]}" if said.names else ""
    return none, ", unless low and high are declared" if said.low is None else ""


def _named(cells: pd.Series, said: Declaration, key: str) -> pd.Series:
    """Cells of a column, those of grades that are declared names as their numbers.

    >>> said = Declaration(id="id", grade="g", classes=2, names=["bad", "good"])
    >>> _named(pd.Series(["good", "bad", "0"]), said, "grade").tolist()
    ['1', '0', '0']
    """
    if key != "grade":
        return cells
    low, high = said.bounds["grade"]
    place = {
        str(name).strip(): f"{low + k if said.higher_is_better else high - k:g}"
        for k, name in enumerate(said.names)
    }
    numbers = pd.to_numeric(cells, errors="coerce").notna()  # a name may look like a number
    return cells.where(numbers, [place.get(cell.strip(), cell) for cell in cells])


def rows(raw: pd.DataFrame, values: Iterable) -> Iterator[tuple[int, str, Any]]:
    """(row in the file, id, value) of every row of a table as `measured` takes it."""
    return zip(raw.index, raw["id"], values, strict=True)


def without_votes(raw: pd.DataFrame, found: Measured, said: Declaration) -> list[Problem]:
    """Pictures whose votes are all 0: nobody voted. Leave the cells empty where that is meant."""
    counts = counts_of(found.numbers, said)
    if not len(counts):
        return []
    return [
        Problem("no votes", row, name)
        for row, name, n in rows(raw, counts.sum(axis=1))
        if n == 0  # NaN is no vote asked for
    ]


def counts_of(numbers: dict[str, np.ndarray], said: Declaration) -> np.ndarray:
    """The votes (N, classes), worst first, as counts; (0,) where there are none."""
    votes = [values for key, values in numbers.items() if key.startswith("vote ")]
    if not votes:
        return np.array([])
    counts = np.column_stack(votes)
    return counts * numbers["total"][:, None] if said.total is not None else counts


def scores_and_grades(found: Measured, said: Declaration) -> tuple[np.ndarray, np.ndarray]:
    """Score and grade (N,), higher is better. The score is NaN where there is none, of votes alone
    their mean (1 to classes); the grade -1 where nothing is said of a picture."""
    score = np.full(len(found.said), np.nan)
    grade = np.full(len(found.said), -1)
    known = {key: values[found.said] for key, values in found.numbers.items()}
    if found.said.any():
        score[found.said], grade[found.said] = _scores_and_grades(known, said)
    return score, grade


def _scores_and_grades(
    numbers: dict[str, np.ndarray], said: Declaration
) -> tuple[np.ndarray | float, np.ndarray]:
    counts = counts_of(numbers, said)
    up = {
        key: values if said.higher_is_better else sum(said.bounds[key]) - values
        for key, values in numbers.items()
        if key in said.bounds
    }
    score: np.ndarray | float = math.nan
    if "score" in up:
        score = up["score"]
    elif len(counts):
        score = counts @ np.arange(1, said.classes + 1) / counts.sum(axis=1)
    rule = said.grades_by
    if rule == "given":
        return score, (up["grade"] - said.bounds["grade"][0]).astype(int)
    if rule == "equal_width":
        return score, equal_width(up["score"], *said.bounds["score"], said.classes)
    return score, mode_grade(counts) if rule == "mode" else round_mean_grade(counts)
