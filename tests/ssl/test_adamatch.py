"""AdaMatch against a slow loop written from the formulas."""

from __future__ import annotations

import math

import pytest
import torch
from formulas import (
    agree,
    as_target,
    columns,
    continues_identically,
    cross,
    every_setting_is_read,
    made,
    mean,
    move,
    skewed,
    slow_softmax,
    some,
    top,
)
from formulas import views_batch as a_batch
from torch import nn

from riqa_lib.ssl.adamatch import AdaMatch


def slow_adamatch(v, o, y, c, classes, state):
    """One step, with what gets no gradient taken from o, the inputs as they were; returns (terms,
    state after it).

    state: P_t, P_u, cut, seen (the window's batches), steps."""
    s = dict(state)
    p_x, p_w = [slow_softmax(z) for z in o["z_x"]], [slow_softmax(z) for z in o["z_w"]]
    m = c.momentum
    if c.moving:
        s["P_t"] = [m * a + (1 - m) * b for a, b in zip(s["P_t"], columns(p_x), strict=True)]
    if c.window:
        s["seen"] = (s["seen"] + [columns(p_w)])[-c.window :]
        s["P_u"] = columns(s["seen"])
    else:
        s["P_u"] = [
            (m * a + (1 - m) * b) if s["steps"] else b
            for a, b in zip(s["P_u"], columns(p_w), strict=True)
        ]
    q = move(p_w, s["P_t"], s["P_u"])
    s["cut"] = c.tau * mean(max(row) for row in p_x)
    mask = [float(max(row) >= s["cut"]) for row in q]
    unsup = mean(
        k * cross(row if c.soft else as_target(top(row), classes, c), z)
        for k, row, z in zip(mask, q, v["z_s"], strict=True)
    )
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    if c.labelled_strong:
        sup = (
            sup
            + mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_xs"], strict=True))
        ) / 2
    weight = 0.5 - 0.5 * math.cos(math.pi * min(1, s["steps"] / c.ramp)) if c.ramp else 1.0
    weight *= c.lambda_u * (s["steps"] >= c.start)
    s["steps"] += 1
    terms = {
        "loss": sup + weight * unsup,
        "sup_loss": sup,
        "unsup_loss": unsup,
        "kept": mean(mask),
        "cut": s["cut"],
    }
    return terms | {f"{n}_{k}": a for n in ("P_t", "P_u") for k, a in enumerate(s[n])}, s


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.5, "tau": 0.9}, {"tau": 0.0, "align_to": "uniform", "momentum": 0.6},
    {"window": 2, "tau": 0.7},
    {"window": 3, "momentum": 0.3, "soft": True, "tau": 0.5},
    {"ramp": 3, "labelled_strong": True, "lambda_u": 2.0, "tau": 0.1},
    {"moving": False, "momentum": 0.2, "tau": 0.6, "start": 1}, {"momentum": 0.0, "tau": 1.0},
    {"ordinal": True, "tau": 0.5, "labelled_strong": True},
    {"ordinal": True, "tau": 0.5, "soft": True},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, settings):
    c, prior = AdaMatch.Config(**settings), skewed(classes)
    method = AdaMatch(nn.Linear(1, classes), classes, c, prior).double()
    flat = [1 / classes] * classes
    state = {
        "P_t": prior.tolist() if c.align_to == "prior" else flat,
        "P_u": flat,
        "steps": 0,
        "seen": [flat] * c.window,
    }
    for seed in range(4):  # longer than either window: it wraps
        shapes = {"z_x": (4, classes), "z_w": (6, classes), "z_s": (6, classes)}
        if c.labelled_strong:
            shapes["z_xs"] = (4, classes)
        values = some(seed, scale, **shapes)
        if seed == 1:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(**values, y=torch.tensor(y))

        def slow(v, o, y=y, state=state):
            return slow_adamatch(v, o, y, c, classes, state)[0]

        agree(out, values, slow, {"z_w"})
        lists = {k: v.tolist() for k, v in values.items()}
        state = slow_adamatch(lists, lists, y, c, classes, state)[1]
        assert method.alignment.prior.tolist() == pytest.approx(state["P_t"], abs=1e-6)
        assert method.alignment.mean.tolist() == pytest.approx(state["P_u"], abs=1e-6)
        assert not method.alignment.prior.requires_grad  # targets and cuts are no part of the graph
        assert not method.cut.requires_grad


@pytest.mark.parametrize(
    ("tau", "sure", "kept"), [(1.0, 0.001, 0), (0.0, 0.001, 1), (0.95, 9.0, 1)]
)
def test_nothing_and_everything_kept(tau, sure, kept):
    v = some(0, 1.0, z_x=(4, 5), z_w=(6, 5), z_s=(6, 5))
    method = AdaMatch(
        nn.Linear(1, 5), 5, AdaMatch.Config(tau=tau, align_to="uniform"), skewed(5)
    ).double()
    z_w = sure * 9 * torch.eye(5, dtype=torch.float64)
    out = method.terms(5 * v["z_x"], torch.tensor([0, 1, 2, 3]), z_w, v["z_s"][:5])
    out["loss"].backward()
    assert out["kept"] == kept
    assert bool(v["z_s"].grad.any()) == bool(kept)
    assert (out["unsup_loss"] == 0) == (not kept)


def test_every_setting_is_read():
    others = {
        "tau": 0.99,
        "lambda_u": 2.0,
        "momentum": 0.9,
        "align_to": "uniform",
        "moving": False,
        "window": 2,
        "labelled_strong": True,
        "interpolate": True,
        "ramp": 9,
        "weak": "eval",
        "soft": False,
        "start": 2,
        "ordinal": True,
    }
    every_setting_is_read(AdaMatch, AdaMatch.Config(momentum=0.5, tau=0.6, soft=True), others)


@pytest.mark.parametrize("window", [0, 2])
def test_state_survives_a_round_trip(window):
    continues_identically(
        AdaMatch,
        AdaMatch.Config(momentum=0.5, tau=0.8, window=window, weak="ema", interpolate=True, ramp=9),
    )


class Normalised(nn.Module):
    """A network whose logits depend on what else is in the batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.head = nn.BatchNorm1d(12), nn.Linear(12, 3)

    def forward(self, x, keep=None):
        feature = self.norm(x.flatten(1))
        return self.head(feature), feature


def test_interpolation_lies_between_the_two_passes_and_leaves_no_statistics_behind(monkeypatch):
    monkeypatch.setattr(torch, "rand_like", lambda z: torch.full_like(z, 0.25))
    batch, net = a_batch(), Normalised()
    batch.u = {n: v._replace(keep=None) for n, v in batch.u.items()}
    everything = torch.cat(
        [batch.x.images, batch.s.images, batch.u["weak"].images, batch.u["strong"].images]
    )
    with torch.no_grad():
        together, alone = net(everything)[0][:8], net(everything[:8])[0]
    statistics = Normalised()
    statistics(everything)
    expected = 0.75 * together + 0.25 * alone
    net = Normalised()
    method = AdaMatch(
        net, 3, AdaMatch.Config(interpolate=True, labelled_strong=True), skewed(3)
    ).train()
    out = method(batch)
    out["loss"].backward()
    assert out["sup_loss"].item() == pytest.approx(
        nn.functional.cross_entropy(expected, batch.y.repeat(2)).item(), abs=1e-6
    )
    assert torch.equal(net.norm.running_mean, statistics.norm.running_mean)
    assert net.norm.num_batches_tracked == 1


def test_selected_uses_the_last_cut():
    method = made(AdaMatch, AdaMatch.Config(align_to="uniform"))
    p = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]])
    assert not method.selected(p).any()
    method(a_batch())
    method.alignment.mean.fill_(1 / 3)
    method.alignment.prior.fill_(1 / 3)
    method.cut.fill_(0.55)
    assert method.selected(p).tolist() == [True, False]


@pytest.mark.parametrize(
    "bad", [{"tau": 1.5}, {"momentum": -1.0}, {"weak": "never"}, {"align_to": "mean"}]
)
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(
        ValueError, match=r"method\.\w+ is .*(0 to 1|0 to below 1|train, eval, ema|prior, uniform)"
    ):
        AdaMatch.Config(**bad)
