"""What a run of photographs says of itself: enough to score new pictures with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from map_trees import blurred_pictures

from riqa_lib import store
from riqa_lib.training import photo_about, photographs

SCALE = {
    "score": "MOS",
    "low": 0.0,
    "high": 10.0,
    "higher_is_better": False,
    "grades": ["bad", "good"],
    "rule": "equal_width",
}


def test_a_run_says_what_it_learnt_from_and_the_score_of_each_grade(home):
    data = blurred_pictures()
    run = photographs.settings("smoke", "fixmatch", 0, {"data.size": 48, "data.labels": 30})
    said = store.read_json(photographs.train(run, data) / "about.json")
    rows = photographs.rows_of(run, data)
    mine = data.frame.iloc[rows["labelled"]]
    assert (said["kind"], said["method"], said["seed"]) == ("photographs", "fixmatch", 0)
    assert said["name"] == data.info["name"]
    assert said["simulated"] == data.info["simulated"]
    assert (said["labels"], said["unlabelled"]) == (30, len(rows["unlabelled"]))
    assert (said["classes"], said["size"], said["crop"], said["grid"]) == (5, 48, 32, 1)
    assert len(said["levels"]) == 5
    for grade, level in enumerate(said["levels"]):
        scores = mine["score"][mine["grade"] == grade].dropna()
        expected = scores.mean() if len(scores) else 1 + grade
        assert level == pytest.approx(expected, abs=1e-5)


def test_a_supervised_run_saw_no_picture_without_a_label(home):
    data = blurred_pictures()
    run = photographs.settings("smoke", "supervised", 0, {"data.size": 48})
    assert store.read_json(photographs.train(run, data) / "about.json")["unlabelled"] == 0


def test_levels_are_means_of_labelled_scores_and_middles_without():
    frame = pd.DataFrame({"grade": [0, 0, 1, 1], "score": [1.0, 3.0, np.nan, np.nan]})
    assert photo_about.levels(frame, SCALE) == [2.0, 7.5]
    assert photo_about.levels(frame[:0], SCALE) == [2.5, 7.5]
    given = SCALE | {"grades": list("abc"), "low": 1.0, "high": 3.0, "rule": "given"}
    assert photo_about.levels(frame.assign(score=np.nan), given) == [1.0, 2.0, 3.0]


def test_the_owners_scale_goes_before_that_of_votes():
    assert photo_about.scale_of({"classes": 2, "scale": SCALE}) == SCALE
    votes = photo_about.scale_of({"classes": 5})
    assert (votes["low"], votes["high"], votes["higher_is_better"]) == (1.0, 5.0, True)
    assert votes["grades"] == ["bad", "poor", "fair", "good", "excellent"]
    assert len(photo_about.scale_of({"classes": 7, "scale": None})["grades"]) == 7


def test_no_scale_is_made_up_for_a_folder_of_ones_own():
    old = {"name": "mine", "classes": 5, "settings": {"id": "file", "low": 1, "high": 10}}
    with pytest.raises(ValueError, match=r"mine: .* names no scale; make the data again"):
        photo_about.scale_of(old)
    assert photo_about.scale_of(old | {"scale": SCALE}) == SCALE
