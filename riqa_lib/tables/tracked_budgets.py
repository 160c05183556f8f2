"""Tables of label budgets that are tracked: results/reference/budgets.csv of simulated photographs,
and one folder below it for each real data set, with the facts about their runs beside them. Only
aggregates are kept: no prediction, no file name, no picture's score."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePath

import pandas as pd

from .. import paths, store
from . import stored
from .budget_verdicts import beside_selected, findings, show_grid, show_table
from .error_against_labels import (
    LAST,
    NOTEBOOK,
    SELECTED,
    budgets_of,
    listed,
    load,
    measured,
    place,
)
from .names import REFERENCE
from .text import as_text, kind_of

FACTS = "budgets.json"  # beside the table; written last

OF_THE_LAST_STEP = (
    "**With the weights of the last step**, which no validation picture selects (methods are often "
    "compared so):"
)


def collect_budgets(name: str, folder: str = "", without: Collection[str] = ()) -> Path:
    """Keep the tables of the walk `name`, of selected and of last weights, in results/reference, or
    in a folder below it ("biq2021"); returns the first one's file. The facts go first and come back
    last: a half-written table is never read. without: ids of test pictures that don't count, being
    near-copies of pictures that were learnt from (`riqa check` finds them).

    Raises as `error_against_labels.measured`, and ValueError for a folder that is a path, or real
    photographs without one: results/reference itself holds the simulated ones."""
    if folder != PurePath(folder).name:
        raise ValueError(f"folder {folder!r}: expected one name, such as biq2021")
    tables = {w: measured(name, weights=w, without=without) for w in (SELECTED, LAST)}
    facts = about(name) | {"left_out": len({*without})}
    if not folder and not facts["simulated"]:
        raise ValueError(f"{name} has real photographs: name a folder for them, such as biq2021")
    file = place(f"{REFERENCE}/{folder}")
    (file.parent / FACTS).unlink(missing_ok=True)
    for weights, table in tables.items():
        store.write_table(place(f"{REFERENCE}/{folder}", weights), table)
    store.write_json(file.parent / FACTS, facts)
    return file


def left_out(file: Path) -> list[str]:
    """The ids in a CSV's column `id`. ValueError, naming the file, where it has none."""
    table = store.read_table(file)
    if "id" not in table:
        raise ValueError(f"{paths.shown(file)}: no column id; found {', '.join(table)}")
    return table["id"].astype(str).tolist()


def belongs(name: str) -> bool:
    """Whether a walk has label budgets, of simulated photographs: what `riqa collect` keeps by
    itself."""
    folder = paths.results(name)
    lists = any((folder / "tables").glob("budgets-*.csv"))
    return lists and bool(store.read_json(folder / "data" / "dataset.json")["simulated"])


def about(name: str) -> dict[str, object]:
    """What the table of a walk comes from: the data's name (never a path), size, pictures by split
    and, of the graded ones, by source; runs, seeds, minutes, machine, software."""
    data = paths.results(name) / "data"
    info, frame = store.read_json(data / "dataset.json"), store.read_table(data / "frame.csv")
    graded = frame[frame["grade"] >= 0]
    sources = graded["source"] if "source" in graded else graded["split"].iloc[:0]
    return {
        "name": PurePath(str(info["name"])).name,
        "simulated": bool(info["simulated"]),
        "size": info["size"],
        "splits": {k: int(n) for k, n in frame["split"].value_counts().sort_index().items()},
        "sources": {str(k): int(n) for k, n in sources.value_counts().sort_index().items()},
    } | stored.summed_up(listed(name))


def tracked(folder: str = "") -> bool:
    """Whether a finished table is there."""
    return (place(f"{REFERENCE}/{folder}").parent / FACTS).exists()


def provenance_line(name: str) -> str:
    """One line: which data, which commit, which software; of a tracked table, of its runs."""
    if name.partition("/")[0] == REFERENCE:
        return _source(store.read_json(store.need(place(name).parent / FACTS, NOTEBOOK)))
    return stored.provenance_line(store.read_json(paths.results(name) / "data" / "dataset.json"))


def _source(facts: Mapping) -> str:
    splits = ", ".join(f"{split} {n:,}" for split, n in facts["splits"].items())
    name, left_out = as_text(facts["name"]), facts.get("left_out", 0)
    near = f" {left_out:,} test pictures, near-copies of others, don't count;" if left_out else ""
    return (
        f"{kind_of(facts['simulated'])} ({name}, {facts['size']} px; {splits});{near} "
        f"{facts['runs']} runs, {len(facts['seeds'])} seeds, {facts['minutes']:.0f} minutes of "
        f"training in all; {facts['machine']}; torch {facts['torch']}; commit {facts['commit']}."
    )


# ---------------------------------------------------------------- README
BLOCKS = {"budgets": "", "biq2021": "biq2021"}  # block of the README: its folder


def blocks() -> dict[str, str]:
    """The README's blocks of label budgets."""
    return {name: block(folder) for name, folder in BLOCKS.items()}


def block(folder: str) -> str:
    """What a tracked table says: words, the grid against the rows' own controls, the numbers of
    100 and 300 labels, where it comes from; a line that says how to make it where there is
    none."""
    if not tracked(folder):
        more = f" --folder {folder}" if folder else ""
        return f"No label budgets are tracked yet: `riqa collect WALK --budgets{more}`."
    name = f"{REFERENCE}/{folder}"
    table = load(name)
    parts = [findings(table), show_grid(table, "control"), show_table(table, _shown(table))]
    if place(name, LAST).exists():
        last = load(name, LAST)
        said = f"{findings(last)}\n{beside_selected(table, last)}"
        parts.insert(1, f"{OF_THE_LAST_STEP}\n\n{said}")
    return "\n\n".join(part.strip() for part in [*parts, provenance_line(name)])


def _shown(table: pd.DataFrame) -> list[int]:
    """100 and 300 labels where they are there, else all numbers."""
    return [n for n in budgets_of(table) if n in (100, 300)] or budgets_of(table)
