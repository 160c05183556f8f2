"""The figure of the audit: what each operation does to true quality, to a model's grade, and how
often grades change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from . import style

LIMIT = 0.1  # classes; audit.LIMIT


LOOKS = {
    "true": ("the truth", style.GREEN, "o", -0.17),
    "model": ("the model", style.BLUE, "s", 0.17),
}


def operations(
    table: pd.DataFrame, disagreement: Mapping[str, float], *, simulated: bool
) -> Figure:
    """Dots with 95 % intervals per operation: change of the expected grade (band: the limit), and
    share of grades that change (lines: graders' disagreement). table: `audit.summary`; hollow:
    aligned roughly. ValueError for missing columns or no rows."""
    needed = [
        "operation",
        "rough",
        *(f"{a}_{b}{end}" for a in ("d", "flip") for b in LOOKS for end in ("", "_low", "_high")),
    ]
    if missing := [c for c in needed if c not in table]:
        raise ValueError(
            f"table: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError("table: it has no rows")
    with style.sheet():
        figure = style.canvas(8.4, 1.2 + 0.2 * len(table), simulated=simulated)
        left, right = figure.subplots(1, 2, sharey=True)
        for what, (name, tint, mark, shift) in LOOKS.items():
            if table[f"d_{what}"].isna().all():
                continue
            for ax, number in ((left, "d"), (right, "flip")):
                column, y = f"{number}_{what}", np.arange(len(table)) + shift
                ax.hlines(
                    y, table[f"{column}_low"], table[f"{column}_high"], color=tint, linewidth=1.2
                )
                hollow = table["rough"].to_numpy() & (what == "true")
                for rows, face in ((~hollow, tint), (hollow, "white")):
                    ax.plot(
                        table.loc[rows, column],
                        y[rows],
                        mark,
                        color=tint,
                        markersize=4,
                        markerfacecolor=face,
                    )
            left.plot([], [], mark, color=tint, markersize=4, label=name)
        if table["rough"].any() and table["d_true"].notna().any():
            left.plot(
                [],
                [],
                "o",
                color=LOOKS["true"][1],
                markersize=4,
                markerfacecolor="white",
                label="truth, roughly aligned",
            )
        left.axvspan(
            -LIMIT, LIMIT, color=style.PALE, alpha=0.6, linewidth=0, label=f"limit, ±{LIMIT} class"
        )
        lines = (
            ("redraw", "all raters drawn anew", (0, (4, 3))),
            ("two_raters", "two raters differ", (0, (1, 2))),
        )
        for key, words, dash in lines:
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
