"""What a table of errors against labels says: a grid of verdicts, the main numbers, words.

Each row that learns from the pool is held against the supervised row with as many labels, as in
Table 2 (`table2.verdict`: Holm's correction over the paper's five), or against its own control,
which has the same targets and no pool (Holm over all seven, `error_against_labels.POOLED`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..stats import crossed
from . import table2
from .error_against_labels import BASE, CONTROL, ORDINAL, POOLED, ROWS, budgets_of
from .names import SIMPLE, name_of, order
from .text import cell, cell_of, kind_of, markdown, said_once

BASES = {"supervised": "", "control": "_control"}  # `against`: how its columns end


OPEN = "not decided"


DECIDED = ("better", "worse", "equivalent")


# ---------------------------------------------------------------- verdicts
def verdict(row: Mapping, against: str = "supervised") -> str:
    """The words of `crossed.verdict` for a row's difference in MAE to the supervised row with as
    many labels, or to its own control ("not compared" of rows that have none). ValueError for
    another `against`."""
    if against not in BASES:
        raise ValueError(f"against {against!r}; allowed: {', '.join(BASES)}")
    if against == "supervised":
        return table2.verdict(row)
    return crossed.verdict(
        (row["c_mae_low"], row["c_mae_high"]),
        (row["c_mae_low_90"], row["c_mae_high_90"]),
        row["c_seeds"],
        row["p_holm_control"],
        row["margin"],
    )


def needs(row: Mapping, against: str = "supervised") -> str:
    """What it would take to decide an undecided difference, in words; "" where nothing is known.

    >>> needs({"seeds_needed": 17.0, "left": 0.01})
    'needs 17 seeds'
    >>> needs({"seeds_needed": float("inf"), "left": 0.0131})
    'no number of seeds: the pictures alone leave ±0.013'
    """
    end = BASES[against]
    needed = row[f"seeds_needed{end}"]
    if pd.isna(needed):
        return ""
    if np.isinf(needed):
        return f"no number of seeds: the pictures alone leave ±{row[f'left{end}']:.3f}"
    return f"needs {needed:.0f} seeds"


def said(row: Mapping, against: str = "supervised") -> str:
    """A cell of the grid: the verdict, and of an undecided one what it would take."""
    word = verdict(row, against)
    more = needs(row, against) if word == OPEN else ""
    return f"{word} ({more})" if more else word


def _cells(table: pd.DataFrame, labels: Sequence[int] | None) -> list[dict]:
    """The rows that learn from the pool, with these numbers of labels (all that are there)."""
    wanted = budgets_of(table) if labels is None else list(labels)
    pooled = table[table["method"].isin(POOLED) & table["labels"].isin(wanted)]
    return pooled.to_dict("records")


def verdicts(
    table: pd.DataFrame, against: str = "supervised", labels: Sequence[int] | None = None
) -> pd.DataFrame:
    """The grid: a row for each method that learns from the pool, a column for each number of labels
    with which one was run, each cell as `said`; "–" where it was not run.

    table: from `error_against_labels`. labels: only these."""
    cells = {(r["method"], int(r["labels"])): said(r, against) for r in _cells(table, labels)}
    columns = sorted({n for _, n in cells})
    rows = [
        {"row": name_of(method)} | {f"{n} labels": cells.get((method, n), "–") for n in columns}
        for method in order(m for m, _ in cells)
    ]
    return pd.DataFrame(rows, columns=["row", *(f"{n} labels" for n in columns)])


def undecided(
    table: pd.DataFrame, against: str = "supervised", labels: Sequence[int] | None = None
) -> tuple[int, int]:
    """How many cells of the grid are neither better, worse nor equivalent, and how many there
    are."""
    words = [verdict(r, against) for r in _cells(table, labels)]
    return sum(not word.startswith(DECIDED) for word in words), len(words)


# columns of the values, and how they are headed
TITLES = {
    "mae": "MAE ↓",
    "srcc": "SRCC ↑",
    "mae_within": "MAE within ↓",
    "srcc_within": "SRCC within ↑",
}


# ---------------------------------------------------------------- as markdown
def show_grid(
    table: pd.DataFrame, against: str = "supervised", labels: Sequence[int] | None = None
) -> str:
    """`verdicts` as a markdown table, with what it is held against and the count of undecided cells
    below."""
    grid = verdicts(table, against, labels)
    few, cells = undecided(table, against, labels)
    words = {
        "supervised": "against the supervised row with as many labels; Holm over the paper's five",
        "control": "against its own control, the same targets without a pool; Holm over all seven",
    }
    note = f"MAE, {words[against]}, within a number of labels: {few} of {cells} cells undecided."
    if not cells:
        return "No row that learns from the pool was run on a number of labels."
    head = ["", *list(grid)[1:]]
    return markdown(head, grid.to_numpy(), range(len(head))) + "\n\n" + note + "\n"


def show_table(table: pd.DataFrame, labels: Sequence[int] | None = None) -> str:
    """Each number of labels, row by row, as two markdown tables: MAE, SRCC (and, where pictures
    come from several sources, those within them); then the differences to the supervised row and to
    the row's own control with 95 % intervals, the share of the gap closed. labels: only these."""
    wanted = budgets_of(table) if labels is None else list(labels)
    shown = table[table["method"].isin(ROWS) & table["labels"].isin(wanted)]
    places = {method: place for place, method in enumerate(order(shown["method"]))}
    rows = sorted(shown.to_dict("records"), key=_by_labels(places))
    metrics = [m for m in TITLES if m in table]
    head = ["labels", "", "seeds", *(TITLES[m] for m in metrics)]
    values = [
        [*_who(row), str(int(row["seeds"])), *(cell_of(row, m, digits=3) for m in metrics)]
        for row in rows
    ]
    shared = said_once(head, values, ("seeds",), "In every row")
    parts = (markdown(head, values, (0, 1)), _differences(rows), shared + _note(table))
    return "\n\n".join(part for part in parts if part) + "\n"


def _who(row: Mapping) -> list[str]:
    return [str(int(row["labels"])), row["row"]]


def _differences(rows: Sequence[Mapping]) -> str:
    """The rows that are compared with another, as a markdown table; "" where there is none."""
    lines = [
        [
            *_who(row),
            cell_of(row, "d_mae", sign=True, digits=3),
            cell_of(row, "c_mae", sign=True, digits=3),
            cell(row["p_holm_control"], digits=3),
            _share(row),
        ]
        for row in rows
        if any(pd.notna(row[column]) for column in ("d_mae", "c_mae", "closed"))
    ]
    head = ["labels", "", "MAE − supervised", "MAE − own control", "Holm p", "gap closed"]
    return markdown(head, lines, (0, 1)) if lines else ""


def _by_labels(places: Mapping[str, int]):
    def key(row: Mapping) -> tuple[int, int]:
        return int(row["labels"]), places[row["method"]]

    return key


def _share(row: Mapping) -> str:
    if pd.isna(row["closed"]):
        return "–"
    text = f"{row['closed']:.0%}"
    if pd.notna(row["closed_low"]):
        text += f" [{row['closed_low']:.0%}, {row['closed_high']:.0%}]"
    return text.replace("-", "−")


def _note(table: pd.DataFrame) -> str:
    return (
        f"{_data(table)}, {int(table['pictures'].max())} test pictures. Differences: paired, 95 % "
        "intervals that count pictures, seeds and the residual once each; other brackets: a "
        "bootstrap of pictures and seeds. Own control: the same targets without a pool. Gap "
        "closed: of that control's MAE with as many and with all labels (Fieller's interval)."
    )


def _data(table: pd.DataFrame) -> str:
    return kind_of((table["data"] == "simulated").all())


# ---------------------------------------------------------------- in words
def findings(table: pd.DataFrame) -> str:
    """What the table says, in words made from its numbers: for each number of labels what the
    supervised row reaches, which rows are better than their control, which are worse, and where
    none is better, the gain that can be excluded."""
    most = budgets_of(table)[-1]
    lines = [_ceiling(table, most)]
    for labels in budgets_of(table):
        pooled = _cells(table, [labels])
        if pooled:
            lines += [_of_budget(table, labels, pooled)]
    few, cells = undecided(table, "control")
    if cells:
        lines.append(f"against their own controls {few} of {cells} cells are undecided")
    head = f"{_data(table)}, {int(table['pictures'].max())} test pictures; 95 % intervals."
    return "\n".join([head, "", *(f"- {line}." for line in lines if line)])


def _ceiling(table: pd.DataFrame, most: int) -> str:
    found = [_row(table, method, most) for method in (BASE, ORDINAL)]
    told = [f"{r['row']} {cell_of(r, 'mae', digits=3)}" for r in found if r is not None]
    return f"with all {most} labels, MAE: {'; '.join(told)}" if told else ""


def _row(table: pd.DataFrame, method: str, labels: int) -> dict | None:
    found = table[(table["method"] == method) & (table["labels"] == labels)]
    return found.to_dict("records")[0] if len(found) else None


def _of_budget(table: pd.DataFrame, labels: int, pooled: Sequence[Mapping]) -> str:
    """One line of a number of labels."""
    base = _row(table, BASE, labels)
    said_of_base = f"supervised MAE {cell_of(base, 'mae', digits=3)}; " if base else ""
    words = {
        kind: [r for r in pooled if verdict(r, "control").startswith(kind)] for kind in DECIDED
    }
    parts = [*_decided(words), *_no_test(pooled)]
    if not words["better"]:
        parts.append(_excluded(pooled))
    parts += _below_simple(table, labels, pooled)
    return f"**{labels} labels**: {said_of_base}{'; '.join(parts)}"


def _no_test(pooled: Sequence[Mapping]) -> list[str]:
    """The rows that never differ from their own control."""
    same = [r["row"] for r in pooled if verdict(r, "control") == crossed.NO_TEST]
    said = f"**no test**, the same as its own control in every picture: {', '.join(same)}"
    return [said] if same else []


def _decided(words: Mapping[str, Sequence[Mapping]]) -> list[str]:
    """The rows of each decided verdict, where there are any."""
    parts = [
        f"**{kind}** than its own control, after Holm: {_list(words[kind])}"
        for kind in ("better", "worse")
        if words[kind]
    ]
    if same := words["equivalent"]:
        parts.append(f"**equivalent within {same[0]['margin']:g}**: {_list(same)}")
    return parts


def _list(rows: Sequence[Mapping]) -> str:
    """Rows with what each changes, and the share of the gap that it closes."""
    told = []
    for r in sorted(rows, key=_change):
        gains = r["c_mae"] < 0 and pd.notna(r["closed"])
        share = f", {_share(r)} of the gap to all labels" if gains else ""
        told.append(f"{r['row']} {cell_of(r, 'c_mae', sign=True, digits=3)}{share}")
    return "; ".join(told)


def _change(row: Mapping) -> float:
    return row["c_mae"]


def _excluded(pooled: Sequence[Mapping]) -> str:
    """Where no row is better: how large a gain could be at most."""
    compared = [r for r in pooled if not crossed.too_few(r["c_seeds"] or 1)]
    ends = [-r["c_mae_low"] for r in compared if np.isfinite(r["c_mae_low"])]
    if not ends:
        return "no row is compared with its control (fewer than three seeds, or none in common)"
    return (
        "no row is better than its own control: a gain in MAE of more than "
        f"{max(0.0, *ends):.3f} is excluded for every one (of each, its 95 % interval)"
    )


def _below_simple(table: pd.DataFrame, labels: int, pooled: Sequence[Mapping]) -> list[str]:
    """The simple rows with as many labels that no row of the pool undercuts, by point estimates."""
    best = min(r["mae"] for r in pooled)
    found = [_row(table, method, labels) for method in SIMPLE[1:]]
    ahead = [f"{r['row']} ({r['mae']:.3f})" for r in found if r is not None and r["mae"] <= best]
    return [f"none has a lower MAE than {', '.join(ahead)}"] if ahead else []


def controls() -> pd.DataFrame:
    """Which row each row that learns from the pool is held against: row, control."""
    names = [(name_of(m), name_of(CONTROL[m])) for m in order(POOLED)]
    return pd.DataFrame(names, columns=["row", "its control, without a pool"])


def beside_selected(chosen: pd.DataFrame, last: pd.DataFrame) -> str:
    """Whether any row that learns from the pool, with the weights of the last step, reaches the
    supervised row whose weights validation chose, in words: a line for each number of labels, by
    point estimates. chosen, last: tables of the same walk."""
    lines = []
    for labels in budgets_of(last):
        base, pooled = _row(chosen, BASE, labels), _cells(last, [labels])
        if base is None or not pooled:
            continue
        best = min(pooled, key=_mae)
        verb = "reaches" if best["mae"] <= base["mae"] else "does not reach"
        lines.append(
            f"{labels} labels: the best of them, {best['row']} ({best['mae']:.3f}), {verb} the "
            f"supervised row whose weights validation chose ({base['mae']:.3f})"
        )
    return "\n".join(f"- {line}." for line in lines)


def _mae(row: Mapping) -> float:
    return row["mae"]
