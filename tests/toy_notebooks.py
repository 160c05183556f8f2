"""Small notebooks for tests of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

METADATA = {"tags": ["parameters"]}


def write_notebook(
    file: Path,
    code: Sequence[str],
    *,
    parameters: str = "SEED = 0\nSETTINGS = {}",
    prose: str = "Prose.",
) -> None:
    """A notebook: a heading with an equation, a parameters cell, the code cells."""
    cells = [
        new_markdown_cell(f"# {file.stem}\n\n{prose} $x = 1$"),
        new_code_cell(parameters, metadata=METADATA),
        *map(new_code_cell, code),
    ]
    nbformat.write(new_notebook(cells=cells), file)
