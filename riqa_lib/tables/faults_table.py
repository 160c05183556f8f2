"""What became of faults by the hundred, from the tracked count: results/reference/faults.csv
(benchmarks/faults.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store

STORED = "faults.csv"
NEVER = "did not happen"  # the moment at which it was to strike did not come


def show() -> str:
    """A sentence, as markdown; another where nothing is stored."""
    file = paths.reference() / STORED
    if not file.exists():
        return "Faults were not counted yet: `make faults`."
    return sentence(store.read_table(file))


def sentence(table: pd.DataFrame) -> str:
    """How many faults of how many kinds were survived, and how. Outcomes in capitals are bad.

    >>> outcomes = ["clear", "clear", NEVER, "SILENTLY WRONG"]
    >>> told = pd.DataFrame({"kind": ["disk", "kill", "kill", "bit"], "outcome": outcomes})
    >>> print(sentence(told.assign(trials=[2, 5, 1, 1], machine="2 cores, AMD")))
    Of 8 faults of 3 kinds, 7 were survived: clear 7; not survived: SILENTLY WRONG 1 (bit).
    1 more did not happen (2 cores, AMD).
    """
    bad = table["outcome"].str.isupper()
    never = table["outcome"] == NEVER
    happened, well = table[~never], table[~never & ~bad]
    ways = well.groupby("outcome")["trials"].sum().sort_values(ascending=False, kind="stable")
    total, survived = int(happened["trials"].sum()), int(well["trials"].sum())
    said = f"Of {total} faults of {happened['kind'].nunique()} kinds, {survived} were survived: "
    said += ", ".join(f"{way} {count}" for way, count in ways.items())
    worst = [f"{r['outcome']} {r['trials']} ({r['kind']})" for _, r in table[bad].iterrows()]
    said += f"; not survived: {', '.join(worst)}" if worst else ""
    said += f".\n{table.loc[never, 'trials'].sum()} more did not happen"
    return f"{said} ({table['machine'].iloc[0]})."
