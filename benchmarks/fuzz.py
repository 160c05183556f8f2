"""Damaged files by the thousand, each read right or refused with a reason: `make fuzz`.

    python -m benchmarks.fuzz [--pictures 20000] [--tables 10000] [--keep]

Trials are numbered, and go on where the tracked table (results/reference/fuzz.csv, with --keep)
left off, so nights add up. Exit status 1 where something crashed, died, hung or was read wrong;
the numbers of such trials are printed: `fuzz_pictures.trials(NUMBER, 1)` repeats one."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from riqa_lib import paths, provenance, store

from . import fuzz_pictures, fuzz_tables
from .counts import added, kept
from .fuzz_children import HANGS, KILLED

WRONG = ("crashes", KILLED, HANGS, "not as the second reader")
KINDS: dict[str, Callable[[int, int], list]] = {
    "pictures": fuzz_pictures.trials,
    "tables": fuzz_tables.trials,
}
COLUMNS = ["kind", "form", "outcome"]
BATCH = 500  # trials between two lines of progress


def counted(kind: str, first: int, count: int) -> tuple[Counter, list[tuple]]:
    """How many trials ended how, by (kind, form, outcome); and those that ended wrong, with their
    number."""
    counts: Counter = Counter()
    wrong = []
    began = time.perf_counter()
    for at in range(first, first + count, BATCH):
        some = KINDS[kind](at, min(BATCH, first + count - at))
        for number, (form, damage, outcome, said) in enumerate(some, at):
            counts[kind, form, outcome] += 1
            if outcome in WRONG:
                wrong.append((number, form, damage, outcome, said))
        done = at + len(some) - first
        rate = done / (time.perf_counter() - began)
        print(f"{kind}: {done:,} of {count:,}, {rate:.0f} a second", end="\r", flush=True)
    print()
    return counts, wrong


def main(arguments: list[str] | None = None) -> int:
    """Run, print and perhaps keep the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true", help="add to results/reference/fuzz.csv")
    chosen = parser.parse_args(arguments)
    file = paths.reference() / "fuzz.csv"
    table = kept(file, COLUMNS) if chosen.keep else kept(Path("none"), COLUMNS)
    wrong = []
    for kind, count in (("pictures", chosen.pictures), ("tables", chosen.tables)):
        first = int(table.loc[table["kind"] == kind, "trials"].sum())
        counts, bad = counted(kind, first, count)
        table, wrong = added(table, counts), wrong + bad
        if chosen.keep:
            store.write_table(file, table.assign(machine=provenance.machine()))
    print(table.groupby(["kind", "outcome"])["trials"].sum().to_string())
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"the largest process took {most:.0f} MiB")
    for line in wrong:
        print(*line, sep="; ")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
