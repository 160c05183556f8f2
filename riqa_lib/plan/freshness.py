"""What a step depends on, what of it changed, and what that means for the runs it has stored.

A step is up to date when what it depends on (see `components`) is what its manifest says, and so
are the data that it read (see data_read) and its outputs. The needs' figures (png, pdf, svg) are no
inputs: a new palette must not train anything again.

Stored runs and data are reused by their settings. A change in what makes data or trains makes them
anew; a change in the notebook's own code, in a parameter, in a table of a step before or in a
module that only reads keeps them. What only reads: every module that neither makes data nor trains
(`steps.MAKES`) nor is imported by one that does."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .. import paths, provenance, repairs
from ..house import imported
from . import data_read
from .steps import PlanError, Step, Walk, threads

PICTURES = {".png", ".pdf", ".svg"}


# ---------------------------------------------------------------- what a step depends on
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                node.body = node.body[1:]
    return tree


def _code_cells(file: Path) -> list[tuple[int, str, list[str]]]:
    """(number, source, tags) of a notebook's code cells; PlanError for what is no notebook."""
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        every = [
            (number, cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", []))
            for number, cell in enumerate(cells, 1)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise PlanError(f"{file.name}: not a notebook ({type(e).__name__}: {e})") from e
    return [(number, source, tags) for number, kind, source, tags in every if kind == "code"]


def _tree(source: str, where: str) -> ast.Module | str:
    """The syntax tree of a cell, magics dropped; its text where it is in another language (%%)."""
    lines = source.splitlines()
    plain = [line for line in lines if not line.lstrip().startswith(("%", "!", "?"))]
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile("\n".join(plain), where, "exec", flags)
    except SyntaxError as e:
        if source.lstrip().startswith("%%"):
            return source
        raise PlanError(f"{where} is not Python: {e.msg} (line {e.lineno})") from e


def _assigned(tree: ast.Module) -> set[str]:
    """Names that the top level of a cell sets."""
    targets: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    return {target.id for target in targets if isinstance(target, ast.Name)}


# kept by file and time of change: many steps share a notebook
@lru_cache(maxsize=256)
def _notebook(file: Path, _changed: int) -> tuple[list[ast.AST | str], set[str] | None]:
    trees: list[ast.AST | str] = []
    parameters: set[str] | None = None
    for number, source, tags in _code_cells(file):
        tree = _tree(source, f"{file.name}: cell {number}")
        trees.append(tree)
        if "parameters" in tags and isinstance(tree, ast.Module):
            parameters = _assigned(tree)
    return trees, parameters


def notebook_code(file: Path) -> tuple[list[ast.AST | str], set[str] | None]:
    """Syntax trees of a notebook's code cells (magics dropped; a cell in another language as text)
    and the names that its parameters cell sets (None without such a cell). Raises PlanError naming
    the file and the cell."""
    try:
        return _notebook(file, file.stat().st_mtime_ns)
    except OSError as e:
        raise PlanError(f"{file.name}: no such notebook in {paths.shown(file.parent)}") from e


class Code(NamedTuple):
    """What matters of a piece of code: its hash, its texts, the dotted names that it imports."""

    digest: str
    texts: tuple[str, ...]
    imports: tuple[str, ...]


def _code(tree: ast.AST, package: list[str]) -> Code:
    nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = {value for value in nodes if isinstance(value, str)}
    return Code(_digest(ast.dump(tree)), tuple(texts), tuple(imported(tree, package)))


# kept by file and time of change: all steps share the library
@lru_cache(maxsize=1024)
def _module(file: Path, _changed: int, package: tuple[str, ...]) -> Code:
    tree = _without_docstrings(ast.parse(file.read_text(encoding="utf-8")))
    return _code(tree, list(package))


def _data_files(library: Path) -> dict[str, Path]:
    """{name: path} of what lies in the library and is no code."""
    return {
        p.name: p
        for p in library.rglob("*.*")
        if p.is_file() and p.suffix not in (".py", ".pyc") and not p.name.startswith(".")
    }


def _named(code: Code, data: dict[str, Path]) -> Iterator[Path]:
    """Of the library's data files, those whose name is in a text of this code."""
    for name, path in data.items():
        if any(name in text for text in code.texts):
            yield path


def _modules(library: Path, dotted: str) -> Iterator[tuple[str, Path, list[str]]]:
    """(name, file, package) of what importing a dotted name of the library may run: its packages
    from the top, then itself. The last part may be no module but a name in one."""
    parts = dotted.split(".")
    if parts[0] != library.name:
        return
    for n in range(1, len(parts) + 1):
        base = library.joinpath(*parts[1:n])
        is_package = (base / "__init__.py").exists()
        file = base / "__init__.py" if is_package else base.with_suffix(".py")
        if file.exists():
            yield ".".join(parts[:n]), file, parts[:n] if is_package else parts[: n - 1]


def library_code(library: Path, trees: Sequence[ast.AST]) -> dict[str, str]:
    """{"library riqa_lib.x": hash} of the modules of `library` that this code imports, directly or
    through others.

    Comments, docstrings and layout don't count. A data file of the library counts where its name is
    in such code."""
    found: dict[str, str] = {}
    queue = [_code(tree, [library.name]) for tree in trees]
    data = _data_files(library)
    while queue:
        code = queue.pop()
        for path in _named(code, data):
            name = path.relative_to(library).as_posix()
            found[f"library file {name}"] = file_digest(path)[:16]
        for dotted in code.imports:
            for name, file, its_package in _modules(library, dotted):
                if f"library {name}" not in found:
                    module = _module(file, file.stat().st_mtime_ns, tuple(its_package))
                    found[f"library {name}"] = module.digest
                    queue.append(module)
    return found


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {f"version {k}": v for k, v in provenance.versions().items() if k != "papermill"}


def components(walk: Walk, step: Step) -> dict[str, str]:
    """Everything this step's outputs depend on, each part under a name that --why can show."""
    trees, _ = notebook_code(walk.notebooks / step.notebook)
    parts = {
        "notebook code": _digest("\n".join(t if isinstance(t, str) else ast.dump(t) for t in trees))
    }
    parts |= library_code(walk.library, [t for t in trees if not isinstance(t, str)])
    parts |= {f"parameter {k}": json.dumps(v, sort_keys=True) for k, v in step.parameters.items()}
    for need in step.needs:
        outputs = walk.manifest(need).get("outputs", {})
        parts |= {
            f"input {k}": v for k, v in outputs.items() if v and Path(k).suffix not in PICTURES
        }
    return parts | {"threads": str(threads())} | _versions()


def changed(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """What differs between two sets of components, in words.

    >>> changed({"parameter SEED": "0", "notebook code": "1f"}, {"parameter SEED": "1"})
    {'notebook code': 'notebook code is gone', 'parameter SEED': 'parameter SEED changed: 0 -> 1'}
    """
    words = {}
    for key in sorted({*old, *new}):
        if key not in old:
            words[key] = f"{key} is new"
        elif key not in new:
            words[key] = f"{key} is gone"
        elif old[key] != new[key]:
            exact = key.startswith(("parameter ", "version ", "threads"))
            words[key] = f"{key} changed" + (f": {old[key]} -> {new[key]}" if exact else "")
    return words


def makers(walk: Walk) -> set[str]:
    """Components of every module that makes data or trains: walk.makes and all that they import,
    however indirectly.

    The top package itself isn't one: it imports nothing, and a new version number must not train
    anything again."""
    files = [
        f
        for name in walk.makes
        for f in (*walk.library.glob(f"{name}.py"), *walk.library.glob(f"{name}/**/*.py"))
    ]
    dotted = [
        ".".join([walk.library.name, *f.relative_to(walk.library).with_suffix("").parts])
        for f in files
    ]
    code = ast.parse("\n".join(f"import {name.removesuffix('.__init__')}" for name in dotted))
    return library_code(walk.library, [code]).keys() - {f"library {walk.library.name}"}


def settings_only(key: str) -> bool:
    """Whether this component is a setting: what was made under the old one stays what it says.

    >>> settings_only("parameter SEED"), settings_only("version numpy")
    (True, False)
    """
    return key.startswith("parameter ")


DATA = re.compile(r"results/[^/]+/(data|fundus/[^/]+)/.*")  # the data folders of a walk
RUNS = re.compile(r"results/runs/.*")


def named_by_contents(file: str) -> bool:
    """Whether a file, relative to home, bears the name of what it was made from, as part of a run
    (settings, with the key of its data) or of a data folder (its own key): such a file is never
    wrong, at most of no use now.

    >>> named_by_contents("results/mine/data/frame.csv"), named_by_contents("results/mine/tables/a")
    (True, False)
    """
    return bool(DATA.fullmatch(file) or RUNS.fullmatch(file))


def other_data(key: str) -> bool:
    """Whether this component is part of the data that runs learn from and are named by."""
    return key.startswith("input ") and bool(DATA.fullmatch(key.removeprefix("input ")))


def reads_only(key: str, made_by: set[str]) -> bool:
    """Whether a change in this component cannot change a stored run or data set, only what is said
    of it."""
    if key.startswith("library file "):
        return True
    if key.startswith("library "):
        return key not in made_by
    if key.startswith(
        "input "
    ):  # which runs there are is a setting of the runs that learn from them
        return re.fullmatch(r"input results/[^/]+/tables/.*", key) is not None
    return key == "notebook code"


def stamp(path: Path) -> list[int]:
    """Size and time of a file: as long as they stay, its contents need not be read again."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def damaged(walk: Walk, manifest: dict[str, Any]) -> dict[str, str]:
    """{path: "is gone" or "was altered"} for outputs that are not as the step left them.

    A file whose size and time are as recorded is not read again (see verify)."""
    stamps, wrong = manifest.get("stamps", {}), {}
    for name in manifest.get("outputs", {}):
        path = walk.home / name
        if not path.is_file():
            wrong[name] = "is gone"
        elif stamp(path) != stamps.get(name) and not as_it_was(path, name, manifest):
            wrong[name] = "was altered"
    return wrong


def as_it_was(path: Path, name: str, manifest: dict[str, Any]) -> bool:
    """Whether an output says what it said when its step ended. A provenance.json knows its own
    hash, since walks share runs and each writes its own times; what older manifests have no hash of
    counts as it is."""
    if path.name == repairs.PROVENANCE:
        return repairs.is_whole(path)
    sha = manifest["outputs"][name] or manifest.get("copies", {}).get(name)
    return not sha or file_digest(path) == sha


def why(walk: Walk, step: Step) -> list[str]:
    """Why this step has to run, given that its needs are up to date; empty when it hasn't to."""
    manifest = walk.manifest(step.name)
    if not manifest:
        return [
            "did not finish last time"
            if walk.file(step.name, "journal").exists()
            else "never ran here"
        ]
    differs = changed(manifest["components"], components(walk, step))
    made_by = makers(walk) if any(k.startswith("library ") for k in differs) else set()
    notes = {
        k: " (makes data or trains: stored runs are made anew)" for k in differs if k in made_by
    }
    notes |= {"threads": " (sums differ in the last bits: stored runs are made anew)"}
    words = [text + notes.get(key, "") for key, text in differs.items()]
    words += data_read.changes(walk, step, manifest)
    return words + [f"{name} {what}" for name, what in damaged(walk, manifest).items()]


def why_all(walk: Walk, steps: Sequence[Step], force: Sequence[str] = ()) -> dict[str, list[str]]:
    """`why` for steps in order; a step below one that runs says so (it stays if its inputs come out
    the same)."""
    reasons: dict[str, list[str]] = {}
    for step in steps:
        waits = [n for n in step.needs if reasons.get(n)]
        reasons[step.name] = ["forced"] if step.name in force else why(walk, step)
        if waits and not reasons[step.name]:
            reasons[step.name] = [f"depends on what {n} writes" for n in waits]
    return reasons


def check(walk: Walk, steps: Sequence[Step]) -> None:
    """Raise PlanError, with every problem of every step, for absent notebooks, cells that are no
    Python, and parameters that the notebook doesn't have (papermill itself would only warn)."""
    problems = []
    for step in steps:
        try:
            _, known = notebook_code(walk.notebooks / step.notebook)
        except PlanError as e:
            problems.append(str(e))
            continue
        for name in sorted(set(step.parameters) - (known or set())):
            have = f"it has {', '.join(sorted(known))}" if known else "it has no parameters cell"
            problems.append(f"{step.notebook} (step {step.name}) has no parameter {name}; {have}")
    if problems:
        raise PlanError("\n".join(dict.fromkeys(problems)))
