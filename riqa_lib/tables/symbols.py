"""What the letters of a formula are: a table with each symbol, what it means, the setting that it
is, as a user types it, and its value in this run.

    symbols.show([Symbol(r"\\tau", "confidence needed", "method.tau")], config, name="fixmatch")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from .. import store
from .text import markdown

NO_SETTING = "–"


class Symbol(NamedTuple):
    """sign: LaTeX without dollars, "" of a setting that no formula has; meaning: a few words, LaTeX
    between dollars; setting: its dotted name in config.json, "" of what no setting says."""

    sign: str
    meaning: str
    setting: str = ""


def typed(setting: str, method: str = "") -> str:
    """A setting's name as a user types it: those of a method begin with the method's.

    >>> typed("method.tau", "fixmatch"), typed("train.lr", "fixmatch")
    ('fixmatch.tau', 'train.lr')
    """
    begins, _, rest = setting.partition(".")
    return f"{method}.{rest}" if begins == "method" and method else setting


def table(
    letters: Sequence[Symbol],
    config: Mapping,
    counts: Mapping[str, object] | None = None,
    name: str = "",
) -> pd.DataFrame:
    """One row a symbol, in the order given: symbol, meaning, setting (as typed, or NO_SETTING),
    value (in this run, or NO_SETTING).

    config: a run's config.json, nested or dotted; counts: values by sign, of what no setting says,
    such as {"C": 5}; name: of the method. ValueError for a setting that config has not.

    >>> table([Symbol("B", "batch", "train.batch")], {"train": {"batch": 32}})["value"].tolist()
    ['32']
    """
    known, told = store.flat(dict(config)), dict(counts or {})
    if gone := [one.setting for one in letters if one.setting and one.setting not in known]:
        raise ValueError(f"config: no setting {', '.join(gone)}; it has {', '.join(sorted(known))}")
    rows = [
        {
            "symbol": one.sign,
            "meaning": one.meaning,
            "setting": typed(one.setting, name) or NO_SETTING,
            "value": said(known[one.setting] if one.setting else told.get(one.sign, NO_SETTING)),
        }
        for one in letters
    ]
    return pd.DataFrame(rows, columns=["symbol", "meaning", "setting", "value"])


def said(value: object) -> str:
    """A value as a table prints it.

    >>> said(1299), said(0.7), said(1.0), said(False), said("ema")
    ('1,299', '0.7', '1', 'False', 'ema')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def show(
    letters: Sequence[Symbol],
    config: Mapping,
    counts: Mapping[str, object] | None = None,
    name: str = "",
) -> str:
    """`table` as markdown: symbols as formulas, settings as code."""
    found = table(letters, config, counts, name)
    rows = [
        [
            f"${row['symbol']}$" if row["symbol"] else "",
            row["meaning"],
            row["setting"] if row["setting"] == NO_SETTING else f"`{row['setting']}`",
            row["value"],
        ]
        for row in found.to_dict("records")
    ]
    head = ["symbol", "what it is", "setting", "in this run"]
    return markdown(head, rows, left=(0, 1, 2)) + "\n"
