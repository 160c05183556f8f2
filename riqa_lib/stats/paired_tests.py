"""Tests of two classifiers on the same pictures, with and without regard for patients who have
several pictures.

Right or wrong: McNemar (exact, mid-p), Durkalski's test and the sign-flip test by patient. AUC:
DeLong's test and Obuchowski's form of it for clusters. Then what a test leaves open: equivalence,
and the smallest difference that the data could have shown. All of them hold the trained models
fixed: they speak of new patients, not of new seeds; the primary interval, which speaks of both, is
`class_bootstrap.bootstrap`. Several seeds: a picture counts with its mean over seeds.

Arrays: one entry a picture (N,), or (S, N) with S seeds. Differences are a - b. What is undefined
is nan, and `note` says why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as sp

from ..seeding import rng
from .resampling import Floats, Ints

# clusters with a difference up to which all 2**n sign flips of differences that are no whole
# numbers are counted
EXACT = 14


CELLS = 4_000_000  # numbers held at once


POWER = 0.8


@dataclass(frozen=True)
class Result:
    """What one test found: the difference a - b, its standard error (nan where it has none), the
    two-sided p, a note."""

    name: str
    difference: float
    se: float
    p: float
    note: str = ""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Normal interval, difference -+ z se; nan where there is no standard error."""
        z = float(sp.norm.ppf((1 + level) / 2))
        return self.difference - z * self.se, self.difference + z * self.se


NAN = float("nan")


# ---------------------------------------------------------------- input
def seeds_by_pictures(name: str, values: ArrayLike) -> Floats:
    """(N,) or (S, N) as (S, N), all finite."""
    out = np.atleast_2d(np.asarray(values, dtype=float))
    if out.ndim != 2 or not out.size:
        raise ValueError(
            f"{name}: expected shape (pictures,) or (seeds, pictures); found {np.shape(values)}"
        )
    if not np.isfinite(out).all():
        seed, row = np.argwhere(~np.isfinite(out))[0]
        bad = int((~np.isfinite(out)).sum())
        raise ValueError(
            f"{name}: {bad} values are NaN or infinite, first at picture {row} of seed {seed}"
        )
    return out


def _two(a: ArrayLike, b: ArrayLike, zero_one: bool = False) -> tuple[Floats, Floats]:
    x, y = seeds_by_pictures("a", a), seeds_by_pictures("b", b)
    if x.shape != y.shape:
        raise ValueError(
            f"a has shape {x.shape}, b {y.shape} (seeds, pictures); "
            "a paired test needs the same pictures and seeds"
        )
    for name, v in (("a", x), ("b", y)) if zero_one else ():
        if (bad := v[(v != 0) & (v != 1)]).size:
            raise ValueError(
                f"{name}: expected 1 (right) or 0 (wrong) per picture, found {bad[0]:g}"
            )
    return x, y


def clusters(cluster: ArrayLike | None, pictures: int) -> Ints:
    """Cluster names (N,) as numbers 0..K-1; each picture its own where None. ValueError for a wrong
    length or missing names."""
    if cluster is None:
        return np.arange(pictures)
    names = np.asarray(cluster)
    if names.shape != (pictures,):
        raise ValueError(
            f"cluster: expected one name per picture, shape ({pictures},); found {names.shape}"
        )
    if any(v is None or v != v for v in names.tolist()):
        raise ValueError(
            "cluster: some pictures have no cluster (None or NaN); "
            "give such a picture a name of its own"
        )
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


# ---------------------------------------------------------------- right or wrong
def mcnemar_p(b: ArrayLike, c: ArrayLike) -> tuple[Floats, Floats]:
    """McNemar's exact and mid-p two-sided p-values from the numbers of discordant pictures b and c
    (any same shape).

    Exact: 2 P(X <= min(b, c)), at most 1, X binomial(b + c, 1/2); mid-p takes P(X = min(b, c)) off
    it (Fagerland, Lydersen and Laake 2013). Both 1 where b + c = 0.

    >>> exact, mid = mcnemar_p(2, 10)
    >>> round(float(exact), 4), round(float(mid), 4)
    (0.0386, 0.0225)
    """
    b, c = np.asarray(b), np.asarray(c)
    if (b < 0).any() or (c < 0).any():
        raise ValueError("numbers of discordant pictures must not be negative")
    k, n = np.minimum(b, c), b + c
    below, at = sp.binom.cdf(k - 1, n, 0.5), sp.binom.pmf(k, n, 0.5)
    return np.minimum(1.0, 2 * (below + at)), np.minimum(1.0, 2 * below + at)


def mcnemar(a: ArrayLike, b: ArrayLike) -> tuple[Result, Result]:
    """McNemar's exact and mid-p test of a = b, right (1) or wrong (0) per picture, (N,) or (S, N);
    ignores clusters.

    With several seeds p is twice the median of the seeds' p-values, at most 1 (valid however they
    depend on each other: Meinshausen, Meier and Buehlmann 2009). Raises ValueError for other
    pictures or values than 0 and 1.

    >>> exact, mid_p = mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1])
    >>> exact.difference, round(exact.p, 5), round(mid_p.p, 5)
    (0.75, 0.03125, 0.01563)
    """
    x, y = _two(a, b, zero_one=True)
    exact, mid = mcnemar_p(((x == 1) & (y == 0)).sum(axis=1), ((x == 0) & (y == 1)).sum(axis=1))
    note = "" if len(x) == 1 else f"twice the median p of {len(x)} seeds"
    d = float((x - y).mean())
    both = [float(p[0]) if len(x) == 1 else min(1.0, 2 * float(np.median(p))) for p in (exact, mid)]
    return Result("mcnemar_exact", d, NAN, both[0], note), Result(
        "mcnemar_midp", d, NAN, both[1], note
    )


def durkalski(a: ArrayLike, b: ArrayLike, cluster: ArrayLike) -> Result:
    """Durkalski's test for clustered matched pairs (Durkalski et al. 2003): chi2 = (sum_k m_k)^2 /
    sum_k m_k^2 with one degree of freedom, m_k the mean of a - b in cluster k. Every cluster counts
    the same.

    a, b: right (1) or wrong (0), (N,) or (S, N); cluster (N,). `difference` is the mean of m_k,
    `se` the root of its variance under the test's null. p = 1 where no picture differs. Raises
    ValueError as `mcnemar`."""
    x, y = _two(a, b, zero_one=True)
    code = clusters(cluster, x.shape[1])
    m = np.bincount(code, weights=(x - y).mean(axis=0)) / np.bincount(code)
    total, square = m.sum(), (m**2).sum()
    if square == 0:
        return Result("durkalski", 0.0, 0.0, 1.0, "no picture differs")
    return Result(
        "durkalski",
        float(m.mean()),
        float(np.sqrt(square)) / len(m),
        float(sp.chi2.sf(total**2 / square, 1)),
    )


def _signed_sum_tail(sizes: Ints, total: int) -> float:
    """P(|sum of +-sizes| >= |total|), each sign a fair coin: exact, by convolving one binomial per
    distinct size."""
    pmf = np.ones(1)  # of (sum + reach) / 2, reach = sum of the sizes so far
    for size, n in zip(*np.unique(sizes, return_counts=True), strict=True):
        spread = np.zeros(size * n + 1)
        spread[::size] = sp.binom.pmf(np.arange(n + 1), n, 0.5)
        pmf = np.convolve(pmf, spread)
    sums = 2 * np.arange(len(pmf)) - (len(pmf) - 1)
    return float(min(1.0, pmf[np.abs(sums) >= abs(total)].sum()))


def sign_flip(
    d: ArrayLike, cluster: ArrayLike | None = None, *, draws: int = 9999, seed: int = 0
) -> Result:
    """Permutation test: the sign of every cluster's summed difference is flipped at random; under
    the null that a and b may be exchanged patient by patient, |sum| is as likely to be exceeded as
    counted here.

    d: a - b per picture, (N,) or (S, N). Whole-numbered sums (right/wrong): exact for any number of
    clusters. Other sums: all 2^n flips with at most EXACT clusters that differ, else `draws` seeded
    ones with p = (1 + hits) / (1 + draws)."""
    x = seeds_by_pictures("d", d)
    sums = np.bincount(clusters(cluster, x.shape[1]), weights=x.sum(axis=0))
    difference, sums = float(x.mean()), sums[sums != 0]
    whole = np.round(sums)
    if not len(sums):
        return Result("sign_flip", difference, NAN, 1.0, "no cluster differs")
    if np.abs(sums - whole).max() < 1e-9:
        p = _signed_sum_tail(np.abs(whole).astype(int), int(whole.sum()))
        return Result("sign_flip", difference, NAN, p, "exact")
    if len(sums) <= EXACT:
        signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * len(sums))).reshape(len(sums), -1).T
        hits = _hits(signs @ sums, sums)
        return Result("sign_flip", difference, NAN, hits / len(signs), "exact")
    generator, hits, left = rng("sign flip", seed), 0, draws
    while left > 0:
        n = min(left, max(1, CELLS // len(sums)))
        hits += _hits((2.0 * generator.integers(0, 2, (n, len(sums))) - 1) @ sums, sums)
        left -= n
    return Result("sign_flip", difference, NAN, (1 + hits) / (1 + draws), f"{draws} random flips")


def _hits(flipped: Floats, sums: Floats) -> int:
    return int((np.abs(flipped) >= abs(sums.sum()) - 1e-9 * np.abs(sums).sum()).sum())


# ---------------------------------------------------------------- AUC
def placements(positive: ArrayLike, score: ArrayLike) -> Floats:
    """Placement values (N,): of a positive the share of negatives below it (ties a half), of a
    negative the share of positives above it. Their means over positives and over negatives are both
    the AUC (DeLong et al. 1988; by midranks as Sun and Xu 2014)."""
    pos, s = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    m, n = int(pos.sum()), int((~pos).sum())
    all_ranks, out = sp.rankdata(s), np.empty(len(s))
    out[pos] = (all_ranks[pos] - sp.rankdata(s[pos])) / n
    out[~pos] = 1 - (all_ranks[~pos] - sp.rankdata(s[~pos])) / m
    return out


def auc_test(
    positive: ArrayLike, a: ArrayLike, b: ArrayLike, cluster: ArrayLike | None = None
) -> Result:
    """AUC(a) - AUC(b), paired: DeLong's test (DeLong et al. 1988), or with clusters Obuchowski's
    (1997).

    positive: (N,), True or 1 for the class that scores a, b, (N,) or (S, N), should put higher.
    With several seeds the mean AUC of the seeds is compared. Variance: I10/(I10-1) sum_k P_k^2 /
    m^2 + I01/(I01-1) sum_k Q_k^2 / n^2 + 2 I/(I-1) sum_k P_k Q_k / (m n), P_k and Q_k the cluster's
    sums of differences of placement values, centred, over its positives and negatives; I10, I01, I:
    clusters with a positive, with a negative, all. Without clusters this is DeLong's. nan with a
    note where there is one class only, or fewer than two clusters with a class. ValueError for
    wrong shapes."""
    name = "delong" if cluster is None else "obuchowski"
    x, y = _two(a, b)
    pos = _yes_or_no(positive, x.shape[1])
    code = clusters(cluster, len(pos))
    if pos.all() or not pos.any():
        which = "all" if pos.all() else "none"
        note = f"one class only ({which} of {len(pos)} pictures positive)"
        return Result(name, NAN, NAN, NAN, note)
    v = np.mean(
        [placements(pos, s) - placements(pos, t) for s, t in zip(x, y, strict=True)], axis=0
    )
    d = float(v[pos].mean())
    variance = _auc_variance(v - d, pos, code)
    if np.isnan(variance):
        return Result(name, d, NAN, NAN, "a class occurs in fewer than two clusters")
    if variance <= 1e-18:
        note = "the two order the pictures alike: no variance"
        return Result(name, d, 0.0, 1.0 if abs(d) < 1e-9 else NAN, note)
    se = np.sqrt(variance)
    return Result(name, d, float(se), float(2 * sp.norm.sf(abs(d) / se)))


def _yes_or_no(positive: ArrayLike, pictures: int) -> NDArray[np.bool_]:
    pos = np.asarray(positive)
    if pos.shape != (pictures,) or not np.isin(pos, (0, 1)).all():
        raise ValueError(
            f"positive: expected 0 or 1 per picture, shape ({pictures},); found shape {pos.shape}"
        )
    return pos.astype(bool)


def _auc_variance(centred: Floats, pos: NDArray[np.bool_], code: Ints) -> float:
    """Obuchowski's variance of a difference of AUCs (formula: `auc_test`) from centred differences
    of placement values (N,); nan where a class occurs in fewer than two clusters."""
    k, m, n = int(code.max()) + 1, int(pos.sum()), int((~pos).sum())
    p, q = (np.bincount(code[of], weights=centred[of], minlength=k) for of in (pos, ~pos))
    i10, i01 = len(np.unique(code[pos])), len(np.unique(code[~pos]))
    if min(i10, i01) < 2:
        return NAN
    return float(
        i10 / (i10 - 1) * (p @ p) / m**2
        + i01 / (i01 - 1) * (q @ q) / n**2
        + 2 * k / (k - 1) * (p @ q) / (m * n)
    )


# ---------------------------------------------------------------- what a test leaves open
def equivalence(low: float, high: float, margin: float) -> str:
    """Verdict from the 90 % interval of a - b (two one-sided 5 % tests): "equivalent" inside
    +-margin, "superior" or "inferior" wholly beyond it, "non-inferior" above -margin,
    "non-superior" below +margin, else "undecided"; "undefined" for nan. Raises ValueError for a
    margin that is not above 0, or low > high."""
    if not margin > 0 or low > high:
        raise ValueError(
            f"margin {margin}, interval {low} to {high}: expected a margin above 0 and low <= high"
        )
    if not np.isfinite([low, high]).all():
        return "undefined"
    if low > margin:
        return "superior"
    if high < -margin:
        return "inferior"
    if low > -margin:
        return "equivalent" if high < margin else "non-inferior"
    return "non-superior" if high < margin else "undecided"


def smallest_difference(se: float, power: float = POWER, alpha: float = 0.05) -> float:
    """True difference that a two-sided test at `alpha` finds with probability `power`, given the
    paired standard error."""
    return float((sp.norm.ppf(1 - alpha / 2) + sp.norm.ppf(power)) * se)


def smallest_margin(se: float, power: float = POWER, alpha: float = 0.05) -> float:
    """Margin within which two classifiers of equal skill would be found equivalent with probability
    `power` (two one-sided tests at `alpha` each), given the paired standard error."""
    return float((sp.norm.ppf(1 - alpha) + sp.norm.ppf((1 + power) / 2)) * se)
