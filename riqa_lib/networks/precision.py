"""In what precision a network computes."""

from __future__ import annotations

import torch
from torch import nn

from .device import has_bf16
from .vit import ConvStem


def mixed(net: nn.Module, where: torch.device, wanted: str = "auto") -> torch.autocast:
    """The context of a forward pass, to be entered again and again, and the same set in `net`.

    wanted: "auto", bfloat16 where the hardware has it (GPU: the whole pass; CPU: the convolutional
    stem only, which is what pays there), or "fp32"."""
    bf16 = wanted == "auto" and has_bf16(where)
    for module in net.modules():
        if isinstance(module, ConvStem):
            module.bf16 = bf16 and where.type == "cpu"
    return torch.autocast(where.type, torch.bfloat16, enabled=bf16 and where.type == "cuda")
