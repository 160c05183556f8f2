"""Tokens of the hybrid ViT: pooled, and the straight line beside the transformer."""

import numpy as np
import pytest
import torch

from riqa_lib.networks.hybrid import MapEmbed, OnPixels, Skip
from riqa_lib.networks.vit import ViT, ViTConfig

FROZEN = {"stem": "lite0", "weights": "imagenet", "freeze": True, "width": 16, "depth": 1}


def slow_moments(maps, shown):
    """Mean and deviation of each channel over the shown places, by loops."""
    rows = []
    for picture, places in zip(maps, shown, strict=True):
        means, spreads = [], []
        for channel in picture:
            seen = [v for v, there in zip(channel.ravel(), places.ravel(), strict=True) if there]
            mean = sum(seen) / len(seen)
            means.append(mean)
            spreads.append((sum((v - mean) ** 2 for v in seen) / len(seen) + 1e-6) ** 0.5)
        rows.append([*means, *spreads])
    return np.array(rows)


@pytest.mark.parametrize("pool", [1, 2])
def test_the_line_sees_moments_of_what_is_not_blanked(pool):
    g = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 5, 4, 4, generator=g)
    side = 4 // pool
    keep = (torch.rand(3, side * side, generator=g) > 0.4).float()
    keep[:, 0] = 1
    skip = Skip(5, 2, pool)
    assert torch.equal(skip(maps, keep), torch.zeros(3, 2))  # as if it were not there, at first
    torch.nn.init.normal_(skip.line.weight, generator=g)
    shown = np.zeros((3, 4, 4), bool)
    for n in range(3):
        for i in range(4):
            for j in range(4):
                shown[n, i, j] = keep[n, (i // pool) * side + j // pool] > 0
    expected = (
        slow_moments(maps.double().numpy(), shown) @ skip.line.weight.detach().double().numpy().T
    )
    np.testing.assert_allclose(skip(maps, keep).detach(), expected, atol=1e-5)
    everywhere = slow_moments(maps.double().numpy(), np.ones((3, 4, 4), bool))
    whole = everywhere @ skip.line.weight.detach().double().numpy().T
    np.testing.assert_allclose(skip(maps).detach(), whole, atol=1e-5)


def test_pooled_tokens_are_means_of_their_neighbours():
    maps = torch.randn(2, 176, 4, 4, generator=torch.Generator().manual_seed(1))
    fine, coarse = MapEmbed(64, 8, True), MapEmbed(64, 8, True, pool=2)
    coarse.load_state_dict(fine.state_dict())
    each = fine(maps).view(2, 4, 4, 8)
    for i in range(2):
        for j in range(2):
            mean = each[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(dim=(1, 2))
            torch.testing.assert_close(coarse(maps)[:, 2 * i + j], mean)
    assert coarse.num_patches == 4


def test_the_network_is_transformer_plus_line():
    torch.manual_seed(0)
    net = ViT(ViTConfig(**FROZEN, pool=2, skip=True), 64, 5)
    maps = torch.randn(2, 176, 4, 4)
    keep = torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 0]])
    without = net(maps, keep)[0]
    torch.nn.init.normal_(net.skip.line.weight)
    with_line = net(maps, keep)[0]
    torch.testing.assert_close(with_line - without, net.skip(maps, keep), atol=1e-4, rtol=1e-4)


def test_the_line_learns_from_pixels_too():
    whole = OnPixels(ViT(ViTConfig(**FROZEN, skip=True), 32, 5), scales=True)
    loose = ViT(ViTConfig(**FROZEN | {"freeze": False}, skip=True), 32, 5)
    for net in (whole, loose):
        net(torch.randn(2, 3, 32, 32))[0].sum().backward()
    assert loose.skip.line.weight.grad.abs().sum() > 0
    assert whole.net.skip.line.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"skip": True}, "model.skip needs model.stem = lite0, not conv"),
        ({"pool": 2}, "model.pool = 2 needs model.stem = lite0, not conv"),
        (FROZEN | {"pool": 0}, "model.pool is 0; expected 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        ViTConfig(**settings)


def test_tokens_that_do_not_pool_evenly_are_refused():
    with pytest.raises(ValueError, match=r"80 px have 5 x 5 tokens, which model\.pool = 2"):
        ViT(ViTConfig(**FROZEN, pool=2), 80, 5)
