"""Predictions of photographs as they are tracked: a line for each picture, and for each run a
column of every probability but the middle grade's, which is what is left to 1, in whole
ten-thousandths. A third of what a line for each picture and run takes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import store

STEPS = 10_000  # of a probability
RUN = ["method", "labels", "seed"]


def whole_steps(p: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Probabilities (N, C) as whole numbers of steps that sum to `steps`, the largest the same.

    >>> whole_steps(np.array([[0.33334, 0.33333, 0.33333]]))
    array([[3334., 3333., 3333.]])
    """
    q = np.round(p * steps)
    first = p.argmax(axis=1)
    q[np.arange(len(q)), first] += steps - q.sum(axis=1)
    for _ in range(p.shape[1]):  # at most a few steps are owed, where two are as large
        rows = np.flatnonzero(q.argmax(axis=1) != first)
        q[rows, q[rows].argmax(axis=1)] -= 1
        q[rows, first[rows]] += 1
    return q


def _middle(columns: list[str]) -> str:
    return columns[len(columns) // 2]


def packed(predictions: pd.DataFrame) -> pd.DataFrame:
    """The wide table of a long one (method, labels, seed, id, what is known of the picture, p0,
    p1, ... in whole ten-thousandths that sum to 1). A run that says nothing of a picture leaves its
    cells empty. ValueError where runs differ in what is known of a picture."""
    names = store.columns_of_p(predictions)
    known = [c for c in predictions if c not in {*RUN, *names}]
    pictures = predictions[known].drop_duplicates().sort_values("id", kind="stable")
    if pictures["id"].duplicated().any():
        twice = pictures.loc[pictures["id"].duplicated(), "id"].iloc[0]
        raise ValueError(f"picture {twice}: runs say different things of what is known of it")
    kept = [n for n in names if n != _middle(names)]
    steps = (predictions[kept] * STEPS).round().astype("Int64")
    long = pd.concat([predictions[["id", *RUN]], steps], axis=1)
    # a probability of all runs, then the next: alike beside alike
    wide = long.pivot(index="id", columns=RUN, values=kept)  # noqa: PD010 (a table would average)
    wide.columns = ["/".join(map(str, (*run, p))) for p, *run in wide.columns]
    return pictures.merge(wide.reset_index(), on="id", validate="1:1").reset_index(drop=True)


def unpacked(wide: pd.DataFrame) -> pd.DataFrame:
    """The long table of a wide one, by run, then by picture. ValueError for a column that is no
    run's."""
    told = [c for c in wide if "/" in c]
    known = [c for c in wide if "/" not in c]
    parts = pd.DataFrame([c.split("/") for c in told], columns=[*RUN, "p"], index=told)
    kept = sorted(parts["p"].unique(), key=lambda name: int(name[1:]))
    names = [f"p{k}" for k in range(len(kept) + 1)]
    if {*kept} != {*names} - {_middle(names)}:
        raise ValueError(f"probabilities {', '.join(kept)}: expected all but the middle grade's")
    parts["seed"], parts["labels"] = parts["seed"].astype(int), parts["labels"].astype(int)
    runs = []
    for run, columns in parts.sort_values(RUN, kind="stable").groupby(RUN, sort=False):
        p = wide[list(columns.index)].set_axis(list(columns["p"]), axis=1) / STEPS
        said = p.notna().all(axis=1)
        p[_middle(names)] = (1 - p.sum(axis=1)).round(4)
        front = dict(zip(RUN, run, strict=True))
        mine = pd.concat([wide[known], p[names]], axis=1)[said].assign(**front)
        runs.append(mine[["method", "seed", "labels", *known, *names]])
    return pd.concat(runs, ignore_index=True)
