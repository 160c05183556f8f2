"""HyperIQA's network: its table of shapes and parameters, a target network for every picture,
pictures of any size, what its frozen stem's maps stand for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from riqa_lib.networks import hyperiqa, lite0, views
from riqa_lib.networks.hyperiqa import (
    HyperIQA,
    HyperNetwork,
    Layer,
    LocalDistortions,
    target,
)
from riqa_lib.networks.map_store import maps_of
from riqa_lib.networks.weights import load_weights, save_weights

# the table of the paper's network, typed again
STAGES = {"resnet50": [256, 512, 1024, 2048], "lite0": [24, 40, 112, 112]}
TARGET = [224, 112, 56, 28, 14, 1]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def bottlenecks() -> int:
    """Parameters of ResNet-50 without its last layer: convolutions without bias, two numbers a
    channel of each batch norm."""
    total, n_in = 3 * 64 * 49 + 2 * 64, 64
    for width, blocks in zip([64, 128, 256, 512], [3, 4, 6, 3], strict=True):
        for block in range(blocks):
            total += n_in * width + 9 * width**2 + 4 * width**2 + 2 * (2 * width + 4 * width)
            if block == 0:
                total += 4 * n_in * width + 2 * 4 * width
            n_in = 4 * width
    return total


def of_local(channels: list[int]) -> int:
    squeezes = sum(n * own for n, own in zip(channels[:3], [16, 32, 64], strict=True))
    # 8 x 8 of 16 channels, 4 x 4 of 32, 2 x 2 of 64
    return squeezes + sum(linear(n, 16) for n in (1024, 512, 256)) + linear(channels[3], 176)


def of_hyper(channels: int) -> int:
    pairs = list(itertools.pairwise(TARGET))
    reads = linear(channels, 1024) + linear(1024, 512) + linear(512, 112)
    weights = sum(9 * 112 * (a * b // 49) + a * b // 49 for a, b in pairs[:-1]) + linear(112, 14)
    return reads + weights + sum(linear(112, b) for _, b in pairs)


@pytest.mark.parametrize("backbone", ["resnet50", "lite0"])
def test_parameters_are_those_of_the_table(backbone):
    with torch.device("meta"):
        net = HyperIQA(backbone)
    channels = STAGES[backbone]
    assert count(net.local) == of_local(channels)
    assert count(net.hyper) == of_hyper(channels[3])
    own = {"resnet50": bottlenecks(), "lite0": count(lite0.frozen(weights="none"))}
    assert count(net.backbone) == own[backbone]
    assert {n for n, _ in net.named_children()} == {"backbone", "local", "hyper"}


def test_shapes_are_those_of_the_table():
    with torch.device("meta"):
        net = HyperIQA("resnet50").eval()
        stages = net.stages(torch.empty(2, 3, 224, 224))
        assert [tuple(s.shape) for s in stages] == [
            (2, 256, 56, 56),
            (2, 512, 28, 28),
            (2, 1024, 14, 14),
            (2, 2048, 7, 7),
        ]
        assert net.local(stages).shape == (2, 224)
        layers = net.hyper(stages[3])
        assert [tuple(w.shape) for w, _ in layers] == [
            (2, b, a) for a, b in itertools.pairwise(TARGET)
        ]
        assert [tuple(b.shape) for _, b in layers] == [(2, b) for b in TARGET[1:]]
        assert target(net.local(stages), layers).shape == (2,)


def slow_target(v, layers):
    """One picture, number by number."""
    for number, (weight, bias) in enumerate(layers):
        out = np.zeros(len(bias))
        for i in range(len(bias)):
            out[i] = bias[i] + sum(weight[i, j] * v[j] for j in range(len(v)))
        v = 1 / (1 + np.exp(-out)) if number < len(layers) - 1 else out
    return v[0]


def test_every_picture_has_a_target_network_of_its_own():
    g = torch.Generator().manual_seed(0)
    widths = [9, 6, 4, 1]
    layers = [
        Layer(torch.randn(3, b, a, generator=g), torch.randn(3, b, generator=g))
        for a, b in itertools.pairwise(widths)
    ]
    v = torch.randn(3, 9, generator=g)
    slow = [
        slow_target(v[n].numpy(), [(w[n].numpy(), b[n].numpy()) for w, b in layers])
        for n in range(3)
    ]
    assert target(v, layers).numpy() == pytest.approx(slow, rel=1e-5)


def small(monkeypatch, backbone="lite0", **settings):
    """A network with a narrow hypernetwork, by a seed."""
    monkeypatch.setattr(hyperiqa, "HYPER", (12, 10, 8))
    torch.manual_seed(1)
    return HyperIQA(backbone, **settings).eval()


def test_the_hypernetwork_writes_what_its_heads_say_of_a_picture(monkeypatch):
    monkeypatch.setattr(hyperiqa, "HYPER", (12, 10, 8))
    torch.manual_seed(2)
    hyper = HyperNetwork(5)
    x = torch.randn(3, 5, 14, 14)
    layers = hyper(x)
    for n in range(3):  # picture by picture
        pooled = x[n].reshape(5, 7, 2, 7, 2).mean(dim=(2, 4))[None]
        h = pooled
        for conv in (hyper.read[0], hyper.read[2], hyper.read[4]):
            h = F.relu(F.conv2d(h, conv.weight, conv.bias))
        for layer, made, (a, b) in zip(
            layers[:4], hyper.weights, itertools.pairwise(TARGET), strict=False
        ):
            flat = F.conv2d(h, made.weight, made.bias, padding=1)[0].flatten()
            assert torch.allclose(layer.weight[n].flatten(), flat, atol=1e-5)
            assert layer.weight[n].shape == (b, a)
        mean = h[0].mean(dim=(1, 2))
        assert torch.allclose(layers[4].weight[n, 0], hyper.last_weight(mean), atol=1e-5)
        for layer, says in zip(layers, hyper.biases, strict=True):
            assert torch.allclose(layer.bias[n], says(mean), atol=1e-5)


# ---------------------------------------------------------------- local distortions
def test_cells_are_means_of_7_by_7_at_224_px():
    torch.manual_seed(3)
    local = LocalDistortions((3, 4, 5, 6))
    stages = [
        torch.randn(2, n, side, side) for n, side in zip((3, 4, 5, 6), (56, 28, 14, 7), strict=True)
    ]
    parts = []
    for k in range(3):
        own = F.avg_pool2d(F.conv2d(stages[k], local.squeeze[k].weight), 7, 7)
        parts.append(local.say[k](own.flatten(1)))
    parts.append(local.last(F.avg_pool2d(stages[3], 7, 7).flatten(1)))
    assert torch.allclose(local(tuple(stages)), torch.cat(parts, dim=1), atol=1e-5)


def test_stored_averages_serve_the_local_modules():
    """A 1x1 convolution commutes with averaging: what the modules say of the finer stages averaged
    onto the grid is what the averages of what they say would be."""
    torch.manual_seed(4)
    local = LocalDistortions((24, 40, 112, 112))
    fine, middle, coarse = (
        torch.randn(2, 24, 64, 64),
        torch.randn(2, 40, 32, 32),
        torch.randn(2, 112, 16, 16),
    )
    stored = [F.adaptive_avg_pool2d(s, 16) for s in (fine, middle)]
    said = local((*stored, coarse, coarse))
    for k, (stage, cells) in enumerate(((fine, 8), (middle, 4), (coarse, 2))):
        late = F.avg_pool2d(local.squeeze[k](stage), stage.shape[2] // cells)  # at full resolution
        assert torch.allclose(
            said[:, 16 * k : 16 * k + 16], local.say[k](late.flatten(1)), atol=1e-5
        )


def test_maps_stand_for_the_stages_in_their_order(monkeypatch):
    net = small(monkeypatch)
    net.mean.copy_(torch.arange(176.0))
    net.sd.fill_(2.0)
    x = torch.arange(176.0).view(1, -1, 1, 1).expand(1, 176, 3, 3) + 4
    stages = net.stages(x)
    assert [s.shape[1] for s in stages] == STAGES["lite0"]
    assert all(torch.equal(s, torch.full_like(s, 2.0)) for s in stages)
    net.mean.zero_()
    assert [float(s[0, 0, 0, 0]) for s in net.stages(x)] == [2.0, 14.0, 34.0, 34.0]


# ---------------------------------------------------------------- pictures in, grades out
def pictures(count, size):
    return torch.from_numpy(
        np.random.default_rng(size).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    )


def test_a_batch_of_one_is_no_scalar_and_says_the_same(monkeypatch):
    net = small(monkeypatch)
    maps = torch.randn(3, 176, 3, 3)
    with torch.no_grad():
        together = net(maps)
        alone = [net(maps[i : i + 1]) for i in range(3)]
    assert [a.shape for a in alone] == [(1,)] * 3
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)
    assert len({round(float(t), 6) for t in together}) == 3


@pytest.mark.parametrize("size", [16, 33, 48])
def test_pictures_of_any_size_have_a_grade(monkeypatch, size):
    net = small(monkeypatch, crop=32)
    with torch.no_grad():
        said = net.quality(pictures(2, size))
        assert said.shape == (2,)
        assert torch.isfinite(said).all()
        assert torch.equal(said, net.quality(pictures(2, size)))
        assert torch.allclose(said[1:], net.quality(pictures(2, size)[1:]), atol=1e-4)


def test_quality_is_the_mean_over_corner_windows_and_mirror_image(monkeypatch):
    net = small(monkeypatch, crop=32)
    shown = pictures(2, 48)
    stored = maps_of(net.backbone, shown)  # (2, 2, 3, 3, 176)
    with torch.no_grad():
        slow = [
            net(stored[:, k, a : a + 2, b : b + 2].permute(0, 3, 1, 2).float())
            for k in (0, 1)
            for a in (0, 1)
            for b in (0, 1)
        ]
        assert torch.allclose(net.quality(shown), torch.stack(slow).mean(dim=0), atol=1e-5)
        assert torch.allclose(net.quality(shown.flip(2)), net.quality(shown), atol=1e-4)


class Recorder(nn.Module):
    """In the place of ResNet-50: keeps what it is shown; its stages are that, averaged."""

    def forward(self, x):
        self.shown = x
        return [
            x.mean(dim=1, keepdim=True).expand(-1, n, -1, -1)[:, :, ::8, ::8]
            for n in STAGES["resnet50"]
        ]


def test_resnet_sees_crops_on_a_lattice_normalised_as_it_knows_them(monkeypatch):
    monkeypatch.setattr(hyperiqa, "_resnet50", lambda pretrained: Recorder())
    net = small(monkeypatch, "resnet50", crop=24, crops=9)
    shown = pictures(2, 40)
    with torch.no_grad():
        said = net.quality(shown)
        last = shown[:, 16:, 16:].permute(0, 3, 1, 2) / 255  # the ninth crop
        mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        known = (last - mean.view(3, 1, 1)) / sd.view(3, 1, 1)
        assert torch.allclose(net.backbone.shown, known, atol=1e-5)
        each = [
            net(views.normalise(shown[:, a : a + 24, b : b + 24]))
            for a in (0, 8, 16)
            for b in (0, 8, 16)
        ]
        assert torch.allclose(said, torch.stack(each).mean(dim=0), atol=1e-6)
        net.quality(shown[:, :20, :20])  # smaller than a crop: the whole picture, once
        assert net.backbone.shown.shape == (2, 3, 20, 20)
    source = net.source(shown[:, :20, :20])
    assert (source.crop, source.grid) == (20, 1)


def test_answers_are_centred_by_the_grades_and_stored_with_the_weights(monkeypatch, tmp_path):
    net = small(monkeypatch)
    shown = pictures(2, 32)
    with torch.no_grad():
        before = net.quality(shown)
        net.standardise(torch.tensor([1.0, 3.0, 3.0, 5.0]))
        after = net.quality(shown)
    assert torch.allclose(after, before * 2**0.5 + 3, atol=1e-5)
    save_weights(tmp_path / "model.safetensors", net)
    again = HyperIQA("lite0").eval()  # other random weights, stem included
    load_weights(tmp_path / "model.safetensors", again)
    with torch.no_grad():
        assert torch.equal(again.quality(shown), after)


def test_a_frozen_stem_stays_as_it_is_in_training(monkeypatch):
    net = small(monkeypatch).train()
    assert net.local.training
    assert not any(m.training for m in net.backbone.modules())
    assert not any(p.requires_grad for p in net.backbone.parameters())


# ---------------------------------------------------------------- what is not allowed
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backbone": "vgg16"}, r"hyperiqa.backbone is 'vgg16'; allowed: lite0, resnet50"),
        ({"crop": -1}, "hyperiqa.crop is -1"),
        ({"crops": 24}, "hyperiqa.crops is 24; expected a square number"),
        ({"crops": 0}, "hyperiqa.crops is 0"),
    ],
)
def test_what_is_not_allowed_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        HyperIQA(**settings)


def test_without_a_hub_it_says_what_to_take_instead(monkeypatch):
    def no_hub(*args, **settings):
        raise ConnectionError("no route")

    monkeypatch.setattr(timm, "create_model", no_hub)
    with pytest.raises(OSError, match=r"no route.*hyperiqa.backbone = \"lite0\""):
        HyperIQA("resnet50", pretrained=True)
