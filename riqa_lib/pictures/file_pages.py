"""The pages of a picture file: which of its images are pictures of their own.

    count("scan.tif")      3

TIFF holds reduced copies (tag 254, bit 0; 255 is 2), masks (bit 2), and copies that nobody marked:
smaller, of the same shape, and looking the same. MPO (CIPA DC-007) says of each image whether it is
a view of its own or a thumbnail; what it doesn't say (depth, gain maps of phones) is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from . import dicom_files, file_kinds
from .formats import MAX_PIXELS, formats, no_limit

PAGED = ("TIFF", "GIF", "WEBP", "PNG", "AVIF", "MPO")
SUBFILE, OLD_SUBFILE = 254, 255  # tags of TIFF
REDUCED, MASK, OLD_REDUCED = 1, 4, 2
ALIKE = 12  # of 255: mean difference of a reduced copy from its picture, both 16 x 16 px


def count(file: Path | str) -> int:
    """How many pages a file has; 1 where it is no picture, or cannot be opened, too.

    >>> count("no such picture.jpg")
    1
    """
    if file_kinds.special(file):
        return 1
    try:
        if file_kinds.kind_of(file_kinds.head_of(file)) == file_kinds.DICOM:
            return dicom_files.pages(file)
        with no_limit(), Image.open(file, formats=formats()) as image:
            return len(of_image(image))
    except Exception:  # damaged files make decoders raise almost anything
        return 1


def of_image(image: Image.Image) -> tuple[int, ...]:
    """Of an image that Pillow opened, the frames, from 0, that are pages: one or more. It may then
    stand at any of them."""
    if image.format not in PAGED:
        return (0,)
    try:
        frames = range(getattr(image, "n_frames", 1))
        if len(frames) == 1:
            return (0,)
        if image.format == "TIFF":
            return _of_tiff(image, frames)
        return _of_mpo(image, frames) if image.format == "MPO" else tuple(frames)
    except Exception:  # damaged files make decoders raise almost anything
        return (0,)


def _of_mpo(image: Image.Image, frames: range) -> tuple[int, ...]:
    entries = (getattr(image, "mpinfo", None) or {}).get(0xB002, [])
    kinds = [str(entry["Attribute"]["MPType"]) for entry in entries]
    return (0, *(k for k in frames[1:] if k < len(kinds) and kinds[k].startswith("Multi-Frame")))


def _of_tiff(image: Image.Image, frames: range) -> tuple[int, ...]:
    sizes: dict[int, tuple[int, int]] = {}
    for k in frames:
        try:
            image.seek(k)
        except Exception:  # a damaged page ends the file
            break
        tags = getattr(image, "tag_v2", {})
        marked = int(tags.get(SUBFILE, 0)) & (REDUCED | MASK)
        if not marked and tags.get(OLD_SUBFILE) != OLD_REDUCED:
            sizes[k] = image.size
    # reading.read says what a file with nothing but previews is
    return tuple(k for k in sizes if not _is_copy(image, k, sizes)) or (0,)


def _is_copy(image: Image.Image, k: int, sizes: dict[int, tuple[int, int]]) -> bool:
    """Whether another page is the same picture, at least twice as large."""
    width, height = sizes[k]
    for other, (wider, higher) in sizes.items():
        same_shape = abs(width * higher - height * wider) <= max(wider, higher) * 2
        small_enough = wider * higher <= MAX_PIXELS  # both are decoded to be compared
        if wider >= 2 * width and same_shape and small_enough and _alike(image, k, other):
            return True
    return False


def _alike(image: Image.Image, one: int, other: int) -> bool:
    seen = []
    for k in (one, other):
        image.seek(k)
        small = image.convert("L").resize((16, 16), Image.Resampling.BOX)
        seen.append(np.asarray(small).astype(int))
    return bool(np.abs(seen[0] - seen[1]).mean() < ALIKE)
