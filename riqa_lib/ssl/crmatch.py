"""CRMatch: Fan, Kukleva, Dai & Schiele, "Revisiting Consistency Regularization for Semi-Supervised
Learning", IJCV 2023.

    q = softmax(f(weak(u))), no gradient;   mask = 1[max q >= tau]
    g = W h, h the network's feature: a linear head for distances
    r: a head for rotations, W2 ReLU(W1 h)
    L = mean CE(x, y) + lambda_u * mean over all M of mask * CE(f(strong(u)), argmax q)
        + lambda_dist * mean over all M of mask * max(0, cos(g_strong, g_weak)) + lambda_rot * mean
        CE(r(turned by k * 90 degrees), k) over B unlabelled pictures and k = 0, 1, 2, 3

So the two views' features are pushed apart while their classes must agree. All weights are read (in
the best-known code, USB, lambda_u is not, and lambda_rot is only a switch), and both further losses
are reported. Rotations are of the weak view's first B pictures (USB: of B further pictures). Ours:
`align`, `weak`, `start` and `ordinal` (y and argmax q as soft targets) as for FixMatch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..bounds import OneOf, Range
from ..networks.network import Network
from ..networks.views import View
from .base import Batch, Method, MethodConfig, forward_views
from .parts import PriorAlignment, grade_loss, masked_mean


class CRMatch(Method):
    """FixMatch, with features that may tell the views apart, and know which way is up."""

    unlabelled_views = ("weak", "strong")
    step: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: USB's, but for lambda_rot: quality has no canonical orientation in many
        pictures (textures, fundus), our strong view turns pictures itself, and the four turns cost
        4 B pictures more a step."""

        # lambda_u, lambda_dist, lambda_rot, both, weak, start, ordinal: no profile or row changes
        # them; the paper's or the peer's (USB's) choices
        name: str = "crmatch"
        tau: Annotated[float, Range(0, 1)] = 0.95  # confidence needed, in 0..1
        lambda_u: Annotated[float, Range(0)] = 1.0  # weight of the unlabelled loss
        lambda_dist: Annotated[float, Range(0)] = 1.0  # weight of the distance loss
        # weight of the rotation loss (paper, USB: 1); 0 drops its head and its pictures
        lambda_rot: Annotated[float, Range(0)] = 0.1
        # the distance loss trains the weak view's side too (USB in one pass); False: only the
        # strong one's
        both: bool = True
        # who sees the weak view: "train", "eval" or "ema" (the last two leave its network
        # untrained)
        weak: Annotated[str, OneOf("train", "eval", "ema")] = "train"
        align: bool = False  # move q to the shares of the labelled grades first
        start: Annotated[int, Range(0)] = 0  # steps on labels alone before the other terms count
        ordinal: bool = False  # soft targets of grades, hard pseudo-labels' too, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.alignment = PriorAlignment(prior)
        self.distance = nn.Linear(net.width, net.width)
        self.rotation: nn.Module | None = None
        if config.lambda_rot:
            self.rotation = nn.Sequential(
                nn.Linear(net.width, net.width), nn.ReLU(), nn.Linear(net.width, 4)
            )
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        (z_x, _), (z_w, h_w), (z_s, h_s) = self.look(batch, self.unlabelled_views, self.config.weak)
        g_w, g_s = self.distance(torch.cat([h_w, h_s])).float().chunk(2)
        z_rot = None
        if self.rotation is not None:
            upright = batch.u["weak"].images[: len(batch.y)]
            turned = torch.cat([torch.rot90(upright, k, (2, 3)) for k in range(4)])
            ((_, h_rot),) = forward_views(self.net, [View(turned)])
            z_rot = self.rotation(h_rot).float()
        return self.terms(z_x, batch.y, z_w, g_w, z_s, g_s, z_rot)

    def terms(
        self,
        z_x: Tensor,
        y: Tensor,
        z_w: Tensor,
        g_w: Tensor,
        z_s: Tensor,
        g_s: Tensor,
        z_rot: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The loss from heads' outputs alone: z_x (B, C), y (B,), z_w and z_s (M, C), g_w and g_s
        (M, D), z_rot (4 R, 4) of R pictures turned by 0, then the same by 90, 180, 270 degrees.
        Moves the method's state one step on."""
        c = self.config
        q = z_w.detach().softmax(dim=1)  # (M, C)
        if c.align:
            q = self.alignment(q)
        confidence, label = q.max(dim=1)
        mask = (confidence >= c.tau).to(q.dtype)  # (M,)
        sup_loss = grade_loss(z_x, y, c.ordinal)
        unsup_loss = masked_mean(mask, grade_loss(z_s, label, c.ordinal, "none"))
        cosine = F.cosine_similarity(g_s, g_w if c.both else g_w.detach(), dim=1)  # (M,)
        dist_loss = masked_mean(mask, cosine.clamp_min(0))
        rot_loss, rot_right = torch.zeros_like(sup_loss), torch.zeros_like(sup_loss)
        if z_rot is not None:
            turn = torch.arange(4, device=z_rot.device).repeat_interleave(len(z_rot) // 4)
            rot_loss, rot_right = (
                F.cross_entropy(z_rot, turn),
                (z_rot.argmax(dim=1) == turn).float().mean(),
            )
        on = (self.step >= c.start).float()
        self.step += 1
        loss = sup_loss + on * (
            c.lambda_u * unsup_loss + c.lambda_dist * dist_loss + c.lambda_rot * rot_loss
        )
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "dist_loss": dist_loss,
            "rot_loss": rot_loss,
            "kept": mask.mean(),
            "cosine": cosine.mean(),
            "rot_right": rot_right,
        }
        return {"loss": loss} | {k: v.detach() for k, v in terms.items()}

    def selected(self, p: Tensor) -> Tensor:
        if self.config.align and self.alignment.steps > 0:
            p = self.alignment.apply_to(p)
        return p.max(dim=1).values >= self.config.tau
