"""FixMatch, supervised learning and prior alignment against slow loops written from the
formulas."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from formulas import Net, as_target, cross, slow_softmax
from torch import nn

from riqa_lib.networks.views import View
from riqa_lib.ssl.base import Batch, forward_views
from riqa_lib.ssl.fixmatch import FixMatch
from riqa_lib.ssl.parts import PriorAlignment, grade_loss, ordinal_targets
from riqa_lib.ssl.supervised import Supervised


def slow_fixmatch(z_x, y, z_w, z_s, c, prior, mean, steps):
    """The formula, one picture at a time; returns loss, share kept, the running mean after the
    step."""
    classes = len(prior)
    sup = sum(cross(as_target(t, classes, c), z) for z, t in zip(z_x, y, strict=True)) / len(y)
    q = [slow_softmax(z) for z in z_w]
    if c.align:
        now = [sum(row[k] for row in q) / len(q) for k in range(classes)]
        mean = now if steps == 0 else [0.99 * a + 0.01 * b for a, b in zip(mean, now, strict=True)]
        q = [[row[k] * (prior[k] + 1e-6) / (mean[k] + 1e-6) for k in range(classes)] for row in q]
        q = [[v / sum(row) for v in row] for row in q]
    total, kept = 0.0, 0
    for row, z in zip(q, z_s, strict=True):
        if max(row) >= c.tau:
            kept += 1
            total += cross(row if c.soft else as_target(row.index(max(row)), classes, c), z)
    weight = c.lambda_u if steps >= c.start else 0
    return sup + weight * total / len(q), kept / len(q), mean


def some_logits(classes, seed, scale):
    g = torch.Generator().manual_seed(seed)
    z = [scale * torch.randn(n, classes, generator=g, dtype=torch.float64) for n in (4, 6, 6)]
    return [v.requires_grad_() for v in z], torch.randint(classes, (4,), generator=g)


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("scale", [0.1, 2.0, 9.0])
@pytest.mark.parametrize("settings", [
    {}, {"tau": 0.0}, {"tau": 1.0}, {"tau": 0.5, "soft": True}, {"tau": 0.6, "align": True},
    {"tau": 0.4, "align": True, "soft": True, "lambda_u": 3.0}, {"tau": 0.3, "start": 2},
    {"tau": 0.3, "ordinal": True}, {"tau": 0.3, "ordinal": True, "soft": True},
])  # fmt: skip
def test_loss_mask_state_and_gradients(classes, scale, settings):
    c = FixMatch.Config(**settings)
    prior = torch.arange(1, classes + 1, dtype=torch.float64)
    prior = prior / prior.sum()
    method = FixMatch(nn.Linear(1, classes), classes, c, prior).double()
    mean, steps = [0.0] * classes, 0
    for seed in range(3):  # three steps: the state of one goes into the next
        (z_x, z_w, z_s), y = some_logits(classes, seed, scale)
        out = method.terms(z_x, y, z_w, z_s)
        values = [v.tolist() for v in (z_x, z_w, z_s)]
        loss, kept, after = slow_fixmatch(
            values[0], y.tolist(), values[1], values[2], c, prior.tolist(), mean, steps
        )
        assert out["loss"].item() == pytest.approx(loss, abs=1e-6)
        assert out["kept"].item() == pytest.approx(kept)
        out["loss"].backward()
        assert z_w.grad is None  # pseudo-labels are targets
        for z, which in ((z_x, 0), (z_s, 2)):  # gradients against differences of the slow loss
            for i, k in ((0, 0), (1, classes - 1)):
                ends = []
                for h in (1e-5, -1e-5):
                    moved = [[list(r) for r in v] for v in values]
                    moved[which][i][k] += h
                    ends.append(
                        slow_fixmatch(
                            moved[0], y.tolist(), moved[1], moved[2], c, prior.tolist(), mean, steps
                        )[0]
                    )
                grad = 0.0 if z.grad is None else z.grad[i, k].item()
                assert grad == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-5)
        mean, steps = after, steps + 1
        if c.align:
            assert method.alignment.mean.tolist() == pytest.approx(mean, abs=1e-6)


def test_nothing_kept_is_a_finite_loss_with_gradient():
    method = FixMatch(nn.Linear(1, 5), 5, FixMatch.Config(tau=1.0), torch.full((5,), 0.2))
    (z_x, z_w, z_s), y = some_logits(5, 0, 0.1)
    out = method.terms(z_x, y, z_w, z_s)
    out["loss"].backward()
    assert out["unsup_loss"] == 0
    assert torch.isfinite(z_x.grad).all()
    assert (z_s.grad == 0).all()


def a_batch(m=6, keep=True):
    g = torch.Generator().manual_seed(1)

    def x(n):
        return torch.randn(n, 3, 2, 2, generator=g)

    strong = View(x(m), (torch.rand(m, 4, generator=g) > 0.3).float() if keep else None)
    return Batch(
        View(x(4)),
        torch.tensor([0, 1, 2, 0]),
        torch.arange(4),
        View(x(4)),
        {"weak": View(x(m)), "strong": strong},
    )


def test_every_setting_is_read():
    """Perturbing any setting changes the loss (within a few steps)."""
    others = {
        "tau": 0.99,
        "lambda_u": 2.0,
        "weak": "eval",
        "soft": True,
        "align": True,
        "start": 3,
        "ordinal": True,
    }
    base = FixMatch.Config(tau=0.3)

    def losses(config):
        torch.manual_seed(0)
        net = Net()
        method = FixMatch(net, 3, config, torch.tensor([0.6, 0.3, 0.1])).train()
        method.teacher = [Net()]
        torch.manual_seed(5)
        return [method(a_batch())["loss"].item() for _ in range(2)]

    assert {f.name for f in fields(FixMatch.Config)} == {*others, "name"}
    reference = losses(base)
    for name, value in others.items():
        assert losses(replace(base, **{name: value})) != reference, name
    assert losses(base) == reference


def test_the_weak_view_is_seen_as_asked():
    batch = a_batch()
    seen = {}
    for weak in ("train", "eval", "ema"):
        net, teacher = Net(), Net()
        with torch.no_grad():
            teacher.head.bias.add_(torch.tensor([5.0, 0.0, 0.0]))
        method = FixMatch(
            net, 3, FixMatch.Config(tau=0.0, weak=weak), torch.full((3,), 1 / 3)
        ).train()
        method.teacher = [teacher]
        torch.manual_seed(3)
        (_, (z_w, _), _) = method.look(batch, ("weak", "strong"), weak)
        seen[weak] = z_w
        assert net.training
        assert z_w.requires_grad == (weak == "train")
    expected = Net().eval()(batch.u["weak"].images)[0]
    assert torch.allclose(seen["eval"], expected)
    assert torch.allclose(seen["ema"], expected + torch.tensor([5.0, 0, 0]), atol=1e-6)
    assert not torch.allclose(seen["train"], expected)  # dropout is on


def test_one_pass_equals_separate_passes():
    net = Net().eval()
    views = [
        View(torch.randn(2, 3, 2, 2)),
        View(torch.randn(3, 3, 2, 2), (torch.rand(3, 4) > 0.5).float()),
    ]
    together = forward_views(net, views)
    for (logits, feature), view in zip(together, views, strict=True):
        alone = net(view.images, view.keep)
        assert torch.allclose(logits, alone[0], atol=1e-6)
        assert torch.allclose(feature, alone[1], atol=1e-6)


def test_supervised_is_the_mean_cross_entropy():
    net = Net().eval()
    batch = a_batch()
    for strong in (False, True):
        method = Supervised(net, 3, Supervised.Config(strong=strong), torch.full((3,), 1 / 3))
        assert method.labelled_strong == strong
        given = Batch(batch.x, batch.y, batch.index, batch.s if strong else None)
        rows = []
        for view in (batch.x, batch.s) if strong else (batch.x,):
            rows += [
                -math.log(slow_softmax(z)[t])
                for z, t in zip(net(view.images)[0].tolist(), batch.y.tolist(), strict=True)
            ]
        assert method(given)["loss"].item() == pytest.approx(sum(rows) / len(rows), abs=1e-6)


def test_supervised_with_ordinal_targets_is_the_formula():
    c, batch, net = Supervised.Config(ordinal=True, strong=True), a_batch(), Net().eval()
    method = Supervised(net, 3, c, torch.full((3,), 1 / 3))
    rows, gradient = [], torch.zeros(3, dtype=torch.float64)
    for view in (batch.x, batch.s):
        for z, t in zip(net(view.images)[0].tolist(), batch.y.tolist(), strict=True):
            rows.append(cross(as_target(t, 3, c), z))
            gradient += torch.tensor(slow_softmax(z)) - torch.tensor(as_target(t, 3, c))
    out = method(batch)
    assert out["loss"].item() == pytest.approx(sum(rows) / 8, abs=1e-6)
    out["loss"].backward()  # of the head's bias: the mean of p - target
    assert net.head.bias.grad.tolist() == pytest.approx((gradient / 8).tolist(), abs=1e-6)
    # without its strong views, as the row "supervised, ordinal targets" is
    alone = Supervised(net, 3, replace(c, strong=False), torch.full((3,), 1 / 3))
    given = Batch(batch.x, batch.y, batch.index)
    assert alone(given)["loss"].item() == pytest.approx(sum(rows[:4]) / 4, abs=1e-6)


def test_every_setting_of_supervised_is_read():
    assert {f.name for f in fields(Supervised.Config)} == {"name", "strong", "ordinal"}
    batch, losses = a_batch(), set()
    for strong in (False, True):
        for ordinal in (False, True):
            c = Supervised.Config(strong=strong, ordinal=ordinal)
            method = Supervised(Net().eval(), 3, c, torch.full((3,), 1 / 3))
            asked = batch.s if method.labelled_strong else None
            given = Batch(batch.x, batch.y, batch.index, asked)
            losses.add(method(given)["loss"].item())
    assert len(losses) == 4


def test_ordinal_targets_are_the_formula():
    for classes in (2, 5, 10):
        for sharpness in (0.0, 0.7, 2.0):
            y = torch.arange(classes)
            found = ordinal_targets(y, classes, sharpness)
            assert found.shape == (classes, classes)
            for t, row in enumerate(found.tolist()):
                raw = [math.exp(-sharpness * abs(k - t)) for k in range(classes)]
                assert row == pytest.approx([v / sum(raw) for v in raw], abs=1e-6)
    c = FixMatch.Config(ordinal=True)
    assert ordinal_targets(torch.tensor([3]), 5)[0].tolist() == pytest.approx(as_target(3, 5, c))


def test_without_ordinal_the_loss_is_torchs_own_to_the_bit():
    z, y = torch.randn(7, 5), torch.arange(7) % 5
    assert torch.equal(grade_loss(z, y, False), nn.functional.cross_entropy(z, y))
    each = nn.functional.cross_entropy(z, y, reduction="none")
    assert torch.equal(grade_loss(z, y, False, "none"), each)


def test_alignment_state_survives_a_round_trip():
    prior = torch.tensor([0.7, 0.2, 0.1])
    a, b = PriorAlignment(prior), PriorAlignment(torch.full((3,), 1 / 3))
    for seed in range(3):
        a(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)).softmax(dim=1))
    b.load_state_dict(a.state_dict())
    p = torch.randn(5, 3).softmax(dim=1)
    assert torch.equal(a(p), b(p))
    assert torch.allclose(a.apply_to(p).sum(dim=1), torch.ones(5))


def test_selected_follows_the_threshold():
    method = FixMatch(Net(), 3, FixMatch.Config(tau=0.6), torch.full((3,), 1 / 3))
    assert method.selected(torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]])).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("bad", [{"tau": 1.5}, {"weak": "never"}])
def test_bad_settings_say_what_is_allowed(bad):
    with pytest.raises(ValueError, match=r"method\.(tau|weak) is .*(0 to 1|train, eval, ema)"):
        FixMatch.Config(**bad)
