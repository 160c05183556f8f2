"""The command `riqa assess PATH...`: a line a file in the terminal, a table and JSON on request.

Networks are imported where they grade, not before: a mistyped path is answered at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..scales import DETAILS
from . import books
from .inputs import RATE, STATES, check, files, missing
from .printed import print_rows, shortened

__all__ = ["COLUMNS", "check", "command", "flat", "line", "missing"]

COLUMNS = (
    "file",
    "state",
    "grade",
    "confidence",
    *DETAILS,
    "advice",
    "why",
    "reason",
    "width",
    "height",
    "field_confidence",
)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `assess` as one of COLUMNS and p_<grade>: details as probabilities of good, advice
    joined by " | "."""
    out = {c: row.get(c, "") for c in COLUMNS}
    out |= {d: row.get("details", {}).get(d, {}).get("good", "") for d in DETAILS}
    told = row.get("advice", [])
    out |= {"advice": " | ".join(a["say"] for a in told), "why": " | ".join(a["why"] for a in told)}
    return out | {f"p_{w}": p for w, p in row.get("probabilities", {}).items()}


def line(row: dict[str, Any], width: int = 36) -> str:
    """A row of `assess` as a line of the terminal's table.

    >>> line({"file": "a.jpg", "state": "refused", "reason": "no round field"}, width=8)
    'a.jpg     refused: no round field'
    """
    name = shortened(row["file"], width)
    if row["state"] in ("refused", "unreadable"):
        return f"{name:<{width}}  {row['state']}: {row['reason']}"
    grade = row["grade"] or "unsure"
    calls = "".join(f"{c['call']:<13}" for c in row["details"].values())
    told = " | ".join(a["say"] for a in row["advice"])
    return f"{name:<{width}}  {grade:<7} {row['confidence']:<6.2f} {calls}{told}".rstrip()


def command(
    named: Sequence[str],
    run: str | None = None,
    rate: float = RATE,
    csv_file: Path | None = None,
    json_file: Path | None = None,
    workers: int = 2,
    out: IO[str] | None = None,
) -> int:
    """Assess and print the table; CSV and JSON are written whole or not at all. Returns 0, or 1
    where no picture was a fundus. Raises what `check` raises, before torch is imported, a Student
    looked for or anything written; then what `fundus_student.load` raises."""
    check(named, rate, (csv_file, json_file), workers)
    from .fundus_student import load  # torch
    from .grading import assess

    out = out or sys.stdout
    one = load(run, rate)
    total = sum(1 for _ in files(named))
    heads = "".join(f"{d:<13}" for d in DETAILS) if one.about["details_learnt"] else ""
    columns = [*COLUMNS, *(f"p_{grade}" for grade in one.words)]
    with books.opened(csv_file, json_file, columns=columns, flat=flat, about=one.describe()) as add:
        print(
            f"{one.headline()}\n\n{'file':<36}  {'grade':<7} {'prob.':<6} {heads}advice", file=out
        )
        found = assess(named, one, workers=workers)
        return print_rows(found, line, add, out, total=total, states=STATES, desc="assess")
