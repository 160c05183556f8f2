"""Steps on their way through a dask cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from .cluster import room
from .one_step import run_step
from .probe import Probe
from .progress import Progress
from .schedule import by_urgency
from .steps import Record, Step, Walk

LOOK = 0.1  # seconds between two looks whether a step has ended
PATIENCE = 5.0  # seconds after which more may be submitted, where workers came meanwhile


class Queue:
    """Steps on their way through a cluster, the most urgent first.

    No more are submitted than there is room for: dask would queue the rest at one worker and leave
    it there. probe: of a cluster that is not our own."""

    def __init__(
        self,
        client: Any,
        walk: Walk,
        steps: Sequence[Step],
        force: set[str],
        probe: Probe | None = None,
    ) -> None:
        from distributed import as_completed

        self.client, self.walk, self.force, self.probe = client, walk, force, probe
        self.names = {step.name for step in steps}
        self.waiting = by_urgency(steps)
        self.running: dict[str, Step] = {}  # by the key of their future
        self.records: dict[str, Record] = {}
        self.completed = as_completed(loop=client.loop)
        self.alone = False  # whether there was no worker when this was looked at last

    def needed(self, step: Step) -> list[str]:
        """Of what a step needs, what is run here too; the rest is up to date."""
        return [name for name in step.needs if name in self.names]

    def may_start(self, step: Step, on_gpu: int) -> bool:
        """Whether all that a step needs has ended and, of a step that takes a GPU, one is free.
        on_gpu: steps that the cluster can run on GPUs at a time."""
        if not set(self.needed(step)) <= set(self.records):
            return False
        return not (step.gpu and on_gpu) or sum(s.gpu for s in self.running.values()) < on_gpu

    def fill(self, progress: Progress) -> None:
        """Submit what may start, as long as there is room."""
        progress.room = threads, on_gpu = room(self.client)
        if not self._workers(progress):
            return
        for step in list(self.waiting):
            if len(self.running) >= threads:
                break
            if self.may_start(step, on_gpu):
                progress.begin(step.name)
                self.submit(step, on_gpu)

    def _workers(self, progress: Progress) -> set[str]:
        """Addresses of the workers that are there; of a cluster elsewhere, new ones are looked
        at."""
        there = set(self.client.nthreads())
        if not there and not self.alone:
            progress.say("  no worker is there; waiting for one")
        self.alone = not there
        if self.probe is not None:
            self.probe.admit(there, progress.say)
        return there

    def task(self, step: Step) -> tuple[Any, ...]:
        """What a worker calls for a step: a function and what it is given."""
        needed = [self.records[name] for name in self.needed(step)]
        return run_step, self.walk, step.name, step.name in self.force, needed

    def submit(self, step: Step, on_gpu: int) -> None:
        """Give a step to a worker."""
        future = self.client.submit(
            *self.task(step),
            # a key of its own each time: dask would hand back the result of an earlier run
            key=f"{step.name}-{uuid.uuid4().hex}",
            resources={"GPU": 1} if step.gpu and on_gpu else None,
            pure=False,
        )
        self.running[future.key] = step
        self.waiting.remove(step)
        self.completed.add(future)

    def lost(self, step: Step, error: BaseException) -> Record:
        """How a step ended whose workers died; dask tried others before."""
        return Record(step.name, "failed", f"its worker was lost: {error}")

    def ended(self, patience: float = PATIENCE) -> Record | None:
        """Wait until a step has ended, and say how; None after so many seconds, in which workers
        may have come."""
        start = time.monotonic()
        while not self.completed.has_ready():
            if time.monotonic() - start > patience:
                return None
            time.sleep(LOOK)
        future = next(self.completed)
        step, error = self.running.pop(future.key), future.exception()
        record = self.lost(step, error) if error else future.result()
        self.records[step.name] = record
        return record
