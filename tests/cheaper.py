"""What tests make little of, where they do not ask about it: trees, resamples, rendered figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from riqa_lib.tables import stored


def few_resamples(patch: pytest.MonkeyPatch) -> None:
    """Intervals of a walk's Table 2 are of 50 resamples."""
    patch.setattr(stored, "table2", partial(stored.table2, resamples=50))


def few_trees(patch: pytest.MonkeyPatch) -> None:
    """A run's forest has 40 trees."""
    from riqa_lib.training import baselines

    patch.setattr(baselines, "Baseline", partial(baselines.Baseline, trees=40))


def unrendered(patch: pytest.MonkeyPatch) -> None:
    """Figures are laid out; what is written of them is the facts that go into the file."""

    def savefig(figure: Figure, file: Path, *, metadata: object, **_: object) -> None:
        Path(file).write_text(str(metadata), encoding="utf-8")

    patch.setattr(Figure, "savefig", savefig)
