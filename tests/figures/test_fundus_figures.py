"""Figures of fundus runs: where what they draw stands, and the sentence that reads it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.figures import fundus_results, style
from riqa_lib.tables import paired_differences

PAIRS = (
    ("multi_eyeq", "single_eyeq", -0.02, -0.05, 0.01),
    ("multi_eyeq", "forest_eyeq", -0.20, -0.30, -0.10),
    ("multi_lite0_eyeq", "forest_eyeq", 0.10, 0.05, 0.15),
)


def differences():
    rows = [
        {"a": a, "b": b, "quantity": "overall", "metric": m, "set": "eyeq"}
        | {"difference": d + move, "low": low + move, "high": high + move}
        for a, b, d, low, high in PAIRS
        for m, move in (("macro_f1", 0.0), ("auc", 0.02))
    ]
    return pd.DataFrame(rows)


def test_differences_stand_on_one_axis_and_are_filled_where_they_are_shown():
    figure = fundus_results.differences(differences(), simulated=True)
    assert style.data_label(figure) == "simulated data"
    (ax,) = figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    at = [dot.get_xdata()[0] for dot in dots]
    assert at == pytest.approx([-0.02, 0.0, -0.2, -0.18, 0.1, 0.12])
    places = [dot.get_ydata()[0] for dot in dots]
    assert [round(y) for y in places] == [0, 0, 1, 1, 2, 2]
    assert places == sorted(places)  # a pair's measures apart, in order, none over another's
    hollow = [dot.get_markerfacecolor() == "white" for dot in dots]
    assert hollow == [True, True, False, False, False, False]
    assert [t.get_text() for t in ax.get_yticklabels()][1] == "multi-task\n− statistics + forest"
    assert "macro F1 | AUC of reject" in words(figure)
    with pytest.raises(ValueError, match="no row has an interval"):
        fundus_results.differences(differences().assign(low=np.nan), simulated=True)


def test_the_sentence_counts_both_sides_and_names_the_furthest():
    said = paired_differences.sentence(differences())
    assert said.startswith("By macro F1, of 3 differences 1 lies above 0 (furthest: multi-task, ")
    assert "multi-task, Lite0 − statistics + forest +0.100 [+0.050, +0.150]); 1 lies below" in said
    assert "multi-task − statistics + forest −0.200 [−0.300, −0.100]); 1 has 0 in" in said
    assert "cannot" not in said
    assert "can be judged" in paired_differences.sentence(differences().assign(low=np.nan))


def test_differences_of_a_figure_are_of_its_set_without_ablations():
    more = differences()
    other = more.assign(set="deepdrid")
    ablation = more.assign(a="multi_own_eyeq")
    every = pd.concat([more, other, ablation], ignore_index=True)
    mine = paired_differences.of_comparisons(every, "eyeq")
    assert len(mine) == len(more)
    assert "multi_own_eyeq" not in set(mine["a"])
    details = more.assign(quantity="clarity", metric="auc", primary=True, set="eyeq_d")
    details = details.assign(comparison=["multi v single", "Student v Teacher", "other"] * 2)
    assert len(paired_differences.of_details(details, "eyeq")) == 4
    assert paired_differences.of_details(details, "deepdrid").empty
