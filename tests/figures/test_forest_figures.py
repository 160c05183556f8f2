"""Figures of comparisons: both intervals, the margin and the verdict of each row; and how often
tests reject where there is nothing to find."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib.figures import style
from riqa_lib.figures.forest import forest, nullworld_rates

ROWS = [  # quantity, metric, primary, difference, low, high, low_90, high_90, margin, verdict
    ("overall", "macro_f1", True, 0.02, -0.01, 0.06, 0.0, 0.05, 0.03, "undecided"),
    ("clarity", "auc", False, -0.01, -0.05, 0.02, -0.04, 0.01, 0.0, "worse"),
    ("contrast", "f1", False, 0.0, -0.02, 0.01, -0.015, 0.005, 0.04, "equivalent"),
]
COLUMNS = ["quantity", "metric", "primary", "difference", "low", "high", "low_90", "high_90"]


def compared() -> pd.DataFrame:
    table = pd.DataFrame(ROWS, columns=[*COLUMNS, "margin", "verdict"])
    return table.assign(a="multi_eyeq", b="forest_eyeq")


def at(line) -> tuple[list, list]:
    return list(line.get_xdata()), list(line.get_ydata())


@pytest.fixture(scope="module")
def figure():
    return forest(compared(), simulated=False)


def test_each_row_has_a_thin_and_a_thick_interval_in_its_colour(figure):
    (ax,) = figure.axes
    for y, row in enumerate(ROWS):
        inner, outer, dot = three = ax.lines[3 * y : 3 * y + 3]
        assert at(inner) == (list(row[6:8]), [y, y])
        assert at(outer) == (list(row[4:6]), [y, y])
        assert at(dot) == ([row[3]], [y])
        assert inner.get_linewidth() > outer.get_linewidth()
        assert {line.get_color() for line in three} == {style.BLUE if row[2] else style.GREY}
    assert at(ax.lines[-1]) == ([0, 0], [0, 1])


def test_the_margin_is_a_band_about_nought_where_there_is_one(figure):
    (ax,) = figure.axes
    bands = [band.get_paths()[0].get_extents().extents for band in ax.collections]
    expected = [(-row[8], y - 0.42, row[8], y + 0.42) for y, row in enumerate(ROWS) if row[8] > 0]
    assert [tuple(band) for band in bands] == [pytest.approx(band) for band in expected]


def test_rows_verdicts_and_the_direction_are_in_words(figure):
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "overall, macro F1",
        "clarity, AUC of bad",
        "contrast, F1 of bad",
    ]
    said = [(t.get_text(), t.xy, t.get_color()) for t in ax.texts]
    assert said == [  # a row without a margin has no verdict
        ("undecided", (1, 0), style.BLUE),
        ("", (1, 1), style.GREY),
        ("equivalent", (1, 2), style.GREY),
    ]
    bottom, top = ax.get_ylim()
    assert bottom > 2.4
    assert top < -0.4
    names = "multi-task (eyeq) − statistics + forest (eyeq)"
    assert ax.get_xlabel() == f"{names}; above 0 the first is better"
    assert ax.get_title("left").startswith("95 % (thin) and 90 % (thick) intervals; blue: primary")
    assert style.data_label(figure) == "real data"


# ---------------------------------------------------------------- null worlds
NULL = [  # world, test, metric, clusters, rejected, low, high, true difference
    ("eyes", "mcnemar_exact", "accuracy", "ignored", 0.11, 0.09, 0.14, 0.0),
    ("eyes", "bootstrap", "f1", "kept", 0.05, 0.04, 0.07, 0.0),
    ("patients", "mcnemar_exact", "accuracy", "kept", 0.03, 0.02, 0.06, 0.0),
    ("unequal", "delong", "auc", "kept", 0.8, 0.7, 0.85, 0.2),
]


def null_table() -> pd.DataFrame:
    columns = ["world", "test", "metric", "clusters", "rejected", "low", "high", "true_difference"]
    return pd.DataFrame(NULL, columns=columns)


@pytest.fixture(scope="module")
def rates():
    return nullworld_rates(null_table())


WORLDS = {"eyes": NULL[:2], "patients": NULL[2:3]}


@pytest.mark.parametrize("place", range(2))
def test_a_test_that_ignores_the_clusters_is_hollow_and_red(rates, place):
    ax, rows = rates.axes[place], list(WORLDS.values())[place]
    for k, row in enumerate(rows):
        line, dot = ax.lines[2 * k : 2 * k + 2]
        tint, face, aside = (style.BLUE, style.BLUE, -0.14)
        if row[3] == "ignored":
            tint, face, aside = (style.RED, "white", 0.14)
        y = ("mcnemar_exact", "bootstrap").index(row[1]) + aside
        assert at(dot) == ([row[4]], [y])
        assert at(line) == ([row[5], row[6]], [y, y])
        found = dot.get_color(), line.get_color(), dot.get_markerfacecolor()
        assert found == (tint, tint, face)


def test_five_percent_and_its_band_stand_in_each_world(rates):
    assert [ax.get_title("left") for ax in rates.axes] == list(WORLDS)
    for ax in rates.axes:
        (five,) = [x for x in ax.lines if list(x.get_ydata()) == [0, 1]]
        assert list(five.get_xdata()) == [0.05, 0.05]
        (band,) = ax.patches
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.04, 0.06))
        assert ax.get_xlim()[0] == 0 < ax.get_xlim()[1]
        assert ax.xaxis.get_major_formatter()(0.5) == "50%"
        bottom, top = ax.get_ylim()
        assert bottom > 1.14 > -0.14 > top


def test_the_tests_are_named_and_what_a_share_is_of(rates):
    names = [t.get_text() for t in rates.axes[0].get_yticklabels()]
    assert names == ["mcnemar exact: accuracy", "bootstrap: F1 of bad"]
    said = "share of worlds with p < 0.05, both classifiers equally good"
    assert rates.get_supxlabel() == said
    (legend,) = rates.legends
    keys = [
        (t.get_text(), to_hex(h.get_color()), to_hex(h.get_markerfacecolor()))
        for t, h in zip(legend.get_texts(), legend.legend_handles, strict=True)
    ]
    blue, red = style.BLUE.lower(), style.RED.lower()
    assert keys == [
        ("keeps the clusters, or there are none", blue, blue),
        ("ignores the clusters", red, "#ffffff"),
    ]
    assert style.data_label(rates) == "simulated data"
    assert style.data_label(nullworld_rates(null_table(), simulated=False)) == "real data"
