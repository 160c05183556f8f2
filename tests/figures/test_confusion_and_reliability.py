"""Confusion matrices and reliability curves: whose they are, which axis is the truth, and what a
colour means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from riqa_lib.figures import results, style
from riqa_lib.tables.names import name_of

WORDS = ("bad", "fair", "good")
METHODS = ("ridge", "supervised", "fixmatch", "simmatch", "comatch")  # as tables order them
# true grade, said, pictures; all others say one grade too high
CELLS = {(0, 0): 7, (0, 1): 2, (0, 2): 1, (1, 2): 4, (2, 2): 1, (2, 0): 1}


def answers(method: str, cells) -> pd.DataFrame:
    pairs = np.repeat(list(cells), list(cells.values()), axis=0)
    p = pd.DataFrame(np.eye(3)[pairs[:, 1]], columns=["p0", "p1", "p2"])
    return p.assign(truth=pairs[:, 0], method=method, seed=np.arange(len(p)) % 2, split="test")


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    parts = [answers(m, CELLS if m == "fixmatch" else {(0, 1): 1200}) for m in METHODS[::-1]]
    return pd.concat([*parts, parts[0].assign(split="val")], ignore_index=True)


@pytest.fixture(scope="module")
def matrices(said):
    return results.confusion(said, simulated=True, words=WORDS)


@pytest.fixture(scope="module")
def matrix(matrices):
    (ax,) = (ax for ax in matrices.axes if ax.get_title("left") == "ViT + FixMatch")
    return ax


def test_a_cell_has_its_pictures_and_their_share_of_the_true_grade(matrix):
    ax = matrix
    written = {t.get_position(): t.get_text() for t in ax.texts}  # (said, truth)
    assert written == {
        (0, 0): "70%\n7",
        (1, 0): "20%\n2",
        (2, 0): "10%\n1",
        (2, 1): "100%\n4",
        (0, 2): "50%\n1",
        (2, 2): "50%\n1",
    }
    white = {t.get_position() for t in ax.texts if t.get_color() == "white"}
    assert white == {(0, 0), (2, 1)}  # on what is dark
    shown = ax.images[0]
    assert np.allclose(shown.get_array(), [[0.7, 0.2, 0.1], [0, 0, 1], [0.5, 0, 0.5]])
    assert shown.get_clim() == (0, 1)
    light, dark = (sum(shown.get_cmap()(end)[:3]) for end in (0.0, 1.0))
    assert light > dark


def test_true_grades_run_down_and_said_ones_to_the_right_by_name(matrix):
    ax = matrix
    for axis in (ax.xaxis, ax.yaxis):
        assert [t.get_text() for t in axis.get_ticklabels()] == list(WORDS)
    bottom, top = ax.get_ylim()
    assert bottom > top  # the worst true grade is at the top
    left, right = ax.get_xlim()
    assert left < right


def test_each_method_has_its_own_matrix_and_outer_ones_name_their_axes(matrices):
    panels = [ax for ax in matrices.axes if ax.axison]
    assert [ax.get_title("left") for ax in panels] == [name_of(m) for m in METHODS]
    upright = [ax.get_ylabel() for ax in panels]
    assert upright == ["true grade", "", "", "", "true grade"]
    level = [ax.get_xlabel() for ax in panels]
    assert level == ["", *["predicted grade"] * 4]  # the lowest of each of four columns
    assert style.data_label(matrices) == "simulated data"


def test_pictures_of_other_methods_and_splits_are_not_counted(matrices, matrix):
    panels = [ax for ax in matrices.axes if ax.axison and ax is not matrix]
    # the others say one grade too high
    assert [[t.get_text() for t in ax.texts] for ax in panels] == [["100%\n1,200"]] * 4


def test_stages_are_drawn_apart_with_all_that_was_asked():
    told = []

    def draw(part, **more):
        told.append((list(part["method"]), more))
        return part

    table = pd.DataFrame({"method": ["ridge", "simmatch_second", "simmatch"]})
    drawn = results.by_stage(draw, "name", table, simulated=False, words=WORDS)
    assert list(drawn) == ["name", "name_second"]
    more = {"simulated": False, "words": WORDS}
    assert told == [(["ridge", "simmatch"], more), (["simmatch_second"], more)]


# ---------------------------------------------------------------- reliability
SURE = {  # method: how sure (of grade 1), and whether right, of two pictures each
    "supervised": ([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1]),
    "fixmatch": ([0.5, 0.5, 0.7, 0.7], [0, 0, 1, 0]),
    "simmatch": ([0.8, 0.8, 0.98, 0.98], [1, 1, 1, 0]),
    "adamatch": ([0.8, 0.8, 0.98, 0.98], [1, 1, 1, 1]),
    "comatch": ([0.5, 0.5, 0.98, 0.98], [1, 1, 1, 0]),
}


def sure(end: str = "", methods=tuple(SURE)) -> pd.DataFrame:
    parts = []
    for method in methods:
        top, right = SURE[method]
        p = pd.DataFrame({"p0": 0.0, "p1": top, "p2": np.subtract(1, top)})
        truth = np.where(right, 1, 2)
        parts.append(p.assign(method=method + end, seed=[0, 1, 0, 1], truth=truth))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def reliable():
    return results.reliability(sure(), simulated=True, bins=2)


def panels_of(figure) -> dict[str, object]:
    return {ax.get_title("left"): ax for ax in figure.axes if ax.axison}


def curve(method: str):
    top, right = SURE[method]
    return [(top[0], np.mean(right[:2])), (top[2], np.mean(right[2:]))]


def points(line) -> list[tuple]:
    return [pytest.approx(at) for at in zip(*line.get_data(), strict=True)]


def test_each_curve_stands_beside_the_diagonal_and_the_supervised_one(reliable):
    panels = panels_of(reliable)
    assert list(panels) == [name_of(m) for m in SURE]
    for method in SURE:
        ax = panels[name_of(method)]
        diagonal, own, *base = ax.lines
        base = [line for line in base if len(line.get_xdata())]  # without the legend's
        assert points(diagonal) == [(0, 0), (1, 1)]
        assert (diagonal.get_color(), diagonal.get_linestyle()) == (style.GREY, "--")
        assert points(own) == curve(method)
        assert own.get_color() == style.METHOD[method]
        drawn = [(points(line), line.get_color()) for line in base]
        assert drawn == [(curve("supervised"), style.GREY)] * (method != "supervised")


def test_the_error_is_written_in_each_panel(reliable):
    for method, (top, right) in SURE.items():
        off = np.abs(np.subtract(top, np.repeat(np.reshape(right, (2, 2)).mean(axis=1), 2))).mean()
        assert panels_of(reliable)[name_of(method)].texts[0].get_text() == f"ECE {off:.2f}"


def test_bars_stand_where_confidences_are(reliable):
    for method, (top, _) in SURE.items():
        bars = [b for b in panels_of(reliable)[name_of(method)].patches if b.get_height() > 0]
        assert [b.get_height() for b in bars] == pytest.approx([0.3, 0.3])  # equally often
        for bar, confidence in zip(bars, top[::2], strict=True):
            assert bar.get_x() - 1e-9 <= confidence <= bar.get_x() + bar.get_width() + 1e-9
            assert bar.get_width() == pytest.approx(0.04)
            assert bar.get_x() / 0.04 == pytest.approx(round(bar.get_x() / 0.04))


def test_axes_of_reliability_run_up_and_say_what_they_are(reliable):
    panels = list(panels_of(reliable).values())
    assert [ax.get_xlabel() for ax in panels] == ["", *["confidence"] * 4]
    assert reliable.get_supylabel() == "share that is right"
    for ax in panels:
        low, high = ax.get_xlim()
        assert low == pytest.approx(0.25)  # three quarters of what three grades give by chance
        assert high >= 1
        bottom, top = ax.get_ylim()
        assert bottom <= 0 < 1 <= top
        assert ax.xaxis.get_major_formatter()(0.5) == "50%"
        assert ax.yaxis.get_major_formatter()(0.5) == "50%"
    assert style.data_label(reliable) == "simulated data"


@pytest.mark.parametrize("end", ["", "_second"])
def test_the_legend_names_the_supervised_row_of_the_same_stage(reliable, end):
    figure = reliable
    if end:
        two = sure(end, ("supervised", "simmatch"))
        figure = results.reliability(two, simulated=False, bins=2)
    base = name_of(f"supervised{end}")
    (legend,) = figure.legends
    texts = [t.get_text() for t in legend.get_texts()]
    assert texts == [base, "as right as sure", "how often it is given"]
    grey, diagonal, bars = legend.legend_handles
    assert (grey.get_color(), grey.get_linestyle()) == (style.GREY, "-")
    assert (diagonal.get_color(), diagonal.get_linestyle()) == (style.GREY, "--")
    assert to_hex(bars.get_facecolor()) == style.PALE
    assert style.data_label(figure) == ("real data" if end else "simulated data")
