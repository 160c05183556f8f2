"""The models of related work, trained on what the rows of Table 2 are trained on: the same labels,
validation and test pictures.

Each has a network in `networks` and a recipe beside this module, which is a function

    learn(settings, lesson) -> Learnt

They regress: what they say of a picture is one number on the scale of grades. It is stored as
probabilities around it (`baselines.as_probabilities`), so that every table, interval and comparison
holds them beside the networks that classify. The weights that are kept are chosen by validation
pictures, never by test pictures, as the public code of two of them does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from ..datasets.data_folder import DataSet, data_key
from ..networks.predict import predictions
from ..networks.regressor import Regressor
from . import photo_about, run_folder
from .baselines import Floats, as_probabilities


@dataclass(frozen=True)
class Lesson:
    """What a model learns from and is asked: rows of the data set's frame.

    labelled, val: rows that it may know the grade of; asked: rows that it must say something of;
    state: where a training saves its state to resume from, a file for each part of it."""

    data: DataSet
    labelled: np.ndarray
    val: np.ndarray
    asked: np.ndarray
    seed: int
    state: Callable[[str], Path]

    @property
    def grades(self) -> Floats:
        """Of the labelled rows, 0..classes-1: what is regressed."""
        return self.data.frame["grade"].to_numpy(float)[self.labelled]

    @property
    def val_grades(self) -> Floats:
        return self.data.frame["grade"].to_numpy(float)[self.val]

    @property
    def classes(self) -> int:
        return int(self.data.info["classes"])


@dataclass(frozen=True)
class Learnt:
    """What a recipe leaves. expected (asked,): what the network says of the rows that were asked,
    as `net.quality` would; history: step, stage, loss, val_mae (of the expected grade), val_srcc;
    facts: for provenance.json (pictures_seen at least)."""

    net: Regressor
    expected: Floats
    history: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)


class Model(NamedTuple):
    """settings: a frozen dataclass with `name` and `backbone`; build(settings, classes, size): the
    network, untrained, for pictures of that size; learn: its recipe."""

    settings: Any
    build: Callable[[Any, int, int], Regressor]
    learn: Callable[[Any, Lesson], Learnt]


MODELS: dict[str, Model] = {}


def train(
    settings: Any,
    data: DataSet,
    rows: dict[str, np.ndarray],
    seed: int,
    labels: int = 0,
    read: Mapping[str, object] | None = None,
) -> Path:
    """Train a model, predict, write the run's folder; returns it. Finished runs are reused,
    interrupted ones go on.

    rows: labelled, val and asked, of the data set's frame; labels: data.labels, as a network's run
    has it (0: all); read: for about.json, how the pictures were read (data.scale,
    data.max_pixels)."""
    config = {
        "method": asdict(settings),
        "labels": labels,
        "seed": seed,
        "data_key": data_key(data),
    }
    with run_folder.opened(config) as place:
        if not place.done:
            shown = (rows["labelled"], rows["val"], rows["asked"])
            lesson = Lesson(data, *shown, seed, place.state)
            place.write(_trained(settings, lesson, read or {}))
    return place.folder


def _trained(settings: Any, lesson: Lesson, read: Mapping[str, object]) -> run_folder.Result:
    said = photo_about.of(lesson.data, lesson.labelled, settings.name, lesson.seed)
    said["read"] = dict(read)  # what it says of itself before it takes any time: it may raise
    began = time.perf_counter()
    learnt = MODELS[settings.name].learn(settings, lesson)
    p = as_probabilities(learnt.expected, lesson.classes)
    table = predictions(lesson.data.frame.iloc[lesson.asked], torch.from_numpy(p))
    facts = {
        "labels": len(lesson.labelled),
        "unlabelled": 0,
        "pseudo_labels": 0,
        "train_seconds": round(time.perf_counter() - began, 1),
    }
    return run_folder.Result(learnt.net, learnt.history, table, facts | learnt.facts, said)
