"""Files of a folder as they arrive: copied, moved in, renamed, written slowly.

A file is taken once it has not changed, in size and time of change, for a while. One that is
written anew later is taken again; one that goes by another name is the same picture under its new
name. After each batch all files are written anew, whole or not at all; Ctrl-C (or SIGTERM) ends
after the batch that it finds, and what is left is counted."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .flow import BATCH
from .inputs import files, shown
from .printed import Terminal
from .spool import Spool, order

if TYPE_CHECKING:
    from .desk import Desk

POLL = 1.0  # s between two looks at the folder
SETTLED = 1.0  # s without a change, after which a file counts as whole
Stamp = tuple[int, int, int, int]  # device, inode, bytes, time of change in ns


@dataclass(frozen=True)
class Arrived:
    """Files to assess now, at most flow.BATCH, and names whose rows no longer hold: they were
    written anew, or lie under another name."""

    new: list[Path]
    void: list[str]


def _stamp(file: Path) -> Stamp | None:
    """What tells a file from another, and from itself after a change; None where it is gone."""
    try:
        s = file.stat()
    except OSError:
        return None
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns


class Folder:
    """What is known of a watched folder."""

    def __init__(self, folder: Path, settled: float = SETTLED, ours: Iterable[Path] = ()) -> None:
        self.folder, self.settled = folder, settled
        self.ours = {file.resolve() for file in ours}
        self.taken: dict[str, Stamp] = {}
        self.waiting: dict[str, tuple[Stamp, float]] = {}  # since when it has looked so

    def look(self, now: float) -> Arrived:
        """What has arrived, at a time in seconds."""
        there = self._there()
        before, self.waiting = self.waiting, {}
        for name, stamp in there.items():
            if self.taken.get(name) != stamp:
                old, since = before.get(name, (stamp, now))
                self.waiting[name] = (stamp, since if old == stamp else now)
        ready = [name for name, (_, since) in self.waiting.items() if now - since >= self.settled]
        return self._take(ready[:BATCH], there)

    def left(self) -> int:
        """How many pictures lie there that were not taken, or have changed since."""
        return sum(self.taken.get(name) != stamp for name, stamp in self._there().items())

    def _there(self) -> dict[str, Stamp]:
        """The folder's pictures, but what is written by us."""
        found = [file for file in files([self.folder]) if file.resolve() not in self.ours]
        stamps = {str(file): _stamp(file) for file in found}
        return {name: stamp for name, stamp in stamps.items() if stamp is not None}

    def _take(self, ready: list[str], there: dict[str, Stamp]) -> Arrived:
        void = [name for name in ready if name in self.taken]
        moved = {self.taken[name]: name for name in self.taken if name not in there}
        for name in ready:
            stamp, _ = self.waiting.pop(name)
            if stamp in moved:
                old = moved.pop(stamp)
                void.append(old)
                del self.taken[old]
            self.taken[name] = stamp
        return Arrived([Path(name) for name in ready], void)


def arrivals(known: Folder, stop: Callable[[], bool], poll: float = POLL) -> Iterator[Arrived]:
    """Files as they arrive, those that are there already first, until `stop` says so; it is asked
    every `poll` seconds. Only what has something new is yielded."""
    while not stop():
        found = known.look(time.monotonic())
        if found.new:
            yield found
        else:
            time.sleep(poll)


# ---------------------------------------------------------------- the command
def watched(
    folder: str,
    desk: Desk,
    write: Callable[[Iterable[dict[str, Any]]], None],
    line: Callable[[dict[str, Any]], str],
    terminal: Terminal,
    stop: Callable[[], bool] | None = None,
    *,
    poll: float = POLL,
    settled: float = SETTLED,
) -> None:
    """Assess what arrives in a folder until `stop` says so, or Ctrl-C: a line a picture as it is
    graded; after each batch `write` gets all rows, in the order that is wanted."""
    kept, sort = Spool(), desk.wanted.sort
    ours = [file for file in desk.wanted.files if file is not None]
    known = Folder(Path(folder), settled, ours)
    terminal.say(f"(watching {folder}; Ctrl-C ends)")
    terminal.flush()
    with _until_told(stop) as ended:
        for found in arrivals(known, ended, poll):
            for name in found.void:
                desk.drop(name)
                kept.drop(name)
            for row in desk.rows(found.new):
                kept.add(row["file"], json.dumps(row), order(row, sort))
                terminal.say(shown(line(row)))
            terminal.flush()
            write(map(json.loads, kept))
    counts = desk.patients.counts()
    terminal.say("\n" + ", ".join(f"{n} {state}" for state, n in counts.items()))
    if n := known.left():
        are = "picture is" if n == 1 else "pictures are"
        terminal.say(f"{n:,} more {are} there, not looked at yet: the same command takes all again")


@contextmanager
def _until_told(stop: Callable[[], bool] | None) -> Iterator[Callable[[], bool]]:
    """What says whether to end: `stop`, or the first SIGINT or SIGTERM. A second one ends at
    once."""
    told = threading.Event()

    def note(number: int, _: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    main = threading.current_thread() is threading.main_thread()
    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM) if main}
    try:
        yield lambda: told.is_set() or (stop is not None and stop())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
