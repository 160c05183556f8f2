"""Sentences that read the figures of notebooks 14 to 18: what fundus runs came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..checks import columns
from ..scales import DETAILS
from .localisation import AGAINST, ITSELF
from .names import BAD, encoder_of, name_of, plain, row_name, set_of_row
from .text import cell, cell_of, markdown, said_once


# ---------------------------------------------------------------- runs
def show_runs(runs: pd.DataFrame) -> str:
    """Trained rows as markdown, without the names of their folders: row, encoder, set that it
    learns from, seeds, weight of the details; what is the same in every row once, below. runs: row,
    set, seed, lambda_a."""
    rows = []
    for (row, on), part in runs.groupby(["row", "set"], sort=False):
        weights = sorted({f"{w:g}" for w in part["lambda_a"].dropna()})
        seeds = ", ".join(str(s) for s in sorted(part["seed"]))
        rows.append([row_name(row), encoder_of(row), on, seeds, ", ".join(weights) or "–"])
    head = ["row", "encoder", "learns from", "seeds", "weight of the details"]
    shared = said_once(head, rows, ("encoder", "seeds", "weight of the details"), "In every row")
    return f"{markdown(head, rows, left=range(len(head)))}\n\n{shared.strip()}\n"


def show_calibration(calibration: Mapping[str, Sequence[float]]) -> str:
    """The two numbers by which each detail's logit is calibrated, as markdown, and what they do.
    calibration: by detail (a, b)."""
    rows = [
        [d, f"{a:.2f}", f"{b:+.2f}", "less sure" if a < 1 else "surer"]
        for d in DETAILS
        for a, b in [calibration[d]]
    ]
    return markdown(["detail", "$a$", "$b$", "it makes the Teacher"], rows) + "\n"


def curve_ends(history: pd.DataFrame, column: str) -> str:
    """Where the curves of a figure end, and where each was greatest. history: method, seed, step,
    perhaps fold (the source left out), and the column."""
    columns(history, ["method", "seed", "step", column], "history")
    known = history[history[column].notna()]
    if known.empty:
        return "No evaluation is stored."
    fold = known["fold"].fillna("") if "fold" in known else pd.Series("", known.index)
    told = []
    for (method, left_out), part in known.groupby(["method", fold], sort=False):
        over = part.groupby("step")[column].mean()
        without = "" if left_out in ("", "none") else f" without {left_out}"
        told.append(
            f"{name_of(str(method))}{without} ends at {over.iloc[-1]:.2f}, its greatest is "
            f"{over.max():.2f} at step {over.idxmax():,}"
        )
    return "; ".join(told) + "."


# ---------------------------------------------------------------- details
def detail_points(table: pd.DataFrame) -> str:
    """For each detail the row with the greatest AUC, and where the rows of networks lie. table:
    `fundus_grades.details`."""
    told = []
    for d in DETAILS:
        its = table[table["detail"] == d]
        best, least = its.loc[its["auc"].idxmax()], its.loc[its["f1"].idxmin()]
        told.append(
            f"- {d}: most AUC has {row_name(best['method'])}, {cell_of(best, 'auc')}; least F1 has "
            f"{row_name(least['method'])}, {cell_of(least, 'f1')}."
        )
    return "\n".join(told)


def own_defects(verdicts: pd.DataFrame) -> str:
    """Which heads rise with their own defect, by how much (mean probability of bad, from none to
    the severest), and which more than with another's. verdicts: of `own_defect.verdicts`."""
    if verdicts.empty:
        return "No row was asked of the pictures with one defect each."
    lines = []
    for method, part in verdicts.groupby("method", sort=False):
        rises = part[part["monotone"] & (part["rise"] > 0)]
        rise = [f"{d} ({up:+.2f})" for d, up in zip(rises["detail"], rises["rise"], strict=True)]
        own = part[part["own"]]["detail"].tolist()
        lines.append(
            f"- {name_of(str(method))}: rises with its own defect throughout in "
            f"{', '.join(rise) or 'no detail'}; with its own more than with another's in "
            f"{', '.join(own) or 'no detail'}."
        )
    return "\n".join(lines)


def conditional(table: pd.DataFrame) -> str:
    """In how many heads the AUC stays above chance where the other two details are bad. table: of
    `own_defect.conditional`."""
    lines = []
    for on, part in table[table["among"] == "others bad"].groupby("on", sort=False):
        judged = part[np.isfinite(part["auc_low"])]
        above = judged[judged["auc_low"] > 0.5]
        weak = judged[judged["auc_low"] <= 0.5]
        names = ", ".join(f"{name_of(r['method'])} ({r['detail']})" for _, r in weak.iterrows())
        not_so = f" Not shown for {names}." if len(weak) else ""
        lines.append(
            f"- {on}: of {len(judged)} heads that can be judged where the other two details are "
            f"{BAD}, {len(above)} are above chance.{not_so}"
        )
    return "\n".join(lines)


def calibration(table: pd.DataFrame) -> str:
    """How far said and found shares of good lie apart: mean and largest gap of each detail. table:
    `detail_calibration.calibration`."""
    columns(table, ["detail", "said", "found"], "table")
    told = []
    for d in DETAILS:
        part = table[table["detail"] == d]
        if part.empty:
            continue
        gap = (part["said"] - part["found"]).abs()
        worst = part.loc[gap.idxmax()]
        kind = "good more often" if worst["found"] > worst["said"] else "bad more often"
        told.append(
            f"{d}: mean gap {gap.mean():.2f}, largest {gap.max():.2f} (said {worst['said']:.2f}, "
            f"found {worst['found']:.2f}: {kind} than it says)"
        )
    return "; ".join(told) + "."


# ---------------------------------------------------------------- comparisons and maps
def margins(table: pd.DataFrame) -> str:
    """How many differences of a forest lie on one side of 0, and what they say of equivalence.
    table: rows of `comparisons.all_of`."""
    judged = table[table["low"].notna()]
    if judged.empty:
        return "No difference can be judged."
    above, below = (judged["low"] > 0).sum(), (judged["high"] < 0).sum()
    with_margin = judged[judged["margin"] > 0]
    said = with_margin["verdict"].value_counts()
    words = ", ".join(f"{n} {word}" for word, n in said.items())
    first = judged[judged["primary"]].to_dict("records")
    primary = "; ".join(
        f"{set_of_row(r['a'])}: {plain(r['metric'], set_of_row(r['a']))} "
        f"{cell(r['difference'], r['low'], r['high'], sign=True, digits=3)}"
        for r in first
    )
    return (
        f"Of {len(judged)} differences {above} lie above 0 and {below} below. Within the margins "
        f"set before: {words or 'none was set'}. Primary: {primary or 'none'}."
    )


def null_worlds(table: pd.DataFrame) -> str:
    """How often tests reject where both classifiers are equally good: those that keep the clusters,
    and those that ignore them. table: `null_worlds.run`."""
    null = table[table["true_difference"] == 0]
    ignored = null["clusters"] == "ignored"
    told = []
    for words, rows in (("keep the patients", null[~ignored]), ("ignore them", null[ignored])):
        if rows.empty:
            continue
        worst = rows.loc[rows["rejected"].idxmax()]
        told.append(
            f"tests that {words} reject in {rows['rejected'].min():.1%} to {worst['rejected']:.1%} "
            f"of worlds (most: {str(worst['test']).replace('_', ' ')}, {worst['world']})"
        )
    said = "; ".join(told)
    return f"{said[0].upper()}{said[1:]}. A sound test at 5 % stays near 5 % or below."


def maps_on_defects(result: pd.DataFrame) -> str:
    """How many heads' maps lie on defects more than by chance, of both kinds. result:
    `localisation.table`."""
    told = []
    for against, words in AGAINST.items():
        its = result[result["against"] == against]
        above, below = (its["low"] > 0).sum(), (its["high"] < 0).sum()
        told.append(f"above {words} {above} of {len(its)}, below {below}")
    pairs = result[~result["against"].isin([ITSELF, *AGAINST])]
    more, less = (pairs["low"] > 0).sum(), (pairs["high"] < 0).sum()
    return (
        f"By their intervals: {'; '.join(told)}. Multi-task maps lie on the defects more than "
        f"single-task's in {more} of {len(pairs)} comparisons, less in {less}."
    )
