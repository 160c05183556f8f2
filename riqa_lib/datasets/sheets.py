"""Excel workbooks (.xlsx) as text, in the manner of `about.read_table`: cells stripped, rows by
their number in the sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import paths
from .problems import FolderError, Problem

Rows = dict[int, list[str]]


def read_book(file: Path) -> dict[str, Rows]:
    """Every tab of a workbook: its rows that are not empty, row number (1 is the first) -> cells as
    text, all equally many.

    Whole numbers are written without a decimal point, empty cells as "". Raises FolderError for
    what is no workbook."""
    from openpyxl import load_workbook  # a quarter of a second to import: only where it is used

    try:
        book = load_workbook(
            file, data_only=True
        )  # not read_only: that trusts a sheet's stated size, which may be wrong
        tabs = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        book.close()
    except Exception as e:  # zip, XML and openpyxl each raise their own
        raise FolderError(
            paths.shown(file), [Problem("unreadable workbook", 0, file.name, str(e))]
        ) from e
    return {
        title: {n: cells for n, row in enumerate(rows, 1) if any(cells := [_text(c) for c in row])}
        for title, rows in tabs.items()
    }


def read_sheet(file: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """The first tab's cells as text, indexed by row (the first that is not empty is the header),
    and what is wrong with it.

    Raises FolderError where a column is missing, or the file is no workbook."""
    rows = next(iter(read_book(file).values()), {})
    if not rows:
        raise FolderError(paths.shown(file), [Problem("empty table", 0, "")])
    top = next(iter(rows))
    header = rows.pop(top)
    missing = [c for c in columns if c not in header]
    if missing:
        found = f"found {', '.join(header)}"[:200]
        raise FolderError(
            paths.shown(file), [Problem("missing column", top, name, found) for name in missing]
        )
    problems = [Problem("doubled column", top, c) for c in columns if header.count(c) > 1]
    problems += [] if rows else [Problem("no rows", 0, "")]
    return pd.DataFrame(
        {c: [cells[header.index(c)] for cells in rows.values()] for c in columns}, [*rows]
    ), problems


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool) or (isinstance(cell, float) and cell.is_integer()):
        return str(int(cell))
    return str(cell).strip()
