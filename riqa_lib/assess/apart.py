"""Functions called in processes of their own, so that what ends one ends no more than its call.

    apart(prepare, "photo.jpg", size=128)

A picture can end the program that reads it: a fault in a decoder, the system's want of memory; or
never come to an end, on a disk that doesn't answer. Here that is an error of this one call, and the
next has a new process. A process imports what it is asked for and no more (no torch where pictures
are read: 0.5 s), is kept for the next call, and ends with the program that began it, whatever ends
that: then there is nobody to read from."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

LIMIT = 300.0  # s that a call may take; the largest picture allowed takes some seconds
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from riqa_lib.assess.apart import serve; serve()"
)
# as many processes as threads call: each needs one core
ONE_CORE = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
Call = Callable[..., Any]


class Ended(ValueError):
    """A call that has no answer, and why, in words for the row of a picture."""


def here(function: Call, *given: Any, **named: Any) -> Any:
    """The same as `apart`, in this process."""
    return function(*given, **named)


def apart(function: Call, *given: Any, **named: Any) -> Any:
    """What a function of a module answers, in another process; any thread may call. Ended where
    the process ended, took longer than LIMIT, or the function raised.

    >>> apart(len, "abc")
    3
    """
    process = _next()
    try:
        answer = process.ask((function, given, named), LIMIT)
    except BaseException:
        process.end()
        raise
    _idle.append(process)
    if isinstance(answer, Ended):
        raise answer
    return answer


def _next() -> _Process:
    """A process that waits for a call, where paths mean what they mean here; or a new one."""
    try:
        with contextlib.suppress(IndexError):
            while (process := _idle.pop()).folder != os.getcwd():
                process.end()
            return process
        return _Process()
    except OSError as e:
        raise Ended(f"no process to read it could be started ({e})") from None


class _Process:
    """A process that answers calls, one at a time."""

    def __init__(self) -> None:
        self.folder = os.getcwd()  # against which it reads relative paths
        self.popen = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ONE_CORE,
        )

    def ask(self, call: tuple, limit: float) -> Any:
        """The answer to a call; Ended where there is none, within `limit` seconds."""
        jobs, answers = self.popen.stdin, self.popen.stdout
        assert jobs is not None
        assert answers is not None
        try:
            pickle.dump(call, jobs)
            jobs.flush()
            if not select.select([answers], [], [], limit)[0]:
                raise Ended(f"not read within {limit:g} s")
            return pickle.load(answers)
        except (EOFError, OSError, pickle.UnpicklingError):  # cut off in the middle
            raise Ended(f"reading it ended the program that did ({self._how()})") from None

    def _how(self) -> str:
        """How the process ended, in words."""
        try:
            status = self.popen.wait(5)
        except subprocess.TimeoutExpired:
            return "it does not answer"
        known = {-s.value: s.name for s in signal.Signals}
        return f"signal {known[status]}" if status in known else f"exit status {status}"

    def end(self) -> None:
        """End it, at once; one that waits for a disk is not waited for."""
        self.popen.kill()
        for stream in (self.popen.stdin, self.popen.stdout):
            with contextlib.suppress(OSError):  # what was not sent yet
                if stream is not None:
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(1)


_idle: list[_Process] = []  # append and pop are atomic


@atexit.register
def end_all() -> None:
    """End all processes that wait for a call."""
    while _idle:
        _idle.pop().end()


# ---------------------------------------------------------------- in the process
def serve() -> None:
    """Answer calls from standard input until it ends. What is printed meanwhile goes to standard
    error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
    with open(os.dup(0), "rb") as jobs, open(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        while True:
            try:
                function, given, named = pickle.load(jobs)
                answers.write(pickle.dumps(_answer(function, given, named)))
                answers.flush()
            except (EOFError, BrokenPipeError):  # nobody asks any more
                os._exit(0)


def _answer(function: Call, given: tuple, named: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            # what a decoder says of a file is collected where it is read (pictures.decoder_notes);
            # on the terminal it would name no picture
            warnings.simplefilter("ignore")
            return function(*given, **named)
    except MemoryError:
        return Ended("it needs more memory than there is")
    except Exception as e:
        return Ended(f"cannot be read ({type(e).__name__}: {e})")
