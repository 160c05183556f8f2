"""Pictures that every viewer shows, though a byte in them is wrong: a PNG whose comments are
damaged, a JPEG without its last two bytes.

Pixels are never invented: a file whose picture itself is incomplete is not mended. PNG: W3C,
Portable Network Graphics (third edition), 5.3 (chunks) and 5.4 (which a reader may leave out);
JPEG: ITU-T T.81, B.1.1 (markers)."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from PIL import Image

PNG, JPEG, END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"
# what pixels, and seeing through them, depend on; eXIf (which way is up) where it is whole
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# decoders put zeros for bits that are missing: these are other ones
OTHER_BITS = [bits * 64 for bits in (b"\x5a\xc3", b"\xfe\x7f", b"\xaa", b"\x33\x96\x1d")]
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a JPEG's size and components
START, ALONE = 0xDA, {0x01, *range(0xD0, 0xDA)}  # of scan; markers without a length
NEXT = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # marker behind the bits of a scan


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


def chunks(data: bytes | mmap) -> Iterator[tuple[bytes, bytes, bool]]:
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
    kept = [PNG]
    wrong: list[str] = []
    others: list[str] = []
    for kind, chunk, holds in chunks(data):
        if kind in NEEDED or not kind or (kind == b"eXIf" and holds):
            kept.append(chunk)
        else:
            (others if holds else wrong).append(kind.decode("latin-1"))
    if not wrong + others:
        return None
    names = ", ".join(dict.fromkeys(wrong or others))
    return Mended(b"".join(kept), f"comments damaged or too long ({names}); left out")


def _with_end(data: bytes) -> Mended | None:
    """A JPEG that lacks nothing but its end marker: every scan is there, and of the last one every
    bit, since what follows it changes no pixel."""
    body = data[:-1] if data.endswith(b"\xff") else data
    if body.endswith(END) or not _all_scans(body):
        return None
    pixels = _pixels(body + END)
    if any(_pixels(body + bits + END) != pixels for bits in OTHER_BITS):
        return None
    return Mended(body + END, "its end marker is missing; every pixel is there")


def _all_scans(data: bytes) -> bool:
    """Whether the scans that a JPEG's headers announce tell all bits of all coefficients of all
    components (a progressive one tells them in turns)."""
    left: dict[int, list[int]] = {}  # of each component's 64 coefficients, lowest bits not told
    at = NEXT.search(data, 2)
    while at is not None:
        marker, place = at[1][0], at.end()
        if marker in ALONE:
            at = NEXT.search(data, place)
            continue
        (length,) = struct.unpack_from(">H", data, place)
        content = data[place + 2 : place + length]
        if marker in FRAMES:
            left = {content[k]: [16] * 64 for k in range(6, 6 + 3 * content[5], 3)}
        elif marker == START:
            first, last, bits = content[-3:]
            for k in range(1, 1 + 2 * content[0], 2):
                left[content[k]][first : last + 1] = [bits & 15] * (last + 1 - first)
        at = NEXT.search(data, place + length)
    return bool(left) and not any(map(any, left.values()))


def _pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as image:
        return image.tobytes()
