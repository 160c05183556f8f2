"""Both panels in a real browser: their scripts, and the kernel's half behind them. What is pressed
or moved reaches it; names are text; no request leaves, no error in the console.

In a page of its own with anywidget's contract played, since JupyterLab takes long to start.
Skipped where no Chromium or Chrome is installed."""

from __future__ import annotations

import base64
import json
from functools import partial

import pytest
from browsers import browser_file
from panel_walks import EVIL, eyes, photographs

from riqa_lib.panels import fundus_answers, fundus_panel, prediction_panel
from riqa_lib.panels.fundus_scene import photograph

pytestmark = pytest.mark.browser
SMALL = 200  # px of a simulated photograph

# A model as anywidget gives one: what Python sets is got, what is sent waits to be fetched
MODEL = """async ([script, state]) => {
  const on = {};
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  window.sent = [];
  const model = {
    get: (name) => state[name],
    send: (message) => window.sent.push(message),
    on: (event, what) => (on[event] = what),
    off: (event) => delete on[event],
  };
  window.answer = (page, picture) => {
    Object.assign(state, { page, picture: bytes(picture) });
    return on["change:page"]();
  };
  state.picture = bytes(state.picture);
  const module = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const el = document.body.appendChild(document.createElement("div"));
  await (await import(module)).default.render({ model, el });
}"""


class Screen:
    """A panel and the page that shows it. wrong: what the page complained about, or asked the
    network for."""

    def __init__(self, chrome, panel) -> None:
        self.page, self.panel, self.wrong = chrome.new_page(), panel, []
        self.page.set_default_timeout(60_000)  # two cores that others use too
        self.page.on("console", lambda m: self.wrong.append(m.text))
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on("dialog", lambda d: self.wrong.append(d.message) or d.dismiss())
        self.page.on("request", lambda r: self.asked(r.url))
        state = {"page": panel.page, "picture": base64.b64encode(panel.picture).decode()}
        if hasattr(panel, "controls"):
            state["controls"] = panel.controls
        self.page.set_content("<title>panel</title>")
        self.page.evaluate(MODEL, [panel._esm, state])
        # JupyterLab focuses a cell at every key that it sees
        focus = "document.addEventListener('keydown', (e) => document.activeElement.blur())"
        self.page.evaluate(focus)

    def asked(self, url: str) -> None:
        if not url.startswith(("blob:", "data:", "about:")):
            self.wrong.append(url)

    def answered(self) -> list:
        """Let the kernel's half answer what was sent, until nothing is; returns it."""
        told = []
        while sent := self.page.evaluate("window.sent.splice(0)"):
            told += sent
            for message in sent:
                self.panel._told(None, message, [])
            picture = base64.b64encode(self.panel.picture).decode()
            self.page.evaluate("([p, b]) => window.answer(p, b)", [self.panel.page, picture])
        return told

    def press(self, *keys: str) -> list:
        for key in keys:
            self.page.keyboard.press(key)
        return self.answered()

    def text(self, selector: str = "body") -> str:
        return self.page.inner_text(selector)

    def ends_well(self) -> None:
        """Nothing of a name ran, nothing was asked for, nobody complained."""
        assert self.page.locator("img[src=x]").count() == 0
        assert self.wrong == []
        self.page.close()


@pytest.fixture(scope="module")
def chrome():
    from playwright import sync_api

    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=browser_file(), args=["--no-sandbox"])
        yield browser
        browser.close()


def test_predictions_by_key_menu_and_click_and_names_are_text(chrome, home):
    photographs()
    screen = Screen(chrome, prediction_panel.open_panel("tiny", method="supervised"))
    page = screen.page
    for place in (".title", ".notes", ".facts", ".everyone", ".grades", ".controls", ".confusion"):
        assert EVIL in page.text_content(place), place
    assert "Real photographs" in screen.text(".kind")
    page.click(".riqa-browse .title")
    assert screen.press("ArrowRight") == [{"step": 1, "question": 1}]
    assert page.get_attribute(".riqa-browse", "data-picture") == EVIL
    assert page.get_attribute("img.picture", "alt").startswith(f"Photograph {EVIL}")
    assert page.evaluate("document.querySelector('img.picture').naturalWidth") == 12
    assert "enlarged 33 times" in screen.text(".caption")
    assert screen.press("End")
    assert page.is_disabled("button.next")
    screen.press("Home", "2")
    assert "of true grade 2 (good); 1 wrong" in screen.text(".summary")
    screen.press("2")
    page.select_option("select.other", "fixmatch")
    screen.answered()
    assert page.locator(".told .verdict").count() == 2
    assert "The two are" in screen.text(".told")
    page.focus("select.other")
    assert not [t for t in screen.press("ArrowDown", "2") if "method" in t or "truth" in str(t)]
    page.select_option("select.other", "fixmatch")
    screen.answered()
    assert "swap" in screen.press("Escape", "x")[0]
    assert page.input_value("select.method") == "fixmatch"
    page.click("[data-cell='0-1']")
    screen.answered()
    assert "1 picture for testing" in screen.text(".summary")
    assert page.evaluate("document.activeElement.dataset.cell") == "0-1"
    screen.press("Enter")  # the same again: all of them
    assert "10 pictures for testing" in screen.text(".summary")
    page.click(".everyone button >> nth=2")
    screen.answered()
    assert page.input_value("select.method") == EVIL
    page.set_viewport_size({"width": 420, "height": 800})
    screen.ends_well()


def test_a_kernel_that_does_not_answer_is_said_until_it_does(chrome, home):
    photographs()
    screen = Screen(chrome, prediction_panel.open_panel("tiny", method="supervised"))
    page = screen.page
    page.evaluate("window.setTimeout = (does, ms) => { window.late = [does, ms]; return 1; }")
    page.click(".riqa-browse .title")
    for key in ("ArrowRight", "Home"):  # the second changes nothing on the page
        page.keyboard.press(key)
        assert screen.text(".trouble") == ""
        page.evaluate("window.late[0]()")
        assert page.evaluate("window.late[1]") == 8000
        assert "the kernel is busy, or has stopped" in screen.text(".trouble")
        assert page.locator(".riqa-browse.waiting").count() == 1
        screen.answered()
        screen.press("Home")
        assert screen.text(".trouble") == ""
        assert page.locator(".riqa-browse.waiting").count() == 0
    page.keyboard.press("Home")
    page.evaluate("window.late[0]()")
    screen.answered()  # the same page as before, and yet an answer
    assert page.locator(".riqa-browse.waiting").count() == 0
    screen.ends_well()


def test_where_there_is_nothing_the_panel_says_so(chrome, home):
    screen = Screen(chrome, prediction_panel.open_panel(EVIL))
    assert f"results/{EVIL}: no photographs" in screen.text()
    assert not screen.page.is_visible(".controls")
    screen.page.click(".title")
    assert screen.press("ArrowRight", "2") == []
    screen.ends_well()


def test_a_slider_asks_at_once_and_only_the_newest_waits(chrome, home, monkeypatch):
    for module in (fundus_panel, fundus_answers):
        monkeypatch.setattr(module, "photograph", partial(photograph, size=SMALL))
    eyes()
    screen = Screen(chrome, fundus_panel.open_panel("tiny"))
    page = screen.page
    assert screen.text(".kind").startswith("SIMULATED eye")
    assert page.get_attribute("img.picture", "alt").startswith("Simulated fundus photograph")
    page.click(".riqa-fundus .kind")
    page.keyboard.press("2")
    assert page.evaluate("document.activeElement.className") == "clarity"
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.input_value("input.clarity") == "1"
    assert len(page.evaluate("window.sent")) == 1  # the other nineteen are one question, later
    assert "waiting" in page.get_attribute(".riqa-fundus", "class")
    told = screen.answered()
    assert [t["scene"]["severity"]["clarity"] for t in told] == [0.05, 1]
    assert "waiting" not in page.get_attribute(".riqa-fundus", "class")
    assert screen.panel.scene.severity["clarity"] == 1
    rows = page.locator(".answers table >> nth=0").inner_text()
    assert "clarity\t1.00" in rows
    assert "Grade" in screen.text(".grade") or "No grade" in screen.text(".grade")
    told = screen.press("e", "s")
    assert (told[-1]["scene"]["eye"], told[-1]["scene"]["seed"]) == (1, 1)
    assert screen.press("E")[-1]["scene"]["eye"] == 0
    assert set(screen.press("0")[-1]["scene"]["severity"].values()) == {0}
    page.fill("input.eye", "-3")
    page.keyboard.press("Tab")
    assert screen.answered()[-1]["scene"]["eye"] == 0
    page.select_option("select.style", "topcon50")
    screen.answered()
    assert "camera like topcon50" in screen.text(".caption")
    assert screen.press("Escape", "1", "End")[-1]["scene"]["severity"]["illumination"] == 2.5
    screen.panel.page = {**screen.panel.page, "lines": [EVIL], "advice": [[EVIL, EVIL]]}
    page.evaluate("([p, b]) => window.answer(p, b)", [screen.panel.page, ""])
    assert screen.text(".lines") == EVIL
    assert json.dumps(EVIL) in json.dumps(screen.text(".advice").splitlines())
    screen.ends_well()
