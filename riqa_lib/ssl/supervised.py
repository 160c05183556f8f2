"""Supervised learning on the labels alone: the row every other row is compared with.

L = mean CE(x, y)                            strong = False
L = 1/2 (mean CE(x, y) + mean CE(s(x), y))   strong = True: the control, strong views but no pool
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ..networks.network import Network
from .base import Batch, Method, forward_views


class Supervised(Method):
    """Cross-entropy on labelled pictures."""

    @dataclass(frozen=True)
    class Config:
        """strong: learn from the strong view of the labelled pictures too."""

        name: str = "supervised"
        strong: bool = False

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.labelled_strong = config.strong

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = [batch.x] if batch.s is None else [batch.x, batch.s]
        losses = [F.cross_entropy(logits, batch.y) for logits, _ in forward_views(self.net, views)]
        loss = sum(losses[1:], losses[0]) / len(losses)
        return {"loss": loss, "sup_loss": losses[0].detach()}
