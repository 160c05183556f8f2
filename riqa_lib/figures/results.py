"""Figures: each a function from a table to a Figure. Nothing is computed here that a table does not
hold, but means.

Every function takes `simulated` and says so at the figure's foot, and raises ValueError that lists
missing columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
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
            out.append(
                {"mae": mae, "macro_mae": macro_mae, "qwk": qwk}[metric](truth, p.argmax(axis=1))
            )
    return out


def table2_points(
    table: pd.DataFrame, predictions: pd.DataFrame | None = None, *, simulated: bool
) -> Figure:
    """Table 2 as points (second stages: squares) with 95 % intervals, the seeds as small dots, the
    published MAE as a diamond. The rows "always 2" and "always 3" are left to the table: they are
    far from all others. table: `report.table2` (row, method, labels, published_mae, and mae,
    macro_mae, srcc with _low and _high); predictions: the long predictions it was made from, for
    the seeds (split "test" where there is one)."""
    panels = {"mae": "MAE ↓", "macro_mae": "macro-MAE ↓", "srcc": "SRCC ↑"}
    numbers = [f"{metric}{end}" for metric in panels for end in ("", "_low", "_high")]
    columns(table, ["row", "method", "labels", "published_mae", *numbers], "table")
    table = table[~table["method"].isin(list(ALWAYS))]
    if predictions is not None and "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    published = table["published_mae"].notna().any()
    trained = ~table["method"].isin(UNTRAINED)
    budgets = sorted(table.loc[trained, "labels"].astype(int).unique())
    names = table["row"]
    if len(budgets) > 1:  # else it stands below
        names = names.where(~trained, names + ", n = " + table["labels"].astype(int).astype(str))
    with style.sheet():
        figure = style.canvas(
            9.6, 1.35 + (0.34 if len(table) < 12 else 0.27) * len(table), simulated=simulated
        )
        grid = figure.subplots(1, 3, sharey=True)
        for ax, (metric, title) in zip(grid, panels.items(), strict=True):
            for y, row in enumerate(table.to_dict("records")):
                tint, second = style.colour(row["method"]), row["method"].endswith(SECOND)
                if predictions is not None:
                    own = predictions[predictions["method"] == row["method"]]
                    seeds = _per_seed(own[own["labels"] == row["labels"]], metric)
                    seeds = seeds if len(seeds) > 1 else []
                    ax.scatter(
                        seeds, [y + 0.24] * len(seeds), s=8, color=tint, alpha=0.55, linewidth=0
                    )
                if pd.notna(row[metric]):
                    if pd.notna(row[f"{metric}_low"]):
                        ends = [row[f"{metric}_low"], row[f"{metric}_high"]]
                        ax.plot(ends, [y, y], color=tint, solid_capstyle="butt")
                    hollow = {"markerfacecolor": "white"} if row["method"] in UNTRAINED else {}
                    ax.plot(
                        row[metric],
                        y,
                        "s" if second else "o",
                        color=tint,
                        markersize=5 if second else 5.5,
                        **hollow,
                    )
                if metric == "mae" and pd.notna(row["published_mae"]):
                    ax.plot(
                        row["published_mae"],
                        y - 0.24,
                        "D",
                        color=style.INK,
                        markersize=4,
                        markerfacecolor="none",
                    )
            constant = table.loc[table["method"] == CONSTANT, metric]
            if len(constant) and constant.notna().all():
                ax.axvline(
                    constant.iloc[0], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=0
                )
            ax.set_title(title, fontsize=9)
            ax.grid(visible=False, axis="y")
            ax.xaxis.set_major_locator(MaxNLocator(5))
            for y in range(1, len(table), 2):
                ax.axhspan(y - 0.5, y + 0.5, color="#f6f6f6", zorder=-1, linewidth=0)
        grid[0].set_yticks(range(len(table)), names)
        grid[0].set_ylim(len(table) - 0.4, -0.6)
        for ax in grid:
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
        if len(budgets) == 1:
            grid[0].set_xlabel(f"trained with {budgets[0]:,} labels", fontsize=8)
        keys = [
            grid[0].plot(
                [], [], "o-", color=style.INK, markersize=5.5, label="mean of seeds, 95 % interval"
            )[0]
        ]
        if table["method"].str.endswith(SECOND).any():
            keys += grid[0].plot([], [], "s", color=style.INK, markersize=5, label="second stage")
        if predictions is not None and len(predictions["seed"].unique()) > 1:
            keys.append(grid[0].scatter([], [], s=8, color=style.INK, label="one seed"))
        if published:
            words = "published, on real pictures" if simulated else "published"
            keys += grid[0].plot(
                [], [], "D", color=style.INK, markersize=4, markerfacecolor="none", label=words
            )
        keys += grid[0].plot(
            [], [], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)), label="best constant"
        )
        figure.legend(handles=keys, loc="outside upper center", ncols=5, handlelength=1.6)
    return figure


def _methods(
    predictions: pd.DataFrame, name: str, more: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    columns(predictions, ["method", "seed", "truth", *more], name)
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
        columns(predictions, [], f"{name}, split test")
    return predictions, order(predictions["method"])


def by_stage(
    draw: Callable[..., Figure], name: str, table: pd.DataFrame, *, simulated: bool
) -> dict[str, Figure]:
    """A figure of the first stages and one of the second, where there are any: {name: ...,
    name_second: ...}.

    draw: a function of this module that takes a table with a column method, such as `confusion`."""
    columns(table, ["method"], name)
    second = table["method"].str.endswith(SECOND)
    parts = {name: table[~second], f"{name}{SECOND}": table[second]}
    return {key: draw(part, simulated=simulated) for key, part in parts.items() if len(part)}


def confusion(predictions: pd.DataFrame, method: str | None = None, *, simulated: bool) -> Figure:
    """Confusion matrices, one a method (or only `method`): shares of each true grade, with counts
    (summed over seeds). predictions: method, seed, truth, p0.. (split "test" where there is one).
    ValueError for an unknown method."""
    predictions, methods = _methods(predictions, "predictions")
    if method is not None and method not in methods:
        raise ValueError(f"predictions: no method {method}; found {', '.join(methods)}")
    methods = [method] if method else methods
    names = columns_p(predictions)
    classes, columns = len(names), min(4, len(methods))
    with style.sheet():
        rows_of = math.ceil(len(methods) / columns)
        figure = style.canvas(0.5 + 2.3 * columns, 0.45 + 2.75 * rows_of, simulated=simulated)
        grid = figure.subplots(rows_of, columns, squeeze=False)
        for ax in grid.flat[len(methods) :]:
            ax.axis("off")
        for ax, one in zip(grid.flat, methods, strict=False):
            rows = predictions[predictions["method"] == one]
            counts = np.zeros((classes, classes), dtype=int)
            np.add.at(
                counts, (rows["truth"].to_numpy(int), rows[names].to_numpy().argmax(axis=1)), 1
            )
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for i in range(classes):
                for j in range(classes):
                    if counts[i, j]:
                        tint = "white" if share[i, j] > 0.6 else style.INK
                        text = f"{share[i, j]:.0%}\n{counts[i, j]:,}"
                        ax.text(
                            j,
                            i,
                            text,
                            ha="center",
                            va="center",
                            fontsize=6.2,
                            color=tint,
                            linespacing=1.1,
                        )
            ax.set_title(textwrap.fill(name_of(one), 30), fontsize=8.5)
            ax.set_xticks(range(classes))
            ax.set_yticks(range(classes))
            ax.grid(visible=False)
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
        for ax in grid[:, 0]:
            ax.set_ylabel("true grade")
        # the lowest of each column
        for ax in grid.flat[max(0, len(methods) - columns) : len(methods)]:
            ax.set_xlabel("predicted grade")
    return figure


def reliability(predictions: pd.DataFrame, *, simulated: bool, bins: int = 10) -> Figure:
    """How often a prediction of confidence x is right (calibrated: on the diagonal), and how often
    x is given. Bins hold equal numbers of pictures, seeds pooled; the legend has the expected
    calibration error over these bins. predictions: method, seed, truth, p0.. (split "test" where
    there is one)."""
    predictions, methods = _methods(predictions, "predictions")
    names = columns_p(predictions)
    with style.sheet():
        figure = style.canvas(7.6, 3.4 + 0.18 * math.ceil(len(methods) / 2), simulated=simulated)
        ax, beside = figure.subplots(1, 2, width_ratios=[1.15, 1])
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)))
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
        ax.set(xlim=(0.15, 1.01), ylim=(0, 1.02), xlabel="confidence", title="share that is right")
        beside.set(xlim=(0.15, 1.01), xlabel="confidence", title="how often it is given")
        for each in (ax.xaxis, ax.yaxis, beside.xaxis, beside.yaxis):
            each.set_major_formatter(PercentFormatter(1, decimals=0))
        legend_below(figure, ax, 2)
    return figure
