"""Fundus runs: the four sets, the Teacher, the Students. Settings as in `experiment`, their names
begin with "fundus.":

    fundus_experiment.settings("demo", "multi_eyeq", 0, {"fundus.student.lambda_a": 0.5})

Rows: "teacher" (details, set mshf); "single_<set>", "multi_<set>", "multi_hard_<set>",
"multi_filtered_<set>" for eyeq, deepdrid. Rows of one set and seed share first weights, batches,
steps and validation; only the loss differs (`teacher_student`).

Predictions of a run (predictions.csv.gz): set (where the picture is from), id, group, source,
split, truth (-1: unknown, or on another scale than the run's), score, p0.. (a Student's),
illumination, clarity, contrast (1, 0, -1), d_illumination, d_clarity, d_contrast (probability of
good). A Teacher's are calibrated, and of its own set always of a model that did not learn from the
picture's source. A single-task Student has learnt no details: its d_ columns are a look-up of what
the Teacher says of training pictures of each overall grade, weighted by its p: what the overall
grade alone says of the details."""

from __future__ import annotations

import dataclasses
import time
import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from .. import paths, scales, store
from ..datasets.data_folder import DataSet, data_key
from ..networks.device import device, on_device, threads
from ..networks.predict import two_heads
from ..networks.resnet import MultiTaskResNet, ResNetConfig
from ..networks.weights import load_weights, save_weights
from ..pictures import fundus_data
from ..pictures.fundus_data import FundusData, open_set
from ..provenance import provenance
from ..scales import DETAILS
from ..seeding import seed_of
from ..ssl.teacher_student import Student, Teacher
from ..stats.calibration import calibrated, lookup, platt
from .fundus_profiles import PROFILES, ROWS
from .loop import Material, TrainConfig, fit
from .settings import replaced

Config = Teacher.Config | Student.Config


METHODS: dict[str, typing.Any] = {"teacher": Teacher, "student": Student}


ALSO = ("mshf", "eyeq_d")  # sets with details, which every run is asked about


TUNING = 1000  # seed of the runs that lambda_a is chosen by: none of those reported


@dataclass(frozen=True)
class Run:
    """All settings of one run. With the keys of its data they are config.json; its hash names the
    run's folder."""

    method: typing.Any = Student.Config()
    set: str = "eyeq"  # what it learns from
    data: FundusData = FundusData()
    model: ResNetConfig = ResNetConfig()
    train: TrainConfig = TrainConfig(steps=300, batch=32, lr=2e-3, evaluations=6, ema=0.98)
    seed: int = 0
    taught_by: str = ""  # Student: folder name of the Teacher's run that its details come from

    def but(self, **changes: object) -> Run:
        """A copy with changes, dotted names such as **{"train.lr": 1e-4}. ValueError (unknown name,
        lists what is allowed) or TypeError (wrong type)."""
        return replaced(self, changes, "fundus.")

    def config(self, data_key: str) -> dict:
        """Plain settings for config.json."""
        return dataclasses.asdict(self) | {"data_key": data_key}


def settings(
    profile: str, row: str = "multi_eyeq", seed: int = 0, overrides: dict[str, object] | None = None
) -> Run:
    """The settings of a row in a profile; of the overrides only those that begin with "fundus."
    count.

    ValueError for an unknown profile, row or setting; each message lists what is allowed."""
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; allowed: {', '.join(PROFILES)}")
    if row not in ROWS:
        raise ValueError(f"unknown row {row!r}; allowed: {', '.join(ROWS)}")
    on, its = ROWS[row]
    name = "teacher" if row == "teacher" else "student"
    mine = {
        k.removeprefix("fundus."): v
        for k, v in (overrides or {}).items()
        if k.startswith("fundus.")
    }
    run = Run(method=METHODS[name].Config(), set=on, seed=seed)
    common: dict[str, object] = {}
    own: dict[str, object] = {}
    for key, value in {**PROFILES[profile], **mine, **its}.items():
        head, _, rest = key.partition(".")
        if head == "teacher_train":
            own |= {f"train.{rest}": value} if name == "teacher" else {}
        elif head in METHODS:
            names = [f.name for f in dataclasses.fields(METHODS[head].Config)]
            if rest not in names:
                raise ValueError(f"unknown setting 'fundus.{key}'; {head} has: {', '.join(names)}")
            replaced(METHODS[head].Config(), {rest: value}, f"fundus.{head}.")
            own |= {f"method.{rest}": value} if head == name else {}
        elif head in ("method", "seed", "set", "taught_by"):
            raise ValueError(
                f"'fundus.{key}' is given by the row; set one of: data, model, train, teacher_train, teacher, student"
            )
        else:
            common[key] = value
    if row == "teacher":
        own["train.select"] = "last"  # nothing of its small set is left over to select by
    if row.startswith("single_"):
        own["method.grid"] = ()
    return run.but(**common).but(**own)


def make_fundus_data(
    name: str, profile: str, overrides: dict[str, object] | None = None, progress: bool = True
) -> dict[str, DataSet]:
    """The four sets of a walk in results/<name>/fundus/<set>; see fundus_data.make for what is
    raised."""
    return fundus_data.make(name, settings(profile, overrides=overrides).data, progress)


# ---------------------------------------------------------------- training
def network(run: Run, classes: int) -> MultiTaskResNet:
    """The network with first weights by the run's seed: the same for every row of a seed with as
    many classes."""
    torch.manual_seed(seed_of("fundus network", run.seed))
    return MultiTaskResNet(run.model, classes)


def train(name: str, run: Run) -> Path:
    """Train a run on a walk's sets, predict, write its folder; returns it. A finished one is
    reused, an interrupted one resumed.

    Raises FileNotFoundError that names the notebook to run first, ValueError for sets that cannot
    be learnt from."""
    sets = {which: open_set(name, which) for which in dict.fromkeys((run.set, *ALSO))}
    folder = store.run_folder(run.config("+".join(data_key(d) for d in sets.values())))
    if store.done(folder):
        for file in folder.iterdir():
            store.journal(file)
        return folder
    threads()
    began = time.perf_counter()
    parts = (
        _train_teacher(run, sets, folder)
        if run.method.name == "teacher"
        else _train_student(run, sets, folder)
    )
    save_weights(folder / "model.safetensors", parts.net)
    store.write_table(folder / "history.csv", parts.history)
    store.write_table(folder / "predictions.csv.gz", parts.predictions)
    own = sets[run.set]
    about = {
        "classes": int(own.info["classes"]),
        "simulated": bool(own.info["simulated"]),
        "set": run.set,
        "name": own.info["name"],
        "crop": run.data.crop,
        "size": run.data.size,
        "grid": run.data.grid,
        "details": list(DETAILS),
    }
    store.write_json(folder / "about.json", about | parts.about)
    facts = {
        "seconds": round(time.perf_counter() - began, 1),
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in parts.net.parameters()),
        "labels": parts.labels,
    }
    store.write_json(folder / "provenance.json", provenance() | facts)
    for state in folder.glob("state*.safetensors"):
        state.unlink(missing_ok=True)
    return folder


@dataclass(frozen=True)
class _Parts:
    """What a training leaves."""

    net: nn.Module
    history: pd.DataFrame
    predictions: pd.DataFrame
    about: dict[str, object]
    labels: int


def _details(frame: pd.DataFrame) -> np.ndarray:
    return frame[list(DETAILS)].to_numpy(int)


def _train_teacher(run: Run, sets: dict[str, DataSet], folder: Path) -> _Parts:
    """Sources left out one by one, calibration on what these models say of them, then the final
    Teacher."""
    data = sets[run.set]
    frame, labels = data.frame, _details(data.frame)
    pixels = on_device(data.pixels, device())
    learn = np.flatnonzero(
        (labels >= 0).any(axis=1)
        & ((frame["split"] == "train").to_numpy() | (run.method.learns == "all"))
    )
    if not len(learn):
        raise ValueError(f"{paths.shown(data.folder)}: no training picture has a detail")
    source = frame["source"].to_numpy()
    sources = sorted({*source[learn]}) if run.method.folds else []
    if run.method.folds and len(sources) < 2:
        raise ValueError(
            f"{paths.shown(data.folder)}: cross-validation leaves sources out, but all training pictures are of "
            f"{source[learn][0]}; set fundus.teacher.folds = False"
        )
    histories, raw = [], np.full((len(frame), len(DETAILS)), np.nan)
    for fold in (*sources, ""):
        mine, left = learn[source[learn] != fold], learn[source[learn] == fold]
        method = Teacher(network(run, 3), 3, labels[mine], labels[left])
        material = Material(
            pixels,
            mine,
            np.zeros(len(mine), int),
            np.array([], int),
            left,
            np.zeros(len(left), int),
            run.data.crop,
            run.data.grid,
        )
        net, history, _ = fit(
            method,
            material,
            run.train,
            run.seed,
            folder / f"state{f'-{fold}' if fold else ''}.safetensors",
        )
        histories.append(history.assign(fold=fold or "none"))
        asked = left if fold else np.setdiff1d(np.arange(len(frame)), learn)
        if len(asked):
            raw[asked] = two_heads(net, pixels, asked, run.data.crop, run.data.grid)[1].numpy()
    maps = (
        [platt(raw[learn, j], labels[learn, j]) for j in range(len(DETAILS))]
        if sources
        else [(1.0, 0.0)] * len(DETAILS)
    )
    said = calibrated(raw, maps)
    for fold in (
        sources if len(sources) > 1 else []
    ):  # a picture's calibration has not seen its source either
        rest, mine = learn[source[learn] != fold], learn[source[learn] == fold]
        said[mine] = calibrated(
            raw[mine], [platt(raw[rest, j], labels[rest, j]) for j in range(len(DETAILS))]
        )
    there = np.flatnonzero(
        np.isfinite(raw[:, 0])
    )  # without folds, not the pictures that it learnt from
    tables = [_table(frame.iloc[there], run.set, None, said[there], np.full(len(there), -1))]
    for which, other in sets.items():
        if which != run.set:
            d = two_heads(
                net,
                on_device(other.pixels, device()),
                np.arange(len(other)),
                run.data.crop,
                run.data.grid,
            )[1].numpy()
            tables.append(
                _table(other.frame, which, None, calibrated(d, maps), np.full(len(other), -1))
            )
    about: dict[str, object] = {
        "calibration": {d: list(m) for d, m in zip(DETAILS, maps, strict=True)},
        "folds": sources,
        "learns_from": sorted({*source[learn]}),
    }
    return _Parts(
        net,
        pd.concat(histories, ignore_index=True),
        pd.concat(tables, ignore_index=True),
        about,
        len(learn),
    )


def _train_student(run: Run, sets: dict[str, DataSet], folder: Path) -> _Parts:
    """The Teacher's word on the training pictures, then the Student; true details are never
    read."""
    data = sets[run.set]
    frame, classes = data.frame, int(data.info["classes"])
    grades, split = frame["grade"].to_numpy(int), frame["split"].to_numpy()
    learn, val = (np.flatnonzero((split == part) & (grades >= 0)) for part in ("train", "val"))
    if not len(learn) or not len(val):
        raise ValueError(
            f"{paths.shown(data.folder)}: {len(learn)} training and {len(val)} validation pictures have a grade"
        )
    pixels = on_device(data.pixels, device())
    pseudo = pseudo_details(run.taught_by, data, learn)
    method = Student(network(run, classes), classes, run.method, pseudo)
    material = Material(
        pixels,
        learn,
        grades[learn],
        np.array([], int),
        val,
        grades[val],
        run.data.crop,
        run.data.grid,
    )
    net, history, _ = fit(method, material, run.train, run.seed, folder / "state.safetensors")
    table = lookup(grades[learn], pseudo, classes)
    tables = []
    for which, other in sets.items():
        asked = (
            np.flatnonzero(other.frame["split"].isin(["val", "test"]))
            if which == run.set
            else np.arange(len(other))
        )
        p, d = two_heads(
            net, on_device(other.pixels, device()), asked, run.data.crop, run.data.grid
        )
        said = d.numpy() if run.method.lambda_a else p.numpy() @ table
        part = other.frame.iloc[asked]
        same = int(other.info["classes"]) == classes
        tables.append(
            _table(
                part,
                which,
                p.numpy(),
                said,
                part["grade"].to_numpy(int) if same else np.full(len(part), -1),
            )
        )
    about = {
        "lookup": table.round(5).tolist(),
        "lambda_a": run.method.lambda_a,
        "pseudo": run.method.pseudo,
        "details_learnt": bool(run.method.lambda_a),
        "taught_by": run.taught_by,
        "pseudo_labels_used": method.mask.mean().item() if run.method.lambda_a else 0.0,
    }
    return _Parts(net, history, pd.concat(tables, ignore_index=True), about, len(learn))


def pseudo_details(teacher: str, data: DataSet, rows: np.ndarray) -> np.ndarray:
    """The Teacher's calibrated probabilities of good (N, 3) for rows of a set. teacher: its run's
    folder name."""
    net, about = load_teacher(paths.runs() / teacher)
    p = two_heads(
        net, on_device(data.pixels, device()), rows, int(about["crop"]), int(about["grid"])
    )[1].numpy()
    return calibrated(p, [about["calibration"][d] for d in DETAILS])


def _table(
    frame: pd.DataFrame, which: str, p: np.ndarray | None, d: np.ndarray, truth: np.ndarray
) -> pd.DataFrame:
    """Predictions of one set as the head of this module says."""
    table = frame[["id", "group", "source", "split"]].assign(truth=truth, score=np.nan)
    table.insert(0, "set", which)
    for k in range(0 if p is None else p.shape[1]):
        table[f"p{k}"] = np.round(np.asarray(p, np.float64)[:, k], 5)  # type: ignore[index]
    for j, name in enumerate(DETAILS):
        table[name] = frame[name].to_numpy(int)
        table[f"d_{name}"] = np.round(d[:, j].astype(np.float64), 5)
    return table.reset_index(drop=True)


def _load(folder: Path | str, kind: str) -> tuple[MultiTaskResNet, dict[str, typing.Any]]:
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


def load_teacher(folder: Path | str) -> tuple[MultiTaskResNet, dict[str, typing.Any]]:
    """A trained Teacher's network, and what its about.json and config.json say (calibration: (a, b)
    of `platt` per detail)."""
    return _load(folder, "teacher")


def load_student(folder: Path | str) -> tuple[MultiTaskResNet, dict[str, typing.Any]]:
    """A trained Student's network, and what its about.json says: classes, simulated, set, name,
    crop, size, grid, details, lambda_a, pseudo, details_learnt (False: single-task, use lookup
    (classes, 3)), taught_by, run, config."""
    return _load(folder, "student")


# ---------------------------------------------------------------- rows
def teacher_run(
    name: str, profile: str, overrides: dict[str, object] | None = None, *, seed: int
) -> str:
    """The folder name of the finished Teacher of a walk, by settings and seed; FileNotFoundError,
    naming the notebook, without."""
    run = settings(profile, "teacher", seed, overrides)
    sets = [open_set(name, which) for which in dict.fromkeys((run.set, *ALSO))]
    config = run.config("+".join(data_key(d) for d in sets))
    folder = paths.runs() / f"teacher-{store.settings_hash(config)}"
    if not store.done(folder):
        raise FileNotFoundError(
            f"{paths.shown(folder)}: the Teacher is not there yet; run notebook 14_teacher with SEED = {seed} "
            "and the same settings"
        )
    return folder.name


def train_rows(
    name: str, profile: str, rows: list[str], seed: int, overrides: dict[str, object] | None = None
) -> pd.DataFrame:
    """Train rows on a walk's sets and note them in results/<name>/tables/fundus-<last
    row>-seed<seed>.csv; returns that table: run, row, set, seed, lambda_a (nan for the Teacher).
    Each seed's Students learn from the Teacher of that seed."""
    runs = [settings(profile, row, seed, overrides) for row in rows]
    lines = []
    for row, run in zip(rows, runs, strict=True):
        if row != "teacher":
            run = dataclasses.replace(
                run, taught_by=teacher_run(name, profile, overrides, seed=seed)
            )
            if run.method.grid:
                run = run.but(
                    **{
                        "method.lambda_a": chosen_weight(name, profile, run.set, overrides)[0],
                        "method.grid": (),
                    }
                )
        folder = train(name, run)
        weight = float("nan") if row == "teacher" else run.method.lambda_a
        lines.append(
            {"run": folder.name, "row": row, "set": run.set, "seed": seed, "lambda_a": weight}
        )
    table = pd.DataFrame(lines)
    store.write_table(paths.results(name) / "tables" / f"fundus-{rows[-1]}-seed{seed}.csv", table)
    return table


def chosen_weight(
    name: str, profile: str, on: str, overrides: dict[str, object] | None = None
) -> tuple[float, pd.DataFrame]:
    """lambda_a of student.grid with the best validation macro F1 of the overall grade (ties: the
    smaller), and all values.

    One run a value, with a seed that is not reported, so no reported run is the best of several;
    Teacher: that of seed 0."""
    base = settings(profile, f"multi_{on}", TUNING, overrides)
    base = dataclasses.replace(base, taught_by=teacher_run(name, profile, overrides, seed=0))
    lines = []
    for weight in sorted(base.method.grid):
        folder = train(name, base.but(**{"method.lambda_a": weight, "method.grid": ()}))
        history = store.read_table(folder / "history.csv")
        lines.append(
            {"lambda_a": weight, "val_macro_f1": history["val_macro_f1"].max(), "run": folder.name}
        )
    table = pd.DataFrame(lines)
    store.write_table(paths.results(name) / "tables" / f"grid-{on}.csv", table)
    return float(table["lambda_a"][table["val_macro_f1"].idxmax()]), table


def what_the_teacher_says(name: str, on: str, teacher: str) -> pd.DataFrame:
    """Mean probability of good of each detail, and pictures, for each overall grade of a set's
    training pictures."""
    data = open_set(name, on)
    rows = np.flatnonzero((data.frame["split"] == "train") & (data.frame["grade"] >= 0))
    table = pd.DataFrame(pseudo_details(teacher, data, rows), columns=list(DETAILS))
    words = np.array(scales.FUNDUS_GRADES[int(data.info["classes"])])
    grade = data.frame["grade"].to_numpy(int)[rows]
    out = table.groupby(grade).mean().assign(pictures=table.groupby(grade).size())
    return out.set_index(words[out.index])


def about_weights(run: Run, runs: pd.DataFrame) -> str:
    """How lambda_A came about, in words."""
    used = runs[runs["lambda_a"] > 0].drop_duplicates("set")
    values = ", ".join(f"{row.set} {row.lambda_a:g}" for row in used.itertuples())
    if run.method.grid:
        return f"$\\lambda_A$, chosen among {', '.join(f'{v:g}' for v in run.method.grid)} with a seed of its own: {values}."
    return f"$\\lambda_A$ ({values}) and $\\lambda_B$ ({run.method.lambda_b:g}) are fixed here, **not tuned**."
