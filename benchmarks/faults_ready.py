"""Makes a lane ready: what undisturbed runs give, and homes at several points of the way."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from riqa_lib.plan import code_read

from .faults_toy import CALLS, How, Lane, Run

TEMPLATES = {  # name: steps that are still to run, in the order in which they would
    "nothing": ("data", "ridge", "train", "table", "figure"),
    "data": ("train", "table", "figure"),
    "cut off": ("train", "table", "figure"),
    "trained": ("table", "figure"),
    "whole": (),
}


def can_mount(folder: Path) -> bool:
    """Whether small disks can be had here (root may, in most places)."""
    place = folder / "mount"
    place.mkdir(parents=True, exist_ok=True)
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
        if subprocess.run(mount, capture_output=True).returncode:
            return False
        subprocess.run(["umount", place], check=True)
        return True
    except OSError:
        return False


def _well(run: Run) -> None:
    if run.status:
        raise RuntimeError(f"an undisturbed run failed:\n{run.said}")


def ready(folder: Path, quick: bool = False) -> Lane:
    """A lane with its templates and references. quick: no small disks, no steps side by side, and
    riqa_lib is no component of the steps. RuntimeError where an undisturbed run fails."""
    if quick:
        (folder / "library").mkdir(parents=True)
        lane = Lane(folder, warm=("benchmarks.faults_toy", "riqa_lib.training.run_folder"))
    else:
        lane = Lane(folder, small_disks=can_mount(folder))
    counting = folder / "count"
    lane.keep("nothing")
    _well(lane.run(How(only=("ridge",))))
    lane.keep("data")
    kept = Path("results") / code_read.KEPT  # what the library says, read once: it takes seconds
    if (lane.home / kept).exists():
        (lane.folder / "templates" / "nothing" / "results").mkdir()
        shutil.copy2(lane.home / kept, lane.folder / "templates" / "nothing" / kept)
    _cut_off(lane, counting)
    _well(lane.run(How(only=("train",))))
    lane.keep("trained")
    _well(lane.run())
    lane.keep("whole")
    lane.references["first"] = lane.results()
    for what in ("notebook", "data"):
        lane.begin("nothing")  # alone: runs on what was before the edit are no part of it
        lane.edit(what)
        _well(lane.run())
        lane.references[what] = lane.results()
    return lane


def _cut_off(lane: Lane, counting: Path) -> None:
    """The template of a training killed when two thirds of it were done; and, on the way, how many
    moments a whole run has."""
    lane.begin("nothing")
    everyone = tuple({"who": who, "does": "count"} for who in ("runner", *CALLS))
    _well(lane.run(How(faults=everyone, count=str(counting))))
    lane.events = {who: Path(f"{counting}.{who}").stat().st_size for who in ("runner", *CALLS)}
    lane.begin("data")
    at = 2 * lane.events["train"] // 3
    kill = {"who": "train", "count": at, "does": "signal", "to": "runner", "signal": signal.SIGKILL}
    killed = lane.run(How(faults=(kill,)))
    if killed.status != -signal.SIGKILL:
        raise RuntimeError(f"the training was not cut off:\n{killed.said}")
    lane.keep("cut off")
