"""What few labelled pictures show: against slow loops and the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from riqa_lib.stats import calibration, held_out
from riqa_lib.stats.held_out import Rule, answers, mapped_rule, tempered_rule


def said(n=60, classes=3, people=25, seed=0, right=0.8):
    """Probabilities of which `right` of the largest are of the true class, and whose they are."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes) * 0.6, n)
    truth = np.where(rng.random(n) < right, p.argmax(axis=1), rng.integers(0, classes, n))
    return p, truth, rng.integers(0, people, n)


@pytest.mark.parametrize(("wrong", "of"), [(0, 22), (3, 40), (17, 17), (5, 9)])
def test_the_interval_is_where_either_tail_has_its_share(wrong, of):
    low, high = held_out.exact_interval(wrong, of)

    def tail(p, counts):
        return sum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in counts)

    assert tail(low, range(wrong, of + 1)) == pytest.approx(0.025 if wrong else 1, abs=1e-6)
    assert tail(high, range(wrong + 1)) == pytest.approx(0.025 if wrong < of else 1, abs=1e-6)
    assert held_out.exact_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.25, 0.5])
def test_what_so_many_pictures_can_promise_at_most(rate):
    n = held_out.pictures_for(rate)
    assert (1 - rate) ** n <= 0.1 + 1e-9 < (1 - rate) ** (n - 1)
    assert held_out.least_rate(n) <= rate + 1e-9 < held_out.least_rate(n - 1)
    # and that is what abstention needs
    sure = np.tile([0.9, 0.1], (n, 1))
    assert calibration.abstention(sure, np.zeros(n, int), rate=rate).met
    assert not calibration.abstention(sure[1:], np.zeros(n - 1, int), rate=rate).met


def test_the_rate_that_labels_show_is_the_last_that_is_met_from_the_easiest_on():
    p, truth, groups = said(right=0.97, people=60)
    shown = held_out.rate_shown(p, truth, groups)
    met = {r: calibration.abstention(p, truth, rate=r, groups=groups).met for r in held_out.RATES}
    assert shown is not None
    assert all(met[r] for r in held_out.RATES if r >= shown)
    assert not met[max(r for r in held_out.RATES if r < shown)]
    assert held_out.rate_shown(p, 2 - p.argmax(axis=1) // 2, groups) is None  # nearly all wrong


def test_folds_hold_whole_groups_about_equally_many():
    groups = said(people=23)[2]
    fold = held_out.folds(groups)
    assert {*fold} == {*range(10)}
    for g in {*groups}:
        assert len({*fold[groups == g]}) == 1
    sizes = [len({*groups[fold == k]}) for k in range(10)]
    assert max(sizes) - min(sizes) <= 1
    assert sorted(held_out.folds(np.array([3, 3, 9, 4]))) in (
        [0, 0, 1, 2],
        [0, 1, 1, 2],
        [0, 1, 2, 2],
    )


def test_held_out_answers_never_see_the_patient_they_are_about():
    p, truth, groups = said()

    def fit(its_p, its_truth, its_groups):
        t, rule = held_out.of_grades(its_p, its_truth, its_groups, 0.3, 1.0)
        return tempered_rule(t, rule.threshold)

    found = held_out.held_out(fit, p, truth, groups)
    fold = held_out.folds(groups)
    for i in range(len(truth)):  # slowly: a fit a picture
        rest = [j for j in range(len(truth)) if fold[j] != fold[i]]
        assert groups[i] not in groups[rest]
        t = calibration.temperature(p[rest], truth[rest])
        its = calibration.tempered(p[rest], t)
        rule = calibration.abstention(its, truth[rest], rate=0.3, groups=groups[rest])
        mine = p[i] ** (1 / t) / (p[i] ** (1 / t)).sum()
        assert found.top[i] == pytest.approx(mine.max(), abs=1e-5)
        assert found.right[i] == (mine.argmax() == truth[i])
        assert found.answered[i] == (found.top[i] >= rule.threshold)
    assert 0 < found.answered.mean() < 1


def test_fewer_than_thirty_pictures_keep_the_temperature_that_was():
    p, truth, groups = said(29)
    assert held_out.of_grades(p, truth, groups, 0.3, 1.7)[0] == 1.7
    p, truth, groups = said(30)
    assert held_out.of_grades(p, truth, groups, 0.3, 1.7)[0] == calibration.temperature(p, truth)


def test_errors_are_counted_once_a_patient_and_confidence_in_all_pictures():
    p, truth, groups = said(people=12)
    told = answers(Rule(np.asarray, 0.6), p, truth, groups).told()
    of = wrong = 0
    for g in {*groups}:
        i = [*groups].index(g)
        of += p[i].max() >= 0.6
        wrong += p[i].max() >= 0.6 and p[i].argmax() != truth[i]
    assert (told["of"], told["wrong"], told["groups"]) == (of, wrong, len({*groups}))
    assert told["between"] == list(held_out.exact_interval(wrong, of))
    assert told["coverage"] == (p.max(axis=1) >= 0.6).mean()
    over = p.max(axis=1).mean() - (p.argmax(axis=1) == truth).mean()
    assert told["too_sure"] == pytest.approx(over)
    low, high = told["too_sure_between"]
    assert low < over < high


def test_pictures_of_one_patient_alike_say_less():
    p, truth, _ = said(30, right=0.6)
    top, right = p.max(axis=1), p.argmax(axis=1) == truth
    _, alone = held_out.too_sure(top, right, np.arange(30))
    five = np.repeat(np.arange(30), 5)
    _, copied = held_out.too_sure(np.repeat(top, 5), np.repeat(right, 5), five)
    _, apart = held_out.too_sure(np.repeat(top, 5), np.repeat(right, 5), np.arange(150))
    assert copied == pytest.approx(alone)
    assert np.ptp(apart) < 0.6 * np.ptp(alone)


def test_a_details_rule_is_its_map_and_threshold():
    p = np.array([[0.3, 0.7], [0.8, 0.2]])
    rule = mapped_rule((2.0, -0.5), 0.8)
    good = 1 / (1 + np.exp(-(2 * np.log(p[:, 1] / p[:, 0]) - 0.5)))
    assert rule.changed(p) == pytest.approx(np.stack([1 - good, good], axis=1))
    assert rule.threshold == 0.8
