"""The house of the code, drawn from its imports: packages as boxes, the higher the more they stand
on, arrows from who imports to what is imported.

    figure = architecture.house(architecture.arrows(), architecture.rooms())
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .. import house as code
from ..checks import columns
from ..house import LIBRARY
from . import style

COLUMNS = 5  # boxes that a floor has room for


# Where a package stands, of COLUMNS; others take what is left of their floor, from the left
PLACES = {
    "stats": 1,
    "datasets": 1,
    "tables": 1,
    "figures": 1,
    "plan": 0,
    "sim": 2.5,
    "pictures": 2.5,
    "labelling": 2.8,
    "networks": 4,
    "ssl": 4,
    "training": 3.8,
    "assess": 2.75,
    "pages": 1.6,
    "panels": 2.75,
    "__main__": 0.4,
}


# What a package may load, so what colour its box has
KINDS = {
    "the ground": (style.PALE, ()),
    "tables: pandas, never pictures or networks": (
        "#cfe3f1",
        ("stats", "datasets", "tables", "figures"),
    ),
    "pictures: Pillow and scikit-image": ("#d3ece2", ("sim", "pictures", "labelling")),
    "networks: PyTorch": ("#fbe6c3", ("networks", "ssl", "training", "assess", "pages", "panels")),
    "commands: the plan and the command line": ("#ececec", ("plan", "__main__")),
}


HEIGHT, WIDTH, RISE = 0.42, 1.5, 0.66  # of a box, and from floor to floor, in inches


UPWARD = style.RED  # the warning colour: an import that should not be


class Box(NamedTuple):
    """Where a package is drawn: middle, width and height, in inches."""

    x: float
    y: float
    width: float
    height: float


GROUND = Box(4.5, 0.2, 8.6, HEIGHT)


# ---------------------------------------------------------------- tables
def arrows(library: Path = LIBRARY) -> pd.DataFrame:
    """Who imports whom: package, imports, count (pairs of one module of the one and one module of
    the other). Modules of the library's own folder count as packages; imports within a package are
    left out.

    >>> found = arrows()
    >>> {"tables", "stats"} <= set(found.loc[found["package"] == "figures", "imports"])
    True
    """
    modules = code.modules(library)
    pairs = [
        (name.split(".")[0], other.split(".")[0])
        for name, file in modules.items()
        for other in code.imports(file, library, modules)[1]
    ]
    found = pd.DataFrame(pairs, columns=["package", "imports"])
    found = found[found["package"] != found["imports"]]
    return found.value_counts().rename("count").reset_index().sort_values(["package", "imports"])


def rooms(library: Path = LIBRARY, floors: Mapping[str, int] = code.FLOORS) -> pd.DataFrame:
    """The packages: package, floor, modules, lines (of all its files)."""
    rows = [
        (name.split(".")[0], not name.endswith("__init__"), len(file.read_text().splitlines()))
        for name, file in code.modules(library).items()
        if name != "__init__"
    ]
    found = pd.DataFrame(rows, columns=["package", "modules", "lines"])
    found = found.groupby("package", as_index=False).sum()
    return found.assign(floor=found["package"].map(floors)).astype({"floor": int})


def upward(arrows: pd.DataFrame, rooms: pd.DataFrame) -> pd.Series:
    """Which arrows point to a floor above: bool, a row of `arrows` each."""
    floor = rooms.set_index("package")["floor"]
    return arrows["imports"].map(floor) > arrows["package"].map(floor)


def implied(arrows: pd.DataFrame) -> pd.Series:
    """Which arrows say nothing new, since what is imported is also reached through others: bool."""
    to = arrows.groupby("package")["imports"].agg(set).to_dict()

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        queue = [start]
        while queue:
            new = to.get(queue.pop(), set()) - seen
            seen |= new
            queue += new
        return seen

    return pd.Series(
        [
            any(b in reached(other) for other in to[a] - {b})
            for a, b in zip(arrows["package"], arrows["imports"], strict=True)
        ],
        arrows.index,
        dtype=bool,
    )


def levels(arrows: pd.DataFrame, rooms: pd.DataFrame) -> dict[str, int]:
    """How high each package is drawn: 0 the ground (floor 0), else one above the highest it
    imports. Arrows that point up don't count."""
    down = arrows[~upward(arrows, rooms)]
    to = down.groupby("package")["imports"].agg(list).to_dict()
    found: dict[str, int] = {}
    # within a floor, in which imports don't go round, what is imported comes first
    for _ in rooms["package"]:
        for room in rooms.itertuples():
            below = [found.get(other, 0) for other in to.get(room.package, [])]
            found[room.package] = 0 if room.floor == 0 else 1 + max(below, default=0)
    return found


# ---------------------------------------------------------------- the figure
def house(arrows: pd.DataFrame, rooms: pd.DataFrame) -> Figure:
    """The packages from the ground up, with arrows to what they import: dark ones to what they
    stand on directly, pale ones to what they also reach through others, thick ones for many
    modules. An arrow that points up is drawn in the warning colour. Every package may stand on the
    ground, so no arrow leads there. arrows, rooms: as `arrows` and `rooms` give them."""
    columns(arrows, ["package", "imports", "count"], "arrows")
    columns(rooms, ["package", "floor", "modules", "lines"], "rooms")
    level = levels(arrows, rooms)
    wrong = upward(arrows, rooms)
    ground = set(rooms.loc[rooms["floor"] == 0, "package"])
    shown = arrows[~arrows["imports"].isin(ground) | wrong]
    with style.sheet():
        figure = style.canvas(9.0, 6.2, simulated=None)
        ax = figure.subplots()
        boxes = _boxes(level, ground)
        ax.set(xlim=(0, 9), ylim=(-0.1, max(box.y for box in boxes.values()) + 0.45))
        ax.axis("off")
        far = implied(shown[~wrong[shown.index]]).reindex(shown.index, fill_value=False)
        for index, row in shown.sort_values("count").iterrows():
            start, end = boxes[row["package"]], boxes[row["imports"]]
            _arrow(ax, start, end, row["count"], far=far[index], wrong=wrong[index])
        _ground(ax, rooms[rooms["package"].isin(ground)])
        for room in rooms[~rooms["package"].isin(ground)].to_dict("records"):
            _room(ax, boxes[room["package"]], room)
        _key(figure, ax, bool(wrong.any()))
    return figure


def _boxes(level: Mapping[str, int], ground: set[str]) -> dict[str, Box]:
    """A box for each package; those of the ground share one."""
    boxes = dict.fromkeys(ground, GROUND)
    for height in sorted({*level.values()} - {0}):
        here = sorted(name for name, at in level.items() if at == height and name not in ground)
        taken = {PLACES[name] for name in here if name in PLACES}
        free = (k for k in range(max(COLUMNS, len(here))) if k not in taken)
        for name in here:
            place = PLACES[name] if name in PLACES else next(free)
            boxes[name] = Box(0.95 + 1.78 * place, 0.2 + RISE * height, WIDTH, HEIGHT)
    return boxes


def _patch(ax: Axes, box: Box, tint: str) -> None:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    round_ = "round,pad=0,rounding_size=0.06"
    ax.add_patch(
        FancyBboxPatch(
            corner,
            box.width,
            box.height,
            boxstyle=round_,
            facecolor=tint,
            edgecolor=style.INK,
            linewidth=0.8,
            zorder=3,
        )
    )


def _words(ax: Axes, box: Box, name: str, size: str) -> None:
    look: Any = {"ha": "center", "va": "center", "zorder": 4}
    ax.text(box.x, box.y + 0.09, name, fontweight="bold", **look)
    ax.text(box.x, box.y - 0.11, size, fontsize=7.5, **look)


def _room(ax: Axes, box: Box, room: Mapping[Any, Any]) -> None:
    name = room["package"]
    tint = next((tint for tint, names in KINDS.values() if name in names), "white")
    _patch(ax, box, tint)
    words = "riqa (commands)" if name == "__main__" else name
    modules = "1 module" if room["modules"] == 1 else f"{room['modules']} modules"
    _words(ax, box, words, f"{modules}, {room['lines']:,} lines")


def _ground(ax: Axes, rooms: pd.DataFrame) -> None:
    if rooms.empty:
        return
    box = GROUND
    _patch(ax, box, style.PALE)
    size = (
        f"the ground, on which all may stand: {len(rooms)} modules, {rooms['lines'].sum():,} lines"
    )
    _words(ax, box, "  ".join(sorted(rooms["package"])), size)


def _arrow(ax: Axes, start: Box, end: Box, count: int, *, far: bool, wrong: bool) -> None:
    """From the foot of who imports to the head of what is imported; the other way round where it
    points up."""
    tint = UPWARD if wrong else style.PALE if far else style.INK
    side = 1 if end.y < start.y else -1
    lean = 0.25 * max(-1, min(1, (end.x - start.x) / 2))
    ax.add_patch(
        FancyArrowPatch(
            (start.x + lean * start.width, start.y - side * start.height / 2),
            (end.x - lean * end.width, end.y + side * end.height / 2),
            arrowstyle="-|>",
            mutation_scale=9,
            shrinkA=0,
            shrinkB=0,
            linewidth=0.8 + 0.35 * math.log2(count),
            color=tint,
            zorder=2.5 if wrong else 1.5 if far else 2,
        )
    )


def _key(figure: Figure, ax: Axes, wrong: bool) -> None:
    for words, (tint, _) in KINDS.items():
        ax.fill([], [], facecolor=tint, edgecolor=style.INK, linewidth=0.8, label=words)
    ax.plot([], [], color=style.INK, label="imports")
    ax.plot([], [], color=style.PALE, label="imports, also reached through others")
    if wrong:
        ax.plot([], [], color=UPWARD, label="imports from above: wrong")
    style.legend_below(figure, ax, 3)
