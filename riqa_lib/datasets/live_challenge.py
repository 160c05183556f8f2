"""LIVE In the Wild Image Quality Challenge (Ghadiyaram and Bovik, IEEE TIP 25(1), 2016), "LIVE
Challenge" or CLIVE: 1,162 photographs of phones as they were taken, rated on 0 to 100 by about 175
people each.

The tables list 1,169 pictures. The first seven are those that raters were trained on, lie in a
folder of their own and have no score that counts: they are dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from .about import About, doubled, find, finished, listing, need_file, need_folder
from .mat_files import text_of, vector
from .misplaced import hint
from .problems import FolderError, Problem

LISTED, TRAINING = 1169, 7
FIRST = 1  # the number in the .mat files, from 1 on, of the first cell: what messages call a row
NAMES, SCORES, SPREADS = "AllImages_release", "AllMOS_release", "AllStdDev_release"
TABLES, PICTURES = "Data", "Images"

ABOUT = About(
    key="live_challenge",
    title="LIVE In the Wild Challenge",
    used_for="tests of a model on photographs of phones",
    licence="free to use, copy, modify and distribute for any purpose, notice kept",
    where="https://live.ece.utexas.edu/research/ChallengeDB/index.html",
    layout="""
Data/AllImages_release.mat     and AllMOS_release.mat, AllStdDev_release.mat
Images/<name>.bmp              or .jpg
Images/trainingImages/         of seven pictures; not used
""",
    counts={"pictures": LISTED - TRAINING},
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame)}


def load(root: Path | str, pictures: bool = True) -> pd.DataFrame:
    """One row a photograph: id (name of its file), path, group (= id), score (mean opinion, 0 to
    100, higher is better; the published ones are 3.42 to 92.43), sd (of the raters). pictures=False
    reads the .mat files alone; else pictures that are not there are left out, and told.

    Raises FileNotFoundError without folder or table; FolderError with everything wrong: among it
    another length than 1,169, since which picture a score belongs to is known for that one only."""
    root = need_folder(root, ABOUT)
    where = listing(root).get(TABLES.lower())
    if where is None:
        raise FileNotFoundError(
            f"{paths.shown(root / TABLES)}: no such folder, with {NAMES}.mat{hint(root, TABLES)}"
        )
    names, score, sd = _tables(root, root / where)
    rows = np.arange(LISTED) + FIRST
    kept = rows >= TRAINING + FIRST
    problems = doubled(names[kept], rows[kept].tolist())
    problems += _outside("bad MOS", names, score, kept, 100.0)
    problems += _outside("bad standard deviation", names, sd, kept, np.inf)
    frame = pd.DataFrame({"id": names, "group": names, "score": score, "sd": sd})[kept]
    frame = frame.reset_index(drop=True)
    path, missing, notes = find(
        root,
        PICTURES,
        frame["id"].tolist(),
        rows[kept].tolist(),
        pictures,
        ["trainingImages", *names[~kept]],
    )
    frame.insert(1, "path", path)
    notes.append(Problem("training pictures, left out", 0, "", ", ".join(names[~kept])))
    return finished(
        root,
        frame,
        ABOUT,
        problems,
        notes,
        missing,
        low=0.0,
        high=100.0,
        higher_is_better=True,
    )


def _tables(root: Path, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, scores and standard deviations of the LISTED pictures, each (LISTED,)."""
    problems: list[Problem] = []
    cells, score, sd = (
        vector(need_file(folder, f"{key}.mat"), key, LISTED, problems)
        for key in (NAMES, SCORES, SPREADS)
    )
    for key, values in ((SCORES, score), (SPREADS, sd)):
        if values.dtype.kind not in "fiu":
            problems.append(Problem("not numbers", 0, f"{key}.mat", f"found {values.dtype}"))
    if problems:
        raise FolderError(paths.shown(root), problems)
    names = np.array([text_of(cell) for cell in cells], dtype=object)
    return names, score.astype(float), sd.astype(float)


def _outside(
    kind: str, names: np.ndarray, values: np.ndarray, kept: np.ndarray, high: float
) -> list[Problem]:
    """Kept values that are not in 0..high (nan is not)."""
    expected = "expected 0 or more" if np.isinf(high) else f"expected 0 to {high:g}"
    return [
        Problem(kind, int(i) + FIRST, names[i], f"{values[i]:g}, {expected}")
        for i in np.flatnonzero(kept & ~((values >= 0) & (values <= high)))
    ]
