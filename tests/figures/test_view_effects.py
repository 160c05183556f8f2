"""The figure of the audit of views: whose dot and verdict is whose, the limit, and what graders
themselves would change."""

from __future__ import annotations

import pandas as pd
import pytest

from riqa_lib.figures import style, view_effects
from riqa_lib.tables.view_verdicts import CHANGES, KEEPS, LIMIT, NOT_MEASURED, UNDECIDED

NAN = float("nan")
ROWS = [  # operation, group, rough, what the truth and the model change, and both verdicts
    ("fixmatch", "policy", False, -0.3, -0.2, CHANGES, CHANGES),
    ("crop", "place", True, -0.05, -0.12, KEEPS, UNDECIDED),
    ("flip", "place", False, 0.01, 0.02, KEEPS, KEEPS),
]
DISAGREE = {"redraw": 0.2, "two_raters": 0.45}


def table() -> pd.DataFrame:
    rows = []
    for operation, group, rough, true, model, by_truth, by_model in ROWS:
        row = {"operation": operation, "group": group, "rough": rough}
        for what, d in (("true", true), ("model", model)):
            for number, v in (("d", d), ("flip", abs(d) + 0.1)):
                ends = {f"{number}_{what}_low": v - 0.01, f"{number}_{what}_high": v + 0.03}
                row |= {f"{number}_{what}": v} | ends
        rows.append(row | {"by_truth": by_truth, "by_model": by_model})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def figure():
    return view_effects.operations(table(), DISAGREE, simulated=True)


SIDES = {"true": (style.GREEN, "o", -0.17), "model": (style.BLUE, "s", 0.17)}


@pytest.mark.parametrize("place", range(2))
def test_dots_and_intervals_are_each_sides_own(figure, place):
    number, lines = ("d", "flip")[place], iter(figure.axes[place].lines)
    for what, (tint, mark, aside) in SIDES.items():
        for y, row in enumerate(table().to_dict("records")):
            ends, dot = next(lines), next(lines)
            v = row[f"{number}_{what}"]
            assert list(ends.get_xdata()) == [v - 0.01, v + 0.03]
            assert list(ends.get_ydata()) == [y + aside] * 2
            assert (*dot.get_xdata(), *dot.get_ydata()) == (v, y + aside)
            assert (dot.get_marker(), dot.get_color(), ends.get_color()) == (mark, tint, tint)
            hollow = row["rough"] and what == "true"
            assert dot.get_markerfacecolor() == ("white" if hollow else tint)


def test_panels_are_the_change_of_the_grade_and_how_many_change(figure):
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == ["change of the expected grade", "grades that change"]


def test_verdicts_stand_on_their_rows_in_their_colours(figure):
    _, right = figure.axes
    marks = {KEEPS: ("✓", style.GREEN), CHANGES: ("✗", style.RED), UNDECIDED: ("?", style.GREY)}
    expected = []
    for name, place in (("truth", 5), ("model", 6)):
        expected += [(name, -1.15, style.INK)]
        for y, row in enumerate(ROWS):
            words, tint = marks[row[place]]
            expected.append((words, y, tint))
    assert [(t.get_text(), t.xy[1], t.get_color()) for t in right.texts] == expected
    places = [t.xyann[0] for t in right.texts]
    assert len(set(places[:4])) == len(set(places[4:])) == 1
    assert places[4] - places[0] > 20  # points: beside each other


def upright(ax) -> list:
    return [x for x in ax.lines if list(x.get_ydata()) == [0, 1]]


def test_the_limit_and_the_policies_are_bands(figure):
    left, right = figure.axes
    own = [p for p in left.patches if p.get_label().startswith("limit")]
    ((start, wide),) = [(p.get_x(), p.get_width()) for p in own]
    assert (start, start + wide) == pytest.approx((-LIMIT, LIMIT))
    policies = [p for p in (*left.patches, *right.patches) if p not in own]
    ends = [(p.get_y(), p.get_y() + p.get_height()) for p in policies]
    assert ends == [(-0.6, pytest.approx(0.5))] * 2  # in both panels, to below the one policy


def test_what_graders_themselves_change_is_dashed_in_the_panel_of_changes(figure):
    left, right = figure.axes
    said = ["all raters drawn anew", "two raters differ"]
    lines = upright(right)
    assert [x.get_xdata()[0] for x in lines] == [0.2, 0.45]
    keys = [x for x in left.lines if x.get_label() in said]
    assert [x.get_label() for x in keys] == said
    assert {x.get_linestyle() for x in (*lines, *keys)} == {"--"}


def test_operations_stand_from_the_top_in_the_order_of_the_table(figure):
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == [row[0] for row in ROWS]
    bottom, top = left.get_ylim()
    assert bottom > 2.2 > -0.2 > top
    assert right.xaxis.get_major_formatter()(0.5) in ("50%", "50.0%")


def test_the_legend_has_what_is_drawn(figure):
    (legend,) = figure.legends
    keys = dict(zip([t.get_text() for t in legend.get_texts()], legend.legend_handles, strict=True))
    assert set(keys) == {
        "limit, ±0.1 class",
        "all raters drawn anew",
        "two raters differ",
        "the truth",
        "the model",
        "truth, roughly aligned",
        KEEPS,
        CHANGES,
        UNDECIDED,
    }
    looks = {name: (keys[name].get_marker(), keys[name].get_color()) for name in list(keys)[1:]}
    assert looks["the truth"] == ("o", style.GREEN)
    assert looks["the model"] == ("s", style.BLUE)
    assert looks[KEEPS] == ("$✓$", style.GREEN)
    assert looks[CHANGES] == ("$✗$", style.RED)
    assert keys["truth, roughly aligned"].get_markerfacecolor() == "white"
    assert style.data_label(figure) == "simulated data"


def test_without_a_truth_only_the_model_is_drawn():
    numbers = [c for c in table() if "_true" in c]
    bare = table()[1:].assign(**dict.fromkeys(numbers, NAN), by_truth=NOT_MEASURED)
    unknown = {"redraw": NAN, "two_raters": NAN}
    figure = view_effects.operations(bare.assign(group="policy"), unknown, simulated=False)
    right = figure.axes[1]
    said = [t.get_text() for t in figure.legends[0].get_texts()]
    assert said == ["limit, ±0.1 class", "the model", KEEPS, UNDECIDED, NOT_MEASURED]
    assert not upright(right)
    assert not right.patches  # all are policies: none is set apart
    assert {line.get_color() for line in right.lines} == {style.BLUE}
    assert style.data_label(figure) == "real data"
