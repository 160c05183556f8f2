"""Figures of a data set: shares of grades, sheets of pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .. import checks
from ..checks import columns
from . import style
from .style import legend_below

SPLITS = ("train", "val", "test", "pool")


HIDDEN: dict[str, Any] = {"hatch": "////", "edgecolor": "white", "linewidth": 0}


# ---------------------------------------------------------------- data
def class_shares(counts: pd.DataFrame, *, simulated: bool) -> Figure:
    """Share of each grade per split and source, as stacked bars. counts: split, source, grade,
    count, known (`report.class_counts`); known "truth" marks grades that only the simulation knows,
    "none" unlabelled pictures."""
    columns(counts, ["source", "split", "grade", "count", "known"], "counts")
    rank = {s: i for i, s in enumerate(SPLITS)}
    bars = sorted(
        counts.groupby(["split", "source"]).groups, key=lambda b: (rank.get(str(b[0]), 9), b[1])
    )
    with style.sheet():
        figure = style.canvas(7.2, 1.1 + 0.36 * len(bars), simulated=simulated)
        ax = figure.subplots()
        for y, (split, source) in enumerate(bars):
            rows = counts[(counts["split"] == split) & (counts["source"] == source)]
            total, left = rows["count"].sum(), 0.0
            for grade, count, known in rows.sort_values("grade")[
                ["grade", "count", "known"]
            ].itertuples(index=False):
                share = count / total
                look = HIDDEN if known == "truth" else {}
                tint = style.PALE if known == "none" else style.GRADES[int(grade)]
                ax.barh(y, share, left=left, height=0.72, color=tint, **look)
                if share > 0.045:
                    dark = known != "none" and grade in (0, 4) and known != "truth"
                    text = "no label" if known == "none" else f"{share:.0%}"
                    box = (
                        {"facecolor": "white", "alpha": 0.8, "pad": 0.8, "linewidth": 0}
                        if known == "truth"
                        else None
                    )
                    ax.text(
                        left + share / 2,
                        y,
                        text,
                        ha="center",
                        va="center",
                        fontsize=7.5,
                        bbox=box,
                        color="white" if dark else style.INK,
                    )
                left += share
            ax.text(1.01, y, f"{total:,}", va="center", fontsize=8, color=style.GREY)
        names = [
            split if str(source) in ("", "nan", str(split)) else f"{split} · {source}"
            for split, source in bars
        ]
        ax.set_yticks(range(len(bars)), names)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1))
        ax.grid(visible=False)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        for grade in range(5):
            ax.bar(
                0,
                0,
                color=style.GRADES[grade],
                label=f"grade {grade}" + {0: " (bad)", 4: " (good)"}.get(grade, ""),
            )
        if (counts["known"] == "truth").any():
            ax.bar(0, 0, color=style.PALE, label="hidden from training", **HIDDEN)
        legend_below(figure, ax, 6)
    return figure


def contact_sheet(
    pixels: np.ndarray,
    frame: pd.DataFrame,
    *,
    simulated: bool,
    columns: int = 8,
    captions: str = "grade",
) -> Figure:
    """Pictures in a grid with a caption each. pixels: uint8 (N, H, W, 3) RGB, row i of frame;
    frame: the column named by `captions`. Show some dozens, chosen by the caller. Raises ValueError
    for other shapes or types."""
    checks.columns(frame, [captions], "frame")
    if (
        pixels.ndim != 4
        or pixels.shape[3] != 3
        or pixels.dtype != np.uint8
        or len(pixels) != len(frame)
    ):
        raise ValueError(
            f"pixels: expected uint8 ({len(frame)}, H, W, 3), one picture per row of frame; found {pixels.dtype} {pixels.shape}"
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
                value = frame[captions].iloc[i]
                words = f"grade {value}" if captions == "grade" and value >= 0 else str(value)
                words = "no label" if captions == "grade" and value < 0 else words
                ax.imshow(pixels[i], interpolation="nearest")
                ax.set_title(words, fontsize=7.5, fontweight="normal", loc="center", pad=2)
    return figure
