"""What notebooks 04 to 09 have in common, walked once at smoke size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulas import words

from riqa_lib.figures import style
from riqa_lib.pages.method_page import MethodPage
from riqa_lib.training import photographs


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("RIQA_JOURNAL", raising=False)
        saved: list[tuple[str, str]] = []
        patch.setattr(style, "save", lambda figure, name, walk: saved.append((name, walk)))
        some = {"data.labelled": 75, "train.steps": 4}
        photographs.make_data("smoke", "smoke", some)
        page = MethodPage("smoke", "smoke", "fixmatch", 0, some)
        page.before = page.compared_with()
        page.trained, page.saved = page.train(), saved
        yield page


def test_without_supervised_runs_it_says_which_notebook_to_run(page):
    assert page.before.data == (
        "nothing to compare with: run notebook 03_vit_supervised with SEED = 0 first"
    )


def test_the_page_is_of_its_own_row_and_settings(page):
    assert list(page.runs["method"]) == ["fixmatch"]
    assert page.run.train.steps == 4
    assert set(page.history["method"]) == {"fixmatch"}
    assert page.history["step"].max() == 4
    assert set(page.pool["split"]) == {"pool"}
    assert len(page.pool) == 60
    assert "FixMatch" in page.row().data
    seen = 4 * 3 * page.run.train.batch  # each step: a labelled picture, two views of another
    assert f"| {3 * page.run.train.batch} | {seen} |" in page.row().data
    unlabelled = len(page.labels()) + 60
    batch = f"{page.run.train.batch} labelled pictures and {page.counts['M']} of {unlabelled}"
    assert page.trained.data.startswith(f"ViT + FixMatch, seed 0: 4 steps, each of {batch} ")
    assert f"{seen} views in all" in page.trained.data
    assert "| method.ordinal |" not in page.departures().data
    assert page.departures().data.startswith("Not as in the algorithm's paper")
    assert "FixMatch" in page.found().data
    assert "simulated" in page.provenance().data


def test_symbols_and_settings_have_the_values_of_the_run(page):
    text = page.symbols().data
    assert "| $\\tau$ | least confidence" in text
    assert f"`fixmatch.tau` | {page.run.method.tau} |" in text
    assert f"| $M$ | pictures of the pool in a batch, $\\mu B$ | – | {page.counts['M']} |" in text
    changed = page.how_to_change().data
    assert 'SETTINGS = {"fixmatch.tau": 0.95}' in changed
    assert "--only 04_fixmatch --set fixmatch.tau=0.95`" in changed
    assert "| `fixmatch.tau` | 0.95 | 0 to 1 | $\\tau$: least confidence" in changed
    assert "| `fixmatch.weak` | train | train, eval, ema |" in changed
    assert "| `fixmatch.soft` | False | True or False |" in changed


def test_views_and_photographs_are_drawn_and_read(page):
    figure, read = page.views()
    assert [ax.get_ylabel() for ax in figure.axes][::6] == [
        "photograph",
        "weak\nview",
        "strong\nview",
    ]
    assert "A view is a crop of 32 of 40 px" in read.data
    *figures, read = page.surest()
    assert len(figures) == 1
    assert "ViT + FixMatch: " in read.data
    assert "of 60 pictures are graded rightly" in read.data
    (worst, read), test = page.most_wrong(), page.walk["predictions"].query("split == 'test'")
    assert style.data_label(worst) == "simulated data"
    assert read.data.startswith(f"Of {len(test):,} pictures ViT + FixMatch grades ")
    assert "get" not in read.data  # no supervised row to stand beside it
    rows = page.walk["predictions"]
    two = pd.concat([rows, rows.assign(method="supervised")], ignore_index=True)
    walk = page.walk
    try:
        page.walk = walk | {"predictions": two}
        both = page.most_wrong()[-1].data
    finally:
        page.walk = walk
    assert "ViT + FixMatch alone 0, ViT, supervised alone 0, neither" in both


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
    found = page.pool_shares()[-1].data
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
        drawn = words(page.pool_shares()[0])
        assert "forest" not in drawn
        assert "pool: ViT, supervised, all" in drawn
    finally:
        page.supervised = nothing


def test_without_a_pool_it_says_so_and_draws_nothing(page, monkeypatch):
    assert style.data_label(page.pool_shares()[0]) == "simulated data"
    assert ("04_pool-seed0", "smoke") in page.saved
    none = page.told().iloc[:0]
    monkeypatch.setattr(page, "told", none.copy)
    assert page.pool_shares() == []
    assert "There is no pool, or no run graded it" in page.pool_story().data
    monkeypatch.setattr(MethodPage, "pool", property(lambda self: none))
    assert page.surest() == []


def test_real_pools_have_no_accuracy(page, monkeypatch):
    real = page.told().assign(truth=-1)
    real["grade"] = np.where(np.arange(len(real)) % 3 == 0, 0, 2)
    monkeypatch.setattr(page, "told", real.copy)
    monkeypatch.setattr(page, "simulated", False)
    text = page.pool_story().data
    assert text.startswith("Real data.")
    assert "ccuracy" not in text
    assert "always" not in text
    read = page.pool_shares()[-1]
    most = page.told()["grade"].mode().iloc[0]
    share = (page.told()["grade"] == most).mean()
    assert f"says {most} of {share:.0%} of the pictures without a label" in read.data
    assert "nobody knows" in read.data
    assert "nobody knows" in page.surest()[-1].data
    assert (page.pool["truth"] == -1).all()  # whatever was stored


def test_figures_carry_the_number_of_the_notebook_and_the_seed(page):
    page.saved.clear()
    page.pseudo_labels("mechanism")
    page.learning_curves()
    page.save(None, "once", per_seed=False)
    names = ["04_mechanism-seed0", "04_learning_curves-seed0", "04_once"]
    assert page.saved == [(name, "smoke") for name in names]


def test_a_method_that_keeps_all_or_nothing_shows_its_learning_curves(page):
    history = page.history
    try:
        page.history = history.assign(val_kept=0.0, val_kept_accuracy=np.nan)
        nothing = page.pseudo_labels("nothing")
        page.history = history.assign(val_kept=0.5, val_kept_accuracy=0.5)
        some = page.pseudo_labels("some")
    finally:
        page.history = history
    assert "validation MAE" in words(nothing[0])
    assert "share of pictures kept" in words(some[0])
    assert "nothing is learnt from the pool" in nothing[1].data
    rows = photographs.rows_of(page.run, page.data)["val"]
    grades = page.data.frame["grade"].iloc[rows]
    always = (grades == grades.mode().iloc[0]).mean()
    assert f"would be right for {100 * always:.0f} %" in some[1].data


def test_curves_and_the_table_show_the_rows_that_a_reader_compares(page):
    history, walk = page.walk["history"], page.walk
    rows = ["supervised", "supervised_strong", "supervised_equal", "ridge"]
    more = [history.assign(method=m) for m in rows]
    try:
        page.walk = walk | {"history": pd.concat([history, *more], ignore_index=True)}
        figure, read = page.learning_curves()
    finally:
        page.walk = walk
    shown = words(figure)
    assert "ViT, supervised, strong views" in shown
    assert "as many pictures" not in shown
    assert "ridge" not in shown
    assert read.data.startswith("ViT + FixMatch: least validation MAE ")
    table = page.row().data
    assert "best constant" in table
    assert "| always 2 |" not in table


def test_supervised_runs_of_the_seed_stand_beside_it(page, monkeypatch):
    table = pd.DataFrame({"run": ["x"], "method": ["supervised"], "seed": [0], "labels": [1]})
    monkeypatch.setattr("riqa_lib.tables.stored.runs_of", lambda *a: table)
    other = MethodPage("smoke", "smoke", "simmatch", 0, {})
    assert other.compared_with().data == (
        "Compared with, of seed 0: ViT, supervised (1 labels each)."
    )
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
    assert "Not in the row" not in none
    assert "Of 1 of 1 runs validation chose the weights of its first look" in first
