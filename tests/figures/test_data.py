"""Figures of one's own pictures: grades by their owner's names, any number of them, pictures
without a label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words
from matplotlib.colors import to_hex

from riqa_lib.figures import style
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
    assert style.data_label(figure) == "real data"
    captions = [ax.get_title() for ax in figure.axes]
    assert captions == ["grade 6 (superb)", "grade 0 (awful)", "no label"]


def test_precision_of_each_grade_by_its_name():
    rows = [
        {"method": "fixmatch", "grade": k, "share": 0.5, "true_share": 0.5}
        | {"precision": 0.4, "recall": 0.3}
        for k in range(3)
    ]
    names = ["bad", "fair", "good"]
    figure = precision_per_class(pd.DataFrame(rows), simulated=False, words=names)
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_xticklabels()] == names
    assert style.data_label(figure) == "real data"


# ---------------------------------------------------------------- what bars and words say
def parts() -> pd.DataFrame:
    """A pool whose grades are hidden, tests and training pictures; not in their order."""
    rows = [("sim", "pool", k, n, "truth") for k, n in enumerate((1, 1, 0, 0, 2))]
    rows += [("b", "train", k, n, "label") for k, n in ((4, 3), (0, 60), (1, 937))]
    rows += [("a", "train", 2, 5, "label"), ("", "unsorted", -1, 8, "none")]
    return pd.DataFrame(rows, columns=["source", "split", "grade", "count", "known"])


@pytest.fixture(scope="module")
def shares():
    return class_shares(parts(), simulated=True)


def test_a_bar_is_its_split_from_the_worst_grade_to_the_best_in_their_colours(shares):
    (ax,) = shares.axes
    names = ["train · a", "train · b", "pool · sim", "unsorted"]
    assert [t.get_text() for t in ax.get_yticklabels()] == names
    grades = dict(enumerate(map(str.lower, style.GRADES)))
    drawn = [
        (round(b.get_y() + b.get_height() / 2), b.get_x(), b.get_width(), tint_of(b))
        for b in ax.patches
        if b.get_width() > 0 and b.get_height() > 0
    ]
    assert drawn == [
        (0, 0.0, 1.0, grades[2]),
        (1, 0.0, pytest.approx(0.06), grades[0]),
        (1, pytest.approx(0.06), pytest.approx(0.937), grades[1]),
        (1, pytest.approx(0.997), pytest.approx(0.003), grades[4]),
        (2, 0.0, 0.25, grades[0]),
        (2, 0.25, 0.25, grades[1]),
        (2, 0.5, 0.5, grades[4]),
        (3, 0.0, 1.0, style.PALE),  # pictures without a label have no grade's colour
    ]


def test_shares_are_written_in_their_bars_and_totals_beside_them(shares):
    (ax,) = shares.axes
    written = [(t.get_text(), *t.get_position()) for t in ax.texts]
    dark = [t.get_text() for t in ax.texts if t.get_color() == "white"]
    expected = [
        *[("100%", 0.5, 0), ("5", 1.01, 0)],
        *[("6%", 0.03, 1), ("94%", 0.5285, 1), ("1,000", 1.01, 1)],  # 0.3 % has no room
        *[("25%", 0.125, 2), ("25%", 0.375, 2), ("50%", 0.75, 2), ("4", 1.01, 2)],
        *[("no label", 0.5, 3), ("8", 1.01, 3)],
    ]
    assert written == [(words, pytest.approx(x), y) for words, x, y in expected]
    assert dark == ["6%"]  # on the worst grade's colour; hidden ones are on hatches


def test_rows_stand_from_the_top_and_the_legend_has_the_grades_colours(shares):
    (ax,) = shares.axes
    bottom, top = ax.get_ylim()
    assert bottom > 3.3
    assert top < -0.3
    assert ax.get_xlim() == (0, 1)
    assert ax.xaxis.get_major_formatter()(0.5) in ("50%", "50.0%")
    (legend,) = shares.legends
    keys = [
        (t.get_text(), tint_of(h))
        for t, h in zip(legend.get_texts(), legend.legend_handles, strict=True)
    ]
    names = ["grade 0 (bad)", "grade 1", "grade 2", "grade 3", "grade 4 (good)"]
    tints = [*map(str.lower, style.GRADES), style.PALE]
    assert keys == list(zip([*names, "hidden from training"], tints, strict=True))
    assert style.data_label(shares) == "simulated data"
    own = class_shares(parts().query("known == 'none'"), simulated=False)
    assert "hidden" not in words(own)
    assert style.data_label(own) == "real data"


def tint_of(patch) -> str:
    return to_hex(patch.get_facecolor())
