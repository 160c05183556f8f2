"""Figures of the second stage: which stage is hollow, which panel is precision, and what a grade's
bar is."""

from __future__ import annotations

import pandas as pd
import pytest

from riqa_lib.figures import style
from riqa_lib.figures.stages import precision_per_class, stages
from riqa_lib.tables.names import name_of

# method: mean over its two seeds of share, precision and recall, of grades 0 and 1
MEANS = {
    "adamatch": {"share": (0.2, 0.8), "precision": (0.6, 0.7), "recall": (0.35, 0.95)},
    "simmatch": {"share": (0.3, 0.7), "precision": (0.5, 0.8), "recall": (0.4, 0.9)},
}
TRUE = (0.45, 0.55)
ORDER = ("simmatch", "adamatch")
MEASURED = ("first", "second", "change", "change_low", "change_high")


def per_grade() -> pd.DataFrame:
    rows = [
        {"method": method, "seed": seed, "grade": grade, "true_share": TRUE[grade]}
        | {column: pair[grade] + (0.04 if seed else -0.04) for column, pair in its.items()}
        for method, its in MEANS.items()
        for seed in (0, 1)
        for grade in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def figure():
    return precision_per_class(per_grade(), simulated=True)


def test_each_panel_has_its_own_measure_a_dot_a_method(figure):
    titles = {
        "precision": "precision: of those given, right",
        "recall": "recall: of those true, found",
        "share": "share given",
    }
    assert [ax.get_title("left") for ax in figure.axes] == list(titles.values())
    for ax, column in zip(figure.axes, titles, strict=True):
        assert [line.get_label() for line in ax.lines] == [name_of(m) for m in ORDER]
        for line, method, aside in zip(ax.lines, ORDER, (-0.05, 0.05), strict=True):
            assert list(line.get_xdata()) == pytest.approx([aside, 1 + aside])
            assert list(line.get_ydata()) == pytest.approx(MEANS[method][column])
            assert line.get_color() == style.METHOD[method]


def test_every_panel_has_the_grades_across_and_shares_up(figure):
    for ax in figure.axes:
        assert ax.get_xlabel() == "grade"
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1"]
        bottom, top = ax.get_ylim()
        assert bottom <= 0 < 1 <= top
        assert ax.yaxis.get_major_formatter()(0.5) in ("50%", "50.0%")


def test_the_true_shares_are_bars_behind_those_given(figure):
    *others, given = figure.axes
    assert not any(ax.patches for ax in others)
    bars = [(b.get_x() + b.get_width() / 2, b.get_height()) for b in given.patches]
    assert bars == [pytest.approx(each) for each in enumerate(TRUE)]
    (legend,) = figure.legends
    assert {t.get_text() for t in legend.get_texts()} == {"true share", *map(name_of, ORDER)}
    assert style.data_label(figure) == "simulated data"


def changes() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("simmatch", 0.6, 0.5, -0.1, -0.13, -0.06),
            ("comatch", 0.4, 0.45, 0.05, 0.01, 0.07),
        ],
        columns=["method", *(f"mae_{c}" for c in MEASURED)],
    )


def at(line) -> tuple[list, list]:
    return list(line.get_xdata()), list(line.get_ydata())


@pytest.fixture(scope="module")
def both():
    return stages(changes(), simulated=False)


def test_the_first_stage_is_hollow_and_the_change_is_second_less_first(both):
    left, right = both.axes
    for y, row in enumerate(changes().to_dict("records")):
        tint = style.METHOD[row["method"]]
        line, first, second = left.lines[3 * y : 3 * y + 3]
        ends, change = right.lines[2 * y : 2 * y + 2]
        pair = [row["mae_first"], row["mae_second"]]
        assert at(line) == (pair, [y, y])
        assert (at(first), at(second)) == ((pair[:1], [y]), (pair[1:], [y]))
        faces = first.get_markerfacecolor(), second.get_markerfacecolor()
        assert faces == ("white", tint)
        assert at(ends) == ([row["mae_change_low"], row["mae_change_high"]], [y, y])
        assert at(change) == ([row["mae_change"]], [y])
        assert {x.get_color() for x in (line, first, second, ends, change)} == {tint}


def test_the_stages_stand_from_the_top_and_say_which_side_is_better(both):
    left, right = both.axes
    nought = right.lines[-1]
    assert (at(nought), nought.get_linestyle()) == (([0, 0], [0, 1]), "--")
    assert left.get_title("left") == "MAE: first stage (hollow), second (full)"
    assert right.get_title("left") == "second − first; below 0 is better"
    names = [t.get_text() for t in left.get_yticklabels()]
    assert names == [name_of("simmatch"), name_of("comatch")]
    for ax in (left, right):
        bottom, top = ax.get_ylim()
        assert bottom > 1 > 0 > top
    assert style.data_label(both) == "real data"
