"""What a file is that Pillow cannot open, by its first bytes: for messages, and to know a HEIC.

Signatures: those of the formats' own definitions (PNG, JFIF, ISO base media, TIFF and the makers'
raw files built on it)."""

from __future__ import annotations

import importlib.util

HEAD = 512  # bytes that are looked at
HEIC = "HEIC"
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
NEEDS_HEIF = f"a {HEIC} picture, read where one more package is: pip install pillow-heif"

# first bytes -> what it is; the first that fits counts
SIGNATURES = (
    (b"II*\0\x10\0\0\0CR", "a camera's raw file (CR2)"),
    (b"IIRO", "a camera's raw file (ORF)"),
    (b"IIRS", "a camera's raw file (ORF)"),
    (b"IIU\0", "a camera's raw file (RW2)"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (b"FOVb", "a camera's raw file (X3F)"),
    (b"\xff\xd8\xff", "a damaged JPEG"),
    (b"\x89PNG\r\n\x1a\n", "a damaged PNG"),
    (b"II*\0", "a damaged TIFF, or a camera's raw file"),
    (b"MM\0*", "a damaged TIFF, or a camera's raw file"),
    (b"GIF8", "a damaged GIF"),
    (b"BM", "a damaged BMP"),
    (b"8BPS", "a damaged Photoshop file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SIMPLE  =", "a FITS file"),
)
# what the first words of a text say, in lower case
TEXTS = (
    (
        b"version ",
        b"git-lfs",
        "a Git LFS pointer: the picture itself was not fetched (git lfs pull)",
    ),
    (b"<!doctype html", b"", "a web page (HTML)"),
    (b"<html", b"", "a web page (HTML)"),
    (b"<", b"<svg", "a drawing (SVG)"),
    (b"<", b"<html", "a web page (HTML)"),
    (b"<?xml", b"", "an XML file"),
)


def kind_of(head: bytes) -> str:
    """What the first HEAD bytes of a file say that it is; "" where they say nothing. HEIC is just
    that word.

    >>> kind_of(b"%PDF-1.7"), kind_of(b"<!DOCTYPE html><html>"), kind_of(b"?")
    ('a PDF document', 'a web page (HTML)', '')
    """
    if not head:
        return "an empty file"
    if not head.strip(b"\0"):
        return "only zero bytes"
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    if head[:4] == b"RIFF":
        return "a damaged WebP" if head[8:12] == b"WEBP" else "a sound or a film (RIFF)"
    for first, kind in SIGNATURES:
        if head.startswith(first):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next(
        (kind for first, inner, kind in TEXTS if text.startswith(first) and inner in text), ""
    )


def _of_brand(brand: bytes) -> str:
    """What a file of ISO base media is: pictures and films share this form."""
    if brand in HEIC_BRANDS:
        return HEIC
    if brand == b"crx ":
        return "a camera's raw file (CR3)"
    return "a damaged AVIF" if brand in (b"avif", b"avis") else "a film (MP4, MOV)"


def heif_is_there() -> bool:
    """Whether pillow-heif, the extra that reads HEIC, is installed."""
    return importlib.util.find_spec("pillow_heif") is not None
