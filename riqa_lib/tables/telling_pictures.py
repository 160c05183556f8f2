"""Which pictures tell most of a row: those that it is most wrong on, and what it is surest of,
rightly and wrongly. Chosen from stored predictions; sentences that read them.

`figures.graded_photographs` draws what is chosen here, `pages.seen_photographs` finds the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..checks import has
from ..stats.metrics import columns_p, expected_grade
from .names import BLIND
from .text import markdown, named, percent

RIGHT, WRONG = "right, and surest of it", "wrong, and surest of it"
UNKNOWN = "surest; nobody knows the true grade"
NOTHING = "No picture is wrong."
ALL_RIGHT, NONE_RIGHT = "every run is right", "no run is right"
DIVIDED = "the runs are divided"


def judged(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions of one run with what they say: said (most probable grade), confidence (its
    probability), expected (mean grade), off (said less truth), right; where truth is unknown (-1)
    the last two mean nothing.

    predictions: id, truth, p0, p1, ..; ValueError where a column is missing or a picture is there
    twice, as it is where several runs are stacked."""
    has(predictions, ["id", "truth"], "predictions")
    if len(twice := predictions["id"][predictions["id"].duplicated()]):
        raise ValueError(
            f"predictions: picture {twice.iloc[0]} is there twice; expected those of one run"
        )
    p = predictions[columns_p(predictions)].to_numpy(float)
    said = p.argmax(axis=1)
    return predictions.assign(
        said=said,
        confidence=p.max(axis=1, initial=0),
        expected=expected_grade(p) if len(p) else [],
        off=said - predictions["truth"],
        right=said == predictions["truth"],
    )


def most_wrong(predictions: pd.DataFrame, count: int = 4) -> pd.DataFrame:
    """The `count` pictures that one run is furthest off on, the worst first: by grades between said
    and true, then by the distance of the expected grade, then by id. Those of unknown truth and
    those that are right are left out, so there may be fewer. predictions: see `judged`."""
    rows = judged(predictions)
    rows = rows[(rows["truth"] >= 0) & ~rows["right"]]
    far = pd.DataFrame(
        {"a": -rows["off"].abs(), "b": -(rows["expected"] - rows["truth"]).abs(), "id": rows["id"]}
    )
    return rows.loc[far.sort_values(["a", "b", "id"]).index[:count]].reset_index(drop=True)


def surest(predictions: pd.DataFrame, count: int = 4) -> pd.DataFrame:
    """What one run is surest of: `count` pictures that are right, then as many that are wrong (with
    a column part: RIGHT, WRONG), the surest first; where no truth is known `count` of them all
    (UNKNOWN). predictions: see `judged`."""
    rows = judged(predictions).sort_values(["confidence", "id"], ascending=[False, True])
    known = rows["truth"] >= 0
    parts = {RIGHT: rows[known & rows["right"]], WRONG: rows[known & ~rows["right"]]}
    if not known.any():
        parts = {UNKNOWN: rows}
    chosen = [part.head(count).assign(part=name) for name, part in parts.items()]
    return pd.concat(chosen, ignore_index=True)


def across_rows(predictions: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """Pictures on which all rows are right, none is, and on which they are most divided: `count` of
    each (column part: ALL_RIGHT, NONE_RIGHT, DIVIDED), as `judged` with the mean probabilities of
    all rows and seeds; note: how many are right. Rows that look at no picture are left out.

    predictions: method, seed, id, truth, p0, p1, .. of the same pictures."""
    has(predictions, ["method", "seed", "id", "truth"], "predictions")
    names = columns_p(predictions)
    looking = predictions[(predictions["truth"] >= 0) & ~predictions["method"].isin(BLIND)]
    right = looking[names].to_numpy(float).argmax(axis=1) == looking["truth"]
    pictures = looking.assign(right_runs=right.astype(int), runs=1).groupby("id")
    means = pictures[["truth", *names]].mean().join(pictures[["right_runs", "runs"]].sum())
    rows = judged(means.reset_index().astype({"truth": int}))
    rows["note"] = [
        f"{r} of {n} runs right" for r, n in zip(rows["right_runs"], rows["runs"], strict=True)
    ]
    share = rows["right_runs"] / rows["runs"]
    by = {
        ALL_RIGHT: (share == 1, -rows["confidence"]),
        NONE_RIGHT: (share == 0, -(rows["expected"] - rows["truth"]).abs()),
        DIVIDED: ((share > 0) & (share < 1), (share - 0.5).abs()),
    }
    parts = []
    for part, (of, first) in by.items():
        keys = pd.DataFrame({"first": first[of], "id": rows.loc[of, "id"]})
        chosen = keys.sort_values(["first", "id"]).index[:count]
        parts.append(rows.loc[chosen].assign(part=part))
    return pd.concat(parts, ignore_index=True)


def how_alike(predictions: pd.DataFrame) -> str:
    """On how many pictures all rows are right, none is, and they are divided. predictions: see
    `across_rows`."""
    names = columns_p(predictions)
    looking = predictions[(predictions["truth"] >= 0) & ~predictions["method"].isin(BLIND)]
    if looking.empty:
        return "No row looks at pictures, or no true grade is known."
    right = looking[names].to_numpy(float).argmax(axis=1) == looking["truth"]
    share = right.groupby(looking["id"]).mean()
    runs = looking.groupby(["method", "seed"]).ngroups
    return (
        f"Of {len(share):,} pictures all {runs} runs are right on {percent((share == 1).mean())}, "
        f"none on {percent((share == 0).mean())}, some on the other "
        f"{percent(((share > 0) & (share < 1)).mean())}: only on these is one run right "
        "where another is wrong."
    )


# ---------------------------------------------------------------- in words
def how_wrong(predictions: pd.DataFrame, row: str, names: Sequence[str] = ()) -> str:
    """How many pictures one run grades rightly, one grade off and more, and how its worst were
    graded; names: of the grades, worst first. predictions: see `judged`; row: its name."""
    rows = judged(predictions)
    rows = rows[rows["truth"] >= 0]
    if rows.empty:
        return "No true grade is known, so nothing is judged."
    far = rows["off"].abs()
    share = [f"{percent((far == 0).mean())} rightly", f"{percent((far == 1).mean())} one grade off"]
    share += [f"{(far > 1).sum()} two or more"]
    worst = most_wrong(predictions, 1)
    told = f"Of {len(rows):,} pictures {row} grades {', '.join(share)}."
    if worst.empty:
        return f"{told} {NOTHING}"
    one = worst.iloc[0]
    high, low = (rows["off"] > 0).mean(), (rows["off"] < 0).mean()
    return (
        f"{told} It is too kind to {percent(high)} and too strict to {percent(low)}. Furthest off: "
        f"grade {named(one['truth'], names)} called {named(one['said'], names)}, with a "
        f"probability of {one['confidence']:.2f}."
    )


def how_sure(predictions: pd.DataFrame, row: str, names: Sequence[str] = ()) -> str:
    """How right one run is on the tenth of the pictures that it is surest of and on the tenth it is
    least sure of, and what it was surest of and wrong; names: of the grades. predictions: see
    `judged`; row: its name."""
    rows = judged(predictions).sort_values(["confidence", "id"], ascending=[False, True])
    if rows.empty:
        return "There is no such picture."
    known = rows[rows["truth"] >= 0]
    if known.empty:
        top = f"{rows['confidence'].iloc[0]:.2f}"
        return f"{row} is at most {top} sure; nobody knows whether it is right."
    tenth = max(1, len(known) // 10)
    first, last = known.head(tenth), known.tail(tenth)
    told = [
        f"{row}: {percent(known['right'].mean())} of {len(known):,} pictures are graded rightly"
    ]
    for words, part in (("surest", first), ("least sure", last)):
        told.append(
            f"of the tenth it is {words} of (mean probability {part['confidence'].mean():.2f}) "
            f"{percent(part['right'].mean())}"
        )
    wrong = known[~known["right"]]
    if wrong.empty:
        return "; ".join(told) + f". {NOTHING}"
    one = wrong.iloc[0]
    worst = f"grade {named(one['truth'], names)} called {named(one['said'], names)}"
    return "; ".join(told) + f". Surest and wrong: {worst}, with {one['confidence']:.2f}."


def show(chosen: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """Chosen pictures as a table: true grade, grade said, its probability, expected grade; without
    their ids, which may be names of files. names: of the grades, worst first."""
    truth = [named(k, names) if k >= 0 else "–" for k in chosen["truth"]]
    said = [named(k, names) for k in chosen["said"]]
    numbers = [[f"{v:.2f}" for v in chosen[column]] for column in ("confidence", "expected")]
    places = [str(k) for k in range(1, len(chosen) + 1)]
    head = ["picture", "true grade", "said", "probability of it", "expected grade"]
    return markdown(head, zip(places, truth, said, *numbers, strict=True)) + "\n"
