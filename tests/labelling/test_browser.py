"""The labelling window in a real browser: JupyterLab, a kernel, Chromium. What is typed is stored
once, for the picture it was meant for; names are text, whatever they look like.

Skipped where no Chromium or Chrome is installed (RIQA_BROWSER names another one)."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import planted
import pytest
from browsers import browser_file
from conftest import REPOSITORY
from PIL import Image
from planted import LINK

EVIL = planted.TAG  # of a file, and of a person
GRADES = ["bad", "good", "no <b>x</b>"]
WINDOW = "document.querySelector('.riqa-label')"
SOONEST = 250  # ms that a picture is on the screen before a key counts (window.js)
SEEN = 300  # ms: from then on a key counts
CELLS = (
    "import json\n"
    "from riqa_lib.labelling import places, window\n"
    "from riqa_lib.labelling.agree import agreement, confusion\n"
    "photos, grades, who = json.load(open('settings.json'))\n"
    "place = places.open_folder(photos, 'own', grades)\n"
    "ids = sorted(place.pool['id'], reverse=True)\n"  # the one that nobody can read comes last
    "app = window.LabelApp(place.session(ids, who), place.read)\n"
    "app.box",
    "from IPython.display import Markdown\n"
    "from riqa_lib import bars\n"
    "from riqa_lib.tables.text import as_text\n"
    "for _ in range(20):\n"  # what a bar says first is seen only if the browser is quick
    "    for _ in bars.bar(range(2), desc=who, leave=False): pass\n"
    "for _ in bars.bar(range(2), desc=who): pass\n"
    f"Markdown('shown: ' + as_text(who) + ' ' + as_text({LINK!r}))",
    "labels = place.labels()\n"
    "both = [labels, labels.assign(labeller='bob')]\n"
    "confusion(__import__('pandas').concat(both), who, 'bob', grades)",
)
# parts of JupyterLab that ask the network, or only cost time here
NOT_NEEDED = (
    "@jupyterlab/apputils-extension:announcements",
    *(f"@jupyterlab/{name}-extension" for name in ("extensionmanager", "debugger", "terminal")),
)
# counts whatever of a name runs, and keeps where that name was made an element
RAN = """
window.ran = [];
window.planted = () => window.ran.push("ran");
const { set } = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
Object.defineProperty(Element.prototype, "innerHTML", { configurable: true, set(html) {
  if (/<img[^>]*planted/.test(html)) window.ran.push(new Error(html).stack);
  set.call(this, html);
} });
"""
SLOW = 60_000  # ms: two cores that others use too

pytestmark = pytest.mark.browser


def notebook_of(*cells: str) -> str:
    code = [
        {
            "cell_type": "code",
            "id": f"c{k}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for k, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own: (address, token, folder). Stopped at the end, kernels too."""
    folder = tmp_path_factory.mktemp("lab")
    own = {
        f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    environment = (
        os.environ
        | own
        | {
            "RIQA_HOME": str(folder / "home"),
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": str(REPOSITORY),
        }
    )
    settings = folder / "config" / "labconfig"
    settings.mkdir(parents=True)
    config = {"disabledExtensions": dict.fromkeys(NOT_NEEDED, True), "buildCheck": False}
    (settings / "page_config.json").write_text(json.dumps(config))
    (folder / "work").mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder / 'work'}"]
    command += ["--ServerApp.jpserver_extensions={'jupyter_lsp': False}"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            yield *address_of(folder / "log", server), folder
        finally:
            server.terminate()
            server.wait(20)


def address_of(log: Path, server: subprocess.Popen) -> tuple[str, str]:
    """Where the server says it is, as soon as it says so, and its token."""
    for _ in range(600):
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", log.read_text()):
            return found[1], found[2]
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


class Desk:
    """The window as a person sees it, and what is on the disk."""

    def __init__(self, page, labels: Path) -> None:
        self.page, self.labels = page, labels

    def says(self, script: str):
        return self.page.evaluate(f"(() => {{ const w = {WINDOW}; return {script}; }})()")

    def shown(self) -> tuple[int, str]:
        """(turn, picture) that can be graded now; waits until one can, and has been seen."""
        self.page.wait_for_function(f"!{WINDOW}.classList.contains('waiting')", timeout=SLOW)
        self.page.wait_for_timeout(SEEN)
        return int(self.says("w.dataset.turn")), self.says("w.dataset.picture")

    def stored(self) -> list[tuple[str, int, str]]:
        """The lines of the log: (picture, grade, labeller)."""
        with open(self.labels / "labels.log.csv", newline="") as f:
            return [(row["id"], row["grade"], row["labeller"]) for row in csv.DictReader(f)]

    def press(self, key: str) -> str:
        """Type a key as a careful person does; the picture that it was for."""
        turn, picture = self.shown()
        self.type(key, turn)
        return picture

    def type(self, key: str, turn: int) -> None:
        """Type a key for what was shown at this turn, and wait for the next."""
        self.page.keyboard.press(key)
        self.page.wait_for_function(f"{WINDOW}.dataset.turn > {turn}", timeout=SLOW)


@pytest.fixture(scope="module")
def desk(lab, tmp_path_factory):
    """A notebook with the window, opened in JupyterLab; 18 pictures, and one nobody can read."""
    from playwright import sync_api

    browser = browser_file()
    address, token, folder = lab
    photos = folder / "photos"
    photos.mkdir()
    for k in range(18):
        Image.new("RGB", (240, 160), (14 * k, 90, 90)).save(photos / f"p{k:02d}.png")
    (photos / f"{EVIL}.png").write_bytes(b"no picture")
    (folder / "work" / "label.ipynb").write_text(notebook_of(*CELLS))
    (folder / "work" / "settings.json").write_text(json.dumps([str(photos), GRADES, EVIL]))
    with sync_api.sync_playwright() as p:
        chrome = p.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chrome.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(SLOW)
        page.add_init_script(RAN)
        page.goto(f"{address}/doc/tree/label.ipynb?token={token}")
        page.wait_for_function("document.body.innerText.includes('(ipykernel) | Idle')")
        page.locator(".jp-Cell .cm-content").first.click()
        for _ in CELLS:
            page.keyboard.press("Shift+Enter")
        page.keyboard.press("Escape")
        page.wait_for_selector(".riqa-label[data-turn]")
        page.click(".riqa-label input")
        yield Desk(page, folder / "home" / "results" / "own" / "labels" / "photos")
        chrome.close()


def test_keys_typed_fast_are_stored_once_for_the_picture_they_were_meant_for(desk):
    """3 and then 1, from at once to slowly: the 3 is for the first picture, the 1 for the second if
    that was seen by then, else for none."""
    desk.page.evaluate(
        f"window.addEventListener('keydown', (e) => window.pressed.push([e.key, {WINDOW}.dataset."
        f"picture, {WINDOW}.classList.contains('waiting'), performance.now() - window.came]),"
        "true);"
        "new MutationObserver(() => { window.came = performance.now(); }).observe("
        f"{WINDOW}, {{ attributes: true, attributeFilter: ['class'] }}); window.pressed = []"
    )
    dropped = 0
    for pause in (0, 0, 40, 120, 300, None):  # None: until the second is seen
        _, picture = desk.shown()
        before = len(desk.stored()) if desk.labels.joinpath("labels.log.csv").exists() else 0
        desk.page.evaluate("window.pressed = []")
        desk.page.keyboard.press("3")
        if pause is None:
            desk.shown()
        else:
            desk.page.wait_for_timeout(pause)
        desk.page.keyboard.press("1")
        desk.shown()
        desk.page.wait_for_timeout(200)
        new = desk.stored()[before:]
        (_, first, *_), (_, second, waiting, since) = desk.page.evaluate("window.pressed")
        assert first == picture
        assert new[0] == (first, "2", EVIL)  # the third grade
        assert len(new) <= 2
        if len(new) == 2:
            assert new[1] == (second, "0", EVIL)
            assert second != first
            assert not waiting
            assert since > SOONEST - 20  # ms; the page's own clock starts a moment later
        else:
            dropped += 1
            assert waiting or since < SOONEST + 20
            assert '"1" came before this picture was seen' in desk.says("w.innerText")
        assert desk.says("document.activeElement.className") == "field"
    assert dropped  # of the two without a pause, on a busy machine too
    assert len({picture for picture, *_ in desk.stored()}) == len(desk.stored())


def test_a_key_held_is_one_key(desk):
    _, picture = desk.shown()
    before = len(desk.stored())
    for _ in range(60):  # from the second on, the browser says that it repeats
        desk.page.keyboard.down("2")
        desk.page.wait_for_timeout(25)
    desk.page.keyboard.up("2")
    desk.shown()
    assert desk.stored()[before:] == [(picture, "1", EVIL)]


def test_every_key_and_button_does_one_thing_and_none_is_jupyterlabs(desk):
    """b inserts a cell, 1 makes a heading, x cuts a cell: not from here."""
    cells = desk.page.locator(".jp-Cell").count()
    _, skipped = desk.shown()
    before = len(desk.stored())
    desk.press("s")
    graded = desk.press("b")  # a grade's first letter
    desk.press("u")
    assert desk.shown()[1] == graded  # it comes again
    desk.page.keyboard.press("x")
    desk.page.keyboard.press("Control+3")
    desk.page.dblclick(".riqa-label button >> nth=1")
    desk.shown()
    assert desk.stored()[before:] == [(graded, g, EVIL) for g in ("0", "", "1")]
    assert desk.says("document.activeElement.className") == "field"
    assert desk.page.locator(".jp-Cell").count() == cells
    assert skipped not in {picture for picture, *_ in desk.stored()}


def test_a_picture_is_seen_at_a_scale_that_is_said_and_in_parts_as_it_is(desk):
    assert "240 × 160 px, shown at 200 %: enlarged." in desk.says("w.innerText")
    desk.page.click(".riqa-label img.picture")
    desk.page.wait_for_selector(".riqa-label img.detail", state="visible")
    assert desk.says("w.querySelector('.detail').naturalWidth") == 240
    assert "at 100 %" in desk.says("w.innerText")
    desk.page.keyboard.press(" ")
    desk.page.wait_for_selector(".riqa-label img.picture", state="visible")


def test_names_of_files_people_and_grades_are_text(desk):
    """A file that nobody can read is named, a person is; in the tables below too."""
    for _ in range(20):
        turn, picture = desk.shown()
        if picture == f"{EVIL}.png":
            break
        desk.type("s", turn)
    assert f"{EVIL}.png: not a picture" in desk.says("w.innerText")
    assert f"{EVIL}: " in desk.says("w.innerText")
    assert "<b>x</b>" in desk.says("w.querySelectorAll('button')[2].innerText")
    shown = desk.page.locator(".jp-RenderedMarkdown", has_text="shown: ").first.inner_text()
    assert shown == f"shown: {EVIL} {LINK}"
    bar = desk.page.locator(".jp-Cell").nth(1).locator(".jupyter-widgets.widget-hbox").last
    assert EVIL in bar.inner_text().replace("\u2007", " ")
    desk.page.locator(".jp-Cell .cm-content").last.click()
    desk.page.keyboard.press("Shift+Enter")
    desk.page.wait_for_selector(".jp-Cell table")
    assert EVIL in desk.page.locator(".jp-Cell table").first.inner_text()
    assert desk.page.locator("img[src=x], a[href^=javascript]").count() == 0
    desk.page.wait_for_timeout(SEEN)
    assert desk.page.evaluate("window.ran") == []  # at no time, in no element that is gone again
