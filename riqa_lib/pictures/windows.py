"""From a picture to the pixels that a network learns from: the whole of it made small ("fit"), or
a part of it as it is ("native").

    read_for("photo.jpg", 80, "native").pixels      uint8 (1, 80, 80, 3)

What is lost. "fit" keeps the whole picture and loses what is finer than the shorter side / size:
of a photograph of 3000 px at size 80 a blur of sigma 6 px, and noise, are all but gone (tests/
pictures/test_windows.py says by how much). "native" keeps blur, noise and blocking as they are and
loses what lies outside its window: a defect at the edge, framing, exposure of the whole. Only the
centre is stored; the larger `size` is, the more of the picture is in it, and the network's crops
(data.crop, data.grid) are taken inside it at the same scale. A picture whose shorter side is below
`size` is enlarged in either way, which adds no detail: that is noted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .reading import MAX_PIXELS, Note, Picture, read

SCALES = ("fit", "native")


class Windows(NamedTuple):
    """A picture as a network sees it. pixels: uint8 (N, size, size, 3), the centre alone where one
    window was asked for; size: the file's own (width, height); notes: how it was read."""

    pixels: np.ndarray
    size: tuple[int, int]
    notes: list[Note]


def read_for(
    file: Path | str,
    size: int,
    scale: str = "fit",
    windows: int = 1,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
) -> Windows:
    """A picture file as size x size windows, as a data set of this size and scale stores it.

    windows: how many along each side that is longer than a window, evenly from edge to edge; "fit"
    has them along the longer side only, "native" windows x windows of them; 1 is the centre, which
    is what a data set stores. Fewer where they would be the same. page: as reading.read has it.
    Raises ValueError that says what is wrong with the file (reading.read), and for an unknown
    scale.

    >>> read_for("no such picture.jpg", 80)
    Traceback (most recent call last):
    ValueError: missing file
    """
    check_scale(scale)
    if windows < 1:
        raise ValueError(f"windows is {windows}; expected 1 or more")
    picture = read(file, None, max_pixels, page)
    side = side_of(picture.image, size, scale)
    boxes = places(*picture.image.size, side, windows)
    pixels = np.stack([cut(picture.image, size, box, side) for box in boxes])
    return Windows(pixels, picture.size, picture.notes + enlarged(picture, size))


def check_scale(scale: str) -> None:
    """ValueError for a scale that there is not."""
    if scale not in SCALES:
        raise ValueError(f"data.scale is {scale!r}; allowed: {', '.join(SCALES)}")


def side_of(image: Image.Image, size: int, scale: str) -> int:
    """Side, in the picture's own px, of what becomes size x size."""
    return min(*image.size, size) if scale == "native" else min(image.size)


def places(width: int, height: int, side: int, windows: int = 1) -> list[tuple[float, float]]:
    """Where windows of this side lie: (left, top) in px, rows first; one alone is the centre.

    >>> places(100, 80, 80)
    [(10.0, 0.0)]
    >>> places(200, 80, 80, 3)
    [(0.0, 0.0), (60.0, 0.0), (120.0, 0.0)]
    """
    share = [k / (windows - 1) for k in range(windows)] if windows > 1 else [0.5]
    lefts, tops = (dict.fromkeys(free * s for s in share) for free in (width - side, height - side))
    return [(left, top) for top in tops for left in lefts]


def cut(image: Image.Image, size: int, place: tuple[float, float], side: int) -> np.ndarray:
    """The window of this side at `place` (left, top) of an RGB image, as uint8 (size, size, 3), in
    one resampling.

    Bicubic with antialiasing; a side of just `size` is not resampled at all."""
    left, top = place
    if side == size:
        return np.asarray(image.crop((int(left), int(top), int(left) + size, int(top) + size)))
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def centre(image: Image.Image, size: int, scale: str = "fit") -> np.ndarray:
    """The centre of an RGB image as uint8 (size, size, 3): its shorter side scaled to `size`, or
    ("native") as it is."""
    side = side_of(image, size, scale)
    return cut(image, size, places(*image.size, side)[0], side)


def enlarged(picture: Picture, size: int) -> list[Note]:
    """What is to be noted of a picture that is smaller than the working size."""
    width, height = picture.size
    if min(width, height) >= size:
        return []
    return [Note("smaller than the working size", f"{width} x {height} px, enlarged to {size}")]


# ---------------------------------------------------------------- ways into a data set
class Way(NamedTuple):
    """How a picture becomes pixels.

    cut: an RGB image and a side -> uint8 (side, side, 3); ValueError for one that it can't take.
    version: a name and a number, raised when the same files would give other pixels. workers: those
    that decode side by side; processes need a `cut` that can be sent to them."""

    cut: Callable[[Image.Image, int], np.ndarray]
    version: dict[str, int]
    workers: Callable[[int], AbstractContextManager[Executor]]


# threads: Pillow lets go of Python's lock while it decodes and resamples
WHOLE = Way(centre, {"decoding": 1}, ThreadPoolExecutor)
WAYS = {
    "fit": WHOLE,
    "native": Way(partial(centre, scale="native"), {"native": 1}, ThreadPoolExecutor),
}
