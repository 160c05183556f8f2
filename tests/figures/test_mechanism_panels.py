"""The methods' own figures say what they show: each panel's title and scale, each line's colour and
name, and what a colour means where two kinds are drawn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.ticker import PercentFormatter

from riqa_lib.figures import mechanisms, style

STEPS = [50, 100, 150]
COLUMNS = (
    *("agrees", "changed", "in_loss", "cut", "kept", "edges", "con_loss", "tau", "fair_loss"),
    *("cosine", "dist_loss", "rot_loss", "rot_right"),
    *(f"{n}_{k}" for n in ("memory", "network", "P_t", "P_u", "tau") for k in range(5)),
)
WORDS = ("awful", "bad", "fair", "good", "superb")
SHARES = [0.02, 0.03, 0.9, 0.04, 0.01]
LIMITS = [0.3, 0.5, 0.7, 0.9, 1.1]
OF = {  # each method's colour
    "memory": style.METHOD["simmatch"],
    "relative_cut": style.METHOD["adamatch"],
    "marginals": style.METHOD["adamatch"],
    "graph_over_steps": style.METHOD["comatch"],
    "thresholds": style.METHOD["freematch"],
    "views_apart": style.METHOD["crmatch"],
}


def history() -> pd.DataFrame:
    """One seed; no two numbers alike; the memory is full from the second evaluation on."""
    table = {
        name: [0.05 + 0.4 * ((0.618 * k + 0.37 * i) % 1) for i in range(3)]
        for k, name in enumerate(COLUMNS)
    }
    return pd.DataFrame(table).assign(step=STEPS, seed=0, full=[0.0, 0.5, 0.8])


def predictions() -> pd.DataFrame:
    g = np.random.default_rng(1)
    p = g.dirichlet([0.4] * 5, 40)
    truth = np.where(np.arange(40) % 4 == 0, -1, g.integers(0, 5, 40))
    return pd.DataFrame(p, columns=[f"p{k}" for k in range(5)]).assign(truth=truth)


@pytest.fixture(scope="module")
def figures():
    h, p, look = history(), predictions(), {"simulated": False}
    return {
        "memory": mechanisms.memory(h, 900, words=WORDS, **look),
        "relative_cut": mechanisms.relative_cut(h, **look),
        "marginals": mechanisms.marginals(h, SHARES, words=WORDS, **look),
        "graph_over_steps": mechanisms.graph_over_steps(h, 8, **look),
        "thresholds": mechanisms.thresholds(h, words=WORDS, **look),
        "views_apart": mechanisms.views_apart(h, **look),
        "label_graph": mechanisms.label_graph(p, 0.4, words=WORDS, **look),
        "kept_per_class": mechanisms.kept_per_class(p, LIMITS, words=WORDS, **look),
    }


# title: whether it shows shares, and its lines: column, name, colour (None: the method's), dashed
PANELS = {
    "memory": {
        "memory and network": (
            True,
            [
                ("agrees", "name the same grade", None, False),
                ("changed", "memory changed the label", style.INK, True),
            ],
        ),
        "similarity loss": (False, [("in_loss", "similarity loss", None, False)]),
        "mean prediction, last steps": (True, []),
    },
    "relative_cut": {
        "the cut: confidence that is needed": (False, [("cut", "cut", None, False)]),
        "share of the batch that reaches it": (True, [("kept", "kept", None, False)]),
    },
    "marginals": {
        "labelled (P_t, solid) and pool (P_u, dashed)": (
            True,
            [
                (f"{name}_{k}", word if name == "P_t" else "_", mechanisms.LINES[k], name == "P_u")
                for k, word in enumerate(WORDS)
                for name in ("P_t", "P_u")
            ],
        ),
        "at the last evaluation": (True, []),
    },
    "graph_over_steps": {
        "edges per picture in a batch": (False, [("edges", "edges", None, False)]),
        "the graph's loss": (False, [("con_loss", "graph loss", None, False)]),
        "labels changed by the memory": (True, [("changed", "changed", None, False)]),
    },
    "thresholds": {
        "threshold on the confidence": (
            True,
            [
                *((f"tau_{k}", w, mechanisms.LINES[k], False) for k, w in enumerate(WORDS)),
                ("tau", "global", style.INK, True),
            ],
        ),
        "fairness term (0 or less, added)": (False, [("fair_loss", "fairness", None, False)]),
    },
    "views_apart": {
        "cosine of weak and strong view": (False, [("cosine", "cosine", None, False)]),
        "distance loss": (False, [("dist_loss", "distance loss", None, False)]),
        "turns that are told right": (True, [("rot_right", "right", None, False)]),
    },
}
WHEN_FULL = ("agrees", "in_loss", "changed")  # from the second step on, over how often it was full


def values(column: str) -> tuple[list[int], list[float]]:
    h = history()
    if column in WHEN_FULL:
        return STEPS[1:], (h[column] / h["full"]).tolist()[1:]
    return STEPS, h[column].tolist()


def level(ax) -> list:
    """The lines across a panel."""
    return [x for x in ax.lines if list(x.get_xdata()) == [0, 1]]


@pytest.mark.parametrize("name", PANELS)
def test_each_panel_has_its_own_lines_all_within_its_axis(figures, name):
    for ax, (_, lines) in zip(figures[name].axes, PANELS[name].values(), strict=True):
        drawn = [line for line in ax.lines if line not in level(ax)]
        bottom, top = ax.get_ylim()
        for line, (column, label, tint, dashed) in zip(drawn, lines, strict=True):
            steps, y = values(column)
            assert list(line.get_xdata()) == steps
            assert list(line.get_ydata()) == pytest.approx(y)
            assert bottom <= min(y) <= max(y) <= top
            found = line.get_label(), line.get_color(), line.get_linestyle()
            assert found == (label, tint or OF[name], "--" if dashed else "-")


@pytest.mark.parametrize("name", PANELS)
def test_each_panel_has_its_title_and_its_scale(figures, name):
    assert [ax.get_title("left") for ax in figures[name].axes] == list(PANELS[name])
    for ax, (shares, lines) in zip(figures[name].axes, PANELS[name].values(), strict=True):
        assert ax.get_xlabel() == ("step" if lines else "grade")
        scale = ax.yaxis.get_major_formatter()
        assert isinstance(scale, PercentFormatter) == shares
        assert not shares or scale(0.5).rstrip("0%.") == "5"
    assert style.data_label(figures[name]) == "real data"


def test_shares_over_steps_span_nought_to_one(figures):
    for name, place in (("memory", 0), ("relative_cut", 1), ("thresholds", 0), ("views_apart", 2)):
        bottom, top = figures[name].axes[place].get_ylim()
        assert bottom == 0
        assert top >= 1
    for name, place in (("marginals", 0), ("graph_over_steps", 0), ("views_apart", 1)):
        assert figures[name].axes[place].get_ylim()[0] == 0


BARS = {  # figure: name of the bars, their column or numbers, and colour, from left to right
    "memory": [
        ("network, aligned", "network", style.PALE),
        ("memory", "memory", style.METHOD["simmatch"]),
    ],
    "marginals": [
        ("labels", SHARES, style.PALE),
        ("P_t", "P_t", style.METHOD["adamatch"]),
        ("P_u", "P_u", style.INK),
    ],
}


@pytest.mark.parametrize("name", BARS)
def test_bars_of_a_grade_stand_beside_each_other_named_and_coloured(figures, name):
    ax, last = figures[name].axes[-1], history().iloc[-1]
    drawn = list(ax.containers)
    assert [bars.get_label() for bars in drawn] == [label for label, _, _ in BARS[name]]
    for bars, (_, numbers, tint) in zip(drawn, BARS[name], strict=True):
        if isinstance(numbers, str):
            full = last["full"] if name == "memory" else 1.0
            numbers = [last[f"{numbers}_{k}"] / full for k in range(5)]
        assert [bar.get_height() for bar in bars] == pytest.approx(numbers)
        assert {to_hex(bar.get_facecolor()) for bar in bars} == {tint.lower()}
        assert ax.get_ylim()[0] == 0 < max(numbers) < ax.get_ylim()[1]


@pytest.mark.parametrize("name", BARS)
def test_bars_of_a_grade_are_centred_on_it_and_none_hides_another(figures, name):
    ax = figures[name].axes[-1]
    middles = [[bar.get_x() + bar.get_width() / 2 for bar in bars] for bars in ax.containers]
    width = ax.containers[0][0].get_width()
    assert np.diff(middles, axis=0) == pytest.approx(width)
    assert np.mean(middles, axis=0) == pytest.approx(range(5))
    assert [t.get_text() for t in ax.get_xticklabels()] == list(WORDS)
    said = [t.get_text() for t in ax.get_legend().get_texts()]
    assert said == [label for label, _, _ in BARS[name]]


def test_legends_over_steps_name_every_line(figures):
    said = {
        name: [t.get_text() for t in figures[name].axes[0].get_legend().get_texts()]
        for name in ("memory", "marginals", "thresholds")
    }
    assert said == {
        "memory": ["name the same grade", "memory changed the label"],
        "marginals": list(WORDS),
        "thresholds": [*WORDS, "global"],
    }


def test_what_sees_no_difference_is_a_named_line(figures):
    for name, place, y, words in (
        ("memory", 1, math.log(900), "sees no difference: log 900"),
        ("graph_over_steps", 1, math.log(8), "sees no difference: log 8"),
        ("views_apart", 2, 0.25, "chance, 25%"),
    ):
        ax = figures[name].axes[place]
        (text,) = ax.texts
        assert (text.get_text(), text.get_position()) == (words, (1, y))
        assert [(x.get_ydata()[0], x.get_linestyle()) for x in level(ax)] == [(y, "--")]
        assert ax.get_ylim()[0] < y < ax.get_ylim()[1]
    assert [x.get_ydata()[0] for x in level(figures["views_apart"].axes[0])] == [0]


def test_a_memory_that_was_never_full_and_labels_that_hardly_change():
    never = mechanisms.graph_over_steps(history().assign(full=0.0), 8, simulated=True)
    assert [t.get_text() for t in never.axes[2].texts] == [
        "the memory was never full:\ntoo few steps"
    ]
    assert style.data_label(never) == "simulated data"
    assert never.axes[2].get_ylim() == (0, 0.1)
    hardly = history().assign(changed=[0, 0.001, 0.002], rot_loss=[0.0, 0.0, 0.3])
    rarely = mechanisms.graph_over_steps(hardly, 8, simulated=True).axes[2]
    assert rarely.get_ylim() == (0, 0.1)  # a tenth at least: noise is not blown up
    assert [
        line.get_label() for line in mechanisms.views_apart(hardly, simulated=True).axes[2].lines
    ][-1] == "right"  # a head that began to learn late is a head


# ---------------------------------------------------------------- the graph of labels
def legends(figure) -> list[dict[str, str]]:
    return [
        {
            text.get_text(): to_hex(patch.get_facecolor())
            for text, patch in zip(legend.get_texts(), legend.legend_handles, strict=True)
        }
        for legend in figure.legends
    ]


def colours(image, values) -> list[str]:
    return [to_hex(image.get_cmap()(image.norm(v))) for v in values]


def test_the_label_graph_has_the_colours_that_its_legends_say(figures):
    figure = figures["label_graph"]
    strips, ax = figure.axes[:2]
    kinds, grades = legends(figure)
    assert kinds == {
        "joined, equal true grades": style.BLUE.lower(),
        "joined, other true grades": style.ORANGE.lower(),
        "joined, not known": style.GREY,
    }
    assert colours(ax.images[0], range(3)) == list(kinds.values())
    assert grades == dict(zip(WORDS, map(str.lower, style.GRADES), strict=True))
    assert colours(strips.images[0], range(5)) == list(grades.values())


def test_the_label_graph_names_its_strips_and_parts_predicted_grades(figures):
    strips, ax = figures["label_graph"].axes[:2]
    assert [t.get_text() for t in strips.get_xticklabels()] == ["true", "said"]
    assert strips.get_ylabel() == "pictures, by predicted grade, surest first"
    assert ax.get_xlabel() == "the same pictures"
    assert ax.get_title("left").endswith("neighbours each (q·q at least 0.4)")
    said = np.sort(predictions().filter(like="p").to_numpy().argmax(axis=1))
    parts = [sum(said < k) - 0.5 for k in range(1, 5)]
    upright = [x.get_xdata()[0] for x in ax.lines if list(x.get_ydata()) == [0, 1]]
    assert [x.get_ydata()[0] for x in level(ax)] == upright == parts
    assert style.data_label(figures["label_graph"]) == "real data"


# ---------------------------------------------------------------- kept per class
def test_kept_shares_stand_over_their_grade_with_their_pictures(figures):
    figure = figures["kept_per_class"]
    (ax,) = figure.axes
    assert [b.get_x() + b.get_width() / 2 for b in ax.patches] == pytest.approx(range(5))
    tints = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert tints == [tint.lower() for tint in mechanisms.LINES]
    (right,) = ax.lines
    assert list(right.get_xdata()) == list(range(5))
    said = predictions().filter(like="p").to_numpy().argmax(axis=1)
    pictures = {t.get_position()[0]: t.get_text() for t in ax.texts}
    assert pictures == {k: str(sum(said == k)) for k in range(5)}


def test_kept_shares_are_named_and_all_within_their_axes(figures):
    figure = figures["kept_per_class"]
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == list(WORDS)
    assert ax.get_title("left") == "share of the pictures that is kept"
    assert ax.get_xlabel() == "predicted grade (above: pictures)"
    left, right = ax.get_xlim()
    assert left <= -0.3 < 4.3 <= right
    bottom, top = ax.get_ylim()
    assert bottom == 0 < 1.05 <= top
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["kept", "of these right"]
    assert style.data_label(figure) == "real data"
    unknown = predictions().assign(truth=-1)
    (bare,) = mechanisms.kept_per_class(unknown, LIMITS, simulated=True).legends
    assert [t.get_text() for t in bare.get_texts()] == ["kept"]
