"""Walks for the panels: a few photographs with predictions of invented methods, a Teacher and its
Student of random weights. EVIL is a name that must stay text wherever it is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from fundus_students import student

from riqa_lib import paths, store
from riqa_lib.datasets.data_folder import write_dataset
from riqa_lib.networks.weights import save_weights
from riqa_lib.scales import DETAILS
from riqa_lib.training import fundus

EVIL = "<img src=x onerror=alert(1)>"
SIZE = 12  # px
# truth, then the grade that each method says and how sure it is, of twelve pictures
TRUTH = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, -1, -1]
SAID = {
    "supervised": [0, 0, 2, 1, 1, 1, 2, 2, 2, 0, 1, 2],
    "fixmatch": [0, 1, 2, 1, 1, 0, 2, 2, 2, 1, 2, 2],
    EVIL: [2, 2, 0, 1, 1, 1, 2, 2, 2, 2, 0, 0],
}
SURE = [0.9, 0.8, 0.7, 0.6, 0.5, 0.9, 0.8, 0.7, 0.6, 0.95, 0.5, 0.6]


def photographs(name="tiny", simulated=False, words=("bad", EVIL, "good")):
    """A walk of twelve photographs, ten for testing, two of the pool; three methods of seed 0, of
    which "fixmatch" was trained with seed 1 too, and one run that has gone."""
    n = len(TRUTH)
    ids = [f"p{k:02d}.png" for k in range(n)]
    ids[2] = EVIL
    votes = np.where(np.arange(3) == np.array(TRUTH)[:, None], 7, 1) * (np.arange(n) != 3)[:, None]
    frame = pd.DataFrame(
        {
            "id": ids,
            "path": ids,
            "group": [f"g{k}" if k else EVIL for k in range(n)],
            "source": ["phone", EVIL] * (n // 2),
            "split": ["test"] * 10 + ["pool"] * 2,
            "grade": TRUTH,
            "score": np.arange(n) / 7,
            **{f"c{k + 1}": votes[:, k] for k in range(3)},
            "defects": [f"blur{EVIL}"] * n,
        }
    )
    pixels = np.stack([np.full((SIZE, SIZE, 3), 20 * k, np.uint8) for k in range(n)])
    scale = {"grades": list(words), "score": EVIL}
    info = {"name": EVIL, "simulated": simulated, "classes": 3, "settings": {}, "scale": scale}
    folder = paths.results(name) / "data"
    write_dataset(folder, frame, SIZE, lambda start: [pixels[start:]], key="k", info=info)
    runs = [(m, 0) for m in SAID] + [("fixmatch", 1)]
    table = []
    for k, (method, seed) in enumerate(runs):
        store.write_table(paths.runs() / f"r{k}" / "predictions.csv.gz", said(frame, method, seed))
        store.write_json(paths.runs() / f"r{k}" / "provenance.json", {})
        table.append({"run": f"r{k}", "method": method, "seed": seed, "labels": 10})
    table.append({"run": "gone", "method": f"gone{EVIL}", "seed": 0, "labels": 10})
    store.write_table(paths.results(name) / "tables" / "runs-x-seed0.csv", pd.DataFrame(table))
    return ids


def said(frame, method, seed):
    """Predictions in the form that runs store; of seed 1 every picture is grade 0."""
    grade = np.array(SAID[method]) * (seed == 0)
    p = np.full((len(grade), 3), 0.0)
    for k, sure in enumerate(SURE):
        p[k] = (1 - sure) / 2
        p[k, grade[k]] = sure
    columns = {f"p{k}": p[:, k] for k in range(3)}
    return frame[["id", "group", "source", "split", "score"]].assign(truth=TRUTH, **columns)


def teacher(folder, seed=0):
    """A finished Teacher in the form that training.fundus leaves, of random but sensitive
    weights."""
    run = fundus.settings("smoke", "teacher", seed)
    torch.manual_seed(seed + 5)
    net = fundus.network(run, 3)
    with torch.no_grad():
        net.details.weight.mul_(20)
    folder.mkdir(parents=True)
    store.write_json(folder / "config.json", run.config("made up"))
    about = {"classes": 3, "simulated": True, "set": "mshf", "name": "mshf-like"}
    about |= {"crop": run.data.crop, "size": run.data.size, "grid": 1, "views": 1}
    about |= {"calibration": {d: [0.5, 0.1 * k] for k, d in enumerate(DETAILS)}}
    store.write_json(folder / "about.json", about)
    save_weights(folder / "model.safetensors", net)
    store.write_json(folder / "provenance.json", {})
    return folder


def eyes(name="tiny", **how):
    """A walk with a Teacher and a Student that learnt from it."""
    teacher(paths.runs() / "teacher-1")
    folder = student(paths.runs() / "student-1", **how)
    about = store.read_json(folder / "about.json")
    store.write_json(folder / "about.json", about | {"taught_by": "teacher-1"})
    rows = [
        {"run": "teacher-1", "row": "teacher", "set": "mshf", "seed": 0, "lambda_a": np.nan},
        {"run": "student-1", "row": "multi_eyeq", "set": "eyeq", "seed": 0, "lambda_a": 1},
        {"run": "student-gone", "row": "single_eyeq", "set": "eyeq", "seed": 0, "lambda_a": 0},
    ]
    store.write_table(paths.results(name) / "tables" / "fundus-x-seed0.csv", pd.DataFrame(rows))
