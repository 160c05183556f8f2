"""The rows of the table of related work (notebook 12): DBCNN, HyperIQA and Re-IQA, and what one
would use instead, all on the same labelled, validation and test pictures.

    related.train("demo", "demo", related.TRAINED, seed=0, overrides={"dbcnn.epochs": 5})

Rows that Table 2 has too (forest, ridge, supervised) are that table's own runs, reused where they
are finished. What was trained is listed in results/NAME/tables/related-ROW-seed0.csv, apart from
Table 2's. Each run's folder gets a speed.json, once: how many pictures a second it says something
of, from pixels, whatever it computes first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .. import store
from ..datasets.data_folder import DataSet
from ..networks.device import threads
from ..pictures.photo_data import walk_data
from ..provenance import machine
from . import graders, photographs, regressors, run_folder
from .photographs import Run
from .related_profiles import NAMES, ROWS, SETTINGS, TRAINED, is_of_a_model, settings_of
from .settings import must_be_one_of

__all__ = ["NAMES", "ROWS", "SETTINGS", "SPEED", "TRAINED", "rows_of", "run_of", "train"]

SPEED = "speed.json"  # in a run's folder
TIMED = 64  # pictures at most


def train(
    name: str,
    profile: str,
    rows: Sequence[str],
    seed: int,
    overrides: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Train rows of TRAINED on a walk's data, with progress, and note each in
    results/<name>/tables/related-<row>-seed<seed>.csv; returns these lists as one: run, method,
    seed, labels. Finished runs are reused.

    overrides: as `photographs.settings` takes them, and those of the models ("dbcnn.epochs": 5).
    ValueError, before anything is trained, for an unknown profile, row or setting, TypeError for a
    value of another type; each message lists what is allowed."""
    for row in rows:
        must_be_one_of("row", row, TRAINED)
    if not rows:
        raise ValueError(f"rows: none given; allowed: {', '.join(TRAINED)}")
    for row in rows:  # what is wrong with one is said before anything is trained
        _settings(row, profile, seed, overrides)
    data = walk_data(name, run_of(rows[0], profile, seed, overrides).data)
    lists = []
    for row in rows:
        began = time.perf_counter()
        folder = train_row(row, profile, seed, overrides, data)
        _time(row, folder, data)
        labels = store.read_json(folder / "provenance.json")["labels"]
        line = {"run": folder.name, "method": row, "seed": seed, "labels": labels}
        lists.append(run_folder.note(name, "related", [row], seed, [line]))
        print(f"{row}, seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
    return pd.concat(lists, ignore_index=True)


def run_of(
    row: str, profile: str, seed: int = 0, overrides: Mapping[str, object] | None = None
) -> Run:
    """The settings by which a row gets its data and labels: of a network of Table 2 its own, of any
    other row those of "supervised". Raises as `photographs.settings`."""
    own = row if row in photographs.ROWS else "supervised"
    given = {k: v for k, v in (overrides or {}).items() if not is_of_a_model(k)}
    return photographs.settings(profile, own, seed, given)


def rows_of(run: Run, data: DataSet) -> dict[str, np.ndarray]:
    """Rows of the data set's frame for a model of related work: labelled and val as the rows of
    Table 2 have them, asked (validation and test)."""
    rows = photographs.rows_of(run, data)
    asked = photographs.asked(data, rows, pool=False)
    return {"labelled": rows["labelled"], "val": rows["val"], "asked": asked}


def _settings(
    row: str, profile: str, seed: int, overrides: Mapping[str, object] | None
) -> tuple[Run, object]:
    """Of its data and labels, and of its model (None of a row of Table 2)."""
    model = settings_of(row, profile, overrides) if row in NAMES else None
    return run_of(row, profile, seed, overrides), model


def train_row(
    row: str, profile: str, seed: int, overrides: Mapping[str, object] | None, data: DataSet
) -> Path:
    """Train one row on a data set; its run's folder. Raises as `train`."""
    run, model = _settings(row, profile, seed, overrides)
    if row == "supervised":
        return photographs.train(run, data)
    if model is None:
        return photographs.train_baseline(row, run, data)
    read = {"scale": run.data.scale, "max_pixels": run.data.max_pixels}
    return regressors.train(model, data, rows_of(run, data), run.seed, run.data.labels, read)


def _time(row: str, folder: Path, data: DataSet) -> None:
    """Write the run's speed.json where it has none: pictures a second, of test pictures, after a
    few that don't count."""
    if (folder / SPEED).exists():
        store.journal(folder / SPEED)
        return
    threads()
    grade = graders.of(row, folder, data)
    test = np.flatnonzero(data.frame["split"] == "test")[:TIMED]
    pixels = np.array(data.pixels[test])
    grade(pixels[:8])
    began = time.perf_counter()
    grade(pixels)
    seconds = max(time.perf_counter() - began, 1e-6)
    told = {
        "pictures_a_second": round(len(pixels) / seconds, 1),
        "pictures": len(pixels),
        "size": int(data.info["size"]),
        "machine": machine(),
        "threads": torch.get_num_threads(),
    }
    store.write_json(folder / SPEED, told)
