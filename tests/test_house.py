"""The house stays easy to see: floors, thin packages, notebooks, one list of dependencies."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import REPOSITORY

from riqa_lib.house import FLOORS, LIBRARY, imports, modules
from riqa_lib.plan.freshness import makers
from riqa_lib.plan.steps import Walk

NOTEBOOKS = sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))

# The floors stand in riqa_lib/house.py; within a floor imports must not go round in circles. Here,
# of each package: what of outside it must not import, what of ours it must not although it lies
# below.
PICTURE_READERS, TORCH = (
    {"PIL", "skimage"},
    {"torch", "torchvision", "timm", "safetensors", "captum"},
)
HEAVY, READS = (
    PICTURE_READERS | TORCH,
    {"tables", "figures"},
)  # what only reads: nothing that makes data or trains imports it
NOTHING: set[str] = set()
HOUSE = {
    **{name: (HEAVY, NOTHING) for name, floor in FLOORS.items() if floor == 0},
    "stats": (HEAVY, NOTHING),
    "datasets": (HEAVY, NOTHING),
    "tables": (HEAVY, NOTHING),
    "figures": (HEAVY, NOTHING),
    "sim": (TORCH, READS),
    "pictures": (TORCH, READS),
    "labelling": (TORCH, READS),
    "networks": (NOTHING, READS),
    "ssl": (NOTHING, READS),
    "training": (NOTHING, READS),
    "assess": (NOTHING, NOTHING),
    "pages": (NOTHING, NOTHING),
    "panels": (NOTHING, NOTHING),
    "plan": (HEAVY, NOTHING),
    "__main__": (HEAVY, NOTHING),
}
LONGEST = 400  # lines of a module


def test_every_module_has_its_floor():
    assert (
        {name.split(".")[0] for name in modules(LIBRARY)} - {"__init__"}
        == set(FLOORS)
        == set(HOUSE)
    )


def test_imports_point_down():
    graph, known = {}, modules(LIBRARY)
    for name, file in known.items():
        if name == "__init__" or name.endswith(".__init__"):
            continue
        package = name.split(".")[0]
        barred, kept_out = HOUSE[package]
        outside, inside = imports(file, LIBRARY, known)
        assert not outside & barred, f"{name} imports {outside & barred}"
        wrong = {
            m
            for m in inside
            if FLOORS[m.split(".")[0]] > FLOORS[package] or m.split(".")[0] in kept_out
        }
        assert not wrong, f"{name} imports {wrong} from a floor above, or from what only reads"
        graph[name] = inside - {name}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(
        graph
    )  # raises CycleError where they go round


def test_no_module_is_long_and_no_two_share_a_name():
    long = {
        name: lines
        for name, f in modules(LIBRARY).items()
        if (lines := len(f.read_text().splitlines())) > LONGEST
    }
    assert not long
    last = [name.split(".")[-1] for name in modules(LIBRARY) if not name.endswith("__init__")]
    assert len(last) == len(set(last)), sorted({n for n in last if last.count(n) > 1})


def test_what_only_reads_retrains_nothing():
    """The plan's own rule on this library: what makes data or trains stands on no table, no figure,
    no command, no plan."""
    walk = Walk((), "x", REPOSITORY / "notebooks", REPOSITORY)
    found = {key.removeprefix("library riqa_lib.").split(".")[0] for key in makers(walk)}
    assert {"sim", "pictures", "networks", "ssl", "training", "datasets", "store"} <= found
    assert not found & {"tables", "figures", "assess", "labelling", "plan", "__main__", "checks"}
    assert found <= set(HOUSE)


def test_a_method_imports_no_other_method_no_data_no_training():
    allowed = {
        "ssl.base",
        "ssl.parts",
        "networks.device",
        "networks.network",
        "networks.ranks",
        "networks.views",
        "networks.predict",
        "stats.calibration",
        "scales",
        "bounds",
    }
    for name, file in modules(LIBRARY).items():
        if name.startswith("ssl."):
            assert imports(file, LIBRARY)[1] <= allowed, name


COMPLEX = 12  # from so many paths on, a function is hard to hold in the head


def functions(blocks):
    """(name, complexity) of every function that radon found: of classes, their methods; of
    functions, those inside them too."""
    for block in blocks:
        name = ".".join(filter(None, [getattr(block, "classname", None), block.name]))
        if hasattr(block, "closures"):
            yield name, block.complexity
            yield from ((f"{name}.{inner}", paths) for inner, paths in functions(block.closures))


def complex_functions(file):
    """["function (complexity)"] of those that reach COMPLEX."""
    from radon.complexity import cc_visit

    found = functions(cc_visit(file.read_text(encoding="utf-8")))
    return [f"{name} ({paths})" for name, paths in found if paths >= COMPLEX]


def test_every_function_is_simple():
    """By radon, which counts every way through a function (ruff's mccabe leaves out `and`, `or` and
    comprehensions)."""
    files = [*LIBRARY.rglob("*.py"), REPOSITORY / "run_all.py"]
    found = {f.relative_to(REPOSITORY).as_posix(): complex_functions(f) for f in sorted(files)}
    assert not {name: those for name, those in found.items() if those}


def test_a_function_that_is_not_simple_is_found(tmp_path):
    turns = "".join(f"    if a == {k} and a:\n        return {k}\n" for k in range(6))
    file = tmp_path / "a.py"
    file.write_text(f"def plain(a):\n    return a\n\n\ndef winding(a):\n{turns}")
    assert complex_functions(file) == ["winding (13)"]
    inside = "".join(f"    {line}\n" for line in turns.splitlines())
    file.write_text(f"class A:\n    def winding(self, a):\n{inside}")
    assert complex_functions(file) == ["A.winding (13)"]


def said_by_python(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_figures_and_read_notebooks_never_load_torch():
    code = (
        "import sys; "
        "import riqa_lib.figures.draw_all, riqa_lib.tables.reference, riqa_lib.datasets.folder; "
        "print([m for m in ('torch', 'skimage') if m in sys.modules])"
    )
    assert said_by_python(code) == "[]"
    for notebook in NOTEBOOKS:
        text = "".join("".join(c["source"]) for c in json.loads(notebook.read_text())["cells"])
        if "no torch" in text:
            assert not re.search(r"import.*\b(training|networks|torch)\b", text), notebook.name


def test_tests_mirror_the_packages_and_import_no_test():
    packages = {name for name in HOUSE if (LIBRARY / name).is_dir()}
    for file in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        folder = file.parent.relative_to(REPOSITORY / "tests").parts
        assert not folder or folder[0] in packages | {"benchmarks", "faults", "notebooks"}, file
        found = {
            n.module or ""
            for n in ast.walk(ast.parse(file.read_text()))
            if isinstance(n, ast.ImportFrom)
        }
        assert not any(module.startswith("test_") for module in found), file


def test_packages_are_thin():
    for file in LIBRARY.rglob("__init__.py"):
        body = ast.parse(file.read_text()).body
        if file.parent == LIBRARY:  # the door `riqa_lib.score`, which imports when it is called
            assert [n.name for n in body if isinstance(n, ast.FunctionDef)] == ["score"]
            names = ("importlib", "__future__", "typing")
            of = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
            assert {n.names[0].name if isinstance(n, ast.Import) else n.module for n in of} == {
                *names
            }
            body = [n for n in body if isinstance(n, ast.Expr | ast.Assign)]
        assert all(isinstance(n, ast.Expr | ast.Assign) for n in body), file


STRIP = (
    "it holds outputs or what an editor noted; type\n  .venv/bin/nbstripout --extra-keys "
    "metadata.language_info notebooks/*.ipynb notebooks/tools/*.ipynb\n(`make lab` works on copies)"
)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_stripped_short_and_without_code_of_their_own(notebook):
    document = json.loads(notebook.read_text(encoding="utf-8"))
    cells = document["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    sources = ["".join(c["source"]) for c in code]
    assert all(not c["outputs"] and c["execution_count"] is None for c in code), STRIP
    assert document["metadata"].keys() <= {"kernelspec"}, STRIP
    assert sum("parameters" in c["metadata"].get("tags", []) for c in code) == 1
    assert 12 <= len(cells) <= 30
    assert max(len(s.splitlines()) for s in sources) <= 20
    for source in sources:
        kinds = {type(n) for n in ast.walk(ast.parse(source))}
        assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.Lambda}
        assert not re.search(
            r"matplotlib|pyplot|sys\.path|filterwarnings|import \*|^[!%]", source, re.M
        )
    card = "".join(cells[0]["source"])
    assert all(
        f"**{word}**" in card for word in ("Question", "Reads", "Writes", "Paper item", "Time")
    )
    assert "provenance" in sources[-1]


def test_what_the_message_says_to_type_strips_a_notebook_that_was_run(tmp_path):
    document = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    document["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}
    code = [c for c in document["cells"] if c["cell_type"] == "code"]
    for cell in code:
        said = {"output_type": "stream", "name": "stdout", "text": "said"}
        cell |= {"outputs": [said], "execution_count": 3}
    (tmp_path / "notebooks" / "tools").mkdir(parents=True)
    for name in ("run.ipynb", "tools/run.ipynb"):
        (tmp_path / "notebooks" / name).write_text(json.dumps(document), encoding="utf-8")
    line = next(row.strip() for row in STRIP.splitlines() if "nbstripout" in row)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    for name in ("run.ipynb", "tools/run.ipynb"):
        found = json.loads((tmp_path / "notebooks" / name).read_text(encoding="utf-8"))
        assert found["metadata"].keys() == {"kernelspec"}
        cells = [c for c in found["cells"] if c["cell_type"] == "code"]
        assert len(cells) == len(code)
        assert all(not c["outputs"] and c["execution_count"] is None for c in cells)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lab_works_on_copies_that_it_never_overwrites(tmp_path):
    """What is saved there changes no notebook of the repository, and no second start loses it."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    jupyter = binaries / "jupyter"
    jupyter.write_text('#!/bin/sh\necho "started $*"\n')
    jupyter.chmod(0o755)
    # as if `make setup` had run
    lab = ["make", "-o", ".venv/.stamp", "lab"]
    first = subprocess.run(lab, cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert "started lab --notebook-dir results/lab" in first.stdout
    copies = sorted((tmp_path / "results" / "lab").rglob("*.ipynb"))
    assert [c.name for c in copies] == [n.name for n in NOTEBOOKS]
    copies[0].write_text("saved")
    os.utime(copies[0], (0, 0))  # older than its original, as after a pull
    copies[1].unlink()
    assert subprocess.run(lab, cwd=tmp_path, capture_output=True).returncode == 0
    assert copies[0].read_text() == "saved"
    assert copies[1].read_bytes() == NOTEBOOKS[1].read_bytes()
    for notebook in NOTEBOOKS:
        same = tmp_path / notebook.relative_to(REPOSITORY)
        assert same.read_bytes() == notebook.read_bytes()
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "results/*" in ignored
    assert "!results/lab/" not in ignored


def test_notebooks_are_in_the_readme_map():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    for notebook in NOTEBOOKS:
        assert f"`{notebook.stem}`" in readme, notebook.stem


def requirements():
    """Every package of pyproject.toml with its least version: for running, the site, developing."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert {"dev", "site"} <= set(extras)
    every = [*project["dependencies"], *extras["dev"], *extras["site"]]
    assert len(every) == len({r.split(">=")[0] for r in every}), "a package is listed twice"
    return {r.split(">=")[0]: r.split(">=")[1] for r in every}


def test_environment_is_made_from_pyproject():
    from riqa_lib.__main__ import environment

    assert (REPOSITORY / "environment.yml").read_text(encoding="utf-8") == environment()


def test_the_lock_has_hashes_no_addresses_and_satisfies_pyproject():
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pins = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.M)
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", lock, flags=re.M)[1:]
    assert len(blocks) == len(pins) > 100
    assert all("--hash=sha256:" in b for b in blocks)

    def numbers(version):
        return [int(n) for n in re.findall(r"\d+", version)[:3]]

    for name, least in requirements().items():
        found = [v for n, v in pins if n == name]
        assert found, f"{name} is not in the lock"
        assert all(numbers(v) >= numbers(least) for v in found), (name, found, least)


def optional():
    """What a user may add: the packages of the other extras."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {r.split(">=")[0]: extra for extra in {*extras} - {"dev", "site"} for r in extras[extra]}


def test_every_dependency_has_its_reason_in_contributing():
    said = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").lower()
    for name in [*requirements(), *optional()]:
        assert name.lower() in said, f"{name}: name it in CONTRIBUTING, with its reason"


def test_what_is_a_users_choice_is_not_in_the_lock():
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert "pyarrow" in optional()
    for name, extra in optional().items():
        assert not re.search(rf"^{re.escape(name)}==", lock, re.M), f"{name} is of {extra}"


def test_the_library_imports_fast():
    """Counted in modules, not in seconds: nothing heavy comes with the package itself."""
    code = (
        "import sys, riqa_lib; "
        "print(len([m for m in sys.modules if m.split('.')[0] in ('torch', 'pandas', 'numpy')]))"
    )
    assert said_by_python(code) == "0"
