"""What is said of a set of pictures, by whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.pages import whose_pictures

SCALE = {"score": "MOS", "low": 0.0, "high": 100.0, "higher_is_better": True}


def data(grades: list[int], splits: list[str], **info: object) -> DataSet:
    frame = pd.DataFrame({"split": splits, "grade": grades})
    facts = {"name": "photos", "simulated": False, "size": 40, "classes": 2} | info
    return DataSet(Path(), frame, np.zeros((len(frame), 1, 1, 3), np.uint8), facts)


def test_ones_own_pictures_are_told_by_their_scale():
    scale = SCALE | {"grades": ["bad", "good"], "rule": "equal_width"}
    said = whose_pictures.made(data([0, 1, -1], ["train", "test", "pool"], scale=scale))
    assert "**3 pictures of your own** (photos), 40 px; real" in said
    assert "2 have a grade. Grades, worst first: 0 (bad), 1 (good)." in said
    assert "Made of `MOS` (0 to 100), in parts of equal width." in said
    assert "1 is the **pool**" in said
    assert "nothing below says how right anything is there" in said
    assert "KonIQ" not in said


def test_a_grade_in_the_pool_is_not_counted():
    said = whose_pictures.made(data([0, 1, 1], ["train", "test", "pool"]))
    assert "2 have a grade" in said
    assert "1 is the **pool**" in said


def test_without_a_pool_it_says_how_to_have_one_and_what_is_worth_knowing():
    turned = SCALE | {"higher_is_better": False, "grades": ["0", "1"], "rule": "equal_width"}
    notes = [["duplicate picture", 3, "b.png", "same bytes as a.png"]]
    said = whose_pictures.made(data([0, 1], ["train", "test"], scale=turned, notes=notes))
    assert "There is no **pool**" in said
    assert (
        "Grades, worst first: 0, 1. Made of `MOS` (0 to 100, turned round: higher is worse)" in said
    )
    assert "Worth knowing:" in said
    assert "b.png" in said


def test_the_papers_and_simulated_ones_are_told_in_its_words():
    for name, simulated, kind in (
        ("KOKA10K-like", True, "**simulated**"),
        ("KOKA10K", False, "real"),
    ):
        said = whose_pictures.made(data([0, 1], ["train", "test"], name=name, simulated=simulated))
        assert f"**2 pictures** ({name}), 40 px; {kind}" in said
        assert "KonIQ-10k" in said
        assert "your own" not in said


def test_names_of_folders_grades_columns_and_files_are_no_tags():
    evil = "<img src=x onerror=alert(1)>"
    scale = SCALE | {"grades": [evil, f"good{evil}"], "score": f"`{evil}", "rule": "given"}
    notes = [["unreadable", 3, f"{evil}.png", evil]]
    own = data([0, 1], ["train", "test"], name=evil, scale=scale, notes=notes)
    said = whose_pictures.made(own)
    assert said.count("&lt;img") == 5
    assert said.count("<img") == 1  # of the column, as code
    assert f"`'{evil}`" in said
    papers = data([0, 1], ["train", "test"], name=f"KOKA10K {evil}")
    assert "<img" not in whose_pictures.made(papers)
    own.frame["source"] = evil
    table = whose_pictures.few_rows(own)
    assert "&lt;img" in table
    assert "<img" not in table


def test_a_few_rows_are_shown_without_names_of_files():
    frame = pd.DataFrame({"id": ["secret"] * 7, "split": "train", "grade": range(7)})
    frame = frame.assign(path="secret.jpg", c1=3, c2=0, group="secret", defects="blur2")
    info = {"name": "photos", "simulated": True, "size": 40, "classes": 7}
    shown = whose_pictures.few_rows(
        DataSet(Path(), frame, np.zeros((7, 1, 1, 3), np.uint8), info), 2
    )
    assert shown.splitlines()[0] == "| split | grade | c1 | c2 | defects |"
    assert shown.splitlines()[2:] == [
        "| train | 0 | 3 | 0 | blur2 |",
        "| train | 1 | 3 | 0 | blur2 |",
    ]
    assert "secret" not in shown


def test_one_rater_is_a_table_or_not_known():
    rater = {"mae": 0.4, "mae_34": 0.1, "mae_012": 0.2, "mae_0": 0.44, "accuracy": 0.61}
    lines = whose_pictures.one_rater(rater).splitlines()[2:]
    assert lines == [
        "| MAE of all test pictures | 0.400 |",
        "| share that is right | 0.610 |",
        "| MAE of pictures of grade 0 | 0.440 |",
    ]
    assert "No votes are known" in whose_pictures.one_rater({})
