"""One picture file, read: upright, RGB, 8 bits; and what is worth knowing of how it was read.

read("photo.jpg").image             a Pillow image
read("photo.jpg").notes             [] for nearly all
read_picture("photo.jpg")           the image alone
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from . import file_kinds
from .mended import mended

# pixels a file may have; Pillow's own limit, a guard against files made to fill the memory
MAX_PIXELS = 2 * 89_478_485
DEPTHS = (8, 12)  # bits of grey values that people keep in files of 16
# how 8 of 16 bits are taken -> how the other 8 are; N is this machine's order of bytes
OTHER_HALF = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B"}
OTHER_HALF["RGB;16N"] = "RGB;16B" if sys.byteorder == "little" else "RGB;16L"
REDUCED, DNG_VERSION = 254, 50706  # tags of TIFF: what an image is of another one; of DNG


class Note(NamedTuple):
    """Something worth knowing of how a picture was read: its kind, and what was found."""

    kind: str
    what: str


@dataclass
class Picture:
    """A picture as it was read. image: RGB; size: the file's own (width, height), before it was
    turned upright."""

    image: Image.Image
    size: tuple[int, int]
    notes: list[Note] = field(default_factory=list)


class Refused(ValueError):
    """A file whose form is known, and that is not read."""


def read(file: Path | str, least: int | None = None, max_pixels: int = MAX_PIXELS) -> Picture:
    """A picture file as an upright RGB image: EXIF orientation applied, see-through parts on white,
    16 bits made 8.

    least: a JPEG is decoded at the least of 1/8, 1/4, 1/2, 1 that leaves its shorter side at
    `least` px or more (None: as it is), which is much faster. max_pixels: larger ones are refused
    before they fill the memory. Damage that leaves all pixels whole is noted, not refused. Raises
    ValueError that says what is wrong: missing, what it is if it is no picture, truncated, too
    large, of unknown range.

    >>> read("no such picture.jpg")
    Traceback (most recent call last):
    ValueError: missing file
    """
    try:
        return _opened(str(file), least, max_pixels)
    except Refused:
        raise
    except FileNotFoundError as e:
        raise ValueError("missing file") from e
    except Exception as e:  # damaged files make decoders raise almost anything
        try:
            return _second_try(Path(file), least, max_pixels)
        except _NoHelp:
            raise ValueError(_reason(e, Path(file))) from e


def read_picture(file: Path | str) -> Image.Image:
    """`read`, the image alone."""
    return read(file).image


def read_near(file: Path | str, least: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """`read`, image and the file's own (width, height)."""
    picture = read(file, least)
    return picture.image, picture.size


# ---------------------------------------------------------------- opened
def _opened(file: str | io.BytesIO, least: int | None, max_pixels: int) -> Picture:
    with _no_limit(), Image.open(file) as opened:
        width, height = opened.size
        if width * height > max_pixels:
            raise Refused(
                f"too large: {width} x {height} px are {width * height:,} pixels, more than "
                f"max_pixels, {max_pixels:,}"
            )
        _refuse_thumbnails(opened)
        if least is not None:
            opened.draft(None, (least, least))
        tiles = list(getattr(opened, "tile", []))
        opened.load()
        notes = _dark_colour(opened, file, tiles) + _upright(opened)
        image, more = rgb(opened)
        return Picture(image, (width, height), notes + more)


_open_now, _lock, _before = 0, threading.Lock(), Image.MAX_IMAGE_PIXELS


@contextlib.contextmanager
def _no_limit() -> Iterator[None]:
    """Pillow's own limit, which is one for the whole process and warns at half of it, put aside
    while pictures are read (max_pixels is checked instead); put back after the last."""
    global _open_now, _before
    with _lock:
        if not _open_now:
            _before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _open_now += 1
    try:
        yield
    finally:
        with _lock:
            _open_now -= 1
            if not _open_now:
                Image.MAX_IMAGE_PIXELS = _before


def _refuse_thumbnails(opened: Image.Image) -> None:
    """DNG, NEF and others are TIFF files whose first image is a small preview of the picture."""
    tags = getattr(opened, "tag_v2", None) or {}
    if opened.format == "TIFF" and (DNG_VERSION in tags or int(tags.get(REDUCED, 0)) & 1):
        raise Refused("not a picture: a camera's raw file (DNG, NEF or alike), with only a preview")


def _dark_colour(opened: Image.Image, file: str | io.BytesIO, tiles: list) -> list[Note]:
    """Colours of 16 bits, of which Pillow keeps the upper 8, and 12 or fewer are used: taken from
    the file anew, both halves, and put into the loaded image.

    tiles: how the image was stored in the file, before it was loaded."""
    args = [t.args if isinstance(t.args, str) else next(iter(t.args), "") for t in tiles]
    if not args or {*args} - {*OTHER_HALF} or np.asarray(opened).max() > 15:
        return []
    with Image.open(file) as again:
        again.tile = [
            t._replace(args=_swapped(t.args, arg)) for t, arg in zip(tiles, args, strict=True)
        ]
        values = np.asarray(opened).astype(np.int64) * 256 + np.asarray(again)
    image, notes = _eight_bits(values)
    opened.paste(image)
    return notes


def _swapped(args: str | tuple, mode: str) -> str | tuple:
    """How Pillow is told to take the other half of 16 bits."""
    return OTHER_HALF[mode] if isinstance(args, str) else (OTHER_HALF[mode], *args[1:])


def _upright(opened: Image.Image) -> list[Note]:
    """Turn a loaded image as its EXIF says."""
    try:
        ImageOps.exif_transpose(opened, in_place=True)
    except Exception as e:  # damaged EXIF makes it raise almost anything
        said = str(e) or type(e).__name__
        return [Note("damaged EXIF", f"{said}: taken as upright")]
    return []


def rgb(image: Image.Image) -> tuple[Image.Image, list[Note]]:
    """A loaded image as RGB on white, 8 bits; ValueError for values of unknown range."""
    notes: list[Note] = []
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip at 255
        image, notes = _eight_bits(np.asarray(image).astype(np.int64))
    elif image.mode == "F":
        raise Refused("floating-point grey values: their range is not known")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB"), notes
    return image.convert("RGB"), notes


def _eight_bits(grey: np.ndarray) -> tuple[Image.Image, list[Note]]:
    """Values (H, W) or (H, W, 3) of 0 to 65535 as 0 to 255. Where none is above 255, or 4095, they
    are of 8 or 12 bits, and their own range is what is made 0 to 255; values of 14 bits could as
    well be a dark picture of 16."""
    low, high = int(grey.min()), int(grey.max())
    if low < 0 or high > 65535:
        raise Refused(f"grey values from {low} to {high}, expected 0 to 65535")
    bits = next((b for b in DEPTHS if high < 2**b), 16)
    notes = []
    if bits < 16 and high:
        notes = [Note(f"{bits} bits in 16", f"values up to {high} of 65535: stretched")]
    if bits == 16:
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)), notes
    top = 2**bits - 1
    return Image.fromarray(((grey * 255 + top // 2) // top).astype(np.uint8)), notes


# ---------------------------------------------------------------- what could not be opened
class _NoHelp(Exception):
    pass


def _second_try(file: Path, least: int | None, max_pixels: int) -> Picture:
    """A file that could not be read, mended; or by the reader that its form needs. _NoHelp where
    that does not read it either."""
    try:
        data = file.read_bytes()
        if file_kinds.kind_of(data[: file_kinds.HEAD]) == file_kinds.HEIC:
            return _by_pillow_heif(data, least, max_pixels)
        whole = mended(data)
        picture = _opened(io.BytesIO(whole.data), least, max_pixels) if whole else None
    except Refused:
        raise
    except Exception as e:
        raise _NoHelp from e
    if whole is None or picture is None:
        raise _NoHelp
    picture.notes.insert(0, Note("slightly damaged file", whole.what))
    return picture


def _by_pillow_heif(data: bytes, least: int | None, max_pixels: int) -> Picture:
    if not file_kinds.heif_is_there():
        raise Refused(file_kinds.NEEDS_HEIF)
    import pillow_heif

    pillow_heif.register_heif_opener()  # for good: the next ones are read at once
    return _opened(io.BytesIO(data), least, max_pixels)


def _reason(e: Exception, file: Path) -> str:
    """What is wrong with a file that nothing could read."""
    if not isinstance(e, UnidentifiedImageError):
        return f"cannot be decoded ({str(e) or type(e).__name__})"
    with open(file, "rb") as f:
        kind = file_kinds.kind_of(f.read(file_kinds.HEAD))
    if kind == file_kinds.HEIC:
        kind = f"a {kind} picture, damaged"
    return f"not a picture{kind and ': '}{kind}"
