"""Which fundus runs are compared with which, and with whom: the tables of notebooks 16 and 17, from
stored predictions.

Student and Teacher are compared where neither has learnt: on MSHF's held-out source and on EyeQ-D's
details. Multi-task and single-task are compared on the test split of the set that both learn
from. What looks at pictures without a network (LOOKING) is compared with the multi-task network
there, and with the Teacher where Student and Teacher are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import paths, store
from ..scales import DETAILS
from ..stats import paired_tests
from ..stats.bootstrap import holm, known_methods
from ..stats.class_bootstrap import METRICS, bootstrap
from ..stats.resampling import Bootstrap, Paired
from .names import FUNDUS_CONSTANTS, FUNDUS_SIMPLE, name_of, row_name
from .published import published
from .quantities import clustered, quantity
from .text import cell, kind_of, markdown

HELD_OUT = {"mshf": ("test",), "eyeq_d": ("train", "val", "test")}  # nobody learns from EyeQ-D


SETS = ("eyeq", "deepdrid")


LOOKING = tuple(kind for kind in FUNDUS_SIMPLE if kind not in FUNDUS_CONSTANTS)


NAN = float("nan")


SHOWN = {"macro_f1": "macro F1", "accuracy": "accuracy", "f1": "F1 of bad", "auc": "AUC of bad"}


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


def frame_of(name: str, which: str) -> tuple[pd.DataFrame, bool]:
    """The table of a fundus set of a walk, and whether it is simulated. FileNotFoundError, naming
    the notebook, without it."""
    folder = paths.results(name) / "fundus" / which
    info = store.read_json(store.need(folder / "dataset.json", "13_fundus_datasets"))
    return store.read_table(store.need(folder / "frame.csv", "13_fundus_datasets")), bool(
        info["simulated"]
    )


def _on(predictions: pd.DataFrame, which: str, splits: Sequence[str]) -> pd.DataFrame:
    part = predictions[(predictions["set"] == which) & predictions["split"].isin(splits)]
    return clustered(part)


def beside_teacher(predictions: pd.DataFrame, student: str, which: str) -> pd.DataFrame:
    """A Student's and its Teacher's predictions on a set where neither learnt, for the seeds that
    both have."""
    return _both_seeds(_on(predictions, which, _split_of(which)), student, "teacher")


def all_of(predictions: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Every comparison that the stored runs allow, with the columns of `one_table` after comparison
    ("multi v single", "multi v forest", "Student v Teacher", "Teacher v forest", ...) and set.
    Holm's correction is within each comparison and set. Raises ValueError where there is none."""
    parts = []
    for comparison, a, b, where, judged in _pairs(set(predictions["method"])):
        part = _both_seeds(_on(predictions, where, _split_of(where)), a, b)
        table = one_table(part, a, b, resamples=resamples)
        its = table[(table["quantity"] == "overall") == (judged == "overall")]
        parts.append(its.assign(comparison=comparison, set=where))
    if not parts:
        raise ValueError(
            "no two fundus runs to compare; run notebooks 14_teacher and 15_student first"
        )
    table = pd.concat(parts, ignore_index=True)
    first = ["comparison", "set"]
    return table[[*first, *[c for c in table if c not in first]]]


def _pairs(methods: set[str]) -> list[tuple[str, str, str, str, str]]:
    """Of these methods who is compared with whom: comparison, a, b, the set where, and what of it
    ("overall" or "details")."""
    pairs = []
    for on in SETS:
        pairs.append(("multi v single", f"multi_{on}", f"single_{on}", on, "overall"))
        pairs += [
            (f"multi v {kind}", f"multi_{on}", f"{kind}_{on}", on, "overall") for kind in LOOKING
        ]
        pairs += [
            ("Student v Teacher", f"multi_{on}", "teacher", which, "details") for which in HELD_OUT
        ]
    pairs += [
        (f"Teacher v {kind}", "teacher", kind, which, "details")
        for kind in LOOKING
        for which in HELD_OUT
    ]
    return [pair for pair in pairs if {*pair[1:3]} <= methods]


def _split_of(which: str) -> Sequence[str]:
    return HELD_OUT.get(which, ("test",))


def _both_seeds(predictions: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """The rows of two methods, for the seeds that both have."""
    rows = predictions[predictions["method"].isin([a, b])]
    methods = rows.groupby("seed")["method"].nunique()
    return rows[rows["seed"].isin(methods.index[methods == 2])].reset_index(drop=True)


def show(table: pd.DataFrame) -> str:
    """`all_of` as markdown: each difference with its interval, p values, equivalence, and what the
    data could have shown."""
    head = [
        "comparison",
        "on",
        "a − b",
        "quantity",
        "measure",
        "difference [95 %]",
        "p, bootstrap (Holm)",
        "McNemar mid-p",
        "clustered",
        "verdict",
        "margin",
        "least difference seen in 4 of 5 studies",
    ]
    rows = []
    for r in table.to_dict("records"):
        clustered_p = r.get("p_durkalski") if r["metric"] == "accuracy" else r.get("p_obuchowski")
        rows.append(
            [
                r["comparison"],
                r["set"],
                " − ".join(row_name(r[c]) for c in "ab"),
                r["quantity"],
                SHOWN.get(r["metric"], r["metric"]),
                cell(r["difference"], r["low"], r["high"], sign=True, digits=3),
                f"{_number(r['p'])} ({_number(r['p_holm'])})",
                _number(r.get("p_mcnemar_midp")),
                _number(clustered_p),
                r["verdict"],
                _number(r["margin"]),
                _number(r["detectable"]),
            ]
        )
    return markdown(head, rows, left=range(len(head)))


def _number(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.3f}"


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """The primary rows in words."""
    said = [
        f"- {r['comparison']}, {r['set']}: {words(r)}"
        for r in table[table["primary"]].to_dict("records")
    ]
    return "\n".join([f"{kind_of(simulated)}.", "", *said])


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
    allowed = margins()
    rows: list[dict[str, object]] = []
    for name, primary in PRIMARY.items():
        data = quantity(predictions, (a, b), name)
        about = {"quantity": name, "a": a, "b": b}
        if isinstance(data, str):
            rows.append(about | {"metric": primary, "primary": True, "note": data})
            continue
        boot = bootstrap(data, metrics, resamples, seed)
        for metric in metrics:
            row = _row(data, boot, a, b, metric) | _left_open(
                boot, a, b, metric, allowed.get((name, metric), NAN)
            )
            row |= _by_tests(data, a, b, metric, seed)
            if np.isnan(float(str(row["low"]))):
                told = "undefined in too many resamples, or in all data: a class is missing"
                row["note"] = "; ".join(filter(None, [str(row["note"]), told]))
            rows.append(about | {"metric": metric, "primary": metric == primary} | row)
    table = pd.DataFrame(rows).reindex(columns=list(TABLE))
    for family in (table["primary"], ~table["primary"]):
        known = family & table["p"].notna()
        table.loc[known, "p_holm"] = holm(table.loc[known, "p"])
    table["verdict"] = table["verdict"].fillna("undefined")
    table["words"] = [words(row) for row in table.to_dict("records")]
    return table


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


def words(row: dict) -> str:
    """One row of `one_table` as a sentence, which never reads "p > 0.05" as "the same"."""
    what = f"{row['quantity']}, {SHOWN[row['metric']]}: {name_of(row['a'])} − {name_of(row['b'])}"
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
