"""A Student of fundus photographs as training leaves it, of random but sensitive weights, and
simulated photographs to show it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from PIL import Image

from riqa_lib import store
from riqa_lib.networks.weights import save_weights
from riqa_lib.scales import DETAILS
from riqa_lib.sim import fundus_camera
from riqa_lib.training import fundus


def student(folder, *, seed=0, learnt=True, classes=3, row=0, simulated=True, sure=True):
    """A finished run in the form that training.fundus leaves. sure: validation on which it is
    nearly always right."""
    run = fundus.settings("smoke", "multi_eyeq", seed)
    config = run.config("made up") | {"seed": seed, "row": row}
    torch.manual_seed(seed)
    net = fundus.network(run, classes)
    with torch.no_grad():
        net.overall.weight.mul_(20)
        net.details.weight.mul_(20)
    folder.mkdir(parents=True)
    store.write_json(folder / "config.json", config)
    store.write_json(
        folder / "about.json",
        {
            "classes": classes,
            "simulated": simulated,
            "set": "eyeq",
            "name": "eyeq-like",
            "crop": run.data.crop,
            "size": run.data.size,
            "grid": 1,
            "views": 8,
            "details": list(DETAILS),
            "details_learnt": learnt,
            "lookup": [[0.5] * 3] * classes,
        },
    )
    save_weights(folder / "model.safetensors", net)
    rng = np.random.default_rng(0)
    n = 300
    truth = rng.integers(0, classes, n)
    p = np.full((n, classes), 0.4 / (classes - 1))
    p[np.arange(n), truth if sure else rng.integers(0, classes, n)] = 0.6
    table = pd.DataFrame(
        {
            "set": np.where(np.arange(n) < 150, "eyeq", "mshf"),
            "id": [f"x{i}" for i in range(n)],
            "group": [f"g{i}" for i in range(n)],
            "source": "s",
            "split": np.where(
                np.arange(n) < 75, "val", np.where(np.arange(n) < 150, "test", "train")
            ),
            "truth": truth,
            "score": np.nan,
        }
    )
    for k in range(classes):
        table[f"p{k}"] = p[:, k]
    for d in DETAILS:
        table[d] = np.where(table["set"] == "mshf", rng.integers(0, 2, n), -1)
        table[f"d_{d}"] = np.where(table[d] == 1, rng.uniform(0.4, 1, n), rng.uniform(0, 0.6, n))
    store.write_table(folder / "predictions.csv.gz", table)
    store.write_json(folder / "provenance.json", {})
    return folder


def photograph(key="a", size=512, **severity):
    return Image.fromarray(fundus_camera.fundus(("assess", key), size, severity).pixels)
