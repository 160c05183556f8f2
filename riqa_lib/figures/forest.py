"""Figures of the comparisons, from `tables.comparisons` and `stats.null_worlds`. Conventions: see
`figures.style`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..checks import columns
from ..tables.names import TITLES, name_of, plain, row_name
from ..tables.one_comparison import measured
from . import style
from .style import legend_below

NEEDED = (
    *("quantity", "metric", "primary", "a", "b", "verdict"),
    *("difference", "low", "high", "low_90", "high_90", "margin"),
)


def forest(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Differences with their 95 % (thin) and 90 % (thick) intervals, the margin as a band where one
    was set, and the verdict. table: `tables.comparisons.one_table`, perhaps of several sets (column
    set) but of one pair of networks on each; rows that could not be compared are left out.
    ValueError where none is left, or where pairs of several kinds are mixed."""
    columns(table, NEEDED, "table")
    rows = table[table["low"].notna()].reset_index(drop=True)
    if rows.empty:
        raise ValueError("table: no row has an interval to draw")
    on = rows["set"] if "set" in rows else pd.Series("", rows.index)
    first, second = _compared(rows, on)
    with style.sheet():
        figure = style.canvas(8.2, 1.3 + 0.30 * len(rows), simulated=simulated)
        ax = figure.subplots()
        for y, row in enumerate(rows.to_dict("records")):
            _difference(ax, y, row)
        ax.axvline(0, color=style.INK, linewidth=1, linestyle=style.DASHED, zorder=1)
        names = [f"{row['quantity']}, {measured(row)}" for row in rows.to_dict("records")]
        if len(set(on)) > 1:
            names = [f"{which}: {name}" for which, name in zip(on, names, strict=True)]
        ax.set_yticks(np.arange(len(rows)), names)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlabel(f"{first} − {second}; above 0 the first is better")
        ax.set_title(
            "95 % (thin) and 90 % (thick) intervals; blue: primary; band: margin of equivalence",
            fontsize=9,
        )
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
    return figure


def _compared(rows: pd.DataFrame, on: pd.Series) -> tuple[str, str]:
    """The two networks that all rows compare, in words; ValueError where they are not one pair a
    set, or pairs of several kinds."""
    pairs = {*zip(on, rows["a"], rows["b"], strict=True)}
    kinds = {(row_name(first), row_name(second)) for _, first, second in pairs}
    if len(pairs) > len(set(on)) or len(kinds) > 1:
        raise ValueError("table: comparisons of different networks; draw each by itself")
    one_set = len({(first, second) for _, first, second in pairs}) == 1
    named = name_of if one_set else row_name  # else the sets stand at the rows
    return named(rows["a"][0]), named(rows["b"][0])


def _difference(ax: Axes, y: float, row: Mapping[Any, Any]) -> None:
    """One row: band of the margin, both intervals, the dot, and the verdict at the right."""
    tint = style.BLUE if row["primary"] else style.GREY
    if row["margin"] > 0:
        ax.fill_betweenx(
            [y - 0.42, y + 0.42],
            -row["margin"],
            row["margin"],
            color=style.PALE,
            linewidth=0,
            zorder=0,
        )
    inner = [row["low_90"], row["high_90"]]
    ax.plot(inner, [y, y], color=tint, linewidth=3, solid_capstyle="butt")
    style.interval(ax, y, row, "difference", tint, low="low", high="high", width=1)
    ax.annotate(
        row["verdict"] if row["margin"] > 0 else "",
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=tint,
    )


def nullworld_rates(table: pd.DataFrame, *, simulated: bool = True) -> Figure:
    """How often each test rejects in worlds where both classifiers are equally good, with 95 %
    Monte Carlo intervals, the 5 % line and the 4-6 % band; hollow: the test ignores the clusters.
    One panel a world. table: `null_worlds.run`."""
    columns(
        table,
        ["world", "test", "metric", "clusters", "rejected", "low", "high", "true_difference"],
        "table",
    )
    null = table[table["true_difference"] == 0]
    if null.empty:
        raise ValueError("table: no world in which both classifiers are equally good")
    worlds = list(dict.fromkeys(null["world"]))
    tests = list(dict.fromkeys(zip(null["test"], null["metric"], strict=True)))
    with style.sheet():
        figure = style.canvas(9.2, 1.4 + 0.26 * len(tests), simulated=simulated)
        panels = figure.subplots(1, len(worlds), sharey=True, squeeze=False)[0]
        for ax, world in zip(panels, worlds, strict=True):
            for row in null[null["world"] == world].to_dict("records"):
                ignored = row["clusters"] == "ignored"
                tint = style.RED if ignored else style.BLUE
                y = tests.index((row["test"], row["metric"])) + 0.14 * (1 if ignored else -1)
                style.interval(
                    ax, y, row, "rejected", tint, low="low", high="high", width=1.4, hollow=ignored
                )
            ax.axvspan(0.04, 0.06, color=style.PALE, zorder=0, linewidth=0)
            ax.axvline(0.05, color=style.INK, linewidth=1, linestyle=style.DASHED, zorder=1)
            ax.set(title=world, xlim=(0, None))
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            ax.grid(visible=False, axis="y")
        panels[0].set_yticks(
            np.arange(len(tests)),
            [f"{t.replace('_', ' ')}: {plain(m) if m in TITLES else m}" for t, m in tests],
        )
        panels[0].set_ylim(len(tests) - 0.4, -0.6)
        figure.supxlabel("share of worlds with p < 0.05, both classifiers equally good", fontsize=9)
        panels[0].plot([], [], "o", color=style.BLUE, label="keeps the clusters, or there are none")
        panels[0].plot(
            [], [], "o", color=style.RED, markerfacecolor="white", label="ignores the clusters"
        )
        legend_below(figure, panels[0], 2)
    return figure
