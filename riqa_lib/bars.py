"""Whether and how a progress bar is shown. Every bar of the library comes from here:

    for step in bars.bar(range(300), desc="FixMatch"):
        ...

    in a terminal                    a line of text, on stderr
    in Jupyter, a person before it   a widget below the cell (text where ipywidgets is absent)
    in a step of the plan            nothing in the notebook; the runner's live line has it
    elsewhere                        nothing: pipes, files, notebooks that no person runs

A kernel tells a person from a machine by the request that runs the cell: who sits before a notebook
can be asked for input; papermill and nbconvert (nbclient) say that they cannot."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

# Environment variable: the file in which a step of the plan says where its bar is; plan.kernel
# sets it and looks
FILE = "RIQA_BAR"

EVERY = 0.5  # seconds between two looks of a bar, at least


class Told(tqdm):
    """A bar that nobody sees: it writes "FixMatch 120/300" to the file that FILE names, and
    nothing there once it is over. A file that cannot be written stops no training."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, file=io.StringIO(), **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        of = f"/{self.total}" if self.total is not None else ""
        _tell(f"{self.desc} {self.n}{of}".strip())

    def close(self) -> None:
        if not self.disable:
            super().close()
            _tell("")


def _tell(text: str) -> None:
    file = Path(os.environ[FILE])
    part = file.with_name(f"{file.name}.part")
    with contextlib.suppress(OSError):
        part.write_text(text, encoding="utf-8")
        part.replace(file)


def _attended() -> bool:
    """Whether this is a Jupyter kernel, and a person runs its present cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    request = shell.get_parent() or {}
    return bool(request.get("content", {}).get("allow_stdin"))


def _widget() -> type[tqdm]:
    """tqdm's bar of Jupyter, whose words are text from the first moment: tqdm 4.70 makes it with
    `desc` as HTML and escapes that only a moment later, when the browser may have run it."""
    from tqdm.notebook import tqdm as widget

    class Escaped(widget):
        @staticmethod
        def status_printer(_: Any, total=None, desc=None, ncols=None):  # type: ignore[no-untyped-def]
            return widget.status_printer(_, total, html.escape(desc or ""), ncols)

    return Escaped


def _kind() -> type[tqdm] | None:
    """The bar for where this process runs; None for none."""
    if os.environ.get(FILE):
        return Told
    if _attended():
        if importlib.util.find_spec("ipywidgets") is None:
            return tqdm
        return _widget()
    return tqdm if sys.stderr is not None and sys.stderr.isatty() else None


def bar(
    items: Iterable | None = None,
    *,
    desc: str = "",
    total: float | None = None,
    initial: int = 0,
    unit: str = "it",
    leave: bool = True,
    bar_format: str | None = None,
    shown: bool = True,
) -> tqdm:
    """A tqdm over items (or, without them, one to `update`), where a bar is wanted; elsewhere one
    that shows nothing.

    total: how many there are in all (default: len(items)); initial: how many were done before;
    unit: of what; leave: whether it stays when all is done; bar_format: as tqdm's; shown: False
    for no bar anywhere.

    >>> [step for step in bar(range(3), desc="steps", shown=False)]
    [0, 1, 2]
    """
    kind = _kind() if shown else None
    return (kind or tqdm)(
        items,
        desc=desc or None,
        total=total,
        initial=initial,
        unit=unit,
        leave=leave,
        bar_format=bar_format,
        mininterval=EVERY,
        disable=kind is None,
    )


def above(out: Any) -> contextlib.AbstractContextManager:
    """What is printed to `out` in the block stands above the bars of a terminal."""
    return tqdm.external_write_mode(file=out)
