"""The rows of the table of related work: trained as Table 2's rows are, asked of any pixels."""

from __future__ import annotations

import dataclasses
import shutil

import cheaper
import numpy as np
import pytest
import toy_regressors
from map_trees import mapped_pictures

from riqa_lib import paths, store
from riqa_lib.seeding import rng
from riqa_lib.stats.metrics import columns_p, srcc
from riqa_lib.training import baselines, graders, photographs, regressors, related, stored_networks
from riqa_lib.training.related_profiles import SETTINGS, settings_of

CHANGES = {
    "data.size": 48,
    "data.crop": 32,
    "data.labels": 30,
    "model.stem": "lite0",
    "model.freeze": True,
    "model.weights": "imagenet",
}
ROWS = ["brisque", "forest", "ridge", "ridge_stages", "kernel_stages", "supervised", "dbcnn"]
SEED = 1


@pytest.fixture(scope="module")
def walk(module_home):
    """A walk's data, all rows trained on it, and their list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(regressors.MODELS, "dbcnn", toy_regressors.MODEL)
        patch.setitem(SETTINGS, "smoke", {})  # the toy has none of the network's
        cheaper.few_trees(patch)
        data = mapped_pictures()
        yield data, related.train("small", "smoke", ROWS, SEED, CHANGES)


def folder_of(table, row):
    return paths.runs() / table.set_index("method").loc[row, "run"]


def expected(folder, split="test"):
    """What a run stored: (grades expected (N,), ids)."""
    said = store.read_predictions(folder)
    said = said[said["split"] == split]
    p = said[columns_p(said)].to_numpy(float)
    return p @ np.arange(p.shape[1]), said["id"].tolist()


# ---------------------------------------------------------------- trained
def test_the_list_names_every_run_apart_from_table_2s(walk):
    _data, table = walk
    assert table["method"].tolist() == ROWS
    assert (table["labels"] == 30).all()
    assert (table["seed"] == SEED).all()
    folder = paths.results("small") / "tables"
    names = {f"related-{row}-seed{SEED}.csv" for row in ROWS}
    assert {f.name for f in folder.glob("*.csv")} == names
    found = graders.listed("small").set_index("method").loc[ROWS].reset_index()
    assert found[list(table)].to_dict("records") == table.to_dict("records")


def test_rows_of_table_2_are_its_own_runs(walk, monkeypatch):
    data, table = walk
    for row in ("forest", "ridge", "supervised"):
        run = photographs.settings("smoke", row, SEED, CHANGES)
        monkeypatch.setattr(baselines, "_fitted", lambda *a: pytest.fail("fitted again"))
        monkeypatch.setattr(photographs, "_trained", lambda *a: pytest.fail("trained again"))
        assert photographs.train_row(row, run, data)["run"] == folder_of(table, row).name


def test_a_model_learns_from_the_same_pictures_and_says_nothing_of_the_pool(walk):
    data, table = walk
    rows = photographs.rows_of(photographs.settings("smoke", "ridge", SEED, CHANGES), data)
    seen = []

    def learn(settings, lesson):
        seen.append(lesson)
        return toy_regressors.learn(settings, lesson)

    model = toy_regressors.MODEL._replace(learn=learn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(regressors.MODELS, "dbcnn", model)
        shutil.rmtree(folder_of(table, "dbcnn"))
        again = related.train("small", "smoke", ["dbcnn"], SEED, CHANGES)
    assert again.loc[0, "run"] == folder_of(table, "dbcnn").name
    assert seen[0].labelled.tolist() == rows["labelled"].tolist()
    assert seen[0].val.tolist() == rows["val"].tolist()
    assert (seen[0].grades == data.frame["grade"].to_numpy()[rows["labelled"]]).all()
    said = store.read_predictions(folder_of(table, "dbcnn"))
    assert set(said["split"]) == {"val", "test"}
    facts = store.read_json(folder_of(table, "dbcnn") / "provenance.json")
    assert (facts["labels"], facts["pictures_seen"], facts["parameters"]) == (30, 30, 7)
    assert facts["train_seconds"] >= 0
    assert store.read_json(folder_of(table, "dbcnn") / "config.json")["labels"] == 30


def test_speed_is_measured_once(walk, monkeypatch):
    _data, table = walk
    for row in ROWS:
        told = store.read_json(folder_of(table, row) / related.SPEED)
        assert (told["pictures"], told["size"]) == (40, 48)
        assert told["pictures_a_second"] > 0
    monkeypatch.setattr(graders, "of", lambda *a: pytest.fail("measured again"))
    related.train("small", "smoke", ["forest"], SEED, CHANGES)


def test_settings_of_a_model_and_what_is_wrong_with_them(walk):
    assert settings_of("dbcnn", "reference", {"dbcnn.steps": 5, "train.steps": 2}).steps == 5
    assert (
        related.run_of("dbcnn", "reference", 0, {"dbcnn.steps": 5, "train.steps": 2}).train.steps
        == 2
    )
    for changes, row, said in (
        ({"dbcnn.stops": 5}, "dbcnn", "unknown setting 'dbcnn.stops'.*steps"),
        ({"dbcnn.stops": 5}, "dbcnn", "dbcnn.steps"),
        ({"train.stops": 5}, "dbcnn", "unknown setting 'train.stops'"),
        ({}, "dbcnm", "unknown row 'dbcnm'; allowed: brisque, forest"),
        ({}, "constant", "unknown row 'constant'"),
    ):
        with pytest.raises(ValueError, match=said):
            related.train("small", "smoke", [row], 0, changes)
    with pytest.raises(ValueError, match="unknown profile 'dem'"):
        related.train("small", "dem", ["dbcnn"], 0)
    with pytest.raises(ValueError, match="none given"):
        related.train("small", "smoke", [], 0)
    with pytest.raises(TypeError, match=r"dbcnn\.steps is 'many'"):
        settings_of("dbcnn", "smoke", {"dbcnn.steps": "many"})


def test_a_model_that_is_not_there_is_told(walk, monkeypatch):
    monkeypatch.delitem(regressors.MODELS, "dbcnn")
    with pytest.raises(ValueError, match="unknown model of related work 'dbcnn'"):
        related.train("small", "smoke", ["dbcnn"], 0, CHANGES)


# ---------------------------------------------------------------- asked
@pytest.mark.parametrize("row", ROWS)
def test_a_grader_says_of_pixels_what_the_run_stored(walk, row):
    data, table = walk
    said, ids = expected(folder_of(table, row))
    places = data.frame.set_index("id").index.get_indexer(ids)
    grade = graders.of(row, folder_of(table, row).name, data)
    found = np.clip(grade(data.pixels[places]), 0, 4)
    assert found.shape == (40,)
    # maps are made in other batches: a float16 here and there
    assert found == pytest.approx(said, abs=5e-3 if row != "dbcnn" else 1e-4)
    assert np.ptp(found) > 0.1
    assert grade(data.pixels[places[:1]]) == pytest.approx(grade(data.pixels[places])[:1], abs=5e-3)


def test_graders_know_quality_of_pictures_of_another_size(walk):
    data, _table = walk
    test = np.flatnonzero(data.frame["split"] == "test")
    larger = np.tile(data.pixels[test], (1, 2, 1, 1))[:, :80, 4:48]
    larger = np.concatenate([larger, larger], axis=2)[:, :, :80]
    found = graders.of_walk("small", data, SEED, ["constant", "brisque", "ridge", "reiqa"])
    assert list(found) == ["constant", "brisque", "ridge"]  # what is not trained has none
    truth = data.frame["grade"].to_numpy()[test]
    for row in ("brisque", "ridge"):
        assert srcc(found[row](larger), truth) > 0.6, row
    assert set(found["constant"](larger)) == {2.0}


def test_the_constant_is_of_the_labelled_grades():
    always = graders.of_constant(np.array([0, 1, 1, 4]), 5)
    assert always(np.zeros((3, 8, 8, 3), np.uint8)).tolist() == [1, 1, 1]


def test_what_cannot_be_asked_is_told(walk):
    data, table = walk
    with pytest.raises(
        FileNotFoundError, match=r"ridge: no finished run 'ridge-none' .*12_related"
    ):
        graders.of("ridge", "ridge-none", data)
    with pytest.raises(FileNotFoundError, match="12_related_models"):
        graders.of("dbcnn", "", data)
    with pytest.raises(FileNotFoundError, match="12_related_models"):
        graders.of_walk("nowhere", data)
    with pytest.raises(ValueError, match="a run of forest, not of ridge"):
        graders.of("ridge", folder_of(table, "forest"), data)
    with pytest.raises(ValueError, match="looks at no picture"):
        graders.of("source_mean", folder_of(table, "forest"), data)
    frame = data.frame.assign(grade=data.frame["grade"].where(data.frame["grade"] != 3, 2))
    with pytest.raises(ValueError, match="fitted to other pictures or labels"):
        graders.of("ridge", folder_of(table, "ridge"), dataclasses.replace(data, frame=frame))


def test_a_stored_model_is_the_same_network_and_fetches_nothing(walk):
    """`build` with pretrained weights raises in this toy."""
    _data, table = walk
    one = stored_networks.load(folder_of(table, "dbcnn"))
    pixels = rng("any").integers(0, 256, (9, 48, 48, 3)).astype(np.uint8)
    whole = one.quality(pixels)
    assert one.quality(pixels, batch=2) == pytest.approx(whole)
    p = one.probabilities(pixels)
    assert p.shape == (9, 5)
    assert p @ np.arange(5) == pytest.approx(np.clip(whole, 0, 4))
    with pytest.raises(TypeError, match="classifies"):
        stored_networks.load(folder_of(table, "supervised")).quality(pixels)


def test_settings_of_another_version_are_told(walk, tmp_path):
    data, table = walk
    shutil.copytree(folder_of(table, "dbcnn"), tmp_path / "run")
    config = store.read_json(tmp_path / "run" / "config.json")
    for method in (config["method"] | {"stops": 1}, config["method"] | {"name": "dbcnm"}):
        store.write_json(tmp_path / "run" / "config.json", config | {"method": method})
        with pytest.raises(ValueError, match=r"config\.json: settings of another version of riqa"):
            stored_networks.load(tmp_path / "run")
    (tmp_path / "run" / "about.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"about\.json not there.*train again"):
        graders.of("dbcnn", tmp_path / "run", data)
