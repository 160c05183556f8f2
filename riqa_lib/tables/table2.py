"""Table 2 of Dang et al. from stored predictions: paper and ours side by side, what MAE hides, with
intervals, a verdict for each row and plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .. import checks
from ..scales import SECOND
from ..stats import bootstrap, crossed
from ..stats.metrics import best_constant, columns_p
from .against_base import COMPARED, Comparison
from .comparisons import margins
from .grade_columns import POINTS, columns_of, shown
from .names import BASE, CONSTANT, FIVE, PUBLISHED, RATER, UNTRAINED, always, name_of, order
from .quantities import on_test
from .rank_target import against
from .text import cell, cell_of, kind_of

COLUMNS = columns_of(5)  # of the paper's grades


HOLM = {"mae": "p_holm", "macro_mae": "p_holm_macro_mae"}  # column of the adjusted p-value


MOST_LINES = 6  # of `findings` with a line each


# ---------------------------------------------------------------- the table
def table2(
    predictions: pd.DataFrame,
    published: pd.DataFrame,
    simulated: bool,
    train_grades: object,
    rater: Mapping[str, float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    names: Sequence[str] = (),
) -> pd.DataFrame:
    """Table 2 of Dang et al. with what it leaves out: constants, one rater, then each method, its
    second stage after it.

    predictions: long predictions (method, seed, labels, id, group, truth, p0.., ...); only split
    "test" is used where there is a split column. train_grades: labels of the training part, for the
    best constant. rater: from `one_rater`. names: of the grades, worst first.

    One row per method and number of labels. Columns: row, method, labels, seeds, pictures, data
    ("simulated"/"real"), against (what correlations are taken against, `rank_target`); each metric
    of `columns_of` with _low and _high (95 %, percentile, `bootstrap`, which counts the residual of
    picture and seed more than once); each of POINTS, the mean over seeds; d_mae and d_macro_mae
    with _low and _high (95 %), _low_90 and _high_90: this row minus "supervised" (first stage) with
    as many labels, paired, over the d_seeds seeds that both have (below 0 is better; where
    "supervised" has one number of labels only, that one serves all), by `stats.crossed`, which
    counts pictures, seeds and the residual once each; p_mae and p_macro_mae, of trained rows with
    three seeds or more; p_holm and p_holm_macro_mae, Holm's over the paper's five methods within a
    stage and number of labels (five also where some were not run); could_show (in MAE) and
    could_show_macro_mae: the smallest true difference that would be decided with probability 80 %
    at these seeds and pictures (of the five by Holm's first step); margin: of equivalence in MAE,
    set before any result; published_mae and, of five grades, published_mae_3, ..: the paper's four
    columns, the same for both stages; grades: their names, as JSON, where they have names.

    Rows with the same seeds and pictures share the draws of one bootstrap. Raises ValueError for
    predictions that don't fit together."""
    predictions = _judged(predictions)
    train, classes = np.asarray(train_grades), len(columns_p(predictions))
    fixed = {CONSTANT: best_constant(train, classes), **always(classes)}
    everything = pd.concat([*_constants(predictions, fixed, len(train)), predictions])
    parts = dict(iter(everything.groupby(["method", "labels"])))
    columns = columns_of(classes)
    compare = Comparison(parts, columns, resamples, seed)
    paper = published.pivot_table(index="method", columns="metric", values="value")
    rows = []
    for method in order(everything["method"]):
        for labels in sorted(n for m, n in parts if m == method):
            key, own = (method, labels), parts[method, labels]
            row: dict[str, object] = {
                "row": _row_name(method, fixed, names),
                "method": method,
                "labels": int(labels),
                "seeds": 0 if method in fixed else own["seed"].nunique(),
                "pictures": own["id"].nunique(),
                "data": "simulated" if simulated else "real",
                "against": against(own),
                "margin": margins()["overall", "mae"],
            }
            row |= compare.values(key) | _points(own, method in fixed)
            row |= compare.to_base(key, method in fixed)
            row |= {"grades": json.dumps([*names])} if len(names) else {}
            rows.append(row | _printed(paper, method, classes))
    if rater is not None:
        rows.insert(len(fixed), _rater_row(rater, rows[0], columns))
    table = pd.DataFrame(rows)[list(rows[0])]
    for m, name in HOLM.items():
        table.insert(list(table).index(f"p_{m}") + 1, name, _holm(table, f"p_{m}"))
    return table


def _row_name(method: str, fixed: Mapping[str, int], names: Sequence[str]) -> str:
    """A row's name; of a constant with what it always says."""
    if method not in fixed:
        return name_of(method)
    said = f"always {names[fixed[method]] if len(names) else fixed[method]}"
    return f"{name_of(CONSTANT)} ({said})" if method == CONSTANT else said


def _judged(predictions: pd.DataFrame) -> pd.DataFrame:
    """The test predictions, with whole numbers of labels; ValueError where there are none."""
    checks.has(predictions, ["method", "seed", "labels"], "predictions")
    test = on_test(predictions)
    if test.empty:
        raise ValueError("predictions: no rows of split test")
    return test.assign(labels=test["labels"].astype(int))


def _constants(
    predictions: pd.DataFrame, fixed: Mapping[str, int], labels: int
) -> list[pd.DataFrame]:
    """Rows of predictors that say one grade, on the pictures and seeds of the supervised row (else
    of the first)."""
    keys = predictions[["method", "labels"]].drop_duplicates()
    base = keys[keys["method"] == BASE]
    first = predictions.merge((keys if base.empty else base).head(1))
    return [
        bootstrap.constant_rows(first, said, name).assign(labels=labels)
        for name, said in fixed.items()
    ]


def _points(own: pd.DataFrame, constant: bool) -> dict[str, float]:
    return dict.fromkeys(POINTS, np.nan) if constant else bootstrap.point_estimates(own, POINTS)


def _printed(paper: pd.DataFrame, method: str, classes: int) -> dict[str, float]:
    """The paper's columns; it does not say which stage it reports, so both get them. Of other than
    its five grades there is nothing but an empty MAE."""
    first = method.removesuffix(SECOND)
    five = tuple(PUBLISHED) == shown("paper", classes)
    return {
        f"published_{m}": paper[m].get(first, np.nan) if five and m in paper else np.nan
        for m in (PUBLISHED if five else ("mae",))
    }


def _rater_row(
    rater: Mapping[str, float], like: Mapping, columns: Mapping[str, str]
) -> dict[str, object]:
    row: dict[str, object] = {"row": name_of(RATER), "method": RATER, "labels": 0, "seeds": 0}
    row["d_seeds"] = 0
    return (
        row
        | {c: like[c] for c in ("pictures", "data", "margin", "grades") if c in like}
        | {m: rater.get(m, np.nan) for m in columns}
    )


def _holm(table: pd.DataFrame, column: str) -> pd.Series:
    """Holm's adjusted p-values of FIVE, per stage and number of labels; nan for other rows. A
    method of the five that was not run counts as p = 1: what is said of the others does not depend
    on it."""
    out = pd.Series(np.nan, index=table.index)
    for end in ("", SECOND):
        family = table[table["method"].isin([f"{m}{end}" for m in FIVE]) & table[column].notna()]
        for _, rows in family.groupby("labels"):
            p = [*rows[column], *[1.0] * (len(FIVE) - len(rows))]
            out[rows.index] = bootstrap.holm(p)[: len(rows)]
    return out


def verdict(row: Mapping | pd.Series, metric: str = "mae") -> str:
    """Plain words for a row's paired difference to "supervised" in an error, by
    `crossed.verdict`: its 95 % interval decides and, for the paper's five methods, Holm's p-value
    (one of five intervals misses 0 by chance more often than one).

    "better" (all below 0), "worse" (all above 0), "equivalent within 0.02" (MAE only: the 90 %
    interval lies inside the margin), "no test: ..." (the two never differ), "not decided" (none of
    these; that is not "the same"), "one
    seed: not a comparison" and "two seeds: ..." (nothing is decided from fewer than three),
    "reference" for the supervised row, "not compared" where there is no paired difference."""
    if row["method"] == BASE:
        return "reference"
    d = f"d_{metric}"
    return crossed.verdict(
        (row[f"{d}_low"], row[f"{d}_high"]),
        (row.get(f"{d}_low_90", np.nan), row.get(f"{d}_high_90", np.nan)),
        row.get("d_seeds", row.get("seeds", np.nan)),
        row.get(HOLM[metric], np.nan),
        row.get("margin", np.nan) if metric == "mae" else np.nan,
    )


# ---------------------------------------------------------------- in words
def _data(table: pd.DataFrame) -> str:
    return kind_of((table["data"] == "simulated").all())


# how `findings` says each verdict, by how it begins: over the rows that share it
SAID = {
    "better": "**better** than supervised in MAE ({n}): {rows}",
    "worse": "**worse** than supervised in MAE ({n}): {rows}",
    "equivalent": "**{word}** to supervised in MAE ({n}): {rows}",
    "no test": "**{word}** as supervised ({n}): {rows}",
    "not decided": "**not decided** ({n}): {rows}",
    "one seed": "**{word}** ({n}): {rows}",
    "two seeds": "**{word}** ({n}): {rows}",
    "not compared": "**not compared** ({n}): {rows}",
}


def findings(table: pd.DataFrame) -> str:
    """What a `table2` says, in words made from its numbers: markdown, one line per row while there
    are few, else per verdict."""
    trained = table[~table["method"].isin(UNTRAINED)]
    base, constant = (_rows_of(table, method) for method in (BASE, CONSTANT))
    others = trained[trained["method"] != BASE].to_dict("records")
    said = [_base_finding(row, constant[0] if constant else None) for row in base]
    if len(others) <= MOST_LINES:
        said += [f"{_score(r)}; MAE against supervised {change(r)}: {verdict(r)}" for r in others]
    else:
        said += [*_by_verdict(others), _after_holm(others), _least(trained.to_dict("records"))]
    note = (
        "“Not decided”: the interval holds 0 or, of the paper's five, p is .05 or more after Holm; "
        "it is not “the same”."
    )
    head = (
        f"{_data(table)}, {int(table['pictures'].max())} test pictures; in brackets 95 % intervals."
    )
    return "\n".join([head, "", *(f"- {text}." for text in said), "", note])


def _rows_of(table: pd.DataFrame, method: str) -> list[dict]:
    return table[table["method"] == method].to_dict("records")


def _by_verdict(rows: Sequence[Mapping]) -> list[str]:
    """One line per verdict that some row has, its rows by MAE."""
    said = []
    for begins, template in SAID.items():
        alike = sorted((r for r in rows if verdict(r).startswith(begins)), key=lambda r: r["mae"])
        word = verdict(alike[0]) if alike else ""
        listed = [
            f"{r['row']} {cell(r['mae']) if word == 'not compared' else change(r)}" for r in alike
        ]
        if listed:
            said.append(template.format(word=word, n=len(listed), rows="; ".join(listed)))
    return said


def _after_holm(rows: Sequence[Mapping]) -> str:
    held = [
        f"{r['row']} ({'lower' if r['d_mae'] < 0 else 'higher'} MAE)"
        for r in rows
        if r.get("p_holm", np.nan) <= 0.05
    ]
    return f"of the paper's methods, with p at most 0.05 after Holm: {'; '.join(held) or 'none'}"


def _least(rows: Sequence[Mapping]) -> str:
    best = min(rows, key=lambda r: r["macro_mae"])
    return f"least macro-MAE: {best['row']}, {cell_of(best, 'macro_mae')}"


def _score(row: Mapping) -> str:
    seeds = "1 seed" if row["seeds"] == 1 else f"{row['seeds']:.0f} seeds"
    return (
        f"**{row['row']}** ({row['labels']:.0f} labels, {seeds}): MAE {cell_of(row, 'mae')}, "
        f"macro-MAE {cell_of(row, 'macro_mae')}"
    )


def change(row: Mapping) -> str:
    """A row's paired difference to "supervised" in MAE, with its interval, as text."""
    return cell_of(row, "d_mae", sign=True)


def _base_finding(row: Mapping, constant: Mapping | None) -> str:
    if constant is None or pd.isna(constant["d_mae"]):
        return _score(row)
    gains = [
        cell(-constant[f"d_{m}"], -constant[f"d_{m}_high"], -constant[f"d_{m}_low"], sign=True)
        for m in COMPARED
    ]
    return f"{_score(row)}; against the best constant {gains[0]} in MAE and {gains[1]} in macro-MAE"
