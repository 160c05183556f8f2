"""How `riqa score` and `riqa assess` stand a large folder, from the tracked measurement:
results/reference/load.csv (benchmarks/load.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store

PARTS = ("until killed", "resumed")
STORED = "load.csv"


def show() -> str:
    """A row a command and part, as markdown, and what was measured; a sentence where nothing is
    stored."""
    file = paths.reference() / STORED
    if not file.exists():
        return "Nothing was measured yet: `python -m benchmarks.load`."
    table = store.read_table(file)
    heads = ("command", "part", "rows", "pictures a second", "and CPU second", "memory, MiB")
    lines = [f"| {' | '.join((*heads, 'its readers'))} |", "|---|---|" + "---:|" * 5]
    lines += [row(part) for _, part in table.groupby(["command", "part"], sort=False)]
    told = [sentence(its) for _, its in table.groupby("command", sort=False)]
    return "\n".join([*lines, "", *told])


def row(its: pd.DataFrame) -> str:
    """A part of a command: first to last row on the disk, and the range of what was measured.

    >>> its = pd.DataFrame({"rows": [100, 200], "rate": [9.7, 12.2], "rate_cpu": 20.4,
    ...                     "memory_mib": [900.2, 901.0], "readers_mib": 160.0,
    ...                     "command": "score", "part": "resumed"})
    >>> row(its)
    '| `riqa score` | resumed | 100 to 200 | 9.7 to 12 | 20 | 900 to 901 | 160 |'
    """
    first = its.iloc[0]
    cells = [f"{its['rows'].iloc[0]:,} to {its['rows'].iloc[-1]:,}"]
    cells += [between(its[name]) for name in ("rate", "rate_cpu", "memory_mib", "readers_mib")]
    return f"| `riqa {first['command']}` | {first['part']} | {' | '.join(cells)} |"


def between(values: pd.Series) -> str:
    """The least and the greatest of them, to two digits, whole from 10 on; one where they are the
    same, "not measured" without any."""
    if values.isna().all():
        return "not measured"
    ends = [f"{x:,.0f}" if x >= 10 else f"{x:.2g}" for x in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends))


def sentence(its: pd.DataFrame) -> str:
    """What was measured of a command, and on what."""
    one = its.iloc[0]
    load = between(its["load"])
    return (
        f"- `riqa {one['command']}`: {one['pictures']:,} pictures made by code, {one['bad']:,} of "
        f"them bad ({one['named']:,} named as such); killed with {one['kept']:,} rows on the disk, "
        f"then resumed: every picture has one row, those of before are as they were. "
        f"{one['workers']} processes read; {one['machine']}, load {load} meanwhile (other work)."
    )
