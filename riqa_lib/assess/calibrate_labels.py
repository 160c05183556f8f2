"""The label file of `riqa calibrate`: a table with columns file and grade, and where there are any
illumination, clarity, contrast (good or bad) and patient; any separator, or an Excel workbook.

A file is named as it is called, with as many of its folders as tell it from others; the ending may
be missing. All that is wrong is said at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .. import paths
from ..datasets.declaration import Declaration
from ..datasets.file_matching import few, one_spelling, tidy
from ..datasets.own_table import PARQUET, read_own_table
from ..datasets.problems import FolderError, Problem
from ..hints import did_you_mean
from ..scales import DETAILS
from .photograph_facts import facts

GOOD = {"good": 1, "1": 1, "bad": 0, "0": 0}
DECLARED = Declaration(id="file", grade="grade")


@dataclass(frozen=True)
class Labelled:
    """A picture with its labels: grade (0 the worst), details (1 good, 0 bad, -1 not said), whose
    it is ("": not known)."""

    file: Path
    grade: int
    details: tuple[int, ...]
    patient: str


@dataclass(frozen=True)
class Labels:
    """Labelled pictures, and what is worth knowing of how they were found."""

    pictures: list[Labelled]
    notes: list[str] = field(default_factory=list)
    numbers: bool = False  # grades were numbers, of which people think either way round


def read_labels(table: Path, pictures: Sequence[Path], words: Sequence[str]) -> Labels:
    """The labels of a table, and which of the pictures they are of; words: the grades, worst first,
    which the table may also call 0, 1, ...

    Raises FileNotFoundError without the table, FolderError (a ValueError) with all that is wrong in
    it: form, unknown grades and details, pictures that are not there, that may be several, that are
    labelled twice."""
    frame, problems, told = _table(table)
    notes = [": ".join(filter(None, (p.kind, p.found))) for p in told]
    if {"file", "grade"} - {*frame}:
        raise FolderError(paths.shown(table), problems)
    left = frame[frame["grade"] != ""]
    if len(left) < len(frame):
        notes.append(f"{len(frame) - len(left)} rows without a grade were left out")
    which = _Pictures(pictures)
    found: dict[Path, tuple[int, Labelled]] = {}
    for row, cells in left.to_dict("index").items():
        wrong, one = _row(int(row), cells, which, words)
        problems += wrong
        if one is None:
            continue
        first = found.setdefault(one.file, (int(row), one))
        if first[1] != one:
            said = f"as in row {first[0]}, but with other labels"
            problems.append(Problem("labelled twice", int(row), str(cells["file"]), said))
    if problems:
        raise FolderError(paths.shown(table), problems)
    notes += which.without(found)
    numbers = bool(left["grade"].map(_whole).notna().any())
    return Labels([one for _, one in found.values()], notes, numbers)


def _table(table: Path) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
    if not table.is_file():
        raise FileNotFoundError(f"{table}: no such file of labels")
    with open(table, "rb") as f:
        if f.read(len(PARQUET)) == PARQUET:
            raise ValueError(f"{paths.shown(table)}: a Parquet table; save it as .csv or .xlsx")
    return read_own_table(table, DECLARED)


# ---------------------------------------------------------------- a row
def _row(
    row: int, cells: dict[str, str], which: _Pictures, words: Sequence[str]
) -> tuple[list[Problem], Labelled | None]:
    """What is wrong with a row, and its picture if nothing is."""
    name = cells["file"]
    file, problem = which.find(name)
    wrong = [Problem(*problem[:1], row, name, problem[1])] if problem else []
    grade = _grade(cells["grade"], words)
    if grade is None:
        numbers = ", ".join(map(str, range(len(words))))
        expected = f"expected {', '.join(words)}, or {numbers} (0 the worst)"
        wrong.append(Problem("unknown grade", row, name, f"{cells['grade']!r}; {expected}"))
    details = []
    for d in DETAILS:
        cell = cells.get(d, "")
        details.append(GOOD.get(cell.casefold(), -1))
        if cell and cell.casefold() not in GOOD:
            expected = "expected good, bad, or nothing"
            wrong.append(Problem(f"unknown {d}", row, name, f"{cell!r}; {expected}"))
    if wrong or file is None or grade is None:
        return wrong, None
    patient = cells["patient"] if "patient" in cells else facts(file)["patient"]
    return [], Labelled(file, grade, tuple(details), patient)


def _whole(cell: str) -> int | None:
    """A whole number, also as spreadsheets and pandas write it (2.0)."""
    try:
        return int(float(cell)) if float(cell) == int(float(cell)) else None
    except (ValueError, OverflowError):
        return None


def _grade(cell: str, words: Sequence[str]) -> int | None:
    """The grade that a cell says, 0 the worst; None for none.

    >>> [_grade(cell, ("reject", "usable", "good")) for cell in ("Good", "2.0", "3", "fair")]
    [2, 2, None, None]
    """
    if cell.casefold() in words:
        return list(words).index(cell.casefold())
    number = _whole(cell)
    return number if number is not None and 0 <= number < len(words) else None


# ---------------------------------------------------------------- which picture
class _Pictures:
    """Pictures by every name that they may be called: with all of their folders, fewer, none, and
    without the ending."""

    def __init__(self, pictures: Iterable[Path]) -> None:
        self.pictures = [*dict.fromkeys(pictures)]
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for picture in self.pictures:
            parts = picture.absolute().parts
            for k in range(len(parts)):
                whole = "/".join(parts[k:]).replace("//", "/")
                for name in dict.fromkeys((whole, whole.removesuffix(picture.suffix))):
                    self._by_name[one_spelling(name)].append(picture)

    def without(self, labelled: Collection[Path]) -> list[str]:
        """A note of the pictures that have no label; none where all have one."""
        bare = [str(p) for p in self.pictures if p not in labelled]
        return [f"pictures without a label {few(bare)}"] if bare else []

    def find(self, name: str) -> tuple[Path | None, tuple[str, str] | None]:
        """The picture of this name, or what is wrong: (kind, words)."""
        if not name:
            return None, ("no file named", "")
        found = self._by_name.get(one_spelling(tidy(name)), [])
        if len(found) == 1:
            return found[0], None
        if found:
            return None, ("ambiguous file", f"may be {', '.join(map(str, found[:5]))}")
        hint = did_you_mean(Path(name).name, [p.name for p in self.pictures])
        return None, ("no such picture", f"among the {len(self.pictures)} given{hint}")
