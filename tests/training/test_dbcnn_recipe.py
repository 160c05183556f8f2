"""DBCNN's stages: what they learn from, that what is finished stays, that validation selects."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from map_trees import mapped_pictures
from sklearn.linear_model import Ridge

from riqa_lib.networks.dbcnn import DBCNN, SCNN
from riqa_lib.sim.distortions import LEVELS
from riqa_lib.training import dbcnn_recipe, scnn_pretraining
from riqa_lib.training.dbcnn_recipe import Pictures, Settings, least_squares
from riqa_lib.training.one_stage import Stage
from riqa_lib.training.optimisation import TrainConfig, lr_at
from riqa_lib.training.regressors import Lesson
from riqa_lib.training.scnn_pretraining import CLASSES, Pretraining, set_rate

TINY = Pretraining(pictures=39, side=32, crop=16, steps=4, batch=4)
SETTINGS = Settings(scnn=TINY, epochs=0.6, batch=6, lr=1e-3, checks=2)


@pytest.fixture(scope="module")
def walk(module_home):
    return mapped_pictures()


def lesson_of(data, folder, seed=0):
    rows = [np.flatnonzero(data.frame["split"] == s) for s in ("train", "val", "test")]
    folder.mkdir(exist_ok=True)
    return Lesson(data, rows[0], rows[1], rows[2][:20], seed, lambda part: folder / f"{part}.state")


def never(*_, **__):
    raise AssertionError("done again")


# ---------------------------------------------------------------- stage 0
def test_nine_types_39_classes():
    assert len(CLASSES) == len(set(CLASSES)) == 39
    levels = {kind: [level for k, level in CLASSES if k == kind] for kind, _ in CLASSES}
    assert [len(v) for v in levels.values()] == [5] * 7 + [4]
    assert [LEVELS[18][level - 1] for level in levels[18]] == [0.08, 0.15, -0.08, -0.15]


def test_no_validation_or_test_picture_is_distorted(walk):
    split = walk.frame["split"].to_numpy()
    assert split[scnn_pretraining.rows_of(walk)].tolist() == ["pool"] * 25 + ["train"] * 60
    many = dataclasses.replace(TINY, pictures=78, side=32)
    pixels = np.array(walk.pixels)
    pixels[np.isin(split, ["val", "test"])] = 0
    cuts, classes = scnn_pretraining.distorted(walk, many)
    others, _ = scnn_pretraining.distorted(dataclasses.replace(walk, pixels=pixels), many)
    assert np.array_equal(cuts, others)
    assert np.bincount(classes).tolist() == [2] * 39
    assert len({cut.tobytes() for cut in cuts}) == 78


def test_pretraining_learns_and_is_made_once(walk, monkeypatch):
    place = scnn_pretraining.folder(walk, TINY)
    net = scnn_pretraining.load(place)
    torch.manual_seed(0)
    fresh = SCNN().features[1].running_mean
    assert not torch.equal(net.features[1].running_mean, fresh)  # batch norm has seen pictures
    assert not (place / "state.safetensors").exists()
    told = scnn_pretraining.known(place)
    assert 2 < told["loss"] < 6
    assert 0 <= told["accuracy"] <= 1
    monkeypatch.setattr(scnn_pretraining, "pretrained", never)
    assert scnn_pretraining.folder(walk, TINY) == place
    with pytest.raises(AssertionError, match="done again"):
        scnn_pretraining.folder(walk, dataclasses.replace(TINY, steps=5))


def test_pretraining_goes_on_with_the_same_bits(walk, tmp_path):
    whole, said = scnn_pretraining.pretrained(walk, TINY, tmp_path / "a")
    scnn_pretraining.pretrained(walk, TINY, tmp_path / "b", stop_after=2)
    resumed, again = scnn_pretraining.pretrained(walk, TINY, tmp_path / "b")
    assert said == again
    assert said["loss"] > 0
    assert_same(whole, resumed)


def assert_same(one, other):
    theirs = other.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


# ---------------------------------------------------------------- stage 1
def test_least_squares_as_scikit_learn_has_it():
    g = np.random.default_rng(0)
    x, val = (g.normal(1, 1, (n, 60)).astype(np.float32) for n in (20, 10))
    line = g.normal(size=60)
    y, val_y = x @ line, val @ line + g.normal(size=10)
    weight, bias, share = least_squares(x, y, val, val_y)
    errors, variance = {}, x.var(axis=0).sum()
    for penalty in dbcnn_recipe.PENALTIES:
        ridge = Ridge(penalty * variance).fit(x.astype(float), y)
        errors[penalty] = np.abs(ridge.predict(val) - val_y).mean()
    assert share == min(errors, key=errors.get)
    ridge = Ridge(share * variance).fit(x.astype(float), y)
    np.testing.assert_allclose(weight, ridge.coef_, rtol=1e-3, atol=1e-4)
    assert bias == pytest.approx(ridge.intercept_, rel=1e-3)


# ---------------------------------------------------------------- what the network is shown
def test_windows_and_mirror_images_of_maps_are_those_of_pixels(walk, tmp_path):
    net = DBCNN().eval()
    pictures = Pictures(net, lesson_of(walk, tmp_path))
    rows, mirror = np.array([3, 90]), np.array([0, 1])
    maps, pixels = pictures.seen(net, rows, mirror, (0, 0, 48))
    assert torch.equal(pixels[1], torch.from_numpy(walk.pixels[90][:, ::-1].copy()))
    with torch.no_grad():
        torch.testing.assert_close(maps, net.content(pixels), rtol=0.01, atol=0.01)
    part, window = pictures.seen(net, rows, mirror, (16, 0, 32))
    assert torch.equal(window, pixels[:, 16:, :32])
    assert torch.equal(part, maps[:, :, 1:, :2])


def test_windows_of_a_share_of_the_side(walk, tmp_path):
    pictures = Pictures(DBCNN(pretrained=False), lesson_of(walk, tmp_path))
    for share in (0.1, 1.0):  # 64 px do not fit
        assert pictures.drawn_window(share, np.random.default_rng(0)) == (0, 0, 48)
    pictures.pixels = np.zeros((1, 104, 104, 3), np.uint8)
    for share, side, corners in ((0.1, 64, (0, 16, 32)), (0.8, 80, (0, 16))):
        drawn = {pictures.drawn_window(share, np.random.default_rng(i)) for i in range(60)}
        assert drawn == {(a, b, side) for a in corners for b in corners}


# ---------------------------------------------------------------- all stages
def test_learnt_is_what_quality_says_and_validation_selects(walk, tmp_path, monkeypatch):
    lesson = lesson_of(walk, tmp_path)
    learnt = dbcnn_recipe.learn(SETTINGS, lesson)
    with torch.no_grad():
        said = learnt.net.quality(torch.from_numpy(walk.pixels[lesson.asked])).double().numpy()
        val = learnt.net.quality(torch.from_numpy(walk.pixels[lesson.val])).double().numpy()
    np.testing.assert_allclose(learnt.expected, said, atol=0.01)
    assert learnt.expected.std() > 0.05
    history = learnt.history
    assert history["stage"].tolist() == [1, 2, 2]
    assert history["step"].tolist() == [1, 3, 6]
    assert np.isfinite(history[["loss", "val_mae", "val_srcc"]].to_numpy()).all()
    kept = np.abs(val.clip(0, 4) - lesson.val_grades).mean()
    assert kept == pytest.approx(history["val_mae"].min(), abs=0.01)
    assert learnt.facts["pictures_seen"] == 60 + 6 * 6
    assert learnt.facts["scnn_seconds"] >= 0
    # what is finished is not done again
    for name in ("least_squares", "descend"):
        monkeypatch.setattr(dbcnn_recipe, name, never)
    again = dbcnn_recipe.learn(SETTINGS, lesson)
    assert np.array_equal(again.expected, learnt.expected)


def test_grades_of_test_pictures_are_never_read(walk, tmp_path):
    asked = lesson_of(walk, tmp_path / "a")
    frame = walk.frame.copy()
    rows = (frame["split"] == "test").to_numpy()
    frame.loc[rows, ["grade", "true_grade", "score"]] = 0
    other = lesson_of(dataclasses.replace(walk, frame=frame), tmp_path / "b")
    short = dataclasses.replace(TINY, steps=1)
    quick = dataclasses.replace(SETTINGS, scnn=short, epochs=0.2, checks=1)
    one, two = (dbcnn_recipe.learn(quick, lesson).expected for lesson in (asked, other))
    # the S-CNN's weights are named by the table too, and made anew: the same
    assert np.array_equal(one, two)


@pytest.mark.parametrize("worse", [True, False])
def test_stage_1_stays_where_stage_2_is_worse(walk, tmp_path, worse, monkeypatch):
    rates = []

    def noted(optim, lr):
        rates.append(lr)
        set_rate(optim, lr)

    monkeypatch.setattr(dbcnn_recipe, "set_rate", noted)
    lesson = lesson_of(walk, tmp_path)
    torch.manual_seed(0)
    net = DBCNN()
    pictures = Pictures(net, lesson)
    first = {k: v.clone() for k, v in net.state_dict().items()}
    quick = dataclasses.replace(SETTINGS, epochs=0.2, checks=1)
    before = 0.0 if worse else 9.0
    stage = dbcnn_recipe.everything(quick, net, pictures, lesson, before)
    stage.best.load_into(net)
    assert torch.equal(net.fc.weight, first["fc.weight"]) == worse
    assert rates == [lr_at(step, TrainConfig(steps=2, lr=1e-3)) for step in range(2)]
    assert stage.optim.param_groups[0]["weight_decay"] == quick.weight_decay == 5e-4


def test_stage_2_goes_on_with_the_same_bits(walk, tmp_path):
    quick = dataclasses.replace(SETTINGS, epochs=0.4)
    lessons = [lesson_of(walk, tmp_path / name) for name in ("a", "b")]
    ends = []
    for lesson, stops in zip(lessons, ([None], [3, None]), strict=True):
        for stop in stops:
            torch.manual_seed(0)
            net = DBCNN()
            pictures = Pictures(net, lesson)
            stage = dbcnn_recipe.everything(quick, net, pictures, lesson, 9.0, stop)
        ends.append(stage)
    assert_same(ends[0].net, ends[1].net)
    assert ends[0].history == ends[1].history
    said = pictures.grades(net, lesson.val).clip(0, 4)  # of the last step
    assert ends[1].history[-1]["val_mae"] == pytest.approx(np.abs(said - lesson.val_grades).mean())
    assert ends[0].best.score == ends[1].best.score
    for name, tensor in ends[0].best.weights.items():
        assert torch.equal(tensor, ends[1].best.weights[name])


# ---------------------------------------------------------------- errors
def test_damaged_state_and_bad_loss_are_named(tmp_path, capsys):
    net = torch.nn.Linear(1, 1)
    optim = torch.optim.SGD(net.parameters(), lr=0.0)
    stage = Stage(net, optim, tmp_path / "x.safetensors", "toy")
    with pytest.raises(FloatingPointError, match="toy: the loss is nan by step 1"):
        stage.run(1, 1, lambda step: torch.tensor(float("nan")), lambda step: {})

    def burst(step):
        net.weight.data.fill_(float("inf"))
        return torch.tensor(1.0)

    with pytest.raises(FloatingPointError, match="toy: weights are no numbers by step 1"):
        Stage(net, optim, tmp_path / "y.safetensors", "toy").run(1, 1, burst, lambda step: {})
    (tmp_path / "x.safetensors").write_bytes(b"half")
    assert Stage(net, optim, tmp_path / "x.safetensors", "toy").done == 0
    assert "x.safetensors: damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"share": 1.5}, "dbcnn.share is 1.5; expected more than 0 to 1"),
        ({"batch": 0}, "dbcnn.batch is 0; expected 1 or more"),
        ({"scnn": {"crop": 8}}, "dbcnn.scnn.crop is 8; expected 16 or more"),
        ({"scnn": {"steps": 0}}, "dbcnn.scnn.steps is 0; expected 1 or more"),
    ],
)
def test_settings_out_of_range(given, said):
    with pytest.raises(ValueError, match=said):
        Settings(**given)


def test_settings_read_from_a_run():
    assert Settings(**dataclasses.asdict(SETTINGS)) == SETTINGS
