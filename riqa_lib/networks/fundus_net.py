"""Networks of fundus photographs: which encoder, and the network of a run's settings."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..seeding import seed_of
from .field_moments import MomentNet, MomentsOfPixels
from .network import Network
from .resnet import MultiTaskResNet, ResNetConfig

ENCODERS = ("resnet", "lite0")


@dataclass(frozen=True)
class FundusNetConfig(ResNetConfig):
    """encoder: "resnet", the paper's, trained from pixels; or "lite0", frozen (field_moments),
    under a hidden layer of `hidden` units. arch, width, weights are the ResNet's.

    >>> FundusNetConfig(encoder="vgg")
    Traceback (most recent call last):
    ValueError: model.encoder is 'vgg'; allowed: resnet, lite0
    """

    encoder: str = "resnet"
    hidden: int = 64  # no profile or row changes it

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise ValueError(f"model.encoder is {self.encoder!r}; allowed: {', '.join(ENCODERS)}")
        if self.hidden < 1:
            raise ValueError(f"model.hidden is {self.hidden}; expected 1 or more")
        super().__post_init__()

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


def on_pixels(net: Network) -> Network:
    """The network as pictures go through it."""
    return MomentsOfPixels(net) if isinstance(net, MomentNet) else net
