"""A plan killed, starved, damaged and edited by the hundred, then started again: `make faults`.

    python -m benchmarks.faults [--trials 500] [--lanes 2] [--keep]
    python -m benchmarks.faults --trial 123        one of them alone, with all that it said

A trial's number draws its fault: kind, moment, file, offset, bit. After it the plan is started
again, and what messages name is done (`riqa verify` too). Its tables, data, runs and figures must
be those of an undisturbed run, byte for byte; or a message names what is wrong and what to do.

Trials are numbered on from the tracked table (results/reference/faults.csv, with --keep). Every
one is a line of --log as it ends. Exit status 1 where one was not survived: unclear, silently
wrong, in need of a hand, or with a process or a file left behind."""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from riqa_lib import paths, provenance, store
from riqa_lib.seeding import rng

from . import faults_kinds, faults_verdict
from .counts import added, kept
from .faults_ready import ready
from .faults_toy import Lane
from .faults_verdict import BAD, NEVER, Judged

COLUMNS = ["kind", "outcome"]
Trial = tuple[int, str, str, Judged]  # number, kind, the line for the log, what came of it


def trial(lane: Lane, number: int, cheap: bool = False) -> Trial:
    """One trial. cheap: light kernels and serially, whatever its number draws."""
    began = time.monotonic()
    g = rng("fault", number)
    kind = faults_kinds.drawn(g)
    told = faults_kinds.KINDS[kind][1](lane, g, cheap)
    judged = faults_verdict.judged(lane, told)
    line = faults_verdict.line(number, kind, told, judged, time.monotonic() - began)
    return number, kind, line, judged


def trials(first: int, count: int, lanes: int, folder: Path) -> Iterator[Trial]:
    """Trials as they end, so many side by side, each lane in a folder of its own."""
    numbers = iter(range(first, first + count))
    ended: queue.Queue = queue.Queue()
    lock = threading.Lock()

    def work(lane: Path) -> None:
        try:
            own = ready(lane)
            try:
                while (number := _next(numbers, lock)) is not None:
                    ended.put(trial(own, number))
            finally:
                own.close()
        except Exception as e:
            ended.put(e)
        ended.put(None)

    for which in range(lanes):
        threading.Thread(target=work, args=(folder / f"lane{which}",), daemon=True).start()
    open_lanes = lanes
    while open_lanes:
        came = ended.get()
        if isinstance(came, Exception):
            raise came
        if came is None:
            open_lanes -= 1
        else:
            yield came


def _next(numbers: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(numbers, None)


# ---------------------------------------------------------------- the table
def summary(table: pd.DataFrame) -> str:
    """How many ended how, and how many faults were survived of those that happened."""
    happened = table[table["outcome"] != NEVER]
    bad = happened.loc[happened["outcome"].isin(BAD), "trials"].sum()
    total = happened["trials"].sum()
    counts = table.groupby("outcome")["trials"].sum().to_string(header=False)
    return f"{counts}\n{total - bad} of {total} faults survived"


def _one(number: int) -> int:
    """A trial alone, and all that was said in it."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        lane = ready(Path(folder))
        try:
            _, _, line, judged = trial(lane, number)
        finally:
            lane.close()
    print(json.dumps(json.loads(line), indent=1), faults_verdict.shown(judged), sep="\n")
    return int(judged.outcome in BAD)


def _many(chosen: argparse.Namespace) -> int:
    file = paths.reference() / "faults.csv"
    before = kept(file, COLUMNS) if chosen.keep else kept(Path("none"), COLUMNS)
    first = int(before["trials"].sum()) if chosen.first is None else chosen.first
    counts: Counter = Counter()
    table, bad, began = before, [], time.monotonic()
    chosen.log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        for _, kind, line, judged in trials(first, chosen.trials, chosen.lanes, Path(folder)):
            with open(chosen.log, "a", encoding="utf-8") as log:
                log.write(f"{line}\n")
            counts[kind, judged.outcome] += 1
            table = added(before, counts)
            if chosen.keep:
                store.write_table(file, table.assign(machine=provenance.machine()))
            if judged.outcome in BAD:
                bad.append(line)
                print(line, faults_verdict.shown(judged), sep="\n", flush=True)
            rate = sum(counts.values()) / (time.monotonic() - began) * 60
            print(f"{sum(counts.values())} of {chosen.trials}, {rate:.1f} a minute", flush=True)
    print(table.to_string(index=False), summary(table), *bad, sep="\n")
    return int(bool(bad))


def main(arguments: list[str] | None = None) -> int:
    """Run, print and perhaps keep the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--trials", type=int, default=500)
    add("--first", type=int, help="number of the first (default: on from the tracked table)")
    add("--trial", type=int, metavar="NUMBER", help="this one alone, with all that it said")
    add("--lanes", type=int, default=2, help="trials side by side")
    add("--log", type=Path, default=paths.results("faults") / "trials.jsonl", metavar="FILE")
    add("--keep", action="store_true", help="add to results/reference/faults.csv")
    chosen = parser.parse_args(arguments)
    return _many(chosen) if chosen.trial is None else _one(chosen.trial)


if __name__ == "__main__":
    sys.exit(main())
