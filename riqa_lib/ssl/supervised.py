"""Supervised learning on the labels alone: the row every other row is compared with.

L = mean CE(x, y)                            strong = False
L = 1/2 (mean CE(x, y) + mean CE(s(x), y))   strong = True: the control, strong views but no pool

`ordinal` (ours): y's soft target (parts.ordinal_targets) in its place; the control of mean_teacher.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..networks.network import Network
from .base import Batch, Method, MethodConfig, forward_views
from .parts import grade_loss


class Supervised(Method):
    """Cross-entropy on labelled pictures."""

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """strong: learn from the strong view of the labelled pictures too. ordinal: from soft
        targets that know that grades are ordered."""

        name: str = "supervised"
        strong: bool = False
        ordinal: bool = False

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config, self.labelled_strong = config, config.strong

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = [batch.x] if batch.s is None else [batch.x, batch.s]
        seen = forward_views(self.net, views)
        losses = [grade_loss(logits, batch.y, self.config.ordinal) for logits, _ in seen]
        loss = sum(losses[1:], losses[0]) / len(losses)
        return {"loss": loss, "sup_loss": losses[0].detach()}
