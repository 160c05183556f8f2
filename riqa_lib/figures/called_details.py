"""Fundus photographs with what is said of their three details: the picture, and below it the
probability of bad of each detail, by one network or several, on the side where people put it.

Takes arrays of pixels and a table (`tables.telling_details` chooses it, `pages.seen_fundus` brings
both together). Conventions: see `figures.style`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..checks import columns
from ..scales import DETAILS
from ..tables.names import BAD, row_name
from . import style
from .style import tint

ACROSS = 4  # pictures in a line
SIDE, DOTS, PART = 1.7, 0.95, 0.35  # inches of a picture with its words, of the dots, of a heading


def called_details(
    pixels: np.ndarray,
    table: pd.DataFrame,
    said: Mapping[str, np.ndarray],
    *,
    simulated: bool,
    whose: str = "where people put it",
    across: int = ACROSS,
) -> Figure:
    """A panel a picture, and below it three lines, from good at the left to bad at the right: a dot
    for each row at its probability of bad; the half of the line where people put the detail is
    shaded, so a dot in it is right. Nothing is shaded where nobody said anything.

    pixels: uint8 (N, S, S, 3), row i of table. table: DETAILS (0 bad, 1 good, -1 unknown), words
    (above the picture), perhaps wrong (bool: words in red), part (a heading; its pictures begin a
    new line). said: by row (a key of `names`), probabilities of bad (N, 3). whose: who put the
    details where they are. ValueError for other shapes, missing columns or no picture."""
    _fit(pixels, table, said)
    parts = _parts(table)
    across = min(across, max(map(len, parts.values())))
    lines = [math.ceil(len(at) / across) for at in parts.values()]
    heights = [n * (SIDE + DOTS) + PART * bool(name) for n, name in zip(lines, parts, strict=True)]
    with style.sheet():
        size = (0.9 + 1.9 * across, 0.5 + sum(heights))
        figure = style.canvas(*size, simulated=simulated)
        layout: Any = figure.get_layout_engine()
        layout.set(h_pad=0.02, w_pad=0.04, hspace=0.0, wspace=0.03)
        layout.set(rect=(0.02, 0.22 / size[1], 0.97, 1 - 0.22 / size[1]))
        blocks = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
        for block, (name, at), down in zip(blocks, parts.items(), lines, strict=True):
            if name:
                block.suptitle(name, x=0.02, ha="left", fontsize=9, fontweight="bold")
            grid = _grid(block, down, across)
            for place, i in enumerate(at):
                line, column = divmod(place, across)
                _picture(grid[2 * line, column], pixels[i], table.iloc[i])
                bad = {row: each[i] for row, each in said.items()}
                _dots(grid[2 * line + 1, column], table.iloc[i], bad, first=column == 0)
        figure.legend(handles=_keys(list(said), whose), loc="outside upper left", ncols=4)
    return figure


def _fit(pixels: np.ndarray, table: pd.DataFrame, said: Mapping[str, np.ndarray]) -> None:
    """ValueError unless pictures, table and what is said are of one number."""
    columns(table, [*DETAILS, "words"], "table")
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: expected uint8 (N, S, S, 3); found {pixels.dtype}{pixels.shape}")
    shapes = [len(pixels), *(len(each) for each in said.values())]
    if any(n != len(table) for n in shapes):
        raise ValueError(f"{len(table)} rows of the table, but pixels and rows said of {shapes}")


def _parts(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The places (n,) of the pictures of each part, in order of appearance; one without a name
    where the table has none."""
    of = table["part"] if "part" in table else pd.Series("", table.index)
    return {name: np.flatnonzero((of == name).to_numpy()) for name in dict.fromkeys(of)}


def _grid(block: SubFigure, down: int, across: int) -> np.ndarray:
    grid = block.subplots(2 * down, across, squeeze=False, height_ratios=[SIDE, DOTS] * down)
    for ax in grid.flat:
        ax.axis("off")
    return grid


def _picture(ax: Axes, picture: np.ndarray, row: pd.Series) -> None:
    ax.imshow(picture, interpolation="lanczos")
    colour = style.RED if bool(row.get("wrong", False)) else style.INK
    ax.set_title(row["words"], fontsize=8, loc="center", pad=3, color=colour, fontweight="normal")


def _dots(ax: Axes, row: pd.Series, bad: Mapping[str, Sequence[float]], first: bool) -> None:
    """What is said of one picture's details, a line each."""
    ax.axis("on")
    apart = 0.24
    for y, detail in enumerate(DETAILS):
        if row[detail] >= 0:
            start = 0.5 if row[detail] == 0 else 0.0
            ax.barh(y, 0.5, left=start, height=0.8, color=style.PALE, linewidth=0)
        for k, (name, each) in enumerate(bad.items()):
            at = y + apart * (k - (len(bad) - 1) / 2)
            ax.plot([each[y]], [at], "o", color=tint(name), markersize=4.5, clip_on=False)
    ax.axvline(0.5, color=style.GREY, linewidth=0.8)
    ax.set(xlim=(0, 1), ylim=(len(DETAILS) - 0.5, -0.5))
    ax.set_xticks([0, 0.5, 1], ["good", "", BAD])
    ax.set_yticks(range(len(DETAILS)), DETAILS if first else [""] * len(DETAILS))
    ax.tick_params(length=0, labelsize=7.5, pad=2)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)


def _keys(rows: Sequence[str], whose: str) -> list[Any]:
    """The legend: whose the dots are, and what is shaded."""
    ax = Figure().subplots()  # the marks belong to no panel
    keys = [ax.plot([], [], "o", color=tint(r), markersize=4.5, label=row_name(r))[0] for r in rows]
    return [*keys, ax.bar(0, 0, color=style.PALE, label=whose)]
