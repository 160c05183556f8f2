"""Tokens of the hybrid ViT: from the stem Lite0, trained along, or from maps it made once.

Drop-ins for timm's PatchEmbed; see networks.lite0 for the stem."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import lite0
from .network import Network


class HybridEmbed(nn.Module):
    """Normalised pixels (N, 3, S, S) -> (N, tokens, width). The stem is trained with the rest.

    pool: so many neighbouring tokens in each direction are averaged into one."""

    def __init__(self, size: int, width: int, scales: bool, weights: str, pool: int = 1) -> None:
        super().__init__()
        self.stem = lite0.Lite0(scales, weights)
        self.project = nn.Linear(self.stem.channels, width)
        self.pool, self.grid_size = pool, grid(size, pool)
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def maps(self, x: Tensor) -> Tensor:
        """(N, channels, S / 16, S / 16) of normalised pixels."""
        return self.stem(lite0.renormalised(x).contiguous(memory_format=torch.channels_last))

    def tokens(self, maps: Tensor) -> Tensor:
        """(N, tokens, width) of such maps."""
        return tokens(maps, self.pool, self.project)

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens(self.maps(x))


class MapEmbed(nn.Module):
    """Maps of a frozen stem (N, channels, t, t) -> (N, tokens, width).

    Maps are standardised by channel; `standardise` sets mean and sd, which belong to the weights
    from then on: whoever loads them needs no store. pool: as HybridEmbed has it."""

    mean: Tensor
    sd: Tensor

    def __init__(self, size: int, width: int, scales: bool, pool: int = 1) -> None:
        super().__init__()
        channels = lite0.channels(scales)
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("sd", torch.ones(channels, 1, 1))
        self.project = nn.Linear(channels, width)
        self.pool, self.grid_size = pool, grid(size, pool)
        self.num_patches = self.grid_size[0] * self.grid_size[1]

    def standardise(self, mean: Tensor, sd: Tensor) -> None:
        """mean, sd (channels,): of all maps that the network will learn from."""
        self.mean.copy_(mean.view(-1, 1, 1))
        self.sd.copy_(sd.view(-1, 1, 1))

    def maps(self, maps: Tensor) -> Tensor:
        """The maps, standardised."""
        return (maps - self.mean) / self.sd

    def tokens(self, maps: Tensor) -> Tensor:
        """(N, tokens, width) of standardised maps."""
        return tokens(maps, self.pool, self.project)

    def forward(self, maps: Tensor) -> Tensor:
        return self.tokens(self.maps(maps))


def grid(size: int, pool: int) -> tuple[int, int]:
    """Tokens down and across of pictures of size px. ValueError where they don't pool evenly."""
    side = size // lite0.STRIDE
    if side % pool:
        raise ValueError(
            f"pictures of {size} px have {side} x {side} tokens, "
            f"which model.pool = {pool} does not divide"
        )
    return side // pool, side // pool


def tokens(maps: Tensor, pool: int, project: nn.Linear) -> Tensor:
    """Maps (N, channels, t, t) -> (N, (t / pool)^2, width)."""
    pooled = F.avg_pool2d(maps, pool) if pool > 1 else maps
    return project(pooled.flatten(2).transpose(1, 2))


class Skip(nn.Module):
    """A straight line from the maps to the logits, beside the transformer.

    maps (N, channels, t, t), keep (N, tokens) or None -> (N, classes), linear in each channel's
    mean and standard deviation over the grid; blanked tokens don't count. Starts at 0, so that the
    network starts as it would without; `start` makes it what a regression on the same moments
    says."""

    def __init__(self, channels: int, classes: int, pool: int) -> None:
        super().__init__()
        self.line = nn.Linear(2 * channels, classes)
        self.pool = pool
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    def moments(self, maps: Tensor, keep: Tensor | None = None) -> Tensor:
        """Means, then standard deviations, over the grid: (N, 2 channels)."""
        shown = maps.new_ones(len(maps), 1, *maps.shape[2:])
        if keep is not None:
            side = maps.shape[2] // self.pool
            square = keep.to(maps.dtype).view(-1, 1, side, side)
            shown = square.repeat_interleave(self.pool, 2).repeat_interleave(self.pool, 3)
        count = shown.sum(dim=(2, 3)).clamp(min=1)
        mean = (maps * shown).sum(dim=(2, 3)) / count
        spread = ((maps - mean[:, :, None, None]) * shown).square().sum(dim=(2, 3)) / count
        return torch.cat([mean, (spread + 1e-6).sqrt()], dim=1)

    def forward(self, maps: Tensor, keep: Tensor | None = None) -> Tensor:
        return self.line(self.moments(maps, keep))

    @torch.no_grad()
    def start(self, weight: Tensor, bias: float, variance: float) -> None:
        """Say of each grade k what a normal density around r = weight . moments + bias says of it:
        log p(k) = -(k - r)^2 / (2 variance) + const. Its r^2 is the same for every k, so the
        logits are linear in the moments. weight (2 channels,)."""
        k = torch.arange(self.line.out_features, dtype=weight.dtype, device=weight.device)
        centred = (k - k.mean()) / variance
        self.line.weight.copy_(centred[:, None] * weight)
        self.line.bias.copy_(centred * bias - (k.square() - k.square().mean()) / (2 * variance))


class OnPixels(Network):
    """A network that learnt from maps, with its stem before it: pixels in, the same two tensors
    out. For pictures whose maps nobody has stored."""

    def __init__(self, net: Network, scales: bool) -> None:
        super().__init__()
        self.stem = lite0.frozen(scales)
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
