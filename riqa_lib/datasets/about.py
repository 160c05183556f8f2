"""What is known of a published data set (licence, page, layout, sizes), and what its loaders share.

Files are found by one listing of their folder, without a look at each: 140,000 names take a moment.
Whether a picture can be decoded is found later, by riqa_lib.pictures.decode.

People have parts of a set: where some of the pictures that its table names are there, these are the
set, and how many are not there is told (`finished`). A set without its table, or without any
picture, is broken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import contents, paths
from .misplaced import hint, too_deep
from .problems import SHOWN, FolderError, NoTable, Problem, decoded, read_text
from .table_words import separator_in

MISSING = "missing picture"
PART = "part of the set"


@dataclass(frozen=True)
class About:
    """A published data set. key: its folder below RIQA_DATA; where: its page; layout: one line a
    file or folder; counts: the published sizes, under the names that the set's `counts(frame)`
    uses."""

    key: str
    title: str
    used_for: str
    licence: str
    where: str
    layout: str
    counts: dict[str, int]

    def compare(self, found: dict[str, int]) -> list[Problem]:
        """Where the counts found differ from the published ones: no error, since people have parts
        of a set."""
        return [
            Problem(
                "other count than published", 0, name, f"{found.get(name, 0)} found, {n} published"
            )
            for name, n in self.counts.items()
            if found.get(name, 0) != n
        ]


def need_folder(root: Path | str, about: About) -> Path:
    """root as a path. Raises FileNotFoundError that says where to get the set and what goes
    where."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        near = hint(folder.parent, folder.name)
        raise FileNotFoundError(
            f"{paths.shown(folder)}: no such folder{near}. {about.title}: get it from "
            f"{about.where}, put there:\n{about.layout.strip()}"
        )
    return folder


def need_file(root: Path, name: str) -> Path:
    """The file root/name, upper or lower case. Raises FileNotFoundError, naming it."""
    found = listing(root).get(name.lower())
    if found is None or not (root / found).is_file():
        raise FileNotFoundError(f"{paths.shown(root / name)}: no such file{hint(root, name)}")
    contents.note(root / found)
    return root / found


def listing(folder: Path) -> dict[str, str]:
    """Names in a folder: lower case -> as on disk. {} where there is no folder. Hidden files do not
    count."""
    contents.note_names(folder)
    return {name.lower(): name for name in contents.names_below(folder, deep=False)}


def read_table(file: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """A CSV's cells as text, indexed by line (1 is the header), and what is wrong with its rows.

    A table that a spreadsheet saved anew, with semicolons or tabs between its cells, is read too;
    there 3,5 is the number 3.5. Raises FolderError where a column is missing: nothing can be said
    of the rows then."""
    contents.note(file)
    separator = separator_of(file, columns)
    text, problems = read_text(file, "utf-8", separator, list(columns))
    if not {*columns} <= {*text}:
        raise FolderError(paths.shown(file), problems)
    if separator != ",":
        text = text.replace(r"^(-?\d+),(\d+)$", r"\1.\2", regex=True)
    return text, problems


def separator_of(file: Path, columns: Sequence[str]) -> str:
    """What separates the cells of a set's table whose header has these columns; the comma where
    nothing shows it."""
    with open(file, "rb") as f:
        start = f.read(2**16)
    try:
        return separator_in(decoded(start[: start.rfind(b"\n") + 1] or start, "utf-8"), columns)
    except NoTable:
        return ","


def number(
    text: pd.DataFrame,
    column: str,
    names: Iterable[str],
    low: float,
    high: float,
    whole: bool = False,
) -> tuple[np.ndarray, list[Problem]]:
    """A column (N,) as numbers, and its cells that are none, out of [low, high], or not whole where
    they must be."""
    values = pd.to_numeric(text[column], errors="coerce").to_numpy(float)
    bad = ~((values >= low) & (values <= high)) | (whole & (values % 1 != 0))
    cells, rows, name = text[column].to_numpy(), text.index.to_numpy(), list(names)
    expected = f"expected {'a whole number ' if whole else ''}{low:g} to {high:g}"
    return values, [
        Problem(f"bad {column}", int(rows[i]), name[i], f"{cells[i]!r}, {expected}")
        for i in np.flatnonzero(bad)
    ]


def doubled(names: Iterable[str], rows: Iterable[int]) -> list[Problem]:
    """Names that are empty or there twice (upper and lower case are the same)."""
    first: dict[str, int] = {}
    problems = []
    for name, row in zip(names, rows, strict=True):
        if not name:
            problems.append(Problem("empty id", row, ""))
        elif first.setdefault(name.lower(), row) != row:
            problems.append(Problem("doubled id", row, name, f"also in row {first[name.lower()]}"))
    return problems


def matched(
    pattern: str,
    names: Iterable[str],
    rows: Iterable[int],
    expected: str,
    kind: str = "unexpected name",
) -> tuple[list[re.Match[str] | None], list[Problem]]:
    """Each name's match, and the names that have none (empty ones are told by `doubled`)."""
    names = list(names)
    found = [re.fullmatch(pattern, name) for name in names]
    return found, [
        Problem(kind, int(row), name, f"expected {expected}")
        for row, name, match in zip(rows, names, found, strict=True)
        if name and not match
    ]


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers of `number` as int; 0 where there was none (a problem already)."""
    return np.nan_to_num(values).astype(int)


def absent(
    names: Iterable[str], rows: Iterable[int], path: Iterable[str], expected: Iterable[str]
) -> list[Problem]:
    """Pictures whose path is "": not found where they were expected."""
    return [
        Problem(MISSING, int(row), name, f"expected {where}")
        for row, name, found, where in zip(rows, names, path, expected, strict=True)
        if not found
    ]


def others(folder: str, n: int) -> list[Problem]:
    """The note on n files of a folder that the table does not name; none where n is 0."""
    return [Problem("files not in the table", 0, folder, str(n))] if n else []


def find(
    root: Path,
    folder: str,
    names: Sequence[str],
    rows: Sequence[int],
    pictures: bool,
    known: Iterable[str] = (),
) -> tuple[list[str], list[Problem], list[Problem]]:
    """Paths of pictures relative to root, as on disk ("" for one that is not there); problems
    (missing ones); notes (how many others are in the folder).

    names: expected file names, found in upper or lower case. known: other names that
    belong there. pictures=False: nothing is looked up."""
    if not pictures:
        return [f"{folder}/{name}" for name in names], [], []
    kept = listing(root).get(folder.lower())
    if kept is None:
        lacking = Problem("missing folder", 0, f"{folder}{hint(root, folder)}")
        return [f"{folder}/{name}" for name in names], [lacking], []
    there = listing(root / kept)
    missing = [
        Problem(MISSING, int(row), f"{folder}/{name}")
        for name, row in zip(names, rows, strict=True)
        if name.lower() not in there
    ]
    if len(missing) == len(names):
        missing += _one_too_deep(root, kept, names)
    extra = len(there.keys() - {name.lower() for name in (*names, *known)})
    path = [f"{kept}/{there[k]}" if (k := name.lower()) in there else "" for name in names]
    return path, missing, others(f"{kept}/", extra)


def _one_too_deep(root: Path, folder: str, names: Sequence[str]) -> list[Problem]:
    """That pictures lie in a folder of the folder, as unpacking an archive leaves them."""
    inside = too_deep(root / folder, [*names])
    found = f"{folder}/{inside}/: move what is in it to {folder}/"
    return [Problem("pictures one folder too deep", 0, found)] if inside else []


def finished(
    table: Path,
    frame: pd.DataFrame,
    about: About,
    problems: Sequence[Problem],
    notes: Sequence[Problem],
    missing: Sequence[Problem] = (),
    **attrs: Any,
) -> pd.DataFrame:
    """The frame with its attrs (name, low, high, higher_is_better, notes), without the pictures
    that are not there (path ""), of which a note and two attrs tell: named, how many the table
    names; absent, the ids of those not there, one a line.

    missing: what `find` says of them. Raises FolderError if there are problems, if a folder is
    missing, or all pictures are."""
    there = (frame["path"] != "").to_numpy()
    if problems or any(p.kind != MISSING for p in missing) or (missing and not there.any()):
        raise FolderError(paths.shown(table), [*problems, *missing])
    named, absent = len(frame), "\n".join(frame.loc[~there, "id"])
    if missing:
        names = [p.name for p in missing[:SHOWN]]
        more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
        found = f"{there.sum():,} of {named:,} pictures; not there: {', '.join(names)}{more}"
        notes = [Problem(PART, 0, about.title, found), *notes]
        frame = frame[there].reset_index(drop=True)
    frame.attrs |= {"named": named, "absent": absent}
    frame.attrs |= {
        "name": about.title,
        "low": None,
        "high": None,
        "higher_is_better": None,
    } | attrs
    frame.attrs["notes"] = [list(n) for n in notes]
    return frame
