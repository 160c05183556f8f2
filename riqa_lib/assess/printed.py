"""Rows of many pictures as they come: on the terminal, into their files, counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from .. import bars
from .inputs import shown

Row = dict[str, Any]


class Terminal:
    """Where lines go that somebody may stop reading (`| head`) and that may not know all letters:
    nothing raises, and what is to be written into files is written all the same. out: a text
    stream."""

    def __init__(self, out: IO[str]) -> None:
        self.out, self.closed = out, False

    def say(self, text: str = "") -> None:
        """A line or several; letters that the stream doesn't know by their number."""
        encoding = getattr(self.out, "encoding", None) or "utf-8"
        known = text.encode(encoding, "backslashreplace").decode(encoding)
        self._trying(lambda: self.out.write(f"{known}\n"))

    def flush(self) -> None:
        self._trying(self.out.flush)

    def _trying(self, do: Callable[[], object]) -> None:
        if self.closed:
            return
        try:
            do()
        except BrokenPipeError:
            self.closed = True
            into_nothing(self.out)


def into_nothing(out: IO[str]) -> None:
    """Let a stream whose reader is gone write into nothing: Python flushes it once more at its end,
    and would complain."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, out.fileno())
        os.close(nothing)
    except (OSError, ValueError):  # a stream that is no file
        pass


def shortened(name: str, width: int) -> str:
    """A name of at most `width` characters; of a longer one its end.

    >>> shortened("holiday/2026/IMG_1.jpg", 12)
    '...IMG_1.jpg'
    """
    return name if len(name) <= width else "..." + name[3 - width :]


def called(row: Row, width: int) -> str:
    """What a row is called in the terminal's table: its file and page, harmless and shortened.

    >>> called({"file": "a\\nscan.tif", "page": 2}, 36)
    'a\\\\x0ascan.tif#2'
    """
    page = f"#{row['page']}" if row.get("page") else ""
    return shortened(f"{shown(row['file'])}{page}", width)


def print_rows(
    rows: Iterable[Row],
    line: Callable[[Row], str],
    out: IO[str] | Terminal,
    *,
    total: int,
    states: Iterable[str],
    desc: str,
    first: str = "",
    last: str = "",
    only_shown: bool = False,
    before: Mapping[str, int] | None = None,
) -> int:
    """Print `first`, then each row's line above a progress bar, and end with how many there are of
    each of these states, and with `last`. only_shown: rows go nowhere else, so that it ends where
    nobody reads on; before: how many of each state there were already. Returns the exit status: 1
    where no picture was looked at (graded, or abstained from)."""
    terminal = out if isinstance(out, Terminal) else Terminal(out)
    counts = {state: (before or {}).get(state, 0) for state in states}
    if first:
        terminal.say(first)
    for row in bars.bar(rows, total=total, unit="picture", desc=desc):
        counts[row["state"]] += 1
        with bars.above(terminal.out):
            terminal.say(shown(line(row)))
        if terminal.closed and only_shown:
            break
    terminal.say("\n" + ", ".join(f"{n} {state}" for state, n in counts.items()))
    if last:
        terminal.say(last)
    terminal.flush()
    return int(counts["graded"] + counts["abstained"] == 0)
