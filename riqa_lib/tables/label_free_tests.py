"""Tests without labels as tables: all rows and tests with intervals, each distortion by itself, and
the mean grade at each level. From the frame that training.label_free_runs makes.

Every row sees the same pictures. Intervals are over pictures, drawn with their copies
(stats.label_free): they speak of other pictures of the same kind, not of other distortions, and
nothing of seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..checks import columns
from ..seeding import rng
from ..stats import label_free
from ..stats.label_free import Graded
from ..stats.resampling import drawn, percentiles, tails
from .names import name_of
from .text import cell_of, markdown, with_ends

LEVELS = 5
CLOSENESS = {"ssim": 1, "gmsd": -1, "mse": -1}  # and whether more of it is closer
NEEDED = ("row", "picture", "distortion", "name", "level", "counted", "same", "grade", *CLOSENESS)
TITLES = {
    "d": "D: pristine from distorted ↑",
    "l": "L: SRCC with level ↑",
    "p": "P: pairs, one picture ↑",
    "contents": "P: pairs across pictures ↑",
    "steps": "steps that fall ↑",
}
OF_ONE = ("l", "p", "steps")  # the tests that are told of each distortion


# ---------------------------------------------------------------- from the frame
def rows_of(frame: pd.DataFrame) -> list[str]:
    """The rows of a frame, in its order; ValueError for columns that are missing."""
    columns(frame, NEEDED, "levels")
    return [str(row) for row in frame["row"].drop_duplicates()]


def graded_of(frame: pd.DataFrame, row: str) -> tuple[Graded, pd.DataFrame]:
    """What a row says, ready for the tests (all distortions, also those that don't count), and its
    K distortions: distortion, name, counted. ValueError, naming it, where a level of a picture is
    missing or there twice, and for a row that there is not."""
    if row not in (known := rows_of(frame)):
        raise ValueError(f"levels: no row {row!r}; found {', '.join(known)}")
    its = frame[frame["row"] == row].sort_values(["picture", "distortion", "level"], kind="stable")
    pristine, copies = its[its["distortion"] == 0], its[its["distortion"] != 0]
    kinds = copies[["distortion", "name", "counted"]].drop_duplicates().reset_index(drop=True)
    _check_complete(row, pristine, copies, kinds)
    shape = (len(pristine), len(kinds), LEVELS)
    close = np.stack([sign * copies[name].to_numpy(float) for name, sign in CLOSENESS.items()], 1)
    of = label_free.graded(
        pristine["grade"],
        copies["grade"].to_numpy(float).reshape(shape),
        (copies["same"] == copies["level"]).to_numpy().reshape(shape),
        close.reshape(*shape, len(CLOSENESS)),
    )
    return of, kinds


def _check_complete(
    row: str, pristine: pd.DataFrame, copies: pd.DataFrame, kinds: pd.DataFrame
) -> None:
    """ValueError unless every picture has each level of each distortion just once."""
    pictures = pristine["picture"].tolist()
    every = pd.MultiIndex.from_product(
        [pictures, kinds["distortion"], range(1, LEVELS + 1)], names=["picture", "kind", "level"]
    )
    found = pd.MultiIndex.from_frame(copies[["picture", "distortion", "level"]])
    if len(every) != len(found) or len({*pictures}) < len(pictures) or not (every == found).all():
        lacking, more = every.difference(found), found.difference(every)
        raise ValueError(
            f"levels: {row}: expected each of {len(kinds)} distortions at levels 1 to {LEVELS}, "
            f"and the pristine picture, just once of each picture; missing {list(lacking[:3])}, "
            f"more {list(more[:3])}"
        )


# ---------------------------------------------------------------- tables
def every_test(frame: pd.DataFrame, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """A line a row: row, pictures, distortions (that count), each of stats.label_free.TESTS with
    _low and _high, d_random (what D would be if the row knew nothing), pairs (across pictures).
    Only distortions count whose damage must rise with the level (`counted`)."""
    out = []
    for row in rows_of(frame):
        every, kinds = graded_of(frame, row)
        of = _counting(every, kinds)
        told: dict[str, object] = {"row": row, "pictures": len(of.pristine)}
        told["distortions"] = int(kinds["counted"].sum())
        for name in label_free.TESTS:
            told |= with_ends(name, label_free.with_interval(of, name, resamples, seed))
        told["d_random"] = label_free.chance_of_d(of, seed=seed)
        told["pairs"] = int(label_free.content_pairs(of)[0].sum())
        out.append(told)
    return pd.DataFrame(out)


def _counting(every: Graded, kinds: pd.DataFrame) -> Graded:
    counted = kinds["counted"].to_numpy(bool)
    if not counted.any():
        raise ValueError(
            f"levels: none of {', '.join(kinds['name'])} must get worse with its level; "
            "nothing can be tested by them alone"
        )
    return every.only(counted)


def by_distortion(frame: pd.DataFrame, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """A line a row and distortion: row, distortion, name, counted, lists (pictures with two copies
    of their own or more), fall (mean grade of level 1 less that of level 5), and OF_ONE with _low
    and _high; nan where it does not count, or no picture has copies of its own."""
    out = []
    for row in rows_of(frame):
        every, kinds = graded_of(frame, row)
        for k, kind in enumerate(kinds.to_dict("records")):
            of = every.only([k])
            told = {"row": row} | {str(key): value for key, value in kind.items()}
            told["lists"] = int((of.new.sum(axis=2) > 1).sum())
            told["fall"] = float((of.copies[:, 0, 0] - of.copies[:, 0, -1]).mean())
            for name in OF_ONE:
                three = (np.nan,) * 3
                if kind["counted"]:
                    three = label_free.with_interval(of, name, resamples, seed)
                told |= with_ends(name, three)
            out.append(told)
    return pd.DataFrame(out)


def curves(frame: pd.DataFrame, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """A line a row, distortion and level 0 (pristine) to 5: row, distortion, name, counted, level,
    grade (mean over pictures) with _low and _high."""
    out = []
    for row in rows_of(frame):
        of, kinds = graded_of(frame, row)
        first = np.broadcast_to(of.pristine[:, None, None], (*of.copies.shape[:2], 1))
        grades = np.concatenate([first, of.copies], axis=2)
        pictures = len(grades)
        draws = drawn(rng("levels", seed, pictures), pictures, resamples) / pictures
        each = np.einsum("rp,pkl->rkl", draws, grades)
        ends = (
            percentiles(each, tails(0.95)) if pictures > 1 else np.full((2, *each[0].shape), np.nan)
        )
        for k, kind in enumerate(kinds.to_dict("records")):
            for level in range(LEVELS + 1):
                three = (grades[:, k, level].mean(), *ends[:, k, level])
                told = {str(key): value for key, value in kind.items()}
                out.append({"row": row, **told, "level": level, **with_ends("grade", three)})
    return pd.DataFrame(out)


# ---------------------------------------------------------------- as text
def show(table: pd.DataFrame) -> str:
    """`every_test` as Markdown, with what a row that knows nothing would get."""
    head = ["row", *TITLES.values()]
    rows = [
        [name_of(one["row"]), *(cell_of(one, name) for name in TITLES)]
        for one in table.to_dict("records")
    ]
    d = table["d_random"].mean()
    at_random = {"d": d} | label_free.AT_RANDOM
    rows.append(["(at random)", *(cell_of(at_random, name) for name in TITLES)])
    return markdown(head, rows)


def weakest(table: pd.DataFrame, row: str, least: float = 0.5) -> list[str]:
    """Of `by_distortion`: the names of the distortions on which a row's SRCC with the level is
    below `least`, the lowest first."""
    its = table[(table["row"] == row) & table["counted"] & (table["l"] < least)]
    return its.sort_values("l", kind="stable")["name"].tolist()


def subset(frame: pd.DataFrame, distortions: Sequence[int]) -> pd.DataFrame:
    """A frame's pristine pictures and the copies of these distortions alone."""
    return frame[frame["distortion"].isin([0, *distortions])].reset_index(drop=True)
