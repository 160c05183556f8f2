"""The kinds of faults. Each draws what it does from a generator, does it to a lane, and says what
it was: `Told`. What came of it is judged by faults_verdict."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from . import faults_clock
from .faults_ready import TEMPLATES
from .faults_toy import NAME, How, Lane, Run, Started

YEAR = 365 * 86_400
LONG = 4.0  # seconds: about as long as a run with Jupyter kernels takes
OTHER = "other"  # the second walk


@dataclass
class Told:
    """What was done. said: in words; first: the run that was disturbed, if one was; reference: of
    which lane the results must come out; silent: a quick look cannot see it (same size and time);
    lasting: the first run cannot succeed, so its message has to be clear; happened: whether the
    moment ever came; names: walks whose results count; stays: finished runs of before, that must
    still be there; beside: folders of runs that learnt from other data, and may be there too."""

    said: str
    first: Run | None = None
    reference: str = "first"
    silent: bool = False
    lasting: bool = False
    happened: bool = True
    names: tuple[str, ...] = (NAME,)
    stays: dict[str, bytes] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    more: list[Run] = field(default_factory=list)


Kind = Callable[[Lane, np.random.Generator, bool], Told]


def _pick(g: np.random.Generator, options: Any) -> Any:
    options = list(options)
    return options[int(g.integers(len(options)))]


def _begin(lane: Lane, g: np.random.Generator, *templates: str) -> str:
    """A lane at a point of the way, one of these (default: any with something still to run)."""
    some = templates or ("nothing", "data", "cut off", "cut off", "trained", "trained")
    template = _pick(g, some)
    lane.begin(template)
    return template


def _how(g: np.random.Generator, cheap: bool, light: float = 0.8, side: float = 0.1) -> How:
    """Light or Jupyter kernels, serially or side by side; cheap: light and serially, always."""
    draw = g.random(2)
    if cheap:
        return How()
    if draw[1] < side:
        return How(light=False, jobs=2)
    return How(light=bool(draw[0] < light))


def _moment(lane: Lane, g: np.random.Generator, template: str) -> tuple[str, int]:
    """A process that is still to run, and how many files it has touched by then."""
    who = _pick(g, ("runner", *TEMPLATES[template]))
    most = lane.events[who]
    if template == "cut off" and who == "train":  # two thirds of it are done
        most = most // 3
    if who == "runner":  # of all steps: a share of them is still to run
        most = max(4, most * len(TEMPLATES[template]) // len(TEMPLATES["nothing"]))
    return who, int(g.integers(1, most + 1))


# ---------------------------------------------------------------- signals
def _signalled(sent: signal.Signals, to: str) -> Kind:
    def fault(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
        template, how = _begin(lane, g), _how(g, cheap)
        if how.jobs == 0 and not cheap and g.random() < 0.3:
            return _by_time(lane, g, template, how, sent, to)
        who, count = _moment(lane, g, template)
        if to == "self" and who == "runner":
            who, count = TEMPLATES[template][0], 1 + count % lane.events[TEMPLATES[template][0]]
        aim = "self" if who == "runner" and to == "runner" else to
        one = {"who": who, "count": count, "does": "signal", "to": aim, "signal": int(sent)}
        first = lane.run(replace(how, faults=(one,)))
        said = f"{sent.name} to {to} when {who} has touched {count} files, from {template!r}"
        return Told(f"{said}, {_shown(how)}", first, happened=lane.happened.exists())

    return fault


def _shown(how: How) -> str:
    kernels = "light kernels" if how.light else "Jupyter kernels"
    return f"{kernels}, {'side by side' if how.jobs else 'serially'}"


def _by_time(
    lane: Lane, g: np.random.Generator, template: str, how: How, sent: signal.Signals, to: str
) -> Told:
    """At any time, wherever the runner is then (moments that no count of files reaches)."""
    seconds = float(g.uniform(0.02, 0.3 if how.light else 1.0)) * LONG
    started = lane.start(how)
    _wait(started, seconds)
    target = _target(started, to)
    if target:
        (os.killpg if to == "group" else os.kill)(target, sent)
    said = f"{sent.name} to {to} after {seconds:.2f} s, from {template!r}, {_shown(how)}"
    return Told(said, started.end(), happened=bool(target))


def _wait(started: Started, seconds: float) -> None:
    end = time.monotonic() + seconds
    while started.alive() and time.monotonic() < end:
        time.sleep(0.01)


def _target(started: Started, to: str) -> int:
    """The process to signal; 0: it is not there."""
    if not started.alive():
        return 0
    if to in ("runner", "group"):
        return started.pid
    children = psutil.Process(started.pid).children(recursive=True)
    return children[-1].pid if children else 0


def worker(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """A process of the cluster dies: what ran a step, or one that only waits."""
    template = _begin(lane, g, "data", "cut off", "trained")
    how = How(light=False, jobs=2)
    if g.random() < 0.6:  # the worker of a step, at an exact moment of it
        step = TEMPLATES[template][0]
        most = lane.events[step] // (3 if template == "cut off" else 1)
        count = int(g.integers(1, most + 1))
        one = {"who": step, "count": count, "does": "signal", "to": "parent", "signal": 9}
        first = lane.run(replace(how, faults=(one,)))
        said = f"SIGKILL to the worker of {step} when it has touched {count} files"
        return Told(
            f"{said}, from {template!r}, {_shown(how)}", first, happened=lane.happened.exists()
        )
    seconds, which = float(g.uniform(0.3, 2.0)) * LONG, g.random()
    started = lane.start(how)
    _wait(started, seconds)
    hit = ""
    if started.alive():
        children = psutil.Process(started.pid).children(recursive=True)
        if children:
            child = children[int(which * len(children))]
            hit = " ".join(child.cmdline())[:60]
            child.kill()
    said = f"SIGKILL to a child ({hit}) after {seconds:.2f} s, from {template!r}, {_shown(how)}"
    return Told(said, started.end(), happened=bool(hit))


# ---------------------------------------------------------------- the disk
def full(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """No room for what a step writes: a small file system, or (where none can be mounted, and at
    times) a limit on the size of files."""
    template, how = _begin(lane, g), _how(g, cheap, light=0.9, side=0.05)
    limited = not lane.small_disks or g.random() < 0.2
    room = int(g.integers(0, 25)) * 4
    if limited:
        how = replace(how, limit=256 * (1 + room))
        first = lane.run(how)
        said = f"files of at most {how.limit} bytes"
    else:
        lane.small(max(room, 1))
        how = replace(how, tmp_at_home=bool(g.random() < 0.15))
        first = lane.run(how)
        lane.remount("size=64m")
        said = f"{room} KiB left{', temporary files there too' if how.tmp_at_home else ''}"
    failed = first.status != 0
    return Told(f"{said}, from {template!r}, {_shown(how)}", first, lasting=failed)


def read_only(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """A home that cannot be written, then can."""
    template = _begin(lane, g, *TEMPLATES)
    how = _how(g, cheap, light=0.9, side=0.05)
    if lane.small_disks:
        lane.small(1024)
        lane.remount("ro")
        first = lane.run(how)
        lane.remount("rw")
    else:
        folders = [lane.home, *(f for f in lane.home.rglob("*") if f.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        first = lane.run(how)
        for folder in folders:
            folder.chmod(0o755)
    return Told(f"read-only, from {template!r}, {_shown(how)}", first, lasting=first.status != 0)


# ---------------------------------------------------------------- damaged files
def _truncated(data: bytearray, g: np.random.Generator) -> bytearray:
    return data[: int(g.integers(len(data)))] if data else data


def _flipped(data: bytearray, g: np.random.Generator) -> bytearray:
    if data:
        data[int(g.integers(len(data)))] ^= 1 << int(g.integers(8))
    return data


def _zeroed(data: bytearray, g: np.random.Generator) -> bytearray:
    """As after a loss of power: the length is right, the end was never written."""
    at = int(g.integers(len(data))) if data else 0
    data[at:] = bytes(len(data) - at)
    return data


def _emptied(data: bytearray, g: np.random.Generator) -> bytearray:
    return bytearray()


HARMS = {"truncated": _truncated, "emptied": _emptied, "bit flipped": _flipped, "zeroed": _zeroed}


def _files(lane: Lane) -> list[Path]:
    """All that may be damaged, sorted: whatever lies below home."""
    return sorted(f for f in lane.home.rglob("*") if f.is_file())


def _damaged(harm: str, same_time: bool = False) -> Kind:
    def fault(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
        template = _begin(lane, g, "data", "cut off", "trained", "whole", "whole")
        file = _pick(g, [f for f in _files(lane) if harm == "removed" or f.stat().st_size])
        said = f"{lane.home.name}/{file.relative_to(lane.home)} {harm}, in {template!r}"
        if harm == "removed":
            file.unlink()
            return Told(said)
        stat, before = file.stat(), file.read_bytes()
        after = bytes(HARMS[harm](bytearray(before), g))
        file.write_bytes(after)
        if same_time:
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            said += ", size and time as before"
        changed = [n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
        said += f" (byte {changed[0]} of {len(before)})" if changed else ""
        return Told(said, silent=same_time, happened=before != after)

    return fault


# ---------------------------------------------------------------- two at once
def two_runners(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    template = _begin(lane, g)
    hows = [_how(g, cheap), _how(g, cheap)]
    seconds = float(g.uniform(0, 0.5)) * (0.3 if hows[0].light else 1) * LONG
    first = lane.start(hows[0])
    _wait(first, seconds)
    second = lane.run(hows[1])
    said = f"a second runner after {seconds:.2f} s, from {template!r}, {_shown(hows[0])}"
    return Told(said, second, lasting=second.status != 0, more=[first.end()])


def two_walks(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """Two walks of the same settings, whose runs are the same folders; at times one is killed."""
    template = _begin(lane, g)
    hows = [_how(g, cheap, side=0.1), replace(_how(g, cheap, side=0.1), name=OTHER)]
    if killed := g.random() < 0.5:
        who, count = _moment(lane, g, "nothing")
        one = {"who": who, "count": count, "does": "signal", "to": "runner", "signal": 9}
        hows[1] = replace(hows[1], faults=(one,))
    seconds = float(g.uniform(0, 0.5))
    first = lane.start(hows[0])
    _wait(first, seconds)
    second = lane.run(hows[1])
    said = f"a second walk after {seconds:.2f} s, from {template!r}"
    said += f", killed when {who} has touched {count} files" if killed else ""
    happened = not killed or lane.happened.exists()
    done = first.end()
    return Told(said, done, more=[second], names=(NAME, OTHER), happened=happened)


# ---------------------------------------------------------------- clocks
def times(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """All files' times jump; then, at times, the run is killed too."""
    template = _begin(lane, g, "data", "cut off", "trained", "whole")
    years = _pick(g, (10, -20, 1, -1))
    for file in lane.home.rglob("*"):
        stat = file.lstat()
        moved = [t + years * YEAR * 10**9 for t in (stat.st_atime_ns, stat.st_mtime_ns)]
        os.utime(file, ns=(moved[0], moved[1]), follow_symlinks=False)
    return Told(f"all times {years:+} years, in {template!r}")


def clock(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """The clock is wrong from the start, or jumps while the plan runs."""
    template, how = _begin(lane, g), _how(g, cheap, light=0.9, side=0.3)
    library = faults_clock.library(lane.folder)
    if not library:
        return Told("no C compiler: not run", happened=False)
    start, jump = (int(_pick(g, (0, 10, -20, 1, -1))) * YEAR for _ in range(2))
    seconds = float(g.uniform(0.2, 1.5)) * LONG
    file = lane.folder / "clock"
    faults_clock.set_clock(file, start)
    running = lane.start(replace(how, shifted=library))
    _wait(running, seconds)
    faults_clock.set_clock(file, start + jump)
    first = running.end()
    faults_clock.set_clock(file, 0)
    said = f"a clock {start // YEAR:+} years off, {jump // YEAR:+} after {seconds:.2f} s"
    return Told(f"{said}, from {template!r}, {_shown(how)}", first)


# ---------------------------------------------------------------- edits
def _edited(what: str) -> Kind:
    def fault(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
        template, how = _begin(lane, g, *TEMPLATES), _how(g, cheap)
        stays = lane.finished()
        begun = lane.runs_there() - _runs_of(stays)
        back, between = bool(g.random() < 0.5), not TEMPLATES[template] or g.random() < 0.25
        if between:
            lane.edit(what)
            first = lane.run(how)
            if back:
                lane.edit(what, back=True)
            said = f"{what} edited{' and, after a run, as before' if back else ''}"
            reference = "first" if back else what
            told = Told(f"{said}, in {template!r}, {_shown(how)}", first, reference)
        else:
            told = _while_it_runs(lane, g, what, template, how, back)
        # what was not finished on the data of before stays too, until these come back
        beside = frozenset() if back else begun
        return replace(told, stays=stays, beside=beside)

    return fault


def _while_it_runs(
    lane: Lane, g: np.random.Generator, what: str, template: str, how: How, back: bool
) -> Told:
    """Edited at one moment and, at times, as before at a later one of the same process."""
    unedited, edited, to = lane.edits(what)
    who, count = _moment(lane, g, template)
    one = {"who": who, "count": count, "does": "put", "file": str(to), "from": str(edited)}
    later = count + int(g.integers(1, 12))
    again = one | {"count": later, "from": str(unedited)}
    first = lane.run(replace(how, faults=(one, again) if back else (one,)))
    if back:  # where that moment never came
        shutil.copyfile(unedited, to)
    said = f"{what} edited when {who} has touched {count} files"
    said += f", as before when {later}" if back else ""
    return Told(
        f"{said}, from {template!r}, {_shown(how)}",
        first,
        "first" if back else what,
        happened=lane.happened.exists(),
    )


def bad_data(lane: Lane, g: np.random.Generator, cheap: bool) -> Told:
    """The table of scores is damaged, then put back."""
    template = _begin(lane, g, *TEMPLATES)
    file = lane.folder / "scores.csv"
    before, stat = file.read_bytes(), file.stat()
    harm = _pick(g, HARMS)
    same = harm == "bit flipped" and g.random() < 0.3
    after = bytes(HARMS[harm](bytearray(before), g))
    file.write_bytes(after)
    if same:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    first = lane.run(_how(g, cheap, light=0.8))
    beside = lane.runs_there() - _runs_of(lane.references["first"])
    shutil.copyfile(lane.kept("scores.csv"), file)
    if same:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    said = f"scores.csv {harm}{', size and time as before' if same else ''}, put back after a run"
    return Told(
        f"{said}, in {template!r}", first, silent=same, happened=before != after, beside=beside
    )


def _runs_of(results: dict[str, bytes]) -> set[str]:
    return {file.split("/")[2] for file in results if file.startswith("results/runs/")}


KINDS: dict[str, tuple[int, Kind]] = {  # name: (weight, what it does)
    "SIGKILL, runner": (8, _signalled(signal.SIGKILL, "runner")),
    "SIGKILL, kernel": (5, _signalled(signal.SIGKILL, "self")),
    "SIGKILL, worker or another process of the cluster": (2, worker),
    "SIGINT, runner": (4, _signalled(signal.SIGINT, "runner")),
    "SIGINT, its process group": (3, _signalled(signal.SIGINT, "group")),
    "SIGTERM, runner": (5, _signalled(signal.SIGTERM, "runner")),
    "full disk": (8, full),
    "read-only home": (3, read_only),
    "file truncated": (7, _damaged("truncated")),
    "file emptied": (4, _damaged("emptied")),
    "file removed": (5, _damaged("removed")),
    "file's end zeroed": (4, _damaged("zeroed")),
    "bit flipped, new time": (8, _damaged("bit flipped")),
    "bit flipped, time and size as before": (12, _damaged("bit flipped", same_time=True)),
    "two runners on one home": (3, two_runners),
    "two walks that share runs": (3, two_walks),
    "all times moved by years": (3, times),
    "clock wrong or jumping": (4, clock),
    "notebook edited between or while it runs": (5, _edited("notebook")),
    "data edited between or while it runs": (5, _edited("data")),
    "data damaged and put back": (4, bad_data),
}


def drawn(g: np.random.Generator) -> str:
    """A kind, by its weight."""
    weights = np.array([weight for weight, _ in KINDS.values()], dtype=float)
    return str(g.choice(list(KINDS), p=weights / weights.sum()))
