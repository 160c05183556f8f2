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
from .text import cell, cell_of, decided, kind_of, markdown, percent, with_ends

LIMIT = 0.1  # classes


KEEPS, CHANGES, UNDECIDED = "keeps", "changes", "undecided"


NOT_MEASURED = "not measured"


WHOLE = ("policy", "network")  # groups: the views that methods learn from, and blanked tokens


# single operations that the figures show, of those that the table has
SHOWN = (
    *("identity", "flip", "quarter turn", "crop 75%", "resized crop 25%", "jitter ±10%"),
    *("jitter ±40%", "noise 10", "brightness u=0.5", "colour u=0.1", "contrast u=0.5"),
    *("sharpness u=0.1", "posterise u=0.1", "solarise u=0.5", "rotate u=0.75", "cutout"),
)


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


def by_effect(table: pd.DataFrame) -> pd.DataFrame:
    """`summary` as figures show it: the policies first, then SHOWN without the identity, each part
    from the most damage to the least (by the truth, where that is not measured by the model)."""
    chosen = table["group"].isin(WHOLE) | table["operation"].isin(SHOWN[1:])
    rows = table[chosen].assign(single=~table["group"].isin(WHOLE))
    rows = rows.assign(effect=rows["d_true"].fillna(rows["d_model"]))
    ordered = rows.sort_values(["single", "effect"], kind="stable", ignore_index=True)
    return ordered.drop(columns=["single", "effect"])


# ---------------------------------------------------------------- in words
BY = {"true": "the true quality", "model": "the supervised model"}


def said_of(row: Mapping, what: str, limit: float) -> str:
    """One side's verdict on an operation with its numbers; what: a key of BY; limit: see
    `verdict`."""
    judged = row["by_truth"] if what == "true" else row["by_model"]
    if judged == NOT_MEASURED:
        return f"by {BY[what]} **{NOT_MEASURED}**"
    change, flips = cell_of(row, f"d_{what}", sign=True), _shares(row, f"flip_{what}")
    least = "no limit is known" if math.isnan(limit) else f"limit {percent(limit)}"
    return f"by {BY[what]} **{judged}** (change {change} class; {flips} of grades change, {least})"


def _shares(row: Mapping, name: str) -> str:
    value, low, high = (percent(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{value} [{low.removesuffix(' %')}, {high.removesuffix(' %')}]"


def on_policies(table: pd.DataFrame, limit: float) -> str:
    """What the rule finds of the views that methods learn from, a line a policy, as markdown.
    table: `summary`; limit: the graders' disagreement that it was made with."""
    rows = table[table["group"] == "policy"]
    lines = [
        f"- **{row['operation']}**: {said_of(row, 'true', limit)}; {said_of(row, 'model', limit)}."
        for row in rows.to_dict("records")
    ]
    kept = rows.loc[(rows["by_truth"] == KEEPS) & (rows["by_model"] == KEEPS), "operation"]
    both = ", ".join(kept) if len(kept) else "none"
    head = f"Policies that keep the label by this rule, both by truth and by the model: **{both}**."
    return "\n".join([head, "", *lines])


def findings(table: pd.DataFrame, simulated: bool, limit: float = math.nan) -> str:
    """What `summary` says, as markdown: of the policies, of all operations, and where truth and
    model disagree. limit: see `verdict`."""
    said = [f"{kind_of(simulated)}, {int(table['pictures'].max())} pictures.", ""]
    said += [on_policies(table, limit), "", "How many operations:", "", _counted(table), ""]
    alone = table[table["group"] != "policy"]
    pairs = {
        "By the truth these change the grade, and the model does not surely see it": (
            (alone["by_truth"] == CHANGES) & (alone["by_model"] != CHANGES)
        ),
        "By the truth these keep the grade, and the model changes its own": (
            (alone["by_truth"] == KEEPS) & (alone["by_model"] == CHANGES)
        ),
        "Both keep": (alone["by_truth"] == KEEPS) & (alone["by_model"] == KEEPS),
    }
    for words, chosen in pairs.items():
        names = alone.loc[chosen, "operation"]
        said.append(f"- {words} ({len(names)}): {', '.join(names) or 'none'}.")
    if table["grades_model"].max() == 1:
        said.append(
            "- The model gives all these pictures **one grade**: that it never changes says "
            "nothing of the operations."
        )
    return "\n".join(said)


def _counted(table: pd.DataFrame) -> str:
    """How many operations each side finds to keep, change, or neither."""
    verdicts = [KEEPS, CHANGES, UNDECIDED, NOT_MEASURED]
    rows = [
        [BY[what], *(str((table[column] == v).sum()) for v in verdicts)]
        for what, column in (("true", "by_truth"), ("model", "by_model"))
    ]
    return markdown(["judged by", *verdicts], rows)


def show(table: pd.DataFrame) -> str:
    """`summary` as markdown, every operation: both changes, both shares of changed grades, both
    verdicts; "(rough)" where the scene is aligned roughly."""
    head = ["operation", "change, truth", "change, model", "grades changed, truth"]
    head += ["grades changed, model", "truth says", "model says"]
    rows = []
    for row in table.to_dict("records"):
        changes = [cell_of(row, f"d_{what}", sign=True) for what in BY]
        shares = [
            "–" if pd.isna(row[f"flip_{what}"]) else _shares(row, f"flip_{what}") for what in BY
        ]
        name = f"{row['operation']} (rough)" if row["rough"] else row["operation"]
        rows.append([name, *changes, *shares, row["by_truth"], row["by_model"]])
    return markdown(head, rows, left=(0, 5, 6)) + "\n"


def graders(disagreement: Mapping[str, float]) -> str:
    """`disagreement` in a sentence."""
    if math.isnan(disagreement["redraw"]):
        return "Nobody's votes are known: there is no limit for the share of changed grades."
    return (
        f"Of {int(disagreement['pictures']):,} labelled pictures with votes, "
        f"{percent(disagreement['redraw'])} would get another label if all raters were drawn anew: "
        f"that is the limit. Two of a picture's raters differ in "
        f"{percent(disagreement['two_raters'])} of the cases."
    )


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


def policies_said(table: pd.DataFrame, seeds: int) -> str:
    """`policies` in words: what RandAugment's views change in training. seeds: of the runs."""
    if table.empty:
        return "One of the two rows is missing, so the policies are not compared in training."
    names = {"mae": "MAE", "macro_mae": "macro-MAE", "srcc": "SRCC"}
    lines = []
    for row in table.to_dict("records"):
        below, above = ("better", "worse") if row["metric"] != "srcc" else ("worse", "better")
        number = cell(row["difference"], row["low"], row["high"], sign=True, digits=3)
        verdict = decided(row["low"], row["high"], f"RandAugment {below}", f"RandAugment {above}")
        lines.append(f"{names[row['metric']]} {number}: {verdict}")
    few = " One seed: this is about these two networks, not about the policies." * (seeds < 2)
    return f"RandAugment less the quality-keeping views: {'; '.join(lines)}.{few}"
