"""Each row of views stands under its name, each picture in its column."""

from __future__ import annotations

import numpy as np
import pytest
from formulas import words

from riqa_lib.figures.view_rows import view_rows

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4, 3), dtype=np.uint8)


def test_rows_and_columns_are_those_given():
    figure = view_rows(PIXELS, ["weak view", "strong"], simulated=True)
    shown = np.stack([np.asarray(ax.images[0].get_array()) for ax in figure.axes])
    assert (shown.reshape(PIXELS.shape) == PIXELS).all()
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["weak\nview", "", "", "strong", "", ""]
    assert "simulated data" in words(figure)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 names for 2 rows"):
        view_rows(PIXELS, ["weak"], simulated=True)
    with pytest.raises(ValueError, match="uint8"):
        view_rows(PIXELS / 255, ["weak", "strong"], simulated=True)
