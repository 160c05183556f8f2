"""A small walk of label budgets, written by hand: runs whose errors shrink with the labels."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from riqa_lib import paths, store
from riqa_lib.seeding import rng

P = [f"p{k}" for k in range(5)]
TRAIN, TEST = 160, 400
BUDGETS = (20, 60)
# spread of what each row says, at the least number of labels
SPREAD = {
    "forest": 0.9,
    "ridge": 0.8,
    "supervised": 1.0,
    "supervised_ordinal": 0.95,
    "fixmatch": 1.0,
    "simmatch": 1.3,
    "mean_teacher": 0.55,
}
FEW = ("ridge", "supervised", "fixmatch")  # a row without a network, the base, one of the pool
CEILING = ("forest", "ridge", "supervised", "supervised_ordinal")


def pictures(sources: int = 1) -> pd.DataFrame:
    """TRAIN training, 40 validation and TEST test pictures of so many sources, two a group, and
    some of a pool."""
    g = rng("budget walk")
    n = TRAIN + 40 + TEST
    grade = g.choice(5, n, p=[0.1, 0.2, 0.3, 0.25, 0.15])
    place = np.arange(n)
    frame = pd.DataFrame(
        {"id": [f"i{i:04d}" for i in place], "group": [f"g{i // 2}" for i in place]}
    )
    frame["source"] = [f"s{i // 2 % sources}" for i in place]
    frame["split"] = np.repeat(["train", "val", "test"], [TRAIN, 40, TEST])
    frame["grade"] = grade
    pool = frame.head(30).assign(id=[f"u{i}" for i in range(30)], split="pool", grade=-1)
    return pd.concat([frame, pool], ignore_index=True)


def spread_of(method: str, labels: int) -> float:
    return SPREAD[method] * (BUDGETS[0] / labels) ** 0.2


def predict(frame: pd.DataFrame, method: str, labels: int, seed: int) -> pd.DataFrame:
    """What a run says; the same noise of a picture for all rows, so that they are paired."""
    asked = frame[frame["split"] != "train"].reset_index(drop=True)
    own, shared = rng(method, labels, seed).normal(size=len(asked)), rng("all", seed)
    noise = 0.6 * own + 0.8 * shared.normal(size=len(asked))
    place = asked["grade"].to_numpy() + spread_of(method, labels) * noise
    p = np.exp(-1.5 * (np.arange(5) - place[:, None]) ** 2)
    out = asked[["id", "group", "source", "split"]].assign(truth=asked["grade"])
    out[P] = p / p.sum(axis=1, keepdims=True)
    return out


def long(
    frame: pd.DataFrame, seeds: int = 4, only: Collection[str] = tuple(SPREAD)
) -> pd.DataFrame:
    """Every row on every number of labels, long; of all labels the CEILING."""
    parts = [
        predict(frame, m, n, s).assign(method=m, seed=s, labels=n)
        for m, n in budget_rows(only)
        for s in range(seeds)
    ]
    return pd.concat(parts, ignore_index=True)


def budget_rows(only: Collection[str] = tuple(SPREAD)) -> list[tuple[str, int]]:
    every = [(m, n) for n in BUDGETS for m in SPREAD] + [(m, TRAIN) for m in CEILING]
    return [(m, n) for m, n in every if m in only]


def write_walk(
    name: str = "mine",
    seeds: int = 3,
    simulated: bool = True,
    sources: int = 1,
    only: Collection[str] = tuple(SPREAD),
) -> None:
    """The walk under RIQA_HOME, as notebooks 01 and 20 leave it; only: these rows of it."""
    frame = pictures(sources)
    data = paths.results(name) / "data"
    store.write_table(data / "frame.csv", frame)
    info = {"name": "a set", "simulated": simulated, "size": 48, "classes": 5}
    store.write_json(data / "dataset.json", info)
    for seed in range(seeds):
        for n in (*BUDGETS, TRAIN):
            rows = [m for m, labels in budget_rows(only) if labels == n]
            lines = [write_run(frame, m, n, seed) for m in rows]
            kind = f"budgets-{0 if n == TRAIN else n}-seed{seed}.csv"
            store.write_table(paths.results(name) / "tables" / kind, pd.DataFrame(lines))


def write_run(frame: pd.DataFrame, method: str, labels: int, seed: int) -> dict[str, object]:
    """A finished run; its line in a list."""
    config = {"method": {"name": method}, "labels": labels, "seed": seed}
    folder = store.run_folder(config)
    said = predict(frame, method, labels, seed)
    store.write_table(folder / store.PREDICTIONS["selected"], said)
    if method not in ("forest", "ridge"):  # as if training had made it forget all but grade 0
        last = said.assign(**{p: float(p == "p0") for p in P})
        store.write_table(folder / store.PREDICTIONS["last"], last)
    versions = {"python": "3.11", "torch": "2.11"}
    facts = {"commit": "abc", "machine": "2 cores", "versions": versions, "labels": labels}
    store.write_json(folder / "provenance.json", facts | {"seconds": 30.0, "train_seconds": 20.0})
    return {"run": folder.name, "method": method, "seed": seed, "labels": labels}
