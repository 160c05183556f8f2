"""Probabilities per picture, and the table of predictions that every metric, interval and figure derives from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .views import centre_crops, normalise


@torch.no_grad()
def probabilities(net: nn.Module, pixels: Tensor, rows: np.ndarray, crop: int, grid: int = 1, batch: int = 256) -> Tensor:
    """Mean probabilities over a grid of crops, in evaluation mode: (len(rows), C) on the CPU, in the order of `rows`."""
    mode = net.training
    net.eval()
    out = []
    for chunk in torch.as_tensor(np.asarray(rows), dtype=torch.long).split(batch):
        crops = centre_crops(pixels[chunk.to(pixels.device)], crop, grid)
        out.append(torch.stack([net(normalise(c))[0].float().softmax(dim=1) for c in crops]).mean(dim=0).cpu())
    net.train(mode)
    return torch.cat(out)


def predictions(frame: pd.DataFrame, p: Tensor) -> pd.DataFrame:
    """Rows of a data set's frame with their probabilities (N, C): id, group, source, split, truth, [score], p0, p1, ...

    truth is the grade, or, where pictures of the pool have a known true grade (simulation, or hidden labels), that."""
    truth = frame["grade"].where(frame["grade"] >= 0, frame.get("true_grade", -1))
    table = frame[["id", "group", "source", "split"]].assign(truth=truth.astype(int), score=frame["score"].round(5))
    values = np.round(p.numpy().astype(np.float64), 5)
    return table.assign(**{f"p{k}": values[:, k] for k in range(values.shape[1])}).reset_index(drop=True)
