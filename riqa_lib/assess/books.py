"""Rows of many pictures on their way into files: a table and JSON, written row by row, whole or not
at all.

The table is for spreadsheets. It begins with the mark (BOM) by which they know UTF-8; a text that
they would run as a formula has an apostrophe in front (OWASP, CSV injection); a text that would
break lines is shown by numbers (inputs.shown). JSON has all of it exactly, bytes of names that are
no UTF-8 too (os.fsencode gives them back)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from .. import store
from .inputs import shown

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # how one begins
SPREADSHEET = "utf-8-sig"
Row = dict[str, Any]


def harmless(cell: object) -> object:
    """A cell that is no formula and breaks no line: numbers as they are, text with an apostrophe in
    front where it begins as one.

    >>> harmless("=HYPERLINK(1).png"), harmless("a\\nb"), harmless("-2.5"), harmless(-2.5)
    ("'=HYPERLINK(1).png", 'a\\\\x0ab', '-2.5', -2.5)
    """
    if not isinstance(cell, str):
        return cell
    return shown(f"'{cell}" if cell.startswith(FORMULA) and not _is_number(cell) else cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isprintable()


class Table:
    """A CSV file of these columns; flat: from a row to its cells."""

    def __init__(self, out: IO[str], columns: Sequence[str], flat: Callable[[Row], Row]) -> None:
        self.out, self.flat = csv.DictWriter(out, columns, lineterminator="\n"), flat
        self.out.writeheader()

    def add(self, row: Row) -> None:
        self.out.writerow({name: harmless(cell) for name, cell in self.flat(row).items()})

    def close(self) -> None:
        """Nothing stands below the last row."""


class Json:
    """A JSON file: {"about": ..., "pictures": [...]}."""

    def __init__(self, out: IO[str], about: Mapping[str, object]) -> None:
        self.out, self.first = out, True
        out.write('{"about": ' + json.dumps(about, ensure_ascii=False) + ',\n"pictures": [')

    def add(self, row: Row) -> None:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        if not _is_utf8(text):
            text = json.dumps(row, allow_nan=False)
        self.out.write(("\n" if self.first else ",\n") + text)
        self.first = False

    def close(self) -> None:
        self.out.write("\n]}\n")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a name that is not
        return False
    return True


def _opened(stack: ExitStack, file: Path, encoding: str = "utf-8") -> IO[str]:
    """A text file that replaces `file` when the stack is left without an error."""
    part = stack.enter_context(store.replacing(file))
    return stack.enter_context(open(part, "w", encoding=encoding, newline=""))


@contextmanager
def opened(
    csv_file: Path | None,
    json_file: Path | None,
    *,
    columns: Sequence[str],
    flat: Callable[[Row], Row],
    about: Mapping[str, object],
) -> Iterator[Callable[[Row], None]]:
    """What adds a row to the files that were asked for (None: not asked for). They appear where
    the block ends without an error."""
    with ExitStack() as stack:
        books: list[Table | Json] = []
        if csv_file:
            books.append(Table(_opened(stack, csv_file, SPREADSHEET), columns, flat))
        if json_file:
            books.append(Json(_opened(stack, json_file), about))

        def add(row: Row) -> None:
            for book in books:
                book.add(row)

        yield add
        for book in books:
            book.close()
