"""Several processes for one training, a GPU each, where the environment variable RIQA_RANKS says
so:

    RIQA_RANKS=4 .venv/bin/python run_all.py --only 04 --profile paper
    RIQA_RANKS=4 .venv/bin/riqa method mine.py --profile paper

It is no setting: a run's name, its batches and, within rounding, its results stay (networks.ranks
says how; dropout draws differ). A run that was cut off goes on with any number of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..networks import ranks

if TYPE_CHECKING:  # what starts processes imports little
    from .optimisation import TrainConfig

RANKS = "RIQA_RANKS"
TASK = "task"  # what they do, pickled; beside it what each that failed says, by its number
EVERY = 0.1  # seconds between two looks at them
PR_SET_PDEATHSIG = 1  # of Linux


def wanted() -> int:
    """How many processes train a run: RIQA_RANKS, 1 where it is not set. ValueError for what is no
    such number, or more than there are GPUs on a machine that has any."""
    value = os.environ.get(RANKS) or "1"
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"{RANKS} is {value!r}, expected a whole number from 1 on")
    gpus = torch.cuda.device_count()
    if int(value) > 1 and 0 < gpus < int(value):
        raise ValueError(f"{RANKS} is {value}, but this process sees {gpus} GPU(s): one each")
    return int(value)


def is_due() -> bool:
    """Whether a training is to start processes: several are wanted, and this is none of them."""
    return ranks.world() == 1 and wanted() > 1


def several(c: TrainConfig, train: Callable, *given: object) -> None:
    """Call train(*given) in so many processes at a time as are wanted, and wait for all.

    train: a function of a module, given: what pickle takes. ValueError where they cannot share a
    batch of c; ChildProcessError that says which process ended and why, where one fails: all
    others are stopped then."""
    processes = wanted()
    ranks.must_share(c.batch, c.mu, processes)
    with tempfile.TemporaryDirectory(prefix="riqa-ranks-") as name:
        folder = Path(name)
        (folder / TASK).write_bytes(pickle.dumps((train, given)))
        env = {"RIQA_THREADS": str(max(1, torch.get_num_threads() // processes)), **os.environ}
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        # no multiprocessing: it starts none from workers of dask, nor from scripts without a guard
        command = [sys.executable, "-m", __name__, name, str(os.getpid()), str(processes)]
        every = [subprocess.Popen([*command, str(rank)], env=env) for rank in range(processes)]
        try:
            while (codes := [process.poll() for process in every]).count(0) < processes:
                if any(codes):
                    raise ChildProcessError(_why(folder, codes))
                time.sleep(EVERY)
        finally:  # also where somebody stops this
            for process in every:
                process.kill()
                process.wait()


def _why(folder: Path, codes: Sequence[int | None]) -> str:
    """Which process ended first, and why: one that was killed says nothing, one that lost another
    says so later than that one."""
    failed = [rank for rank, code in enumerate(codes) if code]
    silent = [rank for rank in failed if not (folder / str(rank)).exists()]
    if silent:
        rank, code = silent[0], codes[silent[0]] or 0
        told = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    else:
        rank = min(failed, key=lambda k: (folder / str(k)).stat().st_mtime_ns)
        told = (folder / str(rank)).read_text(encoding="utf-8")
    return (
        f"process {rank} of {len(codes)} (0 to {len(codes) - 1}) ended early, and the others were "
        f"stopped: {told}"
    )


def _one(folder: Path, parent: int, processes: int, rank: int) -> None:
    """Be one of them, and end with the process that started it."""
    with contextlib.suppress(OSError, AttributeError):  # macOS has no prctl
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        sys.exit(1)
    try:
        ranks.join(rank, processes, f"file://{folder / 'meeting'}")
        train, given = pickle.loads((folder / TASK).read_bytes())  # ours
        train(*given)
        ranks.leave()
    except Exception as e:
        (folder / str(rank)).write_text(f"{type(e).__name__}: {e}", encoding="utf-8")
        raise


if __name__ == "__main__":
    _one(Path(sys.argv[1]), *map(int, sys.argv[2:]))
