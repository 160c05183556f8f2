"""How a Teacher and a Student of fundus pictures learn, and what they say of every picture: from
sets and settings to networks and predictions. `fundus` is the front; the head of it says what a
table of predictions holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import paths, store
from ..datasets.data_folder import DataSet, data_key
from ..networks.device import device
from ..networks.fundus_net import FundusNetConfig, first_weights, on_pixels, untrained
from ..networks.network import Network
from ..networks.sources import Source
from ..networks.weights import load_weights
from ..pictures.fundus_data import FundusData
from ..scales import DETAILS
from ..ssl.teacher_student import Floats, Student, Teacher
from ..stats.calibration import calibrated, lookup, platt
from .fundus_settings import Run
from .fundus_sources import learning, learnt_copies, said_of, start
from .loop import Material, fit
from .own_defects import Copies
from .run_folder import Result, RunFolder

AS_IT_IS = (1.0, 0.0)  # (a, b) of a calibration that changes nothing


NOBODY = np.array([], int)  # rows of the unlabelled pictures, which neither learns from


def network(run: Run, classes: int) -> Network:
    """The network with first weights by the run's seed: the same for every row of a seed with as
    many classes and the same encoder."""
    return first_weights(run.model, classes, run.seed)


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
    own = learnt_copies(run, data, learnt.rows)
    source = learning(run, data, own)
    raw = np.full((len(data), len(DETAILS)), np.nan)
    for fold in (*learnt.sources, ""):  # "": the final one, without a source left out
        net, history = _fit_teacher(run, data, source, learnt, own, fold, place)
        histories.append(history.assign(fold=fold or "none"))
        unseen = (
            learnt.without(fold)[1] if fold else np.setdiff1d(np.arange(len(data)), learnt.rows)
        )
        if len(unseen):
            raw[unseen] = said_of(run, net, data, unseen)[1]
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
            details = said_of(run, net, other, every)[1]
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
    run: Run,
    data: DataSet,
    source: Source,
    learnt: Lesson,
    own: Copies | None,
    fold: str,
    place: RunFolder,
) -> tuple[Network, pd.DataFrame]:
    """A Teacher that does not see one source (fold), and its history."""
    mine, left = learnt.without(fold)
    labels, rows, weights = learnt.labels[mine], mine, np.ones(len(mine))
    if own is not None:
        which = own.among(mine)
        weights = np.concatenate([weights, np.full(len(which), run.method.own_defects)])
        labels = np.concatenate([labels, own.targets(learnt.labels[own.of])[which]])
        rows = np.concatenate([rows, len(data) + which])
    net = network(run, 3)
    start(net, source, rows)
    method = Teacher(net, 3, labels, learnt.labels[left], weights)
    material = Material(
        source=source,
        labelled=rows,
        grades=np.zeros(len(rows), int),  # overall grades, which a Teacher does not learn
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
    own = learnt_copies(run, data, learn)
    source = learning(run, data, own)
    rows, known, targets, weights = learn, grades[learn], pseudo, np.ones(len(learn))
    if own is not None:
        weights = np.concatenate([weights, np.full(len(own.of), run.method.own_defects)])
        rows = np.concatenate([rows, len(data) + np.arange(len(own.of))])
        known = np.concatenate([known, np.full(len(own.of), -1)])
        targets = np.concatenate([targets, own.targets(pseudo)])
    net = network(run, classes)
    start(net, source, rows)
    method = Student(net, classes, run.method, targets, weights)
    material = Material(
        source=source,
        labelled=rows,
        grades=known,
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
        "pseudo_labels_used": (method.mask > 0).float().mean().item()
        if run.method.lambda_a
        else 0.0,
    }
    return Result(
        net=net,
        history=history,
        predictions=pd.concat(tables, ignore_index=True),
        facts={"labels": len(learn)},
        about=about,
    )


def _used(method: Student) -> float:
    """The share of the pseudo-labels that are learnt from at all."""
    return (method.mask > 0).float().mean().item()


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
    run: Run, net: Network, classes: int, table: Floats, which: str, data: DataSet
) -> pd.DataFrame:
    """A Student's predictions of a set, of the rows of `asked_of`. table (classes, 3): the look-up
    of a single-task Student."""
    asked = asked_of(run.set, which, data)
    overall, details = said_of(run, net, data, asked)
    if not run.method.lambda_a:
        details = overall @ table
    truth = grades_on(classes, data, asked)
    return as_table(data.frame.iloc[asked], which, overall, details, truth)


def pseudo_details(teacher: str, data: DataSet, rows: np.ndarray) -> Floats:
    """The Teacher's calibrated probabilities of good (N, 3) for rows of a set, read-only. teacher:
    its run's folder name. Asked once by a process: its Students are told the same."""
    of = (paths.runs() / teacher, data_key(data), rows.tobytes())
    if of not in _TOLD:
        run, net, about = _as_trained(of[0], "teacher")
        p = said_of(run, net, data, rows)[1]
        told = calibrated(p, [about["calibration"][d] for d in DETAILS])
        told.flags.writeable = False
        _TOLD[of] = told
    return _TOLD[of]


_TOLD: dict[tuple[Path, str, bytes], Floats] = {}  # what pseudo_details was told so far


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


def _as_trained(folder: Path | str, kind: str) -> tuple[Run, Network, dict[str, Any]]:
    """A finished run's settings as far as its network and what it sees of pictures go, the network
    in the form in which it learnt, and what its about.json and config.json say."""
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
    model = FundusNetConfig(**config["model"] | {"weights": "none"})
    net = untrained(model, about["classes"])
    load_weights(folder / "model.safetensors", net)
    about = {"views": 1} | about | {"config": config, "run": folder.name}  # runs of before had one
    seen = {name: about[name] for name in ("size", "crop", "grid", "views")}
    run = Run(model=model, data=FundusData(**seen))
    return run, net.to(device()).eval(), about


def _load(folder: Path | str, kind: str) -> tuple[Network, dict[str, Any]]:
    run, net, about = _as_trained(folder, kind)
    return on_pixels(net, run.model.grain).to(device()).eval(), about


def load_teacher(folder: Path | str) -> tuple[Network, dict[str, Any]]:
    """A trained Teacher's network, and what its about.json and config.json say (calibration: (a, b)
    of `platt` per detail)."""
    return _load(folder, "teacher")


def load_student(folder: Path | str) -> tuple[Network, dict[str, Any]]:
    """A trained Student's network, which takes normalised pixels, and what its about.json says:
    classes, simulated, set, name, crop, size, grid, views, encoder, own_defects, details, lambda_a,
    pseudo, details_learnt (False: single-task, use lookup (classes, 3)), taught_by, run, config.
    What it says of pictures: `said_of_pixels`."""
    return _load(folder, "student")
