"""HyperIQA: Su et al., "Blindly Assess Image Quality in the Wild Guided by a Self-Adaptive Hyper
Network", CVPR 2020; https://github.com/SSL92/hyperIQA (MIT).

What a picture shows makes the rule by which it is judged: a hypernetwork reads the last map of a
backbone and writes the weights of a small target network, one of its own for every picture, which
grades the picture's local distortions. N pictures of 224 px:

    stages 1, 2, 3   (256, 56, 56) (512, 28, 28) (1024, 14, 14) of ResNet-50
      each           conv 1x1 without bias to 16, 32, 64; mean of 7 x 7, stride 7: 8 x 8, 4 x 4,
                     2 x 2 cells; linear to 16
    stage 4          (2048, 7, 7); mean; linear to 176
      v              the four together: (N, 224), what the target network is shown
    hypernetwork     stage 4; conv 1x1 2048 -> 1024 -> 512 -> 112, ReLU each: h (112, 7, 7)
      W1 .. W4       conv 3x3 of h to n_out n_in / 49 channels, read as (n_out, n_in)
      W5, b1 .. b5   linear in the mean of h
    target network   224 -> 112 -> 56 -> 28 -> 14 -> 1, a sigmoid after all but the last

`backbone`:

    "resnet50"   timm's; ImageNet weights by its hub; trained with the rest
    "lite0"      frozen Lite0 (networks.lite0), its weights can be had offline: its maps of strides
                 4, 8, 16 (24, 40, 112 channels), standardised by channel, stand for stages 1 to 3,
                 that of stride 16 for stage 4 too. They are taken as they are stored, the finer
                 ones averaged onto the grid of stride 16: a 1x1 convolution without bias
                 commutes with averages, so the local modules say of averaged maps what the averages
                 of what they say would be

Pictures of any size: cells of the local modules and the 7 x 7 grid are adaptive averages, which at
224 px are those above (of stored maps: the cells nearest to them on a grid of 14 x 14).

Known differences from the public code, and its faults that are avoided (read in its files):
- its generator of the hypernetwork's parameters is spent after the first optimiser is made, so the
  hypernetwork is trained for one epoch only (issue 32 there, open); see training.hyperiqa_recipe
- its new rate is never given to the backbone, which so never decays; its optimisers are made anew
  each epoch and forget their moments
- Resize((512, 384)) means height, width: landscape photographs become portraits. Here nothing is
  resized and the aspect ratio stays: crops only
- the best epoch is picked on the test split, on crops drawn anew each time. Here validation
  pictures select, and evaluation looks at the same crops every time (`looks`)
- `.squeeze()` makes a scalar of a batch of one, on which its training ends with a TypeError
- its target networks are modules of their own, and grouped convolutions; here one batched product
- the answer is centred and scaled (`standardise`): it starts where grades lie, not at 0 of 100
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple, cast

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import lite0, map_store, views
from .regressor import Regressor
from .sources import Maps, Pixels

BACKBONES = {
    "resnet50": (256, 512, 1024, 2048),
    "lite0": (*lite0.KEPT.values(), lite0.CHANNELS, lite0.CHANNELS),
}  # and the channels of their stages
LDA = (16, 32, 64)  # channels of the local modules of stages 1 to 3
CELLS = (8, 4, 2)  # their cells a side
LDA_OUT = 16  # what each of them says of a picture
HYPER = (1024, 512, 112)  # the hypernetwork's 1x1 convolutions
GRID = 7  # side of what it reads
TARGET = (224, 112, 56, 28, 14, 1)  # widths of the target network
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ResNet-50 knows pixels in 0..1 like this


class Layer(NamedTuple):
    """A layer of N target networks: weight (N, out, in), bias (N, out)."""

    weight: Tensor
    bias: Tensor


def target(v: Tensor, layers: list[Layer]) -> Tensor:
    """What the target networks say, each of its own picture: v (N, 224) -> (N,).

    >>> zero = [Layer(torch.zeros(1, 2, 3), torch.zeros(1, 2))]
    >>> target(torch.ones(1, 3), [*zero, Layer(torch.ones(1, 1, 2), torch.ones(1, 1))])
    tensor([2.])
    """
    for number, (weight, bias) in enumerate(layers):
        x = v if number == 0 else v.sigmoid()
        v = torch.baddbmm(bias[:, :, None], weight, x[:, :, None])[:, :, 0]
    return v[:, 0]


def _start(layers: Iterable[nn.Module]) -> None:
    """First weights as the public code draws them: normal, by He et al.'s rule."""
    for layer in layers:
        nn.init.kaiming_normal_(cast(Tensor, layer.weight))


class LocalDistortions(nn.Module):
    """Four stages (N, channels, h, w) -> the vector v (N, 224) that the target network is shown.

    channels: of the four."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.squeeze = nn.ModuleList(
            nn.Conv2d(n, own, 1, bias=False) for n, own in zip(channels[:3], LDA, strict=True)
        )
        self.say = nn.ModuleList(
            nn.Linear(own * cells**2, LDA_OUT) for own, cells in zip(LDA, CELLS, strict=True)
        )
        self.last = nn.Linear(channels[3], TARGET[0] - LDA_OUT * len(LDA))
        _start((*self.squeeze, *self.say, self.last))

    def forward(self, stages: tuple[Tensor, ...]) -> Tensor:
        parts = []
        for squeeze, say, cells, x in zip(self.squeeze, self.say, CELLS, stages[:3], strict=True):
            parts.append(say(F.adaptive_avg_pool2d(squeeze(x), cells).flatten(1)))
        return torch.cat([*parts, self.last(stages[3].mean(dim=(2, 3)))], dim=1)


class HyperNetwork(nn.Module):
    """Last stage (N, channels, h, w) -> the layers of a target network for each picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, *HYPER)
        self.read = nn.Sequential()
        for before, after in pairwise(widths):
            self.read += nn.Sequential(nn.Conv2d(before, after, 1), nn.ReLU())
        pairs = list(pairwise(TARGET))
        self.weights = nn.ModuleList(
            nn.Conv2d(HYPER[-1], n_in * n_out // GRID**2, 3, padding=1) for n_in, n_out in pairs[:4]
        )
        self.last_weight = nn.Linear(HYPER[-1], TARGET[-2])
        self.biases = nn.ModuleList(nn.Linear(HYPER[-1], n_out) for _, n_out in pairs)
        _start((*self.weights, self.last_weight, *self.biases))

    def forward(self, stage: Tensor) -> list[Layer]:
        h = self.read(F.adaptive_avg_pool2d(stage, GRID))
        mean = h.mean(dim=(2, 3))
        made = zip(self.weights, TARGET[1:5], strict=True)
        weights = [make(h).reshape(len(h), n_out, -1) for make, n_out in made]
        weights.append(self.last_weight(mean)[:, None])
        return [Layer(w, say(mean)) for w, say in zip(weights, self.biases, strict=True)]


class HyperIQA(Regressor):
    """x -> grade (N,): x as `source` shows it, (N, 3, S, S) normalised pixels, or (N, 176, h, w)
    maps of the frozen stem.

    backbone: one of BACKBONES; crop: side in px of what the network sees of a picture, 0: the whole
    picture, as of pictures that are smaller (of stored maps: windows of crop / 16 cells); crops:
    how many crops of a picture evaluation looks at, a square number, on a lattice (of maps: windows
    in the four corners, and those of the mirror image); pretrained: with the backbone's ImageNet
    weights. ValueError for what is not allowed, OSError where no hub has the weights."""

    tokens = 0  # no patches that views could blank
    mean: Tensor
    sd: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self, backbone: str = "lite0", crop: int = 0, crops: int = 25, pretrained: bool = False
    ) -> None:
        super().__init__()
        check(backbone, crop, crops)
        self.crop, self.lattice = crop, round(crops**0.5)
        self.frozen = backbone == "lite0"
        channels = BACKBONES[backbone]
        self.backbone = _lite0(pretrained) if self.frozen else _resnet50(pretrained)
        self.local = LocalDistortions(channels)
        self.hyper = HyperNetwork(channels[3])
        shown = lite0.channels(True) if self.frozen else 3
        self.register_buffer("mean", torch.tensor(MEAN) if shown == 3 else torch.zeros(shown))
        self.register_buffer("sd", torch.tensor(SD) if shown == 3 else torch.ones(shown))
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def train(self, mode: bool = True) -> HyperIQA:
        """A frozen stem's batch statistics stay as they are."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @torch.no_grad()
    def standardise(self, grades: Tensor, maps: map_store.MapStore | None = None) -> None:
        """Centre and scale answers by the labelled grades (N,), maps by their means and deviations.
        All belong to the weights from then on: whoever loads them needs no store."""
        self.centre.copy_(grades.float().mean())
        self.spread.copy_(grades.float().std(correction=0).clamp(min=0.1))
        if maps is not None:
            self.mean.copy_(maps.mean)
            self.sd.copy_(maps.sd)

    def source(self, stored: Tensor) -> Maps | Pixels:
        """What the network sees pictures through: of stored maps (N, K, h, w, 176) where the
        backbone is frozen, else of pixels (N, S, S, 3) uint8."""
        sides = stored.shape[2:4] if self.frozen else stored.shape[1:3]
        unit = lite0.STRIDE if self.frozen else 1
        wanted = max(1, self.crop // unit) if self.crop else max(sides)
        side = min(wanted, *sides)
        if self.frozen:
            return Maps(stored, side, self.mean.cpu())
        return Pixels(stored, side, self.lattice if side < max(sides) else 1)

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """The four stages (N, channels, h, w) of x."""
        mean, sd = self.mean.view(-1, 1, 1), self.sd.view(-1, 1, 1)
        if self.frozen:
            fine, middle, coarse = ((x - mean) / sd).split(BACKBONES["lite0"][:3], dim=1)
            return fine, middle, coarse, coarse
        x = (x * views.SD + views.MEAN - mean) / sd
        return tuple(self.backbone(x.contiguous(memory_format=torch.channels_last)))

    def forward(self, x: Tensor) -> Tensor:
        stages = self.stages(x)
        return target(self.local(stages), self.hyper(stages[3])) * self.spread + self.centre

    def quality(self, pixels: Tensor) -> Tensor:
        stored = map_store.maps_of(self.backbone, pixels) if self.frozen else pixels
        looks = self.source(stored).looks(torch.arange(len(pixels)))
        return torch.stack([self(look.to(self.centre.device)) for look in looks]).mean(dim=0)


def check(backbone: str, crop: int, crops: int) -> None:
    """ValueError, naming the setting, unless a network can be made of these."""
    if backbone not in BACKBONES:
        raise ValueError(
            f"hyperiqa.backbone is {backbone!r}; allowed: {', '.join(sorted(BACKBONES))}"
        )
    if crop < 0:
        raise ValueError(f"hyperiqa.crop is {crop}; expected px, or 0 for the whole picture")
    if crops < 1 or round(crops**0.5) ** 2 != crops:
        raise ValueError(f"hyperiqa.crops is {crops}; expected a square number: 1, 4, 9, 16, 25")


def _lite0(pretrained: bool) -> lite0.Lite0:
    return lite0.frozen(weights="imagenet" if pretrained else "none")


def _resnet50(pretrained: bool) -> Any:
    """x (N, 3, S, S), normalised for it -> its four stages."""
    try:
        net: Any = timm.create_model(
            "resnet50", pretrained=pretrained, features_only=True, out_indices=(1, 2, 3, 4)
        )
    except Exception as e:  # timm's hub raises what its clients raise: a dozen classes
        raise OSError(
            f"ResNet-50's ImageNet weights could not be had from timm's hub ({e}); without one, "
            'take hyperiqa.backbone = "lite0", whose weights are installed'
        ) from e
    return net.to(memory_format=torch.channels_last)
