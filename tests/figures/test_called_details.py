"""What networks say of pictures' details: each dot of its own picture and row, bad at the right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.figures import style
from riqa_lib.figures.called_details import called_details
from riqa_lib.scales import DETAILS

SAID = {
    "teacher": np.array([[0.9, 0.2, 0.3], [0.1, 0.4, 0.6]]),
    "forest": np.array([[0.8, 0.1, 0.7], [0.25, 0.45, 0.55]]),
}
TINTS = [style.TINTS["teacher"], style.TINTS["forest"]]


@pytest.fixture(scope="module")
def figure():
    words = {"words": ["first", "second"]}
    table = pd.DataFrame({detail: [0, 1] for detail in DETAILS} | words)
    pixels = np.stack([np.full((2, 2, 3), level, np.uint8) for level in (50, 200)])
    return called_details(pixels, table, SAID, simulated=False)


def test_each_picture_has_the_dots_of_its_own_rows_below(figure):
    pictures, dots = figure.axes[:2], figure.axes[2:]
    for i, (picture, ax) in enumerate(zip(pictures, dots, strict=True)):
        assert picture.images[0].get_array()[0, 0, 0] == (50, 200)[i]
        marks = [line for line in ax.lines if line.get_marker() == "o"]
        found = [(*m.get_xdata(), round(*m.get_ydata(), 2), m.get_color()) for m in marks]
        assert found == [
            (each[i][k], pytest.approx(k + aside), tint)
            for k in range(3)
            for each, aside, tint in zip(SAID.values(), (-0.12, 0.12), TINTS, strict=True)
        ]
        shaded = {bar.get_x() for bar in ax.patches}
        assert shaded == {0.5 if i == 0 else 0.0}  # 0 is bad, at the right


def test_good_is_at_the_left_and_the_first_detail_at_the_top(figure):
    for i, ax in enumerate(figure.axes[2:]):
        assert [t.get_text() for t in ax.get_xticklabels()] == ["good", "", "bad"]
        assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (2.5, -0.5))
        names = [t.get_text() for t in ax.get_yticklabels()]
        assert names == (list(DETAILS) if i == 0 else [""] * 3)
        upright = [x.get_xdata()[0] for x in ax.lines if list(x.get_ydata()) == [0, 1]]
        assert upright == [0.5]
    (legend,) = figure.legends
    assert [handle.get_color() for handle in legend.legend_handles[:2]] == TINTS
    assert style.data_label(figure) == "real data"
