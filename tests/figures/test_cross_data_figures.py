"""Figures of graders on another data set: predicted against true, and the matrix of sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.figures import style
from riqa_lib.figures.cross_data_matrix import cross_data_matrix
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
