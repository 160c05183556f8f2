"""Weights from distortions: our stand-in for ImageNet weights where none can be had.

The network learns, on pictures without labels, to tell which distortion was added and how much:
cross-entropy on the type, cross-entropy on the level, and for two levels of the same distortion of
the same crop, which is worse (RankIQA, Liu et al., ICCV 2017; type and level: Kang et al., 2015,
and DBCNN's S-CNN, Zhang et al., 2020). Measured on real photographs with 300 labels: SRCC .56
against .47-.51 from scratch; a from-scratch ViT loses to the variance of the Laplacian.

    L = CE(type) + CE(level) + mean softplus(-(r(milder) - r(worse)))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import bars
from ..bounds import Checked, Range
from ..networks import views
from ..networks.device import device
from ..networks.network import Network
from ..networks.precision import mixed
from ..networks.weights import save_weights
from ..seeding import rng, seed_of
from ..sim.distortions import MONOTONE, distort
from .loop import drawn
from .optimisation import TrainConfig, lr_at, one_step, optimiser


@dataclass(frozen=True)
class PretrainConfig(Checked):
    """pictures: how many are distorted (twice each, at two levels); batch: pairs a step.

    kinds: ten of the 25 types. Seventeen, with the colour and quantisation types among them, served
    no better on real photographs, although trained longer (300 labels, two seeds: SRCC .50 and .52,
    against .57 and .50).

    lr, kinds, scale: no profile or row changes them; ours, kinds as measured above."""

    where: ClassVar[str] = "pretrain."

    pictures: Annotated[int, Range(1)] = 3300
    steps: Annotated[int, Range(1)] = 1200
    batch: Annotated[int, Range(1)] = 32
    lr: Annotated[float, Range(above=0)] = 1e-3
    # riqa_lib.sim.distortions.TYPES
    kinds: Annotated[tuple[int, ...], Range(1, 25)] = (1, 2, 3, 7, 10, 11, 13, 16, 17, 25)
    # lengths in px (blur radii, motion) times this: KADID's are for 512 px wide pictures
    scale: Annotated[float, Range(above=0)] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds:
            raise ValueError("pretrain.kinds is empty; expected numbers of distortions, 1 to 25")


def distorted_pairs(
    pixels: np.ndarray, rows: np.ndarray, c: PretrainConfig, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pairs (2, N, H, W, 3) uint8 (milder, worse), kind (N,) index into c.kinds, levels (2, N) in
    0..4. The same noise for both sides."""
    n = min(c.pictures, len(rows))
    chosen = rng("pretrain", seed).permutation(rows)[:n]
    pairs = np.empty((2, n, *pixels.shape[1:]), np.uint8)
    kind, levels = np.empty(n, np.int64), np.empty((2, n), np.int64)
    for i, row in enumerate(bars.bar(chosen, desc="distorting")):
        r = rng("pretrain", seed, int(row))
        kind[i] = r.integers(len(c.kinds))
        levels[:, i] = np.sort(r.choice(5, 2, replace=False))
        noise = int(r.integers(2**31))
        for side in range(2):
            out = distort(
                pixels[row],
                c.kinds[kind[i]],
                int(levels[side, i]) + 1,
                np.random.default_rng(noise),
                scale=c.scale,
            )
            pairs[side, i] = np.round(out * 255)
    return pairs, kind, levels


class DistortionHeads(nn.Module):
    """Three linear heads on the pooled feature: type, level, badness."""

    ordered: Tensor

    def __init__(self, net: Network, kinds: tuple[int, ...]) -> None:
        super().__init__()
        self.net = net
        self.kind, self.level, self.rank = (nn.Linear(net.width, k) for k in (len(kinds), 5, 1))
        # a higher level is always worse
        self.register_buffer("ordered", torch.tensor([k in MONOTONE for k in kinds]))

    def forward(
        self, milder: Tensor, worse: Tensor, kind: Tensor, levels: Tensor
    ) -> dict[str, Tensor]:
        """milder, worse (N, 3, S, S); kind (N,); levels (2, N)."""
        _, feature = self.net(torch.cat([milder, worse]))
        ordered = self.ordered[kind].float()
        r = self.rank(feature.float()).squeeze(1)
        both, level = torch.cat([kind, kind]), levels.flatten()
        n = len(kind)
        kind_loss = F.cross_entropy(self.kind(feature.float()), both)
        level_loss = F.cross_entropy(self.level(feature.float()), level)
        rank_loss = (ordered * F.softplus(r[:n] - r[n:])).sum() / ordered.sum().clamp_min(1)
        right = (self.kind(feature.float()).argmax(dim=1) == both).float().mean()
        pair = ((r[n:] > r[:n]).float() * ordered).sum() / ordered.sum().clamp_min(1)
        return {
            "loss": kind_loss + level_loss + rank_loss,
            "kind_accuracy": right,
            "pair_accuracy": pair,
        }


def pretrain(
    net: Network,
    pixels: np.ndarray,
    rows: np.ndarray,
    crop: int,
    c: PretrainConfig,
    seed: int,
    file: Path,
) -> dict[str, float]:
    """Train `net` on distorted pictures pixels[rows] (no labels), write its weights to `file`;
    returns training accuracies."""
    pairs, kind, levels = distorted_pairs(pixels, rows, c, seed)
    where = device()
    heads = DistortionHeads(net, c.kinds).to(where).train()
    precision = mixed(net, where)
    schedule = TrainConfig(steps=c.steps, lr=c.lr, batch=c.batch)
    optim = optimiser(heads, schedule)
    both = torch.from_numpy(pairs).flatten(0, 1).to(where)  # (2N, H, W, 3)
    n, seen = len(kind), []
    for step in bars.bar(range(c.steps), desc="pre-training"):
        index = torch.from_numpy(drawn(n, c.batch, step, seed, "pretrain"))
        sides = [  # the same crop of both, by the same generator state
            views.normalise(
                views.crop(
                    both, index + side * n, crop, torch.Generator().manual_seed(seed_of(seed, step))
                )
            )
            for side in range(2)
        ]
        told = (torch.from_numpy(kind)[index], torch.from_numpy(levels)[:, index])
        inputs = (*sides, *(t.to(where) for t in told))
        rate = lr_at(step, schedule)
        out = one_step(heads, inputs, optim, rate, schedule.clip, precision)
        seen.append({name: float(v.detach()) for name, v in out.items()})
    save_weights(file, net)
    last = seen[-max(1, c.steps // 10) :]
    return {name: float(np.mean([s[name] for s in last])) for name in last[0]}
