"""How a Teacher and a Student of fundus pictures learn, and what they say of every picture: from
sets and settings to networks and predictions. `fundus` is the front; the head of it says what a
table of predictions holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import paths, store
from ..datasets.data_folder import DataSet
from ..networks.device import device, on_device
from ..networks.predict import two_heads
from ..networks.resnet import MultiTaskResNet, ResNetConfig
from ..networks.sources import Pixels
from ..networks.weights import load_weights
from ..scales import DETAILS
from ..seeding import seed_of
from ..ssl.teacher_student import Floats, Student, Teacher
from ..stats.calibration import calibrated, lookup, platt
from .fundus_settings import Run
from .loop import Material, fit
from .run_folder import Result, RunFolder

AS_IT_IS = (1.0, 0.0)  # (a, b) of a calibration that changes nothing


NOBODY = np.array([], int)  # rows of the unlabelled pictures, which neither learns from


def network(run: Run, classes: int) -> MultiTaskResNet:
    """The network with first weights by the run's seed: the same for every row of a seed with as
    many classes."""
    torch.manual_seed(seed_of("fundus network", run.seed))
    return MultiTaskResNet(run.model, classes)


def _said(run: Run, net: nn.Module, pixels: Tensor, rows: np.ndarray) -> tuple[Floats, Floats]:
    """What a network says of rows of pixels: probabilities of the overall grade (N, C), and of good
    for each detail (N, 3)."""
    source = Pixels(pixels, run.data.crop, run.data.grid)
    overall, details = two_heads(net, source, rows)
    return overall.numpy(), details.numpy()


# ---------------------------------------------------------------- the Teacher
@dataclass(frozen=True)
class Lesson:
    """What a Teacher learns from: rows of its set whose details people graded, with labels (N, 3)
    and source of every picture of the set. sources: those left out one by one, none without
    folds."""

    rows: np.ndarray
    labels: np.ndarray
    source: np.ndarray
    sources: list[str]

    def without(self, fold: str) -> tuple[np.ndarray, np.ndarray]:
        """(rows of the other sources, rows of this one)."""
        of_it = self.source[self.rows] == fold
        return self.rows[~of_it], self.rows[of_it]

    def maps(self, raw: Floats, rows: np.ndarray) -> list[tuple[float, float]]:
        """The calibration (a, b) of each detail, from what models say (raw, (N, 3)) of rows."""
        return [platt(raw[rows, j], self.labels[rows, j]) for j in range(len(DETAILS))]


def lesson(run: Run, data: DataSet) -> Lesson:
    """What the Teacher of these settings learns from; ValueError where there is nothing, or one
    source alone and folds are asked for."""
    labels = data.frame[list(DETAILS)].to_numpy(int)
    source = data.frame["source"].to_numpy()
    allowed = (data.frame["split"] == "train").to_numpy() | (run.method.learns == "all")
    rows = np.flatnonzero((labels >= 0).any(axis=1) & allowed)
    if not len(rows):
        raise ValueError(f"{paths.shown(data.folder)}: no training picture has a detail")
    sources = sorted({*source[rows]}) if run.method.folds else []
    if len(sources) == 1:
        raise ValueError(
            f"{paths.shown(data.folder)}: cross-validation leaves sources out, "
            f"but all training pictures are of {sources[0]}; set fundus.teacher.folds = False"
        )
    return Lesson(rows, labels, source, sources)


def train_teacher(run: Run, sets: dict[str, DataSet], place: RunFolder) -> Result:
    """Sources left out one by one, calibration on what these models say of them, then the final
    Teacher."""
    data, histories = sets[run.set], []
    learnt = lesson(run, data)
    pixels = on_device(data.pixels, device())
    raw = np.full((len(data), len(DETAILS)), np.nan)
    for fold in (*learnt.sources, ""):  # "": the final one, without a source left out
        net, history = _fit_teacher(run, pixels, learnt, fold, place)
        histories.append(history.assign(fold=fold or "none"))
        unseen = (
            learnt.without(fold)[1] if fold else np.setdiff1d(np.arange(len(data)), learnt.rows)
        )
        if len(unseen):
            raw[unseen] = _said(run, net, pixels, unseen)[1]
    maps = learnt.maps(raw, learnt.rows) if learnt.sources else [AS_IT_IS] * len(DETAILS)
    about = {
        "calibration": {d: list(m) for d, m in zip(DETAILS, maps, strict=True)},
        "folds": learnt.sources,
        "learns_from": sorted({*learnt.source[learnt.rows]}),
    }
    # without folds, not the pictures that it learnt from
    there = np.flatnonzero(np.isfinite(raw[:, 0]))
    said = calibrated_by_others(learnt, raw, maps)
    tables = [as_table(data.frame.iloc[there], run.set, None, said[there], _unknown(there))]
    for which, other in sets.items():
        if which != run.set:
            every = np.arange(len(other))
            details = _said(run, net, on_device(other.pixels, device()), every)[1]
            tables.append(
                as_table(other.frame, which, None, calibrated(details, maps), _unknown(every))
            )
    return Result(
        net=net,
        history=pd.concat(histories, ignore_index=True),
        predictions=pd.concat(tables, ignore_index=True),
        facts={"labels": len(learnt.rows)},
        about=about,
    )


def _fit_teacher(
    run: Run, pixels: Tensor, learnt: Lesson, fold: str, place: RunFolder
) -> tuple[nn.Module, pd.DataFrame]:
    """A Teacher that does not see one source (fold), and its history."""
    mine, left = learnt.without(fold)
    method = Teacher(network(run, 3), 3, learnt.labels[mine], learnt.labels[left])
    material = Material(
        source=Pixels(pixels, run.data.crop, run.data.grid),
        labelled=mine,
        grades=np.zeros(len(mine), int),  # overall grades, which a Teacher does not learn
        unlabelled=NOBODY,
        val=left,
        val_grades=np.zeros(len(left), int),
    )
    net, history, _ = fit(method, material, run.train, run.seed, place.state(fold))
    return net, history


def calibrated_by_others(learnt: Lesson, raw: Floats, maps: list[tuple[float, float]]) -> Floats:
    """Calibrated probabilities (N, 3): a picture's calibration has not seen its source either."""
    said = calibrated(raw, maps)
    for fold in learnt.sources:
        others, mine = learnt.without(fold)
        said[mine] = calibrated(raw[mine], learnt.maps(raw, others))
    return said


# ---------------------------------------------------------------- the Student
def train_student(run: Run, sets: dict[str, DataSet], place: RunFolder) -> Result:
    """The Teacher's word on the training pictures, then the Student; true details are never
    read."""
    data = sets[run.set]
    classes = int(data.info["classes"])
    grades = data.frame["grade"].to_numpy(int)
    learn, val = graded(data, "train"), graded(data, "val")
    if not len(learn) or not len(val):
        raise ValueError(
            f"{paths.shown(data.folder)}: {len(learn)} training and {len(val)} validation pictures "
            "have a grade"
        )
    pseudo = pseudo_details(run.taught_by, data, learn)
    method = Student(network(run, classes), classes, run.method, pseudo)
    material = Material(
        source=Pixels(on_device(data.pixels, device()), run.data.crop, run.data.grid),
        labelled=learn,
        grades=grades[learn],
        unlabelled=NOBODY,
        val=val,
        val_grades=grades[val],
    )
    net, history, _ = fit(method, material, run.train, run.seed, place.state())
    table = lookup(grades[learn], pseudo, classes)
    tables = [_judged(run, net, classes, table, which, other) for which, other in sets.items()]
    about = {
        "lookup": table.round(5).tolist(),
        "lambda_a": run.method.lambda_a,
        "pseudo": run.method.pseudo,
        "details_learnt": bool(run.method.lambda_a),
        "taught_by": run.taught_by,
        "pseudo_labels_used": method.mask.mean().item() if run.method.lambda_a else 0.0,
    }
    return Result(
        net=net,
        history=history,
        predictions=pd.concat(tables, ignore_index=True),
        facts={"labels": len(learn)},
        about=about,
    )


def graded(data: DataSet, split: str) -> np.ndarray:
    """Rows of a split whose overall grade is known."""
    return np.flatnonzero((data.frame["split"] == split) & (data.frame["grade"] >= 0))


def asked_of(own: str, which: str, data: DataSet) -> np.ndarray:
    """The rows that a run which learns from the set `own` is asked about: of that set the
    validation and test pictures, of another every picture."""
    if which == own:
        return np.flatnonzero(data.frame["split"].isin(["val", "test"]))
    return np.arange(len(data))


def grades_on(classes: int, data: DataSet, rows: np.ndarray) -> np.ndarray:
    """The overall grades of rows; -1 where unknown, or on a scale of other than so many grades."""
    if int(data.info["classes"]) != classes:
        return _unknown(rows)
    return data.frame["grade"].to_numpy(int)[rows]


def _judged(
    run: Run, net: nn.Module, classes: int, table: Floats, which: str, data: DataSet
) -> pd.DataFrame:
    """A Student's predictions of a set, of the rows of `asked_of`. table (classes, 3): the look-up
    of a single-task Student."""
    asked = asked_of(run.set, which, data)
    overall, details = _said(run, net, on_device(data.pixels, device()), asked)
    if not run.method.lambda_a:
        details = overall @ table
    truth = grades_on(classes, data, asked)
    return as_table(data.frame.iloc[asked], which, overall, details, truth)


def pseudo_details(teacher: str, data: DataSet, rows: np.ndarray) -> np.ndarray:
    """The Teacher's calibrated probabilities of good (N, 3) for rows of a set. teacher: its run's
    folder name."""
    net, about = load_teacher(paths.runs() / teacher)
    pixels = on_device(data.pixels, device())
    p = two_heads(net, Pixels(pixels, int(about["crop"]), int(about["grid"])), rows)[1].numpy()
    return calibrated(p, [about["calibration"][d] for d in DETAILS])


# ---------------------------------------------------------------- predictions, and networks again
def _unknown(rows: np.ndarray) -> np.ndarray:
    """The overall grades where there are none, or none on the run's scale."""
    return np.full(len(rows), -1)


def as_table(
    frame: pd.DataFrame, which: str, p: np.ndarray | None, d: np.ndarray, truth: np.ndarray
) -> pd.DataFrame:
    """Predictions of one set as the head of `fundus` says: p (N, classes) of the overall grade, or
    None; d (N, 3) of good for each detail."""
    table = frame[["id", "group", "source", "split"]].assign(truth=truth, score=np.nan)
    table.insert(0, "set", which)
    if p is not None:
        for k, shares in enumerate(np.asarray(p, np.float64).T):
            table[f"p{k}"] = np.round(shares, 5)
    for j, name in enumerate(DETAILS):
        table[name] = frame[name].to_numpy(int)
        table[f"d_{name}"] = np.round(d[:, j].astype(np.float64), 5)
    return table.reset_index(drop=True)


def _load(folder: Path | str, kind: str) -> tuple[MultiTaskResNet, dict[str, Any]]:
    folder = Path(folder)
    if not store.done(folder):
        raise FileNotFoundError(
            f"{paths.shown(folder)}: no finished run; run notebook "
            f"{'14_teacher' if kind == 'teacher' else '15_student'} first"
        )
    config, about = store.read_json(folder / "config.json"), store.read_json(folder / "about.json")
    if config["method"]["name"] != kind:
        raise ValueError(
            f"{paths.shown(folder)}: a run of {config['method']['name']}, not of a {kind}"
        )
    model = ResNetConfig(**config["model"] | {"weights": "none"})
    net = MultiTaskResNet(model, about["classes"])
    load_weights(folder / "model.safetensors", net)
    return net.to(device()).eval(), about | {"config": config, "run": folder.name}


def load_teacher(folder: Path | str) -> tuple[MultiTaskResNet, dict[str, Any]]:
    """A trained Teacher's network, and what its about.json and config.json say (calibration: (a, b)
    of `platt` per detail)."""
    return _load(folder, "teacher")


def load_student(folder: Path | str) -> tuple[MultiTaskResNet, dict[str, Any]]:
    """A trained Student's network, and what its about.json says: classes, simulated, set, name,
    crop, size, grid, details, lambda_a, pseudo, details_learnt (False: single-task, use lookup
    (classes, 3)), taught_by, run, config."""
    return _load(folder, "student")
