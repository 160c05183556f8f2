"""Variables of MATLAB's .mat files, in which older sets keep names and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from .problems import Problem


def vector(file: Path, key: str, n: int, problems: list[Problem]) -> np.ndarray:
    """A variable of a .mat file as (n,), a row or a column there; what is wrong with it (no .mat
    file, no such variable, another length) is added to problems, and the vector is empty then."""
    try:
        found = loadmat(file)
    except Exception as e:  # scipy raises many kinds for broken files
        unreadable = Problem("unreadable .mat file", 0, file.name, str(e))
        if unreadable not in problems:  # all variables of a file say so
            problems.append(unreadable)
        return np.array([])
    if key not in found or np.size(found[key]) != n:
        what = f"{np.size(found[key])} values" if key in found else "not there"
        problems.append(
            Problem("wrong variable", 0, f"{file.name}: {key}", f"{what}, expected {n} values")
        )
        return np.array([])
    return np.ravel(found[key])


def text_of(cell: Any) -> str:
    """The text in a cell of a cell array, "" where it is empty.

    >>> text_of(np.array(["a.bmp"])), text_of(np.array([]))
    ('a.bmp', '')
    """
    return str(np.ravel(cell)[0]).strip() if np.size(cell) else ""
