"""The label-free tests against their formulas, written a second time as slow loops."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from riqa_lib.seeding import rng
from riqa_lib.stats import label_free
from riqa_lib.stats.label_free import MARGIN, TESTS, graded, with_interval

P, K, L, M = 6, 4, 5, 3


def some(seed: int = 0, ties: bool = True):
    """Grades with ties, some copies that are none of their own, closeness of two distortions."""
    g = np.random.default_rng(seed)
    fall = 0.4 * np.arange(1, L + 1)
    pristine, copies = g.normal(3, 1, P), g.normal(3, 1, (P, K, L)) - fall
    if ties:
        pristine, copies = np.round(pristine), np.round(copies)
    new = g.random((P, K, L)) > 0.2
    new[0, 1] = False  # a list without a copy
    new[1, 2] = [False, False, True, False, False]  # and one with a single one
    copies[2, 3] = 1.0  # one grade
    close = -fall[:, None] + g.normal(size=(P, K, L, M)) * 0.3
    close[:, 2:] = np.nan
    return graded(pristine, copies, new, close)


def weights_of(resamples: int = 7):
    g = np.random.default_rng(3)
    return g.multinomial(P, np.full(P, 1 / P), size=resamples).astype(float)


# ---------------------------------------------------------------- slow, from the formulas
def repeated(of, w):
    """The pictures of a resample, one by one: (picture, grade, {(k, level): grade})."""
    for i in range(P):
        for _ in range(int(w[i])):
            own = {(k, a): of.copies[i, k, a] for k, a in product(range(K), range(L))}
            yield i, of.pristine[i], {key: q for key, q in own.items() if of.new[i][key]}


def slow_d(of, w):
    drawn = list(repeated(of, w))
    pristine = [q for _, q, _ in drawn]
    copies = [q for _, _, own in drawn for q in own.values()]
    best = 0.0
    for t in [*pristine, *copies, np.inf]:
        kept = sum(q >= t for q in pristine) / len(pristine)
        found = sum(q < t for q in copies) / len(copies)
        best = max(best, (kept + found) / 2)
    return best


def slow_l(of, w):
    every = []
    for _, _, own in repeated(of, w):
        for k in range(K):
            levels = [a for a in range(L) if (k, a) in own]
            said = [own[k, a] for a in levels]
            if len(levels) > 1:
                flat = len({*said}) == 1
                every.append(0.0 if flat else spearmanr([-a for a in levels], said).statistic)
    return np.mean(every)


def slow_pairs(of, w, wanted):
    right = []
    for _, _, own in repeated(of, w):
        for k in range(K):
            levels = [a for a in range(L) if (k, a) in own]
            for a, b in combinations(levels, 2):
                if wanted(a, b, levels):
                    right.append(own[k, a] > own[k, b])
    return np.mean(right)


def slow_p(of, w):
    return slow_pairs(of, w, lambda a, b, levels: b >= a + 2)


def slow_steps(of, w):
    return slow_pairs(of, w, lambda a, b, levels: levels.index(b) == levels.index(a) + 1)


def slow_contents(of, w):
    """Each picture and its measured copies; ranks among all pictures, drawn or not."""
    items = []
    for i in range(P):
        items.append((i, of.pristine[i], [np.inf] * M))
        for k, a in product(range(K), range(L)):
            if of.new[i, k, a] and np.isfinite(of.closeness[i, k, a]).all():
                items.append((i, of.copies[i, k, a], of.closeness[i, k, a]))
    rank = np.stack([rankdata([one[2][m] for one in items]) for m in range(M)], axis=1)
    percent = 100 * (rank - 0.5) / len(items)
    right = pairs = 0.0
    for (i, q, _), x in zip(items, percent, strict=True):
        for (j, r, _), y in zip(items, percent, strict=True):
            if i != j and all(x - y >= MARGIN):
                pairs += w[i] * w[j]
                right += w[i] * w[j] * (q > r)
    return right / pairs


SLOW = {"d": slow_d, "l": slow_l, "p": slow_p, "contents": slow_contents, "steps": slow_steps}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("ties", [True, False])
def test_each_is_its_formula_on_all_pictures_and_on_resamples(name, ties):
    of, w = some(1, ties), weights_of()
    assert TESTS[name](of) == pytest.approx([SLOW[name](of, np.ones(P))])
    assert TESTS[name](of, w) == pytest.approx([SLOW[name](of, one) for one in w])
    assert np.ptp(TESTS[name](of, w)) > 0


def test_d_is_the_same_some_resamples_at_a_time(monkeypatch):
    of, w = some(2), weights_of()
    whole = label_free.d_test(of, w)
    monkeypatch.setattr(label_free, "CELLS", 200)
    assert label_free.d_test(of, w).tolist() == whole.tolist()


# ---------------------------------------------------------------- what graders get
def ladder(pictures: int = 30):
    """A grader that knows: pristine pictures above all copies, copies by their level."""
    level = np.broadcast_to(np.arange(1.0, L + 1), (pictures, K, L))
    close = np.repeat(-level[..., None], M, axis=-1)
    return np.full(pictures, 4.0), 4 - 0.5 * level, close


def test_a_perfect_grader_gets_1():
    pristine, copies, close = ladder()
    of = graded(pristine, copies, closeness=close)
    for name in TESTS:
        assert with_interval(of, name, 50) == (1, 1, 1), name


def test_one_that_knows_it_the_wrong_way_round_gets_the_least():
    pristine, copies, close = ladder()
    of = graded(-pristine, -copies, closeness=close)
    least = {"d": 0.5, "l": -1, "p": 0, "contents": 0, "steps": 0}
    assert {name: test(of)[0] for name, test in TESTS.items()} == pytest.approx(least)


def test_a_constant_grader_gets_what_the_formulas_say_of_ties():
    pristine, copies, close = ladder()
    of = graded(0 * pristine, 0 * copies, closeness=close)
    none = {"d": 0.5, "l": 0, "p": 0, "contents": 0, "steps": 0}
    assert {name: test(of)[0] for name, test in TESTS.items()} == pytest.approx(none)
    assert label_free.chance_of_d(of, 3) == 0.5


def test_one_at_random_gets_the_chance_level():
    """Mean over graders, within four standard errors of it."""
    _, _, close = ladder()
    told = {name: [] for name in TESTS}
    for seed in range(30):
        g = np.random.default_rng(seed)
        of = graded(g.normal(size=30), g.normal(size=(30, K, L)), closeness=close)
        for name, test in TESTS.items():
            told[name].append(test(of)[0])
    expected = label_free.AT_RANDOM | {"d": label_free.chance_of_d(of, 60)}
    assert expected["d"] == pytest.approx(0.5 + 0.313 / np.sqrt(30), abs=0.02)
    for name, values in told.items():
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - expected[name]) < 4 * error + 0.004, name


def test_chance_of_d_shuffles_within_a_picture_only_what_is_a_copy_of_its_own(monkeypatch):
    of = some(4, ties=False)
    seen = []
    monkeypatch.setattr(label_free, "d_test", lambda told: seen.append(told) or np.zeros(1))
    label_free.chance_of_d(of, 40)
    for told in seen:
        for i in range(P):
            own = np.sort([of.pristine[i], *of.copies[i][of.new[i]]])
            assert (
                np.sort([told.pristine[i], *told.copies[i][told.new[i]]]).tolist() == own.tolist()
            )
    place = [told.pristine[0] for told in seen]
    assert len({*place}) > 5


# ---------------------------------------------------------------- what is counted
def test_what_is_no_copy_of_its_own_does_not_count():
    pristine, copies, close = ladder(4)
    new = np.ones(copies.shape, bool)
    new[:, :, 0] = False
    of = graded(pristine, copies, new, close)
    spoilt = copies.copy()
    spoilt[:, :, 0] = 99
    for name, test in TESTS.items():
        assert test(graded(pristine, spoilt, new, close)) == test(of), name


def test_where_there_is_no_pair_there_is_no_value():
    pristine, copies, _ = ladder(4)
    of = graded(pristine, copies[..., :1])
    for name in ("l", "p", "steps", "contents"):
        assert np.isnan(TESTS[name](of)[0]), name
        assert all(np.isnan(with_interval(of, name, 20))), name
    assert np.isnan(with_interval(graded(pristine[:1], copies[:1]), "l")[1:]).all()


def test_some_distortions_alone():
    of = some(5)
    two = of.only([0, 3])
    assert two.copies.shape == (P, 2, L)
    both = np.nanmean(label_free.rank_correlations(of)[:, [0, 3]])
    assert label_free.l_test(two)[0] == pytest.approx(both)


def test_bad_input_says_what_was_expected():
    with pytest.raises(ValueError, match=r"shapes \(P,\) and \(P, K, L\).*\(3,\) and \(2, 1, 5\)"):
        graded(np.zeros(3), np.zeros((2, 1, 5)))
    with pytest.raises(ValueError, match=r"new and closeness: expected shapes \(2, 1, 5\)"):
        graded(np.zeros(2), np.zeros((2, 1, 5)), np.ones((2, 5), bool))
    with pytest.raises(ValueError, match="copies: 1 of 2 grades are not finite"):
        graded([0.0], [[[np.nan, 1.0]]])


# ---------------------------------------------------------------- intervals
def test_intervals_are_percentiles_over_pictures():
    of = some(6)
    draws = rng("label free", 5, P).multinomial(P, np.full(P, 1 / P), size=40)
    slow = [slow_l(of, one) for one in draws]
    value, low, high = with_interval(of, "l", 40, seed=5)
    assert value == pytest.approx(slow_l(of, np.ones(P)))
    assert (low, high) == pytest.approx((np.quantile(slow, 0.025), np.quantile(slow, 0.975)))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Pairs of a grader that is right with a known share, which differs from picture to picture."""
    held = []
    for seed in range(200):
        g = np.random.default_rng(seed)
        slope = g.normal(0.6, 0.5, size=(25, 1, 1))
        copies = g.normal(size=(25, 2, L)) - slope * np.arange(L)
        held.append(with_interval(graded(np.zeros(25), copies), "p", 200)[1:])
    truth = _truth()
    assert 0.88 < np.mean([low <= truth <= high for low, high in held]) <= 0.99


def _truth() -> float:
    g = np.random.default_rng(99)
    copies = g.normal(size=(100_000, 1, L)) - g.normal(0.6, 0.5, (100_000, 1, 1)) * np.arange(L)
    return label_free.p_test(graded(np.zeros(100_000), copies))[0]


def test_the_interval_of_d_is_turned_round_and_so_holds_the_truth_more_often():
    """The best threshold makes d too high, in resamples once more."""
    of = some(7)
    w = rng("label free", 0, P).multinomial(P, np.full(P, 1 / P), size=50)
    low, high = np.quantile([slow_d(of, one) for one in w], (0.025, 0.975))
    value = slow_d(of, np.ones(P))
    expected = value, *np.clip([2 * value - high, 2 * value - low], 0.5, 1)
    assert with_interval(of, "d", 50) == pytest.approx(expected)
    g = np.random.default_rng(0)
    noise = graded(g.normal(size=8), g.normal(size=(8, 2, L)))
    value, low, high = with_interval(noise, "d", 50)
    assert low == 0.5 < value  # no less than any grader gets
    truth = label_free.d_test(_told_apart(20_000, 99))[0]
    held = []
    for seed in range(60):
        found = with_interval(_told_apart(20, seed), "d", 100)[1:]
        held.append(found[0] <= truth <= found[1])
    assert np.mean(held) > 0.75  # percentiles: about .3


def _told_apart(pictures: int, seed: int):
    """Pictures that differ among themselves more than from their copies."""
    g = np.random.default_rng(seed)
    own, slope = g.normal(size=pictures), g.gamma(2, 0.17, (pictures, 4, 1))
    copies = own[:, None, None] - slope * np.arange(1, L + 1)
    return graded(own, copies + g.normal(0, 0.1, copies.shape))
