"""Everything a walk stands on, read and hashed: is it what was recorded?

The plan looks at sizes and times, which is quick; a disk that flips a bit changes neither. Here
every output of every step (data, runs, tables, figures, executed copies) and every file that a step
read is hashed. Saved states of unfinished trainings check themselves when they are gone on from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .. import bars, contents, paths, repairs
from . import data_read
from .freshness import as_it_was
from .steps import PlanError, Walk


class Difference(NamedTuple):
    """A file that is not as it was recorded. file: as `Walk.shown`; what: "is gone", "was altered",
    ...; steps: that made or read it; made: whether a step made it, so that it can be made again."""

    file: str
    what: str
    steps: tuple[str, ...]
    made: bool


@dataclass(frozen=True)
class Verified:
    """files: how many were hashed; steps: of so many; differences: none where all is well;
    command: runs the steps that made what differs, once what is damaged is gone; whole: runs
    whatever waits, as it must where data that was read is not what it was."""

    name: str
    files: int
    steps: int
    differences: tuple[Difference, ...]
    command: str
    whole: str

    def __str__(self) -> str:
        head = f"{self.name}: {self.files} files of {self.steps} steps hashed"
        if not self.differences:
            return f"{head}, all as they were recorded"
        lines = [f"{head}, {len(self.differences)} not as recorded"]
        lines += [f"  {d.file} {d.what} ({', '.join(d.steps)})" for d in self.differences]
        return "\n".join([*lines, *self._way_out()])

    def _way_out(self) -> Iterator[str]:
        home = paths.home() if Path.cwd() != paths.home() else Path()  # as it would be typed here
        made = [d for d in self.differences if d.made]
        damaged = [str(home / d.file) for d in made if d.what != "is gone"]
        read = [d.file for d in self.differences if not d.made]
        if read:
            yield "data that was read: put it back as it was; to learn from it as it is now:"
            yield f"  touch {shlex.join(read)}"
            yield f"  {self.whole}"
        if not made:
            return
        yield "to make again what differs, and only that:"
        if damaged:
            yield f"  rm {shlex.join(damaged)}"
        yield f"  {self.command}"
        yield "a step that ran after the damage may have read it: add --force STEP for such a one"


def command(name: str) -> int:
    """Verify a walk of this home and say what was found; exit status 1 where something differs."""
    found = verify(Walk((), name, paths.ROOT / "notebooks", paths.home()))
    print(found)
    return int(bool(found.differences))


def verify(walk: Walk) -> Verified:
    """Hash all that the finished steps of a walk made and read. PlanError where there are none.

    walk: its folder and home count, its plan need not be known."""
    names = sorted(file.stem for file in (walk.folder / "steps").glob("*.json"))
    if not names:
        there = ", ".join(_walks(walk)) or "none"
        raise PlanError(f"{walk.shown(walk.folder)}: no step has finished here; walks: {there}")
    manifests = {name: walk.manifest(name) for name in names}
    written, differ = _written(walk, manifests)
    read, differ_too = _read(walk, names)
    found = [*_damaged(walk, manifests), *differ, *differ_too]
    makers = {step for d in found if d.made for step in d.steps}
    concerned = [n for n in names if n in makers]
    given = repairs.given(manifests.values())
    again, whole = (repairs.command(walk.name, some, given) for some in (concerned, ()))
    return Verified(walk.name, written + read, len(names), tuple(found), again, whole)


def _walks(walk: Walk) -> list[str]:
    return sorted(folder.parent.name for folder in (walk.home / "results").glob("*/steps"))


def _wrong(path: Path, name: str, manifests: Iterable[dict[str, Any]]) -> str:
    if not path.is_file():
        return "is gone"
    return "" if all(as_it_was(path, name, m) for m in manifests) else "was altered"


def _damaged(walk: Walk, manifests: dict[str, dict[str, Any]]) -> list[Difference]:
    """Manifests that cannot be read."""
    return [
        Difference(walk.shown(walk.file(name, "json")), "is damaged", (name,), True)
        for name, manifest in manifests.items()
        if not manifest
    ]


def _written(walk: Walk, manifests: dict[str, dict[str, Any]]) -> tuple[int, list[Difference]]:
    """How many files the steps wrote, and those that are not as they were."""
    steps: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        for file in manifest.get("outputs", {}):
            steps.setdefault(file, []).append(name)
    differ = []
    for file in bars.bar(sorted(steps), desc="hashing", unit="file"):
        if what := _wrong(walk.home / file, file, [manifests[name] for name in steps[file]]):
            differ.append(Difference(file, what, tuple(steps[file]), True))
    return len(steps), differ


def _read(walk: Walk, names: Iterable[str]) -> tuple[int, list[Difference]]:
    """How many files the steps read, and those that are not as they were."""
    steps: dict[str, list[str]] = {}
    then: contents.Index = {}
    for name in names:
        for file, known in data_read.read_by(walk, name).items():
            steps.setdefault(file, []).append(name)
            then[file] = known
    now = contents.look(paths.located(then), {})
    differ = [
        Difference(place, "is gone" if not one.sha else "was altered", tuple(steps[file]), False)
        for (file, known), one, place in zip(then.items(), now, paths.located(then), strict=True)
        if one.sha != known.sha
    ]
    return len(then), differ
