"""Photographs with what is true of them and what a row says: the picture, true and predicted
grade, and below it the votes of people beside the predicted probabilities.

Takes arrays of pixels and a table (`tables.telling_pictures` chooses it, `pages.seen_photographs`
brings both together). Conventions: see `figures.style`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..checks import columns
from ..stats.metrics import columns_p
from ..stats.votes import vote_columns
from ..tables.text import named
from . import style

ACROSS = 4  # pictures in a line
SIDE = 1.5  # inches of a picture
BARS = 0.62  # inches of the bars below it
HEADS = 0.66  # inches of the words above it
PART = 0.36  # inches of a part's heading
WIDTH = 0.38  # of a bar, in grades


def graded_photographs(
    pixels: np.ndarray,
    table: pd.DataFrame,
    *,
    simulated: bool,
    names: Sequence[str] = (),
    across: int = ACROSS,
) -> Figure:
    """A panel a picture: the picture with "true 3, said 2" above it (red where they differ), and
    below it two bars a grade: the share of people who voted for it (grey) and its predicted
    probability (blue); a triangle marks the true grade.

    pixels: uint8 (N, S, S, 3) RGB, row i of table. table: truth (-1: unknown), said, p0, p1, ..;
    perhaps votes c1, c2, .. (counts; none or 0 where nobody voted), part (a heading; its pictures
    begin a new line), note (a word or two below the heading, such as the simulated defects).
    names: of the grades, worst first. Raises ValueError for other shapes or types, missing columns
    or no picture."""
    columns(table, ["truth", "said", "p0", "p1"], "table")
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: expected uint8 (N, S, S, 3); found {pixels.dtype}{pixels.shape}")
    if len(pixels) != len(table):
        raise ValueError(f"pixels: {len(pixels)} pictures for {len(table)} rows of the table")
    parts = _parts(table)
    across = min(across, max(len(at) for _, at in parts))
    lines = [math.ceil(len(at) / across) for _, at in parts]
    headed = PART if any(name for name, _ in parts) else 0.0
    heights = [n * (SIDE + BARS + HEADS) + headed for n in lines]
    with style.sheet():
        size = (0.5 + (SIDE + 0.1) * across, 0.45 + sum(heights))
        figure = style.canvas(*size, simulated=simulated)
        layout: Any = figure.get_layout_engine()
        layout.set(h_pad=0.02, w_pad=0.03, hspace=0.0, wspace=0.02)
        blocks = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
        for block, (name, at), down in zip(blocks, parts, lines, strict=True):
            _part(block, name, pixels[at], table.iloc[at], (down, across), names)
        figure.legend(handles=_keys(table), loc="outside upper left", ncols=3, handlelength=1.2)
    return figure


def _parts(table: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """The parts in order of appearance, each with the places (n,) of its pictures; one without a
    name where the table has none."""
    if "part" not in table:
        return [("", np.arange(len(table)))]
    of = table["part"].to_numpy()
    return [(str(name), np.flatnonzero(of == name)) for name in dict.fromkeys(of)]


def _part(
    block: SubFigure,
    name: str,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    shape: tuple[int, int],
    names: Sequence[str],
) -> None:
    """The pictures of one part, in shape (lines, pictures in a line)."""
    if name:
        block.suptitle(name, x=0.02, ha="left", fontsize=9, fontweight="bold")
    down, across = shape
    ratios = [SIDE, BARS] * down
    grid = block.subplots(2 * down, across, squeeze=False, height_ratios=ratios)
    for ax in grid.flat:
        ax.axis("off")
    for place, (picture, row) in enumerate(zip(pixels, rows.to_dict("records"), strict=True)):
        line, at = divmod(place, across)
        _picture(grid[2 * line, at], picture, row, names)
        _bars(grid[2 * line + 1, at], row, columns_p(rows), vote_columns(rows), names)


def _picture(ax: Axes, picture: np.ndarray, row: Mapping, names: Sequence[str]) -> None:
    wrong = row["truth"] >= 0 and row["truth"] != row["said"]
    truth = f"true {named(row['truth'], names)}, " if row["truth"] >= 0 else ""
    ax.imshow(picture, interpolation="lanczos")
    words = f"{truth}said {named(row['said'], names)}"
    note = row.get("note")
    if isinstance(note, str) and note:
        ax.text(0.5, 1.02, note, transform=ax.transAxes, ha="center", va="bottom", fontsize=6)
        words += "\n"
    tint = style.RED if wrong else style.INK
    ax.set_title(words, fontsize=8, loc="center", pad=3, color=tint, linespacing=1.3)


def _bars(
    ax: Axes, row: Mapping, p: Sequence[str], votes: Sequence[str], names: Sequence[str]
) -> None:
    """Votes and probabilities of one picture, by grade."""
    ax.axis("on")
    grades = np.arange(len(p))
    counts = np.array([row.get(column, 0) for column in votes], dtype=float)
    if len(counts) == len(p) and np.nansum(counts) > 0:
        ax.bar(grades - WIDTH / 2, counts / np.nansum(counts), width=WIDTH, color=style.GREY)
    ax.bar(grades + WIDTH / 2, [row[c] for c in p], width=WIDTH, color=style.BLUE)
    if row["truth"] >= 0:
        ax.plot(row["truth"], 1.08, "v", color=style.INK, markersize=4, clip_on=False)
    ax.set(ylim=(0, 1.08), xlim=(-0.6, len(p) - 0.4))
    style.grade_ticks(ax.xaxis, len(p), names, room=14)
    ax.set_yticks([])
    ax.tick_params(length=0, labelsize=6.5, pad=1)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)


def _keys(table: pd.DataFrame) -> list[Any]:
    """The legend: what the bars and the mark are."""
    ax = Figure().subplots()  # the marks belong to no panel
    keys: list[Any] = []
    votes = [c for c in vote_columns(table) if c in table]
    if votes and table[votes].fillna(0).to_numpy().sum() > 0:
        keys.append(ax.bar(0, 0, color=style.GREY, label="share of the votes"))
    keys.append(ax.bar(0, 0, color=style.BLUE, label="predicted probability"))
    if (table["truth"] >= 0).any():
        look: Any = {"color": style.INK, "markersize": 4, "label": "true grade"}
        keys += ax.plot([], [], "v", **look)
    return keys
