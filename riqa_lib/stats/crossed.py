"""Intervals of a difference of two errors that count each variation once: of pictures, of seeds, of
the rest.

Two rows of a table were trained with the same S seeds and judged on the same N pictures in K
clusters. Picture i under seed s has the difference of errors d_is, and what is estimated is a mean
of class means (one class for all: MAE; the true grades: macro-MAE)

    D = mean_s D_s,   D_s = sum_i w_i d_is,   w_i = 1 / (C n_c)   (class c of picture i, n_c of it).

Crossed random effects (McCullagh, Bernoulli 2000; Owen, Annals of Applied Statistics 2007): D_s is
D + b_s + sum_k (a_k + e_ks), a of a cluster, b of a seed, e the residual. With the influence u_ks,
the sum over the pictures i of cluster k of w_i (d_is - m_cs) sqrt(g_c / (g_c - 1)), m_cs the mean
of class c under seed s, g_c the number of clusters with that class, u_k = mean_s u_ks, the moments

    P = sum_k u_k^2                              expect  K var(a) + K var(e) / S
    E = sum_ks (u_ks - u_k)^2 / (S - 1)                  K var(e)
    B = sum_s (D_s - D)^2 / (S - 1)                      var(b) + K var(e)

so that var(D) = A + B / S, A = max(0, P - E / S), counts pictures, seeds and the residual once.
(Resampling pictures and seeds together counts the residual about 1 + 2 (S - 1) / S times.)

Each part keeps its own quantile of Student's t (after Cochran, Biometrics 1964; Graybill and Wang,
JASA 1980): the interval is D -+ sqrt(t_f^2 A + t_{S-1}^2 B / S), f = P'^2 / sum_c P_c^2 / (g_c - 1)
(Satterthwaite, Biometrics 1946), P_c the part of P from class c alone, P' their sum; for MAE f is
K - 1. The p-value is the level at which the interval just ends at 0. (One t of Satterthwaite's
degrees of freedom for A + B / S is narrower at three seeds, but too sure where seeds differ much:
simulated, with five methods and Holm's correction, it called one of them better or worse in 12 % of
null worlds at a deviation of .03 between seeds.)

n_c is not held fixed: the influence is that of a ratio, linearised (for MAE of the sizes of the
clusters). With one seed B and E are not to be had and var(D) = P: it speaks of these two networks
on new pictures, not of new seeds, and nothing is decided from it (LEAST_SEEDS). A row that no
training made says the same at every seed: b and e are then those of the other row, and the formulas
stay. Tried on null worlds: `seed_worlds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from .paired_tests import NAN, POWER, clusters, seeds_by_pictures
from .resampling import Floats, Ints, Paired

LEAST_SEEDS = 3  # below, the variance between seeds is a guess, and nothing is decided


COUNTED = {1: "one seed", 2: "two seeds"}


METRICS = ("mae", "macro_mae")


LEAST_TAIL = 1e-12  # smaller p-values are not told apart


@dataclass(frozen=True)
class Crossed:
    """A difference with the moments of its variation (head of this module), in its own units
    squared; E and B are nan with one seed."""

    difference: float
    seeds: int
    moment: float  # P
    residual: float  # E
    between: float  # B
    free: float  # f

    @property
    def of_pictures(self) -> float:
        """A, the part of var(D) that the pictures alone make; with one seed P, the residual in
        it."""
        if self.seeds == 1:
            return self.moment
        return float(np.maximum(0.0, self.moment - self.residual / self.seeds))

    @property
    def of_networks(self) -> float:
        """B / S, the part that seeds and the residual make; 0 with one seed, where it is not to be
        had."""
        return self.between / self.seeds if self.seeds > 1 else 0.0

    @property
    def sd_seeds(self) -> float:
        """Estimated standard deviation between seeds, of var(b) (not below 0); nan with one
        seed."""
        if self.seeds == 1:
            return NAN
        return float(np.sqrt(np.maximum(0.0, self.between - self.residual)))

    @property
    def se(self) -> float:
        """Standard error of the difference; with one seed, of these two networks."""
        return float(np.sqrt(self.of_pictures + self.of_networks))

    def reach(self, tail: float) -> float:
        """How far from the difference a one-sided limit lies that leaves out `tail`."""
        t_f, t_s = (-special.stdtrit(df, tail) for df in (self.free, max(1, self.seeds - 1)))
        return float(np.hypot(t_f * self.of_pictures**0.5, t_s * self.of_networks**0.5))

    def interval(self, level: float = 0.95) -> tuple[float, float, float]:
        """(difference, low, high)."""
        half = self.reach((1 - level) / 2)
        return self.difference, self.difference - half, self.difference + half

    @property
    def p(self) -> float:
        """Two-sided p-value of "the difference is 0"; nan below LEAST_SEEDS seeds."""
        if self.seeds < LEAST_SEEDS or not np.isfinite(self.se):
            return NAN
        if self.se == 0 or self.difference == 0:
            return float(self.difference == 0)
        # the logarithm of the tail, since tails may be very small
        ends = (np.log(LEAST_TAIL), np.log(0.5))

        def beyond(log_tail: float) -> float:
            return abs(self.difference) - self.reach(np.exp(log_tail))

        if beyond(ends[0]) >= 0:
            return 2 * LEAST_TAIL
        return float(2 * np.exp(optimize.brentq(beyond, *ends, xtol=1e-12)))

    def could_show(self, tests: int = 1, power: float = POWER) -> float:
        """The smallest true difference that would be decided at .05 with probability `power`, about
        0.8, at these seeds and pictures: reach of .025 / tests, and of 1 - power beyond it. With
        `tests` in Holm's family it is that of Holm's first step, the hardest: sure to be enough.
        nan below LEAST_SEEDS seeds, where nothing would be decided."""
        if self.seeds < LEAST_SEEDS:
            return NAN
        return self.reach(0.025 / tests) + self.reach(1 - power)


# ---------------------------------------------------------------- estimation
def crossed(
    d: ArrayLike, cluster: ArrayLike | None = None, classes: ArrayLike | None = None
) -> Crossed:
    """The crossed components of a mean of class means of paired differences.

    d: differences of an error of a picture, a - b, (S, N) or (N,) with one seed; cluster: names
    (N,), each picture its own where None; classes: (N,) of each picture, one for all where None. A
    class that occurs in one cluster only leaves the standard error nan. ValueError for other
    shapes, NaN, or fewer than two clusters.

    >>> found = crossed([[0, 1, 0, 1], [1, 1, 0, 2], [0, 1, 1, 1]])
    >>> found.difference, round(found.se, 3), [round(end, 2) for end in found.interval()[1:]]
    (0.75, 0.25, [-0.15, 1.65])
    """
    x = seeds_by_pictures("d", d)
    code = clusters(cluster, x.shape[1])
    if code.max() == 0:
        raise ValueError("crossed components need at least 2 clusters of pictures; found 1")
    names = np.zeros(x.shape[1]) if classes is None else np.asarray(classes)
    if names.shape != (x.shape[1],):
        raise ValueError(
            f"classes: expected one per picture, shape ({x.shape[1]},); found {names.shape}"
        )
    each = [_of_class(x, code, names == c) for c in np.unique(names)]
    share = 1 / len(each)
    by_seed = share * np.sum([means for means, _, _ in each], axis=0)  # D_s
    u = share * np.sum([u_c for _, u_c, _ in each], axis=0)  # (S, K)
    parts = np.array([np.sum((share * u_c.mean(axis=0)) ** 2) for _, u_c, _ in each])  # P_c
    free = np.array([others for _, _, others in each])
    seeds, mean = len(x), u.mean(axis=0)
    return Crossed(
        difference=float(by_seed.mean()),
        seeds=seeds,
        moment=float(np.sum(mean**2)),
        residual=float(np.sum((u - mean) ** 2) / (seeds - 1)) if seeds > 1 else NAN,
        between=float(by_seed.var(ddof=1)) if seeds > 1 else NAN,
        free=_together(parts, free),
    )


def _of_class(x: Floats, code: Ints, inside: np.ndarray) -> tuple[Floats, Floats, int]:
    """Of the pictures of one class: their means (S,), the influence of each cluster (S, K), and
    g - 1; the influence is nan where the class occurs in one cluster."""
    means, members = x[:, inside].mean(axis=1), code[inside]
    others = int(np.count_nonzero(np.bincount(members))) - 1
    widened = np.sqrt((others + 1) / others) if others else NAN
    shares = (x[:, inside] - means[:, None]) * widened / inside.sum()
    u = np.stack([np.bincount(members, row, code.max() + 1) for row in shares]).astype(np.float64)
    return means, u, others


def _together(parts: Floats, free: Floats) -> float:
    """Satterthwaite's degrees of freedom of a sum of these parts; where all are 0, of the least."""
    if not parts.sum() > 0:  # nan, or no variation
        return float(max(1, free.min()))
    return float(parts.sum() ** 2 / np.sum(parts**2 / free))


def compare(data: Paired, a: str, b: str, metric: str) -> Crossed:
    """The difference of two rows in "mae" or "macro_mae" of the most probable grade, a - b.

    data: from `bootstrap.paired`. ValueError for another metric: what is no mean (QWK, SRCC) has no
    picture's own error, and stays with the bootstrap."""
    if metric not in METRICS:
        raise ValueError(f"metric {metric}: expected {' or '.join(METRICS)}")
    x, y = (np.abs(data.p[m].argmax(axis=2) - data.truth) for m in (a, b))
    return crossed(x - y, data.cluster, data.truth if metric == "macro_mae" else None)


# ---------------------------------------------------------------- more seeds
MOST_SEEDS = 100_000  # what so many don't decide, the pictures alone leave open


def _with_seeds(found: Crossed, seeds: int) -> Crossed:
    """What would be found with another number of seeds on these pictures, the difference and the
    components as estimated: A, B and f as they are, B divided by `seeds`."""
    moment = found.of_pictures + found.residual / seeds
    return replace(found, seeds=seeds, moment=moment)


def seeds_needed(
    found: Crossed, margin: float = NAN, tests: int = 1, power: float = POWER
) -> float:
    """The smallest number of seeds at which a true difference as large as the one seen would be
    called something, better or worse or equivalent within `margin`, with probability `power`, on
    these pictures; inf where no number would: the pictures alone leave it open (see
    `left_by_pictures`); nan with one seed.

    Better or worse, of `tests` in Holm's family: `could_show` is at most the difference seen, d.
    Equivalent: the 90 % interval ends inside the margin, so its reach and that of 1 - power
    together fit between |d| and the margin (and that of half of 1 - power, since a d near 0 may
    leave the margin on both sides). Of a difference that `verdict` leaves undecided it is more than
    the seeds at hand. The components are estimates, from few seeds rough ones.

    >>> found = crossed([[0, 1, 0, 1], [1, 1, 0, 2], [0, 1, 1, 1]])
    >>> [seeds_needed(replace(found, difference=d)) for d in (0.9, 0.5)]
    [8.0, inf]
    """
    if found.seeds == 1 or not np.isfinite(found.se):
        return NAN
    d = abs(found.difference)

    def decided(seeds: int) -> bool:
        then = _with_seeds(found, seeds)
        room = margin - then.reach(0.05)
        inside = room - d >= then.reach(1 - power) and room >= then.reach((1 - power) / 2)
        return bool(then.could_show(tests, power) <= d or inside)

    low, high = LEAST_SEEDS - 1, MOST_SEEDS
    if not decided(high):
        return float("inf")
    while high - low > 1:  # decided(high), not decided(low)
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return float(high)


def left_by_pictures(found: Crossed) -> float:
    """Half the 95 % interval that any number of seeds would leave on these pictures."""
    return float(-special.stdtrit(found.free, 0.025) * found.of_pictures**0.5)


# ---------------------------------------------------------------- in words
def too_few(seeds: float) -> str:
    """What stands in place of a verdict from fewer than LEAST_SEEDS seeds; "" where there are
    enough.

    >>> too_few(1), too_few(3)
    ('one seed: not a comparison', '')
    """
    return f"{COUNTED[int(seeds)]}: not a comparison" if seeds < LEAST_SEEDS else ""


NO_TEST = "no test: the same in every picture"


def verdict(
    interval: Sequence[float],
    interval_90: Sequence[float],
    seeds: float,
    p_holm: float = NAN,
    margin: float = NAN,
) -> str:
    """What may be said of a difference of errors (below 0 is better).

    interval, interval_90: (low, high) at 95 and 90 %. "not compared" where there is none; below
    LEAST_SEEDS seeds "one seed: not a comparison"; NO_TEST where both ends are 0, since the two
    never differ (a method whose selected weights are those before it began); "better" and "worse"
    where 0 lies outside the 95 % interval and p_holm, where there is one, is below .05; else
    "equivalent within MARGIN" where the 90 % interval lies inside it (two one-sided 5 % tests, not
    corrected for the number of rows), and "not decided" where nothing of this holds, which is not
    "the same".

    >>> verdict((-0.05, -0.01), (-0.045, -0.015), seeds=3, p_holm=0.02)
    'better'
    >>> verdict((-0.012, 0.011), (-0.01, 0.01), seeds=3, margin=0.02)
    'equivalent within 0.02'
    >>> verdict((-0.05, -0.01), (-0.045, -0.015), seeds=1)
    'one seed: not a comparison'
    >>> verdict((0.0, 0.0), (0.0, 0.0), seeds=8, margin=0.02)
    'no test: the same in every picture'
    """
    low, high = interval
    if not np.isfinite([low, high]).all() or seeds == 0:
        return "not compared"
    if few := too_few(seeds):
        return few
    if low == high == 0:
        return NO_TEST
    if not p_holm >= 0.05 and (low > 0 or high < 0):
        return "better" if high < 0 else "worse"
    if interval_90[0] > -margin and interval_90[1] < margin:
        return f"equivalent within {margin:g}"
    return "not decided"
