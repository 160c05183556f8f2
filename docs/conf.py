"""The site's settings. Nothing is fetched from the network: no fonts, scripts or styles from
elsewhere."""

from __future__ import annotations

import html

from docutils import nodes
from latex2mathml.converter import convert

project = "riqa"
author = "The riqa authors"
project_copyright = "The riqa authors, MIT licence"
extensions = ["myst_nb"]
html_theme = "sphinx_book_theme"
html_title = "Image quality from few labels"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "use_download_button": False,  # no source is copied: the button would lead nowhere
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": True,
}
# pages of the repository, read there
exclude_patterns = [
    "_build",
    "claims.md",
    "own-pictures.md",
    "fundus.md",
    "fundus-results.md",
    "many-machines.md",
    "related-models.md",
    "running.md",
    "scale.md",
    "tutorial-new-method.md",
]

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_execution_show_tb = False
nb_output_stderr = "remove"  # progress bars
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_disable_syntax = ["html_block", "html_inline"]  # what an output says is no tag
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type", "misc.highlighting_failure"]


def _mathml(node, display: str) -> str:
    """MathML of an equation; its source, where the converter does not know a command."""
    try:
        return convert(node.astext(), display=display)
    except Exception:
        return f"<code>{html.escape(node.astext())}</code>"


def _inline(self, node) -> None:
    self.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def _block(self, node) -> None:
    self.body.append(f'<div class="math">{_mathml(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app) -> None:
    """Render equations while building, so that reading needs no MathJax."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


html_math_renderer = "mathml"
