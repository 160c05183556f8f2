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
    if not data.strip():
        return pd.DataFrame(), [Problem("empty table", 0, "")]
    try:
        text = data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as e:
        row = data[: e.start].count(b"\n") + 1
        found = f"byte 0x{data[e.start]:02x}; declare encoding=, for example 'latin-1' or 'utf-16'"
        return pd.DataFrame(), [Problem(f"not {encoding}", row, "", found)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines, end = [], 0
    try:
        for cells in reader:
            lines.append((end + 1, [c.strip() for c in cells]))
            end = reader.line_num
    except csv.Error as e:
        return pd.DataFrame(), [Problem("not a table", end + 1, "", str(e))]
    lines = [(row, cells) for row, cells in lines if any(cells)]
    if not lines:
        return pd.DataFrame(), [Problem("empty table", 0, "")]
    top, header = lines[0]
    doubled = [name for name in dict.fromkeys(header) if name and header.count(name) > 1]
    problems = [Problem("doubled column", top, name) for name in doubled]
    columns = ", ".join(header)[:200]
    hint = (
        "; is the separator another one? declare separator="
        if len(header) == 1 and len(set(wanted)) > 1
        else ""
    )
    problems += [
        Problem("missing column", top, name, f"found {columns}{hint}")
        for name in dict.fromkeys(wanted)
        if name not in header
    ]
    whole = [(row, cells) for row, cells in lines[1:] if len(cells) == len(header)]
    problems += [
        Problem("wrong number of cells", row, cells[0], f"{len(cells)}, expected {len(header)}")
        for row, cells in lines[1:]
        if len(cells) != len(header)
    ]
    if len(lines) == 1:
        problems.append(Problem("no rows", 0, ""))
    index = [row for row, _ in whole]
    return pd.DataFrame(
        {name: [cells[header.index(name)] for _, cells in whole] for name in header}, index
    ), problems
