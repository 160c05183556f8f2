"""What the confusion matrix of true and said grades tells, with intervals over pictures: shares,
recall and precision of each grade, accuracy, MAE, macro-MAE; and how far a run is from always
saying one grade.

One resample draws the clusters of pictures with replacement and, on its own, the seeds (Efron &
Tibshirani 1993, chapter 13; what that counts: head of `bootstrap`). Clusters with the same matrices
are drawn together, by a multinomial over the different ones: the same distribution, and a pool of
30,000 pictures is as quick as one of 300. A run and a constant answer come from the same draw, so
their difference is paired.

A share of 0 or 1 has no spread in any resample, although new pictures may differ: its interval is
Clopper and Pearson's (Biometrika 1934) over the clusters that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..seeding import rng
from .bootstrap import of_table
from .metrics import grades
from .resampling import Floats, Ints, drawn, interval

ERRORS = ("accuracy", "mae", "macro_mae")


OF_GRADE = ("true", "share", "recall", "precision")  # each with "_" and the grade


TAIL = 0.025  # of an interval of 95 %


@dataclass(frozen=True)
class Confusions:
    """Confusion matrices, true by said, of S seeds of one row on the same pictures.

    whole: of all pictures; resampled: of R resamples; seeds: how often each seed was drawn.
    clusters: how many clusters have each true grade, and how many each said one, by seed."""

    whole: Floats  # (1, S, C, C)
    resampled: Floats  # (R, S, C, C)
    seeds: Ints  # (R, S)
    clusters: dict[str, Floats]  # "all" (), "true" (C,), "said" (S, C)

    def always(self, grade: int) -> Confusions:
        """The same pictures and draws, for one who says `grade` of each. ValueError for a grade
        that there is none of."""
        classes = self.whole.shape[-1]
        if grade not in range(classes):
            raise ValueError(f"constant grade {grade}: expected 0..{classes - 1}")
        answer = np.eye(classes)[grade]
        whole, resampled = (
            table.sum(axis=-1)[..., None] * answer for table in (self.whole, self.resampled)
        )
        said = np.tile(answer * self.clusters["all"], (self.whole.shape[1], 1))
        return Confusions(whole, resampled, self.seeds, self.clusters | {"said": said})

    def interval(self, metric: str) -> tuple[float, float, float]:
        """(mean over seeds, low, high) of a metric, 95 %: one of ERRORS, or of OF_GRADE with the
        grade ("recall_4"). nan where a seed leaves it undefined."""
        estimate = self._estimate(metric)
        found = interval(estimate, self._draws(metric))
        if metric in ("mae", "macro_mae") or estimate not in (0, 1):
            return found
        return estimate, *ends(estimate, self._counted(metric))

    def beyond(self, other: Confusions, metric: str) -> tuple[float, float, float]:
        """(difference, low, high), 95 %, of this less `other`, which stands on the same draws."""
        estimate = self._estimate(metric) - other._estimate(metric)
        return interval(estimate, self._draws(metric) - other._draws(metric))

    def _estimate(self, metric: str) -> float:
        return float(_values(metric, self.whole).mean())

    def _draws(self, metric: str) -> Floats:
        each = _values(metric, self.resampled)
        # a seed that was not drawn is out, also where it is nan
        counted = np.where(self.seeds > 0, each, 0) * self.seeds
        return counted.sum(axis=1) / self.seeds.sum(axis=1)

    def _counted(self, metric: str) -> float:
        """Clusters that a share of 0 or 1 is of; of several seeds, the fewest."""
        kind, _, grade = metric.rpartition("_")
        if kind == "recall":
            return float(self.clusters["true"][int(grade)])
        if kind == "precision":
            return float(self.clusters["said"][:, int(grade)].min())
        return float(self.clusters["all"])


def confusions(
    truth: ArrayLike,
    said: ArrayLike,
    cluster: ArrayLike,
    classes: int,
    resamples: int = 2000,
    seed: int = 0,
) -> Confusions:
    """Confusion matrices of N pictures and S seeds, and of resamples of both.

    truth (N,) and said (S, N): grades 0..classes-1; cluster (N,): any values, the same for
    pictures that belong together. Raises ValueError for other grades or lengths, and for no
    picture.

    >>> found = confusions([4, 4, 4, 1], [[3, 3, 4, 1]], ["a", "b", "c", "d"], classes=5)
    >>> found.interval("accuracy")[0], round(found.interval("recall_4")[0], 3)
    (0.5, 0.333)
    >>> found.beyond(found.always(4), "accuracy")[0]
    -0.25
    """
    t = grades("truth", truth, classes)
    s = np.atleast_2d(np.asarray(said))
    places = np.unique(np.asarray(cluster), return_inverse=True)[1]
    if len(t) == 0 or s.shape[1] != len(t) or len(places) != len(t):
        raise ValueError(
            f"expected the truth, answers and cluster of each picture; found {len(t)}, "
            f"{s.shape[1]} and {len(places)}"
        )
    s = np.stack([grades("said", one, classes) for one in s])
    shape = (int(places.max()) + 1, len(s), classes, classes)
    of_seed = np.arange(len(s))[:, None]
    cells = np.ravel_multi_index(np.broadcast_arrays(places, of_seed, t, s), shape)
    each = np.bincount(cells.ravel(), minlength=np.prod(shape)).reshape(shape)  # of each cluster
    of_cluster = each.reshape(shape[0], -1).astype(float)
    kinds, counts = np.unique(of_cluster, axis=0, return_counts=True)
    generator = rng("confusions", seed)
    times = generator.multinomial(shape[0], counts / shape[0], size=resamples)
    resampled: Floats = (times.astype(float) @ kinds).reshape(-1, *shape[1:])
    return Confusions(
        each.sum(axis=0, dtype=float)[None],
        resampled,
        drawn(generator, len(s), resamples),
        {
            "all": np.asarray(float(shape[0])),
            "true": (each[:, 0].sum(axis=2) > 0).sum(axis=0).astype(float),
            "said": (each.sum(axis=2) > 0).sum(axis=0).astype(float),
        },
    )


def ends(share: float, n: float) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share of n that is 0 or 1; 0..1 where n is 0.

    >>> [round(end, 3) for end in ends(0.0, 50)], [round(end, 3) for end in ends(1.0, 50)]
    ([0.0, 0.071], [0.929, 1.0])
    """
    far = 1 - TAIL ** (1 / n) if n else 1.0
    return (0.0, far) if share == 0 else (1 - far, 1.0)


def _values(metric: str, tables: Floats) -> Floats:
    """A metric of matrices (R, S, C, C) -> (R, S); nan where it is not defined. ValueError for an
    unknown one."""
    count, seeds, classes = tables.shape[:3]
    if metric in ERRORS:
        return of_table(metric, tables.reshape(-1, classes, classes)).reshape(count, seeds)
    kind, _, grade = metric.rpartition("_")
    if kind not in OF_GRADE or grade not in map(str, range(classes)):
        raise ValueError(
            f"unknown metric {metric}; expected {', '.join(ERRORS)}, or "
            f"{', '.join(OF_GRADE)} with _ and a grade 0..{classes - 1}"
        )
    k = int(grade)
    true, said = tables[..., k, :].sum(axis=-1), tables[..., k].sum(axis=-1)
    above, below = {
        "true": (true, tables.sum(axis=(-2, -1))),
        "share": (said, tables.sum(axis=(-2, -1))),
        "recall": (tables[..., k, k], true),
        "precision": (tables[..., k, k], said),
    }[kind]
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
