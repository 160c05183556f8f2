"""The map of the notebooks is made from the notebooks and the plan; it cannot go stale."""

from __future__ import annotations

import json

import pytest
from conftest import REPOSITORY

import run_all
from riqa_lib.tables.notebook_map import card, notebook_map, show_map


def test_every_notebook_of_the_plan_is_in_the_map_in_its_order():
    table = notebook_map([s.name for s in run_all.expand("gpu", "x", {})])
    assert list(table["notebook"]) == [s.notebook.removesuffix(".ipynb") for s in run_all.PLAN]
    assert set(table["notebook"]) == set(notebook_map()["notebook"])
    for row in table.itertuples():
        assert row.question.endswith("?"), row
        assert row.item, row
        assert row.time, row
    shown = show_map(table)
    assert shown.count("\n") == len(run_all.PLAN) + 1
    assert "[18_explain_and_advise](18_explain_and_advise.ipynb)" in shown


def test_start_here_has_no_list_of_its_own_and_gets_the_plan():
    """Its text names no notebook but those that its sentences are about; the list comes from the
    plan."""
    cells = json.loads((REPOSITORY / "notebooks" / "00_start_here.ipynb").read_text())["cells"]
    text = "".join("".join(c["source"]) for c in cells)
    assert "notebook_map(STEPS)" in text
    assert "not here yet" not in text
    assert "| `" not in text
    step = next(s for s in run_all.expand("demo", "demo", {}) if s.name == "00_start_here")
    assert step.parameters["STEPS"] == [s.name for s in run_all.PLAN]


def test_a_notebook_without_a_card_is_named(tmp_path):
    file = tmp_path / "01_x.ipynb"
    file.write_text(json.dumps({"cells": [{"source": ["# X\n", "- **Question** Why?\n"]}]}))
    with pytest.raises(
        ValueError, match=r"01_x\.ipynb: its first cell has no line '- \*\*Paper item"
    ):
        card(file)
    with pytest.raises(FileNotFoundError, match="no notebook 02_y"):
        notebook_map(["02_y"], tmp_path)
