"""Each method's own mechanism, drawn from what its runs store: one function a figure, from a table
to a Figure.

history: one method's rows of `stored.load_runs`' history; every diagnostic there is the mean over
the steps since the evaluation before. Several seeds are averaged. predictions: rows of
`store.read_predictions`, as a rule those of the pool. words: names of the grades, worst first,
where they have names. Every function takes `simulated` and says so at the figure's foot; ValueError
names missing columns, or ones without values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..checks import columns
from ..stats.metrics import columns_p
from ..tables.diagnostics import (
    CHANCE,
    edge_counts,
    edges,
    kept_shares,
    over_steps,
    per_class,
    when_full,
)
from . import style

LINES = (*style.GRADES[:2], style.GREY, *style.GRADES[3:])  # from bad to good, on white


# ---------------------------------------------------------------- parts of figures
def _panel(ax: Axes, title: str, *, share: bool = False) -> None:
    ax.set_title(title, fontsize=9)
    ax.set_xlabel("step")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if share:
        ax.set_ylim(0, 1.02)
        ax.yaxis.set_major_formatter(PercentFormatter(1))


def _line(ax: Axes, values: pd.Series, tint: str, label: str, **look: Any) -> None:
    ax.plot(values.index, values, color=tint, label=label, marker="o", markersize=2.5, **look)


def _bars(
    ax: Axes, parts: dict[str, tuple[np.ndarray, str]], title: str, words: Sequence[str]
) -> None:
    """Shares per grade, side by side: {label: (shares (C,), colour)}; words: the grades' names."""
    for i, (label, (values, tint)) in enumerate(parts.items()):
        place = np.arange(len(values)) + (i - (len(parts) - 1) / 2) * 0.8 / len(parts)
        ax.bar(place, values, width=0.8 / len(parts), color=tint, label=label)
    ax.set_title(title, fontsize=9)
    ax.set(xlabel="grade", ylim=(0, None))
    style.grade_ticks(ax.xaxis, len(next(iter(parts.values()))[0]), words, room=26)
    top = max(float(values.max()) for values, _ in parts.values())
    ax.set_ylim(0, top * (1.1 + 0.1 * len(parts)))  # room for the legend
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(visible=False, axis="x")
    ax.legend(loc="upper right")


def _blind(ax: Axes, value: float, words: str) -> None:
    """A dashed line at the loss of what sees no difference, named."""
    ax.axhline(value, color=style.GREY, linewidth=1, linestyle=style.DASHED)
    ax.text(
        1,
        value,
        words,
        transform=ax.get_yaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=8,
        color=style.GREY,
    )
    ax.margins(y=0.12)


def _nothing(ax: Axes, words: str) -> None:
    ax.text(
        0.5,
        0.5,
        words,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=8,
        color=style.GREY,
    )


# ---------------------------------------------------------------- SimMatch
def memory(
    history: pd.DataFrame, pictures: int, *, simulated: bool, words: Sequence[str] = ()
) -> Figure:
    """SimMatch: how often the memory agrees with the network and changes the label, the similarity
    loss beside that of a memory of so many pictures that sees no difference, and what both say per
    grade at the last evaluation. All from the steps at which the memory was full. history: step,
    full, agrees, changed, in_loss, memory_0.., network_0.."""
    table = over_steps(history, ["full", "agrees", "changed", "in_loss"])
    says = {
        name: when_full(per_class(history, name), table["full"]) for name in ("memory", "network")
    }
    seen = when_full(table, table["full"])
    tint = style.colour("simmatch")
    with style.sheet():
        figure = style.canvas(9.2, 3.0, simulated=simulated)
        left, middle, right = figure.subplots(1, 3)
        _panel(left, "memory and network", share=True)
        _panel(middle, "similarity loss")
        if seen.empty:
            for ax in (left, middle, right):
                _nothing(ax, "the memory was never full:\ntoo few steps")
            return figure
        _line(left, seen["agrees"], tint, "name the same grade")
        _line(left, seen["changed"], style.INK, "memory changed the label", linestyle=style.DASHED)
        left.legend()
        _line(middle, seen["in_loss"], tint, "similarity loss")
        _blind(middle, math.log(pictures), f"sees no difference: log {pictures:,}")
        both = {
            "network, aligned": (says["network"].iloc[-1].to_numpy(), style.PALE),
            "memory": (says["memory"].iloc[-1].to_numpy(), tint),
        }
        _bars(right, both, "mean prediction, last steps", words)
    return figure


# ---------------------------------------------------------------- AdaMatch
def relative_cut(history: pd.DataFrame, *, simulated: bool) -> Figure:
    """AdaMatch: the relative cut over the steps, and which share of the pool reaches it. history:
    step, cut, kept."""
    table = over_steps(history, ["cut", "kept"])
    with style.sheet():
        figure = style.canvas(7.0, 2.9, simulated=simulated)
        left, right = figure.subplots(1, 2)
        _line(left, table["cut"], style.colour("adamatch"), "cut")
        _panel(left, "the cut: confidence that is needed")
        _line(right, table["kept"], style.colour("adamatch"), "kept")
        _panel(right, "share of the batch that reaches it", share=True)
    return figure


def marginals(
    history: pd.DataFrame,
    labelled: Sequence[float] | np.ndarray,
    *,
    simulated: bool,
    words: Sequence[str] = (),
) -> Figure:
    """AdaMatch: mean predictions per grade on labelled pictures (P_t, solid) and on the pool (P_u,
    dashed) over the steps, and both at the last evaluation beside the labelled grades' shares (C,).
    history: step, P_t_0.., P_u_0.."""
    target, pool = per_class(history, "P_t"), per_class(history, "P_u")
    shares = np.asarray(labelled, float)
    if shares.shape != (target.shape[1],):
        raise ValueError(
            f"labelled: expected {target.shape[1]} shares, one per grade; "
            f"found shape {shares.shape}"
        )
    with style.sheet():
        figure = style.canvas(9.2, 3.4, simulated=simulated)
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
        for k, tint in enumerate(style.shades(len(shares), LINES)):
            _line(left, target[f"P_t_{k}"], tint, style.grade_label(k, words))
            _line(left, pool[f"P_u_{k}"], tint, "_", linestyle=style.DASHED)
        _panel(left, "labelled (P_t, solid) and pool (P_u, dashed)", share=True)
        left.set_ylim(0, None)
        left.legend(ncols=2, handlelength=1.4)
        bars = {
            "labels": (shares, style.PALE),
            "P_t": (target.iloc[-1].to_numpy(), style.colour("adamatch")),
            "P_u": (pool.iloc[-1].to_numpy(), style.INK),
        }
        _bars(right, bars, "at the last evaluation", words)
    return figure


# ---------------------------------------------------------------- CoMatch
def graph_over_steps(history: pd.DataFrame, batch: int, *, simulated: bool) -> Figure:
    """CoMatch: neighbours of a picture in the graph of a batch of so many, the graph's loss beside
    that of features that see no difference, and which share of the labels the memory changed, from
    the steps at which it was full. history: step, edges, con_loss, changed, full."""
    table = over_steps(history, ["edges", "con_loss", "changed", "full"])
    seen, tint = when_full(table, table["full"])["changed"], style.colour("comatch")
    with style.sheet():
        figure = style.canvas(9.2, 2.9, simulated=simulated)
        left, middle, right = figure.subplots(1, 3)
        _line(left, table["edges"], tint, "edges")
        _panel(left, "edges per picture in a batch")
        left.set_ylim(0, None)
        _line(middle, table["con_loss"], tint, "graph loss")
        _blind(middle, math.log(batch), f"sees no difference: log {batch}")
        _panel(middle, "the graph's loss")
        _line(right, seen, tint, "changed")
        _panel(right, "labels changed by the memory")
        right.set_ylim(0, max(0.1, 1.1 * seen.max()) if len(seen) else 0.1)
        right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if seen.empty:
            _nothing(right, "the memory was never full:\ntoo few steps")
    return figure


EQUAL, OTHER, OPEN = style.BLUE, style.ORANGE, style.GREY  # of a joined pair's true grades


def label_graph(
    predictions: pd.DataFrame, edge: float, *, simulated: bool, words: Sequence[str] = ()
) -> Figure:
    """CoMatch: the graph (`edges`) of some hundred pictures, sorted by predicted grade and
    sureness: joined pairs of equal and of other true grade, and those of which it is unknown; with
    strips for true and predicted grade, and lines between predicted ones. predictions: truth (-1:
    unknown), p0..; not aligned, not smoothed."""
    columns(predictions, ["truth"], "predictions")
    tints = style.shades(len(columns_p(predictions)))
    graph, rows = edges(predictions, edge)
    said, truth = rows["said"].to_numpy(), rows["truth"].to_numpy()
    known = (truth >= 0) & (truth >= 0)[:, None]
    kinds = np.where(known, np.where(truth == truth[:, None], 0.0, 1.0), 2.0)
    shown = np.where((graph > 0) & ~np.eye(len(rows), dtype=bool), kinds, np.nan)
    look: Any = {"aspect": "auto", "interpolation": "nearest"}
    with style.sheet():
        figure = style.canvas(6.4, 5.2, simulated=simulated)
        strips, ax = figure.subplots(1, 2, width_ratios=[0.09, 1], sharey=True)
        ax.imshow(shown, cmap=ListedColormap([EQUAL, OTHER, OPEN]), vmin=-0.5, vmax=2.5, **look)
        both = np.stack([np.where(truth >= 0, truth, np.nan), said.astype(float)], axis=1)
        strips.imshow(both, cmap=ListedColormap(tints), vmin=-0.5, vmax=len(tints) - 0.5, **look)
        for place in np.flatnonzero(np.diff(said)) + 0.5:
            ax.axhline(place, color=style.INK, linewidth=0.6)
            ax.axvline(place, color=style.INK, linewidth=0.6)
        strips.set_xticks([0, 1], ["true", "said"], rotation=90)
        strips.set_yticks([])
        strips.set_ylabel("pictures, by predicted grade, surest first")
        ax.set_xticks([])
        ax.set_xlabel("the same pictures")
        for each in (strips, ax):
            each.grid(visible=False)
            each.tick_params(length=0)
        ax.spines[:].set_visible(True)
        its = edge_counts(predictions, edge)
        title = f"{len(rows)} pictures, {2 * its['edges'] / len(rows):.1f} neighbours each"
        ax.set_title(f"{title} (q·q at least {edge:g})", fontsize=9)
        parts = {"equal true grades": EQUAL, "other true grades": OTHER, "not known": OPEN}
        for kind, (part, tint) in enumerate(parts.items()):
            if (shown == kind).any():
                ax.bar(0, 0, color=tint, label=f"joined, {part}")
        figure.legend(loc="outside upper center", ncols=3, handlelength=1.2)
        for k, tint in enumerate(tints):
            strips.bar(0, 0, color=tint, label=style.grade_label(k, words))
        grades = strips.get_legend_handles_labels()
        figure.legend(*grades, loc="outside right center", handlelength=1.2)
    return figure


# ---------------------------------------------------------------- FreeMatch
def thresholds(history: pd.DataFrame, *, simulated: bool, words: Sequence[str] = ()) -> Figure:
    """FreeMatch: the global threshold and each class's over the steps, and the fairness term.
    history: step, tau, fair_loss, tau_0.."""
    table, each = over_steps(history, ["tau", "fair_loss"]), per_class(history, "tau")
    with style.sheet():
        figure = style.canvas(8.0, 3.2, simulated=simulated)
        left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
        tints = style.shades(each.shape[1], LINES)
        for k, (column, tint) in enumerate(zip(each, tints, strict=True)):
            _line(left, each[column], tint, style.grade_label(k, words))
        # the most frequent grade's is the same
        _line(left, table["tau"], style.INK, "global", linestyle=style.DASHED)
        _panel(left, "threshold on the confidence", share=True)
        left.legend(ncols=3, handlelength=1.4)
        _line(right, table["fair_loss"], style.colour("freematch"), "fairness")
        _panel(right, "fairness term (0 or less, added)")
    return figure


def kept_per_class(
    predictions: pd.DataFrame,
    limits: Sequence[float] | np.ndarray,
    *,
    simulated: bool,
    words: Sequence[str] = (),
) -> Figure:
    """FreeMatch: which share of the pictures predicted as each grade reaches its threshold, and, as
    dots where the truth is known, how many of these are right (`kept_shares`). predictions: truth
    (-1: unknown), p0..; limits (C,): the thresholds."""
    table = kept_shares(predictions, limits)
    with style.sheet():
        figure = style.canvas(5.6, 3.2, simulated=simulated)
        ax = figure.subplots()
        ax.bar(
            table["grade"],
            table["kept"],
            width=0.6,
            color=style.shades(len(table), LINES),
        )
        keys: list[Any] = [Patch(color=style.GREY, label="kept")]
        if table["right"].notna().any():
            look: Any = {"color": style.INK, "markerfacecolor": "white"}
            keys += ax.plot(table["grade"], table["right"], "D", label="of these right", **look)
        for grade, number in table[["grade", "pictures"]].itertuples(index=False):
            ax.text(grade, 1.05, f"{number:,}", ha="center", fontsize=8, color=style.GREY)
        ax.set(
            xlim=(-0.5, len(table) - 0.5),
            ylim=(0, 1.14),
            xlabel="predicted grade (above: pictures)",
        )
        ax.set_title("share of the pictures that is kept", fontsize=9)
        style.grade_ticks(ax.xaxis, len(table), words, room=60)
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.grid(visible=False, axis="x")
        figure.legend(handles=keys, loc="outside upper right", ncols=2)
    return figure


# ---------------------------------------------------------------- CRMatch
def views_apart(history: pd.DataFrame, *, simulated: bool) -> Figure:
    """CRMatch: the cosine of the two views' distance features, the distance loss, and how many
    turns are told right, with chance marked. history: step, cosine, dist_loss, rot_loss, rot_right;
    rot_loss 0 throughout: there was no such head."""
    table, tint = (
        over_steps(history, ["cosine", "dist_loss", "rot_loss", "rot_right"]),
        style.colour("crmatch"),
    )
    with style.sheet():
        figure = style.canvas(9.2, 2.9, simulated=simulated)
        left, middle, right = figure.subplots(1, 3)
        _line(left, table["cosine"], tint, "cosine")
        left.axhline(0, color=style.GREY, linewidth=1, linestyle=style.DASHED)
        _panel(left, "cosine of weak and strong view")
        _line(middle, table["dist_loss"], tint, "distance loss")
        _panel(middle, "distance loss")
        middle.set_ylim(0, None)
        _panel(right, "turns that are told right", share=True)
        right.axhline(CHANCE, color=style.GREY, linewidth=1, linestyle=style.DASHED)
        right.text(
            1,
            CHANCE,
            f"chance, {CHANCE:.0%}",
            transform=right.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=8,
            color=style.GREY,
        )
        if (table["rot_loss"] == 0).all():
            _nothing(right, "no rotation head:\nlambda_rot is 0")
        else:
            _line(right, table["rot_right"], tint, "right")
    return figure
