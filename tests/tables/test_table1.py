"""Counts of grades and splits: the pool's pictures have no label, whatever a row of theirs says."""

from __future__ import annotations

import pandas as pd
import pytest

from riqa_lib.tables import table1


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two pictures each of train, val and test; a pool of one picture without a grade and two with
    an invented one."""
    split = ["train", "train", "val", "val", "test", "test", "pool", "pool", "pool"]
    grade = [0, 1, 1, 2, 0, 2, -1, 2, 2]
    return pd.DataFrame({"source": "", "split": split, "grade": grade})


def test_a_grade_in_the_pool_is_no_label(frame):
    assert table1.graded(frame)["split"].tolist() == [
        "train",
        "train",
        "val",
        "val",
        "test",
        "test",
    ]
    counts = table1.class_counts(frame)
    pool = counts[counts["split"] == "pool"].to_dict("records")
    assert [(r["grade"], r["count"], r["known"]) for r in pool] == [(-1, 3, "none")]
    assert counts.loc[counts["known"] == "label", "count"].sum() == 6
    assert "pool, ours" not in table1.table1(counts)  # nothing is known of it


def test_what_a_simulation_knows_of_its_pool_is_no_label_either(frame):
    frame["true_grade"] = [-1] * 6 + [2, 1, 1]
    pool = table1.class_counts(frame).query("split == 'pool'").to_dict("records")
    told = [(r["grade"], r["count"], r["known"]) for r in pool]
    assert told == [(1, 2, "truth"), (2, 1, "truth")]


def test_own_counts_have_every_grade_by_its_name(frame):
    counts = table1.class_counts(frame)
    names = ["bad", "fair", "good", "superb"]
    named = table1.own_counts(counts, names).set_index("grade")
    assert named["train"].tolist() == [1, 1, 0, 0, 0]
    assert named["pool"].tolist() == [0, 0, 0, 0, 3]
    assert [*named.index] == ["0 (bad)", "1 (fair)", "2 (good)", "3 (superb)", "no label"]
    assert [*named] == ["train", "val", "test", "pool"]
    bare = table1.own_counts(table1.class_counts(frame.query("split != 'pool'")))
    assert bare["grade"].tolist() == ["0", "1", "2"]
    wide = table1.per_source(counts, names)
    assert wide.loc[("", "pool")].to_dict() == dict.fromkeys(wide, 0) | {"no label": 3}
