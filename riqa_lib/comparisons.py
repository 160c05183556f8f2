"""Which fundus runs are compared with which, and with whom: the tables of notebooks 16 and 17, from stored predictions.

Student and Teacher are compared where neither has learnt: on MSHF's held-out source and on EyeQ-D's details. Multi-task and
single-task are compared on the test split of the set that both learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from . import fundus_report, kappas, paths, store, verdicts
from .fundus_report import DETAILS
from .report import cell

HELD_OUT = {"mshf": ("test",), "eyeq_d": ("train", "val", "test")}  # nobody learns from EyeQ-D
SETS = ("eyeq", "deepdrid")


def frame_of(name: str, which: str) -> tuple[pd.DataFrame, bool]:
    """The table of a fundus set of a walk, and whether it is simulated. FileNotFoundError, naming the notebook, without it."""
    folder = paths.results(name) / "fundus" / which
    info = store.read_json(store.need(folder / "dataset.json", "13_fundus_datasets"))
    return store.read_table(store.need(folder / "frame.csv", "13_fundus_datasets")), bool(info["simulated"])


def _on(predictions: pd.DataFrame, which: str, splits: Sequence[str]) -> pd.DataFrame:
    part = predictions[(predictions["set"] == which) & predictions["split"].isin(splits)]
    return fundus_report.clustered(part)


def beside_teacher(predictions: pd.DataFrame, student: str, which: str) -> pd.DataFrame:
    """A Student's and its Teacher's predictions on a set where neither learnt, for the seeds that both have."""
    part = _on(predictions, which, HELD_OUT[which])
    part = part[part["method"].isin([student, "teacher"])]
    seeds = part.groupby("seed")["method"].nunique()
    return part[part["seed"].isin(seeds.index[seeds == 2])].reset_index(drop=True)


def all_of(predictions: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Every comparison that the stored runs allow, with the columns of `verdicts.one_table` after comparison ("multi v single" or
    "Student v Teacher") and set. Holm's correction is within each comparison and set. Raises ValueError where there is none."""
    methods, parts = set(predictions["method"]), []
    for on in SETS:
        multi, single = f"multi_{on}", f"single_{on}"
        if {multi, single} <= methods:
            seeds = set.intersection(*(set(predictions.loc[predictions["method"] == m, "seed"]) for m in (multi, single)))
            part = _on(predictions, on, ("test",))
            table = verdicts.one_table(part[part["seed"].isin(seeds)], multi, single, resamples=resamples)
            parts.append(table[table["quantity"] == "overall"].assign(comparison="multi v single", set=on))
        for which in HELD_OUT:
            if {multi, "teacher"} <= methods:
                table = verdicts.one_table(beside_teacher(predictions, multi, which), multi, "teacher", resamples=resamples)
                parts.append(table[table["quantity"] != "overall"].assign(comparison="Student v Teacher", set=which))
    if not parts:
        raise ValueError("no two fundus runs to compare; run notebooks 14_teacher and 15_student first")
    table = pd.concat(parts, ignore_index=True)
    first = ["comparison", "set"]
    return table[[*first, *[c for c in table if c not in first]]]


def show(table: pd.DataFrame) -> str:
    """`all_of` as markdown: each difference with its interval, p values, equivalence, and what the data could have shown."""
    head = ["comparison", "on", "a − b", "quantity", "measure", "difference [95 %]", "p, bootstrap (Holm)", "McNemar mid-p",
            "clustered", "verdict", "margin", "least difference seen in 4 of 5 studies"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in table.to_dict("records"):
        clustered = r.get("p_durkalski") if r["metric"] == "accuracy" else r.get("p_obuchowski")
        number = lambda v: "–" if v is None or pd.isna(v) else f"{v:.3f}"  # noqa: E731
        three = cell(r["difference"], r["low"], r["high"], sign=True, digits=3)
        names = " − ".join(fundus_report.row_name(r[c]) for c in "ab")
        cells = [r["comparison"], r["set"], names, r["quantity"], verdicts.SHOWN.get(r["metric"], r["metric"]), three,
                 f"{number(r['p'])} ({number(r['p_holm'])})", number(r.get("p_mcnemar_midp")), number(clustered), r["verdict"],
                 number(r["margin"]), number(r["detectable"])]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def findings(table: pd.DataFrame, simulated: bool) -> str:
    """The primary rows in words."""
    said = [f"- {r['comparison']}, {r['set']}: {verdicts.words(r)}" for r in table[table["primary"]].to_dict("records")]
    return "\n".join(["Simulated data." if simulated else "Real data.", "", *said])


# ---------------------------------------------------------------- experts
def votes_of(frame: pd.DataFrame, quantity: str) -> np.ndarray:
    """Votes (N, graders) on "overall" or a detail, columns <quantity>_1, _2, ... ; (N, 0) where nobody's votes are known."""
    names = [c for c in frame if c.rpartition("_")[0] == quantity and c.rpartition("_")[2].isdigit()]
    return frame[names].to_numpy(int) if names else np.zeros((len(frame), 0), int)


def expert_agreement(frame: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Kappas of the graders with each other, by patient: quantity, kappa, estimate, low, high, pictures, graders. Empty where
    only one label a picture is known (the real EyeQ-D)."""
    rows = []
    for quantity in ("overall", *DETAILS):
        votes = votes_of(frame, quantity)
        keep = (votes >= 0).all(axis=1)
        if votes.shape[1] < 2 or not keep.any():
            continue
        classes = 3 if quantity == "overall" else 2
        found = kappas.graders(votes[keep], frame.loc[keep, "group"], classes=classes, resamples=resamples)
        rows.append(found.assign(quantity=quantity))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["quantity", "kappa", "estimate", "low", "high"])


def model_agreement(predictions: pd.DataFrame, frame: pd.DataFrame, which: str, methods: Sequence[str]) -> pd.DataFrame:
    """Kappas of models (first seed) with the labels of a set, per detail: method, quantity, estimate, low, high, pictures."""
    rows, group = [], frame.set_index("id")["group"]
    for method in methods:
        mine = predictions[(predictions["set"] == which) & (predictions["method"] == method)]
        mine = mine[mine["seed"] == mine["seed"].min()]
        for d in DETAILS:
            part = mine[mine[d] >= 0]
            found = kappas.cohen(part[d], (part[f"d_{d}"] >= 0.5).astype(int), part["id"].map(group))
            rows.append({"method": method, "quantity": d, "pictures": len(part)}
                        | dict(zip(("estimate", "low", "high"), found, strict=True)))  # fmt: skip
    return pd.DataFrame(rows)


def noise(predictions: pd.DataFrame, frame: pd.DataFrame, which: str, method: str = "teacher") -> pd.DataFrame:
    """Whether pseudo-labels differ from a grader as graders differ from each other (`kappas.noise_like_experts`), one row a detail.
    Empty where the graders' votes are not known: then the claim cannot be tested."""
    mine = predictions[(predictions["set"] == which) & (predictions["method"] == method)]
    mine = mine[mine["seed"] == mine["seed"].min()].set_index("id")
    rows = []
    for d in DETAILS:
        votes = votes_of(frame, d)
        keep = (votes >= 0).all(axis=1) & frame["id"].isin(mine.index).to_numpy()
        if votes.shape[1] < 2 or not keep.any():
            continue
        pseudo = (mine.loc[frame.loc[keep, "id"], f"d_{d}"] >= 0.5).astype(int).to_numpy()
        row: dict[str, object] = {"detail": d}
        rows.append(row | kappas.noise_like_experts(pseudo, votes[keep], frame.loc[keep, "group"]))
    return pd.DataFrame(rows)
