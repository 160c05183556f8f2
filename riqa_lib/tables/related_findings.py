"""What the table of related work and the tests without a label say, in sentences; and the same
predictions as expected grades, for the figures of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..stats.crossed import LEAST_SEEDS
from ..stats.metrics import columns_p
from .names import name_of
from .related_models import NETWORKS, SIMPLE
from .text import cell_of, kind_of


def expected(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The expected grade of each test picture by each row of one seed: row, id, score, expected.
    Pictures without a score are held against their grade."""
    one = predictions[predictions["seed"] == seed]
    p = one[columns_p(one)].to_numpy(float)
    score = (
        one["score"].where(one["score"].notna(), one["truth"]) if "score" in one else one["truth"]
    )
    out = one[["method", "id"]].rename(columns={"method": "row"})
    out = out.assign(score=score.astype(float), expected=p @ np.arange(p.shape[1]))
    return out.reset_index(drop=True)


def agreed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table with their SRCC and its interval: row, srcc, srcc_low, srcc_high."""
    columns = ["method", "srcc", "srcc_low", "srcc_high"]
    return table[columns].rename(columns={"method": "row"})


def findings(table: pd.DataFrame, tests: pd.DataFrame | None = None) -> str:
    """Markdown bullets: the best rows with and without a network, which networks pass which simple
    rows, and, of the tests without a label, the best row of each. table: `related_models.table`;
    tests: `label_free_tests.every_test`."""
    rows = table.to_dict("records")
    simple = [r for r in rows if r["method"] in SIMPLE and not np.isnan(r["srcc"])]
    networks = [r for r in rows if r["method"] in NETWORKS]
    said = [f"- {kind_of(rows[0]['data'] == 'simulated')}, {rows[0]['pictures']:,} test pictures."]
    if simple and networks:
        said.append(f"- {_best(simple, 'without a network')}; {_best(networks, 'with one')}.")
    said += [_against(r) for r in networks]
    if tests is not None:
        said.append(_without_labels(tests))
    return "\n".join(said)


def _best(rows: Sequence[Mapping], which: str) -> str:
    first = max(rows, key=_srcc)
    least = min(rows, key=_mae)
    return (
        f"the highest SRCC {which} has {first['row']}, {cell_of(first, 'srcc', digits=3)}, the "
        f"lowest MAE {least['row']}, {cell_of(least, 'mae', digits=3)}"
    )


def _srcc(row: Mapping) -> float:
    return row["srcc"]


def _mae(row: Mapping) -> float:
    return row["mae"]


def _against(row: Mapping) -> str:
    """A network against the simple rows; by intervals where there are seeds enough, else by point
    estimates."""
    told = {"better than": row["beats"], "not decided against": row["open"]}
    told |= {"worse than": row["loses"]}
    told = told if row["seeds"] >= LEAST_SEEDS else {}
    words = "; ".join(f"{how} {names.replace('; ', ', ')}" for how, names in told.items() if names)
    below = row["not_below"].replace("; ", ", ")
    short = f"does not pass {below}, by point estimates" if below else "passes every simple row"
    return f"- {row['row']}: {short} (in MAE, {words})." if words else f"- {row['row']}: {short}."


def _without_labels(tests: pd.DataFrame) -> str:
    named = {"d": "telling pristine from distorted", "l": "ranking levels", "p": "ranking pairs"}
    parts = []
    for column, words in named.items():
        best = tests.loc[tests[column].idxmax()]
        parts.append(f"{words} {name_of(best['row'])} ({cell_of(best, column)})")
    return f"- Without labels, the best at {', at '.join(parts)}."
