"""SoftMatch: Chen et al., "SoftMatch: Addressing the Quantity-Quality Trade-off in Semi-supervised
Learning", ICLR 2023. An exercise of four gaps, TODO 1 to 4; docs/tutorial-new-method.md leads
through them.

    p = softmax(f(weak(u))), no gradient;   yhat = argmax p
    q = norm(p * (1/C) / running mean of p)                              uniform alignment
    c = max q;   B of them in a batch
    mu  <- m mu  + (1-m) mean c                                          starts at 1/C      (1)
    var <- m var + (1-m) sum (c - mean c)^2 / (B - 1)                    starts at 1
    weight = exp(-(k min(c - mu, 0))^2 / (2 var))                        1 where c >= mu    (2)
    L = mean CE(x, y) + lambda_u * mean over all B of weight * CE(f(strong(u)), yhat)       (3)

The paper's weight has k = 1; the authors' code (USB) has k = 2 (`sigmas`), a Gaussian half as wide.
mu and var take in the batch before the weights are given, and are of aligned probabilities, as in
the authors' code; yhat is of those that are not aligned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from riqa_lib.bounds import OneOf, Range
from riqa_lib.networks import ranks
from riqa_lib.networks.network import Network
from riqa_lib.ssl.base import Batch, Method, MethodConfig
from riqa_lib.ssl.parts import PriorAlignment


class SoftMatch(Method):
    """Every pseudo-label counts, by how sure the network is of it."""

    unlabelled_views = ("weak", "strong")
    mu: Tensor
    var: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: the authors', but for `momentum`: with their .999 a run of 300 steps would
        end with a mean that is still three quarters 1/C."""

        name: str = "softmatch"
        momentum: Annotated[float, Range(0, 1)] = 0.99  # m above, of the alignment too
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        sigmas: Annotated[float, Range(above=0)] = 2.0  # k above
        align: bool = True  # uniform alignment
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        uniform = torch.full((classes,), 1 / classes)
        self.alignment = PriorAlignment(uniform, config.momentum)
        self.register_buffer("mu", torch.tensor(1 / classes))
        self.register_buffer("var", torch.tensor(1.0))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        (z_x, _), (z_w, _), (z_s, _) = self.look(batch, self.unlabelled_views, self.config.weak)
        return self.terms(z_x, batch.y, z_w, z_s)

    def terms(self, z_x: Tensor, y: Tensor, z_w: Tensor, z_s: Tensor) -> dict[str, Tensor]:
        """The loss from logits alone: z_x (B, C), y (B,), z_w and z_s (M, C). Moves the method's
        state one step on."""
        p = z_w.detach().softmax(dim=1)  # (M, C)
        q = self.alignment(p) if self.config.align else p
        confidence = q.max(dim=1).values  # (M,)
        self.update(ranks.rows(confidence))  # of the whole batch, where processes share it
        weight = self.weight(confidence)  # (M,)
        sup_loss = F.cross_entropy(z_x, y)
        # F.cross_entropy(..., reduction="none") gives one loss a picture; parts.masked_mean helps
        raise NotImplementedError("TODO 3, terms: unsup_loss, the second half of formula 3")
        unsup_loss = ...
        return {
            "loss": sup_loss + self.config.lambda_u * unsup_loss,
            "sup_loss": sup_loss.detach(),
            "unsup_loss": unsup_loss.detach(),
            "kept": weight.mean(),
            "mu": self.mu.clone(),
            "var": self.var.clone(),
        }

    def update(self, confidence: Tensor) -> None:
        """Formula 1: mu and var take in the batch's confidences (M,)."""
        # buffers are changed in place: self.mu.lerp_(value, share) is mu + share (value - mu)
        raise NotImplementedError("TODO 1, update: move mu and var, formula 1")

    def weight(self, confidence: Tensor) -> Tensor:
        """Formula 2: what pictures of these confidences (M,) count; (M,) in 0..1."""
        raise NotImplementedError("TODO 2, weight: the truncated Gaussian, formula 2")

    def selected(self, p: Tensor) -> Tensor:
        """Those that count fully."""
        if self.config.align and self.alignment.steps > 0:
            p = self.alignment.apply_to(p)
        raise NotImplementedError("TODO 4, selected: which of p reach mu; (N,) bool")
