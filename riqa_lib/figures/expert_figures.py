"""Figures of agreement with experts: kappas with their intervals, and who says what. Each takes a
table of `tables.experts`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import columns
from ..scales import DETAILS
from ..tables.experts import between
from ..tables.names import BAD, row_name
from . import style
from .style import legend_below, tint


def kappas(models: pd.DataFrame, experts: pd.DataFrame, *, simulated: bool) -> Figure:
    """Kappa of each model with the experts' label, a panel a detail, with 95 % intervals; a grey
    band: that of the experts with each other, where it is known; dashed: 0, chance.

    models: `experts.model_agreement`; experts: `experts.expert_agreement`. ValueError for missing
    columns or no model."""
    columns(models, ["method", "quantity", "estimate", "low", "high"], "models")
    methods = list(dict.fromkeys(models["method"]))
    among = between(experts).set_index("quantity").to_dict("index")
    with style.sheet():
        figure = style.canvas(8.6, 1.35 + 0.27 * len(methods), simulated=simulated)
        panels = figure.subplots(1, len(DETAILS), sharey=True, sharex=True)
        for ax, detail in zip(panels, DETAILS, strict=True):
            if detail in among:
                band = among[detail]
                ax.axvspan(band["low"], band["high"], color=style.PALE, linewidth=0, zorder=0)
                ax.axvline(band["estimate"], color=style.GREY, linewidth=1, zorder=1)
            ax.axvline(0, color=style.INK, linewidth=1, linestyle=style.DASHED, zorder=1)
            for row in models[models["quantity"] == detail].to_dict("records"):
                at, colour = methods.index(row["method"]), tint(row["method"])
                style.interval(ax, at, row, "estimate", colour, low="low", high="high")
            ax.set(title=detail, ylim=(len(methods) - 0.5, -0.5))
            ax.grid(visible=False, axis="y")
        panels[0].set_yticks(range(len(methods)), [row_name(m) for m in methods])
        panels[1].set_xlabel("kappa with the experts' label")
        if among:
            said = "experts with each other"
            panels[0].plot([], [], color=style.GREY, linewidth=6, alpha=0.5, label=said)
            legend_below(figure, panels[0], 2)
    return figure


def confusion(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """What models say where the label is bad or good: a line a model, a panel a detail, pictures
    in each of the four cells, darker the larger their share of the label's row. table:
    `experts.confusion`."""
    columns(table, ["method", "detail", "truth", "said", "pictures"], "table")
    methods = list(dict.fromkeys(table["method"]))
    with style.sheet():
        figure = style.canvas(5.3, 0.75 + 1.35 * len(methods), simulated=simulated)
        grid = figure.subplots(len(methods), len(DETAILS), squeeze=False)
        for line, method in zip(grid, methods, strict=True):
            for ax, detail in zip(line, DETAILS, strict=True):
                its = table[(table["method"] == method) & (table["detail"] == detail)]
                cells = its.pivot_table(index="truth", columns="said", values="pictures")
                counts = cells.reindex(index=[0, 1], columns=[0, 1]).to_numpy(float)
                _cells(ax, counts)
                ax.set_yticks([0, 1], [BAD, "good"] if detail == DETAILS[0] else ["", ""])
                ax.set_xticks([0, 1], [BAD, "good"] if method == methods[-1] else ["", ""])
            line[0].set_ylabel(_folded(row_name(method)), fontsize=8)
        for ax, detail in zip(grid[0], DETAILS, strict=True):
            ax.set_title(detail)
        figure.supxlabel("said by the model", fontsize=9)
        figure.supylabel("label of the experts", fontsize=9)
    return figure


def _folded(words: str) -> str:
    return words.replace(", ", ",\n")


def _cells(ax: Axes, counts: np.ndarray) -> None:
    """Four numbers (2, 2), shaded by their share of the line."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.2)
    for at in np.ndindex(2, 2):
        dark = shares[at] > 0.7
        colour = "white" if dark else style.INK
        words = f"{counts[at]:.0f}\n{shares[at]:.0%}"
        ax.text(at[1], at[0], words, ha="center", va="center", fontsize=8, color=colour)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
