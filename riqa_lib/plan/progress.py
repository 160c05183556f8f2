"""What a run of the plan shows: in a terminal one live line, with steps done of all, the time so
far, about how long is left, and where each running step is; elsewhere a line a step. The same, and
every cell, with times in log.txt."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from .schedule import clock, in_words, seconds_left
from .steps import Record, Step, Walk

BAR = 12  # characters
STARTING = "Kernels start; after an installation the first minute compiles packages."
CLEAR = "\r\x1b[K"  # of a terminal: to the first column, and nothing behind it


# ---------------------------------------------------------------- while it runs
class Progress:
    """Steps on their way, for people. Within `with` a terminal's line is drawn anew every second.

    steps: those that are looked at, in any order; all: how many the run has, up to date ones too;
    room: how many run at a time, and how many on a GPU (see schedule.seconds_left)."""

    def __init__(
        self, log: Path, stream: IO[str], steps: Sequence[Step], all: int, width: int
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log, self.stream, self.width = log, stream, width
        self.steps, self.all, self.room = steps, all, (2, 0)
        self.begun, self.begun_any = time.monotonic(), False
        self.since: dict[str, float] = {}  # when each running step began
        self.at: dict[str, str] = {}  # where it is, in words
        self.took: dict[str, float] = {}  # seconds of steps done
        self.over: set[str] = set()  # steps that ended otherwise
        self.tty = stream.isatty()
        self.lock = threading.Lock()
        self.left = threading.Event()
        self.drawing = threading.Thread(target=self._draw_on, daemon=True)

    def __enter__(self) -> Self:
        if self.tty:
            self.drawing.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.left.set()
        if self.tty:
            self.drawing.join()

    def _draw_on(self) -> None:
        while not self.left.wait(1):
            with self.lock:
                self._draw()

    # ------------------------------------------------------------ what happens
    def add(self, step: Step, new: Sequence[Step]) -> None:
        """A step gives way to new ones, its runs; it stays, with less to do."""
        with self.lock:
            self.steps = [*(step if s.name == step.name else s for s in self.steps), *new]
            self.all += len(new)
            self.width = max(self.width, *(len(s.name) for s in new))

    def begin(self, step: str) -> None:
        """A step was given to a worker; before the first, what the first minute is spent on."""
        with self.lock:
            first, self.begun_any = not self.begun_any, True
            self.since[step] = time.monotonic()
        if first:
            self.say(STARTING)

    def cell(self, step: str, number: int, total: int, text: str, bar: str | None = None) -> None:
        """A cell of a step begins; or, with `bar`, is where that says: "FixMatch 120/300"."""
        with self.lock:
            if step in self.since:  # where it has not ended meanwhile
                self.at[step] = f"{number}/{total} {bar or ''}".rstrip()
        if bar is None:
            text = f"  {step:{self.width}}  cell {number} of {total}  {text[:60]}"
            self.say(text.rstrip(), show=False)

    def record(self, record: Record) -> None:
        """A step has ended."""
        with self.lock:
            known = self.since.pop(record.step, None) is not None
            self.at.pop(record.step, None)
            if record.state == "done":
                self.took[record.step] = record.seconds
            else:
                self.over.add(record.step)
        state = record.state.upper() if record.state == "failed" else record.state
        text = record.text or (f"{record.seconds:.0f} s" if record.state == "done" else "")
        if known and not self.tty:  # a terminal has this in its live line
            text += f"  ({self.where()})"
        self.say(f"  {record.step:{self.width}}  {state:10}  {text}".rstrip())

    def say(self, text: str, show: bool = True) -> None:
        """A line for the log, and for people unless it is only for the log."""
        with self.lock:
            with open(self.log, "a", encoding="utf-8") as f:
                f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
            if show:
                print((CLEAR if self.tty else "") + text, file=self.stream, flush=True)
            self._draw()

    def say_all(self, lines: Iterable[str]) -> None:
        """Lines for both."""
        for line in lines:
            self.say(line)

    # ------------------------------------------------------------ what is shown
    def ended(self) -> int:
        """How many of all steps have ended, up to date ones too."""
        return self.all - sum(s.name not in {*self.took, *self.over} for s in self.steps)

    def where(self) -> str:
        """Steps that ended of all, the time so far, about how long is left."""
        now = time.monotonic()
        words = f"{self.ended()} of {self.all}, {clock(now - self.begun)}"
        if self.ended() == self.all or not any(step.seconds for step in self.steps):
            return words
        running = {step: now - since for step, since in self.since.items()}
        rest = seconds_left(self.steps, self.took, running, frozenset(self.over), self.room)
        return f"{words}, about {in_words(rest)} left"

    def _draw(self) -> None:
        """The live line, where something runs in a terminal."""
        if not self.drawing.is_alive() or self.left.is_set():
            return
        done = BAR * self.ended() // self.all
        parts = [f"[{'#' * done}{'-' * (BAR - done)}] {self.where()}"]
        parts += [f"{step} {self.at.get(step, 'starts')}" for step in self.since] or ["starts"]
        columns = shutil.get_terminal_size().columns - 1
        self.stream.write(CLEAR + "   ".join(parts)[:columns])
        self.stream.flush()


# ---------------------------------------------------------------- when it is over
def _near(path: Path) -> str:
    """A path as people here would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def where_to_look(walk: Walk, records: Mapping[str, Record]) -> list[str]:
    """Lines that say where is what a run left, what failed, and how to go on."""
    places = {
        "figure": (walk.home / "figures" / walk.name, "*.png"),
        "table": (walk.folder / "tables", "*.csv"),
        "executed notebook": (walk.executed("").parent, "*.ipynb"),
    }
    lines = []
    for what, (folder, pattern) in places.items():
        if found := len(list(folder.glob(pattern))):
            count = f"{found} {what}{'s' if found > 1 else ''}"
            lines.append(f"  {count:22}  {_near(folder)}")
    site = walk.folder / "site" / "index.html"
    if lines:
        lines.append(f"  {'site':22}  {_near(site)}, made by --site")
    return lines + _left_open(records.values())


def _left_open(records: Iterable[Record]) -> list[str]:
    """What failed, what waits for it, and how to go on; [] where all is well."""
    failed = [r for r in records if r.state == "failed"]
    lines = [f"  {record.step} failed: {record.text}" for record in failed]
    if waiting := [r.step for r in records if r.state == "skipped"]:
        lines.append(f"  not run, since they wait for it: {', '.join(waiting)}")
    if failed:
        lines.append("  mend it and start the same command again: it goes on from here")
    return lines
