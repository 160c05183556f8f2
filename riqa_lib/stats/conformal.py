"""Intervals that hold the truth as often as they promise: split conformal prediction, scaled by how
unsure each picture is.

Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; scaled residuals as in Lei
et al., "Distribution-Free Predictive Inference for Regression", JASA 2018, section 5.2. Of n
pictures that the network did not learn from, take |truth - prediction| / spread; with the
ceil((n + 1) level)-th smallest of these as `factor`, prediction +- factor x spread holds the truth
of a new picture of the same kind with probability `level` at least, whatever the network is worth.
That is a mean over such sets of n pictures: of this one set the share that is held is a draw from a
Beta distribution (Vovk, ACML 2012), which is wide where n is small (`held`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

LEVEL = 0.9
MOST = 0.9  # share of sets of n pictures that `held` speaks of


@dataclass(frozen=True)
class Conformal:
    """factor: times a picture's spread it is the half-width of its interval (inf: too few pictures
    for this level). n: how many it was taken from; held: of MOST of such sets, the least and the
    greatest share of new pictures that intervals hold."""

    factor: float
    level: float
    n: int
    held: tuple[float, float]

    @property
    def met(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.factor)


def conformal(
    truth: ArrayLike, prediction: ArrayLike, spread: ArrayLike, level: float = LEVEL
) -> Conformal:
    """From truth, prediction and spread (> 0) of pictures not learnt from, (N,) each, exchangeable
    with those to come (of pictures that are alike, one only).

    ValueError for a level outside 0..1, shapes that differ, or a spread that is not positive.

    >>> conformal([1.0] * 8, [2.0] * 8, [1.0] * 8).met  # 90 % takes nine
    False
    >>> nine = conformal(range(9), [0.0] * 9, [2.0] * 9)
    >>> nine.factor, [round(share, 2) for share in nine.held]
    (4.0, [0.72, 0.99])
    """
    y, middle, wide = (np.asarray(x, float) for x in (truth, prediction, spread))
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: expected a share between 0 and 1")
    if not y.shape == middle.shape == wide.shape == (y.size,) or not (wide > 0).all():
        raise ValueError(
            f"truth {y.shape}, prediction {middle.shape}, spread {wide.shape}: expected (N,) each, "
            "spread above 0"
        )
    n = len(y)
    k = math.ceil(round((n + 1) * level, 9))  # (n + 1) level may come out a hair above a whole one
    if k > n:
        return Conformal(math.inf, level, n, (0.0, 1.0))
    scaled = np.sort(np.abs(y - middle) / wide)
    tail = (1 - MOST) / 2
    low, high = beta.ppf([tail, 1 - tail], k, n + 1 - k)
    return Conformal(float(scaled[k - 1]), level, n, (float(low), float(high)))
