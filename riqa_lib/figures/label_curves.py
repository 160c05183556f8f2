"""Error against the number of labels: a panel for each row that learns from the pool, beside its
own control, and one for the rows that don't."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from ..checks import columns
from ..tables.error_against_labels import CONTROL, ORDINAL, POOLED
from ..tables.names import BASE, CONSTANT, name_of, order
from . import style

TITLES = {
    "mae": "MAE ↓",
    "macro_mae": "macro-MAE ↓",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
    "srcc_within": "SRCC within sources ↑",
    "mae_within": "MAE within sources ↓",
}


WITHOUT = ("source_mean", "forest", "ridge", BASE, ORDINAL)  # what the first panel shows


ACROSS = 4  # panels in a row


CONTROL_LOOK: Any = {"color": style.GREY, "linewidth": 1.4, "marker": "s", "markersize": 3.5}
DASHES: Any = {"linewidth": 1.1, "linestyle": style.DASHED}


def label_curves(table: pd.DataFrame, metric: str = "mae", *, simulated: bool) -> Figure:
    """A metric over the number of labels, on a logarithmic axis, with 95 % intervals.

    First the rows without a pool (simple ones dashed, as the best constant), then a panel for each
    row that learns from the pool: the row in its colour, its own control grey, and as a band the
    interval of the supervised row with all labels. All panels share their axes.

    table: `tables.error_against_labels` (row, method, labels, the metric with _low and _high).
    ValueError for columns that are missing, or an unknown metric."""
    if metric not in TITLES:
        raise ValueError(f"metric {metric!r}; allowed: {', '.join(TITLES)}")
    columns(table, ["method", "labels", metric, f"{metric}_low", f"{metric}_high"], "table")
    panels = ["", *order(m for m in set(table["method"]) if m in POOLED)]
    down = math.ceil(len(panels) / ACROSS)
    with style.sheet():
        figure = style.canvas(9.8, 1.0 + 2.15 * down, simulated=simulated)
        grid = figure.subplots(
            down, min(ACROSS, len(panels)), squeeze=False, sharex=True, sharey=True
        )
        for ax in grid.flat[len(panels) :]:
            ax.axis("off")
        for ax, method in zip(grid.flat, panels, strict=False):
            _panel(ax, table, metric, method)
        _axes(figure, grid, table, len(panels), TITLES[metric])
        keys = [*grid.flat[0].get_legend_handles_labels()[0], *_keys(grid.flat[0], len(panels) > 1)]
        figure.legend(handles=keys, loc="outside upper center", ncols=4, handlelength=2.0)
    return figure


def _panel(ax: Axes, table: pd.DataFrame, metric: str, method: str) -> None:
    """One row and its control; "": the rows without a pool."""
    _ceiling(ax, table, metric)
    if not method:
        ax.set_title("without a pool", fontsize=8.5)
        _constant(ax, table, metric)
        for place, one in enumerate(order(m for m in WITHOUT if m in set(table["method"]))):
            simple = one not in (BASE, ORDINAL)
            look: Any = DASHES if simple else {"marker": "o", "markersize": 3.5, "linewidth": 1.6}
            aside = 1 + 0.03 * (place - 2)
            named = {"color": style.colour(one), "label": name_of(one)}
            _curve(ax, table, metric, one, aside, look | named)
        return
    ax.set_title(textwrap.fill(name_of(method), 28), fontsize=8.5)
    _curve(ax, table, metric, CONTROL[method], 1.0, CONTROL_LOOK)
    own: Any = {"color": style.colour(method), "marker": "o", "markersize": 4.5, "linewidth": 1.8}
    _curve(ax, table, metric, method, 1.05, own)


def _curve(
    ax: Axes, table: pd.DataFrame, metric: str, method: str, aside: float, look: dict[str, Any]
) -> None:
    """A row's points, joined, each with its interval; moved aside by a factor, so that intervals
    don't lie on each other."""
    rows = table[(table["method"] == method) & table[metric].notna()].sort_values("labels")
    x = rows["labels"].to_numpy(float) * aside
    ax.plot(x, rows[metric], **look)
    ends = rows[[f"{metric}_low", f"{metric}_high"]].to_numpy(float)
    ax.vlines(x, ends[:, 0], ends[:, 1], color=look["color"], linewidth=1.0)


def _ceiling(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    """The supervised row with all labels: its interval as a band, its value as a thin line."""
    base = table[table["method"] == BASE].sort_values("labels").tail(1)
    for row in base.to_dict("records"):
        if pd.notna(row[f"{metric}_low"]):
            ends = row[f"{metric}_low"], row[f"{metric}_high"]
            ax.axhspan(*ends, color=style.colour(BASE), alpha=0.14, linewidth=0, zorder=0)
        ax.axhline(row[metric], color=style.colour(BASE), linewidth=0.8, zorder=0)


def _constant(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    for value in table.loc[table["method"] == CONSTANT, metric].dropna():
        ax.axhline(value, color=style.GREY, label=name_of(CONSTANT), **DASHES)


def _axes(figure: Figure, grid: Any, table: pd.DataFrame, panels: int, title: str) -> None:
    """Ticks at the numbers of labels that there are, on a logarithmic axis, and words once."""
    ticks = sorted(table.loc[table["method"] != CONSTANT, "labels"].unique())
    for place, ax in enumerate(grid.flat[:panels]):
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{int(n):,}" for n in ticks], fontsize=7.5)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(ticks[0] / 1.4, ticks[-1] * 1.4)
        ax.tick_params(axis="y", labelsize=7.5)
        ax.tick_params(labelbottom=place >= panels - grid.shape[1])
    figure.supxlabel("labels", fontsize=9)
    figure.supylabel(title, fontsize=9)


def _keys(ax: Axes, pooled: bool) -> Iterable[Any]:
    """What the panels of single rows have."""
    band = ax.fill_between(
        [], [], [], color=style.colour(BASE), alpha=0.3, label="supervised, all labels"
    )
    if not pooled:
        return [band]
    own = ax.plot([], [], "o-", color=style.INK, markersize=4.5, label="the row, with the pool")
    control = ax.plot([], [], label="its control, without", **CONTROL_LOOK)
    return [band, *own, *control]
