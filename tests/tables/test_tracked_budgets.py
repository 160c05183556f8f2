"""Label budgets that are tracked: aggregates and facts, no picture, whole or not at all."""

from __future__ import annotations

import budget_walks as walks
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.__main__ import main
from riqa_lib.tables import error_against_labels as budgets
from riqa_lib.tables import reference, tracked_budgets


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "reference")

    def measured(name, weights, without):
        return budgets.measured(name, 20, weights=weights, without=without)

    monkeypatch.setattr(tracked_budgets, "measured", measured)
    return tmp_path


@pytest.fixture
def unmeasured(home, monkeypatch):
    """`home`, where a table of one line stands for every measurement."""
    line = pd.DataFrame({"method": ["ridge"], "mae": [0.5]})
    monkeypatch.setattr(tracked_budgets, "measured", lambda *_, **__: line)
    return home


def test_aggregates_and_facts_are_kept_and_nothing_of_a_picture(home, capsys):
    walks.write_walk("mine", seeds=2, simulated=False, sources=2, only=walks.FEW)
    rows = walks.budget_rows(walks.FEW)
    assert main(["collect", "mine", "--budgets", "--folder", "biq2021"]) == 0
    folder = home / "reference" / "biq2021"
    assert sorted(p.name for p in folder.iterdir()) == [
        "budgets.csv",
        "budgets.json",
        "budgets_last.csv",
    ]
    table = budgets.load("reference/biq2021")
    assert set(table["data"]) == {"real"}
    assert (len(table), table["seeds"].max()) == (1 + len(rows), 2)
    facts = store.read_json(folder / "budgets.json")
    assert facts["splits"] == {"pool": 30, "test": walks.TEST, "train": walks.TRAIN, "val": 40}
    assert facts["sources"] == {"s0": 300, "s1": 300}
    assert (facts["name"], facts["machine"], facts["torch"]) == ("a set", "2 cores", "2.11")
    runs = 2 * len(rows)
    assert (facts["runs"], facts["seeds"], facts["minutes"]) == (runs, [0, 1], runs / 2)
    for file in folder.iterdir():
        text = file.read_text()
        assert "i0" not in text
        assert str(home) not in text
    line = tracked_budgets.provenance_line("reference/biq2021")
    assert line.startswith("Real data (a set, 48 px; pool 30, test 400, train 160, val 40); ")


def test_pictures_that_do_not_count_are_left_out_and_told(home, capsys):
    walks.write_walk("mine", seeds=1, simulated=False, only=walks.FEW)
    test = walks.pictures().query("split == 'test'")
    near = test.iloc[::3]
    store.write_table(home / "near.csv", near[["id"]])
    words = ["collect", "mine", "--budgets", "--folder", "biq2021"]
    assert main([*words, "--without", str(home / "near.csv")]) == 0
    assert set(budgets.load("reference/biq2021")["pictures"]) == {len(test) - len(near)}
    last = budgets.load("reference/biq2021", "last")
    rest = test.loc[~test["id"].isin(near["id"]), "grade"]  # the last step says 0 of everything
    assert last.loc[last["method"] == "fixmatch", "mae"].iloc[0] == pytest.approx(rest.mean())
    line = tracked_budgets.provenance_line("reference/biq2021")
    assert f"; {len(near)} test pictures, near-copies of others, don't count; " in line
    store.write_table(home / "near.csv", near[["id"]].assign(id="gone"))
    capsys.readouterr()
    assert main([*words, "--without", str(home / "near.csv")]) == 1
    assert "1 ids are of no test picture of mine, first gone" in capsys.readouterr().err
    store.write_table(home / "near.csv", near[["split"]])
    assert main([*words, "--without", str(home / "near.csv")]) == 1
    assert "near.csv: no column id; found split" in capsys.readouterr().err
    assert main(["collect", "mine", "--without", "near.csv"]) == 1


def test_a_name_that_is_a_path_tells_nothing_of_it(home):
    walks.write_walk("mine", seeds=1, only=["ridge"])
    file = paths.results("mine") / "data" / "dataset.json"
    store.write_json(file, store.read_json(file) | {"name": "/home/me/photos"})
    assert tracked_budgets.about("mine")["name"] == "photos"


def test_a_collection_that_fails_leaves_no_table_that_counts(unmeasured, monkeypatch):
    walks.write_walk("mine", seeds=1, only=["ridge"])
    file = tracked_budgets.collect_budgets("mine")
    assert file == unmeasured / "reference" / "budgets.csv"
    assert tracked_budgets.tracked()
    monkeypatch.setattr(store, "write_table", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tracked_budgets.collect_budgets("mine")
    assert not tracked_budgets.tracked()
    assert tracked_budgets.block("").startswith("No label budgets are tracked yet")


def test_real_photographs_have_a_folder_of_their_own(unmeasured, capsys):
    walks.write_walk("mine", seeds=1, simulated=False, only=["ridge"])
    with pytest.raises(ValueError, match="has real photographs: name a folder"):
        tracked_budgets.collect_budgets("mine")
    with pytest.raises(ValueError, match=r"folder '\.\./x': expected one name"):
        tracked_budgets.collect_budgets("mine", "../x")
    assert main(["collect", "mine", "--folder", "biq2021"]) == 1
    assert "give both" in capsys.readouterr().err
    assert not tracked_budgets.belongs("mine")
    assert not (unmeasured / "reference").exists()


def test_the_readmes_blocks(home):
    walks.write_walk("mine", seeds=2, only=walks.FEW)
    assert tracked_budgets.belongs("mine")
    tracked_budgets.collect_budgets("mine")
    blocks = tracked_budgets.blocks()
    assert set(blocks) == {"budgets", "biq2021"}
    assert "riqa collect WALK --budgets --folder biq2021" in blocks["biq2021"]
    for said in ("Simulated data", "cells undecided", "| 60 |", "gap closed", "commit abc"):
        assert said in blocks["budgets"]
    chosen, last = blocks["budgets"].split("**With the weights of the last step**")
    assert "supervised MAE" in last
    grades = walks.pictures().query("split == 'test'")["grade"]
    assert f"supervised MAE {grades.mean():.3f}" in last  # it says grade 0 of everything
    assert f"supervised MAE {grades.mean():.3f}" not in chosen


def test_the_reference_hands_them_to_the_readme(monkeypatch):
    monkeypatch.setattr(tracked_budgets, "blocks", lambda: {"budgets": "said"})
    assert reference.readme_blocks()["budgets"] == "said"
