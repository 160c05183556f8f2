"""Momentum contrast against slow loops from its formulas: loss, gradient, queue, momentum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from riqa_lib.training.reiqa_contrast import DIM, MomentumContrast, logits, optimiser_of


def made(size=8, within=True, momentum=0.9, temperature=0.2, seed=0):
    """Around an encoder of 4 numbers, 5 features."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
    return MomentumContrast(encoder, 5, size, momentum, temperature, within)


def directions(n, seed):
    g = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, DIM, generator=g), dim=1)


def info_nce(q, k, queue, temperature, within):
    """Mean over queries of -log(exp(q.k+/T) / (exp(q.k+/T) + sum of exp(q.k_j/T))), a loop."""
    total = 0.0
    for i in range(len(q)):
        own = math.exp(float(q[i] @ k[i]) / temperature)
        others = [math.exp(float(q[i] @ other) / temperature) for other in queue]
        if within:
            others += [math.exp(float(q[i] @ k[j]) / temperature) for j in range(len(k)) if j != i]
        total -= math.log(own / (own + sum(others)))
    return total / len(q)


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize("filled", [0, 5])
def test_the_loss_is_infonce(within, filled):
    q, k, queue = directions(4, 1).double(), directions(4, 2).double(), directions(filled, 3)
    z = logits(q, k, queue.double(), 0.2, within)
    found = F.cross_entropy(z, torch.zeros(4, dtype=torch.long))
    assert float(found) == pytest.approx(info_nce(q, k, queue.double(), 0.2, within), abs=1e-9)


def test_forward_is_infonce_of_both_sides_mean_over_scales_with_the_queue_of_before():
    moco = made(size=20)
    moco.enqueue(directions(3, 7))
    pairs = [(torch.randn(6, 4), torch.randn(6, 4)) for _ in range(2)]
    expected, hits = [], []
    for shown, other in pairs:
        with torch.no_grad():
            q, k = moco.query(shown), moco.key(other)
        expected.append(info_nce(q.double(), k.double(), directions(3, 7).double(), 0.2, True))
        hits += [int(np.argmax(row) == i) for i, row in enumerate((q @ k.T).numpy())]
        near = (q @ directions(3, 7).T).max(dim=1).values
        own = (q * k).sum(dim=1)
        hits[-6:] = [int(h and o > n) for h, o, n in zip(hits[-6:], own, near, strict=True)]
    out = moco(pairs)
    assert float(out["loss"].detach()) == pytest.approx(np.mean(expected), abs=1e-5)
    assert float(out["found"]) == pytest.approx(np.mean(hits))
    assert int(moco.filled) == 15


def test_queries_and_keys_have_length_one():
    moco = made()
    for side in (moco.query, moco.key):
        np.testing.assert_allclose(side(torch.randn(6, 4)).norm(dim=1).detach(), 1, atol=1e-5)


# ---------------------------------------------------------------- the key's side
def test_no_gradient_reaches_the_key_encoder_nor_the_queue():
    moco = made()
    shown, other = torch.randn(6, 4), torch.randn(6, 4, requires_grad=True)
    moco([(shown, other)])["loss"].backward()
    assert all(p.grad is None for p in moco.key.parameters())
    assert other.grad is None
    assert not moco.queue.requires_grad
    assert all(p.grad is not None for p in moco.query.parameters())
    # the query's gradient is that of constant keys
    alike = made()
    with torch.no_grad():
        k = alike.key(other)
    z = logits(alike.query(shown), k, alike.queue[:0], 0.2, True)
    F.cross_entropy(z, torch.zeros(6, dtype=torch.long)).backward()
    for a, b in zip(moco.query.parameters(), alike.query.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_the_key_follows_by_momentum_only():
    moco = made(momentum=0.9)
    before = [p.clone() for p in moco.key.parameters()]
    optim = optimiser_of(moco, "adamw", 0.1, 0.0)
    moco([(torch.randn(6, 4), torch.randn(6, 4))])["loss"].backward()
    optim.step()
    unmoved = zip(moco.key.parameters(), before, strict=True)
    assert all(torch.equal(p, b) for p, b in unmoved)  # until it is told to follow
    moco.follow()
    for key, query, b in zip(moco.key.parameters(), moco.query.parameters(), before, strict=True):
        torch.testing.assert_close(key.detach(), 0.9 * b + 0.1 * query.detach())
        assert not torch.equal(key, b)


def test_what_is_trained_is_the_encoder_that_was_given():
    encoder = nn.Linear(4, 5)
    moco = MomentumContrast(encoder, 5, 8, 0.9, 0.2)
    assert moco.query.encoder is encoder
    assert moco.key.encoder is not encoder


# ---------------------------------------------------------------- the queue
def test_the_oldest_keys_leave_first():
    moco = made(size=5)
    every = directions(12, 4)
    kept: list[int] = []
    for start, stop in ((0, 2), (2, 4), (4, 5), (5, 8), (8, 12)):
        moco.enqueue(every[start:stop])
        kept = [*kept, *range(start, stop)][-5:]
        there = moco.queue[: int(moco.filled)]
        found = sorted(int((every - row).norm(dim=1).argmin()) for row in there)
        assert found == kept
        assert all((every - row).norm(dim=1).min() == 0 for row in there)


def test_of_more_keys_than_places_the_last_stay():
    moco, every = made(size=3), directions(7, 5)
    moco.enqueue(every)
    rows = {int((every - row).norm(dim=1).argmin()) for row in moco.queue}
    assert rows == {4, 5, 6}


def test_keys_of_a_step_are_no_negatives_of_itself_but_of_the_next():
    moco = made(within=False)
    pair = (torch.randn(4, 4), torch.randn(4, 4))
    assert float(moco([pair])["loss"].detach()) == pytest.approx(
        0, abs=1e-6
    )  # nothing to tell it from
    assert float(moco([pair])["loss"].detach()) > 0.1


# ---------------------------------------------------------------- optimisers
@pytest.mark.parametrize("name", ["adamw", "lars"])
def test_optimisers_move_the_query_and_spare_vectors_from_decay(name):
    moco = made()
    optim = optimiser_of(moco, name, 0.5, 0.3)
    held = [p for group in optim.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in moco.query.parameters()}
    for group in optim.param_groups:
        assert all((p.ndim > 1) == (group["weight_decay"] == 0.3) for p in group["params"])
    before = [p.clone() for p in held]
    moco([(torch.randn(6, 4), torch.randn(6, 4))])["loss"].backward()
    optim.step()
    assert any(not torch.equal(p, b) for p, b in zip(held, before, strict=True))


def test_another_optimiser_is_told():
    with pytest.raises(ValueError, match="'sgd'; allowed: 'adamw', 'lars'"):
        optimiser_of(made(), "sgd", 0.1, 0.0)
