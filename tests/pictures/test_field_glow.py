"""A faint glow around the field, or what a coarse JPEG makes of one, is no field of view."""

from __future__ import annotations

import numpy as np
import pytest

from riqa_lib.pictures.field import find_field
from riqa_lib.sim.fundus_camera import fundus


@pytest.mark.parametrize("level", [4, 10])
def test_a_sharp_ring_of_glow_is_not_taken_for_the_rim(level):
    shot = fundus("glow", 200, style="topcon50")
    wide = np.zeros((240, 320, 3), np.uint8)
    wide[20:220, 60:260] = shot.pixels
    x, y = shot.x + 60, shot.y + 20
    j, i = np.mgrid[:240, :320]
    glow = np.hypot(i - x, j - y) < 1.35 * shot.radius
    wide[glow] = np.maximum(wide[glow], level)
    found = find_field(wide)
    assert found.radius == pytest.approx(shot.radius, rel=0.02)
    assert (found.x, found.y) == pytest.approx((x, y), abs=2)
    assert found.confidence > 0.9
