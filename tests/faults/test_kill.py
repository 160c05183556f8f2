"""Killed at any moment and started again, a walk ends with the bytes of one that was never
disturbed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from conftest import REPOSITORY
from toy_notebooks import write_notebook

from riqa_lib.plan import forks
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import Step, Walk

ROOT = REPOSITORY
HEAD = """import os, time
from pathlib import Path
home = Path(os.environ["RIQA_HOME"])
slow = str(SEED) in os.environ.get("TOY_SLOW", "")
def put(name, text):
    file = home / name
    file.with_suffix(".part").write_text(text)
    file.with_suffix(".part").replace(file)
    print(file, file=open(os.environ["RIQA_JOURNAL"], "a"))"""
TRAIN = """state = home / f"state{SEED}.txt"
for i in range(len(state.read_text()) if state.exists() else 0, 6):
    put(state.name, (state.read_text() if state.exists() else "") + str((i * 7 + SEED) % 10))
    time.sleep(0.5 if slow else 0)
put(f"out{SEED}.txt", state.read_text())
state.unlink()"""
TABLE = """put("table.txt", (home / "out0.txt").read_text() + (home / "out1.txt").read_text())"""
ORPHAN = """import sys
if slow and os.fork() == 0:
    while True:
        put("out0.txt", "an orphan wrote this")
        time.sleep(0.02)
time.sleep(60 if slow else 0.5)
put("out0.txt", "mine")"""
RUN = """
import sys
sys.path[:0] = [{here!r}, {root!r}, {root!r} + "/tests"]
if __name__ == "__main__":
    from pathlib import Path
    from test_kill import plan, run_plan
    run_plan(plan(Path({folder!r}), {kind!r}), serial={serial})
"""


def plan(folder: Path, kind: str = "train") -> Walk:
    """Two trainings side by side, then a table; or one notebook that leaves a process behind."""
    (folder / "nb").mkdir(parents=True, exist_ok=True)
    for name, code in {"train": TRAIN, "table": TABLE, "orphan": ORPHAN}.items():
        write_notebook(folder / "nb" / f"{name}.ipynb", [HEAD, code], parameters="SEED = 0")
    steps = (
        Step("train", "train.ipynb", {"SEED": 0}),
        Step("train-seed1", "train.ipynb", {"SEED": 1}),
        Step("table", "table.ipynb", needs=("train", "train-seed1")),
    )
    steps = steps if kind == "train" else (Step("orphan", "orphan.ipynb"),)
    # kernels are forked where that is possible (plan.forks), unless there is one step alone
    imports = ("colorsys",)
    return Walk(steps, "toy", folder / "nb", folder / "home", ROOT / "riqa_lib", imports=imports)


def start(folder: Path, kind: str, serial: bool, slow: str = "01") -> subprocess.Popen:
    """run_plan in a process of its own, with notebooks that are slow for these seeds."""
    plan(folder, kind)
    script = folder / "run.py"
    here = str(Path(__file__).parent)
    script.write_text(
        RUN.format(here=here, root=str(ROOT), folder=str(folder), kind=kind, serial=serial)
    )
    return subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "TOY_SLOW": slow, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def alive(folder: Path) -> list[int]:
    """Kernels of this walk, and whatever else works in its folder. (A forked kernel's environment
    is seen from outside as that of the process that it was forked from.)"""
    found = []
    for process in psutil.process_iter():
        try:
            here = Path(process.cwd()).is_relative_to(folder / "home")
            if here and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def until(happened, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def long_enough(states: list[Path], least: int) -> bool:
    """Whether a training has come as far as this."""
    return any(state.exists() and len(state.read_text()) >= least for state in states)


def outputs(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "home").glob("*.txt")}


def test_killed_twice_and_resumed_gives_the_bytes_of_an_undisturbed_run_and_leaves_no_kernel(
    tmp_path, monkeypatch
):
    cut = tmp_path / "cut"
    for serial, least in ((False, 2), (True, 4)):  # side by side, then the first of the two alone
        running = start(cut, "train", serial)
        states = [cut / "home" / f"state{s}.txt" for s in (0, 1)]
        until(partial(long_enough, states, least), 90)
        assert alive(cut)
        running.send_signal(signal.SIGKILL)
        running.wait()
        until(lambda: not alive(cut), 5)
        assert not (cut / "home/table.txt").exists()
    monkeypatch.delenv("TOY_SLOW", raising=False)
    before = outputs(cut)
    for folder in (cut, tmp_path / "whole"):
        records = run_plan(plan(folder), serial=True, stream=io.StringIO())
        assert all(r.ok for r in records.values()), records
    assert any(name.startswith("state") for name in before), "nothing was left to go on from"
    assert (
        outputs(cut)
        == outputs(tmp_path / "whole")
        == {"out0.txt": b"074185", "out1.txt": b"185296", "table.txt": b"074185185296"}
    )
    assert [r.state for r in run_plan(plan(cut), stream=io.StringIO()).values()] == [
        "up to date"
    ] * 3


@pytest.mark.skipif(not forks.possible(), reason="no kernels are forked here")
def test_a_forked_kernel_and_who_forked_it_die_with_the_run(tmp_path, monkeypatch):
    running = start(tmp_path, "train", serial=True, slow="1")
    second = tmp_path / "home/state1.txt"  # of the second kernel of that process
    until(partial(long_enough, [second], 2), 90)
    processes = psutil.Process(running.pid).children(recursive=True)
    parents = {p.pid: p.ppid() for p in processes}
    assert [pid for pid, parent in parents.items() if parent in parents], "no kernel was forked"
    running.send_signal(signal.SIGKILL)
    running.wait()
    until(lambda: not any(p.is_running() for p in processes), 5)
    monkeypatch.delenv("TOY_SLOW", raising=False)
    records = run_plan(plan(tmp_path), serial=True, stream=io.StringIO())
    assert all(r.ok for r in records.values()), records
    assert outputs(tmp_path)["table.txt"] == b"074185185296"


def test_what_a_killed_kernel_left_behind_cannot_write_into_the_next_run(tmp_path, monkeypatch):
    running = start(tmp_path, "orphan", serial=True)
    until(lambda: (tmp_path / "home/out0.txt").exists(), 60)
    running.send_signal(signal.SIGKILL)
    running.wait()
    until(lambda: len(alive(tmp_path)) == 1, 5)  # the kernel is gone; its child still writes
    monkeypatch.delenv("TOY_SLOW", raising=False)
    records = run_plan(plan(tmp_path, "orphan"), serial=True, stream=io.StringIO())
    assert records["orphan"].state == "done", records
    assert alive(tmp_path) == []
    assert outputs(tmp_path)["out0.txt"] == b"mine"
