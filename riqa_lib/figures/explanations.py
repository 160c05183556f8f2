"""Figures of explanations and advice: error against coverage, and how often maps lie on the
defects. Each takes a table."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ..checks import columns
from ..stats.calibration import Abstention
from ..tables.localisation import ITSELF
from ..tables.names import row_name
from . import style
from .style import legend_below, tint


def abstention(curves: dict[str, pd.DataFrame], rule: Abstention, *, simulated: bool) -> Figure:
    """Error among the answered at every coverage (tables of `stats.calibration.risk_coverage`, by
    name), the promised rate, and where the rule's threshold puts each."""
    with style.sheet():
        figure = style.canvas(4.8, 3.2, simulated=simulated)
        ax = figure.subplots()
        for (name, curve), colour in zip(
            curves.items(), (style.BLUE, style.ORANGE, style.GREEN), strict=False
        ):
            columns(curve, ["threshold", "coverage", "error"], name)
            ax.plot(curve["coverage"], curve["error"], color=colour, label=name)
            answered = curve[curve["threshold"] >= rule.threshold]
            if len(answered):
                ax.plot(
                    answered["coverage"].iloc[-1], answered["error"].iloc[-1], "o", color=colour
                )
        ax.axhline(
            rule.rate,
            color=style.INK,
            linewidth=0.9,
            linestyle="--",
            label=f"promised: {rule.rate:.0%}",
        )
        ax.set(
            xlabel="share of pictures answered",
            ylabel="error among these",
            xlim=(0, 1.02),
            ylim=(0, None),
        )
        legend_below(figure, ax, 2)
    return figure


def localisation(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Pointing game and energy inside, a panel each: a dot with its interval for each head and
    method, and chance as a bar.

    table: of `tables.localisation.table` (head, measure, method, against, value, low, high,
    chance)."""
    columns(
        table, ["head", "measure", "method", "against", "value", "low", "high", "chance"], "table"
    )
    own = table[table["against"] == ITSELF]
    heads, methods = list(dict.fromkeys(own["head"])), list(dict.fromkeys(own["method"]))
    with style.sheet():
        figure = style.canvas(8.0, 0.9 + 0.5 * max(len(heads), 2), simulated=simulated)
        panels = figure.subplots(1, 2, sharey=True)
        for ax, (measure, title) in zip(
            panels, (("pointing", "pointing game"), ("energy", "energy inside")), strict=True
        ):
            for row in own[own["measure"] == measure].to_dict("records"):
                k, at = methods.index(row["method"]), heads.index(row["head"])
                style.interval(
                    ax,
                    at + (k - (len(methods) - 1) / 2) * 0.22,
                    row,
                    "value",
                    tint(row["method"]),
                    low="low",
                    high="high",
                    width=1.4,
                    label=row_name(row["method"]) if at == 0 else None,
                )
                ax.plot(
                    [row["chance"]] * 2,
                    [at - 0.4, at + 0.4],
                    color=style.GREY,
                    linewidth=1.2,
                    linestyle=":",
                    label="chance" if at == k == 0 else None,
                )
            ax.set(
                xlabel=title, xlim=(0, 1), yticks=range(len(heads)), ylim=(len(heads) - 0.5, -0.5)
            )
            ax.set_yticklabels(heads)
        legend_below(figure, panels[0], len(methods) + 1)
    return figure
