"""What each test costs (pytest --costs)."""

from __future__ import annotations

import os

from conftest import costs


def test_costs_by_hand():
    before = os.times_result((1.0, 2.0, 3.0, 4.0, 10.0))  # own, of children, the clock
    now = os.times_result((2.0, 3.0, 5.0, 7.0, 20.0))
    assert costs(before, now) == (2.0, 5.0, 10.0)
