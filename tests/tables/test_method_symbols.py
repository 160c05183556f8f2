"""No setting of a method is left unsaid, none is said twice, and no letter has two meanings."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from riqa_lib.tables import method_symbols, symbols
from riqa_lib.training import photographs

NOTEBOOKS = Path(photographs.__file__).parents[2] / "notebooks"


def formula(method: str) -> str:
    file = NOTEBOOKS / f"{photographs.NOTEBOOKS[method]}.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return next(s for c in cells if "## The idea" in (s := "".join(c["source"])))


@pytest.mark.parametrize("method", method_symbols.OWN)
def test_every_setting_of_a_method_is_said_once(method):
    fields = [f.name for f in dataclasses.fields(photographs.METHODS[method].Config)]
    said = [one.setting.removeprefix("method.") for one in method_symbols.settings(method)]
    assert sorted(said) == sorted(set(fields) - {"name"})
    signed = [bool(one.sign) for one in method_symbols.settings(method)]
    assert signed == sorted(signed, reverse=True)


@pytest.mark.parametrize("method", method_symbols.OWN)
def test_every_letter_stands_in_the_formulas_and_has_one_meaning(method):
    letters, text = method_symbols.letters(method), formula(method)
    signs = [one.sign for one in letters]
    assert len(signs) == len(set(signs))
    for one in method_symbols.OWN[method]:
        for sign in re.split(r",\\ ", one.sign):
            bare = re.sub(r"_.*|\(.*", "", sign)
            assert bare in text, f"{method}: {one.sign}"


def test_the_table_has_the_values_of_the_run():
    run = photographs.settings("demo", "simmatch", 0, {"simmatch.alpha": 0.5})
    text = symbols.show(method_symbols.letters("simmatch"), run.config(""), {"K": 9}, "simmatch")
    assert "| $\\alpha$ | the network's share of $q$; the rest is the memory's | " in text
    assert "`simmatch.alpha` | 0.5 |" in text
    assert "| $B$ | labelled pictures in a batch | `train.batch` | 32 |" in text
    assert re.search(r"\| \$K\$ .* \| – \| 9 \|", text)
