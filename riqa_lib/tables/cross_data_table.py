"""Trained on one data set, tested on another: how well expected grades agree with the other set's
scores, with intervals over its pictures by group.

From what graders said of each set (`training.cross_data.asked`, stacked) and the facts about each
pair of sets (`facts`, a row a pair). A set on itself is its test part: what a model is worth at
home, beside what is left of it elsewhere. Errors in grades are there only where both sets' grades
mean the same; a rank correlation asks for no common scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from .. import checks
from ..stats.score_agreement import ALL, WITHIN, agreement
from .names import order
from .text import cell_of, kind_of, markdown

SAID = ("trained_on", "tested_on", "row", "id", "group", "subset", "score", "grade", "expected")
FACTS = (
    "trained_on",
    "tested_on",
    "simulated_trained",
    "simulated_tested",
    "size",
    "pictures",
    "against",
    "no_mae",
    "shown",
    "copies",
)
PAIR = ["trained_on", "tested_on"]
METRICS = {"srcc": "SRCC ↑", "krcc": "KRCC ↑", "plcc": "PLCC ↑", "mae": "MAE ↓"}
CHECKED = (
    "Near-copies of what was learnt from are looked for by a perceptual hash (256 bits, at most 60 "
    "differ) on the pictures as they are shown: cut or strongly distorted ones are not found."
)


# ---------------------------------------------------------------- the table
def cross_data(
    said: pd.DataFrame, facts: pd.DataFrame, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """One row a pair of sets, row and part: trained_on, tested_on, row and the columns of
    `score_agreement.agreement`, in the order of facts, rows as tables order them.

    said: SAID; facts: FACTS. mae is of the expected grade, nan where facts say why (no_mae).
    ValueError for missing columns, or a pair without facts."""
    checks.columns(said, SAID, "said")
    checks.has(facts, FACTS, "facts")
    known = facts.fillna({"no_mae": ""}).set_index(PAIR)
    if lacking := {*map(tuple, said[PAIR].drop_duplicates().values)} - {*known.index}:
        raise ValueError(f"facts: none about {' on '.join(sorted(lacking)[0])}")
    tables = []
    for pair in known.index:
        of_pair = said[(said["trained_on"] == pair[0]) & (said["tested_on"] == pair[1])]
        same = not known.loc[pair, "no_mae"]
        for row in order(of_pair["row"]):
            its = of_pair[of_pair["row"] == row]
            one = agreement(
                its["expected"],
                its["score"],
                its["group"].astype(str).tolist(),
                its["subset"].fillna("").astype(str).tolist(),
                its["grade"] if same else None,
                resamples,
                seed,
            )
            front = {"trained_on": pair[0], "tested_on": pair[1], "row": row}
            tables.append(one.assign(**front)[[*front, *one]])
    out = pd.concat(tables, ignore_index=True)
    mae = ["mae", "mae_low", "mae_high"]
    return out.reindex(columns=[*[c for c in out if c not in (*mae, "note")], *mae, "note"])


# ---------------------------------------------------------------- as text
def show(
    table: pd.DataFrame,
    facts: pd.DataFrame,
    sets: pd.DataFrame | None = None,
    named: Callable[[str], str] = str,
    rows: Sequence[str] = (),
) -> str:
    """Markdown: a table of SRCC for each set that was learnt from, with a column for each tested
    set (and one within its subsets), then KRCC, PLCC and MAE of all pictures; how pictures were
    shown, and which sets were not found.

    sets: key, title, state of `training.cross_data.sets_found`. named: a row's name in words; rows:
    their order."""
    parts, facts = [], facts.fillna({"no_mae": ""})
    for trained in dict.fromkeys(facts["trained_on"]):
        mine, about = table[table["trained_on"] == trained], facts[facts["trained_on"] == trained]
        parts += [_head(trained, about), _grid(mine, about, named, rows)]
        parts += [_others(mine, about, named, rows), _notes(about)]
    if sets is not None:
        parts.append(not_found(sets))
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(trained: str, about: pd.DataFrame) -> str:
    kind = kind_of(bool(about["simulated_trained"].iloc[0]))
    return f"**Trained on {trained}** ({kind.lower()}, {about['size'].iloc[0]} px):"


def _in_order(mine: pd.DataFrame, rows: Sequence[str]) -> list[str]:
    there = set(mine["row"])
    known = [row for row in rows if row in there]
    return known + [row for row in order(there) if row not in known]


def _grid(
    mine: pd.DataFrame, about: pd.DataFrame, named: Callable[[str], str], rows: Sequence[str]
) -> str:
    """SRCC, a row a model; columns: sets, all pictures and within subsets."""
    columns = [
        (on, part)
        for on in about["tested_on"]
        for part in (ALL, WITHIN)
        if ((mine["tested_on"] == on) & (mine["part"] == part)).any()
    ]
    heads = [f"{on}{', within subsets' if part == WITHIN else ''}" for on, part in columns]
    cells = mine.set_index(["row", "tested_on", "part"])
    lines = [
        [named(row), *(_cell(cells, (row, *column), "srcc") for column in columns)]
        for row in _in_order(mine, rows)
    ]
    return markdown(["SRCC ↑ on", *heads], lines)


def _cell(cells: pd.DataFrame, key: tuple[str, ...], metric: str) -> str:
    return cell_of(cells.loc[key].to_dict(), metric) if key in cells.index else "–"


def _others(
    mine: pd.DataFrame, about: pd.DataFrame, named: Callable[[str], str], rows: Sequence[str]
) -> str:
    """KRCC, PLCC and, where there is one, MAE of all pictures, a line a set and model."""
    every = mine[mine["part"] == ALL]
    metrics = [m for m in METRICS if m != "srcc" and (m != "mae" or every["mae"].notna().any())]
    cells = every.set_index(["row", "tested_on"])
    lines = [
        [on, named(row), *(_cell(cells, (row, on), metric) for metric in metrics)]
        for on in about["tested_on"]
        for row in _in_order(every[every["tested_on"] == on], rows)
    ]
    return markdown(["tested on", "", *(METRICS[m] for m in metrics)], lines, left=(0, 1))


def _notes(about: pd.DataFrame) -> str:
    """A line a tested set: what it is, how it was shown, what was left out, why there is no
    MAE."""
    lines = []
    for row in about.to_dict("records"):
        parts = [
            f"{row['tested_on']}: {kind_of(bool(row['simulated_tested'])).lower()}, "
            f"{int(row['pictures']):,} pictures, {row['shown']}; against the {row['against']}"
        ]
        if pd.notna(row["copies"]):
            parts.append(f"{int(row['copies']):,} near-copies left out")
        if row["no_mae"]:
            parts.append(f"no MAE ({row['no_mae']})")
        lines.append(f"- {'; '.join(parts)}.")
    said = [CHECKED] if about["copies"].notna().any() else []
    return "\n".join([*lines, "", *said]).strip()


def not_found(sets: pd.DataFrame) -> str:
    """One line: the real sets that could not be tested on, and why.

    >>> not_found(pd.DataFrame({"title": ["CSIQ", "TID2013"], "state": ["found", "not found"]}))
    'Not tested on: TID2013 (not found).'
    """
    lacking = sets[sets["state"] != "found"]
    if lacking.empty:
        return ""
    said = [f"{row.title} ({str(row.state).splitlines()[0]})" for row in lacking.itertuples()]
    return f"Not tested on: {', '.join(said)}."


# ---------------------------------------------------------------- the most wrong
def most_wrong(said: pd.DataFrame, each: int = 2) -> pd.DataFrame:
    """The pictures that a row of one set puts furthest from where their scores put them, by rank
    among all: `each` that it likes too much (side "too high") and too little ("too low").

    said: row, id, score, expected, of one tested set. Columns: row, side, place (1 is the worst),
    id, score, expected, off (share of all pictures between the two ranks, 0..1)."""
    checks.columns(said, ["row", "id", "score", "expected"], "said")
    lines = []
    for row in dict.fromkeys(said["row"]):
        its = said[said["row"] == row].reset_index(drop=True)
        off = (its["expected"].rank() - its["score"].rank()) / len(its)
        for side, sign in (("too high", 1), ("too low", -1)):
            places = np.argsort(-sign * off.to_numpy(), kind="stable")[:each]
            worst = its.loc[places, ["row", "id", "score", "expected"]]
            lines.append(
                worst.assign(side=side, place=range(1, len(worst) + 1), off=off[places].abs())
            )
    return pd.concat(lines, ignore_index=True)
