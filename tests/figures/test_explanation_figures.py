"""Figures of explanations and advice: whose error stands where, what the rule promised, how often
maps lie on defects beside chance, and whose map lies on which picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from riqa_lib.figures import explanations, style
from riqa_lib.stats.calibration import Abstention
from riqa_lib.tables.localisation import ITSELF

RULE = Abstention(0.7, rate=0.1, confidence=0.9, met=True, coverage=0.5, error=0.05, n=40)
CURVES = {  # threshold, coverage, error; from the surest on
    "own": ([0.95, 0.7, 0.6], [0.2, 0.5, 1.0], [0.01, 0.05, 0.2]),
    "other": ([0.9, 0.8, 0.5], [0.1, 0.6, 1.0], [0.03, 0.12, 0.3]),
    "unsure": ([0.6, 0.5], [0.4, 1.0], [0.2, 0.4]),  # never as sure as the rule asks
}
TINTS = (style.BLUE, style.ORANGE, style.GREEN)


def curve(name: str) -> pd.DataFrame:
    return pd.DataFrame(dict(zip(("threshold", "coverage", "error"), CURVES[name], strict=True)))


@pytest.fixture(scope="module")
def abstained():
    return explanations.abstention({name: curve(name) for name in CURVES}, RULE, simulated=True)


def test_each_error_stands_over_its_coverage_beside_the_promise(abstained):
    (ax,) = abstained.axes
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert list(lines) == [*CURVES, "promised: 10%"]
    for (name, (_, coverage, error)), tint in zip(CURVES.items(), TINTS, strict=True):
        assert lines[name].get_xdata().tolist() == coverage
        assert lines[name].get_ydata().tolist() == error
        assert lines[name].get_color() == tint
    assert list(lines["promised: 10%"].get_ydata()) == [0.1, 0.1]


def test_a_dot_stands_where_the_rule_stops_if_it_answers_at_all(abstained):
    (ax,) = abstained.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    at = [(*dot.get_xdata(), *dot.get_ydata(), dot.get_color()) for dot in dots]
    # the last that is answered: at 0.7 itself, and of the other at 0.8
    assert at == [(0.5, 0.05, style.BLUE), (0.6, 0.12, style.ORANGE)]


def test_coverage_runs_to_the_right_and_error_up_from_nought(abstained):
    (ax,) = abstained.axes
    assert ax.get_xlabel() == "share of pictures answered"
    assert ax.get_ylabel() == "error among these"
    left, right = ax.get_xlim()
    assert left == 0
    assert right >= 1
    bottom, top = ax.get_ylim()
    assert bottom == 0
    assert top >= 0.4
    (legend,) = abstained.legends
    assert [t.get_text() for t in legend.get_texts()] == [*CURVES, "promised: 10%"]
    assert style.data_label(abstained) == "simulated data"
    real = explanations.abstention({"own": curve("own")}, RULE, simulated=False)
    assert style.data_label(real) == "real data"
    with pytest.raises(ValueError, match="own: no column error"):
        explanations.abstention({"own": curve("own").drop(columns="error")}, RULE, simulated=True)


# ---------------------------------------------------------------- maps on defects
HEADS = ("overall", "clarity")  # in this order, which is not the alphabet's
METHODS = {"single_eyeq": ("single-task", style.BLUE), "multi_eyeq": ("multi-task", style.RED)}
MEASURES = {"pointing": 0.0, "energy": 0.07}


def value(head: str, method: str, measure: str) -> float:
    return 0.3 + 0.2 * HEADS.index(head) + 0.04 * list(METHODS).index(method) + MEASURES[measure]


def found() -> pd.DataFrame:
    rows = [
        {"head": head, "measure": measure, "method": method, "against": against}
        | {"value": v, "low": v - 0.1, "high": v + 0.05, "chance": v - 0.2}
        for head in HEADS
        for measure in MEASURES
        for method in METHODS
        for against, v in ((ITSELF, value(head, method, measure)), ("chance", 0.9))
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def located():
    return explanations.localisation(found(), simulated=True)


@pytest.mark.parametrize("place", range(2))
def test_each_head_has_a_dot_a_method_with_its_interval_and_its_chance(located, place):
    measure, title = (("pointing", "pointing game"), ("energy", "energy inside"))[place]
    ax = located.axes[place]
    assert ax.get_xlabel() == title
    expected = []
    for at, head in enumerate(HEADS):
        for method, (_, tint) in METHODS.items():
            v, y = value(head, method, measure), at + (-0.11 if method == "single_eyeq" else 0.11)
            expected += [([v - 0.1, v + 0.05], [y, y], tint), ([v], [y], tint)]
            expected.append(([v - 0.2] * 2, [at - 0.4, at + 0.4], style.GREY))
    drawn = [(list(x.get_xdata()), list(x.get_ydata()), x.get_color()) for x in ax.lines]
    assert len(drawn) == len(expected)
    for (x, y, tint), (its_x, its_y, its_tint) in zip(drawn, expected, strict=True):
        assert x == pytest.approx(its_x)
        assert y == pytest.approx(its_y)
        assert tint == its_tint


def test_heads_stand_from_the_top_and_the_legend_names_methods_and_chance_once(located):
    first = located.axes[0]
    assert [t.get_text() for t in first.get_yticklabels()] == list(HEADS)
    assert list(first.get_yticks()) == [0, 1]
    for ax in located.axes:
        bottom, top = ax.get_ylim()
        assert bottom > 1.4
        assert top < -0.4
        assert ax.get_xlim() == (0, 1)
    (legend,) = located.legends
    keys = [
        (text.get_text(), handle.get_color())
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    ]
    (first, blue), (second, red) = METHODS.values()
    assert keys == [(first, blue), ("chance", style.GREY), (second, red)]
    assert style.data_label(located) == "simulated data"
    real = explanations.localisation(found().query("head == 'clarity'"), simulated=False)
    assert style.data_label(real) == "real data"


# ---------------------------------------------------------------- maps
def shot() -> tuple:
    """Two pictures, two columns: every picture, map, field and region is its own."""
    pixels = np.stack([np.full((6, 6, 3), level, np.uint8) for level in (60, 120)])
    pixels[..., 0] += 30  # of colour; in grey they are 70 and 130
    fields = np.ones((2, 6, 6), bool)
    fields[0, 0], fields[1, 5] = False, False
    maps = {name: np.zeros((2, 6, 6)) for name in ("one: a", "two: b")}
    regions = {name: [None, None] for name in maps}
    for k, name in enumerate(maps):
        for i in range(2):
            maps[name][i, 1 + i, 3 + k] = 2.0 + i + k
            maps[name][i, 0, 0] = maps[name][i, 5, 0] = 1.0  # one of both lies outside the field
    low = np.zeros((6, 6), bool)
    low[3:5, 1:3] = True
    regions["two: b"][1] = low
    return pixels, fields, maps, regions


@pytest.fixture(scope="module")
def shown():
    pixels, fields, maps, regions = shot()
    return explanations.maps(pixels, fields, maps, regions, ["top", "bottom"], simulated=True)


def test_every_map_lies_on_its_own_picture_where_its_own_field_is(shown):
    pixels, _, maps, _ = shot()
    *panels, bar = shown.axes
    grid = [panels[:3], panels[3:]]
    red = np.array(to_rgb(style.RED)) * 255
    for i, (picture, *columns) in enumerate(grid):
        assert picture.get_ylabel() == ("top", "bottom")[i]
        assert (picture.images[0].get_array() == pixels[i]).all()
        grey = (70, 130)[i]
        for k, (ax, name) in enumerate(zip(columns, maps, strict=True)):
            found = np.asarray(ax.images[0].get_array(), int)
            full = 0.15 * grey + 0.85 * red  # its greatest value
            share = 0.85 / (2.0 + i + k)
            some = (1 - share) * grey + share * red
            assert np.abs(found[1 + i, 3 + k] - full).max() < 1, name
            outside, inside = found[0, 0], found[5, 0]
            if i == 1:
                outside, inside = inside, outside
            assert (outside == grey).all()
            assert np.abs(inside - some).max() < 1
    assert [ax.get_title("center") for ax in grid[0]] == ["picture", "one:\na", "two:\nb"]
    assert bar.get_ylabel() == "share of the map's greatest value"


def test_the_contour_is_that_of_the_columns_own_region_of_the_picture(shown):
    *panels, _ = shown.axes
    assert [len(ax.collections) for ax in panels] == [0, 0, 0, 0, 0, 1]
    (contour,) = panels[5].collections
    (path,) = contour.get_paths()
    assert path.get_extents().bounds == pytest.approx((0.5, 2.5, 2.0, 2.0))
    assert to_hex(contour.get_edgecolor()[0]) == explanations.TRUTH.lower()
    (legend,) = shown.legends
    assert to_hex(legend.legend_handles[0].get_color()) == explanations.TRUTH.lower()


def test_the_bar_goes_from_grey_to_the_colour_of_the_maps(shown):
    bar = shown.axes[-1]
    colours = bar.collections[-1].get_cmap()
    start, end = (np.array(colours(x)[:3]) for x in (0.0, 1.0))
    assert start == pytest.approx(np.full(3, 0.4), abs=0.01)
    assert end == pytest.approx(0.15 * 0.4 + 0.85 * np.array(to_rgb(style.RED)), abs=0.01)
    assert style.data_label(shown) == "simulated data"
