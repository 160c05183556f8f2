"""Files of several pages: which of their images are pictures of their own, each read alone."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from picture_files import noise
from PIL import Image

from riqa_lib.pictures import file_pages
from riqa_lib.pictures.reading import read

SMOOTH = (np.add.outer(np.arange(64), np.arange(96))[..., None] * [1, 0.7, 0.4]).astype(np.uint8)


def seen(file, page):
    return np.asarray(read(file, page=page).image)


def test_each_page_of_a_tiff_is_read_by_itself(tmp_path):
    shown = [noise(k, 20 + k, 30) for k in range(3)]
    first, *more = map(Image.fromarray, shown)
    first.save(tmp_path / "x.tif", save_all=True, append_images=more)
    assert file_pages.count(tmp_path / "x.tif") == 3
    for k, picture in enumerate(shown):
        assert (seen(tmp_path / "x.tif", k + 1) == picture).all()
        assert read(tmp_path / "x.tif", page=k + 1).size == (30, 20 + k)
        assert read(tmp_path / "x.tif", page=k + 1).notes == []
    assert read(tmp_path / "x.tif").notes == [("several pages", "page 1 of 3 is read")]
    with pytest.raises(ValueError, match=r"^no page 4: the file has 3$"):
        read(tmp_path / "x.tif", page=4)


def test_pages_of_twelve_bits_are_stretched_each_by_itself(tmp_path):
    deep = noise(3).astype(np.uint16) * 16
    with tifffile.TiffWriter(tmp_path / "x.tif") as out:
        out.write(deep[:8] * 16, photometric="rgb", contiguous=False)
        out.write(deep, photometric="rgb", contiguous=False)
    assert np.abs(seen(tmp_path / "x.tif", 1) - (deep[:8] / 16)).max() <= 1
    assert np.abs(seen(tmp_path / "x.tif", 2) - deep / 4095 * 255).max() <= 1


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_reduced_copies_are_no_pages(tmp_path, marked, before):
    """Marked as such or not, before their picture or behind it."""
    other = 255 - SMOOTH[::-1]
    pages = [(SMOOTH, 0), (SMOOTH[::4, ::4], int(marked)), (other, 0)]
    if before:
        pages[:2] = pages[1::-1]
    with tifffile.TiffWriter(tmp_path / "x.tif") as out:
        for picture, kind in pages:
            out.write(picture, photometric="rgb", subfiletype=kind, contiguous=False)
    assert file_pages.count(tmp_path / "x.tif") == 2
    assert (seen(tmp_path / "x.tif", 1) == SMOOTH).all()
    assert (seen(tmp_path / "x.tif", 2) == other).all()


def test_a_smaller_picture_of_something_else_is_a_page(tmp_path):
    small = (255 - SMOOTH[::4, ::4])[:, ::-1]
    pages = [Image.fromarray(SMOOTH), Image.fromarray(small)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    assert file_pages.count(tmp_path / "x.tif") == 2
    assert (seen(tmp_path / "x.tif", 2) == small).all()


def test_a_mask_is_no_page(tmp_path):
    mask = Image.fromarray(SMOOTH[..., 0])
    mask.encoderinfo = {"tiffinfo": {254: 4}}
    Image.fromarray(SMOOTH).save(tmp_path / "x.tif", save_all=True, append_images=[mask])
    assert file_pages.count(tmp_path / "x.tif") == 1
    assert read(tmp_path / "x.tif").notes == []


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_pictures_one_after_another(tmp_path, kind):
    shown = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    shown[0].save(tmp_path / f"x.{kind}", save_all=True, append_images=shown[1:])
    assert file_pages.count(tmp_path / f"x.{kind}") == 2
    colours = [seen(tmp_path / f"x.{kind}", page)[5, 5].argmax() for page in (1, 2)]
    assert colours == [0, 2]


def mpo(tmp_path, kind):
    """Two views in one MPO; kind: what the second one is said to be (CIPA DC-007, 5.2.3.3.1)."""
    views = [Image.fromarray(v) for v in (SMOOTH, np.ascontiguousarray(SMOOTH[::-1]))]
    views[0].save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=views[1:])
    data = bytearray((tmp_path / "x.jpg").read_bytes())
    with Image.open(tmp_path / "x.jpg") as image:
        size = image.mpinfo[0xB002][1]["Size"]
    (place,) = [k for k in range(len(data)) if data[k + 4 : k + 8] == size.to_bytes(4, "little")][
        :1
    ]
    data[place : place + 3] = kind.to_bytes(3, "little")
    (tmp_path / "x.jpg").write_bytes(data)
    return tmp_path / "x.jpg"


@pytest.mark.parametrize(("kind", "pages"), [(0x020002, 2), (0x010002, 1), (0, 1)])
def test_views_of_a_stereo_camera_are_pages_and_thumbnails_are_none(tmp_path, kind, pages):
    file = mpo(tmp_path, kind)
    assert file_pages.count(file) == pages
    if pages == 2:
        assert np.abs(seen(file, 2).astype(int) - SMOOTH[::-1]).mean() < 8


def test_a_tiff_of_a_form_that_is_not_read_is_said_for_what_it_is(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", SMOOTH / np.float32(255), photometric="rgb")
    with pytest.raises(ValueError, match=r"TIFF of 3 values a pixel of 32 bits \(floating point\)"):
        read(tmp_path / "x.tif")


def test_a_damaged_second_page_leaves_the_first(tmp_path):
    pages = [Image.fromarray(noise(k)) for k in range(2)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    data = (tmp_path / "x.tif").read_bytes()
    (tmp_path / "x.tif").write_bytes(data[: len(data) * 6 // 10])
    assert file_pages.count(tmp_path / "x.tif") in (1, 2)
    assert (seen(tmp_path / "x.tif", 1) == noise(0)).all()
