"""Which pictures to grade by hand, and in what order."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from ..seeding import rng
from ..stats.metrics import columns_p

LOW_SHARE = 149 / 359  # of the paper's hand labels, by our reading
WAYS = ("random", "ends", "entropy", "margin")


def candidates(
    pool: pd.DataFrame,
    n: int,
    predictions: pd.DataFrame | None = None,
    low_share: float = LOW_SHARE,
    seed: int = 0,
    done: Collection[str] = (),
    by: str = "ends",
) -> pd.DataFrame:
    """The n pictures to grade next, in the order to show them: id, why.

    pool: frame with id. predictions: of a trained model on the pool (id, p0, p1, ...); without them
    the pictures come at random. by: how predictions choose; why says it:
        ends     "lowest", "highest": the low_share of the pictures are those most probably of the
                 worst grade, the rest those most probably of the best one
        entropy  "uncertain": the largest entropy of the probabilities
        margin   "uncertain": the least lead of the first grade over the second
        random   "random": predictions are not asked
    The chosen are shuffled, so that nobody can tell which comes next. What a model chose is no
    sample of the pool: measure on pictures that came at random. done: ids left out. The same
    arguments give the same list. Raises ValueError for n < 1, an unknown way, or predictions of
    none of the pool's pictures. Pictures without probabilities (NaN) are not chosen by them.

    Source of the two ways: Settles, Active Learning Literature Survey, 2009, section 3.1.

    >>> said = pd.DataFrame({"id": ["a", "b"], "p0": [0.9, 0.5], "p1": [0.1, 0.5]})
    >>> candidates(said[["id"]], 1, said, by="entropy").to_dict("records")
    [{'id': 'b', 'why': 'uncertain'}]
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1 picture")
    if by not in WAYS:
        raise ValueError(f"by = {by!r}: expected one of {', '.join(WAYS)}")
    order = rng("candidates", seed)
    left = pool.loc[~pool["id"].isin(list(done)), "id"].sort_values().to_numpy()
    if predictions is None or by == "random":
        return pd.DataFrame({"id": order.permutation(left)[:n], "why": "random"})
    names = columns_p(predictions)
    known = predictions[predictions["id"].isin(left)].dropna(subset=names)
    if known.empty and len(left):
        raise ValueError(
            "predictions: of none of the pool's pictures; were they made on other data?"
        )
    known = known.sort_values("id", kind="stable")
    p = known[names].to_numpy(float)
    chosen = _ends(known["id"], p, n, low_share) if by == "ends" else _unsure(known["id"], p, n, by)
    return chosen.iloc[order.permutation(len(chosen))].reset_index(drop=True)


def _ends(ids: pd.Series, p: np.ndarray, n: int, low_share: float) -> pd.DataFrame:
    """The most probably worst and, of the rest, the most probably best. ids (N,), p (N, C)."""
    worst, best = (np.argsort(-p[:, k], kind="stable") for k in (0, -1))
    low = worst[: round(low_share * n)]
    high = best[~np.isin(best, low)][: n - len(low)]
    why = ["lowest"] * len(low) + ["highest"] * len(high)
    return pd.DataFrame({"id": ids.to_numpy()[[*low, *high]], "why": why})


def _unsure(ids: pd.Series, p: np.ndarray, n: int, by: str) -> pd.DataFrame:
    """The n least certain. ids (N,), p (N, C)."""
    doubt = entropy(p) if by == "entropy" else -lead(p)
    first = np.argsort(-doubt, kind="stable")[:n]
    return pd.DataFrame({"id": ids.to_numpy()[first], "why": "uncertain"})


def entropy(p: np.ndarray) -> np.ndarray:
    """Entropy of probabilities (N, C) in nats (N,), 0 to ln C.

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
    [0.0, 0.693]
    """
    return (p * -np.log(np.where(p > 0, p, 1.0))).sum(axis=1)


def lead(p: np.ndarray) -> np.ndarray:
    """How far the most probable grade leads over the next (N,), 0 to 1. p: (N, C), C >= 2.

    >>> lead(np.array([[0.7, 0.1, 0.2], [0.5, 0.5, 0.0]])).round(3).tolist()
    [0.5, 0.0]
    """
    two = np.sort(p, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def of_scores(scores: pd.DataFrame, root: Path | str) -> pd.DataFrame:
    """What `riqa_lib.score` said of a folder's pictures, as predictions: id (path below root, with
    /), p0, p1, ...; unreadable ones are left out. scores: columns file, p_<grade>, worst first."""
    grades = [name for name in scores if str(name).startswith("p_")]
    found = scores.dropna(subset=grades)
    top = Path(paths.typed(root))
    ids = [Path(os.path.relpath(paths.typed(file), top)).as_posix() for file in found["file"]]
    p = found[grades].set_axis([f"p{k}" for k in range(len(grades))], axis=1)
    return p.assign(id=ids).reset_index(drop=True)


def listed(file: Path | str) -> pd.DataFrame:
    """The list of `kept` so far: id, why; empty where there is none. ValueError for another file of
    that name."""
    if not Path(file).exists():
        return pd.DataFrame({"id": [], "why": []}, dtype=str)
    old = store.read_table(file)
    if list(old) != ["id", "why"]:
        raise ValueError(
            f"{paths.shown(file)}: expected columns id, why; found {', '.join(map(str, old))}"
        )
    return old


def kept(
    file: Path | str,
    pool: pd.DataFrame,
    n: int,
    predictions: pd.DataFrame | None = None,
    by: str = "ends",
    seed: int = 0,
) -> pd.DataFrame:
    """`candidates` as a list on disk (columns id, why) that only grows: all labellers, today and
    next week, get the same pictures in the same order, whatever the model says meanwhile.

    n: length that the list should have; what is there already stays in front, more is chosen by
    today's predictions, of the rest of the pool. Pictures that are no longer in the pool are left
    out of what is returned. Raises as `candidates`; ValueError for another file of that name."""
    old = listed(file)
    both, missing = old, n - len(old)
    if missing > 0 or not len(old):
        more = candidates(pool, missing, predictions, seed=seed, done=set(old["id"]), by=by)
        both = pd.concat([old, more], ignore_index=True)
        if len(more):
            store.write_table(file, both)
    return both[both["id"].isin(pool["id"])].head(n).reset_index(drop=True)
