"""The whole smoke walk in four ways: one after another, in one worker, in two, and in two, killed
(SIGKILL, runner) at random moments and started again. How many of its files have the same bytes?

    python -m benchmarks.determinism [--kills 6] [--to results/reference/determinism.csv]

Compared: data, runs, tables, figures. Not compared, because they hold times or say who ran them:
executed copies, manifests, logs, provenance, hidden files, speed.json (how long grading takes, of
the related models) and the two columns of their table that are made of it.

A line of the table: way, kills, files, same, kinds (of what differs), seconds, machine, torch,
load. Exit status 1 where a file differs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from riqa_lib import paths, provenance, repairs, store
from riqa_lib.seeding import rng
from riqa_lib.training import related

WAYS = {  # way: words of run_all.py; the first is what the others are held to
    "one after another": ["--serial"],
    "in one worker": ["--jobs", "1"],
    "in two workers": ["--jobs", "2"],
    "in two workers, killed": ["--jobs", "2"],
}
PROFILE = "smoke"
NOT = {"executed", "steps", "site"}  # folders whose files hold times
TIMED = {"log.txt", repairs.PROVENANCE, related.SPEED}  # files that do
MEASURED = {"related_models.csv": ["pictures_a_second", "minutes"]}  # columns that do


def compared(home: Path) -> dict[str, bytes]:
    """The files that must be the same, by path below home."""
    found = {}
    for top in ("results", "figures"):
        for file in sorted((home / top).rglob("*")):
            where = file.relative_to(home)
            hidden = any(part.startswith(".") for part in where.parts)
            timed = NOT & set(where.parts) or where.name in TIMED
            if file.is_file() and not hidden and not timed:
                found[where.as_posix()] = _without_times(file)
    return found


def _without_times(file: Path) -> bytes:
    columns = MEASURED.get(file.name)
    if columns is None:
        return file.read_bytes()
    return store.read_table(file).drop(columns=columns).to_csv().encode()


def differing(ours: dict[str, bytes], theirs: dict[str, bytes]) -> list[str]:
    """Files that only one has, or that have other bytes.

    >>> differing({"a": b"1", "b": b"2"}, {"a": b"1", "b": b"3", "c": b""})
    ['b', 'c']
    """
    return sorted(f for f in {*ours, *theirs} if ours.get(f) != theirs.get(f))


def walk(home: Path, words: list[str], kills: int = 0, within: float = 0.0) -> int:
    """Run it to its end; before that, kill it so many times, each at a moment of the next `within`
    seconds. How often it really was killed. RuntimeError where it fails."""
    command = [sys.executable, str(paths.ROOT / "run_all.py"), "--profile", PROFILE]
    command += ["--home", str(home), *words]
    killed = 0
    for seconds in rng("determinism").uniform(0.1, 1, kills) * within:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr}")
    return killed


def measured(folder: Path, kills: int) -> pd.DataFrame:
    """All ways, each in a home of its own below `folder`; the table."""
    lines: list[dict[str, object]] = []
    first: dict[str, bytes] = {}
    took = 0.0
    for number, (way, words) in enumerate(WAYS.items()):
        home, began = folder / f"home{number}", time.monotonic()
        many = kills if way.endswith("killed") else 0
        # all kills within about the time of one walk, so that every part of it may be hit
        killed = walk(home, words, many, within=2 * took / max(many, 1))
        took = time.monotonic() - began
        files = compared(home)
        first = first or files
        differ = differing(files, first)
        for name in differ[:20]:
            print(f"  differs: {name}")
        kinds = " ".join(sorted({"/".join(Path(name).parts[:3]) for name in differ}))
        line = {"way": way, "kills": killed, "files": len(files)}
        line |= {"same": len(files.keys() - {*differ}), "kinds": kinds, "seconds": round(took)}
        lines.append(line)
        print(line, flush=True)
    facts = {"profile": PROFILE, "machine": provenance.machine(), "torch": torch.__version__}
    return pd.DataFrame(lines).assign(**facts, load=round(os.getloadavg()[0], 1))


def beside(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table below what is stored of other machines."""
    if not file.exists():
        return table
    there = store.read_table(file)
    return pd.concat([there[~there["machine"].isin(table["machine"])], table], ignore_index=True)


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--to", type=Path, default=paths.reference() / "determinism.csv")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="riqa-determinism-") as folder:
        table = measured(Path(folder), chosen.kills)
    print(table.to_string(index=False))
    store.write_table(chosen.to, beside(chosen.to, table))
    return int((table["same"] != table["files"]).any())


if __name__ == "__main__":
    sys.exit(main())
