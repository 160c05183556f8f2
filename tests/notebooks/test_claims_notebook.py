"""Notebook 19: from the tracked tables alone, and where nothing has been run."""

from __future__ import annotations

import pytest
from conftest import REPOSITORY
from notebook_cells import shown_by

from riqa_lib import paths, store
from riqa_lib.tables import claims_ledger, claims_ledger_words

NOTEBOOK = REPOSITORY / "notebooks" / "19_claims.ipynb"


@pytest.fixture
def nothing_there(home, monkeypatch):
    """A home where no notebook has run, and no label files."""
    monkeypatch.delenv("RIQA_DATA", raising=False)
    return home


def test_the_reference_is_shown_and_not_written(nothing_there, monkeypatch):
    """From the tracked ledger, which tests/tables compares with one made anew."""
    monkeypatch.setattr(claims_ledger, "ledger", lambda name, labels: claims_ledger.load(name))
    tracked = (paths.reference() / "claims.csv").read_bytes()
    shown = "\n".join(shown_by(NOTEBOOK, {"NAME": "reference"}))
    assert "input missing" not in shown
    table = claims_ledger.load("reference")
    for sentence in claims_ledger_words.sentences(table):
        assert f"- {sentence}" in shown
    for claim in table["id"].unique():
        assert f"| {claim} | " in shown
    assert "always 2 | 0.5521" in shown  # Table 2 done again
    assert (paths.reference() / "claims.csv").read_bytes() == tracked
    assert not nothing_there.exists()


def test_a_walk_without_runs_says_what_to_run(nothing_there):
    shown = "\n".join(shown_by(NOTEBOOK, {"NAME": "demo"}))
    assert "input missing: results/demo/tables/significance.csv is not there yet" in shown
    assert "run the notebook 16_significance first" in shown
    table = store.read_table(nothing_there / "results" / "demo" / "tables" / "claims_ledger.csv")
    missing = table["why"].str.startswith("input missing", na=False)
    assert missing.sum() == (table["data"] == "simulated").sum()
    assert (table.loc[missing, "verdict"] == "not testable here").all()
