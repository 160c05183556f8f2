"""In how many ways a whole walk was run, and how many of its files came out the same, from the
tracked measurement: results/reference/determinism.csv (benchmarks/determinism.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store

STORED = "determinism.csv"


def show() -> str:
    """A sentence a machine, as markdown; another where nothing is stored."""
    file = paths.reference() / STORED
    if not file.exists():
        return "A whole walk was not compared yet: `python -m benchmarks.determinism`."
    machines = store.read_table(file).groupby("machine", sort=False)
    return "\n\n".join(sentence(its) for _, its in machines)


def sentence(table: pd.DataFrame) -> str:
    """What was compared with what, and what came out.

    >>> ways = ["one after another", "in one worker", "in two workers", "in two workers, killed"]
    >>> told = {"way": ways, "kills": [0, 0, 0, 6], "files": 648, "same": 648, "profile": "smoke"}
    >>> told |= {"kinds": "", "machine": "2 cores, AMD", "torch": "2.15"}
    >>> print(sentence(pd.DataFrame(told)))
    The whole walk at smoke size, one after another, against the same in one worker (648 of 648
    files with the same bytes), in two workers (648 of 648), in two workers, killed 6 times
    at random moments and started again (648 of 648): data, runs, tables and figures (2 cores, AMD;
    torch 2.15).
    """
    first, others = table.iloc[0], table.iloc[1:]
    said = []
    for number, (_, line) in enumerate(others.iterrows()):
        times = f" {line['kills']} times\nat random moments and started again"
        way = line["way"] + (times if line["kills"] else "")
        what = "\nfiles with the same bytes" if number == 0 else ""
        said.append(f"{way} ({line['same']} of {line['files']}{what})")
    return (
        f"The whole walk at {first['profile']} size, {first['way']}, against the same "
        f"{', '.join(said)}: data, runs, tables and figures ({first['machine']};\n"
        f"torch {first['torch']})."
    )
