"""Runs (row x labels x seed) as tasks of their own: what a notebook trains is trained first, by all
workers of the cluster side by side; the notebook finds its runs finished, and shows them.

A step that is begun this way counts as cut off until its notebook has ended: stopped and started
again, it goes on with the runs that are not finished, each from its last saved state. A run whose
worker is lost goes to another worker, which goes on from there."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import bars, store
from ..variables import variables
from .freshness import components, why
from .kernel import only_one, scratch, watched
from .one_step import begin, left
from .progress import Progress
from .step_queue import Queue
from .steps import Record, Step, Walk, threads

SHOWING = 5.0  # declared seconds that a notebook takes whose runs are finished
WEIGHTS = "first weights"
_ALONE = threading.Lock()  # a run sets what is the process's: random states, threads, places


# ---------------------------------------------------------------- what there is to train
@dataclass(frozen=True)
class Run:
    """A run of a step: what trains it, the folder it ends in (None: not known before what it
    stands on is finished; then `waits` says for what), its files."""

    name: str
    planned: Any  # training.planned_runs.Planned: that imports torch
    folder: Path | None
    files: tuple[Path, ...] = field(default=(), repr=False)
    waits: str = ""

    @property
    def done(self) -> bool:
        """Whether it has finished."""
        if self.folder is None:
            return False
        return store.done(self.folder) or (
            self.planned.kind == "weights" and all(file.is_file() for file in self.files)
        )


def runs_of(step: Step) -> list[Run]:
    """The runs of a step, by its notebook's parameters; [] where it has none apart from each
    other. FileNotFoundError where its data are not there yet. Needs RIQA_HOME to be the walk's."""
    from ..training import planned_runs

    return [_run(step, one) for one in planned_runs.planned(step.notebook, step.parameters)]


def _run(step: Step, planned: Any) -> Run:
    from ..training import planned_runs

    name = f"{step.name}: {planned.name}"
    try:
        folder = planned.folder()
    except FileNotFoundError as e:
        return Run(name, planned, None, waits=str(e))
    return Run(name, planned, folder, tuple(folder / file for file in planned_runs.FILES))


def weights_of(step: Step) -> list[Run]:
    """What all runs of a step wait for: one, or none."""
    from ..training import planned_runs

    found = planned_runs.first_weights(step.notebook, step.parameters)
    if found is None:
        return []
    planned, files = found
    return [Run(f"{step.name}: {WEIGHTS}", planned, files[0].parent, tuple(files))]


def state_of(walk: Walk, step: Step, run: Run) -> str:
    """How a run stands: "done", "to train", "to go on" (from a saved state), "to train anew" (what
    makes data or trains is not as it was), "waits" (for the run that it stands on)."""
    if run.folder is None:
        return "waits"
    if why(walk, step):
        fates = left(walk, step, components(walk, step), False).fates()
        if any(fates.get(walk.shown(file)) == "remake" for file in run.files):
            return "to train anew" if (run.folder / "config.json").exists() else "to train"
    if run.done:
        return "done"
    return "to go on" if any(run.folder.glob("state*.safetensors")) else "to train"


def listed(walk: Walk, steps: Sequence[Step]) -> Iterator[str]:
    """A line a run: how it stands, its folder, its name."""
    with _places(walk.home):
        for step in steps:
            try:
                runs = runs_of(step)
            except FileNotFoundError as e:
                runs = [Run(step.name, None, None, waits=str(e))]
            for run in runs:
                place = walk.shown(run.folder) if run.folder else f"({run.waits})"
                yield f"{state_of(walk, step, run):13}  {place:42}  {run.name}"


# ---------------------------------------------------------------- on a worker
def _places(home: Path, **more: str) -> contextlib.AbstractContextManager[None]:
    """What a run takes from the environment, as a step's kernel has it."""
    given = {"RIQA_HOME": str(home), "RIQA_THREADS": str(threads()), store.JOURNAL: "", **more}
    return variables(given)


def train(name: str, planned: Any, folder: str, home: Path, cores: int) -> Record:
    """Train a run in this process; never raises. folder: the one it must end in, relative to home;
    cores: threads of everything that computes."""
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker, start = get_worker(), time.monotonic()

    def moved(bar: str) -> None:
        worker.log_event("cell", (name, 1, 1, "", bar))

    said = io.StringIO()
    with _ALONE, scratch() as place:
        bar = place / "bar"
        try:
            with (
                _places(home, RIQA_THREADS=str(cores), **{bars.FILE: str(bar)}),
                watched(bar, moved),
                threadpool_limits(cores),
                contextlib.redirect_stdout(said),
            ):
                planned.train_into(home / folder)
        except Exception as e:
            text = " | ".join(f"{type(e).__name__}: {e}".splitlines())
            return Record(name, "failed", f"{folder}: {text}", time.monotonic() - start)
    return Record(name, "done", _last_line(said.getvalue()), time.monotonic() - start)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


# ---------------------------------------------------------------- on their way
def begin_apart(walk: Walk, step: Step, force: bool, files: Sequence[Path]) -> None:
    """Begin a step as `one_step.run_step` does, and leave it as one that was cut off: who runs it
    next goes on. files: those that its runs will leave, which are its own from now on."""
    with only_one(walk.file(step.name, "lock")):
        kept, _ = begin(walk, step, components(walk, step), force)
        with open(walk.file(step.name, "journal"), "a", encoding="utf-8") as journal:
            journal.writelines(f"{walk.home / file}\n" for file in sorted(kept))
            journal.writelines(f"{file}\n" for file in files)
        walk.file(step.name, "json").unlink(missing_ok=True)


def begun(walk: Walk, step: Step, force: bool) -> tuple[list[Run], list[Run]]:
    """What the runs of a step wait for, and these; the step has begun (see `begin_apart`) where it
    has any. Raises what its notebook would raise before it trains."""
    runs = runs_of(step)
    if not runs:
        return [], []
    first = weights_of(step)
    begin_apart(walk, step, force, [file for run in (*first, *runs) for file in run.files])
    return first, runs


class RunsFirst(Queue):
    """Steps on their way, the runs of each before its notebook."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.looked_at: set[str] = set()  # steps
        self.runs: dict[str, Run] = {}  # by name

    def fill(self, progress: Progress) -> None:
        """As for steps; those that may start first give way to their runs."""
        for step in [s for s in self.waiting if self._is_next(s)]:
            self.looked_at.add(step.name)
            with _places(self.walk.home):
                self._open(step, progress)
        super().fill(progress)

    def _is_next(self, step: Step) -> bool:
        if step.name in self.looked_at or step.name in self.runs:
            return False
        needed = [self.records.get(name) for name in self.needed(step)]
        return all(record is not None and record.ok for record in needed)

    def _open(self, step: Step, progress: Progress) -> None:
        """Put what is to be trained of a step before it."""
        force = step.name in self.force
        if not force and not why(self.walk, step):
            return
        try:
            first, runs = begun(self.walk, step, force)
        except (ValueError, TypeError, OSError, RuntimeError) as e:  # its notebook says it better
            progress.say(f"  {step.name}: its runs are left to the notebook ({e})")
            return
        if runs:
            self.force.discard(step.name)  # it has begun from nothing
        if todo := [run for run in runs if run.folder and not run.done]:
            self._put_before(step, [run for run in first if not run.done], todo, progress)

    def _put_before(
        self, step: Step, first: Sequence[Run], todo: Sequence[Run], progress: Progress
    ) -> None:
        """Runs, and the first of them, which the others wait for, in the place of their step."""
        each = max(0.0, step.seconds - SHOWING) / (len(first) + len(todo))
        waits = tuple(run.name for run in first)
        new = [Step(r.name, "", seconds=each, gpu=step.gpu and r.planned.gpu) for r in first]
        new += [
            Step(r.name, "", {}, waits, seconds=each, gpu=step.gpu and r.planned.gpu) for r in todo
        ]
        showing = replace(step, needs=(*step.needs, *(s.name for s in new)), seconds=SHOWING)
        at = self.waiting.index(step)
        self.waiting[at : at + 1] = [*new, showing]
        self.runs |= {run.name: run for run in (*first, *todo)}
        self.names |= {s.name for s in new}
        progress.add(showing, new)

    def task(self, step: Step) -> tuple[Any, ...]:
        """What a worker calls: for a run, `train`."""
        run = self.runs.get(step.name)
        if run is None or run.folder is None:
            return super().task(step)
        place = self.walk.shown(run.folder)
        return train, run.name, run.planned, place, self.walk.home, threads()

    def lost(self, step: Step, error: BaseException) -> Record:
        """How a run ended whose workers died one after another, by its folder."""
        record = super().lost(step, error)
        run = self.runs.get(step.name)
        if run is None or run.folder is None:
            return record
        return replace(record, text=f"{self.walk.shown(run.folder)}: {record.text}")
