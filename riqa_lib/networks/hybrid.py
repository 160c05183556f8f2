"""Tokens of the hybrid ViT: from the stem Lite0, trained along, or from maps it made once.

Drop-ins for timm's PatchEmbed; see networks.lite0 for the stem."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import lite0
from .network import Network


class HybridEmbed(nn.Module):
    """Normalised pixels (N, 3, S, S) -> (N, tokens, width). The stem is trained with the rest."""

    def __init__(self, size: int, width: int, scales: bool, weights: str) -> None:
        super().__init__()
        self.stem = lite0.Lite0(scales, weights)
        self.project = nn.Linear(self.stem.channels, width)
        self.grid_size = (size // lite0.STRIDE, size // lite0.STRIDE)
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def forward(self, x: Tensor) -> Tensor:
        shown = lite0.renormalised(x).contiguous(memory_format=torch.channels_last)
        return self.project(self.stem(shown).flatten(2).transpose(1, 2))


class MapEmbed(nn.Module):
    """Maps of a frozen stem (N, channels, t, t) -> (N, tokens, width).

    Maps are standardised by channel; `standardise` sets mean and sd, which belong to the weights
    from then on: whoever loads them needs no store."""

    mean: Tensor
    sd: Tensor

    def __init__(self, size: int, width: int, scales: bool) -> None:
        super().__init__()
        channels = lite0.channels(scales)
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("sd", torch.ones(channels, 1, 1))
        self.project = nn.Linear(channels, width)
        self.grid_size = (size // lite0.STRIDE, size // lite0.STRIDE)
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def standardise(self, mean: Tensor, sd: Tensor) -> None:
        """mean, sd (channels,): of all maps that the network will learn from."""
        self.mean.copy_(mean.view(-1, 1, 1))
        self.sd.copy_(sd.view(-1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        standard = (maps - self.mean) / self.sd
        return self.project(standard.flatten(2).transpose(1, 2))


class OnPixels(Network):
    """A network that learnt from maps, with its stem before it: pixels in, the same two tensors
    out. For pictures whose maps nobody has stored."""

    def __init__(self, net: Network, scales: bool) -> None:
        super().__init__()
        self.stem = lite0.Lite0(scales).requires_grad_(False).eval()
        self.net, self.width, self.tokens = net, net.width, net.tokens

    def train(self, mode: bool = True) -> OnPixels:
        """The network alone: the stem's batch statistics stay as they are."""
        super().train(mode)
        self.stem.eval()
        return self

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (N, 3, S, S) normalised pixels; keep as the network has it."""
        shown = lite0.renormalised(x).contiguous(memory_format=torch.channels_last)
        return self.net(self.stem(shown), keep)
