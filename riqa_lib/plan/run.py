"""Runs a plan of notebooks: what is up to date is left alone, the rest runs side by side, what was
cut off goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from .. import contents
from .cluster import Elsewhere, client
from .freshness import check, why_all
from .kernel import Event
from .one_step import run_step
from .probe import probe
from .progress import Progress, where_to_look
from .step_queue import Queue
from .steps import PlanError, Record, Step, Walk, threads

MANY = 3  # steps to run, from which on kernels share their imports (see forks)


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


def _kind_of_queue(runs: bool) -> type[Queue]:
    if not runs:
        return Queue
    from .runs_apart import RunsFirst  # it imports pandas, and torch

    return RunsFirst


def _side_by_side(
    walk: Walk,
    steps: Sequence[Step],
    force: set[str],
    progress: Progress,
    jobs: int | None,
    scheduler: Elsewhere | None,
    runs: bool,
) -> Iterator[Record]:
    def cell(event: tuple[float, tuple[str, int, int, str, str | None]]) -> None:
        progress.cell(*event[1])

    with client(jobs, scheduler) as its:
        its.subscribe_topic("cell", cell)
        with probe(its, walk.home) if scheduler else contextlib.nullcontext() as looks:
            queue = _kind_of_queue(runs)(its, walk, steps, force, looks)
            while queue.waiting or queue.running:
                queue.fill(progress)
                if record := queue.ended():
                    yield record


@contextlib.contextmanager
def _walk_lock(walk: Walk) -> Iterator[str]:
    """Hold the walk for this run alone; gives "", or why nothing can be written there."""
    with contextlib.ExitStack() as stack:
        try:
            walk.folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(walk.folder / ".lock", "a", encoding="utf-8"))
        except OSError as e:
            yield e.strerror or str(e)
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place = walk.shown(walk.folder)
            raise PlanError(f"another run is at work in {place}; wait for it or stop it") from None
        yield ""


@contextlib.contextmanager
def _in_words(place: str) -> Iterator[None]:
    """A disk that is full, for this process itself, is said as what it is."""
    try:
        yield
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise PlanError(
            f"{place} cannot be written ({e.strerror}); make room and start it again: it goes on "
            "from here"
        ) from e


def _log(walk: Walk, unwritable: str, reasons: dict[str, list[str]]) -> Path:
    """The walk's log, or none where nothing can be written; PlanError where a step has to run all
    the same."""
    if not unwritable:
        return walk.folder / "log.txt"
    waiting = [name for name, why in reasons.items() if why]
    if waiting:
        raise PlanError(
            f"{walk.shown(walk.folder)} cannot be written ({unwritable}), and {waiting[0]} would "
            "have to run; --home FOLDER writes elsewhere"
        )
    return Path(os.devnull)


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


@contextlib.contextmanager
def _stopped(progress: Progress, place: str) -> Iterator[None]:
    """Say what to do after Ctrl-C, from the first line that was shown to the last."""
    try:
        yield
    except KeyboardInterrupt:
        progress.say(f"{place}: stopped; start it again and it goes on from here")
        raise


def _followed(run: Iterator[Record], progress: Progress) -> dict[str, Record]:
    """How each step ended, shown as it ends."""
    records = {}
    with progress:
        for record in run:
            records[record.step] = record
            progress.record(record)
    return records


def _total(records: dict[str, Record]) -> str:
    """How many steps ended how, in words."""
    states = [record.state for record in records.values()]
    order = ("done", "up to date", "failed", "skipped")
    return ", ".join(f"{states.count(state)} {state}" for state in order if state in states)


def _is_simple(todo: Sequence[Step], scheduler: Elsewhere | None, runs: bool) -> bool:
    """One step alone needs no cluster, unless it was asked for."""
    return len(todo) == 1 and scheduler is None and not runs


def run_plan(
    walk: Walk,
    only: Sequence[str] = (),
    force: Sequence[str] = (),
    jobs: int | None = None,
    serial: bool = False,
    scheduler: Elsewhere | None = None,
    stream: IO[str] | None = None,
    runs: bool = False,
) -> dict[str, Record]:
    """Run a plan and return how each step ended.

    only: these steps and those they need (default: all). force: steps that run even if up to date,
    from nothing. jobs: steps side by side (default: one per GPU, or 2). serial: one after another
    in this process, without dask. scheduler: a dask scheduler that is running. runs: what a
    notebook trains is trained first, each run a task of its own (see runs_apart). Raises PlanError
    before anything has run, or where the disk is full."""
    steps, force = walk.ordered(walk.pick(only)), walk.pick(force)
    check(walk, steps)
    threads()
    place = walk.shown(walk.folder)
    with _in_words(place), _walk_lock(walk) as unwritable:
        reasons = why_all(walk, steps, force)
        log, width = _log(walk, unwritable, reasons), max(map(len, reasons))
        records = {s.name: Record(s.name, "up to date") for s in steps if not reasons[s.name]}
        todo = [s for s in steps if reasons[s.name]]
        if len(todo) < MANY:
            walk = dataclasses.replace(walk, imports=())
        progress = Progress(log, stream or sys.stdout, todo, len(steps), width)
        if not todo:
            ended = f"all {len(steps)} steps are up to date"
        else:
            contents.sweep(walk.folder, walk.home / "results" / "runs", walk.home / "figures")
            with _stopped(progress, place):
                _announce(progress, place, reasons)
                if serial or _is_simple(todo, scheduler, runs):
                    run = _serially(walk, todo, set(force), progress)
                else:
                    run = _side_by_side(walk, todo, set(force), progress, jobs, scheduler, runs)
                records |= _followed(run, progress)
            ended = f"{_total(records)}; {time.monotonic() - progress.begun:.0f} s"
        progress.say_all([f"{place}: {ended}", *where_to_look(walk, records)])
    return {s.name: records[s.name] for s in steps}
