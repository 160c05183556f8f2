"""Table 2 as points: each row's number, interval, seeds and colour, what lies beyond an axis, and a
legend of what is drawn, no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.stats import spearmanr

from riqa_lib.figures import results, style
from riqa_lib.figures.results import KINDS, PANELS, kind_of_row, table2_points
from riqa_lib.tables.names import name_of

NAN = float("nan")
NONE = (NAN, NAN, NAN)
# method: (labels, mae, macro-MAE, SRCC, each with its interval); looking rows span 0.1 to 0.9
NUMBERS = {
    "constant": (30, (1.5, 1.4, 1.6), (0.55, 0.5, 0.6), NONE),
    "always_2": (30, (0.7, 0.6, 0.8), (0.7, 0.6, 0.8), NONE),
    "rater": (0, (0.31, NAN, NAN), (0.35, NAN, NAN), (0.8, NAN, NAN)),
    "source_mean": (1200, (0.01, 0.0, 0.02), (0.7, 0.6, 0.8), (-0.3, -0.4, -0.2)),
    "ridge": (1200, (0.5, 0.45, 0.58), (0.52, 0.41, 0.6), (0.6, 0.5, 0.66)),
    "supervised": (1200, (0.3, 0.22, 0.35), (0.4, 0.32, 0.55), (0.7, 0.6, 0.72)),
    "fixmatch": (1200, (0.25, 0.1, 0.9), (0.3, 0.1, 0.9), (0.8, 0.1, 0.9)),
}
TRUTH = [0, 1, 2, 3, 4, 0, 2, 4]
SAID = {
    ("ridge", 0): [0, 1, 1, 3, 2, 0, 2, 4],  # one seed: not drawn
    ("supervised", 0): [0, 1, 1, 3, 2, 1, 2, 4],
    ("supervised", 1): [0, 2, 2, 2, 4, 0, 2, 3],
    ("fixmatch", 0): [1, 1, 1, 3, 2, 0, 2, 4],
    ("fixmatch", 1): [0, 0, 2, 4, 4, 0, 2, 4],
}
Y = {m: y for y, m in enumerate(m for m in NUMBERS if m != "always_2")}


def table(numbers=NUMBERS) -> pd.DataFrame:
    rows = []
    for method, (labels, *three) in numbers.items():
        row = {"row": name_of(method), "method": method, "labels": labels}
        for metric, each in zip(PANELS, three, strict=True):
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), each, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def predictions() -> pd.DataFrame:
    """What SAID says of the test pictures; other answers of other pictures and other runs."""
    parts = []
    for (method, seed), said in SAID.items():
        for split, labels, grades in (
            ("test", 1200, said),
            ("val", 1200, [4] * len(TRUTH)),
            ("test", 20, [4] * len(TRUTH)),
        ):
            p = pd.DataFrame(np.eye(5)[grades], columns=[f"p{k}" for k in range(5)])
            facts = {"method": method, "seed": seed, "labels": labels, "split": split}
            parts.append(p.assign(truth=TRUTH, **facts))
    return pd.concat(parts, ignore_index=True)


def measured(method: str, seed: int) -> dict[str, float]:
    off = np.abs(np.subtract(SAID[method, seed], TRUTH))
    by_grade = [off[np.equal(TRUTH, k)].mean() for k in range(5)]
    srcc = spearmanr(SAID[method, seed], TRUTH).statistic
    return {"mae": off.mean(), "macro_mae": np.mean(by_grade), "srcc": srcc}


@pytest.fixture(scope="module")
def figure():
    return table2_points(table(), predictions(), simulated=True)


@pytest.fixture(scope="module")
def panels(figure):
    return dict(zip(PANELS, figure.axes, strict=True))


def keys(figure) -> dict[str, object]:
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, legend.legend_handles, strict=True))


def dots(ax) -> dict[float, tuple]:
    """By row: where a dot lies, its mark, colour and face."""
    return {
        float(line.get_ydata()[0]): (
            float(line.get_xdata()[0]),
            line.get_marker(),
            line.get_color(),
            line.get_markerfacecolor(),
        )
        for line in ax.lines
        if len(line.get_xdata()) == 1
    }


def within(metric: str) -> list[str]:
    """The rows whose number is not beyond a panel's axis."""
    edge = {
        "mae": ["constant", "source_mean"],
        "macro_mae": [],
        "srcc": ["constant", "source_mean"],
    }
    return [m for m in Y if m not in edge[metric]]


def test_panels_are_the_measures_and_say_which_way_is_better(figure):
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == ["MAE ↓", "macro-MAE ↓", "SRCC ↑"]
    assert style.data_label(figure) == "simulated data"
    real = table2_points(table(), simulated=False)
    assert style.data_label(real) == "real data"
    feet = [t.get_color() for each in (figure, real) for t in each.texts if t.get_gid() == "data"]
    assert feet == [style.RED, style.GREY]  # what is simulated is not overlooked


@pytest.mark.parametrize("place", range(3))
def test_a_dot_and_its_interval_are_the_tables_on_the_rows_own_line(panels, place):
    metric = list(PANELS)[place]
    ax = panels[metric]
    drawn, ends = dots(ax), {}
    for line in ax.lines:
        y = list(line.get_ydata())
        if len(y) == 2 and y[0] == y[1]:
            ends[y[0]] = tuple(map(float, line.get_xdata()))
    shown = within(metric)
    assert sorted(drawn) == [Y[m] for m in shown]
    for method in shown:
        value, low, high = NUMBERS[method][1 + place]
        tint = KINDS[kind_of_row(method)]
        face = "white" if method in ("constant", "rater") else tint
        assert drawn[Y[method]] == (value, "o", tint, face), method
        assert ends.get(Y[method]) == (None if np.isnan(low) else (low, high)), method


@pytest.mark.parametrize("metric", PANELS)
def test_seeds_lie_below_their_own_row(panels, metric):
    found = {}
    for dots_of in panels[metric].collections:
        if len(at := np.asarray(dots_of.get_offsets())):
            row = round(float(at[0, 1]))
            assert (at[:, 1] > row).all()
            found[row] = (at[:, 0].tolist(), to_hex(dots_of.get_facecolor()[0]))
    expected = {
        Y[method]: (
            pytest.approx([measured(method, seed)[metric] for seed in (0, 1)]),
            KINDS[kind_of_row(method)].lower(),
        )
        for method in ("supervised", "fixmatch")
    }
    assert found == expected


def test_what_lies_beyond_an_axis_is_written_at_its_edge(panels):
    grey = KINDS["no picture, or people"]
    written = {
        metric: [(t.get_text(), t.xy, t.get_ha(), t.get_color()) for t in ax.texts]
        for metric, ax in panels.items()
    }
    assert written == {
        "mae": [
            ("1.50 →", (1.0, Y["constant"]), "right", grey),
            ("← 0.01", (0.0, Y["source_mean"]), "left", grey),
        ],
        "macro_mae": [],
        "srcc": [("← −0.30", (0.0, Y["source_mean"]), "left", grey)],
    }
    for ax in panels.values():
        low, high = ax.get_xlim()
        assert low < 0.1 < 0.9 < high  # all of the rows that look at pictures
    dashed = {
        metric: [
            line.get_xdata()[0]
            for line in ax.lines
            if list(line.get_ydata()) == [0, 1] and line.get_linestyle() == "--"
        ]
        for metric, ax in panels.items()
    }
    assert dashed == {"mae": [], "macro_mae": [0.55], "srcc": []}  # the best constant's


def test_rows_stand_from_the_first_at_the_top_to_the_last(figure):
    first = figure.axes[0]
    assert [t.get_text() for t in first.get_yticklabels()] == [name_of(m) for m in Y]
    assert list(first.get_yticks()) == list(Y.values())
    bottom, top = first.get_ylim()
    assert bottom > len(Y) - 1 + 0.27  # the last row's seeds are inside
    assert top < -0.25
    assert first.get_xlabel() == "trained with 1,200 labels"


def test_the_legend_has_what_is_drawn_in_its_colours(figure):
    drawn = keys(figure)
    assert list(drawn) == [
        "mean of seeds, 95 % interval",
        "one seed",
        "best constant",
        "no picture, or people",
        "no network",
        "learns from labels",
        "learns from labels and pool",
    ]
    tints = [to_hex(drawn[k].get_facecolor()) for k in list(drawn)[3:]]
    assert tints == [c.lower() for c in (style.GREY, style.METHOD["ridge"], style.BLUE, style.RED)]


def test_second_stages_are_squares_and_the_legend_says_so():
    later = {
        "supervised": (300, *NUMBERS["supervised"][1:]),
        "fixmatch_second": (500, *NUMBERS["fixmatch"][1:]),
    }
    one_seed = predictions().query("seed == 0")
    figure = table2_points(table(later), one_seed, simulated=True)
    first = figure.axes[0]
    assert {y: mark[1:3] for y, mark in dots(first).items()} == {
        0: ("o", style.BLUE),
        1: ("s", style.RED),
    }
    names = ["ViT, supervised, n = 300", "ViT + FixMatch, second stage, n = 500"]
    assert [t.get_text() for t in first.get_yticklabels()] == names
    assert first.get_xlabel() == ""
    drawn = keys(figure)
    assert list(drawn) == [
        "mean of seeds, 95 % interval",
        "second stage",
        "learns from labels",
        "learns from labels and pool",
    ]
    assert drawn["second stage"].get_marker() == "s"


def test_what_every_kind_of_row_learns_from():
    kinds = {
        "constant": "no picture, or people",
        "source_mean": "no picture, or people",
        "ridge": "no network",
        "supervised_ordinal": "labels",
        "supervised_second": "labels and pool",
        "simmatch": "labels and pool",
    }
    assert {row: kind_of_row(row) for row in kinds} == kinds
    assert list(KINDS.values()) == [style.GREY, style.METHOD["ridge"], style.BLUE, style.RED]


def test_rows_without_any_number_have_an_axis_all_the_same():
    bare = table({"rater": (0, NONE, NONE, NONE)})
    assert [ax.get_xlim() for ax in table2_points(bare, simulated=True).axes] == [(0, 1)] * 3


def test_of_seeds_those_on_the_axis_stay_where_one_lies_beyond_it(monkeypatch):
    monkeypatch.setattr(results, "_per_seed", lambda own, metric: [0.3, 0.4, 9.0])
    drawn = table2_points(table(), predictions(), simulated=True)
    (ax,) = [ax for ax in drawn.axes if ax.get_title(loc="left").startswith("MAE")]
    below = [
        collection.get_offsets()[:, 0].tolist()
        for collection in ax.collections
        if np.allclose(collection.get_offsets()[:, 1] % 1, 0.27)
    ]
    assert [seeds for seeds in below if seeds] == [[0.3, 0.4]] * len(Y)
