"""Optimisation: its settings, the schedule of the learning rate, and one step of the optimiser."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn

from ..bounds import Checked, OneOf, Range
from ..networks.views import STRONG


@dataclass(frozen=True)
class TrainConfig(Checked):
    """Optimisation. Steps are optimiser steps; learning rates are those of the head.

    >>> TrainConfig(optimiser="sgd")
    Traceback (most recent call last):
    ValueError: train.optimiser is 'sgd'; allowed: adamw, adam
    """

    # weight_decay, warmup, final, clip, precision: no profile or row changes them; the peer's
    # (USB's, timm's) choices
    where: ClassVar[str] = "train."

    steps: Annotated[int, Range(1)] = 500
    batch: Annotated[int, Range(1)] = 32  # labelled pictures a step
    # unlabelled pictures per labelled one, for methods that use any
    mu: Annotated[int, Range(0)] = 1
    # "adamw", or "adam" (as the paper states; weight decay is then left out)
    optimiser: Annotated[str, OneOf("adamw", "adam")] = "adamw"
    lr: Annotated[float, Range(above=0)] = 5e-4
    weight_decay: Annotated[float, Range(0)] = 0.05
    # factor of the learning rate per block from the head down
    layer_decay: Annotated[float, Range(above=0, high=1)] = 1.0
    # share of the steps with rising learning rate; a cosine follows
    warmup: Annotated[float, Range(0, 1)] = 0.08
    final: Annotated[float, Range(0, 1)] = 0.02  # last learning rate, as a share of lr
    clip: Annotated[float, Range(0)] = 1.0  # largest gradient norm; 0 = no clipping
    # decay of the running average of weights, which is what is evaluated; 0 = off
    ema: Annotated[float, Range(0, below=1)] = 0.99
    # how often validation is looked at (and the state saved)
    evaluations: Annotated[int, Range(1)] = 8
    # keep the weights of the "best" validation MAE (or the method's criterion), or the "last"
    select: Annotated[str, OneOf("best", "last")] = "best"
    # "auto": bfloat16 where the hardware has it (CPU: convolutional stem only); or "fp32"
    precision: Annotated[str, OneOf("auto", "fp32")] = "auto"
    # the strong view: "quality", "randaugment" (control) or "weak"
    strong: Annotated[str, OneOf(*STRONG)] = "quality"


def optimiser(method: nn.Module, c: TrainConfig) -> torch.optim.Optimizer:
    """Adam(W) over all parameters of a module with its network (`net`), with layer-wise decay of
    the learning rate; no weight decay on 1-D parameters, positions and tokens."""
    decay = c.weight_decay if c.optimiser == "adamw" else 0.0
    groups = _groups_by_depth(getattr(method.net, "vit", method.net), decay, c.layer_decay)
    grouped = {id(p) for g in groups for p in g["params"]}
    rest = [p for p in method.parameters() if id(p) not in grouped]
    groups = _merged(groups + _groups_by_shape(rest, decay))
    kind = torch.optim.AdamW if c.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=c.lr, fused=True)


def _groups_by_depth(net: Any, decay: float, layer_decay: float) -> list[dict]:
    """Parameters by depth, with "lr_scale"; none for a network that timm cannot tell the depth
    of."""
    if not hasattr(net, "group_matcher"):
        return []
    exempt = net.no_weight_decay() if hasattr(net, "no_weight_decay") else ()
    return param_groups_layer_decay(net, decay, exempt, layer_decay=layer_decay)


def _groups_by_shape(parameters: list[nn.Parameter], decay: float) -> list[dict]:
    """The others, at the head's learning rate: matrices with weight decay, vectors without."""
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": decay, "lr_scale": 1.0},
        {"params": vectors, "weight_decay": 0.0, "lr_scale": 1.0},
    ]
    return [group for group in groups if group["params"]]


def _merged(groups: list[dict]) -> list[dict]:
    """Those groups as one that learn in the same way: a step of two groups takes two thirds of the
    time that one of ten takes (a small network on a CPU)."""
    of: dict[tuple[float, float], dict] = {}
    for group in groups:
        way = group["weight_decay"], group["lr_scale"]
        if way in of:
            of[way]["params"] += group["params"]
        else:
            of[way] = group
    return list(of.values())


def lr_at(step: int, c: TrainConfig) -> float:
    """Learning rate of a step (0-based): linear warm-up to lr, then a cosine to final * lr.

    >>> c = TrainConfig(steps=100, lr=1.0, warmup=0.04)
    >>> [lr_at(step, c) for step in (0, 1, 3, 99)]
    [0.25, 0.5, 1.0, 0.02]
    """
    warm = round(c.warmup * c.steps)
    if step < warm:
        return c.lr * (step + 1) / warm
    t = (step - warm) / max(1, c.steps - 1 - warm)
    return c.lr * (c.final + (1 - c.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, t))))


def one_step(
    learner: nn.Module,
    inputs: tuple,
    optim: torch.optim.Optimizer,
    lr: float,
    clip: float,
    precision: AbstractContextManager,
) -> dict[str, Tensor]:
    """One step of the optimiser on the "loss" of learner(*inputs); returns all that it gives.

    lr: of the head, other groups scale it; clip: largest gradient norm, 0 for no clipping;
    precision: of the forward pass, from `mixed`."""
    for group in optim.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    with precision:
        out = learner(*inputs)
    optim.zero_grad(set_to_none=True)
    out["loss"].backward()
    if clip:
        nn.utils.clip_grad_norm_(learner.parameters(), clip)
    optim.step()
    return out
