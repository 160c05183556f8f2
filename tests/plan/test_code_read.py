"""What code says, read once: kept for the next process, and never older than the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_notebooks import write_notebook

from riqa_lib import contents
from riqa_lib.plan import code_read
from riqa_lib.plan.code_read import Code, Library, Reader
from riqa_lib.plan.freshness import components, why_all
from riqa_lib.plan.steps import PlanError, Step, Walk

MODULES = {
    "__init__.py": "",
    "model.py": '"""Model."""\nfrom .deep import double\n\nTABLE = "numbers.csv"\n',
    "deep/__init__.py": "",
    "deep/double.py": "def double(x):\n    return 2 * x\n",
    "alone.py": "import os\n",
    "numbers.csv": "a\n1\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A library, a notebook, and a home that has been run in; their times count as past."""
    monkeypatch.setattr(contents, "SETTLED", -1)
    for name, text in MODULES.items():
        file = tmp_path / "toylib" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    write_notebook(tmp_path / "first.ipynb", ["from toylib import model"])
    (tmp_path / "results").mkdir()
    return tmp_path


def parts(folder: Path) -> dict[str, str]:
    """What the notebook depends on, as a process that has just begun sees it."""
    code_read._kept.cache_clear()
    reader = Reader(folder)
    found = Library(folder / "toylib", reader).parts(reader.notebook(folder / "first.ipynb"))
    reader.keep()
    return found


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Names of the files that are parsed."""
    names = []

    def module(file: Path, package: list[str]) -> Code:
        names.append(file.name)
        return before(file, package)

    before = code_read._module
    monkeypatch.setattr(code_read, "_module", module)
    return names


def test_what_a_notebook_depends_on(folder):
    found = parts(folder)
    assert set(found) == {
        "library toylib",
        "library toylib.model",
        "library toylib.deep",
        "library toylib.deep.double",
        "library file numbers.csv",
    }
    assert len(set(found.values())) == 4  # both __init__ are empty


def test_the_next_process_reads_only_what_changed(folder, read):
    first = parts(folder)
    assert sorted(read) == ["__init__.py", "__init__.py", "double.py", "model.py"]
    read.clear()
    assert parts(folder) == first
    assert read == []
    file = folder / "toylib" / "deep" / "double.py"
    file.write_text(file.read_text().replace("2", "3"))  # of the same length
    second = parts(folder)
    assert read == ["double.py"]
    assert {k for k in first if first[k] != second[k]} == {"library toylib.deep.double"}


def test_a_file_changed_just_now_is_not_kept(folder, read, monkeypatch):
    """A second edit could leave size and time as they are."""
    monkeypatch.setattr(contents, "SETTLED", 3600 * 10**9)
    parts(folder)
    assert not (folder / "results" / code_read.KEPT).exists()
    parts(folder)
    assert read.count("model.py") == 2


def half(said: dict) -> str:
    said["files"] = {name: one[:1] for name, one in said["files"].items()}
    return json.dumps(said)


def of_another_python(said: dict) -> str:
    """Which would give other hashes."""
    files = {name: [stamp, ["0", *code[1:]]] for name, (stamp, code) in said["files"].items()}
    return json.dumps({"by": "another Python", "files": files})


@pytest.mark.parametrize("damage", [lambda said: "[]", lambda said: "{", half, of_another_python])
def test_what_is_damaged_or_of_another_python_is_read_again(folder, read, damage):
    first = parts(folder)
    kept = folder / "results" / code_read.KEPT
    said = json.loads(kept.read_text())
    kept.write_text(damage(json.loads(kept.read_text())))
    read.clear()
    assert parts(folder) == first
    assert len(read) == 4
    assert json.loads(kept.read_text()) == said


def test_a_look_at_the_plan_keeps_what_it_read(folder, read):
    steps = (Step("first", "first.ipynb"), Step("second", "first.ipynb"))
    walk = Walk(steps, "toy", folder, folder, folder / "toylib")
    why_all(walk, steps)
    (walk.folder / "steps").mkdir(parents=True)
    manifest = json.dumps({"components": {}, "outputs": {}})
    for step in steps:
        walk.file(step.name, "json").write_text(manifest)
    assert all("library toylib.model is new" in words for words in why_all(walk, steps).values())
    assert len(read) == 4  # each module once
    code_read._kept.cache_clear()
    why_all(walk, steps)
    assert len(read) == 4


def test_a_step_keeps_what_it_read_for_the_next_run(folder, read):
    """The first run of a plan looks at no module before its steps do."""
    step = Step("first", "first.ipynb")
    walk = Walk((step,), "toy", folder, folder, folder / "toylib")
    code_read._kept.cache_clear()
    first = components(walk, step)
    assert len(read) == 4
    code_read._kept.cache_clear()
    assert components(walk, step) == first
    assert len(read) == 4


def test_nothing_is_kept_where_nothing_was_run(folder):
    (folder / "results").rmdir()
    assert parts(folder)
    assert not (folder / "results").exists()


def test_a_notebook_that_cannot_be_read_is_named_and_not_kept(folder):
    file = folder / "first.ipynb"
    write_notebook(file, ["1 +"])
    for _ in range(2):
        with pytest.raises(PlanError, match=r"first.ipynb: cell 3 is not Python"):
            parts(folder)
    with pytest.raises(PlanError, match=r"other.ipynb: no such notebook in"):
        Reader(folder).notebook(folder / "other.ipynb")
