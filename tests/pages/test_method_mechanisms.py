"""Each method's own figures stand with their sentences and get the run's own numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.pages import method_mechanisms
from riqa_lib.pages.method_page import MethodPage
from riqa_lib.training import photographs

NAMES = "full agrees changed in_loss cut kept edges con_loss tau fair_loss cosine dist_loss"
NAMES += " rot_loss rot_right"
LABELLED = [0, 0, 0, 1]  # grades; of the pool: POOL
POOL = [1, 1, 2, 2, 2, 2]


def page(method: str, truth: list[int] = POOL) -> SimpleNamespace:
    """A page without runs: three looks of made-up diagnostics, ten pictures."""
    names = NAMES.split() + [
        f"{n}_{k}" for n in ("memory", "network", "P_t", "P_u", "tau") for k in range(3)
    ]
    history = pd.DataFrame({key: [0.2, 0.3, 0.5] for key in names}).assign(step=[1, 2, 3])
    frame = pd.DataFrame({"id": [f"i{k}" for k in range(10)], "grade": LABELLED + [0] * 6})
    frame = frame.assign(split=["train"] * 4 + ["pool"] * 6)
    p = pd.DataFrame(np.eye(3)[[1, 1, 1, 2, 2, 0]], columns=["p0", "p1", "p2"])
    pool = p.assign(truth=truth, id=frame["id"].iloc[4:].to_numpy())
    run = photographs.settings("smoke", method)
    saved: list[str] = []
    return SimpleNamespace(
        history=history,
        simulated=True,
        words=(),
        counts={"C": 3, "M": 8, "K": 100},
        run=run,
        seed=0,
        data=SimpleNamespace(frame=frame, info={"classes": 3}),
        pool=pool,
        no_pool=MethodPage.no_pool,
        labels=lambda: frame["grade"].iloc[:4],
        save=lambda figure, what: saved.append(what),
        saved=saved,
    )


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    def found(run, data):
        return {"unlabelled": np.arange(10)}

    monkeypatch.setattr(photographs, "rows_of", found)


CASES = {
    "memory": ("simmatch", "memory", "log 100 = 4.61", "sees no difference: log 100"),
    "relative_cut": ("adamatch", "cut", "from 0.20 to 0.50", "the cut"),
    "graph_over_steps": ("comatch", "graph_over_steps", "log 8 = 2.08", "difference: log 8"),
    "label_graph": ("comatch", "graph", "of the pairs of 6 pictures", "6 pictures"),
    "thresholds": ("freematch", "thresholds", "from 0.20 to 0.50", "threshold"),
    "kept_per_class": ("freematch", "kept_per_class", "Of 6 pictures 100 % are kept", "kept"),
    "views_apart": ("crmatch", "views_apart", "from 0.20 to 0.50", "turns that are told right"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_figure_is_saved_and_read(name):
    method, what, said, drawn = CASES[name]
    its = page(method)
    figure, read = getattr(method_mechanisms, name)(its)
    assert its.saved == [what]
    assert said in read.data
    assert drawn in words(figure)


def test_alignment_is_held_against_the_true_grades_of_all_unlabelled_pictures():
    """Of ten pictures three are 0, three 1, four 2: three of the labelled and all of the pool."""
    its = page("adamatch")
    its.history = its.history.assign(P_t_0=0.0, P_t_1=1.0, P_t_2=0.0)
    figure, read = method_mechanisms.marginals(its)
    assert "Truly 30 % of the unlabelled pictures have grade 1, where alignment asks" in read.data
    bars = [bar.get_height() for bar in figure.axes[1].patches][:3]
    assert bars == [0.75, 0.25, 0.0]
    unknown = method_mechanisms.marginals(page("adamatch", [-1] * 6))[1]
    assert "No true grades of a pool are known" in unknown.data
    its.pool = its.pool.iloc[:0]
    assert "No true grades of a pool are known" in method_mechanisms.marginals(its)[1].data


@pytest.mark.parametrize(
    ("name", "method"), [("label_graph", "comatch"), ("kept_per_class", "freematch")]
)
def test_without_a_pool_that_is_said(name, method):
    its = page(method)
    its.pool = its.pool.iloc[:0]
    (read,) = getattr(method_mechanisms, name)(its)
    assert read.data == MethodPage.no_pool
    assert its.saved == []
