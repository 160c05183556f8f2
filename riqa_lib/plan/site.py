"""The browsable site of a walk: an overview, then a page per executed notebook, one of all figures
and one of all tables.

Sphinx, myst-nb and sphinx-book-theme with the settings in docs/; equations become MathML. It reads
nothing from the network, neither while it is built nor while it is read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .. import bars, paths
from . import site_front, site_pages
from .steps import Walk

# what Sphinx says while it works: "writing output... [ 50%] 03_vit_supervised"
AT = re.compile(r"^(?P<what>[a-z ]+)\.\.\. \[ *(?P<share>\d+)%\]")


def write_source(walk: Walk, source: Path) -> None:
    """Fill a copy of docs/ with what the walk has: its first page and all others."""
    page = (source / "index.md").read_text(encoding="utf-8")
    parts = {
        "name": walk.name,
        "data": site_front.data(walk),
        "findings": site_front.came_out(),
        "figures": site_front.figures(walk, source),
        "tables": site_front.tables(walk),
        "notebooks": site_front.notebooks(walk),
        "contents": site_front.contents(walk),
    }
    for name, text in parts.items():
        page = page.replace(f"<!-- {name} -->", text)
    (source / "index.md").write_text(page, encoding="utf-8")
    more = {
        "all-figures.md": site_pages.all_figures(walk, source),
        "all-tables.md": site_pages.all_tables(walk),
        "house.md": site_front.house(walk, source),
    }
    for file, text in more.items():
        (source / file).write_text(text, encoding="utf-8")
    site_front.copy_pages(walk, source)


def sphinx(source: Path, made: Path, doctrees: Path) -> None:
    """Build it, with progress; RuntimeError with Sphinx's words if it fails."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-d", str(doctrees)]
    running = subprocess.Popen(
        [*command, str(source), str(made)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    said, step = [], ""
    bar_format = "the site: {desc} {percentage:3.0f}% |{bar}| {elapsed}"
    with bars.bar(total=100, bar_format=bar_format) as bar:
        for line in running.stdout or ():
            for part in line.replace("\r", "\n").splitlines():
                if at := AT.match(re.sub(r"\x1b\[[0-9;]*m", "", part)):
                    if step != at["what"]:
                        step, bar.n = at["what"], 0
                        bar.set_description_str(step)
                    bar.n = int(at["share"])
                    bar.refresh()
                else:
                    said.append(part)
    # of an unknown directive Sphinx only warns, and leaves a hole
    holes = [line for line in said if "ERROR: " in line or "directive_unknown" in line]
    if running.wait() or holes:
        words = "\n".join(said).strip()[-2000:]
        raise RuntimeError(f"the site was not built: {words}")


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
        write_source(walk, source)
        sphinx(source, made, Path(folder, "doctrees"))
        site = walk.folder / "site"
        if site.exists():
            site.rename(Path(folder, "old"))
        made.rename(site)
    return site / "index.html"
