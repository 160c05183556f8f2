"""What a notebook of the plan trains, run by run: row x number of labels x seed. Each is one call
that needs nothing but its settings and the walk's data, so that a cluster can work them off before
the notebook, which then finds them finished:

    for run in planned("20_label_budgets.ipynb", {"NAME": "demo", "PROFILE": "demo", "SEED": 0,
                       "SETTINGS": {}, "LABELS": [100]}):
        run.train()

Tests hold this list to what the notebooks trained."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import repairs, store
from ..networks import map_store
from ..pictures.photo_data import walk_data
from ..scales import SECOND
from . import (
    baselines,
    budgets,
    fundus,
    fundus_baselines,
    fundus_profiles,
    photographs,
    related,
    run_folder,
)
from .photo_profiles import BASELINES, NOTEBOOKS
from .related_profiles import TRAINED

Parameters = Mapping[str, Any]  # of a notebook: NAME, PROFILE, SEED, SETTINGS, LABELS

# Notebook 03's, with the mean teacher, which has no notebook of its own
SUPERVISED = (
    *BASELINES,
    *("supervised", "supervised_ordinal", "mean_teacher", "supervised_equal", "supervised_strong"),
)
TEACHERS = ("teacher", "teacher_lite0", "teacher_lite0_plain")
STUDENTS = ("single", "multi", "single_lite0", "multi_lite0")
ABLATED = ("multi_hard", "multi_filtered")
# of a run's folder, besides saved states of parts, which go where config.json goes
FILES = (
    "config.json",
    "history.csv",
    *store.PREDICTIONS.values(),
    "model.safetensors",
    "about.json",
    "state.safetensors",
    "speed.json",
    repairs.PROVENANCE,
)


@dataclass(frozen=True)
class Planned:
    """A run to come. kind: of KINDS; parameters: its notebook's; labels: a number of them (0: all),
    None for the profile's; weight: lambda_A of a run that only tries it."""

    kind: str
    row: str
    parameters: Parameters
    labels: int | None = None
    weight: float | None = None

    @property
    def name(self) -> str:
        """What tells it from the others of its notebook, for people: "fixmatch, 100 labels"."""
        words = [self.row]
        if self.labels is not None:
            words.append(f"{self.labels or 'all'} labels")
        if self.weight is not None:
            words.append(f"weight {self.weight:g}")
        return ", ".join(words)

    @property
    def gpu(self) -> bool:
        """Whether it trains a network."""
        return self.row not in (*BASELINES, *fundus_baselines.ROWS)

    def train(self) -> None:
        """Train it, or find it finished."""
        KINDS[self.kind](self)

    def train_into(self, folder: Path) -> None:
        """The same, on a worker that keeps no GPU memory. RuntimeError, before it is trained, where
        its run would lie in another folder: settings or data are others there."""
        if self.kind != "weights" and self.folder() != folder:
            raise RuntimeError(f"it would train {self.folder().name}: settings or data differ")
        self.train()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # a notebook's kernel on the same GPU may want it

    def folder(self) -> Path:
        """Its run's folder; nothing is made. FileNotFoundError where that stands on a run that is
        not finished yet (a Teacher, a first stage)."""
        return run_folder.place_of(self.train)

    @property
    def seed(self) -> int:
        return int(self.parameters["SEED"])

    @property
    def where(self) -> tuple[str, str]:
        """Walk and profile."""
        return self.parameters["NAME"], self.parameters["PROFILE"]

    @property
    def settings(self) -> dict[str, object]:
        """Overrides, with its number of labels."""
        given = dict(self.parameters["SETTINGS"])
        return given if self.labels is None else given | {"data.labels": self.labels}


# ---------------------------------------------------------------- how each kind trains
def _row(one: Planned) -> None:
    """A row of Table 2, of either stage."""
    name, profile = one.where
    run = photographs.settings(profile, one.row, one.seed, one.settings)
    if one.row.endswith(SECOND):
        run = run.but(
            teacher=photographs.first_stage(name, profile, one.row, one.seed, one.settings)
        )
    photographs.train_row(one.row, run, walk_data(name))


def _budget(one: Planned) -> None:
    name, profile = one.where
    labels = int(one.labels or 0)
    run = photographs.settings(profile, one.row, one.seed, one.settings)
    photographs.train_row(one.row, run.but(grade_pool=labels == 0), walk_data(name))


def _related(one: Planned) -> None:
    name, profile = one.where
    related.train_row(one.row, profile, one.seed, one.settings, walk_data(name))


def _fundus(one: Planned) -> None:
    name, profile = one.where
    run = fundus.settings(profile, one.row, one.seed, one.settings)
    if one.row not in fundus_profiles.TEACHERS:
        run = fundus.taught(name, profile, one.row, run, one.settings)
    fundus.train(name, run)


def _simple(one: Planned) -> None:
    name, profile = one.where
    kind, on = fundus_baselines.ROWS[one.row]
    run = fundus.settings(profile, "teacher", one.seed, one.settings)
    fundus_baselines.train(name, kind, on, run)


def _weights(one: Planned) -> None:
    """What rows of Table 2 start from or look at: pre-trained weights, a frozen stem's maps."""
    name, profile = one.where
    run = photographs.settings(profile, one.row, one.seed, one.settings)
    photographs.prepare_weights(run, walk_data(name))


KINDS: dict[str, Callable[[Planned], None]] = {
    "row": _row,
    "budget": _budget,
    "related": _related,
    "fundus": _fundus,
    "simple": _simple,
    "weights": _weights,
}


# ---------------------------------------------------------------- what each notebook trains
def planned(notebook: str, parameters: Parameters) -> list[Planned]:
    """The runs that a notebook of the plan trains, in its order; [] of one that trains none, or
    that has no runs apart from each other. FileNotFoundError where the walk has no data yet."""
    find = NOTEBOOK.get(notebook.removesuffix(".ipynb"))
    return find(parameters) if find else []


def first_weights(notebook: str, parameters: Parameters) -> tuple[Planned, list[Path]] | None:
    """What all runs of a notebook wait for, and the files that it makes, or finds made; None
    where there is nothing of the kind."""
    if notebook.removesuffix(".ipynb") != NOTEBOOKS["supervised"]:
        return None
    one = Planned("weights", "supervised", parameters)
    name, profile = one.where
    run, data = photographs.settings(profile, one.row, one.seed, one.settings), walk_data(name)
    if run.model.freeze:
        maps = map_store.key_of(data, run.model.scales, "mirrored")
        return one, [data.folder / f"maps-{maps}{end}" for end in (".npy", ".json")]
    if run.model.weights == "distortion":
        folder = photographs.weights_folder(run, data)
        return one, [folder / file for file in FILES]
    return None


def _rows(kind: str, rows: tuple[str, ...] | list[str], parameters: Parameters) -> list[Planned]:
    return [Planned(kind, row, parameters) for row in rows]


def _supervised(parameters: Parameters) -> list[Planned]:
    name, profile = parameters["NAME"], parameters["PROFILE"]
    run = photographs.settings(profile, overrides=parameters["SETTINGS"])
    rows = ["supervised_all", *SUPERVISED] if run.data.labels else [*SUPERVISED]
    return _rows("row", baselines.rows_for(rows, walk_data(name)), parameters)


def _second(parameters: Parameters) -> list[Planned]:
    """Of every first stage that is finished, where a picture has no grade."""
    name, profile = parameters["NAME"], parameters["PROFILE"]
    data = walk_data(name)
    run = photographs.settings(profile, overrides=parameters["SETTINGS"])
    if not len(photographs.rows_of(run, data)["hidden"]):
        return []
    first = _rows("row", [*photographs.METHODS], parameters)
    there = [one.row for one in first if store.done(one.folder())]
    return _rows("row", [f"{row}{SECOND}" for row in there], parameters)


def _budgets(parameters: Parameters) -> list[Planned]:
    name, profile, seed = (parameters[key] for key in ("NAME", "PROFILE", "SEED"))
    labels = [*parameters["LABELS"], 0]
    with contextlib.redirect_stdout(io.StringIO()):  # numbers left out are said in the notebook
        its = budgets.planned(profile, labels, seed, parameters["SETTINGS"], None, walk_data(name))
    return [Planned("budget", row, parameters, n) for n, rows in its.items() for row in rows]


def _teachers(parameters: Parameters) -> list[Planned]:
    rows = [*TEACHERS, *(["teacher_own"] if _is_large(parameters) else [])]
    simple = _rows("simple", [*fundus_baselines.KINDS], parameters)
    return _rows("fundus", rows, parameters) + simple


def _students(parameters: Parameters) -> list[Planned]:
    """Students, unless lambda_A is chosen first: that is one search, in the notebook."""
    large = parameters["PROFILE"] in ("gpu", "paper")
    run = fundus.settings(parameters["PROFILE"], "multi_eyeq", 0, parameters["SETTINGS"])
    sets = ("eyeq", "deepdrid")
    rows = [f"{kind}_{on}" for on in sets for kind in STUDENTS]
    rows += ["multi_lite0_plain_eyeq", *(["multi_own_eyeq"] if _is_large(parameters) else [])]
    rows += [f"{kind}_{on}" for on in sets for kind in ABLATED] if large else []
    beside = [row for row, (_, on) in fundus_baselines.ROWS.items() if on in sets]
    trained = [] if run.method.grid else _rows("fundus", rows, parameters)
    return trained + _rows("simple", beside, parameters)


def _related_rows(parameters: Parameters) -> list[Planned]:
    return _rows("related", [*TRAINED], parameters)


def _is_large(parameters: Parameters) -> bool:
    return parameters["PROFILE"] in ("reference", "gpu", "paper")


def _one_row(row: str) -> Callable[[Parameters], list[Planned]]:
    def find(parameters: Parameters) -> list[Planned]:
        return _rows("row", [row], parameters)

    return find


NOTEBOOK: dict[str, Callable[[Parameters], list[Planned]]] = {
    **{NOTEBOOKS[m]: _one_row(m) for m in photographs.METHODS},
    "02_views_that_keep_quality": _one_row("fixmatch_randaugment"),
    "03_vit_supervised": _supervised,
    "10_second_stage": _second,
    "12_related_models": _related_rows,
    "20_label_budgets": _budgets,
    "14_teacher": _teachers,
    "15_student": _students,
}
