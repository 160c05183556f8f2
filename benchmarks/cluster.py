"""The runs of label budgets at smoke size on a cluster, one worker killed in the middle, against
the same runs one after another in this machine's notebooks: how many end with the same bytes.

    python -m benchmarks.cluster workers [--to results/reference/cluster.csv]
    python -m benchmarks.cluster slurm

workers: `dask scheduler` and three `dask worker`, as docs/many-machines.md has them. slurm: that
page's slurm.py with two jobs; `sbatch` and `scancel` are stand-ins that run the job's script here
(dask-jobqueue must be importable). Both speak TLS, by the page's certificate. As soon as a run of
label budgets has saved a state, the worker that trains it is killed (SIGKILL), with its nanny.

A line of the table: cluster, workers, runs, same (every file but provenance.json has the same
bytes), killed (workers), seconds of run_all.py with its notebooks, machine, its load."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil

from riqa_lib import paths, provenance, store

PAGE = paths.ROOT / "docs" / "many-machines.md"
STEP = "20_label_budgets"
ASKED = ["--profile", "smoke", "--labels", "20", "40", "--only", STEP]
ASKED += ["--set", "train.steps=60", "--set", "train.evaluations=6"]
CERTIFICATES = [
    "--tls-ca",
    "tls/cert.pem",
    "--tls-cert",
    "tls/cert.pem",
    "--tls-key",
    "tls/key.pem",
]
LOOK = 0.02  # s between two looks for a saved state
SBATCH = """#!/bin/sh
cp "$1" "$JOBS/$$.sh"
setsid bash "$JOBS/$$.sh" >"$JOBS/$$.log" 2>&1 &
echo $! >"$JOBS/$$.pid"
echo "Submitted batch job $$"
"""
SCANCEL = """#!/bin/sh
kill -- "-$(cat "$JOBS/$1.pid")"
"""


# ---------------------------------------------------------------- the page
def block(under: str, language: str, number: int = 0) -> str:
    """A code block of the page, below a heading."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {under}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)[number]


def certificate(folder: Path) -> None:
    """tls/ in a folder, by the page's own commands."""
    commands = block("What several machines need", "sh")
    subprocess.run(["sh", "-ec", commands], cwd=folder, check=True, capture_output=True)


def stand_ins(folder: Path) -> dict[str, str]:
    """An environment in which `sbatch` and `scancel` run jobs on this machine."""
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        file = folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    (folder / "jobs").mkdir(exist_ok=True)
    path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "JOBS": str(folder / "jobs")}


# ---------------------------------------------------------------- the clusters
@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path, env: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """A process with its children, stopped at the end; what it says goes to a file."""
    with open(folder / "said.txt", "a", encoding="utf-8") as said:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said)
        try:
            yield process
        finally:
            children: list[psutil.Process] = []
            with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended, and they with it
                children = psutil.Process(process.pid).children(recursive=True)
            for one in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def workers(folder: Path, home: Path, count: int) -> Iterator[subprocess.Popen]:
    """run_all.py --runs on a scheduler and workers started by hand."""
    address = f"tls://127.0.0.1:{(port := free_port())}"
    tls = "--protocol tls --tls-ca-file tls/cert.pem --tls-cert tls/cert.pem --tls-key tls/key.pem"
    dask = [str(Path(sys.executable).parent / "dask")]
    place = ["--host", "127.0.0.1", "--no-dashboard"]
    worker = [*dask, "worker", address, *tls.split(), *place, "--nthreads", "1"]
    worker += ["--memory-limit", "0"]
    env = dict(os.environ)
    with contextlib.ExitStack() as stack:
        scheduler = [*dask, "scheduler", *tls.split(), *place, "--port", str(port)]
        stack.enter_context(started(scheduler, folder, env))
        for _ in range(count):
            stack.enter_context(started(worker, folder, env))
        run = [sys.executable, "run_all.py", "--runs", "--scheduler", address, *CERTIFICATES]
        yield stack.enter_context(started([*run, *ASKED, "--home", str(home)], folder, env))


@contextlib.contextmanager
def slurm(folder: Path, home: Path, count: int) -> Iterator[subprocess.Popen]:
    """The page's slurm.py, with so many jobs on this machine."""
    text = block("SLURM", "python").replace("scale(jobs=8)", f"scale(jobs={count})")
    (folder / "slurm.py").write_text(text)
    command = [sys.executable, "slurm.py", *ASKED, "--home", str(home)]
    with started(command, folder, stand_ins(folder)) as process:
        yield process


# ---------------------------------------------------------------- what is measured
def begun(home: Path) -> Iterator[tuple[str, int]]:
    """Runs of label budgets that have a saved state, with the process that trains them."""
    for state in (home / "results/runs").glob("*/state.safetensors"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            config = store.read_json(state.parent / "config.json")
            owner = (state.parents[1] / ".locks" / state.parent.name).read_text().split()
            if config["data"]["labels"]:
                yield state.parent.name, int(owner[1])


def kill_one(home: Path, process: subprocess.Popen) -> str:
    """Wait until a run has saved a state; kill who trains it, and its nanny. The run's name."""
    while process.poll() is None:
        for name, worker in begun(home):
            nanny = psutil.Process(worker).parent()
            assert nanny is not None
            assert "dask" in " ".join(nanny.cmdline()), nanny.cmdline()
            for pid in (nanny.pid, worker):
                os.kill(pid, signal.SIGKILL)
            return name
        time.sleep(LOOK)
    raise AssertionError(f"run_all.py ended with {process.returncode} before a state was saved")


def outcome(home: Path) -> dict[str, dict[str, bytes]]:
    """{run: {file: bytes}} of all finished runs, without what holds times."""
    every = [f for f in (home / "results/runs").iterdir() if store.done(f)]
    return {
        run.name: {f.name: f.read_bytes() for f in run.iterdir() if f.name != "provenance.json"}
        for run in every
    }


def serial(home: Path) -> None:
    """The same runs in notebooks, one after another."""
    command = [sys.executable, str(paths.ROOT / "run_all.py"), *ASKED]
    subprocess.run([*command, "--serial", "--home", str(home)], check=True, capture_output=True)


def measure(kind: str, count: int, home: Path, against: Path) -> dict[str, object]:
    """Run it on a cluster, kill one worker, compare with the serial home; a line of the table.
    AssertionError where run_all.py failed, or a run has other bytes."""
    with tempfile.TemporaryDirectory(prefix="riqa-cluster-") as temporary:
        folder = Path(temporary)
        (folder / "run_all.py").symlink_to(paths.ROOT / "run_all.py")
        certificate(folder)
        began = time.perf_counter()
        with {"workers": workers, "slurm": slurm}[kind](folder, home, count) as process:
            killed = kill_one(home, process)
            status = process.wait()
        seconds = time.perf_counter() - began
        assert status == 0, (folder / "said.txt").read_text()[-3000:]
    ours, theirs = outcome(home), outcome(against)
    same = [run for run, files in ours.items() if files == theirs.get(run)]
    assert killed in same
    assert sorted(same) == sorted(ours) == sorted(theirs), {*ours, *theirs} - {*same}
    load = round(os.getloadavg()[0], 1)
    return {"cluster": kind, "workers": count, "runs": len(ours), "same": len(same), "killed": 1,
            "resumed": 1, "seconds": round(seconds), "machine": provenance.machine(),
            "load": load}  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("kind", choices=("workers", "slurm"))
    parser.add_argument("--to", type=Path, default=paths.reference() / "cluster.csv")
    parser.add_argument("--serial", type=Path, help="a home in which the serial run is finished")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="riqa-cluster-") as temporary:
        against = chosen.serial or Path(temporary) / "serial"
        serial(against)  # nothing to do where it is finished
        count = {"workers": 3, "slurm": 2}[chosen.kind]
        line = measure(chosen.kind, count, Path(temporary) / "home", against)
    new = pd.DataFrame([line])
    print(new.to_string(index=False))
    if chosen.to.exists():
        old = store.read_table(chosen.to)
        new = pd.concat([old[old["cluster"] != chosen.kind], new], ignore_index=True)
    store.write_table(chosen.to, new)


if __name__ == "__main__":
    main()
