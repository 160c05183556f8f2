"""Where `assess`, `score`, `audit` and `check` may write: over what they wrote before, and over
nothing else. `--csv photos/*.jpg`, without a name for the table, names a photograph."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

BEGIN = 1 << 16  # bytes that say what a file is
# columns that a table of ours has: of assess and score, audit, check
TABLES = (
    {"file", "state", "likeliest"},
    {"row", "picture", "distortion", "level"},
    {"file", "row", "kind", "what"},
)
# how our JSON and our page begin
OURS = re.compile(
    r'\{\s*"about":|<!doctype html>\s<html lang="en">\s<head>\s<meta charset="utf-8">\s<meta http-e'
)


def check_places(
    places: Iterable[Path | str | None],
    figures: Iterable[Path | str | None] = (),
    named: Iterable[Path | str] = (),
) -> None:
    """ValueError for a place to write (None: nothing is written) that is a folder, is given twice,
    lies below a file, or where there is a file that is not ours: a photograph, a table of labels.
    named: paths and folders that are looked at; figures: places of pictures, of which one that is
    there may be replaced where it is none of those.

    >>> check_places(["."])
    Traceback (most recent call last):
    ValueError: .: is a folder; name a file to write
    """
    texts, drawn = ([Path(p) for p in some if p is not None] for some in (places, figures))
    looked_at = {Path(name).resolve() for name in named}
    seen: set[Path] = set()
    for place in (*texts, *drawn):
        if place.resolve() in seen:
            raise ValueError(f"{place}: is named for two tables")
        seen.add(place.resolve())
        _check_one(place, looked_at, is_text=place in texts)


def _check_one(place: Path, looked_at: set[Path], is_text: bool) -> None:
    if place.is_dir():
        raise ValueError(f"{place}: is a folder; name a file to write")
    if above := [folder for folder in place.parents if folder.exists() and not folder.is_dir()]:
        raise ValueError(f"{place}: cannot be written, {above[0]} is a file")
    if _is_looked_at(place, looked_at, with_folders=not is_text):
        raise ValueError(f"{place}: is one of the pictures to look at; name another to write")
    if is_text and os.path.lexists(place) and not _is_ours(place):
        raise ValueError(
            f"{place}: is there already, and riqa did not write it; name another file to write"
        )


def _is_looked_at(place: Path, looked_at: set[Path], with_folders: bool) -> bool:
    whole = place.resolve()
    below = {*whole.parents} if with_folders and place.exists() else set()
    return bool({whole, *below} & looked_at)


def _is_ours(place: Path) -> bool:
    """Whether a file holds what riqa writes, or nothing."""
    if not place.is_file():
        return not place.exists()  # a link to nothing
    with open(place, "rb") as file:
        begin = file.read(BEGIN)
    text = begin.decode("utf-8-sig", errors="replace")
    return not begin or bool(OURS.match(text)) or _is_our_table(text)


def _is_our_table(text: str) -> bool:
    head: Sequence[str] = next(csv.reader(text.splitlines()[:1]), [])
    return any({*head} >= columns for columns in TABLES)
