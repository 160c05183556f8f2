"""The script for a GPU, proven without one: all of it at tiny size, and how it stops."""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import time

import in_process
import pandas as pd
import pytest
from conftest import REPOSITORY
from torch.autograd import DeviceType

import run_all
from benchmarks import gpu, gpu_measure, gpu_sizes, gpu_walk
from riqa_lib.plan.freshness import check
from riqa_lib.plan.steps import Walk
from riqa_lib.training import photographs


def in_this_process(command: list[str], environment: dict[str, str], seconds: float) -> str:
    """As gpu.part, without a process of its own."""
    module, *arguments = command[command.index("-m") + 1 :]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", [module, *arguments])
        patch.setattr(run_all, "PLAN", [*run_all.PLAN])
        patch.delitem(sys.modules, module, raising=False)  # which runpy would warn of
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as e:
            return f"failed ({e.code})" if e.code else "done"
    return "done"


@pytest.mark.walk
def test_the_whole_script_at_tiny_size_writes_its_tables(tmp_path, monkeypatch):
    """Notebooks and parts run here, without kernels and processes: those are tried below."""
    out = tmp_path / "out"
    for name, value in {"OUT": str(out), "SIZE": "tiny", "BUDGET": "500"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(gpu, "part", in_this_process)
    with in_process.without_kernels(tmp_path / "home"):
        assert gpu.main() == 0
    written = {"machine.json", "bench-gpu.csv", "where.csv", "table2.csv", "runs.csv", "times.csv"}
    written |= {"usual.csv"}
    assert {f.name for f in out.iterdir()} == written
    tables = {f.stem: pd.read_csv(f) for f in out.glob("*.csv")}
    for table in (t for name, t in tables.items() if name != "usual"):
        assert table["data"].str.startswith("simulated").all()
    assert list(tables["times"]["ended"]) == ["done"] * len(gpu.PARTS)
    bench = tables["bench-gpu"]
    each = ["supervised", "supervised_strong"]  # tests/training/test_bench.py measures all methods
    assert list(bench["form"]) == ["pixels", "pixels", "maps", "maps"]
    assert list(bench["method"]) == 2 * each
    assert set(tables["where"]["method"]) == set(gpu_measure.LOOKED_INTO)
    assert {"supervised", "simmatch", "forest", "ridge"} <= set(tables["table2"]["method"])
    assert set(tables["runs"].query("what == 'notebook'")["name"]) == set(gpu_sizes.STEPS)


def test_the_script_starts_it_with_the_python_that_is_named(tmp_path):
    script = REPOSITORY / "benchmarks" / "gpu.sh"
    called = tmp_path / "python"
    called.write_text('#!/bin/sh\necho "$@" in "$PWD"\nexit 3\n')
    called.chmod(0o755)
    elsewhere = os.environ | {"PYTHON": str(called)}
    ended = subprocess.run(["bash", script], env=elsewhere, cwd=tmp_path, capture_output=True)
    assert ended.returncode == 3
    assert ended.stdout.decode() == f"-u -m benchmarks.gpu in {REPOSITORY}\n"


def test_each_part_is_started_as_a_module_of_ours(tmp_path, monkeypatch):
    """With a Python that only says what it is asked."""
    asked = tmp_path / "python"
    asked.write_text('#!/bin/sh\necho "$@" >> "$OUT/asked"\n')
    asked.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(asked))
    for name, value in {"OUT": str(tmp_path), "SIZE": "tiny"}.items():
        monkeypatch.setenv(name, value)
    assert gpu.main() == 0
    said = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[:3] for line in said] == [
        ["-u", "-m", command[0]] for command, _ in gpu.PARTS.values()
    ]
    assert all(importlib.util.find_spec(line.split()[2]) for line in said)
    assert f"--size tiny --rounds 1 --to {tmp_path}/usual.csv" in said[2]


@pytest.mark.parametrize("size", gpu_sizes.SIZES)
def test_every_size_is_a_hybrid_trained_from_pixels_in_both_forms(size):
    profile, changes, steps = gpu_sizes.SIZES[size]
    assert steps >= 1
    for form in gpu_measure.FORMS.values():
        run = photographs.settings(profile, "simmatch", 0, changes | form)
        assert (run.model.stem, run.model.freeze) == ("lite0", form["model.freeze"])


def test_the_plan_is_cut_to_steps_that_can_run():
    steps = gpu_walk.cut(run_all.PLAN)
    assert tuple(s.name for s in steps) == gpu_sizes.STEPS
    walk = Walk(tuple(steps), "cut", REPOSITORY / "notebooks", REPOSITORY)
    check(walk, walk.ordered())
    assert set(walk["11_table2"].needs) == {"03_vit_supervised", "05_simmatch"}


def program(text):
    return [sys.executable, "-c", text]


def test_a_part_says_how_it_ended():
    assert gpu.part(program("pass"), {}, 20) == "done"
    assert gpu.part(program("raise SystemExit(3)"), {}, 20) == "failed (3)"
    read = program("import os, sys; sys.exit(os.environ['SIZE'] != 'x')")
    assert gpu.part(read, {"SIZE": "x"}, 20) == "done"


def test_a_part_whose_time_is_over_is_asked_to_stop_first(tmp_path):
    kept = tmp_path / "kept"
    text = f"""
import time
try:
    time.sleep(60)
except KeyboardInterrupt:
    open({str(kept)!r}, "w").write("kept")
"""
    # as in the background of a script, where a shell tells its children not to listen
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert gpu.part(program(text), {}, 1.5) == "stopped"
    finally:
        signal.signal(signal.SIGINT, before)
    assert kept.read_text() == "kept"


def test_a_part_that_does_not_listen_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "GRACE", 1)
    deaf = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    deaf += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    began = time.monotonic()
    assert gpu.part(program(deaf), {}, 1.5) == "stopped"
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_table_has_what_was_measured_before_the_stop(tmp_path):
    def rows():
        yield {"method": "a", "step_ms": 1.0}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gpu_measure.kept(rows(), tmp_path / "bench.csv")
    assert list(pd.read_csv(tmp_path / "bench.csv")["method"]) == ["a"]


def test_the_wheels_to_carry_are_those_of_the_lock():
    carried = (REPOSITORY / "benchmarks" / "gpu_wheels.txt").read_text().split()
    lock = (REPOSITORY / "requirements.lock").read_text()
    locked = {line.split(" ")[0] for line in lock.splitlines() if "==" in line}
    assert "papermill" in {line.split("==")[0] for line in carried}
    assert set(carried) <= locked


class Event:
    """As torch's profiler sums them; times in microseconds."""

    def __init__(self, key, on_gpu, count, cpu, gpu):
        self.key, self.count = key, count
        self.device_type = DeviceType.CUDA if on_gpu else DeviceType.CPU
        self.self_cpu_time_total, self.self_device_time_total = cpu, gpu


def test_where_time_goes_by_hand():
    events = [
        Event("gemm", True, 10, 0, 4000),
        Event("copy", True, 4, 0, 6000),
        Event("cudaStreamSynchronize", False, 6, 1000, 0),
        Event("aten::mm", False, 10, 9000, 0),
    ]
    busy, first, second = gpu_measure.computing(events, 2)
    assert busy == ("GPU busy", 7, 5.0)  # milliseconds of one of the two steps
    assert (first, second) == (("copy", 2, 3.0), ("gemm", 5, 2.0))
    assert gpu_measure.calling(events, 2)[0] == ("waits for the GPU", 3, 0.5)
    (busy, *_) = gpu_measure.computing(events[2:], 2)
    assert busy == ("CPU busy", 8, 5.0)
