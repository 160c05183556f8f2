"""Which fundus photographs tell most of what a row says of three details beside people's word on
them; chosen from stored predictions, with a sentence that reads them.

`figures.called_details` draws what is chosen here, `pages.seen_fundus` finds the pixels."""

from __future__ import annotations

import pandas as pd

from ..checks import has
from ..scales import DETAILS
from .names import BAD, row_name
from .text import percent

RIGHT, WRONG = "all three details as people say, and surest", "most details otherwise, and surest"


def judged(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions of one run on one set, of those pictures whose three details people know: with
    right_<detail>, right (how many of three), and sure (mean distance of the probabilities from
    1/2, of those that are wrong where any is).

    predictions: id, DETAILS (people's: 0 bad, 1 good, -1 unknown), d_<detail> (probability of
    good). ValueError where a column is missing or a picture is there twice, as it is where several
    runs are stacked."""
    has(predictions, ["id", *DETAILS, *(f"d_{d}" for d in DETAILS)], "predictions")
    if len(twice := predictions["id"][predictions["id"].duplicated()]):
        raise ValueError(
            f"predictions: picture {twice.iloc[0]} is there twice; expected those of one run"
        )
    known = predictions[(predictions[list(DETAILS)] >= 0).all(axis=1)].reset_index(drop=True)
    said = known[[f"d_{d}" for d in DETAILS]].to_numpy(float)
    right = (said >= 0.5) == (known[list(DETAILS)].to_numpy(int) == 1)
    counts = ~right | right.all(axis=1, keepdims=True)
    sure = (abs(said - 0.5) * counts).sum(axis=1) / counts.sum(axis=1)
    each = {f"right_{d}": right[:, k] for k, d in enumerate(DETAILS)}
    return known.assign(**each, right=right.sum(axis=1), sure=sure)


def telling(predictions: pd.DataFrame, count: int = 4) -> pd.DataFrame:
    """Up to `count` pictures on which one run and people agree on all details, the surest of each
    pattern of good and bad first (so that not all are alike), then as many on which they disagree
    on most, the surest first, with a column part (RIGHT, WRONG). predictions: see `judged`."""
    rows = judged(predictions).sort_values(["sure", "id"], ascending=[False, True])
    agreed = rows[rows["right"] == len(DETAILS)]
    place = agreed.groupby(list(DETAILS)).cumcount()
    agreed = agreed.assign(place=place).sort_values("place", kind="stable").drop(columns="place")
    wrong = rows[rows["right"] < len(DETAILS)].sort_values("right", kind="stable")
    parts = {RIGHT: agreed.head(count), WRONG: wrong.head(count)}
    chosen = [part.assign(part=name) for name, part in parts.items()]
    return pd.concat(chosen, ignore_index=True)


def sentence(predictions: pd.DataFrame, method: str) -> str:
    """On how many details one run and people agree, and how often each calls a detail bad.
    predictions: see `judged`; method: the key of its row."""
    rows = judged(predictions)
    if rows.empty:
        return "Nobody has said anything of the details of these pictures, so nothing is judged."
    agree = [int((rows["right"] == k).sum()) for k in (3, 2, 1, 0)]
    shares = [
        f"{d} by the network {percent((rows[f'd_{d}'] < 0.5).mean())}, by people "
        f"{percent((rows[d] == 0).mean())}"
        for d in DETAILS
    ]
    return (
        f"{row_name(method)} and people agree on all three details of {agree[0]} of {len(rows)} "
        f"pictures, on two of {agree[1]}, on one of {agree[2]}, on none of {agree[3]}. Called "
        f"{BAD}: {'; '.join(shares)}."
    )
