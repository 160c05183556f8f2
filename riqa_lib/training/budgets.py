"""Label budgets: the rows of the table trained on 50, 100, 300, ... labels, all else equal.

The seed draws which pictures keep their grade, and validation has at most as many (`rows_of`); the
rest of the training pictures joins the pool. 0 labels means all: there the pool is what it is in
Table 2, and only the rows that show how far labels alone would lead are trained. Finished runs are
reused, also those that Table 2 has of all labels. At fewer labels networks don't grade the pool in
the end: no second stage follows.

Each number of labels and seed has a list of its own, results/<name>/tables/budgets-100-seed0.csv,
which `tables.budgets` reads; Table 2 doesn't."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd

from ..datasets.data_folder import DataSet
from ..pictures.photo_data import walk_data
from . import run_folder
from .baselines import rows_for
from .photo_profiles import BASELINES
from .photographs import Run, rows_of, settings, train_row

CEILING = (*BASELINES, "supervised", "supervised_ordinal")  # what is trained on all labels


ROWS = (
    *CEILING,
    "fixmatch",
    "simmatch",
    "adamatch",
    "comatch",
    "freematch",
    "crmatch",
    "mean_teacher",
)


def train(
    name: str,
    profile: str,
    labels: Sequence[int],
    seed: int,
    overrides: dict[str, object] | None = None,
    rows: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Train rows on each of these numbers of labels, with progress, and note them in
    results/<name>/tables/budgets-<labels>-seed<seed>.csv; returns all these lists as one: run,
    method, seed, labels.

    labels: 0 for all of the training part; a number that is not below what the data have is left
    out, and a line says so. rows: ROWS by default, of all labels CEILING; those that the data
    cannot have are left out (`baselines.rows_for`). ValueError, before anything is trained, for a
    number that is negative or twice there, or where none is left."""
    data = walk_data(name, settings(profile, seed=seed, overrides=overrides).data)
    its = planned(profile, labels, seed, overrides, rows, data)
    lists = []
    for n, runs in its.items():
        lines = []
        for row, run in runs.items():
            began = time.perf_counter()
            lines.append(train_row(row, run, data))
            seconds = time.perf_counter() - began
            print(f"{lines[-1]['labels']} labels, seed {seed}, {row}: {seconds:.0f} s", flush=True)
        lists.append(run_folder.note(name, "budgets", [str(n)], seed, lines))
    return pd.concat(lists, ignore_index=True)


def planned(
    profile: str,
    labels: Sequence[int],
    seed: int,
    overrides: dict[str, object] | None,
    rows: Sequence[str] | None,
    data: DataSet,
) -> dict[int, dict[str, Run]]:
    """The settings of each row on each number of labels."""
    given = overrides or {}
    full = settings(profile, "supervised", seed, given | {"data.labels": 0})
    planned = {}
    for n in _below(labels, len(rows_of(full, data)["labelled"])):
        of_n = rows_for(rows or (ROWS if n else CEILING), data)
        own = given | {"data.labels": n}
        planned[n] = {row: settings(profile, row, seed, own).but(grade_pool=n == 0) for row in of_n}
    return planned


def _below(labels: Sequence[int], known: int) -> list[int]:
    """The numbers of labels below `known`, what the data have; of the others a line says that they
    are left out. ValueError as `train`."""
    if not labels or len(set(labels)) < len(labels) or min(labels) < 0:
        raise ValueError(f"labels {list(labels)}: expected different numbers, 0 for all")
    below = [int(n) for n in labels if n < known]
    if not below:
        raise ValueError(f"labels {list(labels)}: only {known} training pictures have a grade")
    if too_many := [n for n in labels if n >= known]:
        print(f"labels {too_many}: left out, {known} training pictures have a grade (0: all)")
    return below
