"""Batch normalisation over the whole batch of several processes (see ranks)."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from . import ranks


def synced(module: nn.Module, where: torch.device) -> nn.Module:
    """The module, on the device `where`, with every batch normalisation in it over the rows of all
    ranks; changed in place, names in its state_dict stay. With one process it stays as it is.

    On a GPU torch's SyncBatchNorm, which does not run on a CPU: there `_OfAll`."""
    if ranks.world() == 1:
        return module
    if where.type == "cuda":
        return convert_sync_batchnorm(module)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = type(type(part).__name__, (_OfAll, type(part)), {})
    return module


class _OfAll:
    """Put before a class of batch normalisation: training takes mean and variance of all ranks, in
    fp32 whatever the precision of what comes, as torch's own does."""

    def forward(self: Any, x: Tensor) -> Tensor:
        """x (N, C, ...) of this rank -> the same shape and type."""
        if not self.training:
            return super().forward(x)  # type: ignore[misc]
        given, x = x.dtype, x.float()
        over = [d for d in range(x.ndim) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(x.ndim)]
        mean = ranks.mean(x.mean(dim=over))  # (C,)
        centred = x - mean.view(shape)
        variance = ranks.mean(centred.square().mean(dim=over))  # (C,)
        self.follow(mean, variance, x.numel() // len(mean) * ranks.world())
        out = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        out = out.to(given)
        return self.act(self.drop(out)) if isinstance(self, BatchNormAct2d) else out

    @torch.no_grad()
    def follow(self: Any, mean: Tensor, variance: Tensor, count: int) -> None:
        """The running statistics take in a batch of `count` values a channel."""
        if self.track_running_stats:
            self.num_batches_tracked += 1
            share = self.momentum
            if share is None:  # the mean of all batches
                share = 1 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / (count - 1), share)
