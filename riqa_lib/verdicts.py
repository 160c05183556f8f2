"""Two runs compared on everything a fundus run predicts: overall grade, illumination, clarity, contrast.

Primary: the paired cluster bootstrap, which resamples patients and seeds together (as `stats`), of macro F1 of the overall
grade and of the AUC of each detail, with Holm's correction over these; equivalence by its 90 % interval within the margin
set before any result. Beside it the other tests, which hold the trained models fixed (`significance`), and what a
difference that is not significant leaves open. The positive class of F1 and AUC is 0, bad.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import significance as sig
from .metrics import columns_p
from .report import name_of, published
from .stats import Bootstrap, Paired, holm, paired, resamples_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DETAILS = ("illumination", "clarity", "contrast")
METRICS = ("macro_f1", "accuracy", "f1", "auc")
SHOWN = {"macro_f1": "macro F1", "accuracy": "accuracy", "f1": "F1 of bad", "auc": "AUC of bad"}
PRIMARY = {"overall": "macro_f1"} | dict.fromkeys(DETAILS, "auc")
CELLS = 1_000_000  # numbers held at once by the AUC: 8 MB
TESTS = ("mcnemar_exact", "mcnemar_midp", "durkalski", "sign_flip", "delong", "obuchowski")


# ---------------------------------------------------------------- the bootstrap
def f1_of(table: Floats, positive: int | None = None) -> Floats:
    """F1 from confusion matrices (R, C, C), true by said -> (R,): of class `positive`, or the macro F1 where None.

    F1 = 2 TP / (2 TP + FP + FN). The macro F1 is over the classes that are true or said at all; nan where there is none."""
    hit, both = np.diagonal(table, axis1=1, axis2=2), table.sum(axis=1) + table.sum(axis=2)  # (R, C)
    each = np.divide(2 * hit, both, out=np.full(both.shape, np.nan), where=both > 0)
    if positive is not None:
        return each[:, positive]
    n = np.isfinite(each).sum(axis=1)
    return np.divide(np.nansum(each, axis=1), n, out=np.full(len(n), np.nan), where=n > 0)


def weighted_auc(positive: NDArray[np.bool_], score: Floats, cluster: Ints, weights: Floats) -> Floats:
    """AUC (R,) where cluster k occurs weights[r, k] times in resample r; positive, score, cluster (N,), weights (R, K).

    Ties count a half. nan where a resample has one class only."""
    up, down = np.flatnonzero(positive), np.flatnonzero(~positive)
    down = down[np.argsort(score[down])]
    below, to = (np.searchsorted(score[down], score[up], side) for side in ("left", "right"))
    out, step = [], max(1, CELLS // len(score))
    for first in range(0, len(weights), step):
        w = np.ascontiguousarray(weights[first : first + step].T)  # (K, r)
        p, lost = w[cluster[up]], np.zeros((len(down) + 1, w.shape[1]))  # lost[j]: the j lowest negatives
        np.cumsum(w[cluster[down]], axis=0, out=lost[1:])
        won = np.einsum("nr,nr->r", p, lost[below])
        if (below != to).any():
            won = (won + np.einsum("nr,nr->r", p, lost[to])) / 2
        pairs = p.sum(axis=0) * lost[-1]
        out.append(np.divide(won, pairs, out=np.full(w.shape[1], np.nan), where=pairs > 0))
    return np.concatenate(out)


def _values(metrics: Sequence[str], data: Paired, p: Floats, w: Floats) -> dict[str, Floats]:
    """Metrics of one method and seed: p (N, C), w (R, K) how often each cluster is drawn -> each (R,)."""
    classes, clusters = p.shape[1], w.shape[1]
    cell = (data.cluster * classes + data.truth) * classes + p.argmax(axis=1)
    counts = np.bincount(cell, minlength=clusters * classes**2).reshape(clusters, classes**2)
    table = (w @ counts.astype(float)).reshape(-1, classes, classes)
    out = {"macro_f1": f1_of(table), "f1": f1_of(table, 0)}
    out["accuracy"] = np.trace(table, axis1=1, axis2=2) / table.sum(axis=(1, 2))
    if "auc" in metrics:
        out["auc"] = weighted_auc(data.truth == 0, p[:, 0], data.cluster, w)
    return {m: out[m] for m in metrics}


def bootstrap(
    data: Paired, metrics: Sequence[str] = METRICS, resamples: int = 2000, seed: int = 0, drawn: tuple[Ints, Ints] | None = None
) -> Bootstrap:
    """Resample clusters (patients) and seeds together; the same draws for all methods (see `stats`).

    data: `stats.paired`; metrics: some of METRICS: macro_f1, accuracy, f1 and auc of class 0, bad (against the rest), of the most
    probable class or, for auc, of its probability. drawn: resamples (of `stats.resamples_of`) where many sets share them.
    Raises ValueError for an unknown metric or a single cluster."""
    if unknown := [m for m in metrics if m not in METRICS]:
        raise ValueError(f"unknown metric {', '.join(unknown)}; expected some of {', '.join(METRICS)}")
    clusters, seeds = drawn or resamples_of(int(data.cluster.max()) + 1, len(data.seeds), resamples, seed)
    w, one = clusters.astype(float), np.ones((1, clusters.shape[1]))
    estimate, draws = {}, {}
    for method, p in data.p.items():
        whole = [_values(metrics, data, ps, one) for ps in p]
        parts = [_values(metrics, data, ps, w) for ps in p]
        for metric in metrics:
            estimate[method, metric] = float(np.mean([v[metric][0] for v in whole]))
            each = np.stack([v[metric] for v in parts], axis=1)  # (R, S)
            draws[method, metric] = (np.where(seeds > 0, each, 0) * seeds).sum(axis=1) / seeds.sum(axis=1)
    return Bootstrap(estimate, draws)


# ---------------------------------------------------------------- predictions of fundus runs
def quantity(predictions: pd.DataFrame, methods: Sequence[str], name: str) -> Paired | str:
    """Predictions of one quantity ("overall" or a detail) lined up, or the reason why there is nothing to compare.

    predictions: long, one split: method, seed, id, group, truth, p0.. (overall; absent or NaN for a run that predicts no
    grade), illumination.. (1 good, 0 bad, -1 unknown), d_illumination.. (probability of good). Pictures without a label of
    this quantity are left out. Raises ValueError as `stats.paired`, and for a detail's probability outside [0, 1]."""
    rows = predictions[predictions["method"].isin(methods)]
    if name == "overall":
        if not any(c.startswith("p") and c[1:].isdigit() for c in rows):
            return "no probabilities of the overall grade"
        rows = rows.drop(columns=[c for c in columns_p(rows) if rows[c].isna().all()])
        try:
            lacking = rows[columns_p(rows)].isna().all(axis=1)
        except ValueError:
            return "no probabilities of the overall grade"
        if lacking.any():
            return f"{', '.join(map(name_of, rows.loc[lacking, 'method'].unique()))}: no probabilities of the overall grade"
        frame = rows[rows["truth"] >= 0]
    else:
        missing = [c for c in (name, f"d_{name}") if c not in rows]
        if missing:
            return f"no column {', '.join(missing)}"
        rows = rows[rows[name] >= 0]
        p = rows[f"d_{name}"].to_numpy(float)
        if rows.empty:
            return "no picture has a label of it"
        if (bad := np.flatnonzero(~((p >= 0) & (p <= 1)))).size:
            row = rows.iloc[bad[0]]
            raise ValueError(f"d_{name}: expected probabilities, found {p[bad[0]]:g} ({row['method']}, {row['id']})")
        frame = rows[["method", "seed", "id", "group"]].assign(truth=rows[name].astype(int), p0=1 - p, p1=p)
    if frame.empty:
        return "no picture has a label of it"
    return paired(frame.drop(columns="score", errors="ignore"), methods)


def _tests(data: Paired, a: str, b: str, metric: str, seed: int) -> list[sig.Result]:
    """The tests that hold the models fixed: of accuracy, or of AUC."""
    x, y = data.p[a], data.p[b]
    if metric == "accuracy":
        right, other = ((p.argmax(axis=2) == data.truth).astype(int) for p in (x, y))
        return [*sig.mcnemar(right, other), sig.durkalski(right, other, data.cluster),
                sig.sign_flip(right - other, data.cluster, seed=seed)]  # fmt: skip
    if metric == "auc":
        bad = data.truth == 0
        return [sig.auc_test(bad, x[..., 0], y[..., 0]), sig.auc_test(bad, x[..., 0], y[..., 0], data.cluster)]
    return []


def margins() -> dict[tuple[str, str], float]:
    """Equivalence margins set before any result (riqa_lib/reference/margins.csv), by quantity and metric."""
    of = {"overall grade": ("overall",), "details": DETAILS}
    rows = published("margins").to_dict("records")
    return {(name, row["metric"]): float(row["margin"]) for row in rows for name in of[row["quantity"]]}


def one_table(
    predictions: pd.DataFrame, a: str, b: str, *, resamples: int = 2000, seed: int = 0, metrics: Sequence[str] = METRICS
) -> pd.DataFrame:
    """Everything about a - b on the same pictures and seeds: one row per quantity and metric.

    predictions: long predictions of one split (see `quantity`). Columns: quantity, metric, primary, a, b (methods), pictures,
    patients, seeds, value_a, value_b, difference, low, high (95 %), low_90, high_90, se, p (bootstrap), p_holm (within the
    primary rows, and within the others), p_<test> of TESTS (of accuracy or AUC), margin, verdict (`significance.equivalence`),
    detectable (smallest true difference found with 80 % power), decided_margin (smallest margin within which these data are
    equivalent), planned_margin (smallest margin that data like these decide with 80 % power), words, note. A quantity that
    cannot be compared has one row with nan and the reason in `note`. Raises ValueError as `quantity`, and where a == b."""
    if a == b:
        raise ValueError(f"{a} is compared with itself; give two methods")
    if absent := [m for m in (a, b) if m not in set(predictions["method"])]:
        raise ValueError(f"predictions: no method {', '.join(absent)}; found {', '.join(map(str, predictions['method'].unique()))}")
    allowed, rows = margins(), []
    for name, primary in PRIMARY.items():
        data = quantity(predictions, (a, b), name)
        if isinstance(data, str):
            rows.append({"quantity": name, "metric": primary, "primary": True, "a": a, "b": b, "note": data})
            continue
        boot = bootstrap(data, metrics, resamples, seed)
        for metric in metrics:
            d, low, high = boot.difference(a, b, metric)
            _, low_90, high_90 = boot.difference(a, b, metric, 0.90)
            tests = _tests(data, a, b, metric, seed)
            se = float(np.std(boot.draws[a, metric] - boot.draws[b, metric], ddof=1))
            row = {"quantity": name, "metric": metric, "primary": metric == primary, "a": a, "b": b,
                   "pictures": len(data.truth), "patients": int(data.cluster.max()) + 1, "seeds": len(data.seeds),
                   "value_a": boot.estimate[a, metric], "value_b": boot.estimate[b, metric], "difference": d, "low": low,
                   "high": high, "low_90": low_90, "high_90": high_90, "se": se, "p": boot.p_value(a, b, metric)}  # fmt: skip
            row |= {f"p_{t.name}": t.p for t in tests}
            margin = allowed.get((name, metric), float("nan"))
            row |= {"margin": margin, "verdict": sig.equivalence(low_90, high_90, margin) if margin > 0 else "no margin set"}
            row |= {"detectable": sig.smallest_difference(se), "decided_margin": max(abs(low_90), abs(high_90)),
                    "planned_margin": sig.smallest_margin(se)}  # fmt: skip
            notes = [t.note for t in tests if np.isnan(t.p)]
            if np.isnan(low):
                notes.append("undefined in too many resamples, or in all data: a class is missing")
            rows.append(row | {"note": "; ".join(dict.fromkeys(notes))})
    columns = ["quantity", "metric", "primary", "a", "b", "pictures", "patients", "seeds", "value_a", "value_b", "difference",
               "low", "high", "low_90", "high_90", "se", "p", "p_holm", *(f"p_{t}" for t in TESTS), "margin", "verdict",
               "detectable", "decided_margin", "planned_margin", "words", "note"]  # fmt: skip
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
    text = f"{what} {row['difference']:+.4f} (95 % interval {row['low']:+.4f} to {row['high']:+.4f}; "
    text += f"p {_p(row['p_holm'])} after Holm)"
    if row["p_holm"] < 0.05:
        text += ": a difference"
    else:
        text += f": no difference shown, and one below {row['detectable']:.4f} would more often than one time in five be missed"
    if row["verdict"] == "no margin set":
        return text + "."
    verdict = {"superior": "better by more than", "inferior": "worse by more than", "equivalent": "equivalent within",
               "non-inferior": "not worse by", "non-superior": "not better by",
               "undecided": "equivalence undecided at"}  # fmt: skip
    text += f"; {verdict[row['verdict']]} the margin {row['margin']:g}"
    if row["verdict"] in ("undecided", "non-inferior", "non-superior"):
        text += f" (these data would decide {row['decided_margin']:.4f})"
    return text + "."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
