"""riqa: image quality from few labels, reproducibly."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

__version__ = "0.1.0"


def score(
    paths: str | Path | Iterable[str | Path], run: str | Path | None = None, **settings: Any
) -> pd.DataFrame:
    """Score photographs with a trained run: a table with a row for every file, on the scale of the
    scores that the run learnt from. All about it: riqa_lib.assess.photo_scoring.score.

    >>> score(["no such folder"])
    Traceback (most recent call last):
    FileNotFoundError: no such folder: no such file or folder
    """
    # by name, since what the package itself imports is imported by all that is in it
    door = importlib.import_module("riqa_lib.assess.photo_scoring")
    return door.score(paths, run, **settings)
