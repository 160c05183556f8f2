"""One step of a plan: see whether it has to run, clear what it must not reuse, run it, note what it
wrote.

A step that was cut off goes on where it was, unless what it depends on changed meanwhile.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import contents, provenance, repairs
from . import data_read
from .code_read import executed_code, file_digest
from .freshness import (
    altered_inputs,
    changed,
    components,
    damaged,
    makers,
    named_by_contents,
    other_data,
    reads_only,
    settings_only,
    stamp,
    why,
)
from .kernel import Event, execute, only_one
from .steps import Record, Step, Walk, threads

# What becomes of a file that an earlier attempt left: removed and made anew; still this step's;
# a run of other settings, to be found again when they come back; or "leave": a need has made it
# anew meanwhile, so it is neither removed nor counted as this step's until the step uses it.
Fate = Literal["remake", "keep", "other settings", "leave"]


@dataclass(frozen=True)
class Left:
    """What the last attempt that finished and the one that was cut off left, as paths relative to
    home."""

    said: tuple[tuple[frozenset[str], Fate], ...]  # (files, what a change since means for them)
    journal: tuple[str, ...]  # of the attempt that was cut off, as it stands on disk
    mine: frozenset[str]  # the same files
    whole: frozenset[str]  # outputs of this step's needs, which are up to date by now
    going_on: bool  # nothing changed since the attempt was cut off

    def fate(self, file: str) -> Fate:
        """What becomes of one file; where attempts differ, being made anew wins, then being kept.

        A run that was damaged or made by other code is thus never found again."""
        if self.going_on and file in self.mine:
            return "keep"
        said = {fate for files, fate in self.said if file in files}
        if file in self.whole:
            said.discard("remake")
        order: tuple[Fate, ...] = ("remake", "keep", "other settings")
        return next((fate for fate in order if fate in said), "leave")

    def fates(self) -> dict[str, Fate]:
        """The fate of every file."""
        every = frozenset().union(*(files for files, _ in self.said))
        return {file: self.fate(file) for file in sorted(every)}


def _journal(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The components and the files of an attempt that was cut off; empty when there was none."""
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        return json.loads(first), list(dict.fromkeys(lines))
    except (OSError, ValueError):
        return {}, []


def _below_home(walk: Walk, written: Iterable[str]) -> set[str]:
    """Of what a journal lists, the files under home, relative to it."""
    shown = {walk.shown(Path(file)) for file in written}
    return {name for name in shown if not Path(name).is_absolute()}


def _spoilt(walk: Walk, manifest: dict[str, Any]) -> set[str]:
    """Outputs beside one that is gone or was altered: a run is remade whole. Executed copies lie
    side by side without belonging together."""
    folders = {Path(file).parent for file in damaged(walk, manifest)}
    folders.discard(walk.executed("").parent.relative_to(walk.home))
    return {file for file in manifest.get("outputs", {}) if Path(file).parent in folders}


def _since(
    old: dict[str, str], parts: dict[str, str], made_by: set[str], force: bool = False
) -> tuple[Fate, bool]:
    """What the changes since an attempt mean for all that it left, and whether they are in the data
    that runs learn from. force: nothing counts."""
    differs = changed(old, parts)
    data = {key for key in differs if other_data(key)}
    rest = differs.keys() - data
    if force or not all(settings_only(key) or reads_only(key, made_by) for key in rest):
        return "remake", False
    return ("other settings" if any(map(settings_only, rest)) else "keep"), bool(data)


def _said(files: frozenset[str], fate: Fate, anew: bool) -> list[tuple[frozenset[str], Fate]]:
    """What an attempt's fate means for its files. anew: its data are others now, so all but what is
    named by its contents is made again."""
    if not anew or fate == "remake":
        return [(files, fate)]
    named = frozenset(filter(named_by_contents, files))
    return [(named, "other settings"), (files - named, "remake")]


def _beside(attempts: Sequence[tuple[frozenset[str], Fate]]) -> Fate:
    """What becomes of runs of other settings: what became of all that was made beside them."""
    fates = {fate for files, fate in attempts if files}
    return "remake" if "remake" in fates and "keep" not in fates else "other settings"


def left(walk: Walk, step: Step, parts: dict[str, str], force: bool) -> Left:
    """What earlier attempts at a step left, and what its present components, and the data that it
    read, say of that."""
    manifest = walk.manifest(step.name)
    cut_off, written = _journal(walk.file(step.name, "journal"))
    mine = frozenset(_below_home(walk, written))
    made_by = makers(walk)
    read = bool(data_read.changes(walk, step, manifest)) or data_read.cut_off_changes(walk, step)
    attempts, said = [], []
    for attempt, files in ((manifest, frozenset(manifest.get("outputs", {}))), (cut_off, mine)):
        if "components" in attempt:
            fate, data = _since(attempt["components"], parts, made_by, force)
            attempts.append((files, fate))
            said += _said(files, fate, data or read)
    others = frozenset([*manifest.get("others", []), *cut_off.get("others", [])])
    said += [(others, _beside(attempts)), (frozenset(_spoilt(walk, manifest)), "remake")]
    needs = walk.ordered([step.name])[:-1]
    return Left(
        said=tuple(said),
        journal=tuple(written),
        mine=mine,
        whole=frozenset().union(*(walk.manifest(n.name).get("outputs", {}) for n in needs)),
        going_on=cut_off.get("components") == parts and not force and not read,
    )


def begin(walk: Walk, step: Step, parts: dict[str, str], force: bool) -> tuple[set[str], set[str]]:
    """Remove what this attempt must not reuse and open its journal. RuntimeError, before anything
    is removed, where what it needs is not as it was made.

    Returns paths relative to home: earlier outputs that still count as this step's, and those of
    other settings."""
    if wrong := altered_inputs(walk, step):
        raise RuntimeError(
            f"{', '.join(wrong[:3])}: not as it was made; nothing was computed from it; "
            f"`riqa verify {walk.name}` says how to make it again"
        )
    found = left(walk, step, parts, force)
    keep, others = set(), set()
    for file, fate in found.fates().items():
        if fate == "remake":
            (walk.home / file).unlink(missing_ok=True)
        elif fate == "keep":
            keep.add(file)
        elif fate == "other settings":
            others.add(file)
    lines = list(found.journal)
    if not found.going_on:
        lines = [str(walk.home / file) for file in sorted(keep & found.mine)]
    data_read.begin(walk, step.name)
    head = json.dumps({"components": parts, "others": sorted(others)})
    contents.write_whole(
        walk.file(step.name, "journal"), ("\n".join([head, *lines]) + "\n").encode()
    )
    return keep, others


def _outputs(walk: Walk, step: Step, kept: set[str]) -> dict[str, Path]:
    """{path relative to home: path} of all that the step has on disk: what it wrote, what it kept,
    its executed copy."""
    _, written = _journal(walk.file(step.name, "journal"))
    names = kept | _below_home(walk, written) | {walk.shown(walk.executed(step.name))}
    files = {name: walk.home / name for name in sorted(names)}
    return {name: path for name, path in files.items() if path.is_file()}


def _check_notebook(walk: Walk, step: Step, parts: dict[str, str]) -> None:
    """RuntimeError where the notebook that ran is not the one that this attempt began with."""
    copy = walk.executed(step.name)
    if copy.is_file() and executed_code(copy) != parts["notebook code"]:
        raise RuntimeError(
            f"{step.notebook} was edited just when it began to run; start it again, and it runs as "
            "it is now"
        )


def _finish(
    walk: Walk, step: Step, parts: dict[str, str], kept: set[str], others: set[str], seconds: float
) -> None:
    """Hash what the step wrote and write its manifest, which makes it count as done."""
    files = _outputs(walk, step, kept)
    copy = walk.shown(walk.executed(step.name))
    # these hold times: a change in them is no change of the step's outcome
    plain = {n for n, path in files.items() if path.name == repairs.PROVENANCE or n == copy}
    hashes = {name: "" if name in plain else file_digest(path) for name, path in files.items()}
    manifest = {
        "step": step.name,
        "notebook": step.notebook,
        "components": parts,
        "outputs": hashes,
        "reads": data_read.finish(walk, step.name),
        "copies": {copy: file_digest(files[copy])} if copy in files else {},
        "stamps": {name: stamp(path) for name, path in files.items()},
        "others": sorted(o for o in others - set(files) if (walk.home / o).is_file()),
        "seconds": round(seconds, 1),
        "ended": round(time.time(), 1),  # seconds since 1970
        "worker": f"{platform.node()} {os.getpid()}",
        "machine": provenance.machine(),
        "threads": threads(),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    contents.write_whole(walk.file(step.name, "json"), text.encode())
    walk.file(step.name, "journal").unlink(missing_ok=True)


def run_step(
    walk: Walk, name: str, force: bool, needed: Sequence[Record], event: Event | None = None
) -> Record:
    """Run one step if it has to; never raises. `needed` are the records of its needs. Without
    `event`, cell events go to the dask scheduler under the topic "cell"."""
    waits = [r.step for r in needed if not r.ok]
    if waits:
        return Record(name, "skipped", f"waits for {', '.join(waits)}")
    start = time.monotonic()
    try:
        step = walk[name]
        with only_one(walk.file(name, "lock")) as lock:
            if not force and not why(walk, step):
                return Record(name, "up to date")
            parts = components(walk, step)
            kept, others = begin(walk, step, parts, force)
            execute(walk, step, lock, event or _dask_event(name))
            _check_notebook(walk, step, parts)
            _finish(walk, step, parts, kept, others, time.monotonic() - start)
        return Record(name, "done", seconds=time.monotonic() - start)
    except Exception as e:
        text = str(e) if isinstance(e, RuntimeError) else f"{type(e).__name__}: {e}"
        return Record(name, "failed", " | ".join(text.splitlines()), time.monotonic() - start)


def _dask_event(name: str) -> Event:
    from distributed import get_worker

    worker = get_worker()

    def event(number: int, total: int, text: str, bar: str | None = None) -> None:
        worker.log_event("cell", (name, number, total, text, bar))

    return event
