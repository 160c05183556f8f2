"""A declaration that makes no sense is refused at once, in words that say what would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from riqa_lib.datasets.declaration import Declaration

SCORE: dict[str, Any] = {"id": "name", "score": "mos", "low": 1, "high": 10}
GRADE: dict[str, Any] = {"id": "name", "grade": "g"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"low": "1"}, "low = '1': expected a number"),
        ({"high": True}, "high = True: expected a number"),
        ({"high": float("inf")}, "high = inf: expected a number"),
        ({"classes": "5"}, "classes = '5': expected a whole number"),
        ({"classes": 5.0}, "classes = 5.0: expected a whole number"),
        ({"higher_is_better": "false"}, "higher_is_better = 'false': expected true or false"),
        ({"pool": 1}, "pool = 1: expected true or false"),
        ({"names": "bad,good"}, "names = 'bad,good': expected a list"),
        ({"score": ["mos"]}, r"score = \['mos'\]: expected a column's name"),
        ({"id": ""}, "id = '': expected a column's name"),
        ({"header": "no"}, "header = 'no': expected true, false or a list of names"),
        ({"sheet": 1.5}, "sheet = 1.5: expected a tab's name or number"),
        ({"encoding": 8}, "encoding = 8: expected text"),
        ({"decimal": ";"}, "decimal = ';': expected '.' or ','"),
        ({"classes": 1}, "classes = 1: expected 2 to 10"),
        ({"classes": 11}, "classes = 11: expected 2 to 10"),
        ({"names": ["bad", "good"]}, "expected 5 different ones, one for each grade, worst first"),
        ({"names": ["a", "b", "a"], "classes": 3}, "expected 3 different ones"),
        ({"names": ["a", " "], "classes": 2}, "expected 2 different ones"),
        ({"header": False}, "name the columns by their number, from 1 on"),
        ({"header": False, "id": 0, "score": 1}, "name the columns by their number, from 1 on"),
    ],
)
def test_what_makes_no_sense(changed: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Declaration(**(SCORE | changed))


def test_unknown_words_are_all_told_with_what_is_allowed() -> None:
    with pytest.raises(TypeError) as caught:
        Declaration.of(SCORE | {"delimiter": ";", "klasses": 5})
    said = str(caught.value)
    assert said.startswith("delimiter is no keyword of a table; klasses is no keyword of a table; ")
    assert "did you mean classes?" in said
    assert "? Allowed: id, path, score, " in said
    assert said.endswith("encoding, separator, decimal, header, sheet")
    with pytest.raises(TypeError, match=r"id is not declared.* Allowed: id, path"):
        Declaration.of({"score": "mos"})


@pytest.mark.parametrize("classes", range(2, 11))
def test_two_to_ten_grades_have_names(classes: int) -> None:
    numbers = [str(k) for k in range(1, classes + 1)]
    usual = ["bad", "poor", "fair", "good", "excellent"] if classes == 5 else numbers
    assert Declaration(**SCORE, classes=classes).grade_names == usual
    own = [chr(65 + k) for k in range(classes)]
    said = Declaration(**SCORE, classes=classes, names=own)
    assert said.scale["grades"] == own
    assert Declaration(**SCORE, classes=classes, names=range(classes)).grade_names[0] == "0"


def test_grades_of_a_table_are_called_by_its_own_numbers() -> None:
    three = GRADE | {"low": 4, "high": 6, "classes": 3}
    assert Declaration(**three).grade_names == ["4", "5", "6"]
    assert Declaration(**three, higher_is_better=False).grade_names == ["6", "5", "4"]
    votes = {"id": "name", "votes": ["a", "b", "c"], "classes": 3, "higher_is_better": False}
    assert Declaration(**votes).grade_names == ["1", "2", "3"]  # votes are worst first


def scale(**said: Any) -> tuple[Any, ...]:
    found = Declaration(id="name", **said).scale
    return tuple(found[k] for k in ("score", "low", "high", "higher_is_better", "rule"))


def test_the_scale_of_each_kind_of_table() -> None:
    votes = ["c1", "c2", "c3", "c4", "c5"]
    mos = {"score": "mos", "low": np.int64(1), "high": 10}
    assert scale(**mos, higher_is_better=False) == ("mos", 1, 10, False, "equal_width")
    assert scale(**mos, grade="g") == ("mos", 1, 10, True, "given")
    assert scale(grade="g") == ("", 0, 4, True, "given")
    assert scale(grade="g", low=1, high=5) == ("", 1, 5, True, "given")
    assert scale(votes=votes) == ("", 1, 5, True, "mode")
    assert scale(votes=votes, rule="round_mean", **mos) == ("mos", 1, 10, True, "round_mean")
    assert scale(grade="g", rater="who") == ("g", 0, 4, True, "mode")
    assert scale(**mos, rater="who") == ("mos", 1, 10, True, "equal_width")
    low = Declaration(id="name", **mos).scale["low"]
    assert type(low) is float  # plain JSON


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "a|b", "`x`", "a\nb", "a\x1b[1m"])
def test_a_grades_name_is_no_markup(name):
    with pytest.raises(ValueError, match="expected text without"):
        Declaration(id="f", grade="g", low=0, high=1, classes=2, names=["good", name])
