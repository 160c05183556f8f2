"""Agreement with experts on EyeQ-D, and whether the pseudo-labels' noise is like an expert's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..scales import DETAILS
from ..stats import kappas
from . import beside_simple
from .names import BAD, row_name
from .text import cell, markdown


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


# ---------------------------------------------------------------- who says what
def confusion(predictions: pd.DataFrame, which: str, methods: Sequence[str]) -> pd.DataFrame:
    """What models (first seed) say where the label is bad or good: method, detail, truth, said (0
    bad, 1 good), pictures; all four of each."""
    rows = []
    for method in methods:
        mine = predictions[(predictions["set"] == which) & (predictions["method"] == method)]
        mine = mine[mine["seed"] == mine["seed"].min()]
        for d in DETAILS:
            part = mine[mine[d] >= 0]
            said = (part[f"d_{d}"] >= 0.5).astype(int)
            rows += [
                {"method": method, "detail": d, "truth": truth, "said": answer}
                | {"pictures": int(((part[d] == truth) & (said == answer)).sum())}
                for truth in (0, 1)
                for answer in (0, 1)
            ]
    return pd.DataFrame(rows, columns=["method", "detail", "truth", "said", "pictures"])


def show_set(frame: pd.DataFrame) -> str:
    """How often people call each detail of a set bad and good, as markdown."""
    counts = [(d, (frame[d] == 0).sum(), (frame[d] == 1).sum()) for d in DETAILS]
    rows = [[d, n, m, f"{n / max(n + m, 1):.0%}"] for d, n, m in counts]
    return markdown(["detail", BAD, "good", f"share {BAD}"], rows) + "\n"


def show_agreement(models: pd.DataFrame, experts: pd.DataFrame) -> str:
    """Kappas as markdown: a line for the experts with each other (where they are known), then each
    model with the label; a column a detail. models: `model_agreement`; experts:
    `expert_agreement`."""
    lines = []
    among = between(experts)
    if len(among):
        lines.append(["experts with each other", *_cells(among)])
    for method, part in models.groupby("method", sort=False):
        lines.append([row_name(str(method)), *_cells(part)])
    return markdown(["kappa with the label", *DETAILS], lines) + "\n"


def _cells(rows: pd.DataFrame) -> list[str]:
    by = rows.set_index("quantity").to_dict("index")
    none = {"estimate": np.nan, "low": np.nan, "high": np.nan}
    return [cell(*(by.get(d, none)[c] for c in ("estimate", "low", "high"))) for d in DETAILS]


def between(experts: pd.DataFrame) -> pd.DataFrame:
    """The experts' mean pairwise kappas of the details, from `expert_agreement`."""
    its = (experts["kappa"] == "mean pairwise") & experts["quantity"].isin(DETAILS)
    return experts[its].reset_index(drop=True)


def sentence(models: pd.DataFrame, experts: pd.DataFrame, told: pd.DataFrame) -> str:
    """For each detail the greatest kappa of a model beside that of the experts with each other;
    and why a kappa is exactly 0. told: `confusion`."""
    among = between(experts).set_index("quantity")["estimate"].to_dict()
    lines = []
    for d in DETAILS:
        its = models[models["quantity"] == d]
        if its["estimate"].isna().all():
            continue
        best = its.loc[its["estimate"].idxmax()]
        beside = f"; experts with each other {among[d]:.2f}" if d in among else ""
        value = cell(best["estimate"], best["low"], best["high"])
        lines.append(f"- {d}: greatest kappa {row_name(best['method'])}, {value}{beside}.")
    return "\n".join([*lines, *_zeros(models, told)])


def _zeros(models: pd.DataFrame, told: pd.DataFrame) -> list[str]:
    """Why kappas of models that look at pictures are exactly 0."""
    lines = []
    for row in models[models["estimate"] == 0].to_dict("records"):
        method, d = row["method"], row["quantity"]
        if beside_simple.is_constant(method):
            continue
        its = told[(told["method"] == method) & (told["detail"] == d)]
        said = its.groupby("said")["pictures"].sum()
        if (said == 0).any():
            word = BAD if said.get(1, 0) == 0 else "good"
            why = (
                f"it calls all {said.sum()} pictures {word}. Its answer is a constant here, and a "
                "constant agrees with anybody exactly as often as chance"
            )
        else:
            why = "it agrees with the label exactly as often as chance"
        lines.append(f"- {row_name(method)}, {d}: kappa is exactly 0, since {why}.")
    return lines


def read_confusion(told: pd.DataFrame) -> str:
    """How each model errs: how much of the bad it misses, and of the good it calls bad. told:
    `confusion`."""
    lines = []
    for method, part in told.groupby("method", sort=False):
        said = []
        for d in DETAILS:
            n = part[part["detail"] == d].set_index(["truth", "said"])["pictures"]
            missed = f"misses {n[0, 1]} of {n[0].sum()} {BAD}"
            said.append(f"{d}: {missed}, calls {n[1, 0]} of {n[1].sum()} good ones {BAD}")
        lines.append(f"- {row_name(str(method))}; " + "; ".join(said) + ".")
    return "\n".join(lines)


def show_experts(experts: pd.DataFrame) -> str:
    """`expert_agreement` as markdown: a line for each quantity, a column a kind of kappa."""
    rows, kinds = [], list(dict.fromkeys(experts["kappa"]))
    for quantity, part in experts.groupby("quantity", sort=False):
        by = part.set_index("kappa").to_dict("index")
        told = [cell(*(by[k][c] for c in ("estimate", "low", "high"))) for k in kinds]
        rows.append([quantity, f"{by[kinds[0]]['pictures']:.0f}", *told])
    return markdown(["", "pictures", *(f"kappa, {k}" for k in kinds)], rows) + "\n"
