"""Figures of explanations and advice: error against coverage, how often maps lie on the defects,
and the maps themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure

from ..checks import columns
from ..stats.calibration import Abstention
from ..tables.localisation import ITSELF
from ..tables.names import row_name
from . import style
from .style import legend_below, tint


def abstention(curves: dict[str, pd.DataFrame], rule: Abstention, *, simulated: bool) -> Figure:
    """Error among the answered at every coverage (tables of `stats.calibration.risk_coverage`, by
    name), the promised rate, and where the rule's threshold puts each."""
    with style.sheet():
        figure = style.canvas(4.8, 3.2, simulated=simulated)
        ax = figure.subplots()
        for (name, curve), colour in zip(
            curves.items(), (style.BLUE, style.ORANGE, style.GREEN), strict=False
        ):
            columns(curve, ["threshold", "coverage", "error"], name)
            ax.plot(curve["coverage"], curve["error"], color=colour, label=name)
            answered = curve[curve["threshold"] >= rule.threshold]
            if len(answered):
                ax.plot(
                    answered["coverage"].iloc[-1], answered["error"].iloc[-1], "o", color=colour
                )
        ax.axhline(
            rule.rate,
            color=style.INK,
            linewidth=0.9,
            linestyle="--",
            label=f"promised: {rule.rate:.0%}",
        )
        ax.set(
            xlabel="share of pictures answered",
            ylabel="error among these",
            xlim=(0, 1.02),
            ylim=(0, None),
        )
        legend_below(figure, ax, 2)
    return figure


def localisation(table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Pointing game and energy inside, a panel each: a dot with its interval for each head and
    method, and chance as a bar.

    table: of `tables.localisation.table` (head, measure, method, against, value, low, high,
    chance)."""
    columns(
        table, ["head", "measure", "method", "against", "value", "low", "high", "chance"], "table"
    )
    own = table[table["against"] == ITSELF]
    heads, methods = list(dict.fromkeys(own["head"])), list(dict.fromkeys(own["method"]))
    with style.sheet():
        figure = style.canvas(8.0, 0.9 + 0.5 * max(len(heads), 2), simulated=simulated)
        panels = figure.subplots(1, 2, sharey=True)
        for ax, (measure, title) in zip(
            panels, (("pointing", "pointing game"), ("energy", "energy inside")), strict=True
        ):
            for row in own[own["measure"] == measure].to_dict("records"):
                k, at = methods.index(row["method"]), heads.index(row["head"])
                style.interval(
                    ax,
                    at + (k - (len(methods) - 1) / 2) * 0.22,
                    row,
                    "value",
                    tint(row["method"]),
                    low="low",
                    high="high",
                    width=1.4,
                    label=row_name(row["method"]) if at == 0 else None,
                )
                ax.plot(
                    [row["chance"]] * 2,
                    [at - 0.4, at + 0.4],
                    color=style.GREY,
                    linewidth=1.2,
                    linestyle=":",
                    label="chance" if at == k == 0 else None,
                )
            ax.set(
                xlabel=title, xlim=(0, 1), yticks=range(len(heads)), ylim=(len(heads) - 0.5, -0.5)
            )
            ax.set_yticklabels(heads)
        legend_below(figure, panels[0], len(methods) + 1)
    return figure


# ---------------------------------------------------------------- maps
TRUTH = "#00E5FF"  # the contour of a true region: on grey and on orange alike

STRENGTH = 0.85  # how much of a map's colour its greatest value has; the rest is picture


def maps(
    pixels: np.ndarray,
    fields: np.ndarray,
    by_column: Mapping[str, np.ndarray],
    regions: Mapping[str, Sequence[np.ndarray | None]],
    words: Sequence[str],
    *,
    simulated: bool,
) -> Figure:
    """Pictures with the maps of networks: a line a picture, its words at the left; first the
    picture, then a column a map, on the picture in grey, with the contour of the true region of
    what the map explains. Every map is shown from 0 to its own greatest value.

    pixels (N, S, S, 3) uint8, fields (N, S, S) bool; by_column: maps (N, S, S), 0 or more, by the
    column's words; regions: of each column N regions (S, S) bool, or None; words: N.
    `explain.sheet` makes them. ValueError for other shapes or a negative map."""
    _fit(pixels, fields, by_column, words)
    down, across = len(pixels), 1 + len(by_column)
    with style.sheet():
        height = 1.25 * down + 0.95
        figure = style.canvas(1.25 * across + 1.9, height, simulated=simulated)
        layout: Any = figure.get_layout_engine()
        foot, left = 0.22 / height, 0.015
        layout.set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
        layout.set(rect=(left, foot, 1 - left, 1 - foot))
        grid = figure.subplots(down, across, squeeze=False)
        for i, line in enumerate(grid):
            _bare(line[0]).imshow(pixels[i], interpolation="lanczos")
            line[0].set_ylabel(words[i], rotation=0, ha="right", va="center", fontsize=7.5)
            for ax, (name, its) in zip(line[1:], by_column.items(), strict=True):
                _bare(ax).imshow(on_grey(pixels[i], its[i], fields[i]), interpolation="lanczos")
                if (where := regions[name][i]) is not None:
                    ax.contour(where.astype(float), [0.5], colors=TRUTH, linewidths=1.1)
        for ax, name in zip(grid[0], ["picture", *by_column], strict=True):
            ax.set_title(name.replace(": ", ":\n"), fontsize=8, loc="center", pad=3)
        bar = figure.colorbar(
            ScalarMappable(cmap=_colours()), ax=grid, fraction=0.02, pad=0.01, aspect=25, shrink=0.8
        )
        bar.set_label("share of the map's greatest value", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        if any(where is not None for its in regions.values() for where in its):
            grid[0, 0].plot([], [], color=TRUTH, label="true region of the defect")
            legend_below(figure, grid[0, 0], 1)
    return figure


def _fit(
    pixels: np.ndarray, fields: np.ndarray, maps: Mapping[str, np.ndarray], words: Sequence[str]
) -> None:
    """ValueError unless pictures, fields, maps and words are of one number and size."""
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or len(words) != len(pixels):
        raise ValueError(
            f"pixels: {pixels.dtype} {pixels.shape} with {len(words)} words; expected uint8 "
            "(N, S, S, 3), words for each"
        )
    for name, each in maps.items():
        if each.shape != fields.shape or (each < 0).any():
            raise ValueError(f"{name}: maps {each.shape}, expected {fields.shape} of 0 or more")


def on_grey(pixels: np.ndarray, cam: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """A map (S, S) of 0 or more on its picture (S, S, 3) uint8 in grey, as uint8: the picture where
    the map is 0 and outside the field, towards one colour up to the map's greatest value inside.

    >>> grey = np.full((1, 2, 3), 100, np.uint8)
    >>> on_grey(grey, np.array([[0.0, 2.0]]), np.ones((1, 2), bool)).tolist()
    [[[100, 100, 100], [196, 95, 15]]]
    """
    cam = np.where(inside, cam, 0.0)
    share = (cam / cam.max() if cam.max() > 0 else cam)[..., None] * STRENGTH
    grey = pixels.astype(float).mean(axis=2, keepdims=True) * np.ones(3)
    return ((1 - share) * grey + share * 255 * np.array(to_rgb(style.RED))).round().astype(np.uint8)


def _colours() -> ListedColormap:
    """The colours of `on_grey` on a middle grey."""
    share = np.linspace(0, STRENGTH, 128)[:, None]
    return ListedColormap(list((1 - share) * 0.4 + share * np.array(to_rgb(style.RED))))


def _bare(ax: Axes) -> Axes:
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax
