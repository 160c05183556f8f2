"""Curves over training steps: losses, validation metrics, pseudo-labels; of photographs and of
fundus photographs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .. import checks
from ..tables.names import BASE, name_of, order, row_name
from . import style
from .style import legend_below, tint

LETTERS = 45  # of a legend over each panel
MANY = 5  # methods that share a panel of learning curves; more get one each


# titles of columns of a history
WORDS = {
    "val_mae": "validation MAE",
    "val_macro_mae": "validation macro-MAE",
    "val_macro_f1": "validation macro F1",
    "val_accuracy": "validation accuracy",
    "val_auc": "AUC on the source left out",
    "details_loss": "loss of details",
    "overall_loss": "loss of overall grade",
}


LOWER = " (lower is better)"


REFERENCE: Any = {"color": style.GREY, "linewidth": 1, "linestyle": style.DASHED}


# ---------------------------------------------------------------- parts
def _side_by_side(count: int, height: float, *, simulated: bool) -> tuple[Figure, np.ndarray]:
    """A figure of `count` panels in a row, and its panels."""
    figure = style.canvas(0.4 + 3.5 * count, height, simulated=simulated)
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _over_steps(ax: Axes, title: str) -> None:
    ax.set(xlabel="step", title=title)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _seeds_and_mean(ax: Axes, history: pd.DataFrame, column: str, method: str) -> None:
    """Thin lines: seeds. Thick line: their mean."""
    rows = history[history["method"] == method].dropna(subset=[column])
    if rows.empty:
        return
    colour = style.colour(method)
    runs = rows.groupby(["seed", "labels"] if "labels" in rows else ["seed"])
    if len(runs) > 1:
        for _, run in runs:
            ax.plot(run["step"], run[column], color=colour, alpha=0.3, linewidth=0.8)
    mean = rows.groupby("step")[column].mean()
    # a line through one or two points is hardly seen
    mark = "o" if len(mean) < 3 else None
    ax.plot(mean.index, mean, color=colour, label=name_of(method), marker=mark, markersize=4)


def _each_seed(ax: Axes, history: pd.DataFrame, column: str) -> None:
    """A line for each seed of each method, dashed for a Teacher that left a source out."""
    known = history.dropna(subset=[column])
    fold = known["fold"].fillna("") if "fold" in known else pd.Series("", known.index)
    dashes = iter(["--", ":", "-."] * 20)
    for (method, left_out), rows in known.groupby(["method", fold], sort=False):
        label = row_name(method) + {"": "", "none": ", final"}.get(
            left_out, f", without {left_out}"
        )
        line = "-" if left_out in ("", "none") else next(dashes)
        for n, (_, run) in enumerate(rows.groupby("seed")):
            look: Any = {
                "color": tint(method),
                "linewidth": 1.4,
                "label": label if n == 0 else None,
            }
            ax.plot(run["step"], run[column], line, **look)


# ---------------------------------------------------------------- photographs
def learning_curves(history: pd.DataFrame, *, simulated: bool) -> Figure:
    """Validation MAE (and macro-MAE, if there) over steps; thin lines are seeds, thick ones their
    means. More than MANY methods, or some that train longer than others, get a panel each, of the
    MAE alone, with the mean of "supervised" (or the first) dashed in each, and steps of its own.
    history: method, seed, step, val_mae, perhaps val_macro_mae."""
    checks.columns(history, ["method", "seed", "step", "val_mae"], "history")
    methods = order(history["method"])
    if len(methods) > MANY or len({*history.groupby("method")["step"].max()}) > 1:
        return _a_panel_each(history, methods, simulated)
    metrics = ("val_mae", "val_macro_mae")
    shown = [c for c in metrics if c in history and history[c].notna().any()]
    with style.sheet():
        figure, grid = _side_by_side(len(shown), 3.1, simulated=simulated)
        for ax, column in zip(grid, shown, strict=True):
            for method in methods:
                _seeds_and_mean(ax, history, column, method)
            _over_steps(ax, WORDS[column] + LOWER)
        longest = max(len(name_of(method)) for method in methods)
        legend_below(figure, grid[0], max(1, LETTERS * len(shown) // (longest + 7)))
    return figure


def _a_panel_each(history: pd.DataFrame, methods: Sequence[str], simulated: bool) -> Figure:
    columns = 3 if len(methods) in (5, 6) else min(4, len(methods))
    rows = math.ceil(len(methods) / columns)
    base = BASE if BASE in methods else methods[0]
    mean = history[history["method"] == base].groupby("step")["val_mae"].mean()
    with style.sheet():
        figure = style.canvas(9.2, 0.8 + 1.75 * rows, simulated=simulated)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for ax in grid.flat[len(methods) :]:
            ax.axis("off")
        for i, (ax, method) in enumerate(zip(grid.flat, methods, strict=False)):
            if method != base:
                ax.plot(mean.index, mean, **REFERENCE)
            _seeds_and_mean(ax, history, "val_mae", method)
            ax.set_title(textwrap.fill(name_of(method), 30), fontsize=7.5)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.set_xlabel("step" if i >= len(methods) - columns else "", fontsize=9)
            ax.tick_params(labelsize=8)
        figure.supylabel(WORDS["val_mae"] + LOWER, fontsize=9)
        key = grid[0, 0].plot([], [], label=f"mean of {name_of(base)}", **REFERENCE)
        figure.legend(handles=key, loc="outside upper center")
    return figure


def pseudo_labels(
    history: pd.DataFrame,
    *,
    simulated: bool,
    kept: str = "val_kept",
    accuracy: str = "val_kept_accuracy",
) -> Figure:
    """Which share of pictures gets a pseudo-label over training, and how many of these are right,
    on held-out labels. history: method, seed, step and the two columns named (shares 0..1). Methods
    that keep none, or all without choice (share 1 throughout), are left out; ValueError if that
    leaves none."""
    checks.columns(history, ["method", "seed", "step", kept, accuracy], "history")
    share = history.groupby("method")[kept].agg(["min", "max"])
    chooses = (share["max"] > 0) & (share["min"] < 1)
    methods = [m for m in order(history["method"]) if chooses[m]]
    if not methods:
        raise ValueError("history: no method chooses pseudo-labels")
    with style.sheet():
        figure, (left, right) = _side_by_side(2, 3.1, simulated=simulated)
        right.sharex(left)
        for method in methods:
            _seeds_and_mean(left, history, kept, method)
            _seeds_and_mean(right, history, accuracy, method)
        right.axhline(0.8, **REFERENCE)
        right.text(
            1,
            0.8,
            "80 %",
            transform=right.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=8,
            color=style.GREY,
        )
        _over_steps(left, "share of pictures kept")
        _over_steps(right, "share of the kept that are right")
        for ax in (left, right):
            ax.set(ylim=(0, 1.02))
            ax.yaxis.set_major_formatter(PercentFormatter(1))
        legend_below(figure, left, 4)
    return figure


# ---------------------------------------------------------------- fundus photographs
def curves(
    history: pd.DataFrame,
    columns: tuple[str, ...] = ("val_macro_f1", "overall_loss"),
    *,
    simulated: bool,
) -> Figure:
    """Columns of a history over steps, a line for each method and seed; of a Teacher for each
    source left out.

    history: method, seed, step, the columns (higher validation metrics and lower losses are
    better), perhaps fold."""
    checks.columns(history, ["method", "seed", "step", *columns], "history")
    with style.sheet():
        figure, grid = _side_by_side(len(columns), 3.0, simulated=simulated)
        for ax, column in zip(grid, columns, strict=True):
            _each_seed(ax, history, column)
            _over_steps(ax, WORDS.get(column, column))
        fullest = max(grid, key=lambda ax: len(ax.get_legend_handles_labels()[1]))
        legend_below(figure, fullest, 3)
    return figure
