"""The README's few rows: what looks at no picture, what is simple, and what learns from the pool,
on real and on simulated photographs, with what the paper printed beside them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .. import paths, store
from . import claims_ledger, claims_ledger_words, related_reference, tracked_budgets
from .names import REFERENCE, name_of
from .text import cell_of, markdown

ROWS = ("constant", "source_mean", "forest", "ridge", "supervised", "crmatch", "mean_teacher")
LABELS = 300  # of the real photographs: where a pool should help, and no row is at a loss
REAL = "biq2021"  # the folder below results/reference


def few_rows() -> str:
    """Markdown: MAE on real photographs with 300 and with all labels, on simulated ones with all
    labels, and as the paper has it; each of ours with its 95 % interval. Says what is missing where
    nothing is tracked."""
    file = paths.reference() / "table2.csv"
    if not (file.exists() and tracked_budgets.tracked(REAL)):
        return "No results are tracked yet: `python run_all.py --reference`."
    simulated = store.read_table(file).set_index("method")
    real = tracked_budgets.load(f"{REFERENCE}/{REAL}")
    most = int(real["labels"].max())
    head = [
        "",
        f"real, {LABELS} labels: MAE",
        f"real, {most:,} labels: MAE",
        f"simulated, {int(simulated.loc['supervised', 'labels']):,} labels: MAE",
        "the paper's MAE, other pictures",
    ]
    rows = [_row(method, simulated, real, most) for method in ROWS]
    seeds = _seeds(int(real["seeds"].max()), int(simulated["seeds"].max()))
    return f"{markdown(head, rows)}\n\n{_note(real, seeds)}"


def _seeds(real: int, simulated: int) -> str:
    return (
        f"{real} seeds each"
        if real == simulated
        else f"{real} and {simulated} seeds, real and simulated"
    )


def _row(method: str, simulated: pd.DataFrame, real: pd.DataFrame, most: int) -> list[str]:
    own = real[real["method"] == method].set_index("labels").to_dict("index")
    of_all: Mapping = own.get(most, {})
    few: Mapping = own.get(LABELS, of_all if method == "constant" else {})
    printed = simulated.loc[method].get("published_mae")
    return [
        name_of(method) if method != "constant" else "best constant",
        cell_of(few, "mae"),
        cell_of(of_all, "mae"),
        cell_of(simulated.loc[method].to_dict(), "mae"),
        cell_of({"mae": printed}, "mae"),
    ]


def _note(real: pd.DataFrame, seeds: str) -> str:
    return (
        f"MAE: mean absolute error of the most probable of five grades, lower is better, with 95 % "
        f"intervals; {int(real['pictures'].max()):,} real test pictures (BIQ2021); {seeds}; "
        "with all real labels no pool is left. The mean of its subset knows where a picture comes "
        "from and looks at none: within subsets it knows nothing."
    )


def findings() -> str:
    """What came out, in sentences made by code from what is tracked; markdown."""
    *said, last = claims_ledger_words.sentences(claims_ledger.load())
    said += [*filter(None, [related_reference.in_short()]), last]
    return "\n".join(f"- {one}" for one in said)
