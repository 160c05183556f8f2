"""How HyperIQA learns: all parts in every epoch, what selects, what is asked, resumed alike."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from riqa_lib.networks import hyperiqa, lite0
from riqa_lib.networks.hyperiqa import HyperIQA
from riqa_lib.networks.map_store import open_maps
from riqa_lib.networks.views import View
from riqa_lib.seeding import seed_of
from riqa_lib.ssl.base import Batch
from riqa_lib.training import hyperiqa_recipe as recipe
from riqa_lib.training.hyperiqa_recipe import PAPER, Settings
from riqa_lib.training.loop import Trainer
from riqa_lib.training.regressors import Lesson
from tests.map_trees import blurred_pictures

QUICK = Settings(epochs=3, batch=30, ema=0.0, rate=1e-3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """140 pictures of 32 px whose blur is their grade, with their maps."""
    with pytest.MonkeyPatch.context() as m:
        m.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("hyperiqa")))
        m.delenv("RIQA_JOURNAL", raising=False)
        made = blurred_pictures(size=32)
        open_maps(made, progress=False)
    return made


@pytest.fixture
def lesson(data, home, tmp_path, monkeypatch):
    """A lesson on them, for a narrow hypernetwork."""
    monkeypatch.setattr(hyperiqa, "HYPER", (12, 10, 8))
    return lesson_of(data, tmp_path)


def lesson_of(data, folder):
    split = data.frame["split"]
    labelled, val, asked = (np.flatnonzero(split == s) for s in ("train", "val", "test"))

    def state(part=""):
        return folder / f"state-{part}.safetensors"

    return Lesson(data, labelled, val, asked, 3, state)


# ---------------------------------------------------------------- the optimiser
def test_two_groups_hold_every_parameter_that_learns(monkeypatch):
    monkeypatch.setattr(hyperiqa, "HYPER", (12, 10, 8))
    with torch.device("meta"):
        whole, frozen = HyperIQA("resnet50"), HyperIQA("lite0")
    for net in (whole, frozen):
        slow, fast = recipe.groups(Settings(ratio=10.0), net)
        assert (slow["lr_scale"], fast["lr_scale"]) == (0.1, 1.0)
        ids = [id(p) for group in (slow, fast) for p in group["params"]]
        assert sorted(ids) == sorted(id(p) for p in net.parameters() if p.requires_grad)
        assert {id(p) for p in fast["params"]} == {id(p) for p in net.hyper.parameters()}


def epochs_that_train(monkeypatch, lesson, after_epoch=None):
    """For the hypernetwork and the local modules: whether all their parameters changed in each
    epoch; the rates of both groups in each epoch's last step."""
    seen, rates = [], []

    def note(net):
        parts = {"hyper": net.hyper, "local": net.local}
        seen.append({k: [p.detach().clone() for p in m.parameters()] for k, m in parts.items()})

    check = Trainer.check

    def noted(self):
        note(self.method.net)
        rates.append([group["lr"] for group in self.optim.param_groups])
        check(self)
        if after_epoch is not None:
            after_epoch(self)

    first = recipe.trained

    def trained(trainer, state):
        note(trainer.method.net)
        return first(trainer, state)

    monkeypatch.setattr(Trainer, "check", noted)
    monkeypatch.setattr(recipe, "trained", trained)
    recipe.learn(QUICK, lesson)
    changed = {
        part: [
            not any(torch.equal(p, q) for p, q in zip(before[part], after[part], strict=True))
            for before, after in itertools.pairwise(seen)
        ]
        for part in seen[0]
    }
    return changed, np.array(rates)


def test_every_part_is_trained_in_every_epoch_and_all_rates_fall(monkeypatch, lesson):
    changed, rates = epochs_that_train(monkeypatch, lesson)
    assert changed == {"hyper": [True] * 3, "local": [True] * 3}
    assert rates.shape == (3, 2)
    assert (np.diff(rates, axis=0) < 0).all()  # the backbone's too
    assert rates[:, 1] == pytest.approx(10 * rates[:, 0])


def test_a_spent_iterator_would_be_noticed(monkeypatch, lesson):
    """The public code's fault: a generator of parameters, and an optimiser made of it anew after
    each epoch, of which the second gets none."""
    kept = []

    def of_a_generator(settings, net):
        kept[:] = kept or [net.hyper.parameters()]  # a generator
        return [
            {"params": list(net.local.parameters()), "lr_scale": 0.1},
            {"params": kept[0], "lr_scale": 1.0},
        ]

    def made_anew(trainer):
        trainer.optim = torch.optim.Adam(recipe.groups(QUICK, trainer.method.net))

    monkeypatch.setattr(recipe, "groups", of_a_generator)
    changed, _ = epochs_that_train(monkeypatch, lesson, made_anew)
    assert changed == {"hyper": [True, False, False], "local": [True] * 3}


def test_the_loss_is_the_absolute_error_of_the_grade():
    class Says(torch.nn.Module):
        def forward(self, x):
            return x[:, 0, 0, 0]

    method = recipe.Regression(Says(), 5, Settings())
    x = torch.tensor([1.0, 2.5, 4.0]).view(3, 1, 1, 1)
    loss = method(Batch(View(x), torch.tensor([2.0, 2.0, 4.0]), torch.arange(3)))["loss"]
    assert float(loss) == pytest.approx((1 + 0.5 + 0) / 3)


# ---------------------------------------------------------------- a lesson learnt
def test_it_learns_and_says_what_its_network_says_of_pixels(lesson):
    learnt = recipe.learn(dataclasses.replace(QUICK, epochs=12, ema=0.9), lesson)
    truth = lesson.data.frame["grade"].to_numpy(float)
    error = np.abs(learnt.expected - truth[lesson.asked]).mean()
    assert error < 0.7 * np.abs(np.median(lesson.grades) - truth[lesson.asked]).mean()
    pixels = torch.from_numpy(np.asarray(lesson.data.pixels[lesson.asked[:6]]))
    with torch.no_grad():
        said = learnt.net.eval().quality(pixels).numpy()
    assert said == pytest.approx(learnt.expected[:6], abs=2e-3)  # maps are stored as float16
    history = learnt.history
    assert {"step", "stage", "loss", "val_mae", "val_srcc"} <= {*history}
    assert len(history) == 12
    assert learnt.facts["pictures_seen"] == 12 * 60
    source = recipe.prepared(learnt.net, lesson)
    val = recipe.said(learnt.net, source, lesson.val)
    assert np.abs(val - lesson.val_grades).mean() == pytest.approx(
        history["val_mae"].min(), abs=1e-5
    )


class Stages(torch.nn.Module):
    """A backbone of four convolutions in the place of ResNet-50."""

    def __init__(self, pretrained):
        super().__init__()
        self.pretrained = pretrained
        self.steps = torch.nn.ModuleList(
            torch.nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise((3, 4, 4, 4, 6))
        )

    def forward(self, x):
        return list(itertools.accumulate(self.steps, lambda x, step: step(x), initial=x))[1:]


def test_another_backbone_is_trained_with_the_rest_on_crops(monkeypatch, lesson):
    monkeypatch.setitem(hyperiqa.BACKBONES, "resnet50", (4, 4, 4, 6))
    monkeypatch.setattr(hyperiqa, "_resnet50", Stages)
    settings = dataclasses.replace(QUICK, backbone="resnet50", crop=16, crops=4, epochs=1)
    torch.manual_seed(seed_of("network", lesson.seed))
    before = HyperIQA("resnet50").backbone.state_dict()
    learnt = recipe.learn(settings, lesson)
    after = learnt.net.backbone.state_dict()
    assert not any(torch.equal(before[k], after[k]) for k in before)
    assert learnt.net.backbone.pretrained
    assert learnt.facts["pictures_seen"] == 4 * 60
    pixels = torch.from_numpy(np.asarray(lesson.data.pixels[lesson.asked]))
    with torch.no_grad():
        said = learnt.net.eval().quality(pixels)
    assert said.numpy() == pytest.approx(learnt.expected, abs=1e-4)


def test_no_grade_of_an_asked_picture_is_read(lesson, tmp_path):
    quick = dataclasses.replace(QUICK, epochs=1)
    first = recipe.learn(quick, lesson).expected
    frame = lesson.data.frame.copy()
    frame.loc[lesson.asked, ["grade", "score", "true_grade"]] = -1
    hidden = dataclasses.replace(lesson.data, frame=frame)
    again = recipe.learn(quick, lesson_of(hidden, tmp_path / "again")).expected
    assert np.array_equal(first, again)


def test_an_interrupted_training_ends_with_the_same_bits(monkeypatch, lesson, tmp_path):
    quick = dataclasses.replace(QUICK, epochs=2)
    whole = recipe.learn(quick, lesson)

    class Cut(Exception):
        pass

    step = Trainer.step

    def cut(self):
        if self.done == 3:  # in the second epoch
            raise Cut
        step(self)

    other = lesson_of(lesson.data, tmp_path / "cut")
    with monkeypatch.context() as m:
        m.setattr(Trainer, "step", cut)
        with pytest.raises(Cut):
            recipe.learn(quick, other)
    taken = []

    def count(self):
        taken.append(self.done)
        step(self)

    monkeypatch.setattr(Trainer, "step", count)
    resumed = recipe.learn(quick, other)
    assert taken == [2, 3]  # an epoch of two steps was not taken again
    assert np.array_equal(resumed.expected, whole.expected)
    assert resumed.history.equals(whole.history)
    taken.clear()
    assert np.array_equal(recipe.learn(quick, other).expected, whole.expected)
    assert taken == []  # finished: not trained again


def test_an_epoch_shows_a_picture_as_often_as_it_has_crops(lesson):
    net = HyperIQA(crop=16, crops=9)
    source = recipe.prepared(net, lesson)
    material = recipe.material_of(source, lesson)
    for crop, views in ((16, 9), (0, 1), (32, 1)):  # the last: whole pictures too
        settings = dataclasses.replace(QUICK, crop=crop, crops=9)
        trainer = recipe.trainer_of(settings, net, material, lesson)
        assert trainer.c.steps == 3 * views * 60 // 30


# ---------------------------------------------------------------- settings
def test_building_fetches_nothing(monkeypatch):
    def fetched(*args, **settings):
        raise AssertionError("weights were read")

    monkeypatch.setattr(lite0, "read_weights", fetched)
    net = recipe.build(Settings(crop=48, crops=4), 5, 64)
    assert (net.crop, net.lattice, net.frozen) == (48, 2, True)
    asked = {}
    monkeypatch.setattr(
        hyperiqa.timm, "create_model", lambda *a, **k: asked.update(k) or torch.nn.Identity()
    )
    assert not recipe.build(Settings(**PAPER), 5, 224).frozen
    assert asked["pretrained"] is False


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backbone": "vgg16"}, "hyperiqa.backbone is 'vgg16'"),
        ({"epochs": 0}, "hyperiqa.epochs is 0; expected 1 or more"),
        ({"rate": -1.0}, "hyperiqa.rate is -1.0"),
        ({"ema": 1.0}, "hyperiqa.ema is 1.0; expected 0 to below 1"),
        ({"channel_drop": -0.1}, "hyperiqa.channel_drop is -0.1"),
        ({"weight_decay": -1.0}, "hyperiqa.weight_decay is -1.0"),
    ],
)
def test_what_is_not_allowed_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        Settings(**settings)
