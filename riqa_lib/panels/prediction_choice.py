"""Which predictions to look at, and in what order: the panel's choices, without any widget.

A picture's error is the distance in grades of what is said (the likeliest grade) from the true
grade; where nobody knows the true grade it is nan. Methods disagree about a picture by the distance
between the lowest and the highest grade that they say, then by that between their expected
grades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..tables.names import name_of
from .prediction_walk import Walk

# how the pictures are sorted: the column that decides, the one that breaks ties; largest first
SORTS = {
    "error": ("error", "against"),
    "sure": ("sure", "error"),
    "unsure": ("unsure", "error"),
    "disagreement": ("apart", "apart_expected"),
}
SORT_WORDS = {
    "error": "worst errors first",
    "sure": "surest first",
    "unsure": "least sure first",
    "disagreement": "where methods disagree most first",
}
SPLITS = ("test", "val", "train", "pool")  # in the order in which they are offered


@dataclass(frozen=True)
class Choice:
    """What is looked at. other: a second method to compare with, "" for none; truth, said: only
    pictures of this true grade, of which `method` says this grade; None: any."""

    method: str
    other: str = ""
    seed: int = 0
    labels: int = 0
    split: str = "test"
    truth: int | None = None
    said: int | None = None
    sort: str = "error"


FIRST = Choice(method="supervised")  # what is looked at to begin with, where it is there


# ---------------------------------------------------------------- tables
def disagreement(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """By id, of what several methods say (`Walk.said`): apart (grades between the lowest and the
    highest that is said), apart_expected (between expected grades). Pictures that only one of them
    judged are 0 apart."""
    every = pd.concat([t[["id", "said", "expected"]] for t in tables])
    of = every.groupby("id", sort=False)[["said", "expected"]]
    apart = of.max() - of.min()
    return apart.rename(columns={"said": "apart", "expected": "apart_expected"})


def of_split(walk: Walk, choice: Choice, method: str) -> pd.DataFrame:
    """What a method says of the chosen split (`Walk.said`)."""
    said = walk.said(method, choice.seed, choice.labels)
    return said[said["split"] == choice.split]


def compared(walk: Walk, choice: Choice) -> list[str]:
    """The methods whose disagreement is meant: the two that are compared, else all."""
    if choice.other:
        return [choice.method, choice.other]
    return walk.methods(choice.seed, choice.labels)


def picked(walk: Walk, choice: Choice) -> pd.DataFrame:
    """The pictures to look at, in order, and what the method says of them; with apart and
    apart_expected where these sort. Pictures whose error nobody knows come last where errors
    sort."""
    mine = of_split(walk, choice, choice.method)
    for column, wanted in (("truth", choice.truth), ("said", choice.said)):
        if wanted is not None:
            mine = mine[mine[column] == wanted]
    if choice.sort == "disagreement":
        apart = disagreement(of_split(walk, choice, m) for m in compared(walk, choice))
        mine = mine.join(apart, on="id")
    by = [*SORTS[choice.sort], "id"]
    return mine.sort_values(by, ascending=[False, False, True], kind="stable", ignore_index=True)


def confusion(walk: Walk, choice: Choice) -> np.ndarray:
    """Pictures of the split with a known true grade: (C, C) counts, by true grade and what the
    method says."""
    mine = of_split(walk, choice, choice.method).query("truth >= 0")
    counts = np.zeros((walk.classes, walk.classes), int)
    np.add.at(counts, (mine["truth"].to_numpy(int), mine["said"].to_numpy(int)), 1)
    return counts


def worst(walk: Walk, choice: Choice) -> pd.DataFrame:
    """The worst error of every method for each true grade of the chosen split, seed and number of
    labels: method, truth, pictures, wrong, mae, worst_id, worst_said, its probability. Empty where
    no true grade is known."""
    rows = []
    for method in walk.methods(choice.seed, choice.labels):
        known = of_split(walk, choice, method).query("truth >= 0")
        for truth, of in known.groupby("truth"):
            one = of.sort_values([*SORTS["error"], "id"], ascending=[False, False, True]).iloc[0]
            rows.append(
                {
                    "method": name_of(method),
                    "truth": truth,
                    "pictures": len(of),
                    "wrong": int((~of["right"]).sum()),
                    "mae": of["error"].mean(),
                    "worst_id": one["id"],
                    "worst_said": one["said"],
                    "probability": one["sure"],
                }
            )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- choices
def splits(walk: Walk, choice: Choice) -> list[str]:
    """The splits that the method has predictions of."""
    there = {*walk.said(choice.method, choice.seed, choice.labels)["split"]}
    return [*(s for s in SPLITS if s in there), *sorted(there - {*SPLITS})]


def offered(walk: Walk, choice: Choice) -> dict[str, list]:
    """What may be chosen for each field of a choice, given the others."""
    seeds = sorted({int(s) for s in walk.runs["seed"]})
    labels = sorted({int(n) for n in walk.runs.loc[walk.runs["seed"] == choice.seed, "labels"]})
    methods = walk.methods(choice.seed, choice.labels)
    grades: list[int | None] = [None, *range(walk.classes)]
    return {
        "method": methods,
        "other": ["", *(m for m in methods if m != choice.method)],
        "seed": seeds,
        "labels": labels,
        "split": splits(walk, choice),
        "truth": grades,
        "said": grades,
        "sort": [*SORTS],
    }


def settled(walk: Walk, choice: Choice) -> Choice:
    """The choice with what the walk doesn't have replaced by what it has: the first seed, the
    number of labels that most runs have, the first method, no second one, the first split; all
    grades."""
    runs = walk.runs
    if choice.seed not in {*runs["seed"]}:
        choice = replace(choice, seed=int(runs["seed"].min()))
    runs = runs[runs["seed"] == choice.seed]
    if choice.labels not in {*runs["labels"]}:
        choice = replace(choice, labels=int(runs["labels"].mode().max()))
    methods = walk.methods(choice.seed, choice.labels)
    if choice.method not in methods:
        choice = replace(choice, method=methods[0])
    if choice.other not in methods or choice.other == choice.method:
        choice = replace(choice, other="")
    if choice.split not in (there := splits(walk, choice)):
        choice = replace(choice, split=there[0])
    grades = {None, *range(walk.classes)}
    return replace(
        choice,
        truth=choice.truth if choice.truth in grades else None,
        said=choice.said if choice.said in grades else None,
        sort=choice.sort if choice.sort in SORTS else "error",
    )


GRADES = ("truth", "said")  # fields of a choice that are grades, or None
NUMBERS = ("seed", "labels")  # fields that are whole numbers


def changed(walk: Walk, choice: Choice, wanted: Mapping[str, object]) -> Choice:
    """The choice with some fields changed, as they come from a browser ("" for any grade), and
    settled. ValueError, naming what is allowed, for an unknown field or for a value that is not
    offered."""
    for name, value in wanted.items():
        offers = offered(walk, choice)
        if name not in offers:
            raise ValueError(f"{name!r}: no such choice; expected {', '.join(offers)}")
        fits = {"" if offer is None else str(offer): offer for offer in offers[name]}
        if str("" if value is None else value) not in fits:
            raise ValueError(f"{name} = {value!r}: expected one of {', '.join(fits)}")
        choice = replace(choice, **{name: fits[str("" if value is None else value)]})
    return settled(walk, choice)


def swapped(walk: Walk, choice: Choice) -> Choice:
    """The two methods exchanged; the same choice where there is no second one."""
    if not choice.other:
        return choice
    return settled(walk, replace(choice, method=choice.other, other=choice.method))
