"""Figures of grades and probabilities against how bad a picture is made: lines, bands and limits
are those of the table, for each defect its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib.figures import fundus_space, style
from riqa_lib.figures import levels_against_grade as of_levels
from riqa_lib.figures.own_defect_responses import own_defect_responses
from riqa_lib.scales import DETAILS

SEVERITIES = [0.0, 0.5, 1.5]
METHODS = {"teacher": 0.1, "multi_deepdrid": 0.3}  # how bad they call what is perfect


def edges(band) -> list[tuple[float, float, float]]:
    """Where a band stands: (x, from, to), from left to right."""
    vertices = band.get_paths()[0].vertices
    places = sorted(set(vertices[:, 0]))
    columns = [vertices[vertices[:, 0] == x, 1] for x in places]
    return [(x, y.min(), y.max()) for x, y in zip(places, columns, strict=True)]


def across(ax) -> list[float]:
    return [x.get_ydata()[0] for x in ax.lines if list(x.get_xdata()) == [0, 1]]


def upright(ax) -> list[float]:
    return [x.get_xdata()[0] for x in ax.lines if list(x.get_ydata()) == [0, 1]]


def at(line) -> list[tuple]:
    return list(zip(*line.get_data(), strict=True))


def close(rows) -> list:
    return [pytest.approx(row) for row in rows]


# ---------------------------------------------------------------- heads and their own defects
def responses() -> pd.DataFrame:
    rows = [
        {"method": method, "cause": cause, "detail": detail, "severity": severity, "bad": bad}
        | {"bad_low": bad - 0.06, "bad_high": bad + 0.02}
        for method, start in METHODS.items()
        for cause in DETAILS
        for k, detail in enumerate(DETAILS)
        for severity in SEVERITIES
        for bad in [start + 0.05 * k + (0.2 * severity if cause == detail else 0.0)]
    ]
    return pd.DataFrame(rows)


HEADS = [("Teacher", style.TINTS["teacher"], "-"), ("multi-task (deepdrid)", style.RED, "--")]


@pytest.fixture(scope="module")
def heads():
    return own_defect_responses(responses(), simulated=False)


def named(ax) -> list:
    """The lines that a legend can have."""
    return [x for x in ax.lines if x.get_label()[0] != "_"]


def test_each_head_rises_with_its_own_defect(heads):
    for k, ax in enumerate(heads.axes):
        lines = named(ax)
        found = [(x.get_label(), x.get_color(), x.get_linestyle()) for x in lines]
        assert found == HEADS
        for line, band, start in zip(lines, ax.collections, METHODS.values(), strict=True):
            its = [start + 0.05 * k + 0.2 * s for s in SEVERITIES]
            assert at(line) == close(zip(SEVERITIES, its, strict=True))
            ends = [(s, v - 0.06, v + 0.02) for s, v in zip(SEVERITIES, its, strict=True)]
            assert edges(band) == close(ends)
            assert to_hex(band.get_facecolor()[0]) == line.get_color().lower()


def test_heads_have_a_panel_each_with_the_graders_threshold(heads):
    assert [ax.get_title("left") for ax in heads.axes] == list(DETAILS)
    for ax in heads.axes:
        assert (upright(ax), across(ax)) == ([1], [0.5])
        assert ax.get_xlabel() == "severity of its own defect"
        bottom, top = ax.get_ylim()
        assert bottom <= 0 < 1 <= top
    assert heads.axes[0].get_ylabel() == "mean probability of bad"
    (legend,) = heads.legends
    assert [t.get_text() for t in legend.get_texts()] == [name for name, _, _ in HEADS]
    assert style.data_label(heads) == "real data"


# ---------------------------------------------------------------- grades and distortions
KINDS = [(3, "blur", True), (1, "noise", True), (18, "mean shift", False)]
# what they say of level 0; no more than have bands
GRADERS = {"ridge": 3.0, "supervised": 3.5, "constant": 2.0, "forest": 2.5}


def graded() -> pd.DataFrame:
    rows = [
        {"row": row, "distortion": kind, "name": name, "counted": counted, "level": level}
        | {"grade": grade, "grade_low": grade - 0.2, "grade_high": grade + 0.1}
        for row, start in GRADERS.items()
        for kind, name, counted in KINDS
        for level in (2, 0, 1)
        for grade in [start - 0.01 * kind * level]
    ]
    return pd.DataFrame(rows)


LOOKS = {  # of graders, in the order of tables: name, colour, dashes, marks
    "constant": ("best constant", style.GREY, "--", ""),
    "forest": ("statistics + forest", style.METHOD["forest"], "--", "o"),
    "ridge": ("ridge on frozen maps", style.METHOD["ridge"], "--", "o"),
    "supervised": ("ViT, supervised", style.BLUE, "-", "o"),
}


@pytest.fixture(scope="module")
def levels():
    """Two panels in a line, so that the last place of the second is empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_levels, "ACROSS", 2)
        return of_levels.levels_against_grade(graded(), simulated=False)


@pytest.fixture(scope="module")
def panels(levels):
    return [ax for ax in levels.axes if ax.axison]


def test_each_distortion_has_a_line_and_a_band_a_grader(panels):
    for ax, (kind, _, _) in zip(panels, KINDS, strict=True):
        for line, band, (row, look) in zip(ax.lines, ax.collections, LOOKS.items(), strict=True):
            marks = line.get_marker().replace("None", "")
            assert (line.get_label(), line.get_color(), line.get_linestyle(), marks) == look
            its = [GRADERS[row] - 0.01 * kind * level for level in range(3)]
            assert list(line.get_xdata()) == [0, 1, 2]
            assert line.get_ydata().tolist() == pytest.approx(its)
            assert edges(band) == close([(k, v - 0.2, v + 0.1) for k, v in enumerate(its)])
            assert to_hex(band.get_facecolor()[0]) == line.get_color().lower()


def test_distortions_are_named_and_those_that_do_not_count_say_so(levels, panels):
    for ax, (kind, name, counted) in zip(panels, KINDS, strict=True):
        assert ax.get_title("left") == f"{kind} {name}" + "*" * (not counted)
        assert [t.get_text() for t in ax.texts] == ["* need not fall"] * (not counted)
        assert list(ax.get_xticks()) == list(range(6))
        assert ax.get_shared_y_axes().joined(ax, levels.axes[0])
    assert levels.get_supylabel() == "expected grade, mean over pictures"
    assert levels.get_supxlabel() == "level of the distortion (0: pristine)"
    (legend,) = levels.legends
    assert [t.get_text() for t in legend.get_texts()] == [look[0] for look in LOOKS.values()]
    assert style.data_label(levels) == "real data"


# ---------------------------------------------------------------- the space of details
SPACE = pd.DataFrame(  # a picture a grade, and one more of the best; no two numbers alike
    [(2.0, 1.5, 1.7, 0), (0.9, 1.2, 0.7, 1), (0.1, 0.2, 0.3, 2), (0.4, 0.5, 0.6, 2)],
    columns=[*(f"severity_{d}" for d in DETAILS), "grade"],
)


TINTS = (style.GRADES[0], style.ORANGE, style.GRADES[4])


@pytest.fixture(scope="module")
def space():
    return fundus_space.detail_space(SPACE, simulated=False)


def test_a_picture_stands_at_its_severities_in_its_grades_colour(space):
    for ax, (i, j) in zip(space.axes, [(0, 1), (0, 2), (1, 2)], strict=True):
        assert ax.get_xlabel() == f"severity: {DETAILS[i]}"
        assert ax.get_ylabel() == f"severity: {DETAILS[j]}"
        for grade, line in enumerate(ax.lines[:3]):
            own = SPACE[SPACE["grade"] == grade]
            expected = own.iloc[:, [i, j]].to_numpy().tolist()
            assert sorted(at(line)) == sorted(map(tuple, expected))
            assert line.get_color() == TINTS[grade]
        assert (upright(ax), across(ax)) == ([1], [1])
        assert ax.get_xlim()[0] == ax.get_ylim()[0] == 0


def test_the_space_says_how_many_pictures_have_each_grade(space):
    (legend,) = space.legends
    said = [t.get_text() for t in legend.get_texts()]
    assert said == ["reject (1)", "usable (1)", "good (2)"]
    assert [handle.get_color() for handle in legend.legend_handles] == list(TINTS)
    assert style.data_label(space) == "real data"
    two = fundus_space.detail_space(SPACE.query("grade < 2"), simulated=True, classes=2)
    handles = two.legends[0].legend_handles
    assert [h.get_color() for h in handles] == [style.GRADES[0], style.GRADES[4]]


def test_an_eye_grows_worse_to_the_right_and_down_and_from_block_to_block():
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1, 1, 1) * np.ones(
        (1, 1, 1, 2, 2, 3), np.uint8
    )
    figure = fundus_space.picture_space(pixels, (0.0, 1.5), simulated=False)
    for contrast, ax in enumerate(figure.axes):
        shown = ax.images[0].get_array()[::2, ::2, 0]
        for clarity in range(2):
            assert shown[clarity].tolist() == pixels[contrast, clarity, :, 0, 0, 0].tolist()
        for axis in (ax.xaxis, ax.yaxis):
            assert list(axis.get_ticklocs()) == [1, 3]  # the middles
            assert [t.get_text() for t in axis.get_ticklabels()] == ["0", "1.5"]
        assert ax.get_title("left") == f"contrast {(0, 1.5)[contrast]:g}"
        assert ax.get_xlabel() == "illumination"
        assert ax.get_ylabel() == ("clarity" if contrast == 0 else "")
    assert style.data_label(figure) == "real data"


def test_a_sheet_has_the_words_of_the_grades():
    pixels, frame = np.zeros((3, 2, 2, 3), np.uint8), pd.DataFrame({"grade": [0, 2, -1]})
    sheet = fundus_space.contact(pixels, frame, simulated=False, columns=2)
    captions = [ax.get_title("center") for ax in sheet.axes]
    assert captions == ["reject", "good", "no grade", ""]  # two in a line
    assert style.data_label(sheet) == "real data"


def test_errors_of_found_circles_rise_to_all_pictures():
    errors = pd.DataFrame({"centre": [0.04, 0.01, 0.02, 0.0], "radius": [0.2, 0.1, 0.3, 0.4]})
    figure = fundus_space.circle_errors(errors, simulated=False)
    (ax,) = figure.axes
    for line, (name, tint) in zip(
        ax.lines, (("centre", style.BLUE), ("radius", style.RED)), strict=True
    ):
        values = np.sort(errors[name]) * 100
        assert line.get_xdata().tolist() == pytest.approx(np.maximum(values, 1e-3))
        assert line.get_ydata().tolist() == [0.25, 0.5, 0.75, 1]
        assert (line.get_color(), line.get_drawstyle()) == (tint, "steps-post")
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "centre (median 1.50%, 95 % below 3.70%)",
        "radius (median 25.00%, 95 % below 38.50%)",
    ]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("error in % of the radius", "share of pictures")
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= 1
    assert style.data_label(figure) == "real data"
