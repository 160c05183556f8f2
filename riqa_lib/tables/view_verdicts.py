"""Which operations on pictures keep the quality label: a declared rule, put to measured changes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..seeding import rng
from ..stats import bootstrap
from ..stats.votes import redraw

LIMIT = 0.1  # classes


KEEPS, CHANGES, UNDECIDED = "keeps", "changes", "undecided"


VOTES = [f"c{k}" for k in range(1, 6)]


def disagreement(frame: pd.DataFrame, draws: int = 50, seed: int = 0) -> dict[str, float]:
    """Of pictures with two votes or more (columns c1..c5): redraw, the chance that the label
    changes when all raters are drawn anew; two_raters, the chance that two of a picture's raters
    differ. NaN where nobody's votes are known."""
    known = set(VOTES) <= set(frame)
    votes = frame[VOTES].fillna(0).to_numpy(float) if known else np.zeros((0, 5))
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
    numbers = ["d_true", "flip_true", "d_model", "flip_model"]
    rows = []
    for name, part in changes.groupby("operation", sort=False):
        sums = part.groupby("cluster", sort=True)[numbers].sum(min_count=1).to_numpy(float)
        counts = part.groupby("cluster", sort=True).size().to_numpy(float)
        k = len(counts)
        weights = rng("audit bootstrap", seed, k).multinomial(k, np.full(k, 1 / k), size=resamples)
        draws = (weights @ sums) / (weights @ counts)[:, None]
        ends = np.percentile(draws, [2.5, 97.5], axis=0)
        row: dict[str, object] = {
            "operation": name,
            "group": part["group"].iloc[0],
            "rough": bool(part["rough"].iloc[0]),
            "pictures": len(part),
            "grades_model": part["grade_model"].nunique(),
        }
        for j, number in enumerate(numbers):
            row |= {
                number: part[number].mean(),
                f"{number}_low": ends[0, j],
                f"{number}_high": ends[1, j],
            }
        for by, what, rough in (("by_truth", "true", row["rough"]), ("by_model", "model", False)):
            change, flips = (
                (float(row[f"{n}_{what}_low"]), float(row[f"{n}_{what}_high"]))
                for n in ("d", "flip")
            )  # type: ignore[arg-type]
            row[by] = (
                verdict(change, flips, limit, bool(rough))
                if not math.isnan(change[0])
                else "not measured"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """The verdicts of `summary` in words, as markdown."""
    said = [
        f"{'Simulated' if simulated else 'Real'} data, {int(table['pictures'].max())} pictures.",
        "",
    ]
    for by, who in (("by_truth", "By the true quality"), ("by_model", "By the supervised model")):
        for what in (KEEPS, CHANGES, UNDECIDED, "not measured"):
            names = table.loc[table[by] == what, "operation"]
            if len(names):
                said.append(f"- {who}, **{what}** ({len(names)}): {', '.join(names)}.")
    if table["grades_model"].max() == 1:
        said.append(
            "- The model gives all these pictures **one grade**: that it never changes says nothing of the operations."
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
