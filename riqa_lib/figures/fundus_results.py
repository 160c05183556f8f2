"""Figures of Teacher and Student: curves, points with intervals, calibration. Each takes a table of
`tables.fundus_grades`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..checks import columns
from ..scales import DETAILS
from ..tables.names import plain, row_name, set_of_row
from . import style
from .style import legend_below, tint


def points(
    table: pd.DataFrame,
    measures: tuple[str, ...] = ("macro_f1", "f1", "matched", "auc"),
    *,
    simulated: bool,
) -> Figure:
    """Each row's value of some measures with its 95 % interval, a panel a measure. table:
    fundus_grades.overall."""
    columns(table, ["method", "row", *measures], "table")
    rows = table.iloc[::-1].reset_index(drop=True)
    on = set_of_row(rows["method"].iloc[0])  # all rows are of one set
    with style.sheet():
        figure = style.canvas(
            2.0 + 2.1 * len(measures), 1.3 + 0.32 * len(rows), simulated=simulated
        )
        grid = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
        for ax, m in zip(grid, measures, strict=True):
            for y, row in enumerate(rows.to_dict("records")):
                style.interval(ax, y, row, m, tint(row["method"]))
            ax.set(
                title=plain(m, on).replace(", ", ",\n"),
                ylim=(-0.6, len(rows) - 0.4),
            )
            ax.set_yticks(range(len(rows)), [row_name(m) for m in rows["method"]])
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.grid(axis="y", visible=False)
    return figure


def detail_points(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """F1 and AUC of bad for each detail and method, with 95 % intervals. table:
    fundus_grades.details."""
    columns(table, ["method", "row", "detail", "f1", "auc"], "table")
    methods = list(dict.fromkeys(table["method"]))
    apart = min(0.16, 0.8 / len(methods))
    with style.sheet():
        figure = style.canvas(7.4, 3.2, simulated=simulated)
        panels = figure.subplots(1, 2)
        for ax, m in zip(panels, ("f1", "auc"), strict=True):
            for k, method in enumerate(methods):
                rows = table[table["method"] == method].set_index("detail").reindex(DETAILS)
                x = np.arange(len(DETAILS)) + apart * (k - (len(methods) - 1) / 2)
                off = np.abs(
                    rows[[f"{m}_low", f"{m}_high"]].to_numpy(float).T - rows[m].to_numpy(float)
                )
                label, colour = row_name(method), tint(method)
                ax.errorbar(
                    x,
                    rows[m],
                    yerr=off,
                    fmt="o",
                    markersize=4,
                    color=colour,
                    label=label,
                    linewidth=1.2,
                )
            ax.set(title=plain(m))
            ax.set_xticks(range(len(DETAILS)), DETAILS)
            ax.grid(axis="x", visible=False)
        panels[1].axhline(0.5, color=style.INK, linewidth=0.8, linestyle="--")
        legend_below(figure, panels[0], 3)
    return figure


def calibration(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Found against said share of good, for each detail; the diagonal is perfect. table:
    tables.detail_calibration."""
    columns(table, ["detail", "said", "found"], "table")
    with style.sheet():
        figure = style.canvas(3.6, 3.4, simulated=simulated)
        ax = figure.subplots()
        ax.plot([0, 1], [0, 1], color=style.INK, linewidth=0.8, linestyle="--")
        for detail, colour in zip(DETAILS, (style.ORANGE, style.BLUE, style.GREEN), strict=True):
            rows = table[table["detail"] == detail]
            ax.plot(
                rows["said"],
                rows["found"],
                "o-",
                color=colour,
                markersize=4,
                linewidth=1.2,
                label=detail,
            )
        ax.set(
            xlabel="said: probability of good",
            ylabel="found: share of good",
            xlim=(0, 1),
            ylim=(-0.02, 1.02),
        )
        legend_below(figure, ax, 3)
    return figure
