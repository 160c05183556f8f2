"""Figures of fundus photographs: the space of illumination, clarity and contrast, and how well
fields of view are found.

Each takes a table or pictures and returns a Figure; see `figures.style`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import checks
from ..checks import columns
from ..scales import DETAILS, FUNDUS_GRADES
from . import style
from .data import contact_sheet
from .style import legend_below

TINTS = {2: (style.GRADES[0], style.GRADES[4]), 3: (style.GRADES[0], style.ORANGE, style.GRADES[4])}


def detail_space(frame: pd.DataFrame, *, simulated: bool, classes: int = 3) -> Figure:
    """Where pictures lie in the space of illumination, clarity and contrast: a panel for each pair
    of severities, a dot a picture, coloured by its overall grade; lines where graders begin to call
    a detail bad.

    frame: severity_illumination, severity_clarity, severity_contrast (>= 0; 1 is the graders'
    threshold), grade (0..classes-1). classes: 2 or 3. ValueError for missing columns or other
    grades."""
    columns(frame, [*(f"severity_{d}" for d in DETAILS), "grade"], "frame")
    if classes not in FUNDUS_GRADES or not frame["grade"].isin(range(classes)).all():
        raise ValueError(
            f"frame: grades {sorted(frame['grade'].unique())} in {classes} classes; "
            "expected 2 or 3 classes, from 0"
        )
    with style.sheet():
        figure = style.canvas(8.4, 3.2, simulated=simulated)
        panels = figure.subplots(1, 3)
        shuffled = frame.sample(frac=1, random_state=0)
        for ax, (across, up) in zip(panels, combinations(DETAILS, 2), strict=True):
            for grade in range(classes):
                rows = shuffled[shuffled["grade"] == grade]
                ax.plot(
                    rows[f"severity_{across}"],
                    rows[f"severity_{up}"],
                    "o",
                    markersize=2.4,
                    alpha=0.45,
                    markeredgewidth=0,
                    color=TINTS[classes][grade],
                    label=f"{FUNDUS_GRADES[classes][grade]} ({len(rows):,})",
                )
            ax.axvline(1, color=style.INK, linewidth=0.8, linestyle="--")
            ax.axhline(1, color=style.INK, linewidth=0.8, linestyle="--")
            ax.set(
                xlabel=f"severity: {across}",
                ylabel=f"severity: {up}",
                xlim=(0, None),
                ylim=(0, None),
            )
        legend_below(figure, panels[0], classes)
        for handle in figure.legends[0].legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return figure


def picture_space(pixels: np.ndarray, levels: Sequence[float], *, simulated: bool) -> Figure:
    """One eye at every combination of severities: illumination across, clarity down, a block for
    each contrast.

    pixels: uint8 (K, K, K, S, S, 3), indexed by contrast, clarity, illumination, as
    fundus_camera.space makes; levels: the K severities. ValueError for other shapes."""
    k = len(levels)
    if (
        pixels.ndim != 6
        or pixels.shape[:3] != (k, k, k)
        or pixels.shape[5] != 3
        or pixels.dtype != np.uint8
    ):
        raise ValueError(
            f"pixels: {pixels.dtype} {pixels.shape}, "
            f"expected uint8 ({k}, {k}, {k}, S, S, 3) for {k} levels"
        )
    with style.sheet():
        figure = style.canvas(2.5 * k + 0.5, 3.5, simulated=simulated)
        panels = figure.subplots(1, k, squeeze=False)[0]
        side = pixels.shape[3]
        ticks = (np.arange(k) + 0.5) * side
        for i, ax in enumerate(panels):
            ax.imshow(
                pixels[i].transpose(0, 2, 1, 3, 4).reshape(k * side, k * side, 3),
                interpolation="antialiased",
            )
            ax.grid(visible=False)
            ax.spines[["left", "bottom"]].set_visible(False)
            ax.tick_params(length=0)
            ax.set_xticks(ticks, [f"{v:g}" for v in levels])
            ax.set_yticks(ticks, [f"{v:g}" for v in levels])
            ax.set(
                title=f"contrast {levels[i]:g}",
                xlabel="illumination",
                ylabel="clarity" if i == 0 else "",
            )
    return figure


def circle_errors(errors: pd.DataFrame, *, simulated: bool) -> Figure:
    """How far found fields of view are from the true ones: share of pictures with an error up to x,
    for centre and radius.

    errors: centre, radius (shares of the true radius), as pictures.field.field_errors returns."""
    columns(errors, ["centre", "radius"], "errors")
    with style.sheet():
        figure = style.canvas(4.4, 3.0, simulated=simulated)
        ax = figure.subplots()
        share = np.arange(1, len(errors) + 1) / len(errors)
        for column, tint in (("centre", style.BLUE), ("radius", style.RED)):
            values = np.sort(errors[column].to_numpy(float))
            middle, most = np.quantile(values, [0.5, 0.95])
            words = f"{column} (median {middle:.2%}, 95 % below {most:.2%})"
            ax.step(np.maximum(values, 1e-5) * 100, share, where="post", color=tint, label=words)
        ax.set(
            xscale="log",
            xlabel="error in % of the radius",
            ylabel="share of pictures",
            ylim=(0, 1.02),
        )
        legend_below(figure, ax, 1)
    return figure


def contact(
    pixels: np.ndarray, frame: pd.DataFrame, *, simulated: bool, columns: int = 8, classes: int = 3
) -> Figure:
    """Pictures in a grid, each with its overall grade, as `data.contact_sheet`. frame: grade (-1
    for none)."""
    checks.columns(frame, ["grade"], "frame")
    words = np.array([*FUNDUS_GRADES[classes], "no grade"])[frame["grade"].to_numpy()]
    return contact_sheet(
        pixels, frame.assign(words=words), simulated=simulated, columns=columns, captions="words"
    )
