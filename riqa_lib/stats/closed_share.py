"""How much of a gap is closed: the share r = D1 / D2 of two differences on the same pictures and
seeds, with Fieller's interval.

D1 is what a row gains over its base, D2 what the base would gain with all labels. r is in the
interval where D1 - r D2, itself a mean of paired differences, is not told apart from 0 by its 95 %
interval of crossed components (Fieller, JRSS B 1954, with `crossed` in place of one t). Where the
gap D2 is not decided to be above 0 the share has no meaning, and is nan."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from .crossed import LEAST_SEEDS, crossed
from .paired_tests import NAN


def closed_share(
    gain: ArrayLike, gap: ArrayLike, cluster: ArrayLike | None = None
) -> tuple[float, float, float]:
    """(share, low, high), 95 %: the mean of `gain` over that of `gap`.

    gain, gap: errors of the base less those of the row, and less those with all labels, (S, N) or
    (N,); cluster as `crossed`, whose ValueError for other shapes this raises. All nan where the
    interval of the gap holds 0 or is below it; the ends nan below three seeds.

    >>> gap = np.array([[1, 2, 1, 2, 1, 2], [2, 1, 2, 1, 2, 1], [1, 1, 2, 2, 1, 2.0]])
    >>> [round(end, 2) for end in closed_share(gap / 2 + [0, 0.1, 0, 0, 0, -0.1], gap)]
    [0.5, 0.46, 0.55]
    """
    x, y = np.asarray(gain, dtype=float), np.asarray(gap, dtype=float)
    if x.shape != y.shape:
        raise ValueError(f"gain has shape {x.shape}, gap {y.shape}: expected the same")
    whole = crossed(y, cluster)
    if not whole.interval()[1] > 0:
        return NAN, NAN, NAN
    share = crossed(x, cluster).difference / whole.difference
    if whole.seeds < LEAST_SEEDS:
        return share, NAN, NAN

    def beyond(r: float) -> float:  # above 0 outside the interval
        left = crossed(x - r * y, cluster)
        return abs(left.difference) - left.reach(0.025)

    ends = []
    for side in (-1, 1):
        far = 0.25
        while beyond(share + side * far) < 0:  # ends: the gap's own interval is above 0
            far *= 2
        ends.append(optimize.brentq(beyond, *sorted((share, share + side * far)), xtol=1e-6))
    return float(share), *ends
