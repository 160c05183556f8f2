"""KRCC and the fitted PLCC with intervals, by the bootstrap that all metrics share.

KRCC is Kendall's tau-b of the resample itself, exactly: with whole weights w (how often a picture
is drawn), s the signs of the differences of what is said, t those of the target,

    tau_b = sum_ij w_i w_j s_ij t_ij / sqrt(sum_ij w_i w_j |s_ij| . sum_ij w_i w_j |t_ij|)

where a picture and its copy are tied in both. Its time goes with the square of the pictures.

PLCC is Pearson's correlation of the score and what is said, mapped by the logistic of
`metrics.plcc_logistic`. The logistic is fitted once, to all pictures of a seed, and held in the
resamples: four numbers from hundreds of pictures, whose own variation the interval leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from .bootstrap import correlation, paired
from .metrics import expected_grade, fitted_logistic, logistic
from .resampling import Bootstrap, Floats, Values, resampled, resamples_of

METRICS = ("krcc", "plcc_logistic")
ROWS = 256  # of the matrix of signs at a time


def correlations(
    predictions: pd.DataFrame, methods: Sequence[str], resamples: int = 1000, seed: int = 0
) -> Bootstrap:
    """METRICS of these methods; the draws are those of `bootstrap.paired_bootstrap` with the same
    number and seed. predictions: as there, and what it raises. nan where one says the same of all
    pictures, or no logistic can be fitted.

    >>> rows = pd.DataFrame({"method": "a", "seed": 0, "id": list("uvwx"), "group": list("uvwx")})
    >>> rows = rows.assign(truth=[0, 1, 1, 0], p0=[0.9, 0.2, 0.6, 0.7], p1=[0.1, 0.8, 0.4, 0.3])
    >>> round(correlations(rows, ["a"], resamples=20).estimate["a", "krcc"], 4)
    0.8165
    """
    data = paired(predictions, methods)

    def measure(weights: Floats) -> Callable[[Floats], Values]:
        w = weights[:, data.cluster]
        untied = pairs(np.abs, data.target, w)

        def of_one(p: Floats) -> Values:
            said = expected_grade(p)
            return {
                "krcc": kendall(said, data.target, w, untied),
                "plcc_logistic": correlation(mapped(said, data.target), data.target, w, None),
            }

        return of_one

    draws = resamples_of(data.clusters, len(data.seeds), resamples, seed)
    return resampled(data, METRICS, measure, draws)


def kendall(x: Floats, y: Floats, w: Floats, untied: Floats | None = None) -> Floats:
    """Tau-b (R,) of x and y (N,) where item i occurs w[r, i] times in resample r: w (R, N); nan
    where one of them is constant in it. untied: `pairs` of |t_ij| of y, where that is known."""
    of_y = pairs(np.abs, y, w) if untied is None else untied
    scale = np.sqrt(pairs(np.abs, x, w) * of_y)
    both = pairs(lambda s, t: s * t, x, w, y)
    return np.divide(both, scale, out=np.full(len(w), np.nan), where=scale > 0)


def pairs(of: Callable[..., np.ndarray], x: Floats, w: Floats, *others: Floats) -> Floats:
    """sum_ij w_i w_j of(s_ij, t_ij, ...), (R,), s the signs of the differences of x (N,), t those
    of the others, w (R, N) whole weights. In float32, which holds these whole sums exactly up to
    16 million pictures drawn."""
    out, short = np.zeros(len(w)), w.astype(np.float32)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        signs = (np.sign(v[rows, None] - v[None]).astype(np.float32) for v in (x, *others))
        out += np.einsum("rn,rn->r", (short @ of(*signs).T).astype(float), w[:, rows])
    return out


def mapped(said: Floats, score: Floats) -> Floats:
    """What is said (N,), mapped by VQEG's 4-parameter logistic that fits the score (N,) best, from
    the start that `metrics.plcc_logistic` has; constant where there is none."""
    if said.min() == said.max() or score.min() == score.max() or len(said) < 5:
        return np.zeros(len(said))
    try:
        return logistic(said, *fitted_logistic(said, score))
    except RuntimeError:
        return np.zeros(len(said))
