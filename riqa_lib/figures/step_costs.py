"""Where a training step's time goes: a panel for each network, a bar for each method."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import columns
from ..tables.names import name_of
from . import style

PARTS = {
    "views": style.SKY,
    "forward": style.BLUE,
    "backward": style.GREEN,
    "clip": style.ORANGE,
    "optimiser": style.RED,
    "average": style.PINK,
}
WORDS = {
    "forward": "forward and losses",
    "clip": "clipping of the gradient",
    "average": "running average",
}


def step_costs(table: pd.DataFrame) -> Figure:
    """Milliseconds of each part of a step for 100 pictures through the network; a tick across each
    bar: the bare forward and backward passes of the same pictures alone.

    table: `riqa bench`'s (training.bench), of one machine. ValueError for columns that are
    missing."""
    parts = [f"{part}_part_ms" for part in PARTS]
    columns(table, ["form", "method", "pictures", "bare_ms", "machine", *parts], "table")
    forms = list(dict.fromkeys(table["form"]))
    with style.sheet():
        figure = style.canvas(9.6, 3.6, simulated=None)
        axes = figure.subplots(1, len(forms), squeeze=False, sharey=True)[0]
        for ax, form in zip(axes, forms, strict=True):
            _panel(ax, table[table["form"] == form], form)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=7, fontsize=7.5)
        figure.supxlabel(f"ms for 100 pictures; {table['machine'].iloc[0]}", fontsize=8.5)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, form: str) -> None:
    """The bars of one network."""
    share = 100 / rows["pictures"].to_numpy(float)  # to 100 pictures
    place = [-float(i) for i in range(len(rows))]
    left = 0 * share
    for part, colour in PARTS.items():
        width = rows[f"{part}_part_ms"].to_numpy(float) * share
        ax.barh(place, width, 0.72, left=left, color=colour, label=WORDS.get(part, part))
        left = left + width
    look: Any = {"color": style.INK, "linewidth": 1.4, "label": "bare passes alone"}
    bare = rows["bare_ms"].to_numpy(float) * share
    low, high = [p - 0.45 for p in place], [p + 0.45 for p in place]
    ax.vlines(bare, low, high, **look)
    ax.set_title(f"from {form}" if form != "timm ViT" else "timm's ViT-Tiny, from pixels")
    ax.set_yticks(place, [name_of(m).removeprefix("ViT + ") for m in rows["method"]], fontsize=8)
