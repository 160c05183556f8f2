"""Fields of view as cameras and exports frame them: cut, barred, on white, filling the picture,
several in one, without colour."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from riqa_lib.assess import advice
from riqa_lib.pictures import near_fundus, recognition
from riqa_lib.pictures.field import CLARITY_FROM, Field, crop_field, find_field, too_small, trusted
from riqa_lib.pictures.reading import read
from riqa_lib.pictures.recognition import is_fundus
from riqa_lib.pictures.several_fields import split_fields
from riqa_lib.sim.fundus_camera import fundus
from riqa_lib.sim.scenes import scene

FULL = fundus("patient 7", 160, style="topcon50")


def part(across: float, down: float) -> np.ndarray:
    """The middle of FULL, so many radii to each side."""
    x, y = FULL.x + 0.5, FULL.y + 0.5
    a, b = across * FULL.radius, down * FULL.radius
    return FULL.pixels[round(y - b) : round(y + b), round(x - a) : round(x + a)]


def framed(inner: np.ndarray, level: int, size: int = 180) -> np.ndarray:
    """A picture in the middle of a uniform one."""
    out = np.full((size, size, 3), level, np.uint8)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    out[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return out


def on(colour: tuple[int, int, int]) -> np.ndarray:
    """FULL with a uniform surround."""
    return np.where(FULL.mask()[..., None] > 0.5, FULL.pixels, np.uint8(colour))


FRAMINGS = {
    "inscribed square": part(0.7, 0.7),
    "4:3 inside": part(0.76, 0.57),
    "centre half": part(0.5, 0.5),
    "letterboxed": np.pad(part(0.76, 0.57), ((30, 30), (0, 0), (0, 0))),
}
CUT = {
    "corners dark": part(0.86, 0.645),
    "by the frame": part(0.8, 0.8),
    "black, four sides": framed(part(0.79, 0.79), 0),
    "black, two sides": framed(part(1.02, 0.8), 0),
    "noisy bars": np.maximum(
        framed(part(0.79, 0.79), 0),
        np.random.default_rng(0).integers(0, 9, (180, 180, 3)).astype(np.uint8),
    ),
    "white, two sides": framed(part(1.02, 0.8), 255),
    "white surround": on((255, 255, 255)),
    "blue surround": on((90, 110, 150)),
    "white bar beside": np.hstack([np.full((160, 12, 3), 250, np.uint8), FULL.pixels]),
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_a_field_that_fills_the_picture_is_one(name):
    found = find_field(FRAMINGS[name])
    assert is_fundus(FRAMINGS[name], found) == (True, "")
    assert not trusted(found)
    _, mask = crop_field(FRAMINGS[name], 80, found)
    shape = (57, 76) if name == "letterboxed" else FRAMINGS[name].shape[:2]
    assert mask.mean() == pytest.approx(min(shape) / max(shape), abs=0.06)  # no bars in it


@pytest.mark.parametrize("name", CUT)
def test_a_cut_or_surrounded_field_has_its_circle(name):
    picture = CUT[name]
    found = find_field(picture)
    assert is_fundus(picture, found) == (True, "")
    assert trusted(found)
    assert found.radius == pytest.approx(FULL.radius, rel=0.03)
    if name != "white bar beside" and "surround" not in name:
        middle = (picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2
        assert np.hypot(found.x - middle[0], found.y - middle[1]) < 0.03 * FULL.radius


@pytest.mark.parametrize(("name", "level"), [("black", 0), ("white", 255)])
def test_the_mask_leaves_bars_out(name, level):
    shot = fundus("defocus behind bars", 160, {"clarity": 1.3}, style="topcon50")
    x, y, r = shot.x + 0.5, shot.y + 0.5, shot.radius
    inner = shot.pixels[round(y - 0.8 * r) : round(y + 0.8 * r), round(x - r) : round(x + r)]
    cut, padded = inner, framed(inner, level)
    told = []
    for picture in (cut, padded):
        crop, mask = crop_field(picture, advice.SIDE)
        told.append(advice.statistics(crop, mask))
        assert mask[80, 80]
        assert not mask[:13].any()  # 0.2 radii less what a px is
        assert not crop[~mask].any()
    for name in ("direction", "texture", "veil"):
        assert told[1][name] == pytest.approx(told[0][name], abs=0.06)
    assert told[1]["direction"] < 0.5


def test_see_through_is_black_when_asked(tmp_path):
    alpha = np.where(FULL.mask() > 0.5, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([FULL.pixels, alpha])).save(tmp_path / "cut out.png")
    corner = {
        behind: np.asarray(read(tmp_path / "cut out.png", behind=behind).image)[0, 0].tolist()
        for behind in ("white", "black")
    }
    assert corner == {"white": [255] * 3, "black": [0] * 3}


# ---------------------------------------------------------------- several
MONTAGES = {
    "pair": (np.hstack([FULL.pixels] * 2), 2),
    "two by two": (np.vstack([np.hstack([FULL.pixels, FULL.pixels[:, ::-1]])] * 2), 4),
    "white gap": (
        np.hstack([FULL.pixels, np.full((160, 14, 3), 255, np.uint8), FULL.pixels]),
        2,
    ),
    "touching": (np.hstack([part(0.8, 1.02)] * 2), 2),
}


@pytest.mark.parametrize("name", ["by the frame", "black, two sides", "black, four sides"])
def test_a_second_field_is_not_looked_for_where_one_holds_all_that_is_bright(name, monkeypatch):
    asked = []
    monkeypatch.setattr(recognition, "split_fields", lambda rgb: asked.append(1) or [])
    picture = CUT[name]
    assert recognition._may_be_several(find_field(picture), *picture.shape[:2])
    assert is_fundus(picture) == (True, "")
    assert not asked
    is_fundus(MONTAGES["touching"][0])
    assert asked


@pytest.mark.parametrize("name", MONTAGES)
def test_several_fields_are_refused_and_can_be_split(name):
    picture, n = MONTAGES[name]
    assert is_fundus(picture) == (False, f"more than one field of view ({n})")
    parts = split_fields(picture)
    assert len(parts) == n
    for one in parts:
        left, top, right, bottom = one.box
        assert np.array_equal(one.pixels, picture[top:bottom, left:right])
        assert is_fundus(one.pixels)[0]
        assert one.field.radius == pytest.approx(FULL.radius, rel=0.05)


def test_one_field_is_not_split():
    for picture in (CUT["black, four sides"], FRAMINGS["centre half"], FULL.pixels):
        assert split_fields(picture) == []


# ---------------------------------------------------------------- colours
def test_without_colour_is_refused():
    green = FULL.pixels[..., 1]
    grey = np.repeat(green[..., None], 3, axis=2)
    sepia = (FULL.pixels.mean(axis=2)[..., None] * [1.2, 0.9, 0.6]).clip(0, 255).astype(np.uint8)
    alone = np.zeros_like(grey)
    alone[..., 1] = green
    negative = np.where(FULL.mask()[..., None] > 0.5, 255 - grey, np.uint8(0))
    for picture in (grey, sepia, alone, negative, grey[45:115, 45:115]):
        yes, why = is_fundus(picture)
        assert not yes
        assert why.startswith("no colour")


def test_dim_green_and_lit_from_the_side_are_fundi():
    tinted = (FULL.pixels * np.array([0.75, 1.15, 0.9])).clip(0, 255).astype(np.uint8)
    u = (np.arange(160) - FULL.x) / FULL.radius
    leak = np.clip((u[None, :] - 0.55) * 3, 0, 1)[..., None] * FULL.mask()[..., None]
    leaking = (FULL.pixels + leak * np.array([40, 190, 220])).clip(0, 255).astype(np.uint8)
    for picture in (tinted, FULL.pixels // 5, leaking):
        assert is_fundus(picture) == (True, "")


def test_swapped_channels_are_named():
    yes, why = is_fundus(FULL.pixels[..., ::-1])
    assert not yes
    assert why.endswith("are red and blue swapped?")


# ---------------------------------------------------------------- small, text, near ones
def test_too_small_for_clarity():
    least = CLARITY_FROM
    assert too_small(Field(50, 50, least, 1.0)) == ""
    assert too_small(Field(50, 50, least - 1, 1.0)).startswith("too small to judge clarity")


@pytest.mark.parametrize("level", [0, 255])
def test_text_beside_the_field_is_noted_and_does_no_harm(level):
    picture = np.pad(FULL.pixels, ((0, 30), (0, 0), (0, 0)), constant_values=level)
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((8, 168), "DOE JOHN 1958-02-11 OD", fill=(255 - level,) * 3)
    found = find_field(np.asarray(image))
    assert is_fundus(np.asarray(image), found) == (True, "")
    assert found.note == "text beside the field of view"
    assert (found.x, found.y) == pytest.approx((FULL.x, FULL.y), abs=1.5)
    assert find_field(picture).note == ""


def test_what_has_the_colours_alone_is_no_fundus():
    odds = []
    for i in range(12):
        red = scene(("reddish", i), 96) * np.array([1.3, 0.75, 0.45])
        picture = (red.clip(0, 1) * 255).astype(np.uint8)
        odds.append(near_fundus.log_odds(picture, find_field(picture)))
    assert np.median(odds) < near_fundus.LEAST
    for picture in (FULL.pixels, *FRAMINGS.values()):
        assert near_fundus.log_odds(picture, find_field(picture)) > near_fundus.LEAST + 1
