"""Intervals of what a confusion matrix tells: estimates against slow loops, spreads against their
formulas and against the engine of all other bootstraps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from formulas import mean
from scipy.stats import binomtest

from riqa_lib.seeding import rng
from riqa_lib.stats import bootstrap
from riqa_lib.stats.confusions import ERRORS, OF_GRADE, confusions, ends

N, SEEDS = 300, 2


def answers() -> tuple[np.ndarray, np.ndarray]:
    g = rng("confusions", "test")
    truth = g.choice(5, N, p=[0.1, 0.2, 0.3, 0.3, 0.1])
    return truth, np.clip(truth + g.integers(-1, 2, (SEEDS, N)), 0, 4)


def slow(metric: str, truth: np.ndarray, said: np.ndarray) -> float:
    pairs = list(zip(truth.tolist(), said.tolist(), strict=True))
    if metric == "accuracy":
        return mean(t == s for t, s in pairs)
    if metric == "mae":
        return mean(abs(t - s) for t, s in pairs)
    if metric == "macro_mae":
        return mean(mean(abs(t - s) for t, s in pairs if t == k) for k in {t for t, _ in pairs})
    kind, grade = metric.split("_")
    k = int(grade)
    of = {
        "true": [t == k for t, _ in pairs],
        "share": [s == k for _, s in pairs],
        "recall": [s == k for t, s in pairs if t == k],
        "precision": [t == k for t, s in pairs if s == k],
    }
    return mean(of[kind])


@pytest.mark.parametrize("metric", [*ERRORS, *(f"{kind}_{k}" for kind in OF_GRADE for k in (0, 3))])
def test_estimates_are_means_over_seeds_of_a_slow_loop(metric):
    truth, said = answers()
    found = confusions(truth, said, np.arange(N), resamples=200, classes=5)
    each = [slow(metric, truth, one) for one in said]
    estimate, low, high = found.interval(metric)
    assert estimate == pytest.approx(mean(each))
    assert low < estimate < high
    always = [slow(metric, truth, np.full(N, 3)) if metric != "precision_0" else math.nan]
    assert found.always(3).interval(metric)[0] == pytest.approx(mean(always), nan_ok=True)
    difference = found.beyond(found.always(3), metric)[0]
    assert difference == pytest.approx(mean(each) - mean(always), nan_ok=True)


def test_the_spread_over_pictures_is_the_formulas():
    truth, said = answers()
    found = confusions(truth, said[:1], np.arange(N), resamples=20_000, classes=5)
    for metric, n in (("accuracy", N), ("recall_3", (truth == 3).sum())):
        share, low, high = found.interval(metric)
        expected = 2 * 1.96 * math.sqrt(share * (1 - share) / n)
        assert high - low == pytest.approx(expected, rel=0.05)
    # of a difference of two answers to the same pictures: paired
    right, constant = (said[0] == truth).astype(float), (truth == 3).astype(float)
    _, low, high = found.beyond(found.always(3), "accuracy")
    assert high - low == pytest.approx(2 * 1.96 * (right - constant).std() / math.sqrt(N), rel=0.05)


def test_pictures_of_one_cluster_are_drawn_together():
    """Every picture four times in a cluster: four times the pictures, the spread of N."""
    truth, said = answers()
    once = confusions(truth, said[:1], np.arange(N), resamples=4000, classes=5).interval("accuracy")
    often = [np.tile(a, 4) for a in (truth, said[0], np.arange(N))]
    together = confusions(often[0], often[1][None], often[2], resamples=4000, classes=5).interval(
        "accuracy"
    )
    apart = confusions(often[0], often[1][None], np.arange(4 * N), resamples=4000, classes=5)
    assert together[0] == once[0]
    assert together[2] - together[1] == pytest.approx(once[2] - once[1], rel=0.1)
    narrow = apart.interval("accuracy")
    assert narrow[2] - narrow[1] == pytest.approx((once[2] - once[1]) / 2, rel=0.1)


def test_seeds_are_resampled_as_everywhere_else():
    """Seeds that differ widely: the ends are those of `bootstrap.paired_bootstrap`."""
    truth, _ = answers()
    said = np.stack([truth, np.clip(truth + 1, 0, 4), np.full(N, 2)])
    parts = []
    for seed, one in enumerate(said):
        rows = pd.DataFrame({"method": "a", "seed": seed, "id": np.arange(N), "truth": truth})
        p = dict(zip((f"p{k}" for k in range(5)), np.eye(5)[one].T, strict=True))
        parts.append(rows.assign(group=rows["id"], **p))
    theirs = bootstrap.paired_bootstrap(pd.concat(parts), ["a"], ["mae"], resamples=4000)
    ours = confusions(truth, said, np.arange(N), resamples=4000, classes=5).interval("mae")
    assert ours == pytest.approx(theirs.interval("a", "mae"), abs=0.05)
    alone = confusions(truth, said[2:], np.arange(N), resamples=4000, classes=5).interval("mae")
    assert ours[2] - ours[1] > 3 * (alone[2] - alone[1])


def test_none_and_all_have_the_ends_of_clopper_and_pearson():
    truth = np.repeat([4, 2], [60, 40])
    found = confusions(truth, [np.full(100, 2)], np.arange(100), resamples=100, classes=5)
    for metric, hits, n in (("recall_4", 0, 60), ("share_3", 0, 100), ("recall_2", 40, 40)):
        exact = binomtest(hits, n).proportion_ci(0.95)
        assert found.interval(metric) == pytest.approx((hits / n, exact.low, exact.high))
    assert ends(0.0, 0) == (0.0, 1.0)
    # an error of 0 is no share: its interval stays the bootstrap's
    assert confusions([2, 2], [[2, 2]], [0, 1], resamples=50, classes=5).interval("mae") == (
        0,
        0,
        0,
    )
    by_two = confusions(truth, [np.full(100, 2)], np.arange(100) // 2, resamples=100, classes=5)
    assert by_two.interval("recall_4")[2] == pytest.approx(binomtest(0, 30).proportion_ci().high)
    # precision of a grade said twice, in clusters of its own
    said = np.where(np.arange(100) < 2, 4, 2)
    sure = confusions(truth, [said], np.arange(100), resamples=100, classes=5).interval(
        "precision_4"
    )
    assert sure[:2] == pytest.approx((1.0, binomtest(2, 2).proportion_ci().low))


def test_what_is_not_defined_is_nan_and_what_is_wrong_is_named():
    found = confusions([0, 1], [[1, 1]], ["a", "b"], resamples=50, classes=5)
    assert np.isnan(found.interval("precision_4")).all()
    assert np.isnan(found.interval("recall_3")).all()
    with pytest.raises(ValueError, match="unknown metric recall_5; expected accuracy"):
        found.interval("recall_5")
    with pytest.raises(ValueError, match=r"constant grade 5: expected 0\.\.4"):
        found.always(5)
    with pytest.raises(ValueError, match="found 2, 3 and 2"):
        confusions([0, 1], [[1, 1, 1]], ["a", "b"], classes=5)
    with pytest.raises(ValueError, match="said"):
        confusions([0, 1], [[1, 7]], ["a", "b"], classes=5)
