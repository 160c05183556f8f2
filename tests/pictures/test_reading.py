"""A picture file as it is read: every form, slight damage, what is refused and why."""

from __future__ import annotations

import sys
import threading
import tracemalloc
import types
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import chunk, deep_colour, deep_grey, encoded, exif_turned, noise, with_chunk
from PIL import Image, ImageFile

from riqa_lib.pictures import file_kinds, reading
from riqa_lib.pictures.reading import read, read_picture


def read_bytes(tmp_path: Path, data: bytes, **options):
    (tmp_path / "x.bin").write_bytes(data)
    return read(tmp_path / "x.bin", **options)


# ---------------------------------------------------------------- every form
def saved(tmp_path: Path, image: Image.Image, kind: str, **options: object) -> np.ndarray:
    image.save(tmp_path / f"x.{kind}", **options)
    return np.asarray(read_picture(tmp_path / f"x.{kind}"))


def test_every_kind_of_picture_becomes_rgb(tmp_path: Path) -> None:
    rgb = noise(0)
    grey = Image.fromarray(rgb[..., 0])
    assert (saved(tmp_path, Image.fromarray(rgb), "png") == rgb).all()
    assert (saved(tmp_path, grey, "png") == rgb[..., :1]).all()
    assert (
        saved(tmp_path, grey.convert("1"), "png") == np.asarray(grey.convert("1").convert("RGB"))
    ).all()
    palette = Image.fromarray(rgb).quantize(16)
    assert (saved(tmp_path, palette, "png") == np.asarray(palette.convert("RGB"))).all()
    flat = Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK")
    assert np.abs(saved(tmp_path, flat, "jpg", quality=95).astype(int) - (200, 40, 90)).max() <= 4


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    found = saved(tmp_path, Image.fromarray(deep), "png")
    assert (found == np.arange(256).reshape(16, 16, 1)).all()
    assert (saved(tmp_path, Image.fromarray(deep.astype(np.int32)), "tif") == found).all()


def test_see_through_parts_are_white(tmp_path: Path) -> None:
    rgba = np.dstack([noise(1), np.full((16, 20), 255, np.uint8)])
    rgba[:8, :, 3] = 0
    found = saved(tmp_path, Image.fromarray(rgba), "png")
    assert (found[:8] == 255).all()
    assert (found[8:] == rgba[8:, :, :3]).all()


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter to the right
    assert (
        saved(tmp_path, Image.fromarray(noise(2)), "png", exif=exif) == np.rot90(noise(2), -1)
    ).all()


# ---------------------------------------------------------------- depth of grey
@pytest.mark.parametrize(("top", "bits"), [(255, 8), (1023, 12), (4095, 12)])
def test_fewer_bits_in_sixteen_are_stretched_and_noted(tmp_path, top, bits):
    Image.fromarray(deep_grey(top)).save(tmp_path / "x.png")
    picture = read(tmp_path / "x.png")
    expected = np.round(deep_grey(top) / (2**bits - 1) * 255)
    assert np.abs(np.asarray(picture.image)[..., 0] - expected).max() <= 1
    ((kind, what),) = picture.notes
    assert kind == f"{bits} bits in 16"
    assert what == f"values up to {top} of 65535: stretched"


@pytest.mark.parametrize("top", [0, 4096, 16383, 65535])
def test_sixteen_bits_and_black_are_as_they_are(tmp_path, top):
    Image.fromarray(deep_grey(top)).save(tmp_path / "x.png")
    picture = read(tmp_path / "x.png")
    assert picture.notes == []
    assert np.abs(np.asarray(picture.image)[..., 0] - deep_grey(top) / 257).max() <= 0.5


def colours(top: int) -> np.ndarray:
    return np.linspace(0, top, 16 * 20 * 3).round().astype(np.uint16).reshape(16, 20, 3)


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (4095, 12), (4096, 16), (65535, 16)])
@pytest.mark.parametrize("turned", [False, True])
def test_colours_of_fewer_bits_are_stretched_too(tmp_path, top, bits, turned):
    png = deep_colour(colours(top))
    if turned:
        png = with_chunk(png, chunk(b"eXIf", exif_turned()))
    picture = read_bytes(tmp_path, png)
    expected = colours(top) / (2**bits - 1) * 255
    found = np.rot90(np.asarray(picture.image), 1) if turned else np.asarray(picture.image)
    assert np.abs(found - expected).max() <= 1  # Pillow takes the upper half of 16
    assert [note.kind for note in picture.notes] == ([f"{bits} bits in 16"] if bits < 16 else [])


def test_dark_and_black_colours_of_sixteen_bits_are_as_they_are(tmp_path):
    for dark in (np.zeros((8, 8, 3), np.uint16), np.full((8, 8, 3), 4097, np.uint16)):
        picture = read_bytes(tmp_path, deep_colour(dark))
        assert picture.notes == []
        assert (np.asarray(picture.image) == dark // 256).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colours_of_twelve_bits_are_stretched_in_a_tiff(tmp_path, order, compression):
    how = {"byteorder": order, "compression": compression, "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "x.tif", colours(4095), **how)
    picture = read(tmp_path / "x.tif")
    assert np.abs(np.asarray(picture.image) - colours(4095) / 4095 * 255).max() <= 1
    assert [note.kind for note in picture.notes] == ["12 bits in 16"]
    tifffile.imwrite(tmp_path / "x.tif", colours(65535), **how)
    assert read(tmp_path / "x.tif").notes == []


def test_colours_of_twelve_bits_are_stretched_in_a_damaged_file(tmp_path):
    png = with_chunk(deep_colour(colours(4095)), chunk(b"tEXt", b"a\0b", wrong=True))
    picture = read_bytes(tmp_path, png)
    assert [note.kind for note in picture.notes] == ["slightly damaged file", "12 bits in 16"]
    assert 120 < np.asarray(picture.image).mean() < 135


def test_sixteen_bits_take_little_memory(tmp_path):
    """Of a file made to fill the memory, too: bytes a pixel beside Pillow's own."""
    (tmp_path / "x.png").write_bytes(deep_colour(np.full((3000, 200, 3), 4000, np.uint16)))
    tracemalloc.start()
    read(tmp_path / "x.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most / (3000 * 200) < 24


# ---------------------------------------------------------------- slight damage
LONG = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**20 + 1)))


@pytest.mark.parametrize("last", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (chunk(b"tEXt", b"Comment\0hello", wrong=True), "tEXt"),
        (chunk(b"iTXt", b"Comment\0\0\0\0\0hello", wrong=True), "iTXt"),
        (chunk(b"tIME", b"\0" * 7, wrong=True), "tIME"),
        (chunk(b"eXIf", b"MM\0*", wrong=True), "eXIf"),
        (LONG, "zTXt"),
    ],
    ids=["text", "international", "time", "exif", "long"],
)
def test_a_png_whose_comments_are_damaged_is_read(tmp_path, wrong, name, last):
    picture = read_bytes(tmp_path, with_chunk(encoded(noise(1), "PNG"), wrong, last))
    assert (np.asarray(picture.image) == noise(1)).all()
    # Pillow itself reads over some of those that come last
    assert picture.notes or last
    assert {note.kind for note in picture.notes} <= {"slightly damaged file", "damaged EXIF"}
    if not last:
        assert name in picture.notes[0].what


def test_the_way_up_survives_a_damaged_comment(tmp_path):
    png = with_chunk(encoded(noise(2), "PNG"), chunk(b"eXIf", exif_turned()))
    wrong = with_chunk(png, chunk(b"tEXt", b"a\0b", wrong=True))
    assert (np.asarray(read_bytes(tmp_path, wrong).image) == np.rot90(noise(2), -1)).all()


def test_see_through_parts_survive_a_damaged_comment(tmp_path):
    grey = Image.fromarray(noise(3)[..., 0])
    png = encoded(grey, "PNG", transparency=int(noise(3)[0, 0, 0]))
    wrong = with_chunk(png, chunk(b"tEXt", b"a\0b", wrong=True))
    found = np.asarray(read_bytes(tmp_path, wrong).image)
    assert (found[0, 0] == 255).all()
    assert (found == np.asarray(read_bytes(tmp_path, png).image)).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif", [b"no TIFF at all", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\x09"]
)
def test_a_picture_with_damaged_exif_is_read(tmp_path, exif):
    picture = read_bytes(tmp_path, with_chunk(encoded(noise(4), "PNG"), chunk(b"eXIf", exif)))
    assert (np.asarray(picture.image) == noise(4)).all()
    assert {note.kind for note in picture.notes} <= {"damaged EXIF"}


def test_damaged_exif_is_noted(tmp_path):
    png = with_chunk(encoded(noise(4), "PNG"), chunk(b"eXIf", b"no TIFF at all"))
    ((kind, what),) = read_bytes(tmp_path, png).notes
    assert kind == "damaged EXIF"
    assert "not a TIFF file" in what


BAND = np.repeat(noise(5, 30, 1), 40, axis=1)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shown", [noise(5, 48, 64), np.full((48, 64, 3), 90, np.uint8), BAND])
def test_a_jpeg_is_read_without_its_end_and_no_further(tmp_path, shown, progressive):
    whole = encoded(shown, "JPEG", progressive=progressive)
    pixels = np.asarray(read_bytes(tmp_path, whole).image)
    for lost in (1, 2):
        picture = read_bytes(tmp_path, whole[:-lost])
        assert (np.asarray(picture.image) == pixels).all()
        assert [note.kind for note in picture.notes] == ["slightly damaged file"]
    found = {
        lost: pixels_or_none(tmp_path, whole[:-lost]) for lost in range(3, min(len(whole), 900))
    }
    read_too = [lost for lost, one in found.items() if one is not None]
    assert all((found[lost] == pixels).all() for lost in read_too)  # padding: no pixel is missing
    assert len(read_too) < 0.05 * len(found)


def pixels_or_none(tmp_path, data):
    try:
        return np.asarray(read_bytes(tmp_path, data).image)
    except ValueError:
        return None


def test_a_jpeg_without_its_end_is_read_small_too(tmp_path):
    whole = encoded(noise(6, 160, 160), "JPEG")
    picture = read_bytes(tmp_path, whole[:-2], least=20)
    assert picture.image.size == (20, 20)
    assert picture.size == (160, 160)
    with pytest.raises(ValueError, match="truncated"):
        read_bytes(tmp_path, whole[:-9], least=20)


def test_a_png_that_lacks_pixels_is_not_mended(tmp_path):
    png = with_chunk(encoded(noise(7, 64, 64), "PNG"), chunk(b"tEXt", b"a\0b", wrong=True))
    with pytest.raises(ValueError, match=r"not a picture: a damaged PNG|cannot be decoded"):
        read_bytes(tmp_path, png[: len(png) // 2])


# ---------------------------------------------------------------- what is refused
def iso(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0" * 400


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an empty file"),
        (bytes(600), "only zero bytes"),
        (b"name,mos\n", ""),
        (b"version 1\noid of git-lfs\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE HTML>\n<html>", "a web page"),
        (b'<?xml version="1.0"?><svg width="1"/>', "a drawing (SVG)"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw file (CR2)"),
        (iso(b"crx "), "a camera's raw file (CR3)"),
        (iso(b"isom"), "a film"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file (RAF)"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "a damaged JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "a damaged PNG"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(tmp_path, data, said):
    with pytest.raises(ValueError, match=r"^not a picture") as caught:
        read_bytes(tmp_path, data)
    assert str(caught.value).startswith(f"not a picture{said and ': '}{said}")


@pytest.mark.parametrize("tag", [{50706: b"\1\4\0\0"}, {254: 1}])
def test_the_preview_in_a_raw_file_is_not_taken_for_the_picture(tmp_path, tag):
    Image.fromarray(noise(9)).save(tmp_path / "x.dng", "TIFF", tiffinfo=tag)
    with pytest.raises(ValueError, match="not a picture: a camera's raw file"):
        read(tmp_path / "x.dng")
    Image.fromarray(noise(9)).save(tmp_path / "x.tif", tiffinfo={254: 0})
    assert (np.asarray(read_picture(tmp_path / "x.tif")) == noise(9)).all()


def test_truncated_missing_and_unknown_ranges_are_refused(tmp_path):
    whole = encoded(noise(4, 64, 64), "JPEG")
    with pytest.raises(ValueError, match="truncated"):
        read_bytes(tmp_path, whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"^missing file$"):
        read(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match=r"^not a picture: a folder$"):
        read(tmp_path)
    Image.fromarray(np.full((16, 16), 70000, np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=r"^grey values from 70000 to 70000, expected 0 to 65535"):
        read_picture(tmp_path / "x.tif")
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=r"^floating-point.*range is not known"):
        read_picture(tmp_path / "x.tif")


# ---------------------------------------------------------------- HEIC
@pytest.mark.parametrize("name", ["x.heic", "x.jpg"])
def test_heic_is_named_with_what_reads_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr(file_kinds, "heif_is_there", lambda: False)
    (tmp_path / name).write_bytes(iso(b"heic"))
    with pytest.raises(ValueError, match=r"^a HEIC picture.*pip install pillow-heif"):
        read(tmp_path / name)


def test_heic_is_given_to_pillow_heif_where_it_is(tmp_path, monkeypatch):
    """What is installed elsewhere, put in its place: it takes the file's first bytes for pixels."""

    class Opened(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self):
            self._mode, self._size = "RGB", (4, 4)
            self.tile = [ImageFile._Tile("raw", (0, 0, 4, 4), 0, ("RGB", 0, 1))]

    def register_heif_opener():
        Image.register_open("HEIF", Opened, lambda head: head[4:12] == b"ftypheic")

    there = types.SimpleNamespace(register_heif_opener=register_heif_opener)
    monkeypatch.setitem(sys.modules, "pillow_heif", there)
    monkeypatch.setattr(file_kinds, "heif_is_there", lambda: True)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    (tmp_path / "x.jpg").write_bytes(iso(b"heic"))
    found = np.asarray(read_picture(tmp_path / "x.jpg"))
    assert found.tobytes() == iso(b"heic")[:48]


def test_heic_is_read_where_pillow_heif_is(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    smooth = np.dstack([np.mgrid[0:64, 0:96][k % 2] * 2 for k in range(3)]).astype(np.uint8)
    pillow_heif.from_pillow(Image.fromarray(smooth)).save(tmp_path / "x.heic", quality=95)
    (tmp_path / "x.jpg").write_bytes((tmp_path / "x.heic").read_bytes())
    for name in ("x.heic", "x.jpg"):
        found = np.asarray(read_picture(tmp_path / name)).astype(int)
        assert found.shape == (64, 96, 3)
        assert np.abs(found - smooth).mean() < 4
    (tmp_path / "x.heic").write_bytes(iso(b"heic"))
    with pytest.raises(ValueError, match=r"HEIC picture, damaged|cannot be decoded"):
        read(tmp_path / "x.heic")


# ---------------------------------------------------------------- huge pictures
def test_the_limit_for_huge_pictures_is_a_setting(tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(noise(10, 20, 30), "PNG"))
    assert read(tmp_path / "x.png", max_pixels=600).size == (30, 20)
    with pytest.raises(ValueError, match=r"^too large: 30 x 20 px are 600 pixels.* 599$"):
        read(tmp_path / "x.png", max_pixels=599)


def test_below_the_limit_pillow_says_nothing(tmp_path, monkeypatch):
    """Its own limit warns of pictures of half the size that it refuses, and is one for all
    threads: it is back when the last of them has read."""
    (tmp_path / "x.png").write_bytes(encoded(noise(10, 20, 30), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "x.png")
    errors = []

    def one():
        try:
            for _ in range(40):
                read(tmp_path / "x.png")
        except Exception as e:
            errors.append(e)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert Image.MAX_IMAGE_PIXELS == 100
    assert reading.MAX_PIXELS == 178_956_970  # what Pillow refused before
