"""Parts that several methods share: each a function or a small module with buffers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def soft_cross_entropy(q: Tensor, logits: Tensor) -> Tensor:
    """H(q, softmax(logits)) per row: q (M, C) probabilities, logits (M, C) -> (M,)."""
    return -(q * logits.log_softmax(dim=1)).sum(dim=1)


def masked_mean(mask: Tensor, loss: Tensor) -> Tensor:
    """Mean over **all** rows, those masked out counting as 0. mask, loss (M,)."""
    return (mask * loss).mean()


class PriorAlignment(nn.Module):
    """Distribution alignment to a prior (ReMixMatch, Berthelot et al., 2020): q ~ p * prior / running mean of p.

    The running mean starts at the first batch's mean; momentum m per step. prior (C,) sums to 1."""

    prior: Tensor
    mean: Tensor
    steps: Tensor

    def __init__(self, prior: Tensor, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("prior", prior.float().clone())
        self.register_buffer("mean", torch.zeros_like(prior, dtype=torch.float32))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, p: Tensor) -> Tensor:
        """p (M, C) -> aligned (M, C); updates the running mean with this batch first."""
        now = p.mean(dim=0)
        m = torch.where(self.steps == 0, 0.0, self.momentum)
        self.mean.copy_(m * self.mean + (1 - m) * now)
        self.steps += 1
        return self.apply_to(p)

    def apply_to(self, p: Tensor) -> Tensor:
        """Alignment with the present running mean, without an update."""
        q = p * (self.prior + 1e-6) / (self.mean + 1e-6)
        return q / q.sum(dim=1, keepdim=True)
