"""Errors against labels: a panel a method, its control in it, the ceiling in all."""

from __future__ import annotations

import budget_walks as walks
import pandas as pd
import pytest
from formulas import words
from matplotlib.collections import LineCollection

from riqa_lib import paths, store
from riqa_lib.figures import draw_all
from riqa_lib.figures.label_curves import label_curves
from riqa_lib.tables import error_against_labels as budgets
from riqa_lib.tables.names import name_of


def table(simulated=True) -> pd.DataFrame:
    """Numbers for each row, a few of them its own so that they can be found again."""
    rows = []
    for place, (method, labels) in enumerate([*walks.budget_rows(), ("constant", walks.TRAIN)]):
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
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "results" / "reference")
    assert draw_all.draw_budgets("reference") == []
    store.write_table(budgets.place("reference"), table())
    store.write_table(budgets.place("reference/biq2021"), table(simulated=False))
    store.write_table(budgets.place("mine"), table())
    files = draw_all.draw_budgets("reference")
    folder = tmp_path / "figures" / "reference"
    assert {f.parent for f in files} == {folder, folder / "biq2021"}
    assert {f.stem for f in files} == {"error_against_labels", "srcc_against_labels"}
    assert b"real data" in (folder / "biq2021" / "error_against_labels.png").read_bytes()
    assert len(draw_all.draw_budgets("mine")) == 4
    store.write_table(budgets.place("mine", "last"), table())
    more = {f.stem for f in draw_all.draw_budgets("mine")} - {f.stem for f in files}
    assert more == {"error_of_the_last_step"}
