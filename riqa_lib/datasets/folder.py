"""Any folder of pictures with a table of scores, grades or votes: checked, and made into a frame.

    frame = read_folder("photos", "scores.csv", id="image_name", score="MOS", low=0, high=1)

The table's column names, its range and its direction are declared, never guessed. Everything wrong
with the table and its files is reported at once, in one FolderError. Whether a file can be decoded
is found later, by riqa_lib.pixels."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from .. import paths
from ..stats.votes import equal_width, mode_grade, round_mean_grade
from .problems import FolderError, Problem, listed, read_text
from .splits import SPLITS, floor_split, shared_groups

SPLIT_NAMES = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}


# ---------------------------------------------------------------- the table
def read_folder(
    root: Path | str,
    table: Path | str,
    *,
    id: str,
    score: str | None = None,
    grade: str | None = None,
    votes: Sequence[str] = (),
    total: str | None = None,
    path: str | None = None,
    group: str | None = None,
    source: str | None = None,
    split: str | None = None,
    low: float | None = None,
    high: float | None = None,
    higher_is_better: bool = True,
    classes: int = 5,
    rule: str | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    encoding: str = "utf-8",
    separator: str = ",",
) -> pd.DataFrame:
    """Read a table and check it against the files in `root`; one row a picture, in the table's
    order.

    Columns of the table, by name:
        id      unique name of a picture; also its file below root, unless another column `path` has that
        score   a number in [low, high]
        grade   a whole number in [low, high] (0..classes-1 where these are not given, or belong to a score)
        votes   one column a class, worst first: counts, or shares of the column `total`
        group   content or patient: never shared between splits; each picture its own where there is none
        source  where the picture comes from (for results per source)
        split   train, val, test or pool; where there is none: floor_split by class with `fractions` and `seed`
    higher_is_better: direction of score and grade; False turns them round, so that in the result
    higher is better. rule: how grades are made: "mode" or "round_mean" of the votes, "equal_width"
    bins of the score, "given" as they are. By default the first that the table allows of mode,
    given, equal_width.

    Returns columns id, path, group, source, split, grade (0..classes-1), score (NaN where the table
    has none; with votes only, their mean, 1..classes), row (line of the table's file; 1 is the
    header). Files not in the table and duplicate pictures (same bytes, kept in one group) are
    warned about and listed in frame.attrs["notes"]. Raises FolderError (a ValueError) with every
    problem; FileNotFoundError without table or root; ValueError for a declaration that makes no
    sense."""
    root, table = Path(root), Path(table)
    rule = _rule(rule, score, grade, votes, classes)
    bounds = _bounds(low, high, score, grade, classes)
    if not root.is_dir():
        raise FileNotFoundError(f"{paths.shown(root)}: no such folder of pictures")
    if not table.is_file():
        raise FileNotFoundError(f"{paths.shown(table)}: no such table")
    named = {
        "id": id,
        "path": path or id,
        "group": group,
        "source": source,
        "split": split,
        "score": score,
        "grade": grade,
        "total": total,
    } | {f"vote {v}": v for v in votes}
    wanted = {key: name for key, name in named.items() if name is not None}
    text, problems = read_text(table, encoding, separator, list(wanted.values()))
    if not {wanted["id"], wanted["path"]} <= set(text):
        raise FolderError(paths.shown(table), problems)

    raw = pd.DataFrame({key: text[name] for key, name in wanted.items() if name in text})
    frame, found = _pictures(raw)
    problems += found + _doubled(frame) + _unusable_files(frame, root)
    numbers = {}
    for key in [k for k in raw if k in ("score", "grade", "total") or k.startswith("vote ")]:
        numbers[key], found = _numbers(
            frame, raw[key], wanted[key], bounds.get(key, (0, math.inf)), key == "grade"
        )
        problems += found
    counts = np.array([])
    if votes and not problems:
        counts = np.column_stack([numbers[f"vote {v}"] for v in votes])
        counts = counts * numbers["total"][:, None] if total is not None else counts
        problems += [
            Problem("no votes", row, name)
            for row, name, n in _rows(frame, counts.sum(axis=1))
            if n == 0
        ]
    if problems:
        there = [
            bool(_safe(p)) and os.path.isfile(root / p) and os.path.getsize(root / p) > 0
            for p in frame["path"]
        ]
        raise FolderError(paths.shown(table), problems, frame[there].reset_index(drop=True))

    if not higher_is_better:
        numbers |= {
            key: sum(bounds[key]) - numbers[key] for key in ("score", "grade") if key in numbers
        }
    if "score" in numbers:
        frame["score"] = numbers["score"]
    else:
        frame["score"] = (
            counts @ np.arange(1, classes + 1) / counts.sum(axis=1) if votes else np.nan
        )
    if rule == "given":
        frame["grade"] = (numbers["grade"] - bounds["grade"][0]).astype(int)
    elif rule == "equal_width":
        frame["grade"] = equal_width(
            frame["score"], bounds["score"][0], bounds["score"][1], classes
        )
    else:
        frame["grade"] = mode_grade(counts) if rule == "mode" else round_mean_grade(counts)

    notes = _merge_duplicates(frame, root) + _extra_files(frame, root, table)
    if split is None:
        frame["split"] = floor_split(frame["grade"], frame["group"], fractions, seed)
    leaks = shared_groups(frame)
    if leaks:
        first = frame.drop_duplicates("group").set_index("group")["row"]
        found = [
            Problem("group in more than one split", int(first[g]), g, ", ".join(s))
            for g, s in leaks.items()
        ]
        raise FolderError(paths.shown(table), found + notes, frame)
    if notes:
        warnings.warn(
            f"{paths.shown(table)}: worth knowing\n{listed(notes)}", UserWarning, stacklevel=2
        )
    frame.attrs["notes"] = [list(n) for n in notes]
    return frame[["id", "path", "group", "source", "split", "grade", "score", "row"]]


def _rule(
    rule: str | None, score: str | None, grade: str | None, votes: Sequence[str], classes: int
) -> str:
    """The rule for grades that the declared columns allow."""
    allowed = [
        *(["mode", "round_mean"] if votes else []),
        *(["given"] if grade else []),
        *(["equal_width"] if score else []),
    ]
    if not allowed:
        raise ValueError(
            "declare at least one of score=, grade=, votes=: the columns that say how good a picture is"
        )
    if rule is not None and rule not in allowed:
        raise ValueError(f"rule {rule!r}: the declared columns allow {', '.join(allowed)}")
    if votes and len(votes) != classes:
        raise ValueError(
            f"votes names {len(votes)} columns, expected one for each of {classes} classes"
        )
    if classes < 2:
        raise ValueError(f"classes = {classes}: expected at least 2")
    return rule or allowed[0]


def _bounds(
    low: float | None, high: float | None, score: str | None, grade: str | None, classes: int
) -> dict[str, tuple[float, float]]:
    """The declared range of the score and of the grade."""
    scores = grades = (0.0, classes - 1.0)
    if score and (low is None or high is None):
        raise ValueError(
            f"declare the range of {score}: low= and high= (of the scale, not of the scores seen)"
        )
    if (low is None) != (high is None) or (low is not None and high is not None and not low < high):
        raise ValueError(f"low = {low}, high = {high}: expected two numbers, low < high")
    if low is not None and high is not None:
        scores, grades = (low, high), grades if score else (low, high)
    if grade and grades[1] - grades[0] != classes - 1:
        raise ValueError(
            f"grades from {grades[0]} to {grades[1]} are not {classes} classes; declare classes="
        )
    return {"score": scores, "grade": grades}


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
        for key in ("id", "group", "split")
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
            other = f", but grade {frame['grade'][i]} and {frame['grade'][j]}"
            found = f"same bytes as {frame['id'][j]}{other if frame['grade'][i] != frame['grade'][j] else ''}"
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
