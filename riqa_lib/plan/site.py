"""The browsable site of a walk: its figures and tables on the first page, then one page per
executed notebook.

Sphinx, myst-nb and sphinx-book-theme with the settings in docs/; equations become MathML. It reads
nothing from the network, neither while it is built nor while it is read."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .. import paths, store
from ..figures import architecture, style
from ..tables import table2
from .steps import Walk

MOST_ROWS = 60  # longer tables are named, not shown


def simulated(folder: Path) -> dict[str, bool]:
    """{name of data set: simulated} for every dataset.json one or two levels below `folder`."""
    found = {}
    for file in sorted([*folder.glob("*/dataset.json"), *folder.glob("*/*/dataset.json")]):
        info = store.read_json(file)
        found[str(info.get("name", file.parent.name))] = bool(info.get("simulated"))
    return found


def _data(walk: Walk) -> str:
    sets = simulated(walk.folder)
    made = [name for name, yes in sets.items() if yes]
    real = [name for name, yes in sets.items() if not yes]
    text = ""
    if made:
        text += (
            f":::{{important}}\n**Simulated data** ({', '.join(made)}): these pages show the "
            "machinery and its uncertainty, not findings about photographs.\n:::\n"
        )
    return text + (f"Photographs: {', '.join(real)}.\n" if real else "")


def _main(stem: str) -> bool:
    """Whether a file holds the table that the paper is about, which stands first."""
    return "table2" in stem


def _figures(walk: Walk, source: Path) -> str:
    pictures = sorted(
        (walk.home / "figures" / walk.name).glob("*.png"), key=lambda f: (not _main(f.stem), f.stem)
    )
    (source / "figures").mkdir()
    blocks = []
    for picture in pictures:
        shutil.copy(picture, source / "figures" / picture.name)
        words = picture.stem.replace("_", " ")
        blocks.append(f":::{{figure}} figures/{picture.name}\n:alt: {words}\n\n{words}\n:::\n")
    return "## Figures\n\n" + "\n".join(blocks) if blocks else ""


def _tables(walk: Walk) -> str:
    blocks, long = [], []
    for file in sorted(
        (walk.folder / "tables").glob("*.csv"), key=lambda f: (not _main(f.stem), f.stem)
    ):
        if file.stem.startswith("runs-"):  # lists of run folders, for the code
            continue
        frame = store.read_table(file)
        if _main(file.stem) and "published_mae" in frame:
            blocks.append(f"### {file.stem}\n\n{table2.show_table(frame)}")
            continue
        if len(frame) > MOST_ROWS:
            long.append(f"`{walk.shown(file)}` ({len(frame):,} rows)")
            continue
        shown = frame.to_html(index=False, border=0, float_format="%.4g", na_rep="")
        title = html.escape(file.stem.replace("_", " "))
        blocks.append(f'### {title}\n\n```{{raw}} html\n<div class="table">{shown}</div>\n```\n')
    text = "## Tables\n\n" + "\n".join(blocks) if blocks else ""
    return text + (f"\nLonger tables: {', '.join(long)}.\n" if long else "")


def _house(source: Path) -> str:
    """How the library is built, drawn from its imports as they are now."""
    figure = architecture.house(architecture.arrows(), architecture.rooms())
    with style.sheet():
        figure.savefig(source / "figures" / "architecture.png")
    words = "The packages of riqa_lib by floor; arrows are imports, and point down."
    return f":::{{figure}} figures/architecture.png\n:alt: {words}\n\n{words}\n:::\n"


def _title(notebook: Path) -> bool:
    """Whether a notebook has a first-level heading, which Sphinx needs for its navigation."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(c["source"]) + "\n" for c in cells if c["cell_type"] == "markdown")
    return any(line.startswith("# ") for line in text.splitlines())


def _pages(walk: Walk, source: Path) -> str:
    names = []
    for step in walk.steps:
        copy = walk.executed(step.name)
        if (
            not walk.manifest(step.name)
            or walk.file(step.name, "journal").exists()
            or not copy.exists()
        ):
            continue  # failed, cut off or not run yet
        shutil.copy(copy, source / copy.name)
        names.append(step.name if _title(copy) else f"{step.name} <{step.name}>")
    return (
        "\n".join(["```{toctree}", ":maxdepth: 1", ":caption: Notebooks", "", *names, "```"])
        if names
        else ""
    )


def build(walk: Walk, docs: Path = paths.ROOT / "docs") -> Path:
    """Make results/<name>/site from what the walk has finished; returns its index.html.

    The old site is replaced at once when the new one is whole. Raises RuntimeError with Sphinx's
    words if it fails."""
    walk.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".site-", dir=walk.folder, ignore_cleanup_errors=True
    ) as folder:
        source, made = Path(folder, "source"), Path(folder, "site")
        shutil.copytree(docs, source, ignore=shutil.ignore_patterns("_build"))
        page = (source / "index.md").read_text(encoding="utf-8")
        parts = {"data": _data(walk), "figures": _figures(walk, source), "tables": _tables(walk)}
        parts["house"] = _house(source)
        for name, text in (parts | {"pages": _pages(walk, source), "name": walk.name}).items():
            page = page.replace(f"<!-- {name} -->", text)
        (source / "index.md").write_text(page, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-b",
            "html",
            "-d",
            str(Path(folder, "doctrees")),
        ]
        said = subprocess.run([*command, str(source), str(made)], capture_output=True, text=True)
        if said.returncode:
            raise RuntimeError(f"the site was not built: {said.stderr.strip()[-2000:]}")
        site = walk.folder / "site"
        if site.exists():
            site.rename(Path(folder, "old"))
        made.rename(site)
    return site / "index.html"
