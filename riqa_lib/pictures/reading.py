"""One picture file, read: upright, RGB, 8 bits; and what is worth knowing of how it was read.

read("photo.jpg").image             a Pillow image
read("photo.jpg").notes             [] for nearly all
read("scan.tif", page=2).image      the second page (file_pages.count says how many there are)
read_picture("photo.jpg")           the image alone
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from . import damage, dicom_files, file_kinds, file_pages
from .formats import MAX_PIXELS, formats, no_limit
from .mended import mended

BAND = 256  # rows that are scaled at a time
DAMAGED = "damaged file"  # kind of the note of a picture whose pixels may be wrong (damage.py)
LONGEST = 2**30  # bytes of a file that is tried to be mended: it is held in memory for it
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


class Asked(NamedTuple):
    """How a file is read: as `read` has it."""

    least: int | None
    max_pixels: int
    page: int | None = None
    behind: str = "white"

    def among(self, pages: int) -> list[Note]:
        """What is to be noted where a file has so many; Refused where it has not the page."""
        if not 1 <= (self.page or 1) <= pages:
            raise Refused(f"no page {self.page}: the file has {pages}")
        if self.page is None and pages > 1:
            return [Note("several pages", f"page 1 of {pages} is read")]
        return []


class Refused(ValueError):
    """A file whose form is known, and that is not read."""


def read(
    file: Path | str,
    least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    behind: str = "white",
) -> Picture:
    """A picture file as an upright RGB image: EXIF orientation applied, see-through parts on white
    (or on the colour `behind`), 16 bits made 8.

    least: a JPEG is decoded at the least of 1/8, 1/4, 1/2, 1 that leaves its shorter side at
    `least` px or more (None: as it is), which is much faster. max_pixels: larger ones are refused
    before they are decoded; others take 8 to 12 bytes a pixel meanwhile (WebP that is seen through
    16, JPEG 2000 24; measured). page: from 1; None is the first, and a note says so where there are
    more. Damage is noted, not refused, where all of the picture can be decoded: pixels may be wrong
    then if the note's kind is DAMAGED (damage.py says what can be seen). Raises ValueError that
    says what is wrong: missing, no page of this number, no permission, what it is if it is no
    picture, truncated, too large, of unknown range.

    >>> read("no such picture.jpg")
    Traceback (most recent call last):
    ValueError: missing file
    """
    if what := file_kinds.special(file):
        raise Refused(f"not a picture: {what}")
    asked = Asked(least, max_pixels, page, behind)
    try:
        return _opened(str(file), asked)
    except Refused:
        raise
    except OSError as e:
        if e.errno is not None:
            raise ValueError(_denied(e)) from e
        return _otherwise(Path(file), asked, e)
    except Exception as e:  # damaged files make decoders raise almost anything
        return _otherwise(Path(file), asked, e)


def _otherwise(file: Path, asked: Asked, e: Exception) -> Picture:
    """A file that Pillow could not open for the reason e. ValueError that says what is wrong."""
    try:
        return _second_try(file, asked)
    except _NoHelp:
        raise ValueError(_reason(e, file)) from e


def _denied(e: OSError) -> str:
    """Why a file could not be opened at all."""
    if isinstance(e, FileNotFoundError | NotADirectoryError):
        return "missing file"
    return "permission denied" if isinstance(e, PermissionError) else f"cannot be read ({e})"


def read_picture(file: Path | str) -> Image.Image:
    """`read`, the image alone."""
    return read(file).image


def read_near(
    file: Path | str, least: int | None, page: int | None = None, behind: str = "white"
) -> tuple[Image.Image, tuple[int, int]]:
    """`read`, image and the file's own (width, height)."""
    picture = read(file, least, page=page, behind=behind)
    return picture.image, picture.size


# ---------------------------------------------------------------- opened
def _opened(file: str | io.BytesIO, asked: Asked) -> Picture:
    with no_limit(), Image.open(file, formats=formats()) as opened:
        frames = file_pages.of_image(opened)
        notes = asked.among(len(frames))
        frame = frames[(asked.page or 1) - 1]
        if getattr(opened, "n_frames", 1) > 1:
            opened.seek(frame)
        width, height = opened.size
        if width * height > asked.max_pixels:
            raise Refused(
                f"too large: {width} x {height} px are {width * height:,} pixels, more than "
                f"max_pixels, {asked.max_pixels:,}"
            )
        _refuse_thumbnails(opened)
        image = _undamaged(opened, file, asked)
        if image is None:
            if asked.least is not None:
                opened.draft(None, (asked.least, asked.least))
            tiles = list(getattr(opened, "tile", []))
            opened.load()
            notes += _damage(opened, file, frame) + _dark_colour(opened, file, tiles, frame)
            image = opened
        notes += _upright(image)
        image, more = rgb(image, asked.behind)
        return Picture(image, (width, height), notes + more)


def _undamaged(opened: Image.Image, file: str | io.BytesIO, asked: Asked) -> Image.Image | None:
    """The pixels of an opened JPEG with what Pillow knows of it, where one decoding says both them
    and that nothing is damaged (damage.undamaged_jpeg); else None. Nearly all photographs."""
    plain = (opened.format, opened.mode) == ("JPEG", "RGB") and asked.least is None
    image = damage.undamaged_jpeg(file, opened.size) if plain and isinstance(file, str) else None
    if image is not None:
        image.info = dict(opened.info)  # EXIF says which way is up
    return image


def _damage(opened: Image.Image, file: str | io.BytesIO, frame: int) -> list[Note]:
    """What can be seen of damage that the decoder of a loaded image passed over."""
    form = opened.format or ""
    if frame and form == "MPO":  # its other views are files of their own, behind the first
        return []
    said = damage.seen_in(file if isinstance(file, str) else file.getvalue(), form)
    return [Note(DAMAGED, said)] if said else []


def _refuse_thumbnails(opened: Image.Image) -> None:
    """DNG, NEF and others are TIFF files whose first image is a small preview of the picture."""
    tags = getattr(opened, "tag_v2", None) or {}
    if opened.format == "TIFF" and (DNG_VERSION in tags or int(tags.get(REDUCED, 0)) & 1):
        raise Refused("not a picture: a camera's raw file (DNG, NEF or alike), with only a preview")


def _dark_colour(
    opened: Image.Image, file: str | io.BytesIO, tiles: list, frame: int = 0
) -> list[Note]:
    """Colours of 16 bits, of which Pillow keeps the upper 8, and 12 or fewer are used: taken from
    the file anew, both halves, and put into the loaded image.

    tiles: how the image was stored in the file, before it was loaded."""
    args = [t.args if isinstance(t.args, str) else next(iter(t.args), "") for t in tiles]
    if not args or {*args} - {*OTHER_HALF} or np.max(opened.getextrema()) > 15:
        return []
    with Image.open(file, formats=formats()) as again:
        if frame:
            again.seek(frame)
        again.tile = [
            t._replace(args=_swapped(t.args, arg)) for t, arg in zip(tiles, args, strict=True)
        ]
        values = np.asarray(opened).astype(np.uint16)
        values <<= 8
        values |= np.asarray(again)
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


def rgb(image: Image.Image, behind: str = "white") -> tuple[Image.Image, list[Note]]:
    """A loaded image as RGB, see-through parts on the colour `behind`, 8 bits; ValueError for
    values of unknown range."""
    notes: list[Note] = []
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip at 255
        image, notes = _eight_bits(np.asarray(image))
    elif image.mode == "F":
        raise Refused("floating-point grey values: their range is not known")
    if image.has_transparency_data:
        return _on(image, behind), notes
    return image.convert("RGB"), notes


def _on(image: Image.Image, behind: str) -> Image.Image:
    """An image with see-through parts on a colour, as RGB; some rows at a time, since that takes 16
    bytes a pixel."""
    width, height = image.size
    out = Image.new("RGB", image.size)
    for top in range(0, height, BAND):
        part = image.crop((0, top, width, min(top + BAND, height))).convert("RGBA")
        whole = Image.new("RGBA", part.size, behind)
        out.paste(Image.alpha_composite(whole, part).convert("RGB"), (0, top))
    return out


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
    top = 2**bits - 1
    table = ((np.arange(top + 1) * 255 + top // 2) // top).astype(np.uint8)
    out = np.empty(grey.shape, np.uint8)
    for at in range(0, len(grey), BAND):  # an index takes 8 bytes a value
        out[at : at + BAND] = table[grey[at : at + BAND]]
    return Image.fromarray(out), notes


# ---------------------------------------------------------------- what could not be opened
class _NoHelp(Exception):
    pass


def _second_try(file: Path, asked: Asked) -> Picture:
    """A file that could not be read, mended; or by the reader that its form needs. _NoHelp where
    that does not read it either."""
    try:
        kind = file_kinds.kind_of(file_kinds.head_of(file))
        if kind == file_kinds.DICOM:
            return _by_pydicom(file, asked)
        if kind == file_kinds.HEIC:
            return _by_pillow_heif(file, asked)
        whole = mended(file.read_bytes()) if file.stat().st_size <= LONGEST else None
        picture = _opened(io.BytesIO(whole.data), asked) if whole else None
    except Refused:
        raise
    except Exception as e:
        raise _NoHelp from e
    if whole is None or picture is None:
        raise _NoHelp
    picture.notes.insert(0, Note("slightly damaged file", whole.what))
    return picture


def _by_pillow_heif(file: Path, asked: Asked) -> Picture:
    if not file_kinds.heif_is_there():
        raise Refused(file_kinds.NEEDS_HEIF)
    import pillow_heif

    pillow_heif.register_heif_opener()  # for good: the next ones are read at once
    return _opened(str(file), asked)


def _by_pydicom(file: Path, asked: Asked) -> Picture:
    try:
        notes = asked.among(dicom_files.pages(file))
        found = dicom_files.opened(file, asked.page or 1, asked.least, asked.max_pixels)
    except dicom_files.NoPicture as e:
        raise Refused(str(e)) from e
    image, more = rgb(found.image, asked.behind)
    return Picture(image, found.size, notes + more)


def _reason(e: Exception, file: Path) -> str:
    """What is wrong with a file that nothing could read."""
    try:
        head = file_kinds.head_of(file)
    except OSError as gone:
        return _denied(gone)
    kind = file_kinds.kind_of(head)
    if kind == file_kinds.DICOM:
        return "a DICOM file, damaged or of a form that pydicom does not read"
    if not isinstance(e, UnidentifiedImageError):
        return f"cannot be decoded ({str(e) or type(e).__name__})"
    if kind == file_kinds.HEIC:
        kind = f"a {kind} picture, damaged"
    if kind == file_kinds.TEXT:  # nobody takes one for a picture
        kind = ""
    if "damaged TIFF" in kind:
        kind = _of_tiff(file) or kind
    return f"not a picture{kind and ': '}{kind}"


def _of_tiff(file: Path) -> str:
    """What the values of a TIFF are that Pillow cannot open; "" where it does not say, as cameras'
    raw files."""
    try:
        with open(file, "rb") as f:
            tags = ImageFileDirectory_v2(f.read(8))
            f.seek(tags.next)
            tags.load(f)
        bits, kept = tags.get(258), tags.get(339, (1,))
    except Exception:  # damaged files make it raise almost anything
        return ""
    if not bits or DNG_VERSION in tags or int(tags.get(REDUCED, 0)) & 1:
        return ""
    number = {1: "whole numbers", 2: "signed numbers", 3: "floating point"}.get(kept[0], "others")
    values = f"{len(bits)} values a pixel of {bits[0]} bits ({number})"
    return f"a TIFF of {values}, compression {tags.get(259, 1)}, a form that is not read"
