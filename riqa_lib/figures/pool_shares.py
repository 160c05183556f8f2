"""The pool's story, drawn from `tables.pool`. Conventions: see `figures.style`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..checks import columns
from ..tables.names import name_of
from ..tables.pool import LABELS, TRUE
from . import style
from .style import legend_below

ACROSS = 4  # panels


WIDE = 26  # letters of a line of a panel's title


def pool_shares(table: pd.DataFrame, *, simulated: bool, words: Sequence[str] = ()) -> Figure:
    """Share of each grade, a panel a row: in the labels, in the pool as it is and as each run says;
    the same of training pictures whose label was hidden. In what is said, short lines mark the true
    shares, where these are known. table: `tables.pool.shares`; words: names of the grades, worst
    first. Raises ValueError where it lacks a column or has no rows."""
    names = [c for c in table if c.startswith("share_")]
    columns(table, ["part", "method", "pictures", *(names or ["share_0"])], "table")
    words = list(words) or [str(k) for k in range(len(names))]
    panels = table.to_dict("records")
    true = table[table["method"] == TRUE].set_index("part", drop=False).to_dict("index")
    down = math.ceil(len(panels) / ACROSS)
    with style.sheet():
        figure = style.canvas(9.2, 0.7 + 1.75 * down, simulated=simulated)
        grid = figure.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False)
        for ax, row in zip(grid.flat, panels, strict=False):
            _panel(ax, row, names, true.get(row["part"]))
            ax.set_xticks(range(len(names)), words)
        for ax in grid.flat[len(panels) :]:
            ax.axis("off")
        if true:
            grid[0, 0].plot([], [], color=style.INK, label="true share")  # for the legend
            legend_below(figure, grid[0, 0], 1)
    return figure


def _panel(ax: Axes, row: Mapping, names: list[str], true: Mapping | None) -> None:
    """One row of the table as bars; true: the row of the true shares, marked on them."""
    grades = range(len(names))
    tints = style.shades(len(names))
    edge: dict[str, Any] = {"edgecolor": style.GREY, "linewidth": 0.5}  # one grade is near white
    ax.bar(grades, [row[c] for c in names], width=0.78, color=tints, **edge)
    if true is not None and row["method"] != TRUE:
        for k, c in enumerate(names):
            ax.plot([k - 0.46, k + 0.46], [true[c], true[c]], color=style.INK)
    ax.set_title("\n".join(textwrap.wrap(_title(row), WIDE)), fontsize=8)
    ax.set(ylim=(0, 1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(visible=False, axis="x")
    ax.tick_params(labelbottom=True)


def _title(row: Mapping) -> str:
    known = {LABELS: "labels", TRUE: f"{row['part']}, true"}
    return known.get(row["method"], f"{row['part']}: {name_of(row['method'])}")
