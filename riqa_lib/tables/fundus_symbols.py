"""What the letters of the formulas of notebooks 14, 15 and 18 are (see `symbols`), and a run's
training in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from .. import store
from .symbols import Symbol, said

SHARED = (
    Symbol("i, j", "a picture; one of the three details"),
    Symbol(r"z_{ij}", "the network's logit; above 0 it says good"),
    Symbol(r"\sigma(z)", r"$1 / (1 + e^{-z})$, the probability of good"),
    Symbol("t_{ij}", "target, from 0 (bad) to 1 (good)"),
    Symbol("m_{ij}", "1 where there is a target, 0 elsewhere"),
    Symbol(r"\mathrm{BCE}(p, t)", r"$-t \log p - (1 - t) \log(1 - p)$"),
)


TEACHER = (
    *SHARED,
    Symbol("a, b", "calibration of a detail, learnt on the sources left out"),
    Symbol("", "weight of own-defect copies in the loss", "method.own_defects"),
)


STUDENT = (
    *SHARED,
    Symbol("p", "the Teacher's probability that a detail is good"),
    Symbol("f, y", "the network's probabilities of the overall grade; people's grade"),
    Symbol(r"\mathrm{CE}(f, y)", r"$-\log f_y$"),
    Symbol(r"\lambda_A", "weight of the details", "method.lambda_a"),
    Symbol(r"\lambda_B", "weight of the overall grade", "method.lambda_b"),
    Symbol(r"\mathrm{margin}", "how far from 1/2 a filtered $p$ must be", "method.margin"),
    Symbol("", "which pseudo-labels", "method.pseudo"),
)


GRAD_CAM = (
    Symbol("A_k", "channel $k$ of a layer's activations, $h$ by $w$"),
    Symbol("s", "the score that is explained: evidence for bad"),
    Symbol(r"\alpha_k", "how much $s$ depends on channel $k$, on average over the layer's places"),
    Symbol("M", "the map: 0 or more, resized to the picture"),
    Symbol(r"\mathrm{relu}(x)", r"$\max(x, 0)$: what speaks for good is left out"),
)


def training(config: Mapping) -> str:
    """How a run is trained, in a sentence. config: its config.json, nested or dotted.

    >>> training({"train": {"steps": 100, "batch": 32, "optimiser": "adamw", "lr": 0.002,
    ...     "select": "last"}, "model": {"encoder": "resnet"}})
    'Encoder resnet; 100 steps of 32 pictures, adamw, learning rate 0.002; last weights kept.'
    """
    known = store.flat(dict(config))
    steps, batch = (said(known[f"train.{key}"]) for key in ("steps", "batch"))
    rate, kept = known["train.lr"], known["train.select"]
    return (
        f"Encoder {known['model.encoder']}; {steps} steps of {batch} pictures, "
        f"{known['train.optimiser']}, learning rate {rate:g}; {kept} weights kept."
    )
