"""Everything about one difference, a - b on the same pictures and seeds: its interval, tests,
equivalence within a margin that was set before any result, and what the data could have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..scales import DETAILS
from ..stats import paired_tests
from ..stats.bootstrap import holm, known_methods
from ..stats.class_bootstrap import METRICS, bootstrap
from ..stats.resampling import Bootstrap, Paired
from .names import name_of, plain, set_of_row
from .published import published
from .quantities import quantity

NAN = float("nan")


PRIMARY = {"overall": "macro_f1"} | dict.fromkeys(DETAILS, "auc")


TESTS = ("mcnemar_exact", "mcnemar_midp", "durkalski", "sign_flip", "delong", "obuchowski")


# columns of `one_table`
TABLE = (
    "quantity",
    "metric",
    "primary",
    "a",
    "b",
    "pictures",
    "patients",
    "seeds",
    "value_a",
    "value_b",
    "difference",
    "low",
    "high",
    "low_90",
    "high_90",
    "se",
    "p",
    "p_holm",
    *(f"p_{test}" for test in TESTS),
    "margin",
    "verdict",
    "detectable",
    "decided_margin",
    "planned_margin",
    "words",
    "note",
)


def _tests(data: Paired, a: str, b: str, metric: str, seed: int) -> list[paired_tests.Result]:
    """The tests that hold the models fixed: of accuracy, or of AUC."""
    x, y = data.p[a], data.p[b]
    if metric == "accuracy":
        right, other = ((p.argmax(axis=2) == data.truth).astype(int) for p in (x, y))
        return [
            *paired_tests.mcnemar(right, other),
            paired_tests.durkalski(right, other, data.cluster),
            paired_tests.sign_flip(right - other, data.cluster, seed=seed),
        ]
    if metric == "auc":
        bad = data.truth == 0
        return [
            paired_tests.auc_test(bad, x[..., 0], y[..., 0]),
            paired_tests.auc_test(bad, x[..., 0], y[..., 0], data.cluster),
        ]
    return []


def margins() -> dict[tuple[str, str], float]:
    """Equivalence margins set before any result (published_numbers/margins.csv), by quantity and
    metric."""
    of = {"overall grade": ("overall",), "details": DETAILS}
    rows = published("margins").to_dict("records")
    return {
        (name, row["metric"]): float(row["margin"]) for row in rows for name in of[row["quantity"]]
    }


def one_table(
    predictions: pd.DataFrame,
    a: str,
    b: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
    metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Everything about a - b on the same pictures and seeds: one row per quantity and metric.

    predictions: long predictions of one split (see `quantity`). Columns: quantity, metric, primary,
    a, b (methods), pictures, patients, seeds, value_a, value_b, difference, low, high (95 %),
    low_90, high_90, se, p (bootstrap), p_holm (within the primary rows, and within the others),
    p_<test> of TESTS (of accuracy or AUC), margin, verdict (`paired_tests.equivalence`), detectable
    (smallest true difference found with 80 % power), decided_margin (smallest margin within which
    these data are equivalent), planned_margin (smallest margin that data like these decide with 80
    % power), words, note. A quantity that cannot be compared has one row with nan and the reason in
    `note`. Raises ValueError as `quantity`, and where a == b."""
    if a == b:
        raise ValueError(f"{a} is compared with itself; give two methods")
    known_methods(predictions, (a, b))
    rows = []
    for name in PRIMARY:
        data = quantity(predictions, (a, b), name)
        boot = None if isinstance(data, str) else bootstrap(data, metrics, resamples, seed)
        rows += rows_of_pair(data, boot, a, b, name, metrics=metrics, seed=seed)
    table = pd.DataFrame(rows).reindex(columns=list(TABLE))
    return with_words(with_holm(table))


def rows_of_pair(
    data: Paired | str,
    boot: Bootstrap | None,
    a: str,
    b: str,
    name: str,
    *,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
) -> list[dict[str, object]]:
    """The rows of `one_table` of one quantity, without Holm's correction and words; of a data set
    (or the reason why there is none) and a bootstrap that may hold other methods too."""
    about = {"quantity": name, "a": a, "b": b}
    if isinstance(data, str) or boot is None:
        return [about | {"metric": PRIMARY[name], "primary": True, "note": data}]
    allowed, rows = margins(), []
    for metric in metrics:
        row = _row(data, boot, a, b, metric)
        row |= _left_open(boot, a, b, metric, allowed.get((name, metric), NAN))
        row |= _by_tests(data, a, b, metric, seed)
        if np.isnan(float(str(row["low"]))):
            told = "undefined in too many resamples, or in all data: a class is missing"
            row["note"] = "; ".join(filter(None, [str(row["note"]), told]))
        rows.append(about | {"metric": metric, "primary": metric == PRIMARY[name]} | row)
    return rows


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """A table with p_holm: within its primary rows, and within the others."""
    table = table.copy()
    for family in (table["primary"], ~table["primary"]):
        known = family & table["p"].notna()
        table.loc[known, "p_holm"] = holm(table.loc[known, "p"])
    return table


def with_words(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its verdicts filled up, and each row as a sentence (`words`)."""
    table = table.assign(verdict=table["verdict"].fillna("undefined"))
    return table.assign(words=[words(row) for row in table.to_dict("records")])


def _row(data: Paired, boot: Bootstrap, a: str, b: str, metric: str) -> dict[str, object]:
    """What is compared, and the difference with its interval."""
    difference, low, high = boot.difference(a, b, metric)
    return {
        "pictures": len(data.truth),
        "patients": data.clusters,
        "seeds": len(data.seeds),
        "value_a": boot.estimate[a, metric],
        "value_b": boot.estimate[b, metric],
        "difference": difference,
        "low": low,
        "high": high,
        "p": boot.p_value(a, b, metric),
    }


def _left_open(boot: Bootstrap, a: str, b: str, metric: str, margin: float) -> dict[str, object]:
    """Equivalence by the 90 % interval (margin: nan where none was set), and what these data could
    have shown."""
    _, low, high = boot.difference(a, b, metric, 0.90)
    se = float(np.std(boot.differences(a, b, metric), ddof=1))
    said = paired_tests.equivalence(low, high, margin) if margin > 0 else "no margin set"
    return {
        "low_90": low,
        "high_90": high,
        "se": se,
        "margin": margin,
        "verdict": said,
        "detectable": paired_tests.smallest_difference(se),
        "decided_margin": max(abs(low), abs(high)),
        "planned_margin": paired_tests.smallest_margin(se),
    }


def _by_tests(data: Paired, a: str, b: str, metric: str, seed: int) -> dict[str, object]:
    """The p-values of TESTS, and why some have none."""
    tests = _tests(data, a, b, metric, seed)
    notes = dict.fromkeys(t.note for t in tests if np.isnan(t.p))
    return {f"p_{t.name}": t.p for t in tests} | {"note": "; ".join(notes)}


# how `words` says each verdict of equivalence, with the margin after it
EQUIVALENCE = {
    "superior": "better by more than",
    "inferior": "worse by more than",
    "equivalent": "equivalent within",
    "non-inferior": "not worse by",
    "non-superior": "not better by",
    "undecided": "equivalence undecided at",
}


def measured(row: Mapping) -> str:
    """The measure of a row of `one_table` in words, with the set's own word for the worst grade."""
    on = set_of_row(row["a"]) if row["quantity"] == "overall" else ""
    return plain(row["metric"], on)


def words(row: Mapping) -> str:
    """One row of `one_table` as a sentence, which never reads "p > 0.05" as "the same"."""
    what = f"{row['quantity']}, {measured(row)}: {name_of(row['a'])} − {name_of(row['b'])}"
    if not np.isfinite([row["low"], row["high"], row["p_holm"]]).all():
        return f"{what} cannot be judged ({row['note'] or 'a class is missing'})."
    text = (
        f"{what} {row['difference']:+.4f} (95 % interval {row['low']:+.4f} to {row['high']:+.4f}; "
        f"p {_p(row['p_holm'])} after Holm)"
    )
    if row["p_holm"] < 0.05:
        text += ": a difference"
    else:
        text += (
            f": no difference shown, and one below {row['detectable']:.4f} would more often than "
            "one time in five be missed"
        )
    if row["verdict"] == "no margin set":
        return text + "."
    text += f"; {EQUIVALENCE[row['verdict']]} the margin {row['margin']:g}"
    if row["verdict"] in ("undecided", "non-inferior", "non-superior"):
        text += f" (these data would decide {row['decided_margin']:.4f})"
    return text + "."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
