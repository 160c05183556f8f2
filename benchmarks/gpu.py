"""Runs the parts of `benchmarks/gpu.sh` one after another within BUDGET seconds; what a part has
written by then stays. Each is a process (group) of its own, asked to stop (SIGINT) when its time is
over, and stopped ten seconds later. Exit status 1: a part failed or was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from riqa_lib import paths, store

LAST = 40  # seconds kept back for the tables
GRACE = 10  # seconds between asking a part to stop and stopping it
# part: (arguments of python -m, with OUT and SIZE filled in; largest share of the budget). The walk
# is first: it is what has to be whole.
USUAL = ["benchmarks.usual_pipeline", "--size", "{SIZE}", "--rounds", "1"]
USUAL += ["--to", "{OUT}/usual.csv"]
PARTS = {
    "walk": (["benchmarks.gpu_walk"], 0.6),
    "measure": (["benchmarks.gpu_measure"], 0.3),
    "usual": (USUAL, 0.3),
    "tables": (["benchmarks.gpu_walk", "--tables"], 1.0),
}


def part(command: list[str], environment: dict[str, str], seconds: float) -> str:
    """Run a command for at most so long; how it ended: "done", "failed (rc)" or "stopped"."""
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        cwd=paths.ROOT,
        start_new_session=True,
        preexec_fn=_listening,
    )
    try:
        status = process.wait(seconds)
        return "done" if status == 0 else f"failed ({status})"
    except subprocess.TimeoutExpired:
        for signalled in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, signalled)
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    continue
        return "stopped"


def _listening() -> None:
    """A part hears SIGINT, also where a shell that put this script into the background has told it
    not to."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def threads() -> int:
    """Threads of each step where RIQA_THREADS does not say: a quarter of the cores."""
    return max(1, (os.cpu_count() or 1) // 4)


def main() -> int:
    """All parts; times.csv says what each took."""
    budget, began = float(os.environ.get("BUDGET", "540")), time.monotonic()
    out = Path(os.environ.get("OUT") or paths.ROOT / "results" / "gpu").resolve()
    out.mkdir(parents=True, exist_ok=True)
    environment = {"OUT": str(out), "SIZE": os.environ.get("SIZE", "gpu")}
    environment["RIQA_THREADS"] = os.environ.get("RIQA_THREADS") or str(threads())
    rows = []
    for name, (arguments, share) in PARTS.items():
        left = budget - (time.monotonic() - began) - (LAST if name != "tables" else 0)
        start = time.monotonic()
        print(f"=== {name}: at most {min(left, share * budget):.0f} s", flush=True)
        filled = [argument.format_map(environment) for argument in arguments]
        command = [sys.executable, "-u", "-m", *filled]
        ended = part(command, environment, max(GRACE, min(left, share * budget)))
        took = time.monotonic() - start
        rows.append({"part": name, "seconds": round(took, 1), "ended": ended, "data": "simulated"})
        print(f"=== {name}: {ended}, {took:.0f} s", flush=True)
        store.write_table(out / "times.csv", pd.DataFrame(rows))
    print(f"=== {', '.join(sorted(f.name for f in out.iterdir()))} in {paths.shown(out)}")
    return int(any(row["ended"] != "done" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
