"""The site's first page: what it is, what came out, the figures and tables to look at first, the
notebooks with what each asks. Everything else is a page of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from .. import paths, store
from ..figures import architecture, style, timeline
from ..tables import fundus_grades, notebook_map, table2_shown
from ..tables.text import as_text
from . import site_pages
from .steps import Walk

# The figures that stand first, of those that the walk has
FIRST = (
    "11_table2",
    "21_error_against_labels",
    "12_predicted_against_true",
    "16_multi_v_single",
)

FUNDUS = {"overall_eyeq": "eyeq", "overall_deepdrid": "deepdrid"}  # table: its set


def simulated(folder: Path) -> dict[str, bool]:
    """{name of data set: simulated} for every dataset.json one or two levels below `folder`."""
    found = {}
    for file in sorted([*folder.glob("*/dataset.json"), *folder.glob("*/*/dataset.json")]):
        info = store.read_json(file)
        found[str(info.get("name", file.parent.name))] = bool(info.get("simulated"))
    return found


def data(walk: Walk) -> str:
    """Which data the walk is of; simulated ones in a box."""
    sets = simulated(walk.folder)
    made = [as_text(name) for name, yes in sets.items() if yes]
    real = [as_text(name) for name, yes in sets.items() if not yes]
    text = ""
    if made:
        text += (
            f":::{{important}}\n**Simulated data** ({', '.join(made)}): these pages show the "
            "machinery and its uncertainty, not findings about photographs.\n:::\n"
        )
    return text + (f"Photographs: {', '.join(real)}.\n" if real else "")


def figures(walk: Walk, source: Path) -> str:
    """The figures that stand first, each with what its notebook says of it."""
    there = {p.stem: p for p in site_pages.drawn(walk)}
    known = site_pages.captions(walk)
    blocks = [
        site_pages.figure(there[stem], site_pages.caption(stem, known), source)
        for stem in FIRST
        if stem in there
    ]
    return "\n".join(blocks)


def tables(walk: Walk) -> str:
    """Both papers' tables, where the walk has them; they scroll sideways in their frame."""
    folder, blocks = walk.folder / "tables", []
    if (folder / "table2.csv").exists():
        frame = store.read_table(folder / "table2.csv")
        blocks.append(("Photographs: Table 2", table2_shown.show_table(frame)))
    made = any(simulated(walk.folder).values())
    for stem, which in FUNDUS.items():
        if (folder / f"{stem}.csv").exists():
            frame = store.read_table(folder / f"{stem}.csv")
            words = fundus_grades.show_overall(frame, which, made)
            blocks.append((f"Fundus photographs: overall grade, {which}", words))
    return "\n".join(
        f"### {head}\n\n::::{{container}} scrolls\n{text}\n::::\n" for head, text in blocks
    )


def house(walk: Walk, source: Path) -> str:
    """The page of how the library is built, drawn from its imports as they are now, and of how the
    walk ran."""
    drawing = architecture.house(architecture.arrows(), architecture.rooms())
    (source / "figures").mkdir(exist_ok=True)
    with style.sheet():
        drawing.savefig(source / "figures" / "architecture.png")
    words = "The packages of riqa_lib by floor; arrows are imports, and point down."
    shown = f":::{{figure}} figures/architecture.png\n:alt: {words}\n\n{words}\n:::\n"
    return f"# How it is built\n\n{shown}\n{how_it_ran(walk, source)}"


def how_it_ran(walk: Walk, source: Path) -> str:
    """Which notebook ran when, and beside which: of the steps whose record says so."""
    known = (store.read_json(file) for file in sorted((walk.folder / "steps").glob("*.json")))
    steps = pd.DataFrame([k for k in known if {"ended", "worker"} <= {*k}])
    if steps.empty:
        return ""
    drawing = timeline.timeline(steps)
    with style.sheet():
        drawing.savefig(source / "figures" / "timeline.png")
    words = timeline.sentence(steps)
    return (
        "## How this one ran\n\n"
        f":::{{figure}} figures/timeline.png\n:alt: {words}\n\n{words}\n:::\n"
    )


def notebooks(walk: Walk) -> str:
    """The notebooks that have a page, each with what it asks."""
    lines = [":::{container} many", "", "| notebook | what it asks |", "|---|---|"]
    for name in site_pages.pages(walk):
        try:
            facts = notebook_map.card(walk.notebooks / walk[name].notebook)
            asked = facts["question"].replace("|", "\\|")
            head = facts["title"].replace("|", "\\|")
        except ValueError:  # a notebook without the card: named all the same
            head, asked = name, ""
        seed = f", seed {name.rpartition('-seed')[2]}" if "-seed" in name else ""
        lines.append(f"| [{head}{seed}]({name}.ipynb) | {asked} |")
    return "\n".join([*lines, "", ":::", ""])


def contents(walk: Walk) -> str:
    """Sphinx's list of pages."""
    names = []
    for name in site_pages.pages(walk):
        cells = site_pages.notebook(walk.executed(name))["cells"]
        names.append(name if site_pages.title(cells) else f"{name} <{name}>")
    more = ["all-figures", "all-tables", "house"]
    parts = [("Notebooks", names), ("More", more)]
    return "\n\n".join(
        "\n".join(["```{toctree}", ":hidden:", ":maxdepth: 1", f":caption: {head}", "", *of, "```"])
        for head, of in parts
        if of
    )


def copy_pages(walk: Walk, source: Path) -> None:
    """Executed notebooks, made readable, into the site's source."""
    for name in site_pages.pages(walk):
        shown = site_pages.readable(site_pages.notebook(walk.executed(name)))
        (source / f"{name}.ipynb").write_text(json.dumps(shown), encoding="utf-8")


def came_out() -> str:
    """What the tracked reference says, in sentences made by code; nothing where none is tracked."""
    from ..tables import headlines

    if not (paths.reference() / "table2.csv").exists():
        return ""
    return f"## What came out, in the tracked reference results\n\n{headlines.findings()}"
