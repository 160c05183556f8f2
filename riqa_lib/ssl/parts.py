"""Parts that several methods share: each a function or a small module with buffers. What they
remember is of the whole batch where several processes share one (networks.ranks)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import ranks
from ..networks.device import sent


def soft_cross_entropy(q: Tensor, logits: Tensor) -> Tensor:
    """H(q, softmax(logits)) per row: q (M, C) probabilities, logits (M, C) -> (M,)."""
    return -(q * logits.log_softmax(dim=1)).sum(dim=1)


def ordinal_targets(
    y: Tensor, classes: int, sharpness: float = 2.0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Soft targets of grades y (B,), integers 0..classes-1: row i over classes k is proportional to
    exp(-sharpness |k - y_i|) and sums to 1; (B, C). So a grade that is nearly right costs
    less than one far off. Diaz & Marathe, "Soft Labels for Ordinal Regression", CVPR 2019, with
    |k - y| as the distance; the sharpness is ours.

    >>> ordinal_targets(torch.tensor([1]), 3).mul(100).round().tolist()
    [[11.0, 79.0, 11.0]]
    """
    distance = (torch.arange(classes, device=y.device) - y.unsqueeze(1)).abs()  # (B, C)
    return (-sharpness * distance.to(dtype)).softmax(dim=1)


def grade_loss(logits: Tensor, y: Tensor, ordinal: bool, reduction: str = "mean") -> Tensor:
    """CE(logits, y): logits (B, C), grades y (B,) -> their mean, or with reduction "none" (B,).
    ordinal: against `ordinal_targets` instead of y itself."""
    target = ordinal_targets(y, logits.shape[1], dtype=logits.dtype) if ordinal else y
    return F.cross_entropy(logits, target, reduction=reduction)


def expected_grades(logits: Tensor) -> Tensor:
    """sum_k k p_k with p = softmax(logits): (M, C) -> (M,), in 0..C-1. No matrix product, which
    mixed precision would round."""
    grades = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    return (logits.softmax(dim=1) * grades).sum(dim=1)


def masked_mean(mask: Tensor, loss: Tensor) -> Tensor:
    """Mean over **all** rows, those masked out counting as 0. mask, loss (M,)."""
    return (mask * loss).mean()


def aligned(p: Tensor, target: Tensor, mean: Tensor) -> Tensor:
    """q ~ p * target / mean, each row summing to 1: p (M, C); target and mean (C,)."""
    q = p * (target + 1e-6) / (mean + 1e-6)
    return q / q.sum(dim=1, keepdim=True)


class PriorAlignment(nn.Module):
    """Distribution alignment to a prior (ReMixMatch, Berthelot et al., 2020): q ~ p * prior /
    running mean of p.

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
        now = ranks.rows(p).mean(dim=0)
        m = torch.where(self.steps == 0, 0.0, self.momentum)
        self.mean.copy_(m * self.mean + (1 - m) * now)
        self.steps += 1
        return self.apply_to(p)

    def apply_to(self, p: Tensor) -> Tensor:
        """Alignment with the present running mean, without an update."""
        return aligned(p, self.prior, self.mean)


def target_shares(prior: Tensor, align_to: str) -> Tensor:
    """(C,) what predictions are aligned to: "prior", the labelled grades' shares, or "uniform", the
    same for each grade."""
    return prior if align_to == "prior" else torch.full_like(prior, 1 / len(prior))


class QueueAlignment(nn.Module):
    """Distribution alignment as PriorAlignment does it, to the mean of the last `length` batches
    instead of a running mean.

    fill (C,): what the queue holds at first; None: it is empty, and the mean is over the batches
    seen so far."""

    prior: Tensor
    rows: Tensor
    writes: Tensor

    def __init__(self, prior: Tensor, length: int, fill: Tensor | None = None) -> None:
        super().__init__()
        rows = torch.zeros(length, len(prior)) if fill is None else fill.float().repeat(length, 1)
        self.register_buffer("prior", prior.float().clone())
        self.register_buffer("rows", rows)
        self.register_buffer("writes", torch.tensor(0 if fill is None else length))

    @property
    def mean(self) -> Tensor:
        """(C,) the mean prediction that the queue holds."""
        return self.rows.sum(dim=0) / self.writes.clamp(1, len(self.rows))

    @torch.no_grad()
    def forward(self, p: Tensor) -> Tensor:
        """p (M, C) -> aligned (M, C); puts this batch into the queue first."""
        self.rows.index_copy_(
            0,
            (self.writes % len(self.rows)).view(1),
            ranks.rows(p).mean(dim=0, keepdim=True).to(self.rows.dtype),
        )
        self.writes += 1
        return self.apply_to(p)

    def apply_to(self, p: Tensor) -> Tensor:
        """Alignment with the present queue, without an update."""
        return aligned(p, self.prior, self.mean)


class Projection(nn.Module):
    """f = L2(W2 act(W1 h)): h (N, D) -> (N, d) of length 1. slope: the activation's on negatives
    (0: ReLU)."""

    def __init__(self, width: int, dim: int, slope: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.LeakyReLU(slope), nn.Linear(width, dim)
        )

    def forward(self, h: Tensor) -> Tensor:
        return F.normalize(self.layers(h).float(), dim=1, eps=1e-6)


class Queue(nn.Module):
    """The last `length` features f (length, d) with class probabilities p (length, C); a ring that
    wraps row by row."""

    f: Tensor
    p: Tensor
    writes: Tensor

    def __init__(self, length: int, dim: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("f", torch.zeros(length, dim))
        self.register_buffer("p", torch.zeros(length, classes))
        self.register_buffer("writes", torch.zeros((), dtype=torch.long))

    def full(self) -> Tensor:
        """Whether every row has been written; () bool."""
        return self.writes >= len(self.f)

    @torch.no_grad()
    def write(self, f: Tensor, p: Tensor) -> None:
        """Put rows f (n, d), p (n, C) behind the newest; of more rows than there is room for, the
        last ones stay."""
        f, p = ranks.rows(f), ranks.rows(p)
        place = (self.writes + torch.arange(len(f), device=f.device)) % len(self.f)
        keep = slice(max(0, len(f) - len(self.f)), None)
        self.f.index_copy_(0, place[keep], f[keep].to(self.f.dtype))
        self.p.index_copy_(0, place[keep], p[keep].to(self.p.dtype))
        self.writes += len(f)


class Bank(nn.Module):
    """A feature f (K, d) and a label (K,) of each labelled picture, by its index; label -1: not
    seen yet.

    K is not told: the bank grows to the largest index seen, and takes the size of a state that is
    loaded."""

    f: Tensor
    label: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("f", torch.zeros(0, dim))
        self.register_buffer("label", torch.zeros(0, dtype=torch.long))

    def full(self) -> Tensor:
        """Whether the bank holds something and every picture up to the largest index has been seen;
        () bool."""
        return (
            (self.label >= 0).all()
            if len(self.label)
            else self.label.new_zeros((), dtype=torch.bool)
        )

    @torch.no_grad()
    def write(self, index: Tensor, f: Tensor, y: Tensor, mix: float) -> None:
        """f <- L2(mix f + (1 - mix) new), each picture's own feature; of a picture that comes
        twice, the last counts."""
        index, f, y = ranks.rows(index), ranks.rows(f), ranks.rows(y)
        # on the CPU, where a batch's index lies: nothing waits for a GPU
        picture, from_behind = np.unique(index.cpu().numpy()[::-1], return_index=True)
        self._resize(max(len(self.label), int(picture[-1]) + 1))
        place = sent(torch.from_numpy(picture), f.device)
        rows = sent(torch.from_numpy(len(index) - 1 - from_behind), f.device)
        self.f[place] = F.normalize(
            mix * self.f[place] + (1 - mix) * f[rows].to(self.f.dtype), dim=1
        )
        self.label[place] = y[rows]

    def _resize(self, size: int) -> None:
        f, label = self.f, self.label
        self.f, self.label = f.new_zeros(size, f.shape[1]), label.new_full((size,), -1)
        kept = min(size, len(label))
        self.f[:kept], self.label[:kept] = f[:kept], label[:kept]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        self._resize(len(state_dict[prefix + "label"]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
