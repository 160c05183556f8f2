"""What people call their folders, files, columns, sources, patients and themselves stays text in
every page, widget and report that shows it.

PLACES lists where HTML or Markdown is made, and what plants names there; a place that is not in it
fails, so that whoever makes one plants a name there too. What a browser does with such names in
JupyterLab, the panels, the report and the site is tried by the tests that drive one."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest
import tqdm.notebook
from assessed_rows import graded, refused
from browsers import browser_file
from conftest import REPOSITORY
from planted import BREAKOUT, EVIL, FORMULA, LINK, NAME, SCRIPT, TAG

from riqa_lib import bars
from riqa_lib.assess.report import Report
from riqa_lib.assess.retake import Patients
from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.datasets.declaration import Declaration
from riqa_lib.figures.data import class_shares
from riqa_lib.labelling.agree import agreement, confusion
from riqa_lib.pages import whose_pictures
from riqa_lib.tables import related_reference, source_leak, stored, subsets, tracked_budgets
from riqa_lib.tables.table1 import class_counts
from riqa_lib.tables.text import markdown, show_frame

# ---------------------------------------------------------------- where it is made
MAKES = {
    ".py": r"\bescape\(|\bHTML\(|to_html|_repr_html_|text/html|autoescape|\bMarkdown\(|as_text\(|"
    r"show_frame\(|</?(?:a|b|br|code|div|h\d|img|li|p|pre|script|span|svg|t[dhr]|table|ul)[ />]",
    ".js": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|"
    r"createContextualFragment|\beval\(|new Function",
    ".html": r"\{\{|\|safe",
}
HERE = Path(__file__).stem
OWN = "tests/notebooks/test_own_pictures.py: the notebooks on somebody's own pictures"
SITE = "tests/plan/test_site.py"
OURS = "words and numbers of ours: nothing of a user's gets there"
PLACES = {
    "docs/conf.py": SITE,
    "riqa_lib/assess/report.py": HERE,
    "riqa_lib/assess/report_page.html": HERE,
    "riqa_lib/bars.py": HERE,
    "riqa_lib/pages/method_mechanisms.py": OWN,
    "riqa_lib/pages/method_page.py": OWN,
    "riqa_lib/pages/second_stage_page.py": OWN,
    "riqa_lib/pages/whose_pictures.py": HERE,
    "riqa_lib/plan/site_front.py": SITE,
    "riqa_lib/plan/site_pages.py": SITE,
    "riqa_lib/tables/departures.py": OURS,
    "riqa_lib/tables/pool.py": OURS,
    "riqa_lib/tables/published.py": OURS,
    "riqa_lib/tables/reference.py": OURS,
    "riqa_lib/tables/related_models.py": OURS,
    "riqa_lib/tables/related_reference.py": HERE,
    "riqa_lib/tables/stored.py": HERE,
    "riqa_lib/tables/subsets.py": HERE,
    "riqa_lib/tables/text.py": HERE,
    "riqa_lib/tables/tracked_budgets.py": HERE,
}


def test_every_place_that_makes_html_or_markdown_is_known():
    files = [REPOSITORY / "run_all.py", *(REPOSITORY / "docs").glob("*.py")]
    files += [f for top in ("riqa_lib", "docs/_static") for f in (REPOSITORY / top).rglob("*.*")]
    found = {
        file.relative_to(REPOSITORY).as_posix()
        for file in files
        if file.suffix in MAKES and re.search(MAKES[file.suffix], file.read_text(encoding="utf-8"))
    }
    assert found == {*PLACES}


def test_notebooks_show_text_figures_and_markdown_no_html():
    for file in (REPOSITORY / "notebooks").rglob("*.ipynb"):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        assert not re.search(r"\b(HTML|SVG|Javascript|IFrame)\b|to_html|%%html", code), file.name


# ---------------------------------------------------------------- what is shown
def own_data() -> DataSet:
    n = 40
    source = [EVIL, "b"] * (n // 2)
    frame = pd.DataFrame({"source": source, "split": "test", "grade": np.arange(n) % 2})
    frame = frame.assign(score=0.5, defects=EVIL, group=range(n), id=[f"{k}" for k in range(n)])
    scale = {"grades": [EVIL, "b"], "score": EVIL, "rule": "given", "low": 0, "high": 1}
    info = {"name": EVIL, "simulated": False, "size": 8, "classes": 2, "scale": scale}
    info["notes"] = [["unreadable", 3, f"{NAME}.png", EVIL], ["duplicate", 4, EVIL]]
    return DataSet(Path(), frame, np.zeros((n, 1, 1, 3), np.uint8), info)


def within(data: DataSet) -> str:
    said = data.frame.assign(truth=data.frame["grade"], method="supervised", seed=0, labels=9)
    said = said.assign(p0=np.linspace(0, 1, len(said)), p1=np.linspace(1, 0, len(said)))
    train = class_counts(data.frame.assign(split="train"))
    return subsets.show(subsets.subsets(said, train, False, 2))


FACTS = {
    "name": EVIL,
    "simulated": False,
    "size": 8,
    "splits": {"test": 9},
    "runs": 1,
    "seeds": [0],
}
FACTS |= {"minutes": 1.0, "machine": "m", "torch": "2", "commit": "c", "versions": {"torch": "2"}}


@pytest.fixture(scope="module")
def markdowns() -> dict[str, str]:
    """What notebooks and the README show of names."""
    data = own_data()
    papers = own_data()
    papers.info.update(name=f"KOKA10K {EVIL}", scale={})
    return {
        "the set": whose_pictures.made(data),
        "the paper's": whose_pictures.made(papers),
        "its rows": whose_pictures.few_rows(data),
        "a table": show_frame(pd.DataFrame({EVIL: [EVIL, None], "b": [1.0, 2.0]})),
        "sources": show_frame(source_leak.sources(data.frame)),
        "subsets": within(data),
        "provenance": stored.provenance_line(data.info),
        "a README's line": tracked_budgets._source(FACTS),
        "another": related_reference._source(FACTS | {"data": {"real": FACTS}}),
    }


@pytest.fixture(scope="module")
def report() -> str:
    """The page of `riqa assess --report`."""
    patients = Patients()
    page = Report({"run": EVIL, "simulated": False}, EVIL, patients)
    more = {"patient": EVIL, "camera": EVIL, "reason": EVIL}
    rows = (
        graded(f"{NAME}.jpg", "reject", look=True, eye="left", **more),
        graded(f"{EVIL}.jpg", "usable", sure=False, **more),
        refused(f"{NAME}.png", **more),
        refused(EVIL, "unreadable", **more),
    )
    for row in rows:
        patients.add(row, page.add(row))
    page.write(out := io.StringIO())
    return out.getvalue()


@pytest.fixture(scope="module")
def widgets() -> dict[str, str]:
    """What JupyterLab is sent as HTML: progress bars (all that one ever says, not only what stands
    in the end: an image that is gone again has run), tables of labellers."""
    labels = pd.DataFrame({"id": ["p", "q"] * 2, "grade": [0, 1] * 2})
    labels["labeller"] = [EVIL, EVIL, "b", "b"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bars, "_attended", lambda: True)
        patch.delenv(bars.FILE, raising=False)
        patch.setattr("tqdm.notebook.display", lambda *_: None)
        said = []

        class Seen(tqdm.notebook.HTML):
            def __setattr__(self, name, value):
                said.append(value if name == "value" else "")
                super().__setattr__(name, value)

        patch.setattr(tqdm.notebook, "HTML", Seen)
        for _ in bars.bar(range(2), desc=EVIL, unit=EVIL):
            pass
    both = confusion(labels, EVIL, "b", [EVIL, "b"])
    shown = {"agreement": agreement(labels, 2), "confusion": both}
    return {"a bar": "".join(said)} | {name: table._repr_html_() for name, table in shown.items()}


def test_what_notebooks_and_readme_say_of_names_is_text(markdowns):
    found = {name: planted.wrong(planted.rendered(said)) for name, said in markdowns.items()}
    assert not {name: those for name, those in found.items() if those}
    for said in markdowns.values():
        assert not re.search(r"\n(```|#)", said)  # no block of MyST's begins, no heading


def test_a_line_break_in_a_cell_ends_no_table():
    assert markdown(["a"], [["b\n\n# c"]]).splitlines()[2:] == ["| b  # c |"]


def test_the_report_shows_names_as_text(report):
    assert planted.wrong(report) == []
    assert planted.Page(report).text.count(TAG) > 9


def test_what_jupyterlab_is_sent_is_text(widgets):
    assert not {name: those for name, html in widgets.items() if (those := planted.wrong(html))}


def test_names_of_grades_that_are_markup_are_refused():
    for name in (TAG, SCRIPT, LINK, FORMULA, "`a`", "a\nb"):
        with pytest.raises(ValueError, match="expected text without"):
            Declaration(id="f", grade="g", low=0, high=1, classes=2, names=["good", name])


def test_a_source_that_looks_like_a_formula_is_drawn(tmp_path):
    counts = class_counts(own_data().frame)
    drawing = class_shares(counts, simulated=False, classes=2, names=("a", "b"))
    drawing.savefig(tmp_path / "a.png", dpi=20)
    assert "\\planted" in drawing.axes[0].get_yticklabels()[0].get_text()


def test_the_checks_see_what_runs():
    for html in (TAG, SCRIPT, f"<p title=\"{BREAKOUT}'>", planted.rendered(LINK)):
        assert planted.Page(html).planted, html
    assert planted.wrong("nothing") == ["no name is shown"]


@pytest.mark.browser
def test_a_browser_runs_nothing_of_a_name(markdowns, report, widgets, tmp_path):
    from playwright import sync_api

    shown = [*map(planted.rendered, markdowns.values()), *widgets.values()]
    pages = {"names": f"<meta charset=utf-8>{''.join(shown)}", "report": report, "own": TAG}
    for name, html in pages.items():
        (tmp_path / f"{name}.html").write_text(html, encoding="utf-8")
    with sync_api.sync_playwright() as p:
        chrome = p.chromium.launch(executable_path=browser_file(), args=["--no-sandbox"])
        page, ran = chrome.new_page(), {}
        page.add_init_script("window.planted = () => { window.ran = true }")
        for name in pages:
            page.goto((tmp_path / f"{name}.html").as_uri())
            moved = "e => e.dispatchEvent(new MouseEvent('mouseover'))"
            page.evaluate(f"document.querySelectorAll('*').forEach({moved})")
            page.evaluate(
                "document.querySelectorAll('a[href^=javascript]').forEach(a => a.click())"
            )
            page.wait_for_timeout(50)
            ran[name] = page.evaluate("window.ran === true")
        chrome.close()
    assert ran == {"names": False, "report": False, "own": True}
