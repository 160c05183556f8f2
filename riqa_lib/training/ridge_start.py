"""Where a network with a line beside its transformer (networks.hybrid.Skip) starts: the line is
ridge regression of the labelled grades on the moments of what the network sees, and the
transformer's head says nothing yet. Training goes on from there.

After Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", ICLR 2022: fit the head on frozen features first, then train everything. With
100 labels a transformer alone, at any learning rate tried, stayed behind the ridge
(training.baselines) in MAE on validation pictures, simulated and real (results/reference/tries.csv,
one to three seeds); one that starts at the ridge has it as its first answer, and so have the
teachers of all methods, whose first pseudo-labels are the ridge's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..networks.sources import Source
from ..networks.vit import ViT
from .baselines import ridge

LEAST_VARIANCE = 0.05  # of the answer, in grades squared: nobody is surer than this at the start


@torch.no_grad()
def moments(net: ViT, source: Source, rows: np.ndarray, batch: int = 256) -> Tensor:
    """What the line sees of these pictures, mean over looks: (N, 2 channels), double, CPU."""
    skip, embed = net.skip, net.vit.patch_embed
    assert skip is not None
    parts = []
    for chunk in torch.from_numpy(np.asarray(rows)).split(batch):
        looks = [skip.moments(embed.maps(images)) for images in source.looks(chunk)]
        parts.append(torch.stack(looks).mean(dim=0).double().cpu())
    return torch.cat(parts)


def start_at_ridge(net: ViT, source: Source, rows: np.ndarray, grades: np.ndarray) -> None:
    """Make the network (on the source's device) answer as ridge regression of grades (N,) on the
    moments of these rows (N,) would. Its variance is that of the leave-one-out residuals."""
    mode = net.training
    net.eval()
    fitted = ridge(moments(net, source, rows).numpy(), grades)
    net.train(mode)
    scaler, line = fitted[0], fitted[1]
    weight = line.coef_ / scaler.scale_
    bias = float(line.intercept_ - weight @ scaler.mean_)
    variance = max(float(-line.best_score_), LEAST_VARIANCE)
    assert net.skip is not None
    like = net.skip.line.weight
    net.skip.start(torch.as_tensor(weight).to(like), bias, variance)
    torch.nn.init.zeros_(net.vit.head.weight)
    torch.nn.init.zeros_(net.vit.head.bias)
