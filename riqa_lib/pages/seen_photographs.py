"""Photographs with right and wrong predictions, for notebooks: pixels and votes of the pictures
that `tables.telling_pictures` chooses, drawn by `figures.graded_photographs`.

    figure, said = seen_photographs.most_wrong(data, predictions, "supervised")
    figure, said = seen_photographs.surest(data, predictions, "fixmatch")
    figure, said = seen_photographs.across_rows(data, walk["predictions"])

Each returns the figure (None where there is no picture to show) and a sentence that reads it.
predictions: of ONE run (`across_rows`: of several), the part that is meant (test, pool): id, truth
(-1: unknown), p0, p1, ..
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..datasets.data_folder import DataSet
from ..figures.graded_photographs import graded_photographs
from ..pictures import photo_data
from ..stats.votes import vote_columns
from ..tables import telling_pictures
from ..tables.names import name_of
from ..tables.quantities import on_test
from ..tables.text import grade_names

ALL_DEFECTS = 3  # named at a picture; of more, the strongest


def most_wrong(
    data: DataSet, predictions: pd.DataFrame, row: str, count: int = 4
) -> tuple[Figure | None, str]:
    """The `count` pictures that a row is furthest off on, with true grade, prediction and votes.
    row: the key of its name, such as "supervised"."""
    said = telling_pictures.how_wrong(predictions, name_of(row), grade_names(data.info))
    return drawn(data, telling_pictures.most_wrong(predictions, count)), said


def surest(
    data: DataSet, predictions: pd.DataFrame, row: str, count: int = 4
) -> tuple[Figure | None, str]:
    """What a row is surest of: `count` pictures that are right and as many that are wrong (of a
    pool of unknown truth: just the surest). row: the key of its name."""
    said = telling_pictures.how_sure(predictions, name_of(row), grade_names(data.info))
    return drawn(data, telling_pictures.surest(predictions, count)), said


def across_rows(
    data: DataSet, predictions: pd.DataFrame, count: int = 4
) -> tuple[Figure | None, str]:
    """Pictures on which every run is right, none is, and on which they are most divided, with the
    mean probabilities of all runs. predictions: of several runs (method, seed)."""
    said = telling_pictures.how_alike(predictions)
    return drawn(data, telling_pictures.across_rows(predictions, count)), said


def of_walk(name: str, predictions: pd.DataFrame, count: int = 4) -> tuple[Figure | None, str]:
    """`across_rows` of a walk's test predictions; no figure where its pictures are not stored here
    (the tracked reference has numbers only). name: the walk, results/<name>."""
    test = on_test(predictions)
    try:
        data = photo_data.walk_data(name)
    except FileNotFoundError:
        return None, f"{telling_pictures.how_alike(test)} Its pictures are not stored here."
    return across_rows(data, test, count)


def drawn(data: DataSet, chosen: pd.DataFrame) -> Figure | None:
    """The chosen pictures (columns as of `telling_pictures`, by id) as a figure; None where there
    are none. ValueError, naming the first, for a picture that the data set does not have."""
    if chosen.empty:
        return None
    at = places(data, chosen)
    told = data.frame.iloc[at]
    votes = {c: told[c].to_numpy() for c in vote_columns(told) if c in told}
    notes = {}
    if "defects" in told and "note" not in chosen:
        notes = {"note": [_in_words(d) for d in told["defects"]]}
    return graded_photographs(
        np.asarray(data.pixels[at]),
        chosen.assign(**votes, **notes),
        simulated=bool(data.info["simulated"]),
        names=grade_names(data.info),
    )


def places(data: DataSet, chosen: pd.DataFrame) -> np.ndarray:
    """Rows (n,) of the data set, one for each id of `chosen`; ValueError for one it has not."""
    rows = pd.Series(np.arange(len(data.frame)), data.frame["id"])
    if gone := [one for one in chosen["id"] if one not in rows.index]:
        raise ValueError(f"{data.info['name']}: no picture {gone[0]}; {len(gone)} are not there")
    return rows[chosen["id"]].to_numpy()


def _in_words(defects: object) -> str:
    """Simulated defects, the strongest first.

    >>> _in_words("lens3+dark2+noise2+jpeg1"), _in_words("untouched")
    ('lens 3, dark 2, noise 2 …', 'untouched')
    """
    found = re.findall(r"([a-z_]+)(\d+)", str(defects))
    if not found:
        return str(defects)
    by_level = sorted(found, key=lambda one: -int(one[1]))  # stable: ties as they were done
    words = [f"{kind} {level}" for kind, level in by_level]
    more = " …" if len(words) > ALL_DEFECTS else ""
    return ", ".join(words[:ALL_DEFECTS]) + more
