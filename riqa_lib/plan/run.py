"""Runs a plan of notebooks: what is up to date is left alone, the rest runs side by side, what was
cut off goes on."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

from .freshness import check, why_all
from .kernel import Event, threads
from .one_step import run_step
from .progress import Progress, where_to_look
from .schedule import by_urgency
from .steps import PlanError, Record, Step, Walk


def gpus() -> list[str]:
    """Identifiers of the GPUs this process may use (CUDA_VISIBLE_DEVICES, else nvidia-smi)."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [x.strip() for x in allowed.split(",") if x.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = [line for line in listed.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(found))]


def _serially(
    walk: Walk, steps: Sequence[Step], force: set[str], progress: Progress
) -> Iterator[Record]:
    records: dict[str, Record] = {}
    progress.room = (1, 0)
    for step in steps:
        event: Event = partial(progress.cell, step.name)
        progress.begin(step.name)
        needed = [records[n] for n in step.needs if n in records]
        records[step.name] = run_step(walk, step.name, step.name in force, needed, event)
        yield records[step.name]


def _workers(jobs: int | None) -> list[tuple[dict[str, str], dict[str, float] | None]]:
    """Environment and resources of each worker: one a GPU and one without, or two (or `jobs`) on a
    CPU."""
    ids = gpus()
    if not ids:
        return [({}, None)] * (jobs or 2)
    on_gpu = [
        ({"CUDA_VISIBLE_DEVICES": ids[i % len(ids)]}, {"GPU": 1.0}) for i in range(jobs or len(ids))
    ]
    return [*on_gpu, ({"CUDA_VISIBLE_DEVICES": ""}, None)]


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes started here ignore Ctrl-C (only the main thread may say so)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _cluster(jobs: int | None) -> Iterator[Any]:
    """A dask cluster of processes on this machine, its scheduler included; it listens on loopback
    only."""
    from distributed import Nanny, Scheduler, SpecCluster

    common = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "memory_limit": 0,  # dask would pause or kill a step; the system's own limit stays
        "silence_logs": logging.CRITICAL,
    }
    workers = {
        number: {"cls": Nanny, "options": common | {"env": env, "resources": resources}}
        for number, (env, resources) in enumerate(_workers(jobs))
    }
    place = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "dashboard": False}
    scheduler = {"cls": Scheduler, "options": place}
    with contextlib.ExitStack() as stack:
        with _uninterrupted():  # Ctrl-C is for this process, which then stops its workers
            cluster = stack.enter_context(
                SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL)
            )
        yield cluster


@contextlib.contextmanager
def _client(jobs: int | None, scheduler: str | None) -> Iterator[Any]:
    """A client of the running scheduler, or of a cluster of our own."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if scheduler:
            yield stack.enter_context(Client(scheduler, set_as_default=False, timeout="20s"))
        else:
            cluster = stack.enter_context(_cluster(jobs))
            yield stack.enter_context(Client(cluster, set_as_default=False))


class _Queue:
    """Steps on their way through a cluster, the most urgent first.

    No more are submitted than there is room for: dask would queue the rest at one worker and leave
    it there."""

    def __init__(self, client: Any, walk: Walk, steps: Sequence[Step], force: set[str]) -> None:
        from distributed import as_completed

        self.client, self.walk, self.force = client, walk, force
        self.names = {step.name for step in steps}
        self.waiting = by_urgency(steps)
        self.running: dict[str, Step] = {}  # by the key of their future
        self.records: dict[str, Record] = {}
        self.completed = as_completed(loop=client.loop)

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
        progress.room = threads, on_gpu = _room(self.client)
        for step in list(self.waiting):
            if len(self.running) >= threads:
                break
            if self.may_start(step, on_gpu):
                progress.begin(step.name)
                self.submit(step, on_gpu)

    def submit(self, step: Step, on_gpu: int) -> None:
        future = self.client.submit(
            run_step,
            self.walk,
            step.name,
            step.name in self.force,
            [self.records[name] for name in self.needed(step)],
            # a key of its own each time: dask would hand back the result of an earlier run
            key=f"{step.name}-{uuid.uuid4().hex}",
            resources={"GPU": 1} if step.gpu and on_gpu else None,
            pure=False,
        )
        self.running[future.key] = step
        self.waiting.remove(step)
        self.completed.add(future)

    def ended(self) -> Record:
        """Wait until a step has ended, and say how."""
        future = next(self.completed)
        step, error = self.running.pop(future.key), future.exception()
        if error:
            record = Record(step.name, "failed", f"its worker was lost: {error}")
        else:
            record = future.result()
        self.records[step.name] = record
        return record


def _side_by_side(
    walk: Walk,
    steps: Sequence[Step],
    force: set[str],
    progress: Progress,
    jobs: int | None,
    scheduler: str | None,
) -> Iterator[Record]:
    def cell(event: tuple[float, tuple[str, int, int, str, str | None]]) -> None:
        progress.cell(*event[1])

    with _client(jobs, scheduler) as client:
        client.subscribe_topic("cell", cell)
        queue = _Queue(client, walk, steps, force)
        while queue.waiting or queue.running:
            queue.fill(progress)
            yield queue.ended()


def _room(client: Any) -> tuple[int, int]:
    """How many steps the workers of a cluster can run at a time (at least one: workers may come
    later), and how many on a GPU."""
    resources = [
        w.get("resources") or {} for w in client.scheduler_info(n_workers=-1)["workers"].values()
    ]
    return max(1, sum(client.nthreads().values())), int(sum(r.get("GPU", 0) for r in resources))


@contextlib.contextmanager
def _walk_lock(walk: Walk) -> Iterator[None]:
    walk.folder.mkdir(parents=True, exist_ok=True)
    with open(walk.folder / ".lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place = walk.shown(walk.folder)
            raise PlanError(f"another run is at work in {place}; wait for it or stop it") from None
        yield


def _announce(progress: Progress, place: str, reasons: dict[str, list[str]]) -> None:
    """Say what is about to happen; why is for the log alone."""
    todo = sum(map(bool, reasons.values()))
    python = sys.version.split()[0]
    progress.say(f"{place}: {todo} of {len(reasons)} steps to look at; python {python}")
    for name, why in reasons.items():
        if why:
            text = f"  {name:{progress.width}}  because {'; '.join(why)}"
            progress.say(text, show=False)
        else:
            progress.record(Record(name, "up to date"))


def _followed(run: Iterator[Record], progress: Progress, place: str) -> dict[str, Record]:
    """How each step ended, shown as it ends."""
    records = {}
    try:
        with progress:
            for record in run:
                records[record.step] = record
                progress.record(record)
    except KeyboardInterrupt:
        progress.say(f"{place}: stopped; start it again and it goes on from here")
        raise
    return records


def _total(records: dict[str, Record]) -> str:
    """How many steps ended how, in words."""
    states = [record.state for record in records.values()]
    order = ("done", "up to date", "failed", "skipped")
    return ", ".join(f"{states.count(state)} {state}" for state in order if state in states)


def run_plan(
    walk: Walk,
    only: Sequence[str] = (),
    force: Sequence[str] = (),
    jobs: int | None = None,
    serial: bool = False,
    scheduler: str | None = None,
    stream: IO[str] | None = None,
) -> dict[str, Record]:
    """Run a plan and return how each step ended.

    only: these steps and those they need (default: all). force: steps that run even if up to date,
    from nothing. jobs: steps side by side (default: one per GPU, or 2). serial: one after another
    in this process, without dask. scheduler: address of a running dask scheduler. Raises PlanError
    before anything has run."""
    steps, force = walk.ordered(walk.pick(only)), walk.pick(force)
    check(walk, steps)
    threads()
    place = walk.shown(walk.folder)
    with _walk_lock(walk):
        reasons = why_all(walk, steps, force)
        log, width = walk.folder / "log.txt", max(map(len, reasons))
        records = {s.name: Record(s.name, "up to date") for s in steps if not reasons[s.name]}
        todo = [s for s in steps if reasons[s.name]]
        progress = Progress(log, stream or sys.stdout, todo, len(steps), width)
        if not todo:
            ended = f"all {len(steps)} steps are up to date"
        else:
            _announce(progress, place, reasons)
            # one step alone needs no cluster, unless it was asked for
            if serial or (len(todo) == 1 and not scheduler):
                run = _serially(walk, todo, set(force), progress)
            else:
                run = _side_by_side(walk, todo, set(force), progress, jobs, scheduler)
            records |= _followed(run, progress, place)
            ended = f"{_total(records)}; {time.monotonic() - progress.begun:.0f} s"
        progress.say_all([f"{place}: {ended}", *where_to_look(walk, records)])
    return {s.name: records[s.name] for s in steps}
