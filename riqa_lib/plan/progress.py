"""What a run of the plan shows: one live line in a terminal, plain lines elsewhere and in
log.txt."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import IO

from .steps import Record


# ---------------------------------------------------------------- the plan
class Progress:
    """One live line in a terminal, plain lines elsewhere; the same with times in log.txt."""

    def __init__(self, log: Path, stream: IO[str], width: int) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log, self.stream, self.width = log, stream, width
        self.live: dict[str, str] = {}
        self.tty = stream.isatty()
        self.lock = threading.Lock()

    def say(self, text: str, show: bool = True) -> None:
        """A line for the log, and for the terminal unless it is only an event of the live line."""
        with self.lock:
            with open(self.log, "a", encoding="utf-8") as f:
                f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
            if show:
                print(("\r\x1b[K" if self.tty else "") + text, file=self.stream, flush=True)
            if self.tty and self.live:
                columns = shutil.get_terminal_size().columns - 1
                self.stream.write(("\r\x1b[K" + "   ".join(self.live.values()))[: columns + 4])
                self.stream.flush()

    def cell(self, step: str, number: int, total: int, text: str) -> None:
        """A cell of a step begins."""
        self.live[step] = f"{step} {number}/{total}"
        self.say(
            f"  {step:{self.width}}  cell {number} of {total}  {text[:60]}".rstrip(),
            show=not self.tty,
        )

    def record(self, record: Record) -> None:
        """A step has ended."""
        self.live.pop(record.step, None)
        state = record.state.upper() if record.state == "failed" else record.state
        text = record.text or (f"{record.seconds:.0f} s" if record.state == "done" else "")
        self.say(f"  {record.step:{self.width}}  {state:10}  {text}".rstrip())
