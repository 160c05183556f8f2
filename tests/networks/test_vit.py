"""The network: logits and pooled feature, both stems, blanked tokens."""

from __future__ import annotations

import pytest
import torch

from riqa_lib.networks.vit import ViT, ViTConfig


@pytest.mark.parametrize("config", [
    ViTConfig(width=16, depth=2, heads=2, weights="none"),
    ViTConfig(width=16, depth=2, heads=2, stem="patch", weights="none"),
    ViTConfig(arch="vit_tiny_patch16_224", weights="none"),
])  # fmt: skip
def test_logits_are_the_head_of_the_feature(config):
    torch.manual_seed(0)
    net = ViT(config, 32, 5).eval()
    x = torch.randn(3, 3, 32, 32)
    logits, feature = net(x)
    assert logits.shape == (3, 5)
    assert feature.shape == (3, net.width)
    assert torch.allclose(net.vit.head(feature), logits)
    assert torch.allclose(net.vit(x), logits, atol=1e-5)  # timm's own way through
    assert net.tokens == (32 // (16 if config.arch else config.patch)) ** 2


@pytest.mark.parametrize("arch", ["", "vit_tiny_patch16_224"])
def test_a_blanked_token_hides_its_pixels(arch):
    torch.manual_seed(0)
    net = ViT(
        ViTConfig(arch=arch, width=16, depth=2, heads=2, patch=16, stem="patch", weights="none"),
        32,
        5,
    ).eval()
    x = torch.randn(1, 3, 32, 32)
    keep = torch.tensor([[1.0, 0.0, 1.0, 1.0]])  # the second patch: top right
    other = x.clone()
    other[:, :, :16, 16:] = 7.0
    assert torch.equal(net(x, keep)[0], net(other, keep)[0])
    assert not torch.allclose(net(x)[0], net(other)[0])
    assert torch.allclose(net(x, torch.ones(1, 4))[0], net(x)[0])


def test_bfloat16_stem_stays_close():
    torch.manual_seed(0)
    net = ViT(ViTConfig(width=32, depth=1, weights="none"), 32, 5).eval()
    x = torch.randn(4, 3, 32, 32)
    exact = net(x)[0]
    net.vit.patch_embed.bf16 = True
    near = net(x)[0]
    assert near.dtype == torch.float32
    assert not torch.equal(exact, near)
    assert torch.allclose(exact, near, atol=0.05)


@pytest.mark.parametrize(("settings", "words"), [
    ({"stem": "mlp"}, "conv, patch"), ({"weights": "best"}, "imagenet, distortion, none"),
    ({"weights": "imagenet"}, "model.arch"),
    ({"arch": "vit_no_such"}, "not a timm model"), ({"patch": 12}, "power of two"),
])  # fmt: skip
def test_bad_settings_say_what_is_allowed(settings, words):
    with pytest.raises(ValueError, match=words):
        ViTConfig(**settings)


def test_a_size_that_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="30 px cannot be cut into patches of 16 px"):
        ViT(ViTConfig(weights="none"), 30, 5)
