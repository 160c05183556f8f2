"""Tables with many columns, or with a cell far from the others: what they cost follows what they
say."""

from __future__ import annotations

import time

import own_folders as own
import pytest
from openpyxl import Workbook

from riqa_lib.datasets import sheets
from riqa_lib.datasets.problems import FolderError, in_columns


def book(where, *far):
    """A workbook of two pictures, with stray cells (row, column)."""
    made = Workbook()
    for row in (("name", "mos"), ("a.png", 10), ("b.png", 95)):
        made.active.append(row)
    for row, column in far:
        made.active.cell(row, column, "stray")
    made.save(where / "scores.xlsx")
    return where / "scores.xlsx"


def test_a_stray_cell_below_costs_a_row_and_is_named(tmp_path):
    root = own.make_folder(tmp_path, ["a.png", "b.png"])
    file = book(tmp_path, (1_048_576, 1))
    (rows,) = sheets.read_book(file).values()
    assert [*rows] == [1, 2, 3, 1_048_576]
    assert "row 1048576" in own.problems(root, "scores.xlsx")


def test_a_stray_cell_aside_is_no_row_and_is_named(tmp_path):
    root = own.make_folder(tmp_path, ["a.png", "b.png"])
    file = book(tmp_path, (3, 16_384))
    (rows,) = sheets.read_book(file).values()
    assert {len(cells) for cells in rows.values()} == {16_384}
    assert "row 3: b.png: 16384, expected 2" in own.problems(root, "scores.xlsx")


def test_empty_cells_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "MOST_CELLS", 10_000)
    with pytest.raises(FolderError, match=r"row 3: .*a cell in column 16,384, far from the others"):
        sheets.read_book(book(tmp_path, (3, 16_384)))


def test_empty_cells_behind_the_last_that_says_something_are_no_columns(tmp_path):
    made = Workbook()
    for row in (("name", "mos", " "), ("a.png", 10, None, ""), ("b.png", 95)):
        made.active.append(row)
    made.save(tmp_path / "t.xlsx")
    (rows,) = sheets.read_book(tmp_path / "t.xlsx").values()
    assert rows == {1: ["name", "mos"], 2: ["a.png", "10"], 3: ["b.png", "95"]}


def test_columns_cost_in_proportion_to_their_number():
    def seconds(columns):
        header = [f"c{i}" for i in range(columns)]
        lines = [(1, header), *((row, ["x"] * columns) for row in (2, 3))]
        times = []
        for _ in range(3):
            began = time.process_time()
            frame, problems = in_columns(lines, ["c0"])
            times.append(time.process_time() - began)
        assert frame.shape == (2, columns)
        assert not problems
        return min(times)

    # eight times as many: 8 where the cost is in proportion, 64 where each column asks all others
    assert seconds(16_000) < 30 * seconds(2_000)
