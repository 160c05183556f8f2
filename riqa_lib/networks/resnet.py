"""ResNet with two heads on one trunk: the overall grade, and three details (Telesco et al., arXiv
2511.13353).

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, by timm. The full ResNet-18 is
for a GPU; the small one has its 18 layers at a fraction of the width, and three 3x3 convolutions of
that width for the 7x7 stem of 64 channels, which alone would take most of the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import timm
import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from ..bounds import Checked, OneOf, Range
from ..scales import DETAILS
from .network import Network


@dataclass(frozen=True)
class ResNetConfig(Checked):
    """arch: a timm ResNet ("resnet18"), or "" for our own 18 layers of `width`, 2, 4 and 8 times
    `width` channels."""

    where: ClassVar[str] = "fundus.model."

    arch: str = ""
    width: Annotated[int, Range(2)] = 12
    # no profile or row changes it
    drop: Annotated[float, Range(0, below=1)] = 0.0  # dropout before the heads
    # where training starts: "none" (random) or "imagenet"
    weights: Annotated[str, OneOf("none", "imagenet")] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights == "imagenet" and not self.arch:
            raise ValueError(
                "fundus.model.weights = imagenet needs fundus.model.arch, "
                "a timm name such as resnet18"
            )
        if self.arch and not (self.arch.startswith("resnet") and timm.is_model(self.arch)):
            raise ValueError(
                f"fundus.model.arch {self.arch!r} is not a timm ResNet; "
                "see timm.list_models('resnet*')"
            )
        if self.width % 2:
            raise ValueError(f"fundus.model.width is {self.width}; expected an even number")


class MultiTaskResNet(Network):
    """x (N, 3, S, S) normalised pixels -> logits of the overall grade (N, classes), worst first; of
    details (N, 3), positive for good."""

    tokens = 0  # no patches that views could blank

    def __init__(self, config: ResNetConfig, classes: int) -> None:
        super().__init__()
        self.trunk: Any
        if config.arch:
            self.trunk = timm.create_model(
                config.arch, pretrained=config.weights == "imagenet", num_classes=0
            )
        else:
            w = config.width
            block: Any = BasicBlock  # timm asks for an instance and wants the class
            self.trunk = ResNet(
                block,
                (2, 2, 2, 2),
                num_classes=0,
                channels=(w, 2 * w, 4 * w, 8 * w),
                stem_type="deep",
                stem_width=w // 2,
            )
        self.width = self.trunk.num_features
        self.drop = nn.Dropout(config.drop)
        self.overall = nn.Linear(self.width, classes)
        self.details = nn.Linear(self.width, len(DETAILS))
        self.to(memory_format=torch.channels_last)  # a fifth less time on a CPU, less on a GPU too

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """keep: not for this network; ValueError where a view blanks tokens."""
        if keep is not None:
            raise ValueError("a ResNet has no tokens to blank: take a view without token_drop")
        shown = x.contiguous(memory_format=torch.channels_last)
        feature = self.drop(self.trunk(shown))
        return self.overall(feature), self.details(feature)
