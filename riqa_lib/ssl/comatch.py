"""CoMatch: Li, Xiong & Hoi, "CoMatch: Semi-supervised Learning with Contrastive Graph
Regularization", ICCV 2021.

    f = L2(W2 ReLU(W1 h)), h the network's feature;   T: temperature
    q0 = softmax(f(weak(u))), moved to a target distribution by the mean of the last batches
    q = alpha q0 + (1 - alpha) softmax(f_w F' / T) P          q = q0 until the memory is full
                                                F, P: the memory's features and probabilities
    then F, P take in [f_w; f_x], [q0; onehot(y)]
    mask = 1[max q >= tau]
    W_ij = q_i . q_j, W_ii = 1, 0 where below the edge threshold, rows sum to 1
                                                                (i, j: pictures of the batch)
    L = mean CE(x, y) + lambda_u * mean over all M of mask * H(q, f(s0(u)))
        + lambda_c * mean_i H(W_i, softmax_j(f_s0,i . f_s1,j / T))

Beside the best-known code (USB): the memory wraps row by row (there, rows that don't fit are
dropped), it is full when every row was written, whatever the epoch, and features have an epsilon.
Ours: the target distribution is the labelled grades' shares (`align_to`; paper and USB: uniform);
`weak` and `start` as for FixMatch; `ordinal`: soft targets (parts.ordinal_targets) of y in CE(x, y)
alone, since q is soft and the memory holds what is known."""

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
    Projection,
    Queue,
    QueueAlignment,
    grade_loss,
    masked_mean,
    soft_cross_entropy,
    target_shares,
)


class CoMatch(Method):
    """Pseudo-labels smoothed by a memory, and a graph of them that features must follow."""

    unlabelled_views = ("weak", "strong", "strong2")
    step: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: USB's, but for align_to."""

        # lambda_u, lambda_c, alpha, temperature, dim, slope, queue, align_to, start, ordinal: no
        # profile or row changes them; the paper's or the peer's (USB's) choices
        name: str = "comatch"
        tau: Annotated[float, Range(0, 1)] = 0.95  # confidence needed, in 0..1
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        lambda_c: Annotated[float, Range(0)] = 1.0  # weight of the graph's loss
        # share of the network's own prediction in q; the rest is the memory's
        alpha: Annotated[float, Range(0, 1)] = 0.9
        temperature: Annotated[float, Range(above=0)] = 0.2  # T above
        # least W_ij; with few classes nearly all confident pairs of one class have it
        edge: Annotated[float, Range(0, 1)] = 0.8
        dim: Annotated[int, Range(1)] = 64  # of the features f
        # of the projection's activation on negatives (authors' code for small pictures: 0.1)
        slope: Annotated[float, Range(0, 1)] = 0.0
        # pictures in the memory, labelled and unlabelled (USB: 32 batches, the authors: 5 larger
        # ones)
        bank: Annotated[int, Range(1)] = 512
        queue: Annotated[int, Range(1)] = 32  # batches whose mean prediction is aligned
        # "prior", the labelled grades' shares, or "uniform" (paper, USB)
        align_to: Annotated[str, OneOf("prior", "uniform")] = "prior"
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before the other terms count
        ordinal: bool = False  # soft targets of the labelled grades, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.projection = Projection(net.width, config.dim, config.slope)
        self.alignment = QueueAlignment(target_shares(prior, config.align_to), config.queue)
        self.memory = Queue(config.bank, config.dim, classes)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        seen = self.look(batch, self.unlabelled_views, self.config.weak)
        (z_x, h_x), (z_w, h_w), (z_s, h_s), (_, h_s1) = seen
        f_x, f_w, f_s, f_s1 = self.projection(torch.cat([h_x, h_w, h_s, h_s1])).split(
            [len(h) for _, h in seen]
        )
        with torch.autocast(z_x.device.type, enabled=False):  # similarities in fp32
            return self.terms(z_x, batch.y, f_x, z_w, f_w, z_s, f_s, f_s1)

    def terms(
        self,
        z_x: Tensor,
        y: Tensor,
        f_x: Tensor,
        z_w: Tensor,
        f_w: Tensor,
        z_s: Tensor,
        f_s: Tensor,
        f_s1: Tensor,
    ) -> dict[str, Tensor]:
        """The loss from logits and features (of length 1) alone: z_x (B, C), y (B,), f_x (B, d),
        the other z (M, C) and f (M, d). Moves the method's state one step on."""
        c, f_x, f_w = self.config, f_x.detach(), f_w.detach()
        q0 = self.alignment(z_w.detach().softmax(dim=1))  # (M, C)
        near = (f_w @ self.memory.f.T / c.temperature).softmax(dim=1)  # (M, bank)
        full = self.memory.full()  # ()
        q = torch.where(full, c.alpha * q0 + (1 - c.alpha) * (near @ self.memory.p), q0)
        self.memory.write(
            torch.cat([f_w, f_x]), torch.cat([q0, F.one_hot(y, self.classes).to(q0.dtype)])
        )
        confidence, label = q.max(dim=1)
        mask = (confidence >= c.tau).to(q.dtype)  # (M,)
        every = ranks.rows(q)  # (M', C): of the whole batch, M' = M in one process
        itself = ranks.mine(torch.eye(len(every), dtype=torch.bool, device=q.device))
        graph = torch.where(itself, 1.0, q @ every.T)  # (M, M')
        graph = torch.where(graph >= c.edge, graph, 0.0)
        edges = (graph > 0).to(q.dtype).sum(dim=1).mean() - 1
        graph = graph / graph.sum(dim=1, keepdim=True)
        sup_loss = grade_loss(z_x, y, c.ordinal)
        unsup_loss = masked_mean(mask, soft_cross_entropy(q, z_s))
        con_loss = soft_cross_entropy(graph, f_s @ ranks.rows(f_s1).T / c.temperature).mean()
        on = (self.step >= c.start).float()
        self.step += 1
        loss = sup_loss + on * (c.lambda_u * unsup_loss + c.lambda_c * con_loss)
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "con_loss": con_loss,
            "kept": mask.mean(),
            "edges": edges,
            "changed": (label != q0.argmax(dim=1)).to(q.dtype).mean(),
            "full": full.to(q.dtype),
        }
        return {"loss": loss} | {k: v.detach() for k, v in terms.items()}

    def selected(self, p: Tensor) -> Tensor:
        """By the network's aligned prediction alone: the memory asks for features."""
        q = self.alignment.apply_to(p) if self.alignment.writes > 0 else p
        return q.max(dim=1).values >= self.config.tau
