"""FreeMatch against a slow loop written from the formulas; the helpers here serve the other
methods' tests too."""

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
    mean,
    move,
    norm,
    skewed,
    slow_softmax,
    some,
    top,
)
from torch import nn

from riqa_lib.ssl.freematch import FreeMatch


# ---------------------------------------------------------------- FreeMatch
def slow_ratio(p, h):
    v = [a / b if b > 0 else 0.0 for a, b in zip(p, h, strict=True)]
    return [a / sum(v) for a in v] if sum(v) else v


def slow_freematch(v, y, c, prior, state):
    """One step; returns (terms, state after it)."""
    classes, m = len(prior), c.momentum
    s = dict(state)
    q = [slow_softmax(z) for z in v["z_w"]]
    if c.align:
        now = columns(q)
        s["mean"] = (
            now
            if s["steps"] == 0
            else [0.99 * a + 0.01 * b for a, b in zip(s["mean"], now, strict=True)]
        )
        q = move(q, prior, s["mean"])
    best = sorted(max(row) for row in q)
    if c.quantile:
        place = c.quantile * (len(q) - 1)
        low = int(place)
        level = best[low] + (place - low) * (best[min(low + 1, len(q) - 1)] - best[low])
    else:
        level = mean(best)
    s["tau"] = min(max(m * s["tau"] + (1 - m) * level, c.tau_min), c.tau_max)
    s["p"] = [m * a + (1 - m) * b for a, b in zip(s["p"], columns(q), strict=True)]
    s["h"] = [
        m * a + (1 - m) * mean(float(top(row) == k) for row in q) for k, a in enumerate(s["h"])
    ]
    mask = [float(max(row) >= s["tau"] * s["p"][top(row)] / max(s["p"])) for row in q]
    total = 0.0
    for keep, row, z in zip(mask, q, v["z_s"], strict=True):
        target = (
            norm([a ** (1 / c.temperature) for a in row])
            if c.soft
            else as_target(top(row), classes, c)
        )
        total += keep * cross(target, z)
    fair = 0.0
    kept = [slow_softmax(z) for keep, z in zip(mask, v["z_s"], strict=True) if keep]
    if kept:
        h_bar = [mean(float(top(row) == k) for row in kept) for k in range(classes)]
        a, b = slow_ratio(s["p"], s["h"]), slow_ratio(columns(kept), h_bar)
        fair = sum(i * math.log(j + 1e-12) for i, j in zip(a, b, strict=True))
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    on = float(s["steps"] >= c.start)
    s["steps"] += 1
    terms = {
        "loss": sup + on * (c.lambda_u * total / len(q) + c.lambda_e * fair),
        "sup_loss": sup,
        "unsup_loss": total / len(q),
        "fair_loss": fair,
        "kept": mean(mask),
    }
    return terms | {f"tau_{k}": s["tau"] * a / max(s["p"]) for k, a in enumerate(s["p"])}, s


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.5, "lambda_e": 0.3}, {"tau_min": 1.0}, {"tau_max": 0.0, "lambda_e": 1.0},
    {"quantile": 0.8, "momentum": 0.2},
    {"soft": True, "temperature": 0.3, "momentum": 0.6},
    {"align": True, "lambda_u": 3.0, "momentum": 0.4, "soft": True},
    {"start": 2, "momentum": 0.0},
    {"momentum": 0.0, "lambda_e": 1.0, "tau_min": 0.3, "tau_max": 0.5},
    {"ordinal": True, "momentum": 0.5}, {"ordinal": True, "soft": True},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, settings):
    c, prior = FreeMatch.Config(**settings), skewed(classes)
    method = FreeMatch(nn.Linear(1, classes), classes, c, prior).double()
    flat = [1 / classes] * classes
    state = {"tau": 1 / classes, "p": flat, "h": flat, "mean": [0.0] * classes, "steps": 0}
    for seed in range(3):
        values = some(seed, scale, z_x=(4, classes), z_w=(6, classes), z_s=(6, classes))
        if seed == 1:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [(seed + k) % classes for k in range(4)]
        out = method.terms(values["z_x"], torch.tensor(y), values["z_w"], values["z_s"])

        def slow(v, _, y=y, state=state):
            return slow_freematch(v, y, c, prior.tolist(), state)[0]

        agree(out, values, slow, {"z_w"})
        state = slow_freematch(
            {k: v.tolist() for k, v in values.items()}, y, c, prior.tolist(), state
        )[1]
        assert method.tau.item() == pytest.approx(state["tau"], abs=1e-6)
        assert method.p.tolist() == pytest.approx(state["p"], abs=1e-6)
        assert method.h.tolist() == pytest.approx(state["h"], abs=1e-6)


def test_nothing_and_everything_kept():
    values = some(0, 1.0, z_x=(4, 5), z_w=(6, 5), z_s=(6, 5))
    y = torch.tensor([0, 1, 2, 3])
    for bound, kept in ((1.0, 0), (0.0, 1)):
        config = FreeMatch.Config(tau_min=bound, tau_max=bound, lambda_e=1.0)
        method = FreeMatch(nn.Linear(1, 5), 5, config, skewed(5)).double()
        method.p.fill_(0.2)
        out = method.terms(values["z_x"], y, values["z_w"] * 0.001, values["z_s"])
        assert out["kept"] == kept
        out["loss"].backward()
        assert bool(values["z_s"].grad.any()) == bool(kept)
        assert (out["fair_loss"] == 0) == (kept == 0)


def test_every_setting_is_read():
    base = FreeMatch.Config(momentum=0.5, lambda_e=0.1, soft=True)
    others = {
        "momentum": 0.9,
        "lambda_u": 2.0,
        "lambda_e": 0.3,
        "quantile": 0.9,
        "tau_min": 0.99,
        "tau_max": 0.1,
        "weak": "eval",
        "soft": False,
        "temperature": 0.4,
        "align": True,
        "start": 2,
        "ordinal": True,
    }
    every_setting_is_read(FreeMatch, base, others)


def test_state_survives_a_round_trip():
    continues_identically(FreeMatch, FreeMatch.Config(momentum=0.5, align=True, weak="ema"))


def test_selected_follows_the_class_thresholds():
    method = FreeMatch(nn.Linear(1, 2), 2, FreeMatch.Config(), skewed(2))
    method.tau.fill_(0.8)
    method.p.copy_(torch.tensor([0.75, 0.25]))
    assert method.thresholds().tolist() == pytest.approx([0.8, 0.8 / 3])
    assert method.selected(torch.tensor([[0.7, 0.3], [0.85, 0.15], [0.4, 0.6]])).tolist() == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "bad", [{"momentum": 1.5}, {"weak": "never"}, {"temperature": 0.0}, {"quantile": -0.1}]
)
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(
        ValueError, match=r"method\.\w+ is .*(0 to 1|0 to below 1|train, eval, ema|more than 0)"
    ):
        FreeMatch.Config(**bad)
