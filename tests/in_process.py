"""The notebooks of a plan in this process instead of a kernel each: a kernel that imports torch
takes longer to start than most notebooks take at smoke size. All else of the plan is as it is:
what is up to date, manifests, executed copies, the site. Kernels are tried by tests/plan,
tests/faults and tests/notebooks/test_notebooks.py."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

import IPython.display
import nbformat
import numpy as np
import pandas as pd
import pytest
from cheaper import few_resamples
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from nbformat.v4 import new_output
from notebook_cells import value_of
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from sklearn.ensemble import RandomForestClassifier

import run_all
from riqa_lib.pictures import fundus_data, pristine
from riqa_lib.plan import kernel, one_step
from riqa_lib.plan.steps import Step, Walk
from riqa_lib.training import baselines


def execute(walk: Walk, step: Step, lock: IO[str], event: kernel.Event) -> None:
    """As plan.kernel.execute: the executed copy, with what its cells print and show."""
    file = walk.notebooks / step.notebook
    given = dict(step.parameters)
    notebook = parameterize_notebook(
        load_notebook_node(str(file)), given, kernel_name="python3", language="python"
    )
    names: dict[str, object] = {"__name__": "__main__"}
    copy = walk.executed(step.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kernel._environment(walk, step, copy.parent).items():
            patch.setenv(name, value)
        patch.delenv("RIQA_BAR", raising=False)
        patch.chdir(walk.folder)
        _afresh(walk.library, patch)
        for number, cell in enumerate(notebook.cells, 1):
            if cell.cell_type == "code":
                event(number, len(notebook.cells), cell.source.split("\n")[0])
                cell.execution_count = number
                cell.outputs = _outputs(cell.source, f"{step.name}, cell {number}", names, patch)
    nbformat.write(notebook, copy)


def _afresh(library: Path, patch: pytest.MonkeyPatch) -> None:
    """A toy library is imported from where it lies and as it is now, as a new kernel would."""
    if library.name == "riqa_lib":
        return
    patch.setattr(sys, "dont_write_bytecode", True)
    patch.syspath_prepend(library.parent)
    for module in [m for m in sys.modules if m.partition(".")[0] == library.name]:
        patch.delitem(sys.modules, module)


def _outputs(
    code: str, where: str, names: dict[str, object], patch: pytest.MonkeyPatch
) -> list[Any]:
    """What a cell shows, as a kernel would send it."""
    shown: list[Any] = []
    patch.setattr(IPython.display, "display", lambda *things, **_: shown.extend(things))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        last = value_of(code, where, names)
    text = printed.getvalue()
    out = [new_output("stream", name="stdout", text=text)] if text else []
    out += [new_output("display_data", **_data(thing)) for thing in shown]
    return out + ([] if last is None else [new_output("execute_result", **_data(last))])


def _data(thing: object) -> dict[str, Any]:
    data, facts = DisplayFormatter().format(thing)
    text = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}
    return {"data": text, "metadata": facts}


# ---------------------------------------------------------------- the network
REACHED = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}  # where the address is
_away: list[str] | None = None  # what was asked of other machines, while somebody watches


def _noticed(event: str, given: tuple) -> None:
    if _away is not None and event in REACHED:
        address = given[REACHED[event]]
        host = str(address[0] if isinstance(address, tuple) else address or "")
        local = host.startswith(("127.", "/", "\0")) or host in ("", "::1", "localhost")
        if not local:
            _away.append(f"{event}: {address}")


sys.addaudithook(_noticed)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """What this process asks of other machines in the block, by Python's own audit events."""
    global _away
    before, _away = _away, []
    try:
        yield _away
    finally:
        _away = before


# ---------------------------------------------------------------- cheaper
_pictures: WeakKeyDictionary[Figure, bytes] = WeakKeyDictionary()
_savefig, _carried, _field_check = Figure.savefig, pristine.carried, fundus_data.field_check


def drawn_once(figure: Figure, to: Path | IO[bytes], **_: Any) -> None:
    """A figure's picture, as PNG whatever is asked for, coarse: on the screen and in the PDF it
    would be drawn anew. Notebooks under plain papermill and tests/figures draw all, and lay figures
    out."""
    if figure not in _pictures:
        with io.BytesIO() as buffer:
            _savefig(figure, buffer, format="png", dpi=50, pil_kwargs={"compress_level": 1})
            _pictures[figure] = buffer.getvalue()
    if isinstance(to, str | Path):
        Path(to).write_bytes(_pictures[figure])
    else:
        to.write(_pictures[figure])


def few_trees(trees: int, **how: Any) -> RandomForestClassifier:
    """A forest in a fraction of the time; tests/training/test_baselines.py has them whole."""
    return RandomForestClassifier(min(trees, 20), **how)


def few_pictures(size: int) -> dict[str, np.ndarray]:
    """Two of scikit-image's photographs; tests/pictures/test_distorted_copies.py has all."""
    return dict(islice(_carried(size).items(), 2))


def few_fields() -> pd.DataFrame:
    """Six simulated frames; tests/pictures/test_field.py has as many as it takes to judge."""
    return _field_check(6)


@contextlib.contextmanager
def without_kernels(home: Path) -> Iterator[pytest.MonkeyPatch]:
    """In the block run_all.py writes to `home` and runs each step here, one after another."""

    def serially(arguments: list[str]) -> int:
        return main([*arguments, "--serial"])

    main = run_all.main
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_all, "main", serially)
        patch.setattr(one_step, "execute", execute)
        patch.setattr(baselines, "RandomForestClassifier", few_trees)
        patch.setattr(Figure, "savefig", drawn_once)
        patch.setattr(Figure, "draw_without_rendering", lambda figure: None)
        patch.setattr(pristine, "carried", few_pictures)
        patch.setattr(fundus_data, "field_check", few_fields)
        few_resamples(patch)
        patch.setenv("RIQA_HOME", str(home))
        patch.delenv("RIQA_JOURNAL", raising=False)
        yield patch


def run(home: Path, *arguments: str) -> int:
    """run_all.py with these arguments, typed in the folder `home`, which it writes to; its exit
    status."""
    with without_kernels(home) as patch:
        patch.chdir(home)
        return run_all.main([*arguments])
