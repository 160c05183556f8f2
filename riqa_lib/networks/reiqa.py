"""Re-IQA: Saha, Mishra and Bovik, "Re-IQA: Unsupervised Learning for Image Quality Assessment in the
Wild", CVPR 2023; https://github.com/avinabsaha/ReIQA (MIT).

Two encoders that never saw a grade, and a line. One knows what pictures show, the other how they
are damaged; each looks at the picture and at half its size; ridge regression of the grade on all
that they say is the only thing that learns from labels:

    scale 1    content encoder  2048   quality encoder  2048   of ResNet-50, its average pooling
    scale 1/2  content encoder  2048   quality encoder  2048
    line       8192 -> 1

| `backbone` | content encoder | quality encoder | features | parameters |
|---|---|---|---|---|
| "resnet50" | ResNet-50 | ResNet-50 | 8,192 | 2 x 23,508,032 + 8,193 |
| "lite0" | frozen Lite0, means and deviations of its maps (352) | two layers on the same maps (256) | 1,216 | 695,904 + 39,424 + 1,217 |

How the quality encoder is trained stands in training.reiqa_recipe, its pictures in
training.reiqa_views, momentum contrast in training.reiqa_contrast.

"resnet50" is the paper's, but for the content encoder's weights: theirs are MoCo-v2's, without
labels, of ImageNet, which no package carries; here timm's, which learnt ImageNet's labels (hub). So
the content features know classes, and the model is not "unsupervised" but for its grades.
"lite0" is what can be had offline. Its quality encoder reads the maps of strides 4, 8 and 16 of the
same frozen stem (networks.lite0; 176 channels, standardised) cell by cell, a 1x1 convolution, batch
norm and ReLU twice, then mean and deviation over the grid. A small convolutional encoder of pixels
(five layers) was tried in its place, in the same time, on the validation pictures of the simulated
set: it found a query's own key far more rarely, and a line on it alone graded far worse; beside the
content encoder it helped about as much. Taken was what learns something by itself.

Known differences from the public code, its faults avoided:
- pixels reach the quality encoder as 0..1, not normalised, as there; the content encoder's by
  ImageNet's means and deviations. (Lite0 is shown what its weights know.)
- half size is the mean of 2 x 2 px, in training and for the line alike. There training sees what
  torch's bicubic shrank, corners aligned and aliased, and the line what Pillow shrank
- features are standardised by the labelled pictures before the ridge, and the line that is stored
  has that folded in: a stored run needs no scikit-learn. The public code has no regressor at all
  (issues 3, 8 and 14 there ask for it)
- "lite0" also looks at the mirror image; what both say is averaged
"""  # noqa: E501 (the table)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import lite0, views
from .map_store import fp32
from .regressor import Regressor

BACKBONES = ("lite0", "resnet50")
RESNET = 2048  # features of ResNet-50
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the content encoder's pixels, in 0..1
EPSILON = 1e-5  # added to a variance before its root, which keeps gradients finite


def halved(pixels: Tensor) -> Tensor:
    """Pictures (N, S, S, 3) uint8 at half their size, (N, S // 2, S // 2, 3) uint8: means of 2 x 2
    px, rounded as bytes are; of an odd side the last row and column are left out.

    >>> halved(torch.tensor([[[[10], [20]], [[30], [41]]]], dtype=torch.uint8)).item()
    25
    """
    means = F.avg_pool2d(pixels.permute(0, 3, 1, 2).float(), 2)
    return means.round().byte().permute(0, 2, 3, 1)


def moments(maps: Tensor) -> Tensor:
    """Means, then standard deviations, over the grid of maps (N, C, h, w): (N, 2 C)."""
    variance = maps.var(dim=(2, 3), correction=0)
    return torch.cat([maps.mean(dim=(2, 3)), (variance + EPSILON).sqrt()], dim=1)


class OnMaps(nn.Module):
    """The quality encoder of "lite0": maps (N, channels, h, w) of the frozen stem -> (N, 2 width).

    mean, sd (channels,): by which maps are standardised, see `standardise`."""

    mean: Tensor
    sd: Tensor

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("sd", torch.ones(1, channels, 1, 1))
        self.layers = nn.Sequential()
        for before in (channels, width):
            self.layers.append(nn.Conv2d(before, width, 1, bias=False))
            self.layers.extend([nn.BatchNorm2d(width), nn.ReLU()])
        self.features = 2 * width

    def standardise(self, maps: Tensor) -> None:
        """Take means and deviations by channel from maps (N, channels, h, w)."""
        every = maps.float()
        self.mean.copy_(every.mean(dim=(0, 2, 3), keepdim=True))
        self.sd.copy_(every.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6))

    def forward(self, maps: Tensor) -> Tensor:
        return moments(self.layers((maps.float() - self.mean) / self.sd))


class LiteEncoders(nn.Module):
    """Both encoders of "lite0". weights: of the frozen stem, "imagenet" or "none" (random); width:
    of the quality encoder."""

    def __init__(self, weights: str, width: int) -> None:
        super().__init__()
        self.stem = lite0.frozen(weights=weights)
        self.quality = OnMaps(self.stem.channels, width)
        self.content_features, self.quality_features = (
            2 * self.stem.channels,
            self.quality.features,
        )

    def start(self) -> None:
        """Draw the quality encoder's weights anew, from torch's own generator."""
        for module in self.quality.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                module.reset_parameters()

    def train(self, mode: bool = True) -> LiteEncoders:
        """The stem stays as it is: its batch norm never learns."""
        super().train(mode)
        self.stem.eval()
        return self

    @torch.no_grad()
    def maps(self, pixels: Tensor, mirrored: bool = True) -> Tensor:
        """(N, 2, channels, h, w) float16, as stores keep them, of pictures (N, S, S, 3) uint8 and
        their mirror images; not mirrored: (N, 1, ...)."""
        x = lite0.renormalised(views.normalise(pixels))
        looks = [x, x.flip(3)] if mirrored else [x]
        with fp32(pixels.device):
            maps = [self.stem(y.contiguous(memory_format=torch.channels_last)) for y in looks]
        return torch.stack(maps, dim=1).half()

    def of_maps(self, maps: Tensor) -> Tensor:
        """What the two say of maps (N, K, channels, h, w), content first, mean over K."""
        flat = maps.flatten(0, 1).float()
        said = torch.cat([moments(flat), self.quality(flat)], dim=1)
        return said.unflatten(0, maps.shape[:2]).mean(dim=1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.of_maps(self.maps(pixels))


class ResNetEncoders(nn.Module):
    """Both encoders of "resnet50". pretrained: the content encoder with ImageNet weights by timm's
    hub; the quality encoder starts at random."""

    mean: Tensor
    sd: Tensor

    def __init__(self, pretrained: bool) -> None:
        super().__init__()
        self.content = resnet(pretrained).requires_grad_(False)
        self.quality = resnet(pretrained=False)
        self.content_features = self.quality_features = RESNET
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("sd", torch.tensor(SD).view(1, 3, 1, 1), persistent=False)

    def start(self) -> None:
        """Draw the quality encoder's weights anew, from torch's own generator."""
        self.quality.load_state_dict(resnet(pretrained=False).state_dict())

    def forward(self, pixels: Tensor) -> Tensor:
        x = as_floats(pixels)
        return torch.cat([self.content((x - self.mean) / self.sd), self.quality(x)], dim=1)


def as_floats(pixels: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float in 0..1."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def resnet(pretrained: bool) -> nn.Module:
    """ResNet-50 (He et al., CVPR 2016) to its average pooling: 2,048 features, 23,508,032
    parameters. OSError, saying what else there is, where timm's hub has to be asked for ImageNet
    weights and cannot be reached."""
    try:
        net: Any = timm.create_model("resnet50", pretrained=pretrained, num_classes=0)
    except Exception as e:
        raise OSError(
            "the ImageNet weights of resnet50 could not be had from timm's hub "
            f'({type(e).__name__}: {e}); set reiqa.backbone to "lite0", whose weights lie here'
        ) from e
    return net


@dataclass(frozen=True)
class Line:
    """Grade = intercept + weight (F,) . features, not standardised."""

    weight: np.ndarray
    intercept: float


class ReIQA(Regressor):
    """Pictures in, expected grades out; see the head of the file.

    backbone: one of BACKBONES; pretrained: with ImageNet weights (False: random ones, for tests and
    for weights that are loaded later); width: of the quality encoder of "lite0". ValueError for
    another backbone."""

    encoders: LiteEncoders | ResNetEncoders

    def __init__(self, backbone: str = "lite0", pretrained: bool = True, width: int = 128) -> None:
        super().__init__()
        self.pretrained = pretrained
        if backbone == "lite0":
            self.encoders = LiteEncoders("imagenet" if pretrained else "none", width)
        elif backbone == "resnet50":
            self.encoders = ResNetEncoders(pretrained)
        else:
            raise ValueError(
                f"reiqa.backbone is {backbone!r}; allowed: {', '.join(map(repr, BACKBONES))}"
            )
        each = self.encoders.content_features + self.encoders.quality_features
        self.line = nn.Linear(2 * each, 1)

    def is_content(self) -> np.ndarray:
        """Which features (F,) are the content encoder's."""
        e = self.encoders
        return np.tile(np.repeat([True, False], [e.content_features, e.quality_features]), 2)

    def features(self, pixels: Tensor) -> Tensor:
        """What the two encoders say of pictures (N, S, S, 3) uint8, at their size, then at half of
        it: (N, F)."""
        return torch.cat([self.encoders(pixels), self.encoders(halved(pixels))], dim=1)

    def draw(self, line: Line) -> None:
        """Grade by this line."""
        with torch.no_grad():
            self.line.weight.copy_(torch.as_tensor(line.weight)[None])
            self.line.bias.fill_(line.intercept)

    def quality(self, pixels: Tensor) -> Tensor:
        return self.line(self.features(pixels))[:, 0]


@dataclass(frozen=True)
class Seen:
    """A network and the pictures that it sees.

    pixels (N, S, S, 3) uint8, on disk; maps: stored maps
    of all of them (networks.map_store), (N, 2, h, w, channels), or None: then the stem, or whatever
    else looks, is asked at both scales."""

    net: ReIQA
    pixels: np.ndarray
    maps: np.ndarray | None

    @torch.no_grad()
    def reiqa_features(self, rows: np.ndarray) -> np.ndarray:
        """What the network's `features` says of these rows: float64 (n, F)."""
        net = self.net
        where = net.line.weight.device
        pixels = torch.from_numpy(self.pixels[rows]).to(where)
        if self.maps is None or not isinstance(net.encoders, LiteEncoders):
            return net.features(pixels).double().cpu().numpy()
        maps = torch.from_numpy(self.maps[rows]).permute(0, 1, 4, 2, 3).to(where)
        both = net.encoders.of_maps(maps), net.encoders(halved(pixels))
        return torch.cat(both, dim=1).double().cpu().numpy()
