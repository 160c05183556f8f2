"""One look for all figures, and how they are saved.

Colours are Okabe and Ito's (2008), told apart with any colour vision; a method keeps its colour in
every figure. Figures are plain `matplotlib.figure.Figure`, never pyplot's: no global state, nothing
to close."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from .. import paths, store
from ..tables.names import LABEL

INK, GREY, PALE = "#222222", "#7f7f7f", "#d9d9d9"


DASHED: Any = (0, (4, 3))  # lines that are no result: chance, a constant, nought


BLUE, ORANGE, GREEN, RED, PINK, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)


METHOD = {
    "constant": GREY,
    "rater": INK,
    "source_mean": "#5D4037",
    "forest": "#B8C400",
    "ridge": "#5E7300",
    "supervised": BLUE,
    "supervised_strong": SKY,
    "supervised_ordinal": "#66C2A5",
    "supervised_equal": "#3B5BA5",
    "supervised_all": GREEN,
    "fixmatch": RED,
    "fixmatch_randaugment": "#8C6BB1",
    "simmatch": ORANGE,
    "adamatch": "#A6761D",
    "comatch": PINK,
    "freematch": "#004060",
    "crmatch": "#6A3D9A",
    "mean_teacher": "#B2182B",
}


GRADES = ("#8C2D04", "#D98C5F", "#E3DFD5", "#6BAED6", "#08519C")  # bad to good


SHEET: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#ececec",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "riqa",
}


@contextlib.contextmanager
def sheet() -> Iterator[None]:
    """Draw and save inside this: the style sheet on matplotlib's own defaults, whatever the user's
    settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SHEET)
        yield


def colour(method: str) -> str:
    """A method's colour, in both stages; the same grey for all that have none.

    >>> colour("comatch_second") == colour("comatch") != colour("something new")
    True
    """
    return METHOD.get(method.removesuffix("_second"), "#555555")


DIGITS = 8  # of a position in a figure, as a share of its width or height


# what a figure's foot says
DATA = {
    True: ("simulated data", RED),
    False: ("real data", GREY),
    None: ("the code, no data", GREY),
}


class Drawing(Figure):
    """A figure that notebooks show as a picture, pyplot or not. saved: what `save` wrote as PNG."""

    saved: bytes | None = None

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The PNG that was saved, or, where the figure was not or has changed since, a new one of
        fewer pixels; and how wide to show it, px: a saved one is sharp on finer screens too."""
        png = self.saved
        if png is None or self.stale:
            buffer = io.BytesIO()
            with sheet():
                dpi = SHEET["figure.dpi"]
                self.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
            png = buffer.getvalue()
        return png, {"width": round(self.get_figwidth() * SHEET["figure.dpi"])}


def canvas(width: float, height: float, *, simulated: bool | None) -> Figure:
    """An empty figure of width x height inches with "simulated data" or "real data" at its
    foot; None: what is drawn is no data, and the foot says so."""
    foot = 0.22 / height
    layout = ConstrainedLayoutEngine(rect=(0, foot, 1, 1 - foot))
    figure = Drawing(figsize=(width, height), layout=layout)
    words, tint = DATA[simulated]
    figure.text(
        0.995, 0.06 / height, words, ha="right", fontsize=8, color=tint, style="italic", gid="data"
    )
    return figure


def data_label(figure: Figure) -> str:
    """The label at a figure's foot; ValueError for a figure that has none (make figures with
    `canvas`)."""
    for text in figure.texts:
        if text.get_gid() == "data":
            return text.get_text()
    raise ValueError(
        "this figure does not say whether its data are simulated: make it with style.canvas"
    )


def say_both(figure: Figure) -> Figure:
    """A figure of `canvas` that shows simulated and real data: its foot says so; returns it.

    >>> data_label(say_both(canvas(3, 2, simulated=True)))
    'simulated and real data'
    """
    data_label(figure)
    for text in figure.texts:
        if text.get_gid() == "data":
            text.set(text="simulated and real data", color=RED)
    return figure


def save(
    figure: Figure | None, name: str, walk: str, command: str = "python -m riqa_lib figures"
) -> list[Path]:
    """Write figures/<walk>/<name>.png and .pdf, whole or not at all, the same bytes for the same
    figure; returns both. None, a figure for which there was nothing to draw, writes nothing and
    returns [].

    The command that drew it and the kind of data go into each file's metadata; no date does. Raises
    ValueError for a figure that does not say whether its data are simulated.

    >>> save(None, "06_cut-seed0", "demo")
    []
    """
    if figure is None:
        return []
    note = f"{name}; {data_label(figure)}; {command}"
    facts = {
        "png": {"Software": None, "Title": name, "Description": note},
        "pdf": {
            "Creator": None,
            "Producer": None,
            "CreationDate": None,
            "Title": name,
            "Subject": note,
        },
    }
    out = []
    with sheet():
        _laid_out(figure)
        for kind, metadata in facts.items():
            path = paths.figures(walk) / f"{name}.{kind}"
            with store.replacing(path) as temporary:
                figure.savefig(temporary, format=kind, metadata=metadata)
            out.append(path)
    if isinstance(figure, Drawing):
        figure.saved = out[0].read_bytes()
        figure.stale = False  # saving sets the colours of its background, and sets them back
    return out


def _laid_out(figure: Figure) -> None:
    """Lay a figure out once and for all: for both files, and for the notebook that shows it.

    The solver of constrained layout adds up in an order that differs between processes; rounded,
    positions do not, and the files have the same bytes."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    # "none" would leave a placeholder, for which each savefig draws once more to lay out nothing
    figure.set_layout_engine(None)
    for ax in figure.axes:
        inside = ax.get_in_layout()
        for which in ("original", "active"):
            box = ax.get_position(original=which == "original")
            ax.set_position(Bbox(box.get_points().round(DIGITS)), which=which)
        ax.set_in_layout(inside)


def interval(
    ax: Axes,
    y: float,
    row: Mapping[Any, Any],
    metric: str,
    tint: str,
    *,
    low: str = "",
    high: str = "",
    marker: str = "o",
    size: float = 5.0,
    hollow: bool = False,
    width: float = 1.8,
    cap: Literal["butt", "projecting"] = "projecting",
    label: str | None = None,
) -> None:
    """A dot at row[metric] and its interval, level at height y; each is left out where it is nan.

    row: a row of a table, by column. low, high: columns of the interval's ends, by default
    <metric>_low and <metric>_high; a row without them has no interval. size of the dot and width
    of the line in points; label: for the legend.

    >>> ax = canvas(4, 2, simulated=True).subplots()
    >>> interval(ax, 0, {"mae": 0.5, "mae_low": 0.4, "mae_high": 0.7}, "mae", BLUE)
    >>> [line.get_xdata().tolist() for line in ax.lines]
    [[0.4, 0.7], [0.5]]
    """
    ends: list[Any] = [row.get(low or f"{metric}_low"), row.get(high or f"{metric}_high")]
    if all(pd.notna(end) for end in ends):
        ax.plot(ends, [y, y], color=tint, linewidth=width, solid_capstyle=cap)
    if pd.notna(row[metric]):
        face = "white" if hollow else tint
        look: Any = {"color": tint, "markersize": size, "markerfacecolor": face, "label": label}
        ax.plot([row[metric]], [y], marker, **look)


def lowest(ax: Axes, place: int, panels: int, across: int, words: str) -> None:
    """Name a panel's x axis, and its ticks, where it is the lowest of its column. place: the
    panel's, 0.. by lines of `across`; panels: how many there are."""
    below = place >= panels - across
    ax.tick_params(labelbottom=below)
    ax.set_xlabel(words if below else "", fontsize=9)


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """The legend of one panel's labels, above all panels, in at most so many columns."""
    handles, words = axes.get_legend_handles_labels()
    figure.legend(
        handles, words, loc="outside upper center", ncols=min(columns, len(words)), handlelength=1.6
    )


TINTS = {
    "teacher": GREEN,
    "single": BLUE,
    "multi": RED,
    "multi_hard": ORANGE,
    "multi_filtered": PINK,
    "teacher_lite0": "#66A61E",
    "single_lite0": SKY,
    "multi_lite0": "#6A3D9A",
    "teacher_own": "#1B5E20",
    "multi_own": "#8C2D04",
    "teacher_lite0_plain": "#B2DF8A",
    "multi_lite0_plain": "#CAB2D6",
    LABEL: GREY,
    "constant": INK,
    "always_bad": "#A6CEE3",
    "forest": METHOD["forest"],
    "logistic": METHOD["ridge"],
}


def shades(classes: int, of: Sequence[str] = GRADES) -> list[str]:
    """One colour a grade, bad to good: GRADES (or those given) where there are as many, else that
    many on the way from the first to the last.

    >>> shades(5) == list(GRADES), shades(2), len(shades(10))
    (True, ['#8c2d04', '#08519c'], 10)
    """
    if classes == len(of):
        return list(of)
    between = LinearSegmentedColormap.from_list("grades", list(of))
    return [to_hex(between(k / max(1, classes - 1))) for k in range(classes)]


def grade_ticks(axis: Axis, classes: int, words: Sequence[str] = (), room: int = 0) -> None:
    """A tick for each grade, with its name where they have names (worst first). room: letters that
    the axis has room for, beyond which names stand upright; 0: any number."""
    axis.set_ticks(range(classes))
    if len(words):
        upright = 0 < room < classes * max(map(len, words))
        axis.set_ticklabels(list(words), rotation=90 if upright else 0)


def grade_label(grade: int, words: Sequence[str] = ()) -> str:
    """What a grade is called in a legend.

    >>> grade_label(1), grade_label(1, ["bad", "good"]), grade_label(1, ["1", "2"])
    ('grade 1', 'good', 'grade 2')
    """
    word = words[grade] if len(words) else str(grade)
    return f"grade {word}" if word.isdigit() else word


def tint(method: str) -> str:
    """A row's colour, the same on both sets."""
    return TINTS.get(method.removesuffix("_eyeq").removesuffix("_deepdrid"), INK)
