"""The rows of the fundus tables that train no network (names.FUNDUS_SIMPLE), beside the networks:
which of them a table has, and which a network does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from .names import FUNDUS_CONSTANTS, FUNDUS_SIMPLE, LABEL, kind_of_row, plain, row_name, set_of_row

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


def tells_details(method: str) -> bool:
    """Whether tables show what a row says of details: not of what trains no network and learns the
    overall grade of a set.

    >>> tells_details("forest"), tells_details("forest_eyeq"), tells_details("single_eyeq")
    (True, False, True)
    """
    return not (is_simple(method) and set_of_row(method))


def rows_of(predictions: pd.DataFrame, networks: Sequence[str], on: str = "") -> list[str]:
    """The rows of a table: the simple ones of the set `on` ("": those beside the Teacher), then
    these networks; only those that the predictions have. Rows of a table share their seeds, so a
    row whose seeds are not those that most of the networks have (as often: the more seeds) is left
    out."""
    seeds = predictions.groupby("method")["seed"].agg(frozenset).to_dict()
    every = [seeds[m] for m in networks if m in seeds]
    theirs = max(every, key=lambda s: (every.count(s), len(s)), default=None)
    simple = [f"{kind}_{on}" if on else kind for kind in FUNDUS_SIMPLE]
    return [m for m in (*simple, *networks) if theirs is not None and seeds.get(m) == theirs]


def not_passed(
    row: Mapping, rows: Sequence[Mapping], measures: Sequence[str], on: str = ""
) -> list[str]:
    """The simple rows that a network's row is not above, by point estimates, each with the measures
    (columns; more is better) on which; empty for rows that train no network. on: the set whose
    overall grade is judged (see `names.title`).

    >>> forest = {"method": "forest", "auc": 0.9, "f1": 0.8}
    >>> not_passed({"method": "teacher", "auc": 0.89, "f1": 0.81}, [forest], ["f1", "auc"])
    ['statistics + forest (AUC of bad)']
    """
    if is_simple(row["method"]) or row["method"] == LABEL:
        return []
    said = []
    for simple in rows:
        if is_simple(simple["method"]):
            which = [_said(m, on) for m in measures if row[m] <= simple[m]]
            said += [f"{row_name(simple['method'])} ({', '.join(which)})"] if which else []
    return said


def cells(
    rows: Sequence[Mapping], measures: Sequence[str], of: str = "detail", on: str = ""
) -> list[str] | None:
    """`not_passed` of each row as the text of a cell, "–" for rows that train no network; None, and
    so no column, where there is no simple row to pass. rows: with method and measures; only those
    alike in the column `of` (where there is one) are held against each other. on: as in
    `not_passed`."""
    if not any(is_simple(row["method"]) for row in rows):
        return None
    out = []
    for row in rows:
        beside = [other for other in rows if other.get(of) == row.get(of)]
        network = not is_simple(row["method"]) and row["method"] != LABEL
        said = "; ".join(not_passed(row, beside, measures, on)) or NONE
        out.append(said if network else "–")
    return out


def add_column(head: list[str], rows: list[list[object]], said: list[str] | None) -> None:
    """Put `cells` at the ends of the rows of a markdown table, under HEAD."""
    if said is not None:
        head.append(HEAD)
        for row, words in zip(rows, said, strict=True):
            row.append(words)


def sentences(table: pd.DataFrame, measures: Sequence[str], on: str = "") -> list[str]:
    """A line of a list for each network that does not pass a simple row, in words."""
    rows = table.to_dict("records")
    return [
        f"- {row['row']} does not pass {said}, by point estimates."
        for row, said in zip(rows, cells(rows, measures, on=on) or [], strict=False)
        if said not in ("–", NONE)
    ]


def _said(measure: str, on: str) -> str:
    return "kappa" if measure == "estimate" else plain(measure, on)
