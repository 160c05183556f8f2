"""The command `riqa assess PATH...`: a line a file in the terminal, a table and JSON on request."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from .. import store
from ..scales import DETAILS
from .grading import RATE, STATES, assess, files, load

# ---------------------------------------------------------------- the command
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
    """A row of `assess` as a line of the terminal's table."""
    name = row["file"] if len(row["file"]) <= width else "..." + row["file"][3 - width :]
    if row["state"] in ("refused", "unreadable"):
        return f"{name:<{width}}  {row['state']}: {row['reason']}"
    calls = "".join(f"{c['call']:<13}" for c in row["details"].values())
    told = " | ".join(a["say"] for a in row["advice"])
    return f"{name:<{width}}  {row['grade'] or 'unsure':<7} {row['confidence']:<6.2f} {calls}{told}".rstrip()


class _Json:
    """A JSON file written row by row: {"about": ..., "pictures": [...]}."""

    def __init__(self, out: IO[str], about: dict[str, object]) -> None:
        self.out, self.first = out, True
        out.write('{"about": ' + json.dumps(about, ensure_ascii=False) + ',\n"pictures": [')

    def add(self, row: dict[str, Any]) -> None:
        self.out.write(
            ("\n" if self.first else ",\n") + json.dumps(row, ensure_ascii=False, allow_nan=False)
        )
        self.first = False

    def close(self) -> None:
        self.out.write("\n]}\n")


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
    where no picture was a fundus."""
    out = out or sys.stdout
    one = load(run, rate)
    total = sum(1 for _ in files(named))
    counts = dict.fromkeys(STATES, 0)
    with ExitStack() as stack:
        table = book = None
        if csv_file:
            part = stack.enter_context(store.replacing(csv_file))
            text = stack.enter_context(open(part, "w", encoding="utf-8", newline=""))
            table = csv.DictWriter(
                text, [*COLUMNS, *(f"p_{w}" for w in one.words)], lineterminator="\n"
            )
            table.writeheader()
        if json_file:
            part = stack.enter_context(store.replacing(json_file))
            book = _Json(stack.enter_context(open(part, "w", encoding="utf-8")), one.describe())
        heads = "".join(f"{d:<13}" for d in DETAILS) if one.about["details_learnt"] else ""
        print(
            f"{one.headline()}\n\n{'file':<36}  {'grade':<7} {'prob.':<6} {heads}advice", file=out
        )
        for row in tqdm(
            assess(named, one, workers=workers),
            total=total,
            unit="picture",
            desc="assess",
            disable=None,
        ):
            counts[row["state"]] += 1
            with tqdm.external_write_mode(file=out):
                print(line(row), file=out)
            if table:
                table.writerow(flat(row))
            if book:
                book.add(row)
        if book:
            book.close()
    print("\n" + ", ".join(f"{n} {state}" for state, n in counts.items()), file=out)
    return int(counts["graded"] + counts["abstained"] == 0)
