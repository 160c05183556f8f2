"""Mean teacher on the expected grade: **ours**, none of Dang et al.'s methods. After Tarvainen &
Valpola, "Mean teachers are better role models: Weight-averaged consistency targets improve
semi-supervised deep learning results", NeurIPS 2017.

    e(z) = sum_k k softmax(z)_k, the expected grade;   f': the running average of f, no gradient
    g = 1/2 (e(f'(weak1(u))) + e(f'(weak2(u))))
    L = mean CE(x, ordinal(y)) + w(t) * mean over all M of (e(f(strong(u))) - g)^2
    ordinal(y)_k ~ exp(-2 |k - y|)                                  parts.ordinal_targets
    w(t) = lambda_u min(1, t / ramp_steps), t: steps done

e is linear in the probabilities, so g is the expected grade of the two views' mean probabilities as
well. Beside the paper: the squared difference is of expected grades instead of probabilities, so
that it knows that grades are ordered; the teacher sees two weak views instead of one and is in
evaluation mode; labels are soft (`ordinal`, True here alone); w rises linearly. Nothing is masked:
every picture of the pool counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ..bounds import Range
from ..networks.network import Network
from .base import Batch, Method, MethodConfig, forward_still, forward_views
from .parts import expected_grades, grade_loss


class MeanTeacher(Method):
    """The network must expect the grade that its running average expects, whatever the view."""

    unlabelled_views = ("weak", "weak2", "strong")
    step: Tensor

    @dataclass(frozen=True)
    class Config(MethodConfig):
        """Defaults: ours, as scouted.

        >>> MeanTeacher.Config(ramp_steps=-1)
        Traceback (most recent call last):
        ValueError: method.ramp_steps is -1; expected 0 or more
        """

        # lambda_u, ordinal: no profile or row changes them; ours
        name: str = "mean_teacher"
        # weight of the unlabelled loss once the ramp is over
        lambda_u: Annotated[float, Range(0)] = 3.0
        # steps over which the weight rises from 0; 0: at once. A method knows no total: the
        # profiles give .4 of their train.steps, which no change of train.steps moves
        ramp_steps: Annotated[int, Range(0)] = 200
        ordinal: bool = True  # soft targets of the labelled grades, by distance

    def __init__(self, net: Network, classes: int, config: Config, prior: Tensor) -> None:
        super().__init__(net, classes)
        self.config = config
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        (z_w, _), (z_w2, _) = forward_still(self.teacher[0], [batch.u["weak"], batch.u["weak2"]])
        (z_x, _), (z_s, _) = forward_views(self.net, [batch.x, batch.u["strong"]])
        return self.terms(z_x, batch.y, z_w, z_w2, z_s)

    def terms(
        self, z_x: Tensor, y: Tensor, z_w: Tensor, z_w2: Tensor, z_s: Tensor
    ) -> dict[str, Tensor]:
        """The loss from logits alone: z_x (B, C), y (B,), z_w and z_w2 (M, C) of the running
        average, z_s (M, C). Moves the method's state one step on."""
        c = self.config
        target = (expected_grades(z_w.detach()) + expected_grades(z_w2.detach())) / 2  # (M,)
        difference = expected_grades(z_s) - target  # (M,)
        sup_loss, unsup_loss = grade_loss(z_x, y, c.ordinal), difference.square().mean()
        share = (self.step / c.ramp_steps).clamp(max=1) if c.ramp_steps else z_s.new_ones(())
        weight = c.lambda_u * share
        self.step += 1
        terms = {
            "sup_loss": sup_loss,
            "unsup_loss": unsup_loss,
            "gap": difference.abs().mean(),
            "weight": weight,
        }
        return {"loss": sup_loss + weight * unsup_loss} | {k: v.detach() for k, v in terms.items()}

    def selected(self, p: Tensor) -> Tensor:
        """All: the loss on the pool masks none."""
        return torch.ones(len(p), dtype=torch.bool, device=p.device)
