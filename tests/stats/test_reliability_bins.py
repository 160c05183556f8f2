"""Reliability and its error, against slow loops over sorted pictures."""

from __future__ import annotations

import numpy as np
import pytest

from riqa_lib.stats.reliability_bins import calibration_error, reliability_bins


def test_bins_are_of_sorted_pictures_and_the_error_weighs_them() -> None:
    g = np.random.default_rng(0)
    sure = g.uniform(0.2, 1, 23)
    right = g.random(23) < sure
    pairs = sorted(zip(sure, right, strict=True))
    sizes = [5, 5, 5, 4, 4]
    curve = reliability_bins(sure, right, 5)
    assert curve["pictures"].tolist() == sizes
    total, at = 0.0, 0
    for k, size in enumerate(sizes):
        part = pairs[at : at + size]
        at += size
        confidence = sum(s for s, _ in part) / size
        share = sum(bool(r) for _, r in part) / size
        assert curve.loc[k, ["sure", "right"]].tolist() == pytest.approx([confidence, share])
        total += size * abs(confidence - share)
    assert calibration_error(curve) == pytest.approx(total / 23)


def test_few_pictures_are_few_bins_and_other_lengths_an_error() -> None:
    assert len(reliability_bins([0.5, 0.6], [1, 0], 10)) == 2
    with pytest.raises(ValueError, match=r"expected \(N,\) both"):
        reliability_bins([0.5, 0.6], [1])
    with pytest.raises(ValueError, match="N >= 1"):
        reliability_bins([], [])
