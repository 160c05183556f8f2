"""What code says: the hash of a module or a notebook, its texts, and what it imports.

Comments, docstrings and layout don't count. Parsing the library takes two seconds, so what a file
says is kept under home for the next run (results/.code.json) and known again by the file's size and
times, as contents does it for data."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .. import contents, house, paths
from .steps import PlanError

KEPT = ".code.json"  # under home/results; may be deleted at any time


class Code(NamedTuple):
    """What matters of a piece of code: its hash, its texts (a zero character between them), the
    dotted names that it imports; and, of a notebook, the names that its parameters cell sets (None
    without such a cell)."""

    digest: str
    texts: str = ""
    imports: tuple[str, ...] = ()
    parameters: tuple[str, ...] | None = None


Stamp = tuple[int, int, int]  # size in bytes; times of change, of contents and of the file, in ns


# ---------------------------------------------------------------- what is in a file
def digest(text: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                node.body = node.body[1:]
    return tree


def _said(trees: Iterable[ast.AST], package: list[str]) -> tuple[str, tuple[str, ...]]:
    """Texts and imports, each once."""
    texts: dict[str, None] = {}
    imports: dict[str, None] = {}
    for tree in trees:
        nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        texts |= dict.fromkeys(value for value in nodes if isinstance(value, str))
        imports |= dict.fromkeys(house.imported(tree, package))
    return "\0".join(texts), tuple(imports)


def _module(file: Path, package: list[str]) -> Code:
    tree = _without_docstrings(ast.parse(file.read_text(encoding="utf-8")))
    return Code(digest(ast.dump(tree)), *_said([tree], package))


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


def _notebook(file: Path) -> Code:
    trees: list[ast.Module | str] = []
    parameters: tuple[str, ...] | None = None
    for number, source, tags in _code_cells(file):
        if "injected-parameters" in tags:  # by papermill, in an executed copy
            continue
        tree = _tree(source, f"{file.name}: cell {number}")
        trees.append(tree)
        if "parameters" in tags and isinstance(tree, ast.Module):
            parameters = tuple(sorted(_assigned(tree)))
    plain = [t for t in trees if not isinstance(t, str)]
    dumped = "\n".join(t if isinstance(t, str) else ast.dump(t) for t in trees)
    return Code(digest(dumped), *_said(plain, []), parameters)


def executed_code(copy: Path) -> str:
    """The digest of the code in an executed copy of a notebook, as that of the notebook itself:
    without the cell of parameters that it was given. PlanError where it is damaged."""
    return _notebook(copy).digest


# ---------------------------------------------------------------- read once
class Reader:
    """Reads files of code, each once while it stays as it is.

    home: where what they say is kept for the next process (see `keep`)."""

    def __init__(self, home: Path) -> None:
        self.file = home / "results" / KEPT
        self.known = _kept(self.file)
        self.fresh = False

    def notebook(self, file: Path) -> Code:
        """What a notebook says (magics dropped; a cell in another language counts as text).
        PlanError names the file and the cell."""
        try:
            return self._read(file, lambda: _notebook(file))
        except OSError as e:
            raise PlanError(f"{file.name}: no such notebook in {paths.shown(file.parent)}") from e

    def module(self, file: Path, package: Sequence[str]) -> Code:
        """What a module says; package: that it is in, which its relative imports begin from."""
        return self._read(file, lambda: _module(file, list(package)))

    def _read(self, file: Path, read: Callable[[], Code]) -> Code:
        stat = os.stat(file)
        now = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        stamp, code, _ = self.known.get(str(file), (None, None, False))
        if code is None or stamp != now:
            # before it is read: a time is trusted later only if it was over by then
            settled = abs(time.time_ns() - max(now[1:])) > contents.SETTLED
            code = read()
            self.known[str(file)] = now, code, settled
            self.fresh |= settled
        return code

    def keep(self) -> None:
        """Keep what was read for the next process; where that cannot be written, or nobody has run
        anything yet, it is read again then."""
        if not self.fresh or not self.file.parent.is_dir():
            return
        settled = {
            name: (stamp, code)
            for name, (stamp, code, sure) in self.known.items()
            if sure and os.path.exists(name)
        }
        with contextlib.suppress(OSError):
            contents.write_whole(self.file, json.dumps({"by": _by(), "files": settled}).encode())
            self.fresh = False


@lru_cache(maxsize=1)
def _by() -> str:
    """Who says so: another Python or another version of this reading may say something else."""
    ours = (Path(__file__), Path(house.__file__))
    return digest(sys.version + "".join(file.read_text(encoding="utf-8") for file in ours))


# one for all who read in this process
@lru_cache(maxsize=8)
def _kept(file: Path) -> dict[str, tuple[Stamp, Code, bool]]:
    """What an earlier process kept; {} where that is absent, damaged, or of another reading."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["by"] != _by():
            return {}
        return {
            name: (tuple(stamp), Code(digest, texts, tuple(imports), parameters), True)
            for name, (stamp, (digest, texts, imports, parameters)) in found["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


# ---------------------------------------------------------------- the library
class Library:
    """The library as it is now: every file is looked at once, so make a new one for each look."""

    def __init__(self, folder: Path, reader: Reader) -> None:
        self.folder, self.reader = folder, reader
        self.data = _data_files(folder)
        self.modules: dict[str, Code | None] = {}  # by dotted name; None: no module is called so

    def parts(self, code: Code) -> dict[str, str]:
        """{"library riqa_lib.x": hash} of the modules of the library that this code imports,
        directly or through others. A data file of the library counts where its name is in such
        code."""
        parts: dict[str, str] = {}
        queue, seen = [code], set()
        while queue:
            code = queue.pop()
            parts |= self._data_parts(code)
            for name in self._may_run(code.imports):
                if name not in seen:
                    seen.add(name)
                    if module := self._module(name):
                        parts[f"library {name}"] = module.digest
                        queue.append(module)
        return parts

    def _data_parts(self, code: Code) -> dict[str, str]:
        return {
            f"library file {path.relative_to(self.folder).as_posix()}": file_digest(path)[:16]
            for path in self.data
            if path.name in code.texts
        }

    def _may_run(self, imports: Iterable[str]) -> Iterator[str]:
        """Dotted names of what importing these may run: of the library's, its packages from the
        top, then itself. The last may be no module but a name in one."""
        for dotted in imports:
            parts = dotted.split(".")
            if parts[0] == self.folder.name:
                yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))

    def _module(self, dotted: str) -> Code | None:
        if dotted not in self.modules:
            self.modules[dotted] = self._looked_at(dotted.split("."))
        return self.modules[dotted]

    def _looked_at(self, parts: list[str]) -> Code | None:
        base = self.folder.joinpath(*parts[1:])
        if (base / "__init__.py").exists():
            return self.reader.module(base / "__init__.py", parts)
        file = base.with_suffix(".py")
        return self.reader.module(file, parts[:-1]) if file.exists() else None


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _data_files(library: Path) -> list[Path]:
    """What lies in the library and is no code."""
    return [
        Path(folder, name)
        for folder, _, files in os.walk(library)
        for name in files
        if "." in name and not name.startswith(".") and not name.endswith((".py", ".pyc"))
    ]
