"""How a table of text is written, in the words that people use: encoding, separator, decimal mark.

Spreadsheets call Windows' own encoding "ANSI" and UTF-16 "Unicode"; a tab is "tab" or "\\t"."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from ..hints import did_you_mean

ENCODINGS = {"ansi": "cp1252", "unicode": "utf-16", "ascii": "utf-8"}
USUAL = ("utf-8", "utf-16", "cp1252", "latin-1", "mac-roman", "cp1250", "cp1251", "gb18030")
SEPARATORS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
    "blank": " ",
}
TRIED = (",", ";", "\t", "|", " ")
NAMES = {"\t": "tab", " ": "blank"}


def encoding_of(name: str) -> str:
    """Python's name of an encoding. ValueError, listing usual ones, for one that is not known.

    >>> encoding_of("ANSI"), encoding_of("utf8")
    ('cp1252', 'utf-8')
    """
    known = ENCODINGS.get(name.lower(), name)
    try:
        found = codecs.lookup(known)
    except LookupError:
        found = None
    if found is None or not found._is_text_encoding:
        usual = (*USUAL, *ENCODINGS)
        raise ValueError(
            f"encoding {name!r} is not known; usual ones: {', '.join(usual)}"
            f"{did_you_mean(name.lower(), usual)}"
        )
    return found.name


def separator_of(text: str) -> str:
    """The one character that a separator is. ValueError for another text.

    >>> separator_of("tab") == separator_of("\\\\t") == "\\t"
    True
    >>> separator_of("::")
    Traceback (most recent call last):
    ValueError: separator '::': expected one character, or tab, comma, semicolon, pipe, space
    """
    one = SEPARATORS.get(text.lower(), text if len(text) == 1 else text.strip())
    if len(one) != 1 or one in '"\r\n\0':
        words = "tab, comma, semicolon, pipe, space"
        raise ValueError(f"separator {text!r}: expected one character, or {words}")
    return one


def shown(separator: str) -> str:
    """A separator as a message shows it."""
    return NAMES.get(separator, repr(separator))


def first_line_says(text: str) -> tuple[str, str | None]:
    """The text without Excel's first line `sep=;` (an empty line in its place, so that rows keep
    their numbers), and the separator that it names; None where there is no such line.

    >>> first_line_says("sep=;\\nname;score\\n")
    ('\\nname;score\\n', ';')
    """
    end = min((i for mark in "\r\n" if (i := text.find(mark)) >= 0), default=len(text))
    said = text[:end].strip(" ").strip('"')
    if not said.lower().startswith("sep=") or len(said) != 5:
        return text, None
    return text[end:], said[4]


def separator_in(text: str, wanted: Iterable[str], least: int = 0, decimal: str = ".") -> str:
    """The separator that a text seems to have, of comma, semicolon, tab, | and blank.

    wanted: the columns that its header should name: the separator that shows most of them; where
    none shows any, one that splits all of the first rows into equally many cells, the comma first:
    then the columns are named otherwise. least: for a text without header, how many cells its rows
    need: the separator that splits all of the first rows into equally many, that many or more. The
    comma where none does better, and none but the comma where a decimal mark says otherwise.
    (csv.Sniffer, which knows neither, takes the comma of 3,5 for a separator, and fails on a single
    column.)

    >>> separator_in("file;score\\na, b.jpg;3,5\\n", ["file", "score"])
    ';'
    >>> separator_in("1 a.jpg 3\\n2 b.jpg 4\\n", [], least=3)
    ' '
    >>> separator_in("picture;mos\\na.jpg;3,5\\n", ["file", "score"])
    ';'
    """
    tried = [one for one in TRIED if one != decimal]
    if least:
        # a blank is more often part of a name, and a comma of a number, than the others
        ordered = sorted(tried, key="\t;|, ".index)
        return next((one for one in ordered if _splits(text, one, least)), ",")
    columns = {*wanted}
    found = {one: len(columns & {*_records(text, one, 1)[0]}) for one in tried}
    return max(found, key=lambda one: found[one]) if any(found.values()) else _even(text, tried)


def _even(text: str, tried: Iterable[str]) -> str:
    """The first of `tried`, but for the blank, that splits the first rows into equally many cells;
    else the comma."""
    return next((one for one in tried if one != " " and _splits(text, one, 2)), ",")


def _splits(text: str, separator: str, least: int) -> bool:
    lengths = {len(cells) for cells in _records(text, separator, 20)}
    return len(lengths) == 1 and min(lengths) >= least


def _records(text: str, separator: str, n: int) -> Sequence[list[str]]:
    """The first n rows that say something, cells stripped; one empty row where there is none."""
    rows: list[list[str]] = []
    try:
        for cells in reader(text, separator):
            if any(cell.strip() for cell in cells):
                rows.append([cell.strip() for cell in cells])
            if len(rows) == n:
                break
    except csv.Error:  # a quote that never ends, under this separator
        return [[]]
    return rows or [[]]


def reader(text: str, separator: str) -> Any:
    """csv.reader of a text; several blanks are one separator where the blank is one."""
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator == " "
    )
