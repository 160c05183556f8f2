"""Damaged picture files, seeded, and how each is read: refused with a reason, read with a note,
read as it was before the damage, or read as a second reader reads it (torchvision, tifffile).

What must not be: anything raised but ValueError, a process that dies or hangs. What is counted
because no reader can see it: pixels that differ, and nobody says so (BMP, PPM, TIFF and others have
no checksum)."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from riqa_lib.pictures.reading import read
from riqa_lib.seeding import rng

from .fuzz_children import HANGS, KILLED, Child

SIDE = (40, 56)  # height, width
FAILURES = ("crashes", KILLED, HANGS)
NEAR = 2.0  # grey levels on average within which two decoders agree


def scene(seed: int) -> np.ndarray:
    """A smooth picture with a few edges, uint8 (40, 56, 3)."""
    g, (height, width) = rng("fuzz scene", seed), SIDE
    y, x = np.mgrid[:height, :width] / max(SIDE)
    waves = [np.sin(6 * (a * x + b * y + c)) for a, b, c in g.uniform(-2, 2, (3, 3))]
    whole = 127 + 90 * np.stack(waves, axis=2)
    whole[g.integers(height) :, g.integers(width) :] *= 0.5
    return np.clip(whole + g.normal(0, 4, whole.shape), 0, 255).astype(np.uint8)


def _saved(kind: str, mode: str = "RGB", **options: Any) -> Callable[[np.ndarray], bytes]:
    def make(pixels: np.ndarray) -> bytes:
        out = io.BytesIO()
        image = Image.fromarray(pixels)
        if mode == "I;16":
            image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
        elif mode != "RGB":
            image = image.convert(mode)
        image.save(out, kind, **options)
        return out.getvalue()

    return make


# form of file: (ending, how one is made)
FORMS: dict[str, tuple[str, Callable[[np.ndarray], bytes]]] = {
    "JPEG": ("jpg", _saved("JPEG", quality=90)),
    "JPEG, progressive": ("jpg", _saved("JPEG", progressive=True, quality=80)),
    "JPEG, grey": ("jpg", _saved("JPEG", "L")),
    "JPEG, CMYK": ("jpg", _saved("JPEG", "CMYK")),
    "PNG": ("png", _saved("PNG")),
    "PNG, palette": ("png", _saved("PNG", "P")),
    "PNG, see-through": ("png", _saved("PNG", "RGBA")),
    "PNG, 16 bits": ("png", _saved("PNG", "I;16")),
    "TIFF": ("tif", _saved("TIFF")),
    "TIFF, LZW": ("tif", _saved("TIFF", compression="tiff_lzw")),
    "TIFF, deflate": ("tif", _saved("TIFF", compression="tiff_deflate")),
    "TIFF, JPEG": ("tif", _saved("TIFF", compression="jpeg")),
    "BMP": ("bmp", _saved("BMP")),
    "GIF": ("gif", _saved("GIF", "P")),
    "WebP": ("webp", _saved("WEBP", quality=90)),
    "WebP, lossless": ("webp", _saved("WEBP", lossless=True)),
    "AVIF": ("avif", _saved("AVIF")),
    "JPEG 2000": ("jp2", _saved("JPEG2000")),
    "PPM": ("ppm", _saved("PPM")),
    "TGA": ("tga", _saved("TGA")),
    "PCX": ("pcx", _saved("PCX")),
    "SGI": ("sgi", _saved("SGI")),
}


# ---------------------------------------------------------------- damage
def damaged(data: bytes, g: np.random.Generator) -> tuple[str, bytes]:
    """A file with one kind of damage, and what it is called."""
    name = str(g.choice(list(DAMAGE)))
    return name, DAMAGE[name](bytearray(data), g)


def _flip(data: bytearray, g: np.random.Generator) -> bytes:
    for at in g.integers(len(data), size=g.integers(1, 9)):
        data[at] ^= 1 << int(g.integers(8))
    return bytes(data)


def _head(data: bytearray, g: np.random.Generator) -> bytes:
    """Extreme numbers where sizes and offsets stand."""
    at = int(g.integers(min(len(data), 96)))
    data[at : at + 4] = g.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\1\0"])
    return bytes(data)


def _cut(data: bytearray, g: np.random.Generator) -> bytes:
    return bytes(data[: g.integers(1, len(data))])


def _zeros(data: bytearray, g: np.random.Generator) -> bytes:
    at, count = int(g.integers(len(data))), int(g.integers(1, 200))
    data[at : at + count] = bytes(len(data[at : at + count]))
    return bytes(data)


def _inserted(data: bytearray, g: np.random.Generator) -> bytes:
    at = int(g.integers(len(data)))
    return bytes(data[:at]) + g.bytes(int(g.integers(1, 64))) + bytes(data[at:])


def _lost(data: bytearray, g: np.random.Generator) -> bytes:
    at = int(g.integers(len(data)))
    return bytes(data[:at] + data[at + int(g.integers(1, 64)) :])


def _twice(data: bytearray, g: np.random.Generator) -> bytes:
    at, to = sorted(g.integers(len(data) + 1, size=2))
    return bytes(data[:to] + data[at:])


def _behind(data: bytearray, g: np.random.Generator) -> bytes:
    return bytes(data) + g.bytes(int(g.integers(1, 300)))


DAMAGE: dict[str, Callable[[bytearray, np.random.Generator], bytes]] = {
    "bits flipped": _flip,
    "head overwritten": _head,
    "cut short": _cut,
    "zeros": _zeros,
    "bytes inserted": _inserted,
    "bytes lost": _lost,
    "a part twice": _twice,
    "bytes behind": _behind,
}


# ---------------------------------------------------------------- readers
def ours(file: str) -> tuple[str, str, np.ndarray | None]:
    """What `read` does: "refused" or "crashes" with the message, "noted" or "read" with pixels."""
    try:
        picture = read(file)
    except ValueError as e:
        return ("refused", str(e), None) if str(e).strip() else ("crashes", "no reason", None)
    except BaseException as e:
        return "crashes", f"{type(e).__name__}: {e}", None
    pixels = np.asarray(picture.image)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        return "crashes", f"{pixels.dtype} {pixels.shape}", None
    return ("noted" if picture.notes else "read"), "; ".join(n.kind for n in picture.notes), pixels


def theirs(form: str, file: str) -> np.ndarray | None:
    """What the second reader reads, uint8 (H, W, 3); None where it refuses or there is none."""
    try:
        if form == "TIFF":
            import tifffile

            pixels = tifffile.imread(file)
        elif form.split(",")[0] in ("JPEG", "PNG", "WebP"):
            import torch
            from torchvision.io import ImageReadMode, decode_image

            raw = torch.frombuffer(bytearray(Path(file).read_bytes()), dtype=torch.uint8)
            pixels = decode_image(raw, ImageReadMode.RGB).permute(1, 2, 0).numpy()
        else:
            return None
    except Exception:
        return None
    known = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    return pixels if known else None


HAS_SECOND = ("JPEG", "PNG", "WebP")  # and TIFF that is not compressed (tifffile alone)


def _has_second(form: str) -> bool:
    """Whether a second reader reads this form as we do: not 16 bits, nor colours of print."""
    told = form == "TIFF" or form.split(",")[0] in HAS_SECOND
    return told and "16 bits" not in form and "CMYK" not in form


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two readings are the same picture."""
    return a.shape == b.shape and float(np.abs(a.astype(int) - b).mean()) <= NEAR


class Pictures:
    """Trials by number: the same number is the same file on every machine with this Pillow."""

    def __init__(self, folder: Path, seconds: float = 20.0) -> None:
        self.folder = folder
        self.ours, self.second = Child(ours, seconds), Child(theirs, seconds)
        self.forms = list(FORMS)

    def close(self) -> None:
        self.ours.close()
        self.second.close()

    def trial(self, number: int) -> tuple[str, str, str, str]:
        """(form, damage, outcome, what was said) of one trial."""
        form = self.forms[number % len(self.forms)]
        g = rng("fuzz picture", number)
        ending, make = FORMS[form]
        whole = make(scene(int(g.integers(50))))
        name, data = damaged(whole, g)
        file = self.folder / f"picture.{ending}"
        file.write_bytes(data)
        answer = self.ours.ask(str(file))
        if isinstance(answer, str):  # killed, or hangs
            return form, name, answer, ""
        outcome, said, pixels = answer
        if outcome != "read":
            return form, name, outcome, said
        return form, name, self._judged(form, file, whole, pixels), ""

    def _judged(self, form: str, file: Path, whole: bytes, pixels: np.ndarray) -> str:
        """What a reading without a note is worth."""
        before = self.folder / f"whole{file.suffix}"
        before.write_bytes(whole)
        if np.array_equal(pixels, np.asarray(read(before).image)):
            return "as before"
        second = self.second.ask(form, str(file))
        if isinstance(second, np.ndarray):
            same = near(pixels, second)
            return "as the second reader" if same else "not as the second reader"
        if not _has_second(form):
            return "differs, no second reader"
        return "the second reader refuses"


def trials(first: int, count: int) -> list[tuple[str, str, str, str]]:
    """So many trials, from this number on."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Pictures(Path(folder))
        try:
            return [pictures.trial(number) for number in range(first, first + count)]
        finally:
            pictures.close()
