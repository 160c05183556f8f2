"""How Re-IQA learns: what the quality encoder may see, resumed and shared, the line, what is
asked."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from map_trees import COUNTS, blurred_pictures

from riqa_lib import store
from riqa_lib.datasets.data_folder import open_dataset
from riqa_lib.networks.map_store import open_maps
from riqa_lib.networks.reiqa import LiteEncoders, ReIQA
from riqa_lib.training import reiqa_pretrain as pretrain
from riqa_lib.training import reiqa_recipe as recipe
from riqa_lib.training import reiqa_views
from riqa_lib.training.regressors import Lesson
from riqa_lib.training.reiqa_contrast import MomentumContrast
from riqa_lib.training.reiqa_pretrain import QualityConfig
from riqa_lib.training.reiqa_recipe import PAPER, SMOKE, Settings, line_of

QUICK = {"width": 8, "pictures": 5, "copies": 4, "steps": 8, "batch": 4, "queue": 64}
SETTINGS = Settings(**QUICK)
QUALITY = QualityConfig(**QUICK)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """140 pictures of 32 px whose blur is their grade, with their maps."""
    with pytest.MonkeyPatch.context() as m:
        m.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("reiqa")))
        m.delenv("RIQA_JOURNAL", raising=False)
        made = blurred_pictures(size=32)
        open_maps(made, progress=False)
    return made.folder


@pytest.fixture
def data(walk, home, tmp_path):
    shutil.copytree(walk, tmp_path / "data")
    return open_dataset(tmp_path / "data")


def lesson_of(data, folder, seed=3):
    split = data.frame["split"]
    labelled, val, test = (np.flatnonzero(split == s) for s in ("train", "val", "test"))

    def state(part=""):
        return folder / f"state-{part}.safetensors"

    return Lesson(data, labelled, val, np.concatenate([val, test]), seed, state)


def encoder_of(net):
    return {k: v.clone() for k, v in net.encoders.quality.state_dict().items()}


def prepared(data, c=QUALITY):
    net = ReIQA(c.backbone, c.pretrained, c.width)
    return net, pretrain.prepare(c, net, data)


# ---------------------------------------------------------------- the whole
def test_it_learns_blur_and_the_network_says_what_was_learnt(data, tmp_path):
    lesson = lesson_of(data, tmp_path)
    learnt = recipe.learn(SETTINGS, lesson)
    truth = data.frame["grade"].to_numpy()[lesson.asked]
    assert np.corrcoef(learnt.expected, truth)[0, 1] > 0.9
    shown = torch.from_numpy(np.array(data.pixels[lesson.asked]))
    with torch.no_grad():
        again = learnt.net.eval().quality(shown).numpy()
    np.testing.assert_allclose(again, learnt.expected, atol=2e-3)
    said, val = learnt.expected[: COUNTS["val"]], lesson.val_grades
    last = learnt.history.iloc[-1]
    assert last["stage"] == "line"
    assert last["val_mae"] == pytest.approx(np.abs(np.clip(said, 0, 4) - val).mean())
    first = learnt.history[learnt.history["stage"] == "quality encoder"]
    assert first["step"].tolist() == [*range(1, 9)]
    assert learnt.facts["pictures_seen"] == 8 * 4 * 5 * 2 * 2 + COUNTS["train"]
    assert learnt.facts["control_val_mae"] != last["val_mae"]
    encoder = store.read_json(pretrain.folder_of(QUALITY, data) / "provenance.json")
    assert learnt.facts["train_seconds"] >= round(encoder["seconds"], 1)


def test_seeds_and_labels_share_the_quality_encoder(data, tmp_path, monkeypatch):
    lesson = lesson_of(data, tmp_path)
    first = recipe.learn(SETTINGS, lesson)

    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(pretrain, "_train", fail)
    fewer = dataclasses.replace(lesson, labelled=lesson.labelled[:20], seed=4)
    second = recipe.learn(SETTINGS, fewer)
    one, two = encoder_of(first.net), encoder_of(second.net)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert first.facts["quality_encoder"] == second.facts["quality_encoder"]
    assert not torch.equal(first.net.line.weight, second.net.line.weight)


def test_only_labelled_grades_matter(data, tmp_path):
    expected = recipe.learn(SETTINGS, lesson_of(data, tmp_path)).expected
    other = data.frame.copy()
    hidden = other["split"].isin(["val", "test"])
    other.loc[hidden, "grade"] = (other.loc[hidden, "grade"] + 1) % 5
    changed = dataclasses.replace(data, frame=other)
    np.testing.assert_array_equal(
        recipe.learn(SETTINGS, lesson_of(changed, tmp_path)).expected, expected
    )


# ---------------------------------------------------------------- the quality encoder
def test_it_looks_at_training_and_pool_pictures_only(data, monkeypatch):
    rows = pretrain.learnt_rows(data)
    assert set(data.frame["split"].to_numpy()[rows]) == {"train", "pool"}
    assert len(rows) == COUNTS["train"] + COUNTS["pool"]
    seen = []

    def note(c, picture, *keys):
        seen.append(keys[0])
        assert (picture == data.pixels[keys[0]]).all()
        return [reiqa_views.Pair(picture[None, :8, :8], picture[None, 8:16, 8:16])] * 2

    def maps(self, pixels, mirrored):
        return torch.rand(len(pixels), 1, 176, 1, 1).half()

    monkeypatch.setattr(pretrain, "views_of", note)
    monkeypatch.setattr(LiteEncoders, "maps", maps)
    prepared(data, dataclasses.replace(QUALITY, pictures=1000, steps=1))
    assert sorted(seen) == rows.tolist()


def test_training_moves_it_and_starts_alike_whatever_was_drawn_before(data, tmp_path):
    torch.manual_seed(1)
    net, folder = prepared(data)
    start, trained = encoder_of(ReIQA(width=8)), encoder_of(net)
    assert not torch.equal(start["layers.0.weight"], trained["layers.0.weight"])
    assert trained["mean"].abs().max() > 0  # of the maps that it is shown
    shutil.rmtree(folder)
    torch.manual_seed(2)
    again = encoder_of(prepared(data)[0])
    assert all(torch.equal(trained[k], again[k]) for k in trained)
    assert {f.name for f in folder.iterdir()} - {".lock"} == {
        "config.json",
        "model.safetensors",
        "history.csv",
        "provenance.json",
    }


class Killed(Exception):
    pass


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights(data, monkeypatch):
    net, folder = prepared(data)
    whole, history = encoder_of(net), (folder / "history.csv").read_bytes()
    shutil.rmtree(folder)
    steps = []

    def of(self, step):
        steps.append(step)
        if len(steps) == 6:
            raise Killed
        return maps_of(self, step)

    maps_of = pretrain.StoredMaps.of
    monkeypatch.setattr(pretrain.StoredMaps, "of", of)
    with pytest.raises(Killed):
        prepared(data)
    assert {f.name for f in folder.glob("state*")} == {
        "state.safetensors",
        "state-maps.safetensors",
    }

    def fail(*_):
        raise AssertionError("views made again")

    monkeypatch.setattr(pretrain, "views_of", fail)
    again = encoder_of(prepared(data)[0])
    assert steps == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]
    assert all(torch.equal(whole[k], again[k]) for k in whole)
    assert (folder / "history.csv").read_bytes() == history


@pytest.mark.parametrize("name", ["state.safetensors", "state-maps.safetensors"])
def test_a_damaged_state_is_thrown_away_and_said(data, name, capsys):
    folder = pretrain.folder_of(QUALITY, data)
    (folder / name).write_bytes(b"cut off")
    prepared(data)
    assert f"{name}: damaged" in capsys.readouterr().out
    assert store.done(folder)


def test_a_loss_that_is_no_number_stops_it(data, monkeypatch):
    with pytest.raises(FloatingPointError, match=r"at step \d.*reiqa.lr 1e\+30"):
        prepared(data, dataclasses.replace(QUALITY, lr=1e30, optimiser="lars", weight_decay=1.0))


def test_pixels_are_shown_afresh_each_step_in_positive_pairs(data):
    rows = pretrain.learnt_rows(data)[:3]
    shown = pretrain.FreshPixels(dataclasses.replace(QUALITY, batch=2), data, rows)
    one, again, other = shown.of(0), shown.of(0), shown.of(1)
    assert [tuple(q.shape) for q, _ in one] == [(10, 3, 16, 16), (10, 3, 8, 8)]
    for (q, k), (q2, k2) in zip(one, again, strict=True):
        assert torch.equal(q, q2)
        assert torch.equal(k, k2)
        assert q.shape == k.shape
        assert 0 <= q.min() <= q.max() <= 1
        alike = torch.corrcoef(torch.cat([q.mean((2, 3)), k.mean((2, 3))]))[:10, 10:]
        assert torch.isfinite(alike).any()
    assert not torch.equal(one[0][0], other[0][0])
    same = pretrain.FreshPixels(dataclasses.replace(QUALITY, batch=1), data, rows[:1])
    assert not torch.equal(same.of(0)[0][0], same.of(1)[0][0])  # of the same picture


def test_the_key_encoder_follows_after_every_step(data, monkeypatch):
    moved = []
    follow = MomentumContrast.follow

    def note(self):
        before = self.key.head[0].weight.clone()
        follow(self)
        moved.append(not torch.equal(before, self.key.head[0].weight))

    monkeypatch.setattr(MomentumContrast, "follow", note)
    prepared(data)
    assert moved == [True] * 8


# ---------------------------------------------------------------- the line
def test_the_line_is_ridge_with_its_standardisation_folded_in():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) * [1, 10, 0.1, 3] + [5, 0, 1, -2]
    y = x @ [0.5, 0.02, 3, 0] + rng.normal(size=60)
    line = line_of(x, y)
    z = (x - x.mean(0)) / x.std(0)

    def fitted(penalty, z, y):
        m = y.mean()
        w = np.linalg.solve(z.T @ z + penalty * np.eye(4), z.T @ (y - m))
        return w, m

    def left_out(penalty):  # hat matrix of centred ridge with an intercept
        h = z @ np.linalg.solve(z.T @ z + penalty * np.eye(4), z.T) + 1 / len(z)
        w, m = fitted(penalty, z, y)
        return np.mean(((y - z @ w - m) / (1 - np.diag(h))) ** 2)

    penalty = min(np.logspace(0, 5, 21), key=left_out)
    w, m = fitted(penalty, z, y)
    np.testing.assert_allclose(x @ line.weight + line.intercept, z @ w + m, atol=1e-8)


# ---------------------------------------------------------------- settings
def test_profiles_are_settings():
    assert Settings(**SMOKE).steps < Settings().steps
    paper = Settings(**PAPER)
    assert (paper.queue, paper.momentum, paper.temperature, paper.copies) == (65536, 0.999, 0.2, 11)
    assert (paper.backbone, paper.optimiser) == ("resnet50", "lars")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("steps", 0, "reiqa.steps is 0; expected 1 or more"),
        ("patch", 1.0, "reiqa.patch is 1.0; expected more than 0 to below 1"),
        ("temperature", 0.0, "reiqa.temperature is 0.0; expected more than 0"),
        ("optimiser", "sgd", "reiqa.optimiser is 'sgd'; allowed: adamw, lars"),
        ("backbone", "vgg16", "reiqa.backbone is 'vgg16'; allowed: lite0, resnet50"),
    ],
)
def test_settings_that_cannot_be_are_told(setting, value, told):
    with pytest.raises(ValueError, match=told):
        Settings(**{setting: value})
