"""In what precision a network computes, and how far bfloat16 and fp32 may differ.

bfloat16 keeps 8 bits of a number, so each is right to 2^-8, 0.4 %: noise, not a bias. With the same
weights a probability differs in its second or third digit. Over a training that noise is fed back
and ends as another seed's does, only smaller; it is larger with batch normalisation, whose
statistics are of few pictures. Predictions are asked in fp32 (`predict.over_looks`), so what a run
stores is what its network says once it is loaded elsewhere.

Measured on a CPU, the forward pass in bfloat16 as on a GPU: 80 steps, five seeds, small simulated
sets. The mean (and the largest) difference of probabilities to the same training in fp32, and the
largest of MAE; the same for another seed. VIT is promised, two times that or more; of a ResNet
nothing is: forced on a CPU, its loss was NaN now and then, and why was not found (in nine later
trainings of 80 steps at 128 px, channels last or not, it did not come back).

    ResNet                     0.012 to 0.027 (0.16)        MAE 0.032; another seed: 0.089 (0.60)
    ViT from pixels            0.0002 to 0.0003 (0.0022)    MAE 0.018; another seed: 0.018 (0.09)
    ViT on a frozen stem       0.00001 (0.00005)            MAE 0; another seed: 0.017 (0.05)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from .device import has_bf16
from .vit import ConvStem


class Tolerance(NamedTuple):
    """How far a training in bfloat16 and the same in fp32 may end apart: mean and largest
    difference of a picture's probabilities, difference of MAE; asked: the largest difference where
    the same weights are asked in either."""

    mean: float
    largest: float
    mae: float
    asked: float


VIT = Tolerance(mean=0.005, largest=0.05, mae=0.05, asked=0.05)


def mixed(net: nn.Module, where: torch.device, wanted: str = "auto") -> torch.autocast:
    """The context of a forward pass, to be entered again and again, and the same set in `net`.

    wanted: "auto", bfloat16 where the hardware has it (GPU: the whole pass; CPU: the convolutional
    stem only, which is what pays there), or "fp32"."""
    bf16 = wanted == "auto" and has_bf16(where)
    for module in net.modules():
        if isinstance(module, ConvStem):
            module.bf16 = bf16 and where.type == "cpu"
    return torch.autocast(where.type, torch.bfloat16, enabled=bf16 and where.type == "cuda")


@contextmanager
def unmixed(net: nn.Module) -> Iterator[None]:
    """The network in fp32 in the block, as in a process that never trained it: what `mixed` set in
    it is set again afterwards."""
    stems = [m for m in net.modules() if isinstance(m, ConvStem) and m.bf16]
    for stem in stems:
        stem.bf16 = False
    try:
        yield
    finally:
        for stem in stems:
            stem.bf16 = True
