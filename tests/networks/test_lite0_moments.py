"""Means and deviations of all of Lite0's stages, against timm's own network stage by stage."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

from riqa_lib.networks import lite0, lite0_moments
from riqa_lib.networks.lite0_moments import FEATURES, stage_moments
from riqa_lib.seeding import rng


def pictures(count=3, size=40):
    return rng("stages").integers(0, 256, (count, size, size, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def whole():
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    found = lite0.read_weights(lite0.weights_file())
    net.load_state_dict(dict(zip(net.state_dict(), found.values(), strict=True)))
    return net


@torch.no_grad()
def slow(net, picture):
    """Stage by stage, a channel at a time, of the picture and of its mirror image."""
    looks = []
    for shown in (picture, picture[:, ::-1]):
        x = torch.from_numpy(shown.astype(np.float32) / 255).permute(2, 0, 1)[None]
        x = net.bn1(net.conv_stem((x - 0.5) / 0.5))
        kept = []
        for number, stage in enumerate(net.blocks):
            x = stage(x)
            if number in (1, 2, 4, 6):
                kept.append(x)
        kept.append(net.bn2(net.conv_head(x)))
        said = []
        for maps in kept:
            channels = [channel.double().numpy().ravel() for channel in maps[0]]
            said += [c.sum() / len(c) for c in channels]
            said += [(((c - c.mean()) ** 2).sum() / len(c)) ** 0.5 for c in channels]
        looks.append(said)
    return np.mean(looks, axis=0)


def test_by_a_slow_loop_over_channels(whole):
    shown = pictures()
    found = stage_moments(shown)
    assert found.shape == (3, FEATURES)
    assert FEATURES == 2 * (24 + 40 + 112 + 320 + 1280)
    assert found.dtype == np.float32
    for row, picture in zip(found, shown, strict=True):
        assert row == pytest.approx(slow(whole, picture), abs=2e-3)


def test_a_picture_and_its_mirror_image_are_the_same():
    shown = pictures(2)
    assert stage_moments(shown[:, :, ::-1]) == pytest.approx(stage_moments(shown), abs=1e-4)


def test_the_batch_changes_nothing_and_an_autocast_neither():
    shown = pictures(4, 32)
    whole = stage_moments(shown)
    assert stage_moments(shown[2:3]) == pytest.approx(whole[2:3], abs=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert stage_moments(shown) == pytest.approx(whole, abs=1e-4)


def test_random_weights_are_others():
    torch.manual_seed(0)
    net = lite0_moments.Whole("none").eval()
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, FEATURES)
    ours = lite0_moments._frozen().state_dict()
    assert any(not torch.equal(v, ours[k].cpu()) for k, v in net.state_dict().items())
