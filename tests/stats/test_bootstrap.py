"""The paired cluster bootstrap against slow loops over the same resamples, and on worlds whose
truth is known."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from intervals import difference, interval

from riqa_lib.seeding import rng
from riqa_lib.stats import bootstrap, metrics

SHARES = {2: [0.4, 0.6], 5: [0.05, 0.15, 0.4, 0.3, 0.1], 10: [0.1] * 10}


def world(
    pictures: int = 120,
    seeds: int = 2,
    per_group: int = 1,
    key: object = 0,
    score: bool = True,
    classes: int = 5,
) -> pd.DataFrame:
    """Two methods ("a" sharper than "b"), several seeds; pictures of one group share truth and
    errors."""
    g = rng("world", key)
    group = np.arange(pictures) // per_group
    truth = g.choice(classes, pictures, p=SHARES[classes])[group]
    rows = []
    for method, noise in (("a", 0.6), ("b", 1.0)):
        for seed in range(seeds):
            place = truth + g.normal(0, noise, pictures)[group] + g.normal(0, 0.1)
            p = np.exp(-((np.arange(classes) - place[:, None]) ** 2))
            ids, groups = [f"i{i:04d}" for i in range(pictures)], [f"g{i}" for i in group]
            part = pd.DataFrame({"id": ids, "group": groups, "truth": truth}).assign(
                method=method, seed=seed
            )
            if score:
                part["score"] = truth + np.round(rng("score").normal(0, 0.3, pictures), 1)
            part[[f"p{k}" for k in range(classes)]] = p / p.sum(axis=1, keepdims=True)
            rows.append(part)
    return pd.concat(rows).sample(frac=1, random_state=0).reset_index(drop=True)


@pytest.mark.parametrize(("classes", "score"), [(2, True), (5, True), (5, False), (10, False)])
def test_every_metric_against_a_loop_that_copies_rows(classes: int, score: bool) -> None:
    frame = world(90, seeds=3, per_group=2, score=score, classes=classes)
    found = bootstrap.paired_bootstrap(frame, ["a", "b"], resamples=3, seed=4)
    names = bootstrap.metrics_of(classes)
    assert {m for _, m in found.draws} == {*names}
    groups = list(dict.fromkeys(frame.sort_values("id")["group"]))
    pictures, seeds = bootstrap.resamples_of(len(groups), 3, 3, 4)
    by = {key: part for key, part in frame.groupby(["method", "seed", "group"])}
    for r in range(3):
        values: dict[str, dict[str, float]] = {}
        for method in "ab":
            drawn = []
            for seed in np.repeat(range(3), seeds[r]):
                rows = [
                    by[method, seed, name]
                    for name, n in zip(groups, pictures[r], strict=True)
                    for _ in range(n)
                ]
                drawn.append(metrics.summary(pd.concat(rows)))
            values[method] = {m: float(np.mean([d[m] for d in drawn])) for m in names}
        for m in names:
            for method in "ab":
                assert found.draws[method, m][r] == pytest.approx(
                    values[method][m], abs=1e-12, nan_ok=True
                ), m


def test_estimates_are_means_over_seeds_and_intervals_percentiles() -> None:
    frame = world(seeds=3)
    each = [metrics.summary(frame[(frame.method == "a") & (frame.seed == s)]) for s in range(3)]
    for m in ("mae", "qwk", "srcc"):
        estimate, low, high = interval(frame, "a", m, resamples=300)
        assert estimate == pytest.approx(np.mean([e[m] for e in each]))
        draws = bootstrap.paired_bootstrap(frame, ["a"], [m], 300).draws["a", m]
        assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
        assert low < estimate < high
    narrow = interval(frame, "a", "mae", resamples=300, level=0.5)
    wide = interval(frame, "a", "mae", resamples=300, level=0.99)
    assert wide[1] < narrow[1] < narrow[2] < wide[2]


def test_pairing_makes_differences_sharper() -> None:
    frame = world(300, seeds=1)
    a, b = interval(frame, "a", "mae"), interval(frame, "b", "mae")
    d = difference(frame, "a", "b", "mae")
    assert d[0] == pytest.approx(a[0] - b[0])
    assert d[2] < 0  # "a" is better, and it shows
    copy = frame[frame.method == "a"].assign(method="c")
    nearly = copy.copy()
    first = nearly["id"] < "i0010"
    nearly.loc[first, [f"p{k}" for k in range(5)]] = np.eye(5)[2]
    both = pd.concat([frame, nearly])
    low, high = difference(both, "c", "a", "mae")[1:]
    assert high - low < 0.5 * (a[2] - a[1])  # two methods that mostly agree


def test_identical_methods_differ_by_exactly_zero() -> None:
    frame = world()
    frame = pd.concat([frame, frame[frame.method == "a"].assign(method="twin")])
    for m in bootstrap.metrics_of(5):
        assert difference(frame, "twin", "a", m, resamples=50) == (0, 0, 0)
        assert difference(frame, "a", "a", m, resamples=50) == (0, 0, 0)
    assert (
        bootstrap.paired_bootstrap(frame, ["a", "twin"], ["mae"], 50).p_value("a", "twin", "mae")
        == 1
    )


def width(frame: pd.DataFrame) -> float:
    _, low, high = interval(frame, "a", "mae")
    return high - low


def test_clusters_matter() -> None:
    frame = world(400, seeds=1, per_group=8)
    alone = width(frame.assign(group=frame["id"]))
    assert 2.2 < width(frame) / alone < 3.5  # sqrt(8) = 2.83


def test_seeds_matter() -> None:
    frame = world(200, seeds=1)
    p = [f"p{k}" for k in range(5)]
    parts = [frame[frame.method == "a"].assign(seed=s) for s in range(4)]
    same = pd.concat(parts)
    for s, part in enumerate(parts):  # each seed turns other and more pictures into "0"
        part.loc[part["id"].isin([f"i{i:04d}" for i in range(40 * s)]), p] = np.eye(5)[0]
    assert width(pd.concat(parts)) > 1.5 * width(same)


def test_coverage_on_a_simulated_null() -> None:
    """Two methods of equal merit: the 95 % interval of the difference holds 0 about 95 times in
    100."""
    worlds, pictures, groups = 400, 160, 80
    held = 0
    for i in range(worlds):
        g = rng("null", i)
        truth = g.choice(5, pictures, p=[0.05, 0.15, 0.4, 0.3, 0.1])
        common = g.normal(0, 0.5, groups)[np.arange(pictures) // 2]
        p = {}
        for m in "ab":
            place = truth + common + g.normal(0, 0.6, groups)[np.arange(pictures) // 2]
            p[m] = np.eye(5)[np.clip(np.round(place), 0, 4).astype(int)][None]
        data = bootstrap.Paired(truth, truth.astype(float), np.arange(pictures) // 2, (0,), p)
        w = bootstrap.resamples_of(groups, 1, 300, i)[0][:, data.cluster].astype(float)
        a, b = (bootstrap._values(["mae"], data, p[m][0], w, None)["mae"] for m in "ab")
        d = a - b
        low, high = np.quantile(d, [0.025, 0.975])
        held += low <= 0 <= high
    assert (
        0.915 <= held / worlds <= 0.98
    )  # 0.95 less 3 standard errors; ignoring the clusters gives 0.83


def test_constant_rows_and_the_nan_of_their_srcc() -> None:
    frame = world(seeds=2)
    both = pd.concat([frame, bootstrap.constant_rows(frame, 2, "always 2")])
    estimate, low, high = difference(both, "a", "always 2", "macro_mae", resamples=200)
    truth = frame.loc[(frame.method == "a") & (frame.seed == 0), "truth"]
    constant = metrics.macro_mae(truth, np.full(len(truth), 2), 5)
    assert interval(both, "always 2", "macro_mae", resamples=50)[0] == pytest.approx(constant)
    assert low < estimate < high < 0
    assert np.isnan(interval(both, "always 2", "srcc", resamples=20)).all()
    assert interval(both, "always 2", "qwk", resamples=20) == pytest.approx((0, 0, 0))
    assert np.isnan(
        bootstrap.paired_bootstrap(both, ["a", "always 2"], ["srcc"], 20).p_value(
            "a", "always 2", "srcc"
        )
    )
    with pytest.raises(ValueError, match=r"constant grade 5: expected 0\.\.4"):
        bootstrap.constant_rows(frame, 5)


def test_nothing_depends_on_row_order_or_on_luck_and_nobody_is_warned() -> None:
    frame = world()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = [
            difference(frame, "a", "b", m, resamples=100, seed=3) for m in ("mae", "qwk", "srcc")
        ]
        again = [
            difference(frame.sort_values("p3"), "a", "b", m, 100, 3) for m in ("mae", "qwk", "srcc")
        ]
    assert first == again
    assert first[0] != difference(frame, "a", "b", "mae", resamples=100, seed=4)


def test_midranks_against_scipy_on_repeated_items() -> None:
    from scipy.stats import rankdata

    g = np.random.default_rng(0)
    for x in (g.integers(0, 4, 30).astype(float), g.normal(size=30)):
        w = g.multinomial(30, np.full(30, 1 / 30), size=5)
        ranks = bootstrap.midranks(x, w.astype(float))
        for r in range(5):
            assert np.repeat(ranks[r], w[r]) == pytest.approx(rankdata(np.repeat(x, w[r])))


def test_holm() -> None:
    assert bootstrap.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert bootstrap.holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert bootstrap.holm([]).size == 0
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        bootstrap.holm([0.5, 1.2])


def change(**cells: object):
    def do(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        row = frame.index[(frame.method == "b") & (frame.seed == 1) & (frame["id"] == "i0003")]
        for column, value in cells.items():
            frame.loc[row, column] = value
        return frame

    return do


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f[(f.method == "a") | (f.seed == 0)], r"b has seeds \[0\], a has \[0, 1\]"),
        (
            lambda f: f[(f.method == "a") | (f["id"] != "i0003")],
            r"b, seed 0 has other pictures .* 1 fewer \['i0003'\]",
        ),
        (
            lambda f: pd.concat([f, f.assign(labels=100)]),
            "a: 240 pictures occur twice .* choose one label budget",
        ),
        (
            change(truth=9),
            "b, seed 1 and a, seed 0 disagree on the truth of 1 pictures, first i0003",
        ),
        (change(group="else"), "disagree on the group"),
        (change(score=7.0), "disagree on the score"),
        (change(p0=0.9), "rows are not probabilities"),
        (lambda f: f.drop(columns="group"), "no column group"),
        (lambda f: f[f.method == "a"], "no method b; found a"),
        (lambda f: f.assign(truth=-1), "truth: 120 of 120 values are not whole grades"),
    ],
)
def test_bad_input(spoil, says) -> None:
    with pytest.raises(ValueError, match=says):
        difference(spoil(world()), "a", "b", "mae", resamples=10)


def test_unknown_metric_and_level() -> None:
    with pytest.raises(ValueError, match="unknown metric rmse; expected some of mae, mae_0"):
        interval(world(), "a", "rmse")
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval(world(), "a", "mae", level=95)


def test_fast_enough_to_be_used() -> None:
    """2,000 resamples of 1,047 pictures and 3 seeds, two methods, the primary metrics: a second or
    so; fail at ten."""
    frame = world(1047, seeds=3)
    start = time.perf_counter()
    bootstrap.paired_bootstrap(frame, ["a", "b"], ["mae", "macro_mae", "qwk", "srcc"])
    seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s")
    assert seconds < 10


def test_point_estimates_are_means_over_seeds() -> None:
    rows = world(seeds=2).query("method == 'a'")
    names = ("krcc", "plcc_logistic", "mae_median", "mae_expected")
    each = [metrics.summary(part) for _, part in rows.groupby("seed")]
    found = bootstrap.point_estimates(rows, names)
    assert found == pytest.approx({m: np.mean([e[m] for e in each]) for m in names})
    constant = bootstrap.constant_rows(rows, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap.point_estimates(constant, names)
    assert np.isnan(found["krcc"])
    assert found["mae_median"] == pytest.approx(
        metrics.mae(constant["truth"], np.full(len(constant), 2), 5)
    )
    with pytest.raises(ValueError, match="unknown metric mae; expected some of krcc"):
        bootstrap.point_estimates(rows, ["mae"])
