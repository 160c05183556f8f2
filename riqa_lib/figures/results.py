"""Figures: each a function from a table to a Figure. Nothing is computed here that a table does not
hold, but means.

Every function takes `simulated` and says so at the figure's foot, and raises ValueError that lists
missing columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..checks import columns
from ..stats.metrics import columns_p, expected_grade, macro_mae, mae, qwk, srcc, target
from ..stats.reliability_bins import calibration_error, reliability_bins
from ..tables.names import ALWAYS, BASE, CONSTANT, SECOND, SIMPLE, UNTRAINED, name_of, order
from . import style


# ---------------------------------------------------------------- results
def _per_seed(rows: pd.DataFrame, metric: str) -> list[float]:
    names = columns_p(rows)
    out = []
    for _, part in rows.groupby("seed"):
        p, truth = part[names].to_numpy(float), part["truth"]
        if metric == "srcc":
            out.append(srcc(expected_grade(p), target(part)[1]))
        else:
            measure = {"mae": mae, "macro_mae": macro_mae, "qwk": qwk}[metric]
            out.append(measure(truth, p.argmax(axis=1), len(names)))
    return out


PANELS = {"mae": "MAE ↓", "macro_mae": "macro-MAE ↓", "srcc": "SRCC ↑"}
# marks of Table 2's figure, as its rows and its legend draw them
FIRST: Any = {"marker": "o", "size": 5.5}
SECOND_STAGE: Any = {"marker": "s", "size": 5.0}
CONSTANT_LINE: Any = {"color": style.GREY, "linewidth": 1, "linestyle": style.DASHED}
# what a row learns from, and its colour
KINDS = {
    "no picture, or people": style.GREY,
    "no network": style.METHOD["ridge"],
    "labels": style.BLUE,
    "labels and pool": style.RED,
}
OUTSIDE = (CONSTANT, "source_mean")  # look at no picture: their numbers may lie beyond the axis


def kind_of_row(method: str) -> str:
    """What a row of Table 2 learns from: a key of KINDS.

    >>> [kind_of_row(m) for m in ("rater", "forest", "supervised_all", "simmatch_second")]
    ['no picture, or people', 'no network', 'labels', 'labels and pool']
    """
    if method in UNTRAINED or method == "source_mean":
        return "no picture, or people"
    if method in SIMPLE:
        return "no network"
    only_labels = method.startswith(BASE) and not method.endswith(SECOND)
    return "labels" if only_labels else "labels and pool"


def table2_points(
    table: pd.DataFrame, predictions: pd.DataFrame | None = None, *, simulated: bool
) -> Figure:
    """Table 2 as points (second stages: squares) with 95 % intervals, the seeds as small dots; the
    colour says what a row learns from. Axes span the rows that look at pictures: what lies beyond
    is written at the edge. Published numbers, which are of other pictures, are left to the table,
    and so are the rows that always say one of the middle grades. table: `tables.table2.table2`
    (row, method, labels, and mae, macro_mae, srcc with _low and _high); predictions: the long
    predictions it was made from, for the seeds (split "test" where there is one)."""
    numbers = [f"{metric}{end}" for metric in PANELS for end in ("", "_low", "_high")]
    columns(table, ["row", "method", "labels", *numbers], "table")
    table = table[~table["method"].isin(list(ALWAYS))]
    if predictions is not None and "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    names, below = _row_names(table)
    with style.sheet():
        height = 0.34 if len(table) < 12 else 0.25
        figure = style.canvas(9.6, 1.35 + height * len(table), simulated=simulated)
        grid = figure.subplots(1, 3, sharey=True)
        for ax, (metric, title) in zip(grid, PANELS.items(), strict=True):
            _table2_panel(ax, table, metric, predictions)
            ax.set_title(title, fontsize=9)
        grid[0].set_yticks(range(len(table)), names)
        grid[0].set_ylim(len(table) - 0.4, -0.6)
        grid[0].set_xlabel(below, fontsize=8)
        keys = _table2_keys(grid[0], table, predictions)
        figure.legend(handles=keys, loc="outside upper center", ncols=4, handlelength=1.6)
    return figure


def _row_names(table: pd.DataFrame) -> tuple[pd.Series, str]:
    """What stands at the rows, and below them: how many labels, once where all trained rows had
    the same number, else at each."""
    trained, labels = ~table["method"].isin(UNTRAINED), table["labels"].astype(int)
    budgets = sorted(labels[trained].unique())
    if len(budgets) > 1:
        return table["row"].where(~trained, table["row"] + labels.map(", n = {:,}".format)), ""
    return table["row"], f"trained with {budgets[0]:,} labels" if budgets else ""


def _table2_panel(
    ax: Axes, table: pd.DataFrame, metric: str, predictions: pd.DataFrame | None
) -> None:
    """One measure: a row's mean and interval, its seeds below."""
    low, high = _span(table, metric)
    for y, row in enumerate(table.to_dict("records")):
        tint, second = KINDS[kind_of_row(row["method"])], row["method"].endswith(SECOND)
        if predictions is not None:
            own = predictions[predictions["method"] == row["method"]]
            seeds = _per_seed(own[own["labels"] == row["labels"]], metric)
            seeds = [one for one in seeds if low <= one <= high] if len(seeds) > 1 else []
            ax.scatter(seeds, [y + 0.27] * len(seeds), s=7, color=tint, alpha=0.55, linewidth=0)
        if pd.notna(row[metric]) and not low <= row[metric] <= high:
            _at_the_edge(ax, y, row[metric], row[metric] > high, tint)
            continue
        look = SECOND_STAGE if second else FIRST
        untrained = row["method"] in UNTRAINED
        style.interval(ax, y, row, metric, tint, cap="butt", hollow=untrained, **look)
    for constant in _constant_within(table, metric):
        ax.axvline(constant, zorder=0, **CONSTANT_LINE)
    for y in range(1, len(table), 2):
        ax.axhspan(y - 0.5, y + 0.5, color="#f6f6f6", zorder=-1, linewidth=0)
    ax.set_xlim(low, high)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _span(table: pd.DataFrame, metric: str) -> tuple[float, float]:
    """The ends of a panel's axis: of the rows that look at pictures, or of all where none does."""
    looking = table[~table["method"].isin(OUTSIDE)]
    rows = looking if looking[metric].notna().any() else table
    ends = rows[[metric, f"{metric}_low", f"{metric}_high"]].to_numpy(float)
    if np.isnan(ends).all():
        return 0.0, 1.0
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = 0.08 * max(high - low, 0.05)
    return low - room, high + room


def _constant_within(table: pd.DataFrame, metric: str) -> list[float]:
    """What the best constant gets, where there is one and it lies within the panel's axis."""
    low, high = _span(table, metric)
    found = table.loc[table["method"] == CONSTANT, metric]
    return [float(value) for value in found if low <= value <= high]


def _at_the_edge(ax: Axes, y: float, value: float, above: bool, tint: str) -> None:
    """A number beyond the axis, written inside its edge with an arrow."""
    number = f"{value:.2f}".replace("-", "−")
    ax.annotate(
        f"{number} →" if above else f"← {number}",
        (1.0 if above else 0.0, y),
        xycoords=("axes fraction", "data"),
        ha="right" if above else "left",
        va="center_baseline",
        fontsize=7,
        color=tint,
    )


def _table2_keys(ax: Axes, table: pd.DataFrame, predictions: pd.DataFrame | None) -> list[Any]:
    """The legend: each mark and colour that the panels have."""
    mean = "mean of seeds, 95 % interval"
    keys: list[Any] = [*ax.plot([], [], "o-", color=style.INK, markersize=5.5, label=mean)]
    if table["method"].str.endswith(SECOND).any():
        keys += ax.plot([], [], "s", color=style.INK, markersize=5, label="second stage")
    if predictions is not None and len(set(predictions["seed"])) > 1:
        keys.append(ax.scatter([], [], s=8, color=style.INK, label="one seed"))
    if any(_constant_within(table, metric) for metric in PANELS):
        keys += ax.plot([], [], label="best constant", **CONSTANT_LINE)
    there = {kind_of_row(method) for method in table["method"]}
    for kind, tint in KINDS.items():
        if kind in there:
            keys.append(
                ax.bar(0, 0, color=tint, label=f"learns from {kind}" if "label" in kind else kind)
            )
    return keys


def _methods(
    predictions: pd.DataFrame, name: str, more: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    columns(predictions, ["method", "seed", "truth", *more], name)
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
        columns(predictions, [], f"{name}, split test")
    return predictions, order(predictions["method"])


def stages_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of the first stages and those of the second, where there are any: {"": ...,
    "_second": ...}, as the names of their figures end.

    >>> list(stages_of(pd.DataFrame({"method": ["ridge", "simmatch_second"]})))
    ['', '_second']
    """
    columns(table, ["method"], "table")
    second = table["method"].str.endswith(SECOND)
    parts = {"": table[~second], SECOND: table[second]}
    return {end: part for end, part in parts.items() if len(part)}


def by_stage(
    draw: Callable[..., Figure], name: str, table: pd.DataFrame, *, simulated: bool, **more: Any
) -> dict[str, Figure]:
    """A figure of the first stages and one of the second, where there are any: {name: ...,
    name_second: ...}.

    draw: a function of this module that takes a table with a column method, such as `confusion`;
    more: what else it takes."""
    return {
        f"{name}{end}": draw(part, simulated=simulated, **more)
        for end, part in stages_of(table).items()
    }


def confusion(
    predictions: pd.DataFrame,
    method: str | None = None,
    *,
    simulated: bool,
    words: Sequence[str] = (),
) -> Figure:
    """Confusion matrices, one a method (or only `method`): shares of each true grade, with counts
    (summed over seeds). predictions: method, seed, truth, p0.. (split "test" where there is one);
    words: names of the grades, worst first. ValueError for an unknown method."""
    predictions, methods = _methods(predictions, "predictions")
    if method is not None and method not in methods:
        raise ValueError(f"predictions: no method {method}; found {', '.join(methods)}")
    methods = [method] if method else methods
    names = columns_p(predictions)
    classes, larger = len(names), max(1.0, len(names) / 5)  # than a matrix of five grades
    columns = min(int(4 / larger), len(methods))
    with style.sheet():
        rows_of = math.ceil(len(methods) / columns)
        wide, high = 2.3 * larger * columns, 2.75 * larger * rows_of
        figure = style.canvas(0.5 + wide, 0.45 + high, simulated=simulated)
        grid = figure.subplots(rows_of, columns, squeeze=False)
        for ax in grid.flat[len(methods) :]:
            ax.axis("off")
        for ax, one in zip(grid.flat, methods, strict=False):
            rows = predictions[predictions["method"] == one]
            counts = np.zeros((classes, classes), dtype=int)
            said = rows[names].to_numpy().argmax(axis=1)
            np.add.at(counts, (rows["truth"].to_numpy(int), said), 1)
            _matrix(ax, counts, words)
            ax.set_title(textwrap.fill(name_of(one), 30), fontsize=8.5)
        for ax in grid[:, 0]:
            ax.set_ylabel("true grade")
        # the lowest of each column
        for ax in grid.flat[max(0, len(methods) - columns) : len(methods)]:
            ax.set_xlabel("predicted grade")
    return figure


def _matrix(ax: Axes, counts: np.ndarray, words: Sequence[str]) -> None:
    """Counts (C, C), true grades down and predicted ones across, with the share of each row."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(counts), strict=True):
        ax.text(
            j,
            i,
            f"{share[i, j]:.0%}\n{counts[i, j]:,}",
            ha="center",
            va="center",
            fontsize=6.2,
            color="white" if share[i, j] > 0.6 else style.INK,
            linespacing=1.1,
        )
    style.grade_ticks(ax.xaxis, len(counts), words, room=20)
    style.grade_ticks(ax.yaxis, len(counts), words)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


ACROSS, LINE = 4, 1.62  # reliability panels in a line; inches of a line


def reliability(predictions: pd.DataFrame, *, simulated: bool, bins: int = 10) -> Figure:
    """How often a prediction of confidence x is right, a panel a method (calibrated: on the dashed
    diagonal), with the expected calibration error in its corner; confidence is the probability of
    the grade that is said. Grey: the supervised network of
    the same stage. Pale bars: how often x is given, of any height. Bins hold equal numbers of
    pictures, seeds pooled. predictions: method, seed, truth, p0.. (split "test" where there is
    one)."""
    predictions, methods = _methods(predictions, "predictions")
    names = columns_p(predictions)
    sure = {m: _sure(predictions[predictions["method"] == m], names) for m in methods}
    curves = {m: reliability_bins(*sure[m], bins) for m in methods}
    base = next((m for m in (BASE, f"{BASE}{SECOND}") if m in curves), "")
    across = min(ACROSS, len(methods))
    down = math.ceil(len(methods) / across)
    with style.sheet():
        size = 0.9 + 2.1 * across, 0.8 + LINE * down
        figure = style.canvas(*size, simulated=simulated)
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for ax in grid.flat[len(methods) :]:
            ax.axis("off")
        for place, (ax, method) in enumerate(zip(grid.flat, methods, strict=False)):
            _calibrated(ax, curves[method], sure[method][0], style.colour(method))
            if base not in ("", method):
                of = curves[base]
                ax.plot(of["sure"], of["right"], color=style.GREY, linewidth=1.2, zorder=1.5)
            ax.set_title(textwrap.fill(name_of(method), 27), fontsize=7.5)
            style.lowest(ax, place, len(methods), across, "confidence")
        least = 0.75 / len(names)  # a little below what one who knows nothing would give
        grid[0, 0].set(xlim=(least, 1.01), ylim=(0, 1.02))
        for axis in (grid[0, 0].xaxis, grid[0, 0].yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.supylabel("share that is right", fontsize=9)
        figure.legend(
            handles=_reliability_keys(grid[0, 0], base), loc="outside upper center", ncols=3
        )
    return figure


def _sure(rows: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """How sure each prediction is, and whether it is right (N,)."""
    p = rows[names].to_numpy(float)
    return p.max(axis=1), p.argmax(axis=1) == rows["truth"].to_numpy()


def _calibrated(ax: Axes, curve: pd.DataFrame, sure: np.ndarray, tint: str) -> None:
    """One method's panel: diagonal, how often each confidence is given, curve, error."""
    heights, edges = np.histogram(sure, bins=np.linspace(0, 1, 26))
    ax.bar(
        edges[:-1],
        0.3 * heights / max(heights.max(), 1),
        width=np.diff(edges),
        align="edge",
        color=style.PALE,
        zorder=0.5,
    )
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=style.DASHED, zorder=1)
    look: Any = {"color": tint, "markersize": 3, "linewidth": 1.4, "label": "its curve"}
    ax.plot(curve["sure"], curve["right"], "o-", **look)
    said = f"ECE {calibration_error(curve):.2f}"
    ax.text(0.04, 0.95, said, transform=ax.transAxes, va="top", fontsize=7.5)


def _reliability_keys(ax: Axes, base: str) -> list[Any]:
    keys: list[Any] = []
    if base:
        keys += ax.plot([], [], color=style.GREY, linewidth=1.2, label=name_of(base))
    look: Any = {"color": style.GREY, "linewidth": 1, "linestyle": style.DASHED}
    keys += ax.plot([], [], label="as right as sure", **look)
    return [*keys, ax.bar(0, 0, color=style.PALE, label="how often it is given")]
