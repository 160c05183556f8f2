"""The command `riqa calibrate LABELS PICTURES...`: what a calibration on one's own labelled
pictures promises, how well it does on pictures that it was not made from, and what it was before.

Networks are imported where they grade, not before: a mistyped path is answered at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .. import paths
from ..scales import DETAILS
from .inputs import RATE, check, shown

if TYPE_CHECKING:
    from .calibrating import Calibrated

EXAMPLES = """examples
  riqa calibrate labels.csv photos/
  riqa calibrate labels.xlsx photos/ --out clinic --rate 0.2
  riqa assess more/ --calibrated clinic

LABELS: a table with the columns file and grade (the Student's words, or 0, 1, ..., 0 the
worst), and where there are any illumination, clarity, contrast (good or bad) and patient.
About fifty pictures, taken as they come, not chosen.

Exit status 1: it failed, or the labels show too little for any promise."""
SHOWN = 10  # pictures that could not be graded, by name
WIDE = 30  # of a column


def options(own: argparse.ArgumentParser) -> None:
    """Add what may be typed after `riqa calibrate`."""
    add = own.add_argument
    add("labels", type=Path, metavar="LABELS", help="table of labels (.csv, .tsv, .xlsx)")
    add("path", nargs="+", metavar="PICTURES", help="files, folders or globs")
    add("--run", help="a Student's folder, or its name in results/runs (default: as riqa assess)")
    add("--out", default="", metavar="NAME", help="what to call it (default: date and labels)")
    add("--rate", type=float, default=RATE, help="error promised among the answered (default 0.1)")
    add("--workers", type=int, default=2, help="threads that decode and crop (default: 2)")


def error_line(told: dict[str, Any]) -> str:
    """The error among the answered in its interval, in words.

    >>> error_line({"of": 40, "wrong": 2, "error": 0.05, "between": [0.0061, 0.1692]})
    '5% (2 of 40; 1% to 17%)'
    """
    if told["error"] is None:
        return "(nothing answered)"
    low, high = told["between"]
    return f"{told['error']:.0%} ({told['wrong']} of {told['of']}; {low:.0%} to {high:.0%})"


def sure_line(told: dict[str, Any]) -> str:
    """Over-confidence in its interval, in points.

    >>> sure_line({"too_sure": 0.123, "too_sure_between": [-0.02, 0.26]})
    '+12 points (-2 to +26)'
    """
    low, high = told["too_sure_between"]
    return f"{100 * told['too_sure']:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})"


def _rows(how: dict[str, Any], word: str) -> Iterator[str]:
    """A few lines that compare: as it was, and calibrated, held out."""
    sides = how["before"], how["calibrated"]
    for name, texts in (
        (word, [f"{told['coverage']:.0%}" for told in sides]),
        ("  wrong of these", [error_line(told) for told in sides]),
        ("  more sure than right", [sure_line(told) for told in sides]),
    ):
        yield f"{name:<24}{texts[0]:<{WIDE}}{texts[1]}"


def report(found: Calibrated) -> str:
    """What a calibration is, in words, for the terminal."""
    own, how = found.calibration, found.calibration.how_well
    grades = ", ".join(f"{n} {word}" for word, n in own.grades.items())
    lines = [
        f"Student {own.run} on {own.in_words()}: {grades}.",
        *(f"  {note}" for note in found.notes),
    ]
    if found.left_out:
        lines.append(f"  {len(found.left_out)} labelled pictures were not graded:")
        lines += [f"    {shown(name)}: {why}" for name, why in found.left_out[:SHOWN]]
        more = len(found.left_out) - SHOWN
        lines += [f"    and {more} more"] if more > 0 else []
    held = "calibrated, held out"
    lines += ["", f"{'':<24}{'as it was':<{WIDE}}{held}", *_rows(how["grades"], "grade given")]
    for d in DETAILS:
        if d in own.details:
            lines += _rows(how["details"][d], f"{d} called")
        else:
            lines.append(f"{d}: too few labels, good and bad: left as it was")
    return "\n".join([*lines, "", *_promise(found)])


def _promise(found: Calibrated) -> Iterator[str]:
    own, how = found.calibration, found.calibration.how_well
    rule = own.abstention
    n = how["grades"]["before"]["groups"]
    who = "patients" if own.patients else "pictures"
    if rule.met:
        yield (
            f"It answers from probability {rule.threshold:.2f}, {rule.coverage:.0%} of these "
            f"{who}, and promises an error of at most {rule.rate:.0%} (confidence "
            f"{rule.confidence:.0%})."
        )
    else:
        least = how["shown"]
        other = f"; --rate {least:g} could be promised" if least is not None else ""
        yield (
            f"It abstains always: {n} {who} don't show an error of at most {rule.rate:.0%}{other}."
        )
    yield (
        f"So many {who} can promise {how['promised_at_most']:.1%} at best, all answered and none "
        "wrong."
    )
    yield (
        "That holds for pictures like these: of the same camera and people, labelled by the same "
        "rules, and taken as they come, not chosen."
    )
    if found.file is None:
        yield (
            f"Not stored: a calibration {own.name} is there that answers; it stays. Give this one "
            "another name (--out) to store it."
        )
        return
    yield f"Stored: {paths.shown(found.file)}"
    yield f"Use it: riqa assess PATH... --run {own.run} --calibrated {own.name}"


def command(
    labels: Path,
    pictures: Sequence[str],
    run: str | None = None,
    name: str = "",
    rate: float = RATE,
    workers: int = 2,
    out: IO[str] | None = None,
) -> int:
    """Calibrate, store and print. Returns 0, or 1 where it can promise nothing. Raises what
    `calibrating.calibrate` raises."""
    if not labels.is_file():
        raise FileNotFoundError(f"{labels}: no such file of labels")
    check(pictures, rate, (), workers)
    from .calibrating import calibrate  # torch

    found = calibrate(labels, pictures, run, name=name, rate=rate, workers=workers)
    print(report(found), file=out or sys.stdout)
    return int(not found.calibration.abstention.met)
