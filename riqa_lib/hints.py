"""The nearest name that would have been right, for every message about one that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown name: the nearest of `known`, or nothing where none
    is near.

    >>> did_you_mean("fixmach", ["fixmatch", "comatch"])
    '; did you mean fixmatch?'
    >>> did_you_mean("train.lrr", ["train.lr", "train.steps"])
    '; did you mean train.lr?'
    >>> did_you_mean("lr", ["train.steps", "train.lr"])
    '; did you mean train.lr?'
    >>> did_you_mean("zebra", ["fixmatch", "comatch"])
    ''
    """
    words = list(known)
    nearest = difflib.get_close_matches(name, words, n=1)
    # a part of a name is no typo of it, so less alike than difflib asks for
    nearest += [word for word in words if len(name) > 1 and name in word]
    return f"; did you mean {nearest[0]}?" if nearest else ""
