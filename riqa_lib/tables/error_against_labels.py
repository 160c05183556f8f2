"""Error against the number of labels, from stored predictions: each row on each number of labels,
beside the supervised row with as many, and beside its own control, which has the same targets and
no pool.

A walk lists these runs in results/<walk>/tables/budgets-<labels>-seed<k>.csv (notebook 20); of all
labels, what Table 2 lists in runs-*.csv serves as well (`listed`). `measured` makes the table,
notebook 21 keeps it in results/<walk>/tables/budgets.csv, and of the tracked reference it lies in
results/reference/budgets.csv, and below it in one folder for each real data set, without any
prediction (`load`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from ..stats import bootstrap
from ..stats.closed_share import closed_share
from ..stats.crossed import Crossed, compare, left_by_pictures, seeds_needed
from ..stats.within import WITHIN, bootstrap_within
from . import stored
from .against_base import Key
from .names import ALWAYS, BASE, CONSTANT, FIVE, REFERENCE, SIMPLE, UNTRAINED
from .quantities import on_test
from .table2 import table2
from .text import with_ends

TRAINED, NOTEBOOK = "20_label_budgets", "21_error_against_labels"  # runs and table


# which weights of a run speak: those that validation selects, or those of the last step, which
# nobody selects
SELECTED, LAST = "selected", "last"


ORDINAL = "supervised_ordinal"


POOLED = ("fixmatch", *FIVE, "mean_teacher")  # the rows that learn from the pool


# the row with the same targets and no pool: what the pool adds is the difference to it
CONTROL = dict.fromkeys(POOLED, BASE) | {"mean_teacher": ORDINAL}


ROWS = (*SIMPLE[1:], BASE, ORDINAL, *POOLED)


# what the table keeps of `table2`: errors and correlations with their intervals, and the paired
# difference to the supervised row with as many labels
METRICS = ("mae", "macro_mae", "qwk", "srcc")


KEPT = (
    *("row", "method", "labels", "seeds", "pictures", "data", "against", "margin"),
    *(f"{m}{end}" for m in METRICS for end in ("", "_low", "_high")),
    *(f"d_mae{end}" for end in ("", "_low", "_high", "_low_90", "_high_90")),
    *("d_seeds", "p_mae", "p_holm", "could_show"),
)


# ---------------------------------------------------------------- runs
def listed(name: str, weights: str = SELECTED) -> pd.DataFrame:
    """The runs of a walk that belong here: run, method, seed, labels (how many). Those of the lists
    budgets-*.csv, and of all labels those of Table 2's lists that have no other here;
    "supervised_all" is the supervised row. weights: of Table 2's lists only runs that keep what
    these say.

    FileNotFoundError, naming the notebook, where there is none of the first kind, or where a run is
    gone."""
    every = len(_train_grades(name))
    runs = _lists(name, "budgets")
    if runs.empty:
        store.need(paths.results(name) / "tables" / "budgets-0-seed0.csv", TRAINED)
    of_table2 = _lists(name, "runs")
    of_table2["method"] = of_table2["method"].replace("supervised_all", BASE)
    whole = of_table2["method"].isin(ROWS) & (of_table2["labels"] == every)
    kept = [(paths.runs() / run / store.PREDICTIONS[weights]).exists() for run in of_table2["run"]]
    runs = pd.concat([runs, of_table2[whole & np.array(kept, dtype=bool)]])
    runs = runs.drop_duplicates(["method", "seed", "labels"], ignore_index=True)
    for run in runs["run"]:
        store.need(paths.runs() / run / "provenance.json", TRAINED)
    return runs.sort_values(["labels", "method", "seed"], kind="stable", ignore_index=True)


def _lists(name: str, kind: str) -> pd.DataFrame:
    """The lists of one kind as one table; empty where there are none."""
    files = sorted((paths.results(name) / "tables").glob(f"{kind}-*.csv"))
    none = pd.DataFrame(columns=list(stored.LISTED))
    tables = [store.read_table(file)[list(none)] for file in files]
    return pd.concat(tables or [none], ignore_index=True)


def _train_grades(name: str) -> pd.Series:
    """The grades of the training pictures that have one: as many labels are "all"."""
    file = paths.results(name) / "data" / "frame.csv"
    frame = store.read_table(store.need(file, "01_koka10k"))
    return frame.loc[(frame["grade"] >= 0) & (frame["split"] == "train"), "grade"]


def predictions_of(runs: pd.DataFrame, weights: str = SELECTED) -> pd.DataFrame:
    """Long predictions on the test pictures of these runs (run, method, seed, labels, as `listed`);
    probabilities as stored. weights: of a trained network, those that validation "selected" or
    those of the "last" step; FileNotFoundError, naming the notebook, where a run has none of
    these."""
    parts = []
    for run in runs.to_dict("records"):
        folder = paths.runs() / run["run"]
        kind = SELECTED if run["method"] in SIMPLE else weights
        store.need(folder / store.PREDICTIONS[kind], TRAINED)
        table = on_test(store.read_predictions(folder, kind))
        said = {column: run[column] for column in ("method", "seed", "labels")}
        parts.append(table.assign(**said))
    return pd.concat(parts, ignore_index=True)


def measured(
    name: str,
    resamples: int = 1000,
    seed: int = 0,
    weights: str = SELECTED,
    without: Collection[str] = (),
) -> pd.DataFrame:
    """`error_against_labels` of all that a walk lists. without: ids of test pictures that don't
    count, such as near-copies of what was learnt from; ValueError for one that is no test picture.
    Raises as `listed` and `predictions_of`."""
    runs = listed(name, weights)
    info = store.read_json(store.need(paths.results(name) / "data" / "dataset.json", "01_koka10k"))
    predictions = predictions_of(runs, weights)
    if unknown := sorted({*without} - {*predictions["id"]}):
        raise ValueError(f"{len(unknown)} ids are of no test picture of {name}, first {unknown[0]}")
    counted = predictions[~predictions["id"].isin(list(without))].reset_index(drop=True)
    simulated = bool(info["simulated"])
    return error_against_labels(counted, _train_grades(name), simulated, resamples, seed)


def table_of(name: str, weights: str = SELECTED) -> pd.DataFrame:
    """A walk's table, made from its predictions and kept (`place`); of the tracked reference as it
    lies there."""
    if name.partition("/")[0] == REFERENCE:
        return load(name, weights)
    table = measured(name, weights=weights)
    store.write_table(place(name, weights), table)
    return table


def place(name: str, weights: str = SELECTED) -> Path:
    """Where the table of a walk lies; of "reference" and of folders below it, such as
    "reference/biq2021", where it is tracked."""
    file = "budgets.csv" if weights == SELECTED else f"budgets_{weights}.csv"
    first, _, rest = name.partition("/")
    if first == REFERENCE:
        return paths.reference() / rest / file
    return paths.results(name) / "tables" / file


def load(name: str, weights: str = SELECTED) -> pd.DataFrame:
    """The stored table of a walk, or the tracked one (see `place`). FileNotFoundError, naming the
    notebook that makes it."""
    return store.read_table(store.need(place(name, weights), NOTEBOOK))


# ---------------------------------------------------------------- the table
def error_against_labels(
    predictions: pd.DataFrame,
    train_grades: object,
    simulated: bool,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per method and number of labels, the constants first (their labels: all).

    predictions: long, as `table2` takes them. train_grades: of all training pictures, for the best
    constant. Columns: those of KEPT, as `table2` has them (d_mae: this row minus "supervised" with
    as many labels, below 0 is better; p_holm: over the paper's five within a number of labels), and

    seeds_needed, left    of a difference that is not decided: `crossed.seeds_needed` (inf: no
                          number) and `left_by_pictures`, in MAE
    control               the row with the same targets and no pool (CONTROL), "" of all others
    c_mae ..              the same of this row minus its control: c_mae with _low, _high, _low_90,
                          _high_90, c_seeds, p_control, p_holm_control (Holm's over the rows of
                          POOLED within a number of labels, seven also where some were not run),
                          could_show_control, seeds_needed_control, left_control
    closed, _low, _high   the share of the gap in MAE between the control with as many and with all
                          labels that the row closes (`closed_share`)
    srcc_within ..        SRCC within sources with _low and _high, and mae_within, where pictures
                          come from several (`stats.within`)

    Raises as `table2`."""
    table = table2(predictions, _unpublished(), simulated, train_grades, None, resamples, seed)
    table = table.loc[~table["method"].isin(list(ALWAYS)), list(KEPT)].reset_index(drop=True)
    test = on_test(predictions)
    parts = dict(iter(test.groupby(["method", "labels"])))
    most = max(labels for _, labels in parts)
    rows = table.to_dict("records")
    found = pd.DataFrame([_more(parts, row, int(most)) for row in rows])
    found.insert(
        list(found).index("p_control") + 1, "p_holm_control", _holm(found["p_control"], table)
    )
    inside = pd.DataFrame([_within(parts, row, resamples, seed) for row in rows])
    return pd.concat([table, found, inside], axis=1)


def _unpublished() -> pd.DataFrame:
    return pd.DataFrame(columns=["method", "metric", "value"])


def _more(parts: Mapping[Key, pd.DataFrame], row: Mapping, most: int) -> dict[str, object]:
    """What a row of the table has besides KEPT."""
    key = (row["method"], row["labels"])
    control = CONTROL.get(row["method"], "")
    base, own = ((which, row["labels"]) for which in (BASE, control))
    trained = row["method"] not in UNTRAINED
    of_base = _difference(parts, key, base) if trained and key != base else None
    of_control = _difference(parts, key, own) if control else None
    family = len(FIVE) if row["method"] in FIVE else 1
    out: dict[str, object] = _to_decide(of_base, row["margin"], family, "")
    out |= {"control": control, "c_seeds": of_control.seeds if of_control else 0}
    numbers = [np.nan] * 5
    if of_control:
        numbers = [*of_control.interval(), *of_control.interval(0.9)[1:]]
    ends = ("", "_low", "_high", "_low_90", "_high_90")
    out |= dict(zip([f"c_mae{end}" for end in ends], numbers, strict=True))
    out["p_control"] = of_control.p if of_control else np.nan
    out["could_show_control"] = of_control.could_show(len(POOLED)) if of_control else np.nan
    out |= _to_decide(of_control, row["margin"], len(POOLED), "_control")
    return out | with_ends("closed", _closed(parts, key, control, most))


def _to_decide(found: Crossed | None, margin: float, tests: int, end: str) -> dict[str, object]:
    """Columns seeds_needed and left, of an undecided difference."""
    needed, left = np.nan, np.nan
    if found:
        needed, left = seeds_needed(found, margin, tests), left_by_pictures(found)
    return {f"seeds_needed{end}": needed, f"left{end}": left}


def _lined_up(parts: Mapping[Key, pd.DataFrame], keys: list[Key]) -> dict[str, pd.DataFrame]:
    """The predictions of some rows, of the seeds that all have, by "0", "1", ...; empty where one
    is not there or they share no seed."""
    if any(key not in parts for key in keys):
        return {}
    shared = set.intersection(*({*parts[key]["seed"]} for key in keys))
    return {
        str(place): parts[key][parts[key]["seed"].isin(shared)].assign(method=str(place))
        for place, key in enumerate(keys)
        if shared
    }


def _difference(parts: Mapping[Key, pd.DataFrame], a: Key, b: Key) -> Crossed | None:
    """The crossed components of a - b in MAE; None where there is nothing to compare."""
    rows = _lined_up(parts, [a, b])
    if not rows:
        return None
    return compare(bootstrap.paired(pd.concat(rows.values()), list(rows)), "0", "1", "mae")


def _closed(
    parts: Mapping[Key, pd.DataFrame], key: Key, control: str, most: int
) -> tuple[float, float, float]:
    """Of the gap between the control and the control with all labels, the share that a row
    closes."""
    rows = _lined_up(parts, [key, (control, key[1]), (control, most)]) if key[1] < most else {}
    if not rows:
        return np.nan, np.nan, np.nan
    data = bootstrap.paired(pd.concat(rows.values()), list(rows))
    own, base, full = (np.abs(data.p[m].argmax(axis=2) - data.truth) for m in rows)
    return closed_share(base - own, base - full, data.cluster)


def _within(
    parts: Mapping[Key, pd.DataFrame], row: Mapping, resamples: int, seed: int
) -> dict[str, float]:
    """SRCC and MAE within sources with their intervals, where pictures come from several."""
    own = parts.get((row["method"], row["labels"]))
    if own is None or "source" not in own or own["source"].nunique() < 2:  # None: a constant
        return {}
    out: dict[str, float] = {}
    _, drawn = bootstrap_within(own, row["method"], resamples, seed)
    for m in ("srcc", "mae"):
        name = f"{m}_{WITHIN}"
        out |= with_ends(name, drawn.interval(row["method"], name))
    return out


def _holm(p: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Holm's over POOLED within a number of labels; a row that was not run counts as p = 1."""
    out = pd.Series(np.nan, index=table.index)
    family = table[table["method"].isin(POOLED) & p.notna()]
    for _, rows in family.groupby("labels"):
        filled = [*p[rows.index], *[1.0] * (len(POOLED) - len(rows))]
        out[rows.index] = bootstrap.holm(filled)[: len(rows)]
    return out


def budgets_of(table: pd.DataFrame) -> list[int]:
    """The numbers of labels of the rows that were trained, least first."""
    fixed = {CONSTANT, *ALWAYS}
    return sorted({int(n) for n in table.loc[~table["method"].isin(fixed), "labels"]})
