"""Names that look like markup, to be planted wherever a name of a user's comes from, and what is
found of them in a page: they must stay text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

TAG = "<img src=x onerror=planted()>"
SCRIPT = "<script>planted()</script>"
BREAKOUT = '" onmouseover="planted()" x=\''
LINK = "[planted](javascript:planted())"
FENCE = "\n\n# planted\n\n```{raw} html\n<img src=x onerror=planted()>\n```\n\n"
FORMULA = "$\\planted{$"
# of a file, a folder, a person: what no name of a file can have is left out
NAME = f"a{TAG}{BREAKOUT}{LINK}".replace("/", "")
# of a cell of a table, a column, a data set
EVIL = f"a{TAG}{SCRIPT}{BREAKOUT}{LINK}{FENCE}*{FORMULA}"


class Page(HTMLParser):
    """A page read as a browser reads it. text: what is to be read, alternative texts too; planted:
    elements and attributes that came from a name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.planted = "", []
        self._script = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self._script = tag in ("script", "style")
        for key, value in attrs:
            value = value or ""
            ours = key.startswith("on") or value.strip().lower().startswith("javascript:")
            if ours or (tag == "img" and value == "x"):
                self.planted.append(f"<{tag} {key}={value!r}>")
            if key in ("alt", "title", "aria-label"):
                self.text += value

    def handle_endtag(self, tag) -> None:
        self._script = False

    def handle_data(self, data) -> None:
        if self._script and "planted()" in data:
            self.planted.append(f"script: {data[:60]!r}")
        if not self._script:
            self.text += data


def rendered(markdown: str) -> str:
    """Markdown as JupyterLab renders what a person's own cell shows: tags are tags, and a link may
    go anywhere."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    renderer.validateLink = lambda url: True
    return renderer.render(markdown)


def wrong(html: str, shown: bool = True) -> list[str]:
    """What is wrong with a page: names that became elements; that it shows none at all (shown: it
    should)."""
    page = Page(html)
    lacking = shown and not re.search(r"planted", page.text)
    return page.planted + (["no name is shown"] if lacking else [])
