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
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..checks import columns
from ..stats.metrics import columns_p, expected_grade, macro_mae, mae, qwk, srcc, target
from ..tables.names import ALWAYS, CONSTANT, SECOND, UNTRAINED, name_of, order
from . import style
from .style import legend_below


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
PUBLISHED: Any = {"color": style.INK, "markersize": 4, "markerfacecolor": "none"}
CONSTANT_LINE: Any = {"color": style.GREY, "linewidth": 1, "linestyle": style.DASHED}


def table2_points(
    table: pd.DataFrame, predictions: pd.DataFrame | None = None, *, simulated: bool
) -> Figure:
    """Table 2 as points (second stages: squares) with 95 % intervals, the seeds as small dots, the
    published MAE as a diamond. The rows that always say one of the middle grades are left to the
    table: they are far from all others. table: `tables.table2.table2` (row, method, labels,
    published_mae, and mae, macro_mae, srcc with _low and _high); predictions: the long predictions
    it was made from, for the seeds (split "test" where there is one)."""
    numbers = [f"{metric}{end}" for metric in PANELS for end in ("", "_low", "_high")]
    columns(table, ["row", "method", "labels", "published_mae", *numbers], "table")
    table = table[~table["method"].isin(list(ALWAYS))]
    if predictions is not None and "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    names, below = _row_names(table)
    with style.sheet():
        height = 0.34 if len(table) < 12 else 0.27
        figure = style.canvas(9.6, 1.35 + height * len(table), simulated=simulated)
        grid = figure.subplots(1, 3, sharey=True)
        for ax, (metric, title) in zip(grid, PANELS.items(), strict=True):
            _table2_panel(ax, table, metric, predictions)
            ax.set_title(title, fontsize=9)
        grid[0].set_yticks(range(len(table)), names)
        grid[0].set_ylim(len(table) - 0.4, -0.6)
        grid[0].set_xlabel(below, fontsize=8)
        keys = _table2_keys(grid[0], table, predictions, simulated)
        figure.legend(handles=keys, loc="outside upper center", ncols=5, handlelength=1.6)
    return figure


def _row_names(table: pd.DataFrame) -> tuple[pd.Series, str]:
    """What stands at the rows, and below them: how many labels, once where all trained rows had
    the same number, else at each."""
    trained, labels = ~table["method"].isin(UNTRAINED), table["labels"].astype(int)
    budgets = sorted(labels[trained].unique())
    if len(budgets) > 1:
        return table["row"].where(~trained, table["row"] + ", n = " + labels.astype(str)), ""
    return table["row"], f"trained with {budgets[0]:,} labels" if budgets else ""


def _table2_panel(
    ax: Axes, table: pd.DataFrame, metric: str, predictions: pd.DataFrame | None
) -> None:
    """One measure: a row's seeds above its mean and interval, the published MAE below."""
    for y, row in enumerate(table.to_dict("records")):
        tint, second = style.colour(row["method"]), row["method"].endswith(SECOND)
        if predictions is not None:
            own = predictions[predictions["method"] == row["method"]]
            seeds = _per_seed(own[own["labels"] == row["labels"]], metric)
            seeds = seeds if len(seeds) > 1 else []
            ax.scatter(seeds, [y + 0.24] * len(seeds), s=8, color=tint, alpha=0.55, linewidth=0)
        look = SECOND_STAGE if second else FIRST
        untrained = row["method"] in UNTRAINED
        style.interval(ax, y, row, metric, tint, cap="butt", hollow=untrained, **look)
        if metric == "mae" and pd.notna(row["published_mae"]):
            ax.plot(row["published_mae"], y - 0.24, "D", **PUBLISHED)
    constant = table.loc[table["method"] == CONSTANT, metric]
    if len(constant) and constant.notna().all():
        ax.axvline(constant.iloc[0], zorder=0, **CONSTANT_LINE)
    for y in range(1, len(table), 2):
        ax.axhspan(y - 0.5, y + 0.5, color="#f6f6f6", zorder=-1, linewidth=0)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _table2_keys(
    ax: Axes, table: pd.DataFrame, predictions: pd.DataFrame | None, simulated: bool
) -> list[Artist]:
    """The legend: each mark that the panels have."""
    mean = "mean of seeds, 95 % interval"
    keys: list[Artist] = [*ax.plot([], [], "o-", color=style.INK, markersize=5.5, label=mean)]
    if table["method"].str.endswith(SECOND).any():
        keys += ax.plot([], [], "s", color=style.INK, markersize=5, label="second stage")
    if predictions is not None and len(set(predictions["seed"])) > 1:
        keys.append(ax.scatter([], [], s=8, color=style.INK, label="one seed"))
    if table["published_mae"].notna().any():
        words = "published, on real pictures" if simulated else "published"
        keys += ax.plot([], [], "D", label=words, **PUBLISHED)
    return [*keys, *ax.plot([], [], label="best constant", **CONSTANT_LINE)]


def _methods(
    predictions: pd.DataFrame, name: str, more: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    columns(predictions, ["method", "seed", "truth", *more], name)
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
        columns(predictions, [], f"{name}, split test")
    return predictions, order(predictions["method"])


def by_stage(
    draw: Callable[..., Figure], name: str, table: pd.DataFrame, *, simulated: bool, **more: Any
) -> dict[str, Figure]:
    """A figure of the first stages and one of the second, where there are any: {name: ...,
    name_second: ...}.

    draw: a function of this module that takes a table with a column method, such as `confusion`;
    more: what else it takes."""
    columns(table, ["method"], name)
    second = table["method"].str.endswith(SECOND)
    parts = {name: table[~second], f"{name}{SECOND}": table[second]}
    drawn = {key: part for key, part in parts.items() if len(part)}
    return {key: draw(part, simulated=simulated, **more) for key, part in drawn.items()}


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


def reliability(predictions: pd.DataFrame, *, simulated: bool, bins: int = 10) -> Figure:
    """How often a prediction of confidence x is right (calibrated: on the diagonal), and how often
    x is given. Bins hold equal numbers of pictures, seeds pooled; the legend has the expected
    calibration error over these bins. predictions: method, seed, truth, p0.. (split "test" where
    there is one)."""
    predictions, methods = _methods(predictions, "predictions")
    names = columns_p(predictions)
    least = 0.75 / len(names)  # a little below what one who knows nothing would give
    with style.sheet():
        figure = style.canvas(7.6, 3.4 + 0.18 * math.ceil(len(methods) / 2), simulated=simulated)
        ax, beside = figure.subplots(1, 2, width_ratios=[1.15, 1])
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=style.DASHED)
        for method in methods:
            rows = predictions[predictions["method"] == method]
            p = rows[names].to_numpy(float)
            sure, right = p.max(axis=1), p.argmax(axis=1) == rows["truth"].to_numpy()
            parts = [b for b in np.array_split(np.argsort(sure, kind="stable"), bins) if len(b)]
            x, y = (np.array([v[b].mean() for b in parts]) for v in (sure, right))
            error = float(np.average(np.abs(x - y), weights=[len(b) for b in parts]))
            ax.plot(
                x,
                y,
                "o-",
                color=style.colour(method),
                markersize=3.5,
                linewidth=1.4,
                label=f"{name_of(method)} (ECE {error:.2f})",
            )
            beside.hist(
                sure,
                bins=np.linspace(0, 1, 26),
                weights=np.full(len(sure), 1 / len(sure)),
                histtype="step",
                color=style.colour(method),
                linewidth=1.4,
            )
        ax.set(xlim=(least, 1.01), ylim=(0, 1.02), xlabel="confidence", title="share that is right")
        beside.set(xlim=(least, 1.01), xlabel="confidence", title="how often it is given")
        for each in (ax.xaxis, ax.yaxis, beside.xaxis, beside.yaxis):
            each.set_major_formatter(PercentFormatter(1, decimals=0))
        legend_below(figure, ax, 2)
    return figure
