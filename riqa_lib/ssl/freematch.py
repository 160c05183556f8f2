"""FreeMatch: Wang et al., "FreeMatch: Self-adaptive Thresholding for Semi-supervised Learning",
ICLR 2023.

    q = softmax(f(weak(u))), no gradient;   yhat = argmax q
    tau <- m tau + (1-m) mean max q;   p <- m p + (1-m) mean q
    h <- m h + (1-m) histogram(yhat);   all three start at 1/C
    mask = 1[max q >= tau p_yhat / max_c p_c]
    fairness = sum_c a_c log b_c,   a = norm(p / h),   b = norm(pbar / hbar)
                                        pbar, hbar: as p and h, of strong(u) where mask = 1
    L = mean CE(x, y) + lambda_u * mean over all M of mask * CE(f(strong(u)), yhat)
        + lambda_e * fairness

fairness is <= 0 and is added (the authors' sign); a class that no kept picture is given adds a
constant to it (at most 27.6) without gradient: a value to log, not to read. Nothing kept: fairness
= 0 (the first public code divided by zero). Ours beside the paper's: `weak`, `align`, `start`
and `ordinal` (y and yhat as soft targets) as for FixMatch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bounds import OneOf, Range
from ..networks import ranks
from ..networks.network import Network
from .base import Batch, Method, MethodConfig
from .parts import (
    PriorAlignment,
    grade_loss,
    masked_mean,
    ordinal_targets,
    soft_cross_entropy,
)


class FreeMatch(Method):
    """Thresholds that follow the network's own confidence, overall and per class."""

    unlabelled_views = ("weak", "strong")
    step: Tensor
    tau: Tensor
    p: Tensor
    h: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: the authors' code (USB), but for `momentum`: with their .999 a run of 1,000
        steps would end with thresholds that are still a third 1/C (1 - momentum of about 10 / steps
        is right)."""

        # lambda_u, lambda_e, quantile, tau_min, tau_max, soft, temperature, ordinal: no profile or
        # row changes them; the paper's or the peer's (USB's) choices
        name: str = "freematch"
        momentum: Annotated[float, Range(0, below=1)] = 0.99  # m above
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        # weight of the fairness term (paper: 0.01 or 0.05)
        lambda_e: Annotated[float, Range(0)] = 0.001
        # tau follows this quantile of max q (USB's option: 0.8) instead of its mean; 0 = the mean
        quantile: Annotated[float, Range(0, 1)] = 0.0
        # bounds of tau (USB's option: 0 and 0.95; authors' for SVHN: 0.9 and 0.95)
        tau_min: Annotated[float, Range(0, 1)] = 0.0
        tau_max: Annotated[float, Range(0, 1)] = 1.0
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        soft: bool = False  # softmax(z / temperature) as the target, instead of the argmax
        temperature: Annotated[float, Range(above=0)] = 0.5  # of the soft target
        align: bool = False  # move q to the shares of the labelled grades first
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before the other terms count
        ordinal: bool = False  # soft targets of grades, hard pseudo-labels' too, by distance

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.tau_min > self.tau_max:
                raise ValueError(
                    f"freematch.tau_min is {self.tau_min}; expected at most freematch.tau_max, "
                    f"{self.tau_max}"
                )

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.alignment = PriorAlignment(prior)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.register_buffer("tau", torch.tensor(1 / classes))
        self.register_buffer("p", torch.full((classes,), 1 / classes))
        self.register_buffer("h", torch.full((classes,), 1 / classes))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        (z_x, _), (z_w, _), (z_s, _) = self.look(batch, self.unlabelled_views, self.config.weak)
        return self.terms(z_x, batch.y, z_w, z_s)

    def terms(self, z_x: Tensor, y: Tensor, z_w: Tensor, z_s: Tensor) -> dict[str, Tensor]:
        """The loss from logits alone: z_x (B, C), y (B,), z_w and z_s (M, C). Moves the method's
        state one step on."""
        c, z_w = self.config, z_w.detach()
        q = z_w.softmax(dim=1)  # (M, C)
        if c.align:
            q = self.alignment(q)
        self.update(q)
        label, mask = q.argmax(dim=1), self.keep(q).to(q.dtype)  # (M,)
        if c.soft:
            target = (q.clamp_min(1e-12).log() / c.temperature).softmax(
                dim=1
            )  # of z_w itself where nothing is aligned
        elif c.ordinal:
            target = ordinal_targets(label, self.classes, dtype=q.dtype)
        else:
            target = F.one_hot(label, self.classes).to(q.dtype)
        sup_loss = grade_loss(z_x, y, c.ordinal)
        unsup_loss = masked_mean(mask, soft_cross_entropy(target, z_s))
        fair_loss = self.fairness(mask, z_s)
        on = (self.step >= c.start).float()
        self.step += 1
        loss = sup_loss + on * (c.lambda_u * unsup_loss + c.lambda_e * fair_loss)
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "fair_loss": fair_loss,
            "kept": mask.mean(),
            "tau": self.tau,
        }
        terms |= {f"tau_{k}": v for k, v in enumerate(self.thresholds())}
        return {"loss": loss} | {k: v.detach().clone() for k, v in terms.items()}

    def update(self, q: Tensor) -> None:
        """tau, p and h take in the batch q (M, C)."""
        q = ranks.rows(q)
        c, top = self.config, q.max(dim=1).values
        self.tau.lerp_(
            torch.quantile(top, c.quantile) if c.quantile else top.mean(), 1 - c.momentum
        ).clamp_(c.tau_min, c.tau_max)
        self.p.lerp_(q.mean(dim=0), 1 - c.momentum)
        self.h.lerp_(
            F.one_hot(q.argmax(dim=1), self.classes).to(q.dtype).mean(dim=0), 1 - c.momentum
        )

    def thresholds(self) -> Tensor:
        """(C,) the present threshold of each class."""
        return self.tau * self.p / self.p.max()

    def keep(self, q: Tensor) -> Tensor:
        """Which of q (M, C) reach their class's threshold; (M,) bool."""
        confidence, label = q.max(dim=1)
        return confidence >= self.thresholds()[label]

    def fairness(self, mask: Tensor, z_s: Tensor) -> Tensor:
        """sum_c a_c log b_c over the pictures with mask 1: mask (M,), z_s (M, C); 0 where there are
        none."""
        p_s, mask = ranks.rows(z_s.softmax(dim=1)), ranks.rows(mask)  # of the whole batch
        kept = mask.sum()
        p_bar = (mask.unsqueeze(1) * p_s).sum(dim=0) / kept.clamp_min(1)  # (C,)
        h_bar = (mask.unsqueeze(1) * F.one_hot(p_s.argmax(dim=1), self.classes)).sum(
            dim=0
        ) / kept.clamp_min(1)
        a, b = ratio(self.p, self.h), ratio(p_bar, h_bar)
        return (kept > 0) * (a * (b + 1e-12).log()).sum()

    def selected(self, p: Tensor) -> Tensor:
        if self.config.align and self.alignment.steps > 0:
            p = self.alignment.apply_to(p)
        return self.keep(p)


def ratio(p: Tensor, h: Tensor) -> Tensor:
    """norm(p / h): (C,) shares that sum to 1, with 1/0 = 0."""
    v = torch.where(h > 0, p / h.clamp_min(1e-12), 0.0)
    return v / v.sum().clamp_min(1e-12)
