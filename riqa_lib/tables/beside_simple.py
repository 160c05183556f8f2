"""The rows of the fundus tables that train no network (names.FUNDUS_SIMPLE), beside the networks:
which of them a table has, and which a network does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from .names import FUNDUS_CONSTANTS, FUNDUS_SIMPLE, LABEL, TITLES, kind_of_row, row_name

NONE = "all passed"  # what is said of a network that passes every simple row
HEAD = "does not pass (point estimates)"  # of the column


def is_simple(method: str) -> bool:
    """Whether a fundus row trains no network.

    >>> is_simple("forest_eyeq"), is_simple("multi_eyeq")
    (True, False)
    """
    return kind_of_row(method) in FUNDUS_SIMPLE


def is_constant(method: str) -> bool:
    """Whether a fundus row looks at no picture."""
    return kind_of_row(method) in FUNDUS_CONSTANTS


def rows_of(predictions: pd.DataFrame, networks: Sequence[str], on: str = "") -> list[str]:
    """The rows of a table: the simple ones of the set `on` ("": those beside the Teacher), then
    these networks; only those that the predictions have, and a simple one only with every seed of
    the networks, since rows of a table share their seeds."""
    seeds = predictions.groupby("method")["seed"].agg(frozenset).to_dict()
    there = [m for m in networks if m in seeds]
    theirs = {seeds[m] for m in there}
    simple = [f"{kind}_{on}" if on else kind for kind in FUNDUS_SIMPLE]
    return [m for m in simple if {seeds.get(m)} == theirs] + there


def not_passed(row: Mapping, rows: Sequence[Mapping], measures: Sequence[str]) -> list[str]:
    """The simple rows that a network's row is not above, by point estimates, each with the measures
    (columns; more is better) on which; empty for rows that train no network.

    >>> forest = {"method": "forest", "auc": 0.9, "f1": 0.8}
    >>> not_passed({"method": "teacher", "auc": 0.89, "f1": 0.81}, [forest], ["f1", "auc"])
    ['statistics + forest (AUC of bad)']
    """
    if is_simple(row["method"]) or row["method"] == LABEL:
        return []
    said = []
    for simple in rows:
        if is_simple(simple["method"]):
            which = [_plain(m) for m in measures if row[m] <= simple[m]]
            said += [f"{row_name(simple['method'])} ({', '.join(which)})"] if which else []
    return said


def cells(rows: Sequence[Mapping], measures: Sequence[str], of: str = "detail") -> list[str] | None:
    """`not_passed` of each row as the text of a cell, "–" for rows that train no network; None, and
    so no column, where there is no simple row to pass. rows: with method and measures; only those
    alike in the column `of` (where there is one) are held against each other."""
    if not any(is_simple(row["method"]) for row in rows):
        return None
    out = []
    for row in rows:
        beside = [other for other in rows if other.get(of) == row.get(of)]
        network = not is_simple(row["method"]) and row["method"] != LABEL
        said = "; ".join(not_passed(row, beside, measures)) or NONE
        out.append(said if network else "–")
    return out


def add_column(head: list[str], rows: list[list[object]], said: list[str] | None) -> None:
    """Put `cells` at the ends of the rows of a markdown table, under HEAD."""
    if said is not None:
        head.append(HEAD)
        for row, words in zip(rows, said, strict=True):
            row.append(words)


def sentences(table: pd.DataFrame, measures: Sequence[str]) -> list[str]:
    """A line of a list for each network that does not pass a simple row, in words."""
    rows = table.to_dict("records")
    return [
        f"- {row['row']} does not pass {said}, by point estimates."
        for row, said in zip(rows, cells(rows, measures) or [], strict=False)
        if said not in ("–", NONE)
    ]


def _plain(measure: str) -> str:
    return (TITLES | {"estimate": "kappa"})[measure].removesuffix(" ↑")
