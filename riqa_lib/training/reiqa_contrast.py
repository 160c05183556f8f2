"""Momentum contrast, as Re-IQA's quality encoder is trained with it.

He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; the head
of MoCo-v2 (Chen et al., arXiv 2003.04297). Query q = f(x), key k+ = g(x'), both of length 1:

    L = -log  exp(q.k+ / T) / (exp(q.k+ / T) + sum_j exp(q.k_j / T))
    g <- m g + (1 - m) f       parameters of the key's side, after each step; never by gradient

where f and g are an encoder and a head (linear, ReLU, linear to 128), and k_j are the keys of the
last steps, a queue: the oldest leave first.

Known differences from the public code (avinabsaha/ReIQA on HobbitLong/PyContrast):
- the queue starts empty, not full of random directions, which no picture has: its first keys are
  the first step's;
- `within`: the other keys of the step are k_j too. Without them a query never meets the other
  copies of its own picture at the time, only as keys of earlier epochs, and the half-swap, which
  puts them at the query's own place, would change nothing;
- one process: nothing is shuffled between batch norms of several."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.optim.lars import Lars
from torch import Tensor, nn

DIM = 128  # of queries and keys
OPTIMISERS = ("adamw", "lars")
LARS_MOMENTUM = 0.9


class Projected(nn.Module):
    """An encoder and the head that only its training has: x -> directions (N, DIM)."""

    def __init__(self, encoder: nn.Module, features: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(features, features), nn.ReLU(), nn.Linear(features, DIM)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.head(self.encoder(x)), dim=1)


def logits(q: Tensor, k: Tensor, queue: Tensor, temperature: float, within: bool) -> Tensor:
    """Of queries (N, D), each against its own key of k (N, D), column 0, then those of the queue
    (M, D), then, within, the other keys of k; what is a query's own is left out there (-inf)."""
    parts = [(q * k).sum(dim=1, keepdim=True), q @ queue.T]
    if within:
        own = torch.eye(len(k), dtype=torch.bool, device=k.device)
        parts.append((q @ k.T).masked_fill(own, -torch.inf))
    return torch.cat(parts, dim=1) / temperature


class MomentumContrast(nn.Module):
    """encoder: what is trained, in place; features: how many it says; size: of the queue;
    momentum: m; temperature: T."""

    queue: Tensor
    newest: Tensor
    filled: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        features: int,
        size: int,
        momentum: float,
        temperature: float,
        within: bool = True,
    ) -> None:
        super().__init__()
        self.query = Projected(encoder, features)
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.register_buffer("queue", torch.zeros(size, DIM))
        self.register_buffer("newest", torch.tensor(0))  # where the next key goes
        self.register_buffer("filled", torch.tensor(0))
        self.momentum, self.temperature, self.within = momentum, temperature, within

    def forward(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """pairs: (queries, keys) of each scale, what the encoder takes, row i of both a positive
        pair. Returns the loss and how many queries are nearest to their own key (found), means over
        scales. The keys join the queue afterwards."""
        losses, found, keys = [], [], []
        negatives = self.queue[: int(self.filled)].clone()
        for shown, other in pairs:
            with torch.no_grad():
                k = self.key(other).detach()
            z = logits(self.query(shown), k, negatives, self.temperature, self.within)
            losses.append(F.cross_entropy(z, torch.zeros_like(z[:, 0], dtype=torch.long)))
            found.append((z.argmax(dim=1) == 0).float().mean())
            keys.append(k)
        for k in keys:
            self.enqueue(k)
        return {"loss": torch.stack(losses).mean(), "found": torch.stack(found).mean().detach()}

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Keys (N, DIM) take the places of the oldest; of more keys than places, the last stay."""
        size = len(self.queue)
        kept = keys[-size:].to(self.queue.dtype)
        places = (int(self.newest) + torch.arange(len(kept), device=keys.device)) % size
        self.queue[places] = kept
        self.newest.fill_((int(self.newest) + len(kept)) % size)
        self.filled.fill_(min(size, int(self.filled) + len(kept)))

    @torch.no_grad()
    def follow(self) -> None:
        """The key's side follows the query's: parameters only, as in the public code; its batch
        norms count for themselves."""
        mine: list[Tensor] = list(self.key.parameters())
        its: list[Tensor] = list(self.query.parameters())
        torch._foreach_lerp_(mine, its, 1 - self.momentum)


def optimiser_of(
    net: MomentumContrast, name: str, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Adam with decoupled decay, or LARS (You et al., arXiv 1708.03888; the paper's; timm's) with
    momentum .9. Matrices and convolutions decay, and have LARS' own rates; vectors don't.
    ValueError for another name."""
    learnt = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learnt if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "lars":
        return Lars(groups, lr=lr, momentum=LARS_MOMENTUM)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=True)
    raise ValueError(f"reiqa.optimiser is {name!r}; allowed: {', '.join(map(repr, OPTIMISERS))}")
