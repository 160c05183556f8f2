"""What is seen of damage that decoders pass over; what is never opened; what fills no memory."""

from __future__ import annotations

import ast
import io

import numpy as np
import pytest
from conftest import REPOSITORY
from picture_files import encoded, noise
from PIL import Image, ImageDraw
from PIL.JpegImagePlugin import JpegImageFile

from riqa_lib.pictures import damage, file_pages, reading
from riqa_lib.pictures.reading import DAMAGED, read
from riqa_lib.pictures.recognition import is_fundus

WRONG = bytes(np.random.default_rng(1).integers(1, 255, 200, dtype=np.uint8))


def overwritten(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_of_which_a_part_was_overwritten_is_named_and_a_whole_one_is_not(
    tmp_path, mode, progressive
):
    pytest.importorskip("simplejpeg", reason="tells what libjpeg warns of")
    picture = Image.fromarray(noise(0, 120, 160)).convert(mode)
    whole = encoded(picture, "JPEG", quality=90, progressive=progressive)
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "wrong.jpg").write_bytes(overwritten(whole, len(whole) // 2, WRONG))
    assert read(tmp_path / "whole.jpg").notes == []
    notes = read(tmp_path / "wrong.jpg").notes
    assert [note.kind for note in notes] == [DAMAGED]
    assert notes[0].what.startswith("JPEG: ")
    # at a reduced size too
    assert [note.kind for note in read(tmp_path / "wrong.jpg", least=20).notes] == [DAMAGED]


def test_without_what_tells_it_a_damaged_jpeg_is_read_as_pillow_reads_it(tmp_path, monkeypatch):
    whole = encoded(noise(0, 120, 160), "JPEG", quality=90)
    (tmp_path / "wrong.jpg").write_bytes(overwritten(whole, len(whole) // 2, WRONG))
    monkeypatch.setattr(damage, "simplejpeg_is_there", lambda: False)
    assert read(tmp_path / "wrong.jpg").notes == []


def test_a_png_whose_checksum_does_not_hold_is_named(tmp_path):
    whole = encoded(noise(0), "PNG")
    at = whole.rindex(b"IEND") - 8  # the last byte of IDAT's checksum and what is before it
    (tmp_path / "wrong.png").write_bytes(overwritten(whole, at, bytes(4)))
    (tmp_path / "cut.png").write_bytes(whole[:-12])
    (tmp_path / "more.png").write_bytes(whole + b"behind its end")
    for name, said in (
        ("wrong.png", "PNG: checksum of IDAT is wrong"),
        ("cut.png", "PNG: cut off"),
    ):
        assert read(tmp_path / name).notes == [(DAMAGED, said)]
    assert read(tmp_path / "more.png").notes == []
    assert (np.asarray(read(tmp_path / "wrong.png").image) == noise(0)).all()


def test_forms_without_checksums_say_nothing(tmp_path):
    for kind in ("BMP", "TIFF", "WEBP", "GIF", "PPM"):
        data = encoded(noise(0), kind)
        assert damage.seen_in(data, kind) == ""


def test_a_file_that_is_too_long_to_be_mended_is_not_held_in_memory(tmp_path, monkeypatch):
    whole = encoded(noise(0), "JPEG")
    (tmp_path / "no end.jpg").write_bytes(whole[:-2])
    assert read(tmp_path / "no end.jpg").notes[0].kind == "slightly damaged file"
    monkeypatch.setattr(reading, "LONGEST", len(whole) - 3)
    with pytest.raises(ValueError, match="truncated"):
        read(tmp_path / "no end.jpg")


def test_pages_are_not_compared_where_they_would_fill_the_memory(tmp_path, monkeypatch):
    large = Image.fromarray(noise(0, 40, 60))
    file = tmp_path / "a.tif"
    large.save(file, save_all=True, append_images=[large.resize((30, 20), Image.Resampling.BOX)])
    assert file_pages.count(file) == 1  # a reduced copy
    monkeypatch.setattr(file_pages, "MAX_PIXELS", 2399)
    assert file_pages.count(file) == 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_see_through_parts_of_many_rows_are_those_of_the_whole(tmp_path, mode):
    rng = np.random.default_rng(2)
    picture = Image.fromarray(rng.integers(0, 256, (reading.BAND + 9, 3, 4), dtype=np.uint8))
    if mode == "P":
        picture = picture.convert("RGB").quantize(16)
        picture.save(tmp_path / "a.png", transparency=bytes(range(0, 256, 16)))
    else:
        picture.convert(mode).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        seen = np.asarray(image.convert("RGBA"), float)
    colour, share = seen[..., :3], seen[..., 3:] / 255
    expected = colour * share + 255 * (1 - share)
    assert np.abs(np.asarray(read(tmp_path / "a.png").image, float) - expected).max() <= 1


# ---------------------------------------------------------------- a flat disc
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("noisy", [0, 2])
@pytest.mark.parametrize(
    ("colour", "around"),
    [((180, 70, 30), 0), ((180, 70, 30), 255), ((230, 140, 60), 0), ((40, 25, 15), 0)],
)
def test_a_flat_disc_is_no_fundus(colour, around, noisy, kind):
    picture = Image.new("RGB", (200, 200), (around,) * 3)
    ImageDraw.Draw(picture).ellipse((15, 15, 185, 185), fill=colour)
    grain = np.random.default_rng(0).normal(0, noisy, (200, 200, 3))
    picture = Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))
    seen = read_again(picture, kind)
    yes, reason = is_fundus(seen)
    assert not yes
    assert reason.startswith("flat: ")


def test_a_white_disc_is_no_fundus():
    picture = Image.new("RGB", (200, 200))
    ImageDraw.Draw(picture).ellipse((15, 15, 185, 185), fill="white")
    assert is_fundus(np.asarray(picture)) == (
        False,
        "flat: one colour all over, without a vessel or a shade",
    )


def read_again(picture: Image.Image, kind: str) -> np.ndarray:
    with Image.open(io.BytesIO(encoded(picture, kind))) as image:
        return np.asarray(image)


# ---------------------------------------------------------------- formats
def test_every_picture_is_opened_as_one_of_the_formats_that_are_named():
    """PostScript goes to a program of its own (Ghostscript) where Pillow may choose."""
    calls = 0
    for file in sorted((REPOSITORY / "riqa_lib").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "open(" in text and "PIL" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "Image.open",
                "plt.imread",
            ):
                calls += 1
                assert "formats" in [k.arg for k in node.keywords], f"{file.name}:{node.lineno}"
    assert calls > 4


# ---------------------------------------------------------------- decoded once
def varied_jpegs():
    """JPEGs of all forms that cameras write, by name."""
    for k, (sampling, progressive) in enumerate([(0, False), (1, True), (2, False), (2, True)]):
        for size in ((61, 47), (16, 129)):
            picture = Image.fromarray(noise(k, *size[::-1])).resize(size)
            for quality in (20, 90, 100):
                how = {"subsampling": sampling, "progressive": progressive, "quality": quality}
                yield f"{how} {size}", encoded(picture, "JPEG", **how)
    picture = Image.fromarray(noise(9, 40, 70))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    yield "turned", encoded(picture, "JPEG", exif=exif)
    yield "not YCbCr", encoded(picture, "JPEG", keep_rgb=True, subsampling=0)
    yield "restarts", encoded(picture, "JPEG", restart_marker_blocks=3)
    for mode in ("L", "CMYK"):
        yield mode, encoded(picture.convert(mode), "JPEG")


def test_a_jpeg_decoded_once_has_pillows_own_pixels(tmp_path, monkeypatch):
    """simplejpeg's decoding, which tells damage too, against Pillow's: no pixel differs."""
    pytest.importorskip("simplejpeg", reason="tells what libjpeg warns of")
    file = tmp_path / "one.jpg"
    for name, data in varied_jpegs():
        file.write_bytes(data)
        with monkeypatch.context() as without:
            without.setattr(damage, "simplejpeg_is_there", lambda: False)
            pillows = read(file)
        ours = read(file)
        assert ours.image.mode == "RGB"
        assert ours.image.tobytes() == pillows.image.tobytes(), name
        assert (ours.size, ours.image.size, ours.notes) == (pillows.size, pillows.image.size, [])


def test_a_whole_jpeg_is_decoded_once_and_a_damaged_one_as_pillow_decodes_it(tmp_path, monkeypatch):
    simplejpeg = pytest.importorskip("simplejpeg", reason="tells what libjpeg warns of")
    whole = encoded(noise(0, 120, 160), "JPEG", quality=90)
    file = tmp_path / "one.jpg"
    decoders = {}
    for module, name in ((simplejpeg, "decode_jpeg"), (JpegImageFile, "load_prepare")):
        inner = getattr(module, name)

        def counted(*given, inner=inner, name=name, **how):
            decoders[name] = decoders.get(name, 0) + 1
            return inner(*given, **how)

        monkeypatch.setattr(module, name, counted)
    file.write_bytes(whole)
    assert read(file).notes == []
    assert decoders == {"decode_jpeg": 1}
    file.write_bytes(overwritten(whole, len(whole) // 2, WRONG))
    damaged = read(file)
    assert [note.kind for note in damaged.notes] == [DAMAGED]
    assert decoders["load_prepare"] == 1
    with Image.open(file) as opened:
        assert damaged.image.tobytes() == opened.convert("RGB").tobytes()
