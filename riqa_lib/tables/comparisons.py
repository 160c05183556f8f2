"""Which fundus runs are compared with which, and with whom: the tables of notebooks 16 and 17, from
stored predictions.

Student and Teacher are compared where neither has learnt: on MSHF's held-out source and on EyeQ-D's
details. Multi-task and single-task are compared on the test split of the set that both learn
from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import paths, store
from ..scales import DETAILS
from ..stats import paired_tests
from ..stats.bootstrap import Paired, holm
from ..stats.class_bootstrap import METRICS, bootstrap
from . import quantities
from .names import name_of, row_name
from .published import published
from .quantities import quantity
from .text import cell

HELD_OUT = {"mshf": ("test",), "eyeq_d": ("train", "val", "test")}  # nobody learns from EyeQ-D


SETS = ("eyeq", "deepdrid")


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
    return quantities.clustered(part)


def beside_teacher(predictions: pd.DataFrame, student: str, which: str) -> pd.DataFrame:
    """A Student's and its Teacher's predictions on a set where neither learnt, for the seeds that
    both have."""
    part = _on(predictions, which, HELD_OUT[which])
    part = part[part["method"].isin([student, "teacher"])]
    seeds = part.groupby("seed")["method"].nunique()
    return part[part["seed"].isin(seeds.index[seeds == 2])].reset_index(drop=True)


def all_of(predictions: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Every comparison that the stored runs allow, with the columns of `verdicts.one_table` after
    comparison ("multi v single" or "Student v Teacher") and set. Holm's correction is within each
    comparison and set. Raises ValueError where there is none."""
    methods, parts = set(predictions["method"]), []
    for on in SETS:
        multi, single = f"multi_{on}", f"single_{on}"
        if {multi, single} <= methods:
            seeds = set.intersection(
                *(set(predictions.loc[predictions["method"] == m, "seed"]) for m in (multi, single))
            )
            part = _on(predictions, on, ("test",))
            table = one_table(part[part["seed"].isin(seeds)], multi, single, resamples=resamples)
            parts.append(
                table[table["quantity"] == "overall"].assign(comparison="multi v single", set=on)
            )
        for which in HELD_OUT:
            if {multi, "teacher"} <= methods:
                table = one_table(
                    beside_teacher(predictions, multi, which), multi, "teacher", resamples=resamples
                )
                parts.append(
                    table[table["quantity"] != "overall"].assign(
                        comparison="Student v Teacher", set=which
                    )
                )
    if not parts:
        raise ValueError(
            "no two fundus runs to compare; run notebooks 14_teacher and 15_student first"
        )
    table = pd.concat(parts, ignore_index=True)
    first = ["comparison", "set"]
    return table[[*first, *[c for c in table if c not in first]]]


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
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in table.to_dict("records"):
        clustered = r.get("p_durkalski") if r["metric"] == "accuracy" else r.get("p_obuchowski")
        number = lambda v: "–" if v is None or pd.isna(v) else f"{v:.3f}"
        three = cell(r["difference"], r["low"], r["high"], sign=True, digits=3)
        names = " − ".join(row_name(r[c]) for c in "ab")
        cells = [
            r["comparison"],
            r["set"],
            names,
            r["quantity"],
            SHOWN.get(r["metric"], r["metric"]),
            three,
            f"{number(r['p'])} ({number(r['p_holm'])})",
            number(r.get("p_mcnemar_midp")),
            number(clustered),
            r["verdict"],
            number(r["margin"]),
            number(r["detectable"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """The primary rows in words."""
    said = [
        f"- {r['comparison']}, {r['set']}: {words(r)}"
        for r in table[table["primary"]].to_dict("records")
    ]
    return "\n".join(["Simulated data." if simulated else "Real data.", "", *said])


Floats = NDArray[np.float64]


Ints = NDArray[np.int64]


SHOWN = {"macro_f1": "macro F1", "accuracy": "accuracy", "f1": "F1 of bad", "auc": "AUC of bad"}


PRIMARY = {"overall": "macro_f1"} | dict.fromkeys(DETAILS, "auc")


TESTS = ("mcnemar_exact", "mcnemar_midp", "durkalski", "sign_flip", "delong", "obuchowski")


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
    """Equivalence margins set before any result (riqa_lib/reference/margins.csv), by quantity and
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
    p_<test> of TESTS (of accuracy or AUC), margin, verdict (`significance.equivalence`), detectable
    (smallest true difference found with 80 % power), decided_margin (smallest margin within which
    these data are equivalent), planned_margin (smallest margin that data like these decide with 80
    % power), words, note. A quantity that cannot be compared has one row with nan and the reason in
    `note`. Raises ValueError as `quantity`, and where a == b."""
    if a == b:
        raise ValueError(f"{a} is compared with itself; give two methods")
    if absent := [m for m in (a, b) if m not in set(predictions["method"])]:
        raise ValueError(
            f"predictions: no method {', '.join(absent)}; found {', '.join(map(str, predictions['method'].unique()))}"
        )
    allowed, rows = margins(), []
    for name, primary in PRIMARY.items():
        data = quantity(predictions, (a, b), name)
        if isinstance(data, str):
            rows.append(
                {"quantity": name, "metric": primary, "primary": True, "a": a, "b": b, "note": data}
            )
            continue
        boot = bootstrap(data, metrics, resamples, seed)
        for metric in metrics:
            d, low, high = boot.difference(a, b, metric)
            _, low_90, high_90 = boot.difference(a, b, metric, 0.90)
            tests = _tests(data, a, b, metric, seed)
            se = float(np.std(boot.draws[a, metric] - boot.draws[b, metric], ddof=1))
            row = {
                "quantity": name,
                "metric": metric,
                "primary": metric == primary,
                "a": a,
                "b": b,
                "pictures": len(data.truth),
                "patients": int(data.cluster.max()) + 1,
                "seeds": len(data.seeds),
                "value_a": boot.estimate[a, metric],
                "value_b": boot.estimate[b, metric],
                "difference": d,
                "low": low,
                "high": high,
                "low_90": low_90,
                "high_90": high_90,
                "se": se,
                "p": boot.p_value(a, b, metric),
            }
            row |= {f"p_{t.name}": t.p for t in tests}
            margin = allowed.get((name, metric), float("nan"))
            row |= {
                "margin": margin,
                "verdict": paired_tests.equivalence(low_90, high_90, margin)
                if margin > 0
                else "no margin set",
            }
            row |= {
                "detectable": paired_tests.smallest_difference(se),
                "decided_margin": max(abs(low_90), abs(high_90)),
                "planned_margin": paired_tests.smallest_margin(se),
            }
            notes = [t.note for t in tests if np.isnan(t.p)]
            if np.isnan(low):
                notes.append("undefined in too many resamples, or in all data: a class is missing")
            rows.append(row | {"note": "; ".join(dict.fromkeys(notes))})
    columns = [
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
        *(f"p_{t}" for t in TESTS),
        "margin",
        "verdict",
        "detectable",
        "decided_margin",
        "planned_margin",
        "words",
        "note",
    ]
    table = pd.DataFrame(rows).reindex(columns=columns)
    for family in (table["primary"], ~table["primary"]):
        known = family & table["p"].notna()
        table.loc[known, "p_holm"] = holm(table.loc[known, "p"])
    table["verdict"] = table["verdict"].fillna("undefined")
    table["words"] = [words(row) for row in table.to_dict("records")]
    return table


def words(row: dict) -> str:
    """One row of `one_table` as a sentence, which never reads "p > 0.05" as "the same"."""
    what = f"{row['quantity']}, {SHOWN[row['metric']]}: {name_of(row['a'])} − {name_of(row['b'])}"
    if not np.isfinite([row["low"], row["high"], row["p_holm"]]).all():
        return f"{what} cannot be judged ({row['note'] or 'a class is missing'})."
    text = (
        f"{what} {row['difference']:+.4f} (95 % interval {row['low']:+.4f} to {row['high']:+.4f}; "
    )
    text += f"p {_p(row['p_holm'])} after Holm)"
    if row["p_holm"] < 0.05:
        text += ": a difference"
    else:
        text += f": no difference shown, and one below {row['detectable']:.4f} would more often than one time in five be missed"
    if row["verdict"] == "no margin set":
        return text + "."
    verdict = {
        "superior": "better by more than",
        "inferior": "worse by more than",
        "equivalent": "equivalent within",
        "non-inferior": "not worse by",
        "non-superior": "not better by",
        "undecided": "equivalence undecided at",
    }
    text += f"; {verdict[row['verdict']]} the margin {row['margin']:g}"
    if row["verdict"] in ("undecided", "non-inferior", "non-superior"):
        text += f" (these data would decide {row['decided_margin']:.4f})"
    return text + "."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
