"""Figures of Teacher and Student: curves, points with intervals, calibration. Each takes a table of
`tables.fundus_grades`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..checks import columns
from ..scales import DETAILS
from ..tables.names import plain, row_name, set_of_row
from . import style
from .style import legend_below, tint

SERIES = (style.BLUE, style.ORANGE, style.RED, style.GREEN)  # measures, or details


def differences(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Paired differences of rows of one set on one axis, with 95 % intervals: a line for each pair
    a - b, a dot for each measure of the overall grade, or each detail; filled where the interval
    leaves out 0.

    table: a, b (rows), quantity ("overall" or a detail), metric, difference, low, high: of
    `fundus_grades.paired` or a set's part of `comparisons.all_of`. ValueError where no row has an
    interval."""
    columns(table, ["a", "b", "quantity", "metric", "difference", "low", "high"], "table")
    rows = table[table["low"].notna()]
    if rows.empty:
        raise ValueError("table: no row has an interval to draw")
    pairs = list(dict.fromkeys(zip(rows["a"], rows["b"], strict=True)))
    series = list(dict.fromkeys(zip(rows["quantity"], rows["metric"], strict=True)))
    apart = 0.62 / len(series)
    with style.sheet():
        figure = style.canvas(8.2, 1.3 + 0.5 * len(pairs), simulated=simulated)
        layout: Any = figure.get_layout_engine()
        layout.set(w_pad=0.1)
        ax = figure.subplots()
        for row in rows.to_dict("records"):
            k = series.index((row["quantity"], row["metric"]))
            at = pairs.index((row["a"], row["b"])) + apart * (k - (len(series) - 1) / 2)
            open_ = row["low"] <= 0 <= row["high"]
            look: Any = {"low": "low", "high": "high", "hollow": open_, "width": 1.5}
            style.interval(ax, at, row, "difference", SERIES[k], **look)
        for (quantity, metric), colour in zip(series, SERIES, strict=False):
            on = set_of_row(rows["a"].iloc[0])
            words = plain(metric, on) if quantity == "overall" else f"{quantity}, {plain(metric)}"
            ax.plot([], [], "o", color=colour, label=words)
        ax.axvline(0, color=style.INK, linewidth=1, linestyle=style.DASHED, zorder=1)
        ax.set_yticks(range(len(pairs)), [f"{row_name(a)}\n− {row_name(b)}" for a, b in pairs])
        ax.set(ylim=(len(pairs) - 0.5, -0.5))
        ax.set_xlabel("difference; above 0 the first is better; hollow: the interval has 0 in it")
        ax.grid(visible=False, axis="y")
        for line in range(1, len(pairs)):
            ax.axhline(line - 0.5, color="#ececec", linewidth=0.8, zorder=0)
        ax.tick_params(axis="y", length=0, labelsize=8)
        legend_below(figure, ax, 4)
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
