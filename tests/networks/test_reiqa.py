"""Re-IQA's network against its table: features, parameters, what each encoder is shown, the
line."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import nn

from riqa_lib.networks import reiqa
from riqa_lib.networks.lite0 import renormalised
from riqa_lib.networks.reiqa import Line, OnMaps, ReIQA, halved, moments
from riqa_lib.networks.views import normalise
from riqa_lib.networks.weights import load_weights, save_weights


def count(module):
    return sum(p.numel() for p in module.parameters())


def pictures(n=3, side=34, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, side, side, 3), dtype=torch.uint8, generator=g)


@pytest.fixture(scope="module")
def lite():
    """With random weights, batch norms that have seen something, and a line."""
    torch.manual_seed(0)
    net = ReIQA(pretrained=False, width=6)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    net.encoders.quality.standardise(torch.randn(8, 176, 2, 2) * 3 + 1)
    return net.eval()


# ---------------------------------------------------------------- the table
def test_resnet50_has_the_papers_8192_features_and_its_parameters():
    with torch.device("meta"):
        net = ReIQA("resnet50", pretrained=False)
    net.to_empty(device="cpu").eval()  # whatever numbers: nobody reads them
    with torch.no_grad():
        said = net.features(pictures(2, 64))
        assert net.line(said).shape == (2, 1)
    assert said.shape == (2, 8192)
    assert count(net.encoders.content) == count(net.encoders.quality) == 23_508_032
    assert count(net) == 2 * 23_508_032 + 8_193
    assert net.is_content().reshape(4, 2048).tolist() == [[v] * 2048 for v in (1, 0, 1, 0)]


def test_lite0_has_the_features_and_parameters_of_the_table():
    with torch.device("meta"):
        net = ReIQA(pretrained=False)
    assert count(net.encoders.stem) == 700_768 - 8_080  # a scale of each channel, folded
    assert count(net.encoders.quality) == 39_424
    assert count(net.line) == 1_217
    assert count(net) == 741_409 - 8_080
    assert net.is_content().sum() == 2 * 352


@pytest.mark.parametrize("side", [6, 7])
def test_half_size_is_the_mean_of_four(side):
    whole = pictures(2, side).numpy()
    half = halved(torch.from_numpy(whole)).numpy()
    assert half.dtype == np.uint8
    assert half.shape == (2, side // 2, side // 2, 3)
    for n, i, j, c in np.ndindex(half.shape):
        four = whole[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        assert abs(float(half[n, i, j, c]) - four.astype(float).mean()) <= 0.5


# ---------------------------------------------------------------- what the encoders are shown
def test_lite0_features_are_moments_of_the_stems_maps_of_both_scales_and_both_mirror_images(lite):
    shown = pictures()
    with torch.no_grad():
        said = lite.features(shown).numpy()
    content = said[:, lite.is_content()].reshape(3, 2, 352)
    quality = said[:, ~lite.is_content()].reshape(3, 2, 12)
    for scale, pixels in enumerate((shown, halved(shown))):
        means, others = [], []
        for x in (normalise(pixels), normalise(pixels).flip(3)):
            with torch.no_grad():
                maps = lite.encoders.stem(renormalised(x)).half().float()
                others.append(lite.encoders.quality(maps).numpy())
            grid = maps.numpy()
            means.append(np.concatenate([grid.mean((2, 3)), grid.std((2, 3))], axis=1))
        np.testing.assert_allclose(content[:, scale], np.mean(means, axis=0), atol=4e-3)
        np.testing.assert_allclose(quality[:, scale], np.mean(others, axis=0), atol=1e-4)


def test_a_mirror_image_is_as_good(lite):
    shown = pictures(side=32)
    with torch.no_grad():
        lite.draw(Line(np.linspace(-1, 1, 2 * 364), 2.0))
        there, mirrored = lite.quality(shown), lite.quality(shown.flip(2))
    assert there.std() > 0.01
    torch.testing.assert_close(there, mirrored, atol=1e-3, rtol=0)


class Told(nn.Module):
    """Stands for a ResNet: notes what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x):
        self.shown.append(x)
        return x.mean(dim=(2, 3)).repeat(1, 683)[:, :2048]


def test_resnet_content_is_normalised_and_quality_is_not(monkeypatch):
    asked = []

    def stub(pretrained):
        asked.append(pretrained)
        return Told()

    monkeypatch.setattr(reiqa, "resnet", stub)
    net = ReIQA("resnet50")
    assert asked == [True, False]  # the quality encoder starts at random
    shown = pictures(2, 8)
    net.features(shown)
    for scale, pixels in enumerate((shown, halved(shown))):
        plain = pixels.numpy().transpose(0, 3, 1, 2) / 255.0
        sd, mean = (np.reshape(v, (3, 1, 1)) for v in ((0.229, 0.224, 0.225), reiqa.MEAN))
        np.testing.assert_allclose(net.encoders.quality.shown[scale], plain, atol=1e-6)
        np.testing.assert_allclose(
            net.encoders.content.shown[scale], (plain - mean) / sd, atol=1e-5
        )
    assert reiqa.MEAN == (0.485, 0.456, 0.406)


# ---------------------------------------------------------------- its parts
def test_moments_are_means_then_deviations_with_a_gradient_on_flat_maps():
    maps = torch.randn(2, 3, 4, 5)
    grid = maps.numpy()
    expected = np.concatenate([grid.mean((2, 3)), grid.std((2, 3))], axis=1)
    np.testing.assert_allclose(moments(maps), expected, atol=1e-4)
    flat = torch.ones(1, 1, 3, 3, requires_grad=True)
    moments(flat).sum().backward()
    assert torch.isfinite(flat.grad).all()


def test_the_quality_encoder_sees_standardised_maps():
    maps = torch.randn(40, 5, 2, 3) * torch.tensor([1.0, 2, 3, 4, 0]).view(1, 5, 1, 1) + 7
    encoder = OnMaps(5, 4)
    encoder.standardise(maps.half())
    seen = []
    encoder.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    encoder(maps.half())
    assert seen[0].mean(dim=(0, 2, 3)).abs().max() < 1e-2
    np.testing.assert_allclose(seen[0].std(dim=(0, 2, 3))[:4], 1, atol=1e-2)
    assert torch.isfinite(seen[0]).all()  # a channel that never changes


def test_nothing_of_the_stem_learns(lite):
    assert not any(p.requires_grad for p in lite.encoders.stem.parameters())
    lite.train()
    before = {k: v.clone() for k, v in lite.encoders.stem.state_dict().items()}
    lite.quality(pictures()).sum().backward()
    assert all(p.grad is None for p in lite.encoders.stem.parameters())
    assert any(p.grad is not None for p in lite.encoders.quality.parameters())
    now = lite.encoders.stem.state_dict()
    assert all(torch.equal(now[k], v) for k, v in before.items())  # its batch norms too
    lite.zero_grad(set_to_none=True)
    lite.eval()


@pytest.mark.parametrize("backbone", ["lite0", "resnet50"])
def test_a_quality_encoder_starts_the_same_from_the_same_seed(backbone, monkeypatch):
    monkeypatch.setattr(reiqa, "resnet", lambda pretrained: nn.Linear(3, 2))
    net = ReIQA(backbone, pretrained=False, width=4)
    drawn = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        net.encoders.start()
        drawn.append([p.clone() for p in net.encoders.quality.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
    assert not torch.equal(drawn[0][0], drawn[1][0])


def test_stored_weights_say_the_same(lite, tmp_path):
    lite.draw(Line(np.linspace(-1, 1, 2 * 364), 2.0))
    save_weights(tmp_path / "model.safetensors", lite)
    torch.manual_seed(1)
    again = ReIQA(pretrained=False, width=6).eval()
    load_weights(tmp_path / "model.safetensors", again)
    with torch.no_grad():
        assert torch.equal(again.quality(pictures()), lite.quality(pictures()))


def test_another_backbone_and_a_hub_that_is_not_there_are_told(monkeypatch):
    with pytest.raises(ValueError, match="'vgg16'; allowed: 'lite0', 'resnet50'"):
        ReIQA("vgg16")

    def unreachable(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(OSError, match=r'no route\); set reiqa.backbone to "lite0"'):
        ReIQA("resnet50")
