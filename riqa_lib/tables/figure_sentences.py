"""What a figure shows, in a sentence or two that read its own numbers. One function a figure; each
takes the table that the figure is drawn from and returns markdown.

Nothing is typed: a sentence that no number supports is not said."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..checks import columns
from ..stats.metrics import columns_p
from ..stats.reliability_bins import calibration_error, reliability_bins
from .names import BASE, BLIND, CONSTANT, SECOND, name_of, order
from .quantities import on_test
from .text import cell, cell_of, named, percent


def _base(methods: Sequence[str]) -> str:
    """The supervised row of the stage that these rows are of; "" where it is not among them."""
    return next((m for m in (BASE, f"{BASE}{SECOND}") if m in methods), "")


def _span(values: pd.Series, digits: int = 2) -> str:
    """ "0.35 to 0.39", or one number where both print alike."""
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _percents(values: Sequence[float]) -> str:
    """ "3 % to 12 %", or one share where both print alike."""
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


# ---------------------------------------------------------------- the data
def class_shares(counts: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """Of `data.class_shares`: the commonest grade among the labels, the rarest, and how a pool with
    known grades differs. counts: split, grade, count, known (`table1.class_counts`)."""
    columns(counts, ["split", "grade", "count", "known"], "counts")
    of = counts[counts["grade"] >= 0].groupby(["known", "grade"])["count"].sum()
    if "label" not in of:
        return "No picture has a label."
    labels = of["label"] / of["label"].sum()
    said = (
        f"Of the labels {percent(labels.max())} are grade {named(labels.idxmax(), names)} and "
        f"{percent(labels.min())} grade {named(labels.idxmin(), names)}: an error on the rare "
        "grades hardly moves the MAE of all."
    )
    if "truth" not in of or not of["truth"].sum():
        return said
    pool = of["truth"] / of["truth"].sum()
    gap = (pool - labels.reindex(pool.index).fillna(0)).idxmax()
    return (
        f"{said} Grade {named(gap, names)} is {percent(labels.get(gap, 0.0))} of the labels, and "
        f"in truth {percent(pool[gap])} of the pool."
    )


def defects_of_grades(graded: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """Of the sheet of simulated pictures: how many defects the worst and the best grade have. "" of
    pictures whose defects nobody knows. graded: grade, perhaps n_defects."""
    if "n_defects" not in graded:
        return ""
    mean = graded.groupby("grade")["n_defects"].mean()
    worst, best = mean.index.min(), mean.index.max()
    return (
        f"Pictures of grade {named(worst, names)} have {mean[worst]:.1f} simulated defects on "
        f"average, those of grade {named(best, names)} {mean[best]:.1f}; strength counts too, so a "
        "single strong one can make a picture bad."
    )


# ---------------------------------------------------------------- training
def learning_curves(history: pd.DataFrame) -> str:
    """Of `curves.learning_curves`: the row of the least validation MAE, where the supervised row
    has its own, and how many rows end above their least. history: method, seed, step, val_mae."""
    columns(history, ["method", "step", "val_mae"], "history")
    mean = history.groupby(["method", "step"])["val_mae"].mean().dropna()
    least = mean.groupby("method").idxmin().map(mean)
    best = order(least.index[least == least.min()])[0]
    said = [f"Lowest mean validation MAE: {_at(mean, best)}."]
    if (base := _base([str(m) for m in least.index])) and base != best:
        said.append(f"Beside it {_at(mean, base)}.")
    last = mean.groupby("method").last()
    rises = [m for m in least.index if last[m] > least[m]]
    said.append(f"{len(rises)} of {len(least)} rows end above their lowest.")
    if early := [
        m for m in least.index if mean[m].idxmin() == mean[m].index[0] < mean[m].index[-1]
    ]:
        said.append(f"{len(early)} have it at the very first look.")
    return " ".join(said)


def _at(mean: pd.Series, method: str) -> str:
    """A row's least mean validation MAE, with its step and where training ends."""
    own = mean[method]
    return (
        f"{name_of(method)}, {own.min():.3f} at step {own.idxmin():,} of {own.index[-1]:,} "
        f"(at the end {own.iloc[-1]:.3f})"
    )


# ---------------------------------------------------------------- predictions on test pictures
def confusion(predictions: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """Of `results.confusion`: which grade all rows find best and worst, and how far off errors are.
    predictions: method, truth, p0.. (split "test" where there is one), seeds pooled."""
    test = on_test(predictions)
    looking = test[~test["method"].isin(BLIND)]
    test = looking if len(looking) else test
    said = test[columns_p(test)].to_numpy().argmax(axis=1)
    rows = test[["method", "truth"]].assign(right=said == test["truth"], off=said - test["truth"])
    found = rows.assign(right=rows["right"].astype(float)).pivot_table("right", "method", "truth")
    mean = found.mean()
    best, worst = mean.idxmax(), mean.idxmin()
    wrong = rows[~rows["right"]]
    lines = [
        f"Grade {named(best, names)} is found most often ({_percents(found[best].dropna())} of it, "
        f"by row), grade {named(worst, names)} least ({_percents(found[worst].dropna())})."
    ]
    if len(wrong):
        lines.append(
            f"{percent((wrong['off'].abs() == 1).mean())} of all errors are one grade off; "
            f"{percent((wrong['off'] > 0).mean())} are too kind."
        )
    return " ".join(lines)


def reliability(predictions: pd.DataFrame) -> str:
    """Of `results.reliability`: the best and the worst calibrated row, and how many are surer than
    they are right. predictions: as there."""
    test = on_test(predictions)
    p = test[columns_p(test)].to_numpy(float)
    rows = pd.DataFrame(
        {
            "method": test["method"],
            "sure": p.max(axis=1),
            "right": p.argmax(axis=1) == test["truth"],
        }
    )
    parts = {m: rows[rows["method"] == m] for m in order(rows["method"])}
    error = pd.Series(
        {m: calibration_error(reliability_bins(r["sure"], r["right"])) for m, r in parts.items()}
    )
    boasting = [m for m, r in parts.items() if r["sure"].mean() > r["right"].mean()]
    if len(error) == 1:
        one = parts[error.index[0]]
        return (
            f"{name_of(error.index[0])} is sure of {percent(one['sure'].mean())} on average and "
            f"right on {percent(one['right'].mean())}; ECE {error.iloc[0]:.2f}."
        )
    said = (
        f"Least calibration error: {name_of(error.idxmin())}, {error.min():.2f}; most: "
        f"{name_of(error.idxmax())}, {error.max():.2f}. {len(boasting)} of {len(error)} rows are "
        "surer than they are right, on average."
    )
    base = _base(list(error.index))
    return f"{said} {name_of(base)}: {error[base]:.2f}." if base else said


def table2(table: pd.DataFrame) -> str:
    """Of `results.table2_points`: the best row by each measure, and how far apart the networks are
    beside one row's own interval. table: `tables.table2.table2`."""
    columns(table, ["method", "row", "mae", "mae_low", "mae_high", "macro_mae", "srcc"], "table")
    looking = table[~table["method"].isin(BLIND)]
    if looking.empty:
        return "No row looks at pictures yet."
    best = looking.loc[looking["mae"].idxmin()]
    said = [f"Lowest MAE: {best['row']}, {cell_of(best, 'mae', digits=3)}."]
    said.append(f"Lowest macro-MAE: {looking.loc[looking['macro_mae'].idxmin(), 'row']}.")
    if looking["srcc"].notna().any():
        said.append(f"Highest SRCC: {looking.loc[looking['srcc'].idxmax(), 'row']}.")
    wide = best["mae_high"] - best["mae_low"]
    said.append(
        f"The rows that look at pictures have MAE {_span(looking['mae'])}; the best one's own "
        f"interval is {wide:.2f} wide. Intervals that overlap decide nothing: the paired "
        "differences of the table do."
    )
    constant = table.loc[table["method"] == CONSTANT, "mae"]
    if len(constant):
        above = int((looking["mae"] >= constant.iloc[0]).sum())
        said.append(f"{above} of {len(looking)} are no better than the best constant.")
    return " ".join(said)


def labels_saved(table: pd.DataFrame, metric: str, title: str) -> str:
    """Of `label_curves.label_curves`: at each number of labels the best row and how many of those
    with a pool are better than their own control. table: `tables.error_against_labels`; metric: its
    column; title: its name, with an arrow that says which way is better."""
    columns(table, ["method", "row", "labels", "control", metric], "table")
    sign = 1 if title.endswith("↓") else -1
    rows = table[~table["method"].isin(BLIND) & table[metric].notna()]
    lines = []
    for labels, part in rows.groupby("labels"):
        at = part.set_index("method")[metric]
        best = part.loc[(sign * part[metric]).idxmin()]
        pooled = part[part["control"].isin(at.index)]
        better = [
            sign * (row[metric] - at[row["control"]]) < 0 for row in pooled.to_dict("records")
        ]
        said = f"{labels:,} labels: best {best['row']}, {cell_of(best, metric, digits=3)}"
        lines.append(f"{said}; {sum(better)} of {len(better)} rows with a pool beat their control")
    word = title.removesuffix("↓").removesuffix("↑").strip()
    return f"{word}, by means alone. {'. '.join(lines)}."


# ---------------------------------------------------------------- the second stage
def pseudo_label_grades(table: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """Of `stages.precision_per_class`: the grade that the pool has most of, how much of it is said
    and found; and the grade that is said most, and how often rightly. table: `pool.per_grade` of
    one part."""
    columns(table, ["grade", "share", "true_share", "precision", "recall"], "table")
    mean = table.groupby("grade")[["share", "true_share", "precision"]].mean()
    true, said = mean["true_share"].idxmax(), mean["share"].idxmax()
    own = table[table["grade"] == true]
    right = table.loc[(table["grade"] == said), "precision"].dropna()
    found = _percents(own["recall"].dropna()) if own["recall"].notna().any() else "none"
    return (
        f"{percent(mean.loc[true, 'true_share'])} of these pictures are truly grade "
        f"{named(true, names)}; the rows say so of {_percents(own['share'])}, and find {found} of "
        f"them. What they say most is grade {named(said, names)}, and that is right in "
        f"{_percents(right)} of the cases."
    )


def stages(table: pd.DataFrame) -> str:
    """Of `stages.stages`: how many rows the second stage makes better and worse, and the range of
    its changes. table: `second_stage.changes`."""
    columns(table, ["method", "mae_change", "mae_second"], "table")
    change = table.set_index("method")["mae_change"]
    second = table.set_index("method")["mae_second"]
    low, high = (cell(end, sign=True, digits=3) for end in (change.min(), change.max()))
    return (
        f"By means alone {int((change < 0).sum())} of {len(change)} rows gain from the second "
        f"stage and {int((change > 0).sum())} lose: {low} to {high} MAE. The best second stage is "
        f"that of {name_of(second.idxmin())}, {second.min():.3f}."
    )


# ---------------------------------------------------------------- other models
def distortion_levels(curves: pd.DataFrame) -> str:
    """Of `levels_against_grade`: how far each row's grade falls from the pristine pictures to the
    highest level, and on how many distortions it rises. curves: `label_free_tests.curves`."""
    columns(curves, ["row", "distortion", "counted", "level", "grade"], "curves")
    counted = curves[curves["counted"].astype(bool)]
    at = counted.pivot_table("grade", ["row", "distortion"], "level")
    fall = at[at.columns.min()] - at[at.columns.max()]
    mean = fall.groupby("row").mean()
    rises = (fall < 0).groupby("row").sum()
    most, least = mean.idxmax(), mean.idxmin()
    kind, most_rises = rises.idxmax(), int(rises.max())
    liked = (
        f"{name_of(kind)} likes the distorted pictures better on {most_rises} of "
        f"{fall[kind].size} distortions, more than any other row or as many."
        if most_rises
        else "No row likes the distorted pictures better on any distortion."
    )
    return (
        f"From pristine to the strongest level {name_of(most)} falls most, {mean[most]:.2f} grades "
        f"on average, {name_of(least)} least, {cell(mean[least])}. {liked}"
    )


def predicted_spread(said: pd.DataFrame, wrong: pd.DataFrame) -> str:
    """Of `predicted_against_true`: how far the expected grades of each row spread, beside the
    scores, and how many of the worst pictures several rows share. said: row, id, score, expected;
    wrong: row, id (`cross_data_table.most_wrong`)."""
    columns(said, ["row", "id", "score", "expected"], "said")
    spread = said.groupby("row")["expected"].std()
    spread = spread[spread > 0]
    of = said.groupby("row")["score"].std().mean()
    shared = wrong.groupby("id")["row"].nunique()
    return (
        f"People's scores have a standard deviation of {of:.2f}, the rows' expected grades one of "
        f"{_span(spread)}. Of the {len(shared)} pictures that some row is most wrong about, "
        f"{int((shared > 1).sum())} are shared by several rows, one by {int(shared.max())} of "
        f"{len(spread)}."
    )
