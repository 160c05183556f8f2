"""The site: what its pages say, and how they look in a browser."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browsers import browser_file
from PIL import Image
from planted import EVIL, NAME, TAG, Page, wrong

import run_all
from riqa_lib.figures import style
from riqa_lib.plan import site, site_front, site_pages
from riqa_lib.plan.steps import Step, Walk
from riqa_lib.tables.text import markdown

HIGH = 6000  # px, the most that the first page may have


def png(height: int, width: int, value: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def text(words: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": words}


def code(words: str, tags: tuple[str, ...] = (), picture: bytes = b"", markdown: str = "") -> dict:
    shown = {"image/png": base64.b64encode(picture).decode()} if picture else {}
    shown |= {"text/markdown": markdown} if markdown else {}
    facts = {"image/png": style.Drawing(figsize=(4, 2))._repr_png_()[1]} if picture else {}
    output = {"output_type": "display_data", "data": shown, "metadata": facts}
    return {
        "cell_type": "code",
        "metadata": {"tags": [*tags]},
        "source": words,
        "outputs": [output] if shown else [],
        "execution_count": 1,
    }


CARD = (
    "# Errors\n- **Question** How large | small are they?\n- **Reads** x\n"
    "- **Paper item** Table 2\n- **Time** none"
)


LONG = "worse; MAE not below statistics + forest, ridge on frozen maps"
METRICS = ["**0.53 [0.50, 0.56]**", *["−0.02 [−0.04, −0.01]"] * 5]
WIDEST = [  # tables of notebook 11: a row's name and six intervals; words
    markdown(["", *["macro-MAE ↓"] * 6], [["ViT, supervised, as many pictures", *METRICS]] * 3),
    markdown(
        ["", "MAE", "verdict", "data"],
        [["ViT", f"{METRICS[1]}; 160 (53)", LONG, "real"]],
        (0, 2, 3),
    ),
    markdown(["claim", "verdict"], [[str(k), "undecided"] for k in range(80)], (0, 1)),
]


CELLS = [
    text(CARD),
    code("SEED = 0", ("parameters",)),
    code("SEED = 7", ("injected-parameters",)),
    text("## Against labels\nMore labels, *smaller* errors. The rest is silence: $x^2$."),
    code('style.save(drawing, f"01_errors-seed{SEED}", NAME)\ndrawing', (), png(320, 640)),
    *(code("show()", markdown=table) for table in WIDEST),
    text("$$" + r"a_1 + a_2 + " * 60 + "a_3$$"),
]


def planted() -> list[dict]:
    """Cells that show a name which looks like markup in every way in which a cell can show one;
    HTML is shown as pandas makes it."""
    frame = pd.DataFrame({EVIL: [EVIL]}, index=[EVIL])
    html = {"text/html": frame._repr_html_(), "text/plain": str(frame)}
    shown = [html, {"text/plain": EVIL}]
    # of a function that forgot that a name is text: no tag gets through, whoever wrote it
    shown += [{"text/markdown": f"a {EVIL}", "text/plain": ""}]
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in shown]
    outputs += [{"output_type": "stream", "name": "stdout", "text": EVIL}]
    wrong = {"ename": TAG, "evalue": EVIL, "traceback": [EVIL]}
    outputs += [{"output_type": "error", **wrong}]
    return [text("# Planted\n\n## What is said above"), code("1") | {"outputs": outputs}]


def a_walk(folder: Path) -> Walk:
    """A finished walk of two notebooks, the second of which failed, with a wide table and figures;
    nothing was run."""
    names = ("01_errors", "02_gone", "03_planted")
    steps = tuple(Step(name, f"{name}.ipynb") for name in names)
    walk = Walk(steps, "toy", folder / "notebooks", folder / "home")
    whole = {"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    for place in (walk.notebooks, walk.folder / "executed", walk.folder / "steps"):
        place.mkdir(parents=True)
    for name in names:
        its = whole | ({"cells": planted()} if name == "03_planted" else {})
        (walk.notebooks / f"{name}.ipynb").write_text(json.dumps(whole))
        walk.executed(name).write_text(json.dumps(its))
    for name in ("01_errors", "03_planted"):
        walk.file(name, "json").write_text('{"components": {}, "outputs": {}}')
    (walk.folder / "data").mkdir()
    (walk.folder / "data/dataset.json").write_text('{"name": "koka<b>", "simulated": true}')
    (walk.folder / "tables").mkdir()
    wide = pd.DataFrame({f"a rather long column {k}": [14.0] for k in range(20)})
    wide.to_csv(walk.folder / "tables/wide.csv", index=False)
    pd.DataFrame({"k": range(99)}).to_csv(walk.folder / "tables/long.csv", index=False)
    (walk.folder / "fundus/x").mkdir(parents=True)
    (walk.folder / "fundus/x/dataset.json").write_text(json.dumps({"name": EVIL}))
    pd.DataFrame({EVIL: [EVIL]}).to_csv(walk.folder / f"tables/{NAME}.csv", index=False)
    pd.DataFrame({"k": [1]}).to_csv(walk.folder / "tables/runs-a-seed0.csv", index=False)
    figures = walk.home / "figures/toy"
    figures.mkdir(parents=True)
    for name in ("01_errors-seed7", "11_table2", "of_nobody"):
        (figures / f"{name}.png").write_bytes(png(300, 500))
    return walk


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Walk, Path]:
    walk = a_walk(tmp_path_factory.mktemp("site"))
    return walk, site.build(walk)


class Links(HTMLParser):
    """Where a page leads, and what its pictures are said to show."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.ids: set[str] = set()
        self.alts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        facts = dict(attrs)
        self.to += [facts[k] for k in ("href", "src") if facts.get(k)]
        self.ids |= {facts["id"]} if facts.get("id") else set()
        self.alts += [facts.get("alt") or ""] if tag == "img" else []


# ---------------------------------------------------------------- what pages say
def test_the_first_page_is_an_overview(built):
    page = built[1].read_text()
    for words in ("Simulated data", "koka", "11_table2.png", "How large | small are they?"):
        assert words in page, words
    for words in ("of_nobody", "a rather long column", "02_gone", "architecture.png"):
        assert words not in page, words
    assert not list(built[0].folder.glob(".site-*"))


def test_all_figures_and_tables_have_a_page(built):
    folder = built[1].parent
    assert "architecture.png" in (folder / "house.html").read_text()
    tables = (folder / "all-tables.html").read_text()
    for words in ("<td>14</td>", "long.csv", "99 rows"):
        assert words in tables, words
    assert "runs-a" not in tables
    alts = Links((folder / "all-figures.html").read_text()).alts
    assert {"Against labels. More labels, smaller errors.", "of nobody"} <= {*alts}


def test_a_notebooks_page_is_readable(built):
    page = (built[1].parent / "01_errors.html").read_text()
    assert "<math" in page
    assert "SEED = " not in re.sub(r"<[^>]*>", "", page).replace("SEED = 7", "", 1)
    assert "Against labels. More labels, smaller errors." in Links(page).alts
    hidden = r'cell tag_hide-input[^"]*docutils container|class="cell[^"]*tag_hide-input'
    assert len(re.findall(hidden, page)) == 2 + len(WIDEST)
    assert not (built[1].parent / "02_gone.html").exists()


def test_no_link_is_dead_and_nothing_is_fetched(built):
    folder = built[1].parent
    pages = {p: Links(p.read_text()) for p in folder.glob("*.html")}
    for page, links in pages.items():
        for target in links.to:
            if target.startswith(("data:", "mailto:", "#top")):
                continue
            assert not re.match(r"(https?:)?//", target) or "<a" in page.read_text()
            if re.match(r"(https?:)?//", target):
                continue
            file, _, part = target.partition("#")
            there = (page.parent / file.partition("?")[0]).resolve() if file else page
            assert there.exists(), f"{page.name}: {target}"
            if part and there in pages:
                assert part in pages[there].ids, f"{page.name}: {target}"
    for file in folder.rglob("*.html"):
        found = file.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]*src="(?:https?:)?//[^"]*', found), file
        assert not re.findall(r'<link[^>]*href="(?:https?:)?//[^"]*', found), file
    for file in folder.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", file.read_text()), file


def test_names_that_look_like_markup_are_text(built):
    """Of data sets, tables, their cells and columns; in whatever a cell shows."""
    folder = built[1].parent
    for name in ("index", "03_planted", "all-tables"):
        page = (folder / f"{name}.html").read_text()
        assert wrong(page) == [], name
        assert "planted()" in Page(page).text, name
        assert "</td>" not in Page(page).text, name  # no cell ends the table that it stands in
    assert Page((folder / "03_planted.html").read_text()).text.count("planted()") > 20


def test_it_is_made_anew_when_the_walk_goes_on(built):
    walk, first = built
    assert run_all.site_is_current(walk, first)
    later = first.stat().st_mtime + 10
    os.utime(walk.file("01_errors", "json"), (later, later))
    assert not run_all.site_is_current(walk, first)
    os.utime(walk.file("01_errors", "json"), (1, 1))


def test_what_python_compiled_of_its_settings_makes_no_site_anew(built, tmp_path, monkeypatch):
    walk, first = built
    monkeypatch.setattr(run_all.paths, "ROOT", tmp_path)
    later = first.stat().st_mtime + 10
    for name, current in (("docs/__pycache__/conf.pyc", True), ("docs/_static/site.css", False)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (later, later))
        assert run_all.site_is_current(walk, first) == current


def test_what_sphinx_does_not_understand_is_an_error(tmp_path):
    (tmp_path / "conf.py").write_text('extensions = ["myst_nb"]\nmyst_enable_extensions = []\n')
    (tmp_path / "index.md").write_text("# A page\n\n```{nonsense} x\n```\n")
    with pytest.raises(RuntimeError, match="nonsense"):
        site.sphinx(tmp_path, tmp_path / "made", tmp_path / "trees")


def test_readable_leaves_the_notebook_as_it_is():
    whole = {"cells": CELLS, "metadata": {}}
    before = json.dumps(whole)
    shown = site_pages.readable(whole)
    assert json.dumps(whole) == before
    assert [site_pages.source(c) for c in shown["cells"] if c["cell_type"] == "code"] == [
        "SEED = 7",
        CELLS[4]["source"],
        *["show()"] * len(WIDEST),
    ]
    alone = site_pages.readable({"cells": CELLS[:2]})
    assert [site_pages.source(c) for c in alone["cells"]][1] == "SEED = 0"


def test_a_walk_without_anything_has_a_first_page(tmp_path):
    walk = Walk((Step("01_errors", "01_errors.ipynb"),), "toy", tmp_path, tmp_path / "home")
    assert site_front.data(walk) == site_front.tables(walk) == ""
    assert site_front.figures(walk, tmp_path) == ""
    assert site_pages.all_figures(walk, tmp_path) == "# All figures\n\nNone yet.\n"
    assert site_pages.all_tables(walk) == "# All tables\n\nNone yet.\n"


# ---------------------------------------------------------------- in a browser
@pytest.fixture(scope="module")
def chromium():
    found = browser_file()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield one
        one.close()


def listening(page) -> list[str]:
    """What goes wrong on a page, as it comes: errors, and whatever is fetched from elsewhere."""
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: said.append(str(e)))
    page.on("request", lambda r: said.append(r.url) if r.url.startswith("http") else None)
    return said


BROKEN = r"""table => {  // words that go on in a second line (after a hyphen they may)
  const walker = document.createTreeWalker(table, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/[^\s-]+/g)) {
    const range = document.createRange();
    range.setStart(walker.currentNode, word.index);
    range.setEnd(walker.currentNode, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top)));
    if (lines.size > 1) found.push(word[0]);
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_tables_of_a_notebook_fit_the_page(built, chromium, width):
    """Without a scroll bar on a desktop; on a phone what row it is stays in sight."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.goto((built[1].parent / "01_errors.html").as_uri())
    tables = page.locator(".cell_output table")
    assert tables.count() == len(WIDEST)
    for table in tables.all():
        over = table.evaluate(
            "t => t.scrollWidth - t.closest('.pst-scrollable-table-container').clientWidth"
        )
        assert over <= 0 or width < 600
        assert table.evaluate(BROKEN) == []
    frame = tables.first.locator("xpath=..")
    frame.evaluate("f => f.scrollBy(500, 0)")
    names = page.locator(".cell_output tbody td:first-child")
    assert names.first.bounding_box()["x"] >= 0
    long = tables.last.locator("xpath=..")
    assert long.evaluate("f => f.scrollHeight > 2 * f.clientHeight")
    long.evaluate("f => f.scrollBy(0, 900)")
    head = tables.last.locator("thead th").first.bounding_box()
    assert abs(head["y"] - long.bounding_box()["y"]) < 2  # stays in sight
    intervals = page.locator(".cell_output .interval")
    assert intervals.count() == 3 * len(METRICS) + 1
    assert {one.evaluate("e => e.getClientRects().length") for one in intervals.all()} == {1}
    assert {one.inner_text()[-1] for one in intervals.all()} == {"]"}
    align = "c => getComputedStyle(c).textAlign"
    assert [c.evaluate(align) for c in tables.nth(1).locator("tbody td").all()] == [
        *("left", "right", "left", "left"),
    ]
    (figure,) = page.locator(".cell_output img").all()  # of 4 x 2 inches, as it is, or narrower
    box = figure.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(2, rel=0.01)
    room = page.locator(".bd-article").first.evaluate("e => e.clientWidth")
    assert min(439, room - 100) < box["width"] <= min(441, room)
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_site_in_a_browser(built, chromium, width):
    folder = built[1].parent
    page = chromium.new_page(viewport={"width": width, "height": 900})
    said = listening(page)
    page.add_init_script("window.planted = () => { window.ran = true }")
    for name in ("index", "01_errors", "03_planted", "all-tables", "all-figures"):
        page.goto((folder / f"{name}.html").as_uri())
        assert page.evaluate("window.ran") is None, name
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth") <= width, f"{name} at {width} px"
        if name == "index":
            assert page.evaluate(f"{root}.scrollHeight") < HIGH
    page.goto(built[1].as_uri())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    picture = page.locator(".bd-content img").first
    assert picture.evaluate("p => getComputedStyle(p).filter") == "none"
    picture.click()
    page.wait_for_url("**/11_table2.png")
    assert said == []
    page.close()
