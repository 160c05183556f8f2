"""What methods, the loop and predictions ask of a network."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """x (N, 3, S, S) normalised pixels -> two tensors, the first of them logits (N, classes).

    A class and no Protocol, since networks are also copied, saved, moved and hooked as the
    nn.Module that they are."""

    width: int  # of the pooled feature
    tokens: int  # patches a picture that views can blank; 0: none

    def forward(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """keep (N, tokens), 0 or 1: which tokens stay; None: all."""
        raise TypeError(f"{type(self).__name__} has no forward(x, keep)")
