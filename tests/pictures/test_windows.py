"""The pixels that a network learns from: what the whole made small loses, native windows keep."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import encoded, noise
from PIL import Image, ImageFilter

from riqa_lib.pictures import windows
from riqa_lib.pictures.reading import read_picture
from riqa_lib.pictures.windows import centre, places, read_for


# ---------------------------------------------------------------- the whole, made small
@pytest.mark.parametrize(("height", "width"), [(40, 61), (61, 40), (40, 40), (9, 30)])
def test_fit_scales_the_shorter_side_and_cuts_the_centre(height: int, width: int) -> None:
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.dstack([2 * y, 2 * x, y + x]).astype(np.uint8)
    side = min(height, width)
    at = (np.arange(10) + 0.5) * side / 10 - 0.5  # centres of the ten new pixels, in old ones
    rows, columns = at + (height - side) / 2, at + (width - side) / 2
    expected = np.dstack(
        [2 * rows[:, None] + 0 * columns, 0 * rows[:, None] + 2 * columns, rows[:, None] + columns]
    )
    found = centre(Image.fromarray(ramp), 10)
    assert found.shape == (10, 10, 3)
    assert found.dtype == np.uint8
    inner = slice(2, -2)  # a ramp ends at the picture's edge
    assert np.abs(found.astype(float) - expected)[inner, inner].max() <= 1


def test_fit_does_not_resample_what_fits() -> None:
    for width in (20, 21):
        assert (
            centre(Image.fromarray(noise(3, 16, width)), 16) == noise(3, 16, width)[:, 2:18]
        ).all()


def test_fit_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(centre(Image.fromarray(stripes), 16)[:, 2:-2] - 127.5).max() <= 4


# ---------------------------------------------------------------- as it is
def test_a_native_window_is_the_centre_as_it_is():
    shown = noise(0, 41, 60)
    assert (centre(Image.fromarray(shown), 20, "native") == shown[10:30, 20:40]).all()


def test_a_picture_smaller_than_the_window_is_enlarged_in_either_way():
    small = Image.fromarray(noise(1, 10, 14))
    assert (centre(small, 20, "native") == centre(small, 20, "fit")).all()


def textured(side):
    """A picture (side, side) with detail at every scale, grey."""
    rng = np.random.default_rng(0)
    total = np.zeros((side, side))
    for octave in range(2, 10):
        cells = rng.normal(size=(2**octave, 2**octave)).astype(np.float32)
        total += np.asarray(Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC))
    total += rng.normal(size=total.shape)
    return Image.fromarray(np.clip(128 + 16 * total, 0, 255).astype(np.uint8))


def test_what_the_whole_made_small_loses_a_native_window_keeps():
    """Defects at 3,000 px, grey levels of mean change: at size 80 the whole hides them, the native
    window shows them as they are."""
    plain = textured(3000)
    noisy = np.asarray(plain) + np.random.default_rng(1).normal(0, 25, (3000, 3000))
    defects = {
        "blur, sigma 6 px": plain.filter(ImageFilter.GaussianBlur(6)),
        "noise, sd 25": Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)),
    }
    for name, defect in defects.items():
        change = {
            scale: np.abs(centre(defect, 80, scale) - centre(plain, 80, scale).astype(float)).mean()
            for scale in windows.SCALES
        }
        whole = np.abs(np.asarray(defect) - np.asarray(plain).astype(float)).mean()
        print(f"{name}: {whole:.1f} at full size, {change}")
        assert change["fit"] < 1.5
        assert change["native"] > 8
        assert change["native"] == pytest.approx(whole, rel=0.25)


def test_what_a_native_window_loses_the_whole_shows():
    """A defect outside the window, and the light of the whole."""
    shown = np.full((400, 600, 3), 200, np.uint8)
    dark = shown.copy()
    dark[:, :150] = 0
    shown, dark = Image.fromarray(shown), Image.fromarray(dark)
    assert (centre(shown, 80, "native") == centre(dark, 80, "native")).all()
    assert np.abs(centre(shown, 80).astype(int) - centre(dark, 80)).mean() > 20


# ---------------------------------------------------------------- several windows
def test_windows_lie_evenly_from_edge_to_edge():
    assert places(100, 100, 40, 2) == [(0, 0), (60, 0), (0, 60), (60, 60)]
    assert places(40, 40, 40, 3) == [(0, 0)]
    for width, height, side, n in ((301, 200, 64, 3), (64, 200, 64, 4), (65, 64, 64, 5)):
        found = places(width, height, side, n)
        assert len(set(found)) == len(found)
        assert all(0 <= x <= width - side and 0 <= y <= height - side for x, y in found)
        assert {max(x for x, _ in found), max(y for _, y in found)} == {width - side, height - side}


@pytest.mark.parametrize("scale", windows.SCALES)
def test_a_picture_is_read_as_it_is_stored(tmp_path, scale):
    (tmp_path / "x.png").write_bytes(encoded(noise(2, 90, 150), "PNG"))
    image = read_picture(tmp_path / "x.png")
    found = read_for(tmp_path / "x.png", 32, scale)
    assert found.pixels.shape == (1, 32, 32, 3)
    assert found.pixels.dtype == np.uint8
    assert (found.pixels[0] == windows.WAYS[scale].cut(image, 32)).all()
    assert found.size == (150, 90)
    assert found.notes == []
    several = read_for(tmp_path / "x.png", 32, scale, windows=3).pixels
    assert several.shape == ({"fit": 3, "native": 9}[scale], 32, 32, 3)
    middle = several[len(several) // 2]
    assert (middle == found.pixels[0]).all()


def test_native_windows_are_pieces_of_the_picture(tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(noise(3, 64, 64), "PNG"))
    found = read_for(tmp_path / "x.png", 32, "native", windows=2).pixels
    rows = np.concatenate([np.concatenate(found[k : k + 2], axis=1) for k in (0, 2)])
    assert (rows == noise(3, 64, 64)).all()


def test_what_is_too_small_or_wrong_is_said(tmp_path):
    (tmp_path / "x.png").write_bytes(encoded(noise(4, 10, 14), "PNG"))
    for scale in windows.SCALES:
        (note,) = read_for(tmp_path / "x.png", 32, scale).notes
        assert note == ("smaller than the working size", "14 x 10 px, enlarged to 32")
        assert read_for(tmp_path / "x.png", 10, scale).notes == []
    with pytest.raises(ValueError, match=r"data\.scale is 'whole'; allowed: fit, native"):
        read_for(tmp_path / "x.png", 32, "whole")
    with pytest.raises(ValueError, match="windows is 0"):
        read_for(tmp_path / "x.png", 32, windows=0)
    with pytest.raises(ValueError, match="too large"):
        read_for(tmp_path / "x.png", 32, max_pixels=139)
