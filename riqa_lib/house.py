"""How the library is built: its floors, its modules, and who imports whom, read from the code.

Used by what decides which runs a change touches (plan/freshness), by the test that keeps imports
pointing down, and by the figure of the house (figures/architecture)."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent


# From the ground up: a module imports from its own floor or from those below, never from above
FLOORS = {
    **dict.fromkeys(
        ("paths", "seeding", "store", "provenance", "scales", "checks", "hints", "house"), 0
    ),
    "bars": 0,
    "bounds": 0,
    "repairs": 0,
    "contents": 0,
    "variables": 0,
    "stats": 1,
    "datasets": 2,
    "tables": 3,
    "figures": 4,
    "sim": 5,
    "pictures": 6,
    "labelling": 6,
    "networks": 7,
    "ssl": 8,
    "training": 9,
    "assess": 10,
    "pages": 11,
    "panels": 11,
    "plan": 12,
    "__main__": 13,
}


def modules(library: Path) -> dict[str, Path]:
    """{"figures.style": its file} of every module of a library, by name below the library's own;
    a package is its __init__."""
    return {
        ".".join(file.relative_to(library).with_suffix("").parts): file
        for file in sorted(library.rglob("*.py"))
    }


def imported(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Dotted names that may be modules, from every import in the tree; `package` resolves the
    relative ones.

    >>> list(imported(ast.parse("from ..stats import kappas"), ["riqa_lib", "tables"]))
    ['riqa_lib.stats.kappas']
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            yield from (".".join([*base, a.name]) for a in node.names)


def imports(
    file: Path, library: Path, known: Collection[str] | None = None
) -> tuple[set[str], set[str]]:
    """What a module of the library imports, anywhere in its file: (first names of packages from
    outside, modules of the library, named as `modules` names them). known: all modules, where many
    files are looked at."""
    known = modules(library) if known is None else known
    package = [library.name, *file.relative_to(library).parts[:-1]]
    outside, inside = set(), set()
    for dotted in imported(ast.parse(file.read_text(encoding="utf-8")), package):
        first, *rest = dotted.split(".")
        if first != library.name:
            outside.add(first)
            continue
        # "tables.names.order" is a function of tables.names
        longest_first = (".".join(rest[:n]) for n in range(len(rest), 0, -1))
        inside |= set(next(([name] for name in longest_first if name in known), []))
    return outside, inside
