"""Tries of settings, judged on validation pictures only: which head, which targets, which use of
the pool. No test picture is looked at. Every try is written down, also those that bring nothing:

    python -m benchmarks.tries --name demo --labels 100 300 --seeds 4 --out tries.csv \\
        ordinal='{"method.ordinal": true}' skip='{"model.skip": true}'

A try is a name and settings as --set of run_all.py has them; `row` among them takes a row of
the table (`{"row": "fixmatch", "fixmatch.tau": 0.8}`). The walk's pictures must be there (notebook
01). As many validation pictures as labels select the weights, as in every run; what is written is
measured on the other validation pictures, whose grades nothing else ever sees.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.networks.device import threads
from riqa_lib.networks.predict import probabilities
from riqa_lib.pictures import photo_data
from riqa_lib.stats import metrics
from riqa_lib.training import photographs
from riqa_lib.training.loop import Material, fit


def unseen(data: DataSet, used: np.ndarray) -> np.ndarray:
    """Rows of graded validation pictures that no run has used to select its weights; all of them
    where every one was used."""
    frame = data.frame
    val = np.flatnonzero((frame["split"] == "val") & (frame["grade"] >= 0))
    return val if len(val) == len(used) else np.setdiff1d(val, used)


def judged(frame: pd.DataFrame, p: np.ndarray) -> dict[str, float]:
    """Errors and rank correlations of probabilities p (N, classes) for these pictures."""
    y, expected = frame["grade"].to_numpy(), p @ np.arange(p.shape[1])
    truth = frame["score"].fillna(frame["grade"]).to_numpy(float)
    inside = [
        spearmanr(expected[rows], truth[rows])[0]
        for rows in frame.reset_index(drop=True).groupby("source").indices.values()
        if len(rows) > 20
    ]
    said = p.argmax(axis=1)
    return {
        "mae": metrics.mae(y, said, p.shape[1]),
        "macro_mae": metrics.macro_mae(y, said, p.shape[1]),
        "srcc": spearmanr(expected, truth)[0],
        "within": float(np.mean(inside)),
        "commonest": float(np.bincount(said).max() / len(said)),
    }


def one(data: DataSet, profile: str, labels: int, seed: int, changes: dict) -> dict[str, float]:
    """Train with these settings; how it does on validation pictures that it never saw."""
    changes = {"data.labels": labels, **changes}
    row = str(changes.pop("row", "supervised"))
    run = photographs.settings(profile, row, seed, changes)
    rows = photographs.rows_of(run, data)
    material = Material(
        source=photographs.source_of(run, data),
        labelled=rows["labelled"],
        grades=data.frame["grade"].to_numpy()[rows["labelled"]],
        unlabelled=rows["unlabelled"],
        val=rows["val"],
        val_grades=data.frame["grade"].to_numpy()[rows["val"]],
    )
    began = time.perf_counter()
    method = photographs.build(run, data, rows["labelled"], material.source)
    train = dataclasses.replace(run.train, evaluations=min(run.train.evaluations, 10))
    net, history, _ = fit(method, material, train, seed)
    asked = unseen(data, rows["val"])
    p = probabilities(net, material.source, asked).numpy()
    out = judged(data.frame.iloc[asked], p)
    out["kept"] = float(history["kept"].iloc[-1]) if "kept" in history else np.nan
    return out | {"pictures": len(asked), "seconds": round(time.perf_counter() - began, 1)}


def named(text: str) -> tuple[str, dict]:
    """NAME=JSON of the command line."""
    name, _, settings = text.partition("=")
    return name, json.loads(settings or "{}")


def main() -> None:
    """Train every try at every number of labels and seed; append to the table as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--name", default="demo")
    add("--profile", default="reference")
    add("--labels", type=int, nargs="+", default=[100])
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    add("--set", type=named, default=("", {}), help="settings of all: common='{...}'")
    add("--out", type=Path, required=True)
    add("tries", type=named, nargs="+")
    asked = parser.parse_args()
    threads()
    data = photo_data.walk_data(asked.name)
    for seed in asked.seeds:
        for labels in asked.labels:
            for name, settings in asked.tries:
                found = one(data, asked.profile, labels, seed, {**asked.set[1], **settings})
                about = {"data": asked.name, "labels": labels, "try": name, "seed": seed}
                line = about | {k: round(v, 4) for k, v in found.items()}
                line |= {"settings": json.dumps({**asked.set[1], **settings})}
                new = not asked.out.exists()
                pd.DataFrame([line]).to_csv(asked.out, mode="a", header=new, index=False)
                print(line, flush=True)


if __name__ == "__main__":
    main()
