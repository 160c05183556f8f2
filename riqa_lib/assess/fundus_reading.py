"""A fundus photograph read, found and cropped for the network; without torch, so that it can be
done in a process of its own (apart.py).

A picture is brought to one working size (WORKING px; JPEG is decoded at reduced scale), so the
grade doesn't depend on the size of the file, and cropped to its field of view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..pictures.field import SMALLEST, Field, crop_field, find_field, too_small, trusted
from ..pictures.reading import MAX_PIXELS, Picture
from ..pictures.reading import read as read_file
from ..pictures.recognition import is_fundus
from . import advice
from .looks import Look
from .photograph_facts import facts, of_name
from .taken import Taken, in_words

# px, longer side that pictures are brought to, or twice the network's if that is more
WORKING = 480


@dataclass(frozen=True)
class Prepared:
    """A file on its way: crop for the network (S, S, 3) uint8 or None, and what its row says
    already; too_small: why clarity cannot be judged in it ("" where it can); look: what a report
    shows of it."""

    row: dict[str, Any]
    crop: np.ndarray | None = None
    statistics: dict[str, float] | None = None
    look: Look | None = None
    too_small: str = ""


def unread(file: Path | str, page: int | None, reason: str) -> Prepared:
    """A file that can't be read, without another look at it."""
    row = {"file": str(file), "state": "unreadable", "reason": reason, **of_name(file)}
    return Prepared(row | ({"page": page} if page is not None else {}))


def read(
    file: Path | str, working: int | None = WORKING, page: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """A picture as upright uint8 (H, W, 3) of longer side at most `working` px, and the file's own
    (width, height).

    JPEG is decoded at the least of 1/8, 1/4, 1/2, 1 that leaves its shorter side at `working` px or
    more; None: as it is. See-through parts are black, as around a field. page: of a file with
    several, from 1. Raises ValueError that says what is wrong with the file."""
    picture = _read(file, working, page)
    return np.asarray(picture.image), picture.size


def _read(
    file: Path | str, working: int | None, page: int | None, max_pixels: int = MAX_PIXELS
) -> Picture:
    picture = read_file(file, working, max_pixels, page, behind="black")
    longest = max(picture.image.size)
    if working is not None and longest > working:
        scale = working / longest
        width, height = (max(1, round(side * scale)) for side in picture.image.size)
        picture.image = picture.image.resize((width, height), Image.Resampling.BOX)
    return picture


def prepare(
    file: Path | str,
    size: int,
    working: int | None = WORKING,
    keep: bool = False,
    page: int | None = None,
    taken: Taken | None = None,
) -> Prepared:
    """Read, find the field of view, refuse what is no fundus, crop to size x size. Never raises for
    what a file holds. keep: with its look; page: of a file with several, from 1; taken: which
    files are.

    >>> row = prepare("no such picture.jpg", 32).row
    >>> row["state"], row["reason"]
    ('unreadable', 'missing file')
    """
    taken = taken or Taken()
    row: dict[str, Any] = {"file": str(file), "state": "unreadable", "reason": ""}
    row |= facts(file) | ({"page": page} if page is not None else {})
    try:
        picture = _read(file, working, page, taken.max_pixels or MAX_PIXELS)
        row["width"], row["height"] = picture.size
        taken.check(picture.notes)
        rgb = np.asarray(picture.image)
        if min(rgb.shape[:2]) < SMALLEST:
            px = f"{row['width']} x {row['height']} px"
            raise ValueError(f"{px}: too narrow, expected {SMALLEST} px or more when seen whole")
        found = find_field(rgb)
        yes, reason = is_fundus(rgb, found)
    except ValueError as e:
        return Prepared(row | {"reason": str(e)})
    row["field_confidence"] = found.confidence
    notes = in_words(picture.notes)
    row["reason"] = "; ".join(filter(None, (found.reason if yes else reason, notes)))
    if not yes:
        return Prepared(row | {"state": "refused"}, look=Look(rgb) if keep else None)
    crop, seen = crop_field(rgb, size, found)
    wide, mask = crop_field(rgb, advice.SIDE, found)
    off, cut = _framing(found, rgb.shape, mask)
    measured = advice.statistics(wide, mask, off_centre=off, cut=cut)
    look = Look(rgb, found, crop, seen) if keep else None
    return Prepared(row, crop, measured, look, too_small(found))


def _framing(found: Field, shape: tuple[int, ...], mask: np.ndarray) -> tuple[float, float]:
    """How far the field's centre is from the picture's, in radii, and the share of the circle that
    is not in the picture; 0, 0 where the field was not surely found."""
    if not trusted(found):
        return 0.0, 0.0
    off = np.hypot(found.x - (shape[1] - 1) / 2, found.y - (shape[0] - 1) / 2) / found.radius
    return float(off), float(max(0.0, 1 - mask.sum() / (np.pi / 4 * mask.size)))
