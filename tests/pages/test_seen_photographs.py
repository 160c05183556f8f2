"""Pixels and votes of chosen pictures are found by their ids, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.pages import seen_photographs


def data(simulated: bool = True) -> DataSet:
    """Three pictures, of one colour each, the last without votes."""
    pixels = np.stack([np.full((4, 4, 3), 50 * k, np.uint8) for k in (1, 2, 3)])
    votes = {"c1": [1, 0, 0], "c2": [0, 2, 0], "c3": [0, 2, 0]}
    frame = pd.DataFrame({"id": ["a", "b", "c"], "grade": [0, 2, -1], **votes})
    frame["defects"] = ["blur1+jpeg4", "untouched", "dark3"]
    info = {"name": "mine", "simulated": simulated, "classes": 3}
    return DataSet(Path("."), frame, pixels, info)


def predictions() -> pd.DataFrame:
    p = {"p0": [0.1, 0.2, 0.9], "p1": [0.1, 0.1, 0.1], "p2": [0.8, 0.7, 0.0]}
    return pd.DataFrame({"id": ["c", "a", "b"], "truth": [-1, 0, 2], **p})


def levels(figure) -> list[int]:
    return [int(np.asarray(ax.images[0].get_array())[0, 0, 0]) for ax in figure.axes if ax.images]


def test_the_most_wrong_are_shown_with_their_own_pixels_votes_and_defects():
    figure, said = seen_photographs.most_wrong(data(), predictions(), "supervised")
    assert levels(figure) == [100, 50]  # b, then a
    shown = words(figure)
    assert "jpeg 4, blur 1" in shown
    assert "true 2, said 0" in shown
    bars = [[b.get_height() for b in ax.patches] for ax in figure.axes if ax.patches]
    assert bars[0] == [0.0, 0.5, 0.5, 0.9, 0.1, 0.0]
    assert said.startswith("Of 2 pictures ViT, supervised grades 0 % rightly")


def test_of_what_nobody_graded_the_surest_are_shown_without_a_verdict():
    figure, said = seen_photographs.surest(data(False), predictions()[:1], "fixmatch")
    assert levels(figure) == [150]
    assert "true" not in words(figure).replace("true grade", "")
    assert "real data" in words(figure)
    assert said.startswith("ViT + FixMatch is at most 0.80 sure")


def test_nothing_wrong_is_nothing_to_draw_and_a_picture_that_is_gone_is_named():
    right = predictions().assign(truth=[2, 2, 0])
    figure, said = seen_photographs.most_wrong(data(), right, "supervised")
    assert figure is None
    assert "No picture is wrong." in said
    with pytest.raises(ValueError, match="mine: no picture x"):
        seen_photographs.drawn(data(), predictions().assign(id=["x", "a", "b"], said=0))


def test_pictures_that_are_not_stored_here_are_not_shown(home):
    runs = predictions().assign(method="supervised", seed=0, split="test")
    figure, said = seen_photographs.of_walk("nowhere", runs)
    assert figure is None
    assert said.startswith("Of 2 pictures all 1 runs are right on 0 %")
    assert said.endswith("Its pictures are not stored here.")


def test_a_note_of_ones_own_goes_before_the_defects():
    runs = predictions().assign(method="supervised", seed=0)
    figure, _ = seen_photographs.across_rows(data(), runs)
    shown = words(figure)
    assert "0 of 1 runs right" in shown
    assert "jpeg 4" not in shown
