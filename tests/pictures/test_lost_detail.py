"""What is lost when pictures are made small, beside slow arithmetic and the finding it answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import norm

from riqa_lib.pictures import lost_detail
from riqa_lib.pictures.lost_detail import DEFECTS, OWN, enough, measure, vanished
from riqa_lib.seeding import rng


def texture(side: int, cell: int, seed: int = 0) -> Image.Image:
    """Grey squares of `cell` px, drawn at random, their edges soft."""
    small = rng("texture", seed).integers(40, 216, (side // cell, side // cell), np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")


def kernel(factor: int) -> np.ndarray:
    """Weights of bicubic interpolation (a = -1/2), stretched by a whole factor, for one row."""
    x = np.abs((np.arange(4 * factor) - 2 * factor + 0.5) / factor)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return weights / weights.sum()


@pytest.mark.parametrize("factor", [4, 10])
def test_noise_shrinks_as_the_weights_of_the_resampling_say(factor):
    """A weighted mean of white noise has its sd times the root of the squared weights; then it is
    rounded to whole grey levels."""
    side = 60 * factor
    table = measure([Image.new("RGB", (side, side), (128, 128, 128))], [60])
    for sd in (10, 25):
        row = table.loc[f"noise, sd {sd} grey levels"]
        left = sd * (kernel(factor) ** 2).sum()  # both directions: the root of its square
        assert row[OWN] == pytest.approx(sd * np.sqrt(2 / np.pi), rel=0.02)
        k = np.arange(1, 99)
        share = norm.cdf((k + 0.5) / left) - norm.cdf((k - 0.5) / left)
        assert row[60] == pytest.approx(2 * (k * share).sum(), rel=0.06)


def test_blur_changes_a_fine_texture_and_not_what_is_left_of_it_when_it_is_small():
    """Squares of 10 px, made ten times smaller: a blur of sd 2 px of it is one of 0.2 px there."""
    table = measure([texture(2000, 10)], [80, 200, 1000])
    blur = table.loc["blur, sd 2 px"]
    assert blur[OWN] > 4
    assert blur[80] < 1 < blur[1000]
    assert blur[OWN] > blur[1000] > blur[200] > blur[80]
    slow = np.asarray(texture(2000, 10).convert("L"), float)
    blurred = np.asarray(DEFECTS[0].on(texture(2000, 10).convert("L"), 0), float)
    assert blur[OWN] == pytest.approx(np.abs(slow - blurred).mean())
    assert vanished(table, 80) == [d.name for d in DEFECTS if table.loc[d.name, 80] < 1]
    assert "noise, sd 10 grey levels" in vanished(table, 80)
    assert vanished(table, 1000) == []
    assert enough(table) == 1000


def test_large_pictures_are_measured_in_part_and_in_proportion(monkeypatch):
    image = texture(1200, 6)
    whole = measure([image], [60, 120])
    monkeypatch.setattr(lost_detail, "LARGEST", 600)
    part = measure([image], [60, 120])
    pd.testing.assert_frame_equal(part, whole, rtol=0.15, atol=0.06)


def test_a_size_that_a_picture_does_not_reach_is_not_measured():
    table = measure([texture(100, 5), texture(400, 5)], [80, 200, 800])
    assert table[[OWN, 80, 200]].notna().all().all()
    assert table[800].isna().all()
    alone = measure([texture(400, 5)], [200])
    both = measure([texture(100, 5), texture(400, 5)], [200])
    blur = ["blur, sd 2 px", "blur, sd 6 px"]
    assert both.loc[blur, 200].tolist() == alone.loc[blur, 200].tolist()
    assert enough(table[[OWN, 800]]) is None
    assert measure([], [80]).isna().all().all()


def test_a_defect_that_cannot_be_seen_at_full_size_does_not_vanish():
    table = measure([Image.new("RGB", (300, 300), (128, 128, 128))], [80])
    assert table.loc["blur, sd 2 px", OWN] == 0
    assert "blur, sd 2 px" not in vanished(table, 80)
