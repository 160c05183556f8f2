"""Which of a run's weights validation chose. Where it is those of the first look, what a method
learnt after it was thrown away, and its row says more of where training starts than of the
method."""

from __future__ import annotations

import pandas as pd

RUN = ["method", "seed", "labels"]


def selected(history: pd.DataFrame) -> pd.DataFrame:
    """One row a run: method, seed, labels, step (of the least validation MAE, the first where
    several are equal), first (of the first look), last (of training).

    >>> history = pd.DataFrame({"method": "fixmatch", "seed": 0, "labels": 9,
    ...                         "step": [50, 100, 150], "val_mae": [0.5, 0.4, 0.4]})
    >>> selected(history).to_dict("records")
    [{'method': 'fixmatch', 'seed': 0, 'labels': 9, 'step': 100, 'first': 50, 'last': 150}]
    """
    looks = history.dropna(subset=["val_mae"]).sort_values("step", kind="stable")
    runs = looks.groupby(RUN, sort=False)
    best = looks.loc[runs["val_mae"].idxmin(), [*RUN, "step"]]
    ends = runs["step"].agg(first="min", last="max").reset_index()
    return best.merge(ends, on=RUN).sort_values(RUN, ignore_index=True)


def sentence(history: pd.DataFrame) -> str:
    """How many runs validation took the first look's weights of, in words; "" where none."""
    chosen = selected(history)
    early = chosen[chosen["step"] == chosen["first"]]
    if early.empty:
        return ""
    steps = sorted({(int(f), int(n)) for f, n in zip(early["first"], early["last"], strict=True)})
    told = ", ".join(f"step {f} of {n}" for f, n in steps)
    return (
        f"Of {len(early)} of {len(chosen)} runs validation chose the weights of its first look "
        f"({told}): what they learnt after it is not in their rows."
    )
