"""A photograph read as a run's own pictures were; without torch, so that it can be done in a
process of its own (apart.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..pictures.windows import read_for
from .taken import Taken, in_words


@dataclass(frozen=True)
class Prepared:
    """A file on its way: windows (K, S, S, 3) uint8 or None, and what its row says already."""

    row: dict[str, Any]
    windows: np.ndarray | None = None


def unread(file: Path | str, page: int | None, reason: str) -> Prepared:
    """A file that can't be read, without another look at it."""
    row = {"file": str(file), "state": "unreadable", "reason": reason}
    return Prepared(row | ({"page": page} if page is not None else {}))


def prepare(
    file: Path | str, how: dict[str, Any], page: int | None = None, taken: Taken | None = None
) -> Prepared:
    """Read a picture as the run's data set was; how: what windows.read_for takes; page: of a file
    with several, from 1; taken: which files are (of so many pixels as `how` says). Never raises for
    what a file holds.

    >>> prepare("no such picture.jpg", {"size": 32}).row
    {'file': 'no such picture.jpg', 'state': 'unreadable', 'reason': 'missing file'}
    """
    try:
        seen = read_for(file, **how, page=page)
        (taken or Taken()).check(seen.notes)
    except ValueError as e:
        return unread(file, page, str(e))
    row = unread(file, page, in_words(seen.notes)).row
    row |= {"width": seen.size[0], "height": seen.size[1], "windows": len(seen.pixels)}
    return Prepared(row, seen.pixels)
