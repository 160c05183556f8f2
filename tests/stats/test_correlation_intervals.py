"""KRCC and fitted PLCC with intervals: each resample against scipy on the pictures it drew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riqa_lib.seeding import rng
from riqa_lib.stats import metrics
from riqa_lib.stats.bootstrap import paired_bootstrap
from riqa_lib.stats.correlation_intervals import correlations, kendall, mapped
from riqa_lib.stats.resampling import resamples_of

SEEDS, PICTURES = (0, 1), 40


def predictions(score=True):
    g, parts = rng("correlations"), []
    truth = g.integers(0, 5, PICTURES)
    ids = [f"p{i:02d}" for i in range(PICTURES)]
    for seed in SEEDS:
        p = g.dirichlet(np.full(5, 0.3), PICTURES) + 2 * np.eye(5)[truth]
        p = p / p.sum(axis=1, keepdims=True)
        p[:6] = np.eye(5)[3]  # ties
        rows = pd.DataFrame({"method": "net", "seed": seed, "id": ids, "truth": truth})
        rows["group"] = [f"g{i // 2}" for i in range(PICTURES)]
        rows["score"] = truth + 0.1 * (np.arange(PICTURES) % 3) if score else np.nan
        parts.append(rows.assign(**{f"p{k}": p[:, k] for k in range(5)}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("score", [True, False])
def test_estimates_are_those_of_metrics(score):
    table = predictions(score)
    found = correlations(table, ["net"], resamples=3)
    each = [metrics.summary(own) for _, own in table.groupby("seed")]
    for name in ("krcc", "plcc_logistic"):
        assert found.estimate["net", name] == pytest.approx(np.mean([e[name] for e in each]))


def test_every_resample_by_scipy_on_the_pictures_it_drew():
    table, resamples = predictions(), 12
    found = correlations(table, ["net"], resamples, seed=4)
    clusters, seeds = resamples_of(PICTURES // 2, len(SEEDS), resamples, 4)
    for r in range(resamples):
        krcc, plcc = [], []
        for s, seed in enumerate(SEEDS):
            own = table[table["seed"] == seed].sort_values("id")
            said = metrics.expected_grade(own[[f"p{k}" for k in range(5)]])
            score = own["score"].to_numpy()
            fitted = mapped(said, score)
            drawn = np.repeat(np.arange(PICTURES), np.repeat(clusters[r], 2))
            krcc += [stats.kendalltau(said[drawn], score[drawn]).statistic] * seeds[r, s]
            plcc += [stats.pearsonr(fitted[drawn], score[drawn]).statistic] * seeds[r, s]
        assert found.draws["net", "krcc"][r] == pytest.approx(np.mean(krcc))
        assert found.draws["net", "plcc_logistic"][r] == pytest.approx(np.mean(plcc))


def test_the_draws_are_those_of_the_other_metrics():
    """Of two pictures alike in every cluster, the share of a cluster tells which were drawn."""
    table = predictions()
    same = paired_bootstrap(table, ["net"], ["plcc"], 50, 9).draws["net", "plcc"]
    fitted = correlations(table, ["net"], 50, 9).draws["net", "plcc_logistic"]
    other = correlations(table, ["net"], 50, 8).draws["net", "plcc_logistic"]
    assert np.corrcoef(same, fitted)[0, 1] > 0.8
    assert abs(np.corrcoef(same, other)[0, 1]) < 0.5


def test_signs_are_taken_some_rows_at_a_time(monkeypatch):
    g = rng("signs")
    x, y, w = g.integers(0, 9, 30) / 1.0, g.normal(size=30), g.integers(0, 4, (5, 30)) / 1.0
    whole = kendall(x, y, w)
    monkeypatch.setattr("riqa_lib.stats.correlation_intervals.ROWS", 7)
    assert kendall(x, y, w) == pytest.approx(whole)


def test_a_constant_has_none():
    table = predictions().assign(**{f"p{k}": float(k == 2) for k in range(5)})
    found = correlations(table, ["net"], 5)
    assert np.isnan([found.estimate["net", m] for m in ("krcc", "plcc_logistic")]).all()
