"""How Re-IQA is trained (networks.reiqa): its quality encoder by momentum contrast, without grades
(training.reiqa_pretrain), then its line, by ridge regression of the labelled pictures' grades on
what both encoders say.

The ridge's penalty is chosen by leave-one-out on the labelled pictures, as the row "ridge" has it
(training.baselines): one penalty for all features, so that whatever this row has above ridge on the
content encoder alone (`control`) the quality encoder has brought. Validation pictures chose the
settings and are reported; no picture but labelled ones fits the line.

Known differences from the paper: its line was fitted with ElasticNet or ridge by a search over
penalties for each data set (issues 11 and 14 of the public code); splits are ours."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from .. import store
from ..networks.device import device
from ..networks.map_store import open_maps
from ..networks.reiqa import Line, LiteEncoders, ReIQA, Seen
from . import reiqa_pretrain
from .baselines import Floats, ridge
from .measured import measured
from .regressors import Learnt, Lesson
from .reiqa_pretrain import QualityConfig


@dataclass(frozen=True)
class Settings(QualityConfig):
    """Of the row "reiqa": those of its quality encoder (reiqa_pretrain); the line has none.

    smoke: SMOKE; reference: the defaults; demo: half of them; paper: PAPER.

    >>> Settings(backbone="vgg16")
    Traceback (most recent call last):
    ValueError: reiqa.backbone is 'vgg16'; allowed: lite0, resnet50
    """

    name: str = "reiqa"


SMOKE: dict[str, object] = {"pictures": 8, "steps": 4, "batch": 4, "queue": 256}

# The paper's: 160 px of pictures of about 500 px; 5 of 40 epochs of warm-up. Batch and rate are a
# twelfth of its 630 pictures (on 6 nodes) and 12; how many steps an epoch has is the data's matter
PAPER: dict[str, object] = {
    "backbone": "resnet50",
    "pictures": 1_000_000,
    "patch": 160 / 512,
    "scale": 1.0,
    "batch": 52,
    "queue": 65_536,
    "momentum": 0.999,
    "optimiser": "lars",
    "lr": 1.0,
    "warmup": 5 / 40,
    "steps": 40_000,
}


def build(settings: Settings, classes: int, size: int) -> ReIQA:
    """The network, its line undrawn; classes and size don't matter to it."""
    return ReIQA(settings.backbone, settings.pretrained, settings.width)


def learn(settings: Settings, lesson: Lesson) -> Learnt:
    """Train the quality encoder where that is not there yet, then fit the line."""
    net = build(settings, lesson.classes, int(lesson.data.info["size"])).to(device()).eval()
    quality = QualityConfig(**{f.name: getattr(settings, f.name) for f in fields(QualityConfig)})
    folder = reiqa_pretrain.prepare(quality, net, lesson.data)
    began = time.perf_counter()
    every = features(net, lesson, folder.name)
    line = line_of(every[lesson.labelled], lesson.grades)
    net.draw(line)
    said = every @ line.weight + line.intercept
    about = store.read_json(folder / "provenance.json")
    seconds = about["seconds"] + time.perf_counter() - began
    facts = {
        "train_seconds": round(seconds, 1),  # with the quality encoder's, whoever trained it
        "pictures_seen": about["pictures_seen"] + len(lesson.labelled),
        "quality_encoder": folder.name,
        "control_val_mae": _errors(control(net, every, lesson), lesson)["val_mae"],
    }
    history = pd.concat(
        [
            store.read_table(folder / "history.csv").assign(stage="quality encoder"),
            pd.DataFrame([{"step": 0, "stage": "line"} | _errors(said[lesson.val], lesson)]),
        ],
        ignore_index=True,
    )
    return Learnt(net, said[lesson.asked], history, facts)


def features(net: ReIQA, lesson: Lesson, key: str) -> Floats:
    """What the encoders say of every picture of the data set, (N, F), kept beside its pixels; key:
    names the quality encoder."""
    maps = None
    if isinstance(net.encoders, LiteEncoders) and net.pretrained:
        maps = open_maps(lesson.data, scales=True).maps
    seen = Seen(net, lesson.data.pixels, maps)
    return measured(lesson.data, seen.reiqa_features, np.arange(len(lesson.data)), key)


def line_of(x: Floats, grades: Floats) -> Line:
    """Ridge regression of grades (N,) on features (N, F), its standardisation folded in."""
    fitted = ridge(x, grades)
    scaler, model = fitted[0], fitted[1]
    weight = model.coef_ / scaler.scale_
    return Line(weight, float(model.intercept_ - weight @ scaler.mean_))


def control(net: ReIQA, every: Floats, lesson: Lesson) -> Floats:
    """What ridge on the content encoder's features alone says of the validation pictures."""
    content = every[:, net.is_content()]
    line = line_of(content[lesson.labelled], lesson.grades)
    return content[lesson.val] @ line.weight + line.intercept


def _errors(expected: Floats, lesson: Lesson) -> dict[str, float]:
    held = np.clip(expected, 0, lesson.classes - 1)
    return {
        "val_mae": float(np.abs(held - lesson.val_grades).mean()),
        "val_srcc": float(spearmanr(held, lesson.val_grades).statistic),
    }
