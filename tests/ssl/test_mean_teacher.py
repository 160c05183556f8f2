"""Our mean teacher on the expected grade against a slow loop written from the formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from formulas import (
    WideNet,
    agree,
    as_target,
    continues_identically,
    cross,
    every_setting_is_read,
    losses,
    made,
    mean,
    skewed,
    slow_softmax,
    some,
    views_batch,
)

from riqa_lib.networks.sources import Pixels
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.ssl.mean_teacher import MeanTeacher
from riqa_lib.training import loop
from riqa_lib.training.loop import Material, TrainConfig
from riqa_lib.training.photographs import PROFILES, settings


def expected(z):
    return sum(k * p for k, p in enumerate(slow_softmax(z)))


def slow_mean_teacher(v, o, y, c, steps):
    """One step's terms; what gets no gradient is taken from o, the inputs as they were."""
    classes = len(v["z_x"][0])
    goals = [mean([expected(a), expected(b)]) for a, b in zip(o["z_w"], o["z_w2"], strict=True)]
    gaps = [expected(z) - goal for z, goal in zip(v["z_s"], goals, strict=True)]
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    unsup = mean(gap**2 for gap in gaps)
    weight = c.lambda_u * (min(1, steps / c.ramp_steps) if c.ramp_steps else 1)
    return {
        "loss": sup + weight * unsup,
        "sup_loss": sup,
        "unsup_loss": unsup,
        "gap": mean(abs(gap) for gap in gaps),
        "weight": weight,
    }


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("changes", [
    {}, {"ramp_steps": 0}, {"ramp_steps": 2}, {"ramp_steps": 3, "lambda_u": 0.7},
    {"ramp_steps": 2, "ordinal": False}, {"lambda_u": 0.0},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, changes):
    c = MeanTeacher.Config(**changes)
    method = MeanTeacher(WideNet(), classes, c, skewed(classes)).double()
    shapes = {"z_x": (4, classes)} | dict.fromkeys(("z_w", "z_w2", "z_s"), (6, classes))
    for seed in range(4):  # beyond the ramp's end
        values = some(seed, scale, **shapes)
        if seed == 1:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(**values, y=torch.tensor(y))

        def slow(v, o, y=y, seed=seed):
            return slow_mean_teacher(v, o, y, c, seed)

        agree(out, values, slow, {"z_w", "z_w2"})
        assert method.step == seed + 1


def test_the_mean_of_grades_is_the_grade_of_the_mean():
    """g of the formula may be read either way."""
    a, b = torch.randn(2, 5).tolist()
    mixed = [(p + q) / 2 for p, q in zip(slow_softmax(a), slow_softmax(b), strict=True)]
    assert mean([expected(a), expected(b)]) == pytest.approx(
        sum(k * p for k, p in enumerate(mixed))
    )


def test_each_view_is_seen_by_the_network_that_the_formula_says():
    """The average, in evaluation mode, sees both weak views; the network the others, in one
    pass."""
    method, batch = made(MeanTeacher, MeanTeacher.Config(ramp_steps=0)), views_batch()
    torch.manual_seed(5)
    out = method(batch)
    torch.manual_seed(5)
    still = method.teacher[0].eval()
    z_w, z_w2 = (still(batch.u[n].images)[0].tolist() for n in ("weak", "weak2"))
    keep = torch.cat([torch.ones(4, 4), batch.u["strong"].keep])
    both = method.net(torch.cat([batch.x.images, batch.u["strong"].images]), keep)[0]
    v = {"z_x": both[:4].tolist(), "z_s": both[4:].tolist(), "z_w": z_w, "z_w2": z_w2}
    slow = slow_mean_teacher(v, v, batch.y.tolist(), method.config, 0)
    assert {k: out[k].item() for k in slow} == pytest.approx(slow, abs=1e-6)
    assert method.training


def test_only_the_network_learns_and_only_from_labels_and_strong_views():
    method, batch = made(MeanTeacher, MeanTeacher.Config(ramp_steps=0)), views_batch()
    shown = {n: v.images.requires_grad_() for n, v in batch.u.items()} | {"x": batch.x.images}
    shown["x"].requires_grad_()
    before = {k: v.clone() for k, v in method.teacher[0].state_dict().items()}
    method(batch)["loss"].backward()
    learnt = {n for n, images in shown.items() if images.grad is not None and images.grad.any()}
    assert learnt == {"x", "strong"}
    assert all(p.grad is None for p in method.teacher[0].parameters())
    assert all(torch.equal(v, before[k]) for k, v in method.teacher[0].state_dict().items())
    assert all(p.grad is not None and p.grad.any() for p in method.net.parameters())
    assert method.teacher[0].training  # left as it was
    assert "teacher" not in "".join(method.state_dict())


def test_both_weak_views_are_weak_and_differ():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    rows = np.arange(12)
    source = Pixels(torch.from_numpy(pixels), 16)
    material = Material(source, rows[:6], rows[:6] % 5, rows[6:], rows[:0], rows[:0])
    net = ViT(ViTConfig(width=16, depth=1, heads=2, patch=8, weights="none"), 16, 5)
    method = MeanTeacher(net, 5, MeanTeacher.Config(), torch.full((5,), 0.2))
    batch = loop.batch_of(material, method, TrainConfig(steps=1, batch=4, mu=1), 0, 0, 4)
    assert set(batch.u) == {"weak", "weak2", "strong"}
    stored = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    for name in ("weak", "weak2"):  # pixels as they are stored, none blanked
        view = batch.u[name]
        assert view.keep is None
        shown = ((view.images * 0.25 + 0.45) * 255).round().int().permute(0, 2, 3, 1)
        assert {tuple(colour) for colour in shown.reshape(-1, 3).tolist()} <= stored
    assert batch.u["strong"].keep is not None
    assert not torch.equal(batch.u["weak"].images, batch.u["weak2"].images)


def test_every_setting_is_read():
    others = {"lambda_u": 1.0, "ramp_steps": 3, "ordinal": False}
    every_setting_is_read(MeanTeacher, MeanTeacher.Config(ramp_steps=2), others)


def test_the_ramp_goes_on_after_a_round_trip():
    c = MeanTeacher.Config(ramp_steps=5)
    continues_identically(MeanTeacher, c)
    whole, again = made(MeanTeacher, c), made(MeanTeacher, c)
    losses(whole, steps=3)
    again.load_state_dict(whole.state_dict())
    assert again(views_batch())["weight"].item() == pytest.approx(3 * 3 / 5)
    assert made(MeanTeacher, c)(views_batch())["weight"] == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profiles_ramp_is_two_fifths_of_its_steps(profile):
    run = settings(profile, "mean_teacher")
    assert run.method.ramp_steps == round(0.4 * run.train.steps)


def test_all_pictures_are_selected():
    method = MeanTeacher(WideNet(), 3, MeanTeacher.Config(), skewed(3))
    assert method.selected(torch.tensor([[0.9, 0.05, 0.05], [0.34, 0.33, 0.33]])).tolist() == [
        True,
        True,
    ]


@pytest.mark.parametrize("bad", [{"lambda_u": -1.0}, {"ramp_steps": -1}])
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(ValueError, match=r"method\.\w+ is -1.*0 or more"):
        replace(MeanTeacher.Config(), **bad)
