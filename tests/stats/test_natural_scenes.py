"""BRISQUE's features: against a slow loop over pixels, and on samples of known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from riqa_lib.seeding import rng
from riqa_lib.stats import natural_scenes as ns


def photographs(count=3, shape=(18, 21)):
    return rng("natural").integers(0, 256, (count, *shape, 3)).astype(np.uint8)


# ---------------------------------------------------------------- a picture, slowly
def mirrored(i, n):
    """A place outside 0..n-1, the border not repeated."""
    i = abs(i)
    return i if i < n else 2 * (n - 1) - i


def slow_mscn(grey):
    side = range(-3, 4)
    weights = {(a, b): math.exp(-(a * a + b * b) / (2 * (7 / 6) ** 2)) for a in side for b in side}
    total, (height, width) = sum(weights.values()), grey.shape
    out = np.empty_like(grey)
    for y in range(height):
        for x in range(width):
            near = {
                (a, b): grey[mirrored(y + a, height), mirrored(x + b, width)] for a, b in weights
            }
            mean = sum(weights[k] * near[k] for k in weights) / total
            square = sum(weights[k] * near[k] ** 2 for k in weights) / total
            out[y, x] = (grey[y, x] - mean) / (math.sqrt(max(square - mean**2, 0)) + 1)
    return out


def slow_ratio(a):
    return math.gamma(2 / a) ** 2 / (math.gamma(1 / a) * math.gamma(3 / a))


def slow_shape(found):
    if found >= slow_ratio(10):
        return 10.0
    if found <= slow_ratio(0.2):
        return 0.2
    return optimize.brentq(lambda a: slow_ratio(a) - found, 0.2, 10)


def slow_features(picture):
    grey = picture @ np.array([0.299, 0.587, 0.114])
    out = []
    for scale in (1, 2):
        if scale == 2:
            down, across = grey.shape[0] // 2, grey.shape[1] // 2
            grey = np.array(
                [
                    [grey[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in range(across)]
                    for y in range(down)
                ]
            )
        m = slow_mscn(grey)
        values = m.ravel().tolist()
        variance = sum(v * v for v in values) / len(values)
        absolute = sum(map(abs, values)) / len(values)
        out += [slow_shape(absolute**2 / variance), variance]
        for a, b in ((0, 1), (1, 0), (1, 1), (1, -1)):
            height, width = m.shape
            pairs = [
                m[y, x] * m[y + a, x + b]
                for y in range(height)
                for x in range(width)
                if y + a < height and 0 <= x + b < width
            ]
            lower, upper = [v for v in pairs if v < 0], [v for v in pairs if v > 0]
            left = sum(v * v for v in lower) / len(lower)
            right = sum(v * v for v in upper) / len(upper)
            g = math.sqrt(left / right)
            r = (sum(map(abs, pairs)) / len(pairs)) ** 2 / (sum(v * v for v in pairs) / len(pairs))
            nu = slow_shape(r * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2)
            scaled = math.sqrt(math.gamma(1 / nu) / math.gamma(3 / nu))
            beta_left, beta_right = math.sqrt(left) * scaled, math.sqrt(right) * scaled
            eta = (beta_right - beta_left) * math.gamma(2 / nu) / math.gamma(1 / nu)
            out += [eta, nu, left, right]
    return out


def test_features_by_a_slow_loop():
    pictures = photographs()
    found = ns.natural_scenes(pictures)
    assert found.shape == (3, 36) == (3, len(ns.FEATURES))
    for row, picture in zip(found, pictures, strict=True):
        assert row == pytest.approx(slow_features(picture), rel=1e-3, abs=1e-6)


def test_features_are_named_in_their_order():
    assert ns.FEATURES[:3] == (
        "mscn, shape, scale 1",
        "mscn, variance, scale 1",
        "across, eta, scale 1",
    )
    assert ns.FEATURES[17:20] == (
        "other diagonal, right, scale 1",
        "mscn, shape, scale 2",
        "mscn, variance, scale 2",
    )
    assert len(set(ns.FEATURES)) == 36


def test_blocks_change_nothing(monkeypatch):
    pictures = photographs(5)
    whole = ns.natural_scenes(pictures)
    monkeypatch.setattr(ns, "BLOCK", 2)
    assert np.array_equal(ns.natural_scenes(pictures), whole)
    assert ns.natural_scenes(pictures[:0]).shape == (0, 36)


# ---------------------------------------------------------------- known distributions
@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_a_generalised_gaussian_is_found_again(shape):
    drawn = 3 * stats.gennorm.rvs(shape, size=(4, 40_000), random_state=rng("ggd", shape))
    found = ns.generalised(drawn)
    assert found[:, 0] == pytest.approx(np.full(4, shape), rel=0.1)
    assert found[:, 1] == pytest.approx(np.full(4, 9 * stats.gennorm.var(shape)), rel=0.06)


@pytest.mark.parametrize(("nu", "left", "right"), [(0.6, 1.0, 2.0), (1.0, 3.0, 1.0), (2.0, 1, 1)])
def test_an_asymmetric_one_is_found_again(nu, left, right):
    """Drawn side by side: beta_l to the left with probability beta_l / (beta_l + beta_r)."""
    g = rng("aggd", nu)
    size = g.gamma(1 / nu, size=(4, 60_000)) ** (1 / nu)
    scale = math.sqrt(math.gamma(1 / nu) / math.gamma(3 / nu))
    below = g.random(size.shape) < left / (left + right)
    drawn = np.where(below, -left * scale, right * scale) * size
    eta = (right - left) * scale * math.gamma(2 / nu) / math.gamma(1 / nu)
    found = ns.asymmetric(drawn)
    assert found[:, 0] == pytest.approx(np.full(4, eta), abs=0.06)
    assert found[:, 0] == pytest.approx(drawn.mean(axis=1), abs=0.06)
    assert found[:, 1] == pytest.approx(np.full(4, nu), rel=0.06)
    assert found[:, 2] == pytest.approx(np.full(4, left**2), rel=0.08)
    assert found[:, 3] == pytest.approx(np.full(4, right**2), rel=0.08)


def test_the_ratio_rises_so_that_a_shape_is_one():
    assert (np.diff(ns.RATIOS) > 0).all()
    assert ns.shape_of(np.array([0.0, 1.0])).tolist() == [0.2, pytest.approx(10.0)]


# ---------------------------------------------------------------- ends
def test_flat_pictures_and_one_sided_samples_are_finite():
    flat = np.full((2, 20, 20, 3), [[[[7]]], [[[255]]]], np.uint8)
    found = ns.natural_scenes(flat)
    assert np.isfinite(found).all()
    assert found[:, 0] == pytest.approx([10.0, 10.0])
    assert found[:, [1, 2, 4, 5]] == pytest.approx(0, abs=1e-12)
    one_sided = np.abs(rng("one").normal(size=(1, 50)))
    eta, nu, left, right = ns.asymmetric(one_sided)[0]
    assert (left, right) == (0, pytest.approx((one_sided**2).mean()))
    assert np.isfinite([eta, nu]).all()
    assert eta > 0


@pytest.mark.parametrize("shape", [(2, 15, 20, 3), (2, 20, 20, 4), (20, 20, 3)])
def test_another_shape_is_told(shape):
    with pytest.raises(ValueError, match="S at least 16"):
        ns.natural_scenes(np.zeros(shape, np.uint8))
