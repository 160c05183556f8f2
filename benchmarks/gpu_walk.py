"""The plan of run_all.py, cut to the steps of `gpu_sizes`, through papermill; with --tables, what
its finished runs say, into OUT: table2.csv, and the lines of runs.csv."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

import run_all
from riqa_lib import paths, store
from riqa_lib.plan.steps import Step
from riqa_lib.tables import stored, table2_shown

from .gpu_sizes import SIZES, STEPS

NAME = "gpu-cut"  # of the walk: results/gpu-cut


def cut(plan: Iterable[Step], kept: tuple[str, ...] = STEPS) -> list[Step]:
    """Those steps alone, each needing what is left of its needs."""
    return [
        replace(step, needs=tuple(n for n in step.needs if n in kept))
        for step in plan
        if step.name in kept
    ]


def walk(size: str) -> int:
    """Run the cut plan with one seed; run_all's exit status."""
    profile, changes, _ = SIZES[size]
    run_all.PLAN[:] = cut(run_all.PLAN)
    sets = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
    return run_all.main(["--profile", profile, "--name", NAME, "--seeds", "1", *sets])


def tables(out: Path) -> None:
    """Table 2 of the runs that finished; what each run and each notebook took."""
    steps = [store.read_json(f) for f in sorted((paths.results(NAME) / "steps").glob("*.json"))]
    lines = [{"what": "notebook", "name": s["step"], "seconds": s["seconds"]} for s in steps]
    try:
        found = stored.load_walk(NAME)
    except FileNotFoundError as e:
        print(f"no Table 2: {e}")
        store.write_table(out / "runs.csv", pd.DataFrame(lines).assign(data="simulated"))
        return
    table = found["table2"]
    store.write_table(out / "table2.csv", table.assign(data="simulated"))
    for run in found["runs"].to_dict("records"):
        facts = store.read_json(paths.runs() / run["run"] / "provenance.json")
        told = ("seconds", "train_seconds", "predict_seconds", "pictures_seen", "parameters")
        lines.append({"what": "run", "name": run["method"], **{k: facts.get(k) for k in told}})
    times = pd.DataFrame(lines).assign(data="simulated")
    times["pictures_per_second"] = times["pictures_seen"] / times["train_seconds"]
    store.write_table(out / "runs.csv", times)
    print(table2_shown.show_table(table))
    print(times.drop(columns="data").to_string(index=False))


if __name__ == "__main__":
    if "--tables" in sys.argv:
        tables(Path(os.environ["OUT"]))
        sys.exit(0)
    sys.exit(walk(os.environ["SIZE"]))
