"""Tables that fit a page: no more than eight columns, what all share said once, the best marked."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.tables import fitting, table2_shown
from riqa_lib.tables.table2 import COLUMNS

ROWS = [
    {"row": "best constant", "method": "constant", "labels": 9, "seeds": 0},
    {"row": "one rater", "method": "rater", "labels": 0, "seeds": 0},
    {"row": "ViT", "method": "supervised", "labels": 9, "seeds": 3},
    {"row": "ViT + FixMatch", "method": "fixmatch", "labels": 9, "seeds": 3},
]


def test_what_all_rows_share_is_said_once_and_what_differs_beside_the_name():
    assert fitting.called(ROWS) == ["best constant", "one rater", "ViT", "ViT + FixMatch"]
    assert fitting.shared(ROWS) == "9 labels, 3 seeds"
    more = [*ROWS, {"row": "ViT", "labels": 50, "seeds": 1}]
    assert fitting.called(more)[-3:] == [
        "ViT (9 labels, 3 seeds)",
        "ViT + FixMatch (9 labels, 3 seeds)",
        "ViT (50 labels, 1 seed)",
    ]
    assert fitting.shared(more) == ""
    assert fitting.called(more)[1] == "one rater"
    seeds = [*ROWS, {"row": "ViT", "labels": 9, "seeds": 1}]
    assert fitting.called(seeds)[-1] == "ViT (1 seed)"
    assert fitting.shared(seeds) == "9 labels"


@pytest.mark.parametrize(("lower", "best"), [(True, [1, 2]), (False, [0])])
def test_the_best_is_what_is_printed_like_it(lower, best):
    values = [0.9, 0.401, 0.404, 0.5, float("nan")]
    cells = ["0.90", "0.40 [0.3, 0.5]", "0.40 [0.2, 0.6]", "0.50", "–"]
    marked = fitting.marked(cells, values, lower)
    assert [i for i, cell in enumerate(marked) if cell == f"**{cells[i]}**"] == best
    assert [cell.strip("*") for cell in marked] == cells


def test_nothing_is_marked_where_most_are_equal_or_nothing_is_known():
    assert fitting.marked(["1", "1", "1", "2"], [1, 1, 1, 2], True) == ["1", "1", "1", "2"]
    assert fitting.marked(["–", "–"], [np.nan, np.nan], True) == ["–", "–"]


def test_a_wide_table_goes_on_below_with_the_same_rows():
    head = ["", *(f"c{k}" for k in range(17))]
    rows = [[f"r{i}", *(f"{i}.{k}" for k in range(17))] for i in range(2)]
    tables = fitting.fitted(head, rows, (0, 9)).split("\n\n")
    assert [table.splitlines()[0].count("|") - 1 for table in tables] == [8, 8, 4]
    cells = [[line.strip("| ").split(" | ") for line in t.splitlines()] for t in tables]
    for i in range(2):
        assert {of[2 + i][0] for of in cells} == {f"r{i}"}
        assert [c for of in cells for c in of[2 + i][1:]] == rows[i][1:]
    assert tables[1].splitlines()[1] == "|---|---:|---|---:|---:|---:|---:|---:|"  # c8 is words


def a_table(seeds: int) -> pd.DataFrame:
    """A `table2` of the rows above, their metrics 0.1, 0.2, ... by row."""
    rows = []
    for k, row in enumerate(ROWS):
        values = {m: (k + 1) / 10 for m in COLUMNS}
        ends = {f"{m}{end}": value for m, value in values.items() for end in ("_low", "_high")}
        row = row | values | ends | {"pictures": 80, "data": "simulated", "against": "score"}
        row |= dict.fromkeys(("d_mae", "d_mae_low", "d_mae_high"), 0.1 if k != 1 else np.nan)
        row |= {"d_seeds": seeds, "published_mae": 0.53 if k > 1 else np.nan}
        row |= {"published_mae_3": 0.54 if k > 1 else np.nan}
        rows.append(row | {"seeds": min(seeds, row["seeds"])})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("kind", ["summary", "paper", "hidden", "correlation"])
def test_table_2_fits_the_page_and_marks_the_best(kind):
    *tables, note = table2_shown.show_table(a_table(3), kind).strip().split("\n\n")
    assert len(tables) == (2 if kind == "summary" else 1)
    for table in tables:
        columns = {line.count("|") - 1 for line in table.splitlines()}
        assert len(columns) == 1
        assert max(columns) <= fitting.MOST
    assert "80 test pictures, 9 labels, 3 seeds. Bold: the best point estimate" in note
    best = {line.split("|")[1].strip() for line in tables[0].splitlines() if "**" in line}
    assert (
        best
        == {
            "summary": {"best constant", "ViT + FixMatch"},  # errors, and what more is better in
            "paper": {"best constant"},
            "hidden": {"best constant"},
            "correlation": {"ViT + FixMatch"},
        }[kind]
    )


def test_the_papers_number_stands_below_ours_and_people_are_never_best():
    lines = table2_shown.show_table(a_table(3), "paper").splitlines()
    below = [b for a, b in itertools.pairwise(lines) if a.startswith("| ViT ")]
    assert below == ["| the same, as published | 0.53 | 0.54 | – | – |"] * 2
    assert len([line for line in lines if "as published |" in line]) == 2
    first = a_table(3).assign(method=["rater", "constant", "supervised", "fixmatch"])
    assert "| best constant | 0.10 [0.10, 0.10] |" in table2_shown.show_table(first, "paper")


def test_columns_that_say_nothing_are_left_out():
    def head(table: pd.DataFrame) -> str:
        return table2_shown.show_table(table).split("\n\n")[1].splitlines()[0]

    known = a_table(3).assign(could_show=0.1, p_holm=0.5)
    assert head(known) == (
        "|  | MAE − supervised | could show, MAE | Holm p | verdict | published MAE |"
    )
    one = a_table(1).assign(could_show=np.nan, p_holm=np.nan, published_mae=np.nan)
    assert head(one) == "|  | MAE − supervised | verdict |"


def test_the_wide_table_is_kept_in_a_file_that_the_text_names(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    table = a_table(3)
    said = table2_shown.kept(table, "walk", "03_table2-seed0")
    file = tmp_path / "results/walk/tables/03_table2-seed0.csv"
    assert f"`{paths.shown(file)}`" in said
    assert list(store.read_table(file)) == list(table)
