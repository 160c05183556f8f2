"""Where views come from: stored pixels, or the maps that a frozen stem made of them once.

Methods, the training loop and predictions ask a source for views by row and policy and know nothing
of what lies behind. Two sources:

    Pixels   crops of pictures, all operations of views.Policy
    Maps     windows of a frozen stem's maps (map_store). Of a policy it takes the flip (the mirror
             image has maps of its own), blanked tokens and dropped channels. Quarter turns, jitter
             and noise would need the stem again: they are left out. RandAugment has copies that
             were made in advance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from . import ranks, views
from .device import sent
from .views import Policy, View


class Source(Protocol):
    """What a run sees its pictures through."""

    @property
    def device(self) -> torch.device:
        """Where the stored pictures lie."""

    def view(self, rows: Tensor, policy: Policy, tokens: int, g: torch.Generator) -> View:
        """One view of each of these rows (N,); the same state of g gives the same views."""

    def looks(self, rows: Tensor) -> Tensor:
        """What evaluation shows of these rows: (looks, N, channels, height, width)."""


@dataclass(frozen=True)
class Pixels:
    """pixels (P, H, W, 3) uint8; crop: px; grid: evaluation shows grid x grid crops (1: the
    centre); views: 1, or 8: each crop in its eight views (views.eight_views)."""

    pixels: Tensor
    crop: int
    grid: int = 1
    views: int = 1

    @property
    def device(self) -> torch.device:
        return self.pixels.device

    def view(self, rows: Tensor, policy: Policy, tokens: int, g: torch.Generator) -> View:
        return views.make(self.pixels, rows, self.crop, policy, tokens, g)

    def looks(self, rows: Tensor) -> Tensor:
        crops = views.centre_crops(self.pixels[rows.to(self.device)], self.crop, self.grid)
        if self.views == 8:
            crops = views.eight_views(crops.flatten(0, 1)).unflatten(1, crops.shape[:2])
            crops = crops.flatten(0, 1)
        return torch.stack([views.normalise(c) for c in crops])


@dataclass(frozen=True)
class Maps:
    """maps (P, K, h, w, channels) float16, K = 2: of each picture and of its mirror image; window:
    side of what the network sees, in tokens; augmented: the same of RandAugmented copies, any K, or
    None; mean (channels,): what a dropped channel is set to; shown: how many windows of a picture
    evaluation shows, 8, or 2, of its mirror image half of them.

    Raises ValueError for a window that does not fit; `view` for maps that do not lie in one piece
    (contiguous), which are not copied for it at each step."""

    maps: Tensor
    window: int
    mean: Tensor
    augmented: Tensor | None = None
    shown: int = 8

    def __post_init__(self) -> None:
        height, width = self.maps.shape[2:4]
        if not 1 <= self.window <= min(height, width):
            raise ValueError(
                f"a window of {self.window} tokens does not fit into maps of {height} x {width}: "
                "data.crop is larger than data.size allows"
            )

    @property
    def device(self) -> torch.device:
        return self.maps.device

    def view(self, rows: Tensor, policy: Policy, tokens: int, g: torch.Generator) -> View:
        n = len(rows)
        if policy.randaugment:
            if self.augmented is None:
                raise ValueError("RandAugment's copies were not made for these maps")
            which = ranks.randint(self.augmented.shape[1], (n,), g)
            x = self._windows(self.augmented, rows, which, g)
        else:
            x = self._windows(self.maps, rows, (ranks.rand((n,), g) < policy.flip).long(), g)
        if policy.channel_drop:
            dropped = ranks.rand((n, x.shape[1], 1, 1), g) < policy.channel_drop
            mean = sent(self.mean, x.device).view(1, -1, 1, 1)
            # exact at 0 and 1, in place, and on a CPU a quarter of torch.where's time
            x.lerp_(mean, sent(dropped, x.device).float())
        keep = None
        if policy.token_drop:
            keep = sent((ranks.rand((n, tokens), g) >= policy.token_drop).float(), x.device)
        return View(x, keep)

    def _windows(self, maps: Tensor, rows: Tensor, which: Tensor, g: torch.Generator) -> Tensor:
        """A window of map `which` of each row, at a place of its own: (N, channels, window,
        window), float. One gather, of what is seen alone."""
        copies, height, width, channels = maps.shape[1:]
        if not maps.is_contiguous():
            raise ValueError("stored maps do not lie in one piece: expected maps.contiguous()")
        # of each window the number of its first token in the store, and how far the others lie
        first = (rows * copies + which).view(-1, 1) * height * width
        if self.window < max(height, width):
            top = ranks.randint(height - self.window + 1, (len(rows), 1), g)
            first += top * width + ranks.randint(width - self.window + 1, (len(rows), 1), g)
        side = torch.arange(self.window, device=maps.device)
        near = (side[:, None] * width + side).view(-1)
        seen = maps.view(-1, channels).index_select(0, (sent(first, maps.device) + near).view(-1))
        seen = seen.view(len(rows), self.window, self.window, channels)
        return seen.permute(0, 3, 1, 2).float()

    def looks(self, rows: Tensor) -> Tensor:
        """The four corner windows (one where the window is the whole map) of the picture and of its
        mirror image; shown 2: the picture's first corner and, of the mirror image, what lies
        opposite."""
        height, width = self.maps.shape[2:4]
        both = self.maps[rows.to(self.device)]  # (N, 2, h, w, channels)
        low, right = height - self.window, width - self.window
        places = [(k, a, b) for k in (0, 1) for a in sorted({0, low}) for b in sorted({0, right})]
        if self.shown == 2:
            places = [(0, 0, 0), (1, low, 0)]  # the mirror image's left is the picture's right
        out = [
            both[:, k, a : a + self.window, b : b + self.window].permute(0, 3, 1, 2).float()
            for k, a, b in places
        ]
        return torch.stack(out)
