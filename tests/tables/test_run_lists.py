"""Lists of runs name rows, seeds and labels, and no folder."""

from __future__ import annotations

import pandas as pd
import pytest

from riqa_lib.tables import photo_symbols, run_lists, symbols
from riqa_lib.training import photographs


def test_a_list_names_every_row_once_and_no_hash():
    runs = pd.DataFrame(
        {
            "run": ["fixmatch-abc", "fixmatch-def", "forest-123"],
            "method": ["fixmatch", "fixmatch", "forest"],
            "seed": [1, 0, 0],
            "labels": [1299, 1299, 50],
            "commit": "c0ffee",
            "machine": "2 cores",
        }
    )
    assert run_lists.listed(runs) == (
        "Here: 3 runs, seeds 0, 1, 50, 1,299 labels: statistics + forest; ViT + FixMatch. "
        "Made by commit c0ffee on 2 cores."
    )
    assert run_lists.listed(runs[:0], "Trained") == "Trained: no run."
    with pytest.raises(ValueError, match="no column labels"):
        run_lists.listed(runs.drop(columns="labels"))


def test_rows_by_labels_have_their_seeds():
    table = pd.DataFrame(
        {"row": ["ViT", "ViT", "constant"], "labels": [50, 99, 99], "seeds": [3, 1, 0]}
    )
    lines = run_lists.by_labels(table).splitlines()
    assert lines[0] == "| seeds of each row, by labels | 50 | 99 |"
    assert lines[2:] == ["| ViT | 3 | 1 |", "| constant | – | – |"]


def test_symbols_of_notebooks_03_and_10_are_settings_that_runs_have():
    config = photographs.settings("smoke", "supervised").config("key")
    told = symbols.table(photo_symbols.SUPERVISED, config, {"C": 5}).set_index("symbol")
    assert told.loc["B", "value"] == str(config["train"]["batch"])
    assert told.loc["C", "value"] == "5"
    assert symbols.table(photo_symbols.SECOND_STAGE, config)["setting"].iloc[-1] == (
        "data.pseudo_confidence"
    )
