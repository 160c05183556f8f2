"""Label budgets: every row on each number of labels, noted where Table 2 does not look."""

from __future__ import annotations

import pytest

from riqa_lib import paths, store
from riqa_lib.pictures.photo_data import walk_data
from riqa_lib.tables import stored
from riqa_lib.training import budgets, photographs
from riqa_lib.training.baselines import rows_for

SOME = {"data.labels": 40, "data.labelled": 90, "data.pool": 10}


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """One small simulated walk with Table 2's supervised row, and two rows on 20 and on all
    labels."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("walk")))
    patch.delenv("RIQA_JOURNAL", raising=False)
    photographs.make_data("small", "smoke", SOME)
    photographs.train_rows("small", "smoke", ["supervised", "supervised_all"], 1, SOME)
    listed = budgets.train("small", "smoke", [20, 0], 1, SOME, ["supervised", "mean_teacher"])
    yield listed
    patch.undo()


def test_each_number_of_labels_has_a_list_of_its_own(walk):
    tables = paths.results("small") / "tables"
    few, every = (store.read_table(tables / f"budgets-{n}-seed1.csv") for n in (20, 0))
    assert list(few) == list(every) == list(stored.LISTED)
    assert list(few["method"]) == ["supervised", "mean_teacher"]
    assert set(few["labels"]) == {20}
    assert every["labels"].min() > 40
    assert set(few["seed"]) == {1}
    assert list(walk["run"]) == [*few["run"], *every["run"]]


def test_settings_are_those_of_the_row_but_for_the_labels(walk):
    config = store.read_json(paths.runs() / walk["run"][1] / "config.json")
    assert config["method"]["name"] == "mean_teacher"
    assert (config["data"]["labels"], config["data"]["labelled"], config["seed"]) == (20, 90, 1)


def test_only_runs_of_all_labels_grade_the_pool(walk):
    graded = [set(store.read_predictions(paths.runs() / run)["split"]) for run in walk["run"]]
    assert graded[0] == graded[1] == {"val", "test"}
    assert graded[2] == {"val", "test", "pool"}


def test_table_2_does_not_see_them_and_its_run_of_all_labels_is_reused(walk):
    of_table2 = stored.runs_of("small", ["supervised", "supervised_all", "mean_teacher"], 1)
    assert dict(zip(of_table2["method"], of_table2["labels"], strict=True))["supervised"] == 40
    assert len(of_table2) == 2
    assert of_table2.set_index("method").loc["supervised_all", "run"] == walk["run"][2]


def test_finished_runs_are_reused_with_a_line_each(walk, monkeypatch, capsys):
    monkeypatch.setattr(photographs, "fit", lambda *a, **k: pytest.fail("trained again"))
    again = budgets.train("small", "smoke", [20], 1, SOME, ["supervised", "mean_teacher"])
    assert list(again["run"]) == list(walk["run"][:2])
    assert "20 labels, seed 1, mean_teacher: 0 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "expected different numbers"),
        ([20, 20], "expected different numbers"),
        ([-1], "expected different numbers"),
        ([5000], r"labels \[5000\]: only \d+ training pictures have a grade"),
    ],
)
def test_wrong_numbers_of_labels_train_nothing(walk, labels, words, monkeypatch):
    monkeypatch.setattr(budgets, "train_row", lambda *a: pytest.fail("trained"))
    with pytest.raises(ValueError, match=words):
        budgets.train("small", "smoke", labels, 1, SOME)


def test_more_labels_than_there_are_are_left_out_and_it_is_said(walk, monkeypatch, capsys):
    rows = []
    line = {"run": "r", "method": "forest", "seed": 1, "labels": 0}
    monkeypatch.setattr(
        budgets, "train_row", lambda row, run, data: rows.append(run.data.labels) or line
    )
    every = int(walk["labels"].max())
    budgets.train("small", "smoke", [every - 1, every, 5000], 2, SOME, ["forest"])
    assert rows == [every - 1]
    assert f"labels [{every}, 5000]: left out, {every} training" in capsys.readouterr().out


def test_of_all_labels_only_the_ceiling_is_trained(walk, monkeypatch):
    rows = []
    line = {"run": "r", "seed": 1, "labels": 0}
    monkeypatch.setattr(
        budgets, "train_row", lambda row, *_: rows.append(row) or line | {"method": row}
    )
    budgets.train("small", "smoke", [30, 0], 2, SOME)
    data = walk_data("small")
    assert rows == [*rows_for(budgets.ROWS, data), *rows_for(budgets.CEILING, data)]
    monkeypatch.setattr(budgets, "rows_for", lambda rows, data: ["ridge"])
    budgets.train("small", "smoke", [30], 2, SOME)
    assert rows[-2:] == [budgets.CEILING[-1], "ridge"]
    assert {"forest", "ridge", "supervised", "supervised_ordinal"} <= set(budgets.CEILING)
    assert set(photographs.METHODS) <= set(budgets.ROWS)
