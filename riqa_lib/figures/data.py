"""Figures of a data set: shares of grades, sheets of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .. import checks
from ..checks import columns
from ..datasets.splits import SPLITS
from ..tables.text import named
from . import style
from .style import legend_below

HIDDEN: dict[str, Any] = {"hatch": "////", "edgecolor": "white", "linewidth": 0}


# words on hatches are read on a patch of white
ON_HATCHES: dict[str, Any] = {"facecolor": "white", "alpha": 0.8, "pad": 0.8, "linewidth": 0}


ROOM = 0.045  # share of the width from which a bar has room for its number


ENDS = ("bad", "", "", "", "good")  # of the paper's five grades, which have no names


def class_shares(
    counts: pd.DataFrame, *, simulated: bool, classes: int = 0, names: Sequence[str] = ()
) -> Figure:
    """Share of each grade per split and source, as stacked bars. counts: split, source, grade,
    count, known (`tables.table1.class_counts`); known "truth" marks grades that only the simulation
    knows, "none" unlabelled pictures. classes: how many grades there are (0: five, or as many as
    occur); names: theirs, worst first (`text.grade_names`)."""
    columns(counts, ["source", "split", "grade", "count", "known"], "counts")
    classes = classes or max(len(ENDS), int(counts["grade"].max()) + 1)
    tints, words = style.shades(classes), names or (ENDS if classes == len(ENDS) else ())
    bars = sorted(counts.groupby(["split", "source"]).groups, key=_place)
    with style.sheet():
        figure = style.canvas(7.2, 1.1 + 0.36 * len(bars), simulated=simulated)
        ax = figure.subplots()
        for y, (split, source) in enumerate(bars):
            _bar(ax, y, counts[(counts["split"] == split) & (counts["source"] == source)], tints)
        ax.set_yticks(range(len(bars)), [_bar_name(str(split), str(of)) for split, of in bars])
        ax.invert_yaxis()
        ax.set(xlim=(0, 1))
        ax.grid(visible=False)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        # bars without height: for the legend
        for grade, tint in enumerate(tints):
            label = named(grade, words if len(words) and words[grade] else ())
            ax.bar(0, 0, color=tint, label=f"grade {label}")
        if (counts["known"] == "truth").any():
            ax.bar(0, 0, color=style.PALE, label="hidden from training", **HIDDEN)
        legend_below(figure, ax, 6)
    return figure


def _place(bar: tuple[str, str]) -> tuple[int, str]:
    """Where a split and source stand: splits as SPLITS, others last."""
    split, source = bar
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS)), source


def _bar_name(split: str, source: str) -> str:
    """Of a source, which a table names, "$" is no formula's."""
    return split if source in ("", "nan", split) else f"{split} · {source}".replace("$", r"\$")


def _bar(ax: Axes, y: float, rows: pd.DataFrame, tints: Sequence[str]) -> None:
    """One split and source: its grades from left to right, and how many pictures it has. tints: the
    colour of each grade."""
    total, left = rows["count"].sum(), 0.0
    for row in rows.sort_values("grade").to_dict("records"):
        share = row["count"] / total
        hidden, unknown = row["known"] == "truth", row["known"] == "none"
        tint = style.PALE if unknown else tints[int(row["grade"])]
        ax.barh(y, share, left=left, height=0.72, color=tint, **(HIDDEN if hidden else {}))
        if share > ROOM:
            dark = row["grade"] in (0, len(tints) - 1) and not unknown and not hidden
            ax.text(
                left + share / 2,
                y,
                "no label" if unknown else f"{share:.0%}",
                ha="center",
                va="center",
                fontsize=7.5,
                bbox=ON_HATCHES if hidden else None,
                color="white" if dark else style.INK,
            )
        left += share
    ax.text(1.01, y, f"{total:,}", va="center", fontsize=8, color=style.GREY)


def contact_sheet(
    pixels: np.ndarray,
    frame: pd.DataFrame,
    *,
    simulated: bool,
    columns: int = 8,
    captions: str = "grade",
    names: Sequence[str] = (),
) -> Figure:
    """Pictures in a grid with a caption each. pixels: uint8 (N, H, W, 3) RGB, row i of frame;
    frame: the column named by `captions`; names: of the grades, worst first. Show some dozens,
    chosen by the caller. Raises ValueError for other shapes or types."""
    checks.columns(frame, [captions], "frame")
    if (
        pixels.ndim != 4
        or pixels.shape[3] != 3
        or pixels.dtype != np.uint8
        or len(pixels) != len(frame)
    ):
        raise ValueError(
            f"pixels: expected uint8 ({len(frame)}, H, W, 3), one picture per row of frame; "
            f"found {pixels.dtype} {pixels.shape}"
        )
    columns = min(columns, len(frame))
    rows = math.ceil(len(frame) / columns)
    with style.sheet():
        height = rows * (pixels.shape[1] / pixels.shape[2] + 0.2) + 0.3
        figure = style.canvas(columns + 0.2, height, simulated=simulated)
        grid = figure.subplots(rows, columns, squeeze=False)
        for i, ax in enumerate(grid.flat):
            ax.axis("off")
            if i < len(frame):
                words = _caption(captions, frame[captions].iloc[i], names)
                ax.imshow(pixels[i], interpolation="nearest")
                ax.set_title(words, fontsize=7.5, fontweight="normal", loc="center", pad=2)
    return figure


def _caption(column: str, value: Any, names: Sequence[str]) -> str:
    if column != "grade":
        return str(value)
    return f"grade {named(value, names)}" if value >= 0 else "no label"
