"""Agreement with experts on EyeQ-D, and whether the pseudo-labels' noise is like an expert's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..scales import DETAILS
from ..stats import kappas
from . import beside_simple


# ---------------------------------------------------------------- experts
def votes_of(frame: pd.DataFrame, quantity: str) -> np.ndarray:
    """Votes (N, graders) on "overall" or a detail, columns <quantity>_1, _2, ... ; (N, 0) where
    nobody's votes are known."""
    names = [
        c for c in frame if c.rpartition("_")[0] == quantity and c.rpartition("_")[2].isdigit()
    ]
    return frame[names].to_numpy(int) if names else np.zeros((len(frame), 0), int)


def expert_agreement(frame: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Kappas of the graders with each other, by patient: quantity, kappa, estimate, low, high,
    pictures, graders. Empty where only one label a picture is known (the real EyeQ-D)."""
    rows = []
    for quantity in ("overall", *DETAILS):
        votes = votes_of(frame, quantity)
        keep = (votes >= 0).all(axis=1)
        if votes.shape[1] < 2 or not keep.any():
            continue
        classes = 3 if quantity == "overall" else 2
        found = kappas.graders(
            votes[keep], frame.loc[keep, "group"], classes=classes, resamples=resamples
        )
        rows.append(found.assign(quantity=quantity))
    return (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=["quantity", "kappa", "estimate", "low", "high"])
    )


def model_agreement(
    predictions: pd.DataFrame, frame: pd.DataFrame, which: str, methods: Sequence[str]
) -> pd.DataFrame:
    """Kappas of models (first seed) with the labels of a set, per detail: method, quantity,
    estimate, low, high, pictures, and, where there are simple rows, not_passed (in words)."""
    rows, group = [], frame.set_index("id")["group"]
    for method in methods:
        mine = predictions[(predictions["set"] == which) & (predictions["method"] == method)]
        mine = mine[mine["seed"] == mine["seed"].min()]
        for d in DETAILS:
            part = mine[mine[d] >= 0]
            found = kappas.cohen(
                part[d], (part[f"d_{d}"] >= 0.5).astype(int), part["id"].map(group)
            )
            rows.append(
                {"method": method, "quantity": d, "pictures": len(part)}
                | dict(zip(("estimate", "low", "high"), found, strict=True))
            )
    said = beside_simple.cells(rows, ("estimate",), "quantity")
    table = pd.DataFrame(rows)
    return table if said is None else table.assign(not_passed=said)


def noise(
    predictions: pd.DataFrame, frame: pd.DataFrame, which: str, method: str = "teacher"
) -> pd.DataFrame:
    """Whether pseudo-labels differ from a grader as graders differ from each other
    (`kappas.noise_like_experts`), one row a detail. Empty where the graders' votes are not known:
    then the claim cannot be tested."""
    mine = predictions[(predictions["set"] == which) & (predictions["method"] == method)]
    mine = mine[mine["seed"] == mine["seed"].min()].set_index("id")
    rows = []
    for d in DETAILS:
        votes = votes_of(frame, d)
        keep = (votes >= 0).all(axis=1) & frame["id"].isin(mine.index).to_numpy()
        if votes.shape[1] < 2 or not keep.any():
            continue
        pseudo = (mine.loc[frame.loc[keep, "id"], f"d_{d}"] >= 0.5).astype(int).to_numpy()
        row: dict[str, object] = {"detail": d}
        rows.append(row | kappas.noise_like_experts(pseudo, votes[keep], frame.loc[keep, "group"]))
    return pd.DataFrame(rows)
