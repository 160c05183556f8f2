"""Comparisons of fundus rows as answers: what is compared, the answer in a word, the interval, and
what could have been shown. Rows are those of `comparisons.all_of`, which has every test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .fundus_pairs import HELD_OUT
from .names import kind_of_row, name_of, row_name
from .one_comparison import measured
from .text import cell, markdown

BETTER, WORSE, ALIKE = "better", "worse", "alike"
OPEN, NOT_JUDGED = "not shown", "cannot be judged"
WORDS = (BETTER, WORSE, ALIKE, OPEN, NOT_JUDGED)


def answer(row: Mapping) -> str:
    """The answer of one comparison in a word: BETTER or WORSE where p is below 0.05 after Holm's
    correction, else ALIKE where it is equivalent within a margin set before, else OPEN, which is
    not "alike"; NOT_JUDGED where a class is missing.

    >>> row = {"difference": 0.1, "low": 0.0, "high": 0.2, "p_holm": 0.3, "verdict": "undecided"}
    >>> answer(row), answer(row | {"p_holm": 0.01}), answer(row | {"verdict": "equivalent"})
    ('not shown', 'better', 'alike')
    """
    if not np.isfinite([row["difference"], row["low"], row["high"], row["p_holm"]]).all():
        return NOT_JUDGED
    if row["p_holm"] < 0.05:
        return BETTER if row["difference"] > 0 else WORSE
    return ALIKE if row["verdict"] == "equivalent" else OPEN


def show(table: pd.DataFrame) -> str:
    """Primary rows of `comparisons.all_of` as markdown: comparison, answer in a word, difference
    with its interval, the least difference that these data would have shown, the margin."""
    head = ["a − b", "on", "quantity", "a is", "difference [95 %]", "would have shown", "margin"]
    rows = []
    for row in table[table["primary"]].to_dict("records"):
        value = cell(row["difference"], row["low"], row["high"], sign=True, digits=3)
        what = f"{row['quantity']}, {measured(row)}"
        on = row["set"]
        pair = f"{_name(row['a'], on)} − {_name(row['b'], on)}"
        said = answer(row)
        word = f"**{said}**" if said in (BETTER, WORSE, ALIKE) else said
        rows.append([pair, on, what, word, value, cell(row["detectable"], digits=3), _margin(row)])
    foot = (
        f'"{BETTER}", "{WORSE}": p < 0.05 after Holm\'s correction; "{ALIKE}": equivalent within '
        f'the margin (90 % interval); "{OPEN}": neither, which is not "{ALIKE}". *Would have '
        "shown*: the least true difference that data like these show in four of five studies."
    )
    return "\n".join([markdown(head, rows, left=range(4)), "", foot])


def _margin(row: Mapping) -> str:
    return cell(row["margin"] if row["margin"] > 0 else np.nan, digits=3)


def _name(method: str, on: str) -> str:
    """A row's name; with the set that it learns from where the comparison is on another."""
    return name_of(method) if on in HELD_OUT else row_name(method)


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How often each answer was given: comparison, judged ("overall" or "details"), comparisons,
    and a column for each of WORDS; of the primary rows."""
    its = table[table["primary"]]
    its = its.assign(
        word=[answer(row) for row in its.to_dict("records")],
        pair=_kinds(its),
        judged=np.where(its["quantity"] == "overall", "overall", "details"),
    )
    rows = []
    for (pair, judged), part in its.groupby(["pair", "judged"], sort=False):
        said = part["word"].value_counts()
        about = {"comparison": pair, "judged": judged, "comparisons": len(part)}
        rows.append(about | {word: int(said.get(word, 0)) for word in WORDS})
    return pd.DataFrame(rows)


def _kinds(table: pd.DataFrame) -> list[str]:
    """What is compared, in words, of each row; of rows of different sets the same."""
    first, second = (table[c].map(kind_of_row) for c in "ab")
    return [f"{row_name(a)} − {row_name(b)}" for a, b in zip(first, second, strict=True)]


def findings(table: pd.DataFrame) -> str:
    """`counts` in words, a line for each kind of comparison: what the answers come to."""
    lines = []
    for row in counts(table).to_dict("records"):
        said = [f"{row[word]} {word}" for word in WORDS if row[word]]
        what = "overall grade" if row["judged"] == "overall" else "details"
        lines.append(f"- {row['comparison']}, {what}: of {row['comparisons']} {', '.join(said)}.")
    return "\n".join(lines)
