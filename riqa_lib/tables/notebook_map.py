"""The map of the notebooks, read from their own first cells, in the order of the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import paths

CARD = {"question": "Question", "item": "Paper item", "time": "Time"}  # column: its word on a card


def card(notebook: Path) -> dict[str, str]:
    """Title, question, item of the paper and time of a notebook, from its first cell.

    Raises ValueError, naming the file and the word, where the cell has no such line."""
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]
    text = "".join(first["source"])
    facts = {"notebook": notebook.stem, "title": text.splitlines()[0].lstrip("# ")}
    for column, word in CARD.items():
        found = re.search(rf"^- \*\*{word}\*\* (.*)$", text, re.M)
        if not found:
            raise ValueError(f"{notebook.name}: its first cell has no line '- **{word}** ...'")
        facts[column] = found[1]
    return facts


def notebook_map(steps: Sequence[str] = (), folder: Path | None = None) -> pd.DataFrame:
    """One row a notebook: notebook, title, question, item, time.

    steps: names of the plan's steps, in its order (one notebook may be several); empty: every
    numbered notebook of the folder. Raises FileNotFoundError for a step without a notebook.

    >>> list(notebook_map(["04_fixmatch"])["title"])
    ['FixMatch']
    """
    folder = folder or paths.ROOT / "notebooks"
    names = list(dict.fromkeys(step.split("-seed")[0] for step in steps))
    names = names or sorted(p.stem for p in folder.glob("[0-9]*.ipynb"))
    if gone := [name for name in names if not (folder / f"{name}.ipynb").exists()]:
        raise FileNotFoundError(f"{paths.shown(folder)}: no notebook {', '.join(gone)}")
    return pd.DataFrame([card(folder / f"{name}.ipynb") for name in names])


def show_map(table: pd.DataFrame) -> str:
    """The map as Markdown, each notebook a link to its page beside this one."""
    rows = ["| notebook | what it asks | item of the papers | time |", "|---|---|---|---|"]
    for row in table.itertuples():
        link = f"[{row.notebook}]({row.notebook}.ipynb)"
        rows.append(f"| {link} | {row.question} | {row.item} | {row.time} |")
    return "\n".join(rows)
