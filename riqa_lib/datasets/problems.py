"""What is wrong with a table or a folder of pictures: every problem, with its row and what was
expected."""

from __future__ import annotations

import codecs
import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..hints import did_you_mean
from .table_words import reader

Line = tuple[int, list[str]]
SHOWN = 10  # problems of one kind that a message lists in full


class Problem(NamedTuple):
    """One thing wrong: its kind, the table's row (1 is the header; 0: no row), the file or id, and
    what was found."""

    kind: str
    row: int
    name: str
    found: str = ""


class FolderError(ValueError):
    """Everything wrong with a table and its files. problems: the list; good: the rows whose files
    are there; file: where all of them are written, a line each."""

    def __init__(
        self,
        table: str,
        problems: Sequence[Problem],
        good: pd.DataFrame | None = None,
        file: str = "",
    ) -> None:
        all_in = f"\nall of them, a line each: {file}" if file else ""
        super().__init__(f"{table}: {len(problems)} problem(s)\n{listed(problems)}{all_in}")
        self.table, self.problems, self.good = table, list(problems), good


def listed(problems: Sequence[Problem]) -> str:
    """Problems as text: one line a kind, at most SHOWN of each with row and name, then how many
    more. What is said of the whole (no row, no name) has no number.

    >>> print(listed([Problem("empty id", 3, ""), Problem("no rows", 0, "")]))
      empty id (1): row 3
      no rows
    """
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem)
    return "\n".join(f"  {_of_one_kind(kind, found)}" for kind, found in kinds.items())


def _of_one_kind(kind: str, found: Sequence[Problem]) -> str:
    if len(found) == 1 and not (found[0].row or found[0].name):
        return ": ".join(text for text in (kind, found[0].found) if text)
    texts = []
    for p in found[:SHOWN]:
        row = f"row {p.row}" if p.row else ""
        texts.append(": ".join(text for text in (row, p.name, p.found) if text))
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{kind} ({len(found)}): {'; '.join(texts)}{more}"


def read_text(
    table: Path, encoding: str, separator: str, wanted: list[str]
) -> tuple[pd.DataFrame, list[Problem]]:
    """The table as stripped text, indexed by line number, and what is wrong with its form."""
    return table_of(table.read_bytes(), encoding, separator, wanted)


def table_of(
    data: bytes, encoding: str, separator: str, wanted: list[str]
) -> tuple[pd.DataFrame, list[Problem]]:
    """`read_text` of a table's bytes. wanted: columns that must be there; others are kept too. A
    table that cannot be read at all is an empty frame, with the reason."""
    try:
        return in_columns(lines_of(decoded(data, encoding), separator), wanted)
    except NoTable as e:
        return pd.DataFrame(), [e.problem]


class NoTable(Exception):
    """A file that cannot be read as a table at all; problem: why."""

    def __init__(self, kind: str, row: int = 0, name: str = "", found: str = "") -> None:
        self.problem = Problem(kind, row, name, found)
        super().__init__(f"{kind} {found}")


def decoded(data: bytes, encoding: str) -> str:
    """The text of a table's bytes; NoTable for bytes that the encoding does not have. A byte order
    mark says more than `encoding`."""
    if not data.strip():
        raise NoTable("empty table")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data.startswith(codecs.BOM_UTF8):  # of spreadsheets
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as e:
        row = data[: e.start].count(b"\n") + 1
        found = f"byte 0x{data[e.start]:02x}; declare encoding=, for example 'latin-1' or 'utf-16'"
        raise NoTable(f"not {encoding.removesuffix('-sig')}", row, found=found) from e
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        found = "a character 0; declare encoding=, for example 'utf-16-le'; or is it no table?"
        raise NoTable("not text", row, found=found)
    return text


def lines_of(text: str, separator: str) -> list[Line]:
    """The rows that are not empty: (line of the file where it begins, stripped cells). NoTable
    where there is none. A blank separates as several do."""
    rows, lines, end = reader(text, separator), [], 0
    try:
        for cells in rows:
            lines.append((end + 1, [c.strip() for c in cells]))
            end = rows.line_num
    except csv.Error as e:
        raise NoTable("not a table", end + 1, found=str(e)) from e
    lines = [(row, cells) for row, cells in lines if any(cells)]
    if not lines:
        raise NoTable("empty table")
    return lines


def in_columns(
    lines: list[Line], wanted: list[str], header: Sequence[str] | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows of cells under the names of their header, indexed by their row, and what is wrong with
    them. wanted: columns that must be there. header: the names, where the first row has none.
    Empty cells behind the last column don't count."""
    top = 0
    if header is None:
        (top, header), *lines = lines
    header = _without_empty_end(header)
    problems = _header_problems(top, header, wanted)
    rows = [(row, _padded(cells, len(header))) for row, cells in lines]
    problems += [
        Problem("wrong number of cells", row, cells[0], f"{len(cells)}, expected {len(header)}")
        for row, cells in rows
        if len(cells) != len(header)
    ]
    if not lines:
        problems.append(Problem("no rows", 0, ""))
    whole = {row: cells for row, cells in rows if len(cells) == len(header)}
    return _frame(header, whole), problems


def _frame(header: list[str], rows: dict[int, list[str]]) -> pd.DataFrame:
    """Rows under their header, indexed by their row; of columns of one name the first."""
    places = {name: place for place, name in reversed([*enumerate(header)])}
    columns = {name: [cells[places[name]] for cells in rows.values()] for name in [*places][::-1]}
    return pd.DataFrame(columns, [*rows], dtype=str)


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    n = len(cells)
    while n and not cells[n - 1]:
        n -= 1
    return [*cells[:n]]


def _padded(cells: list[str], n: int) -> list[str]:
    """Cells without the empty ones behind the n-th."""
    return cells if any(cells[n:]) else cells[:n]


def _header_problems(top: int, header: list[str], wanted: list[str]) -> list[Problem]:
    """Columns that are there twice, and wanted ones that are not there."""
    separated = ""
    if len(header) == 1 and len(set(wanted)) > 1:
        separated = "; is the separator another one? declare separator="
    columns = ", ".join(header)[:200]
    return [
        Problem("doubled column", top, name)
        for name, count in Counter(header).items()
        if name and count > 1
    ] + [
        Problem("missing column", top, name, f"found {columns}{separated or _near(name, header)}")
        for name in dict.fromkeys(wanted)
        if name not in header
    ]


def _near(name: str, header: list[str]) -> str:
    same = [column for column in header if column.casefold() == name.casefold()]
    return f"; did you mean {same[0]}?" if same else did_you_mean(name, header)
