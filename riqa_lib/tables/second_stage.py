"""The second stage of Dang et al. (their Figure 2), as tables: how right the pseudo-labels are, and
what learning from them changes. A method's model grades the pictures without a label; a fresh
network learns from these grades and the labels.

Everything here comes from stored predictions. How right a pseudo-label is can be said where the
true grade is known: in the simulation, and where known grades were hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import paths, store
from ..scales import SECOND
from ..stats import bootstrap
from ..stats.metrics import columns_p
from .names import BASE, name_of, order
from .text import cell

BINS = 10  # of the calibration error, with equal numbers of pictures


def pseudo_labels(runs: pd.DataFrame) -> pd.DataFrame:
    """The pictures that first-stage runs had no label for, with their pseudo-labels: method, seed,
    id, truth (-1 unknown), grade (the most probable one), confidence, p0.. . runs: columns run,
    method, seed (`report.runs_of`).

    Raises ValueError where there are no such runs or pictures."""
    parts = []
    for run in runs[~runs["method"].str.endswith(SECOND)].to_dict("records"):
        table = store.read_predictions(paths.runs() / run["run"])
        hidden = table[table["split"].isin(["pool", "train"])]
        p = hidden[columns_p(table)].to_numpy(float)
        front = {
            "method": run["method"],
            "seed": run["seed"],
            "id": hidden["id"],
            "truth": hidden["truth"],
        }
        told = {"grade": p.argmax(axis=1) if len(p) else [], "confidence": p.max(axis=1, initial=0)}
        parts.append(pd.DataFrame(front | told | {c: hidden[c] for c in columns_p(table)}))
    if not parts or not sum(len(p) for p in parts):
        raise ValueError(
            "no first-stage run with pictures that have no label; run notebooks 03 to 09 first"
        )
    return pd.concat(parts, ignore_index=True)


def per_class(labels: pd.DataFrame) -> pd.DataFrame:
    """Per method, seed and grade: share (of all pseudo-labels), precision (of those given this
    grade, how many are right) and recall (of those that truly have it, how many are given it). nan
    where there are none. labels: from `pseudo_labels`."""
    known = labels[labels["truth"] >= 0]
    rows = []
    for (method, seed), part in known.groupby(["method", "seed"], sort=False):
        truth, grade = part["truth"].to_numpy(), part["grade"].to_numpy()
        for k in range(len(columns_p(part))):
            given, true = grade == k, truth == k
            both = (given & true).sum()
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "grade": k,
                    "share": given.mean(),
                    "true_share": true.mean(),
                    "precision": both / given.sum() if given.any() else np.nan,
                    "recall": both / true.sum() if true.any() else np.nan,
                }
            )
    return pd.DataFrame(rows)


def quality(labels: pd.DataFrame) -> pd.DataFrame:
    """Per method and seed: pictures, accuracy, mae, mean confidence, and the expected calibration
    error over BINS bins of equal size, sum_b n_b / n |mean confidence - accuracy|. Only pictures
    whose truth is known."""
    rows = []
    for (method, seed), part in labels[labels["truth"] >= 0].groupby(
        ["method", "seed"], sort=False
    ):
        sure, right = part["confidence"].to_numpy(), (part["grade"] == part["truth"]).to_numpy()
        bins = [b for b in np.array_split(np.argsort(sure, kind="stable"), BINS) if len(b)]
        ece = sum(len(b) * abs(sure[b].mean() - right[b].mean()) for b in bins) / len(part)
        rows.append(
            {
                "method": method,
                "seed": seed,
                "pictures": len(part),
                "accuracy": right.mean(),
                "mae": (part["grade"] - part["truth"]).abs().mean(),
                "confidence": sure.mean(),
                "ece": ece,
            }
        )
    return pd.DataFrame(rows)


def changes(
    predictions: pd.DataFrame, metrics: Sequence[str] = ("mae", "macro_mae"), resamples: int = 2000
) -> pd.DataFrame:
    """What the second stage changes, per method that has both: first, second and second minus first
    (paired, below 0 is better), each with its 95 % interval over pictures and the seeds that both
    have; for metrics of `stats`. `to_base`: the second stage minus the supervised network of the
    first, which is what the paper's Table 2 is about.

    predictions: long test predictions (method, seed, labels, ...), as of `report.load_runs`."""
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    seeds = predictions.groupby("method")["seed"].agg(set)
    rows = []
    for method in order(m for m in seeds.index if f"{m}{SECOND}" in seeds.index):
        second = f"{method}{SECOND}"
        shared = (
            seeds[method] & seeds[second] & (seeds[BASE] if BASE in seeds.index else seeds[method])
        )
        both = list(dict.fromkeys([method, second, *([BASE] if BASE in seeds.index else [])]))
        part = predictions[predictions["method"].isin(both) & predictions["seed"].isin(shared)]
        if not shared:
            continue
        found = bootstrap.paired_bootstrap(part, both, metrics, resamples)
        row: dict[str, object] = {
            "method": method,
            "seeds": len(shared),
            "pictures": part["id"].nunique(),
        }
        for m in metrics:
            what = {
                "first": found.interval(method, m),
                "second": found.interval(second, m),
                "change": found.difference(second, method, m),
            }
            if BASE in both:
                what["to_base"] = found.difference(second, BASE, m)
            row |= {
                f"{m}_{k}{end}": v
                for k, three in what.items()
                for end, v in zip(("", "_low", "_high"), three, strict=True)
            }
        rows.append(row)
    if not rows:
        raise ValueError("predictions: no method has both stages for the same seed")
    return pd.DataFrame(rows)


def show(table: pd.DataFrame) -> str:
    """`changes` as markdown, in words made from its numbers."""
    head = "| first stage | MAE, first | MAE, second | second − first | second − supervised, first stage |"
    lines = [head, "|---|---:|---:|---:|---:|"]
    for row in table.to_dict("records"):
        cells = [
            cell(
                row[f"mae_{k}"],
                row[f"mae_{k}_low"],
                row[f"mae_{k}_high"],
                sign=k in ("change", "to_base"),
            )
            if f"mae_{k}" in row
            else "–"
            for k in ("first", "second", "change", "to_base")
        ]
        lines.append("| " + " | ".join([name_of(row["method"]), *cells]) + " |")
    better = [name_of(r["method"]) for r in table.to_dict("records") if r["mae_change_high"] < 0]
    worse = [name_of(r["method"]) for r in table.to_dict("records") if r["mae_change_low"] > 0]
    said = f"The second stage lowers the MAE of {', '.join(better) or 'none'}, raises that of {', '.join(worse) or 'none'}; "
    said += (
        f"for the other {len(table) - len(better) - len(worse)} the interval holds 0: not decided."
    )
    return (
        "\n".join(lines)
        + f"\n\n{said} Seeds: {int(table['seeds'].min())}; test pictures: {int(table['pictures'].max())}.\n"
    )
