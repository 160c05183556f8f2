"""Pages of the site: executed notebooks made readable, all figures, all tables.

A notebook's page hides its code, shows its parameters once, and says in the alternative text of
each picture what the notebook says above it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import paths, repairs, store
from ..tables import table2_shown
from ..tables.text import as_text
from .steps import PlanError, Walk

MOST_ROWS = 60  # longer tables are named, not shown

Cell = dict[str, Any]

# style.save(drawing, "11_table2", NAME) or f"03_confusion-seed{SEED}"
SAVED = re.compile(r"style\.save\([^,]+,\s*f?\"([^\"]+)\"")

DIRECTIVE = re.compile(r"^([ \t>]*[`~:]{3,}[ \t]*)\{", re.M)  # of MyST: it could include a file


# ---------------------------------------------------------------- what is said above a cell
def source(cell: Cell) -> str:
    """A cell's text, however it is stored."""
    return "".join(cell["source"])


def plain(markdown: str) -> str:
    """Markdown as words: without marks, links and formulas' dollars.

    >>> plain("**Bold**, `code` and a [link](x.md): $x$")
    'Bold, code and a link: x'
    """
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"[*`$#]", "", words).split())


def said_above(cells: list[Cell]) -> Iterator[tuple[Cell, str]]:
    """Each code cell with the heading and the first sentence that stand above it in words."""
    heading, sentence = "", ""
    for cell in cells:
        if cell["cell_type"] != "markdown":
            yield cell, ". ".join(filter(None, [heading, sentence]))
            continue
        for line in source(cell).splitlines():
            if line.startswith("#"):
                heading, sentence = plain(line), ""
        text = plain("\n".join(x for x in source(cell).splitlines() if not x.startswith("#")))
        if not text.startswith("- "):
            sentence = re.split(r"(?<=[.?!])\s", text, maxsplit=1)[0]


def readable(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of an executed notebook as its page shows it: code behind a click, the parameters it
    ran with and not those it was written with, alternative texts of pictures."""
    out = json.loads(json.dumps(notebook))
    tags = [set(cell.get("metadata", {}).get("tags", ())) for cell in out["cells"]]
    injected = any("injected-parameters" in mine for mine in tags)
    out["cells"] = [
        cell
        for cell, mine in zip(out["cells"], tags, strict=True)
        if not (injected and "parameters" in mine)
    ]
    for cell, words in said_above(out["cells"]):
        if cell["cell_type"] == "code":
            facts = cell.setdefault("metadata", {})
            facts["tags"] = sorted({*facts.get("tags", ()), "hide-input"})
            facts["mystnb"] = {"image": {"alt": words}} if words else {}
            cell["outputs"] = joined(cell.get("outputs", ()))
            for output in cell["outputs"]:
                _without_directives(output.get("data", {}))
    return out


def joined(outputs: Sequence[Cell]) -> list[Cell]:
    """The outputs of a cell, lines that were printed one after another as one block.

    >>> lines = [{"output_type": "stream", "name": "stdout", "text": t} for t in ("a\\n", "b\\n")]
    >>> joined(lines)
    [{'output_type': 'stream', 'name': 'stdout', 'text': 'a\\nb\\n'}]
    """
    out: list[Cell] = []
    for one in outputs:
        last = out[-1] if out else {}
        if one["output_type"] == "stream" == last.get("output_type") and (
            one.get("name") == last.get("name")
        ):
            last["text"] = "".join([*last["text"], *one["text"]])
        else:
            out.append(dict(one))
    return out


def _without_directives(shown: dict[str, Any]) -> None:
    """What a cell shows is words: Sphinx does nothing that a name in it asks for."""
    if "text/markdown" in shown:
        shown["text/markdown"] = DIRECTIVE.sub(r"\1\{", "".join(shown["text/markdown"]))


def pages(walk: Walk) -> list[str]:
    """Names of the steps whose page can be shown: not those that failed, were cut off or did not
    run yet."""
    return [
        step.name
        for step in walk.steps
        if walk.manifest(step.name)
        and not walk.file(step.name, "journal").exists()
        and walk.executed(step.name).exists()
    ]


def notebook(file: Path) -> dict[str, Any]:
    """A notebook as it lies on disk. PlanError, naming the step to run again, for a damaged one."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as e:
        raise PlanError(f"{paths.shown(file)}: damaged ({e}); {repairs.advice(file)}") from e


def title(cells: list[Cell]) -> str:
    """The first first-level heading, "" where there is none: Sphinx needs one for its
    navigation."""
    texts = [source(cell) for cell in cells if cell["cell_type"] == "markdown"]
    headings = re.findall(r"^# (.+)$", "\n".join(texts), re.M)
    return plain(headings[0]) if headings else ""


# ---------------------------------------------------------------- all figures
def captions(walk: Walk) -> dict[str, str]:
    """{pattern of a figure's file name: what its notebook says above it}."""
    found = {}
    for name in pages(walk):
        for cell, words in said_above(notebook(walk.executed(name))["cells"]):
            for stem in SAVED.findall(source(cell)):
                parts = re.split(r"\{[^}]*\}", stem)
                found[".+".join(map(re.escape, parts))] = words
    return found


def caption(stem: str, known: Mapping[str, str]) -> str:
    """What a figure shows, in words; of one that no notebook speaks of, its file name's."""
    said = [words for pattern, words in known.items() if re.fullmatch(pattern, stem)]
    return said[0] if said and said[0] else stem.replace("_", " ")


def figure(picture: Path, words: str, source_folder: Path) -> str:
    """A figure of a page, a click away from its full size; copies it into the site's source."""
    folder = source_folder / "figures"
    folder.mkdir(exist_ok=True)
    shutil.copy(picture, folder / picture.name)
    alt = " ".join(words.split())
    return f":::{{figure}} figures/{picture.name}\n:alt: {alt}\n\n{as_text(alt)}\n:::\n"


def drawn(walk: Walk) -> list[Path]:
    """Every figure of the walk, by name."""
    return sorted((walk.home / "figures" / walk.name).glob("*.png"))


def all_figures(walk: Walk, source_folder: Path) -> str:
    """The page of all figures."""
    known = captions(walk)
    blocks = [figure(p, caption(p.stem, known), source_folder) for p in drawn(walk)]
    return "# All figures\n\n" + ("\n".join(blocks) or "None yet.\n")


# ---------------------------------------------------------------- all tables
def all_tables(walk: Walk) -> str:
    """The page of all tables that a reader may want; the others, and long ones, are named."""
    blocks, long = [], []
    for file in sorted((walk.folder / "tables").glob("*.csv")):
        if file.stem.startswith("runs-"):  # lists of run folders, for the code
            continue
        frame = store.read_table(file)
        if len(frame) > MOST_ROWS:
            long.append(f"{as_text(walk.shown(file))} ({len(frame):,} rows)")
            continue
        blocks.append(f"## {as_text(file.stem.replace('_', ' '))}\n\n{shown(file, frame)}")
    text = "# All tables\n\n" + ("\n".join(blocks) or "None yet.\n")
    return text + (f"\nLonger tables: {', '.join(long)}.\n" if long else "")


def shown(file: Path, frame: Any) -> str:
    """A table of a page; Table 2 in its own form. Wide ones scroll."""
    if file.stem == "table2" and "published_mae" in frame:
        return f"::::{{container}} scrolls\n{table2_shown.show_table(frame)}\n::::\n"
    rows = frame.to_html(index=False, border=0, float_format="%.4g", na_rep="")
    rows = rows.replace("`", "&#96;")  # or a cell could end the block that it stands in
    return f'```{{raw}} html\n<div class="scrolls">{rows}</div>\n```\n'
