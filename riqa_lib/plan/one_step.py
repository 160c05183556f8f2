"""One step of a plan: see whether it has to run, clear what it must not reuse, run it, note what it
wrote.

A step that was cut off goes on where it was, unless what it depends on changed meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import provenance
from .freshness import (
    NOT_HASHED,
    changed,
    components,
    damaged,
    file_digest,
    makers,
    reads_only,
    settings_only,
    stamp,
    why,
)
from .kernel import Event, execute, only_one, threads
from .steps import Record, Step, Walk


def _journal(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The components and the files of an attempt that was cut off; empty when there was none."""
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        return json.loads(first), list(dict.fromkeys(lines))
    except (OSError, ValueError):
        return {}, []


def _begin(walk: Walk, step: Step, parts: dict[str, str], force: bool) -> tuple[set[str], set[str]]:
    """Remove what this attempt must not reuse and open its journal.

    Returns paths relative to home: earlier outputs that still count as this step's, and those of
    other settings."""
    file = walk.file(step.name, "journal")
    manifest = walk.manifest(step.name)
    cut_off, written = _journal(file)
    mine = {name for name in (walk.shown(Path(p)) for p in written) if not Path(name).is_absolute()}
    drop: set[str] = set()
    keep: set[str] = set()
    others: set[str] = set()
    made_by = makers(walk)
    for old, files in (
        (manifest.get("components"), set(manifest.get("outputs", {}))),
        (cut_off.get("components"), mine),
    ):
        if old is None:
            continue
        differs = changed(old, parts)
        if force or not all(settings_only(k) or reads_only(k, made_by) for k in differs):
            drop |= files
        elif any(map(settings_only, differs)):
            others |= files
        else:
            keep |= files
    earlier = {*manifest.get("others", []), *cut_off.get("others", [])}
    if drop and not keep:
        drop |= earlier
    else:
        others |= earlier
    wrong = {Path(p).parent for p in damaged(walk, manifest)} - {
        walk.executed("").parent.relative_to(walk.home)
    }
    drop |= {
        p for p in manifest.get("outputs", {}) if Path(p).parent in wrong
    }  # a run is remade whole
    going_on = cut_off.get("components") == parts and not force
    drop -= mine if going_on else set()
    for need in walk.ordered([step.name])[:-1]:
        drop -= set(
            walk.manifest(need.name).get("outputs", {})
        )  # a run shared with a step before, made anew by now
    for name in drop:
        (walk.home / name).unlink(missing_ok=True)
    keep, others = keep - drop, others - drop - keep
    lines = written if going_on else [str(walk.home / k) for k in sorted(keep & mine)]
    head = json.dumps({"components": parts, "others": sorted(others)})
    _write(file, "\n".join([head, *lines]) + "\n")
    return keep, others


def _write(file: Path, text: str) -> None:
    """Write a small file atomically."""
    from .. import (
        store,
    )  # here, not above: it imports pandas, which a walk with nothing to do must not wait for

    store.write_bytes(file, text.encode())


def _finish(
    walk: Walk, step: Step, parts: dict[str, str], kept: set[str], others: set[str], seconds: float
) -> None:
    """Hash what the step wrote and write its manifest, which makes it count as done."""
    _, written = _journal(walk.file(step.name, "journal"))
    names = kept | {
        name for name in (walk.shown(Path(p)) for p in written) if not Path(name).is_absolute()
    }
    copy = walk.shown(walk.executed(step.name))
    files = {
        name: walk.home / name for name in sorted(names | {copy}) if (walk.home / name).is_file()
    }
    plain = {name for name, path in files.items() if path.name in NOT_HASHED or name == copy}
    manifest = {
        "step": step.name,
        "notebook": step.notebook,
        "components": parts,
        "outputs": {
            name: "" if name in plain else file_digest(path) for name, path in files.items()
        },
        "stamps": {name: stamp(path) for name, path in files.items() if name not in plain},
        "others": sorted(o for o in others - set(files) if (walk.home / o).is_file()),
        "seconds": round(seconds, 1),
        "machine": provenance.machine(),
        "threads": threads(),
    }
    _write(walk.file(step.name, "json"), json.dumps(manifest, indent=1, sort_keys=True) + "\n")
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
            kept, others = _begin(walk, step, parts, force)
            execute(walk, step, lock, event or _dask_event(name))
            _finish(walk, step, parts, kept, others, time.monotonic() - start)
        return Record(name, "done", seconds=time.monotonic() - start)
    except Exception as e:
        text = str(e) if isinstance(e, RuntimeError) else f"{type(e).__name__}: {e}"
        return Record(name, "failed", " | ".join(text.splitlines()), time.monotonic() - start)


def _dask_event(name: str) -> Event:
    from distributed import get_worker

    worker = get_worker()
    return lambda number, total, text: worker.log_event("cell", (name, number, total, text))
