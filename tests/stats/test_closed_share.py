"""The share of a gap: Fieller's interval against the closed form, coverage, what has no meaning."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as sp

from riqa_lib.seeding import rng
from riqa_lib.stats.closed_share import closed_share


def world(number, share=0.4, seeds=4, pictures=300):
    g = rng("closed", number)

    def noise(sd):
        own = g.normal(size=pictures) + g.normal(size=(seeds, pictures))
        return sd * own + 0.015 * g.normal(size=(seeds, 1))

    return 0.12 * share + noise(0.15), 0.12 + noise(0.15)


def test_ends_are_where_the_difference_of_gain_and_share_of_gap_just_is_nought():
    """By the quadratic of Fieller's theorem where one t serves: pictures are all that varies."""
    g = rng("fieller")
    x, y = g.normal(0.3, 1, 200), g.normal(1.0, 1, 200)
    share, low, high = closed_share(np.tile(x, (3, 1)), np.tile(y, (3, 1)))
    t2 = sp.t.ppf(0.975, 199) ** 2 / 200
    xx, yy, xy = x.var(ddof=1), y.var(ddof=1), np.cov(x, y)[0, 1]
    a, b, c = y.mean() ** 2 - t2 * yy, x.mean() * y.mean() - t2 * xy, x.mean() ** 2 - t2 * xx
    root = (b**2 - a * c) ** 0.5
    assert (share, low, high) == pytest.approx(
        (x.mean() / y.mean(), (b - root) / a, (b + root) / a), abs=1e-5
    )


def test_the_interval_holds_the_true_share():
    held = []
    for number in range(300):
        share, low, high = closed_share(*world(number))
        assert low < share < high
        held.append(low <= 0.4 <= high)
    assert np.mean(held) > 0.93


def test_clusters_widen_it():
    x, y = world(1)
    codes = np.arange(300) // 3
    doubled = [np.repeat(v[:, ::3], 3, axis=1) for v in (x, y)]
    alone, together = closed_share(*doubled), closed_share(*doubled, codes)
    assert together[2] - together[1] > 1.3 * (alone[2] - alone[1])


def test_what_has_no_meaning_is_nan():
    x, y = world(2)
    assert np.isnan(closed_share(x, y - y.mean())).all()  # no gap
    assert np.isnan(closed_share(x, -y)).all()
    share, *ends = closed_share(x[:2], y[:2])
    assert np.isfinite(share)
    assert np.isnan(ends).all()
    with pytest.raises(ValueError, match=r"gain has shape \(2, 300\), gap \(4, 300\)"):
        closed_share(x[:2], y)
