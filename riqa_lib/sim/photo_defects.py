"""What can happen to a photograph on its way: defects, struck in a fixed order, ever stronger."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import seeding
from .distortions import distort


class Defect(NamedTuple):
    """A type of sim.distortions, under a short name, and those of its levels that can be seen,
    mildest first.

    onset: 1 for types whose mildest level is already much; in a mixture they set in later."""

    name: str
    kind: int
    levels: tuple[int, ...]
    onset: int = 0


# what can happen to a photograph, in this order, one of each at most
STAGES: tuple[tuple[Defect, ...], ...] = (
    (Defect("blur", 1, (2, 3, 4, 5)), Defect("lens", 2, (2, 3, 4, 5)),
     Defect("motion", 3, (2, 3, 4, 5))),
    (Defect("bright", 16, (1, 2, 3, 4, 5)), Defect("dark", 17, (1, 2, 3, 4, 5)),
     Defect("contrast", 25, (2, 1)), Defect("contrast", 25, (4, 5))),
    (Defect("noise", 11, (1, 2, 3, 4, 5), onset=1),),
    (Defect("pale", 7, (1, 2, 3, 4), onset=1), Defect("vivid", 8, (2, 3, 4, 5))),
    (Defect("jpeg", 10, (1, 2, 3, 4, 5), onset=1),),
)  # fmt: skip

Rung = dict[int, tuple[Defect, int]]  # stage -> (type, level)


def ladder(rng: np.random.Generator, n: int) -> list[Rung]:
    """Defects of n random stages, one rung for each step up of one of them: {stage: (type, level)},
    ever stronger."""
    events = []
    for stage in rng.choice(len(STAGES), n, replace=False).tolist():
        defect = STAGES[stage][rng.integers(len(STAGES[stage]))]
        first, pace = (
            rng.random(),
            rng.uniform(1, 2.5),
        )  # when it sets in, and how fast it gets worse
        events += [
            (pace * (first + defect.onset + i), stage, (defect, level))
            for i, level in enumerate(defect.levels)
        ]
    rungs: list[Rung] = []
    for _, stage, state in sorted(events):
        rungs.append((rungs[-1] if rungs else {}) | {stage: state})
    return rungs


def struck(clean: np.ndarray, rung: Rung, key: object, size: int) -> tuple[np.ndarray, str]:
    """The picture after the defects of a rung, and their names."""
    seen, names = clean, []
    for _, (defect, level) in sorted(rung.items()):
        seen = distort(
            seen, defect.kind, level, seeding.rng("defect", key, defect.kind), scale=size / 200
        )
        names.append(f"{defect.name}{level}")
    return seen, "+".join(names)
