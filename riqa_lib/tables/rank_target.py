"""What the correlations of a table are taken against, in words."""

from __future__ import annotations

import pandas as pd

from ..stats.metrics import target


def against(predictions: pd.DataFrame) -> str:
    """What correlations are taken against, exactly, by `metrics.target`: "score", "grade" where no
    picture has a score, else the grade, with how many pictures lack a score. predictions: of one
    run or several; with id each picture counts once.

    >>> against(pd.DataFrame({"truth": [1, 2], "score": [1.9, float("nan")]}))
    'grade of every picture (1 of 2 has no score)'
    """
    said, _ = target(predictions)
    pictures = predictions.drop_duplicates("id") if "id" in predictions else predictions
    if said == "score" or "score" not in pictures or pictures["score"].isna().all():
        return said
    lacking = int(pictures["score"].isna().sum())
    have = "has" if lacking == 1 else "have"
    return f"{said} of every picture ({lacking:,} of {len(pictures):,} {have} no score)"
