"""AdaMatch: Berthelot et al., "AdaMatch: A Unified Approach to Semi-Supervised Learning and Domain
Adaptation", ICLR 2022.

    p_x = softmax(f(x)), p_w = softmax(f(weak(u))), no gradient
    P_t <- m P_t + (1-m) mean p_x;   P_u <- the same of p_w, from the first batch's mean on
    q ~ p_w P_t / P_u, rows sum to 1
    cut = tau mean_B max p_x;   mask = 1[max q >= cut]
    L = mean CE(x, y) + lambda_u(t) * mean over all M of mask * CE(f(strong(u)), argmax q)

The paper's choices where the best-known code (USB) leaves them out, as settings: `labelled_strong`
(CE is the mean over both views of x), `interpolate`, `window`, `ramp`. Ours: P_t starts at the
labelled grades' shares (both start it uniform, and after 1,000 steps with m = .999 it would still
be 37 % uniform) and may stay there (`moving`); `weak`, `soft`, `start` and `ordinal` (y
and, unless `soft`, argmax q as soft targets) as for FixMatch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from ..bounds import OneOf, Range
from ..networks import ranks
from ..networks.network import Network
from ..networks.views import View
from .base import Batch, Method, MethodConfig, forward_views
from .parts import (
    PriorAlignment,
    QueueAlignment,
    grade_loss,
    masked_mean,
    soft_cross_entropy,
    target_shares,
)


class AdaMatch(Method):
    """A threshold relative to the confidence on labelled pictures; predictions aligned with those
    on labelled pictures."""

    unlabelled_views = ("weak", "strong")
    step: Tensor
    cut: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: USB's, but for align_to.

        >>> AdaMatch.Config(align_to="mean")
        Traceback (most recent call last):
        ValueError: method.align_to is 'mean'; allowed: prior, uniform
        """

        # tau, lambda_u, align_to, moving, window, labelled_strong, interpolate, ramp, soft, start,
        # ordinal: no profile or row changes them; the paper's or the peer's (USB's) choices
        name: str = "adamatch"
        # share of the mean confidence on labelled pictures that is needed (paper: 0.9)
        tau: Annotated[float, Range(0, 1)] = 0.95
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        # m of P_t, and of P_u where window = 0
        momentum: Annotated[float, Range(0, below=1)] = 0.999
        # where P_t starts: "prior", the labelled grades' shares, or "uniform" (paper, USB)
        align_to: Annotated[str, OneOf("prior", "uniform")] = "prior"
        # P_t follows the predictions on labelled pictures; False: it stays where it starts
        moving: bool = True
        # P_u is the mean of this many batches, uniform ones at first (paper: 128); 0: a running
        # mean
        window: Annotated[int, Range(0)] = 0
        # learn from the strong view of the labelled pictures too (paper: True)
        labelled_strong: bool = False
        # labelled logits at random between those with and without u in the batch (paper: True)
        interpolate: bool = False
        # lambda_u rises as a half cosine over this many steps (paper: half of all); 0: at once
        ramp: Annotated[int, Range(0)] = 0
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        soft: bool = False  # q as it is, instead of its argmax
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before pseudo-labels count
        ordinal: bool = False  # soft targets of grades, hard pseudo-labels' too, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config, self.labelled_strong = config, config.labelled_strong
        # P_t is alignment.prior, P_u is alignment.mean
        target = target_shares(prior, config.align_to)
        self.alignment: PriorAlignment | QueueAlignment = (
            QueueAlignment(target, config.window, fill=torch.full_like(prior, 1 / classes))
            if config.window
            else PriorAlignment(target, config.momentum)
        )
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.register_buffer("cut", torch.zeros(()))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        names = ("s",) * self.labelled_strong + self.unlabelled_views
        given = {"s": batch.s, **batch.u} if batch.s else batch.u
        (z_x, _), *z_xs, (z_w, _), (z_s, _) = self.look(
            replace(batch, u=given), names, self.config.weak
        )
        both = [z_x, *(z for z, _ in z_xs)]  # the labelled pictures' views: one or two
        if self.config.interpolate:
            alone = self.without_pool([batch.x, *(given[n] for n in names if n == "s")])
            both = [
                z + ranks.rand_like(z) * (z_alone - z)
                for z, z_alone in zip(both, alone, strict=True)
            ]
        return self.terms(both[0], batch.y, z_w, z_s, *both[1:])

    def without_pool(self, views: list[View]) -> list[Tensor]:
        """Logits of labelled views with no other picture in the batch; running statistics stay as
        they were."""
        before = [b.clone() for b in self.net.buffers()]
        seen = forward_views(self.net, views)
        for buffer, value in zip(self.net.buffers(), before, strict=True):
            buffer.data.copy_(value)
        return [logits for logits, _ in seen]

    def terms(
        self, z_x: Tensor, y: Tensor, z_w: Tensor, z_s: Tensor, z_xs: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The loss from logits alone: z_x and z_xs, x's weak and strong view, (B, C), y (B,), z_w
        and z_s (M, C). Moves the method's state one step on."""
        c = self.config
        p_x = ranks.rows(z_x.detach().softmax(dim=1))  # (B, C) of the whole batch
        p_w = z_w.detach().softmax(dim=1)  # (M, C)
        if c.moving:
            self.alignment.prior.lerp_(
                p_x.mean(dim=0).to(self.alignment.prior.dtype), 1 - c.momentum
            )
        q = self.alignment(p_w)
        self.cut.copy_(c.tau * p_x.max(dim=1).values.mean())
        confidence, label = q.max(dim=1)
        mask = (confidence >= self.cut).to(q.dtype)  # (M,)
        each = soft_cross_entropy(q, z_s) if c.soft else grade_loss(z_s, label, c.ordinal, "none")
        sup_loss, unsup_loss = grade_loss(z_x, y, c.ordinal), masked_mean(mask, each)
        if z_xs is not None:
            sup_loss = (sup_loss + grade_loss(z_xs, y, c.ordinal)) / 2
        t = (self.step / c.ramp).clamp(max=1) if c.ramp else torch.ones_like(self.cut)
        weight = c.lambda_u * (0.5 - 0.5 * torch.cos(math.pi * t)) * (self.step >= c.start)
        self.step += 1
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "kept": mask.mean(),
            "cut": self.cut,
        }
        terms |= {
            f"{name}_{k}": v
            for name, row in (("P_t", self.alignment.prior), ("P_u", self.alignment.mean))
            for k, v in enumerate(row)
        }
        return {"loss": sup_loss + weight * unsup_loss} | {
            k: v.detach().clone() for k, v in terms.items()
        }

    def selected(self, p: Tensor) -> Tensor:
        return (
            self.alignment.apply_to(p).max(dim=1).values >= self.cut
            if self.step > 0
            else super().selected(p)
        )
