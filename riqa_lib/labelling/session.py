"""Grading pictures by hand: which ones, in what order, by whom, and how far two people agree.

Dang et al. graded 359 pictures of KADIS-700k by hand, since KonIQ-10k has almost none of grade 0
and none of grade 4 (by our reading of their Table 1, 149 and 210). Their list is not public; this
makes one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from ..datasets import hand_labels
from ..scales import PHOTO_GRADES
from ..seeding import rng
from ..stats import bootstrap, metrics
from ..stats.metrics import columns_p

LOW_SHARE = 149 / 359  # of the paper's hand labels, by our reading


def candidates(
    pool: pd.DataFrame,
    n: int,
    predictions: pd.DataFrame | None = None,
    low_share: float = LOW_SHARE,
    seed: int = 0,
    done: Collection[str] = (),
) -> pd.DataFrame:
    """The n pictures to grade next, in the order to show them: id, why ("lowest", "highest" or
    "random").

    pool: frame with id. predictions: of a trained model on the pool (id, p0..p4): the low_share of
    the pictures are those most probably of grade 0, the rest those most probably of grade 4,
    shuffled so that nobody can tell which comes next. Without: at random. done: ids left out. The
    same arguments give the same list. Raises ValueError for n < 1, or predictions of none of the
    pool's pictures."""
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1 picture")
    order = rng("candidates", seed)
    left = pool.loc[~pool["id"].isin(list(done)), "id"].sort_values().to_numpy()
    if predictions is None:
        chosen = order.permutation(left)[:n]
        return pd.DataFrame({"id": chosen, "why": "random"})
    names = columns_p(predictions)
    known = predictions[predictions["id"].isin(left)].sort_values("id", kind="stable")
    if known.empty and len(left):
        raise ValueError(
            "predictions: of none of the pool's pictures; were they made on other data?"
        )
    low = known.sort_values(names[0], ascending=False, kind="stable")["id"].to_numpy()[
        : round(low_share * n)
    ]
    rest = known[~known["id"].isin(low)]
    high = rest.sort_values(names[-1], ascending=False, kind="stable")["id"].to_numpy()[
        : n - len(low)
    ]
    both = pd.DataFrame(
        {"id": [*low, *high], "why": ["lowest"] * len(low) + ["highest"] * len(high)}
    )
    return both.iloc[order.permutation(len(both))].reset_index(drop=True)


class Session:
    """One person grading a list of pictures, each grade stored at once; it goes on where the file
    ends.

    ids: in the order to show them. file: see `datasets.hand_labels`. clock: seconds, for the time
    that a grade took."""

    def __init__(
        self,
        ids: Collection[str],
        file: Path | str,
        labeller: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not labeller.strip():
            raise ValueError(
                "labeller is empty: expected a name or initials, so that two people can be compared"
            )
        self.ids, self.file, self.labeller, self.clock = (
            [str(i) for i in ids],
            Path(file),
            labeller.strip(),
            clock,
        )
        known = hand_labels.read(self.file)
        mine = known[known["labeller"] == self.labeller]
        self.graded: dict[str, int] = {
            i: g for i, g in zip(mine["id"], mine["grade"], strict=True) if i in set(self.ids)
        }
        self.skipped: list[str] = []
        self.history: list[str] = [
            i for i in mine["id"] if i in self.graded
        ]  # what undo takes back, last first
        self.shown = clock()

    def current(self) -> str | None:
        """The picture to grade now; the skipped ones come again at the end; None when all are
        graded."""
        left = [i for i in self.ids if i not in self.graded]
        fresh = [i for i in left if i not in self.skipped]
        return next(iter(fresh or sorted(left, key=self.skipped.index)), None)

    def grade(self, value: int) -> None:
        """Store a grade 0..4 for the current picture; ValueError for another one, or where there is
        no picture left."""
        picture = self.current()
        if picture is None:
            raise ValueError("all pictures are graded")
        self._write(picture, value)
        self.graded[picture] = value
        self.history.append(picture)
        if picture in self.skipped:
            self.skipped.remove(picture)

    def skip(self) -> None:
        """Put the current picture at the end of the list; nothing is stored."""
        picture = self.current()
        if picture is not None:
            if picture in self.skipped:
                self.skipped.remove(picture)
            self.skipped.append(picture)
            self.shown = self.clock()

    def undo(self) -> str | None:
        """Take the last grade back; the picture comes again. Its id, or None where there is nothing
        to take back."""
        if not self.history:
            return None
        picture = self.history[-1]
        self._write(picture, "")
        self.history.pop()
        del self.graded[picture]
        return picture

    def _write(self, picture: str, value: int | str) -> None:
        seconds = round(self.clock() - self.shown, 1)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        row: dict[str, object] = {
            "id": picture,
            "grade": value,
            "labeller": self.labeller,
            "seconds": seconds,
            "when": when,
        }
        hand_labels.append(self.file, row)
        self.shown = self.clock()

    @property
    def progress(self) -> tuple[int, int]:
        """(graded, in all)."""
        return len(self.graded), len(self.ids)


def agreement(labels: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """How far each two labellers agree on the pictures that both graded: a, b, pictures, exact
    (share of equal grades), mae and quadratic weighted kappa, these three with 95 % intervals that
    resample pictures (nan below 2 pictures, or where both gave one grade only). labels: from
    `hand_labels.read`."""
    rows = []
    for a, b in combinations(sorted(labels["labeller"].unique()), 2):
        both = _both(labels, a, b)
        row: dict[str, object] = {"a": a, "b": b, "pictures": len(both)}
        for metric, name in (("accuracy", "exact"), ("mae", "mae"), ("qwk", "qwk")):
            three: tuple[float, ...] = (np.nan,) * 3
            if len(both) > 1:
                three = bootstrap.paired_bootstrap(
                    _as_predictions(both), ["b"], [metric], resamples
                ).interval("b", metric)
            elif len(both) == 1 and metric != "qwk":
                three = (getattr(metrics, metric)(both["a"], both["b"]), np.nan, np.nan)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), three, strict=True))
        rows.append(row)
    columns = [
        "a",
        "b",
        "pictures",
        *(f"{n}{e}" for n in ("exact", "mae", "qwk") for e in ("", "_low", "_high")),
    ]
    return pd.DataFrame(rows, columns=columns)


def _both(labels: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    one, two = (labels[labels["labeller"] == who].set_index("id")["grade"] for who in (a, b))
    return pd.concat([one, two], axis=1, keys=["a", "b"], join="inner").reset_index()


def _as_predictions(both: pd.DataFrame) -> pd.DataFrame:
    """b's grades as a sure model's predictions of a's."""
    p = np.eye(len(PHOTO_GRADES))[both["b"].to_numpy(int)]
    frame = pd.DataFrame(
        {
            "method": "b",
            "seed": 0,
            "id": both["id"],
            "group": both["id"],
            "truth": both["a"],
            "score": both["a"],
        }
    )
    return frame.assign(**{f"p{k}": p[:, k] for k in range(p.shape[1])})


def confusion(labels: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Pictures by the grades of two labellers: rows a's, columns b's, 0..4."""
    both, all_ = _both(labels, a, b), range(len(PHOTO_GRADES))
    table = pd.crosstab(both["a"], both["b"]).reindex(index=all_, columns=all_, fill_value=0)
    return table.rename_axis(index=a, columns=b)
