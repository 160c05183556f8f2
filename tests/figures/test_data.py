"""Figures of one's own pictures: grades by their owner's names, any number of them, pictures
without a label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from formulas import words

from riqa_lib.figures.data import class_shares, contact_sheet
from riqa_lib.figures.stages import precision_per_class

NAMES = ["awful", "bad", "fair", "good", "fine", "lovely", "superb"]


def counts(classes: int) -> pd.DataFrame:
    rows = [("", "train", k, 3, "label") for k in range(classes)] + [("", "pool", -1, 9, "none")]
    return pd.DataFrame(rows, columns=["source", "split", "grade", "count", "known"])


def test_shares_of_seven_named_grades_and_a_pool_without_any():
    figure = class_shares(counts(7), simulated=False, classes=7, names=NAMES)
    said = words(figure)
    assert all(f"grade {k} ({name})" in said for k, name in enumerate(NAMES))
    assert "no label" in said
    ax = figure.axes[0]
    tints = {bar.get_facecolor() for bar in ax.patches if bar.get_width() > 0}
    assert len(tints) == 7 + 1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["train", "pool"]


def test_shares_without_names():
    said = words(class_shares(counts(5), simulated=True))
    assert "grade 0 (bad)" in said
    assert "grade 4 (good)" in said
    assert "grade 2" in said
    assert "grade 2 (" not in said
    two = words(class_shares(counts(2), simulated=False, classes=2))
    assert "grade 1" in two
    assert "grade 2" not in two
    assert "grade 9" in words(class_shares(counts(10), simulated=False))


def test_captions_have_the_names():
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    frame = pd.DataFrame({"grade": [6, 0, -1]})
    figure = contact_sheet(pixels, frame, simulated=False, names=NAMES)
    captions = [ax.get_title() for ax in figure.axes]
    assert captions == ["grade 6 (superb)", "grade 0 (awful)", "no label"]


def test_precision_of_each_grade_by_its_name():
    rows = [
        {"method": "fixmatch", "grade": k, "share": 0.5, "true_share": 0.5}
        | {"precision": 0.4, "recall": 0.3}
        for k in range(2)
    ]
    figure = precision_per_class(pd.DataFrame(rows), simulated=False, words=["bad", "good"])
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_xticklabels()] == ["bad", "good"]
