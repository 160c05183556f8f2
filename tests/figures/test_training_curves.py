"""Curves over training steps: whose line it is, what stands on which panel, which way is better,
and what a dashed line means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.figures import curves, style
from riqa_lib.tables.names import name_of

NAN = float("nan")
STEPS = [50, 100, 200]
# method: where its validation MAE and macro-MAE start, in an order that tables don't have
STARTS = {"fixmatch": (0.7, 0.9), "supervised": (0.8, 1.1)}
ORDER = ("supervised", "fixmatch")
RUNS = [(0, 20, 0.0), (0, 60, -0.12), (1, 20, 0.06)]  # seed, labels, what they add


def history(starts=STARTS) -> pd.DataFrame:
    rows = [
        {"method": method, "seed": seed, "labels": labels, "step": step}
        | {"val_mae": mae + more - 0.1 * k, "val_macro_mae": macro + more - 0.2 * k}
        for method, (mae, macro) in starts.items()
        for seed, labels, more in RUNS
        for k, step in enumerate(STEPS)
    ]
    # one run was not validated at the end
    return pd.DataFrame(rows).assign(val_macro_mae=lambda t: t["val_macro_mae"].where(t.index != 2))


def points(line) -> tuple[list, list]:
    return list(line.get_xdata()), pytest.approx(list(line.get_ydata()))


def level(ax) -> list[float]:
    return [x.get_ydata()[0] for x in ax.lines if list(x.get_xdata()) == [0, 1]]


def key(figure) -> list[str]:
    (legend,) = figure.legends
    return [t.get_text() for t in legend.get_texts()]


@pytest.fixture(scope="module")
def learnt():
    return curves.learning_curves(history(), simulated=True)


def expected_lines(column: str) -> list[tuple]:
    """Of each method its runs, pale, and their mean: colour, alpha, steps and values."""
    h, out = history().dropna(subset=[column]), []
    for method in ORDER:
        own, tint = h[h["method"] == method], style.METHOD[method]
        for seed, labels, _ in RUNS:
            run = own[(own["seed"] == seed) & (own["labels"] == labels)]
            out.append((tint, 0.3, run["step"].tolist(), run[column].tolist()))
        mean = own.groupby("step")[column].mean()
        out.append((tint, None, mean.index.tolist(), mean.tolist()))
    return out


@pytest.mark.parametrize("place", range(2))
def test_each_run_is_a_pale_line_and_their_mean_a_strong_one(learnt, place):
    lines = learnt.axes[place].lines
    expected = expected_lines(("val_mae", "val_macro_mae")[place])
    for line, (tint, alpha, steps, values) in zip(lines, expected, strict=True):
        assert (line.get_color(), line.get_alpha()) == (tint, alpha)
        assert points(line) == (steps, values)
        assert line.get_marker() == "None"
    assert [line.get_label() for line in lines[3::4]] == [name_of(m) for m in ORDER]


def test_panels_of_learning_say_that_lower_is_better(learnt):
    titles = [ax.get_title("left") for ax in learnt.axes]
    assert titles == [
        "validation MAE (lower is better)",
        "validation macro-MAE (lower is better)",
    ]
    assert [ax.get_xlabel() for ax in learnt.axes] == ["step", "step"]
    assert key(learnt) == [name_of(m) for m in ORDER]
    assert style.data_label(learnt) == "simulated data"
    one = history({"supervised": (0.8, NAN)}).query("seed == 1 and step < 200")
    alone = curves.learning_curves(one, simulated=False)
    (ax,) = alone.axes  # no macro-MAE was measured
    (line,) = ax.lines  # a lone run is its own mean
    assert line.get_marker() == "o"  # two points are hardly a line
    assert style.data_label(alone) == "real data"


def test_more_than_five_methods_get_a_panel_each(monkeypatch):
    monkeypatch.setattr(curves, "_a_panel_each", lambda history, methods, simulated: methods)
    names = ["ridge", "supervised", "fixmatch", "simmatch", "adamatch", "comatch"]
    six = history(dict.fromkeys(names, (0.5, 0.6)))
    assert curves.learning_curves(six, simulated=True) == names
    five = six[six["method"] != "ridge"]
    assert len(curves.learning_curves(five, simulated=True).axes) == 2
    longer = five.assign(step=five["step"] * np.where(five["method"] == "comatch", 2, 1))
    assert curves.learning_curves(longer, simulated=True) == names[1:]


NAMES = ("ridge", "supervised", "fixmatch", "simmatch", "comatch")


def apart() -> pd.DataFrame:
    """Five methods, of which one trains longer."""
    h = history({name: (0.9 - 0.1 * k, NAN) for k, name in enumerate(NAMES)})
    return h.assign(step=h["step"] * np.where(h["method"] == "comatch", 2, 1))


@pytest.fixture(scope="module")
def panels_apart():
    return curves.learning_curves(apart(), simulated=False)


def test_panels_of_their_own_have_the_supervised_mean_dashed(panels_apart):
    means = apart().groupby(["method", "step"])["val_mae"].mean()
    for ax, method in zip(panels_apart.axes, NAMES, strict=False):
        dashed = [x for x in ax.lines if x.get_linestyle() == "--" and len(x.get_xdata())]
        assert [points(x) for x in dashed] == [(STEPS, means["supervised"].tolist())] * (
            method != "supervised"
        )
        assert all(x.get_color() == style.GREY for x in dashed)
        (own,) = (x for x in ax.lines if x.get_label() == name_of(method))
        assert points(own) == (list(means[method].index), means[method].tolist())
        assert own.get_color() == style.METHOD[method]


def test_panels_of_their_own_are_named_and_share_what_is_up(panels_apart):
    figure = panels_apart
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title("left") for ax in panels] == [name_of(m) for m in NAMES]
    assert all(ax.get_shared_y_axes().joined(ax, panels[0]) for ax in panels)
    assert [ax.get_xlabel() for ax in panels] == ["", "", "step", "step", "step"]
    assert figure.get_supylabel() == "validation MAE (lower is better)"
    assert key(figure) == ["mean of ViT, supervised"]
    (handle,) = figure.legends[0].legend_handles
    assert (handle.get_color(), handle.get_linestyle()) == (style.GREY, "--")
    assert style.data_label(figure) == "real data"


def test_without_a_supervised_row_the_first_is_the_measure():
    h = history({"simmatch": (0.5, NAN), "fixmatch": (0.6, NAN)})
    h["step"] *= np.where(h["method"] == "simmatch", 2, 1)
    assert key(curves.learning_curves(h, simulated=True)) == ["mean of ViT + FixMatch"]


# ---------------------------------------------------------------- pseudo-labels
KEPT = {  # share kept and share right, by step; supervised and comatch choose nothing
    "comatch": ([1.0, 1.0, 1.0], [0.5, 0.5, 0.5]),
    "supervised": ([0.0, 0.0, 0.0], [NAN] * 3),
    "adamatch": ([0.0, 0.6, 1.0], [NAN, 0.9, 0.7]),
    "simmatch": ([0.2, 0.3, 0.4], [0.95, 0.85, 0.75]),
}


@pytest.fixture(scope="module")
def chosen():
    rows = [
        {"method": method, "seed": 0, "step": step, "val_kept": share, "val_kept_accuracy": right}
        for method, numbers in KEPT.items()
        for step, share, right in zip(STEPS, *numbers, strict=True)
    ]
    return curves.pseudo_labels(pd.DataFrame(rows), simulated=True)


def test_how_many_are_kept_stands_left_and_how_many_of_these_are_right_beside(chosen):
    for ax, which in zip(chosen.axes, range(2), strict=True):
        lines = [x for x in ax.lines if list(x.get_xdata()) != [0, 1]]
        assert [x.get_label() for x in lines] == [name_of(m) for m in ("simmatch", "adamatch")]
        for line, method in zip(lines, ("simmatch", "adamatch"), strict=True):
            there = [(s, v) for s, v in zip(STEPS, KEPT[method][which], strict=True) if v == v]
            assert points(line) == ([s for s, _ in there], [v for _, v in there])


def test_shares_of_pseudo_labels_run_from_nought_to_one_with_80_percent_marked(chosen):
    for ax in chosen.axes:
        bottom, top = ax.get_ylim()
        assert bottom == 0 < 1 <= top
        assert ax.yaxis.get_major_formatter()(0.5) in ("50%", "50.0%")
        assert ax.get_shared_x_axes().joined(ax, chosen.axes[0])
    assert [ax.get_title("left") for ax in chosen.axes] == [
        "share of pictures kept",
        "share of the kept that are right",
    ]
    left, right = chosen.axes
    assert (level(left), level(right)) == ([], [0.8])
    (text,) = right.texts
    assert (text.get_text(), text.get_position()[1]) == ("80 %", 0.8)
    assert key(chosen) == ["ViT + SimMatch", "ViT + AdaMatch"]
    assert style.data_label(chosen) == "simulated data"


# ---------------------------------------------------------------- fundus photographs
def fundus() -> pd.DataFrame:
    runs = [  # method, fold, seed, AUC; the last Teacher has no source left out
        ("teacher", "b", 0, 0.6),
        ("teacher", "a", 0, 0.7),
        ("teacher", "a", 1, 0.72),
        ("teacher", "none", 0, NAN),
        ("multi_eyeq", NAN, 0, NAN),
    ]
    rows = [
        {"method": method, "fold": fold, "seed": seed, "step": step}
        | {"val_auc": auc + 0.01 * k, "overall_loss": 1.5 - 0.2 * k - 0.1 * n}
        for n, (method, fold, seed, auc) in enumerate(runs)
        for k, step in enumerate(STEPS)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def taught():
    return curves.curves(fundus(), ("val_auc", "overall_loss"), simulated=True)


def test_a_teacher_has_a_dashed_line_for_each_source_left_out(taught):
    auc, loss = taught.axes
    assert [x.get_label() for x in auc.lines if x.get_label()[0] != "_"] == [
        "Teacher, without b",
        "Teacher, without a",
    ]
    names = ["Teacher, without b", "Teacher, without a", "Teacher, final", "multi-task"]
    assert [x.get_label() for x in loss.lines if x.get_label()[0] != "_"] == names
    dashes = [x.get_linestyle() for x in loss.lines]
    assert dashes == ["--", ":", ":", "-", "-"]  # two seeds without a
    teacher, student = style.TINTS["teacher"], style.TINTS["multi"]
    assert [x.get_color() for x in loss.lines] == [teacher] * 4 + [student]
    for n, line in enumerate(loss.lines):
        assert points(line) == (STEPS, [1.5 - 0.1 * n - 0.2 * k for k in range(3)])
    for start, line in zip((0.6, 0.7, 0.72), auc.lines, strict=True):
        assert points(line) == (STEPS, [start, start + 0.01, start + 0.02])
    assert key(taught) == names  # of the panel that has them all


def test_columns_of_a_history_are_named_in_words(taught):
    assert [ax.get_title("left") for ax in taught.axes] == [
        "AUC on the source left out",
        "loss of overall grade",
    ]
    assert style.data_label(taught) == "simulated data"
    usual = fundus().assign(val_macro_f1=0.4)
    figure = curves.curves(usual, simulated=False)
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == ["validation macro F1", "loss of overall grade"]
    assert curves.WORDS["details_loss"] == "loss of details"
