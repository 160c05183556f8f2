"""Somebody's own table, whatever file it is in, as cells of text: a text table (any separator,
encoding, with or without a header), an Excel workbook, Parquet, the labelling tool's own file.

What kind of file it is, its first bytes say, not its name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .. import contents, paths
from ..hints import did_you_mean
from . import hand_labels, table_words
from .declaration import Declaration
from .problems import FolderError, NoTable, Problem, decoded, in_columns, lines_of
from .sheets import never_calculated, read_book, text_of

WORKBOOK, PARQUET = b"PK\x03\x04", b"PAR1"
# what people take for a table, and what to do then
OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook of before 2007 (.xls): save it as .xlsx or .csv",
    b"\x1f\x8b": "packed (gzip): unpack it first",
    b"SQLite format 3": "a database: export the table as .csv",
    b"%PDF": "a PDF: export the table as .csv",
    b"{\\rtf": "a text document: save the table as .csv",
    b"version https://git-lfs": "a pointer of Git LFS: get the file itself with `git lfs pull`",
    b"<!DOCTYPE": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
}

Read = tuple[pd.DataFrame, list[Problem], list[Problem]]


def read_own_table(table: Path, said: Declaration) -> Read:
    """The table's cells as stripped text under the names of its columns, indexed by row (1 is the
    file's first line); what is wrong with its form; what is worth knowing of it.

    Without a header, columns are called "1", "2", ..., or as said.header names them. An empty
    frame, with the reason, for a file that cannot be read at all. Raises ImportError for Parquet
    where pyarrow is missing."""
    wanted = [*dict.fromkeys(said.columns.values())]
    contents.note(table)
    data = table.read_bytes()
    start = data[:32].lstrip()
    try:
        for magic, what in OTHERS.items():
            if start.lower().startswith(magic.lower()):
                raise NoTable("not a table", found=what)
        if data.startswith(WORKBOOK):
            return _workbook(table, said, wanted)
        if said.sheet is not None:
            raise NoTable("no workbook", found=f"sheet = {said.sheet!r}, but this is no .xlsx")
        if data.startswith(PARQUET):
            return _parquet(table, said, wanted)
        return _text(table, data, said, wanted)
    except NoTable as e:
        return pd.DataFrame(), [e.problem], []
    except FolderError as e:  # an unreadable workbook
        return pd.DataFrame(), e.problems, []


# ---------------------------------------------------------------- text
def _text(table: Path, data: bytes, said: Declaration, wanted: list[str]) -> Read:
    encoding = table_words.encoding_of(said.encoding)
    text, named = table_words.first_line_says(decoded(data, encoding))
    notes = []
    if said.separator is not None:
        separator = table_words.separator_of(said.separator)
    else:
        least = _cells_needed(said, wanted)
        separator = named or table_words.separator_in(text, wanted, least, said.decimal)
        by = "its first line says so" if named else "seen in it; separator= declares another"
        if separator != ",":
            notes = [Problem("separator", 0, "", f"{table_words.shown(separator)} ({by})")]
    lines = lines_of(text, separator)
    header = _names(said, len(lines[0][1]))
    if header is None and [cell for cell in lines[0][1] if cell] == [*hand_labels.COLUMNS]:
        return _labelled_by_hand(table, wanted)
    return *in_columns(lines, wanted, header), notes


def _names(said: Declaration, n: int) -> list[str] | None:
    """The names of a table's n columns where it has no header; None where it has one."""
    if said.header is True:
        return None
    numbers = range(1, n + 1)
    return [str(name) for name in (numbers if said.header is False else said.header)]


def _cells_needed(said: Declaration, wanted: list[str]) -> int:
    """How many cells a row has at least, where no header counts them; 0 where one does."""
    if said.header is False:
        return max(int(name) for name in wanted)
    return len(_names(said, 0) or [])


def _labelled_by_hand(table: Path, wanted: list[str]) -> Read:
    """The labelling tool's own file: a person's last line on a picture counts; a line that a kill
    tore is left out."""
    text, problems = hand_labels.lines(table)
    lacking = [
        Problem("missing column", 1, name, f"found {', '.join(text)}{did_you_mean(name, text)}")
        for name in wanted
        if name not in text
    ]
    if problems or lacking:
        return text, problems + lacking, []
    left = hand_labels.resolved(text)
    found = f"{len(left)} grades that count, of {len(text)} lines"
    return left, [], [Problem("the labelling tool's own file", 0, "", found)]


# ---------------------------------------------------------------- workbooks, Parquet
def _workbook(table: Path, said: Declaration, wanted: list[str]) -> Read:
    tabs = read_book(table, said.decimal)
    if not tabs:
        raise NoTable("empty table")
    title, notes = _tab(said.sheet, [*tabs])
    lines = [*tabs[title].items()]
    if not lines:
        raise NoTable("empty table", name=title)
    header = _names(said, len(lines[0][1]))
    frame, problems = in_columns(lines, wanted, header)
    if any((frame[name] == "").any() for name in wanted if name in frame):
        names = header or lines[0][1]
        problems += [
            Problem("formula without its value", row, names[i], f"{cell}; save it in a spreadsheet")
            for row, i, cell in never_calculated(table, title)
            if i < len(names) and names[i] in wanted
        ]
    return frame, problems, notes


def _tab(sheet: str | int | None, titles: list[str]) -> tuple[str, list[Problem]]:
    """The declared tab (name, or number from 1 on), or the first."""
    if sheet is None:
        others = [Problem("sheet", 0, "", f"{titles[0]!r} was read, of {', '.join(titles)}")]
        return titles[0], others if len(titles) > 1 else []
    if isinstance(sheet, int) and 1 <= sheet <= len(titles):
        return titles[sheet - 1], []
    if str(sheet) not in titles:
        hint = did_you_mean(str(sheet), titles)
        raise NoTable("no such sheet", name=str(sheet), found=f"found {', '.join(titles)}{hint}")
    return str(sheet), []


def _parquet(table: Path, said: Declaration, wanted: list[str]) -> Read:
    """Rows are counted from 1: there is no header line."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as e:
        raise ImportError(
            f"{paths.shown(table)}: reading Parquet needs pyarrow, an extra of riqa: "
            "pip install 'riqa[parquet]' (or pip install pyarrow), or save the table as .csv"
        ) from e
    try:
        names = [str(name) for name in parquet.read_schema(table).names]
        read = parquet.read_table(table, columns=[n for n in names if n in wanted])
    except (ArrowException, OSError) as e:
        raise NoTable("not a table", found=f"unreadable Parquet: {e}") from e
    columns = {
        name: [text_of(cell, said.decimal) for cell in read[name].to_pylist()]
        for name in read.column_names
    }
    frame = pd.DataFrame(columns, index=range(1, read.num_rows + 1))
    _, problems = in_columns([(0, names)], wanted)
    problems = [p for p in problems if p.kind != "no rows" or not len(frame)]
    return frame, problems, []
