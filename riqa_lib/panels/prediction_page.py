"""What the panel of predictions shows of one picture: plain words and numbers, without any widget.
Names are as they are in the files: whoever shows them puts them in as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from ..tables.names import name_of
from ..tables.text import named
from . import prediction_choice as choosing
from .prediction_choice import Choice
from .prediction_walk import Walk

Page = dict[str, Any]
SPLIT_WORDS = {
    "test": "for testing",
    "val": "for validation",
    "train": "for training",
    "pool": "of the pool (no label)",
}
ANY = "any"


# ---------------------------------------------------------------- words
def kind(walk: Walk) -> str:
    """Whose pictures these are, in the words that stand above everything else."""
    if walk.simulated:
        return "SIMULATED photographs, made by a program: no real picture is shown"
    return "Real photographs"


def title(walk: Walk) -> str:
    """Which walk, which pictures, how many."""
    return f"{walk.name}: {walk.data.info['name']}, {len(walk.data):,} pictures"


def verdict(one: pd.Series, words: tuple[str, ...]) -> str:
    """What a method says of a picture, and how right that is.

    >>> one = pd.Series({"truth": 3, "said": 1, "sure": 0.82})
    >>> verdict(one, ())
    'says 1 with probability 0.82: 2 grades too low'
    >>> verdict(pd.Series({"truth": -1, "said": 1, "sure": 0.5}), ("bad", "good"))
    'says 1 (good) with probability 0.50; no true grade is known'
    """
    said, truth = int(one["said"]), int(one["truth"])
    words_ = f"says {named(said, words)} with probability {one['sure']:.2f}"
    if truth < 0:
        return f"{words_}; no true grade is known"
    if said == truth:
        return f"{words_}: right"
    far = abs(said - truth)
    return f"{words_}: {far} grade{'s' * (far > 1)} too {'low' if said < truth else 'high'}"


def summary(walk: Walk, choice: Choice, shown: pd.DataFrame) -> str:
    """How many pictures fit the choice, and how wrong the method is of them."""
    of = [SPLIT_WORDS.get(choice.split, choice.split)]
    if choice.truth is not None:
        of.append(f"of true grade {named(choice.truth, walk.words)}")
    if choice.said is not None:
        of.append(f"graded {named(choice.said, walk.words)} by {name_of(choice.method)}")
    text = f"{len(shown):,} picture{'s' * (len(shown) != 1)} {', '.join(of)}"
    known = shown[shown["truth"] >= 0]
    if known.empty:
        return f"{text}." if shown.empty else f"{text}; no true grade is known."
    wrong = int((~known["right"]).sum())
    return f"{text}; {wrong:,} wrong, mean error {known['error'].mean():.2f} grades."


def _two(a: pd.Series, b: pd.Series) -> str:
    """How far two methods are apart on one picture."""
    far = abs(int(a["said"]) - int(b["said"]))
    apart = f"{far} grade{'s' * (far > 1)} apart" if far else "the same grade"
    return f"{apart}; expected grades {abs(a['expected'] - b['expected']):.2f} apart"


# ---------------------------------------------------------------- a picture
def facts(walk: Walk, row: int, truth: int) -> list[list[str]]:
    """[[what, value], ...] of picture `row`: what its table says of it."""
    of = walk.data.frame.iloc[row]
    true = named(truth, walk.words) if truth >= 0 else "unknown"
    if truth >= 0 and of["grade"] < 0:
        true += ", hidden from training"
    found = [
        ["picture", of["id"]],
        ["true grade", true],
        ["score", _number(of["score"])],
        ["from", of["source"]],
        ["group", of["group"] if of["group"] != of["id"] else ""],
    ]
    if walk.simulated:
        found += [["done to it by the simulation", of.get("defects", "")]]
        found += [["true quality (0 to 1)", _number(of.get("true_quality", np.nan))]]
    return [[what, str(value)] for what, value in found if str(value) not in ("", "nan")]


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}"


def _of_picture(walk: Walk, choice: Choice, method: str, picture: str) -> pd.Series | None:
    """What a method says of one picture (a row of `Walk.said`); None where it says nothing."""
    said = walk.said(method, choice.seed, choice.labels)
    return said.loc[[picture]].iloc[0] if picture in said.index else None


def _said(walk: Walk, choice: Choice, method: str, picture: str) -> Page | None:
    one = _of_picture(walk, choice, method, picture)
    if one is None:
        return None
    return {
        "method": method,
        "name": name_of(method),
        "verdict": verdict(one, walk.words),
        "said": int(one["said"]),
        "p": [round(float(one[f"p{k}"]), 4) for k in range(walk.classes)],
    }


def everyone(walk: Walk, choice: Choice, picture: str) -> list[list[Any]]:
    """What every method of this seed and number of labels says of a picture: [key, name, said, its
    probability, whether right (None: nobody knows)], in the order of tables."""
    rows = []
    for method in walk.methods(choice.seed, choice.labels):
        one = _of_picture(walk, choice, method, picture)
        if one is not None:
            right = bool(one["right"]) if one["truth"] >= 0 else None
            said = named(int(one["said"]), walk.words)
            rows.append([method, name_of(method), said, f"{one['sure']:.2f}", right])
    return rows


# ---------------------------------------------------------------- the whole
def labels_of(walk: Walk, choice: Choice) -> dict[str, list[list[str]]]:
    """The choices as a person reads them: {field: [[value, text], ...]}, values as text, "" for
    any."""
    grades = {"": ANY, **{str(k): named(k, walk.words) for k in range(walk.classes)}}
    spoken = {
        "method": name_of,
        "other": lambda m: name_of(m) if m else "nothing",
        "split": lambda s: SPLIT_WORDS.get(s, s),
        "sort": choosing.SORT_WORDS.__getitem__,
        **dict.fromkeys(choosing.GRADES, grades.__getitem__),
    }
    found = {}
    for field, values in choosing.offered(walk, choice).items():
        texts = ["" if v is None else str(v) for v in values]
        found[field] = [[v, str(spoken.get(field, str)(v))] for v in texts]
    return found


def page(walk: Walk, choice: Choice, shown: pd.DataFrame, place: int) -> Page:
    """All that is on the screen, as plain JSON.

    state: "picture", or "empty" where none fits; kind, title, notes, summary; choices, chosen (by
    field, as text); place (from 1), count; grades: their names; confusion (C, C); of a picture: id,
    facts, truth, votes, methods (one or two: name, verdict, said, p), apart, everyone, alt."""
    chosen = {k: "" if v is None else str(v) for k, v in asdict(choice).items()}
    out: Page = {
        "state": "picture" if len(shown) else "empty",
        "kind": kind(walk),
        "simulated": walk.simulated,
        "title": title(walk),
        "notes": list(walk.notes),
        "summary": summary(walk, choice, shown),
        "choices": labels_of(walk, choice),
        "chosen": chosen,
        "place": place + 1 if len(shown) else 0,
        "count": len(shown),
        "grades": [named(k, walk.words) for k in range(walk.classes)],
        "confusion": choosing.confusion(walk, choice).tolist(),
    }
    return out | (_picture(walk, choice, shown.iloc[place]) if len(shown) else {})


def _picture(walk: Walk, choice: Choice, one: pd.Series) -> Page:
    picture, row, truth = str(one["id"]), int(one["row"]), int(one["truth"])
    two = [m for m in (choice.method, choice.other) if m]
    said = [_said(walk, choice, m, picture) for m in two]
    apart = ""
    if len(two) == 2 and all(said):
        a, b = (_of_picture(walk, choice, m, picture) for m in two)
        apart = _two(a, b)  # type: ignore[arg-type]
    what = "Simulated photograph" if walk.simulated else "Photograph"
    known = f"true grade {named(truth, walk.words)}" if truth >= 0 else "true grade unknown"
    return {
        "id": picture,
        "facts": facts(walk, row, truth),
        "truth": truth,
        "votes": walk.votes(row),
        "methods": [s for s in said if s],
        "apart": apart,
        "everyone": everyone(walk, choice, picture),
        "alt": f"{what} {picture}, {known}",
    }
