"""What graders say of pristine pictures and of their distorted copies: the frame that the tests
without labels read (tables.label_free_tests), for any rows side by side.

    frame = levels_graded({"ridge": grader, ...}, pristine.carried(80), Recipe())

row, picture, distortion (0: the pristine picture), name, level, counted, same, ssim, gmsd, mse (all
as pictures.distorted_copies tells them) and grade, what the row says. A copy that is the same
picture as another has its grade, and is not graded twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import bars
from ..pictures.distorted_copies import Copies, Recipe, check_kinds, stream

# pixels (N, S, S, 3) uint8 -> expected grades (N,), higher is better
Grader = Callable[[NDArray[np.uint8]], NDArray[Any]]
DIGITS = 6  # of a grade: what differs by less is no preference


def levels_graded(
    graders: Mapping[str, Grader],
    pictures: Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]],
    recipe: Recipe | None = None,
    *,
    processes: int = 1,
    total: int | None = None,
) -> pd.DataFrame:
    """Every row's grades of every picture, uint8 (S, S, 3), and of all its copies, which are made
    once for all rows and, of many pictures, are never in memory together.

    pictures: by name, or (name, pixels) as they come; total: how many, for the progress bar;
    processes: that make copies. ValueError for no grader or picture, a name twice, distortions
    that there are not, and a grader that answers no finite number for each picture."""
    recipe = Recipe() if recipe is None else recipe
    check_kinds(recipe.kinds)
    if not graders:
        raise ValueError("no grader given")
    named = pictures.items() if isinstance(pictures, Mapping) else pictures
    total = len(pictures) if isinstance(pictures, Mapping) else total
    made = stream(named, recipe, processes)
    parts: dict[str, pd.DataFrame] = {}
    for name, copies in bars.bar(made, total=total, desc="levels", unit="picture"):
        if name in parts:
            raise ValueError(f"two pictures are called {name!r}")
        parts[name] = _of_picture(graders, name, copies)
    if not parts:
        raise ValueError("no pristine picture given")
    return pd.concat(parts.values(), ignore_index=True)


def _of_picture(graders: Mapping[str, Grader], name: str, copies: Copies) -> pd.DataFrame:
    at = copies.table["at"].to_numpy()
    told = copies.table.drop(columns="at")
    parts = []
    for row, grader in graders.items():
        grades = _answered(grader(copies.pixels), len(copies.pixels), row, name)
        part = told.assign(grade=grades[at])
        part.insert(0, "row", row)
        part.insert(1, "picture", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _answered(said: object, pictures: int, row: str, name: str) -> np.ndarray:
    grades = np.asarray(said, float)
    if grades.shape != (pictures,) or not np.isfinite(grades).all():
        raise ValueError(
            f"{row}: of {name} and its copies: expected {pictures} finite grades, shape "
            f"({pictures},); found shape {grades.shape}, "
            f"{int((~np.isfinite(grades)).sum())} not finite"
        )
    return grades.round(DIGITS)
