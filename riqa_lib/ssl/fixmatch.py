"""FixMatch: Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and
Confidence", NeurIPS 2020.

    q = softmax(f(weak(u))), no gradient;   mask = 1[max q >= tau]
    L = mean CE(x, y) + lambda_u * mean over all M of mask * CE(f(strong(u)), argmax q)

Ours beside the paper's: `weak` (who makes q: the network in training mode, as in the paper's code,
in evaluation mode, or its average), `align` (q moved to the labelled grades' shares first), `soft`
(q itself as the target), `start` (labels alone first), `ordinal` (y and, unless `soft`, argmax q as
soft targets, parts.ordinal_targets)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..bounds import OneOf, Range
from ..networks.network import Network
from .base import Batch, Method, MethodConfig
from .parts import PriorAlignment, grade_loss, masked_mean, soft_cross_entropy


class FixMatch(Method):
    """Pseudo-labels from the weak view, learnt on the strong view where the network is
    confident."""

    unlabelled_views = ("weak", "strong")
    step: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: the paper's.

        >>> FixMatch.Config(tau=95)
        Traceback (most recent call last):
        ValueError: method.tau is 95; expected 0 to 1
        """

        # lambda_u, soft, start, ordinal: no profile or row changes them; the paper's or the peer's
        # choices
        name: str = "fixmatch"
        tau: Annotated[float, Range(0, 1)] = 0.95  # confidence needed, in 0..1
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        soft: bool = False  # q as it is, instead of its argmax
        align: bool = False  # move q to the shares of the labelled grades first
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before pseudo-labels count
        ordinal: bool = False  # soft targets of grades, hard pseudo-labels' too, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.alignment = PriorAlignment(prior)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        (z_x, _), (z_w, _), (z_s, _) = self.look(batch, self.unlabelled_views, self.config.weak)
        return self.terms(z_x, batch.y, z_w, z_s)

    def terms(self, z_x: Tensor, y: Tensor, z_w: Tensor, z_s: Tensor) -> dict[str, Tensor]:
        """The loss from logits alone: z_x (B, C), y (B,), z_w and z_s (M, C). Moves the method's
        state one step on."""
        q = z_w.detach().softmax(dim=1)  # (M, C)
        if self.config.align:
            q = self.alignment(q)
        confidence, label = q.max(dim=1)
        mask = (confidence >= self.config.tau).float()  # (M,)
        each = (
            soft_cross_entropy(q, z_s)
            if self.config.soft
            else grade_loss(z_s, label, self.config.ordinal, "none")
        )
        sup_loss = grade_loss(z_x, y, self.config.ordinal)
        unsup_loss = masked_mean(mask, each)
        on = (self.step >= self.config.start).float()
        self.step += 1
        loss = sup_loss + on * self.config.lambda_u * unsup_loss
        return {
            "loss": loss,
            "sup_loss": sup_loss.detach(),
            "unsup_loss": unsup_loss.detach(),
            "kept": mask.mean(),
        }

    def selected(self, p: Tensor) -> Tensor:
        if self.config.align and self.alignment.steps > 0:
            p = self.alignment.apply_to(p)
        return p.max(dim=1).values >= self.config.tau
