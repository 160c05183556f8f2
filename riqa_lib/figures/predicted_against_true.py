"""What models say of pictures against what people say: a panel a model, all pictures as a density,
the mean grade along the score, and below each panel the pictures that it has most wrong.

Pictures are drawn only where their pixels are handed over, and named only where they are simulated:
without pixels the figure shows no more of a real data set than a density and a few dots."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..checks import columns
from ..seeding import rng
from ..tables.names import name_of
from . import style
from .cross_data_matrix import in_order
from .levels_against_grade import tint_of

ACROSS = 3  # panels in a row
GRADES = 10  # a score with no more values than this is a grade
SPREAD = 0.36  # grades, to either side
HEX = 24  # hexagons along an axis
BINS = 10  # of equally many pictures: means of the expected grade along the score
GAP = 0.06  # between two pictures, in pictures' sides
SIDES = ("too high", "too low")


def predicted_against_true(
    said: pd.DataFrame,
    agreed: pd.DataFrame,
    wrong: pd.DataFrame,
    *,
    simulated: bool,
    classes: int = 5,
    pictures: Mapping[str, np.ndarray] | None = None,
    against: str = "score",
    rows: Sequence[str] = (),
) -> Figure:
    """A panel a row: its pictures as hexagons (darker: more), the mean expected grade along the
    score as a line (of ten groups of equally many pictures), and SRCC with its interval in the
    title. Whole grades are spread sideways by chance, to be seen. A row without SRCC, which says
    the same of all, is left out.

    said: row, id, score, expected, of one tested set. agreed: row, srcc, srcc_low, srcc_high of all
    its pictures (`tables.cross_data_table`, part "all"). wrong: `most_wrong` of said: numbered
    dots, and, with `pictures` (id: uint8 (S, S, 3)), the pictures themselves below the panel, with
    their ids where simulated. against: "score" or "grade"; rows: their order. ValueError for
    missing columns, a row that is not in agreed, a picture that is not handed over, or where no row
    is left."""
    columns(said, ["row", "id", "score", "expected"], "said")
    columns(agreed, ["row", "srcc", "srcc_low", "srcc_high"], "agreed")
    columns(wrong, ["row", "id", "side", "place", "score", "expected"], "wrong")
    numbers = agreed.set_index("row")
    names = _judged(said, numbers, rows)
    if pictures is not None and (absent := sorted({*wrong["id"]} - {*pictures})):
        raise ValueError(f"pictures: none of {absent[0]}; {len(absent)} are not there")
    across = min(ACROSS, len(names))
    down = math.ceil(len(names) / across)
    tall = 3.1 if pictures is not None else 2.25
    with style.sheet():
        figure = style.canvas(0.3 + 3.1 * across, 0.5 + tall * down, simulated=simulated)
        layout: Any = figure.get_layout_engine()  # constrained
        layout.set(h_pad=0.02, hspace=0.01)
        grid = figure.add_gridspec(down, across)
        for place, row in enumerate(names):
            spot = grid[place // across, place % across]
            panels = [spot]
            if pictures is not None:
                inside = spot.subgridspec(2, 1, height_ratios=[2.2, 1])
                panels = [inside[0], inside[1]]
            ax = figure.add_subplot(panels[0])
            its = _spread(said[said["row"] == row])
            _density(ax, its, tint_of(row, place), classes)
            worst = _numbered(wrong[wrong["row"] == row], its)
            _dots(ax, worst)
            _title(ax, row, numbers.loc[row])
            if place % across == 0:
                ax.set_ylabel("expected grade", fontsize=8)
            if place + across >= len(names):
                ax.set_xlabel(f"{against} that people gave", fontsize=8)
            if pictures is not None:
                _strip(figure.add_subplot(panels[1]), worst, pictures, simulated)
    return figure


def _judged(said: pd.DataFrame, numbers: pd.DataFrame, rows: Sequence[str]) -> list[str]:
    """The rows that are drawn, in order."""
    names = in_order(said["row"], rows)
    if lacking := [row for row in names if row not in numbers.index]:
        raise ValueError(f"agreed: no row {', '.join(lacking)}")
    judged = [row for row in names if pd.notna(numbers.loc[row, "srcc"])]
    if not judged:
        raise ValueError("agreed: no row has an SRCC")
    return judged


def _spread(its: pd.DataFrame) -> pd.DataFrame:
    """With a column x: the score, or, of whole grades, places beside it, by the picture's id."""
    score = its["score"].to_numpy(float)
    if len(np.unique(score)) > GRADES:
        return its.assign(x=score)
    aside = [rng("aside", name).uniform(-SPREAD, SPREAD) for name in its["id"]]
    return its.assign(x=score + aside)


def _title(ax: Axes, row: str, numbers: pd.Series) -> None:
    low, high = numbers["srcc_low"], numbers["srcc_high"]
    said = f"SRCC {numbers['srcc']:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
    ax.set_title(f"{textwrap.fill(name_of(row), 34)}\n{said}", fontsize=8.5)


def _density(ax: Axes, its: pd.DataFrame, tint: str, classes: int) -> None:
    """Hexagons by how many pictures they have, on a log scale, and means along the score."""
    x, y, score = (its[c].to_numpy(float) for c in ("x", "expected", "score"))
    shades = LinearSegmentedColormap.from_list("density", [style.PALE, tint, style.INK])
    margin = 0.02 * max(float(np.ptp(x)), 1e-9)
    box = (x.min() - margin, x.max() + margin, 0.0, classes - 1.0)
    grid = (HEX, round(HEX * 0.4))
    ax.hexbin(x, y, gridsize=grid, extent=box, bins="log", mincnt=1, cmap=shades, linewidths=0.1)
    order_of = np.argsort(score, kind="stable")
    groups = np.array_split(order_of, min(BINS, len(x)))
    if len(values := np.unique(score)) <= GRADES:
        groups = [np.flatnonzero(score == value) for value in values]
    means = [(score[g].mean(), y[g].mean()) for g in groups]
    for width, colour in ((3.4, "white"), (1.5, style.INK)):
        ax.plot(*zip(*means, strict=True), color=colour, linewidth=width)
    ax.set(xlim=box[:2], ylim=(-0.12, classes - 0.88))
    ax.set_yticks(range(classes))
    ax.tick_params(labelsize=7.5)


def _numbered(worst: pd.DataFrame, its: pd.DataFrame) -> pd.DataFrame:
    """Those that are liked too much first; x: where their dots are."""
    sides = worst["side"].map({side: k for k, side in enumerate(SIDES)})
    at = its.set_index("id")["x"]
    placed = worst.assign(of=sides, x=worst["id"].map(at))
    return placed.sort_values(["of", "place"], kind="stable")


def _dots(ax: Axes, worst: pd.DataFrame) -> None:
    """Numbered dots, as `_strip` numbers the pictures."""
    look: Any = {"ha": "center", "va": "center_baseline", "fontsize": 5.5, "color": "white"}
    for number, row in enumerate(worst.to_dict("records"), 1):
        place = row["x"], row["expected"]
        ax.plot(*place, "o", color="white", markersize=8, zorder=4, clip_on=False)
        ax.plot(*place, "o", color=style.RED, markersize=6.6, zorder=5, clip_on=False)
        ax.text(*place, str(number), zorder=6, fontweight="bold", **look)


def _strip(
    ax: Axes, worst: pd.DataFrame, pictures: Mapping[str, np.ndarray], simulated: bool
) -> None:
    """The pictures side by side, with their numbers, and a word over each side."""
    step = 1 + GAP
    for place, row in enumerate(worst.to_dict("records")):
        left = place * step
        ax.imshow(pictures[row["id"]], extent=(left, left + 1, 0, 1), interpolation="lanczos")
        words = f"{place + 1}  {row['id']}" if simulated else str(place + 1)
        ax.text(left + 0.5, -0.05, words, ha="center", va="top", fontsize=5.5)
    for side in SIDES:
        at = [k for k, one in enumerate(worst["side"]) if one == side]
        if at:
            ax.text(at[0] * step, 1.06, side, ha="left", va="bottom", fontsize=6.5)
    ax.set(xlim=(-0.02, max(len(worst), 1) * step), ylim=(-0.2, 1.2), aspect="equal")
    ax.axis("off")
