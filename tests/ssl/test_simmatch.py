"""SimMatch and its bank against slow loops written from the formulas."""

from __future__ import annotations

import math

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
    norm,
    skewed,
    slow_softmax,
    some,
    top,
    views_batch,
)

from riqa_lib.ssl.parts import Bank
from riqa_lib.ssl.simmatch import SimMatch


def unit(row):
    return [v / math.sqrt(dot(row, row)) for v in row]


def slow_simmatch(v, o, y, index, c, target, state):
    """One step, with what gets no gradient taken from o, the inputs as they were; returns (terms,
    state after it).

    state: seen (batch means, newest last), bank {index: (f, label)}, steps."""
    s = dict(state)
    classes, bank = len(target), state["bank"]
    p = [slow_softmax(z) for z in o["z_w"]]
    s["seen"] = (s["seen"] + [columns(p)])[-c.queue :]
    p = move(p, target, columns(s["seen"]))
    q, g, inside, full = p, [[0.0] * classes] * len(p), 0.0, 0.0
    if bank and len(bank) == max(bank) + 1:
        slots = [bank[k] for k in range(len(bank))]
        q, g, full = [], [], 1.0
        for row, f_w, f_s in zip(p, o["f_w"], v["f_s"], strict=True):
            a = slow_softmax([dot(f_w, f) / c.temperature for f, _ in slots])
            t = norm([share * row[label] for share, (_, label) in zip(a, slots, strict=True)])
            g.append(
                [
                    sum(share for share, (_, label) in zip(a, slots, strict=True) if label == k)
                    for k in range(classes)
                ]
            )
            q.append([c.alpha * i + (1 - c.alpha) * j for i, j in zip(row, g[-1], strict=True)])
            inside += cross(t, [dot(f_s, f) / c.temperature for f, _ in slots]) / len(p)
        agrees = mean(float(top(i) == top(j)) for i, j in zip(p, g, strict=True))
    else:
        agrees = 0.0
    mask = [float(max(row) >= c.tau) for row in q]
    unsup = mean(k * cross(row, z) for k, row, z in zip(mask, q, v["z_s"], strict=True))
    s["bank"] = dict(bank)
    for n, k in enumerate(index):
        if k not in index[n + 1 :]:
            old = bank[k][0] if k in bank else [0.0] * 3
            s["bank"][k] = (
                unit([c.mix * i + (1 - c.mix) * j for i, j in zip(old, o["f_x"][n], strict=True)]),
                y[n],
            )
    sup = mean(cross(as_target(t, classes, c), z) for t, z in zip(y, v["z_x"], strict=True))
    on = float(s["steps"] >= c.start)
    s["steps"] += 1
    terms = {
        "loss": sup + on * (c.lambda_u * unsup + c.lambda_in * inside),
        "sup_loss": sup,
        "unsup_loss": unsup,
        "in_loss": inside,
        "kept": mean(mask),
        "agrees": agrees,
        "changed": mean(float(top(a) != top(b)) for a, b in zip(q, p, strict=True)),
        "full": full,
    }
    for name, said in (("memory", g), ("network", p)):
        terms |= {f"{name}_{k}": full * v for k, v in enumerate(columns(said))}
    return terms, s


INDICES = [
    [0, 1, 5, 3],
    [2, 4, 2, 1],
    [3, 3, 0, 3],
    [5, 1, 2, 4],
    [0, 2, 4, 1],
]  # full after two steps; pictures that come twice


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("settings", [
    {}, {"tau": 0.0, "alpha": 0.2, "mix": 0.0}, {"tau": 1.0, "temperature": 0.5},
    {"tau": 0.3, "queue": 2, "lambda_in": 2.0},
    {"tau": 0.4, "alpha": 0.0, "align_to": "uniform", "lambda_u": 3.0},
    {"tau": 0.2, "start": 3, "alpha": 0.6, "queue": 1},
    {"tau": 0.2, "ordinal": True},
])  # fmt: skip
def test_terms_state_and_gradients(classes, scale, settings):
    c, prior = SimMatch.Config(dim=3, **settings), skewed(classes)
    method = SimMatch(WideNet(), classes, c, prior).double()
    target = prior.tolist() if c.align_to == "prior" else [1 / classes] * classes
    state = {"seen": [], "bank": {}, "steps": 0}
    shapes = {
        "z_x": (4, classes),
        "z_w": (6, classes),
        "z_s": (6, classes),
        "f_x": (4, 3),
        "f_w": (6, 3),
        "f_s": (6, 3),
    }
    for seed, index in enumerate(INDICES):
        values = some(seed, scale, **shapes)
        if seed == 3:
            values["z_w"].data[:, 0] -= 40  # a class absent
        y = [
            k % max(2, classes - 1) for k in index
        ]  # with 5 and 10 classes one is never in the bank
        out = method.terms(**values, y=torch.tensor(y), index=torch.tensor(index))

        def slow(v, o, y=y, index=index, state=state):
            return slow_simmatch(v, o, y, index, c, target, state)[0]

        agree(out, values, slow, {"z_w", "f_w", "f_x"})
        lists = {k: v.tolist() for k, v in values.items()}
        state = slow_simmatch(lists, lists, y, index, c, target, state)[1]
        assert method.alignment.mean.tolist() == pytest.approx(columns(state["seen"]), abs=1e-6)
        for k in range(len(method.bank.label)):
            f, label = state["bank"].get(k, ([0.0] * 3, -1))
            assert method.bank.label[k] == label
            assert method.bank.f[k].tolist() == pytest.approx(f, abs=1e-6)
    assert method.bank.full()


def test_nothing_and_everything_kept():
    v = some(0, 1.0, z_x=(4, 5), f_x=(4, 3), z_w=(6, 5), f_w=(6, 3), z_s=(6, 5), f_s=(6, 3))
    for tau, kept in ((1.0, 0), (0.0, 1)):
        method = SimMatch(WideNet(), 5, SimMatch.Config(tau=tau, dim=3), skewed(5)).double()
        out = method.terms(**v, y=torch.tensor([0, 1, 2, 3]), index=torch.arange(4))
        out["loss"].backward()
        assert out["kept"] == kept
        assert bool(v["z_s"].grad.any()) == bool(kept)
        assert torch.isfinite(v["z_x"].grad).all()


def test_a_class_of_no_chance_gives_finite_similarities():
    """p = 0 for every label in the bank: t falls back on the features' similarity instead of 0 /
    0."""
    v = some(0, 1.0, z_x=(2, 3), f_x=(2, 3), z_w=(6, 3), f_w=(6, 3), z_s=(6, 3), f_s=(6, 3))
    method = SimMatch(WideNet(), 3, SimMatch.Config(dim=3), skewed(3))
    v = {k: t.detach().float() for k, t in v.items()}
    v["z_w"][:, :2] = -400
    for _ in range(2):
        out = method.terms(**v, y=torch.tensor([0, 1]), index=torch.arange(2))
    assert out["in_loss"] > 0
    assert torch.isfinite(out["loss"])


def test_every_setting_is_read():
    others = {
        "tau": 0.99,
        "lambda_u": 2.0,
        "lambda_in": 2.0,
        "alpha": 0.3,
        "temperature": 0.5,
        "dim": 5,
        "mix": 0.1,
        "bank": "ema",
        "queue": 1,
        "align_to": "uniform",
        "weak": "eval",
        "start": 3,
        "ordinal": True,
    }
    every_setting_is_read(SimMatch, SimMatch.Config(tau=0.2, dim=4), others)


@pytest.mark.parametrize("bank", ["train", "ema"])
def test_state_survives_a_round_trip(bank):
    continues_identically(SimMatch, SimMatch.Config(tau=0.2, dim=4, queue=2, weak="ema", bank=bank))


def test_the_bank_takes_the_size_of_a_loaded_state():
    one, two = Bank(3), Bank(3)
    one.write(torch.tensor([4, 0]), torch.randn(2, 3), torch.tensor([1, 2]), 0.0)
    assert one.label.tolist() == [2, -1, -1, -1, 1]
    assert not one.full()
    assert not two.full()
    two.write(torch.tensor([8]), torch.randn(1, 3), torch.tensor([0]), 0.0)
    for _ in range(2):  # from a larger bank, and from one of the same size
        two.load_state_dict(one.state_dict())
        assert torch.equal(one.f, two.f)
        assert torch.equal(one.label, two.label)
    assert one.f[0].norm() == pytest.approx(1)


def test_features_of_the_average_come_from_the_teacher():
    method, batch = made(SimMatch, SimMatch.Config(dim=4, bank="ema", mix=0.0)), views_batch()
    with torch.no_grad():
        for p in method.teacher[0].parameters():
            p.mul_(-2)
    method(batch)["loss"].backward()
    expected = method.projection(method.teacher[0].eval()(batch.x.images)[1])
    assert torch.allclose(method.bank.f[batch.index], expected, atol=1e-6)
    assert method.teacher[0].f.weight.grad is None
    assert method.net.training


def test_the_optimiser_gets_the_projection_and_forward_trains_it():
    method = made(SimMatch, SimMatch.Config(dim=4))
    for step in range(2):  # the bank is full after the first
        torch.manual_seed(step)
        out = method(views_batch(step))
    out["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in method.projection.parameters())


def test_selected_follows_the_threshold_after_alignment():
    method = SimMatch(WideNet(), 2, SimMatch.Config(tau=0.6, align_to="uniform"), skewed(2))
    p = torch.tensor([[0.7, 0.3], [0.55, 0.45]])
    assert method.selected(p).tolist() == [True, False]
    method.alignment(torch.tensor([[0.8, 0.2]]))
    assert method.selected(p).tolist() == [True, True]


@pytest.mark.parametrize(
    "bad", [{"tau": 1.5}, {"dim": 0}, {"bank": "old"}, {"align_to": "mean"}, {"temperature": 0.0}]
)
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(
        ValueError,
        match=r"method\.\w+ is .*(0 to 1|1 or more|train, ema|prior, uniform|more than 0)",
    ):
        SimMatch.Config(**bad)
