"""What every method shares: its batch, and one forward pass for all views.

A method is an nn.Module that names the views it needs and returns {"loss", terms, metrics} from
forward(batch); the training loop knows nothing else. State lives in buffers, so state_dict() is the
whole of it.

Where several processes share a batch, forward(batch) sees this one's rows, and a loss is a mean
over them. What is not a mean in a loss is made from `ranks.rows(...)`, the rows of all: what a
method remembers, compares rows with, or divides by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..bounds import Checked
from ..networks.network import Network
from ..networks.views import WEAK, Policy, View


@dataclass
class Batch:
    """x: B labelled pictures (weak view), y (B,) grades, index (B,) their rows in the labelled set;
    s: their strong view, for methods that ask; u: the M unlabelled pictures, one View of each name
    asked for."""

    x: View
    y: Tensor
    index: Tensor
    s: View | None = None
    u: dict[str, View] = field(default_factory=dict)


def forward_views(net: Network, views: list[View]) -> list[tuple[Tensor, Tensor]]:
    """One pass over all views, in the network's present mode: [(logits, feature)] per view, in
    fp32."""
    sizes = [len(v.images) for v in views]
    keep = None
    if any(v.keep is not None for v in views):
        tokens = next(v.keep.shape[1] for v in views if v.keep is not None)
        keep = torch.cat(
            [v.images.new_ones(len(v.images), tokens) if v.keep is None else v.keep for v in views]
        )
    logits, feature = net(torch.cat([v.images for v in views]), keep)
    return list(zip(logits.float().split(sizes), feature.float().split(sizes), strict=True))


@torch.no_grad()
def forward_still(net: Network, views: list[View]) -> list[tuple[Tensor, Tensor]]:
    """`forward_views` in evaluation mode, without gradient; the network is left in its mode."""
    if not net.training:
        return forward_views(net, views)
    net.eval()
    seen = forward_views(net, views)
    net.train()
    return seen


class MethodConfig(Checked):
    """Base of the settings of a method, frozen dataclasses: its `name`, then what it reads."""

    where: ClassVar[str] = "method."


class Method(nn.Module):
    """Base of all methods. Subclasses set `unlabelled_views` and write forward()."""

    unlabelled_views: tuple[str, ...] = ()  # any of "weak", "weak2", "strong", "strong2"
    labelled_strong: bool = False
    weak_policy: Policy = WEAK  # of the labelled pictures, and of the views called "weak.."
    criterion: str = "val_mae"  # which validation metric selects the weights
    higher_is_better: bool = False  # of the criterion
    uses_all: bool = True  # the loss moves every weight each step; several processes rely on it

    Config: Any  # a frozen dataclass of the method's settings; its `name` is the method's

    def __init__(self, net: Network, classes: int) -> None:
        super().__init__()
        self.net = net
        self.classes = classes
        # the averaged network, from the loop; in a list, so that it is no submodule
        self.teacher: list[Network] = []

    def look(self, batch: Batch, names: tuple[str, ...], weak: str) -> list[tuple[Tensor, Tensor]]:
        """(logits, feature) of batch.x and of the unlabelled views named, in that order.

        weak: how the view called "weak" is seen, where its output only makes targets: "train" = in
        the one common pass (the peers' way: dropout and batch statistics on); "eval" = the network
        in evaluation mode, no gradient; "ema" = its running average in evaluation mode, no
        gradient."""
        if weak == "train" or "weak" not in names:
            return forward_views(self.net, [batch.x, *(batch.u[n] for n in names)])
        teacher = self.net if weak == "eval" else self.teacher[0]
        (seen,) = forward_still(teacher, [batch.u["weak"]])
        rest = forward_views(self.net, [batch.x, *(batch.u[n] for n in names if n != "weak")])
        order = iter(rest[1:])
        return [rest[0], *(seen if n == "weak" else next(order) for n in names)]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch: {"loss": scalar with gradient, other terms and metrics detached}."""
        raise TypeError(f"{type(self).__name__} has no forward(batch)")

    def selected(self, p: Tensor) -> Tensor:
        """Which pictures with probabilities p (N, C) would be given a pseudo-label; (N,) bool.
        None, by default."""
        return torch.zeros(len(p), dtype=torch.bool, device=p.device)

    def validation(self, net: nn.Module, material: Any) -> dict[str, float] | None:
        """Validation metrics of the averaged network (material: loop.Material); None for the
        loop's own."""
        return None
