"""Picture files for tests, made by code: whole ones, and ones with a byte wrong; and a limit for
what must not wait."""

from __future__ import annotations

import contextlib
import io
import signal
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image


def noise(seed: int, height: int = 16, width: int = 20) -> np.ndarray:
    """A picture, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """A picture as the bytes of a file of this kind."""
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, content: bytes, wrong: bool = False) -> bytes:
    """A chunk of a PNG; wrong: its checksum does not hold."""
    crc = zlib.crc32(kind + content) ^ wrong
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def with_chunk(png: bytes, new: bytes, last: bool = False) -> bytes:
    """A PNG with one more chunk behind its header, or before its end."""
    at = len(png) - 12 if last else 33
    return png[:at] + new + png[at:]


def exif_turned() -> bytes:
    """EXIF that says: shown turned a quarter to the right."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes().removeprefix(b"Exif\0\0")


def deep_colour(values: np.ndarray) -> bytes:
    """A PNG of 16-bit colours, uint16 (H, W, 3), which Pillow cannot write."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts.items())


def deep_grey(top: int, side: int = 16) -> np.ndarray:
    """Grey values from 0 to `top`, evenly, uint16 (side, side)."""
    return np.linspace(0, top, side * side).round().astype(np.uint16).reshape(side, side)


@contextlib.contextmanager
def at_once(seconds: int = 30) -> Iterator[None]:
    """Fail where the block waits for something that never comes."""

    def waited(*_: object) -> None:
        pytest.fail(f"nothing came for {seconds} s")  # no Exception: nothing catches it

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
