"""The baselines of the table of related work: each against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve

from riqa_lib.seeding import rng
from riqa_lib.training import baselines
from riqa_lib.training.photo_profiles import BASELINES


def lesson(n=30, f=7):
    g = rng("related baselines")
    spread = [1, 5, 0.1, 2, 1, 1, 3][:f]
    x = g.normal(3, spread, (n, f))
    y = np.clip(np.round(x[:, 0] - 0.2 * x[:, 1] + g.normal(0, 0.5, n)), 0, 4)
    return x, y, g.normal(3, spread, (9, f))


def test_the_kernel_ridge_by_its_formula(monkeypatch):
    """mean + k' (K + a I)^-1 (y - mean), k of two blocks' mean square differences."""
    monkeypatch.setattr(baselines, "STAGES", 4)  # then three statistics
    x, y, asked = lesson()
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z, other = (x - mean) / sd, (asked - mean) / sd
    gamma, a = baselines.KERNEL["gamma"], baselines.KERNEL["alpha"]

    def near(u, v):
        square = (u - v) ** 2
        return np.exp(-gamma * (square[:4].mean() + baselines.WEIGHT * square[4:].mean()))

    table = np.array([[near(u, v) for v in z] for u in z])
    weights = solve(table + a * np.eye(len(z)), y - y.mean())
    slow = [y.mean() + sum(w * near(u, v) for w, v in zip(weights, z, strict=True)) for u in other]
    assert baselines.kernel(x, y).predict(asked) == pytest.approx(slow)
    assert np.std(slow) > 0.1


@pytest.mark.parametrize(("pictures", "features"), [(30, 7), (20, 60)])
def test_the_wide_ridge_is_the_ridge(pictures, features):
    g = rng("wide", features)
    x, asked = (g.normal(2, 3, (n, features)) for n in (pictures, 9))
    y = np.clip(np.round(2 + 0.3 * x[:, 0] + g.normal(0, 0.5, pictures)), 0, 4)
    wide, narrow = baselines.wide_ridge(x, y), baselines.ridge(x, y)
    assert wide[-1].alpha == pytest.approx(narrow[-1].alpha_)
    assert wide.predict(asked) == pytest.approx(narrow.predict(asked))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    a = baselines.PENALTIES[9]
    for i in range(3):  # leaving out in turn, by refitting
        others = np.delete(np.arange(pictures), i)
        centre = z[others].mean(axis=0)
        table = (z[others] - centre).T @ (z[others] - centre) + a * np.eye(features)
        b = solve(table, (z[others] - centre).T @ (y[others] - y[others].mean()))
        error = y[i] - y[others].mean() - (z[i] - centre) @ b
        assert baselines._left_out(z, y)[i, 9] == pytest.approx(error)


def test_the_support_vectors_are_standardised_and_keep_their_settings():
    x, y, asked = lesson()
    fitted = baselines.support_vectors(x, y)
    wider = baselines.support_vectors(1000 * x + 7, y)
    assert wider.predict(1000 * asked + 7) == pytest.approx(fitted.predict(asked), abs=1e-6)
    # by its dual: sum of weights times exp(-|u - v|^2 / F)
    machine, z = fitted[-1], fitted[0].transform(asked)
    vectors, weights = machine.support_vectors_, machine.dual_coef_[0]
    slow = [
        machine.intercept_[0] + weights @ np.exp(-((vectors - u) ** 2).sum(axis=1) / x.shape[1])
        for u in z
    ]
    assert fitted.predict(asked) == pytest.approx(slow)
    assert np.abs(weights).max() <= baselines.SUPPORT["C"] + 1e-9
    off = np.abs(fitted.predict(x) - y)
    free = np.setdiff1d(np.arange(len(x)), machine.support_)
    assert (off[free] <= baselines.SUPPORT["epsilon"] + 1e-3).all()


def test_they_are_rows_of_this_table_only():
    assert not {"brisque", "ridge_stages", "kernel_stages"} & {*BASELINES}
    assert {"brisque", "ridge_stages", "kernel_stages"} < {*baselines.KINDS}
