"""Rows of many pictures as they come: on the terminal, into their files, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, Any

from tqdm import tqdm

Row = dict[str, Any]


def shortened(name: str, width: int) -> str:
    """A name of at most `width` characters; of a longer one its end.

    >>> shortened("holiday/2026/IMG_1.jpg", 12)
    '...IMG_1.jpg'
    """
    return name if len(name) <= width else "..." + name[3 - width :]


def print_rows(
    rows: Iterable[Row],
    line: Callable[[Row], str],
    add: Callable[[Row], None],
    out: IO[str],
    *,
    total: int,
    states: Iterable[str],
    desc: str,
) -> int:
    """Print each row's line above a progress bar, hand the row on, and end with how many there are
    of each of these states. Returns the exit status: 1 where no picture was looked at (graded, or
    abstained from)."""
    counts = dict.fromkeys(states, 0)
    for row in tqdm(rows, total=total, unit="picture", desc=desc, disable=None):
        counts[row["state"]] += 1
        with tqdm.external_write_mode(file=out):
            print(line(row), file=out)
        add(row)
    print("\n" + ", ".join(f"{n} {state}" for state, n in counts.items()), file=out)
    return int(counts["graded"] + counts["abstained"] == 0)
