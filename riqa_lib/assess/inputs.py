"""What is asked of `riqa assess` and `riqa score`, and whether it can be done: paths, rate, places
to write.

Nothing here needs a network: what is mistyped is said in a tenth of a second, not after the
libraries of networks were loaded."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

RATE = 0.1  # error promised among the answered
# the same for grades of photographs: neighbouring ones are a matter of opinion, and two people
# differ more often than one time in ten
SCORE_RATE = 0.25


STATES = ("graded", "abstained", "refused", "unreadable")  # what becomes of a file


def _matches(name: str) -> list[str]:
    """What a path or glob names, sorted; itself where it names nothing."""
    # a file may be called "eye[1].jpg": only what is no file is a pattern
    if not glob.has_magic(name) or os.path.exists(name):
        return [name]
    return sorted(glob.glob(name, recursive=True)) or [name]


def _below(folder: str) -> Iterator[Path]:
    """The files of a folder and of all folders below, sorted within each; hidden ones aside."""
    for where, inner, names in os.walk(folder):
        # in place: os.walk goes on with what is left in this list
        inner[:] = sorted(d for d in inner if not d.startswith("."))
        yield from (Path(where) / name for name in sorted(names) if not name.startswith("."))


def files(named: Iterable[str | Path]) -> Iterator[Path]:
    """The files that paths, folders (all below, hidden ones aside) and globs name, sorted within
    each; what names nothing is yielded as it is, so that it gets its row.

    >>> list(files(["no such picture.jpg"]))[0].name
    'no such picture.jpg'
    """
    for name in map(str, named):
        for path in _matches(name):
            if os.path.isdir(path):
                yield from _below(path)
            else:
                yield Path(path)


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
) -> None:
    """Raise FileNotFoundError that names all that is missing, or ValueError for a rate outside
    0..1, less than one thread or window, or a place to write (None: nothing is written) that is a
    folder, is given twice or lies below a file.

    >>> check(["no such picture.jpg"])
    Traceback (most recent call last):
    FileNotFoundError: no such picture.jpg: no such file or folder
    """
    if absent := missing(named):
        raise FileNotFoundError(f"{', '.join(absent)}: no such file or folder")
    if not 0 < rate < 1:
        raise ValueError(f"rate = {rate}: expected a share between 0 and 1")
    if workers < 1:
        raise ValueError(f"workers = {workers}: expected 1 or more")
    if windows < 1:
        raise ValueError(f"windows = {windows}: expected 1 or more")
    _check_places([Path(place) for place in outputs if place is not None])


def _check_places(places: Sequence[Path]) -> None:
    for k, place in enumerate(places):
        if place.is_dir():
            raise ValueError(f"{place}: is a folder; name a file to write")
        if above := [folder for folder in place.parents if folder.exists() and not folder.is_dir()]:
            raise ValueError(f"{place}: cannot be written, {above[0]} is a file")
        if place.resolve() in [other.resolve() for other in places[:k]]:
            raise ValueError(f"{place}: is named for two tables")
