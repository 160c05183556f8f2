"""Any folder of pictures with a table of scores, grades or votes: checked, and made into a frame.

    frame = read_folder("photos", "scores.csv", id="image_name", score="MOS", low=0, high=1)

The table's column names, its range and its direction are declared, never guessed. Everything wrong
with the table and its files is reported at once, in one FolderError. Whether a file can be decoded
is found later, by riqa_lib.pictures.decode."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import contents, paths
from .declaration import Declaration
from .file_matching import Files, match, safe, tidy
from .long_ratings import one_row_each
from .own_scores import Measured, is_measure, measured, rows, scores_and_grades, without_votes
from .own_splits import POOL, completed, leaks, unscored_pool
from .own_table import read_own_table
from .problems import FolderError, Problem, listed
from .splits import SPLITS

SPLIT_NAMES = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}
BAD = ("stop", "skip")  # what becomes of a row without its file
COLUMNS = ["id", "path", "group", "source", "split", "grade", "score", "row"]


# ---------------------------------------------------------------- the table
def read_folder(
    root: Path | str, table: Path | str, *, bad: str = "stop", **declared: Any
) -> pd.DataFrame:
    """Read a table and check it against the files in `root`; one row a picture, in the table's
    order.

    bad: "stop" at files that are missing or empty (an error names them all), or "skip": leave them
    out, with a note of each. declared: the fields of `declaration.Declaration`.

    **Columns of the table**, by name:
        id      unique name of a picture; also its file below root, unless another column `path`
                has that
        score   a number in [low, high]
        grade   a whole number in [low, high] (0..classes-1 where these are not given, or belong
                to a score), or one of names
        votes   one column a class, worst first: counts, or shares of the column `total`
        rater   who gave the score or grade, in a table with one row per rater and picture (the
                labelling tool's own labels.csv: id="id", grade="grade", rater="labeller")
        group   content or patient: never shared between splits; each picture its own where there
                is none
        source  where the picture comes from: its subset, collection, camera (for results per
                source; what knows only this is a row that a network has to beat)
        split   train, val, test or pool; where there is none: floor_split by class with
                `fractions` (0.8, 0.1, 0.1) and `seed` (0)
    **What its numbers mean.** higher_is_better: direction of score and grade; False turns them
    round, so that in the result higher is better. classes: how many grades, 2 to 10 (5). names:
    what they are called, worst first (["bad", "good"]). rule: how grades are made: "mode" or
    "round_mean" of the votes, "equal_width" bins of the score, "given" as they are; by default the
    first that the table allows of mode, given, equal_width. aggregate: what is made of several
    raters: their "mean" (of a score, by default) or their "votes" (of grades, by default; of a
    score where it is whole, one number a class).
    **Pictures without a score.** Where score, grade and votes are all empty (or NA, N/A, NaN,
    null, none), the picture is in the pool: split pool, grade -1, score NaN; what is in a
    validation or test picture's group is left out. pool: True makes every picture below root that
    the table doesn't name one too, its path its id. A score in a row of split pool is not used
    (with a note): neither learnt from nor judged by.
    **The table's file**: text, .xlsx or Parquet (with pyarrow: the extra riqa[parquet]). encoding
    ("utf-8"; "ansi" is cp1252; a byte order mark decides). separator: one character or tab, comma,
    semicolon, pipe, space; not declared: what Excel's first line `sep=` says, else that of comma,
    semicolon, tab, | and blank under which the header has the declared columns. decimal: "." or
    ",". header: False where there is none: columns are then declared by number, from 1 on; or all
    of their names. sheet: a workbook's tab, by name or number from 1 on (the first).

    **Files** are found as written, and where that is unambiguous in other case, in the other
    Unicode form (NFC, NFD), without their ending, with `root` in front, or absolute.

    Returns columns id, path (as on disk), group, source, split, grade (0..classes-1; -1 in the
    pool), score (NaN where the table has none; with votes only, their mean, 1..classes; of several
    raters their mean, on their range), row (line of the table's file; 1 is the header; 0: not in
    the table). frame.attrs["scale"]: the score's column, low, high, higher_is_better, grades (their
    names), rule. frame.attrs["notes"], also warned about: files not in the table, duplicate
    pictures (same bytes: kept in one group; left out of the pool where the other one has a score),
    files that were found under another name, how many have no score, how ratings were put together.
    Raises FolderError (a ValueError) with every problem; FileNotFoundError without table or root;
    ValueError for a declaration that makes no sense; TypeError, listing what is allowed, for an
    unknown word in it; ImportError for Parquet without pyarrow.

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
    said = Declaration.of(declared)
    root, table = _there(Path(paths.typed(root)), Path(paths.typed(table)), bad)
    raw, problems, notes = _cells(table, said)
    raw, found, told = _said(raw, said)
    notes += told
    frame, wrong = _pictures(raw, found.said)
    files = Files(root)
    frame["path"], unusable, told = match(files, frame["path"], frame["id"], frame["row"])
    notes += told
    if bad == "skip":
        keep, told = _found(frame, unusable)
        contents.note(*(root / path for path in frame["path"][~keep]))  # they may be mended
        raw, frame, found = raw[keep], frame[keep].reset_index(drop=True), found.only(keep)
        notes, unusable = notes + told, [] if told else unusable
    problems += wrong + _doubled(frame, said) + unusable + found.problems
    problems = problems or without_votes(raw, found, said) or _nothing_said(frame, found, said)
    if problems:
        raise FolderError(paths.shown(table), problems, _usable(frame, root))
    frame["score"], frame["grade"] = scores_and_grades(found, said)
    notes += unscored_pool(frame)
    frame, told = completed(frame, files, table, said)
    notes += told
    if leaking := leaks(frame):
        raise FolderError(paths.shown(table), leaking + notes, frame)
    if notes:
        warnings.warn(
            f"{paths.shown(table)}: worth knowing\n{listed(notes)}", UserWarning, stacklevel=2
        )
    frame.attrs["notes"] = [list(n) for n in notes]
    frame.attrs["scale"] = said.scale
    return frame[COLUMNS]


def _there(root: Path, table: Path, bad: str) -> tuple[Path, Path]:
    if bad not in BAD:
        raise ValueError(f"bad = {bad!r}: expected {' or '.join(BAD)}")
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder of pictures")
    if not table.is_file():
        raise FileNotFoundError(f"{table}: no such table")
    return root, table


def _cells(table: Path, said: Declaration) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
    """The declared columns that the table has, as text, under what they are; what is wrong with its
    form; notes. FolderError where nothing can be said of the pictures."""
    wanted = said.columns
    text, problems, notes = read_own_table(table, said)
    needed = {wanted["id"], wanted["path"]} | (
        {wanted["rater"]} if said.rater is not None else set()
    )
    if not needed <= set(text):
        raise FolderError(paths.shown(table), problems)
    there = {k: text[name] for k, name in wanted.items() if name in text}
    return pd.DataFrame(there), problems, notes


def _said(raw: pd.DataFrame, said: Declaration) -> tuple[pd.DataFrame, Measured, list[Problem]]:
    """The table with one row a picture, its numbers, and notes."""
    if said.rater is not None and any(is_measure(key) for key in raw):
        return one_row_each(raw, said)
    return raw, measured(raw, said), []


def _nothing_said(frame: pd.DataFrame, found: Measured, said: Declaration) -> list[Problem]:
    names = ", ".join(name for key, name in said.columns.items() if is_measure(key))
    if not found.said.any():
        return [
            Problem("no scores", 0, "", f"{names} is empty in every row: nothing to learn from")
        ]
    if (frame.loc[found.said, "split"] == POOL).all():
        return [Problem("no scores", 0, "", f"every row that has {names} is in the pool")]
    return []


# ---------------------------------------------------------------- its pictures
def _pictures(raw: pd.DataFrame, scored: np.ndarray) -> tuple[pd.DataFrame, list[Problem]]:
    """id, path, group, source, split and row of every picture, and the cells among them that make
    no sense. scored: bool (N,); what has no score is in the pool, and may say nothing else."""
    frame = pd.DataFrame({"id": raw["id"], "path": [tidy(p) for p in raw["path"]]})
    frame["group"] = raw.get("group", raw["id"])
    frame["group"] = frame["group"].where((frame["group"] != "") | scored, frame["id"])
    frame["source"] = raw.get("source", "")
    frame["row"] = raw.index
    problems = [
        Problem(f"empty {key}", row, name)
        for key in ("id", "group", "source", "split")
        if key in raw
        for row, name, value in rows(raw[scored | (key == "id")], raw[key][scored | (key == "id")])
        if not value
    ]
    frame["split"], unusable = _splits(raw, scored)
    return frame.reset_index(drop=True), problems + unusable


def _splits(raw: pd.DataFrame, scored: np.ndarray) -> tuple[pd.Series, list[Problem]]:
    """The declared split of each picture ("" for none; the pool for one without a score), and cells
    that are no split, or not of what has no score."""
    if "split" not in raw:
        return pd.Series("", raw.index).where(scored, POOL), []
    split = raw["split"].str.lower().map(SPLIT_NAMES).fillna("")
    problems = [
        Problem("unknown split", row, name, f"{value!r}, expected {', '.join(SPLITS)}")
        for row, name, value in rows(raw[split == ""], raw["split"][split == ""])
        if value
    ]
    wrong = ~scored & ~split.isin(["", POOL])
    problems += [
        Problem("no score", row, name, f"split {value}; without a score a picture is in the pool")
        for row, name, value in rows(raw[wrong], split[wrong])
    ]
    return split.where(scored, POOL), problems


def _doubled(frame: pd.DataFrame, said: Declaration) -> list[Problem]:
    """Ids, and files, that are there twice."""
    problems, ids, files = [], {}, {}  # type: list[Problem], dict[str, int], dict[str, int]
    hint = "; one row per rater and picture? declare rater=" if said.rater is None else ""
    for row, name, path in zip(frame["row"], frame["id"], frame["path"], strict=True):
        if ids.setdefault(name, row) != row:
            problems.append(Problem("doubled id", row, name, f"also in row {ids[name]}{hint}"))
            hint = ""  # said once
        elif files.setdefault(path, row) != row:
            found = f"{path} is also in row {files[path]}"
            problems.append(Problem("doubled file", row, name, found))
    return problems


def _found(frame: pd.DataFrame, unusable: list[Problem]) -> tuple[np.ndarray, list[Problem]]:
    """Which pictures have a file that can be used, bool (N,), and a note of each other one; all,
    and no note, where none has."""
    keep = ~frame["row"].isin([p.row for p in unusable]).to_numpy(bool)
    if not keep.any():
        return ~keep, []
    return keep, [p._replace(kind=f"left out: {p.kind}") for p in unusable]


def _usable(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The rows whose files are there: these can be decoded, to tell of all problems at once."""
    there = [
        bool(safe(p)) and os.path.isfile(root / p) and os.path.getsize(root / p) > 0
        for p in frame["path"]
    ]
    return frame[there].reset_index(drop=True)
