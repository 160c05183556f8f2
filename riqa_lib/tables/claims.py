"""The paper's own comparisons beside ours: what it says, what our runs say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..stats import bootstrap
from .names import BASE, PUBLISHED, SECOND
from .published import printed
from .text import cell, markdown

# ---------------------------------------------------------------- its claims, beside our runs
STAGES = {"first": "", "second": SECOND}


SHORT = {"mae": "all grades", "mae_3": "grade 3", "mae_4": "grade 4", "mae_34": "grades 3 and 4"}


def _shared(
    test: pd.DataFrame, names: Sequence[str], resamples: int
) -> tuple[bootstrap.Bootstrap, int] | None:
    """One bootstrap of these rows over the seeds that all have, and how many these are; None where
    there is none."""
    seeds = set.intersection(*({*test.loc[test["method"] == name, "seed"]} for name in names))
    part = test[test["method"].isin(names) & test["seed"].isin(seeds)]
    return (
        (bootstrap.paired_bootstrap(part, names, list(PUBLISHED), resamples), len(seeds))
        if seeds
        else None
    )


def claims(predictions: pd.DataFrame, simulated: bool, resamples: int = 2000) -> pd.DataFrame:
    """Every comparison that Table 2 prints, beside ours: each method with the ViT, and the best row
    with all others, in each column. Two rows a claim, one for each stage of ours (Table 2 does not
    say which it reports); the ViT is always our first.

    predictions: long (method, seed, labels, ...), as of `report.load_walk`; split test where there
    is a split. Of several numbers of labels, the one of "supervised" with the most other rows
    counts. Columns: claim, metric, method, against ("supervised", or "all others"), published,
    published_against, stage, seeds, ours, ours_against, d, d_low, d_high (ours minus theirs, paired
    over pictures and shared seeds; for "all others": to the best of them), verdict, data. verdict:
    "better" and "worse" where the interval (for "all others": every one of them, or any) lies on
    one side of 0, "not decided" where it holds 0, "not compared" where the grade is missing, "not
    run" where runs are. Raises ValueError without test predictions of "supervised"."""
    test = predictions[predictions["split"] == "test"] if "split" in predictions else predictions
    budgets = test.loc[test["method"] == BASE, "labels"].unique()
    if not len(budgets):
        raise ValueError(
            "predictions: no test predictions of supervised; run notebook 03_vit_supervised first"
        )
    most = max(budgets, key=lambda n: (test.loc[test["labels"] == n, "method"].nunique(), n))
    test, paper = test[test["labels"] == most], printed()
    asked: list[tuple[str, str, list[str]]] = [
        (m, name, [BASE]) for name in PUBLISHED for m in paper.index if m != BASE
    ]
    asked += [(str(paper[name].idxmin()), name, []) for name in PUBLISHED]  # against all others
    found: dict[tuple, tuple[bootstrap.Bootstrap, int] | None] = {}
    rows = []
    for method, metric, against in asked:
        others = against or [m for m in paper.index if m != method]
        value, best = paper.loc[method, metric], paper.loc[others, metric].min()
        relation = (
            "better than" if value < best else "no better than" if value == best else "worse than"
        )
        said = f"{paper.loc[method, 'row']} {relation} {'the ViT' if against else 'all others'}, {SHORT[metric]}"
        for stage, end in STAGES.items():
            names = [m if m == BASE else m + end for m in (method, *others)]
            key = tuple(sorted(names))
            if key not in found:
                found[key] = _shared(test, sorted(names), resamples)
            row = {
                "claim": said,
                "metric": metric,
                "method": method,
                "against": against[0] if against else "all others",
                "published": value,
                "published_against": best,
                "stage": stage,
            }
            rows.append(
                row
                | _ours(found[key], names, metric)
                | {"data": "simulated" if simulated else "real"}
            )
    return pd.DataFrame(rows)


def _ours(
    found: tuple[bootstrap.Bootstrap, int] | None, names: list[str], metric: str
) -> dict[str, object]:
    """Our side of a claim: names[0] against the rest."""
    if found is None:
        return {
            "seeds": 0,
            **dict.fromkeys(("ours", "ours_against", "d", "d_low", "d_high"), np.nan),
            "verdict": "not run",
        }
    draws, seeds = found
    gaps_ = [draws.difference(names[0], other, metric) for other in names[1:]]
    estimate, low, high = max(gaps_, key=lambda g: g[0])  # to the best of the others
    decided = (
        "better"
        if all(g[2] < 0 for g in gaps_)
        else "worse"
        if any(g[1] > 0 for g in gaps_)
        else "not decided"
    )
    if any(np.isnan(g).any() for g in gaps_):  # no such grade in the test pictures
        decided = "not compared"
    ours = draws.estimate[names[0], metric]
    return {
        "seeds": seeds,
        "ours": ours,
        "ours_against": ours - estimate,
        "d": estimate,
        "d_low": low,
        "d_high": high,
        "verdict": decided,
    }


def show_claims(table: pd.DataFrame) -> str:
    """`claims` as markdown: the published numbers, ours with the paired difference per stage, and a
    count of the verdicts."""
    stages = [s for s in STAGES if (table.loc[table["stage"] == s, "verdict"] != "not run").any()]
    head = [
        "the paper's numbers say",
        "published",
        *(f"ours, {s} stage{end}" for s in stages for end in ("", ": verdict")),
    ]
    rows, counted = [], []
    for claim, part in table.groupby("claim", sort=False):
        row = [claim, f"{part['published'].iloc[0]:.2f} v {part['published_against'].iloc[0]:.2f}"]
        for s in stages:
            one = part[part["stage"] == s].iloc[0]
            gap = cell(one["d"], one["d_low"], one["d_high"], sign=True)
            row += [
                f"{cell(one['ours'])} v {cell(one['ours_against'])}: {gap}"
                if one["seeds"]
                else "–",
                one["verdict"],
            ]
        rows.append(row)
    for s in stages:
        part = table[(table["stage"] == s) & (table["published"] < table["published_against"])]
        n = part["verdict"].value_counts()
        each = ", ".join(
            f"{n.get(v, 0)} {v}"
            for v in ("better", "worse", "not decided", "not compared", "not run")
            if n.get(v, 0)
        )
        counted.append(
            f"{s} stage: of {len(part)} advantages that the paper prints, ours are {each}"
        )
    kind = "Simulated data" if (table["data"] == "simulated").all() else "Real data"
    said = (
        f"{kind}, up to {table['seeds'].max()} seeds. "
        + ("; ".join(counted) or "None of these rows was run")
        + ". "
    )
    said += "“Not decided”: the interval holds 0. No correction for the number of claims."
    return markdown(head, rows, [0, *range(3, len(head), 2)]) + f"\n\n{said}\n"
