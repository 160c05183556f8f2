"""Rows of many pictures on their way into files: a table and JSON, written row by row, whole or not
at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from .. import store

Row = dict[str, Any]


class Table:
    """A CSV file of these columns; flat: from a row to its cells."""

    def __init__(self, out: IO[str], columns: Sequence[str], flat: Callable[[Row], Row]) -> None:
        self.out, self.flat = csv.DictWriter(out, columns, lineterminator="\n"), flat
        self.out.writeheader()

    def add(self, row: Row) -> None:
        self.out.writerow(self.flat(row))

    def close(self) -> None:
        """Nothing stands below the last row."""


class Json:
    """A JSON file: {"about": ..., "pictures": [...]}."""

    def __init__(self, out: IO[str], about: Mapping[str, object]) -> None:
        self.out, self.first = out, True
        out.write('{"about": ' + json.dumps(about, ensure_ascii=False) + ',\n"pictures": [')

    def add(self, row: Row) -> None:
        self.out.write(
            ("\n" if self.first else ",\n") + json.dumps(row, ensure_ascii=False, allow_nan=False)
        )
        self.first = False

    def close(self) -> None:
        self.out.write("\n]}\n")


def _opened(stack: ExitStack, file: Path) -> IO[str]:
    """A text file that replaces `file` when the stack is left without an error."""
    part = stack.enter_context(store.replacing(file))
    return stack.enter_context(open(part, "w", encoding="utf-8", newline=""))


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
            books.append(Table(_opened(stack, csv_file), columns, flat))
        if json_file:
            books.append(Json(_opened(stack, json_file), about))

        def add(row: Row) -> None:
            for book in books:
                book.add(row)

        yield add
        for book in books:
            book.close()
