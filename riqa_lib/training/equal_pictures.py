"""How many steps show a network as many pictures as another method sees: the control of equal
compute. A method with a pool sees each labelled picture and several views of `mu` others a step; a
supervised network with as many steps sees a fraction of that."""

from __future__ import annotations

from ..ssl.base import Method
from .optimisation import TrainConfig


def views_a_step(kind: type[Method], c: TrainConfig) -> int:
    """Views of pictures in a step's batch, as loop.batch_of makes it: each counts, whether the
    network or its running average sees it."""
    labelled = c.batch * (1 + kind.labelled_strong)
    return labelled + c.batch * c.mu * len(kind.unlabelled_views)


def steps_as(c: TrainConfig, mine: type[Method], other: type[Method]) -> int:
    """The steps in which `mine` sees as many pictures as `other` in c.steps.

    Batch and looks at validation stay; warm-up and cosine, shares of the steps, grow with them.

    >>> from riqa_lib.ssl.fixmatch import FixMatch
    >>> from riqa_lib.ssl.supervised import Supervised
    >>> steps_as(TrainConfig(steps=300, mu=2), Supervised, FixMatch)  # 1 view of x, 2 of each u
    1500
    """
    return round(c.steps * views_a_step(other, c) / views_a_step(mine, c))
