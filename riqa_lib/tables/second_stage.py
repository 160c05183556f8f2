"""The second stage of Dang et al. (their Figure 2), as tables: how right the pseudo-labels are, and
what learning from them changes. A method's model grades the pictures without a label; a fresh
network learns from these grades and the labels.

Everything here comes from stored predictions. How right a pseudo-label is can be said where the
true grade is known: in the simulation, and where known grades were hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..scales import SECOND
from ..stats import bootstrap
from ..stats.crossed import too_few
from ..stats.reliability_bins import calibration_error, reliability_bins
from .names import BASE, name_of, order
from .pool import told
from .quantities import on_test
from .text import cell_of, decided, markdown, with_ends


def pseudo_labels(runs: pd.DataFrame, *, simulated: bool) -> pd.DataFrame:
    """The pictures that first-stage runs had no label for, with their pseudo-labels: `pool.told` of
    these runs; what they are like, grade by grade, is `pool.per_grade`. Empty where there is no
    such picture. runs: columns run, method, seed, labels (`stored.runs_of`).

    Raises ValueError where there are no such runs."""
    first = runs[~runs["method"].str.endswith(SECOND)]
    if first.empty:
        raise ValueError("no first-stage run; run notebooks 03 to 09 first")
    return told(first, simulated=simulated)


def quality(labels: pd.DataFrame) -> pd.DataFrame:
    """Per method, seed and part (of `pool.PARTS`): pictures, accuracy, mae, mean confidence, and
    ece, the expected calibration error (`stats.reliability_bins`); of pictures of known truth."""
    rows = []
    known = labels[labels["truth"] >= 0]
    for (method, seed, of), part in known.groupby(["method", "seed", "part"], sort=False):
        sure, right = part["confidence"].to_numpy(), (part["grade"] == part["truth"]).to_numpy()
        rows.append(
            {
                "method": method,
                "seed": seed,
                "part": of,
                "pictures": len(part),
                "accuracy": right.mean(),
                "mae": (part["grade"] - part["truth"]).abs().mean(),
                "confidence": sure.mean(),
                "ece": calibration_error(reliability_bins(sure, right)),
            }
        )
    return pd.DataFrame(rows)


def changes(
    predictions: pd.DataFrame, metrics: Sequence[str] = ("mae", "macro_mae"), resamples: int = 2000
) -> pd.DataFrame:
    """What the second stage changes, per method that has both: first, second and second minus first
    (paired, below 0 is better), each with its 95 % interval over pictures and the seeds that both
    have; for metrics of `bootstrap`. `to_base`: the second stage minus the supervised network of
    the first, which is what the paper's Table 2 is about.

    predictions: long test predictions (method, seed, labels, ...), as of `stored.load_runs`."""
    test = on_test(predictions)
    seeds = test.groupby("method")["seed"].agg(set)
    twice = [m for m in seeds.index if f"{m}{SECOND}" in seeds.index]
    rows = [_changed(test, seeds, method, metrics, resamples) for method in order(twice)]
    if not any(rows):
        raise ValueError("predictions: no method has both stages for the same seed")
    return pd.DataFrame([row for row in rows if row])


def _changed(
    test: pd.DataFrame, seeds: pd.Series, method: str, metrics: Sequence[str], resamples: int
) -> dict[str, object]:
    """The row of `changes` of a method that has both stages; empty where they share no seed with
    each other and the supervised network. seeds: those of each method."""
    second = f"{method}{SECOND}"
    based = BASE in seeds.index
    compared = list(dict.fromkeys([method, second, *([BASE] if based else [])]))
    shared = set.intersection(*(seeds[m] for m in compared))
    if not shared:
        return {}
    part = test[test["method"].isin(compared) & test["seed"].isin(shared)]
    found = bootstrap.paired_bootstrap(part, compared, metrics, resamples)
    row: dict[str, object] = {
        "method": method,
        "seeds": len(shared),
        "pictures": part["id"].nunique(),
    }
    for m in metrics:
        row |= with_ends(f"{m}_first", found.interval(method, m))
        row |= with_ends(f"{m}_second", found.interval(second, m))
        row |= with_ends(f"{m}_change", found.difference(second, method, m))
        if based:
            row |= with_ends(f"{m}_to_base", found.difference(second, BASE, m))
    return row


def show(table: pd.DataFrame) -> str:
    """`changes` as markdown, in words made from its numbers."""
    head = ["first stage", "MAE, first", "MAE, second", "second − first"]
    head.append("second − supervised, first stage")
    rows = []
    names: dict[str, list[str]] = {"better": [], "worse": [], "not decided": []}
    for row in table.to_dict("records"):
        name = name_of(row["method"])
        values = [cell_of(row, f"mae_{k}") for k in ("first", "second")]
        values += [cell_of(row, f"mae_{k}", sign=True) for k in ("change", "to_base")]
        rows.append([name, *values])
        names[decided(row["mae_change_low"], row["mae_change_high"])].append(name)
    few = too_few(table["seeds"].min())
    said = f"{few.capitalize()} of the stages. " if few else _said(names)
    said += f"Seeds: {int(table['seeds'].min())}; test pictures: {int(table['pictures'].max())}."
    return markdown(head, rows) + f"\n\n{said}\n"


def _said(names: Mapping[str, Sequence[str]]) -> str:
    """Which methods the second stage changes, in a sentence; names: of each verdict."""
    return (
        f"The second stage lowers the MAE of {', '.join(names['better']) or 'none'}, "
        f"raises that of {', '.join(names['worse']) or 'none'}; "
        f"for the other {len(names['not decided'])} the interval holds 0: not decided. "
    )
