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
MOST_CELLS = 50_000_000  # of a tab, the empty ones between others counted


def read_book(file: Path, decimal: str = ".") -> dict[str, Rows]:
    """Every tab of a workbook: its rows that are not empty, row number (1 is the first) -> cells as
    text, all equally many: as far as any of the tab's cells says something.

    Whole numbers are written without a decimal mark, others with `decimal`, empty cells as "".
    Raises FolderError for what is no workbook, and for a tab with a cell so far from the others
    that the empty ones between them would not fit into the memory."""
    return {
        title: _equally_long(
            file, title, {n: [text_of(c, decimal) for c in row] for n, row in rows.items()}
        )
        for title, rows in _tabs(file, True).items()
    }


def _equally_long(file: Path, title: str, rows: Rows) -> Rows:
    """Rows that say something, without what is empty behind the last cell that does."""
    ends = {n: max((i for i, c in enumerate(row, 1) if c), default=0) for n, row in rows.items()}
    told = {n: row for n, row in rows.items() if ends[n]}
    width = max(ends.values(), default=0)
    if len(told) * width > MOST_CELLS:
        far = max(ends, key=lambda n: ends[n])
        said = f"{title}: a cell in column {width:,}, far from the others; delete that column"
        raise FolderError(paths.shown(file), [Problem("stray cell", far, "", said)])
    return {n: row[:width] + [""] * (width - len(row)) for n, row in told.items()}


def never_calculated(file: Path, title: str) -> list[tuple[int, int, str]]:
    """The cells of a tab whose formula has no stored value (no spreadsheet program has saved it):
    (row from 1, column from 0, formula). `read_book` has such a cell as ""."""
    known, said = (_tabs(file, stored)[title] for stored in (True, False))
    return [
        (n, i, cell)
        for n, row in said.items()
        for i, cell in enumerate(row)
        if isinstance(cell, str) and cell.startswith("=") and _at(known.get(n, ()), i) is None
    ]


def _at(row: tuple, place: int) -> Any:
    return row[place] if place < len(row) else None


def _tabs(file: Path, data_only: bool) -> dict[str, dict[int, tuple]]:
    """Every tab's rows that have a cell, by number, each as far as its last one: values as stored,
    or formulas as typed."""
    from openpyxl import load_workbook  # a quarter of a second to import: only where it is used

    contents.note(file)
    try:
        with file.open("rb") as f:  # opened: a workbook may be called as it likes
            # read_only: cells that are there alone, not all between the first and a stray one
            book = load_workbook(f, read_only=True, data_only=data_only)
            tabs = {one.title: _rows(one) for one in book.worksheets}
            book.close()
    except Exception as e:  # zip, XML and openpyxl each raise their own
        raise FolderError(
            paths.shown(file), [Problem("unreadable workbook", 0, file.name, str(e))]
        ) from e
    return tabs


def _rows(tab: Any) -> dict[int, tuple]:
    tab.reset_dimensions()  # a tab's stated size may be wrong
    rows = enumerate(tab.iter_rows(values_only=True), 1)
    return {n: row for n, row in rows if any(cell is not None for cell in row)}


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
    every = pd.DataFrame([*rows.values()], [*rows], dtype=str)
    every = every.iloc[:, [header.index(c) for c in columns]]
    return every.set_axis([*columns], axis=1), problems


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
