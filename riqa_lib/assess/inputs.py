"""What is asked of `riqa assess` and `riqa score`, and whether it can be done: paths, rate, places
to write; and which of all files are looked at.

Nothing here needs a network: what is mistyped is said in a tenth of a second, not after the
libraries of networks were loaded."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..datasets.file_matching import is_picture
from ..pictures import file_kinds
from .apart import Call, Ended, here
from .written_over import check_places

RATE = 0.1  # error promised among the answered
# the same for grades of photographs: neighbouring ones are a matter of opinion, and two people
# differ more often than one time in ten
SCORE_RATE = 0.25
KINDS_TOLD = 6  # kinds of files that are no pictures, named in a line


STATES = ("graded", "abstained", "refused", "unreadable")  # what becomes of a file


# ---------------------------------------------------------------- files
class Page(NamedTuple):
    """A picture to look at: its file, and which page of it, from 1; None where it has but one."""

    file: Path
    number: int | None = None


Known = Set[tuple[str, int | None]]  # files, by name, and their pages


@dataclass
class Found:
    """What paths, folders and globs name. files: how many are looked at; passed_over: of folders,
    how many are not, by kind; empty: folders and globs without any that is."""

    files: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)

    def told(self) -> str:
        """What is worth a line or two; "" for a folder of nothing but pictures.

        >>> Found(3, Counter({".txt": 2, "hidden": 1})).told()
        '3 files that are no pictures were skipped: 2 .txt, 1 hidden'
        """
        lines = [f"{shown(name)}: no picture in it" for name in self.empty]
        if n := self.passed_over.total():
            kinds = [f"{m} {shown(kind)}" for kind, m in self.passed_over.most_common(KINDS_TOLD)]
            more = ["..."] if len(self.passed_over) > KINDS_TOLD else []
            what = "file that is no picture was" if n == 1 else "files that are no pictures were"
            lines.append(f"{n} {what} skipped: {', '.join(kinds + more)}")
        return "\n".join(lines)


def shown(text: str) -> str:
    """A text harmless on a terminal and in a table: what would move the cursor, turn the writing
    round or is no character at all is shown by its number.

    >>> print(shown("a\\nb\\x1b[2J\\udcff.png"))
    a\\x0ab\\x1b[2J\\xff.png
    """
    return "".join(c if c.isprintable() or c in KEPT else _number(ord(c)) for c in text)


KEPT = "\u200c\u200d\u3000\xa0"  # joiners, which several scripts need, and two kinds of space


def _number(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _matches(name: str) -> list[str]:
    """What a path or glob names, sorted; itself where it names nothing."""
    # a file may be called "eye[1].jpg": only what is no file is a pattern
    if not glob.has_magic(name) or os.path.lexists(name):
        return [name]
    return sorted(glob.glob(name, recursive=True)) or [name]


def _below(folder: str, passed_over: Counter[str]) -> Iterator[Path]:
    """What is in a folder and in all folders below, sorted within each: all files but those that
    are surely no pictures, and folders that can't be looked into."""
    closed: list[str] = []
    for where, inner, names in os.walk(folder, onerror=lambda e: closed.append(str(e.filename))):
        # in place: os.walk goes on with what is left in this list
        inner[:] = sorted(d for d in inner if not d.startswith("."))
        for name in sorted(names):
            kind = _passed_over(where, name)
            if kind:
                passed_over[kind] += 1
            else:
                yield Path(where) / name
    yield from map(Path, closed)


def _passed_over(where: str, name: str) -> str:
    """What a file in a folder is that is not looked at, in a word; "" for one that is."""
    if name.startswith("."):
        return "hidden"
    if is_picture(name) or not file_kinds.surely_no_picture(os.path.join(where, name)):
        return ""
    return os.path.splitext(name)[1].lower() or name


def files(named: Iterable[str | Path], found: Found | None = None) -> Iterator[Path]:
    """The files that paths, folders and globs name, sorted within each. Of a folder: all below, but
    hidden ones and what is known to be no picture (by what it holds, and where that says nothing,
    by its name). What names nothing is yielded as it is, so that it gets its row, as is whatever is
    named by itself; what is named twice, once. found: is told of them.

    >>> list(files(["no such picture.jpg"]))[0].name
    'no such picture.jpg'
    """
    found = found if found is not None else Found()
    yielded: set[str] = set()
    for name in map(str, named):
        inside = None
        for inside in _inside(name, found):
            whole = os.path.abspath(inside)
            if whole not in yielded:
                yielded.add(whole)
                found.files += 1
                yield inside
        if inside is None:
            found.empty.append(name)


def _inside(name: str, found: Found) -> Iterator[Path]:
    """The files of one path, folder or glob."""
    for path in _matches(name):
        yield from _below(path, found.passed_over) if os.path.isdir(path) else [Path(path)]


def look(named: Iterable[str | Path]) -> Found:
    """What paths, folders and globs name, all of it counted. FileNotFoundError where there is no
    picture at all."""
    found = Found()
    for _ in files(named, found):
        pass
    if not found.files:
        raise FileNotFoundError(found.told())
    return found


def pages(
    named: Iterable[str | Path], call: Call = here, known: Known = frozenset()
) -> Iterator[Page]:
    """The files of `files`, page by page. call: how a file is looked into (apart.py); known: files
    and pages that are left out.

    >>> list(pages(["no such picture.jpg"]))[0].number is None
    True
    """
    from ..pictures import file_pages  # Pillow

    for file in files(named):
        if (str(file), None) in known:
            continue
        try:
            count = call(file_pages.count, file)
        except Ended:  # where it is read, that is said
            count = 1
        numbers = range(1, count + 1) if count > 1 else (None,)
        yield from (Page(file, number) for number in numbers if (str(file), number) not in known)


# ---------------------------------------------------------------- checks
def missing(named: Iterable[str | Path]) -> list[str]:
    """Which of these paths, folders and globs name nothing that is there.

    >>> missing(["no such picture.jpg", "."])
    ['no such picture.jpg']
    """
    return [
        name
        for name in map(str, named)
        if not any(os.path.lexists(path) for path in _matches(name))
    ]


def check(
    named: Iterable[str | Path],
    rate: float = RATE,
    outputs: Iterable[Path | None] = (),
    workers: int = 1,
    windows: int = 1,
    figures: Iterable[Path | None] = (),
) -> None:
    """Raise FileNotFoundError that names all that is missing, or ValueError for a rate outside
    0..1, less than one thread or window, and what `check_places` raises of outputs and figures.

    >>> check(["no such picture.jpg"])
    Traceback (most recent call last):
    FileNotFoundError: no such picture.jpg: no such file or folder
    """
    named = list(named)
    if absent := missing(named):
        raise FileNotFoundError(f"{', '.join(map(shown, absent))}: no such file or folder")
    if not 0 < rate < 1:
        raise ValueError(f"rate = {rate}: expected a share between 0 and 1")
    if workers < 1:
        raise ValueError(f"workers = {workers}: expected 1 or more")
    if windows < 1:
        raise ValueError(f"windows = {windows}: expected 1 or more")
    check_places(outputs, figures, named)
