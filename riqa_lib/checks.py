"""What a table must have before it is drawn or counted."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def missing(table: pd.DataFrame, columns: Iterable[str]) -> str:
    """What `table` lacks, in words: "no column a, b; found c, d"; "" where it has them all.

    >>> missing(pd.DataFrame({"id": ["a"], "truth": [1]}), ["id", "seed"])
    'no column seed; found id, truth'
    """
    lacking = [c for c in columns if c not in table]
    if not lacking:
        return ""
    return f"no column {', '.join(lacking)}; found {', '.join(map(str, table.columns))}"


def has(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """ValueError, naming the table and what it has, where it lacks one of these columns."""
    if said := missing(table, columns):
        raise ValueError(f"{name}: {said}")


def columns(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """`has`, and at least one row."""
    has(table, columns, name)
    if table.empty:
        raise ValueError(f"{name}: the table has no rows")
