"""Metrics within sources, by slow loops; where they are not to be had, and why."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from riqa_lib.seeding import rng
from riqa_lib.stats import within
from riqa_lib.stats.bootstrap import paired_bootstrap
from riqa_lib.stats.within import LEAST, by_source, metric_in, subsets

P = [f"p{k}" for k in range(5)]
SIZES = {"ss01": 40, "ss02": 15, "ss03": 70}


def predictions(sizes=SIZES, seeds=2, noise=1.0, name="net"):
    """Long predictions of pictures whose sources differ in quality; scores with ties."""
    g = rng("within", seeds)
    source = np.repeat([*sizes], [*sizes.values()])
    base = dict(zip(sizes, np.linspace(0.5, 3.5, len(sizes)), strict=True))
    level = np.array([base[s] for s in source])
    quality = np.clip(level + g.normal(0, 0.7, len(source)), 0, 4)
    parts = []
    for seed in range(seeds):
        logits = -(
            (np.arange(5) - (quality + g.normal(0, noise, len(source)))[:, None]) ** 2
        )  # a bump at the grade
        p = np.exp(logits)
        part = pd.DataFrame(p / p.sum(axis=1, keepdims=True), columns=P)
        part.insert(0, "seed", seed)
        parts.append(
            part.assign(
                method=name,
                id=[f"i{i:03}" for i in range(len(source))],
                group=[f"g{i // 2}" for i in range(len(source))],
                source=source,
                truth=np.round(quality).astype(int),
                score=quality.round(1),
            )
        )
    return pd.concat(parts, ignore_index=True)


def slow_ranks(x):
    """Mean ranks from 1, ties shared."""
    return [1 + sum(b < a for b in x) + (sum(b == a for b in x) - 1) / 2 for a in x]


def slow_srcc(x, y):
    a, b = slow_ranks(x), slow_ranks(y)
    n = len(a)
    ma, mb = sum(a) / n, sum(b) / n
    ab = sum((u - ma) * (v - mb) for u, v in zip(a, b, strict=True))
    return ab / (sum((u - ma) ** 2 for u in a) * sum((v - mb) ** 2 for v in b)) ** 0.5


def slow(frame):
    """Of one run: {source: (srcc, mae)}, picture by picture."""
    out = {}
    for name in SIZES:
        rows = [row for row in frame.to_dict("records") if row["source"] == name]
        expected = [sum(k * row[p] for k, p in enumerate(P)) for row in rows]
        said = [max(range(5), key=lambda k, row=row: row[P[k]]) for row in rows]
        errors = [abs(row["truth"] - s) for row, s in zip(rows, said, strict=True)]
        srcc = slow_srcc(expected, [row["score"] for row in rows])
        out[name] = (srcc, sum(errors) / len(rows))
    return out


# ---------------------------------------------------------------- values
def test_each_source_and_their_plain_means_by_a_slow_loop():
    one = predictions(seeds=1).sample(frac=1, random_state=0)  # in any order
    found, exact = by_source(one), slow(one)
    assert found["source"].tolist() == [*SIZES]
    assert found["pictures"].tolist() == [*SIZES.values()]
    assert found["note"].tolist() == [""] * 3
    for row in found.itertuples():
        assert (row.srcc, row.mae) == pytest.approx(exact[row.source])
    means = within.within(one)
    assert means["srcc_within"] == pytest.approx(sum(v for v, _ in exact.values()) / 3)
    assert means["mae_within"] == pytest.approx(sum(v for _, v in exact.values()) / 3)


def test_many_runs_at_once_are_each_of_them():
    g = rng("runs")
    source, truth = np.repeat(["b", "a"], [12, 30]), g.integers(0, 5, 42)
    mine = subsets(source, truth, truth, 5)
    expected, said = g.choice(np.linspace(0, 4, 9), (6, 42)), g.integers(0, 5, (6, 42))
    srcc, mae = mine.srcc(expected), mine.mae(said)
    assert srcc.shape == mae.shape == (6, 2)
    for r in range(6):
        for column, name in enumerate(["a", "b"]):
            rows = np.flatnonzero(source == name)
            exact = slow_srcc(expected[r, rows].tolist(), truth[rows].tolist())
            assert srcc[r, column] == pytest.approx(exact)
            assert mae[r, column] == pytest.approx(np.abs(said[r, rows] - truth[rows]).mean())
        assert mine.mean("srcc", srcc)[r] == pytest.approx((srcc[r, 0] + srcc[r, 1]) / 2)


def test_a_hundred_runs_of_3000_pictures_take_a_moment():
    g = rng("fast")
    source, truth = g.choice(["ss01", "ss02", "ss03"], 3000), g.integers(0, 5, 3000)
    mine, expected = subsets(source, truth, truth, 5), g.uniform(0, 4, (100, 3000))
    began = time.process_time()
    assert np.isfinite(mine.srcc(expected)).all()
    assert time.process_time() - began < 1.0  # 0.04 s; one by one, with checks, ten times that


def test_knowing_the_source_alone_ranks_well_and_is_found_out_within():
    one = predictions(seeds=1)
    level = one.groupby("source")["truth"].transform("mean").to_numpy()
    p = np.maximum(0, 1 - np.abs(level[:, None] - np.arange(5)))
    g = rng("jitter").uniform(0, 0.01, (len(p), 1))  # so that it says something of each
    mixed = one.assign(**dict(zip(P, ((1 - g) * p + g * np.eye(5)[2]).T, strict=True)))
    assert slow_srcc(within.expected_grade(mixed[P]), mixed["score"]) > 0.7
    assert abs(within.within(mixed)["srcc_within"]) < 0.3
    assert within.within(one)["srcc_within"] > 0.3


# ---------------------------------------------------------------- what is not to be had
def test_a_row_that_says_the_same_of_a_source_ranks_nothing_there():
    one = predictions(seeds=1)
    one.loc[one["source"] == "ss02", P] = [0.0, 0.5, 0.5, 0.0, 0.0]
    found = by_source(one).set_index("source")
    assert np.isnan(found["srcc"]).tolist() == [False, True, False]
    assert found["note"].tolist() == ["", "the same said of all pictures", ""]
    assert np.isfinite(found["mae"]).all()
    assert np.isnan(within.within(one)["srcc_within"])  # not flattered by leaving it out
    assert np.isfinite(within.within(one)["mae_within"])


@pytest.mark.parametrize(("count", "judged"), [(LEAST - 1, False), (LEAST, True)])
def test_a_small_source_is_not_judged_and_left_out_of_the_means(count, judged):
    one = predictions({"ss01": 30, "tiny": count, "ss03": 30}, seeds=1)
    found = by_source(one).set_index("source")
    assert np.isfinite(found.loc["tiny", ["srcc", "mae"]].astype(float)).tolist() == [judged] * 2
    note = "" if judged else f"{LEAST - 1} pictures, fewer than 10"
    assert found["note"].tolist() == ["", "", note]
    means = within.within(one)
    for metric in ("srcc", "mae"):
        assert means[f"{metric}_within"] == pytest.approx(found[metric].mean())  # skips nan


def test_a_source_of_one_score_is_not_ranked_but_has_an_mae():
    one = predictions(seeds=1)
    one.loc[one["source"] == "ss02", "score"] = 2.5
    found = by_source(one).set_index("source")
    assert found.loc["ss02", "note"] == "all 15 pictures have the same label, 2.5"
    assert np.isnan(found.loc["ss02", "srcc"])
    assert np.isfinite(found["mae"]).all()
    means = within.within(one)
    assert means["srcc_within"] == pytest.approx(found.loc[["ss01", "ss03"], "srcc"].mean())
    assert means["mae_within"] == pytest.approx(found["mae"].mean())


def test_nothing_judged_is_nan():
    one = predictions({"a": 4, "b": 5}, seeds=1)
    assert np.isnan([*within.within(one).values()]).all()


def test_bad_input_is_told():
    one = predictions()
    for call in (by_source, within.within):
        with pytest.raises(ValueError, match="predictions: no column source; found seed, p0"):
            call(one.drop(columns="source"))
    with pytest.raises(ValueError, match="predictions: no column source"):
        within.bootstrap_within(one.drop(columns="source"), "net", 10)
    other = one.copy()
    other.loc[3, "source"] = "ss09"
    with pytest.raises(ValueError, match="picture i003 has more than one source: 'ss09', 'ss01'"):
        within.bootstrap_within(other, "net", 10)
    with pytest.raises(ValueError, match=r"found \(2,\), \(3,\) and \(3,\)"):
        subsets(["a", "b"], [1, 2, 3], [1, 2, 3], 5)
    with pytest.raises(ValueError, match="target: 1 of 2 are not finite"):
        subsets(["a", "b"], [1, 2], [1, np.nan], 5)
    with pytest.raises(ValueError, match=r"not whole grades 0\.\.4"):
        subsets(["a", "b"], [1, 7], [1, 2], 5)


# ---------------------------------------------------------------- with intervals
def test_estimates_are_means_over_seeds_of_the_values():
    long = predictions(seeds=3)
    mine, found = within.bootstrap_within(long.sample(frac=1, random_state=1), "net", 20)
    assert mine.names == tuple(SIZES)
    runs = [one for _, one in long.groupby("seed")]
    for metric, place in (("srcc", 0), ("mae", 1)):
        exact = {name: np.mean([slow(one)[name][place] for one in runs]) for name in SIZES}
        for name, value in exact.items():
            assert found.estimate["net", metric_in(metric, name)] == pytest.approx(value)
        mean = found.estimate["net", f"{metric}_within"]
        assert mean == pytest.approx(np.mean([*exact.values()]))
    overall = paired_bootstrap(long, ["net"], ["srcc", "mae"], 20)
    for metric in ("srcc", "mae"):
        assert found.estimate["net", metric] == pytest.approx(overall.estimate["net", metric])
        assert found.draws["net", metric] == pytest.approx(overall.draws["net", metric])


def test_a_resample_by_a_slow_loop():
    """Pictures of drawn groups, as often as they were drawn, written out."""
    long = predictions(seeds=2)
    resamples = 6
    _, found = within.bootstrap_within(long, "net", resamples, seed=4)
    groups = long["group"].unique()
    clusters, seeds = within.resamples_of(len(groups), 2, resamples, 4)
    runs = [one.sort_values("id") for _, one in long.groupby("seed")]
    for r in range(resamples):
        values = {name: [0.0, 0.0] for name in SIZES}
        for seed, one in enumerate(runs):
            times = one["group"].map(dict(zip(groups, clusters[r], strict=True)))
            drawn = one.loc[one.index.repeat(times)]
            for name, pair in slow(drawn).items():
                for place in (0, 1):
                    values[name][place] += seeds[r, seed] * pair[place] / 2
        for place, metric in enumerate(["srcc", "mae"]):
            for name in SIZES:
                draws = found.draws["net", metric_in(metric, name)]
                assert draws[r] == pytest.approx(values[name][place])
            mean = sum(values[name][place] for name in SIZES) / 3
            assert found.draws["net", f"{metric}_within"][r] == pytest.approx(mean)


def test_what_is_not_judged_has_no_interval_and_no_warning(recwarn):
    long = predictions({"ss01": 30, "tiny": 2, "ss03": 30})
    long.loc[long["source"] == "ss03", "score"] = 1.0
    _, found = within.bootstrap_within(long, "net", 200)
    assert np.isnan(found.interval("net", "mae in tiny")).all()
    assert np.isnan(found.interval("net", "srcc in ss03")).all()
    assert np.isfinite(found.interval("net", "mae_within")).all()
    own = found.interval("net", "srcc_within")
    assert own == pytest.approx(found.interval("net", "srcc in ss01"))
    assert not [*recwarn]
