"""What notebooks 04 to 09 have in common, walked once at smoke size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths
from riqa_lib.figures import style
from riqa_lib.pages.method_page import MethodPage
from riqa_lib.training import photographs


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("RIQA_JOURNAL", raising=False)
        photographs.make_data("smoke", "smoke")
        page = MethodPage("smoke", "smoke", "fixmatch", 0, {"train.steps": 4})
        page.before = page.compared_with()
        page.train()
        yield page


def test_without_supervised_runs_it_says_which_notebook_to_run(page):
    assert page.before == (
        "nothing to compare with: run notebook 03_vit_supervised with SEED = 0 first"
    )


def test_the_page_is_of_its_own_row_and_settings(page):
    assert list(page.runs["method"]) == ["fixmatch"]
    assert page.run.train.steps == 4
    assert page.method_settings().loc["name", "setting"] == "fixmatch"
    assert set(page.history["method"]) == {"fixmatch"}
    assert page.over_time()["step"].max() == 4
    assert set(page.pool["split"]) == {"pool"}
    assert len(page.pool) == 60
    assert "FixMatch" in page.row().data
    seen = 4 * 3 * page.run.train.batch  # each step: a labelled picture, two views of another
    assert f"| {3 * page.run.train.batch} | {seen} |" in page.row().data
    assert "| method.ordinal |" not in page.departures().data
    assert page.departures().data.startswith("Not as in the algorithm's paper")
    assert "FixMatch" in page.found().data
    assert "simulated" in page.provenance()


def test_the_pool_is_told_beside_its_commonest_grade_and_the_baselines(page):
    """Its shares, its accuracy and what always saying its commonest grade would score; rows with
    the same labels stand beside it, others do not."""
    p = page.pool[[f"p{k}" for k in range(5)]].to_numpy()
    truth = page.pool["truth"].to_numpy()
    right, commonest = (p.argmax(axis=1) == truth).mean(), np.bincount(truth).argmax()
    of = page.data.frame.query("split == 'train' and grade >= 0")["grade"]
    assert sorted(page.labels()) == sorted(of)
    text = page.pool_story().data
    assert text.startswith("Simulated data.")
    assert f"| ViT + FixMatch | {len(of)} | {right:.2f} [" in text
    always = np.mean(truth == commonest)
    assert f"| always {commonest}, the commonest here | – | {always:.2f} [" in text
    found = page.found().data
    assert f"**ViT + FixMatch** on the pool (60 pictures): it says {commonest} of " in found
    n, run = len(of), page.runs["run"].item()
    rows = [("forest", n), ("ridge", n + 1), ("supervised_all", n + 2)]
    beside = pd.DataFrame(rows, columns=["method", "labels"]).assign(run=run, seed=0)
    nothing = page.supervised
    try:
        page.supervised = beside
        assert list(dict.fromkeys(page.told()["method"])) == [
            "forest",
            "supervised_all",
            "fixmatch",
        ]
        assert "statistics + forest says" in page.pool_story().data
    finally:
        page.supervised = nothing


def test_without_a_pool_it_says_so_and_draws_nothing(page, monkeypatch):
    drawn = page.pool_shares()
    assert style.data_label(drawn) == "simulated data"
    assert (paths.figures("smoke") / "04_pool-seed0.png").exists()
    none = page.told().iloc[:0]
    monkeypatch.setattr(page, "told", none.copy)
    assert page.pool_shares() is None
    assert "There is no pool, or no run graded it" in page.pool_story().data
    assert "FixMatch** on the pool" not in page.found().data


def test_real_pools_have_no_accuracy(page, monkeypatch):
    real = page.told().assign(truth=-1)
    monkeypatch.setattr(page, "told", real.copy)
    monkeypatch.setattr(page, "simulated", False)
    text = page.pool_story().data
    assert text.startswith("Real data.")
    assert "ccuracy" not in text
    assert "always" not in text
    assert "on the pool" not in page.found().data
    assert (page.pool["truth"] == -1).all()  # whatever was stored


def test_figures_carry_the_number_of_the_notebook_and_the_seed(page):
    page.pseudo_labels("mechanism")
    page.save(page.learning_curves(), "once", per_seed=False)
    there = {p.stem for p in paths.figures("smoke").glob("*.png")} - {"04_pool-seed0"}
    assert there == {"04_mechanism-seed0", "04_learning_curves-seed0", "04_once"}


def test_a_method_that_keeps_all_or_nothing_shows_its_learning_curves(page):
    def words(figure):
        return {artist.get_text() for artist in figure.findobj(lambda a: hasattr(a, "get_text"))}

    history = page.history
    try:
        page.history = history.assign(val_kept=0.0, val_kept_accuracy=np.nan)
        nothing = words(page.pseudo_labels("nothing"))
        page.history = history.assign(val_kept=0.5, val_kept_accuracy=0.5)
        some = words(page.pseudo_labels("some"))
    finally:
        page.history = history
    assert nothing != some


def test_a_method_without_a_threshold_has_no_share_kept(page):
    history = page.history
    try:
        page.history = history.drop(columns="kept")
        shown = page.over_time()
    finally:
        page.history = history
    assert set(page.over_time()) - set(shown) == {"kept"}


def test_supervised_runs_of_the_seed_stand_beside_it(page, monkeypatch):
    table = pd.DataFrame({"run": ["x"], "method": ["supervised"], "seed": [0], "labels": [1]})
    monkeypatch.setattr("riqa_lib.tables.stored.runs_of", lambda *a: table)
    other = MethodPage("smoke", "smoke", "simmatch", 0, {})
    assert other.compared_with() is table
    with pytest.raises(ValueError, match="unknown row 'nomatch'"):
        MethodPage("smoke", "smoke", "nomatch", 0, {})


def test_a_run_that_kept_nothing_or_says_one_grade_is_no_test_of_the_method(page):
    """At smoke size nothing is kept, and it says so; a run that kept some and tells grades apart
    gets no such sentence."""
    history, walk = before, _ = page.history, page.walk
    p = [f"p{k}" for k in range(5)]
    one, many = (walk["predictions"].copy() for _ in range(2))
    # the best look is the last
    history = history.assign(val_mae=1 / history["step"])
    one[p] = [0.0, 0.0, 1.0, 0.0, 0.0]
    many[p] = np.eye(5)[np.arange(len(many)) % 5]
    try:
        page.history, page.walk = history.assign(kept=0.018), walk | {"predictions": one}
        both = page.found().data
        page.history, page.walk = history.assign(kept=0.4), walk | {"predictions": many}
        none = page.found().data
        page.history = history.drop(columns="kept")  # a method that keeps no share
        assert page.found().data == none
        page.history = history.assign(kept=0.4, val_mae=history["step"])  # the first is
        first = page.found().data
    finally:
        page.history, page.walk = before, walk
    assert both.endswith(
        "**No test of the method**: At the end 1.8 % of the pseudo-labels were kept; "
        "every test picture is graded 2."
    )
    assert "No test" not in none
    assert "first look" not in none
    assert "Of 1 of 1 runs validation chose the weights of its first look" in first
