"""What a table must have before it is drawn or counted."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def columns(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [c for c in columns if c not in table]
    if missing:
        raise ValueError(
            f"{name}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{name}: the table has no rows")
