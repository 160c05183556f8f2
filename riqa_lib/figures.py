"""Figures: each a function from a table to a Figure. Nothing is computed here that a table does not hold, but means.

Every function takes `simulated` and says so at the figure's foot, and raises ValueError that lists missing columns.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from . import style
from .metrics import columns_p, expected_grade, macro_mae, mae, qwk, srcc, target
from .report import ALWAYS, BASE, CONSTANT, SECOND, UNTRAINED, is_simulated, name_of, order

SPLITS = ("train", "val", "test", "pool")
MANY = 5  # methods that share a panel of learning curves; more get one each
HIDDEN: dict[str, Any] = {"hatch": "////", "edgecolor": "white", "linewidth": 0}


def _need(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [c for c in columns if c not in table]
    if missing:
        raise ValueError(f"{name}: no column {', '.join(missing)}; found {', '.join(map(str, table.columns))}")
    if table.empty:
        raise ValueError(f"{name}: the table has no rows")


def _legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    handles, words = axes.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=min(columns, len(words)), handlelength=1.6)


# ---------------------------------------------------------------- data
def class_shares(counts: pd.DataFrame, *, simulated: bool) -> Figure:
    """Share of each grade per split and source, as stacked bars. counts: split, source, grade, count, known
    (`report.class_counts`); known "truth" marks grades that only the simulation knows, "none" unlabelled pictures."""
    _need(counts, ["source", "split", "grade", "count", "known"], "counts")
    rank = {s: i for i, s in enumerate(SPLITS)}
    bars = sorted(counts.groupby(["split", "source"]).groups, key=lambda b: (rank.get(str(b[0]), 9), b[1]))
    with style.sheet():
        figure = style.canvas(7.2, 1.1 + 0.36 * len(bars), simulated=simulated)
        ax = figure.subplots()
        for y, (split, source) in enumerate(bars):
            rows = counts[(counts["split"] == split) & (counts["source"] == source)]
            total, left = rows["count"].sum(), 0.0
            for grade, count, known in rows.sort_values("grade")[["grade", "count", "known"]].itertuples(index=False):
                share = count / total
                look = HIDDEN if known == "truth" else {}
                tint = style.PALE if known == "none" else style.GRADES[int(grade)]
                ax.barh(y, share, left=left, height=0.72, color=tint, **look)
                if share > 0.045:
                    dark = known != "none" and grade in (0, 4) and known != "truth"
                    text = "no label" if known == "none" else f"{share:.0%}"
                    box = {"facecolor": "white", "alpha": 0.8, "pad": 0.8, "linewidth": 0} if known == "truth" else None
                    ax.text(left + share / 2, y, text, ha="center", va="center", fontsize=7.5, bbox=box,
                            color="white" if dark else style.INK)  # fmt: skip
                left += share
            ax.text(1.01, y, f"{total:,}", va="center", fontsize=8, color=style.GREY)
        names = [split if str(source) in ("", "nan", str(split)) else f"{split} · {source}" for split, source in bars]
        ax.set_yticks(range(len(bars)), names)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1))
        ax.grid(visible=False)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        for grade in range(5):
            ax.bar(0, 0, color=style.GRADES[grade], label=f"grade {grade}" + {0: " (bad)", 4: " (good)"}.get(grade, ""))
        if (counts["known"] == "truth").any():
            ax.bar(0, 0, color=style.PALE, label="hidden from training", **HIDDEN)
        _legend_below(figure, ax, 6)
    return figure


def contact_sheet(pixels: np.ndarray, frame: pd.DataFrame, *, simulated: bool, columns: int = 8, captions: str = "grade") -> Figure:
    """Pictures in a grid with a caption each. pixels: uint8 (N, H, W, 3) RGB, row i of frame; frame: the column named
    by `captions`. Show some dozens, chosen by the caller. Raises ValueError for other shapes or types."""
    _need(frame, [captions], "frame")
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or len(pixels) != len(frame):
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


# ---------------------------------------------------------------- training
def _curves(ax: Axes, history: pd.DataFrame, column: str, method: str) -> None:
    """Thin lines: seeds. Thick line: their mean."""
    rows = history[history["method"] == method].dropna(subset=[column])
    if rows.empty:
        return
    tint, runs = style.colour(method), rows.groupby(["seed", "labels"] if "labels" in rows else ["seed"])
    if len(runs) > 1:
        for _, run in runs:
            ax.plot(run["step"], run[column], color=tint, alpha=0.3, linewidth=0.8)
    mean = rows.groupby("step")[column].mean()
    ax.plot(mean.index, mean, color=tint, label=name_of(method), marker="o" if len(mean) < 3 else None, markersize=4)


def learning_curves(history: pd.DataFrame, *, simulated: bool) -> Figure:
    """Validation MAE (and macro-MAE, if there) over steps; thin lines are seeds, thick ones their means. More than MANY methods
    get a panel each, of the MAE alone, with the mean of "supervised" (or the first) dashed in each.
    history: method, seed, step, val_mae, perhaps val_macro_mae."""
    _need(history, ["method", "seed", "step", "val_mae"], "history")
    methods = order(history["method"])
    if len(methods) > MANY:
        return _curves_apart(history, methods, simulated)
    panels = {"val_mae": "validation MAE", "val_macro_mae": "validation macro-MAE"}
    panels = {c: n for c, n in panels.items() if c in history and history[c].notna().any()}
    with style.sheet():
        figure = style.canvas(0.4 + 3.5 * len(panels), 3.1, simulated=simulated)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, (column, name) in zip(grid, panels.items(), strict=True):
            for method in methods:
                _curves(ax, history, column, method)
            ax.set(xlabel="step", title=f"{name} (lower is better)")
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        _legend_below(figure, grid[0], 4)
    return figure


def _curves_apart(history: pd.DataFrame, methods: Sequence[str], simulated: bool) -> Figure:
    columns = 4
    rows = math.ceil(len(methods) / columns)
    base = BASE if BASE in methods else methods[0]
    mean = history[history["method"] == base].groupby("step")["val_mae"].mean()
    with style.sheet():
        figure = style.canvas(9.2, 0.8 + 1.75 * rows, simulated=simulated)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for ax in grid.flat[len(methods) :]:
            ax.axis("off")
        for i, (ax, method) in enumerate(zip(grid.flat, methods, strict=False)):
            if method != base:
                ax.plot(mean.index, mean, color=style.GREY, linewidth=1, linestyle=(0, (4, 3)))
            _curves(ax, history, "val_mae", method)
            ax.set_title(textwrap.fill(name_of(method), 30), fontsize=7.5)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.tick_params(labelbottom=i >= len(methods) - columns)
        figure.supxlabel("step", fontsize=9)
        figure.supylabel("validation MAE (lower is better)", fontsize=9)
        key = grid[0, 0].plot([], [], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)), label=f"mean of {name_of(base)}")
        figure.legend(handles=key, loc="outside upper center")
    return figure


def pseudo_labels(history: pd.DataFrame, *, simulated: bool, kept: str = "val_kept", accuracy: str = "val_kept_accuracy") -> Figure:
    """Which share of pictures gets a pseudo-label over training, and how many of these are right, on held-out labels.
    history: method, seed, step and the two columns named (shares 0..1). Methods that keep none, or all without choice
    (share 1 throughout), are left out; ValueError if that leaves none."""
    _need(history, ["method", "seed", "step", kept, accuracy], "history")
    share = history.groupby("method")[kept].agg(["min", "max"])
    methods = [m for m in order(history["method"]) if share.loc[m, "max"] > 0 and share.loc[m, "min"] < 1]
    if not methods:
        raise ValueError("history: no method chooses pseudo-labels")
    with style.sheet():
        figure = style.canvas(7.4, 3.1, simulated=simulated)
        left, right = figure.subplots(1, 2, sharex=True)
        for method in methods:
            _curves(left, history, kept, method)
            _curves(right, history, accuracy, method)
        right.axhline(0.8, color=style.GREY, linewidth=1, linestyle=(0, (4, 3)))
        right.text(1, 0.8, "80 %", transform=right.get_yaxis_transform(), ha="right", va="bottom", fontsize=8,
                   color=style.GREY)  # fmt: skip
        for ax, title in ((left, "share of pictures kept"), (right, "share of the kept that are right")):
            ax.set(ylim=(0, 1.02), title=title, xlabel="step")
            ax.yaxis.set_major_formatter(PercentFormatter(1))
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        _legend_below(figure, left, 4)
    return figure


# ---------------------------------------------------------------- results
def _per_seed(rows: pd.DataFrame, metric: str) -> list[float]:
    names = columns_p(rows)
    out = []
    for _, part in rows.groupby("seed"):
        p, truth = part[names].to_numpy(float), part["truth"]
        if metric == "srcc":
            out.append(srcc(expected_grade(p), target(part)[1]))
        else:
            out.append({"mae": mae, "macro_mae": macro_mae, "qwk": qwk}[metric](truth, p.argmax(axis=1)))
    return out


def table2_points(table: pd.DataFrame, predictions: pd.DataFrame | None = None, *, simulated: bool) -> Figure:
    """Table 2 as points (second stages: squares) with 95 % intervals, the seeds as small dots, the published MAE as a diamond.
    The rows "always 2" and "always 3" are left to the table: they are far from all others.
    table: `report.table2` (row, method, labels, published_mae, and mae, macro_mae, srcc with _low and _high);
    predictions: the long predictions it was made from, for the seeds (split "test" where there is one)."""
    panels = {"mae": "MAE ↓", "macro_mae": "macro-MAE ↓", "srcc": "SRCC ↑"}
    numbers = [f"{metric}{end}" for metric in panels for end in ("", "_low", "_high")]
    _need(table, ["row", "method", "labels", "published_mae", *numbers], "table")
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
        figure = style.canvas(9.6, 1.35 + (0.34 if len(table) < 12 else 0.27) * len(table), simulated=simulated)
        grid = figure.subplots(1, 3, sharey=True)
        for ax, (metric, title) in zip(grid, panels.items(), strict=True):
            for y, row in enumerate(table.to_dict("records")):
                tint, second = style.colour(row["method"]), row["method"].endswith(SECOND)
                if predictions is not None:
                    own = predictions[predictions["method"] == row["method"]]
                    seeds = _per_seed(own[own["labels"] == row["labels"]], metric)
                    seeds = seeds if len(seeds) > 1 else []
                    ax.scatter(seeds, [y + 0.24] * len(seeds), s=8, color=tint, alpha=0.55, linewidth=0)
                if pd.notna(row[metric]):
                    if pd.notna(row[f"{metric}_low"]):
                        ends = [row[f"{metric}_low"], row[f"{metric}_high"]]
                        ax.plot(ends, [y, y], color=tint, solid_capstyle="butt")
                    hollow = {"markerfacecolor": "white"} if row["method"] in UNTRAINED else {}
                    ax.plot(row[metric], y, "s" if second else "o", color=tint, markersize=5 if second else 5.5, **hollow)
                if metric == "mae" and pd.notna(row["published_mae"]):
                    ax.plot(row["published_mae"], y - 0.24, "D", color=style.INK, markersize=4, markerfacecolor="none")
            constant = table.loc[table["method"] == CONSTANT, metric]
            if len(constant) and constant.notna().all():
                ax.axvline(constant.iloc[0], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
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
        keys = [grid[0].plot([], [], "o-", color=style.INK, markersize=5.5, label="mean of seeds, 95 % interval")[0]]
        if table["method"].str.endswith(SECOND).any():
            keys += grid[0].plot([], [], "s", color=style.INK, markersize=5, label="second stage")
        if predictions is not None and len(predictions["seed"].unique()) > 1:
            keys.append(grid[0].scatter([], [], s=8, color=style.INK, label="one seed"))
        if published:
            words = "published, on real pictures" if simulated else "published"
            keys += grid[0].plot([], [], "D", color=style.INK, markersize=4, markerfacecolor="none", label=words)
        keys += grid[0].plot([], [], color=style.GREY, linewidth=1, linestyle=(0, (4, 3)), label="best constant")
        figure.legend(handles=keys, loc="outside upper center", ncols=5, handlelength=1.6)
    return figure


def _methods(predictions: pd.DataFrame, name: str, more: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    _need(predictions, ["method", "seed", "truth", *more], name)
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
        _need(predictions, [], f"{name}, split test")
    return predictions, order(predictions["method"])


def by_stage(draw: Callable[..., Figure], name: str, table: pd.DataFrame, *, simulated: bool) -> dict[str, Figure]:
    """A figure of the first stages and one of the second, where there are any: {name: ..., name_second: ...}.

    draw: a function of this module that takes a table with a column method, such as `confusion`."""
    _need(table, ["method"], name)
    second = table["method"].str.endswith(SECOND)
    parts = {name: table[~second], f"{name}{SECOND}": table[second]}
    return {key: draw(part, simulated=simulated) for key, part in parts.items() if len(part)}


def confusion(predictions: pd.DataFrame, method: str | None = None, *, simulated: bool) -> Figure:
    """Confusion matrices, one a method (or only `method`): shares of each true grade, with counts (summed over seeds).
    predictions: method, seed, truth, p0.. (split "test" where there is one). ValueError for an unknown method."""
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
            np.add.at(counts, (rows["truth"].to_numpy(int), rows[names].to_numpy().argmax(axis=1)), 1)
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for i in range(classes):
                for j in range(classes):
                    if counts[i, j]:
                        tint = "white" if share[i, j] > 0.6 else style.INK
                        text = f"{share[i, j]:.0%}\n{counts[i, j]:,}"
                        ax.text(j, i, text, ha="center", va="center", fontsize=6.2, color=tint, linespacing=1.1)
            ax.set_title(textwrap.fill(name_of(one), 30), fontsize=8.5)
            ax.set_xticks(range(classes))
            ax.set_yticks(range(classes))
            ax.grid(visible=False)
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
        for ax in grid[:, 0]:
            ax.set_ylabel("true grade")
        for ax in grid.flat[max(0, len(methods) - columns) : len(methods)]:  # the lowest of each column
            ax.set_xlabel("predicted grade")
    return figure


def reliability(predictions: pd.DataFrame, *, simulated: bool, bins: int = 10) -> Figure:
    """How often a prediction of confidence x is right (calibrated: on the diagonal), and how often x is given.
    Bins hold equal numbers of pictures, seeds pooled; the legend has the expected calibration error over these bins.
    predictions: method, seed, truth, p0.. (split "test" where there is one)."""
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
            ax.plot(x, y, "o-", color=style.colour(method), markersize=3.5, linewidth=1.4,
                    label=f"{name_of(method)} (ECE {error:.2f})")  # fmt: skip
            beside.hist(sure, bins=np.linspace(0, 1, 26), weights=np.full(len(sure), 1 / len(sure)), histtype="step",
                        color=style.colour(method), linewidth=1.4)  # fmt: skip
        ax.set(xlim=(0.15, 1.01), ylim=(0, 1.02), xlabel="confidence", title="share that is right")
        beside.set(xlim=(0.15, 1.01), xlabel="confidence", title="how often it is given")
        for each in (ax.xaxis, ax.yaxis, beside.xaxis, beside.yaxis):
            each.set_major_formatter(PercentFormatter(1, decimals=0))
        _legend_below(figure, ax, 2)
    return figure


# ---------------------------------------------------------------- all of a walk
def draw_all(frames: Mapping[str, pd.DataFrame], walk: str) -> list[Path]:
    """Draw every figure that the tables of `report.load_walk` allow, into figures/<walk>; returns the files.

    A figure whose table has no rows, or lacks the columns of its optional part (pseudo-labels), is left out."""
    simulated = is_simulated(frames)
    command = f"python -m riqa_lib figures ({walk})"
    drawn = {}
    if len(frames.get("counts", ())):
        drawn["class_shares"] = class_shares(frames["counts"], simulated=simulated)
    history = frames.get("history", pd.DataFrame())
    if len(history) and "val_mae" in history:
        drawn |= by_stage(learning_curves, "learning_curves", history, simulated=simulated)
    if "val_kept" in history and ((history["val_kept"] > 0) & (history["val_kept"] < 1)).any():
        drawn["pseudo_labels"] = pseudo_labels(history, simulated=simulated)
    predictions = frames.get("predictions", pd.DataFrame())
    if len(frames.get("table2", ())):
        seeds = predictions if len(predictions) else None
        drawn["table2"] = table2_points(frames["table2"], seeds, simulated=simulated)
    if len(predictions):
        drawn |= by_stage(confusion, "confusion", predictions, simulated=simulated)
        drawn |= by_stage(reliability, "reliability", predictions, simulated=simulated)
    return [path for name, figure in drawn.items() for path in style.save(figure, name, walk, command)]
