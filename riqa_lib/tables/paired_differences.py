"""Paired differences of fundus rows: who stands in one figure, and a sentence that reads it.
`figures.fundus_results.differences` draws them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..stats.resampling import Bootstrap
from .fundus_pairs import pairs
from .names import LABEL, is_ablation, plain, row_name, set_of_row
from .text import cell

MEASURES = ("macro_f1", "f1", "matched", "auc")  # of the overall grade

SHOWN = ("multi v single", f"multi v {LABEL}", "Student v Teacher")  # of details


def of_bootstrap(boot: Bootstrap, on: str) -> pd.DataFrame:
    """The overall grade on a set, from the bootstrap of `fundus_grades.overall`: a, b, quantity,
    metric (MEASURES), difference, low, high; those pairs of `fundus_pairs.pairs` that are no
    ablation."""
    methods = {method for method, _ in boot.estimate}
    rows = []
    for pair in pairs(methods, label=False):
        if (pair.where, pair.judged) == (on, "overall"):
            for metric in MEASURES:
                d, low, high = boot.difference(pair.a, pair.b, metric)
                told = {"quantity": "overall", "metric": metric, "difference": d}
                rows.append({"a": pair.a, "b": pair.b} | told | {"low": low, "high": high})
    columns = ["a", "b", "quantity", "metric", "difference", "low", "high"]
    return _papers(pd.DataFrame(rows, columns=columns))


def of_comparisons(table: pd.DataFrame, on: str) -> pd.DataFrame:
    """The same part of `comparisons.all_of`, which has no matched threshold."""
    its = (table["set"] == on) & (table["quantity"] == "overall") & table["metric"].isin(MEASURES)
    return _papers(table[its])


def of_details(table: pd.DataFrame, student: str, on: str = "eyeq_d") -> pd.DataFrame:
    """AUC of the details on the set `on`, of the comparisons SHOWN of the Students that learn from
    the set `student`, from `comparisons.all_of`."""
    details = (table["quantity"] != "overall") & table["primary"]
    its = details & (table["set"] == on) & table["comparison"].isin(SHOWN)
    return _papers(table[its & (table["a"].map(set_of_row) == student)])


def _papers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without the ablations, which would crowd a figure."""
    ablation = table["a"].map(is_ablation).astype(bool) | table["b"].map(is_ablation).astype(bool)
    return table[~ablation].reset_index(drop=True)


# ---------------------------------------------------------------- words
def sentence(table: pd.DataFrame) -> str:
    """What the differences of one figure say: of the first measure, or every detail, how many lie
    above and below 0, the largest of each, and how many have 0 in their interval. table: as of
    `of_bootstrap`."""
    judged = table[table["low"].notna()]
    if judged.empty:
        return "No difference can be judged: a class is missing, or one row alone is there."
    first = judged["metric"].iloc[0]
    its = judged[judged["metric"] == first]
    on = set_of_row(its["a"].iloc[0]) if its["quantity"].iloc[0] == "overall" else ""
    above, below = its[its["low"] > 0], its[its["high"] < 0]
    open_ = len(its) - len(above) - len(below)
    said = [_side(above, "above 0", "difference", False), _side(below, "below", "difference", True)]
    return (
        f"By {plain(first, on)}, of {len(its)} differences {said[0]}; {said[1]}; {open_} "
        f"{'has' if open_ == 1 else 'have'} 0 in the interval, which does not say that the two are "
        "alike."
    )


def _side(rows: pd.DataFrame, where: str, column: str, least: bool) -> str:
    lie = "lies" if len(rows) == 1 else "lie"
    if rows.empty:
        return f"none lies {where}"
    one = rows.loc[rows[column].idxmin() if least else rows[column].idxmax()]
    return f"{len(rows)} {lie} {where} (furthest: {_named(one.to_dict())})"


def _named(row: Mapping) -> str:
    of = "" if row["quantity"] == "overall" else f"{row['quantity']}, "
    value = cell(row["difference"], row["low"], row["high"], sign=True, digits=3)
    return f"{of}{row_name(row['a'])} − {row_name(row['b'])} {value}"
