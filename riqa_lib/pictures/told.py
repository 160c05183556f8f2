"""What is told of single pictures: those that can't be read, and how others were read.

problems.csv        in a data folder, columns file, row, kind, what: everything told of its
                    pictures or its table; not there where there is nothing to tell
.told-KEY.jsonl     beside it: the same while pictures are decoded, so that what was cut off
                    goes on with it"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import paths, store
from ..datasets.problems import SHOWN, FolderError, Problem

COLUMNS = ["file", "row", "kind", "what"]
LEFT_OUT = "left out: "  # begins the kind of what is told of a picture that is not in the data set


class Seen(NamedTuple):
    """A picture after decoding. pixels: uint8 (size, size, 3), None where it can't be read; told:
    why, or what is worth knowing of how it was read."""

    pixels: np.ndarray | None
    told: list[Problem]


# ---------------------------------------------------------------- on disk
def problem_file(folder: Path | str) -> Path:
    """Where all that is told of a data folder's pictures lies."""
    return Path(folder) / "problems.csv"


def write_problems(folder: Path | str, problems: Sequence[Problem]) -> Path:
    """problems.csv of a data folder, removed where there is nothing to tell; its place."""
    file = problem_file(folder)
    if problems:
        lines = [(p.name, p.row, p.kind, p.found) for p in problems]
        store.write_table(file, pd.DataFrame(lines, columns=COLUMNS))
    else:
        file.unlink(missing_ok=True)
    return file


def folder_error(
    table: str, problems: Sequence[Problem], folder: Path | str, good: pd.DataFrame | None = None
) -> FolderError:
    """The error for these problems, which are written into problems.csv, all of them."""
    return FolderError(table, problems, good, paths.shown(write_problems(folder, problems)))


# ---------------------------------------------------------------- in short
def left_out(problems: Sequence[Problem]) -> list[Problem]:
    """The same problems, of pictures that are left out for them."""
    return [p._replace(kind=LEFT_OUT + p.kind) for p in problems]


def shortened(problems: Sequence[Problem]) -> list[list]:
    """At most SHOWN of each kind, as notes in dataset.json are; then how many more."""
    counts, notes = Counter(p.kind for p in problems), []
    seen: Counter = Counter()
    for p in problems:
        seen[p.kind] += 1
        if seen[p.kind] <= SHOWN:
            notes.append(list(p))
    notes += [
        [kind, 0, "", f"and {n - SHOWN} more, in problems.csv"]
        for kind, n in counts.items()
        if n > SHOWN
    ]
    return notes


# ---------------------------------------------------------------- while pictures are decoded
class Told:
    """What was told so far, by the picture's place in the frame. On disk a line a picture:
    [place, whether it is left out, its problems]; written before its block's pixels are."""

    def __init__(self, folder: Path, key: str) -> None:
        self.file = folder / f".told-{key}.jsonl"
        self.lines: dict[int, tuple[bool, list[Problem]]] = {}
        for line in self.file.read_text("utf-8").splitlines() if self.file.exists() else ():
            place, out, told = _parsed(line)
            if place is not None:
                self.lines[place] = (out, told)

    @property
    def left_out(self) -> list[int]:
        """Places of the pictures that can't be read, in order."""
        return sorted(place for place, (out, _) in self.lines.items() if out)

    def problems(self, left_out: bool | None = None) -> list[Problem]:
        """All that was told, in order; or only of pictures that are left out, or of the others."""
        return [
            problem
            for place in sorted(self.lines)
            for problem in self.lines[place][1]
            if left_out is None or self.lines[place][0] == left_out
        ]

    def resume(self, start: int, n: int) -> int:
        """Place of the first picture to decode, where pixels of `start` are stored; what was told
        from there on is forgotten. n: pictures in all."""
        out = np.zeros(n, bool)
        out[self.left_out] = True
        there = np.flatnonzero(~out)
        place = 0 if not start else int(there[start]) if start < len(there) else n
        self.lines = {k: line for k, line in self.lines.items() if k < place}
        for other in self.file.parent.glob(".told-*"):
            other.unlink()
        self._append(self.lines)
        return place

    def add(self, place: int, block: Sequence[Seen]) -> None:
        """Note what is told of a block of pictures, the first of which has this place."""
        new = {place + k: (s.pixels is None, s.told) for k, s in enumerate(block) if s.told}
        self.lines |= new
        self._append(new)

    def forget(self) -> None:
        """Nothing was made of it."""
        self.file.unlink(missing_ok=True)

    def _append(self, lines: dict[int, tuple[bool, list[Problem]]]) -> None:
        if lines:
            with open(self.file, "a", encoding="utf-8") as f:
                f.writelines(f"{json.dumps([k, *line])}\n" for k, line in lines.items())


def _parsed(line: str) -> tuple[int | None, bool, list[Problem]]:
    """A line of the file; nothing for one that was cut off."""
    try:
        place, out, told = json.loads(line)
    except ValueError:
        return None, False, []
    return place, out, [Problem(*p) for p in told]
