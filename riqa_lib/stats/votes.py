"""Histograms of votes: from votes to a grade, and how far one rater is from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .. import store
from ..scales import VOTES
from .metrics import grades, grouped


# ---------------------------------------------------------------- grades
def equal_width(score: ArrayLike, low: float, high: float, classes: int = 5) -> np.ndarray:
    """Grades 0..classes-1 (N,) of scores (N,) in [low, high]: min(int(classes (s - low) / (high -
    low)), classes - 1).

    A score within 1e-9 of a class's lower edge belongs to that class, so that 1 - 0.8 falls where
    0.2 does."""
    position = classes * (np.asarray(score, dtype=float) - low) / (high - low)
    return np.minimum(np.floor(np.round(position, 9)).astype(int), classes - 1)


def mode_grade(votes: ArrayLike) -> np.ndarray:
    """The class with the most votes (N,), ties to the lower class. votes: (N, classes), counts or
    shares.

    >>> mode_grade([[0, 1, 5, 3, 0], [2, 2, 0, 0, 0]]).tolist()
    [2, 0]
    """
    return np.argmax(np.asarray(votes), axis=1)


def round_mean_grade(votes: ArrayLike) -> np.ndarray:
    """The mean vote, rounded half up (N,), in whole numbers so that ties are exact. votes: (N,
    classes) counts.

    Raises ValueError for counts that are not whole: shares of votes have to be multiplied by their
    total first.

    >>> round_mean_grade([[0, 1, 5, 3, 0], [2, 2, 0, 0, 0]]).tolist()
    [2, 1]
    """
    counts = np.rint(np.asarray(votes, dtype=float)).astype(int)
    if np.abs(counts - np.asarray(votes, dtype=float)).max(initial=0) > 1e-6:
        raise ValueError(
            "round_mean needs whole numbers of votes; for shares of votes declare the column total="
        )
    n = counts.sum(axis=1)
    return (2 * counts @ np.arange(counts.shape[1]) + n) // (2 * n)


def one_rater(frame: pd.DataFrame) -> dict[str, float]:
    """Expected errors of one vote, drawn from a picture's own votes, against its label: keys as the
    errors of `tables.table2.columns_of`, and accuracy. Columns of votes: c1, c2, ..., worst first,
    one a grade.

    frame: labelled pictures; those that nobody voted on (graded by hand) are left out. The vote
    helped to make the label, so this flatters the rater a little (KonIQ: 0.402, and 0.409 against
    the mode of the others). Raises ValueError for missing or negative votes, or none at all.

    >>> votes = pd.DataFrame([[0, 0, 1, 3, 0], [0, 0, 4, 0, 0]], columns=list(VOTES))
    >>> one_rater(votes.assign(grade=[3, 2]))["mae"]
    0.125
    """
    names = vote_columns(frame)
    if said := store.no_column(frame, names):
        raise ValueError(f"votes: {said}")
    votes = frame[names].to_numpy(float)
    bad = np.flatnonzero(~(votes >= 0).all(axis=1))
    if bad.size:
        raise ValueError(
            f"votes: {bad.size} rows have negative votes or gaps, first {frame['id'].iloc[bad[0]]}"
        )
    voted = votes.sum(axis=1) > 0
    if not voted.any():
        raise ValueError("votes: no picture has any")
    classes = len(names)
    votes, truth = votes[voted], grades("grade", frame["grade"], classes)[voted]
    error = (votes * np.abs(np.arange(classes) - truth[:, None])).sum(axis=1) / votes.sum(axis=1)
    each = {f"mae_{k}": (k,) for k in range(classes)}
    sets = {"mae": tuple(range(classes)), **grouped(classes), **each}
    out = {
        m: float(error[np.isin(truth, of)].mean())
        for m, of in sets.items()
        if np.isin(truth, of).any()
    }
    right = votes[np.arange(len(truth)), truth] / votes.sum(axis=1)
    macro = np.mean([error[truth == k].mean() for k in np.unique(truth)])
    return out | {"macro_mae": float(macro), "accuracy": float(right.mean())}


def vote_columns(frame: pd.DataFrame) -> list[str]:
    """Names of the columns of votes, c1 to the last that there is; those of five grades where there
    is none.

    >>> vote_columns(pd.DataFrame(columns=["id", "c1", "c2", "c3"]))
    ['c1', 'c2', 'c3']
    """
    found = [int(c[1:]) for c in map(str, frame) if c[:1] == "c" and c[1:].isdigit()]
    return [f"c{k}" for k in range(1, max(found) + 1)] if max(found, default=0) > 1 else list(VOTES)


def redraw(counts: ArrayLike, rng: np.random.Generator) -> tuple[float, float]:
    """The ceiling: all votes drawn again from each picture's own shares; (share of labels that
    change, their MAE).

    counts: (N, grades), at least one vote a row. KonIQ-10k: (0.062, 0.062)."""
    votes = vote_counts(counts)
    n = votes.sum(axis=1)
    again = rng.multinomial(n, votes / n[:, None]).argmax(axis=1)
    distance = np.abs(again - votes.argmax(axis=1))
    return float((distance > 0).mean()), float(distance.mean())


def vote_counts(counts: ArrayLike, least: int = 1) -> np.ndarray:
    votes = np.asarray(counts)
    if votes.ndim != 2 or votes.shape[1] < 2:
        raise ValueError(f"counts of shape {votes.shape}; expected (N, grades)")
    bad = (
        (votes < 0).any(axis=1)
        | (votes != np.rint(votes)).any(axis=1)
        | (votes.sum(axis=1) < least)
    )
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"row {row}: votes {votes[row].tolist()}; expected counts with a sum of {least} or more"
        )
    return votes.astype(np.int64)
