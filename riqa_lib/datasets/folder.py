"""Any folder of pictures with a table of scores, grades or votes: checked, and made into a frame.

    frame = read_folder("photos", "scores.csv", id="image_name", score="MOS", low=0, high=1)

The table's column names, its range and its direction are declared, never guessed. Everything wrong
with the table and its files is reported at once, in one FolderError. Whether a file can be decoded
is found later, by riqa_lib.pictures.decode."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from .. import paths
from ..stats.votes import equal_width, mode_grade, round_mean_grade
from .declaration import Declaration
from .problems import FolderError, Problem, listed, read_text
from .splits import SPLITS, floor_split, shared_groups

SPLIT_NAMES = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}


# ---------------------------------------------------------------- the table
def read_folder(root: Path | str, table: Path | str, **declared: Any) -> pd.DataFrame:
    """Read a table and check it against the files in `root`; one row a picture, in the table's
    order.

    declared: the fields of `declaration.Declaration`. Columns of the table, by name:
        id      unique name of a picture; also its file below root, unless another column `path`
                has that
        score   a number in [low, high]
        grade   a whole number in [low, high] (0..classes-1 where these are not given, or belong
                to a score)
        votes   one column a class, worst first: counts, or shares of the column `total`
        group   content or patient: never shared between splits; each picture its own where there
                is none
        source  where the picture comes from: its subset, collection, camera (for results per
                source; what knows only this is a row that a network has to beat)
        split   train, val, test or pool; where there is none: floor_split by class with
                `fractions` and `seed`
    higher_is_better: direction of score and grade; False turns them round, so that in the result
    higher is better. rule: how grades are made: "mode" or "round_mean" of the votes, "equal_width"
    bins of the score, "given" as they are. By default the first that the table allows of mode,
    given, equal_width. classes: how many grades (5). encoding, separator: of the table ("utf-8",
    ",").

    Returns columns id, path, group, source, split, grade (0..classes-1), score (NaN where the table
    has none; with votes only, their mean, 1..classes), row (line of the table's file; 1 is the
    header). Files not in the table and duplicate pictures (same bytes, kept in one group) are
    warned about and listed in frame.attrs["notes"]. Raises FolderError (a ValueError) with every
    problem; FileNotFoundError without table or root; ValueError for a declaration that makes no
    sense, TypeError for an unknown word in it.

    >>> import tempfile
    >>> where = Path(tempfile.mkdtemp())
    >>> (where / "photos").mkdir()
    >>> for name in ("a.png", "b.png"):
    ...     _ = (where / "photos" / name).write_bytes(name.encode())  # decoded later, not here
    >>> _ = (where / "scores.csv").write_text("name,MOS\\na.png,10\\nb.png,95\\n")
    >>> declared = {"id": "name", "score": "MOS", "low": 0, "high": 100}
    >>> frame = read_folder(where / "photos", where / "scores.csv", **declared)
    >>> frame[["id", "grade", "score", "row"]]
          id  grade  score  row
    0  a.png      0   10.0    2
    1  b.png      4   95.0    3
    """
    said = Declaration(**declared)
    root, table = Path(root), Path(table)
    if not root.is_dir():
        raise FileNotFoundError(f"{paths.shown(root)}: no such folder of pictures")
    if not table.is_file():
        raise FileNotFoundError(f"{paths.shown(table)}: no such table")
    raw, problems = _cells(table, said)
    frame, found = _pictures(raw)
    problems += found + _doubled(frame) + _unusable_files(frame, root)
    numbers, found = _all_numbers(frame, raw, said)
    problems += found
    counts = np.array([])
    if not problems:
        counts, problems = _counts(frame, numbers, said)
    if problems:
        raise FolderError(paths.shown(table), problems, _usable(frame, root))
    frame["score"], frame["grade"] = _scores_and_grades(numbers, counts, said)
    notes = _merge_duplicates(frame, root) + _extra_files(frame, root, table)
    if said.split is None:
        frame["split"] = floor_split(frame["grade"], frame["group"], said.fractions, said.seed)
    leaks = _leaks(frame)
    if leaks:
        raise FolderError(paths.shown(table), leaks + notes, frame)
    if notes:
        warnings.warn(
            f"{paths.shown(table)}: worth knowing\n{listed(notes)}", UserWarning, stacklevel=2
        )
    frame.attrs["notes"] = [list(n) for n in notes]
    return frame[["id", "path", "group", "source", "split", "grade", "score", "row"]]


def _cells(table: Path, said: Declaration) -> tuple[pd.DataFrame, list[Problem]]:
    """The declared columns that the table has, as text, under what they are; what is wrong with its
    form. FolderError where nothing can be said of the pictures."""
    wanted = said.columns
    text, problems = read_text(table, said.encoding, said.separator, list(wanted.values()))
    if not {wanted["id"], wanted["path"]} <= set(text):
        raise FolderError(paths.shown(table), problems)
    return pd.DataFrame({k: text[name] for k, name in wanted.items() if name in text}), problems


# ---------------------------------------------------------------- its numbers
def _all_numbers(
    frame: pd.DataFrame, raw: pd.DataFrame, said: Declaration
) -> tuple[dict[str, np.ndarray], list[Problem]]:
    """Score, grade, votes and total, those there are, as numbers (N,)."""
    numbers, problems = {}, []
    for key in raw:
        if key in ("score", "grade", "total") or key.startswith("vote "):
            bounds = said.bounds.get(key, (0, math.inf))
            numbers[key], found = _numbers(
                frame, raw[key], said.columns[key], bounds, key == "grade"
            )
            problems += found
    return numbers, problems


def _counts(
    frame: pd.DataFrame, numbers: dict[str, np.ndarray], said: Declaration
) -> tuple[np.ndarray, list[Problem]]:
    """The votes (N, classes), as counts (empty where there are no votes), and pictures without
    any."""
    if not said.votes:
        return np.array([]), []
    counts = np.column_stack([numbers[f"vote {v}"] for v in said.votes])
    if said.total is not None:
        counts = counts * numbers["total"][:, None]
    return counts, [
        Problem("no votes", row, name)
        for row, name, n in _rows(frame, counts.sum(axis=1))
        if n == 0
    ]


def _scores_and_grades(
    numbers: dict[str, np.ndarray], counts: np.ndarray, said: Declaration
) -> tuple[np.ndarray | float, np.ndarray]:
    """Score and grade (N,), higher is better. The score is NaN where there is none; of votes alone
    their mean."""
    up = {
        key: values if said.higher_is_better else sum(said.bounds[key]) - values
        for key, values in numbers.items()
        if key in said.bounds
    }
    score: np.ndarray | float = math.nan
    if "score" in up:
        score = up["score"]
    elif said.votes:
        score = counts @ np.arange(1, said.classes + 1) / counts.sum(axis=1)
    rule = said.grades_by
    if rule == "given":
        return score, (up["grade"] - said.bounds["grade"][0]).astype(int)
    if rule == "equal_width":
        return score, equal_width(up["score"], *said.bounds["score"], said.classes)
    return score, mode_grade(counts) if rule == "mode" else round_mean_grade(counts)


def _numbers(
    frame: pd.DataFrame, text: pd.Series, name: str, bounds: tuple[float, float], whole: bool
) -> tuple[np.ndarray, list[Problem]]:
    """A column as numbers, and its cells that are none, or out of range, or not whole where they
    must be."""
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
    problems = []
    for row, picture, (cell, value) in _rows(frame, zip(text, values, strict=True)):
        if math.isnan(value):
            problems.append(Problem(f"{name} is not a number", row, picture, repr(cell)))
        elif not bounds[0] <= value <= bounds[1]:
            expected = f"expected {bounds[0]:g} to {bounds[1]:g}"
            problems.append(Problem(f"{name} out of range", row, picture, f"{cell}, {expected}"))
        elif whole and value % 1:
            problems.append(Problem(f"{name} is not whole", row, picture, cell))
    return values, problems


# ---------------------------------------------------------------- its pictures
def _pictures(raw: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """id, path, group, source, split and row of every picture, and the cells among them that make
    no sense."""
    frame = pd.DataFrame({"id": raw["id"], "path": [_tidy(p) for p in raw["path"]]})
    frame["group"] = raw.get("group", raw["id"])
    frame["source"] = raw.get("source", "")
    given = raw.get("split", pd.Series("", raw.index))
    frame["split"] = given.str.lower().map(SPLIT_NAMES).fillna("")
    frame["row"] = raw.index
    frame = frame.reset_index(drop=True)
    problems = [
        Problem(f"empty {key}", row, name)
        for key in ("id", "group", "source", "split")
        if key in raw
        for row, name, value in _rows(frame, raw[key])
        if not value
    ]
    problems += [
        Problem("unknown split", row, name, f"{value!r}, expected {', '.join(SPLITS)}")
        for row, name, value in _rows(frame, given)
        if value and value.lower() not in SPLIT_NAMES
    ]
    return frame, problems


def _rows(frame: pd.DataFrame, values: Iterable) -> Iterator[tuple[int, str, Any]]:
    return zip(frame["row"], frame["id"], values, strict=True)


def _tidy(path: str) -> str:
    """Forward slashes, no ./ and no //: one spelling a file."""
    return PurePosixPath(path.replace("\\", "/")).as_posix() if path else ""


def _safe(path: str) -> bool:
    """Whether a path stays below the folder it is relative to. (Links inside the folder are its
    owner's choice.)"""
    parts = PurePosixPath(path)
    return (
        not parts.is_absolute()
        and ".." not in parts.parts
        and path[1:2] != ":"
        and "\0" not in path
    )


def _doubled(frame: pd.DataFrame) -> list[Problem]:
    """Ids, and files, that are there twice."""
    problems, ids, files = [], {}, {}  # type: list[Problem], dict[str, int], dict[str, int]
    for row, name, path in _rows(frame, frame["path"]):
        if ids.setdefault(name, row) != row:
            problems.append(Problem("doubled id", row, name, f"also in row {ids[name]}"))
        elif files.setdefault(path, row) != row:
            problems.append(
                Problem("doubled file", row, name, f"{path} is also in row {files[path]}")
            )
    return problems


def _unusable_files(frame: pd.DataFrame, root: Path) -> list[Problem]:
    """Files that are outside the folder, or missing, or empty."""
    problems = []
    for row, name, path in _rows(frame, frame["path"]):
        if not _safe(path):
            problems.append(
                Problem("path outside the folder", row, name, path if path != name else "")
            )
        elif not path and not name:
            continue  # an empty id is a problem of its own
        elif not os.path.isfile(root / path):
            problems.append(Problem("missing file", row, name, path if path != name else ""))
        elif not os.path.getsize(root / path):
            problems.append(Problem("empty file", row, name, path if path != name else ""))
    return problems


def _usable(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The rows whose files are there: these can be decoded, to tell of all problems at once."""
    there = [
        bool(_safe(p)) and os.path.isfile(root / p) and os.path.getsize(root / p) > 0
        for p in frame["path"]
    ]
    return frame[there].reset_index(drop=True)


def _leaks(frame: pd.DataFrame) -> list[Problem]:
    first = frame.drop_duplicates("group").set_index("group")["row"]
    return [
        Problem("group in more than one split", int(first[g]), g, ", ".join(splits))
        for g, splits in shared_groups(frame).items()
    ]


def _merge_duplicates(frame: pd.DataFrame, root: Path) -> list[Problem]:
    """Give pictures with the same bytes one group (in place), so that no two splits share a
    picture; list them."""
    sizes = np.array([os.path.getsize(root / p) for p in frame["path"]])
    candidates = np.flatnonzero(
        pd.Series(sizes).duplicated(keep=False)
    )  # only files of one size can be the same
    first: dict[bytes, int] = {}
    notes = []
    for i in candidates:
        with open(root / frame["path"][i], "rb") as f:
            j = first.setdefault(hashlib.file_digest(f, "sha256").digest(), int(i))
        if i != j:
            found = f"same bytes as {frame['id'][j]}"
            if frame["grade"][i] != frame["grade"][j]:
                found += f", but grade {frame['grade'][i]} and {frame['grade'][j]}"
            notes.append(Problem("duplicate picture", int(frame["row"][i]), frame["id"][i], found))
            frame.loc[frame["group"] == frame["group"][i], "group"] = frame["group"][j]
    return notes


def _extra_files(frame: pd.DataFrame, root: Path, table: Path) -> list[Problem]:
    """Files below root that the table doesn't name; hidden ones and the table itself don't
    count."""
    known, extra = set(frame["path"]), []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(d for d in folders if not d.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            path = file.relative_to(root).as_posix()
            if path not in known and not name.startswith(".") and not file.samefile(table):
                extra.append(Problem("file not in the table", 0, path))
    return extra
