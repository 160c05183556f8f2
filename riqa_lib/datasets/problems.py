"""What is wrong with a table or a folder of pictures: every problem, with its row and what was
expected."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

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
    are there."""

    def __init__(
        self, table: str, problems: Sequence[Problem], good: pd.DataFrame | None = None
    ) -> None:
        super().__init__(f"{table}: {len(problems)} problem(s)\n{listed(problems)}")
        self.table, self.problems, self.good = table, list(problems), good


def listed(problems: Sequence[Problem]) -> str:
    """Problems as text: one line a kind, at most SHOWN of each with row and name, then how many
    more."""
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem)
    lines = []
    for kind, found in kinds.items():
        texts = []
        for p in found[:SHOWN]:
            name = (
                f"row {p.row}: {p.name}"
                if p.row and p.name
                else f"row {p.row}"
                if p.row
                else p.name
            )
            texts.append(": ".join(t for t in (name, p.found) if t))
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        lines.append(f"  {kind} ({len(found)}): {'; '.join(texts)}{more}")
    return "\n".join(lines)


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
        lines = _lines(_decoded(data, encoding), separator)
    except _NoTable as e:
        return pd.DataFrame(), [e.problem]
    (top, header), body = lines[0], lines[1:]
    problems = _header_problems(top, header, wanted)
    whole = [(row, cells) for row, cells in body if len(cells) == len(header)]
    problems += [
        Problem("wrong number of cells", row, cells[0], f"{len(cells)}, expected {len(header)}")
        for row, cells in body
        if len(cells) != len(header)
    ]
    if not body:
        problems.append(Problem("no rows", 0, ""))
    columns = {name: [cells[header.index(name)] for _, cells in whole] for name in header}
    return pd.DataFrame(columns, [row for row, _ in whole]), problems


class _NoTable(Exception):
    def __init__(self, kind: str, row: int = 0, found: str = "") -> None:
        self.problem = Problem(kind, row, "", found)


def _decoded(data: bytes, encoding: str) -> str:
    if not data.strip():
        raise _NoTable("empty table")
    try:  # spreadsheets put a mark before UTF-8
        return data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as e:
        row = data[: e.start].count(b"\n") + 1
        found = f"byte 0x{data[e.start]:02x}; declare encoding=, for example 'latin-1' or 'utf-16'"
        raise _NoTable(f"not {encoding}", row, found) from e


def _lines(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty: (line of the file where it begins, stripped cells)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines, end = [], 0
    try:
        for cells in reader:
            lines.append((end + 1, [c.strip() for c in cells]))
            end = reader.line_num
    except csv.Error as e:
        raise _NoTable("not a table", end + 1, str(e)) from e
    lines = [(row, cells) for row, cells in lines if any(cells)]
    if not lines:
        raise _NoTable("empty table")
    return lines


def _header_problems(top: int, header: list[str], wanted: list[str]) -> list[Problem]:
    """Columns that are there twice, and wanted ones that are not there."""
    hint = ""
    if len(header) == 1 and len(set(wanted)) > 1:
        hint = "; is the separator another one? declare separator="
    columns = ", ".join(header)[:200]
    return [
        Problem("doubled column", top, name)
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ] + [
        Problem("missing column", top, name, f"found {columns}{hint}")
        for name in dict.fromkeys(wanted)
        if name not in header
    ]
