"""Table 1 of Dang et al.: counts of each grade and split, ours and theirs, and what its numbers
imply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..datasets.koka10k import GRADES, HAND, RULES, VOTES, grades
from ..datasets.splits import SPLITS
from .published import published
from .text import named

POOL = "pool"  # the split of pictures whose grade nobody vouches for


# ---------------------------------------------------------------- Table 1, explained
def needed(published: pd.DataFrame, hand: Sequence[int] = HAND) -> np.ndarray:
    """Pictures per grade (5,) that KonIQ-10k must give: Table 1's totals less the hand labels of
    grades 0 and 4.

    published: `published("table1")`."""
    totals = published.groupby("grade")["count"].sum().reindex(range(5), fill_value=0).to_numpy()
    return totals - np.array([hand[0], 0, 0, 0, hand[1]])


def readings(counts: ArrayLike, published: pd.DataFrame) -> pd.DataFrame:
    """What a rule's counts (5,) lack to Table 1's totals, under two readings of how many pictures
    were labelled by hand.

    "text": as the paper says (HAND). "counts": as many in all, but grade 0 grew by hand labels
    alone. One row each: reading, hand 0, hand 4, grade 0..4 (how many pictures of KonIQ-10k must
    join, or leave if negative), l1 (their absolute sum), moved (how many pictures must change their
    grade; NaN where joining and leaving don't balance)."""
    have = np.asarray(counts)
    zeros = int(needed(published, (0, 0))[0] - have[0])
    rows = []
    for name, hand in (("text", HAND), ("counts", (zeros, sum(HAND) - zeros))):
        change = needed(published, hand) - have
        rows.append(
            {"reading": name, "hand 0": hand[0], "hand 4": hand[1]}
            | dict(zip(GRADES, change.tolist(), strict=True))
            | {
                "l1": np.abs(change).sum(),
                "moved": change.clip(0).sum() if change.sum() == 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def rules(frame: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Each rule's counts on the pictures that have votes: columns rule, grade 0..4, as_mode (share
    of pictures with mode's grade), l1 (to `needed`, where the number of pictures is that of
    KonIQ-10k). The first row is what is needed.

    frame: columns c1..c5 and, for equal_width, mos_z; rows without votes are left out."""
    voted = frame[(frame[VOTES].sum(axis=1) > 0).to_numpy()]
    aim, mode = needed(published), grades(voted)
    rows: list[dict[str, object]] = [
        {"rule": "needed", **dict(zip(GRADES, aim, strict=True)), "as_mode": np.nan, "l1": 0}
    ]
    for rule in RULES:
        if rule == "equal_width" and ("mos_z" not in voted or voted["mos_z"].isna().any()):
            continue
        given = grades(voted, rule)
        counts = np.bincount(given, minlength=5)
        row = {
            "rule": rule,
            **dict(zip(GRADES, counts, strict=True)),
            "as_mode": float((given == mode).mean()),
        }
        rows.append(row | {"l1": np.abs(counts - aim).sum() if len(voted) == aim.sum() else np.nan})
    return pd.DataFrame(rows)


def explained(frame: pd.DataFrame, published: pd.DataFrame) -> str:
    """Why these counts and Table 1 differ, in words made from them (markdown). frame: as `rules`
    takes it."""
    aim = needed(published)
    voted = frame[(frame[VOTES].sum(axis=1) > 0).to_numpy()]
    have = np.bincount(grades(voted), minlength=5)
    first = (
        f"Table 1's totals less the {HAND[0]} + {HAND[1]} hand labels that the paper names leave "
        f"{_slashed(aim)} for KonIQ-10k's pictures; the mode of the votes gives {_slashed(have)} "
        "here."
    )
    if have.sum() != aim.sum():
        return f"{first} {_in_shares(have, aim)}"
    exact = ", ".join(str(k) for k in np.flatnonzero(have == aim)) or "none"
    lines = [_reading(row) for row in readings(have, published).to_dict("records")]
    last = (
        "Which pictures these are the paper does not say; they are given in the table of hand "
        "labels."
    )
    head = f"{first} Grades that match to the unit: {exact}."
    return "\n".join([head, "", *lines, "", last])


def _in_shares(have: np.ndarray, aim: np.ndarray) -> str:
    """Two counts (5,) of other numbers of pictures."""
    ours, theirs = (100 * n / n.sum() for n in (have, aim))
    apart = np.abs(theirs - ours)
    most = int(apart.argmax())
    return (
        f"With {have.sum()} voted pictures in place of {aim.sum()} only the shares compare: "
        f"{_slashed(theirs, 1)} % and {_slashed(ours, 1)} %, at most {apart[most]:.1f} points "
        f"apart (grade {most})."
    )


READING = {"text": "as the text says", "counts": "as many in all, as the counts suggest"}


def _reading(row: Mapping) -> str:
    """A row of `readings` as a line."""
    head = f"- With {row['hand 0']} + {row['hand 4']} hand labels ({READING[row['reading']]}): "
    if min(row["hand 0"], row["hand 4"]) < 0:
        return f"{head}the totals do not fit (L1 {row['l1']})."
    if not row["l1"]:
        return f"{head}all counts fit."
    change = [int(row[g]) for g in GRADES]
    leave = ", ".join(f"{-n} of grade {k}" for k, n in enumerate(change) if n < 0)
    join = ", ".join(f"{n} to grade {k}" for k, n in enumerate(change) if n > 0)
    changed = f"{leave} must have been changed, {join}"
    return f"{head}{changed}: {row['moved']:.0f} pictures (L1 {row['l1']})."


def _slashed(numbers: ArrayLike, decimals: int = 0) -> str:
    return "/".join(f"{n:.{decimals}f}" for n in np.asarray(numbers))


# ---------------------------------------------------------------- what a data set says by itself
def graded(frame: pd.DataFrame) -> pd.DataFrame:
    """The pictures whose grade is known to training or to the test: those with a grade that are not
    of the pool. Whatever a row of the pool is given, nobody says that it is right."""
    return frame[(frame["grade"] >= 0) & (frame["split"] != POOL)]


def class_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Pictures per source, split and grade: columns source, split, grade, count, known.

    known is "label", or "truth" for unlabelled pictures of a simulation (column true_grade), else
    "none" (grade -1). Those of `graded` have a label."""
    labelled = frame.index.isin(graded(frame).index)
    table = frame[["source", "split", "grade"]].assign(
        known=np.where(labelled, "label", "none"), grade=frame["grade"].where(labelled, -1)
    )
    if "true_grade" in frame:
        hidden = ~labelled & (frame["true_grade"] >= 0)
        table.loc[hidden, "grade"] = frame.loc[hidden, "true_grade"]
        table.loc[hidden, "known"] = "truth"
    out = table.groupby(["source", "split", "grade", "known"]).size().rename("count").reset_index()
    return out[["source", "split", "grade", "count", "known"]]


def per_split(counts: pd.DataFrame) -> pd.DataFrame:
    """Pictures per grade (index) and split, of known grades; a split without any has no column.

    counts: from `class_counts`."""
    known = counts[counts["known"] != "none"].pivot_table(
        index="grade", columns="split", values="count", aggfunc="sum", fill_value=0
    )
    return known[[s for s in SPLITS if s in known]]


def table1(counts: pd.DataFrame) -> pd.DataFrame:
    """Table 1 of Dang et al. beside ours: one row per grade, ours and the paper's counts per split,
    the pool's in ours.

    counts: from `class_counts`."""
    paper = published("table1").pivot_table(
        index="grade", columns="split", values="count", aggfunc="sum"
    )
    both = (
        per_split(counts)
        .add_suffix(", ours")
        .join(paper[["train", "val", "test"]].add_suffix(", paper"), how="outer")
    )
    return both.fillna(0).astype(int).reset_index()


def own_counts(counts: pd.DataFrame, names: Sequence[str] = ()) -> pd.DataFrame:
    """`class_counts` to be read: one row per grade, worst first, then "no label" where there are
    such pictures; columns grade, then the splits. names: of the grades, worst first
    (`text.grade_names`); without them the rows go up to the best grade that is there.

    >>> frame = pd.DataFrame({"source": "", "split": ["train", "pool"], "grade": [1, -1]})
    >>> own_counts(class_counts(frame), ["bad", "good"])
    split     grade  train  pool
    0       0 (bad)      0     0
    1      1 (good)      1     0
    2      no label      0     1
    """
    wide = _wide(counts, ["split"], names).T
    return wide[[s for s in SPLITS if s in wide]].rename_axis("grade").reset_index()


def per_source(counts: pd.DataFrame, names: Sequence[str] = ()) -> pd.DataFrame:
    """`class_counts` as rows of source and split, with a column a grade, worst first, then "no
    label". names: as of `own_counts`."""
    return _wide(counts, ["source", "split"], names)


def _wide(counts: pd.DataFrame, rows: list[str], names: Sequence[str]) -> pd.DataFrame:
    """Pictures by these columns of `class_counts` (index) and grade, in words."""
    wide = counts.pivot_table(
        index=rows, columns="grade", values="count", aggfunc="sum", fill_value=0
    )
    unlabelled = [-1] if -1 in wide else []
    every = [*range(len(names) or wide.columns.max() + 1), *unlabelled]
    wide = wide.reindex(columns=every, fill_value=0).astype(int)
    return wide.rename(columns=lambda k: "no label" if k < 0 else named(k, names))
