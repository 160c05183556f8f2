"""The plan as data: steps, how they ended, and the walk that gives them a place on disk.

A walk leaves, under home/results/<name>/,
    executed/<step>.ipynb   the executed copy of each notebook (the partly executed one where it failed)
    steps/<step>.json       the manifest: what the step depended on and what it wrote, written last, atomically
    steps/<step>.journal    while a step runs or after it was cut off: what it wrote so far
    log.txt                 everything the terminal showed, with times

An output is every file under home that the notebook wrote through riqa_lib.store (see
store.journal)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from .. import paths

# What makes data and trains. A change in the import closure of these makes stored data and runs
# anew; all else only reads.
MAKES = ("sim", "pictures", "networks", "ssl", "training")


TAKEN = ("reference", "runs", "lab")  # folders under results/ that are no walks


class PlanError(ValueError):
    """Something is wrong with the plan or the request; nothing has been run."""


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", self.home.resolve())
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", self.name) or self.name in TAKEN:
            raise PlanError(
                f"{self.name!r} cannot name a walk: letters, digits, '.', '_' and '-', and not {' or '.join(TAKEN)}"
            )
        names = [s.name for s in self.steps]
        problems = [
            f"two steps are called {n}" for n in sorted({n for n in names if names.count(n) > 1})
        ]
        problems += [
            f"{s.name} needs {n}, which is no step"
            for s in self.steps
            for n in s.needs
            if n not in names
        ]
        if not problems:
            try:
                TopologicalSorter({s.name: s.needs for s in self.steps}).prepare()
            except CycleError as e:
                problems.append(f"steps need each other in a circle: {' -> '.join(e.args[1])}")
        if problems:
            raise PlanError("\n".join(problems))

    def __getitem__(self, name: str) -> Step:
        return next(s for s in self.steps if s.name == name)

    def pick(self, names: Sequence[str]) -> list[str]:
        """Steps by name; a name without "-seedN" means all its seeds. PlanError lists what there
        is."""
        picked, unknown = [], []
        for name in names:
            name = name.removesuffix(".ipynb")
            found = [s.name for s in self.steps if s.name in (name, name.removesuffix("-seed0"))]
            found += [s.name for s in self.steps if s.name.startswith(f"{name}-seed")]
            picked += found
            unknown += [] if found else [name]
        if unknown:
            steps = ", ".join(s.name for s in self.steps)
            raise PlanError(f"no step is called {', '.join(unknown)}; there are {steps}")
        return list(dict.fromkeys(picked))

    @property
    def folder(self) -> Path:
        """home/results/<name>."""
        return self.home / "results" / self.name

    def executed(self, step: str) -> Path:
        """The executed copy of a step's notebook."""
        return self.folder / "executed" / f"{step}.ipynb"

    def file(self, step: str, kind: str) -> Path:
        """A step's manifest (kind "json"), journal or lock."""
        return self.folder / "steps" / f"{step}.{kind}"

    def manifest(self, step: str) -> dict[str, Any]:
        """A step's manifest; empty where it never finished or the file is damaged."""
        try:
            found = json.loads(self.file(step, "json").read_text(encoding="utf-8"))
            return (
                found
                if isinstance(found.get("components"), dict)
                and isinstance(found.get("outputs"), dict)
                else {}
            )
        except (OSError, ValueError, AttributeError):
            return {}

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
