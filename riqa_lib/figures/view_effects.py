"""The figure of the audit: what each operation does to true quality, to a model's grade, and how
often grades change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..checks import columns
from ..tables.view_verdicts import CHANGES, KEEPS, LIMIT, NOT_MEASURED, UNDECIDED, WHOLE
from . import style


class Look(NamedTuple):
    """How one side's dots look; shift: rows below the operation's own height; verdict: its
    column, at so many points right of the panel."""

    name: str
    tint: str
    mark: str
    shift: float
    verdict: str
    right: float


LOOKS = {
    "true": Look("the truth", style.GREEN, "o", -0.17, "by_truth", 14),
    "model": Look("the model", style.BLUE, "s", 0.17, "by_model", 44),
}


# verdict: its mark and colour
MARKS = {
    KEEPS: ("✓", style.GREEN),
    CHANGES: ("✗", style.RED),
    UNDECIDED: ("?", style.GREY),
    NOT_MEASURED: ("–", style.GREY),
}


# how far graders disagree with themselves: key of `disagreement`, words, dashes
GRADERS = (
    ("redraw", "all raters drawn anew", style.DASHED),
    ("two_raters", "two raters differ", (0, (1, 2))),
)


def operations(
    table: pd.DataFrame, disagreement: Mapping[str, float], *, simulated: bool
) -> Figure:
    """Dots with 95 % intervals per operation: change of the expected grade (band: the limit), share
    of grades that change (lines: graders' disagreement), and each side's verdict as a mark. table:
    rows of `view_verdicts.summary`, drawn in its order (`view_verdicts.by_effect`); policies are
    set apart. Hollow: aligned roughly. ValueError for missing columns or no rows."""
    numbers = [f"{number}_{what}" for number in ("d", "flip") for what in LOOKS]
    ends = [f"{number}{end}" for number in numbers for end in ("", "_low", "_high")]
    verdicts = [look.verdict for look in LOOKS.values()]
    columns(table, ["operation", "group", "rough", *ends, *verdicts], "table")
    with style.sheet():
        figure = style.canvas(8.4, 1.45 + 0.27 * len(table), simulated=simulated)
        left, right = figure.subplots(1, 2, sharey=True)
        for what in LOOKS:
            if table[f"d_{what}"].notna().any():
                _dots(left, table, "d", what)
                _dots(right, table, "flip", what)
            _verdicts(right, table, what)
        _limits(left, right, disagreement)
        _keys(left, table)
        left.set_yticks(range(len(table)), table["operation"], fontsize=8)
        whole = int(table["group"].isin(WHOLE).sum())
        for ax in (left, right):
            if 0 < whole < len(table):
                ax.axhspan(-0.6, whole - 0.5, color="#fdf3e3", zorder=-1, linewidth=0)
        left.set_ylim(len(table) - 0.4, -0.6)
        left.set_title("change of the expected grade", fontsize=9)
        right.set_title("grades that change", fontsize=9)
        right.xaxis.set_major_formatter(PercentFormatter(1))
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _dots(ax: Axes, table: pd.DataFrame, number: str, what: str) -> None:
    """One side's dots of one panel, with their intervals."""
    look = LOOKS[what]
    for y, row in enumerate(table.to_dict("records")):
        style.interval(
            ax,
            y + look.shift,
            row,
            f"{number}_{what}",
            look.tint,
            marker=look.mark,
            size=4,
            hollow=row["rough"] and what == "true",
            width=1.2,
            cap="butt",
        )


def _verdicts(ax: Axes, table: pd.DataFrame, what: str) -> None:
    """One side's verdicts as marks, right of the panel, under its name."""
    look = LOOKS[what]
    said = [(-1.15, look.name.removeprefix("the "), style.INK, 7.5)]
    said += [(y, *MARKS[verdict], 10.0) for y, verdict in enumerate(table[look.verdict])]
    for y, words, tint, size in said:
        ax.annotate(
            words,
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(look.right, 0),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=size,
            color=tint,
            annotation_clip=False,
        )


def _limits(left: Axes, right: Axes, disagreement: Mapping[str, float]) -> None:
    """The band of the limit, and the graders' own disagreement."""
    words = f"limit, ±{LIMIT} class"
    left.axvspan(-LIMIT, LIMIT, color=style.PALE, alpha=0.6, linewidth=0, label=words)
    for key, said, dash in GRADERS:
        if not np.isnan(disagreement[key]):
            right.axvline(disagreement[key], color=style.INK, linewidth=1, linestyle=dash)
            left.plot([], [], color=style.INK, linewidth=1, linestyle=dash, label=said)


def _keys(ax: Axes, table: pd.DataFrame) -> None:
    """The legend: dots, and marks of the verdicts that there are."""
    for what, look in LOOKS.items():
        if table[f"d_{what}"].notna().any():
            ax.plot([], [], look.mark, color=look.tint, markersize=4, label=look.name)
    if table["rough"].any() and table["d_true"].notna().any():
        tint = LOOKS["true"].tint
        hollow: Any = {"color": tint, "markersize": 4, "markerfacecolor": "white"}
        ax.plot([], [], "o", label="truth, roughly aligned", **hollow)
    there = {*table["by_truth"], *table["by_model"]}
    for verdict, (mark, tint) in MARKS.items():
        if verdict in there:
            look_of: Any = {"color": tint, "markersize": 6, "linestyle": "none"}
            ax.plot([], [], marker=f"${mark}$", label=verdict, **look_of)
