"""From stored results to tables: paper and ours side by side, with intervals and plain words.

A walk is one pass through the plan. Its tables (`load_walk`) come from results/<name> and the runs
it lists or, for the name "reference", from the tracked results/reference, which `collect` fills:
enough to draw every figure again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..stats import bootstrap
from ..stats.metrics import best_constant, grades, target
from .names import ALWAYS, BASE, CONSTANT, FIVE, PUBLISHED, RATER, SECOND, UNTRAINED, name_of, order
from .text import cell, markdown

COLUMNS = PUBLISHED | {
    "mae_012": "MAE 0–2 ↓",
    "mae_0": "MAE 0 ↓",
    "mae_1": "MAE 1 ↓",
    "mae_2": "MAE 2 ↓",
    "macro_mae": "macro-MAE ↓",
    "accuracy": "accuracy ↑",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
}


POINTS = {
    "krcc": "KRCC ↑",
    "plcc_logistic": "PLCC (logistic) ↑",
    "mae_median": "MAE, posterior median ↓",
    "mae_expected": "MAE, expected grade ↓",
}  # without interval


COMPARED = {"mae": "MAE", "macro_mae": "macro-MAE"}


KINDS = {
    "summary": ("mae", "mae_34", "macro_mae", "qwk", "srcc"),
    "paper": tuple(PUBLISHED),
    "hidden": (
        "mae_0",
        "mae_1",
        "mae_2",
        "mae_3",
        "mae_4",
        "mae_012",
        "macro_mae",
        "accuracy",
        "qwk",
    ),
    "correlation": ("srcc", *POINTS),
}  # what `show_table` shows


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
) -> pd.DataFrame:
    """Table 2 of Dang et al. with what it leaves out: constants, one rater, then each method, its
    second stage after it.

    predictions: long predictions (method, seed, labels, id, group, truth, p0..p4, ...); only split
    "test" is used where there is a split column. train_grades: labels of the training part, for the
    best constant. rater: from `one_rater`.

    One row per method and number of labels. Columns: row, method, labels, seeds, pictures, data
    ("simulated"/"real"), against (what correlations are taken against); each metric of COLUMNS with
    _low and _high (95 %, percentile, `stats`); each of POINTS, the mean over seeds; d_mae and
    d_macro_mae with _low and _high: this row minus "supervised" (first stage) with as many labels,
    paired, over the seeds both have (below 0 is better; where "supervised" has one number of labels
    only, that one serves all); p_mae and p_macro_mae, their bootstrap p-values, of trained rows;
    p_holm and p_holm_macro_mae, Holm's over the paper's five methods within a stage and number of
    labels (five also where some were not run); published_mae, published_mae_3, ..: the paper's four
    columns, the same for both stages.

    Rows with the same seeds and pictures share the draws of one bootstrap. Raises ValueError for
    predictions that don't fit together."""
    if missing := [c for c in ("method", "seed", "labels") if c not in predictions]:
        raise ValueError(
            f"predictions: no column {', '.join(missing)}; found {', '.join(map(str, predictions))}"
        )
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    if predictions.empty:
        raise ValueError("predictions: no rows of split test")
    predictions = predictions.assign(labels=predictions["labels"].astype(int))
    train = grades("train_grades", np.asarray(train_grades))
    budgets = predictions[["method", "labels"]].drop_duplicates()
    base = sorted(budgets.loc[budgets["method"] == BASE, "labels"])
    paper = published.pivot_table(index="method", columns="metric", values="value")

    first = predictions.merge(
        budgets[budgets["method"] == (BASE if base else budgets["method"].iloc[0])].head(1)
    )
    fixed = {CONSTANT: best_constant(train), **ALWAYS}
    constants = [
        bootstrap.constant_rows(first, said, name).assign(labels=len(train))
        for name, said in fixed.items()
    ]
    everything = pd.concat([*constants, predictions], ignore_index=True)
    parts = {(m, n): part for (m, n), part in everything.groupby(["method", "labels"])}
    found = _shared_bootstraps(parts, resamples, seed)
    rows = []
    for method in order(everything["method"]):
        for labels in sorted(n for m, n in parts if m == method):
            own = parts[method, labels]
            row: dict[str, object] = {
                "row": name_of(method),
                "method": method,
                "labels": int(labels),
            }
            row |= {
                "seeds": 0 if method in fixed else own["seed"].nunique(),
                "pictures": own["id"].nunique(),
            }
            row |= {"data": "simulated" if simulated else "real", "against": target(own)[0]}
            for m in COLUMNS:
                row |= _three(m, found[method, labels].interval(f"{method} {labels}", m))
            row |= (
                dict.fromkeys(POINTS, np.nan)
                if method in fixed
                else bootstrap.point_estimates(own, POINTS)
            )
            near = [n for n in base if n == labels] or (
                base[:1] if len(base) == 1 or method in fixed else []
            )
            row |= _compared(
                parts, found, (method, labels), (BASE, near[0]) if near else None, resamples, seed
            )
            stage_1 = method.removesuffix(SECOND)
            row |= {
                f"published_{m}": paper[m].get(stage_1, np.nan) if m in paper else np.nan
                for m in PUBLISHED
            }
            rows.append(row)
    rows[0]["row"] = f"{name_of(CONSTANT)} (always {fixed[CONSTANT]})"
    if rater is not None:
        row = {"row": name_of(RATER), "method": RATER, "labels": 0, "seeds": 0}
        row |= {c: rows[0][c] for c in ("pictures", "data")} | {
            m: rater.get(m, np.nan) for m in COLUMNS
        }
        rows.insert(len(fixed), row)
    table = pd.DataFrame(rows)[list(rows[0])]
    for m, name in (("mae", "p_holm"), ("macro_mae", "p_holm_macro_mae")):
        table.insert(int(table.columns.get_loc(f"p_{m}")) + 1, name, _holm(table, f"p_{m}"))  # type: ignore[arg-type]
    return table


Key = tuple[str, int]  # method and number of labels


def _shared_bootstraps(
    parts: Mapping[Key, pd.DataFrame], resamples: int, seed: int
) -> dict[Key, bootstrap.Bootstrap]:
    """One bootstrap per set of seeds and pictures: rows that share it are compared on the same
    draws."""
    groups: dict[tuple, list[Key]] = {}
    for key, part in parts.items():
        groups.setdefault((*sorted(part["seed"].unique()), frozenset(part["id"])), []).append(key)
    out: dict[Key, bootstrap.Bootstrap] = {}
    for keys in groups.values():
        together = pd.concat(
            [parts[k].assign(method=f"{k[0]} {k[1]}") for k in keys], ignore_index=True
        )
        found = bootstrap.paired_bootstrap(
            together, [f"{m} {n}" for m, n in keys], COLUMNS, resamples, seed
        )
        out |= dict.fromkeys(keys, found)
    return out


def _three(name: str, values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _compared(
    parts: Mapping[Key, pd.DataFrame],
    found: Mapping[Key, bootstrap.Bootstrap],
    own: Key,
    base: Key | None,
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """Differences of one row to the supervised row `base`, over the seeds that both have, with
    p-values of trained rows."""
    shared = sorted({*parts[own]["seed"]} & {*parts[base]["seed"]}) if base else []
    if own[0] == BASE or base is None or not shared:
        return {
            k: v
            for m in COMPARED
            for k, v in (_three(f"d_{m}", (np.nan,) * 3) | {f"p_{m}": np.nan}).items()
        }
    a, b = f"{own[0]} {own[1]}", f"{base[0]} {base[1]}"
    draws = found[own]
    if found[base] is not draws:  # other seeds: those that both have
        both = pd.concat([parts[own].assign(method=a), parts[base].assign(method=b)])
        draws = bootstrap.paired_bootstrap(
            both[both["seed"].isin(shared)], [a, b], COMPARED, resamples, seed
        )
    out: dict[str, float] = {}
    for m in COMPARED:
        out |= _three(f"d_{m}", draws.difference(a, b, m))
        out[f"p_{m}"] = np.nan if own[0] in UNTRAINED else draws.p_value(a, b, m)
    return out


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
    """Plain words for a row's paired difference to "supervised" in an error: its 95 % interval
    decides and, for the paper's five methods, Holm's p-value (one of five intervals misses 0 by
    chance more often than one).

    "better" (all below 0), "worse" (all above 0), "not decided" (0 is inside, or p is .05 or more
    after Holm; that is not "the same"), "reference" for the supervised row, "not compared" where
    there is no paired difference."""
    low, high = row[f"d_{metric}_low"], row[f"d_{metric}_high"]
    p = row.get("p_holm" if metric == "mae" else f"p_holm_{metric}", np.nan)
    if row["method"] == BASE:
        return "reference"
    if pd.isna(low) or pd.isna(high):
        return "not compared"
    if pd.notna(p) and p >= 0.05:
        return "not decided"
    return "better" if high < 0 else "worse" if low > 0 else "not decided"


def show_table(frame: pd.DataFrame, kind: str = "summary") -> str:
    """`table2` as a markdown table, with what its numbers are in a line below it. Columns that the
    table lacks show "–".

    kind: "summary" (what decides), "paper" (the paper's four columns, ours beside published),
    "hidden" (what these leave out: grades one by one, 0-2, macro-MAE, accuracy, QWK) or
    "correlation". ValueError for another."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}; allowed: {', '.join(KINDS)}")
    titles, columns = COLUMNS | POINTS, KINDS[kind]
    head, left = ["", "labels", "seeds"], [0]
    for m in columns:
        head += [f"{titles[m]}, ours", "published"] if kind == "paper" else [titles[m]]
    if kind == "summary":
        head += ["MAE − supervised", "Holm p", "verdict", "published MAE", "data"]
        left += [len(head) - 3, len(head) - 1]
    rows = []
    for row in frame.to_dict("records"):
        get = lambda name: row.get(name, np.nan)
        cells = [
            row["row"],
            *("–" if not row[c] else str(int(row[c])) for c in ("labels", "seeds")),
        ]
        for m in columns:
            cells.append(cell(get(m), get(f"{m}_low"), get(f"{m}_high")))
            cells += [cell(get(f"published_{m}"))] if kind == "paper" else []
        if kind == "summary":
            cells.append(cell(row["d_mae"], row["d_mae_low"], row["d_mae_high"], sign=True))
            cells += [
                cell(get("p_holm"), digits=3),
                verdict(row),
                cell(row["published_mae"]),
                row["data"],
            ]
        rows.append(cells)
    return markdown(head, rows, left) + "\n\n" + _note(frame, kind) + "\n"


def _note(frame: pd.DataFrame, kind: str) -> str:
    data = "Simulated data" if (frame["data"] == "simulated").all() else "Real data"
    note = (
        f"{data}, {int(frame['pictures'].max())} test pictures. In brackets: 95 % percentile intervals of a bootstrap "
        "that resamples pictures (by group) and seeds together; with one seed they say nothing about other seeds."
    )
    if kind == "summary":
        note += (
            " Verdict: by the interval of the paired MAE difference to the supervised row and, for the paper's five methods, by "
            "its bootstrap p-value after Holm's correction within a stage; “not decided” does not mean that the two are the same."
        )
    if kind == "paper":
        note += " Published: Table 2 of Dang et al., on their pictures; it does not say which stage it reports."
    if kind == "correlation":
        against = " and ".join(sorted(set(frame["against"].dropna()))) if "against" in frame else ""
        note += f" Correlations of the expected grade with the {against or 'label'}; numbers without brackets are means over seeds."
    return note


def findings(table: pd.DataFrame) -> str:
    """What a `table2` says, in words made from its numbers: markdown, one line per row while there
    are few, else per verdict."""
    data = "Simulated data" if (table["data"] == "simulated").all() else "Real data"
    trained = table[~table["method"].isin(UNTRAINED)].to_dict("records")
    base = [r for r in trained if r["method"] == BASE]
    constant = next((r for r in table.to_dict("records") if r["method"] == CONSTANT), None)
    others = [r for r in trained if r["method"] != BASE]
    said = [_base_finding(r, constant) for r in base]
    if len(others) <= MOST_LINES:
        said += [f"{_score(r)}; MAE against supervised {_change(r)}: {verdict(r)}" for r in others]
    else:
        for word in ("better", "worse", "not decided", "not compared"):
            rows = sorted((r for r in others if verdict(r) == word), key=lambda r: r["mae"])
            listed = "; ".join(
                f"{r['row']} {_change(r) if word != 'not compared' else cell(r['mae'])}"
                for r in rows
            )
            said += (
                [f"**{word}** than supervised in MAE ({len(rows)}): {listed}"]
                if word in ("better", "worse") and rows
                else []
            )
            said += (
                [f"**{word}** ({len(rows)}): {listed}"]
                if word not in ("better", "worse") and rows
                else []
            )
        held = [
            f"{r['row']} ({'lower' if r['d_mae'] < 0 else 'higher'} MAE)"
            for r in others
            if r.get("p_holm", np.nan) <= 0.05
        ]
        said.append(
            f"of the paper's methods, with p at most 0.05 after Holm: {'; '.join(held) or 'none'}"
        )
        best = min(trained, key=lambda r: r["macro_mae"])
        said.append(
            f"least macro-MAE: {best['row']}, {cell(best['macro_mae'], best['macro_mae_low'], best['macro_mae_high'])}"
        )
    note = "“Not decided”: the interval holds 0; it is not “the same”."
    head = f"{data}, {int(table['pictures'].max())} test pictures; in brackets 95 % intervals."
    return "\n".join([head, "", *(f"- {text}." for text in said), "", note])


def _score(row: Mapping) -> str:
    seeds = "1 seed" if row["seeds"] == 1 else f"{row['seeds']:.0f} seeds"
    mae, macro = (cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in ("mae", "macro_mae"))
    return f"**{row['row']}** ({row['labels']:.0f} labels, {seeds}): MAE {mae}, macro-MAE {macro}"


def _change(row: Mapping) -> str:
    return cell(row["d_mae"], row["d_mae_low"], row["d_mae_high"], sign=True)


def _base_finding(row: Mapping, constant: Mapping | None) -> str:
    if constant is None or pd.isna(constant["d_mae"]):
        return _score(row)
    gains = [
        cell(-constant[f"d_{m}"], -constant[f"d_{m}_high"], -constant[f"d_{m}_low"], sign=True)
        for m in ("mae", "macro_mae")
    ]
    return f"{_score(row)}; against the best constant {gains[0]} in MAE and {gains[1]} in macro-MAE"
