"""Split conformal intervals: the order statistic by hand, what they hold by counting."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from riqa_lib.stats.conformal import conformal


@pytest.mark.parametrize("n", [9, 10, 19, 30, 49, 99, 100])
def test_the_factor_is_the_order_statistic_counted_by_hand(n):
    rng = np.random.default_rng(n)
    truth, middle, wide = rng.normal(size=n), rng.normal(size=n), rng.uniform(0.5, 2, n)
    k = math.ceil((n + 1) * Fraction(9, 10))
    by_hand = sorted(abs(t - m) / w for t, m, w in zip(truth, middle, wide, strict=True))[k - 1]
    found = conformal(truth, middle, wide)
    assert found.met
    assert found.factor == pytest.approx(by_hand)
    assert found.n == n


def test_too_few_pictures_give_no_interval():
    for n in range(9):
        assert not conformal(np.zeros(n), np.zeros(n), np.ones(n)).met
    assert not conformal(np.zeros(18), np.zeros(18), np.ones(18), level=0.95).met
    assert conformal(np.zeros(19), np.zeros(19), np.ones(19), level=0.95).met


@pytest.mark.parametrize("n", [12, 40])
def test_new_pictures_are_held_as_often_as_promised_and_as_unevenly_as_said(n):
    rng, shares, said = np.random.default_rng(7), [], (0.0, 1.0)
    for _ in range(1500):
        wide = rng.uniform(0.5, 3, n + 200)
        truth = wide * rng.standard_t(3, n + 200)
        found = conformal(truth[:n], np.zeros(n), wide[:n])
        shares.append((np.abs(truth[n:]) <= found.factor * wide[n:]).mean())
        said = found.held
    k = math.ceil((n + 1) * Fraction(9, 10))
    assert np.mean(shares) == pytest.approx(k / (n + 1), abs=0.01)  # at least .9
    assert np.quantile(shares, [0.05, 0.95]) == pytest.approx(said, abs=0.03)


def test_wrong_requests_are_refused():
    with pytest.raises(ValueError, match="level = 1"):
        conformal([1.0], [1.0], [1.0], level=1.0)
    with pytest.raises(ValueError, match="spread above 0"):
        conformal([1.0], [1.0], [0.0])
    with pytest.raises(ValueError, match=r"truth \(2,\)"):
        conformal([1.0, 2.0], [1.0], [1.0])
