"""The words and the order of rows, of both papers."""

from __future__ import annotations

from ..scales import SECOND

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


def row_name(row: str) -> str:
    """A row's name as tables print it: "multi_hard_eyeq" is "multi-task, hard pseudo-labels"."""
    return FUNDUS_NAMES.get(row.removesuffix("_eyeq").removesuffix("_deepdrid"), row)


REFERENCE = "reference"  # the walk that is tracked


BASE = "supervised"  # the row that the others are compared with


CONSTANT, RATER = "constant", "rater"


ALWAYS = {"always_2": 2, "always_3": 3}


UNTRAINED = frozenset({CONSTANT, *ALWAYS, RATER})  # rows that look at no picture, and people


FIVE = (
    "simmatch",
    "adamatch",
    "comatch",
    "freematch",
    "crmatch",
)  # the paper's methods, Holm's family in each stage


NAMES = {
    CONSTANT: "best constant",
    "always_2": "always 2",
    "always_3": "always 3",
    RATER: "one rater",
    "supervised": "ViT, supervised",
    "supervised_strong": "ViT, supervised, strong views",
    "supervised_all": "ViT, supervised, all labels",
    "fixmatch": "ViT + FixMatch",
    "fixmatch_randaugment": "ViT + FixMatch, RandAugment views",
    "simmatch": "ViT + SimMatch",
    "adamatch": "ViT + AdaMatch",
    "comatch": "ViT + CoMatch",
    "freematch": "ViT + FreeMatch",
    "crmatch": "ViT + CRMatch",
}


FUNDUS_NAMES = {
    "teacher": "Teacher",
    "single": "single-task",
    "multi": "multi-task",
    "multi_hard": "multi-task, hard pseudo-labels",
    "multi_filtered": "multi-task, filtered pseudo-labels",
    "label": "overall grade by people, alone",
}


PUBLISHED = {
    "mae": "MAE ↓",
    "mae_3": "MAE 3 ↓",
    "mae_4": "MAE 4 ↓",
    "mae_34": "MAE 3&4 ↓",
}  # the paper's four columns


def name_of(method: str) -> str:
    """A method's name as tables and figures print it."""
    for on in ("eyeq", "deepdrid"):
        kind = method.removesuffix(f"_{on}")
        if kind != method and kind in FUNDUS_NAMES:
            return f"{FUNDUS_NAMES[kind]} ({on})"
    first = method.removesuffix(SECOND)
    known = NAMES.get(method) or FUNDUS_NAMES.get(method)
    return known or (f"{NAMES.get(first, first)}, second stage" if first != method else method)


def order(methods: object) -> list[str]:
    """Methods in the order of NAMES, others after them by name; a second stage right after its
    first."""
    known = list(NAMES)
    place = lambda m: known.index(m) if m in known else len(known)
    unique = {str(m) for m in methods}  # type: ignore[attr-defined]
    return sorted(unique, key=lambda m: (place(m.removesuffix(SECOND)), m.removesuffix(SECOND), m))
