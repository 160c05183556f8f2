"""A notebook's cells run in this process, one after the other, without a kernel: what they show, as
text. Seconds where a kernel each would take minutes; figures are made but not drawn."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path

import IPython.display
import pandas as pd
import pytest
from formulas import words
from matplotlib.figure import Figure

from riqa_lib.figures import style


class Marked(str):
    """Markdown that a cell shows."""


def as_text(thing: object) -> str:
    """What a cell shows, as text: markdown, a table in full, the words of a figure."""
    if isinstance(thing, IPython.display.Markdown):
        return Marked(thing.data)
    if thing is None:
        return ""
    if isinstance(thing, Figure):
        return words(thing)
    if isinstance(thing, (pd.DataFrame, pd.Series)):
        return thing.to_string()
    data = getattr(thing, "data", None)
    return data if isinstance(data, str) else str(thing)


def shown_by(notebook: Path, parameters: dict[str, object]) -> list[str]:
    """Text of every cell of a notebook after its card: a markdown cell's own, what a code cell
    prints and shows. parameters: set after the parameters cell, those of them that it has."""
    out: list[str] = []
    names: dict[str, object] = {"__name__": "__main__"}
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IPython.display, "display", lambda *things: out.extend(map(as_text, things)))
        patch.setattr(style, "save", lambda *things: [])
        for number, cell in enumerate(cells[1:], 1):
            code = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                out.append(code)
                continue
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                value = value_of(code, f"{notebook.stem}, cell {number}", names)
            out += [printed.getvalue(), as_text(value)]
            if "parameters" in cell["metadata"].get("tags", []):
                names.update({k: v for k, v in parameters.items() if k in names})
    return out


def value_of(code: str, where: str, names: dict[str, object]) -> object:
    """A cell run; the value of its last line where that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), where, "eval"), names)
