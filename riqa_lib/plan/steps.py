"""The plan as data: steps, how they ended, and the walk that gives them a place on disk.

A walk leaves, under home/results/<name>/,
    executed/<step>.ipynb   the executed copy of each notebook (as far as it came where it failed)
    steps/<step>.json       the manifest: what the step depended on and what it wrote, written last
    steps/<step>.journal    while a step runs or after it was cut off: what it wrote so far
    steps/<step>.reads      the data it read (.reading while it runs): see data_read
    log.txt                 everything the terminal showed, with times

An output is every file under home that the notebook wrote through riqa_lib.store (see
store.journal)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from .. import paths
from ..hints import did_you_mean

# What makes data and trains. A change in the import closure of these makes stored data and runs
# anew; all else only reads.
MAKES = ("sim", "pictures", "networks", "ssl", "training")


# What nearly all of our notebooks import, once for all (see forks); riqa_lib is not part of it
IMPORTS = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "pandas",
    "scipy.stats",
    "skimage.restoration",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "timm",
    "torch._dynamo",
)
TURN = "RIQA_TURN"  # in the environment of a cluster's worker: which it is, 0, 1, ...


TAKEN = ("reference", "runs", "lab")  # folders under results/ that are no walks


class PlanError(ValueError):
    """Something is wrong with the plan or the request; nothing has been run."""


def threads() -> int:
    """Threads of every step, RIQA_THREADS (default 1): never a matter of how many steps run side by
    side. A step depends on it: sums over threads differ in the last bits."""
    return _number("RIQA_THREADS")


def ranks() -> int:
    """Processes that train a run together, RIQA_RANKS (default 1): see training.launch."""
    return _number("RIQA_RANKS")


def _number(name: str) -> int:
    value = os.environ.get(name) or "1"
    if not value.isdigit() or int(value) < 1:
        raise PlanError(f"{name} is {value!r}, expected a whole number from 1 on")
    return int(value)


@dataclass(frozen=True)
class Step:
    """One execution of a notebook.

    notebook: file name in the notebooks folder; parameters: builtins for its parameters cell;
    needs: names of steps that run before; seconds: declared time in the demo profile on two cores;
    gpu: takes a GPU for itself where there is one."""

    name: str
    notebook: str
    parameters: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    seconds: float = 0
    gpu: bool = False


@dataclass(frozen=True)
class Record:
    """How a step ended: state is "up to date", "done", "failed" or "skipped"; text says why."""

    step: str
    state: str
    text: str = ""
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """Whether steps that need this one may run."""
        return self.state in ("up to date", "done")


def _problems(steps: Sequence[Step]) -> list[str]:
    """Why steps make no plan: names given twice, needs that are no step, circles."""
    names = [s.name for s in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [f"two steps are called {name}" for name in twice]
    for step in steps:
        absent = [need for need in step.needs if need not in names]
        problems += [f"{step.name} needs {need}, which is no step" for need in absent]
    return problems or _circle(steps)


def _circle(steps: Sequence[Step]) -> list[str]:
    """The first circle of needs, if there is one."""
    try:
        TopologicalSorter({s.name: s.needs for s in steps}).prepare()
    except CycleError as e:
        return [f"steps need each other in a circle: {' -> '.join(e.args[1])}"]
    return []


@dataclass(frozen=True)
class Walk:
    """A plan with its places. Raises PlanError, listing every problem, for a plan that cannot
    run."""

    steps: tuple[Step, ...]
    name: str
    notebooks: Path
    home: Path
    library: Path = paths.ROOT / "riqa_lib"
    makes: tuple[str, ...] = MAKES  # modules and packages of the library that make data or train
    imports: tuple[str, ...] = ()  # modules that most notebooks need: see plan.forks

    def __post_init__(self) -> None:
        # resolved: outputs are noted as resolved paths, and compared with this one
        object.__setattr__(self, "home", self.home.resolve())
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", self.name) or self.name in TAKEN:
            raise PlanError(
                f"{self.name!r} cannot name a walk: letters, digits, '.', '_' and '-', "
                f"and not {' or '.join(TAKEN)}"
            )
        problems = _problems(self.steps)
        if problems:
            raise PlanError("\n".join(problems))

    def __getitem__(self, name: str) -> Step:
        return next(s for s in self.steps if s.name == name)

    def pick(self, names: Sequence[str]) -> list[str]:
        """Steps by name; a name without "-seedN" means all its seeds. PlanError lists what there
        is.

        >>> steps = (Step("fit", "fit.ipynb"), Step("fit-seed1", "fit.ipynb", {"SEED": 1}))
        >>> Walk(steps, "mine", Path("notebooks"), Path("home")).pick(["fit"])
        ['fit', 'fit-seed1']
        """
        picked, unknown = [], []
        for name in names:
            name = name.removesuffix(".ipynb")
            found = [s.name for s in self.steps if s.name in (name, name.removesuffix("-seed0"))]
            found += [s.name for s in self.steps if s.name.startswith(f"{name}-seed")]
            picked += found
            unknown += [] if found else [name]
        if unknown:
            known = [s.name for s in self.steps]
            hints = "".join(did_you_mean(name, known) for name in unknown)
            said = f"no step is called {', '.join(unknown)}; there are {', '.join(known)}"
            raise PlanError(said + hints)
        return list(dict.fromkeys(picked))

    @property
    def folder(self) -> Path:
        """home/results/<name>."""
        return self.home / "results" / self.name

    def executed(self, step: str) -> Path:
        """The executed copy of a step's notebook."""
        return self.folder / "executed" / f"{step}.ipynb"

    def file(self, step: str, kind: str) -> Path:
        """A step's manifest (kind "json"), journal, lock, or list of what it read."""
        return self.folder / "steps" / f"{step}.{kind}"

    def manifest(self, step: str) -> dict[str, Any]:
        """A step's manifest; empty where it never finished or the file is damaged."""
        try:
            found = json.loads(self.file(step, "json").read_text(encoding="utf-8"))
            if not isinstance(found["components"], dict) or not isinstance(found["outputs"], dict):
                return {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}
        if "threads" in found:  # older manifests have them here only
            found["components"].setdefault("threads", str(found["threads"]))
        return found

    def ordered(self, names: Sequence[str] = ()) -> list[Step]:
        """These steps (default: all) and all they need, needs first."""
        wanted, queue = set(), list(names) or [s.name for s in self.steps]
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue += self[name].needs
        order = TopologicalSorter({s.name: s.needs for s in self.steps}).static_order()
        return [self[n] for n in order if n in wanted]

    def shown(self, path: Path) -> str:
        """A path relative to home (also where results/ or figures/ is a link to another disk)."""
        for base in ("", "results", "figures"):
            for top in (self.home / base, (self.home / base).resolve()):
                if path.is_relative_to(top):
                    return (Path(base) / path.relative_to(top)).as_posix()
        return path.as_posix()
