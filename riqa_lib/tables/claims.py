"""The paper's own comparisons beside ours: what it says, what our runs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..scales import SECOND
from ..stats import bootstrap
from ..stats.crossed import too_few
from ..stats.resampling import Bootstrap
from .names import BASE, PUBLISHED
from .published import printed
from .quantities import on_test
from .text import cell, cell_of, decided, kind_of, markdown

STAGES = {"first": "", "second": SECOND}


SHORT = {"mae": "all grades", "mae_3": "grade 3", "mae_4": "grade 4", "mae_34": "grades 3 and 4"}


FEW = tuple(too_few(seeds) for seeds in (1, 2))


VERDICTS = ("better", "worse", "not decided", *FEW, "not compared", "not run")


OTHERS = "all others"


class Claim(NamedTuple):
    """One comparison that Table 2 prints: a method with the ViT or with all others, in a column."""

    method: str
    metric: str
    against: str  # BASE or OTHERS
    others: tuple[str, ...]  # the methods that it is compared with

    def published(self, paper: pd.DataFrame) -> dict[str, object]:
        """What the paper's numbers (`printed`) say of it; the least of the others counts."""
        value = paper.loc[self.method, self.metric]
        best = paper.loc[list(self.others), self.metric].min()
        if value == best:
            relation = "no better than"
        else:
            relation = "better than" if value < best else "worse than"
        whom = "the ViT" if self.against == BASE else OTHERS
        row = paper.loc[self.method, "row"]
        return {
            "claim": f"{row} {relation} {whom}, {SHORT[self.metric]}",
            "metric": self.metric,
            "method": self.method,
            "against": self.against,
            "published": value,
            "published_against": best,
        }

    def rows_of(self, stage: str) -> list[str]:
        """Our rows of this claim in a stage, the method's first; the ViT is always our first."""
        return [m if m == BASE else m + STAGES[stage] for m in (self.method, *self.others)]


def _asked(paper: pd.DataFrame) -> list[Claim]:
    """Each method with the ViT in each column, then each column's best with all others."""
    to_vit = [Claim(str(m), name, BASE, (BASE,)) for name in PUBLISHED for m in paper.index]
    best = {name: str(paper[name].idxmin()) for name in PUBLISHED}
    to_all = [
        Claim(m, name, OTHERS, tuple(other for other in paper.index if other != m))
        for name, m in best.items()
    ]
    return [*(claim for claim in to_vit if claim.method != BASE), *to_all]


# ---------------------------------------------------------------- beside our runs
class _Runs:
    """Our test predictions, and one bootstrap of each set of rows over the seeds that all have."""

    def __init__(self, test: pd.DataFrame, resamples: int) -> None:
        self.test, self.resamples = test, resamples
        self.found: dict[tuple[str, ...], tuple[Bootstrap, int] | None] = {}

    def shared(self, names: Sequence[str]) -> tuple[Bootstrap, int] | None:
        """The bootstrap of these rows, and over how many seeds; None where they share none."""
        key = tuple(sorted(names))
        if key not in self.found:
            self.found[key] = self._bootstrap(key)
        return self.found[key]

    def _bootstrap(self, names: tuple[str, ...]) -> tuple[Bootstrap, int] | None:
        test = self.test
        seeds = set.intersection(*({*test.loc[test["method"] == name, "seed"]} for name in names))
        if not seeds:
            return None
        part = test[test["method"].isin(names) & test["seed"].isin(seeds)]
        draws = bootstrap.paired_bootstrap(part, names, list(PUBLISHED), self.resamples)
        return draws, len(seeds)


def claims(predictions: pd.DataFrame, simulated: bool, resamples: int = 2000) -> pd.DataFrame:
    """Every comparison that Table 2 prints, beside ours: each method with the ViT, and the best row
    with all others, in each column. Two rows a claim, one for each stage of ours (Table 2 does not
    say which it reports); the ViT is always our first.

    predictions: long (method, seed, labels, ...), as of `stored.load_walk`; split test where there
    is a split. Of several numbers of labels, the one of "supervised" with the most other rows
    counts. Columns: claim, metric, method, against ("supervised", or "all others"), published,
    published_against, stage, seeds, ours, ours_against, d, d_low, d_high (ours minus theirs, paired
    over pictures and shared seeds; for "all others": to the best of them), verdict, data. verdict:
    "better" and "worse" where the interval (for "all others": every one of them, or any) lies on
    one side of 0, "not decided" where it holds 0, "one seed: not a comparison" ("two seeds" alike)
    from fewer than three, "not compared" where the grade is missing, "not
    run" where runs are. Raises ValueError without test predictions of "supervised"."""
    test, paper = on_test(predictions), printed()
    runs = _Runs(test[test["labels"] == budget(test)], resamples)
    rows = []
    for claim in _asked(paper):
        said = claim.published(paper)
        for stage in STAGES:
            names = claim.rows_of(stage)
            ours = _ours(runs.shared(names), names, claim.metric)
            data = "simulated" if simulated else "real"
            rows.append(said | {"stage": stage} | ours | {"data": data})
    return pd.DataFrame(rows)


def budget(test: pd.DataFrame) -> int:
    """The number of labels of "supervised" that the most rows have; of equals, the larger."""
    budgets = test.loc[test["method"] == BASE, "labels"].unique()
    if not len(budgets):
        raise ValueError(
            "predictions: no test predictions of supervised; run notebook 03_vit_supervised first"
        )
    methods = test.groupby("labels")["method"].nunique()
    return max(budgets, key=lambda labels: (methods[labels], labels))


def _ours(found: tuple[Bootstrap, int] | None, names: list[str], metric: str) -> dict[str, object]:
    """Our side of a claim: names[0] against the rest."""
    if found is None:
        none = dict.fromkeys(("ours", "ours_against", "d", "d_low", "d_high"), np.nan)
        return {"seeds": 0, **none, "verdict": "not run"}
    draws, seeds = found
    gaps = [draws.difference(names[0], other, metric) for other in names[1:]]
    estimate, low, high = max(gaps, key=lambda gap: gap[0])  # to the best of the others
    ours = draws.estimate[names[0], metric]
    return {
        "seeds": seeds,
        "ours": ours,
        "ours_against": ours - estimate,
        "d": estimate,
        "d_low": low,
        "d_high": high,
        "verdict": _verdict(gaps, seeds),
    }


def _verdict(gaps: Sequence[tuple[float, float, float]], seeds: int) -> str:
    """Better than all, or worse than any of those compared with; neither from too few seeds."""
    if np.isnan(gaps).any():  # no such grade in the test pictures
        return "not compared"
    _, low, high = np.max(gaps, axis=0)
    return too_few(seeds) or decided(low, high)


# ---------------------------------------------------------------- as markdown
def show_claims(table: pd.DataFrame) -> str:
    """`claims` as markdown: the published numbers, ours with the paired difference per stage, and a
    count of the verdicts."""
    run = table[table["verdict"] != "not run"]
    stages = [s for s in STAGES if (run["stage"] == s).any()]
    head = ["the paper's numbers say", "published"]
    for s in stages:
        head += [f"ours, {s} stage", f"ours, {s} stage: verdict"]
    rows = []
    for claim, part in table.groupby("claim", sort=False):
        row = [claim, f"{part['published'].iloc[0]:.2f} v {part['published_against'].iloc[0]:.2f}"]
        by_stage = {one["stage"]: one for one in part.to_dict("records")}
        for s in stages:
            row += [_ours_shown(by_stage[s]), by_stage[s]["verdict"]]
        rows.append(row)
    said = (
        f"{kind_of((table['data'] == 'simulated').all())}, up to {table['seeds'].max()} seeds. "
        f"{'; '.join(_counted(table, s) for s in stages) or 'None of these rows was run'}. "
        "“Not decided”: the interval holds 0. No correction for the number of claims."
    )
    return markdown(head, rows, [0, *range(3, len(head), 2)]) + f"\n\n{said}\n"


def _ours_shown(row: Mapping) -> str:
    if not row["seeds"]:
        return "–"
    return f"{cell(row['ours'])} v {cell(row['ours_against'])}: {cell_of(row, 'd', sign=True)}"


def _counted(table: pd.DataFrame, stage: str) -> str:
    """How often each verdict falls on an advantage that the paper prints."""
    part = table[(table["stage"] == stage) & (table["published"] < table["published_against"])]
    n = part["verdict"].value_counts()
    each = ", ".join(f"{n[v]} {v}" for v in VERDICTS if v in n)
    return f"{stage} stage: of {len(part)} advantages that the paper prints, ours are {each}"
