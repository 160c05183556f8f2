"""Trained on one set (rows), tested on another (columns): SRCC of each model as a small matrix."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..checks import columns
from ..tables.names import name_of, order
from . import style

NUMBERS = ("srcc", "srcc_low", "srcc_high")
DARK = 0.6  # beyond it numbers are white


def cross_data_matrix(
    table: pd.DataFrame,
    *,
    simulated: Collection[str],
    part: str = "all",
    rows: Sequence[str] = (),
    across: int = 3,
) -> Figure:
    """A heat map a model: the set it learnt from down, the set it was tested on across, SRCC with
    its 95 % interval in the cells (blue: above 0, red: below). A set on itself, its test part, is
    framed; what was not tested or is not defined is empty.

    table: `tables.cross_data_table.cross_data` (trained_on, tested_on, row, part, srcc, srcc_low,
    srcc_high). simulated: the names of the sets that are, marked so. part: "all" or "within". rows:
    their order. A row that has no number at all (the constant) is left out. ValueError for missing
    columns, or where nothing is left."""
    columns(table, ["trained_on", "tested_on", "row", "part", *NUMBERS], "table")
    mine = table[table["part"] == part]
    mine = mine[mine.groupby("row")["srcc"].transform("count") > 0]
    columns(mine, [], f"table, part {part}")
    down, wide = (list(dict.fromkeys(mine[c])) for c in ("trained_on", "tested_on"))
    names = in_order(mine["row"], rows)
    across = min(across, len(names))
    lines = math.ceil(len(names) / across)
    of_kind = {name in simulated for name in (*down, *wide)}
    with style.sheet():
        # cells of 0.85 x 0.5 inches, and room for the sets' names at the left
        width = 1.2 + across * max(2.2, 0.2 + 0.85 * len(wide))
        height = 0.75 + lines * (0.55 + 0.5 * len(down))
        figure = style.canvas(width, height, simulated=of_kind == {True})
        if len(of_kind) > 1:
            style.say_both(figure)
        grid = figure.subplots(lines, across, squeeze=False)
        for ax in grid.flat[len(names) :]:
            ax.axis("off")
        for place, (ax, row) in enumerate(zip(grid.flat, names, strict=False)):
            _matrix(ax, mine[mine["row"] == row], down, wide)
            ax.set_title(textwrap.fill(name_of(row), 32), fontsize=8.5)
            _named(ax.yaxis, "trained on", down if place % across == 0 else [], simulated)
            lowest = place + across >= len(names)
            _named(ax.xaxis, "tested on", wide if lowest else [], simulated)
    return figure


def _named(axis: Axis, words: str, sets: list[str], simulated: Collection[str]) -> None:
    """The sets' names and what the axis is; nothing where another panel says it."""
    if not sets:
        axis.set_ticklabels([])
        return
    marks = {name: "\n(simulated)" if name in simulated else "" for name in sets}
    axis.set_ticklabels([textwrap.fill(name, 14) + marks[name] for name in sets])
    axis.set_label_text(words, fontsize=9)


def in_order(there: Iterable[str], rows: Sequence[str]) -> list[str]:
    """The rows there are: first these, then the others as tables order them.

    >>> in_order(["forest", "ridge", "new"], ["ridge"])
    ['ridge', 'forest', 'new']
    """
    found = set(there)
    known = [row for row in rows if row in found]
    return known + [row for row in order(found) if row not in known]


def _matrix(ax: Axes, its: pd.DataFrame, down: list[str], wide: list[str]) -> None:
    """One model's cells, with their numbers."""
    values = np.full((len(down), len(wide)), np.nan)
    for row in its.to_dict("records"):
        i, j = down.index(row["trained_on"]), wide.index(row["tested_on"])
        values[i, j] = row["srcc"]
        if pd.notna(row["srcc"]):
            tint = "white" if abs(row["srcc"]) > DARK else style.INK
            look: Any = {"ha": "center", "va": "center", "color": tint}
            ax.text(j, i - 0.12, _number(row["srcc"]), fontsize=9, fontweight="bold", **look)
            ends = f"{_number(row['srcc_low'])} to {_number(row['srcc_high'])}"
            ax.text(j, i + 0.24, ends, fontsize=6, **look)
        if row["trained_on"] == row["tested_on"]:
            frame: Any = {"fill": False, "edgecolor": style.INK, "linewidth": 1.2}
            ax.add_patch(Rectangle((j - 0.49, i - 0.49), 0.98, 0.98, **frame))
    ax.imshow(values, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    ax.set_xticks(range(len(wide)))
    ax.set_yticks(range(len(down)))
    ax.tick_params(length=0, labelsize=7)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
