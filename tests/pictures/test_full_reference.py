"""Full-reference measures against their formulas, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from riqa_lib.pictures.full_reference import SAME, closeness, gmsd


def pictures(seed: int = 0, side: int = 24):
    g = np.random.default_rng(seed)
    a = g.integers(0, 256, (side, side, 3), np.uint8)
    b = np.clip(a.astype(int) + g.integers(-40, 41, a.shape), 0, 255).astype(np.uint8)
    return a, b


def slow_gmsd(a, b):
    """Xue et al. 2014: 2 x 2 means, Prewitt by differences of three, deviation of similarity."""

    def magnitude(x):
        n = len(x) // 2
        small = [
            [sum(x[2 * i + s][2 * j + t] for s in (0, 1) for t in (0, 1)) / 4 for j in range(n)]
            for i in range(n)
        ]

        def at(i, j):
            return small[min(max(i, 0), n - 1)][min(max(j, 0), n - 1)]

        out = []
        for i in range(n):
            for j in range(n):
                down = sum(at(i + 1, j + t) - at(i - 1, j + t) for t in (-1, 0, 1)) / 3
                right = sum(at(i + t, j + 1) - at(i + t, j - 1) for t in (-1, 0, 1)) / 3
                out.append(math.hypot(down, right))
        return out

    alike = [
        (2 * p * q + 170) / (p * p + q * q + 170)
        for p, q in zip(magnitude(a), magnitude(b), strict=True)
    ]
    mean = sum(alike) / len(alike)
    return math.sqrt(sum((x - mean) ** 2 for x in alike) / len(alike))


def slow_ssim(a, b):
    """Wang et al. 2004: Gaussian 11 x 11, sigma 1.5, where the window lies inside."""
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    every = []
    for i in range(len(a) - 10):
        for j in range(len(a) - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            both = (window * (x - mx) * (y - my)).sum()
            every.append(
                (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    return np.mean(every)


def test_all_three_are_their_formulas():
    a, b = pictures()
    luma = [0.299, 0.587, 0.114]
    told = closeness(a, b)
    x, y = a.astype(float), b.astype(float)
    assert told.gmsd == pytest.approx(slow_gmsd((x @ luma).tolist(), (y @ luma).tolist()))
    assert told.ssim == pytest.approx(np.mean([slow_ssim(x[..., c], y[..., c]) for c in range(3)]))
    assert told.mse == pytest.approx(np.mean([(int(p) - int(q)) ** 2 for p, q in
                                              zip(a.ravel(), b.ravel(), strict=True)]))  # fmt: skip


def test_a_picture_is_as_close_to_itself_as_can_be():
    a, b = pictures(1)
    assert closeness(a, a) == pytest.approx(SAME)
    assert min(1 - closeness(a, b).ssim, closeness(a, b).gmsd, closeness(a, b).mse) > 0
    odd = np.random.default_rng(0).random((17, 23)) * 255
    assert gmsd(odd, odd) == 0
