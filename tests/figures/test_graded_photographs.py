"""The photographs' figure: pictures, words and bars are those of the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words
from matplotlib.colors import to_hex, to_rgba

from riqa_lib.figures import style
from riqa_lib.figures.graded_photographs import graded_photographs

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)


def table() -> pd.DataFrame:
    rows = {"truth": [2, 0, -1], "said": [2, 1, 1], "part": ["right", "wrong", "wrong"]}
    p = {"p0": [0.1, 0.3, 0.2], "p1": [0.2, 0.6, 0.5], "p2": [0.7, 0.1, 0.3]}
    votes = {"c1": [0, 3, 0], "c2": [1, 1, 0], "c3": [3, 0, 0]}
    return pd.DataFrame({**rows, **p, **votes, "note": ["blur 2", "", "dark 1"]})


def shown(axes) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()) for ax in axes if ax.images]


def test_each_picture_stands_over_its_own_votes_and_probabilities():
    figure = graded_photographs(PIXELS, table(), simulated=True)
    axes = [ax for ax in figure.axes if ax.images or ax.patches]
    assert all((a == b).all() for a, b in zip(shown(axes), PIXELS, strict=True))
    bars = [[round(bar.get_height(), 2) for bar in ax.patches] for ax in axes if ax.patches]
    # votes where there are any, then probabilities
    assert bars == [
        [0.0, 0.25, 0.75, 0.1, 0.2, 0.7],
        [0.75, 0.25, 0.0, 0.3, 0.6, 0.1],
        [0.2, 0.5, 0.3],
    ]
    marks = [[line.get_xdata()[0] for line in ax.lines] for ax in axes if ax.patches]
    assert marks == [[2], [0], []]


def test_wrong_ones_are_red_and_say_both_grades_by_name():
    figure = graded_photographs(PIXELS, table(), simulated=True, names=("bad", "fair", "good"))
    titles = [ax.title for ax in figure.axes if ax.images]
    said = [title.get_text().strip() for title in titles]
    assert said == ["true 2 (good), said 2 (good)", "true 0 (bad), said 1 (fair)", "said 1 (fair)"]
    tints = [to_rgba(title.get_color()) for title in titles]
    assert tints == [to_rgba(style.INK), to_rgba(style.RED), to_rgba(style.INK)]
    text = words(figure).split(" | ")
    assert {"right", "wrong", "blur 2", "dark 1", "simulated data"} <= set(text)
    assert "share of the votes" in text


def test_without_votes_the_legend_has_none():
    bare = table().drop(columns=["c1", "c2", "c3", "part", "note"])
    assert "votes" not in words(graded_photographs(PIXELS, bare, simulated=False))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="3 pictures for 2 rows"):
        graded_photographs(PIXELS, table()[:2], simulated=True)
    with pytest.raises(ValueError, match="uint8"):
        graded_photographs(PIXELS.astype(float), table(), simulated=True)
    with pytest.raises(ValueError, match="no column said"):
        graded_photographs(PIXELS, table().drop(columns="said"), simulated=True)


# ---------------------------------------------------------------- bars
NAMES = ("bad", "fair", "good")


@pytest.fixture(scope="module")
def figure():
    return graded_photographs(PIXELS, table(), simulated=False, names=NAMES)


def test_votes_are_grey_and_left_of_the_blue_probabilities_of_their_grade(figure):
    panels = [ax for ax in figure.axes if ax.patches]
    for ax, voted in zip(panels, (True, True, False), strict=True):
        bars = [
            (round(bar.get_x() + bar.get_width() / 2, 2), to_hex(bar.get_facecolor()))
            for bar in ax.patches
        ]
        votes = [(k - 0.19, style.GREY) for k in range(3)] if voted else []
        assert bars == [*votes, *((k + 0.19, style.BLUE.lower()) for k in range(3))]
        assert [t.get_text() for t in ax.get_xticklabels()] == list(NAMES)
        left, right = ax.get_xlim()
        assert left < -0.38 < 2.38 < right
        bottom, top = ax.get_ylim()
        assert bottom == 0 < 1 < top


def test_the_legend_says_which_bars_are_whose(figure):
    (legend,) = figure.legends
    texts = [t.get_text() for t in legend.get_texts()]
    assert texts == ["share of the votes", "predicted probability", "true grade"]
    votes, said, mark = legend.legend_handles
    assert to_hex(votes.get_facecolor()) == style.GREY
    assert to_hex(said.get_facecolor()) == style.BLUE.lower()
    assert mark.get_marker() == "v"
    assert style.data_label(figure) == "real data"
    unknown = table().assign(truth=-1).drop(columns=["c1", "c2", "c3"])
    (bare,) = graded_photographs(PIXELS, unknown, simulated=True).legends
    assert [t.get_text() for t in bare.get_texts()] == ["predicted probability"]
