"""Counts of trials that go on from night to night, in a tracked table: a line per kind of outcome,
trials its last column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from riqa_lib import store


def kept(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The table so far: these columns and trials; no line where there is none."""
    if not file.exists():
        return pd.DataFrame(columns=[*columns, "trials"])
    return store.read_table(file)[[*columns, "trials"]]


def added(before: pd.DataFrame, counts: Counter) -> pd.DataFrame:
    """The table with what was counted now, by tuples of all its columns but trials.

    >>> print(added(kept(Path("none"), ["kind", "outcome"]), Counter({("disk", "well"): 2})))
       kind outcome  trials
    0  disk    well       2
    """
    columns = list(before.columns[:-1])
    now = pd.DataFrame([(*key, n) for key, n in counts.items()], columns=before.columns)
    both = pd.concat([before, now], ignore_index=True) if len(before) else now
    return both.groupby(columns, as_index=False)["trials"].sum()
