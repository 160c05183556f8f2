"""One experiment: settings in, a run's folder out. Settings have three doors and one object:

    Run().but(method="fixmatch", seed=1, **{"train.lr": 1e-4})     in Python
    SETTINGS = {"train.lr": 1e-4}                                   in a notebook's parameters cell
    python run_all.py --set train.lr=1e-4                           on the command line

Known differences from Dang et al., who leave most settings open: cross-entropy on five classes and
MAE of the most probable one, as they state; but small networks in `demo` and `reference`; first
weights from telling distortions apart, since no ImageNet weights can be had here; AdamW (profile
`paper`: Adam, ViT-B/16, ImageNet weights); strong views that keep quality; validation pictures,
never test pictures, select the weights; the running average of the weights is what is evaluated.
"""

from __future__ import annotations

import dataclasses
import os
import time
import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .. import paths, store
from ..datasets import koka10k
from ..datasets.data_folder import DataSet, data_key, open_dataset
from ..datasets.splits import draw_labelled
from ..networks import views
from ..networks.device import device, on_device, threads
from ..networks.predict import predictions, probabilities
from ..networks.vit import ViT, ViTConfig
from ..networks.weights import load_weights, save_weights
from ..pictures.decode import import_folder, import_frame
from ..pictures.photo_data import DataConfig, walk_data
from ..provenance import commit, provenance
from ..scales import SECOND
from ..seeding import seed_of
from ..sim.photo_sets import make_koka10k
from ..ssl.adamatch import AdaMatch
from ..ssl.base import Method
from ..ssl.comatch import CoMatch
from ..ssl.crmatch import CRMatch
from ..ssl.fixmatch import FixMatch
from ..ssl.freematch import FreeMatch
from ..ssl.simmatch import SimMatch
from ..ssl.supervised import Supervised
from .loop import Material, TrainConfig, fit
from .photo_profiles import NOTEBOOKS, PROFILES, ROWS
from .pretrain import PretrainConfig, pretrain
from .settings import replaced

METHODS: dict[str, type[Method]] = {
    "supervised": Supervised,
    "fixmatch": FixMatch,
    "simmatch": SimMatch,
    "adamatch": AdaMatch,
    "comatch": CoMatch,
    "freematch": FreeMatch,
    "crmatch": CRMatch,
}


@dataclass(frozen=True)
class Run:
    """All settings of one run. With the data set's key they are config.json; its hash names the
    run's folder."""

    method: typing.Any = Supervised.Config()
    data: DataConfig = DataConfig()
    model: ViTConfig = ViTConfig()
    train: TrainConfig = TrainConfig()
    pretrain: PretrainConfig = PretrainConfig()
    seed: int = 0
    teacher: str = (
        ""  # second stage: folder name of the run whose model graded the pictures without a label
    )

    def but(self, **changes: object) -> Run:
        """A copy with changes: seed=1, method="fixmatch", or dotted names such as **{"train.lr":
        1e-4}.

        ValueError for an unknown name (lists what is allowed), TypeError for a value of the wrong
        type."""
        run = self
        if "method" in changes:
            name = changes.pop("method")
            if name not in METHODS:
                raise ValueError(f"unknown method {name!r}; allowed: {', '.join(METHODS)}")
            run = dataclasses.replace(run, method=METHODS[str(name)].Config())  # type: ignore[attr-defined]
        run = replaced(run, changes, "")
        return run

    def config(self, data_key: str) -> dict:
        """Plain settings for config.json; data_key names pictures and table (see data_key)."""
        return dataclasses.asdict(self) | {"data_key": data_key}


def settings(
    profile: str, row: str = "supervised", seed: int = 0, overrides: dict[str, object] | None = None
) -> Run:
    """The settings of a table's row in a profile, with overrides ("train.lr": ..., or
    "fixmatch.tau": ... for one method).

    ValueError for an unknown profile, row or setting; each message lists what is allowed."""
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; allowed: {', '.join(PROFILES)}")
    if row not in ROWS:
        raise ValueError(f"unknown row {row!r}; allowed: {', '.join(ROWS)}")
    changes = {**PROFILES[profile], **(overrides or {})}
    method = str(ROWS[row].get("method", "supervised"))
    own, common = {}, {}
    for key, value in changes.items():
        head, _, rest = key.partition(".")
        if head == "fundus":  # fundus_experiment's
            continue
        if head in METHODS and rest:
            METHODS[head].Config(**{rest: value}) if rest in _names(METHODS[head]) else _unknown(
                key, METHODS[head]
            )
            if head == method:
                own[f"method.{rest}"] = value
        else:
            common[key] = value
    run = Run().but(method=method, seed=seed).but(**common).but(**own)
    run = run.but(**{k: v for k, v in ROWS[row].items() if k != "method"})
    return (
        run if row.endswith(SECOND) else run.but(**{"data.pseudo_confidence": 0.0})
    )  # no first stage depends on it


def _names(method: type[Method]) -> list[str]:
    return [f.name for f in dataclasses.fields(method.Config)]  # type: ignore[attr-defined]


def _unknown(key: str, method: type[Method]) -> None:
    raise ValueError(f"unknown setting {key!r}; {method.__name__} has: {', '.join(_names(method))}")


def rows_of(run: Run, data: DataSet) -> dict[str, np.ndarray]:
    """Rows of the data set's frame: labelled, unlabelled, val, hidden. The unlabelled set holds the
    pool, the training pictures whose grade is hidden, and the labelled ones too; hidden: the first
    two. With n labels, validation has at most n pictures."""
    frame = data.frame
    train = np.flatnonzero((frame["split"] == "train") & (frame["grade"] >= 0))
    val = np.flatnonzero((frame["split"] == "val") & (frame["grade"] >= 0))
    if len(train) == 0 or len(val) == 0:
        raise ValueError(
            f"{paths.shown(data.folder)}: {len(train)} training and {len(val)} validation pictures have a grade"
        )
    labelled = train
    if run.data.labels:
        if run.data.labels > len(train):
            raise ValueError(
                f"data.labels is {run.data.labels}, but only {len(train)} training pictures have a grade"
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
            f"{paths.shown(paths.runs() / run.teacher)}: no prediction for {len(missing)} pictures without a label, "
            f"first {missing[0]}; was it trained on other data?"
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
    if run.model.weights != "distortion":
        return {"weights": run.model.weights}
    folder = _weights_folder(run, data)
    if not store.done(folder):
        began = time.perf_counter()
        threads()
        torch.manual_seed(seed_of("pretrain", 0))
        net = ViT(run.model, run.data.crop, int(data.info["classes"]))
        rows = np.flatnonzero(data.frame["split"].isin(["train", "pool"]))
        accuracies = pretrain(
            net, data.pixels, rows, run.data.crop, run.pretrain, 0, folder / "model.safetensors"
        )
        times = {"seconds": round(time.perf_counter() - began, 1)}
        store.write_json(folder / "provenance.json", provenance() | accuracies | times)
    return store.read_json(folder / "provenance.json")


def _weights_folder(run: Run, data: DataSet) -> Path:
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
    method: typing.Any = METHODS[run.method.name]
    return method(net, classes, run.method, prior)


def build(run: Run, data: DataSet, labelled: np.ndarray) -> Method:
    """The method with its network, initialised by the run's seed (same seed, same first weights for
    every method)."""
    torch.manual_seed(seed_of("network", run.seed))
    classes = int(data.info["classes"])
    net = ViT(run.model, run.data.crop, classes)
    if run.model.weights == "distortion":
        prepare_weights(run, data)
        load_weights(_weights_folder(run, data) / "model.safetensors", net, skip=("vit.head.",))
    counts = np.bincount(data.frame["grade"].to_numpy()[labelled], minlength=classes)
    prior = torch.tensor(counts / counts.sum(), dtype=torch.float32)
    return made(run, net, classes, prior)


def train(run: Run, data: DataSet) -> Path:
    """Train, predict every picture of val, test and pool, write the run's folder; returns it.
    Finished runs are reused."""
    folder = store.run_folder(run.config(data_key(data)))
    if store.done(folder):
        for file in folder.iterdir():
            store.journal(file)
        then = store.read_json(folder / "provenance.json").get("commit")
        if then != commit():
            print(
                f"{folder.name}: reusing a finished run made at commit {then}; delete the folder to train anew"
            )
        return folder
    threads()
    rows = rows_of(run, data)
    method = build(run, data, rows["labelled"])
    grades = data.frame["grade"].to_numpy()
    learnt, their_grades = merged(run, data, rows)
    material = Material(
        pixels=on_device(data.pixels, device()),
        labelled=learnt,
        grades=their_grades,
        unlabelled=rows["unlabelled"],
        val=rows["val"],
        val_grades=grades[rows["val"]],
        crop=run.data.crop,
        grid=run.data.grid,
    )
    state = folder / "state.safetensors"
    net, history, times = fit(method, material, run.train, run.seed, state)
    began = time.perf_counter()
    asked = np.sort(
        np.concatenate([rows["val"], rows["hidden"], np.flatnonzero(data.frame["split"] == "test")])
    )
    frame = data.frame.iloc[asked]
    table = predictions(
        frame, probabilities(net, material.pixels, asked, run.data.crop, run.data.grid)
    )
    save_weights(folder / "model.safetensors", net)
    store.write_table(folder / "history.csv", history)
    store.write_table(folder / "predictions.csv.gz", table)
    unlabelled = len(rows["unlabelled"]) if method.unlabelled_views else 0
    store.write_json(
        folder / "provenance.json",
        provenance()
        | {
            "train_seconds": round(times["train_seconds"], 1),
            "threads": torch.get_num_threads(),
            "predict_seconds": round(time.perf_counter() - began, 1),
            "labels": len(rows["labelled"]),
            "unlabelled": unlabelled,
            "pseudo_labels": len(learnt) - len(rows["labelled"]),
            "pictures_seen": run.train.steps * int(times["pictures_a_step"]),
            "parameters": sum(p.numel() for p in net.parameters()),
        },
    )
    state.unlink(missing_ok=True)
    return folder


def make_data(name: str, profile: str, overrides: dict[str, object] | None = None) -> DataSet:
    """The pictures of a walk, in results/<name>/data: simulated, KOKA10K's below RIQA_DATA, or a
    folder with a table.

    overrides for your own pictures: {"data.source": "folder", "data.folder": {"root": ..., "table":
    ..., "id": ..., "score": ..., "low": ..., "high": ...}} (riqa_lib.datasets.folder.read_folder
    has all the keywords)."""
    d = settings(profile, overrides=overrides).data
    folder, processes = paths.results(name) / "data", min(2, os.cpu_count() or 1)
    if d.source == "simulation":
        make_koka10k(
            folder,
            labelled=d.labelled,
            pool=d.pool,
            size=d.size,
            fractions=d.fractions,
            pool_kind=d.pool_kind,
            seed=d.world,
            processes=processes,
        )
        return open_dataset(folder)
    if d.source == "koka10k":
        frame, root = koka10k.load(d.extra, d.rule, d.fractions, d.world)
        labelled = {
            "extra": int((frame["source"] == koka10k.EXTRA).sum()),
            "by_hand": int(frame["by_hand"].sum()),
        }
        told = labelled | {"rule": d.rule, "fractions": list(d.fractions), "seed": d.world}
        kind = "" if d.rule == "mode" else f", rule {d.rule}"
        kind += "" if labelled["by_hand"] else ", no hand labels"
        import_frame(
            frame, root, folder, d.size, name=f"KOKA10K{kind}", processes=processes, settings=told
        )
        return open_dataset(folder)
    if not {"root", "table"} <= set(d.folder):
        raise ValueError(
            f"profile {profile!r} reads real pictures: say where they are, "
            'for example --set \'data.folder={"root": "photos", "table": "scores.csv", "id": "name", "score": "MOS", '
            '"low": 0, "high": 100}\''
        )
    declared = {"fractions": d.fractions, "seed": d.world, **d.folder}
    place = {key: Path(str(declared.pop(key))).expanduser() for key in ("root", "table")}
    import_folder(
        place["root"],
        place["table"],
        folder,
        d.size,
        name=place["root"].name,
        processes=processes,
        **declared,
    )
    return open_dataset(folder)


def example_views(run: Run, data: DataSet, count: int = 3) -> tuple[np.ndarray, pd.DataFrame]:
    """A few unlabelled pictures under both strong policies, for looking at: (pixels (N, S, S, 3)
    uint8, frame with a column `view`). Blanked tokens are shown as grey patches; the network sees
    no pixels there."""
    rows = torch.from_numpy(np.tile(rows_of(run, data)["unlabelled"][:count], 2))
    pixels, side = on_device(data.pixels, torch.device("cpu")), run.data.crop
    tokens = ViT(
        run.model.__class__(**dataclasses.asdict(run.model) | {"weights": "none"}), side, 5
    ).tokens
    shown, captions = [], []
    for name in ("weak", "quality", "randaugment"):
        view = views.make(
            pixels, rows, side, views.STRONG[name], tokens, torch.Generator().manual_seed(run.seed)
        )
        images = (view.images * views.SD + views.MEAN).clamp(0, 1)
        if view.keep is not None:
            grid = round(tokens**0.5)
            keep = (
                view.keep.view(-1, 1, grid, grid)
                .repeat_interleave(side // grid, 2)
                .repeat_interleave(side // grid, 3)
            )
            images = images * keep + 0.5 * (1 - keep)
        shown.append((images.permute(0, 2, 3, 1) * 255).round().byte().numpy())
        captions += [name] * len(rows)
    return np.concatenate(shown), pd.DataFrame({"view": captions})


def first_stage(
    name: str, profile: str, row: str, seed: int, overrides: dict[str, object] | None = None
) -> str:
    """The folder name of the finished first-stage run that a second-stage row learns from.

    FileNotFoundError, naming the notebook to run, where there is none."""
    first = settings(profile, row.removesuffix(SECOND), seed, overrides)
    folder = store.run_folder(first.config(data_key(walk_data(name))))
    notebook = NOTEBOOKS[row.removesuffix(SECOND)]
    if not store.done(folder):
        raise FileNotFoundError(
            f"{paths.shown(folder)}: the first stage of {row} is not there yet; "
            f"run notebook {notebook} with SEED = {seed} and the same settings"
        )
    return folder.name


def train_rows(
    name: str, profile: str, rows: list[str], seed: int, overrides: dict[str, object] | None = None
) -> pd.DataFrame:
    """Train rows of the table on a walk's data and note them in results/<name>/tables/runs-*.csv;
    returns that table.

    A row of the second stage needs its first stage; `first_stage` says what is raised without."""
    data = walk_data(name)
    runs = [settings(profile, row, seed, overrides) for row in rows]
    lines = []
    for row, run in zip(rows, runs, strict=True):
        teacher = first_stage(name, profile, row, seed, overrides) if row.endswith(SECOND) else ""
        folder = train(run.but(teacher=teacher), data)
        labels = store.read_json(folder / "provenance.json")["labels"]
        lines.append({"run": folder.name, "method": row, "seed": seed, "labels": labels})
    table = pd.DataFrame(lines)
    store.write_table(paths.results(name) / "tables" / f"runs-{rows[-1]}-seed{seed}.csv", table)
    return table
