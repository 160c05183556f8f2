"""Which file a table means: as written, or, where that is unambiguous, in other case, in the other
Unicode form, without its ending, or with the folder in front. Nothing else is guessed: the nearest
name is a hint."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from .. import contents
from ..hints import did_you_mean
from .problems import SHOWN, Problem

# endings of what may be a picture, as Pillow (and its plug-ins) know them
PICTURES = frozenset(
    [
        *("avif", "bmp", "dib", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "jp2", "j2k"),
        *("jpx", "jxl", "mpo", "pbm", "pgm", "png", "pnm", "ppm", "tga", "tif", "tiff", "webp"),
    ]
)
TOLD = 3  # examples in a note
LOOKED_THROUGH = 5000  # names at most that are compared for a hint
EXACT, MISSING = "", "missing file"


def is_picture(path: str) -> bool:
    """Whether a name ends as a picture's does.

    >>> is_picture("a/IMG_1.JPG"), is_picture("Thumbs.db"), is_picture("IMG_1")
    (True, False, False)
    """
    return os.path.splitext(path)[1][1:].lower() in PICTURES


def tidy(path: str) -> str:
    """Forward slashes, no ./ and no //: one spelling a file."""
    return PurePosixPath(path.replace("\\", "/")).as_posix() if path else ""


def safe(path: str) -> bool:
    """Whether a path stays below the folder it is relative to. (Links inside the folder are its
    owner's choice.)"""
    parts = PurePosixPath(path)
    return (
        not parts.is_absolute()
        and ".." not in parts.parts
        and path[1:2] != ":"
        and "\0" not in path
    )


def one_spelling(path: str) -> str:
    """The same for names that differ in case or Unicode form only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class Files:
    """The files below a folder, hidden ones left out, as paths relative to it, and which of them a
    path of a table means."""

    def __init__(self, root: Path) -> None:
        self.root = root
        contents.note_names(root, deep=True)
        self.names = contents.names_below(root, deep=True)
        self.known = frozenset(self.names)

    @cached_property
    def _by_spelling(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self.names:
            found[one_spelling(name)].append(name)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        """Pictures by their name without the ending."""
        found = defaultdict(list)
        for name in filter(is_picture, self.names):
            found[one_spelling(name.rpartition(".")[0])].append(name)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Files by their name without folder and ending."""
        found = defaultdict(list)
        for name in self.names:
            found[one_spelling(PurePosixPath(name).stem)].append(name)
        return found

    def find(self, path: str) -> tuple[list[str], str]:
        """The files that a path (of `tidy`) may mean, [] for none, and how it differs from theirs
        (EXACT where it doesn't): a picture is found where there is one file only."""
        if path in self.known:
            return [path], EXACT
        inner = self._below(path)
        for known, how in (
            (self._there, ""),
            (self._spelt, "in other case or Unicode form"),
            (self._ended, "with an ending added"),
        ):
            if files := known(path):
                return files, how
            for other in inner:
                if files := known(other):
                    words = ("without the folder in front", how)
                    return files, ", ".join(word for word in words if word)
        return [], EXACT

    @cached_property
    def _tops(self) -> list[str]:
        """The folder's absolute names: as given, and without links."""
        return [f"{self.root.absolute().as_posix()}/", f"{self.root.resolve().as_posix()}/"]

    def _below(self, path: str) -> list[str]:
        """What may be left of a path when the folder itself is taken from its front."""
        parts = path.split("/")
        absolute = [path.removeprefix(top) for top in self._tops if path.startswith(top)]
        name = one_spelling(self._tops[-1].split("/")[-2])
        return absolute + [
            "/".join(parts[i + 1 :])
            for i, part in enumerate(parts[:-1])
            if one_spelling(part) == name
        ]

    def _there(self, path: str) -> list[str]:
        # behind a linked folder, or on a disk that knows no case (then _spelt has the file's name)
        there = safe(path) and os.path.isfile(self.root / path) and not self._spelt(path)
        return [path] if path in self.known or there else []

    def _spelt(self, path: str) -> list[str]:
        return self._by_spelling.get(one_spelling(path), [])

    def _ended(self, path: str) -> list[str]:
        return [] if is_picture(path) else self._by_stem.get(one_spelling(path), [])

    def near(self, path: str, taken: Collection[str] = ()) -> str:
        """A hint for a path that means no file: the same name in another folder or with another
        ending, else the nearest, of those not taken; "" where none is near."""
        same = self._by_name.get(one_spelling(PurePosixPath(path).stem), [])
        if free := [name for name in same if name not in taken]:
            return f"did you mean {free[0]}?"
        start = one_spelling(path)[:1]
        alike = [n for n in self.names if n not in taken and one_spelling(n)[:1] == start]
        return did_you_mean(path, alike[:LOOKED_THROUGH]).removeprefix("; ")


def match(
    files: Files, paths: Iterable[str], names: Iterable[str], rows: Iterable[int]
) -> tuple[list[str], list[Problem], list[Problem]]:
    """For each path of a table (made `tidy`) the file as on disk, or the path itself where it means
    none; problems: paths outside the folder, missing, empty and ambiguous files; notes: what was
    matched other than as written, counted, with the first few. names, rows: of the problems."""
    found: list[str] = []
    problems: list[Problem] = []
    ways: dict[str, list[str]] = defaultdict(list)
    for path, name, row in zip(paths, names, rows, strict=True):
        there, how = files.find(path)
        found.append(there[0] if len(there) == 1 else path)
        if how != EXACT and len(there) == 1:
            ways[how].append(f"{path} is {there[0]}")
        kind, said = _wrong(files, path, there)
        if kind and (path or name):  # an empty id is a problem of its own
            problems.append(Problem(kind, row, name, _and(path if path != name else "", said)))
    told_ways = [Problem(f"files found {how}", 0, "", few(seen)) for how, seen in ways.items()]
    return found, _hinted(files, problems, {*found}), told_ways


def _wrong(files: Files, path: str, there: list[str]) -> tuple[str, str]:
    """What is wrong with a path that may mean these files, and more words on it; "" for nothing."""
    if len(there) > 1:
        return "ambiguous file", f"may be {', '.join(there[:5])}"
    if not there:
        return (MISSING if safe(path) else "path outside the folder"), ""
    return ("" if os.path.getsize(files.root / there[0]) else "empty file"), ""


def _hinted(files: Files, problems: list[Problem], taken: set[str]) -> list[Problem]:
    """The problems, with a hint for the missing files among them that a message shows."""
    shown = [i for i, p in enumerate(problems) if p.kind == MISSING][:SHOWN]
    for i in shown:
        p = problems[i]
        hint = files.near(p.found or p.name, taken)
        problems[i] = p._replace(found=_and(p.found, hint))
    return problems


def _and(first: str, then: str) -> str:
    return "; ".join(text for text in (first, then) if text)


def few(examples: list[str]) -> str:
    """How many there are, and the first few.

    >>> few(["a", "b", "c", "d", "e"])
    '5: a, b, c, ...'
    """
    more = ", ..." if len(examples) > TOLD else ""
    return f"{len(examples)}: {', '.join(examples[:TOLD])}{more}"
