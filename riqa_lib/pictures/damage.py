"""Damage that a file's own decoder passes over in silence.

    seen_in("photo.jpg", "JPEG")      "JPEG: bad Huffman code"

What is seen, besides what makes a file unreadable (cut off, no picture at all):

- JPEG, MPO: libjpeg's warnings, which Pillow drops: a code that there isn't, bytes too many or too
  few before a marker. They come from the package simplejpeg; without it (`simplejpeg_is_there`)
  none is seen. A block of 512 bytes overwritten is nearly always seen, one wrong bit about one time
  in ten: a JPEG has no checksum, and most wrong bits make another picture that is as valid.
- PNG, APNG: chunks whose CRC-32 does not hold: every wrong bit in header, palette and pixels.
- TIFF (Deflate), PNG: zlib's own checksum, where the decoder refuses the file for it.

What cannot be seen: wrong bits in BMP, PPM, TGA, GIF, WebP, AVIF, JPEG 2000, and in TIFF as it is
mostly written. These forms have no checksum of their pixels; only hashes of one's own tell.

PNG: W3C, Portable Network Graphics (third edition), 5.5 (CRC). JPEG: ITU-T T.81, B.1 and F.2."""

from __future__ import annotations

import importlib.util
import mmap
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from .mended import NEEDED, chunks

PIXELS = (*NEEDED, b"fdAT", b"fcTL")  # chunks of a PNG that say what is seen, APNG's too
# how libjpeg begins to say what is wrong with pixels (jerror.h, JWRN); its other warnings are of
# colour profiles and of marks that nobody knows
SAID = ("Corrupt JPEG data", "Premature end", "Inconsistent progression")


def seen_in(file: Path | str | bytes, form: str) -> str:
    """What is wrong with the pixels of a file, or of its bytes, that Pillow read as this form; ""
    where nothing is seen. OSError where it cannot be opened."""
    check = {"PNG": _of_png, "JPEG": _of_jpeg, "MPO": _of_jpeg}.get(form)
    if check is None:
        return ""
    if isinstance(file, bytes):
        return check(file)
    with open(file, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return check(data)


def simplejpeg_is_there() -> bool:
    """Whether simplejpeg, which tells what libjpeg warns of, is installed."""
    return importlib.util.find_spec("simplejpeg") is not None


def _of_png(data: bytes | mmap.mmap) -> str:
    wrong = [kind for kind, _, holds in chunks(data) if not holds and kind in (*PIXELS, b"")]
    return f"PNG: {', '.join(_named(wrong))}" if wrong else ""


def _named(kinds: Iterable[bytes]) -> list[str]:
    """What is wrong with these chunks; b"" is what is cut off."""
    said = (
        f"checksum of {kind.decode('latin-1')} is wrong" if kind else "cut off" for kind in kinds
    )
    return [*dict.fromkeys(said)]


def _of_jpeg(data: bytes | mmap.mmap) -> str:
    if not simplejpeg_is_there():
        return ""
    import simplejpeg

    try:  # an eighth of the size: all of the file is decoded, little of it is put into pixels
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8, strict=True)
    except ValueError as e:
        said = str(e)
        return f"JPEG: {said.removeprefix('Corrupt JPEG data: ')}" if said.startswith(SAID) else ""
    return ""


def undamaged_jpeg(file: str, size: tuple[int, int]) -> Image.Image | None:
    """A JPEG of three colours as an RGBX image, decoded by simplejpeg once, where it warns of
    nothing: the pixels are Pillow's own (both are libjpeg-turbo, asked for its exact transform and
    its smooth colours), and no second decoding has to ask for damage. size: (width, height), as
    Pillow read it. None where simplejpeg is not installed or says anything at all: Pillow and
    `seen_in` then say what."""
    if not simplejpeg_is_there():
        return None
    import simplejpeg

    exact = {"fastdct": False, "fastupsample": False, "strict": True}
    try:
        with open(file, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            pixels = simplejpeg.decode_jpeg(data, "RGBX", **exact)  # four bytes, as in Pillow
    except ValueError:
        return None
    if pixels.shape[:2] != size[::-1]:
        return None
    return Image.frombuffer("RGBX", size, pixels, "raw", "RGBX", 0, 1)
