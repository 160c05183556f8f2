"""The command `riqa score PATH...`: a line a photograph in the terminal, a table and JSON on
request.

Networks are imported where they score, not before: a mistyped path is answered at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any

from . import books
from .inputs import SCORE_RATE, check, look
from .printed import Terminal, called, print_rows
from .taken import Taken
from .unfinished import is_finished, made_by, place_of, unfinished

WIDTH = 36  # of a file's name in the terminal


def line(row: dict[str, Any], width: int = WIDTH) -> str:
    """A row of `photo_scoring.rows` as a line of the terminal's table.

    >>> graded = {"file": "a.jpg", "state": "graded", "score": 7.314, "score_low": 5.9,
    ...           "score_high": 8.42, "likeliest": "good", "confidence": 0.62, "reason": ""}
    >>> line(graded, width=8)
    'a.jpg     7.31    [5.9, 8.42]        good       0.62'
    >>> line({"file": "a.jpg", "state": "unreadable", "reason": "missing file"}, width=8)
    'a.jpg     unreadable: missing file'
    """
    name = called(row, width)
    if row["state"] == "unreadable":
        return f"{name:<{width}}  unreadable: {row['reason']}"
    between = ""
    if row["score_low"] is not None:
        between = f"[{row['score_low']:.3g}, {row['score_high']:.3g}]"
    grade = row["likeliest"] + ("" if row["state"] == "graded" else "?")
    told = f"{row['score']:<7.3g} {between:<18} {grade:<10} {row['confidence']:<5.2f}"
    return f"{name:<{width}}  {told} {row['reason']}".rstrip()


def command(
    paths: Sequence[str],
    run: str | None = None,
    rate: float = SCORE_RATE,
    csv_file: Path | None = None,
    json_file: Path | None = None,
    windows: int = 1,
    workers: int = 2,
    out: IO[str] | None = None,
    *,
    taken: Taken | None = None,
    resume: bool = False,
) -> int:
    """Score and print the table; CSV and JSON are written whole or not at all, and what there is
    when it is stopped is kept beside them (unfinished.py). taken: which files are; resume: go on
    with what is kept. Returns 0, or 1 where no picture could be read. Raises what `check` and
    `look` raise, before torch is imported, a run looked for or anything written; then what
    `photo_runs.load` and `unfinished` raise."""
    check(paths, rate, (csv_file, json_file), workers, windows)
    taken, terminal = taken or Taken(), Terminal(out or sys.stdout)
    if is_finished(resume, terminal, csv_file, json_file):
        return 0
    found = look(paths)
    from .apart import apart
    from .photo_runs import load  # torch
    from .photo_scoring import columns, flat, rows

    one = load(run, rate)
    made = made_by(one, run, windows=windows, **asdict(taken))
    head = f"{'file':<{WIDTH}}  {'score':<7} {'':<18} {'grade':<10} prob."
    terminal.say(f"{one.headline()}\n\n{head}")
    with unfinished(place_of(csv_file, json_file), made, resume) as kept:
        how: dict[str, Any] = {"windows": windows, "workers": workers, "taken": taken}
        status = print_rows(
            kept.added(rows(paths, one, **how, call=kept.stamped(apart), known=kept.known)),
            line,
            terminal,
            total=found.files - kept.files,
            states=("graded", "abstained", "unreadable"),
            desc="score",
            last=found.told(),
            only_shown=csv_file is None and json_file is None,
            first=kept.told(),
            before=kept.states,
        )
        with books.opened(
            csv_file,
            json_file,
            columns=columns(one),
            flat=partial(flat, one=one),
            about=one.describe(),
        ) as add:
            for row in kept:
                add(row)
    return status
