"""Each detail's head against the severity of its own defect. Takes a table of
`tables.own_defect.responses`."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ..checks import columns
from ..scales import DETAILS
from ..tables.names import BAD, name_of, set_of_row
from . import style
from .style import legend_below, tint


def own_defect_responses(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Mean probability of bad of each head against the severity of its own defect, all else
    perfect: a panel a detail, a line a method, 95 % intervals. At severity 1 graders begin to call
    it bad.

    table: cause, severity, detail, method, bad, bad_low, bad_high; ValueError where none of it is
    of a head's own defect."""
    columns(table, ["method", "cause", "severity", "detail", "bad", "bad_low", "bad_high"], "table")
    own = table[table["cause"] == table["detail"]]
    if own.empty:
        raise ValueError("table: no response of a head to its own defect")
    with style.sheet():
        figure = style.canvas(8.2, 3.2, simulated=simulated)
        panels = figure.subplots(1, len(DETAILS), sharey=True)
        for ax, detail in zip(panels, DETAILS, strict=True):
            mine = own[own["detail"] == detail]
            for method, rows in mine.groupby("method", sort=False):
                colour = tint(str(method))
                ax.fill_between(
                    rows["severity"],
                    rows["bad_low"],
                    rows["bad_high"],
                    color=colour,
                    alpha=0.18,
                    linewidth=0,
                )
                dash = style.DASHED if set_of_row(str(method)) == "deepdrid" else "-"
                ax.plot(
                    rows["severity"],
                    rows["bad"],
                    marker="o",
                    markersize=3,
                    linestyle=dash,
                    color=colour,
                    label=name_of(str(method)),
                )
            ax.axvline(1, color=style.GREY, linewidth=0.8, linestyle=style.DASHED)
            ax.axhline(0.5, color=style.GREY, linewidth=0.8, linestyle=style.DASHED)
            ax.set(title=detail, xlabel="severity of its own defect", ylim=(-0.02, 1.02))
        panels[0].set_ylabel(f"mean probability of {BAD}")
        legend_below(figure, panels[0], 4)
    return figure
