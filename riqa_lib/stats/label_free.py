"""Does a grader notice what was done to a picture? Tests that need no label: of pristine pictures
and of copies of them whose defects are known to grow.

    D-test  pristine/distorted discriminability
    L-test  listwise ranking consistency
    P-test  pairwise preference consistency

After Ma, Duanmu, Wu, Wang, Yong, Li and Zhang, "Waterloo Exploration Database: New Challenges for
Image Quality Assessment Models", IEEE TIP 26(2), 2017 (abstract and second-hand descriptions read,
its formulas from memory):

| test | what is averaged | perfect | constant | at random |
|---|---|---|---|---|
| d | at the best threshold: shares of pristine not below it, of copies below | 1 | .5 | > .5 |
| l | SRCC of falling level and grade, over lists: one picture, one distortion | 1 | 0 | 0 |
| p | pairs of one list, levels apart by >= 2: the milder copy has the higher grade | 1 | 0 | .5 |
| contents | pairs of different pictures on which full-reference measures agree | 1 | 0 | .5 |
| steps | steps to the next level of a list: the grade falls | 1 | 0 | .5 |

Ties. SRCC takes midranks; a list of which all has one grade counts 0, what breaking its ties at
random would give on average: leaving it out would flatter. In pairs and steps a tie is no
preference, so it is not counted as right.

Known differences. The paper's pairs are of any two pictures of its 94,880 where MS-SSIM, VIF and
GMSD, mapped to one scale by opinions (LIVE), all differ by a margin. There are no opinions here, so
"p" takes pairs whose order is known by construction, and "contents" those that all measures at hand
put at least MARGIN percentage points of all copies apart, the same way round. A pristine picture is
in no pair of "p": a mild sharpening or brightening may well be liked better. A copy that is, byte
for byte, the pristine picture or a milder copy is none of its own and is not counted; the paper has
no such copies. The paper has four distortions, and no intervals.

No grader needs to reach 1: copies that nobody can tell from their pristine picture count in d."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeding import rng
from .resampling import Floats, drawn, interval

MARGIN = 40  # percentage points between two pictures of a pair of `contents`, by every measure
APART = 2  # levels between two copies of a pair of `p`
CELLS = 4_000_000  # numbers held at once: 32 MB
FEW = 20  # pictures, below which intervals are much too narrow: see `with_interval`
AT_RANDOM = {"l": 0.0, "p": 0.5, "contents": 0.5, "steps": 0.5}  # of d: `chance_of_d`

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Graded:
    """What a grader says of P pristine pictures and of copies by K distortions at levels 1..L.

    pristine (P,), copies (P, K, L): grades, higher is better. new (P, K, L): whether a copy is a
    picture of its own. closeness (P, K, L, M): how close it is to its pristine picture by each of M
    full-reference measures, higher is closer; nan where it was not measured."""

    pristine: Floats
    copies: Floats
    new: Bools
    closeness: Floats

    def only(self, which: ArrayLike) -> Graded:
        """The same of some distortions, by their places 0..K-1 or a mask (K,)."""
        chosen = np.asarray(which)
        return Graded(
            self.pristine, self.copies[:, chosen], self.new[:, chosen], self.closeness[:, chosen]
        )


def graded(
    pristine: ArrayLike,
    copies: ArrayLike,
    new: ArrayLike | None = None,
    closeness: ArrayLike | None = None,
) -> Graded:
    """Grades of pictures (P,) and of their copies (P, K, L) made ready for the tests. new: all,
    unless told; closeness: none, unless told.

    ValueError for other shapes and for grades that are not finite.

    >>> fine = graded([4, 3], [[[3, 2, 1]], [[2, 1, 1]]])
    >>> [(name, round(float(TESTS[name](fine)[0]), 2)) for name in ("d", "l", "p", "steps")]
    [('d', 0.92), ('l', 0.93), ('p', 1.0), ('steps', 0.75)]
    """
    first, every = np.asarray(pristine, float), np.asarray(copies, float)
    own = np.ones(every.shape, bool) if new is None else np.asarray(new, bool)
    none = np.full((*every.shape, 1), np.nan)
    close = none if closeness is None else np.asarray(closeness, float)
    _check_shapes(first, every)
    if own.shape != every.shape or close.ndim != 4 or close.shape[:3] != every.shape:
        raise ValueError(
            f"new and closeness: expected shapes {every.shape} and {(*every.shape, 'M')}; found "
            f"{own.shape} and {close.shape}"
        )
    for name, values in (("pristine", first), ("copies", every)):
        if bad := int((~np.isfinite(values)).sum()):
            raise ValueError(f"{name}: {bad} of {values.size} grades are not finite")
    return Graded(first, every, own, close)


def _check_shapes(first: Floats, every: Floats) -> None:
    if first.ndim != 1 or every.ndim != 3 or len(first) != len(every) or not every.size:
        raise ValueError(
            "pristine and copies: expected shapes (P,) and (P, K, L), none of them 0; found "
            f"{first.shape} and {every.shape}"
        )


def _once(weights: Floats | None, of: Graded) -> Floats:
    return np.ones((1, len(of.pristine))) if weights is None else np.asarray(weights, float)


def _share(weights: Floats, right: Floats, all_of: Floats) -> Floats:
    """Weighted sum of `right` (P,) over that of `all_of` (P,): (R,), nan of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ right) / (weights @ all_of)


# ---------------------------------------------------------------- D
def d_test(of: Graded, weights: Floats | None = None) -> Floats:
    """Mean of sensitivity and specificity at the best threshold, (R,), .5..1. weights (R, P): how
    often each picture counts, with its copies (once, unless told)."""
    w = _once(weights, of)
    size = max(1, CELLS // (of.new.sum() + len(of.pristine)))
    return np.concatenate([_d(of, w[i : i + size]) for i in range(0, len(w), size)])


def _d(of: Graded, w: Floats) -> Floats:
    owner, *_ = np.nonzero(of.new)
    values = np.concatenate([of.pristine, of.copies[of.new]])
    order = np.argsort(values, kind="stable")
    # thresholds: each value there is, and one above all
    cuts = np.append(np.flatnonzero(np.diff(values[order], prepend=-np.inf)), len(values))

    def below(mine: Floats) -> Floats:
        """Share of the weights (R, N) below each threshold, (R, thresholds)."""
        run = np.pad(np.cumsum(mine[:, order], axis=1), ((0, 0), (1, 0)))
        with np.errstate(invalid="ignore", divide="ignore"):
            return run[:, cuts] / run[:, -1:]

    pristine = np.pad(w, ((0, 0), (0, len(owner))))
    copies = np.pad(w[:, owner], ((0, 0), (w.shape[1], 0)))
    return ((1 - below(pristine) + below(copies)) / 2).max(axis=1)


def chance_of_d(of: Graded, shuffles: int = 200, seed: int = 0) -> float:
    """The mean D of graders that know nothing: the same grades, shuffled within each picture and
    its copies. Above .5, since the threshold is the best one of all: by about .3 / sqrt(P)."""
    generator, every = rng("label free", seed), []
    whole = np.concatenate([of.pristine[:, None], of.copies.reshape(len(of.copies), -1)], axis=1)
    own = np.concatenate([np.ones((len(whole), 1), bool), of.new.reshape(len(whole), -1)], axis=1)
    for _ in range(shuffles):
        key = np.where(own, generator.random(whole.shape), np.inf)
        places = np.argsort(key, axis=1)  # those of their own first, in any order
        back = np.argsort(~own, axis=1, kind="stable")
        mixed = np.empty_like(whole)
        np.put_along_axis(mixed, back, np.take_along_axis(whole, places, axis=1), axis=1)
        told = replace(of, pristine=mixed[:, 0], copies=mixed[:, 1:].reshape(of.copies.shape))
        every.append(d_test(told)[0])
    return float(np.mean(every))


# ---------------------------------------------------------------- L
def rank_correlations(of: Graded) -> Floats:
    """SRCC of each list's grades with its falling levels, (P, K): 0 of a list with one grade, nan
    of one with fewer than two copies of its own."""
    x, own = of.copies, of.new
    both = own[..., :, None] & own[..., None, :]

    def ranks(values: Floats) -> Floats:
        """Midranks, less their mean; 0 of what is no copy of its own."""
        a, b = values[..., :, None], values[..., None, :]
        rank = (((b < a) + 0.5 * (a == b)) * both).sum(axis=-1)
        mean = rank.sum(axis=-1, keepdims=True) / np.maximum(own.sum(axis=-1, keepdims=True), 1)
        return np.where(own, rank - mean, 0)

    said, level = ranks(x), ranks(np.broadcast_to(-np.arange(x.shape[-1], dtype=float), x.shape))
    scale = np.sqrt((said**2).sum(axis=-1) * (level**2).sum(axis=-1))
    rho = (said * level).sum(axis=-1) / np.where(scale > 0, scale, 1)
    return np.where(own.sum(axis=-1) > 1, rho, np.nan)


def l_test(of: Graded, weights: Floats | None = None) -> Floats:
    """Mean SRCC over the lists, (R,), -1..1; nan where there is no list. weights: as of d_test."""
    rho = rank_correlations(of)
    there = np.isfinite(rho)
    return _share(_once(weights, of), np.where(there, rho, 0).sum(axis=1), there.sum(axis=1))


# ---------------------------------------------------------------- P
def _pairs(
    of: Graded, weights: Floats | None, wanted: Callable[[int, int], Bools | bool]
) -> Floats:
    """Share of pairs of levels a < b, of one list, at which the grade falls, where both copies are
    of their own and `wanted`."""
    right, pairs = np.zeros((2, len(of.pristine)))
    for b in range(of.copies.shape[-1]):
        for a in range(b):
            counted = of.new[..., a] & of.new[..., b] & wanted(a, b)
            falls = of.copies[..., a] > of.copies[..., b]
            pairs += counted.sum(axis=1)
            right += (counted & falls).sum(axis=1)
    return _share(_once(weights, of), right, pairs)


def p_test(of: Graded, weights: Floats | None = None) -> Floats:
    """Share of right pairs of one picture and distortion, APART levels or more apart, (R,), 0..1;
    nan where there is no pair. weights: as of d_test."""
    return _pairs(of, weights, lambda a, b: b - a >= APART)


def steps(of: Graded, weights: Floats | None = None) -> Floats:
    """Share of steps to the next level that is a copy of its own at which the grade falls, (R,),
    0..1; nan where there is none. weights: as of d_test."""
    return _pairs(of, weights, lambda a, b: np.asarray(~of.new[..., a + 1 : b].any(axis=-1)))


def percent_ranks(values: Floats) -> Floats:
    """Where each value (N,) lies among all, 0..100; equal ones the same.

    >>> percent_ranks(np.array([3.0, 1.0, 1.0, np.inf])).tolist()
    [62.5, 25.0, 25.0, 87.5]
    """
    ordered = np.sort(values)
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return 50 * (below + up_to) / len(values)


def content_pairs(of: Graded) -> tuple[Floats, Floats]:
    """Of pictures i and j (P, P), 0 on the diagonal: how many pairs of one of i or its copies, that
    is the better one for sure, and one of j or its copies; and how many of them get grades in that
    order. For sure: by every measure MARGIN percentage points or more closer to its pristine
    picture, among all that were measured; pristine pictures are closest."""
    there: Bools = np.asarray(of.new & np.isfinite(of.closeness).all(axis=-1))
    measured: Bools = np.asarray(there.any(axis=(1, 2)))
    none: Floats = np.zeros((len(measured), len(measured)))
    owner = np.concatenate([np.flatnonzero(measured), np.nonzero(there)[0]])
    if not len(owner):
        return none, none
    grade = np.concatenate([of.pristine[measured], of.copies[there]])
    pristine = np.full((int(measured.sum()), of.closeness.shape[-1]), np.inf)
    close = np.concatenate([pristine, of.closeness[there]])
    rank = np.stack([percent_ranks(one) for one in close.T], axis=1)
    pairs, right = none.copy(), none.copy()
    for i in np.flatnonzero(measured):
        mine = owner == i
        surer = (rank[mine, None] - rank[None] >= MARGIN).all(axis=-1)
        falls = grade[mine, None] > grade[None]
        for out, found in ((pairs, surer), (right, surer & falls)):
            out[i] = np.bincount(owner, found.sum(axis=0), len(measured))
            out[i, i] = 0
    return pairs, right


def contents(of: Graded, weights: Floats | None = None) -> Floats:
    """Share of right pairs of different pictures whose order is sure (`content_pairs`), (R,), 0..1;
    nan where there is none. weights: as of d_test; a pair counts as often as both pictures do."""
    w = _once(weights, of)
    pairs, right = content_pairs(of)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((w @ right) * w).sum(axis=1) / ((w @ pairs) * w).sum(axis=1)


TESTS: dict[str, Callable[..., Floats]] = {
    "d": d_test,
    "l": l_test,
    "p": p_test,
    "contents": contents,
    "steps": steps,
}


# ---------------------------------------------------------------- with intervals
def with_interval(
    of: Graded, test: str, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """(estimate, low, high) of one of TESTS, from pictures drawn with replacement, each with all
    its copies: percentiles, and for d the basic interval (Efron & Tibshirani 1993, chapter 13: the
    percentiles' distances, the other way round), held to .5..1.

    d looks for the best threshold, in a resample once more, so it is too high in the sample and
    higher still in resamples: in simulated worlds of 20 to 60 pictures percentiles held the truth
    of d in 27 to 71 % of the samples, the basic interval in 85 to 91 %. Of few pictures all are too
    narrow: of 20 in another such world 81 to 88 % held it, of 6 only 70 to 83 %. Of one picture
    there is none: nan, as where more than a few resamples have no value."""
    estimate = float(TESTS[test](of)[0])
    pictures = len(of.pristine)
    if pictures < 2:
        return estimate, float("nan"), float("nan")
    draws = drawn(rng("label free", seed, pictures), pictures, resamples).astype(float)
    found = interval(estimate, TESTS[test](of, draws), level)
    if test != "d":
        return found
    low, high = np.clip([2 * estimate - found[2], 2 * estimate - found[1]], 0.5, 1)
    return estimate, float(low), float(high)
