"""Graders that learnt from one data set, asked about another.

What a grader knows of quality, and not of its own data set, is what is left when it is shown other
pictures, of other cameras and defects, scored by other people on another scale.

**Which pictures of the other set.** Its test part, so that what its own graders reach stands
beside; all pictures of a set that only tests (`store_set`). Those that are near-copies of what the
grader learnt from, or was selected by, are left out (`without_copies`).

**How they are shown.** A grader takes pictures of the size that it was trained on, so the other
set's are made at this size, in the one way in which every data set here is stored ("fit" of
pictures.windows): the shorter side is made `size` px, bicubic with antialiasing, and the centre
square is cut out. The aspect ratio is kept; what is finer than the shorter side / size is lost, the
same for all graders of one size. A set that is stored at another size already is brought to this
one alike; where it was smaller this adds no detail, and `Trial.shown` says so. (Of a simulated
world better make the same world at the other size: scenes are drawn, degraded and graded at theirs,
`sim.photo_sets.make_koka10k`.)

**What is compared.** Ranks and linear agreement of expected grade and score (higher is better:
differences to a reference are turned round); an error in grades only where both sets' grades mean
the same (`Trial.grades`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..datasets import catalogue, koka10k
from ..datasets.data_folder import DataSet, data_key, open_dataset
from ..datasets.problems import FolderError
from ..pictures import near_duplicates
from ..pictures.decode import import_frame
from ..pictures.windows import centre
from ..seeding import rng
from .baselines import Floats

Grader = Callable[[np.ndarray], Floats]

# sets of photographs whose scores graders are held against, by their folder below RIQA_DATA
SETS = ("koniq10k", "kadid10k", "tid2008", "tid2013", "live", "csiq", "live_challenge")
FOUND, NOT_FOUND = "found", catalogue.MISSING
BLOCK = 64  # pictures shown at a time
VOTES = "the mode of votes on five levels"  # what grades mean, in the simulated world too
UNLIKE = "their grades mean different things"


# ---------------------------------------------------------------- a set that tests
@dataclass(frozen=True)
class Trial:
    """Pictures of a data set that graders are tested on, at their size.

    frame: id, group, subset ("" where there are none), score (higher is better), grade (-1: none);
    stored: uint8 (M, S, S, 3), on disk, of which `rows` (N,) are the frame's; against: "score", or
    "grade" where a picture has no score; grades: what they mean, "" where it has none; shown: how
    its pictures were made; copies: how many were left out as near-copies, None where nobody
    looked."""

    name: str
    simulated: bool
    frame: pd.DataFrame
    stored: np.ndarray
    rows: np.ndarray
    size: int
    against: str
    grades: str
    shown: str
    copies: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self) -> Iterator[np.ndarray]:
        """The pictures in order, uint8 (at most BLOCK, size, size, 3) at a time."""
        for start in range(0, len(self), BLOCK):
            yield at_size(self.stored[self.rows[start : start + BLOCK]], self.size)

    def pixels(self, places: list[int]) -> np.ndarray:
        """Pictures by their places in the frame: uint8 (n, size, size, 3)."""
        return at_size(self.stored[self.rows[places]], self.size)


def at_size(pixels: np.ndarray, size: int) -> np.ndarray:
    """Square pictures (N, S, S, 3) uint8 at another size, as `windows.centre` makes them; a copy.

    >>> at_size(np.zeros((2, 8, 8, 3), np.uint8), 4).shape
    (2, 4, 4, 3)
    """
    if pixels.shape[1] == size:
        return np.array(pixels)
    return np.stack([centre(Image.fromarray(np.asarray(one)), size) for one in pixels])


def trial_of(data: DataSet, size: int) -> Trial:
    """The test part of a data set, for graders of this size: held against the score where all its
    pictures have one, else its graded pictures against the grade. ValueError where there are
    none."""
    test = data.frame["split"] == "test"
    against = "score" if data.frame.loc[test, "score"].notna().all() else "grade"
    graded = data.frame["grade"] >= 0
    rows = np.flatnonzero(test & (graded if against == "grade" else True))
    if not len(rows):
        raise ValueError(f"{data.info['name']}: no test picture has a grade or a score")
    mine = data.frame.iloc[rows].reset_index(drop=True)
    mine = mine[["id", "group"]].assign(
        subset=_subsets(data, mine), score=mine[against].astype(float), grade=mine["grade"]
    )
    return Trial(
        name=str(data.info["name"]),
        simulated=bool(data.info["simulated"]),
        frame=mine,
        stored=data.pixels,
        rows=rows,
        size=size,
        against=against,
        grades=meaning(data) if graded.iloc[rows].all() else "",
        shown=_shown(data, size),
    )


def _subsets(data: DataSet, rows: pd.DataFrame) -> pd.Series:
    """The source of each row, where sources are subsets; those of the simulated world and of
    KOKA10K tell only who graded a picture."""
    named = rows["source"].fillna("").astype(str)
    who = named.isin([koka10k.EXTRA, koka10k.KONIQ]).any()
    if data.info["simulated"] or who or named.nunique() < 2:
        return pd.Series("", rows.index)
    return named


def meaning(data: DataSet) -> str:
    """What a data set's grades mean: the same words, the same scale."""
    rule = data.info.get("settings", {}).get("rule")
    if data.info["simulated"] or rule == "mode":
        return VOTES
    return f"{data.info['name']}'s own{f', rule {rule}' if rule else ''}"


def _shown(data: DataSet, size: int) -> str:
    stored = int(data.info["size"])
    if stored == size:
        return f"{size} px, as stored"
    more = ", enlarged, which adds no detail" if stored < size else ""
    return f"stored at {stored} px, made {size} px{more}"


# ---------------------------------------------------------------- real sets
def sets_found(root: Path | None) -> pd.DataFrame:
    """One row a set of SETS: key, title, state (FOUND or NOT_FOUND). Whether it can be read is seen
    when it is (`riqa data` says more). root: RIQA_DATA; None: none is there."""
    states = [
        FOUND
        if root is not None and (root / key).is_dir() and any((root / key).iterdir())
        else NOT_FOUND
        for key in SETS
    ]
    titles = [catalogue.SETS[key].about.title for key in SETS]
    return pd.DataFrame({"key": SETS, "title": titles, "state": states})


def store_set(key: str, root: Path, folder: Path, size: int, processes: int = 1) -> DataSet:
    """A set of SETS below root (RIQA_DATA), all its pictures at a size, into a data folder, once;
    all of it is a test part, its score with higher better, its distortion types as sources.

    Pictures that can't be read are left out, and told as `decode` tells. Grades are -1, but of
    KonIQ-10k, whose votes have a mode. Raises as the set's loader: FileNotFoundError, FolderError
    with everything wrong; ValueError for a key that is none of SETS."""
    if key not in SETS:
        raise ValueError(f"{key}: no set that tests graders; expected one of {', '.join(SETS)}")
    one = catalogue.SETS[key]
    frame = one.load(root / key)
    turned = not frame.attrs["higher_is_better"]
    score = frame["score"].to_numpy(float)
    if turned:
        score = frame.attrs["low"] + frame.attrs["high"] - score
    of_type = frame["type"].astype(str) if "type" in frame else ""
    grade = koka10k.grades(frame, "mode") if {*koka10k.VOTES} <= {*frame} else -1
    made = frame[["id", "path", "group"]].assign(
        source=of_type, split="test", grade=grade, score=score
    )
    made.attrs["notes"] = frame.attrs["notes"]
    settings: dict[str, Any] = {"set": key, "score_turned_round": turned}
    if key == "koniq10k":
        settings["rule"] = "mode"
    return open_dataset(
        import_frame(
            made,
            root / key,
            folder,
            size,
            name=one.about.title,
            settings=settings,
            processes=processes,
            bad="skip",
        )
    )


def store_sets(
    root: Path | None, folder: Path, size: int, processes: int = 1
) -> tuple[dict[str, DataSet], pd.DataFrame]:
    """Every set of SETS that is there, each in a folder of its own below `folder`, and the table of
    `sets_found`, in which a set that can't be used has what is wrong with it as its state."""
    table, stored = sets_found(root), {}
    for i, key in enumerate(table["key"]):
        if root is None or table["state"][i] != FOUND:
            continue
        try:
            stored[key] = store_set(key, root, folder / f"{key}-{size}", size, processes)
        except (FolderError, FileNotFoundError) as e:
            table.loc[i, "state"] = f"{catalogue.BROKEN}: {e}"
    return stored, table


# ---------------------------------------------------------------- no picture twice
def without_copies(trial: Trial, learnt: DataSet) -> Trial:
    """Without pictures that are near-copies of one that the graders of `learnt` learnt from or were
    selected by (all its graded pictures but its test part).

    Found by the perceptual hash of `pictures.near_duplicates`, on the stored pixels of both: saved
    anew, made smaller, a little brighter or noisier; not cut or strongly distorted ones, nor those
    nearly without detail. Simulated pictures are not looked at: each scene is drawn from random
    numbers of its own, and of two simulated sets those of the same scene (group) are left out."""
    frame = learnt.frame
    shown = np.flatnonzero((frame["split"] != "test") & (frame["grade"] >= 0))
    if trial.simulated and learnt.info["simulated"]:
        return _kept(trial, trial.frame["group"].isin(frame["group"].iloc[shown]).to_numpy())
    if trial.simulated or learnt.info["simulated"]:
        return trial
    theirs, _ = _bits(learnt.pixels[row] for row in shown)
    mine, comparable = _bits(trial.stored[row] for row in trial.rows)
    asked = np.repeat([False, True], [len(theirs), len(mine)])
    found = near_duplicates.pairs(np.concatenate([theirs, mine]), asked)
    across = found[(found["one"] < len(theirs)) & (found["other"] >= len(theirs))]
    copy = np.zeros(len(mine), bool)
    copy[across["other"].to_numpy() - len(theirs)] = True
    return _kept(trial, copy & comparable)


def _kept(trial: Trial, copy: np.ndarray) -> Trial:
    """Without the pictures (N,) that are copies."""
    return replace(_of(trial, np.flatnonzero(~copy)), copies=int(copy.sum()))


def _of(trial: Trial, places: np.ndarray) -> Trial:
    """The pictures at these places alone."""
    frame = trial.frame.iloc[places].reset_index(drop=True)
    return replace(trial, frame=frame, rows=trial.rows[places])


def at_most(trial: Trial, most: int) -> Trial:
    """So many pictures of a larger set, drawn by chance and always the same; `shown` says so. 0:
    all of them."""
    if not most or len(trial) <= most:
        return trial
    drawn = np.sort(rng("trial", trial.name, most).permutation(len(trial))[:most])
    told = f"{trial.shown}, {most:,} of {len(trial):,} by chance"
    return replace(_of(trial, drawn), shown=told)


def _bits(pictures: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes uint64 (N, 4), and which pictures have one (N,); the others' is 0."""
    said = [near_duplicates.bits_of(Image.fromarray(np.asarray(one))) for one in pictures]
    empty = np.zeros(4, np.uint64)
    bits = np.array([empty if one is None else one for one in said]).reshape(-1, 4)
    return bits, np.array([one is not None for one in said], bool)


# ---------------------------------------------------------------- asked
def ask(grader: Grader, trial: Trial) -> pd.DataFrame:
    """What a grader says: the trial's frame with a column expected. ValueError for a grader that
    doesn't say one finite number a picture."""
    expected = np.concatenate([np.asarray(grader(block), float) for block in trial.blocks()])
    if expected.shape != (len(trial),) or not np.isfinite(expected).all():
        raise ValueError(
            f"{trial.name}: expected one finite grade for each of {len(trial)} pictures, found "
            f"{expected.shape}"
        )
    return trial.frame.assign(expected=expected)


def asked(graders: Mapping[str, Grader], learnt: DataSet, trial: Trial) -> pd.DataFrame:
    """What each grader that learnt from `learnt` says of a tested set: row, trained_on, tested_on,
    and the columns of `ask`."""
    names = {"trained_on": str(learnt.info["name"]), "tested_on": trial.name}
    parts = [ask(one, trial).assign(row=row, **names) for row, one in graders.items()]
    front = ["trained_on", "tested_on", "row"]
    table = pd.concat(parts, ignore_index=True)
    return table[front + [c for c in table if c not in front]]


def facts(learnt: DataSet, trial: Trial) -> dict[str, object]:
    """What is to be known of a pair of sets: their names (trained_on, tested_on), which are
    simulated, size, pictures, against, no_mae (why an error in grades would say nothing, "" where
    grades mean the same), shown, copies (None: not looked for), learnt (key of the data)."""
    ours = meaning(learnt)
    why = "" if ours == trial.grades else f"{UNLIKE}: {ours}; {trial.grades or 'it has none'}"
    return {
        "trained_on": str(learnt.info["name"]),
        "tested_on": trial.name,
        "simulated_trained": bool(learnt.info["simulated"]),
        "simulated_tested": trial.simulated,
        "size": trial.size,
        "pictures": len(trial),
        "against": trial.against,
        "no_mae": why,
        "shown": trial.shown,
        "copies": trial.copies,
        "learnt": data_key(learnt),
    }
