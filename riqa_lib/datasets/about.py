"""What is known of a published data set (licence, page, layout, sizes), and what its loaders share.

Files are found by one listing of their folder, without a look at each: 140,000 names take a moment.
Whether a picture can be decoded is found later, by riqa_lib.pictures.decode."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import paths
from .problems import FolderError, Problem, read_text


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
        raise FileNotFoundError(
            f"{paths.shown(folder)}: no such folder. {about.title}: get it from {about.where}, "
            f"put there:\n{about.layout.strip()}"
        )
    return folder


def need_file(root: Path, name: str) -> Path:
    """The file root/name, upper or lower case. Raises FileNotFoundError, naming it."""
    found = listing(root).get(name.lower())
    if found is None or not (root / found).is_file():
        raise FileNotFoundError(f"{paths.shown(root / name)}: no such file")
    return root / found


def listing(folder: Path) -> dict[str, str]:
    """Names in a folder: lower case -> as on disk. {} where there is no folder. Hidden files do not
    count."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {e.name.lower(): e.name for e in entries if not e.name.startswith(".")}


def read_table(file: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """A CSV's cells as text, indexed by line (1 is the header), and what is wrong with its rows.

    Raises FolderError where a column is missing: nothing can be said of the rows then."""
    text, problems = read_text(file, "utf-8", ",", list(columns))
    if not {*columns} <= {*text}:
        raise FolderError(paths.shown(file), problems)
    return text, problems


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
        Problem("missing picture", int(row), name, f"expected {where}")
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
    """Paths of pictures relative to root, as on disk; problems (missing ones); notes (how many
    others are in the folder).

    names: expected file names, found in upper or lower case. known: other names that
    belong there. pictures=False: nothing is looked up."""
    if not pictures:
        return [f"{folder}/{name}" for name in names], [], []
    kept = listing(root).get(folder.lower())
    if kept is None:
        return [f"{folder}/{name}" for name in names], [Problem("missing folder", 0, folder)], []
    there = listing(root / kept)
    missing = [
        Problem("missing picture", int(row), f"{folder}/{name}")
        for name, row in zip(names, rows, strict=True)
        if name.lower() not in there
    ]
    extra = len(there.keys() - {name.lower() for name in (*names, *known)})
    path = [f"{kept}/{there.get(name.lower(), name)}" for name in names]
    return path, missing, others(f"{kept}/", extra)


def finished(
    table: Path,
    frame: pd.DataFrame,
    about: About,
    problems: Sequence[Problem],
    notes: Sequence[Problem],
    **attrs: Any,
) -> pd.DataFrame:
    """The frame with its attrs (name, low, high, higher_is_better, notes). Raises FolderError if
    there are problems."""
    if problems:
        raise FolderError(paths.shown(table), problems)
    frame.attrs |= {
        "name": about.title,
        "low": None,
        "high": None,
        "higher_is_better": None,
    } | attrs
    frame.attrs["notes"] = [list(n) for n in notes]
    return frame
