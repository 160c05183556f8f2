"""Tests of two classifiers, kappas and the table of verdicts: against slow loops, statsmodels,
scipy and scikit-learn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sp
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from riqa_lib.figures import forest, style
from riqa_lib.stats import class_bootstrap, kappas, paired_tests
from riqa_lib.stats.bootstrap import holm, paired
from riqa_lib.tables import comparisons

RNG = np.random.default_rng(16)


@pytest.fixture(scope="module")
def small():
    """Right or wrong of two classifiers, truth, scores with ties and clusters of 1 to 3 pictures:
    60 pictures."""
    r = np.random.default_rng(3)
    cluster = np.repeat(np.arange(30), r.permutation(np.repeat([1, 2, 3], 10)))
    bad = (r.random(len(cluster)) < 0.4).astype(int)
    a, b = (np.round(bad + r.normal(0, s, len(bad)), 1) for s in (1.0, 1.6))
    return {
        "cluster": cluster,
        "bad": bad,
        "a": a,
        "b": b,
        "x": (a > 0.5) == bad,
        "y": (b > 0.5) == bad,
    }


# ---------------------------------------------------------------- right or wrong
def test_mcnemar_is_that_of_statsmodels_and_midp_that_of_its_formula():
    for b, c in ((10, 3), (0, 6), (5, 5), (21, 9), (0, 0), (1, 0)):
        exact, mid = paired_tests.mcnemar_p(b, c)
        table = [[50, b], [c, 20]]
        assert exact == pytest.approx(min(1.0, statsmodels_mcnemar(table, exact=True).pvalue))
        k, n = min(b, c), b + c
        loop = sum(2 * sp.binom.pmf(i, n, 0.5) for i in range(k)) + sp.binom.pmf(k, n, 0.5)
        assert mid == pytest.approx(min(1.0, loop))
    x = np.r_[np.ones(10), np.zeros(3), np.ones(7)]
    y = np.r_[np.zeros(10), np.ones(3), np.ones(7)]
    exact, mid = paired_tests.mcnemar(x, y)
    assert (exact.p, mid.p) == pytest.approx(tuple(paired_tests.mcnemar_p(10, 3)))
    assert exact.difference == pytest.approx(7 / 20)


def test_a_published_table():
    """Agresti (1990, p. 350), approval ratings of 1,600 people, 86 and 150 changed: chi2 17.3559, p
    3.099e-05 (Penn State STAT 504, McNemar's test without continuity correction), which Durkalski's
    is where everyone is a cluster of his own."""
    first, second = (np.repeat(v, (794, 150, 86, 570)) for v in ((1, 1, 0, 0), (1, 0, 1, 0)))
    found = paired_tests.durkalski(first, second, np.arange(1600))
    assert (found.difference / found.se) ** 2 == pytest.approx(17.3559, abs=5e-5)
    assert found.p == pytest.approx(3.099e-05, abs=5e-9)
    assert found.difference == pytest.approx(64 / 1600)


def test_mcnemar_of_several_seeds_is_twice_the_median():
    x, y = RNG.integers(0, 2, (3, 80)), RNG.integers(0, 2, (3, 80))
    each = [paired_tests.mcnemar(a, b)[1].p for a, b in zip(x, y, strict=True)]
    found = paired_tests.mcnemar(x, y)[1]
    assert found.p == pytest.approx(min(1, 2 * sorted(each)[1]))
    assert "3 seeds" in found.note


def test_durkalski_is_its_loop(small):
    d = small["x"].astype(float) - small["y"]
    up = down = 0.0
    for k in np.unique(small["cluster"]):
        inside = small["cluster"] == k
        b, c, n = (d[inside] > 0).sum(), (d[inside] < 0).sum(), inside.sum()
        up += (b - c) / n
        down += ((b - c) / n) ** 2
    found = paired_tests.durkalski(small["x"], small["y"], small["cluster"])
    assert found.p == pytest.approx(sp.chi2.sf(up**2 / down, 1))
    assert 2 * sp.norm.sf(abs(found.difference) / found.se) == pytest.approx(found.p)
    alone = paired_tests.durkalski(
        small["x"], small["y"], np.arange(len(d))
    )  # then it is McNemar's chi2
    uncorrected = statsmodels_mcnemar(
        [[0, (d > 0).sum()], [(d < 0).sum(), 0]], exact=False, correction=False
    )
    assert alone.p == pytest.approx(uncorrected.pvalue)


def test_sign_flip_counts_every_flip():
    for sums in ([3, -1, 2, 1, 1], [1, 1, 1, 1, 1, 1], [2, -2], [5, 1, -1, 0, 3, 2, 2]):
        sums = np.array(sums)
        flips = [
            abs(np.dot(s, sums)) >= abs(sums.sum()) for s in product((-1, 1), repeat=len(sums))
        ]
        assert paired_tests.sign_flip(sums).p == pytest.approx(np.mean(flips))
        assert paired_tests.sign_flip(sums * 0.37).p == pytest.approx(
            np.mean(flips)
        )  # no whole numbers: by counting them all
    one_each = paired_tests.sign_flip(
        np.r_[np.ones(10), -np.ones(3), np.zeros(9)]
    )  # without clusters it is McNemar's
    assert one_each.p == pytest.approx(paired_tests.mcnemar_p(10, 3)[0])


def test_sign_flip_sums_within_clusters_and_samples_where_it_must(small):
    d = small["x"].astype(int) - small["y"]
    sums = np.array([d[small["cluster"] == k].sum() for k in range(30)])
    exact = paired_tests.sign_flip(d, small["cluster"])
    assert exact.p == pytest.approx(paired_tests.sign_flip(sums).p)
    assert exact.note == "exact"
    values = d * 0.37
    sampled = paired_tests.sign_flip(values, small["cluster"], draws=20_000, seed=1)
    assert "20000" in sampled.note
    assert sampled.p == pytest.approx(exact.p, abs=0.015)
    assert sampled == paired_tests.sign_flip(values, small["cluster"], draws=20_000, seed=1)
    assert sampled.p != paired_tests.sign_flip(values, small["cluster"], draws=20_000, seed=2).p


# ---------------------------------------------------------------- AUC
def loop_placements(bad, score):

    def win(s, t):
        return 1.0 if s > t else 0.5 if s == t else 0.0

    p, q = np.flatnonzero(bad == 1), np.flatnonzero(bad == 0)
    return (
        np.array([np.mean([win(score[i], score[j]) for j in q]) for i in p]),
        np.array([np.mean([win(score[i], score[j]) for i in p]) for j in q]),
    )


def test_delong_is_the_covariance_of_placement_values(small):
    bad, a, b = small["bad"], small["a"], small["b"]
    (pa, qa), (pb, qb) = loop_placements(bad, a), loop_placements(bad, b)
    s10, s01 = np.cov(pa, pb), np.cov(qa, qb)
    weights = np.array([1, -1])
    variance = weights @ (s10 / len(pa) + s01 / len(qa)) @ weights
    found = paired_tests.auc_test(bad, a, b)
    difference = roc_auc_score(bad, a) - roc_auc_score(bad, b)
    assert (found.difference, found.se) == pytest.approx((difference, np.sqrt(variance)))
    assert found.p == pytest.approx(2 * sp.norm.sf(abs(difference) / np.sqrt(variance)))
    assert found.name == "delong"


def test_obuchowski_is_its_loop(small):
    bad, code = small["bad"], small["cluster"]
    x, y = np.flatnonzero(bad == 1), np.flatnonzero(bad == 0)
    v = [loop_placements(bad, small[k]) for k in "ab"]
    auc = [p.mean() for p, _ in v]
    names = np.unique(code)
    m, n, count = len(x), len(y), len(names)
    i10, i01 = len(set(code[x])), len(set(code[y]))
    covariance = np.zeros((2, 2))
    for r, s in product(range(2), repeat=2):
        s10 = s01 = s11 = s11t = 0.0
        for k in names:
            tp = [(v[t][0][code[x] == k] - auc[t]).sum() for t in (r, s)]
            tn = [(v[t][1][code[y] == k] - auc[t]).sum() for t in (r, s)]
            s10 += tp[0] * tp[1]
            s01 += tn[0] * tn[1]
            s11 += tp[0] * tn[1]
            s11t += tp[1] * tn[0]
        covariance[r, s] = (
            i10 / ((i10 - 1) * m) * s10 / m
            + i01 / ((i01 - 1) * n) * s01 / n
            + count / (count - 1) * (s11 + s11t) / (m * n)
        )
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = paired_tests.auc_test(bad, small["a"], small["b"], code)
    assert found.se == pytest.approx(np.sqrt(variance))
    assert found.difference == pytest.approx(auc[0] - auc[1])
    alone = paired_tests.auc_test(bad, small["a"], small["b"], np.arange(len(bad)))
    assert alone.se == pytest.approx(paired_tests.auc_test(bad, small["a"], small["b"]).se)


def test_auc_of_several_seeds_is_the_mean_of_theirs(small):
    a = np.stack([small["a"], small["a"][::-1]])
    b = np.stack([small["b"], small["b"]])
    expected = np.mean([roc_auc_score(small["bad"], s) for s in a]) - roc_auc_score(
        small["bad"], small["b"]
    )
    assert paired_tests.auc_test(small["bad"], a, b, small["cluster"]).difference == pytest.approx(
        expected
    )


def test_auc_says_why_it_is_undefined(small):
    a = small["a"]
    one = paired_tests.auc_test(np.zeros(len(a)), a, a)
    assert np.isnan(one.p)
    assert "one class only (none of" in one.note
    few = paired_tests.auc_test(
        np.r_[1, 1, 0, 0, 0], np.arange(5.0), np.arange(5.0)[::-1], [0, 0, 1, 2, 3]
    )
    assert np.isnan(few.p)
    assert "fewer than two clusters" in few.note
    same = paired_tests.auc_test(small["bad"], a, 2 * a + 1)
    assert (same.difference, same.p) == (0.0, 1.0)


def test_bad_input_is_named(small):
    x, y = small["x"], small["y"]
    with pytest.raises(ValueError, match="same pictures"):
        paired_tests.mcnemar(x, y[1:])
    with pytest.raises(
        ValueError, match=r"b: expected 1 \(right\) or 0 \(wrong\) per picture, found 2"
    ):
        paired_tests.durkalski(x, y + 1.0 * (np.arange(len(y)) == 7) * (2 - y), small["cluster"])
    with pytest.raises(ValueError, match="first at picture 4 of seed 0"):
        paired_tests.sign_flip(np.where(np.arange(9) == 4, np.nan, 1.0))
    with pytest.raises(ValueError, match="one name per picture"):
        paired_tests.durkalski(x, y, small["cluster"][1:])
    with pytest.raises(ValueError, match="have no cluster"):
        paired_tests.sign_flip([1, 0], ["p1", None])
    with pytest.raises(ValueError, match="positive: expected 0 or 1"):
        paired_tests.auc_test(small["bad"] * 2, small["a"], small["b"])


# ---------------------------------------------------------------- what a test leaves open
def test_smallest_difference_and_margin_have_the_power_they_state():
    r = np.random.default_rng(7)
    se, z = 0.02, sp.norm.ppf(0.975)
    seen = r.normal(paired_tests.smallest_difference(se), se, 40_000)
    assert (np.abs(seen) > z * se).mean() == pytest.approx(0.8, abs=0.01)
    margin, null, one_sided = (
        paired_tests.smallest_margin(se),
        r.normal(0, se, 40_000),
        sp.norm.ppf(0.95),
    )
    verdicts_ = (null - one_sided * se > -margin) & (null + one_sided * se < margin)
    assert verdicts_.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.02, 0.02, "equivalent"),
        (-0.02, 0.04, "non-inferior"),
        (-0.04, 0.02, "non-superior"),
        (-0.04, 0.04, "undecided"),
        (0.031, 0.05, "superior"),
        (-0.05, -0.031, "inferior"),
        (-0.03, 0.02, "non-superior"),
        (0.01, 0.02, "equivalent"),
        (np.nan, np.nan, "undefined"),
    ],
)
def test_equivalence_reads_the_interval(low, high, said):
    assert paired_tests.equivalence(low, high, 0.03) == said


def test_equivalence_asks_for_a_margin():
    with pytest.raises(ValueError, match="a margin above 0"):
        paired_tests.equivalence(-0.1, 0.1, 0)


# ---------------------------------------------------------------- the bootstrap and the table
def predictions(pictures=120, patients=70, seeds=(0, 1), skill=(1.6, 1.2), key=0):
    """Long predictions of "student" and "teacher": overall of 3 classes and the details, some
    labels unknown."""
    r = np.random.default_rng(key)
    ids = [f"e{i:03d}" for i in range(pictures)]
    group = r.integers(0, patients, pictures).astype(str)
    truth = r.integers(0, 3, pictures)
    details = {
        d: np.where(r.random(pictures) < 0.1, -1, (r.random(pictures) < 0.6).astype(int))
        for d in comparisons.DETAILS
    }
    rows = []
    for (method, s), seed in product(zip(("student", "teacher"), skill, strict=True), seeds):
        p = np.exp(np.eye(3)[truth] * s + r.normal(0, 1, (pictures, 3)))
        part = pd.DataFrame(
            {
                "method": method,
                "seed": seed,
                "id": ids,
                "group": group,
                "source": "s",
                "truth": truth,
            }
        )
        part[["p0", "p1", "p2"]] = p / p.sum(axis=1, keepdims=True)
        for d, y in details.items():
            part[d], part[f"d_{d}"] = (
                y,
                sp.norm.cdf((y == 1) * s - s / 2 + r.normal(0, 1, pictures)),
            )
        rows.append(part)
    return pd.concat(rows, ignore_index=True)


def test_metrics_are_those_of_scikit_learn():
    data = paired(predictions(), ["student", "teacher"])
    boot = class_bootstrap.bootstrap(data, resamples=5)
    for method, p in data.p.items():
        said = p.argmax(axis=2)
        expected = {
            "macro_f1": np.mean([f1_score(data.truth, s, average="macro") for s in said]),
            "f1": np.mean([f1_score(data.truth == 0, s == 0) for s in said]),
            "accuracy": np.mean([(data.truth == s).mean() for s in said]),
            "auc": np.mean([roc_auc_score(data.truth == 0, ps[:, 0]) for ps in p]),
        }
        assert {m: boot.estimate[method, m] for m in expected} == pytest.approx(expected)


def test_a_resample_is_the_pictures_written_out():
    frame = predictions(60, 25)
    frame["p0"] = frame["p0"].round(1)  # ties
    frame["p1"] = (1 - frame["p0"]) * 0.6
    frame["p2"] = (1 - frame["p0"]) * 0.4
    data = paired(frame, ["student", "teacher"])
    r = np.random.default_rng(2)
    k = data.cluster.max() + 1
    drawn = r.multinomial(k, np.full(k, 1 / k), 6), r.multinomial(2, [0.5, 0.5], 6)
    boot = class_bootstrap.bootstrap(data, drawn=drawn)
    for i in range(6):
        rows = np.repeat(np.arange(len(data.truth)), drawn[0][i][data.cluster])
        y = data.truth[rows]
        values = {m: [] for m in class_bootstrap.METRICS}
        for s in np.repeat([0, 1], drawn[1][i]):
            p = data.p["teacher"][s][rows]
            values["macro_f1"].append(f1_score(y, p.argmax(axis=1), average="macro"))
            values["f1"].append(f1_score(y == 0, p.argmax(axis=1) == 0))
            values["accuracy"].append((y == p.argmax(axis=1)).mean())
            values["auc"].append(roc_auc_score(y == 0, p[:, 0]))
        for m, v in values.items():
            assert boot.draws["teacher", m][i] == pytest.approx(np.mean(v)), m


def test_one_table_puts_every_test_in_its_place():
    frame = predictions()
    table = comparisons.one_table(frame, "student", "teacher", resamples=300)
    assert list(table["quantity"].unique()) == ["overall", *comparisons.DETAILS]
    assert set(map(tuple, table.loc[table["primary"], ["quantity", "metric"]].to_numpy())) == set(
        comparisons.PRIMARY.items()
    )
    row = table.set_index(["quantity", "metric"])
    known = frame[frame["clarity"] >= 0]
    assert row.loc[("clarity", "auc"), "pictures"] == known["id"].nunique()
    assert row.loc[("clarity", "auc"), "patients"] == known["group"].nunique()
    a, b = (
        np.stack(
            [
                known[(known["method"] == m) & (known["seed"] == s)].sort_values("id")["d_clarity"]
                for s in (0, 1)
            ]
        )
        for m in ("student", "teacher")
    )
    first = known[(known["method"] == "student") & (known["seed"] == 0)].sort_values("id")
    y, group = first["clarity"].to_numpy(), first["group"].to_numpy()
    assert row.loc[("clarity", "auc"), "p_obuchowski"] == pytest.approx(
        paired_tests.auc_test(y == 0, 1 - a, 1 - b, group).p
    )
    assert row.loc[("clarity", "auc"), "p_delong"] == pytest.approx(
        paired_tests.auc_test(y, a, b).p
    )
    right, other = ((p > 0.5) == y for p in (a, b))
    exact, mid = paired_tests.mcnemar(right, other)
    expected = [
        exact.p,
        mid.p,
        paired_tests.durkalski(right, other, group).p,
        paired_tests.sign_flip(right * 1.0 - other, group).p,
    ]
    found = row.loc[
        ("clarity", "accuracy"), ["p_mcnemar_exact", "p_mcnemar_midp", "p_durkalski", "p_sign_flip"]
    ]
    assert list(found) == pytest.approx(expected)
    assert row.loc[("clarity", "auc"), ["p_mcnemar_exact", "p_sign_flip"]].isna().all()
    primary = table[table["primary"]]
    assert list(primary["p_holm"]) == pytest.approx(list(holm(primary["p"])))
    assert (primary.set_index("quantity")["margin"].to_dict()) == {
        "overall": 0.01,
        **dict.fromkeys(comparisons.DETAILS, 0.03),
    }
    assert table.loc[~table["primary"], "margin"].isna().all()  # none was set for the others
    assert (table.loc[~table["primary"], "verdict"] == "no margin set").all()
    assert list(table["detectable"]) == pytest.approx(
        [paired_tests.smallest_difference(s) for s in table["se"]]
    )
    assert list(table["decided_margin"]) == pytest.approx(
        list(np.maximum(table["low_90"].abs(), table["high_90"].abs()))
    )
    assert ((table["low"] <= table["low_90"]) & (table["high_90"] <= table["high"])).all()
    assert (row["difference"] == row["value_a"] - row["value_b"]).all()


def test_words_never_call_a_missing_difference_the_same():
    table = comparisons.one_table(
        predictions(skill=(1.5, 1.5)), "student", "teacher", resamples=300
    )
    for r in table.to_dict("records"):
        if r["p_holm"] >= 0.05:
            assert f"one below {r['detectable']:.4f} would" in r["words"]
            assert "no difference shown" in r["words"]
    better = comparisons.one_table(
        predictions(300, 200, skill=(3.0, 0.4)), "student", "teacher", resamples=300
    )
    assert (better.loc[better["primary"], "verdict"] == "superior").all()
    assert (
        better.loc[better["primary"], "words"]
        .str.contains("a difference; better by more than")
        .all()
    )


def test_a_teacher_without_grades_is_compared_on_details_only():
    frame = predictions()
    frame.loc[frame["method"] == "teacher", ["p0", "p1", "p2"]] = np.nan
    table = comparisons.one_table(frame, "student", "teacher", resamples=50)
    overall = table[table["quantity"] == "overall"]
    assert len(overall) == 1
    assert overall["low"].isna().all()
    assert overall["note"].item() == "Teacher: no probabilities of the overall grade"
    assert "cannot be judged (Teacher: no prob" in overall["words"].item()
    assert table.loc[table["quantity"] == "clarity", "p_holm"].notna().all()


def test_a_detail_with_one_class_has_a_reason():
    frame = predictions()
    frame["contrast"] = 1
    table = comparisons.one_table(frame, "student", "teacher", resamples=50).set_index(
        ["quantity", "metric"]
    )
    row = table.loc[("contrast", "auc")]
    assert np.isnan(row["p"])
    assert row["verdict"] == "undefined"
    assert "one class only" in row["note"]
    assert np.isfinite(table.loc[("clarity", "auc"), "p_holm"])


def test_one_table_names_what_is_wrong():
    frame = predictions()
    with pytest.raises(ValueError, match="compared with itself"):
        comparisons.one_table(frame, "student", "student")
    with pytest.raises(ValueError, match="no method expert; found student, teacher"):
        comparisons.one_table(frame, "student", "expert")
    with pytest.raises(ValueError, match="has other pictures"):
        comparisons.one_table(frame.drop(index=frame.index[-1]), "student", "teacher", resamples=5)
    wrong = frame.copy()
    wrong.loc[wrong.index[wrong["clarity"] >= 0][0], "d_clarity"] = 1.5
    with pytest.raises(ValueError, match=r"d_clarity: expected probabilities, found 1\.5"):
        comparisons.one_table(wrong, "student", "teacher", resamples=5)
    with pytest.raises(ValueError, match="unknown metric mae"):
        class_bootstrap.bootstrap(paired(frame, ["student"]), ["mae"])


# ---------------------------------------------------------------- kappas
def test_kappas_are_those_of_scikit_learn_and_statsmodels():
    votes = np.clip(
        RNG.integers(0, 3, (90, 1)) + RNG.integers(-1, 2, (90, 3)) * (RNG.random((90, 3)) < 0.4),
        0,
        2,
    )
    for quadratic in (False, True):
        found = kappas.cohen(
            votes[:, 0], votes[:, 1], classes=3, quadratic=quadratic, resamples=200
        )
        assert found[0] == pytest.approx(
            cohen_kappa_score(votes[:, 0], votes[:, 1], weights="quadratic" if quadratic else None)
        )
        assert found[1] < found[0] < found[2]
    table = kappas.graders(votes, classes=3, resamples=100).set_index("kappa")
    pairs = [(0, 1), (0, 2), (1, 2)]
    slow = np.mean([cohen_kappa_score(votes[:, i], votes[:, j]) for i, j in pairs])
    assert table.loc["mean pairwise", "estimate"] == pytest.approx(slow)
    assert table.loc["Fleiss", "estimate"] == pytest.approx(
        fleiss_kappa(aggregate_raters(votes)[0])
    )


def test_kappa_is_resampled_by_patient():
    a, b = RNG.integers(0, 2, 40), RNG.integers(0, 2, 40)
    one = kappas.cohen(a, b, resamples=400)
    twins = kappas.cohen(
        np.repeat(a, 4), np.repeat(b, 4), np.repeat(np.arange(40), 4), resamples=400
    )
    assert twins == pytest.approx(one)  # four copies of a patient's picture are no news
    ignored = kappas.cohen(np.repeat(a, 4), np.repeat(b, 4), resamples=400)
    assert ignored[2] - ignored[1] < 0.7 * (one[2] - one[1])


def test_kappa_of_one_grade_only_is_nan():
    assert np.isnan(kappas.cohen([1, 1, 1], [1, 1, 1], resamples=10)).all()
    with pytest.raises(ValueError, match=r"not whole grades 0\.\.1"):
        kappas.cohen([0, 2], [0, 1])
    with pytest.raises(ValueError, match="at least 2 graders"):
        kappas.graders(np.ones((5, 1)))


def test_noise_of_pseudo_labels_beside_that_of_experts():
    r = np.random.default_rng(4)
    truth = r.integers(0, 2, 1500)

    def flip(share, *shape):
        return (truth[:, None] if shape else truth) ^ (r.random((1500, *shape)) < share)

    votes, cluster = flip(0.15, 3), np.arange(1500) // 2
    like, worse = (
        kappas.noise_like_experts(flip(s), votes, cluster, resamples=500) for s in (0.15, 0.35)
    )
    slow = np.mean(
        [[votes[i, g] != votes[i, h] for g, h in ((0, 1), (0, 2), (1, 2))] for i in range(1500)]
    )
    assert like["experts"] == pytest.approx(slow)
    assert like["verdict"] == "equivalent"
    assert worse["verdict"] == "noisier"
    pseudo = flip(0.15)
    found = kappas.noise_like_experts(pseudo, votes, resamples=50)
    assert found["pseudo"] == pytest.approx(np.mean([votes[:, g] != pseudo for g in range(3)]))
    assert found["kappa_pseudo"] == pytest.approx(
        np.mean([cohen_kappa_score(pseudo, votes[:, g]) for g in range(3)])
    )
    few = kappas.noise_like_experts(pseudo[:60], votes[:60], resamples=300)
    assert few["verdict"].startswith(("undecided", "not noisier"))
    assert "these data would decide" in few["words"]
    with pytest.raises(ValueError, match="pseudo has 59 labels"):
        kappas.noise_like_experts(pseudo[:59], votes[:60])


# ---------------------------------------------------------------- figures
def test_forest_draws_the_intervals_and_the_margin():
    table = comparisons.one_table(predictions(), "student", "teacher", resamples=100)
    figure = forest.forest(table, simulated=True)
    ax = figure.axes[0]
    assert style.data_label(figure) == "simulated data"
    assert next(t.get_text() for t in ax.get_yticklabels()) == "overall, macro F1"
    drawn = {
        tuple(np.round(line.get_xdata(), 9)) for line in ax.lines if len(line.get_xdata()) == 2
    }
    assert {tuple(np.round(v, 9)) for v in table[["low", "high"]].to_numpy()} <= drawn
    assert len(ax.collections) == (table["margin"] > 0).sum()
    words = [t.get_text() for t in ax.texts if t.get_text()]
    assert words == list(table.loc[table["margin"] > 0, "verdict"])
    two = pd.concat(
        [table.assign(set=on, a=f"multi_{on}", b=f"single_{on}") for on in ("eyeq", "deepdrid")]
    )
    ax = forest.forest(two, simulated=True).axes[0]
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[0] == "eyeq: overall, macro F1"
    assert labels[len(table)] == "deepdrid: overall, macro F1"
    assert ax.get_xlabel().startswith("multi-task − single-task;")
    assert (
        forest.forest(two[two["set"] == "eyeq"], simulated=True)
        .axes[0]
        .get_xlabel()
        .startswith("multi-task (eyeq) − single-task (eyeq);")
    )
    for mixed in (pd.concat([table, table.assign(b="single_eyeq")]), two.assign(set="mshf")):
        with pytest.raises(ValueError, match="different networks"):
            forest.forest(mixed, simulated=True)
    with pytest.raises(ValueError, match="no row"):
        forest.forest(table.assign(low=np.nan), simulated=True)
