"""Grades given by hand, one line each, in a CSV that only ever grows:
id,grade,labeller,seconds,when.

The last line of a picture and labeller counts. A line with an empty grade takes the grade back, so
nothing is deleted. A line is on disk before the next picture is shown; a kill in the middle of a
line costs that line only."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from ..scales import PHOTO_GRADES
from .problems import FolderError, Problem, table_of

COLUMNS = ("id", "grade", "labeller", "seconds", "when")


def _line(values: list[object]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue().encode()


def append(file: Path | str, row: dict[str, object], classes: int = len(PHOTO_GRADES)) -> None:
    """Add one line (keys COLUMNS; grade 0..classes-1) and have it on disk; the header comes first.
    Several processes may add at once.

    A last line without its end (torn by a kill) is moved to FILE.torn, with a warning. Raises
    OSError (disk full) with every whole line as it was; ValueError for what `read` would refuse, a
    line break, or a file with another header."""
    file = Path(file)
    _refuse(file, row, classes)
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = locked(file)
    try:
        old = file.read_bytes()
        kept = old.rfind(b"\n") + 1
        head = _line(list(COLUMNS))
        if kept and old[: old.find(b"\n") + 1].replace(b"\r\n", b"\n") != head:
            raise ValueError(
                f"{paths.shown(file)}: row 1: expected {head.decode().strip()}; "
                "it is left as it was"
            )
        if old[kept:]:
            _set_aside(file, old[kept:])
            os.ftruncate(handle, kept)
        _write(file, handle, kept, (b"" if kept else head) + _line([row[c] for c in COLUMNS]))
    finally:
        os.close(handle)


def _refuse(file: Path, row: dict[str, object], classes: int) -> None:
    """ValueError for what `read` would refuse, or would read as several lines."""
    if any("\n" in str(row[c]) or "\r" in str(row[c]) for c in COLUMNS):
        raise ValueError(f"{paths.shown(file)}: a value has a line break: {row}")
    grade = row["grade"]
    if grade != "" and (isinstance(grade, bool) or grade not in range(classes)):
        raise ValueError(
            f"{paths.shown(file)}: grade {grade!r}: expected 0 to {classes - 1}, or nothing"
        )
    seconds = pd.to_numeric(str(row["seconds"]), errors="coerce")
    if not (str(row["id"]).strip() and str(row["labeller"]).strip() and 0 <= seconds < np.inf):
        raise ValueError(
            f"{paths.shown(file)}: expected an id, a labeller and seconds from 0 on: {row}"
        )


def _write(file: Path, handle: int, kept: int, data: bytes) -> None:
    """Put data behind the first `kept` bytes, and on the disk; all of it, or nothing."""
    try:
        os.lseek(handle, kept, os.SEEK_SET)
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, kept)
        if not kept:
            file.unlink()
        raise


def locked(file: Path) -> int:
    """The file (made where there is none), open and locked until it is closed: the one that bears
    the name now, not one that a failed first line took away meanwhile."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if file.exists() and os.path.samestat(os.fstat(handle), file.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _set_aside(file: Path, torn: bytes) -> None:
    aside = file.with_name(file.name + ".torn")
    with open(aside, "ab") as f:
        f.write(torn + b"\n")
        f.flush()
        os.fsync(f.fileno())
    words = f"{paths.shown(file)}: its last line was cut off; {torn[:60]!r} is now in {aside.name}"
    warnings.warn(words, UserWarning, stacklevel=3)  # of who called append


def resolved(text: pd.DataFrame) -> pd.DataFrame:
    """The lines that count: the last of each id and labeller, without those taken back, in their
    order."""
    last = text.drop_duplicates(["id", "labeller"], keep="last")
    return last[last["grade"] != ""]


def lines(file: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """All whole lines as text, indexed by row, and what is wrong with their form; a torn last line
    is left out, with a warning."""
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        warnings.warn(
            f"{paths.shown(file)}: its last line was cut off and is left out",
            UserWarning,
            stacklevel=3,
        )
    text, problems = table_of(whole, "utf-8", ",", list(COLUMNS))
    return text, [p for p in problems if p.kind not in ("no rows", "empty table")]


def read(file: Path | str, classes: int = len(PHOTO_GRADES)) -> pd.DataFrame:
    """The grades that count: id, grade (0..classes-1), labeller, seconds, when; one row per picture
    and labeller; none where there is no file. A torn last line is left out, with a warning.

    Raises FolderError with every line that is wrong, by its row."""
    file = Path(file)
    none = pd.DataFrame(
        {c: pd.Series(dtype=t) for c, t in zip(COLUMNS, (str, int, str, float, str), strict=True)}
    )
    if not file.exists() or not file.stat().st_size:
        return none
    text, problems = lines(file)
    if problems and not {*COLUMNS} <= {*text}:
        raise FolderError(paths.shown(file), problems)
    if not len(text):
        return none
    grade, seconds = (pd.to_numeric(text[c], errors="coerce") for c in ("grade", "seconds"))
    problems += _wrong_cells(text, grade, seconds, classes)
    if problems:
        raise FolderError(paths.shown(file), problems)
    found = resolved(text)
    return found.assign(grade=grade[found.index].astype(int), seconds=seconds[found.index])[
        list(COLUMNS)
    ].reset_index(drop=True)


def _wrong_cells(
    text: pd.DataFrame, grade: pd.Series, seconds: pd.Series, classes: int
) -> list[Problem]:
    problems = []
    for row, name, cell, time, who in zip(
        text.index, text["id"], text["grade"], text["seconds"], text["labeller"], strict=True
    ):
        if cell != "" and grade[row] not in range(classes):
            found = f"{cell!r}, expected 0 to {classes - 1} or nothing"
            problems.append(Problem("not a grade", row, name, found))
        if not (np.isfinite(seconds[row]) and seconds[row] >= 0):
            problems.append(Problem("not a time", row, name, f"{time!r}, expected seconds"))
        if not name or not who:
            problems.append(Problem("nameless", row, name, "expected an id and a labeller"))
    return problems
