"""Figures of the second stage, from the tables of `tables.second_stage`. Conventions: see
`figures.style`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..checks import columns
from ..tables.names import name_of, order
from . import style
from .style import legend_below


def precision_per_class(
    table: pd.DataFrame, *, simulated: bool, words: Sequence[str] = ()
) -> Figure:
    """Precision and recall of the pseudo-labels of each grade, one dot a method (mean of seeds),
    and how often each grade is given, beside how often it is true (grey bars). table:
    `pool.per_grade`; words: names of the grades, worst first."""
    columns(table, ["method", "grade", "share", "true_share", "precision", "recall"], "table")
    means = (
        table.groupby(["method", "grade"])[["share", "true_share", "precision", "recall"]]
        .mean()
        .reset_index()
    )
    methods, grades = order(means["method"]), sorted(means["grade"].unique())
    with style.sheet():
        figure = style.canvas(9.2, 3.3, simulated=simulated)
        grid = figure.subplots(1, 3, sharex=True)
        titles = {
            "precision": "precision: of those given, right",
            "recall": "recall: of those true, found",
            "share": "share given",
        }
        truth = means.groupby("grade")["true_share"].mean()
        grid[2].bar(truth.index, truth, width=0.8, color=style.PALE, zorder=0, label="true share")
        for ax, (column, title) in zip(grid, titles.items(), strict=True):
            for i, method in enumerate(methods):
                rows = means[means["method"] == method]
                x = rows["grade"] + (i - (len(methods) - 1) / 2) * 0.1
                ax.plot(
                    x,
                    rows[column],
                    "o",
                    color=style.colour(method),
                    markersize=4.5,
                    label=name_of(method),
                )
            ax.set(ylim=(-0.03, 1.03), title=title, xlabel="grade")
            ax.set_xticks(grades, [words[k] if len(words) else str(k) for k in grades])
            ax.yaxis.set_major_formatter(PercentFormatter(1))
            ax.grid(visible=False, axis="x")
        legend_below(figure, grid[2], 4)
    return figure


def stages(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """MAE of each method's two stages (hollow: first, full: second), and the paired change with its
    95 % interval. table: `second_stage.changes`."""
    ends = ("", "_low", "_high")
    columns(
        table, ["method", "mae_first", "mae_second", *(f"mae_change{e}" for e in ends)], "table"
    )
    with style.sheet():
        figure = style.canvas(8.2, 1.2 + 0.36 * len(table), simulated=simulated)
        left, right = figure.subplots(1, 2, sharey=True)
        for y, row in enumerate(table.to_dict("records")):
            tint = style.colour(row["method"])
            left.plot([row["mae_first"], row["mae_second"]], [y, y], color=tint, linewidth=1.2)
            left.plot(row["mae_first"], y, "o", color=tint, markersize=6, markerfacecolor="white")
            left.plot(row["mae_second"], y, "o", color=tint, markersize=6)
            style.interval(right, y, row, "mae_change", tint, size=6, cap="butt")
        right.axvline(0, color=style.GREY, linewidth=1, linestyle=style.DASHED, zorder=0)
        left.set_title("MAE: first stage (hollow), second (full)", fontsize=9)
        right.set_title("second − first; below 0 is better", fontsize=9)
        left.set_yticks(np.arange(len(table)), [name_of(m) for m in table["method"]])
        left.set_ylim(len(table) - 0.4, -0.6)
        for ax in (left, right):
            ax.grid(visible=False, axis="y")
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
    return figure
