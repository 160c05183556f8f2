"""Metrics against scipy, scikit-learn and slow loops written from the formulas."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from riqa_lib.stats import metrics

SHARES = {2: [0.3, 0.7], 5: [0.02, 0.14, 0.5, 0.32, 0.02], 10: [0.05] * 4 + [0.2] * 2 + [0.1] * 4}
every_scale = pytest.mark.parametrize("classes", [*SHARES])


def make(n: int = 400, seed: int = 0, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    truth = g.choice(classes, n, p=SHARES[classes])
    logits = -1.2 * (np.arange(classes) - truth[:, None] - g.normal(0, 0.8, n)[:, None]) ** 2
    p = np.exp(logits)
    return truth, p / p.sum(axis=1, keepdims=True)


def frame(truth: np.ndarray, p: np.ndarray, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"truth": truth, **{f"p{k}": p[:, k] for k in range(p.shape[1])}, **more})


def slow_errors(truth, grade, classes: int) -> dict[int, list[int]]:
    """The errors of each true grade."""
    by_class: dict[int, list[int]] = {k: [] for k in range(classes)}
    for t, g in zip(truth, grade, strict=True):
        by_class[t].append(abs(int(t) - int(g)))
    return by_class


@every_scale
def test_errors_against_loops(classes) -> None:
    truth, p = make(classes=classes)
    grade = p.argmax(axis=1)
    by_class = slow_errors(truth, grade, classes)
    every = [e for v in by_class.values() for e in v]
    mae = metrics.mae(truth, grade, classes)
    assert mae == pytest.approx(sum(every) / len(every))
    assert mae == pytest.approx(sk.mean_absolute_error(truth, grade))
    means = [sum(v) / len(v) for v in by_class.values()]
    assert metrics.mae_per_class(truth, grade, classes) == pytest.approx(means)
    assert metrics.macro_mae(truth, grade, classes) == pytest.approx(sum(means) / classes)
    best = (classes - 2, classes - 1)
    both = by_class[best[0]] + by_class[best[1]]
    assert metrics.mae_of(truth, grade, best, classes) == pytest.approx(sum(both) / len(both))
    right = metrics.accuracy(truth, grade, classes)
    assert right == pytest.approx(sk.accuracy_score(truth, grade))


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (2, []),
        (3, ["mae_12"]),
        (4, ["mae_23", "mae_01"]),
        (5, ["mae_34", "mae_012"]),
        (10, ["mae_89", "mae_01234567"]),
    ],
)
def test_errors_of_several_grades_are_of_the_two_best_and_of_the_rest(classes, names) -> None:
    assert [*metrics.grouped(classes)] == names
    assert [*map(metrics.true_grades, names)] == [*metrics.grouped(classes).values()]


@pytest.mark.parametrize("classes", [1, 11])
def test_a_scale_has_two_to_ten_grades(classes) -> None:
    with pytest.raises(ValueError, match=f"classes = {classes}: expected 2 to 10"):
        metrics.grouped(classes)


def test_an_absent_class_is_nan_and_leaves_the_macro_mean() -> None:
    each = metrics.mae_per_class([0, 0, 2], [1, 0, 2], 5)
    assert each[[0, 2]] == pytest.approx([0.5, 0.0])
    assert np.isnan(each[[1, 3, 4]]).all()
    assert metrics.macro_mae([0, 0, 2], [1, 0, 2], 5) == pytest.approx(0.25)
    assert np.isnan(metrics.mae_of([0, 2], [0, 2], (3, 4), 5))


@every_scale
def test_qwk_against_its_formula(classes) -> None:
    truth, p = make(seed=1, classes=classes)
    grade = p.argmax(axis=1)
    n, seen, chance = len(truth), 0.0, 0.0
    for i in range(classes):
        for j in range(classes):
            seen += (i - j) ** 2 * sum((truth == i) & (grade == j)) / n
            chance += (i - j) ** 2 * sum(truth == i) * sum(grade == j) / n**2
    assert metrics.qwk(truth, grade, classes) == pytest.approx(1 - seen / chance)
    assert metrics.qwk(truth, np.full(n, 1), classes) == pytest.approx(0)  # a constant is chance
    with pytest.warns(metrics.UndefinedMetric, match="both always 1"):
        assert np.isnan(metrics.qwk([1, 1], [1, 1], classes))


def test_correlations_against_scipy_and_midranks() -> None:
    g = np.random.default_rng(2)
    x, y = g.integers(0, 6, 60).astype(float), g.integers(0, 6, 60).astype(float)
    y += x

    def rank(v):
        return [sum(b < a for b in v) + (sum(b == a for b in v) + 1) / 2 for a in v]

    assert metrics.srcc(x, y) == pytest.approx(np.corrcoef(rank(x), rank(y))[0, 1])
    assert metrics.plcc(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    concordant = tx = ty = 0
    for i in range(60):
        for j in range(i):
            a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
            concordant, tx, ty = concordant + a * b, tx + a * a, ty + b * b
    assert metrics.krcc(x, y) == pytest.approx(concordant / np.sqrt(tx * ty))  # tau-b
    assert metrics.krcc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


@pytest.mark.parametrize("f", [metrics.srcc, metrics.krcc, metrics.plcc, metrics.plcc_logistic])
def test_a_constant_has_no_correlation_and_it_is_said(f) -> None:
    with pytest.warns(metrics.UndefinedMetric, match="constant"):
        assert np.isnan(f([2.0] * 6, [1.0, 2, 3, 4, 5, 6]))


def test_the_logistics_slopes_are_those_of_small_steps() -> None:
    x, at = np.linspace(-2, 6, 9), np.array([80.0, 10.0, 2.3, 0.35])
    found = metrics._slopes(x, *at)
    for k, step in enumerate(np.eye(4) * 1e-6):
        rise = metrics.logistic(x, *(at + step)) - metrics.logistic(x, *(at - step))
        assert found[:, k] == pytest.approx(rise / 2e-6, abs=1e-5)


def test_a_last_bit_of_what_is_said_changes_no_digit_of_the_fit() -> None:
    g = np.random.default_rng(1)
    for pictures in (64, 301, 1044) * 10:
        score = g.normal(2, 0.8, pictures)
        said = (0.3 * (score - 2) / 0.8 + 0.95 * g.normal(size=pictures) + 2).round(5)
        moved = [said * (1 + 1e-15 * g.choice([-1, 0, 1], size=pictures)) for _ in range(6)]
        assert np.ptp([metrics.plcc_logistic(x, score.round(2)) for x in moved]) < 1e-9


def test_a_fit_without_a_covariance_warns_of_nothing() -> None:
    """Few pictures of few grades: any slope fits as well, and SciPy's covariance overflows."""
    g = np.random.default_rng(340)
    score, said = g.normal(size=8), g.integers(0, 3, 8).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.plcc_logistic(said, score) == pytest.approx(0.5387, abs=1e-3)


def test_logistic_undoes_a_saturating_prediction() -> None:
    g = np.random.default_rng(3)
    x = g.uniform(0, 4, 300)
    score = metrics.logistic(x, 80, 10, 2.3, 0.35)
    assert metrics.plcc(x, score) < 0.97
    assert metrics.plcc_logistic(x, score) == pytest.approx(1, abs=1e-6)
    assert metrics.plcc_logistic(-x, score) == pytest.approx(
        1, abs=1e-6
    )  # a falling curve fits as well
    noisy = score + g.normal(0, 12, 300)
    assert metrics.plcc(x, noisy) < metrics.plcc_logistic(x, noisy) < 1
    assert metrics.logistic(2.3, 80, 10, 2.3, 0.35) == pytest.approx(45)  # the middle, half way
    assert metrics.logistic(2.65, 80, 10, 2.3, 0.35) == pytest.approx(70 / (1 + np.exp(-1)) + 10)


@every_scale
def test_expected_grade_and_posterior_median_against_loops(classes) -> None:
    _, p = make(50, seed=4, classes=classes)
    all_grades = range(classes)
    assert metrics.expected_grade(p) == pytest.approx(
        [sum(k * row[k] for k in all_grades) for row in p]
    )
    for row, median in zip(p, metrics.posterior_median(p), strict=True):
        risk = [sum(row[j] * abs(j - k) for j in all_grades) for k in all_grades]
        assert median == int(np.argmin(risk))
    assert metrics.posterior_median([[0.5, 0, 0, 0, 0.5]]).tolist() == [
        0
    ]  # all of 0..4 are optimal: the first


@every_scale
def test_equal_rows_have_equal_expected_grades(classes) -> None:
    """What is said of a picture does not depend on the row that it stands in."""
    _, p = make(400, seed=6, classes=classes)
    for first in range(0, 400, 7):
        found = metrics.expected_grade(np.repeat(p[first : first + 7], 3, axis=0)).reshape(-1, 3)
        assert (found == found[:, :1]).all()


def test_best_constant() -> None:
    train = np.repeat(range(5), [180, 1103, 4120, 2767, 175])
    assert metrics.best_constant(train, 5) == 2
    assert metrics.best_constant([0, 0, 0, 4], 5) == 0
    assert metrics.best_constant([1, 3], 5) == 1  # 1, 2, 3 tie: the lower
    assert metrics.best_constant([0, 1, 1], 2) == 1
    assert metrics.best_constant([9, 9, 2], 10) == 9


def test_the_constants_of_table_1() -> None:
    """Worked out by hand: MAE of constants on Table 1's test split."""
    truth = np.repeat(range(5), [23, 139, 515, 347, 23])
    expected = {2: (0.5521, 1.0622, 0.2733), 3: (0.8453, 0.0622, 1.2733)}
    for k, (overall, upper, lower) in expected.items():
        said = np.full(len(truth), k)
        found = (
            metrics.mae(truth, said, 5),
            metrics.mae_of(truth, said, (3, 4), 5),
            metrics.mae_of(truth, said, (0, 1, 2), 5),
        )
        assert found == pytest.approx((overall, upper, lower), abs=5e-5)
    assert metrics.macro_mae(truth, np.full(len(truth), 2), 5) == pytest.approx(1.2)


@every_scale
def test_summary(classes) -> None:
    truth, p = make(seed=5, classes=classes)
    grade, expected = p.argmax(axis=1), p @ np.arange(classes)
    score = truth + np.random.default_rng(0).normal(0, 0.2, len(truth))
    s = metrics.summary(frame(truth, p, score=score))
    assert s["n"] == len(truth)
    assert s["against"] == "score"
    assert s["mae"] == metrics.mae(truth, grade, classes)
    of_grades = {k for k in s if k.startswith("mae_") and k[4:].isdigit()}
    assert of_grades == {f"mae_{k}" for k in range(classes)} | {*metrics.grouped(classes)}
    by_class = slow_errors(truth, grade, classes)
    for name in of_grades:
        errors = [e for k in name[4:] for e in by_class[int(k)]]
        assert s[name] == pytest.approx(sum(errors) / len(errors))
    assert s["mae_median"] == metrics.mae(truth, metrics.posterior_median(p), classes)
    assert s["mae_expected"] == pytest.approx(np.abs(truth - expected).mean())
    assert s["srcc"] == pytest.approx(stats.spearmanr(expected, score).statistic)
    assert s["note"] == ""
    score[3] = np.nan  # one picture without a score: grades, for all
    s = metrics.summary(frame(truth, p, score=score))
    assert s["against"] == "grade"
    assert s["srcc"] == pytest.approx(stats.spearmanr(expected, truth).statistic)


def test_summary_of_a_constant_says_why_and_warns_nobody() -> None:
    truth, _ = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        s = metrics.summary(frame(truth, np.tile(np.eye(5)[2], (len(truth), 1))))
    assert np.isnan(s["srcc"])
    assert "SRCC is undefined: the first variable is constant (2)" in s["note"]
    assert s["qwk"] == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: metrics.mae([0, 1, 5], [0, 1, 2], 5),
            r"1 of 3 values are not whole grades 0\.\.4, first 5 at row 2",
        ),
        (lambda: metrics.mae([0, 1, 2], [0, 1, 1], 2), r"whole grades 0\.\.1, first 2 at row 2"),
        (lambda: metrics.mae([0, 1.5], [0, 1], 5), "not whole grades"),
        (lambda: metrics.mae([0, -1], [0, 1], 5), "first -1 at row 1"),
        (lambda: metrics.mae([0, np.nan], [0, 1], 5), "truth: 1 of 2 values are NaN"),
        (lambda: metrics.mae([0, 1], [0, 4.2], 5), r"grade: expected 0\.\.4, found 4.2 at row 1"),
        (lambda: metrics.mae([0, 1], [0, 1, 2], 5), "truth has 2 values but grade has 3"),
        (lambda: metrics.mae([], [], 5), "N >= 1"),
        (lambda: metrics.mae([[0]], [[0]], 5), r"shape \(1, 1\)"),
        (lambda: metrics.srcc([0, 1, np.inf], [0, 1, 2]), "infinite, first at row 2"),
        (lambda: metrics.srcc([0, 1], [0, 1, 2]), "2 values"),
        (
            lambda: metrics.expected_grade([[0.5, 0.4, 0, 0, 0]]),
            "1 of 1 rows are not probabilities",
        ),
        (lambda: metrics.expected_grade([[1.5, -0.5]]), "first row 0"),
        (lambda: metrics.expected_grade([[np.nan, 1.0]]), "first row 0"),
        (lambda: metrics.expected_grade([0.5, 0.5]), r"expected shape \(N, classes\)"),
        (lambda: metrics.best_constant([-1, 2], 5), "train_grades"),
        (lambda: metrics.summary(pd.DataFrame({"truth": [1]})), "expected columns p0, p1"),
        (lambda: metrics.summary(pd.DataFrame({"p0": [1.0], "p1": [0.0]})), "no column truth"),
        (lambda: metrics.summary(frame(np.array([-1]), np.eye(5)[:1])), "not whole grades"),
    ],
)
def test_bad_input(call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call()


def test_metrics_loads_no_drawing_or_training() -> None:
    code = (
        "import sys, riqa_lib.stats.metrics; "
        "print(sorted({'matplotlib', 'torch', 'PIL', 'skimage'} & {*sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
