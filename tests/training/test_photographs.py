"""Settings: three doors, one object, clear errors; a small walk from pixels to predictions."""

from __future__ import annotations

import dataclasses

import cheaper
import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image

from riqa_lib import store
from riqa_lib.pictures import photo_data
from riqa_lib.tables import stored
from riqa_lib.training import photographs
from riqa_lib.training.photographs import Run, settings
from riqa_lib.training.pretrain import PretrainConfig, distorted_pairs


def test_but_changes_a_copy():
    run = Run()
    other = run.but(method="fixmatch", seed=3, **{"train.lr": 1, "method.tau": 0.7})
    assert (other.seed, other.train.lr, other.method.tau) == (3, 1.0, 0.7)
    assert isinstance(other.train.lr, float)
    assert run == Run()


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"train.learning_rate": 1.0}, ValueError,
     "unknown setting 'train.learning_rate'; TrainConfig has: steps, batch"),
    ({"optimiser": "adam"}, ValueError, "unknown setting 'optimiser'; Run has: method, data"),
    ({"method": "bestmatch"}, ValueError,
     "unknown method 'bestmatch'; allowed: supervised, fixmatch, simmatch"),
    ({"method.tau": 0.5}, ValueError,
     "unknown setting 'method.tau'; Supervised.Config has: name, strong"),
    ({"train.steps": "many"}, TypeError, "train.steps is 'many', a str; expected a int like"),
    ({"train.steps": 1.5}, TypeError, "expected a int"),
    ({"train.steps": True}, TypeError, "expected a int"),
    ({"train": 3}, ValueError, "'train' has parts, set one of them: train.steps"),
    ({"data.source": "web"}, ValueError, "allowed: simulation, koka10k, folder"),
    ({"data.crop": 200}, ValueError, "larger than data.size"),
])  # fmt: skip
def test_a_typo_or_wrong_type_lists_what_is_allowed(changes, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(")):
        Run().but(**changes)


@pytest.mark.parametrize("profile", photographs.PROFILES)
@pytest.mark.parametrize("row", photographs.ROWS)
def test_every_profile_and_row_gives_settings_that_store(profile, row):
    run = settings(profile, row, 1, {"fixmatch.tau": 0.61})
    assert len(store.settings_hash(run.config("x"))) == 12
    assert row != "fixmatch" or run.method.tau == 0.61
    assert run.method.name == {"fixmatch_randaugment": "fixmatch"}.get(
        row, row if row in photographs.METHODS else "supervised"
    )


@pytest.mark.parametrize(("call", "words"), [
    (("huge",), "unknown profile 'huge'; allowed: smoke, demo"),
    (("demo", "magic"), "unknown row 'magic'; allowed: supervised"),
    (("demo", "supervised", 0, {"fixmatch.tao": 1.0}),
     "unknown setting 'fixmatch.tao'; FixMatch has: name, tau"),
])  # fmt: skip
def test_unknown_names_are_listed(call, words):
    with pytest.raises(ValueError, match=words):
        settings(*call)


def test_another_methods_settings_are_checked_and_do_not_count():
    assert settings("demo", "simmatch", 0, {"fixmatch.tau": 0.1}) == settings("demo", "simmatch")
    with pytest.raises(TypeError, match=r"fixmatch\.tau is '0.5', a str"):
        settings("demo", "simmatch", 0, {"fixmatch.tau": "0.5"})
    with pytest.raises(ValueError, match=r"^fixmatch\.tau is 2"):
        settings("demo", "simmatch", 0, {"fixmatch.tau": 2.0})


def test_distorted_pairs_are_ordered_and_reproducible():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    c = PretrainConfig(pictures=8)
    pairs, kind, levels = distorted_pairs(pixels, np.arange(12), c, 0)
    assert pairs.shape == (2, 8, 32, 32, 3)
    assert (levels[0] < levels[1]).all()
    assert levels.min() >= 0
    assert levels.max() <= 4
    assert kind.max() < len(c.kinds)
    again = distorted_pairs(pixels, np.arange(12), c, 0)
    assert all(np.array_equal(a, b) for a, b in zip((pairs, kind, levels), again, strict=True))


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """One small simulated walk: data, first weights, the rows that are read here, with 40 labels.
    Every row is trained in test_any_number_of_grades."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("walk")))
    patch.delenv("RIQA_JOURNAL", raising=False)
    some = {"data.labels": 40, "data.labelled": 120, "data.pool": 20}
    rows = ["supervised", "supervised_equal", "supervised_all", "fixmatch", "fixmatch_second"]
    photographs.make_data("small", "smoke", some)
    runs = photographs.train_rows("small", "smoke", rows, 0, some)
    yield some, runs
    patch.undo()


def test_rows_share_data_weights_and_budget(walk):
    some, runs = walk
    data = photo_data.walk_data("small")
    kept = runs.set_index("method")
    assert kept.loc["supervised", "labels"] == kept.loc["fixmatch", "labels"] == 40
    full = int(((data.frame["split"] == "train") & (data.frame["grade"] >= 0)).sum())
    assert kept.loc["supervised_all", "labels"] == full
    rows = photographs.rows_of(settings("smoke", "supervised", 0, some), data)
    assert len(rows["val"]) <= 40
    few = photographs.rows_of(settings("smoke", "supervised", 0, some | {"data.labels": 10}), data)
    assert len(few["val"]) == len(few["labelled"]) == 10
    assert set(data.frame["split"].iloc[rows["unlabelled"]]) == {"pool", "train"}
    assert set(rows["labelled"]) <= set(rows["unlabelled"])
    nets = [
        photographs.build(settings("smoke", row, 0, some), data, rows["labelled"]).net
        for row in photographs.ROWS
    ]
    for net in nets[1:]:
        assert all(
            torch.equal(a, b)
            for a, b in zip(nets[0].state_dict().values(), net.state_dict().values(), strict=True)
        )


def test_the_control_of_equal_compute_saw_as_many_pictures_as_fixmatch(walk):
    _, runs = walk
    kept = runs.set_index("method")["run"]
    seen = {
        row: store.read_json(store.paths.runs() / kept[row] / "provenance.json")["pictures_seen"]
        for row in ("supervised", "supervised_equal", "fixmatch")
    }
    a_step = settings("smoke", "supervised_equal").train.batch
    assert abs(seen["supervised_equal"] - seen["fixmatch"]) <= a_step
    assert seen["supervised"] < seen["supervised_equal"]


def test_test_labels_are_never_seen(walk):
    """Other test grades, same run: training looks at training and validation pictures only."""
    some, _runs = walk
    data = photo_data.walk_data("small")
    frame = data.frame.copy()
    frame.loc[frame["split"] == "test", "grade"] = 0
    changed = dataclasses.replace(data, frame=frame)
    run = settings("smoke", "fixmatch", 0, some)
    a, b = photographs.train(run, data), photographs.train(run, changed)
    assert a != b
    names = [f"p{k}" for k in range(5)]
    assert store.read_predictions(a)[names].equals(store.read_predictions(b)[names])


def test_first_weights_never_see_test_or_validation_pictures(walk, monkeypatch):
    some, _ = walk
    seen = []
    monkeypatch.setattr(
        photographs, "pretrain", lambda net, pixels, rows, *rest: seen.append(rows) or {}
    )
    data = photo_data.walk_data("small")
    photographs.prepare_weights(
        settings("smoke", "supervised", 0, some | {"pretrain.steps": 3}), data
    )
    assert set(data.frame["split"].iloc[seen[0]]) == {"train", "pool"}


def test_predictions_cover_val_test_and_pool(walk):
    _, runs = walk
    data = photo_data.walk_data("small")
    table = store.read_predictions(store.paths.runs() / runs["run"].iloc[0])
    assert set(table["split"]) == {
        "val",
        "test",
        "pool",
        "train",
    }  # train: those whose grade was hidden
    frame = data.frame.set_index("id")
    test = table[table["split"] == "test"]
    assert len(test) == (frame["split"] == "test").sum()
    assert (frame.loc[test["id"], "grade"].to_numpy() == test["truth"].to_numpy()).all()
    pool = table[table["split"] == "pool"]
    assert (frame.loc[pool["id"], "true_grade"].to_numpy() == pool["truth"].to_numpy()).all()


def test_a_finished_run_is_not_trained_again(walk, monkeypatch):
    some, runs = walk
    monkeypatch.setattr(photographs, "fit", lambda *a, **k: pytest.fail("trained again"))
    again = photographs.train_rows("small", "smoke", ["fixmatch"], 0, some)
    assert again["run"].iloc[0] == runs.set_index("method").loc["fixmatch", "run"]


def test_more_labels_than_there_are(walk):
    some, _ = walk
    data = photo_data.walk_data("small")
    with pytest.raises(ValueError, match=r"data\.labels is 5000, but only"):
        photographs.train(settings("smoke", "supervised", 0, some | {"data.labels": 5000}), data)


def test_missing_data_names_the_notebook(home):
    with pytest.raises(FileNotFoundError, match="run the notebook 01_koka10k first"):
        photo_data.walk_data("nothing")


def test_a_folder_without_pictures_says_what_is_missing(home):
    with pytest.raises(ValueError, match=r"reads real pictures: say where they are"):
        photographs.make_data("paper", "paper", {"data.source": "folder"})


@pytest.mark.parametrize("profile", ["gpu", "paper"])
def test_large_profiles_run_when_cut_down(profile, home, tmp_path, monkeypatch):
    """The same code path with fewer steps, smaller pictures and timm's smallest ViT of the kind;
    `paper` on pictures in a folder, from no weights."""
    small = {
        "data.size": 40,
        "data.crop": 32,
        "model.arch": "vit_tiny_patch16_224",
        "train.steps": 2,
        "train.batch": 4,
        "train.evaluations": 1,
        "pretrain.pictures": 4,
        "pretrain.steps": 1,
        "pretrain.batch": 2,
    }
    if profile == "gpu":
        small |= {"data.labelled": 60, "data.pool": 8}
    else:
        rng = np.random.default_rng(0)
        for i in range(60):
            Image.fromarray(rng.integers(0, 256, (44, 50, 3), np.uint8)).save(tmp_path / f"{i}.png")
        table = pd.DataFrame(
            {"name": [f"{i}.png" for i in range(60)], "MOS": np.linspace(0, 100, 60)}
        )
        table.to_csv(tmp_path / "scores.csv", index=False)
        place = {
            "root": str(tmp_path),
            "table": str(tmp_path / "scores.csv"),
            "id": "name",
            "score": "MOS",
            "low": 0,
            "high": 100,
        }
        small |= {"data.source": "folder", "data.folder": place, "model.weights": "none"}
    cheaper.few_resamples(monkeypatch)
    assert timm.is_model(settings(profile, "supervised").model.arch)
    photographs.make_data("cut", profile, small)
    runs = photographs.train_rows("cut", profile, ["supervised", "fixmatch"], 0, small)
    table = stored.load_runs("cut", runs)["table2"]
    assert set(table["method"]) >= {"constant", "supervised", "fixmatch"}
    assert set(table["data"]) == {"simulated" if profile == "gpu" else "real"}


def test_only_first_stages_grade_the_pool():
    assert settings("demo", "simmatch").grade_pool
    assert not settings("demo", "simmatch_second").grade_pool
