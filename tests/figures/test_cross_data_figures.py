"""Figures of graders on another data set: predicted against true, and the matrix of sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from riqa_lib.figures import style
from riqa_lib.figures.cross_data_matrix import cross_data_matrix
from riqa_lib.figures.levels_against_grade import tint_of
from riqa_lib.figures.predicted_against_true import SPREAD, predicted_against_true
from riqa_lib.tables.cross_data_table import most_wrong

ROWS = ("forest", "ridge", "dbcnn")


def said_of(score: np.ndarray) -> pd.DataFrame:
    g = np.random.default_rng(2)
    parts = [
        pd.DataFrame({"row": row, "id": [f"secret-{i}.jpg" for i in range(len(score))]}).assign(
            score=score, expected=np.clip(score * 4 / score.max() + g.normal(0, 0.5), 0, 4)
        )
        for row in ROWS
    ]
    constant = parts[0].assign(row="constant", expected=2.0)
    return pd.concat([*parts, constant], ignore_index=True)


@pytest.fixture
def agreed() -> pd.DataFrame:
    numbers = {"srcc": [0.5, 0.6, -0.7, np.nan]}
    numbers |= {"srcc_low": [0.4, 0.5, -0.8, np.nan], "srcc_high": [0.55, 0.65, -0.6, np.nan]}
    return pd.DataFrame({"row": [*ROWS, "constant"], **numbers})


def words(figure) -> str:
    found = [text.get_text() for ax in figure.axes for text in ax.texts]
    found += [ax.get_title(loc="left") for ax in figure.axes]
    found += [ax.get_xlabel() for ax in figure.axes]
    found += [
        t.get_text() for ax in figure.axes for t in (*ax.get_xticklabels(), *ax.get_yticklabels())
    ]
    return "\n".join([*found, style.data_label(figure)])


def test_a_panel_a_model_with_its_number(agreed):
    said = said_of(np.random.default_rng(4).permutation(np.linspace(0.01, 1, 60)))
    wrong = most_wrong(said)
    figure = predicted_against_true(said, agreed, wrong, simulated=False, rows=["dbcnn"])
    assert len(figure.axes) == 3  # not the constant, and no picture
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "DBCNN\nSRCC −0.70 [−0.80, −0.60]"  # asked to be first
    assert titles[1].endswith("SRCC 0.50 [0.40, 0.55]")
    text = words(figure)
    assert "secret" not in text
    assert "real data" in text
    assert "score that people gave" in text
    for ax, row in zip(figure.axes, ("dbcnn", "forest", "ridge"), strict=True):
        its = said[said["row"] == row]
        shown = int(ax.collections[0].get_array().sum())
        assert shown == len(its)  # every picture is in a hexagon
        x, y = (np.array(v, float) for v in ax.lines[0].get_data())
        ordered = its.sort_values("score")
        slow = [ordered[["score", "expected"]].iloc[6 * k : 6 * k + 6].mean() for k in range(10)]
        assert x.tolist() == pytest.approx([s["score"] for s in slow])
        assert y.tolist() == pytest.approx([s["expected"] for s in slow])
        dots = {tuple(float(v[0]) for v in line.get_data()) for line in ax.lines[2:]}
        worst = wrong[wrong["row"] == row]
        assert dots == set(zip(worst["score"], worst["expected"], strict=True))


def test_pictures_are_drawn_where_they_are_handed_over(agreed):
    said = said_of(np.linspace(1, 5, 40))
    wrong = most_wrong(said)
    pixels = {name: np.full((8, 8, 3), k, np.uint8) for k, name in enumerate(set(wrong["id"]))}
    figure = predicted_against_true(said, agreed, wrong, simulated=True, pictures=pixels)
    panels, strips = figure.axes[::2], figure.axes[1::2]
    assert len(panels) == len(strips) == 3
    for strip, row in zip(strips, ROWS, strict=True):
        its = wrong[wrong["row"] == row]
        drawn = [image.get_array() for image in strip.images]
        assert [int(a[0, 0, 0]) for a in drawn] == [int(pixels[i][0, 0, 0]) for i in its["id"]]
        captions = [t.get_text() for t in strip.texts]
        assert captions == [
            *(f"{k}  {i}" for k, i in enumerate(its["id"], 1)),
            "too high",
            "too low",
        ]
    real = predicted_against_true(said, agreed, wrong, simulated=False, pictures=pixels)
    assert "secret" not in words(real)
    assert sum(len(ax.images) for ax in real.axes) == 12
    del pixels[wrong["id"][0]]
    with pytest.raises(ValueError, match="pictures: none of secret"):
        predicted_against_true(said, agreed, wrong, simulated=True, pictures=pixels)


def test_whole_grades_are_spread_and_meant_by_grade(agreed):
    said = said_of(np.arange(50) % 5 + 0.0)
    figure = predicted_against_true(
        said, agreed, most_wrong(said), simulated=True, against="grade", rows=ROWS
    )
    ax = figure.axes[0]
    x, y = ax.lines[0].get_data()
    its = said[said["row"] == "forest"].groupby("score")["expected"].mean()
    assert list(x) == [0, 1, 2, 3, 4]
    assert list(y) == pytest.approx(its.tolist())
    places = ax.collections[0].get_offsets()[:, 0]
    assert len(np.unique(np.round(places, 6))) > 8
    assert ax.get_xlim()[0] == pytest.approx(-SPREAD, abs=0.2)
    again = predicted_against_true(
        said, agreed, most_wrong(said), simulated=True, against="grade", rows=ROWS
    )
    assert (again.axes[0].collections[0].get_offsets()[:, 0] == places).all()
    with pytest.raises(ValueError, match="agreed: no row dbcnn"):
        predicted_against_true(said, agreed[:2], most_wrong(said), simulated=True, rows=ROWS)
    constant = said[said["row"] == "constant"]
    wrong = most_wrong(constant)
    with pytest.raises(ValueError, match="agreed: no row has an SRCC"):
        predicted_against_true(constant, agreed, wrong, simulated=True)


def test_the_matrix_of_sets():
    cells = {("A", "A"): 0.8, ("A", "B"): -0.3, ("B", "B"): 0.6}  # B on A was not tried
    table = pd.DataFrame(
        [
            {"trained_on": a, "tested_on": b, "row": row, "part": part, "srcc": value + shift}
            for (a, b), value in cells.items()
            for row, shift in (("ridge", 0.0), ("dbcnn", 0.1), ("constant", np.nan))
            for part in ("all", "within")
        ]
    )
    table.loc[table["part"] == "within", "srcc"] -= 0.5
    table = table.assign(srcc_low=table["srcc"] - 0.1, srcc_high=table["srcc"] + 0.1)
    figure = cross_data_matrix(table, simulated=["A"], rows=["dbcnn"])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["DBCNN", "ridge on frozen maps"]
    values = figure.axes[1].images[0].get_array()
    assert values.filled(np.nan)[0].tolist() == [0.8, -0.3]
    assert np.ma.getmaskarray(values).tolist() == [[False, False], [True, False]]
    text = words(figure)
    assert "−0.30\n−0.40 to −0.20" in text
    assert "A\n(simulated)" in text
    assert "B\n(simulated)" not in text
    assert "simulated and real data" in text
    assert len(figure.axes[0].patches) == 2  # A on A, B on B
    assert "0.90\n" in text
    assert "0.40\n" not in text
    within = words(cross_data_matrix(table, simulated=["A", "B"], part="within"))
    assert "0.30\n" in within
    assert within.endswith("\nsimulated data")
    with pytest.raises(ValueError, match="table, part odd: the table has no rows"):
        cross_data_matrix(table, simulated=[], part="odd")


# ---------------------------------------------------------------- places and colours of both
CELLS = {("A", "A"): 0.8, ("A", "B"): -0.3, ("B", "A"): -0.7, ("B", "B"): 0.5}


@pytest.fixture(scope="module")
def matrices():
    """Four models on two sets, three panels in a line."""
    table = pd.DataFrame(
        {"trained_on": a, "tested_on": b, "row": row, "part": "all", "srcc": v}
        for (a, b), v in CELLS.items()
        for row in ("forest", "ridge", "supervised", "dbcnn")
    )
    ends = {"srcc_low": table["srcc"] - 0.1, "srcc_high": table["srcc"] + 0.05}
    return cross_data_matrix(table.assign(**ends), simulated=[])


def test_a_cell_stands_where_it_was_trained_down_and_tested_across(matrices):
    ax = matrices.axes[0]
    assert ax.images[0].get_array().tolist() == [[0.8, -0.3], [-0.7, 0.5]]
    written = [(round(y), round(x), t.get_text()) for t in ax.texts for x, y in [t.get_position()]]
    assert written == [
        *[(0, 0, "0.80"), (0, 0, "0.70 to 0.85"), (0, 1, "−0.30"), (0, 1, "−0.40 to −0.25")],
        *[(1, 0, "−0.70"), (1, 0, "−0.80 to −0.65"), (1, 1, "0.50"), (1, 1, "0.40 to 0.55")],
    ]
    framed = [(p.get_y() + p.get_height() / 2, p.get_x() + p.get_width() / 2) for p in ax.patches]
    assert framed == [(0, 0), (1, 1)]  # a set on itself


def test_cells_are_blue_above_nought_red_below_and_their_words_white_where_dark(matrices):
    ax = matrices.axes[0]
    image = ax.images[0]
    white = {t.get_text() for t in ax.texts if t.get_color() == "white"}
    assert white == {"0.80", "0.70 to 0.85", "−0.70", "−0.80 to −0.65"}  # on what is dark
    assert image.get_clim() == (-1, 1)
    red, blue = (image.get_cmap()(image.norm(v))[:3:2] for v in (-0.8, 0.8))
    assert red[0] > red[1]
    assert blue[1] > blue[0]


def test_outer_panels_name_the_sets_and_what_they_were_for(matrices):
    panels = [ax for ax in matrices.axes if ax.axison]
    assert len(panels) == 4
    upright = [(ax.get_ylabel(), [t.get_text() for t in ax.get_yticklabels()]) for ax in panels]
    named, bare = ("trained on", ["A", "B"]), ("", ["", ""])
    assert upright == [named, bare, bare, named]
    level = [(ax.get_xlabel(), [t.get_text() for t in ax.get_xticklabels()]) for ax in panels]
    tested = ("tested on", ["A", "B"])
    assert level == [bare, tested, tested, tested]  # the lowest of each column
    assert style.data_label(matrices) == "real data"


@pytest.fixture(scope="module")
def graded():
    """Three rows two in a line, with pictures; of the pictures most wrong, those too low first."""
    said = said_of(np.linspace(1, 5, 40))
    wrong = most_wrong(said).iloc[::-1]
    numbers = pd.DataFrame({"row": ROWS, "srcc": 0.5, "srcc_low": 0.4, "srcc_high": 0.6})
    said = said[said["row"] != "constant"]
    pixels = {name: np.zeros((4, 4, 3), np.uint8) for name in wrong["id"]}
    wrong = wrong[wrong["row"] != "constant"]
    look = {"simulated": True, "pictures": pixels, "rows": ROWS}
    return predicted_against_true(said, numbers, wrong, **look), wrong


def test_numbered_dots_are_red_and_those_too_high_come_first(graded):
    figure, wrong = graded
    for ax, row in zip(figure.axes[::2], ROWS, strict=True):
        its = wrong[wrong["row"] == row].sort_values(["side", "place"])  # "too high" first
        places = list(zip(its["score"], its["expected"], strict=True))
        assert [(t.get_text(), t.get_position()) for t in ax.texts] == [
            (str(k), place) for k, place in enumerate(places, 1)
        ]
        tints = [line.get_color() for line in ax.lines if len(line.get_xdata()) == 1]
        assert tints == ["white", style.RED] * len(places)


def test_grades_run_up_scores_to_the_right_and_outer_panels_say_so(graded):
    panels = graded[0].axes[::2]
    for ax in panels:
        bottom, top = ax.get_ylim()
        assert bottom < 0 < 4 < top
        left, right = ax.get_xlim()
        assert left < 1 < 5 < right
        assert list(ax.get_yticks()) == [0, 1, 2, 3, 4]
    assert [ax.get_ylabel() for ax in panels] == ["expected grade", "", ""]
    assert [ax.get_xlabel() for ax in panels] == ["score that people gave"] * 3
    lefts = [ax.get_position().x0 for ax in panels]
    assert lefts == sorted(lefts)
    assert style.data_label(graded[0]) == "simulated data"


def test_darker_hexagons_have_more_pictures_in_the_rows_colour(graded):
    for ax, row in zip(graded[0].axes[::2], ROWS, strict=True):
        shades = ax.collections[0].get_cmap()
        assert sum(shades(0.0)[:3]) > sum(shades(1.0)[:3])
        middle = to_rgb(tint_of(row, ROWS.index(row)))
        assert shades(0.5)[:3] == pytest.approx(middle, abs=0.02)


def test_each_strip_has_its_pictures_upright_over_their_names(graded):
    for ax in graded[0].axes[1::2]:
        boxes = [image.get_extent() for image in ax.images]
        assert all(left < right and bottom < top for left, right, bottom, top in boxes)
        names = [t.get_position()[0] for t in ax.texts[: len(boxes)]]
        assert names == [pytest.approx((left + right) / 2) for left, right, _, _ in boxes]
        sides = {t.get_text(): t.get_position()[0] for t in ax.texts[len(boxes) :]}
        assert sides == {"too high": boxes[0][0], "too low": pytest.approx(boxes[2][0])}
        assert ax.get_xlim()[1] > boxes[-1][0]
