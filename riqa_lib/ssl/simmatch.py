"""SimMatch: Zheng et al., "SimMatch: Semi-supervised Learning with Similarity Matching", CVPR 2022.

    f = L2(W2 ReLU(W1 h)), h the network's feature;   T: temperature
    F_k, l_k: feature and label of each labelled picture
    p = softmax(f(weak(u))), moved to a target distribution by the mean of the last batches
    a = softmax_k(f_w . F_k / T);   t_k ~ a_k p_(l_k);   g_c = sum of a_k over l_k = c
    q = alpha p + (1 - alpha) g
    mask = 1[max q >= tau]
    L = mean CE(x, y) + lambda_u * mean over all M of mask * H(q, f(strong(u)))
        + lambda_in * mean H(t, softmax_k(f_s . F_k / T))
    then F_k <- L2(mix F_k + (1 - mix) f_x), l_k <- y for the pictures of the batch

Until every labelled picture is in the bank: q = p, no last term. Beside the best-known code (USB):
each picture's feature is normalised (there, each dimension over the batch), of a picture that comes
twice the last counts, and nothing goes by epochs or by a data set's name. Ours: the target
distribution is the labelled grades' shares (`align_to`; paper and USB: uniform); `weak` (the
paper's own code for large pictures: "ema") and `start` as for FixMatch; `ordinal`: soft targets
(parts.ordinal_targets) of y in CE(x, y) alone, since q is soft and the bank holds what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bounds import OneOf, Range
from ..networks.network import Network
from .base import Batch, Method, MethodConfig, forward_still
from .parts import (
    Bank,
    Projection,
    QueueAlignment,
    grade_loss,
    masked_mean,
    soft_cross_entropy,
    target_shares,
)


class SimMatch(Method):
    """The strong view must resemble the same labelled pictures, and the same classes, as the weak
    view."""

    unlabelled_views = ("weak", "strong")
    step: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: USB's, but for align_to."""

        # all but tau and weak: no profile or row changes them; the paper's or the peer's (USB's)
        # choices
        name: str = "simmatch"
        tau: Annotated[float, Range(0, 1)] = 0.95  # confidence needed, in 0..1
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        # weight of the similarity loss (authors, large pictures: 5)
        lambda_in: Annotated[float, Range(0)] = 1.0
        # share of the network's own prediction in q; the rest is the bank's
        alpha: Annotated[float, Range(0, 1)] = 0.9
        # T above (authors, large pictures: 0.1)
        temperature: Annotated[float, Range(above=0)] = 0.2
        dim: Annotated[int, Range(1)] = 128  # of the features f
        # share of its old feature that a picture in the bank keeps (authors, large pictures: 0)
        mix: Annotated[float, Range(0, 1)] = 0.7
        # who makes the bank's features: "train", the network at work, or "ema", its average
        bank: Annotated[str, OneOf("train", "ema")] = "train"
        # batches whose mean prediction is aligned (authors, large pictures: 256)
        queue: Annotated[int, Range(1)] = 32
        # "prior", the labelled grades' shares, or "uniform" (paper, USB)
        align_to: Annotated[str, OneOf("prior", "uniform")] = "prior"
        # who sees the weak view: "train", "eval" or "ema"
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before the other terms count
        ordinal: bool = False  # soft targets of the labelled grades, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.projection = Projection(net.width, config.dim)
        self.alignment = QueueAlignment(target_shares(prior, config.align_to), config.queue)
        self.bank = Bank(config.dim)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        seen = self.look(batch, self.unlabelled_views, self.config.weak)
        (z_x, h_x), (z_w, h_w), (z_s, h_s) = seen
        if self.config.bank == "ema":
            ((_, h_x),) = forward_still(self.teacher[0], [batch.x])
        f_x, f_w, f_s = self.projection(torch.cat([h_x, h_w, h_s])).split([len(h) for _, h in seen])
        with torch.autocast(z_x.device.type, enabled=False):  # similarities in fp32
            return self.terms(z_x, batch.y, batch.index, f_x, z_w, f_w, z_s, f_s)

    def terms(
        self,
        z_x: Tensor,
        y: Tensor,
        index: Tensor,
        f_x: Tensor,
        z_w: Tensor,
        f_w: Tensor,
        z_s: Tensor,
        f_s: Tensor,
    ) -> dict[str, Tensor]:
        """The loss from logits and features (of length 1) alone: z_x (B, C), y and index (B,), f_x
        (B, d), z_w and z_s (M, C), f_w and f_s (M, d). Moves the method's state one step on."""
        c = self.config
        p = self.alignment(z_w.detach().softmax(dim=1))  # (M, C)
        full = self.bank.full()  # ()
        bank = self.bank.f.to(p.dtype)  # (K, d)
        label = self.bank.label.clamp(min=0)  # (K,)
        log_a = (f_w.detach() @ bank.T / c.temperature).log_softmax(dim=1)  # (M, K)
        t = (log_a + p.clamp_min(1e-30).log()[:, label]).softmax(dim=1)  # (M, K)
        g = log_a.exp() @ F.one_hot(label, self.classes).to(p.dtype)  # (M, C)
        q = torch.where(full, c.alpha * p + (1 - c.alpha) * g, p)
        in_loss = full * soft_cross_entropy(t, f_s @ bank.T / c.temperature).mean()
        confidence, told = q.max(dim=1)
        mask = (confidence >= c.tau).to(q.dtype)  # (M,)
        sup_loss = grade_loss(z_x, y, c.ordinal)
        unsup_loss = masked_mean(mask, soft_cross_entropy(q, z_s))
        self.bank.write(index, f_x.detach(), y, c.mix)
        on = (self.step >= c.start).float()
        self.step += 1
        loss = sup_loss + on * (c.lambda_u * unsup_loss + c.lambda_in * in_loss)
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "in_loss": in_loss,
            "kept": mask.mean(),
            "changed": (told != p.argmax(dim=1)).to(q.dtype).mean(),
            "agrees": full * (g.argmax(dim=1) == p.argmax(dim=1)).to(q.dtype).mean(),
            "full": full.to(q.dtype),
        }
        # what each says, per class
        terms |= {f"memory_{k}": v for k, v in enumerate(full * g.mean(dim=0))}
        terms |= {f"network_{k}": v for k, v in enumerate(full * p.mean(dim=0))}
        return {"loss": loss} | {k: v.detach() for k, v in terms.items()}

    def selected(self, p: Tensor) -> Tensor:
        """By the network's aligned prediction alone: the bank asks for features."""
        q = self.alignment.apply_to(p) if self.alignment.writes > 0 else p
        return q.max(dim=1).values >= self.config.tau
