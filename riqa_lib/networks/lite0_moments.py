"""Means and deviations of all of Lite0's stages: what a frozen network has to say of a picture, in
3,552 numbers.

EfficientNet-Lite0 with ImageNet weights (networks.lite0), whole this time, from stride 4 on:

    after stage   1   2    4    6   head
    stride        4   8   16   32     32
    channels     24  40  112  320  1,280

Of each channel the mean and the standard deviation over its own grid (nothing is pooled before),
averaged over the picture and its mirror image. Always in fp32, as stored maps are
(`map_store.fp32`). Compared with `map_store`'s maps: strides 4 and 8 keep their grid, and stride
32 and the head, which know what is in a picture, are there too."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from . import lite0, views
from .device import device
from .map_store import fp32

KEPT = {1: 24, 2: 40, 4: 112, 6: 320}  # stage: channels, the last stage of each stride
HEAD = 1280
FEATURES = 2 * (sum(KEPT.values()) + HEAD)


class Whole(nn.Module):
    """x (N, 3, S, S), pixels as (p - .5) / .5 with p in 0..1 -> (N, FEATURES): of each kept stage
    and of the head its channels' means, then their standard deviations, over the grid.

    weights: "imagenet", else random."""

    def __init__(self, weights: str = "imagenet") -> None:
        super().__init__()
        net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        if weights == "imagenet":
            found = lite0.read_weights(lite0.weights_file())
            net.load_state_dict(lite0.matched(net.state_dict(), found))
        self.first = nn.Sequential(net.conv_stem, net.bn1)
        self.stages = net.blocks
        self.head = nn.Sequential(net.conv_head, net.bn2)

    def forward(self, x: Tensor) -> Tensor:
        return lite0.by_sixteen(self, self._moments, x)

    def _moments(self, x: Tensor) -> Tensor:
        x = self.first(x)
        said = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in KEPT:
                said.append(moments(x))
        return torch.cat([*said, moments(self.head(x))], dim=1)


def moments(maps: Tensor) -> Tensor:
    """Means, then standard deviations, over the grid of maps (N, C, h, w): (N, 2 C)."""
    return torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)


@lru_cache(maxsize=1)
def _frozen() -> Whole:
    return lite0.folded(Whole()).to(device())


@torch.no_grad()
def stage_moments(pixels: np.ndarray) -> np.ndarray:
    """float32 (N, FEATURES) of pictures (N, S, S, 3) uint8; N of some dozens at a time."""
    net, where = _frozen(), device()
    x = lite0.renormalised(views.normalise(torch.from_numpy(np.array(pixels))).to(where))
    with fp32(where):
        both = [net(a.contiguous(memory_format=torch.channels_last)) for a in (x, x.flip(3))]
    return torch.stack(both).mean(dim=0).cpu().numpy()
