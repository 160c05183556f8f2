"""A network with a line beside its transformer starts as ridge regression."""

import numpy as np
import pytest
import torch

from riqa_lib.networks.sources import Maps
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.training.ridge_start import LEAST_VARIANCE, moments, start_at_ridge

FROZEN = {"stem": "lite0", "weights": "imagenet", "freeze": True, "width": 16, "depth": 1}


@pytest.fixture
def lesson():
    """Maps of 60 pictures, whose grade leans on one channel's mean, and a network for them."""
    g = torch.Generator().manual_seed(0)
    maps = torch.randn(60, 2, 3, 3, 176, generator=g).half()
    maps[..., 7] += torch.linspace(-2, 2, 60).view(-1, 1, 1, 1).half()
    grades = np.clip(
        np.round(np.linspace(0, 4, 60) + np.random.default_rng(1).normal(0, 0.4, 60)), 0, 4
    )
    torch.manual_seed(3)
    net = ViT(ViTConfig(**FROZEN, skip=True), 32, 5)
    net.vit.patch_embed.standardise(torch.full((176,), 0.3), torch.full((176,), 1.5))
    return net, Maps(maps, 2, torch.zeros(176)), grades.astype(int)


def slow_ridge(x, y, penalty):
    """Ridge on standardised columns by its normal equations: a function of new rows."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / sd
    w = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return lambda new: (new - mean) / sd @ w + y.mean()


def slow_penalty(x, y, penalties):
    """The penalty with the least leave-one-out squared error, each left out in turn; and that."""
    best = (np.inf, None)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / sd  # scaled by all, as the pipeline does
    for penalty in penalties:
        errors = []
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            zr, yr = z[rest], y[rest]
            zm = zr.mean(axis=0)
            c = zr - zm
            # fewer pictures than columns: the same w by the smaller matrix
            w = c.T @ np.linalg.solve(c @ c.T + penalty * np.eye(len(c)), yr - yr.mean())
            errors.append((y[i] - (z[i] - zm) @ w - yr.mean()) ** 2)
        best = min(best, (float(np.mean(errors)), penalty))
    return best


def test_it_says_what_a_normal_density_around_the_ridge_says(lesson):
    net, source, grades = lesson
    rows = np.arange(60)
    start_at_ridge(net, source, rows, grades)
    x, y = moments(net, source, rows).numpy(), grades.astype(float)
    variance, penalty = slow_penalty(x, y, np.logspace(0, 5, 21))
    says = slow_ridge(x, y, penalty)
    assert variance > LEAST_VARIANCE  # else the next lines would test nothing
    net.eval()
    for look in source.looks(torch.arange(10)):
        seen = net.skip.moments(net.vit.patch_embed.maps(look)).detach().double().numpy()
        k = np.arange(5)
        density = np.exp(-((k - says(seen)[:, None]) ** 2) / (2 * variance))
        expected = density / density.sum(axis=1, keepdims=True)
        p = net(look)[0].softmax(dim=1).detach().double().numpy()
        np.testing.assert_allclose(p, expected, atol=2e-3)


def test_the_moments_are_means_over_looks(lesson):
    net, source, _ = lesson
    rows = np.array([5, 2])
    looks = source.looks(torch.from_numpy(rows))
    assert len(looks) == 8  # four corners, picture and mirror image
    expected = np.zeros((2, 352))
    for look in looks:
        standard = (look.double().numpy() - 0.3) / 1.5
        expected[:, :176] += standard.mean(axis=(2, 3)) / 8
        expected[:, 176:] += np.sqrt(standard.var(axis=(2, 3)) + 1e-6) / 8
    np.testing.assert_allclose(moments(net, source, rows), expected, atol=1e-4)


def test_all_of_it_still_learns(lesson):
    """The transformer's head starts at 0, not its gradient."""
    net, source, grades = lesson
    start_at_ridge(net, source, np.arange(60), grades)
    images = source.looks(torch.arange(16))[0]
    target = torch.from_numpy(grades[:16])
    optim = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(2):  # the head first, then through it the blocks
        optim.zero_grad()
        torch.nn.functional.cross_entropy(net(images)[0], target).backward()
        optim.step()
    still = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert still == []


def test_the_same_labels_give_the_same_start(lesson):
    net, source, grades = lesson
    start_at_ridge(net, source, np.arange(60), grades)
    first = net.skip.line.weight.clone()
    start_at_ridge(net, source, np.arange(60), grades)
    assert torch.equal(first, net.skip.line.weight)
    start_at_ridge(net, source, np.arange(60), grades[::-1].copy())
    assert not torch.allclose(first, net.skip.line.weight)
