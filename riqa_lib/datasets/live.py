"""LIVE image quality, release 2 (Sheikh, Sabir and Bovik, IEEE TIP 15, 2006): 779 distorted
pictures of 29 references.

dmos.mat and dmos_realigned.mat list 982 pictures, folder by folder (FOLDERS, img1.bmp, img2.bmp
...); those with orgs = 1 are copies of references and are dropped. Scores are differences to the
reference: LOWER IS BETTER, and they stay so here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from .about import About, find, finished, listing, need_file, need_folder, others
from .mat_files import text_of, vector
from .problems import FolderError, Problem

FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
N = sum(FOLDERS.values())

ABOUT = About(
    key="live",
    title="LIVE IQA release 2",
    used_for="tests of a model on synthetic distortions",
    licence="free to use, copy, modify and distribute for any purpose, notice kept",
    where="https://live.ece.utexas.edu/research/Quality/subjective.htm",
    layout="""
dmos_realigned.mat    (dmos_new, orgs), preferred; or dmos.mat (dmos, orgs)
refnames_all.mat      (refnames_all)
jp2k/img1.bmp         and jpeg/, wn/, gblur/, fastfading/
refimgs/<name>.bmp
""",
    counts={"pictures": 779, "references": 29},
)


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Sizes under the names of ABOUT.counts."""
    return {"pictures": len(frame), "references": frame["group"].nunique()}


def load(root: Path | str, pictures: bool = True, realigned: bool | None = None) -> pd.DataFrame:
    """One row a distorted picture: id (folder/file), path, group (name of the reference), score
    (DMOS, lower is better), type (folder).

    realigned: take dmos_realigned.mat (True), dmos.mat (False), or the first of them that is there
    (None). pictures=False reads the .mat files alone; else pictures that are not there are left
    out, and told. Raises FileNotFoundError without folder or table; FolderError with everything
    wrong: among it another length than 982, since the pictures' order is known for that one
    only."""
    root = need_folder(root, ABOUT)
    if realigned is None:
        realigned = "dmos_realigned.mat" in listing(root)
    file = need_file(root, "dmos_realigned.mat" if realigned else "dmos.mat")
    score, orgs, group = _tables(root, file, "dmos_new" if realigned else "dmos")
    where = [(folder, f"img{k}.bmp") for folder, n in FOLDERS.items() for k in range(1, n + 1)]
    frame = pd.DataFrame(
        {
            "id": [f"{folder}/{name}" for folder, name in where],
            "group": group,
            "score": score,
            "type": [folder for folder, _ in where],
        }
    )
    kept = orgs != 1  # the others are copies of references
    problems = _wrong_cells(frame, orgs, kept)
    path, missing, notes = _pictures(root, frame["type"].to_numpy(), kept, pictures)
    frame = frame[kept].reset_index(drop=True)
    frame.insert(1, "path", path)
    notes.append(
        Problem("scores", 0, file.name, "realigned" if realigned else "as first published")
    )
    return finished(
        root,
        frame,
        ABOUT,
        problems,
        notes,
        missing,
        low=-2.64 if realigned else 0.0,
        high=111.77 if realigned else 100.0,
        higher_is_better=False,
    )


def _tables(root: Path, file: Path, variable: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores (N,), orgs (N,) and the reference's name of each of the N pictures."""
    names_file = need_file(root, "refnames_all.mat")
    problems: list[Problem] = []
    score = vector(file, variable, N, problems)
    orgs = vector(file, "orgs", N, problems)
    cells = vector(names_file, "refnames_all", N, problems)
    if problems:
        raise FolderError(paths.shown(root), problems)
    try:
        score, orgs = score.astype(float), orgs.astype(float)
    except ValueError as e:
        raise FolderError(paths.shown(file), [Problem("not numbers", 0, file.name, str(e))]) from e
    return score, orgs, [text_of(c) for c in cells]


def _wrong_cells(frame: pd.DataFrame, orgs: np.ndarray, kept: np.ndarray) -> list[Problem]:
    score = frame["score"].to_numpy()
    problems = [
        Problem("bad orgs", int(i) + 1, frame["id"][i], f"{orgs[i]:g}, expected 0 or 1")
        for i in np.flatnonzero((orgs != 0) & (orgs != 1))
    ]
    bad = kept & ~((score > -20) & (score < 130))
    problems += [
        Problem("bad dmos", int(i) + 1, frame["id"][i], f"{score[i]:g}, expected about 0 to 100")
        for i in np.flatnonzero(bad)
    ]
    return problems + [
        Problem("no reference name", int(i) + 1, frame["id"][i])
        for i in np.flatnonzero(kept & (frame["group"] == "").to_numpy())
    ]


def _pictures(
    root: Path, folders: np.ndarray, kept: np.ndarray, pictures: bool
) -> tuple[list[str], list[Problem], list[Problem]]:
    """Paths of the kept pictures, missing ones, and notes on other files; folders (N,): that of
    each."""
    path, problems, notes = [], [], []
    for folder, n in FOLDERS.items():
        mine = np.flatnonzero(kept & (folders == folder))
        first = int((folders == folder).argmax())
        names = [f"img{i - first + 1}.bmp" for i in mine]
        found, missing, _ = find(root, folder, names, (mine + 1).tolist(), pictures)
        path += found
        problems += missing
        known = {f"img{k}.bmp" for k in range(1, n + 1)} | {"info.txt"}
        if pictures:
            there = listing(root / listing(root).get(folder, folder)).keys()
            notes += others(f"{folder}/", len(there - known))
    return path, problems, notes
