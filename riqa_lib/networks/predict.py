"""Probabilities per picture, and the table of predictions that every metric, interval and figure
derives from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from . import ranks
from .device import device_of, sent
from .precision import unmixed
from .sources import Maps, Source

Heads = tuple[Tensor, Tensor]  # what a network returns
AT_ONCE = 64  # pictures a forward pass: on a CPU convolutions of 256 at once leave its cache
# the same of stored maps, where no convolution is left: a tenth less time (16 tokens, Intel Xeon)
OF_MAPS = 128
# the same of networks with two heads, whose convolutions start from pixels: a quarter less time
# than 64 (128 px, AMD EPYC), with the same bits
OF_PIXELS = 16


@torch.no_grad()
def over_looks(
    net: nn.Module,
    source: Source,
    rows: np.ndarray,
    batch: int,
    read: Callable[[Heads], tuple[Tensor, ...]],
) -> list[Tensor]:
    """Means over all looks that the source gives of a picture, in evaluation mode and in fp32, of
    every tensor (B, ...) that `read` takes from the network's output; on the CPU, in the order of
    `rows`.
    Several processes share the rows: all must ask, and all are told of all."""
    mode, where = net.training, device_of(net, source.device)
    net.eval()
    out: list[list[Tensor]] = []
    own = ranks.shared(np.asarray(rows))
    with unmixed(net):
        for chunk in torch.as_tensor(own, dtype=torch.long).split(batch):
            parts = [read(net(sent(images, where))) for images in source.looks(chunk)]
            out.append([torch.stack(part).mean(dim=0).cpu() for part in zip(*parts, strict=True)])
    net.train(mode)
    return [ranks.joined(torch.cat(part), len(rows)) for part in zip(*out, strict=True)]


def _of_grades(out: Heads) -> tuple[Tensor, ...]:
    return (out[0].float().softmax(dim=1),)


def _of_grades_and_details(out: Heads) -> tuple[Tensor, ...]:
    return out[0].float().softmax(dim=1), out[1].float().sigmoid()


def probabilities(net: nn.Module, source: Source, rows: np.ndarray, batch: int = 0) -> Tensor:
    """Mean probabilities over the source's looks, in evaluation mode: (len(rows), C) on the CPU, in
    the order of `rows`. batch: pictures a forward pass, 0: as many as suit the source."""
    batch = batch or (OF_MAPS if isinstance(source, Maps) else AT_ONCE)
    (p,) = over_looks(net, source, rows, batch, _of_grades)
    return p


def two_heads(
    net: nn.Module, source: Source, rows: np.ndarray, batch: int = OF_PIXELS
) -> tuple[Tensor, Tensor]:
    """As `probabilities`, of a network with two heads: of the overall grade (N, C), and of good for
    each detail (N, 3)."""
    overall, details = over_looks(net, source, rows, batch, _of_grades_and_details)
    return overall, details


def predictions(frame: pd.DataFrame, p: Tensor) -> pd.DataFrame:
    """Rows of a data set's frame with their probabilities (N, C): id, group, source, split, truth,
    [score], p0, p1, ...

    truth is the grade, or, where pictures of the pool have a known true grade (simulation, or
    hidden labels), that."""
    truth = frame["grade"].where(frame["grade"] >= 0, frame.get("true_grade", -1))
    table = frame[["id", "group", "source", "split"]].assign(
        truth=truth.astype(int), score=frame["score"].round(5)
    )
    values = np.round(p.numpy().astype(np.float64), 5)
    return table.assign(**{f"p{k}": values[:, k] for k in range(values.shape[1])}).reset_index(
        drop=True
    )


def said_of(net: nn.Module, source: Source, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """`predictions` of a network for these rows of a data set's frame."""
    return predictions(frame.iloc[rows], probabilities(net, source, rows))


def said_of_all(
    net: nn.Module,
    source: Source,
    frame: pd.DataFrame,
    rows: np.ndarray,
    few: np.ndarray,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """`said_of` rows, in rising order; known: what it says of the few of them, where that was asked
    before."""
    said = [said_of(net, source, frame, few) if known is None else known]
    if len(rest := np.setdiff1d(rows, few)):
        said.append(said_of(net, source, frame, rest))
    order = np.argsort(np.concatenate([few, rest]))
    return pd.concat(said).iloc[order].reset_index(drop=True)
