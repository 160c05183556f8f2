"""Predictions of fundus runs as they are tracked: enough to make every table of notebooks 16 and 17
again, with its intervals, and small.

Two files: the pictures (set, id, patient, split, what people said), and a line for each row, seed,
set and quantity, which holds that quantity of all pictures of the set in their order, in
ten-thousandths (single defects, whose means alone are shown: in five-hundredths). Kept is what the
tables look at: of the overall grade, on validation and test pictures of the set that a row learns
from, the probability of the worst grade and which grade is the most probable; of the details, on
the sets and splits of `fundus_pairs.HELD_OUT` and on single defects, the probability of good. What
tables read of runs is rounded alike (`rounded`), so that they are the same from either."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from ..scales import DETAILS
from .beside_simple import tells_details
from .fundus_pairs import HELD_OUT, SETS
from .names import set_of_row
from .wide_predictions import STEPS, whole_steps

CLASSES = {"eyeq": 3, "deepdrid": 2}  # of the overall grade


COARSE = 500  # steps of a probability of a single defect; of others: STEPS


PREDICTIONS, PICTURES = "predictions.csv.xz", "pictures.csv.xz"


SAID = "grade"  # quantity: the most probable grade


SINGLE = "single"  # the set of pictures with one defect each, see `own_defect`


# of a picture: what is kept where a set has it
FACTS = ("id", "group", "split", "grade", *DETAILS, "cause", "severity")


# ---------------------------------------------------------------- rounding
def rounded(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions (of `stored.load_fundus`) in whole steps: probabilities of a grade still
    sum to 1, no picture's grade changes, and no detail changes sides at a half."""
    out = predictions.copy()
    names = store.columns_of_p(out)
    if names:
        p = out[names].to_numpy(float, copy=True)
        for classes in np.unique(known := (~np.isnan(p)).sum(axis=1)):
            if classes:
                which = np.flatnonzero(known == classes)
                p[which, :classes] = whole_steps(p[which, :classes]) / STEPS
        out[names] = p
    for d in (f"d_{d}" for d in DETAILS):
        p, steps = out[d].to_numpy(float), np.where(out["set"] == SINGLE, COARSE, STEPS)
        short = np.round(p * steps)
        short += np.where(short * 2 == steps, np.sign(p - 0.5), 0)
        out[d] = short / steps
    return out


def _steps(which: str) -> int:
    return COARSE if which == SINGLE else STEPS


# ---------------------------------------------------------------- written
def packed(
    predictions: pd.DataFrame, frames: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """The tables of both files. predictions: of `stored.load_fundus`; frames: the tables of the
    sets, by name. ValueError for a run that lacks a picture of its set."""
    pictures = {which: _pictures(which, frame) for which, frame in frames.items()}
    lines = [
        {"method": method, "seed": seed, "set": which, "quantity": name, "values": _text(values)}
        for which, mine in pictures.items()
        for (method, seed), part in _kept(predictions, which).groupby(
            ["method", "seed"], sort=False
        )
        for name, values in _quantities(which, mine, part)
    ]
    columns = ["method", "seed", "set", "quantity", "values"]
    # alike beside alike: seeds of one row, which often say the same where no network is trained
    table = pd.DataFrame(lines, columns=columns).sort_values(
        ["set", "quantity", "method", "seed"], kind="stable"
    )
    every = [its.assign(set=which) for which, its in pictures.items()]
    return {PREDICTIONS: table, PICTURES: pd.concat(every, ignore_index=True)}


def _kept(predictions: pd.DataFrame, which: str) -> pd.DataFrame:
    """The predictions on a set of the rows that tables show there: a row that trains no network and
    learns an overall grade says nothing of details there."""
    mine = predictions[predictions["set"] == which]
    if which in SETS:
        return mine[mine["method"].map(set_of_row) == which]
    return mine[mine["method"].map(tells_details)]


def size_of(table: pd.DataFrame) -> int:
    """Bytes that a table takes as it is tracked."""
    return len(lzma.compress(table.to_csv(index=False).encode(), preset=9))


def _pictures(which: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The pictures of a set that are judged, and what is known of them: votes only where the tables
    ask for them."""
    splits = ("val", "test") if which in SETS else HELD_OUT.get(which, ())
    if which in HELD_OUT:
        splits = (*splits, "train", "val")  # the baseline of the overall grade learns from all
    rows = frame[frame["split"].isin(splits)] if splits else frame
    votes = [c for c in frame if c.rpartition("_")[2].isdigit()] if which == "eyeq_d" else []
    return rows[[*(c for c in FACTS if c in frame), *votes]].reset_index(drop=True)


def _quantities(
    which: str, pictures: pd.DataFrame, part: pd.DataFrame
) -> Iterator[tuple[str, np.ndarray]]:
    """What is kept of a run on a set: names and whole numbers in the order of the pictures."""
    judged = _judged(which, pictures)
    part = part.set_index("id")
    if lacking := set(judged["id"]) - set(part.index):
        raise ValueError(f"{which}: no prediction of {', '.join(sorted(lacking)[:3])}")
    part = part.loc[judged["id"]]
    kept = ["p0"] if which in SETS else [f"d_{d}" for d in DETAILS]
    for name in kept:
        yield name, np.round(part[name].to_numpy(float) * _steps(which)).astype(int)
    if which in SETS:
        names = [c for c in store.columns_of_p(part) if part[c].notna().any()]
        yield SAID, part[names].to_numpy(float).argmax(axis=1)


def _judged(which: str, pictures: pd.DataFrame) -> pd.DataFrame:
    """Of the tracked pictures of a set those that runs are judged on."""
    if which not in HELD_OUT:
        return pictures
    return pictures[pictures["split"].isin(HELD_OUT[which])]


def _text(values: np.ndarray) -> str:
    return " ".join(map(str, values.tolist()))


# ---------------------------------------------------------------- read again
def frame(folder: Path, which: str) -> pd.DataFrame:
    """The tracked table of a set: its pictures and what people said. FileNotFoundError where none
    is tracked, KeyError for a set that is not."""
    return _of_set(store.read_table(_there(folder / PICTURES)), which)


def _of_set(table: pd.DataFrame, which: str) -> pd.DataFrame:
    mine = table[table["set"] == which].drop(columns="set").dropna(axis=1, how="all")
    if mine.empty:
        raise KeyError(f"{which}: not among the tracked sets ({', '.join(table['set'].unique())})")
    whole = [c for c in mine if c == "grade" or c in DETAILS or c.rpartition("_")[2].isdigit()]
    return mine.astype(dict.fromkeys(whole, int)).reset_index(drop=True)


def unpacked(folder: Path) -> pd.DataFrame:
    """The tracked predictions, long, as `stored.load_fundus` has them: method, seed, set, id,
    group, split, truth (-1 where the overall grade is not judged), details, d_..., p0...
    ValueError for a damaged file."""
    table = store.read_table(_there(folder / PREDICTIONS))
    every, parts = store.read_table(_there(folder / PICTURES)), []
    for which in every["set"].unique():
        pictures = _of_set(every, which)
        judged = _judged(which, pictures).reset_index(drop=True)
        judged = judged.assign(set=which, truth=judged["grade"] if which in SETS else -1)
        judged = judged.assign(**{d: -1 for d in DETAILS if d not in judged})
        mine = table[table["set"] == which]
        for (method, seed), lines in mine.groupby(["method", "seed"], sort=False):
            values = {
                line["quantity"]: _numbers(line, len(judged)) for line in lines.to_dict("records")
            }
            parts.append(judged.assign(method=method, seed=seed, **_shares(values, which)))
    found = pd.concat(parts, ignore_index=True)
    front = ["method", "seed", "set", "id", "group", "split", "truth"]
    said = [*(f"d_{d}" for d in DETAILS), *sorted(store.columns_of_p(found))]
    return found[[*front, *DETAILS, *said]]


def _shares(values: Mapping[str, np.ndarray], which: str) -> dict[str, np.ndarray]:
    """Columns of probabilities; of the overall grade those beside p0 are made up so that their sum
    and the most probable grade are right."""
    if which not in SETS:
        return {name: steps / _steps(which) for name, steps in values.items()}
    p0, said = values["p0"], values[SAID]
    others = range(1, CLASSES[which])
    rest = STEPS - p0
    shares = {
        f"p{k}": np.where(said == 0, rest / len(others), np.where(said == k, rest, 0)) / STEPS
        for k in others
    }
    return {"p0": p0 / STEPS} | shares | {f"d_{d}": np.full(len(p0), np.nan) for d in DETAILS}


def _numbers(line: Mapping, n: int) -> np.ndarray:
    values = np.array(str(line["values"]).split(), dtype=int)
    if len(values) != n:
        raise ValueError(
            f"{PREDICTIONS}: {line['method']}, seed {line['seed']}, {line['set']}: "
            f"{len(values)} values of {n} pictures"
        )
    return values


def _there(file: Path) -> Path:
    if not file.exists():
        raise FileNotFoundError(
            f"{paths.shown(file)}: not tracked yet; make it with python run_all.py --reference"
        )
    return file
