"""A process of its own for what may hang or die: asked one thing at a time, and started anew after
it did either."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

KILLED, HANGS = "killed", "hangs"


def _answering(does: Callable, ours: Connection) -> None:
    with open(os.devnull, "w") as nothing:  # decoders talk
        os.dup2(nothing.fileno(), 2)
    while True:
        try:
            given = ours.recv()
        except EOFError:
            return
        ours.send(does(*given))


class Child:
    """`does(*given)`, in another process. ask: its answer, KILLED where the process died of it,
    HANGS where none came in time."""

    def __init__(self, does: Callable, seconds: float = 20.0) -> None:
        self.does, self.seconds = does, seconds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_answering, args=(self.does, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, *given: Any) -> Any:
        try:
            self.pipe.send(given)
            if self.pipe.poll(self.seconds):
                return self.pipe.recv()
            outcome = HANGS
        except (EOFError, OSError):
            outcome = KILLED
        self.close()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.pipe.close()
        self.process.kill()
        self.process.join()
