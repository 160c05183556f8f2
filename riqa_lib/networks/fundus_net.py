"""Networks of fundus photographs: which encoder, and the network of a run's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import torch

from ..bounds import OneOf, Range
from ..seeding import seed_of
from .field_moments import MomentNet, MomentsOfPixels
from .network import Network
from .resnet import MultiTaskResNet, ResNetConfig

ENCODERS = ("resnet", "lite0")


@dataclass(frozen=True)
class FundusNetConfig(ResNetConfig):
    """encoder: "resnet", the paper's, trained from pixels; or "lite0", frozen (field_moments),
    under a hidden layer of `hidden` units, its pictures under grain (field_moments) of so many grey
    levels. arch, width, weights are the ResNet's.

    >>> FundusNetConfig(encoder="vgg")
    Traceback (most recent call last):
    ValueError: fundus.model.encoder is 'vgg'; allowed: resnet, lite0
    """

    encoder: Annotated[str, OneOf(*ENCODERS)] = "resnet"
    hidden: Annotated[int, Range(1)] = 64  # no profile or row changes it
    # 2 halves how far a coarse JPEG moves answers, at a price: docs/fundus.md
    grain: Annotated[float, Range(0, 32)] = field(default=0.0, metadata={"later": True})

    @property
    def frozen(self) -> bool:
        """Whether the network learns from what a frozen encoder says of pictures."""
        return self.encoder == "lite0"


def untrained(config: FundusNetConfig, classes: int) -> Network:
    """What is trained: on pixels, or on rows of moments."""
    if config.frozen:
        return MomentNet(config.hidden, config.drop, classes)
    return MultiTaskResNet(config, classes)


def first_weights(config: FundusNetConfig, classes: int, seed: int) -> Network:
    """The same with first weights by the run's seed: alike for every row of a seed with as many
    classes."""
    torch.manual_seed(seed_of("fundus network", seed))
    return untrained(config, classes)


def on_pixels(net: Network, grain: float = 0.0) -> Network:
    """The network as pictures go through it; grain: that it learnt from."""
    return MomentsOfPixels(net, grain) if isinstance(net, MomentNet) else net
