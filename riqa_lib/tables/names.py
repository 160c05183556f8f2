"""The words and the order of rows, of both papers."""

from __future__ import annotations

from collections.abc import Iterable

from ..scales import FUNDUS_GRADES, SECOND
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


BAD = FUNDUS_GRADES[2][0]  # what the worst of two grades is called, and a detail that is bad


# what the worst overall grade of a fundus set is called: F1, AUC, recall are of it
WORST = {"eyeq": FUNDUS_GRADES[3][0], "deepdrid": FUNDUS_GRADES[2][0]}


LABEL = "label"  # the baseline that knows the overall grade that people gave, and nothing else


REFERENCE = "reference"  # the walk that is tracked


BASE = "supervised"  # the row that the others are compared with


CONSTANT, RATER = "constant", "rater"


ALWAYS = {f"always_{k}": k for k in range(MOST)}  # a table has two of them, see `always`


UNTRAINED = frozenset({CONSTANT, *ALWAYS, RATER})  # rows that look at no picture, and people


BLIND = frozenset({*UNTRAINED, "source_mean"})  # rows that look at no picture


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
    "brisque": "natural-scene statistics + SVR",
    "ridge_stages": "ridge on all of Lite0's stages",
    "kernel_stages": "kernel ridge on all stages and statistics",
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
    "dbcnn": "DBCNN",
    "hyperiqa": "HyperIQA",
    "reiqa": "Re-IQA",
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
    "teacher_own": "Teacher, own-defect copies",
    "multi_own": "multi-task, own-defect copies",
    "teacher_lite0": "Teacher, Lite0",
    "single_lite0": "single-task, Lite0",
    "multi_lite0": "multi-task, Lite0",
    "teacher_lite0_plain": "Teacher, Lite0, no copies",
    "multi_lite0_plain": "multi-task, Lite0, no copies",
    "label": "overall grade by people, alone",
}


RESNET, LITE0 = "ResNet-18", "EfficientNet-Lite0, frozen"


# ends of a kind of row that say how it was made: who is compared within them, see `fundus_pairs`
FAMILIES = ("", "_own", "_lite0", "_lite0_plain")


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


def title(measure: str, on: str = "") -> str:
    """A measure's name at the head of a column, of an overall grade on the set `on` or ("") of a
    detail: what is worst has its own word in each.

    >>> title("f1"), title("f1", "deepdrid"), title("f1", "eyeq")
    ('F1 of bad ↑', 'F1 of bad ↑', 'F1 of reject ↑')
    """
    return TITLES[measure].replace(BAD, WORST.get(on, BAD))


def plain(measure: str, on: str = "") -> str:
    """`title` without its arrow."""
    return title(measure, on).removesuffix(" ↑")


def encoder_of(row: str) -> str:
    """The encoder of a fundus row's network; "–" where it has none.

    >>> encoder_of("multi_lite0_eyeq"), encoder_of("teacher"), encoder_of("forest_eyeq")
    ('EfficientNet-Lite0, frozen', 'ResNet-18', '–')
    """
    first, *rest = kind_of_row(row).split("_")
    if first not in ("teacher", "single", "multi"):
        return "–"
    return LITE0 if "lite0" in rest else RESNET


def is_ablation(row: str) -> bool:
    """Whether a fundus row is there to tell apart what encoder and own-defect copies do.

    >>> is_ablation("multi_own_eyeq"), is_ablation("teacher_lite0_plain"), is_ablation("teacher")
    (True, True, False)
    """
    return bool({"own", "plain"} & {*kind_of_row(row).split("_")})


def set_of_row(row: str) -> str:
    """The set whose overall grade a fundus row learns; "" where it learns none.

    >>> set_of_row("multi_hard_eyeq"), set_of_row("teacher_lite0")
    ('eyeq', '')
    """
    return _of_set(row)[1]


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

    >>> row_name("multi_hard_eyeq"), row_name("always_bad_eyeq")
    ('multi-task, hard pseudo-labels', 'always reject')
    """
    kind, on = _of_set(row)
    return _in_words(kind, on) if kind in FUNDUS_NAMES else row


def _in_words(kind: str, on: str) -> str:
    """A kind of row in words, with the set's own word for its worst grade."""
    return FUNDUS_NAMES[kind].replace(BAD, WORST.get(on, BAD))


def name_of(method: str) -> str:
    """A method's name as tables and figures print it.

    >>> name_of("simmatch_second"), name_of("single_deepdrid")
    ('ViT + SimMatch, second stage', 'single-task (deepdrid)')
    """
    kind, on = _of_set(method)
    if on and kind in FUNDUS_NAMES:
        return f"{_in_words(kind, on)} ({on})"
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


def fundus_order(rows: Iterable[object]) -> list[str]:
    """Fundus rows in the order of FUNDUS_NAMES, others after them, by name."""
    places = {kind: place for place, kind in enumerate(FUNDUS_NAMES)}
    return sorted(
        {str(row) for row in rows}, key=lambda row: (places.get(kind_of_row(row), len(places)), row)
    )
