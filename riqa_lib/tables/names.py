"""The words and the order of rows, of both papers."""

from __future__ import annotations

from collections.abc import Iterable

from ..scales import SECOND
from ..stats.metrics import MOST

TITLES = {
    "macro_f1": "macro F1 ↑",
    "f1": "F1 of bad ↑",
    "matched": "F1 of bad, matched threshold ↑",
    "recall": "recall of bad ↑",
    "precision": "precision of bad ↑",
    "auc": "AUC of bad ↑",
    "accuracy": "accuracy ↑",
}


LABEL = "label"  # the baseline that knows the overall grade that people gave, and nothing else


REFERENCE = "reference"  # the walk that is tracked


BASE = "supervised"  # the row that the others are compared with


CONSTANT, RATER = "constant", "rater"


ALWAYS = {f"always_{k}": k for k in range(MOST)}  # a table has two of them, see `always`


UNTRAINED = frozenset({CONSTANT, *ALWAYS, RATER})  # rows that look at no picture, and people


# what one would use instead of a network: a network's row that is not below these says so
SIMPLE = (CONSTANT, "source_mean", "forest", "ridge")


# the paper's methods, Holm's family in each stage
FIVE = (
    "simmatch",
    "adamatch",
    "comatch",
    "freematch",
    "crmatch",
)


NAMES = {
    CONSTANT: "best constant",
    **{row: f"always {k}" for row, k in ALWAYS.items()},
    RATER: "one rater",
    "source_mean": "mean of its subset",
    "forest": "statistics + forest",
    "ridge": "ridge on frozen maps",
    "supervised": "ViT, supervised",
    "supervised_strong": "ViT, supervised, strong views",
    "supervised_ordinal": "ViT, supervised, ordinal targets",
    "supervised_equal": "ViT, supervised, as many pictures as FixMatch",
    "supervised_all": "ViT, supervised, all labels",
    "fixmatch": "ViT + FixMatch",
    "fixmatch_randaugment": "ViT + FixMatch, RandAugment views",
    "simmatch": "ViT + SimMatch",
    "adamatch": "ViT + AdaMatch",
    "comatch": "ViT + CoMatch",
    "freematch": "ViT + FreeMatch",
    "crmatch": "ViT + CRMatch",
    "mean_teacher": "ViT + mean teacher (ours)",
}


# rows of fundus photographs that train no network; the first two look at no picture
FUNDUS_CONSTANTS = (CONSTANT, "always_bad")


FUNDUS_SIMPLE = (*FUNDUS_CONSTANTS, "forest", "logistic")


FUNDUS_NAMES = {
    CONSTANT: NAMES[CONSTANT],
    "always_bad": "always bad",
    "forest": NAMES["forest"],
    "logistic": "logistic regression on frozen maps",
    "teacher": "Teacher",
    "single": "single-task",
    "multi": "multi-task",
    "multi_hard": "multi-task, hard pseudo-labels",
    "multi_filtered": "multi-task, filtered pseudo-labels",
    "label": "overall grade by people, alone",
}


# the paper's four columns
PUBLISHED = {
    "mae": "MAE ↓",
    "mae_3": "MAE 3 ↓",
    "mae_4": "MAE 4 ↓",
    "mae_34": "MAE 3&4 ↓",
}


def always(classes: int) -> dict[str, int]:
    """The rows of constants that a table has beside the best one, with their grades: the middle
    grade (of two the lower) and the next.

    >>> always(5), always(2)
    ({'always_2': 2, 'always_3': 3}, {'always_0': 0, 'always_1': 1})
    """
    middle = (classes - 1) // 2
    return {f"always_{k}": k for k in (middle, middle + 1)}


def _of_set(row: str) -> tuple[str, str]:
    """A fundus row's kind and the set that it learns from: "multi_eyeq" is ("multi", "eyeq")."""
    kind, _, on = row.rpartition("_")
    return (kind, on) if on in ("eyeq", "deepdrid") else (row, "")


def kind_of_row(row: str) -> str:
    """A fundus row without its set.

    >>> kind_of_row("multi_hard_eyeq"), kind_of_row("teacher")
    ('multi_hard', 'teacher')
    """
    return _of_set(row)[0]


def row_name(row: str) -> str:
    """A fundus row's name, without its set.

    >>> row_name("multi_hard_eyeq")
    'multi-task, hard pseudo-labels'
    """
    return FUNDUS_NAMES.get(kind_of_row(row), row)


def name_of(method: str) -> str:
    """A method's name as tables and figures print it.

    >>> name_of("simmatch_second"), name_of("single_deepdrid")
    ('ViT + SimMatch, second stage', 'single-task (deepdrid)')
    """
    kind, on = _of_set(method)
    if on and kind in FUNDUS_NAMES:
        return f"{FUNDUS_NAMES[kind]} ({on})"
    known = NAMES | FUNDUS_NAMES
    first = method.removesuffix(SECOND)
    if method in known or first == method:
        return known.get(method, method)
    return f"{NAMES.get(first, first)}, second stage"


def order(methods: Iterable[object]) -> list[str]:
    """Methods in the order of NAMES, others after them by name; a second stage right after its
    first."""
    places = {name: place for place, name in enumerate(NAMES)}

    def place(method: str) -> tuple[int, str, str]:
        first = method.removesuffix(SECOND)
        return places.get(first, len(places)), first, method

    return sorted({str(m) for m in methods}, key=place)
