"""Which formats are opened, and without Pillow's own limit of size.

Only formats of pictures: Pillow would hand PostScript to a program of its own, and look into
containers of weather and of documents."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from PIL import Image

# pixels a file may have; Pillow's own limit, a guard against files made to fill the memory
MAX_PIXELS = 2 * 89_478_485
KNOWN = (
    *("JPEG", "PNG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA"),
    *("PCX", "SGI", "SUN", "PSD", "QOI", "HEIF", "JXL"),  # the last two with a plug-in
)


def formats() -> tuple[str, ...]:
    """Those of KNOWN that this Pillow has, its plug-ins included.

    >>> "JPEG" in formats(), "EPS" in formats()
    (True, False)
    """
    Image.init()
    return tuple(name for name in KNOWN if name in Image.OPEN)


_open_now, _lock, _before = 0, threading.Lock(), Image.MAX_IMAGE_PIXELS


@contextlib.contextmanager
def no_limit() -> Iterator[None]:
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
