"""The columns of Table 2 for any number of grades: which metrics, what they are called, and which
of them a kind of table shows.

The paper prints MAE of all pictures, of the two best grades and of these two together; its five
grades have no names. Of another number of grades, or of named ones, the two best are the data's
own: mae_34 ("MAE 3&4") of 0..4, mae_89 ("MAE 9 & 10") of grades that are called 1..10."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from ..stats.metrics import grouped
from .names import PUBLISHED

# with interval, of all grades
WHOLE = {
    "macro_mae": "macro-MAE ↓",
    "accuracy": "accuracy ↑",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
}


# without interval
POINTS = {
    "krcc": "KRCC ↑",
    "plcc_logistic": "PLCC (logistic) ↑",
    "mae_median": "MAE, posterior median ↓",
    "mae_expected": "MAE, expected grade ↓",
}


KINDS = ("summary", "paper", "hidden", "correlation")


def best_two(classes: int) -> dict[str, tuple[int, ...]]:
    """The errors of the two best grades, with the true grades that each is of: each alone, and both
    together where there are others."""
    best = tuple(range(classes - 2, classes))
    both = {m: of for m, of in grouped(classes).items() if of == best}
    return {f"mae_{k}": (k,) for k in best} | both


def columns_of(classes: int, names: Sequence[str] = ()) -> dict[str, str]:
    """The metrics of a table of this many grades that have an interval, and their titles. names: of
    the grades, worst first; their numbers where there are none.

    >>> " ".join(columns_of(5))
    'mae mae_3 mae_4 mae_34 mae_012 mae_0 mae_1 mae_2 macro_mae accuracy qwk srcc'
    >>> [title for m, title in columns_of(3, ["poor", "fair", "good"]).items() if m[:4] == "mae_"]
    ['MAE fair ↓', 'MAE good ↓', 'MAE fair & good ↓', 'MAE poor ↓']
    """
    words = list(names) or [str(k) for k in range(classes)]
    best, others = best_two(classes), {f"mae_{k}": (k,) for k in range(classes - 2)}

    def said(metric: str, of: tuple[int, ...]) -> str:
        if metric in best:
            return (" & " if len(names) else "&").join(words[k] for k in of)
        return "–".join(dict.fromkeys((words[of[0]], words[of[-1]])))

    errors = (best | grouped(classes) | others).items()
    titles = {metric: f"MAE {said(metric, of)} ↓" for metric, of in errors}
    return {"mae": PUBLISHED["mae"]} | titles | WHOLE


def shown(kind: str, classes: int) -> tuple[str, ...]:
    """The metrics that a kind of table shows (see `table2_shown`). ValueError for an unknown
    kind.

    >>> shown("summary", 5), shown("summary", 2)
    (('mae', 'mae_34', 'macro_mae', 'accuracy', 'qwk', 'srcc'), ...)
    """
    best, groups = best_two(classes), grouped(classes)
    kinds = {
        "summary": (
            "mae",
            *(m for m in groups if m in best),
            *("macro_mae", "accuracy", "qwk", "srcc"),
        ),
        "paper": ("mae", *best),
        "hidden": (
            *(f"mae_{k}" for k in range(classes)),
            *(m for m in groups if m not in best),
        ),
        "correlation": ("srcc", *POINTS),
    }
    if kind not in kinds:
        raise ValueError(f"kind {kind!r}; allowed: {', '.join(KINDS)}")
    return kinds[kind]


# ---------------------------------------------------------------- of a table
def names_in(table: pd.DataFrame) -> tuple[str, ...]:
    """The names of the grades, worst first, from the column `grades` of a `table2.table2`; empty
    where they have none.

    >>> names_in(pd.DataFrame({"mae": [0.1], "grades": ['["bad", "good"]']}))
    ('bad', 'good')
    """
    return tuple(json.loads(table["grades"].iloc[0])) if "grades" in table else ()


def classes_in(table: pd.DataFrame) -> int:
    """How many grades a table is of, by its errors of one grade; five where it has none."""
    errors = [c.removeprefix("mae_") for c in map(str, table) if c.startswith("mae_")]
    return 1 + max((int(k) for k in errors if k.isdigit() and len(k) == 1), default=4)
