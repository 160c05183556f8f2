"""Excel workbooks (.xlsx) as text, in the manner of `about.read_table`: cells stripped, rows by
their number in the sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import contents, paths
from .problems import FolderError, Problem

Rows = dict[int, list[str]]


def read_book(file: Path, decimal: str = ".") -> dict[str, Rows]:
    """Every tab of a workbook: its rows that are not empty, row number (1 is the first) -> cells as
    text, all equally many.

    Whole numbers are written without a decimal mark, others with `decimal`, empty cells as "".
    Raises FolderError for what is no workbook."""
    return {
        title: {
            n: cells
            for n, row in enumerate(rows, 1)
            if any(cells := [text_of(c, decimal) for c in row])
        }
        for title, rows in _tabs(file, True).items()
    }


def never_calculated(file: Path, title: str) -> list[tuple[int, int, str]]:
    """The cells of a tab whose formula has no stored value (no spreadsheet program has saved it):
    (row from 1, column from 0, formula). `read_book` has such a cell as ""."""
    known, said = (_tabs(file, stored)[title] for stored in (True, False))
    return [
        (n, i, cell)
        for n, (values, row) in enumerate(zip(known, said, strict=True), 1)
        for i, cell in enumerate(row)
        if isinstance(cell, str) and cell.startswith("=") and values[i] is None
    ]


def _tabs(file: Path, data_only: bool) -> dict[str, list[tuple]]:
    """Every tab's cells: values as stored, or formulas as typed."""
    from openpyxl import load_workbook  # a quarter of a second to import: only where it is used

    contents.note(file)
    try:
        with file.open("rb") as f:  # opened: a workbook may be called as it likes
            # not read_only: that trusts a sheet's stated size, which may be wrong
            book = load_workbook(f, data_only=data_only)
            tabs = {one.title: list(one.iter_rows(values_only=True)) for one in book.worksheets}
            book.close()
    except Exception as e:  # zip, XML and openpyxl each raise their own
        raise FolderError(
            paths.shown(file), [Problem("unreadable workbook", 0, file.name, str(e))]
        ) from e
    return tabs


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


def text_of(cell: Any, decimal: str = ".") -> str:
    """A cell as text: "" for none (or not a number), no decimal mark in whole numbers.

    >>> [text_of(cell, ",") for cell in (None, float("nan"), 3.0, 3.5, True, " a.b ")]
    ['', '', '3', '3,5', '1', 'a.b']
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool) or (isinstance(cell, float) and cell.is_integer()):
        return str(int(cell))
    if isinstance(cell, float):
        return str(cell).replace(".", decimal)
    return str(cell).strip()
