"""CRMatch against a slow loop written from the formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from formulas import (
    WideNet,
    agree,
    as_target,
    columns,
    continues_identically,
    cross,
    dot,
    every_setting_is_read,
    made,
    mean,
    move,
    skewed,
    slow_softmax,
    some,
    top,
    views_batch,
)

from riqa_lib.ssl.base import Batch
from riqa_lib.ssl.crmatch import CRMatch


def slow_crmatch(v, o, y, c, prior, state):
    """One step, with what gets no gradient taken from o, the inputs as they were; returns (terms,
    state after it)."""
    s, classes = dict(state), len(prior)
    q = [slow_softmax(z) for z in o["z_w"]]
    if c.align:
        now = columns(q)
        s["mean"] = (
            [0.99 * a + 0.01 * b for a, b in zip(s["mean"], now, strict=True)]
            if s["steps"]
            else now
        )
        q = move(q, prior, s["mean"])
    mask = [float(max(row) >= c.tau) for row in q]
    unsup = mean(
        k * cross(as_target(top(row), classes, c), z)
        for k, row, z in zip(mask, q, v["z_s"], strict=True)
    )
    cosines = [
        dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))
        for a, b in zip((v if c.both else o)["g_w"], v["g_s"], strict=True)
    ]
    dist = mean(k * max(0.0, a) for k, a in zip(mask, cosines, strict=True))
    rot, right = 0.0, 0.0
    if "z_rot" in v:
        pictures = len(v["z_rot"]) // 4
        rot = mean(cross(n // pictures, z) for n, z in enumerate(v["z_rot"]))
        right = mean(float(top(z) == n // pictures) for n, z in enumerate(v["z_rot"]))
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    on = float(s["steps"] >= c.start)
    s["steps"] += 1
    loss = sup + on * (c.lambda_u * unsup + c.lambda_dist * dist + c.lambda_rot * rot)
    return {
        "loss": loss,
        "sup_loss": sup,
        "unsup_loss": unsup,
        "dist_loss": dist,
        "rot_loss": rot,
        "kept": mean(mask),
        "cosine": mean(cosines),
        "rot_right": right,
    }, s


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("settings", [
    {}, {"tau": 0.0, "lambda_u": 0.5}, {"tau": 1.0, "lambda_rot": 1.0},
    {"tau": 0.3, "lambda_rot": 0.0, "lambda_dist": 3.0},
    {"tau": 0.0, "both": False}, {"tau": 0.4, "align": True, "start": 1},
    {"tau": 0.3, "ordinal": True},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, settings):
    c, prior = CRMatch.Config(**settings), skewed(classes)
    method = CRMatch(WideNet(), classes, c, prior).double()
    state = {"mean": [0.0] * classes, "steps": 0}
    shapes = {
        "z_x": (4, classes),
        "z_w": (6, classes),
        "z_s": (6, classes),
        "g_w": (6, 3),
        "g_s": (6, 3),
    }
    if c.lambda_rot:
        shapes["z_rot"] = (12, 4)
    for seed in range(3):
        values = some(seed, scale, **shapes)
        if seed == 1:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(**values, y=torch.tensor(y))
        fixed = {"z_w"} if c.both else {"z_w", "g_w"}

        def slow(v, o, y=y, state=state):
            return slow_crmatch(v, o, y, c, prior.tolist(), state)[0]

        agree(out, values, slow, fixed, ((0, 0), (1, -1), (3, 1)))
        lists = {k: v.tolist() for k, v in values.items()}
        state = slow_crmatch(lists, lists, y, c, prior.tolist(), state)[1]
        assert method.step == state["steps"]
        if c.align:
            assert method.alignment.mean.tolist() == pytest.approx(state["mean"], abs=1e-6)


def test_nothing_and_everything_kept():
    v = some(0, 1.0, z_x=(4, 5), z_w=(6, 5), g_w=(6, 3), z_s=(6, 5), g_s=(6, 3))
    for tau, kept in ((1.0, 0), (0.0, 1)):
        method = CRMatch(WideNet(), 5, CRMatch.Config(tau=tau), skewed(5)).double()
        out = method.terms(**v, y=torch.tensor([0, 1, 2, 3]))
        out["loss"].backward()
        assert out["kept"] == kept
        assert bool(v["z_s"].grad.any()) == bool(kept)
        assert bool(v["g_s"].grad.any()) == bool(kept)
        assert torch.isfinite(v["z_x"].grad).all()


def test_every_setting_is_read():
    others = {
        "tau": 0.99,
        "lambda_u": 2.0,
        "lambda_dist": 2.0,
        "lambda_rot": 0.5,
        "both": False,
        "weak": "eval",
        "align": True,
        "start": 2,
        "ordinal": True,
    }
    every_setting_is_read(CRMatch, CRMatch.Config(tau=0.4), others)
    every_setting_is_read(CRMatch, CRMatch.Config(tau=0.4), others | {"lambda_rot": 0.0})


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_state_survives_a_round_trip(weight):
    continues_identically(
        CRMatch, CRMatch.Config(tau=0.4, lambda_rot=weight, align=True, weak="ema")
    )


def test_rotations_are_the_weak_views_first_pictures_in_all_four_turns():
    method, batch = made(CRMatch, CRMatch.Config(lambda_rot=1.0)), views_batch(m=6)
    method.eval()  # no dropout
    out = method(batch)
    expected = []
    for k in range(4):
        for picture in batch.u["weak"].images[:4]:
            turned = picture.clone()
            for _ in range(k):  # a quarter turn, pixel by pixel
                old = turned.clone()
                for i in range(2):
                    for j in range(2):
                        turned[:, 1 - j, i] = old[:, i, j]
            expected.append(cross(k, method.rotation(method.net(turned[None])[1])[0].tolist()))
    assert out["rot_loss"].item() == pytest.approx(mean(expected), abs=1e-6)


def test_no_rotation_no_head_no_pictures():
    calls = []
    for weight in (0.0, 0.5):
        method = made(CRMatch, CRMatch.Config(lambda_rot=weight))
        method.net.register_forward_hook(lambda _, given, __: calls.append(len(given[0])))
        method(views_batch(m=6))["loss"].backward()
        assert (method.rotation is None) == (weight == 0)
        assert all(p.grad is not None for p in method.parameters())
    assert calls == [16, 16, 16]  # x + weak + strong, and 4 x 4 turned


@pytest.mark.parametrize("weak", ["train", "eval", "ema"])
def test_who_learns_from_the_distance(weak):
    """With an untrained weak side, features of the weak view get no gradient, but the head still
    does."""
    batch = views_batch(m=6)
    method = made(CRMatch, CRMatch.Config(tau=0.0, weak=weak, lambda_rot=0.0))
    images = batch.u["weak"].images.clone().requires_grad_()
    batch = Batch(
        batch.x,
        batch.y,
        batch.index,
        None,
        batch.u | {"weak": batch.u["weak"]._replace(images=images)},
    )
    method(batch)["loss"].backward()
    assert (images.grad is not None) == (weak == "train")
    assert method.distance.weight.grad.any()


def test_selected_follows_the_threshold():
    method = CRMatch(WideNet(), 3, CRMatch.Config(tau=0.6), skewed(3))
    p = torch.tensor([[0.9, 0.05, 0.05], [0.5, 0.4, 0.1]])
    assert method.selected(p).tolist() == [True, False]
    aligned = CRMatch(WideNet(), 3, replace(method.config, align=True), torch.full((3,), 1 / 3))
    aligned.alignment(torch.tensor([[0.8, 0.1, 0.1]]))
    assert aligned.selected(p).tolist() == [False, True]


@pytest.mark.parametrize("bad", [{"tau": 1.5}, {"weak": "never"}])
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(ValueError, match=r"method\.\w+ is .*(0 to 1|train, eval, ema)"):
        CRMatch.Config(**bad)
