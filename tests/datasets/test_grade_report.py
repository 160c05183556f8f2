"""Remarks on a table: what stops training, what is probably not meant, and how sure validation
is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.datasets.grade_report import (
    LOOK,
    NOTE,
    STOP,
    on_grades,
    on_scores,
    per_split,
    resolution,
)
from riqa_lib.datasets.splits import floor_split

NAMES = ["bad", "poor", "fair", "good", "excellent"]


def frame(counts: dict[str, list[int]]) -> pd.DataFrame:
    """Pictures of each grade in each split; grade -1 in the pool."""
    rows = [
        (grade if split != "pool" else -1, split)
        for split, numbers in counts.items()
        for grade, n in enumerate(numbers)
        for _ in range(n)
    ]
    table = pd.DataFrame(rows, columns=["grade", "split"])
    return table.assign(group=[f"p{i}" for i in range(len(rows))])


def said(remarks, level: str) -> str:
    return "\n".join(f"{r.about}: {r.text}" for r in remarks if r.level == level)


WELL = {"train": [40] * 5, "val": [100] * 5, "test": [30] * 5}


def test_nothing_stops_a_table_that_is_well():
    remarks = on_grades(frame(WELL), NAMES, (0.5, 0.1, 0.4))
    assert {r.level for r in remarks} == {NOTE, LOOK} - {LOOK if len(remarks) == 1 else ""}
    assert "500 pictures choose the weights: their MAE moves in steps of 0.002" in said(
        remarks, remarks[0].level
    )


def test_counts_in_each_split():
    table = per_split(frame(WELL | {"train": [1, 0, 2, 0, 3], "pool": [7]}), NAMES)
    assert table.loc["bad"].tolist() == [1, 100, 30, 0]
    assert table.loc["poor"].tolist() == [0, 100, 30, 0]
    assert table.loc["no score"].tolist() == [0, 0, 0, 7]
    assert per_split(frame(WELL), NAMES).index.tolist() == NAMES


@pytest.mark.parametrize(
    ("counts", "labels", "words"),
    [
        ({"train": [0], "val": [9, 9]}, 0, "no training picture has a grade"),
        ({"train": [9, 9], "test": [9, 9]}, 0, "no validation picture has a grade, so nothing can"),
        ({"train": [0, 30], "val": [9, 9]}, 0, "all training pictures have one grade (poor)"),
        ({"train": [9, 9], "val": [9]}, 40, "data.labels is 40, but only 18 training pictures"),
    ],
)
def test_what_stops_training(counts, labels, words):
    assert words in said(on_grades(frame(counts), NAMES, None, labels), STOP)


def test_no_validation_names_the_remedy():
    remarks = on_grades(frame({"train": [9, 9]}), NAMES)
    assert "more of data.fractions for validation" in said(remarks, STOP)


def test_grades_that_are_nowhere_and_grades_that_never_train():
    counts = {"train": [0, 9, 9, 9, 0], "val": [1, 9, 9, 9, 0], "test": [0, 9, 9, 9, 0]}
    looks = said(on_grades(frame(counts), NAMES), LOOK)
    assert "no picture has grade excellent:" in looks
    assert "no training picture has grade bad, but others have" in looks
    assert "no test picture has a grade" in said(on_grades(frame({"train": [9, 9]}), NAMES), LOOK)
    few_labels = on_grades(frame(WELL), NAMES, None, labels=3)
    assert "data.labels is 3, less than there are grades (5)" in said(few_labels, LOOK)


def test_small_grades_are_told_where_the_split_is_ours():
    grades = np.repeat(range(5), [60, 60, 60, 60, 3])
    table = pd.DataFrame({"grade": grades, "group": range(243), "split": floor_split(grades)})
    table["group"] = table["group"].astype(str)
    ours = said(on_grades(table, NAMES, (0.8, 0.1, 0.1)), NOTE)
    assert "of grade excellent (3) there are so few" in ours
    assert "excellent" not in said(on_grades(table, NAMES, None), NOTE)


def test_validation_is_told_with_its_steps_and_its_interval():
    """The interval of the constant's MAE, measured: over many drawn validation sets of that size it
    holds the whole set's MAE about 95 times in 100."""
    draw = np.random.default_rng(0)
    grades = draw.choice(5, 4000, p=[0.05, 0.15, 0.4, 0.3, 0.1])
    mae, half = resolution(grades, 40)
    assert mae == pytest.approx(np.mean([abs(int(g) - 2) for g in grades]))
    means = np.abs(draw.choice(grades, (4000, 40)) - 2).mean(axis=1)
    assert 0.93 < (np.abs(means - mae) <= half).mean() < 0.97
    small = frame({"train": [20] * 5, "val": [2] * 5, "test": [4] * 5})
    looks = said(on_grades(small, NAMES), LOOK)
    assert "10 pictures choose the weights: their MAE moves in steps of 0.100" in looks
    assert "too few to choose by" in looks
    assert "data.world" in looks
    few_labels = said(on_grades(frame(WELL), NAMES, None, labels=25), LOOK)
    assert "25 pictures choose the weights" in few_labels  # as training draws them
    one = said(on_grades(frame({"train": [9, 9], "val": [1]}), NAMES), LOOK)
    assert "1 picture chooses the weights: its MAE moves in steps of 1.000: too few" in one


# ---------------------------------------------------------------- the scale
def test_scores_that_hardly_fit_their_range():
    scores = np.linspace(0.1, 0.95, 50)
    (remark,) = on_scores(scores, 0, 100, "equal_width", 5)
    assert remark.level == LOOK
    assert "0.1 and 0.95, 0.9 % of the declared range, 0 to 100" in remark.text
    assert remark.text.count("They would fit 0 to 1.") == 1
    assert "5 grades are of equal width" in remark.text
    assert on_scores(scores, 0, 1, "equal_width", 5) == []
    assert on_scores(scores * 100, 0, 100, "equal_width", 5) == []
    (narrow,) = on_scores(np.linspace(80, 90, 50), 0, 100, "mode", 5)
    assert "They would fit" not in narrow.text
    assert "equal width" not in narrow.text
    (fives,) = on_scores(np.linspace(1.2, 4.9, 50), 0, 100, "equal_width", 5)
    assert "They would fit 1 to 5." in fives.text


def test_scores_that_are_all_the_same_stop():
    (remark,) = on_scores(np.full(30, 4.5), 1, 5, "equal_width", 5)
    assert (remark.level, "all 30 scores are 4.5" in remark.text) == (STOP, True)
    assert on_scores(np.array([np.nan, 3.0]), 1, 5, "equal_width", 5) == []


def test_whole_scores_may_be_grades():
    (remark,) = on_scores(np.arange(40) % 10 + 1.0, 1, 10, "equal_width", 5)
    assert remark.level == NOTE
    assert "all scores are whole numbers from 1 to 10: are they grades?" in remark.text
    halves = np.arange(40) % 10 + 0.5
    assert on_scores(halves, 0, 10, "equal_width", 5) == []
    assert on_scores(np.arange(40) % 10 + 1.0, 1, 10, "mode", 5) == []
    assert on_scores(np.arange(100.0), 0, 100, "equal_width", 5) == []
