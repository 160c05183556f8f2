"""Helpers that several tests share: slow loops from the formulas, small networks and batches."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from riqa_lib.networks.views import View
from riqa_lib.ssl.base import Batch


def slow_softmax(row):
    e = [math.exp(v - max(row)) for v in row]
    return [v / sum(e) for v in e]


# ---------------------------------------------------------------- plain Python, number by number
def mean(values):
    values = list(values)
    return sum(values) / len(values)


def columns(rows):
    return [mean(column) for column in zip(*rows, strict=True)]


def cross(target, z):
    """H(target, softmax(z)); target: a label or probabilities."""
    log_p = [math.log(v) for v in slow_softmax(z)]
    return (
        -log_p[target]
        if isinstance(target, int)
        else -sum(t * v for t, v in zip(target, log_p, strict=True))
    )


def as_target(label, classes, c):
    """What a label counts as: itself, or under c.ordinal probabilities ~ exp(-2 |k - label|)."""
    return norm([math.exp(-2 * abs(k - label)) for k in range(classes)]) if c.ordinal else label


def top(row):
    return row.index(max(row))


def norm(row):
    return [v / sum(row) for v in row]


def dot(a, b):
    return sum(i * j for i, j in zip(a, b, strict=True))


def move(rows, prior, average):
    """Distribution alignment of rows."""
    return [
        norm([v * (a + 1e-6) / (b + 1e-6) for v, a, b in zip(row, prior, average, strict=True)])
        for row in rows
    ]


def skewed(classes):
    prior = torch.arange(1, classes + 1, dtype=torch.float32)
    return prior / prior.sum()


def some(seed, scale, **shapes):
    """Random float64 inputs that ask for gradients; names with f are features of length 1."""
    g = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in shapes.items():
        v = torch.randn(*shape, generator=g, dtype=torch.float64)
        out[name] = nn.functional.normalize(v, dim=1) if name[0] == "f" else scale * v
    return {name: v.requires_grad_() for name, v in out.items()}


def agree(out, values, slow, fixed, places=((0, 0), (1, -1))):
    """Every term and gradient of `out` against slow(lists, the same lists unmoved) -> terms.

    Inputs named in fixed must get no gradient."""
    lists = {name: v.tolist() for name, v in values.items()}
    expected = slow(lists, lists)
    assert {k: out[k].item() for k in expected} == {
        k: pytest.approx(v, abs=2e-6, rel=2e-6) for k, v in expected.items()
    }
    assert torch.isfinite(out["loss"])
    out["loss"].backward()
    for name, v in values.items():
        if name in fixed:
            assert v.grad is None or not v.grad.any(), name
            continue
        for i, k in places:
            ends = []
            for step in (1e-5, -1e-5):
                moved = {n: [list(row) for row in rows] for n, rows in lists.items()}
                moved[name][i][k] += step
                ends.append(slow(moved, lists)["loss"])
            grad = 0.0 if v.grad is None else v.grad[i, k].item()
            assert grad == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=2e-5), name


class Net(nn.Module):
    """Logits that depend on the picture, on training mode and on the blanked tokens, so that every
    path shows."""

    tokens = 4

    def __init__(self, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.f, self.head, self.drop = nn.Linear(12, 6), nn.Linear(6, classes), nn.Dropout(0.5)

    def forward(self, x, keep=None):
        x = x.flatten(1)
        feature = torch.tanh(self.f(x if keep is None else x * keep.repeat_interleave(3, dim=1)))
        return self.head(self.drop(feature)), feature


class WideNet(Net):
    width = 6


def views_batch(seed=1, m=6, picture=(3, 2, 2)):
    g = torch.Generator().manual_seed(seed)

    def x(n):
        return torch.randn(n, *picture, generator=g)

    u = {
        "weak": View(x(m)),
        **{
            n: View(x(m), (torch.rand(m, 4, generator=g) > 0.3).float())
            for n in ("strong", "strong2")
        },
    }
    batch = Batch(
        View(x(4)), torch.tensor([0, 1, 2, 0]), torch.randperm(4, generator=g), View(x(4)), u
    )
    u["weak2"] = View(x(m))
    return batch


def made(kind, config, seed=0):
    torch.manual_seed(seed)
    method = kind(WideNet(), 3, config, torch.tensor([0.6, 0.3, 0.1])).train()
    method.teacher = [WideNet()]
    with torch.no_grad():
        method.teacher[0].head.bias.add_(torch.tensor([0.5, 0.0, 0.0]))
    return method


def losses(method, steps=4, first=0):
    """The losses of a few steps of plain gradient descent."""
    out = []
    for step in range(first, first + steps):
        torch.manual_seed(step)
        loss = method(views_batch(step))["loss"]
        method.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in method.parameters():
                if p.grad is not None:
                    p -= 0.1 * p.grad
        out.append(loss.item())
    return out


def every_setting_is_read(kind, base, others):
    """Perturbing any setting changes the loss within a few steps; `others` has another value for
    each."""
    assert {f.name for f in fields(kind.Config)} == {*others, "name"}
    reference = losses(made(kind, base))
    assert losses(made(kind, base)) == reference
    for name, value in others.items():
        assert losses(made(kind, replace(base, **{name: value}))) != reference, name


def continues_identically(kind, config):
    """A state_dict taken after some steps, put into a fresh method, goes on with the same bits."""
    one, two = made(kind, config), made(kind, config, seed=99)
    losses(one, steps=3)
    two.load_state_dict({k: v.clone() for k, v in one.state_dict().items()})
    assert losses(two, first=3) == losses(one, first=3)
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())


def words(figure) -> str:
    return " | ".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))
