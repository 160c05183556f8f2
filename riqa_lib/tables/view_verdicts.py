"""Which operations on pictures keep the quality label: a declared rule, put to measured changes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..seeding import rng
from ..stats import bootstrap
from ..stats.resampling import Floats, drawn, percentiles
from ..stats.votes import redraw, vote_columns
from .text import kind_of, with_ends

LIMIT = 0.1  # classes


KEEPS, CHANGES, UNDECIDED = "keeps", "changes", "undecided"


NOT_MEASURED = "not measured"


NUMBERS = ["d_true", "flip_true", "d_model", "flip_model"]


def disagreement(frame: pd.DataFrame, draws: int = 50, seed: int = 0) -> dict[str, float]:
    """Of pictures with two votes or more (columns c1, c2, ..): redraw, the chance that the label
    changes when all raters are drawn anew; two_raters, the chance that two of a picture's raters
    differ. NaN where nobody's votes are known."""
    names = vote_columns(frame)
    known = {*names} <= {*frame}
    votes = frame[names].fillna(0).to_numpy(float) if known else np.zeros((0, len(names)))
    votes = votes[votes.sum(axis=1) >= 2]
    if len(votes) == 0:
        return {"pictures": 0, "redraw": math.nan, "two_raters": math.nan}
    g, n = rng("redraw", seed), votes.sum(axis=1)
    same = (votes * (votes - 1)).sum(axis=1) / (n * (n - 1))
    again = float(np.mean([redraw(votes, g)[0] for _ in range(draws)]))
    return {"pictures": len(votes), "redraw": again, "two_raters": float((1 - same).mean())}


# ---------------------------------------------------------------- the verdict, and training
def verdict(
    change: tuple[float, float], flips: tuple[float, float], limit: float, rough: bool = False
) -> str:
    """The rule on 95 % intervals (low, high) of the mean change (classes) and the flip rate; limit:
    graders' disagreement.

    "keeps": both intervals wholly within the limits; "changes": one wholly outside; else, or where
    a number is not known, "undecided". rough: "changes" where the mean change is surely damage of
    LIMIT or more, else "undecided"."""
    if rough:
        return CHANGES if change[1] <= -LIMIT else UNDECIDED
    low, high = (0.0 if change[0] < 0 < change[1] else min(map(abs, change))), max(map(abs, change))
    if low >= LIMIT or flips[0] > limit:
        return CHANGES
    return KEEPS if high < LIMIT and flips[1] <= limit else UNDECIDED


def summary(
    changes: pd.DataFrame, limit: float, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """`measure` per operation: means with 95 % percentile intervals (bootstrap over clusters of
    pictures, the same draws for all operations), and the verdicts `by_truth` and `by_model`. limit:
    see `verdict`; its own error is not in the intervals."""
    rows = []
    for name, part in changes.groupby("operation", sort=False):
        low, high = _ends(part, resamples, seed)
        row: dict[str, object] = {
            "operation": name,
            "group": part["group"].iloc[0],
            "rough": bool(part["rough"].iloc[0]),
            "pictures": len(part),
            "grades_model": part["grade_model"].nunique(),
        }
        for j, number in enumerate(NUMBERS):
            row |= with_ends(number, (part[number].mean(), low[j], high[j]))
        row["by_truth"] = _judged(row, "true", limit, bool(row["rough"]))
        row["by_model"] = _judged(row, "model", limit, False)
        rows.append(row)
    return pd.DataFrame(rows)


def _ends(part: pd.DataFrame, resamples: int, seed: int) -> Floats:
    """Both ends (2, 4) of the 95 % intervals of the mean NUMBERS of one operation."""
    clusters = part.groupby("cluster", sort=True)
    sums = clusters[NUMBERS].sum(min_count=1).to_numpy(float)
    counts = clusters.size().to_numpy(float)
    weights = drawn(rng("audit bootstrap", seed, len(counts)), len(counts), resamples)
    return percentiles((weights @ sums) / (weights @ counts)[:, None], (0.025, 0.975))


def _judged(row: Mapping, what: str, limit: float, rough: bool) -> str:
    change, flips = (
        (float(row[f"{n}_{what}_low"]), float(row[f"{n}_{what}_high"])) for n in ("d", "flip")
    )
    return NOT_MEASURED if math.isnan(change[0]) else verdict(change, flips, limit, rough)


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """The verdicts of `summary` in words, as markdown."""
    said = [f"{kind_of(simulated)}, {int(table['pictures'].max())} pictures.", ""]
    for by, who in (("by_truth", "By the true quality"), ("by_model", "By the supervised model")):
        for what in (KEEPS, CHANGES, UNDECIDED, NOT_MEASURED):
            names = table.loc[table[by] == what, "operation"]
            if len(names):
                said.append(f"- {who}, **{what}** ({len(names)}): {', '.join(names)}.")
    if table["grades_model"].max() == 1:
        said.append(
            "- The model gives all these pictures **one grade**: that it never changes says "
            "nothing of the operations."
        )
    return "\n".join(said)


def policies(
    predictions: pd.DataFrame, a: str = "fixmatch_randaugment", b: str = "fixmatch"
) -> pd.DataFrame:
    """MAE, macro-MAE and SRCC of row a less row b on the same test pictures, with 95 % intervals;
    empty where one is missing."""
    test = predictions[predictions["split"] == "test"]
    if not {a, b} <= set(test["method"]):
        return pd.DataFrame(columns=["metric", "difference", "low", "high"])
    measures = ["mae", "macro_mae", "srcc"]
    found = bootstrap.paired_bootstrap(test, [a, b], measures)
    rows = [(m, *found.difference(a, b, m)) for m in measures]
    return pd.DataFrame(rows, columns=["metric", "difference", "low", "high"])
