"""The figure of the audit: what each operation does to true quality, to a model's grade, and how
often grades change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..checks import columns
from ..tables.view_verdicts import LIMIT
from . import style


class Look(NamedTuple):
    """How one side's dots look; shift: rows below the operation's own height."""

    name: str
    tint: str
    mark: str
    shift: float


LOOKS = {
    "true": Look("the truth", style.GREEN, "o", -0.17),
    "model": Look("the model", style.BLUE, "s", 0.17),
}


# how far graders disagree with themselves: key of `disagreement`, words, dashes
GRADERS = (
    ("redraw", "all raters drawn anew", style.DASHED),
    ("two_raters", "two raters differ", (0, (1, 2))),
)


def operations(
    table: pd.DataFrame, disagreement: Mapping[str, float], *, simulated: bool
) -> Figure:
    """Dots with 95 % intervals per operation: change of the expected grade (band: the limit), and
    share of grades that change (lines: graders' disagreement). table: `view_verdicts.summary`;
    hollow: aligned roughly. ValueError for missing columns or no rows."""
    numbers = [f"{number}_{what}" for number in ("d", "flip") for what in LOOKS]
    ends = [f"{number}{end}" for number in numbers for end in ("", "_low", "_high")]
    columns(table, ["operation", "rough", *ends], "table")
    with style.sheet():
        figure = style.canvas(8.4, 1.2 + 0.2 * len(table), simulated=simulated)
        left, right = figure.subplots(1, 2, sharey=True)
        for what, look in LOOKS.items():
            if table[f"d_{what}"].notna().any():
                _dots(left, table, "d", what)
                _dots(right, table, "flip", what)
                left.plot([], [], look.mark, color=look.tint, markersize=4, label=look.name)
        if table["rough"].any() and table["d_true"].notna().any():
            left.plot(
                [],
                [],
                "o",
                color=LOOKS["true"].tint,
                markersize=4,
                markerfacecolor="white",
                label="truth, roughly aligned",
            )
        left.axvspan(
            -LIMIT, LIMIT, color=style.PALE, alpha=0.6, linewidth=0, label=f"limit, ±{LIMIT} class"
        )
        for key, words, dash in GRADERS:
            if not np.isnan(disagreement[key]):
                right.axvline(disagreement[key], color=style.INK, linewidth=1, linestyle=dash)
                left.plot([], [], color=style.INK, linewidth=1, linestyle=dash, label=words)
        left.set_yticks(range(len(table)), table["operation"], fontsize=7.5)
        left.set_ylim(len(table) - 0.4, -0.6)
        left.set_title("change of the expected grade")
        right.set_title("grades that change")
        right.xaxis.set_major_formatter(PercentFormatter(1))
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _dots(ax: Axes, table: pd.DataFrame, number: str, what: str) -> None:
    """One side's dots of one panel, with their intervals."""
    look = LOOKS[what]
    for y, row in enumerate(table.to_dict("records")):
        style.interval(
            ax,
            y + look.shift,
            row,
            f"{number}_{what}",
            look.tint,
            marker=look.mark,
            size=4,
            hollow=row["rough"] and what == "true",
            width=1.2,
            cap="butt",
        )
