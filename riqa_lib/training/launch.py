"""Several processes for one training, a GPU each, where the environment variable RIQA_RANKS says
so:

    RIQA_RANKS=4 .venv/bin/python run_all.py --only 04 --profile paper
    RIQA_RANKS=4 .venv/bin/riqa method mine.py --profile paper

It is no setting: a run's name, its batches and, within rounding, its results stay (networks.ranks
says how; dropout draws differ). A run that was cut off goes on with any number of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.multiprocessing

from ..networks import ranks

if TYPE_CHECKING:  # what starts processes imports little
    from .optimisation import TrainConfig

RANKS = "RIQA_RANKS"
GRACE = 2.0  # seconds that others have to end by themselves, where one has failed


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
    with tempfile.TemporaryDirectory(prefix="riqa-ranks-") as folder:
        meeting = f"file://{Path(folder) / 'meeting'}"
        each = max(1, torch.get_num_threads() // processes)
        every = (processes, meeting, each, train, given)
        context = torch.multiprocessing.spawn(_one, every, processes, join=False)
        try:
            while not context.join(grace_period=GRACE):
                pass
        except (
            torch.multiprocessing.ProcessRaisedException,
            torch.multiprocessing.ProcessExitedException,
        ) as e:
            why = [line for line in e.msg.splitlines() if line.strip()][-1].strip()
            raise ChildProcessError(
                f"process {e.error_index} of {processes} (0 to {processes - 1}) ended early, the "
                f"others were stopped: {why}"
            ) from e
        finally:  # also where somebody stops this
            for process in context.processes:
                if process.is_alive():
                    process.kill()


def _one(
    rank: int, processes: int, meeting: str, threads: int, train: Callable, given: tuple
) -> None:
    os.environ.setdefault("RIQA_THREADS", str(threads))
    ranks.join(rank, processes, meeting)
    train(*given)
    ranks.leave()
