"""The page of `riqa assess --report` in a real browser: it asks for nothing, fits a telephone, is
sorted, and runs nothing of what pictures and patients are called.

Skipped where no Chromium or Chrome is installed (RIQA_BROWSER names another one)."""

from __future__ import annotations

import io

import pytest
from assessed_rows import EVIL, graded, refused
from browsers import browser_file
from PIL import Image

from riqa_lib.assess.report import Report
from riqa_lib.assess.retake import Patients

pytestmark = pytest.mark.browser
WIDTHS = (390, 320, 1400)  # px: telephones, a desk
ROWS = (
    graded("b10.jpg", look=True, patient="P2", eye="left", taken="2026-01-03T08:00"),
    graded("b9.jpg", "reject", look=True, patient="P10", eye="left", taken="2026-01-02T08:00"),
    graded("a" * 200 + ".jpg", "usable", look=True),
    graded(f"{EVIL}.jpg", "usable", sure=False, look=True, patient=EVIL, eye="right", score=None),
    refused("r" * 200, reason=EVIL),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    patients = Patients()
    page = Report({"run": "x", "simulated": True}, "Student x.", patients)
    for row in ROWS:
        patients.add(row, page.add(row))
    made = tmp_path_factory.mktemp("page") / "o.html"
    with open(made, "w", encoding="utf-8") as out:
        page.write(out)
    return made


@pytest.fixture(scope="module")
def chrome():
    browser = browser_file()
    from playwright import sync_api

    with sync_api.sync_playwright() as p:
        one = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield one
        one.close()


def opened(chrome, file, **how):
    """The page, and all that it asks for, says or fails at."""
    page, told = chrome.new_page(**how), []
    page.on("console", lambda m: told.append(m.text))
    page.on("pageerror", lambda e: told.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith("data:") else told.append(r.url))
    page.goto(file.as_uri())
    return page, told


def files(page):
    return page.eval_on_selector_all(".card", "all => all.map(c => c.dataset.file.slice(0, 3))")


def test_it_asks_for_nothing_fits_and_runs_no_name(chrome, file):
    page, told = opened(chrome, file)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = "all => Math.max(...all.map(e => e.getBoundingClientRect().right))"
        assert page.eval_on_selector_all("article *, .patient *, li *", wide) <= width
    broken = "all => all.filter(i => !i.complete || !i.naturalWidth).length"
    page.eval_on_selector_all("img", "all => Promise.all(all.map(i => i.decode()))")
    assert page.eval_on_selector_all("img", broken) == 0
    assert page.title() == "Fundus photographs: what to retake"
    assert EVIL in page.inner_text("body")
    assert told == [file.as_uri()]
    page.close()


def test_cards_are_sorted(chrome, file):
    page, told = opened(chrome, file)
    assert page.is_visible("#order")
    for order, names in {
        "score": ["b9.", "aaa", "b10", "<im"],
        "best": ["b10", "aaa", "b9.", "<im"],
        "file": ["<im", "aaa", "b9.", "b10"],
        "patient": ["<im", "b10", "b9.", "aaa"],  # P2 before P10, nobody last
        "taken": ["b9.", "b10", "aaa", "<im"],
        "found": ["b10", "b9.", "aaa", "<im"],
    }.items():
        page.select_option("#order", order)
        assert files(page) == names, order
    assert len(told) == 1
    page.close()


def test_all_of_it_is_there_without_javascript_in_the_dark_and_on_paper(chrome, file):
    page, told = opened(chrome, file, java_script_enabled=False, color_scheme="dark")
    assert not page.is_visible("#order")
    assert page.locator(".card").count() == 4
    page.emulate_media(color_scheme="dark")
    assert page.is_visible("text=SIMULATED")
    page.emulate_media(media="print")
    assert page.is_visible("text=refocus >> nth=0")
    assert told == [file.as_uri()]
    page.close()


def test_photographs_keep_their_colours_in_the_dark(chrome, file):
    seen = []
    for scheme in ("light", "dark"):
        page, _ = opened(chrome, file, color_scheme=scheme, viewport={"width": 800, "height": 900})
        shot = Image.open(io.BytesIO(page.locator(".card img").first.screenshot())).convert("RGB")
        inner = (9, 9, shot.width - 9, shot.height - 9)  # without its rounded corners
        seen.append(shot.crop(inner).tobytes())
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(22, 22, 21)") == (scheme == "dark")
        page.close()
    assert seen[0] == seen[1]
