"""Field of view, crop and refusal: against the simulated truth, on hard inputs, and on photographs
of other things."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import real_data
from PIL import Image
from skimage import data

from riqa_lib.figures import fundus_space
from riqa_lib.pictures.field import Field, as_rgb, crop_field, field_errors, find_field
from riqa_lib.pictures.recognition import is_fundus
from riqa_lib.sim.fundus_camera import CAUSES, fundus
from riqa_lib.sim.scenes import scene

OTHERS = (
    "astronaut",
    "cat",
    "coffee",
    "page",
    "text",
    "rocket",
    "camera",
    "coins",
    "moon",
    "clock",
    "brick",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "colorwheel",
)


def disc(
    height: int, width: int, x: float, y: float, radius: float, level: float = 160, dark: float = 2
) -> np.ndarray:
    """A plain reddish disc on a dark surround, a little darker towards its rim."""
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(columns - x, rows - y)
    cover = np.clip(radius - away + 0.5, 0, 1)[..., None]
    cover *= 1.06 - 0.15 * np.clip(away / radius, 0, 1)[..., None] ** 2
    noise = np.random.default_rng(0).normal(0, 1.5, (height, width, 3))
    return np.clip(dark + cover * (np.array([1, 0.55, 0.3]) * level - dark) + noise, 0, 255).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def bad_ones():
    """200 simulated photographs, mostly bad: (shots, fields)."""
    shots = []
    for i in range(200):
        rng = np.random.default_rng(i)
        severity = {c: max(0.0, rng.normal(0.9, 0.7)) for c in CAUSES}
        severity["artefact"] *= rng.random() < 0.4
        shots.append(fundus(("field", i), 72, severity, framing="camera" if i % 3 else "crop"))
    return shots, [find_field(s.pixels) for s in shots]


# ---------------------------------------------------------------- against the truth
def test_circles_are_right_or_said_to_be_unsure(bad_ones):
    shots, fields = bad_ones
    errors = field_errors(fields, *np.array([(s.x, s.y, s.radius) for s in shots]).T)
    assert errors["centre"].median() < 0.003
    assert errors["radius"].median() < 0.006
    assert errors["centre"].quantile(0.95) < 0.015
    assert errors["radius"].quantile(0.95) < 0.03
    sure = errors["confidence"] >= 0.5
    assert sure.mean() > 0.9
    assert (errors.loc[sure, ["centre", "radius"]].max(axis=1) < 0.05).mean() > 0.985
    for found in fields:
        assert 0 <= found.confidence <= 1
        assert bool(found.reason) == (found.confidence < 0.5)
    assert fundus_space.circle_errors(errors, simulated=True).axes


def test_simulated_fundi_are_accepted_even_when_bad(bad_ones):
    shots, fields = bad_ones
    assert np.mean([is_fundus(s.pixels, f)[0] for s, f in zip(shots, fields, strict=True)]) >= 0.98


def test_a_glow_without_a_rim_may_be_one():
    rows, columns = np.mgrid[:96, :96]
    glow = np.exp(-((rows - 47) ** 2 + (columns - 50) ** 2) / 500)[..., None] * np.array(
        [150, 80, 40]
    )
    glow = np.clip(glow + np.random.default_rng(0).normal(2, 1, glow.shape), 0, 255).astype(
        np.uint8
    )
    assert find_field(glow).confidence < 0.12
    assert is_fundus(glow) == (True, "")
    assert not is_fundus(glow[..., ::-1])[0]
    assert not is_fundus(glow[..., 0])[0]  # a grey one may be anything


def test_scenes_are_refused_with_a_reason():
    answers = [is_fundus((scene(("no fundus", i), 64) * 255).astype(np.uint8)) for i in range(120)]
    assert np.mean([yes for yes, _ in answers]) <= 0.02
    assert all(reason for yes, reason in answers if not yes)


@pytest.mark.parametrize("name", OTHERS)
def test_other_photographs_are_refused(name):
    yes, reason = is_fundus(getattr(data, name)())
    assert not yes
    assert reason


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((90, 90, 3), np.uint8),
        np.full((64, 90), 255, np.uint8),
        np.full((64, 64, 3), [150, 80, 40], np.uint8),
        np.random.default_rng(0).integers(0, 256, (99, 120, 3), dtype=np.uint8),
        disc(90, 90, 45, 45, 40)[..., ::-1],
        disc(90, 90, 45, 45, 40)[..., [1, 0, 2]],
        np.hstack([disc(90, 90, 45, 45, 40)[:, :45], disc(90, 90, 45, 45, 40)[:, 45:, ::-1]]),
    ],
    ids=["black", "white", "one colour", "noise", "blue disc", "green disc", "half a blue disc"],
)
def test_what_holds_no_fundus_is_refused(picture):
    assert is_fundus(picture)[0] is False
    assert is_fundus(picture)[1]


# ---------------------------------------------------------------- hard inputs
@pytest.mark.parametrize(
    ("height", "width", "x", "y", "radius"),
    [
        # off-centre, portrait
        (100, 100, 49.5, 49.5, 44),
        (32, 32, 15.2, 15.8, 13.5),
        (140, 90, 44, 70, 40),
        (120, 200, 61, 60, 52),
        # cut off above and below; cropped to less than the circle
        (90, 120, 59.5, 44.5, 55),
        (100, 100, 49.5, 49.5, 53),
    ],
)
def test_plain_discs(height, width, x, y, radius):
    found = find_field(disc(height, width, x, y, radius))
    assert np.hypot(found.x - x, found.y - y) < 0.02 * radius + 0.25
    assert found.radius == pytest.approx(radius, abs=0.02 * radius + 0.3)
    assert found.confidence >= 0.5


def test_huge_grey_float_dark_and_bright_ones():
    huge = np.zeros((4000, 3000, 3), np.uint8)
    huge[500:3500] = np.asarray(
        Image.fromarray(disc(300, 300, 149.5, 149.5, 130)).resize((3000, 3000))
    )
    found = find_field(huge)
    assert (found.x, found.y, found.radius) == pytest.approx((1499.5, 1999.5, 1300), abs=15)
    one = disc(100, 100, 50, 49, 42)
    seen_through, washed_out = (
        np.dstack([one, np.full((100, 100), 255, np.uint8)]),
        np.minimum(one + 90.0, 255).astype(np.uint8),
    )
    for made in (one[..., 0], one / 255.0, seen_through, one // 8, washed_out):
        found = find_field(made)
        assert (found.x, found.y, found.radius) == pytest.approx((50, 49, 42), abs=1.2)
    assert is_fundus(one)[0]
    assert is_fundus(one[..., 0])[1].startswith("no colour")


def test_without_a_rim_it_says_so():
    inside = fundus("inside", 200, framing="crop").pixels[60:140, 60:140]
    found = find_field(inside)
    assert found.confidence < 0.5
    assert found.reason
    ramp = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (60, 1))
    assert find_field(ramp).whole
    assert find_field(ramp).reason.startswith("no rim")
    assert find_field(np.zeros((50, 70), np.uint8)) == Field(
        34.5,
        24.5,
        pytest.approx(np.hypot(35, 25)),
        0.0,
        "uniform: no field of view stands out from the rest",
        True,
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((8, 50), np.uint8), "16 px"),
        (np.zeros((50, 50, 2), np.uint8), "shape"),
        (np.zeros((50, 50), np.int32), "int32"),
        (np.full((50, 50), 2.0), "0..1"),
        (np.full((50, 50), np.nan), "0..1"),
        (np.zeros(50, np.uint8), "shape"),
    ],
)
def test_what_is_no_picture_is_an_error(wrong, words):
    with pytest.raises(ValueError, match=words.replace("..", r"\.\.")):
        find_field(wrong)


def test_as_rgb_keeps_values():
    assert (as_rgb(np.full((20, 20), 0.5)) == 128).all()
    assert (as_rgb(np.ones((20, 20, 1), bool)) == 255).all()


# ---------------------------------------------------------------- the crop
def test_crop_puts_the_circle_in_the_square():
    picture = disc(120, 200, 61, 60, 52)
    pixels, mask = crop_field(picture, 64)
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    rows, columns = np.mgrid[:64, :64]
    distance = np.hypot(rows - 31.5, columns - 31.5)
    assert mask[distance < 31].all()
    assert not mask[distance > 33].any()
    assert not pixels[~mask].any()
    assert pixels[distance < 30][:, 0].mean() == pytest.approx(160, abs=4)


def test_crop_pads_what_the_picture_does_not_hold():
    pixels, mask = crop_field(
        disc(90, 120, 59.5, 44.5, 55), 110
    )  # 10 px of the circle are missing above and below
    assert not pixels[:9].any()
    assert not mask[:9].any()
    assert mask[11:-11, 55].all()
    assert pixels[15, 55, 0] > 100


def test_crop_without_a_field_keeps_the_whole_picture():
    picture = data.coffee()
    _, mask = crop_field(picture, 60, Field(0, 0, 5, 0.0, "unsure"))
    assert mask[10:50].all()
    assert not mask[:9].any()
    assert mask.mean() == pytest.approx(400 / 600, abs=0.02)
    with pytest.raises(ValueError, match="16 px"):
        crop_field(picture, 4)


def test_crop_of_a_simulated_one_gives_back_its_circle():
    shot = fundus("crop", 128, style="topcon50")
    _, mask = crop_field(shot.pixels, 128)
    assert mask.mean() == pytest.approx(np.pi / 4, abs=0.01)
    again = find_field(crop_field(shot.pixels, 128)[0])
    assert again.radius == pytest.approx(64, abs=1)


def test_errors_need_equal_lengths():
    with pytest.raises(ValueError, match="1 fields for 2"):
        field_errors([Field(1, 1, 1, 1)], np.zeros(2), np.zeros(2), np.ones(2))


# ---------------------------------------------------------------- real photographs
def test_the_retina_of_scikit_image():
    picture = data.retina()
    found = find_field(picture)
    assert (found.x, found.y, found.radius) == pytest.approx((704, 703, 695), abs=5)
    assert found.confidence > 0.9
    assert is_fundus(picture, found) == (True, "")


@pytest.mark.real
def test_real_fundus_photographs():
    files = sorted(real_data("fundus", "Images").rglob("*.jpg"))
    assert len(files) == 4
    for file in files:
        picture = np.asarray(Image.open(file))
        found = find_field(picture)
        assert (found.x, found.y, found.radius) == pytest.approx(
            (869, 912, 826), abs=8
        )  # one camera, looked at by eye
        assert found.confidence > 0.9
        assert is_fundus(picture, found) == (True, "")
