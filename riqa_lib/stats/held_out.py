"""What a few labelled pictures can show of a classifier that was trained on others: what they can
promise at most, and how well a calibration on them answers, by cross-validation over groups
(patients).

Errors have exact intervals (Clopper and Pearson, Biometrika 26, 1934) over one picture of each
group: pictures of one patient are alike, so that counting all of them would claim more than is
known. Over-confidence (mean largest probability less the share that is right) has a bootstrap
interval over groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from . import calibration
from .calibration import FEW, Abstention

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 10
RATES = tuple(k / 100 for k in range(50, 0, -1))  # that are tried, the easiest first


# ---------------------------------------------------------------- what can be promised
def pictures_for(rate: float, confidence: float = 0.9) -> int:
    """How many pictures, all answered and none wrong, show an error of at most `rate`.

    >>> pictures_for(0.1), pictures_for(0.05)
    (22, 45)
    """
    return int(np.ceil(round(np.log(1 - confidence) / np.log(1 - rate), 9)))


def least_rate(pictures: int, confidence: float = 0.9) -> float:
    """The least error that so many pictures can promise: all answered and none wrong.

    >>> round(least_rate(50), 3)
    0.045
    """
    return float(1 - (1 - confidence) ** (1 / pictures))


def exact_interval(wrong: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Where the error lies, by Clopper and Pearson; (0, 1) of nothing.

    >>> [round(x, 3) for x in exact_interval(0, 50)]
    [0.0, 0.071]
    """
    if not of:
        return 0.0, 1.0
    low, high = binomtest(wrong, of).proportion_ci(level, method="exact")
    return float(low), float(high)


def rate_shown(p: ArrayLike, truth: ArrayLike, groups: ArrayLike | None = None) -> float | None:
    """The least of RATES that `calibration.abstention` meets, tried from the easiest on until one
    fails (each next one promises more, so that trying costs no confidence); None for none."""
    shown = None
    for rate in RATES:
        if not calibration.abstention(p, truth, rate=rate, groups=groups).met:
            break
        shown = rate
    return shown


# ---------------------------------------------------------------- a rule, and what it is worth
@dataclass(frozen=True)
class Rule:
    """How probabilities are turned into answers: by `changed` (N, C) -> (N, C), then given from
    `threshold` on."""

    changed: Callable[[Floats], Floats]
    threshold: float


@dataclass(frozen=True)
class Answers:
    """What was said of pictures, (N,) each: top: the largest probability, right: whether its class
    is the true one, answered: whether it was enough; groups: numbers of whose they are."""

    top: Floats
    right: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    groups: Ints

    def told(self, seed: int = 0) -> dict[str, Any]:
        """How good these answers are; plain numbers. pictures, groups; coverage: share answered;
        of one picture of each group, `of` answered, `wrong` of these, their share `error` (None of
        nothing) in its exact 95 % interval `between`; too_sure: over-confidence of all answers,
        asked for or not, and its interval."""
        one_each = np.unique(self.groups, return_index=True)[1]
        answered, right = self.answered[one_each], self.right[one_each]
        of, wrong = int(answered.sum()), int((answered & ~right).sum())
        sure, around = too_sure(self.top, self.right, self.groups, seed)
        return {
            "pictures": len(self.top),
            "groups": len(one_each),
            "coverage": float(self.answered.mean()),
            "of": of,
            "wrong": wrong,
            "error": wrong / of if of else None,
            "between": list(exact_interval(wrong, of)),
            "too_sure": sure,
            "too_sure_between": list(around),
        }


def answers(rule: Rule, p: Floats, truth: Ints, groups: Ints) -> Answers:
    """A rule's answers to probabilities (N, C) of pictures with classes (N,)."""
    said = rule.changed(p)
    top = said.max(axis=1)
    return Answers(top, said.argmax(axis=1) == truth, top >= rule.threshold, groups)


def too_sure(
    top: Floats, right: NDArray[np.bool_], groups: Ints, seed: int = 0, resamples: int = 2000
) -> tuple[float, tuple[float, float]]:
    """Mean of the largest probabilities (N,) less the share that is right, and its 95 % percentile
    interval over groups drawn with replacement.

    >>> too_sure(np.full(4, 0.75), np.array([True, True, True, False]), np.arange(4))[0]
    0.0
    """
    names, code = np.unique(groups, return_inverse=True)
    over = np.bincount(code, top - right)
    size = np.bincount(code)
    drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    draws = over[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(np.mean(top - right)), (float(low), float(high))


# ---------------------------------------------------------------- cross-validation
def folds(groups: Ints, count: int = FOLDS, seed: int = 0) -> Ints:
    """The fold (0..count - 1) of every picture, (N,); a group lies in one fold, folds are of
    (nearly) equally many groups. Fewer groups than folds: a fold each."""
    names, code = np.unique(groups, return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(names)) % min(count, len(names))
    return place[code]


def held_out(
    fit: Callable[[Floats, Ints, Ints], Rule], p: Floats, truth: Ints, groups: Ints, seed: int = 0
) -> Answers:
    """What rules say of pictures whose group they were not made from: `fit` makes one from the
    probabilities (n, C), classes and groups of every fold's other pictures."""
    n = len(truth)
    top, right, answered = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
    for rows in _rows(folds(groups, seed=seed)):
        rest = np.setdiff1d(np.arange(n), rows)
        its = answers(fit(p[rest], truth[rest], groups[rest]), p[rows], truth[rows], groups[rows])
        top[rows], right[rows], answered[rows] = its.top, its.right, its.answered
    return Answers(top, right, answered, groups)


def _rows(fold: Ints) -> Iterator[Ints]:
    for k in np.unique(fold):
        yield np.flatnonzero(fold == k)


# ---------------------------------------------------------------- grades, and a detail
def of_grades(
    p: Floats, truth: Ints, groups: Ints, rate: float, otherwise: float
) -> tuple[float, Abstention]:
    """Temperature of probabilities (N, C) that were not calibrated (`otherwise`: for fewer than FEW
    pictures), and from which probability on one may answer."""
    t = calibration.temperature(p, truth) if len(truth) >= FEW else otherwise
    return t, calibration.abstention(calibration.tempered(p, t), truth, rate=rate, groups=groups)


def tempered_rule(t: float, threshold: float) -> Rule:
    """The rule of a temperature and a threshold."""
    return Rule(lambda p: calibration.tempered(p, t), threshold)


def mapped_rule(its_map: tuple[float, float], threshold: float) -> Rule:
    """The rule of a detail: probabilities (N, 2) of bad and good, by a Platt map of the latter."""

    def changed(p: Floats) -> Floats:
        good = calibration.calibrated(p[:, 1:], [its_map])
        return np.concatenate([1 - good, good], axis=1)

    return Rule(changed, threshold)
