"""Pictures that every viewer shows, though a byte in them is wrong: a PNG whose comments are
damaged, a JPEG without its last two bytes.

Pixels are never invented: a file whose picture itself is incomplete is not mended. PNG: W3C,
Portable Network Graphics (third edition), 5.3 (chunks) and 5.4 (which a reader may leave out);
JPEG: ITU-T T.81, B.1.1 (markers)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

PNG, JPEG, END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"
# what pixels, and seeing through them, depend on; eXIf (which way is up) where it is whole
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
OTHER_BITS = b"\x5a\xc3\x33\x96" * 32  # never what a decoder puts for bits that are missing


class Mended(NamedTuple):
    """A file's bytes so that they can be read, and what was wrong with them."""

    data: bytes
    what: str


def mended(data: bytes) -> Mended | None:
    """A file that can be read without loss, or None where nothing here helps."""
    if data.startswith(PNG):
        return _without_comments(data)
    if data.startswith(JPEG):
        return _with_end(data)
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Of a PNG: (type, all its bytes, whether its checksum holds) of every whole chunk; what is cut
    off comes last, as b""."""
    at = len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        (crc,) = struct.unpack_from(">I", data, end - 4)
        yield data[at + 4 : at + 8], data[at:end], zlib.crc32(data[at + 4 : end - 4]) == crc
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
    yield b"", data[at:], False


def _without_comments(data: bytes) -> Mended | None:
    kept, wrong, others = [PNG], [], []
    for kind, chunk, holds in _chunks(data):
        if kind in NEEDED or not kind or (kind == b"eXIf" and holds):
            kept.append(chunk)
        else:
            (others if holds else wrong).append(kind.decode("latin-1"))
    if not wrong + others:
        return None
    names = ", ".join(dict.fromkeys(wrong or others))
    return Mended(b"".join(kept), f"comments damaged or too long ({names}); left out")


def _with_end(data: bytes) -> Mended | None:
    """A JPEG that lacks nothing but its end marker. Where bits of the picture are missing too, what
    follows changes pixels: then it is not mended."""
    body = data[:-1] if data.endswith(b"\xff") else data
    if body.endswith(END) or _pixels(body + END) != _pixels(body + OTHER_BITS + END):
        return None
    return Mended(body + END, "its end marker is missing; every pixel is there")


def _pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()
