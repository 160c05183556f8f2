"""A kernel without Jupyter, in place of plan.kernel.execute, where the fault is not about kernels:
a process and group of its own that dies with who started it, holds the step's lock, and runs the
cells. Forked where torch is loaded already (milliseconds), else a new Python."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from riqa_lib.plan import kernel, one_step
from riqa_lib.plan.steps import Step, Walk


def cells(notebook: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """The code cells, the given parameters after the one that is tagged so."""
    code = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            code.append("".join(cell["source"]))
            if "parameters" in cell["metadata"].get("tags", []):
                code.append("\n".join(f"{k} = {v!r}" for k, v in given.items()))
    return code


def run(code: list[str], lock: int) -> None:
    """Run the cells in this process, which leads a group of its own; what is wrong with them goes
    to stderr, the cell's number first, and the exit status is 1."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.pwrite(lock, f"{os.getpid():<20}".encode(), 0)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, text in enumerate(code, 1):
        try:
            exec(compile(text, f"cell {number}", "exec"), names)
        except BaseException as e:
            print(f"cell {number} (In [{number}]) {type(e).__name__}: {e}", file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
    sys.stdout.flush()


def _forked(code: list[str], env: dict[str, str], folder: Path, lock: int, out: IO[bytes]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for stream in (1, 2):
                os.dup2(out.fileno(), stream)
            os.closerange(3, lock)  # as a new program: no lock but the step's
            os.closerange(lock + 1, 256)
            os.environ.clear()
            os.environ.update(env)
            os.chdir(folder)
            run(code, lock)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _started(code: list[str], env: dict[str, str], folder: Path, lock: int, out: IO[bytes]) -> int:
    does = "import json, sys; from benchmarks.faults_light import run; run(*json.load(sys.stdin))"
    given = json.dumps([code, lock]).encode()
    return subprocess.run(
        [sys.executable, "-c", does],
        input=given,
        stdout=out,
        stderr=out,
        env=env,
        cwd=folder,
        pass_fds=(lock,),
        start_new_session=True,
    ).returncode


def execute(walk: Walk, step: Step, lock: IO[str], event: kernel.Event) -> None:
    """As plan.kernel.execute."""
    notebook = json.loads((walk.notebooks / step.notebook).read_text(encoding="utf-8"))
    copy = walk.executed(step.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    code = cells(notebook, step.parameters)
    event(1, len(code), code[0].split("\n")[0])
    with kernel.scratch() as folder, tempfile.TemporaryFile() as out:
        env = kernel._environment(walk, step, folder)
        start = _forked if "torch" in sys.modules else _started
        status = start(code, env, walk.folder, lock.fileno(), out)
        out.seek(0)
        said = out.read().decode(errors="replace")
    notebook["metadata"]["said"] = said
    copy.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    if status:
        last = (said.strip().splitlines() or [""])[-1]
        text = "cell 1: the kernel died (killed, out of memory?)" if status < 0 else last
        raise RuntimeError(f"{text}; see {walk.shown(copy)}")


def dask_setup(worker: Any) -> None:
    """For a dask worker that preloads this module."""
    install()


def install() -> None:
    """From now on, steps of this process run in such kernels."""
    one_step.execute = execute
