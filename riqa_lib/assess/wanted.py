"""What may be asked of `riqa assess` and `riqa score`: their options, and what the former writes
beside its table."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .inputs import SCORE_RATE
from .taken import Taken

SORTS = ("file", "score", "patient", "taken")  # what rows can be sorted by
EXAMPLES = """examples
  riqa assess photo.jpg
  riqa assess photos/ 'more/*.png' --csv grades.csv --json grades.json
  riqa assess photos/ --rate 0.05      rather unsure than wrong
  riqa assess photos/ --report page.html --overlays seen/
                                       what to retake; every picture, circle and heat map
  riqa assess photos/ --csv grades.csv --resume
                                       it was stopped: only what is not done yet
  riqa assess --watch camera/ --report page.html
                                       as pictures arrive, until Ctrl-C
  riqa assess photos/ --calibrated clinic
                                       on your own camera: see riqa calibrate --help

Exit status 0: done. 1: no picture was a fundus photograph, or it failed. 3, with --strict:
an eye has no better picture than one of the worst grade, or one that was refused or can't
be read."""

SCORE_EXAMPLES = """examples
  riqa score photos/ --csv new.csv
  riqa score 'more/*.jpg' --run fixmatch-0123456789ab --json scores.json
  riqa score photos/ --windows 3       more of pictures that are not square
  riqa score photos/ --csv new.csv --resume
                                       it was stopped: only what is not done yet

Of each picture: score (what the probabilities expect) with an interval, grade (?
where it is only guessed), probabilities. The first lines say which run answers,
what it was trained on, and how far its answers can be trusted.
Exit status 1: no picture could be read."""


@dataclass(frozen=True)
class Wanted:
    """Files and a folder to write (None: not asked for); sort: in what order rows lie in them and
    on the terminal, one of SORTS, or "" as they come; strict: the exit status says whether
    something must be taken again."""

    csv: Path | None = None
    json: Path | None = None
    report: Path | None = None
    overlays: Path | None = None
    sort: str = ""
    strict: bool = False

    @property
    def files(self) -> tuple[Path | None, ...]:
        """The files to write, each None or a place."""
        return self.csv, self.json, self.report


def assess_options(own: argparse.ArgumentParser) -> None:
    """Add what may be typed after `riqa assess`."""
    add = own.add_argument
    where = own.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "path", nargs="*", default=[], metavar="PATH", help="files, folders or globs"
    )
    where.add_argument(
        "--watch", type=Path, metavar="FOLDER", help="instead: assess what arrives in this folder"
    )
    add(
        "--run",
        help="a Student's folder, or its name in results/runs "
        "(default: the newest multi-task one, eyeq first)",
    )
    # what rate and workers may be is checked by the command, before it loads anything heavy
    add("--rate", type=float, default=0.1, help="error promised among the answered (default: 0.1)")
    trust = own.add_mutually_exclusive_group()
    trust.add_argument(
        "--calibrated",
        metavar="NAME",
        nargs="?",
        const="",
        help="as riqa calibrate set it on labelled pictures of yours (no name: the only one)",
    )
    trust.add_argument(
        "--uncalibrated",
        action="store_true",
        help="a Student of simulated photographs: grade all the same, nothing is promised",
    )
    trust.add_argument(
        "--simulated", action="store_true", help="the same: the pictures are simulated ones"
    )
    add("--csv", type=Path, help="also write this table")
    add("--json", type=Path, help="also write this, with all that was measured")
    add("--report", type=Path, metavar="HTML", help="also write this page: all of it in one file")
    add("--overlays", type=Path, metavar="FOLDER", help="also write a PNG a picture into this")
    add("--sort", choices=SORTS, default="", help="order of table, files and page (default: found)")
    add("--strict", action="store_true", help="exit status 3 where something must be retaken")
    add("--workers", type=int, default=2, help="processes that decode and crop (default: 2)")
    _taken_options(own)


def score_options(own: argparse.ArgumentParser) -> None:
    """Add what may be typed after `riqa score`."""
    add = own.add_argument
    add("path", nargs="+", metavar="PATH", help="files, folders or globs")
    add(
        "--run",
        help="a run's folder, or its name in results/runs "
        "(default: the newest, on real pictures first)",
    )
    # what the numbers may be is checked by the command, before it loads anything heavy
    add(
        "--rate",
        type=float,
        default=SCORE_RATE,
        help=f"error promised among named grades (default: {SCORE_RATE})",
    )
    add("--csv", type=Path, help="also write this table")
    add("--json", type=Path, help="also write this, with all that is known of run and scale")
    add(
        "--windows",
        type=int,
        default=1,
        help="looks at a picture along each side longer than what the network sees, averaged "
        "(default: 1, its centre, as in training)",
    )
    add("--workers", type=int, default=2, help="processes that read (default: 2)")
    _taken_options(own)


def _taken_options(own: argparse.ArgumentParser) -> None:
    add = own.add_argument
    add(
        "--resume",
        action="store_true",
        help="go on with a table that was stopped: what was done is kept in TABLE.unfinished, and "
        "not done again, but for pictures that were replaced meanwhile",
    )
    add("--refuse-damaged", action="store_true", help="pictures that are damaged get no answer")
    add(
        "--max-pixels",
        type=int,
        metavar="N",
        help="larger pictures are not opened (default: 178,956,970, which take 1.4 to 2.2 GB each "
        "while they are decoded; WebP and JPEG 2000 up to 4.3)",
    )


def taken(chosen: argparse.Namespace) -> Taken:
    """What was typed of the pictures that are taken; ValueError for less than one pixel."""
    if chosen.max_pixels is not None and chosen.max_pixels < 1:
        raise ValueError(f"--max-pixels {chosen.max_pixels}: expected 1 or more")
    return Taken(chosen.max_pixels, chosen.refuse_damaged)


def trust(chosen: argparse.Namespace) -> dict[str, Any]:
    """What was typed of the pictures, as `fundus_student.load` takes it."""
    return {key: getattr(chosen, key) for key in ("calibrated", "uncalibrated", "simulated")}
