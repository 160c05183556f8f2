"""What each notebook trains, run by run. That the list is what notebooks train is held to the
whole plan in tests/notebooks."""

from __future__ import annotations

import shutil

import pytest

from riqa_lib import paths, store
from riqa_lib.training import budgets, fundus, fundus_baselines, photographs
from riqa_lib.training.planned_runs import SUPERVISED, first_weights, planned

SOME = {"data.labelled": 60, "data.pool": 10, "train.steps": 2, "train.evaluations": 1}
GIVEN = {"NAME": "small", "PROFILE": "smoke", "SEED": 1, "SETTINGS": SOME}


@pytest.fixture(scope="module")
def walk(module_home):
    return photographs.make_data("small", "smoke", SOME)


def test_every_row_of_notebook_03_has_a_folder_of_its_own_before_it_is_trained(walk):
    runs = planned("03_vit_supervised.ipynb", GIVEN)
    assert [one.row for one in runs] == [row for row in SUPERVISED if row != "kernel"]
    assert len({one.folder() for one in runs}) == len(runs)
    assert not any(one.folder().exists() for one in runs)
    assert {one.name for one in runs if not one.gpu} == {"source_mean", "forest", "ridge"}
    few = planned("03_vit_supervised", GIVEN | {"SETTINGS": SOME | {"data.labels": 20}})
    assert few[0].row == "supervised_all"


def test_a_planned_run_is_the_one_that_the_notebook_then_finds(walk, monkeypatch, capsys):
    labels = {"LABELS": [20]}
    runs = planned("20_label_budgets", GIVEN | labels)
    assert {one.name for one in runs} >= {"crmatch, 20 labels", "supervised, all labels"}
    chosen = next(one for one in runs if one.name == "supervised, 20 labels")
    chosen.train()
    assert store.done(chosen.folder())
    assert store.read_json(chosen.folder() / "config.json")["data"]["labels"] == 20
    monkeypatch.setattr(photographs, "fit", lambda *a, **k: pytest.fail("trained again"))
    listed = budgets.train("small", "smoke", [20], 1, SOME, ["supervised"])
    assert list(listed["run"]) == [chosen.folder().name]


def test_a_second_stage_is_planned_where_its_first_is_finished(walk):
    assert planned("10_second_stage", GIVEN) == []
    (first,) = planned("04_fixmatch", GIVEN)
    first.train()
    (second,) = planned("10_second_stage", GIVEN)
    assert second.row == "fixmatch_second"
    second.train()
    config = store.read_json(second.folder() / "config.json")
    assert config["teacher"] == first.folder().name


def test_what_all_runs_wait_for_is_made_once_by_notebook_03(walk):
    assert first_weights("04_fixmatch", GIVEN) is None
    one, files = first_weights("03_vit_supervised", GIVEN)
    one.train()
    assert {f.name for f in files if f.exists()} >= {"model.safetensors", "provenance.json"}
    frozen = GIVEN | {
        "SETTINGS": SOME
        | {"model.weights": "imagenet", "model.stem": "lite0", "model.freeze": True}
    }
    _, maps = first_weights("03_vit_supervised", frozen)
    assert {f.parent for f in maps} == {paths.results("small") / "data"}


def test_fundus_rows_are_planned_after_their_teacher_and_a_search_stays_in_its_notebook(
    home, monkeypatch
):
    given = {"NAME": "none", "PROFILE": "smoke", "SEED": 0, "SETTINGS": {}}
    teachers = planned("14_teacher", given)
    assert {one.row for one in teachers} >= {"teacher_lite0", *fundus_baselines.KINDS}
    with pytest.raises(FileNotFoundError, match="13_fundus_datasets"):
        teachers[0].folder()
    students = {one.row for one in planned("15_student", given)}
    assert (
        {"multi_lite0_deepdrid", "forest_eyeq"}
        <= students
        <= {*fundus.ROWS, *fundus_baselines.ROWS}
    )
    searched = {one.row for one in planned("15_student", given | {"PROFILE": "gpu"})}
    assert searched <= set(fundus_baselines.ROWS)


def test_other_notebooks_plan_nothing_and_a_walk_without_data_says_what_to_run(home):
    assert planned("11_table2", GIVEN) == []
    with pytest.raises(FileNotFoundError, match="01_koka10k"):
        planned("03_vit_supervised", GIVEN)


def test_a_run_that_makes_the_first_weights_itself_has_the_bytes_of_one_that_finds_them(walk, home):
    """SimMatch draws a projection after its network; nothing may draw in between."""
    shutil.copytree(walk.folder, paths.results("small") / "data")
    (one,) = planned("05_simmatch", GIVEN)
    said = []
    for _ in range(2):  # weights are made; weights are there
        shutil.rmtree(one.folder(), ignore_errors=True)
        one.train()
        said.append((one.folder() / "model.safetensors").read_bytes())
    assert said[0] == said[1]
