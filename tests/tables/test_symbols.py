"""Tables of symbols say the run's own values under the names that a user types."""

from __future__ import annotations

import pytest

from riqa_lib.tables import symbols
from riqa_lib.tables.symbols import Symbol

CONFIG = {"method": {"name": "mine", "tau": 0.7, "soft": False}, "train": {"batch": 1299}}
LETTERS = [
    Symbol("\\tau", "a threshold", "method.tau"),
    Symbol("", "softly", "method.soft"),
    Symbol("B", "a batch", "train.batch"),
    Symbol("C", "grades"),
    Symbol("q", "a label"),
]


def test_each_symbol_has_its_setting_and_its_value_in_this_run():
    table = symbols.table(LETTERS, CONFIG, {"C": 5}, name="mine")
    assert table["setting"].tolist() == ["mine.tau", "mine.soft", "train.batch", "–", "–"]
    assert table["value"].tolist() == ["0.7", "False", "1,299", "5", "–"]
    assert table["symbol"].tolist() == ["\\tau", "", "B", "C", "q"]
    dotted = {"method.tau": 0.7, "method.soft": False, "train.batch": 1299}
    assert symbols.table(LETTERS, dotted, {"C": 5}, name="mine").equals(table)


def test_shown_as_formulas_and_code():
    lines = symbols.show(LETTERS, CONFIG, name="mine").splitlines()
    assert lines[2] == "| $\\tau$ | a threshold | `mine.tau` | 0.7 |"
    assert lines[3] == "|  | softly | `mine.soft` | False |"
    assert lines[-1] == "| $q$ | a label | – | – |"


def test_a_setting_that_the_run_has_not_is_named():
    with pytest.raises(ValueError, match=r"no setting method\.edge; it has method\.name"):
        symbols.show([Symbol("e", "edge", "method.edge")], CONFIG)
