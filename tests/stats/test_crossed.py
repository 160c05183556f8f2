"""Crossed components: the moments by a slow loop, textbook cases, what a row may be called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sp

from riqa_lib.seeding import rng
from riqa_lib.stats import bootstrap, crossed, metrics
from riqa_lib.stats.seed_worlds import SeedWorld, simulated_runs


def some(seeds=4, pictures=60, groups=25):
    """Differences (S, N), clusters and classes (N,), ragged."""
    g = rng("crossed", seeds)
    d = g.normal(size=(seeds, pictures)) + g.normal(size=pictures) + g.normal(size=(seeds, 1))
    return d, g.integers(0, groups, pictures), g.choice(3, pictures, p=[0.2, 0.3, 0.5])


def slowly(d, cluster, classes):
    """(D, P, E, B, f) from the formulas, one number at a time."""
    seeds, pictures = len(d), len(d[0])
    names = sorted({*cluster})
    kinds = sorted({*classes})
    by_class, by_seed, u = {}, [], {}
    for s in range(seeds):
        means = {}
        for c in kinds:
            its = [d[s][i] for i in range(pictures) if classes[i] == c]
            means[c] = sum(its) / len(its)
        by_seed.append(sum(means.values()) / len(kinds))
        for k in names:
            for c in kinds:
                n = sum(1 for i in range(pictures) if classes[i] == c)
                g = len({cluster[i] for i in range(pictures) if classes[i] == c})
                total = 0.0
                for i in range(pictures):
                    if cluster[i] == k and classes[i] == c:
                        w = 1 / (len(kinds) * n)
                        total += w * (d[s][i] - means[c]) * (g / (g - 1)) ** 0.5
                by_class[s, k, c] = total
            u[s, k] = sum(by_class[s, k, c] for c in kinds)
    mean = {k: sum(u[s, k] for s in range(seeds)) / seeds for k in names}
    overall = sum(by_seed) / seeds
    p = sum(mean[k] ** 2 for k in names)
    e = sum((u[s, k] - mean[k]) ** 2 for s in range(seeds) for k in names) / (seeds - 1)
    b = sum((by_seed[s] - overall) ** 2 for s in range(seeds)) / (seeds - 1)
    parts = {c: 0.0 for c in kinds}
    least = 0.0
    for c in kinds:
        g = len({cluster[i] for i in range(pictures) if classes[i] == c})
        for k in names:
            parts[c] += (sum(by_class[s, k, c] for s in range(seeds)) / seeds) ** 2
        least += parts[c] ** 2 / (g - 1)
    return overall, p, e, b, sum(parts.values()) ** 2 / least


@pytest.mark.parametrize("by_class", [False, True])
def test_moments_are_those_of_the_formulas(by_class):
    d, cluster, classes = some()
    found = crossed.crossed(d, cluster, classes if by_class else None)
    moments = found.difference, found.moment, found.residual, found.between, found.free
    assert moments == pytest.approx(slowly(d, cluster, classes if by_class else [0] * len(cluster)))
    overall, p, e, b, f = moments
    a = max(0, p - e / 4)
    assert a > 0
    assert found.se == pytest.approx((a + b / 4) ** 0.5)
    half = (sp.t.ppf(0.975, f) ** 2 * a + sp.t.ppf(0.975, 3) ** 2 * b / 4) ** 0.5
    assert found.interval() == pytest.approx((overall, overall - half, overall + half))
    if not by_class:
        assert f == pytest.approx(len({*cluster}) - 1)


def test_the_p_value_is_the_level_at_which_the_interval_ends_at_0():
    d, cluster, _ = some()
    for shift in (-0.4, 0.3, 2.0):
        found = crossed.crossed(d - d.mean() + shift, cluster)
        low, high = found.interval(1 - found.p)[1:]
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6)
    assert crossed.crossed(d - d.mean(), cluster).p == pytest.approx(1)
    assert crossed.crossed(np.zeros((3, 9))).p == 1
    assert crossed.crossed(np.ones((3, 9))).p == 0
    assert crossed.crossed(d - d.mean() + 1e9, cluster).p < 1e-8


def test_one_seed_is_the_t_test_and_of_classes_welchs():
    d, _, classes = some(1)
    t = sp.ttest_1samp(d[0], 0)
    found = crossed.crossed(d)
    assert found.interval()[1:] == pytest.approx(tuple(t.confidence_interval(0.95)))
    assert np.isnan([found.p, found.could_show(), found.sd_seeds]).all()
    two = classes > 1
    found = crossed.crossed(d[0], None, two)
    welch = sp.ttest_ind(d[0][two], -d[0][~two], equal_var=False)  # the sum of the two means
    ends = np.array(welch.confidence_interval(0.95)) / 2
    assert found.interval()[1:] == pytest.approx(tuple(ends))
    assert found.free == pytest.approx(welch.df)


def test_components_are_found_again():
    world = SeedWorld(60, 0.03, clusters=2000, alike=0.0)
    runs = simulated_runs(world, 0)
    found = crossed.crossed(runs.errors[1] - runs.errors[0], runs.cluster)
    n = len(runs.cluster)
    assert (found.residual * n) ** 0.5 == pytest.approx(world.sd_residual, rel=0.03)
    assert (found.of_pictures * n) ** 0.5 == pytest.approx(world.sd_picture, rel=0.05)
    assert found.sd_seeds == pytest.approx(world.sd_seed, rel=0.25)


def test_a_row_that_is_the_same_at_every_seed_brings_no_variance_of_seeds():
    d, cluster, _ = some()
    alone = crossed.crossed(-d, cluster)
    constant = crossed.crossed(rng("constant").normal(size=60) - d, cluster)
    assert constant.between == pytest.approx(alone.between)
    assert constant.residual == pytest.approx(alone.residual)
    assert constant.of_pictures != pytest.approx(alone.of_pictures)


def test_compare_takes_the_errors_of_predictions():
    g = rng("compare")
    p = g.dirichlet(np.ones(3), size=2 * 3 * 30)
    rows = pd.DataFrame(p, columns=["p0", "p1", "p2"])
    rows["method"] = np.repeat(["a", "b"], 90)
    rows["seed"] = np.tile(np.repeat([0, 1, 2], 30), 2)
    rows["id"] = np.tile([f"{i:02d}" for i in range(30)], 6)
    rows["group"] = rows["id"].str[0] + (rows["id"].astype(int) % 4).astype(str)
    rows["truth"] = np.tile(np.arange(30) % 3, 6)
    data = bootstrap.paired(rows, ["a", "b"])
    for metric in ("mae", "macro_mae"):
        boot = bootstrap.paired_bootstrap(rows, ["a", "b"], [metric], 10)
        found = crossed.compare(data, "a", "b", metric)
        assert found.difference == pytest.approx(boot.difference("a", "b", metric)[0])
    said = rows.groupby("method")[["p0", "p1", "p2", "truth"]]
    mae = {m: metrics.mae(r["truth"], r.iloc[:, :3].to_numpy().argmax(axis=1), 3) for m, r in said}
    assert crossed.compare(data, "a", "b", "mae").difference == pytest.approx(mae["a"] - mae["b"])
    with pytest.raises(ValueError, match="metric qwk: expected mae or macro_mae"):
        crossed.compare(data, "a", "b", "qwk")


def test_what_could_be_shown_is_shown_four_times_of_five():
    found = []
    for number in range(300):
        runs = simulated_runs(SeedWorld(8, 0.008, clusters=200, methods=1), number)
        found.append(crossed.crossed(runs.errors[1] - runs.errors[0], runs.cluster))
    could = np.median([f.could_show() for f in found])
    shown = np.mean([abs(f.difference + could) > f.reach(0.025) for f in found])
    assert 0.74 < shown < 0.88
    assert found[0].could_show(5) > found[0].could_show()


def slowly_needed(found, margin, tests, most=700):
    """Seeds one by one, from the formulas."""
    a, b, d = found.of_pictures, found.between, abs(found.difference)
    for seeds in range(3, most):

        def reach(tail, seeds=seeds):
            t_f, t_s = sp.t.isf(tail, found.free), sp.t.isf(tail, seeds - 1)
            return (t_f**2 * a + t_s**2 * b / seeds) ** 0.5

        if reach(0.025 / tests) + reach(0.2) <= d:
            return seeds
        if d + reach(0.05) + reach(0.2) <= margin and reach(0.05) + reach(0.1) <= margin:
            return seeds
    return float("inf")


@pytest.mark.parametrize("tests", [1, 5])
@pytest.mark.parametrize("margin", [np.nan, 0.5, 0.9])
def test_seeds_needed_are_those_of_a_slow_search(tests, margin):
    d, cluster, _ = some(5, 400, 150)
    found = crossed.crossed(d, cluster)
    differences = (0.0, 0.2, 0.6, 1.4)
    needed = []
    for shift in differences:
        one = crossed.crossed(d - d.mean() + shift, cluster)
        needed.append(crossed.seeds_needed(one, margin, tests))
        assert needed[-1] == slowly_needed(one, margin, tests)
    assert np.isfinite(needed).any()
    half = sp.t.ppf(0.975, found.free) * found.of_pictures**0.5
    assert crossed.left_by_pictures(found) == pytest.approx(half)


def test_seeds_needed_without_an_answer():
    d, cluster, _ = some(5)
    found = crossed.crossed(d - d.mean() + 0.01, cluster)
    assert crossed.seeds_needed(found) == np.inf
    assert np.isnan(crossed.seeds_needed(crossed.crossed(d[0], cluster), 0.02))
    assert crossed.seeds_needed(crossed.crossed(np.zeros((3, 9))), 0.02) == 3


@pytest.mark.parametrize(("true", "margin"), [(0.025, np.nan), (0.0, 0.02), (0.008, 0.03)])
def test_so_many_seeds_decide_four_times_of_five(true, margin):
    """In worlds with the components that the number was computed from."""

    def world(seeds, number):
        g = rng("needed", true, seeds, number)
        d = 0.1 * g.normal(size=500) + 0.25 * g.normal(size=(seeds, 500))
        return crossed.crossed(true + d + 0.015 * g.normal(size=(seeds, 1)))

    def share(seeds):
        found = [world(seeds, number) for number in range(400)]
        words = [
            crossed.verdict(f.interval()[1:], f.interval(0.9)[1:], seeds, margin=margin)
            for f in found
        ]
        return np.mean([word != "not decided" for word in words])

    e = 0.25**2 / 500  # the expected moments at 8 seeds
    parts = {"moment": 0.1**2 / 500 + e / 8, "residual": e, "between": 0.015**2 + e, "free": 499}
    needed = crossed.seeds_needed(crossed.Crossed(true, 8, **parts), margin)
    assert 4 < needed < 40
    assert 0.75 < share(int(needed)) < 0.9
    assert share(int(needed) // 2) < 0.7


@pytest.mark.parametrize(
    ("interval", "within", "more", "says"),
    [
        ((-0.3, -0.1), (-0.29, -0.11), {}, "better"),
        ((0.1, 0.3), (0.11, 0.29), {"p_holm": 0.049}, "worse"),
        ((0.1, 0.3), (0.11, 0.29), {"p_holm": 0.05}, "not decided"),
        ((0.1, 0.3), (0.11, 0.29), {"seeds": 2}, "two seeds: not a comparison"),
        ((0.0, 0.0), (0.0, 0.0), {"seeds": 1}, "one seed: not a comparison"),
        ((-0.01, 0.03), (-0.005, 0.0199), {"margin": 0.02}, "equivalent within 0.02"),
        ((-0.01, 0.03), (-0.005, 0.02), {"margin": 0.02}, "not decided"),
        ((-0.01, 0.03), (-0.02, 0.01), {"margin": 0.02}, "not decided"),
        ((-0.01, 0.03), (-0.005, 0.01), {}, "not decided"),
        ((0.001, 0.01), (0.002, 0.009), {"margin": 0.02}, "worse"),
        ((np.nan, np.nan), (np.nan, np.nan), {}, "not compared"),
        ((0.1, 0.3), (0.11, 0.29), {"seeds": 0}, "not compared"),
    ],
)
def test_words(interval, within, more, says):
    assert crossed.verdict(interval, within, **({"seeds": 3} | more)) == says


def test_bad_input_is_named():
    d, cluster, classes = some()
    with pytest.raises(ValueError, match="at least 2 clusters of pictures; found 1"):
        crossed.crossed(d, np.zeros(60))
    with pytest.raises(ValueError, match=r"classes: expected one per picture, shape \(60,\)"):
        crossed.crossed(d, cluster, classes[:-1])
    with pytest.raises(ValueError, match="d: 1 values are NaN"):
        crossed.crossed(np.where(np.arange(60) == 3, np.nan, d[0]))
    lone = np.arange(60) == 3  # a class in one cluster: no variance to be had
    found = crossed.crossed(d, cluster, lone)
    assert np.isfinite(found.difference)
    assert np.isnan([found.se, found.p, *found.interval()[1:]]).all()
