"""How HyperIQA (networks.hyperiqa) is trained: one stage, the absolute error of the grade, Adam.

    L = mean |f(x) - grade|
    rates: of the backbone and the local distortion modules `rate`, of the hypernetwork `ratio`
    times that; both fall along a cosine from step to step

An epoch shows every labelled picture `crops` times, each time a crop at a place of its own (or,
where the network sees whole pictures, the picture) or its mirror image. After each epoch validation
pictures are graded; the weights with their smallest mean absolute error are kept.

The paper's, by its public code (`PAPER`): ResNet-50, crops of 224 px, 25 of each picture in
training and test, 16 epochs, batches of 96, rates 2e-5 and 2e-4, weight decay 5e-4. The defaults
are for the frozen Lite0 and were chosen on validation pictures.

Known differences, and faults of the public code that are avoided (networks.hyperiqa has those of
the network): one optimiser from the first step to the last, with all parameters in lists, so that
the hypernetwork is trained in every epoch, the moments are kept, and both rates fall (there by ten
every 6 epochs, the hypernetwork's only); the running average of the weights (`ema`) is what is
evaluated; gradients are clipped to norm 1; validation pictures select, not test pictures; one split
and several seeds, not the median of ten splits."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import bars
from ..bounds import Checked, OneOf, Range
from ..networks import map_store
from ..networks.blocks import seen_through
from ..networks.hyperiqa import BACKBONES, HyperIQA, check
from ..networks.predict import over_looks
from ..networks.sources import Source
from ..networks.views import Policy
from ..seeding import seed_of
from ..ssl.base import Batch, Method
from ..stats import metrics
from .baselines import Floats
from .loop import Material, Trainer
from .optimisation import TrainConfig
from .regressors import Learnt, Lesson

AT_ONCE = 128  # pictures that evaluation grades at a time


@dataclass(frozen=True)
class Settings(Checked):
    """backbone, crop, crops: see networks.hyperiqa; crops are also how often an epoch shows a
    picture, where it has places to choose from. smoke: epochs = 1, batch = 16; demo: epochs = 7;
    reference: the defaults; paper: PAPER.

    >>> Settings(backbone="vgg16")
    Traceback (most recent call last):
    ValueError: hyperiqa.backbone is 'vgg16'; allowed: lite0, resnet50
    """

    where: ClassVar[str] = "hyperiqa."

    name: str = "hyperiqa"
    backbone: Annotated[str, OneOf(*sorted(BACKBONES))] = "lite0"
    crop: Annotated[int, Range(0)] = 0  # px, 0: the whole picture
    crops: Annotated[int, Range(1)] = 1  # of a picture, in an epoch and in evaluation
    epochs: Annotated[int, Range(1)] = 14
    batch: Annotated[int, Range(1)] = 32
    # of the backbone and the local distortion modules
    rate: Annotated[float, Range(above=0)] = 1e-4
    ratio: Annotated[float, Range(above=0)] = 10.0  # the hypernetwork's rate, as a multiple of that
    weight_decay: Annotated[float, Range(0)] = 5e-4
    # decay of the running average of the weights; 0: none
    ema: Annotated[float, Range(0, below=1)] = 0.99
    # share of stored maps' channels set to their mean in training
    channel_drop: Annotated[float, Range(0, below=1)] = 0.2
    pretrained: bool = True  # the backbone starts from ImageNet weights

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.backbone, self.crop, self.crops)


PAPER: dict[str, object] = {
    "backbone": "resnet50",
    "crop": 224,
    "crops": 25,
    "epochs": 16,
    "batch": 96,
    "rate": 2e-5,
    "ratio": 10.0,
    "ema": 0.0,
    "channel_drop": 0.0,
}  # the public code's


def build(settings: Settings, classes: int, size: int) -> HyperIQA:
    """The network, untrained: nothing is fetched. It takes pictures of any size and grades them on
    one scale, however many classes it has."""
    return HyperIQA(settings.backbone, settings.crop, settings.crops)


def learn(settings: Settings, lesson: Lesson) -> Learnt:
    """Train on the labelled rows, select on val, grade the asked ones. An interrupted training goes
    on after its last whole epoch. OSError where the backbone's weights cannot be had."""
    torch.manual_seed(seed_of("network", lesson.seed))
    net = HyperIQA(settings.backbone, settings.crop, settings.crops, settings.pretrained)
    source = prepared(net, lesson)
    trainer = trainer_of(settings, net, material_of(source, lesson), lesson)
    net = trained(trainer, lesson.state("hyperiqa"))
    began = time.perf_counter()
    facts = {
        "backbone": settings.backbone,
        "train_seconds": round(trainer.seconds(), 1),
        "pictures_seen": trainer.c.steps * settings.batch,
    }
    expected = said(net, source, lesson.asked)
    facts["predict_seconds"] = round(time.perf_counter() - began, 1)
    history = pd.DataFrame(trainer.history).assign(stage="all")
    return Learnt(net, expected, history, facts)


def prepared(net: HyperIQA, lesson: Lesson) -> Source:
    """Centre and scale the network by the lesson; what it sees the data set's pictures through."""
    grades = torch.from_numpy(lesson.grades)
    if not net.frozen:
        net.standardise(grades)
        return seen_through(net.source, lesson.data.pixels)
    stored = map_store.open_maps(lesson.data)
    net.standardise(grades, stored)
    return seen_through(net.source, stored.maps)


def material_of(source: Source, lesson: Lesson) -> Material:
    """The lesson for the training loop: no unlabelled pictures."""
    return Material(
        source=source,
        labelled=lesson.labelled,
        grades=lesson.grades.astype(np.float32),
        unlabelled=lesson.labelled[:0],
        val=lesson.val,
        val_grades=lesson.val_grades,
    )


def groups(settings: Settings, net: HyperIQA) -> list[dict[str, Any]]:
    """The optimiser's two groups. In lists: a generator would be spent after one look."""
    slow = [p for part in (net.backbone, net.local) for p in part.parameters() if p.requires_grad]
    return [
        {"params": slow, "lr_scale": 1 / settings.ratio},
        {"params": list(net.hyper.parameters()), "lr_scale": 1.0},
    ]


def trainer_of(settings: Settings, net: HyperIQA, material: Material, lesson: Lesson) -> Trainer:
    """A training that has not begun."""
    places = 0 < settings.crop < int(lesson.data.info["size"])  # to choose from
    views = len(material.labelled) * (settings.crops if places else 1)
    c = TrainConfig(
        steps=settings.epochs * max(1, math.ceil(views / settings.batch)),
        batch=settings.batch,
        lr=settings.rate * settings.ratio,
        ema=settings.ema,
        evaluations=settings.epochs,
    )
    trainer = Trainer(Regression(net, lesson.classes, settings), material, c, lesson.seed)
    trainer.optim = torch.optim.Adam(
        groups(settings, net), weight_decay=settings.weight_decay, fused=True
    )
    return trainer


def trained(trainer: Trainer, state: Path) -> HyperIQA:
    """Train to the end, from where the saved state is; the network with the selected weights."""
    trainer.resume(state)
    steps = range(trainer.done, trainer.c.steps)
    for _ in bars.bar(steps, initial=steps.start, total=steps.stop, desc="HyperIQA"):
        trainer.step()
        if trainer.is_due():
            trainer.check()
            trainer.save(state)
    net: Any = trainer.average.net
    trainer.best.load_into(net)
    return net


class Regression(Method):
    """Absolute error of the grade: L = mean |f(x) - y|."""

    criterion = "val_mae"

    def __init__(self, net: Any, classes: int, config: Settings) -> None:
        super().__init__(net, classes)
        self.config = config
        self.weak_policy = Policy(channel_drop=config.channel_drop)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        answer: Any = self.net(batch.x.images)  # of a regressor: grades, and no second head
        return {"loss": (answer.float() - batch.y).abs().mean()}

    def validation(self, net: nn.Module, material: Material) -> dict[str, float]:
        expected, grades = said(net, material.source, material.val), material.val_grades
        return {
            "val_mae": float(np.abs(expected - grades).mean()),
            "val_srcc": metrics.srcc(expected, grades),
        }


def said(net: nn.Module, source: Source, rows: np.ndarray) -> Floats:
    """Expected grades (N,) of these rows, as `net.quality` would say them."""
    (expected,) = over_looks(net, source, rows, AT_ONCE, _whole)
    return expected.numpy().astype(np.float64)


def _whole(out: Any) -> tuple[Tensor, ...]:
    return (out,)
