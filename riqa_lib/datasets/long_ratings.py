"""Tables with one row per rater and picture, made into one row a picture: the raters' mean, or
their votes."""

from __future__ import annotations

import pandas as pd

from .declaration import Declaration
from .own_scores import Measured, numbers_of, rows, says_nothing
from .problems import Problem

SAME = ("path", "group", "source", "split")  # of a picture, not of a rating


def one_row_each(
    raw: pd.DataFrame, said: Declaration
) -> tuple[pd.DataFrame, Measured, list[Problem]]:
    """One row a picture (that of its first rating, in the table's order, without the columns of
    ratings), what its raters say, and a note on how many they are.

    raw: the declared columns as text, under what they are, indexed by row. The mean is under
    "score", the counts of votes, worst first, under "vote 0", "vote 1", ... An empty rating is
    none; a picture without any has nothing said. Problems: ratings as `own_scores.numbers_of` finds
    them, a picture rated twice by one person, empty raters, columns of a picture that differ
    between its rows."""
    key = "score" if said.score is not None else "grade"
    rated = ~says_nothing(raw[key])
    whole = key == "grade" or said.aggregated == "votes"
    values, problems = numbers_of(raw, key, said, said.bounds[key], whole, rated)
    problems += _twice(raw[rated]) + _differing(raw)
    first = raw.drop_duplicates("id").drop(columns=["rater", key])
    ratings = pd.DataFrame({"id": raw["id"].to_numpy(), "rating": values})[rated]
    by_picture = ratings.groupby("id")["rating"]
    numbers = {"score": by_picture.mean().reindex(first["id"]).to_numpy(float)}
    if "mode" in said.rules or "round_mean" in said.rules:
        low = said.bounds[key][0]
        given = ratings.dropna()
        counts = pd.crosstab(given["id"], (given["rating"] - low).round().astype(int))
        order = range(said.classes) if said.higher_is_better else range(said.classes)[::-1]
        counts = counts.reindex(columns=[*order], fill_value=0).reindex(first["id"])
        numbers |= {f"vote {k}": counts[at].to_numpy(float) for k, at in enumerate(order)}
    there = first["id"].isin(ratings["id"]).to_numpy(bool)
    return first, Measured(numbers, there, problems), _note(raw[rated], said)


def _twice(rated: pd.DataFrame) -> list[Problem]:
    """Ratings without a rater, and second ones of a picture by one rater."""
    problems = []
    first: dict[tuple[str, str], int] = {}
    for row, name, who in rows(rated, rated["rater"]):
        if not who:
            problems.append(Problem("empty rater", row, name))
        elif first.setdefault((name, who), row) != row:
            found = f"{who} also in row {first[name, who]}"
            problems.append(Problem("rated twice by one person", row, name, found))
    return problems


def _differing(raw: pd.DataFrame) -> list[Problem]:
    """What should be the same in all rows of a picture, and is not."""
    problems = []
    for key in SAME:
        if key not in raw:
            continue
        first = raw["id"].map(raw.drop_duplicates("id").set_index("id")[key])
        problems += [
            Problem(f"{key} differs between rows", row, name, f"{here!r}, before {before!r}")
            for row, name, (here, before) in rows(raw, zip(raw[key], first, strict=True))
            if here != before
        ]
    return problems


def _note(rated: pd.DataFrame, said: Declaration) -> list[Problem]:
    each = rated.groupby("id").size()
    if not len(each):
        return []
    made = "their mean" if said.aggregated == "mean" else f"their votes ({said.grades_by})"
    few, most = each.min(), each.max()
    found = (
        f"{len(rated)} of {len(each)} pictures by {rated['rater'].nunique()} people, "
        f"{few if few == most else f'{few} to {most}'} a picture; taken: {made}"
    )
    return [Problem("ratings", 0, "", found)]
