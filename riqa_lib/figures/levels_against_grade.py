"""What graders say of a picture as it is distorted more and more: a panel a distortion, a line a
row. Takes a table of `tables.label_free_tests.curves`."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import columns
from ..tables.names import CONSTANT, name_of, order
from . import style

ACROSS = 5  # panels in a row
BANDS = 4  # rows, beyond which bands hide each other
DASHES: Any = {"linestyle": style.DASHED, "linewidth": 1.2}
LINE: Any = {"marker": "o", "markersize": 2.6, "linewidth": 1.4}
PLAIN = (CONSTANT, "brisque", "forest", "ridge", "ridge_stages")  # train no network: dashed

# rows of other work have no colour of Table 2's
TINTS = {"brisque": "#8C6BB1", "ridge_stages": style.GREEN, "dbcnn": style.RED,
         "hyperiqa": style.ORANGE, "reiqa": style.PINK}  # fmt: skip
SPARE = (style.BLUE, style.RED, style.GREEN, style.ORANGE, style.PINK, style.SKY, style.INK)


def levels_against_grade(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Mean expected grade of pristine pictures (level 0) and of their copies at each level, with
    the 95 % intervals of the mean over pictures as bands, where no more than BANDS rows share a
    panel.

    A panel a distortion, all with the same axes; those whose damage need not rise with the level
    are grey and say so. table: row, distortion, name, counted, level, grade, grade_low, grade_high;
    ValueError for columns that are missing."""
    needed = ["row", "distortion", "name", "counted", "level"]
    columns(table, [*needed, "grade", "grade_low", "grade_high"], "table")
    kinds = table[["distortion", "name", "counted"]].drop_duplicates().to_dict("records")
    rows = order(table["row"].unique())
    tints = {row: tint_of(row, place) for place, row in enumerate(rows)}
    across = min(ACROSS, len(kinds))
    down = math.ceil(len(kinds) / across)
    with style.sheet():
        figure = style.canvas(max(4.0, 1.96 * across), 1.1 + 1.35 * down, simulated=simulated)
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for ax in grid.flat[len(kinds) :]:
            ax.axis("off")
        for ax, kind in zip(grid.flat, kinds, strict=False):
            mine = table[table["distortion"] == kind["distortion"]]
            for row in rows:
                its = mine[mine["row"] == row].sort_values("level")
                _line(ax, its, row, tints[row], bands=len(rows) <= BANDS)
            _named(ax, kind)
        for place, ax in enumerate(grid.flat[: len(kinds)]):
            ax.tick_params(labelsize=7.5, labelbottom=place + across >= len(kinds))
        figure.supylabel("expected grade, mean over pictures", fontsize=9)
        figure.supxlabel("level of the distortion (0: pristine)", fontsize=9)
        style.legend_below(figure, grid.flat[0], 5)
    return figure


def tint_of(row: str, place: int) -> str:
    """A row's colour: Table 2's or TINTS', and for what has none, such as a run's name, one of
    SPARE by its place.

    >>> tint_of("ridge", 3) == style.METHOD["ridge"], tint_of("my run", 1) == SPARE[1]
    (True, True)
    """
    return (style.METHOD | TINTS).get(row, SPARE[place % len(SPARE)])


def _line(ax: Axes, rows: pd.DataFrame, row: str, tint: str, bands: bool) -> None:
    x, low, high = rows["level"], rows["grade_low"], rows["grade_high"]
    if bands:
        ax.fill_between(x, low, high, color=tint, alpha=0.13, linewidth=0)
    look = LINE | (DASHES if row in PLAIN else {}) | ({"marker": ""} if row == CONSTANT else {})
    ax.plot(x, rows["grade"], color=tint, label=name_of(row), **look)


def _named(ax: Axes, kind: dict[Any, Any]) -> None:
    """Title of a panel: number and name; grey, and said so, where no order is asked for."""
    title = f"{kind['distortion']} {kind['name']}"
    if kind["counted"]:
        ax.set_title(title, fontsize=8)
    else:
        ax.set_title(f"{title}*", fontsize=8, color=style.GREY)
        ax.set_facecolor("#f4f4f4")
        said = "* need not fall"
        ax.text(0.03, 0.05, said, transform=ax.transAxes, fontsize=6.5, color=style.GREY)
    ax.set_xticks(range(6))
