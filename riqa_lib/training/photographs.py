"""One experiment: settings in, a run's folder out. Settings have three doors and one object:

    Run().but(method="fixmatch", seed=1, **{"train.lr": 1e-4})     in Python
    SETTINGS = {"train.lr": 1e-4}                                   in a notebook's parameters cell
    python run_all.py --set train.lr=1e-4                           on the command line

Known differences from Dang et al., who leave most settings open: cross-entropy on five classes and
MAE of the most probable one, as they state; but in `demo` and `reference` a small hybrid ViT on a
frozen stem that knows ImageNet (networks.lite0), whose transformer starts untrained; AdamW (profile
`paper`: Adam, ViT-B/16, ImageNet weights by timm's hub); strong views that keep quality; validation
pictures, never test pictures, select the weights; the running average of the weights is what is
evaluated.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
import torch

from .. import paths, store
from ..bounds import Range
from ..datasets.data_folder import DataSet, data_key, open_dataset
from ..datasets.splits import draw_labelled
from ..networks import lite0, map_store
from ..networks.blocks import seen_through
from ..networks.device import threads
from ..networks.network import Network
from ..networks.predict import said_of, said_of_all
from ..networks.sources import Maps, Pixels, Source
from ..networks.vit import ViT, ViTConfig
from ..networks.weights import load_weights
from ..pictures import photo_data
from ..pictures.photo_data import DataConfig, walk_data
from ..provenance import provenance
from ..scales import SECOND
from ..seeding import seed_of
from ..ssl.adamatch import AdaMatch
from ..ssl.base import Method
from ..ssl.comatch import CoMatch
from ..ssl.crmatch import CRMatch
from ..ssl.fixmatch import FixMatch
from ..ssl.freematch import FreeMatch
from ..ssl.mean_teacher import MeanTeacher
from ..ssl.simmatch import SimMatch
from ..ssl.supervised import Supervised
from . import baselines, equal_pictures, launch, photo_about, run_folder
from .loop import Material, fit
from .optimisation import TrainConfig
from .photo_profiles import AS_MANY_PICTURES_AS, BASELINES, NOT_OURS, NOTEBOOKS, PROFILES, ROWS
from .pretrain import PretrainConfig, pretrain
from .ridge_start import start_at_ridge
from .settings import RunSettings, must_be_one_of

METHODS: dict[str, type[Method]] = {
    "supervised": Supervised,
    "fixmatch": FixMatch,
    "simmatch": SimMatch,
    "adamatch": AdaMatch,
    "comatch": CoMatch,
    "freematch": FreeMatch,
    "crmatch": CRMatch,
    "mean_teacher": MeanTeacher,
}


@dataclass(frozen=True)
class Run(RunSettings):
    """All settings of one run. With the data set's key they are config.json; its hash names the
    run's folder.

    >>> run = Run().but(method="fixmatch", seed=1, **{"train.lr": 1e-4, "method.tau": 0.7})
    >>> run.method.name, run.seed, run.train.lr, run.method.tau
    ('fixmatch', 1, 0.0001, 0.7)
    """

    method: Any = Supervised.Config()
    data: DataConfig = DataConfig()
    model: ViTConfig = ViTConfig()
    train: TrainConfig = TrainConfig()
    pretrain: PretrainConfig = PretrainConfig()
    seed: Annotated[int, Range(0)] = 0
    # second stage: folder name of the run whose model graded the pictures without a label
    teacher: str = ""
    # whether the pool, and pictures whose grade is hidden, are graded in the end too, which a
    # second stage learns from: with a frozen stem it takes longer than the training
    grade_pool: bool = True

    methods: ClassVar[dict[str, type[Method]]] = METHODS


def settings(
    profile: str, row: str = "supervised", seed: int = 0, overrides: dict[str, object] | None = None
) -> Run:
    """The settings of a table's row in a profile, with overrides ("train.lr": ..., or
    "fixmatch.tau": ... for one method).

    ValueError for an unknown profile, row or setting; each message lists what is allowed.

    >>> settings("demo", "fixmatch", overrides={"fixmatch.tau": 0.8}).method.tau
    0.8
    >>> settings("demo", "fixmatsch")
    Traceback (most recent call last):
    ValueError: unknown row 'fixmatsch'; allowed: supervised, supervised_strong, ...
    """
    must_be_one_of("profile", profile, PROFILES)
    must_be_one_of("row", row, ROWS)
    given = {k: v for k, v in (overrides or {}).items() if k.partition(".")[0] not in NOT_OURS}
    its = dict(ROWS[row])
    run = Run().but(method=its.pop("method", "supervised"), seed=seed)
    run = run.adjusted(PROFILES[profile] | given).but(**its)
    if row in AS_MANY_PICTURES_AS:
        other = METHODS[AS_MANY_PICTURES_AS[row]]
        steps = equal_pictures.steps_as(run.train, METHODS[run.method.name], other)
        run = run.but(**{"train.steps": steps})
    if row.endswith(SECOND):
        return run.but(grade_pool=False)  # no third stage follows
    return run.but(**{"data.pseudo_confidence": 0.0})  # no first stage depends on it


def rows_of(run: Run, data: DataSet) -> dict[str, np.ndarray]:
    """Rows of the data set's frame: labelled, unlabelled, val, hidden. The unlabelled set holds the
    pool, the training pictures whose grade is hidden, and the labelled ones too; hidden: the first
    two. With n labels, validation has at most n pictures."""
    frame = data.frame
    train = np.flatnonzero((frame["split"] == "train") & (frame["grade"] >= 0))
    val = np.flatnonzero((frame["split"] == "val") & (frame["grade"] >= 0))
    if len(train) == 0 or len(val) == 0:
        raise ValueError(
            f"{paths.shown(data.folder)}: {len(train)} training and {len(val)} validation "
            "pictures have a grade; give more of data.fractions (training, validation, test) to "
            "the part without, for example [0.6, 0.2, 0.2], or add pictures; riqa check shows them"
        )
    labelled = train
    if run.data.labels:
        if run.data.labels > len(train):
            raise ValueError(
                f"data.labels is {run.data.labels}, "
                f"but only {len(train)} training pictures have a grade"
            )
        labelled = train[
            draw_labelled(
                frame["grade"].to_numpy()[train], run.data.labels, seed_of("labels", run.seed)
            )
        ]
        if len(val) > run.data.labels:
            val = val[
                draw_labelled(
                    frame["grade"].to_numpy()[val], run.data.labels, seed_of("validation", run.seed)
                )
            ]
    pool = np.flatnonzero(frame["split"] == "pool")
    hidden = np.concatenate([pool, np.setdiff1d(train, labelled)])
    return {
        "labelled": labelled,
        "unlabelled": np.concatenate([pool, train]),
        "val": val,
        "hidden": hidden,
    }


def merged(run: Run, data: DataSet, rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What a supervised network learns from: (rows of the frame, their grades), labelled pictures
    with their own grades.

    In the second stage (Dang et al., Figure 2) pictures without a label follow, with the most
    probable grade of the first stage's model where it is surer than data.pseudo_confidence. No
    grade that is hidden is ever read."""
    grades = data.frame["grade"].to_numpy()[rows["labelled"]]
    if not run.teacher:
        return rows["labelled"], grades
    said = store.read_predictions(paths.runs() / run.teacher).set_index("id")
    ids = data.frame["id"].to_numpy()[rows["hidden"]]
    if missing := [i for i in ids if i not in said.index]:
        raise ValueError(
            f"{paths.shown(paths.runs() / run.teacher)}: no prediction for {len(missing)} pictures "
            f"without a label, first {missing[0]}; was it trained on other data?"
        )
    p = said.loc[ids, [f"p{k}" for k in range(int(data.info["classes"]))]].to_numpy(float)
    sure = p.max(axis=1, initial=0) > run.data.pseudo_confidence
    return np.concatenate([rows["labelled"], rows["hidden"][sure]]), np.concatenate(
        [grades, p.argmax(axis=1)[sure]]
    )


def prepare_weights(run: Run, data: DataSet) -> dict[str, object]:
    """Make the distortion weights, where the run starts from them and they are not there yet; what
    is known of them.

    They depend on network, crop, pictures and pre-training settings only: all rows and seeds start
    from the same."""
    if run.model.freeze:
        maps = map_store.open_maps(data, run.model.scales).maps
        side, channels = maps.shape[2], maps.shape[4]
        return {"weights": run.model.weights, "maps": f"{side} x {side} of {channels} channels"}
    if run.model.weights != "distortion":
        return {"weights": run.model.weights}
    folder = weights_folder(run, data)
    if not store.done(folder):
        with run_folder.alone(folder):
            if not store.done(folder):  # another process may have made them meanwhile
                _make_weights(run, data, folder)
    return store.read_json(folder / "provenance.json")


def _make_weights(run: Run, data: DataSet, folder: Path) -> None:
    began = time.perf_counter()
    threads()
    torch.manual_seed(seed_of("pretrain", 0))
    net = ViT(run.model, run.data.crop, int(data.info["classes"]))
    rows = np.flatnonzero(data.frame["split"].isin(["train", "pool"]))
    file = folder / "model.safetensors"
    accuracies = pretrain(net, data.pixels, rows, run.data.crop, run.pretrain, 0, file)
    times = {"seconds": round(time.perf_counter() - began, 1)}
    store.finish(folder, provenance() | accuracies | times)


def weights_folder(run: Run, data: DataSet) -> Path:
    """Where the distortion weights of these settings lie, or will."""
    return store.run_folder(
        {
            "method": {"name": "pretrain"},
            "model": dataclasses.asdict(run.model),
            "pretrain": dataclasses.asdict(run.pretrain),
            "crop": run.data.crop,
            "data_key": data_key(data),
        }
    )


def made(run: Run, net: ViT, classes: int, prior: torch.Tensor) -> Method:
    """The run's method around a network; prior (C,): shares of the labelled grades."""
    kind: Any = run.methods[run.method.name]  # each takes a Config of its own
    return kind(net, classes, run.method, prior)


def build(run: Run, data: DataSet, labelled: np.ndarray, source: Source | None = None) -> Method:
    """The method with its network, initialised by the run's seed (same seed, same first weights for
    every method). source: what it will see the pictures through, where that is there already."""
    prepare_weights(run, data)  # before the seed: making them draws random numbers
    torch.manual_seed(seed_of("network", run.seed))
    classes = int(data.info["classes"])
    net = ViT(run.model, run.data.crop, classes)
    if run.model.freeze:
        stored = map_store.open_maps(data, run.model.scales)
        net.vit.patch_embed.standardise(stored.mean, stored.sd)
    elif run.model.weights == "distortion":
        load_weights(weights_folder(run, data) / "model.safetensors", net, skip=("vit.head.",))
    grades = data.frame["grade"].to_numpy()[labelled]
    if run.model.skip:
        seen = source or source_of(run, data)
        start_at_ridge(net.to(seen.device), seen, labelled, grades)
    counts = np.bincount(grades, minlength=classes)
    prior = torch.tensor(counts / counts.sum(), dtype=torch.float32)
    return made(run, net, classes, prior)


def source_of(run: Run, data: DataSet) -> Source:
    """What the run sees its pictures through: pixels, or the maps of a frozen stem, made now where
    they are not there yet."""
    crop, grid, shown = run.data.crop, run.data.grid, run.data.looks
    if not run.model.freeze:
        return seen_through(lambda pixels: Pixels(pixels, crop, grid), data.pixels)
    stored = map_store.open_maps(data, run.model.scales)
    arrays = [stored.maps]
    if run.train.strong == "randaugment":
        arrays += [map_store.open_maps(data, run.model.scales, "augmented").maps]
    window, mean = crop // lite0.STRIDE, stored.mean
    return seen_through(lambda maps, copies=None: Maps(maps, window, mean, copies, shown), *arrays)


def train(run: Run, data: DataSet) -> Path:
    """Train, predict every picture of val, test and pool, write the run's folder; returns it.
    Finished runs are reused, interrupted ones resumed. In several processes where training.launch
    says so."""
    with run_folder.opened(run.config(data_key(data))) as place:
        if not place.done and not _launched(run, data):
            place.write(_trained(run, data, place.state()))
    return place.folder


def _launched(run: Run, data: DataSet) -> bool:
    """Whether several processes trained this; what they share is made before they start."""
    if not launch.is_due():
        return False
    prepare_weights(run, data)
    if run.model.freeze and run.train.strong == "randaugment":
        map_store.open_maps(data, run.model.scales, "augmented")
    launch.several(run.train, train_there, run, data.folder)
    return True


def train_there(run: Run, folder: Path) -> None:
    """The same in one of several processes, which opens the data folder itself."""
    train(run, open_dataset(folder))


def asked(data: DataSet, rows: dict[str, np.ndarray], pool: bool = True) -> np.ndarray:
    """Rows that a finished run says something of: validation and test; pool: hidden grades and
    pool too."""
    test = np.flatnonzero(data.frame["split"] == "test")
    return np.sort(np.concatenate([rows["val"], rows["hidden"] if pool else [], test]).astype(int))


def _trained(run: Run, data: DataSet, state: Path) -> run_folder.Result:
    rows = rows_of(run, data)
    source = source_of(run, data)
    method = build(run, data, rows["labelled"], source)
    unlabelled = len(rows["unlabelled"]) if method.unlabelled_views else 0
    said = photo_about.about(run, data, rows["labelled"], unlabelled)
    learnt, their_grades = merged(run, data, rows)
    material = Material(
        source=source,
        labelled=learnt,
        grades=their_grades,
        unlabelled=rows["unlabelled"],
        val=rows["val"],
        val_grades=data.frame["grade"].to_numpy()[rows["val"]],
    )
    few, every = asked(data, rows, pool=False), asked(data, rows, run.grade_pool)
    last: list[pd.DataFrame] = []
    known: list[pd.DataFrame] = []  # of the few, where the selected weights are the last

    def say(net: Network, selected: bool) -> None:
        last.append(said_of(net, source, data.frame, few))
        known.extend(last if selected else [])

    net, history, times = fit(method, material, run.train, run.seed, state, at_end=say)
    began = time.perf_counter()
    predicted = said_of_all(net, source, data.frame, every, few, *known)
    facts = {
        "train_seconds": round(times["train_seconds"], 1),
        "predict_seconds": round(time.perf_counter() - began, 1),
        "labels": len(rows["labelled"]),
        "unlabelled": unlabelled,
        "pseudo_labels": len(learnt) - len(rows["labelled"]),
        "pictures_seen": run.train.steps * int(times["pictures_a_step"]),
    }
    return run_folder.Result(net, history, predicted, facts, said, last=last[0])


def train_baseline(row: str, run: Run, data: DataSet) -> Path:
    """A row that trains no network, on the labels that the run's networks have; its folder."""
    rows = rows_of(run, data)
    lesson = baselines.Lesson(data, rows["labelled"], asked(data, rows), run.seed, run.model.scales)
    return baselines.train(baselines.Baseline(row), lesson, run.data.labels)


def make_data(name: str, profile: str, overrides: dict[str, object] | None = None) -> DataSet:
    """The pictures of a walk, in results/<name>/data: simulated, KOKA10K's below RIQA_DATA, or a
    folder with a table.

    overrides for your own pictures: {"data.source": "folder", "data.folder": {"root": ..., "table":
    ..., "id": ..., "score": ..., "low": ..., "high": ...}} (riqa_lib.datasets.folder.read_folder
    has all the keywords)."""
    return photo_data.make(name, settings(profile, overrides=overrides).data, profile)


def first_stage(
    name: str, profile: str, row: str, seed: int, overrides: dict[str, object] | None = None
) -> str:
    """The folder name of the finished first-stage run that a second-stage row learns from.

    FileNotFoundError, naming the notebook to run, where there is none."""
    first = row.removesuffix(SECOND)
    config = settings(profile, first, seed, overrides).config(data_key(walk_data(name)))
    return run_folder.finished(config, f"the first stage of {row}", NOTEBOOKS[first], seed)


def train_rows(
    name: str, profile: str, rows: list[str], seed: int, overrides: dict[str, object] | None = None
) -> pd.DataFrame:
    """Train rows of the table on a walk's data and note them in results/<name>/tables/runs-*.csv;
    returns that table.

    A row of the second stage needs its first stage; `first_stage` says what is raised without."""
    runs = [settings(profile, row, seed, overrides) for row in rows]
    data = walk_data(name, runs[0].data if runs else None)
    lines = []
    for row, run in zip(rows, runs, strict=True):
        second = row.endswith(SECOND)
        teacher = first_stage(name, profile, row, seed, overrides) if second else ""
        lines.append(train_row(row, run.but(teacher=teacher), data))
    return run_folder.note(name, "runs", rows, seed, lines)


def train_row(row: str, run: Run, data: DataSet) -> dict[str, object]:
    """Train a row of the table with its settings; its line in a list of runs: run, method, seed,
    labels (how many, 0 in the settings being all)."""
    folder = train_baseline(row, run, data) if row in BASELINES else train(run, data)
    labels = store.read_json(folder / "provenance.json")["labels"]
    return {"run": folder.name, "method": row, "seed": run.seed, "labels": labels}
