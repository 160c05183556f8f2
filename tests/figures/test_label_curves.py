"""Errors against labels: a panel a method, its control in it, the ceiling in all."""

from __future__ import annotations

import budget_walks as walks
import cheaper
import pandas as pd
import pytest
from formulas import words
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from riqa_lib import paths, store
from riqa_lib.figures import draw_all, style
from riqa_lib.figures.label_curves import TITLES, label_curves
from riqa_lib.tables import error_against_labels as budgets
from riqa_lib.tables.names import name_of


def table(simulated=True, only=tuple(walks.SPREAD)) -> pd.DataFrame:
    """Numbers for each row, a few of them its own so that they can be found again."""
    rows = []
    for place, (method, labels) in enumerate([*walks.budget_rows(only), ("constant", walks.TRAIN)]):
        row = {"row": name_of(method), "method": method, "labels": labels}
        for m in ("mae", "srcc"):
            value = 0.3 + 0.01 * place
            row |= {m: value, f"{m}_low": value - 0.05, f"{m}_high": value + 0.04}
        rows.append(row | {"data": "simulated" if simulated else "real"})
    return pd.DataFrame(rows)


def value(method, labels):
    found = table()
    return found[(found["method"] == method) & (found["labels"] == labels)]["mae"].iloc[0]


def heights(ax):
    """The values of each line with as many points as there are numbers of labels, by colour."""
    return {
        line.get_color(): list(line.get_ydata()) for line in ax.lines if line.get_marker() != "None"
    }


def test_each_method_stands_beside_its_own_control():
    figure = label_curves(table(), simulated=True)
    panels = [ax for ax in figure.axes if ax.axison]
    titles = [ax.get_title(loc="left") for ax in panels]
    assert titles == ["without a pool", *map(name_of, ("fixmatch", "simmatch", "mean_teacher"))]
    for ax, method in zip(panels[1:], ("fixmatch", "simmatch", "mean_teacher"), strict=True):
        control = "supervised_ordinal" if method == "mean_teacher" else "supervised"
        its, own = list(heights(ax).values())
        assert its == [value(control, n) for n in (*walks.BUDGETS, walks.TRAIN)]
        assert own == [value(method, n) for n in walks.BUDGETS]
        drawn = [c for c in ax.collections if isinstance(c, LineCollection)]
        ends = [list(s[:, 1]) for s in drawn[-1].get_segments()]
        assert ends == [[pytest.approx(v - 0.05), pytest.approx(v + 0.04)] for v in own]
        assert ax.get_xscale() == "log"
        assert ax.get_shared_y_axes().joined(ax, panels[0])
    ceiling = value("supervised", walks.TRAIN)
    for ax in panels:
        assert any(list(line.get_ydata()) == [ceiling, ceiling] for line in ax.lines)


def test_the_simple_rows_are_dashed_and_named_and_the_foot_says_what_data():
    figure = label_curves(table(), simulated=True)
    dashed = {x.get_label(): x for x in figure.axes[0].lines if x.get_linestyle() == "--"}
    assert set(dashed) == {name_of(m) for m in ("constant", "forest", "ridge")}
    text = words(figure)
    for said in ("labels", "MAE ↓", "supervised, all labels", "its control, without", "160"):
        assert said in text
    assert "simulated data" in text
    assert "real data" in words(label_curves(table(), "srcc", simulated=False))


def test_rows_of_one_seed_without_intervals_and_without_methods_can_be_drawn():
    few = table()
    few = few[few["method"].isin(walks.CEILING)].assign(mae_low=float("nan"), mae_high=float("nan"))
    assert "its control" not in words(label_curves(few, simulated=True))


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="metric 'kappa'; allowed: mae, macro_mae"):
        label_curves(table(), "kappa", simulated=True)
    with pytest.raises(ValueError, match="no column qwk"):
        label_curves(table(), "qwk", simulated=True)


def test_every_tracked_table_is_drawn_from_itself_alone(tmp_path, monkeypatch):
    cheaper.unrendered(monkeypatch)
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "results" / "reference")
    assert draw_all.draw_budgets("reference") == []
    few, real = table(only=walks.FEW), table(simulated=False, only=walks.FEW)
    store.write_table(budgets.place("reference"), few)
    store.write_table(budgets.place("reference/biq2021"), real)
    store.write_table(budgets.place("mine"), few)
    files = draw_all.draw_budgets("reference")
    folder = tmp_path / "figures" / "reference"
    assert {f.parent for f in files} == {folder, folder / "biq2021"}
    assert {f.stem for f in files} == {"error_against_labels", "srcc_against_labels"}
    assert b"real data" in (folder / "biq2021" / "error_against_labels.png").read_bytes()
    assert len(draw_all.draw_budgets("mine")) == 4
    store.write_table(budgets.place("mine", "last"), few)
    more = {f.stem for f in draw_all.draw_budgets("mine")} - {f.stem for f in files}
    assert more == {"error_of_the_last_step"}


# ---------------------------------------------------------------- what each mark says
NAN = float("nan")
# (row, labels): SRCC, not in order of the labels and not rising with them; MAE is another number
SRCC = {
    ("constant", 1600): NAN,
    ("source_mean", 1600): 0.21,
    ("source_mean", 20): 0.25,
    ("forest", 20): 0.35,
    ("forest", 60): 0.31,
    ("ridge", 20): 0.43,
    ("supervised", 1600): 0.71,
    ("supervised", 20): 0.52,
    ("supervised", 60): 0.58,
    ("supervised_ordinal", 60): 0.61,
    ("supervised_ordinal", 20): 0.65,
    ("fixmatch", 60): 0.55,
    ("fixmatch", 20): 0.59,
    ("simmatch", 20): 0.45,
    ("simmatch", 60): NAN,
    ("adamatch", 20): 0.48,
    ("mean_teacher", 20): 0.66,
    ("mean_teacher", 60): 0.68,
}
FIRST = ("source_mean", "forest", "ridge", "supervised", "supervised_ordinal")
OWN = {  # a panel's row and its control, in the order of the panels
    "fixmatch": "supervised",
    "simmatch": "supervised",
    "adamatch": "supervised",
    "mean_teacher": "supervised_ordinal",
}
MOVED = {"source_mean": 0.94, "forest": 0.97, "ridge": 1.0, "supervised": 1.03}
MOVED |= {"supervised_ordinal": 1.06}


def numbers() -> pd.DataFrame:
    rows = []
    for (method, labels), srcc in SRCC.items():
        row = {"row": name_of(method), "method": method, "labels": labels}
        row["mae"] = 1.7 if method == "constant" else 2 - srcc
        row |= {"mae_low": 1.9 - srcc, "mae_high": 2.3 - srcc}
        rows.append(row | {"srcc": srcc, "srcc_low": srcc - 0.04, "srcc_high": srcc + 0.01})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def drawn():
    return label_curves(numbers(), "srcc", simulated=True)


@pytest.fixture(scope="module")
def panels(drawn):
    return dict(zip(("", *OWN), (ax for ax in drawn.axes if ax.axison), strict=True))


def points(method: str, moved: float) -> list:
    """Where a row's points stand, by number of labels."""
    own = sorted((n, v) for (m, n), v in SRCC.items() if m == method and v == v)
    return [pytest.approx((n * moved, v)) for n, v in own]


def lines_of(ax) -> list:
    """The lines of rows: not those across a panel, not the legend's."""
    return [x for x in ax.lines if len(x.get_xdata()) and list(x.get_xdata()) != [0, 1]]


def at(line) -> list[tuple]:
    return list(zip(*line.get_data(), strict=True))


def across(ax) -> list[tuple]:
    return [
        (line.get_ydata()[0], line.get_color(), line.get_linestyle())
        for line in ax.lines
        if list(line.get_xdata()) == [0, 1]
    ]


def test_the_first_panel_has_every_row_without_a_pool_each_a_little_aside(panels):
    lines = lines_of(panels[""])
    assert [line.get_label() for line in lines] == [name_of(m) for m in FIRST]
    for line, method in zip(lines, FIRST, strict=True):
        assert at(line) == points(method, MOVED[method]), method
        assert line.get_color() == style.METHOD[method]
        trained = method.startswith("supervised")
        assert line.get_linestyle() == ("-" if trained else "--")


@pytest.mark.parametrize("method", OWN)
def test_a_row_stands_right_of_its_grey_control(panels, method):
    control, own = lines_of(panels[method])
    assert at(control) == points(OWN[method], 1.0)
    assert at(own) == points(method, 1.05)
    assert (control.get_color(), control.get_marker()) == (style.GREY, "s")
    assert (own.get_color(), own.get_marker()) == (style.METHOD[method], "o")


def test_every_point_has_its_own_interval_in_its_colour(panels):
    for ax in panels.values():
        whiskers = [c for c in ax.collections if isinstance(c, LineCollection)]
        for line, bars in zip(lines_of(ax), whiskers, strict=True):
            expected = [[(x, y - 0.04), (x, y + 0.01)] for x, y in at(line)]
            assert [segment.tolist() for segment in bars.get_segments()] == [
                [pytest.approx(end) for end in ends] for ends in expected
            ]
            assert to_hex(bars.get_colors()[0]) == to_hex(line.get_color())


def test_the_supervised_row_with_all_labels_is_a_band_and_a_line_in_every_panel(panels):
    for ax in panels.values():
        assert across(ax) == [(0.71, style.BLUE, "-")]  # the constant has no SRCC
        (band,) = ax.patches
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.67, 0.72))
        assert to_hex(band.get_facecolor()) == style.BLUE.lower()
    few = numbers().query("method in ('constant', 'supervised')")
    few = few.assign(mae_low=NAN, mae_high=NAN)
    bare = label_curves(few, simulated=False)
    (ax,) = bare.axes
    assert across(ax) == [(2 - 0.71, style.BLUE, "-"), (1.7, style.GREY, "--")]
    assert not ax.patches
    assert [x.get_label() for x in ax.lines if x.get_linestyle() == "--"] == ["best constant"]
    assert bare.get_supylabel() == "MAE ↓"
    assert [t.get_text() for t in bare.legends[0].get_texts()][-1] == "supervised, all labels"


def test_labels_run_to_the_right_and_only_the_lowest_panels_name_them(drawn, panels):
    for place, ax in enumerate(panels.values()):
        assert list(ax.get_xticks()) == [20, 60, 1600]
        assert not len(ax.get_xticks(minor=True))
        left, right = ax.get_xlim()
        assert left < 20 * 0.94 < 1600 * 1.06 < right
        assert ax.xaxis.get_tick_params()["labelbottom"] == (place >= 1)
        assert ax.get_shared_x_axes().joined(ax, panels[""])
    assert [t.get_text() for t in panels["mean_teacher"].get_xticklabels()] == ["20", "60", "1,600"]
    assert (drawn.get_supxlabel(), drawn.get_supylabel()) == ("labels", "SRCC ↑")
    assert len(drawn.axes) == 8
    assert TITLES == {
        "mae": "MAE ↓",
        "macro_mae": "macro-MAE ↓",
        "qwk": "QWK ↑",
        "srcc": "SRCC ↑",
        "srcc_within": "SRCC within sources ↑",
        "mae_within": "MAE within sources ↓",
    }


def test_the_legend_has_the_first_panels_rows_and_what_the_others_share(drawn):
    (legend,) = drawn.legends
    keys = dict(zip([t.get_text() for t in legend.get_texts()], legend.legend_handles, strict=True))
    shared = ["supervised, all labels", "the row, with the pool", "its control, without"]
    assert list(keys) == [*map(name_of, FIRST), *shared]
    band, own, control = (keys[k] for k in shared)
    assert to_hex(band.get_facecolor()) == style.BLUE.lower()
    assert own.get_marker() == "o"
    assert (control.get_marker(), control.get_color()) == ("s", style.GREY)
