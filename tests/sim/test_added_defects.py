"""One more defect on a picture: stronger with severity, only where its shape is, nothing on black,
with the noise that a sensor would have."""

from __future__ import annotations

import numpy as np
import pytest

from riqa_lib.scales import DETAILS
from riqa_lib.sim import added_defects, fundus_defects
from riqa_lib.sim.added_defects import added, field_of
from riqa_lib.sim.fundus_camera import fundus


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return fundus("own", 80, style="topcon50", framing="crop", view="disc").pixels


def of_kind(picture: np.ndarray, cause: str, severity: float, *kinds: str) -> np.ndarray:
    """With the first seed that draws one of these kinds."""
    for seed in range(200):
        if fundus_defects.defect(cause, 1.0, np.random.default_rng(seed)).kinds[0] in kinds:
            return added(picture, cause, severity, np.random.default_rng(seed))
    raise AssertionError(f"no {kinds}")


def rough(pixels: np.ndarray) -> float:
    """Contrast of 3 px and more: noise is averaged away."""
    green = pixels[10:70, 10:70, 1].astype(float).reshape(20, 3, 20, 3).mean(axis=(1, 3))
    return float(np.abs(np.diff(green, axis=1)).mean() + np.abs(np.diff(green, axis=0)).mean())


def test_the_more_severe_the_more_it_shows(picture):
    levels = (0.5, 1.0, 1.5, 2.0)
    light = [of_kind(picture, "illumination", s, "dim").mean() for s in levels]
    assert picture.mean() > light[0]
    assert (np.diff(light) < 0).all()
    for cause, kinds in (("clarity", ("defocus", "motion")), ("contrast", ("veil",))):
        for kind in kinds:
            seen = [rough(picture)] + [rough(of_kind(picture, cause, s, kind)) for s in levels]
            assert (np.diff(seen) < 0).all(), (cause, kind, seen)
            assert seen[-1] < 0.7 * seen[0]


def test_black_stays_black_and_the_rim_sharp(picture):
    barred = picture.copy()
    barred[:12] = barred[-12:] = 2  # cut above and below, as a crop is
    outside = ~field_of(barred)
    assert outside[:12].all()
    assert not outside[14:66, 20:60].any()
    for cause in DETAILS:
        for seed in range(4):
            out = added(barred, cause, 2.0, np.random.default_rng(seed))
            assert (out[outside] == barred[outside]).all()
    # a disc of one level keeps it up to its rim, whatever blurs it: black doesn't bleed in
    even = np.where(np.hypot(*(np.mgrid[:80, :80] - 39.5)) < 39, 120, 0).astype(np.uint8)
    even = np.repeat(even[..., None], 3, axis=2)
    out = of_kind(even, "clarity", 2.0, "tilt", "motion")
    assert np.abs(out[even > 0].astype(int) - 120).max() <= 2


def test_other_places_are_left_alone(picture):
    where = ((np.arange(80) + 0.5) / 40 - 1)[None, :]
    inside = field_of(picture)
    for cause, kind, severity, share in (
        ("illumination", "halo", 1.2, 8),
        ("clarity", "tilt", 0.6, 2),
    ):
        seed, one = next(
            (s, one)
            for s in range(200)
            if (one := fundus_defects.defect(cause, severity, np.random.default_rng(s))).kinds
            == (kind,)
        )
        m = one.map(where, where.T)
        out = added(picture, cause, severity, np.random.default_rng(seed)).astype(float)
        moved = np.abs(out - picture).mean(axis=2)
        order = np.quantile(m[inside], (0.25, 0.75))
        weak, strong = (moved[inside & part].mean() for part in (m <= order[0], m >= order[1]))
        assert strong > share * weak, (kind, strong, weak)


def test_a_saturated_picture_is_dimmed_evenly():
    even = np.full((80, 80, 3), (255, 254, 120), np.uint8)
    out = of_kind(even, "illumination", 1.5, "dim").astype(float)[20:60, 20:60] / even[0, 0]
    assert out.mean() < 0.75
    assert np.ptp(out.mean(axis=(0, 1))) < 0.1  # red and green lose as much as blue


def test_noise_comes_back():
    shot = {"style": "portable60", "framing": "crop"}
    plain = fundus("noisy", 128, **shot).pixels

    def fine(pixels: np.ndarray) -> float:
        x = pixels[30:98, 30:98, 2].astype(float)
        return float(np.abs(x[1:, 1:] - x[1:, :-1] - x[:-1, 1:] + x[:-1, :-1]).mean())

    assert fine(of_kind(plain, "clarity", 2.0, "defocus")) > 0.75 * fine(plain)
    assert fine(of_kind(plain, "contrast", 2.0, "veil")) > 0.75 * fine(plain)
    # and where there was none, none is made up
    smooth = np.full((128, 128, 3), 120, np.uint8)
    assert np.ptp(of_kind(smooth, "clarity", 2.0, "defocus")[30:98, 30:98]) <= 2


def test_reproducible_severity_0_a_copy_and_errors(picture):
    for cause in fundus_defects.CAUSES:
        one, again, other = (
            added(picture, cause, 1.2, np.random.default_rng(s)) for s in (3, 3, 4)
        )
        assert (one == again).all()
        assert (one != other).any()
        assert (one != picture).any()
        none = added(picture, cause, 0.0, np.random.default_rng(3))
        assert none is not picture
        assert (none == picture).all()
    black = np.zeros((40, 40, 3), np.uint8)
    assert not added(black, "contrast", 2.0, np.random.default_rng(0)).any()
    rng = np.random.default_rng(0)
    for wrong in (picture[:40], picture[..., :2], picture / 255, picture[:8, :8]):
        with pytest.raises(ValueError, match=f"{added_defects.SMALLEST} px"):
            added(wrong, "clarity", 1.0, rng)
    with pytest.raises(ValueError, match="severity 1"):
        added(picture, "focus", 1.0, rng)
    with pytest.raises(ValueError, match="severity -1"):
        added(picture, "clarity", -1, rng)
