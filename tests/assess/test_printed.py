"""Rows on the terminal and in files: harmless in both, and whole where nobody reads on."""

from __future__ import annotations

import csv
import io
import json
import os

import pandas as pd
import pytest

from riqa_lib.assess import books, printed
from riqa_lib.assess.inputs import shown

ODD = os.fsdecode(b"b\xffad.png")
NAMES = ["Глаз.png", "=1+1.png", "+1.png", "-2.png", "@x.png", "a\tb\r\n.png"]
NAMES += ["\x1b[2J\x9b.png", ODD]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Глаз 1.png", "Глаз 1.png"),
        ("a\nb\t\x7f", "a\\x0ab\\x09\\x7f"),
        ("\x1b[31m\x9b", "\\x1b[31m\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (ODD, "b\\xffad.png"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_would_do_something_to_a_terminal_is_shown_by_its_number(text, said):
    assert shown(text) == said


@pytest.fixture
def tables(tmp_path):
    """A table and JSON of NAMES with a number each, as the command writes them."""
    files = tmp_path / "o.csv", tmp_path / "o.json"
    how = {"columns": ["file", "score", "grade"], "flat": dict, "about": {"eye": "Глаз"}}
    with books.opened(*files, **how) as add:
        for k, name in enumerate(NAMES):
            add({"file": name, "score": -1.5 * k, "grade": "-1"})
    return files


def test_a_table_opens_in_spreadsheets_and_runs_nothing(tables):
    data = tables[0].read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = [*csv.DictReader(io.StringIO(data.decode("utf-8-sig")))]
    assert len(data.splitlines()) == len(NAMES) + 1
    assert [row["file"] for row in rows] == [
        "Глаз.png",
        "'=1+1.png",
        "'+1.png",
        "'-2.png",
        "'@x.png",
        "a\\x09b\\x0d\\x0a.png",
        "\\x1b[2J\\x9b.png",
        "b\\xffad.png",
    ]
    assert rows[2]["score"] == "-3.0"  # a number stays one
    assert rows[2]["grade"] == "-1"
    table = pd.read_csv(tables[0])
    assert [*table] == ["file", "score", "grade"]
    assert table["score"].tolist() == [-1.5 * k for k in range(len(NAMES))]


def test_json_has_every_name_as_it_is(tables):
    book = json.loads(tables[1].read_text(encoding="utf-8"))
    assert [row["file"] for row in book["pictures"]] == NAMES
    assert os.fsencode(book["pictures"][-1]["file"]) == b"b\xffad.png"


def rows(count):
    return ({"file": f"{k}\n.png", "page": 2, "state": "graded"} for k in range(count))


def written(out, add=lambda row: None, **more):
    how = {"total": 3, "states": ("graded", "abstained"), "desc": "x", "last": "that was all"}
    how |= more
    passing = (add(row) or row for row in rows(3))
    return printed.print_rows(passing, lambda row: printed.called(row, 36), out, **how)


def test_lines_are_harmless_and_fit_what_the_terminal_knows():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert written(out) == 0
    printed.Terminal(out).say("Глаз")
    out.flush()
    said = out.buffer.getvalue().decode()
    assert said.startswith("0\\x0a.png#2\n1\\x0a.png#2\n")
    assert "\n\n3 graded, 0 abstained\nthat was all\n" in said
    assert said.endswith("\\u0413\\u043b\\u0430\\u0437\n")


def test_a_reader_that_goes_away_stops_nothing(tmp_path):
    """`riqa assess x | head`: the rest is written into the files, and Python's end is quiet."""
    reading, writing = os.pipe()
    out = open(writing, "w", buffering=1, encoding="utf-8")  # noqa: SIM115
    os.close(reading)
    added = []
    assert written(out, added.append) == 0
    assert len(added) == 3
    out.write("what is left\n")  # as Python does at its end
    out.close()


def test_with_nothing_to_write_a_reader_that_goes_away_ends_it():
    reading, writing = os.pipe()
    os.close(reading)
    added = []
    with open(writing, "w", buffering=1, encoding="utf-8") as out:
        assert written(out, added.append, only_shown=True) == 0
    assert len(added) == 1
