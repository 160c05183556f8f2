"""DBCNN: Zhang, Ma, Yan, Deng and Wang, "Blind Image Quality Assessment Using a Deep Bilinear
Convolutional Neural Network", IEEE Trans. Circuits Syst. Video Technol. 30(1), 2020.

Two streams see the whole picture: one that knows what is in pictures (VGG-16, ImageNet) and one
that knows distortions (S-CNN, pre-trained to tell their type and level). Their maps on the grid of
stride 16, A (c, h, w) and B (128, h, w), meet in bilinear pooling:

    P = A B' / (h w)      x = sqrt(P + 1e-8), flat      x / |x|_2      FC to one number

| part | layers | of 224 px | parameters |
|---|---|---|---|
| VGG-16 up to relu5_3 | 13 conv 3x3 + ReLU, 4 max pools | 512, 14, 14 | 14,714,688 |
| S-CNN, kept | 9 conv 3x3 + batch norm + ReLU: 48, 48 s2, 64, 64 s2, 64, 64 s2, 128, 128, 128 s2 | 128, 14, 14 | 531,120 |
| S-CNN, for pre-training only | mean, 2 conv 1x1 + batch norm + ReLU: 256, 256, FC | 39 | 109,863 |
| FC of the grade | | 65,536 to 1 | 65,537 |

In place of VGG-16, whose weights only a hub has, may stand the frozen stem Lite0 (`backbone`
"lite0"; networks.lite0): 176 channels of strides 4, 8 and 16 on the same grid, standardised by
channel, so P has signs; the root is then sign(P) sqrt(|P| + 1e-8), the same where P >= 0.

Known differences from the public code (zwx8981/DBCNN-PyTorch, MIT; none of it is used here):
- it keeps the epoch with the best SRCC on the test split, in both stages, and states that as the
  result: validation pictures select here;
- it sets batch norm to training mode whenever it trains, so that the means and variances of the
  pre-trained S-CNN drift with batches of 8, even while "only the FC is trained". They are frozen
  here (`train` keeps them so); scale and shift are learnt with the rest;
- the S-CNN is pre-trained with a learning rate that is multiplied in twice (LambdaLR times the base
  rate: 1e-2 to 1e-5 where 1e-1 to 1e-4 is meant, the first one for two epochs), on files whose
  order decides, class by class, what is training and what is test;
- its crops of 432 and 448 px are for two data sets; others may come squeezed to a fixed size. Here
  a picture is seen whole and never squeezed: any height and width from 16 px on;
- `y.cuda(async=True)` no longer parses, `np.float` is gone, `F.upsample_bilinear` is deprecated.
Where the two grids differ (VGG rounds a side that 16 does not divide down, the S-CNN up), the
S-CNN's maps are resized to the other's, as there.
"""  # noqa: E501 (the table)

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import lite0
from .regressor import Regressor

# channels in, channels out, stride of the nine convolutions
LAYERS = (
    (3, 48, 1),
    (48, 48, 2),
    (48, 64, 1),
    (64, 64, 2),
    (64, 64, 1),
    (64, 64, 2),
    (64, 128, 1),
    (128, 128, 1),
    (128, 128, 2),
)
WIDTH = 128  # channels that the S-CNN ends with
CLASSES = 39  # types and levels that it learns to tell
STRIDE = 16  # px of the grid
EPSILON = 1e-8  # below the root
BACKBONES = {"lite0": lite0.channels(scales=True), "vgg16": 512}  # channels

# pixels in 0..1 are shown as (x - MEAN) / SD to VGG-16 and to the S-CNN: ImageNet's
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def shown(pixels: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float as VGG-16 and S-CNN take it, channels last in
    memory."""
    scale, shift = (pixels.new_tensor(v, dtype=torch.float) for v in (SD, MEAN))
    return (pixels.float().div_(255).sub_(shift)).div_(scale).permute(0, 3, 1, 2)


def bilinear(a: Tensor, b: Tensor) -> Tensor:
    """Bilinear pooling of two stacks of maps on one grid, a (N, c, h, w) and b (N, d, h, w):
    (N, c d), each row of length 1, signs kept.

    >>> bilinear(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    products = torch.bmm(a.flatten(2), b.flatten(2).transpose(1, 2)) / a[0, 0].numel()
    return F.normalize(signed_root(products.flatten(1)))


def signed_root(x: Tensor) -> Tensor:
    """sign(x) sqrt(|x| + 1e-8), 1e-4 at 0, as the paper has it for x >= 0; its gradient is finite
    everywhere, 5,000 at 0."""
    sign = torch.where(x < 0, -1.0, 1.0)
    return sign * (sign * x + EPSILON).sqrt()


class SCNN(nn.Module):
    """x (N, 3, H, W) as `shown` gives it -> logits of distortion type and level (N, 39), which
    only pre-training uses; `features` is what DBCNN keeps: (N, 128, H / 16, W / 16), rounded up."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(layer for a, b, stride in LAYERS for layer in _block(a, b, 3, stride))
        )
        self.projection = nn.Sequential(*_block(WIDTH, 256, 1, 1), *_block(256, 256, 1, 1))
        self.classifier = nn.Linear(256, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.features(x).mean(dim=(2, 3), keepdim=True)
        return self.classifier(self.projection(mean).flatten(1))


def _block(a: int, b: int, size: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(a, b, size, stride, padding=size // 2)
    return [conv, nn.BatchNorm2d(b), nn.ReLU(inplace=True)]


def vgg16(pretrained: bool) -> nn.Module:
    """VGG-16 (Simonyan and Zisserman, ICLR 2015) up to relu5_3; pretrained: with torchvision's
    ImageNet weights by timm's hub. OSError, saying what else there is, where it cannot be
    reached."""
    try:
        whole: Any = timm.create_model("vgg16", pretrained=pretrained, num_classes=0)
    except Exception as e:
        raise OSError(
            "the ImageNet weights of vgg16 could not be had from timm's hub "
            f'({type(e).__name__}: {e}); set dbcnn.backbone to "lite0", whose weights lie here'
        ) from e
    return whole.features[:-1]  # without the last max pool


class DBCNN(Regressor):
    """Pictures in, expected grades out; see the head of the file.

    backbone: "lite0", frozen, or "vgg16"; pretrained: with ImageNet weights (False: random ones,
    for tests and for weights that are loaded later). ValueError for another backbone."""

    mean: Tensor
    sd: Tensor

    def __init__(self, backbone: str = "lite0", pretrained: bool = True) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(
                f"dbcnn.backbone is {backbone!r}; allowed: {', '.join(map(repr, BACKBONES))}"
            )
        self.kind, channels = backbone, BACKBONES[backbone]
        self.backbone: nn.Module
        if backbone == "lite0":
            self.backbone = lite0.frozen(weights="imagenet" if pretrained else "none")
            self.register_buffer("mean", torch.zeros(channels, 1, 1))
            self.register_buffer("sd", torch.ones(channels, 1, 1))
        else:
            self.backbone = vgg16(pretrained)
        self.distortions = SCNN().features
        self.fc = nn.Linear(channels * WIDTH, 1)
        self.to(memory_format=torch.channels_last)
        self.train()

    def standardise(self, mean: Tensor, sd: Tensor) -> None:
        """mean, sd (channels,): of all maps that a network on "lite0" will learn from; they belong
        to its weights from then on."""
        self.mean.copy_(mean.view(-1, 1, 1))
        self.sd.copy_(sd.view(-1, 1, 1))

    def train(self, mode: bool = True) -> DBCNN:
        """Batch norm stays in evaluation mode: the pre-trained means and variances are kept."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def content(self, pixels: Tensor) -> Tensor:
        """The backbone's maps (N, channels, h, w) of pixels (N, H, W, 3) uint8, as it gives them
        (and as networks.map_store keeps them)."""
        if self.kind == "vgg16":
            return self.backbone(shown(pixels))
        x = pixels.permute(0, 3, 1, 2).float().div(255).sub(lite0.MEAN).div(lite0.SD)
        return self.backbone(x)

    def pooled(self, content: Tensor, pixels: Tensor) -> Tensor:
        """What the FC sees, (N, channels x 128), of the backbone's maps and of the same pictures'
        pixels (N, H, W, 3) uint8."""
        if self.kind == "lite0":
            content = (content - self.mean) / self.sd
        maps = self.distortions(shown(pixels))
        if maps.shape[2:] != content.shape[2:]:
            maps = F.interpolate(maps, content.shape[2:], mode="bilinear", align_corners=True)
        return bilinear(content, maps)

    def forward(self, content: Tensor, pixels: Tensor) -> Tensor:
        """Expected grades (N,), of the two that `pooled` takes."""
        return self.fc(self.pooled(content, pixels)).squeeze(1)

    def quality(self, pixels: Tensor) -> Tensor:
        """Expected grade (N,) of whole pictures (N, H, W, 3) uint8, shown once, at their own size
        and shape. ValueError where a side is shorter than 16 px."""
        if min(pixels.shape[1:3]) < STRIDE:
            raise ValueError(
                f"pictures of {pixels.shape[1]} x {pixels.shape[2]} px: "
                f"DBCNN needs at least {STRIDE} px a side"
            )
        return self(self.content(pixels), pixels)
