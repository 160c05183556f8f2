"""The command `riqa assess PATH...`: a line a file in the terminal, a table, JSON, a page and
overlays on request; or the same of a folder, as pictures arrive in it.

Networks are imported where they grade, not before: a mistyped path is answered at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .. import bars
from ..scales import DETAILS
from .apart import apart
from .books import opened
from .inputs import RATE, STATES, Found, check, look, missing
from .printed import Terminal, called, print_rows
from .spool import Spool, order
from .taken import Taken
from .unfinished import is_finished, made_by, place_of, unfinished
from .wanted import Wanted

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["COLUMNS", "check", "command", "flat", "line", "missing"]

COLUMNS = (
    "file",
    "page",
    "patient",
    "eye",
    "taken",
    "camera",
    "state",
    "grade",
    "likeliest",
    "score",
    "confidence",
    "distance",
    *DETAILS,
    "advice",
    "why",
    "reason",
    "width",
    "height",
    "field_confidence",
)
Row = dict[str, Any]


def flat(row: Row) -> Row:
    """A row of `assess` as one of COLUMNS and p_<grade>: details as probabilities of good, advice
    joined by " | "."""
    out = {c: row.get(c, "") for c in COLUMNS}
    out |= {d: row.get("details", {}).get(d, {}).get("good", "") for d in DETAILS}
    told = row.get("advice", [])
    out |= {"advice": " | ".join(a["say"] for a in told), "why": " | ".join(a["why"] for a in told)}
    return out | {f"p_{w}": p for w, p in row.get("probabilities", {}).items()}


def line(row: Row, width: int = 36) -> str:
    """A row of `assess` as a line of the terminal's table; a grade that it doesn't answer for with
    a question mark.

    >>> line({"file": "a.jpg", "state": "refused", "reason": "no round field"}, width=8)
    'a.jpg     refused: no round field'
    """
    name = called(row, width)
    if row["state"] in ("refused", "unreadable"):
        return f"{name:<{width}}  {row['state']}: {row['reason']}"
    grade = row["grade"] or f"{row['likeliest']}?"
    calls = "".join(f"{c['call']:<13}" for c in row["details"].values())
    told = " | ".join(a["say"] for a in row["advice"])
    return f"{name:<{width}}  {grade:<7} {row['confidence']:<6.2f} {calls}{told}".rstrip()


def command(
    paths: Sequence[str],
    run: str | None = None,
    rate: float = RATE,
    csv_file: Path | None = None,
    json_file: Path | None = None,
    workers: int = 2,
    out: IO[str] | None = None,
    *,
    wanted: Wanted | None = None,
    watch: Path | None = None,
    stop: Callable[[], bool] | None = None,
    how: Mapping[str, Any] | None = None,
    taken: Taken | None = None,
    resume: bool = False,
) -> int:
    """Assess and print the table; every file is written whole or not at all, and rows of a table
    that is stopped are kept beside it (unfinished.py). wanted: what else is asked for; watch: a
    folder to watch instead of paths, until `stop` says so, or Ctrl-C; how: what
    `fundus_student.load` takes; taken: which files are; resume: go on with what is kept.

    Returns 0; 1 where no picture was a fundus; RETAKE where strict is wanted and something must be
    taken again. Raises what `check` and `look` raise, before torch is imported, a Student looked
    for or anything written; then what `load` and `unfinished` raise."""
    wanted = replace(wanted or Wanted(), csv=csv_file, json=json_file)
    named = [str(watch)] if watch is not None else list(paths)
    check_all(named, rate, wanted, workers, watch, resume)
    taken, terminal = taken or Taken(), Terminal(out or sys.stdout)
    if is_finished(resume, terminal, csv_file, json_file):
        return 0
    found = None if watch is not None else look(named)
    from .desk import Desk
    from .fundus_student import load  # torch

    one = load(run, rate, **(how or {}))
    heads = "".join(f"{d:<13}" for d in DETAILS) if one.about["details_learnt"] else ""
    terminal.say(f"{one.headline()}\n\n{'file':<36}  {'grade':<7} {'prob.':<6} {heads}advice")
    desk = Desk(one, wanted, workers, taken)
    if found is None:
        from .watch import watched

        watched(named[0], desk, partial(written, desk), line, terminal, stop)
        return desk.status()
    _tables(desk, named, found, terminal, made_by(one, run, **asdict(taken)), resume)
    return desk.status()


def _tables(
    desk: Desk, named: Sequence[str], found: Found, terminal: Terminal, made: Row, resume: bool
) -> None:
    """Assess and print, and write all files. made: which model and settings make the rows."""
    wanted = desk.wanted
    told: dict[str, Any] = {"desc": "assess", "last": found.told()}
    told["only_shown"] = not any((*wanted.files, wanted.overlays))
    place = place_of(wanted.csv, wanted.json)
    page = "--report" if wanted.report is not None else ""
    with unfinished(place, made, resume, page) as kept, desk.page_written():
        for row in kept:
            desk.patients.add(row)
        rows = kept.added(desk.rows(named, kept.known, kept.stamped(apart)))
        total = found.files - kept.files
        if wanted.sort:
            rows = in_order(rows, wanted.sort, total)
        told |= {"first": kept.told(), "before": kept.states}
        print_rows(rows, line, terminal, total=total, states=STATES, **told)
        with books_of(desk) as add:
            for row in in_order(kept, wanted.sort) if wanted.sort else kept:
                add(row)


def check_all(
    named: Sequence[str],
    rate: float,
    wanted: Wanted,
    workers: int,
    watch: Path | None,
    resume: bool = False,
) -> None:
    """Raise what `inputs.check` and `overlays.check_folder` raise; ValueError for what can't be
    watched, or resumed."""
    check(named, rate, wanted.files, workers)
    if resume and (watch is not None or wanted.report is not None):
        raise ValueError(
            "--resume goes on with tables alone: leave out --report, whose page needs another run "
            "that looks at every picture, and --watch, which looks at all that is there"
        )
    if watch is not None and not watch.is_dir():
        raise ValueError(f"{watch}: expected a folder to watch")
    if wanted.overlays is not None:
        from .overlays import check_folder  # Pillow

        check_folder(wanted.overlays, named)


def books_of(desk: Desk) -> AbstractContextManager[Callable[[Row], None]]:
    """`books.opened` for the rows of a desk."""
    columns = [*COLUMNS, *(f"p_{grade}" for grade in desk.one.words)]
    csv_file, json_file, _ = desk.wanted.files
    return opened(csv_file, json_file, columns=columns, flat=flat, about=desk.one.describe())


def written(desk: Desk, rows: Iterable[Row]) -> None:
    """Write all files anew, with these rows."""
    with books_of(desk) as add, desk.page_written():
        for row in rows:
            add(row)


def in_order(rows: Iterable[Row], by: str, total: int | None = None) -> Iterator[Row]:
    """The rows sorted (spool.order), once all of them have come; total: of new ones, for a bar."""
    spool = Spool()
    if total is not None:
        rows = bars.bar(rows, total=total, unit="picture", desc="assess", leave=False)
    for row in rows:
        spool.add(row["file"], json.dumps(row), order(row, by))
    yield from map(json.loads, spool)
