"""Keywords of a table, typed as options: the same declaration as in Python."""

from __future__ import annotations

import dataclasses

import pytest

from riqa_lib.datasets.declaration import Declaration
from riqa_lib.plan.arguments import Parser
from riqa_lib.plan.declared import add_declaration, declared


def typed(*words: str) -> dict[str, object]:
    parser = Parser()
    parser.add_argument("root", nargs="?")
    parser.add_argument("--table")
    add_declaration(parser)
    return declared(parser.parse_args(words))


def test_every_keyword_is_an_option_and_none_is_given_by_itself():
    assert typed() == {}
    for field in dataclasses.fields(Declaration):
        word = field.name.replace("_", "-")
        given = {
            "fractions": ("0.6", "0.2", "0.2"),
            "pool": ("true",),
            "higher_is_better": ("true",),
        }
        found = typed(f"--{word}", *given.get(field.name, ("7",)))
        assert [*found] == [field.name]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--low 1 --high 10 --classes 3", {"low": 1.0, "high": 10.0, "classes": 3}),
        ("--votes c1 c2 c3 --total n", {"votes": ["c1", "c2", "c3"], "total": "n"}),
        ("--pool --higher-is-better false", {"pool": True, "higher_is_better": False}),
        ("--header false --id 1 --score 3", {"header": False, "id": "1", "score": "3"}),
        ("--header a b", {"header": ["a", "b"]}),
        ("--sheet 2", {"sheet": 2}),
        ("--sheet Scores", {"sheet": "Scores"}),
        ("--fractions .6 .2 .2", {"fractions": [0.6, 0.2, 0.2]}),
        ("photos --table t.csv", {"root": "photos", "table": "t.csv"}),
    ],
)
def test_values_have_their_types(words, expected):
    assert typed(*words.split()) == expected


def test_a_declaration_at_once_and_single_words_over_it():
    found = typed("--declare", '{"root": "a", "id": "x", "low": 0}', "--low", "2", "b")
    assert found == {"root": "b", "id": "x", "low": 2.0}
    for wrong in ("[1]", "{"):
        with pytest.raises(SystemExit):
            typed("--declare", wrong)
    with pytest.raises(SystemExit):
        typed("--pool", "perhaps")
