"""What a file is that Pillow cannot open, by its first bytes: for messages, to know a HEIC or a
DICOM, and to tell what is surely no picture.

Signatures: those of the formats' own definitions (PNG, JFIF, ISO base media, TIFF and the makers'
raw files built on it; DICOM PS3.10, 7.1: 128 bytes of anything, then DICM)."""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path

HEAD = 512  # bytes that are looked at
HEIC, DICOM, TEXT = "HEIC", "DICOM", "a text"
NEEDS_PYDICOM = f"a {DICOM} file, read where one more package is: pip install pydicom"
# how a DICOM file without its 128 + 4 bytes begins: group 2 or 8, then how its first value is kept
BARE = (b"\2\0", b"\x08\0"), (b"UL", b"CS", b"UI", b"OB", b"DA", b"SH", b"LO")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
NEEDS_HEIF = f"a {HEIC} picture, read where one more package is: pip install pillow-heif"

ZIP = "a ZIP archive: unpack it first"
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
    (b"\0\0\0\x0cjP  ", "a damaged JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a damaged JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SIMPLE  =", "a FITS file"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document, or thumbnails of Windows"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"\0\x05\x16\x07", "what macOS keeps beside a file"),
    (b"FOCT", "a scan of Topcon's own form (FDA, FDS): export its photograph"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
# begins like a picture, or like what stands for one: whoever has it wants to know
PICTURES = ("a damaged ", "a camera's ", "a JPEG XL", "a Git LFS", "a scan ", HEIC, DICOM)
# names of what is no picture, whatever it holds; by ending, and whole
ENDINGS = frozenset(
    [
        *("csv", "tsv", "txt", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg", "md"),
        *("pdf", "html", "htm", "css", "js", "doc", "docx", "xls", "xlsx", "xlsm", "ods", "odt"),
        *("ppt", "pptx", "rtf", "zip", "gz", "bz2", "xz", "tar", "7z", "rar", "log", "db"),
        *("sqlite", "py", "ipynb", "m", "r", "mat", "npy", "npz", "pkl", "h5", "hdf5", "parquet"),
        *("exe", "dll", "bat", "sh", "bak", "tmp", "part", "mp4", "mov", "avi", "wmv", "mp3"),
        *("wav", "sha256", "md5", "license", "url", "lnk", "eps", "ps", "svg"),
    ]
)
NAMES = frozenset(["thumbs.db", "desktop.ini", "dicomdir", "readme", "license", "makefile"])
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
    """What the first HEAD bytes of a file say that it is; "" where they say nothing. HEIC and DICOM
    are just these words.

    >>> kind_of(b"%PDF-1.7"), kind_of(b"<!DOCTYPE html><html>"), kind_of(b"a,b"), kind_of(b"\\0\\1")
    ('a PDF document', 'a web page (HTML)', 'a text', '')
    """
    if not head.strip(b"\0"):
        return "only zero bytes" if head else "an empty file"
    if kind := _of_container(head):
        return kind
    kind = next((kind for first, kind in SIGNATURES if head.startswith(first)), "")
    return _of_zip(head) if kind == ZIP else kind or _of_text(head)


def _of_container(head: bytes) -> str:
    """What a file is whose form is said behind its first bytes."""
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    if head[:4] == b"RIFF":
        return "a damaged WebP" if head[8:12] == b"WEBP" else "a sound or a film (RIFF)"
    is_dicom = head[128:132] == b"DICM" or (head[:2] in BARE[0] and head[4:6] in BARE[1])
    return DICOM if is_dicom else ""


def _of_brand(brand: bytes) -> str:
    """What a file of ISO base media is: pictures and films share this form."""
    if brand in HEIC_BRANDS:
        return HEIC
    if brand == b"crx ":
        return "a camera's raw file (CR3)"
    return "a damaged AVIF" if brand in (b"avif", b"avis") else "a film (MP4, MOV)"


def _of_zip(head: bytes) -> str:
    """Office documents are archives too, and say so in the name of their first part."""
    first = head[30:]
    office = first.startswith((b"[Content_Types].xml", b"word/", b"xl/", b"ppt/", b"_rels/"))
    is_open = first.startswith(b"mimetypeapplication/vnd.oasis")
    return "an office document" if office or is_open else ZIP


def _of_text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for first, inner, kind in TEXTS:
        if text.startswith(first) and inner in text:
            return kind
    # the last character may be cut
    plain = head.decode("utf-8", "ignore")
    whole = len(head) - len(plain.encode()) < 4
    control = any(ord(c) < 32 and c not in "\t\n\r\f" for c in plain)
    return TEXT if whole and plain and not control else ""


def special(file: Path | str) -> str:
    """What a path names that is no file which can be read to its end: a folder, a pipe, a device; a
    link that leads nowhere. "" for a file, and for what isn't there. Opening some of these would
    wait for ever.

    >>> special("."), special("no such picture.jpg")
    ('a folder', '')
    """
    try:
        mode = os.stat(file).st_mode
    except (OSError, ValueError):
        return "a link to what is not there, or to itself" if os.path.islink(file) else ""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe (FIFO), not a file",
        stat.S_IFSOCK: "a socket, not a file",
        stat.S_IFCHR: "a device, not a file",
        stat.S_IFBLK: "a device, not a file",
    }
    return kinds.get(stat.S_IFMT(mode), "")


def head_of(file: Path | str) -> bytes:
    """The first HEAD bytes of a file; OSError where it cannot be opened."""
    with open(file, "rb") as f:
        return f.read(HEAD)


def surely_no_picture(file: Path | str) -> bool:
    """Whether a file in a folder of pictures is known to be something else: by what it holds, and
    where that says nothing, by its name. What cannot be opened is told by its name alone."""
    path = Path(file)
    named = path.suffix[1:].lower() in ENDINGS or path.name.lower() in NAMES
    try:
        kind = "" if special(path) else kind_of(head_of(path))
    except OSError:
        return named
    if not kind or kind in ("an empty file", "only zero bytes"):
        return named and not special(path)
    if kind == DICOM:
        return path.name.lower() == "dicomdir"
    # Pillow's portable maps begin with letters, as text does
    is_map = kind == TEXT and path.suffix.lower() in (".ppm", ".pgm", ".pbm", ".pnm")
    return not kind.startswith(PICTURES) and not is_map


def heif_is_there() -> bool:
    """Whether pillow-heif, the extra that reads HEIC, is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def pydicom_is_there() -> bool:
    """Whether pydicom, the extra that reads DICOM, is installed."""
    return importlib.util.find_spec("pydicom") is not None
