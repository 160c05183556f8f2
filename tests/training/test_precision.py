"""bfloat16 and fp32 make the same network, within what `networks.precision` states: the same
training with a forward pass in either, on maps of a frozen stem, and the same prediction of the
same weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from riqa_lib.networks import lite0, precision
from riqa_lib.networks.predict import probabilities
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.ssl.supervised import Supervised
from riqa_lib.training import loop
from riqa_lib.training.loop import Material, TrainConfig

PICTURES, GRADES = 48, 3
TRUTH = np.arange(PICTURES) % GRADES
SEEDS = (0, 1)
TRAIN = TrainConfig(steps=15, batch=16, evaluations=1, select="last", ema=0.0, lr=2e-3)


def frozen_vit():
    """A ViT on maps of a frozen stem whose means tell the grade, with noise."""
    g = np.random.default_rng(0)
    noise = g.normal(size=(PICTURES, 2, 4, 4, lite0.channels(True)))
    maps = torch.from_numpy((noise + TRUTH[:, None, None, None, None]).astype(np.float16))
    config = ViTConfig(width=16, depth=2, heads=2, stem="lite0", freeze=True, weights="imagenet")
    return ViT(config, 64, GRADES), Maps(maps, 4, torch.zeros(maps.shape[-1]))


@dataclass
class Trained:
    """A network, what it was asked about, and its probabilities (N, C)."""

    net: torch.nn.Module
    source: Maps

    def __post_init__(self) -> None:
        self.p = self.said()

    def said(self) -> torch.Tensor:
        return probabilities(self.net, self.source, np.arange(PICTURES))

    @property
    def mae(self) -> float:
        return float(np.abs(self.p.argmax(dim=1).numpy() - TRUTH).mean())


def bf16(net, where, wanted="auto"):
    """What `mixed` gives on a GPU: the whole forward pass in bfloat16."""
    return torch.autocast("cpu", torch.bfloat16)


def trained(seed: int) -> Trained:
    torch.manual_seed(seed)
    net, source = frozen_vit()
    rows = np.arange(PICTURES)
    method = Supervised(net, GRADES, Supervised.Config(), torch.full((GRADES,), 1 / GRADES))
    material = Material(source, rows, TRUTH, rows, rows[:16], TRUTH[:16])
    return Trained(loop.fit(method, material, TRAIN, seed)[0], source)


def test_a_training_in_bfloat16_ends_within_what_is_stated(monkeypatch):
    stated = precision.VIT
    for seed in SEEDS:
        full = trained(seed)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "mixed", bf16)
            low = trained(seed)
        gap = (low.p - full.p).abs()
        assert 0 < gap.mean() <= stated.mean
        assert gap.max() <= stated.largest
        assert abs(low.mae - full.mae) <= stated.mae
        assert full.mae < 0.6  # it has learnt: the best constant has 0.67
        with bf16(None, None):
            same = (full.said() - full.p).abs()
        assert 0 < same.max() <= stated.asked


def test_without_hardware_for_it_auto_is_fp32_bit_for_bit(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda where: False)
    net = ViT(ViTConfig(width=16, depth=2, heads=2, patch=8, weights="none"), 16, GRADES)
    x = torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        plain = net.eval()(x)[0]
        with precision.mixed(net, torch.device("cpu")):
            assert torch.equal(net(x)[0], plain)


def test_predictions_are_asked_in_fp32_and_training_goes_on_in_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda where: True)
    torch.manual_seed(0)
    net = ViT(ViTConfig(width=16, depth=2, heads=2, patch=8, weights="none"), 16, GRADES)
    source = Pixels(torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8), 16)
    plain = probabilities(net, source, np.arange(4))
    precision.mixed(net, torch.device("cpu"))
    assert torch.equal(probabilities(net, source, np.arange(4)), plain)
    assert net.vit.patch_embed.bf16
