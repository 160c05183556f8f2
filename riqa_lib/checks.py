"""What a table must have before it is drawn or counted."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from . import store


def has(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """ValueError, naming the table and what it has, where it lacks one of these columns.

    >>> has(pd.DataFrame({"id": ["a"], "truth": [1]}), ["id", "seed"], "predictions")
    Traceback (most recent call last):
    ValueError: predictions: no column seed; found id, truth
    """
    if said := store.no_column(table, columns):
        raise ValueError(f"{name}: {said}")


def columns(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """`has`, and at least one row."""
    has(table, columns, name)
    if table.empty:
        raise ValueError(f"{name}: the table has no rows")
