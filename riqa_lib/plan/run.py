"""Runs a plan of notebooks: what is up to date is left alone, the rest runs side by side, what was
cut off goes on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from functools import cache
from typing import IO, Any

from .freshness import check, why_all
from .kernel import Event, threads
from .one_step import run_step
from .progress import Progress
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
    return [str(i) for i, _ in enumerate(x for x in listed.splitlines() if x.startswith("GPU "))]


def _serially(
    walk: Walk, steps: Sequence[Step], force: set[str], progress: Progress
) -> Iterator[Record]:
    records: dict[str, Record] = {}
    for step in steps:
        event: Event = lambda *cell, name=step.name: progress.cell(name, *cell)
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


def _side_by_side(
    walk: Walk,
    steps: Sequence[Step],
    force: set[str],
    progress: Progress,
    jobs: int | None,
    scheduler: str | None,
) -> Iterator[Record]:
    import logging

    from distributed import Client, Nanny, Scheduler, SpecCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if scheduler:
            client = stack.enter_context(Client(scheduler, set_as_default=False, timeout="20s"))
        else:
            layout = _workers(jobs)
            local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
            spec = {
                i: {
                    "cls": Nanny,
                    "options": {
                        "host": "127.0.0.1",
                        "nthreads": 1,
                        "memory_limit": 0,
                        "env": env,
                        "resources": resources,
                        "silence_logs": logging.CRITICAL,
                    },
                }
                for i, (env, resources) in enumerate(layout)
            }
            with _uninterrupted():  # Ctrl-C is for this process, which then stops its workers
                cluster = stack.enter_context(
                    SpecCluster(
                        workers=spec,
                        scheduler={"cls": Scheduler, "options": {**local, "dashboard": False}},
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(Client(cluster, set_as_default=False))
        client.subscribe_topic("cell", lambda event: progress.cell(*event[1]))
        records: dict[str, Record] = {}
        running: dict[str, Step] = {}
        names, ended = {step.name for step in steps}, as_completed(loop=client.loop)
        waiting = by_urgency(steps)
        while waiting or running:
            threads, on_gpu = _room(client)
            for step in list(
                waiting
                # no more than there is room for: dask would queue the rest at one worker and leave it
                # there
            ):
                needed = [n for n in step.needs if n in names]
                if len(running) >= threads:
                    break
                if not {*needed} <= {*records} or (
                    step.gpu and on_gpu and sum(s.gpu for s in running.values()) >= on_gpu
                ):
                    continue
                future = client.submit(
                    run_step,
                    walk,
                    step.name,
                    step.name in force,
                    [records[n] for n in needed],
                    key=f"{step.name}-{uuid.uuid4().hex}",
                    resources={"GPU": 1} if step.gpu and on_gpu else None,
                    pure=False,
                )
                running[future.key] = step
                waiting.remove(step)
                ended.add(future)
            future = next(ended)
            step, error = running.pop(future.key), future.exception()
            records[step.name] = (
                Record(step.name, "failed", f"its worker was lost: {error}")
                if error
                else future.result()
            )
            yield records[step.name]


def by_urgency(steps: Sequence[Step]) -> list[Step]:
    """Steps with most still to come first: their own declared seconds and the longest chain of
    steps that wait for them."""

    @cache
    def left(step: str) -> float:
        own = next(s.seconds for s in steps if s.name == step)
        return own + max((left(s.name) for s in steps if step in s.needs), default=0)

    return sorted(steps, key=lambda step: -left(step.name))


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
    with _walk_lock(walk):
        reasons = why_all(walk, steps, force)
        progress = Progress(
            walk.folder / "log.txt", stream or sys.stdout, max(len(s.name) for s in steps)
        )
        records = {s.name: Record(s.name, "up to date") for s in steps if not reasons[s.name]}
        todo = [s for s in steps if reasons[s.name]]
        place = walk.shown(walk.folder)
        if not todo:
            progress.say(f"{place}: all {len(steps)} steps are up to date")
            return records
        progress.say(
            f"{place}: {len(todo)} of {len(steps)} steps to look at; python {sys.version.split()[0]}"
        )
        for step in steps:
            if reasons[step.name]:
                progress.say(
                    f"  {step.name:{progress.width}}  because {'; '.join(reasons[step.name])}",
                    show=False,
                )
            else:
                progress.record(records[step.name])
        alone = serial or (len(todo) == 1 and not scheduler)
        begun = time.monotonic()
        run = (
            _serially(walk, todo, set(force), progress)
            if alone
            else _side_by_side(walk, todo, set(force), progress, jobs, scheduler)
        )
        try:
            for record in run:
                records[record.step] = record
                progress.record(record)
        except KeyboardInterrupt:
            progress.live.clear()
            progress.say(f"{place}: stopped; start it again and it goes on from here")
            raise
        count = {
            state: sum(r.state == state for r in records.values())
            for state in ("done", "up to date", "failed", "skipped")
        }
        total = ", ".join(f"{n} {state}" for state, n in count.items() if n)
        progress.say(f"{place}: {total}; {time.monotonic() - begun:.0f} s")
    return {s.name: records[s.name] for s in steps}
