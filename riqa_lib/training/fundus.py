"""Fundus runs: the four sets, the Teacher, the Students. Settings as for `photographs`, their names
begin with "fundus.":

    fundus.settings("demo", "multi_eyeq", 0, {"fundus.student.lambda_a": 0.5})

Rows: "teacher" (details, set mshf); "single_<set>", "multi_<set>", "multi_hard_<set>",
"multi_filtered_<set>" for eyeq, deepdrid: a ResNet, as in the paper. Rows of one set and seed share
first weights, batches, steps and validation; only the loss differs (`ssl.teacher_student`). Beside
them, ours: "teacher_lite0", "single_lite0_<set>", "multi_lite0_<set>" on a frozen encoder
(networks.field_moments), learning from own-defect copies too (`own_defects`); and what tells the
two apart: "..._lite0_plain" without copies, "teacher_own", "multi_own_<set>": a ResNet with them. A
Student's Teacher has its encoder, and copies where it has them.

Predictions of a run (predictions.csv.gz): set (where the picture is from), id, group, source,
split, truth (-1: unknown, or on another scale than the run's), score, p0.. (a Student's),
illumination, clarity, contrast (1, 0, -1), d_illumination, d_clarity, d_contrast (probability of
good). A Teacher's are calibrated, and of its own set always of a model that did not learn from the
picture's source. A single-task Student has learnt no details: its d_ columns are a look-up of what
the Teacher says of training pictures of each overall grade, weighted by its p: what the overall
grade alone says of the details."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, scales, store
from ..datasets.data_folder import DataSet, data_key
from ..pictures import fundus_data
from ..pictures.fundus_data import open_set
from ..scales import DETAILS
from . import launch, run_folder
from .fundus_learning import (
    load_student,
    load_teacher,
    network,
    pseudo_details,
    train_student,
    train_teacher,
)
from .fundus_profiles import PROFILES, ROWS, TEACHER_OF, TEACHERS
from .fundus_settings import ALSO, TUNING, Run, settings

__all__ = [
    "DETAILS",
    "PROFILES",
    "ROWS",
    "TUNING",
    "Run",
    "about_weights",
    "chosen_weight",
    "load_student",
    "load_teacher",
    "make_fundus_data",
    "network",
    "pseudo_details",
    "settings",
    "teacher_run",
    "train",
    "train_rows",
    "what_the_teacher_says",
]


def make_fundus_data(
    name: str, profile: str, overrides: dict[str, object] | None = None, progress: bool = True
) -> dict[str, DataSet]:
    """The four sets of a walk in results/<name>/fundus/<set>; see fundus_data.make for what is
    raised."""
    return fundus_data.make(name, settings(profile, overrides=overrides).data, progress)


# ---------------------------------------------------------------- training
def _sets_of(name: str, run: Run) -> dict[str, DataSet]:
    """The sets that a run learns from and is asked about, its own first."""
    return {which: open_set(name, which, run.data) for which in dict.fromkeys((run.set, *ALSO))}


def _config(run: Run, sets: dict[str, DataSet]) -> dict:
    return run.config("+".join(data_key(data) for data in sets.values()))


def train(name: str, run: Run) -> Path:
    """Train a run on a walk's sets, predict, write its folder; returns it. A finished one is
    reused, an interrupted one resumed.

    Raises FileNotFoundError that names the notebook to run first, ValueError for sets that cannot
    be learnt from."""
    sets = _sets_of(name, run)
    with run_folder.opened(_config(run, sets)) as place:
        if not place.done and launch.is_due() and not run.model.frozen:
            launch.several(run.train, train, name, run)
        elif not place.done:
            learn = train_teacher if run.method.name == "teacher" else train_student
            result = learn(run, sets, place)
            place.write(dataclasses.replace(result, about={**_about(run, sets), **result.about}))
    return place.folder


def _about(run: Run, sets: dict[str, DataSet]) -> dict[str, object]:
    """What every trained network of fundus pictures says of itself."""
    own = sets[run.set].info
    return {
        "classes": int(own["classes"]),
        "simulated": bool(own["simulated"]),
        "set": run.set,
        "name": own["name"],
        "crop": run.data.crop,
        "size": run.data.size,
        "grid": run.data.grid,
        "views": run.data.views,
        "encoder": run.model.encoder,
        "own_defects": run.method.own_defects,
        "details": list(DETAILS),
    }


# ---------------------------------------------------------------- rows
def teacher_run(
    name: str,
    profile: str,
    overrides: dict[str, object] | None = None,
    *,
    seed: int,
    row: str = "teacher",
) -> str:
    """The folder name of a finished Teacher of a walk, by row, settings and seed;
    FileNotFoundError, naming the notebook, without."""
    run = settings(profile, row, seed, overrides)
    config = _config(run, _sets_of(name, run))
    return run_folder.finished(config, "the Teacher", "14_teacher", seed)


def train_rows(
    name: str, profile: str, rows: list[str], seed: int, overrides: dict[str, object] | None = None
) -> pd.DataFrame:
    """Train rows on a walk's sets and note them in results/<name>/tables/fundus-<last
    row>-seed<seed>.csv; returns that table: run, row, set, seed, lambda_a (nan for the Teacher).
    Each seed's Students learn from the Teacher of that seed."""
    runs = [settings(profile, row, seed, overrides) for row in rows]
    lines = []
    for row, run in zip(rows, runs, strict=True):
        weight = float("nan")
        if row not in TEACHERS:
            run = taught(name, profile, row, run, overrides)
            weight = run.method.lambda_a
        folder = train(name, run)
        lines.append(
            {"run": folder.name, "row": row, "set": run.set, "seed": seed, "lambda_a": weight}
        )
    return run_folder.note(name, "fundus", rows, seed, lines)


def taught(name: str, profile: str, row: str, run: Run, overrides: dict[str, object] | None) -> Run:
    """A Student's settings with its Teacher, and with lambda_a chosen where there is a choice."""
    teacher = TEACHER_OF[row]
    run = run.but(taught_by=teacher_run(name, profile, overrides, seed=run.seed, row=teacher))
    if not run.method.grid:
        return run
    weight, _ = chosen_weight(name, profile, run.set, overrides, teacher)
    return run.but(**{"method.lambda_a": weight, "method.grid": ()})


def chosen_weight(
    name: str,
    profile: str,
    on: str,
    overrides: dict[str, object] | None = None,
    teacher: str = "teacher",
) -> tuple[float, pd.DataFrame]:
    """lambda_a of student.grid with the best validation macro F1 of the overall grade (ties: the
    smaller), and all values; of multi-task Students of this row's Teacher.

    One run a value, with a seed that is not reported, so no reported run is the best of several;
    Teacher: that of seed 0."""
    row = f"multi{teacher.removeprefix('teacher')}_{on}"
    base = settings(profile, row, TUNING, overrides)
    base = base.but(taught_by=teacher_run(name, profile, overrides, seed=0, row=teacher))
    lines = []
    for weight in sorted(base.method.grid):
        folder = train(name, base.but(**{"method.lambda_a": weight, "method.grid": ()}))
        history = store.read_table(folder / "history.csv")
        lines.append(
            {"lambda_a": weight, "val_macro_f1": history["val_macro_f1"].max(), "run": folder.name}
        )
    table = pd.DataFrame(lines)
    store.write_table(
        paths.results(name) / "tables" / f"grid-{row.removeprefix('multi_')}.csv", table
    )
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
        choice = ", ".join(f"{weight:g}" for weight in run.method.grid)
        return f"$\\lambda_A$, chosen among {choice} with a seed of its own: {values}."
    return (
        f"$\\lambda_A$ ({values}) and $\\lambda_B$ ({run.method.lambda_b:g}) "
        "are fixed here, **not tuned**."
    )
