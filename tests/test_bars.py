"""Where a progress bar is shown, and how: a terminal, a pipe, a step of the plan, real kernels."""

from __future__ import annotations

import io
import re
import sys

import pytest
from conftest import REPOSITORY
from jupyter_client.manager import start_new_kernel

from riqa_lib import bars
from riqa_lib.house import LIBRARY, modules


class Screen(io.StringIO):
    """What a terminal would get."""

    def isatty(self):
        return True


def watched(monkeypatch, stream):
    """What a bar of three steps writes to a standard error like this, and its steps."""
    monkeypatch.delenv(bars.FILE, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    steps = list(bars.bar(range(3), desc="steps"))
    return stream.getvalue(), steps


def test_a_terminal_has_a_bar_and_a_pipe_has_nothing(monkeypatch):
    shown, steps = watched(monkeypatch, Screen())
    assert re.search(r"\rsteps: 100%\|[█#]+\| 3/3 ", shown)
    assert steps == [0, 1, 2]
    assert watched(monkeypatch, io.StringIO()) == ("", steps)
    monkeypatch.setattr(sys, "stderr", Screen())
    assert list(bars.bar(range(3), desc="steps", shown=False)) == steps
    assert sys.stderr.getvalue() == ""


def test_a_step_of_the_plan_says_in_its_file_where_it_is_and_shows_nothing(monkeypatch, tmp_path):
    file, screen, at = tmp_path / "bar", Screen(), []
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv(bars.FILE, str(file))
    monkeypatch.setattr(bars, "EVERY", 0)
    for _ in bars.bar(range(2, 4), initial=2, total=4, desc="FixMatch"):
        at.append(file.read_text())
    assert at == ["FixMatch 2/4", "FixMatch 3/4"]
    assert file.read_text() == ""  # nothing is trained any more
    counted = bars.bar(desc="maps")
    counted.update(64)
    assert file.read_text() == "maps 64"
    counted.close()
    assert screen.getvalue() == ""
    monkeypatch.setenv(bars.FILE, str(tmp_path / "gone" / "bar"))
    assert list(bars.bar(range(2))) == [0, 1]


def outputs(client, code, **asked):
    """What a cell shows: [(kind of message, its content)]; it must not fail."""
    found = []
    reply = client.execute_interactive(
        code,
        timeout=60,
        output_hook=lambda m: found.append((m["msg_type"], m["content"])),
        **asked,
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return found


def test_a_kernel_shows_a_widget_to_a_person_and_nothing_to_a_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delenv(bars.FILE, raising=False)
    manager, client = start_new_kernel()
    code = "from riqa_lib import bars\nfor _ in bars.bar(range(3), desc='steps'): pass"
    try:
        # papermill, nbconvert and the site's own runs can be asked for nothing
        machine = outputs(client, code, allow_stdin=False)
        person = outputs(client, code, allow_stdin=True)
        without = "import importlib.util as u; find = u.find_spec\n"
        without += "u.find_spec = lambda name: None if name == 'ipywidgets' else find(name)\n"
        plain = outputs(client, without + code, allow_stdin=True)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    said = {"stream", "display_data", "comm_open", "error"}
    assert not [kind for kind, _ in machine if kind in said]
    shown = [content["data"] for kind, content in person if kind == "display_data"]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True]
    states = [c["data"].get("state", {}) for kind, c in person if kind.startswith("comm")]
    assert any(state.get("max") == 3 for state in states)
    assert any(state.get("value") == 3 for state in states)  # and it moved to its end
    text = "".join(content["text"] for kind, content in plain if kind == "stream")
    assert "steps: 100%" in text


def test_every_bar_of_the_library_comes_from_here():
    said = re.compile(r"^\s*(from|import) tqdm\b", re.M)
    own = {name for name, file in modules(LIBRARY).items() if said.search(file.read_text())}
    assert own == {"bars"}


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_standard_error_there_is_no_bar(monkeypatch, stream):
    monkeypatch.delenv(bars.FILE, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    assert bars.bar(range(2)).disable
