"""The README's table of notebooks: each sentence from hand-made tables, and none where nothing is
tracked."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import REPOSITORY

from riqa_lib import store
from riqa_lib.tables import headlines, notebook_results


def table2_of(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    """Rows (method, MAE, low, high of the difference), as Table 2 has them."""
    ends = {"d_seeds": 8, "p_holm": float("nan"), "margin": 0.02, "data": "simulated"}
    made = [
        {"method": m, "mae": mae, "d_mae": (low + high) / 2, "d_mae_low": low, "d_mae_high": high}
        | {"d_mae_low_90": low, "d_mae_high_90": high}
        | ends
        for m, mae, low, high in rows
    ]
    return pd.DataFrame(made)


def ledger_of(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Rows (id, table, data, ours, verdict); the first stage comes before the second."""
    return pd.DataFrame(rows, columns=["id", "table", "data", "ours", "verdict"]).assign(
        on=["second stage" if "5 of 5" in row[3] else "first stage" for row in rows]
    )


def budgets_of(*verdicts: str) -> pd.DataFrame:
    """Rows with 100 labels that are better, worse or open against both; all better with 300."""
    ends = {"better": (-0.09, -0.05), "worse": (0.05, 0.09), "open": (-0.1, 0.1)}
    rows = [
        {"method": m, "labels": labels, "data": "real", "margin": 0.02, "d_seeds": 8, "c_seeds": 8}
        | dict(zip(("d_mae_low", "d_mae_high"), ends[v], strict=True))
        | dict(zip(("c_mae_low", "c_mae_high"), ends[v], strict=True))
        | dict(zip(("d_mae_low_90", "d_mae_high_90"), ends[v], strict=True))
        | dict(zip(("c_mae_low_90", "c_mae_high_90"), ends[v], strict=True))
        | {"p_holm": 0.01, "p_holm_control": 0.01}
        for labels, some in ((100, verdicts), (300, ["better"] * len(verdicts)))
        for m, v in zip(notebook_results.POOLED, some, strict=False)
    ]
    return pd.DataFrame(rows)


def test_the_vit_stands_beside_ridge_with_the_verdict():
    table = table2_of(("supervised", 0.31, 0, 0), ("ridge", 0.42, 0.1, 0.12))
    said = notebook_results.supervised(table)
    assert (
        said == "Simulated: MAE 0.310, ridge's 0.420; ridge less ViT +0.110 [+0.100, +0.120]: worse"
    )
    assert notebook_results.supervised(table.assign(data="real")).startswith("Real: ")


def test_a_method_is_told_by_its_own_row():
    table = table2_of(("simmatch", 0.3, -0.05, -0.03), ("adamatch", 0.4, -0.01, 0.01))
    assert "−0.040 [−0.050, −0.030]: better" in notebook_results.method(table, "simmatch")
    assert "equivalent within 0.02" in notebook_results.method(table, "adamatch")
    views = table2_of(("fixmatch", 0.3, 0.03, 0.05), ("fixmatch_randaugment", 0.2, -0.1, 0.1))
    said = notebook_results.views(views)
    assert "+0.040 with views that keep quality (worse)" in said
    assert "+0.000 with RandAugment (not decided)" in said


def test_second_stages_that_are_worse_are_counted():
    table = table2_of(
        ("simmatch", 0.3, 0.1, 0.2),  # a first stage: not counted
        ("simmatch_second", 0.3, 0.1, 0.2),
        ("adamatch_second", 0.3, -0.1, 0.2),
    )
    ledger = ledger_of(
        ("D23", "pairs", "simulated", "0 of 5 hold, 3 refuted; x", "not reproduced"),
        ("D23", "pairs", "simulated", "5 of 5 hold, 0 refuted; x", "reproduced"),
    )
    said = notebook_results.second_stages(table, ledger)
    assert "1 of 2 second stages worse" in said
    assert "the paper's are better in 5 of 5" in said
    with pytest.raises(ValueError, match="no count"):
        notebook_results.second_stages(table, ledger.assign(ours="SimMatch +0.1"))


def test_claims_are_counted_on_their_own_pictures_only():
    ledger = ledger_of(
        ("T1", "significance", "simulated", "", "undecided"),
        ("T2", "significance", "simulated", "", "reproduced"),
        ("T2", "", "none", "–", "not testable here"),
        ("T6", "significance", "simulated", "", "not reproduced"),
        ("T17", "audit", "published numbers", "−1 (least difference shown 0.5)", "undecided"),
    )
    assert "better in 1 of 2 (1 undecided)" in notebook_results.students(ledger)
    said = notebook_results.significance(ledger)
    assert said.startswith("Simulated: ")
    assert "in 0 of 1 (1 refuted) tests; EyeQ-D: least difference shown 0.5" in said
    said = notebook_results.all_claims(ledger)
    assert said.startswith("5 tests")
    assert "1 reproduced, 1 not reproduced, 2 undecided, 1 not testable here" in said


def test_fundus_sentences_from_their_tables():
    ledger = ledger_of(
        ("T6", "significance", "simulated", "", "reproduced"),
        ("T8", "noise", "simulated", "", "undecided"),
        ("T8", "", "none", "–", "not testable here"),
        ("T15", "explain", "simulated", "", "undecided"),
    )
    noise = pd.DataFrame({"pseudo": [0.3, 0.4], "experts": [0.1, 0.2]})
    said = notebook_results.experts(noise, ledger)
    assert said.startswith("Simulated: ")
    assert said.endswith("in 30 to 40 %, two graders in 10 to 20 %; alike: undecided")
    advice = pd.DataFrame({"said": [4, 10], "right": [0.25, 0.5]})
    assert "advice right in 6 of 14" in notebook_results.explained(advice, ledger)
    one = {"comparison": "Teacher v forest", "set": "mshf", "a": "teacher", "primary": True}
    rows = [one | {"low": 0.1, "high": 0.2}] * 2 + [one | {"low": -0.2, "high": -0.1}]
    rows += [one | {"low": -1, "high": 1}, one | {"set": "eyeq_d", "low": 0.1, "high": 0.2}]
    said = notebook_results.teacher(pd.DataFrame(rows), ledger)
    assert "above a forest's in 2 of 4 details, below in 1" in said


def test_what_label_files_and_printed_numbers_say():
    ledger = ledger_of(
        ("D1", "audit", "published numbers", "0 apart", "reproduced"),
        ("D7", "audit", "label files", "7 pictures apart (with 1)", "not reproduced"),
        ("D10", "audit", "published numbers", "", "undecided"),
        ("T10", "audit", "label files", "", "reproduced"),
    )
    said = notebook_results.split_found(ledger)
    assert said.endswith(
        "1 of 2 (1 refuted) checks hold; the nearest label rule is 7 pictures apart"
    )
    assert "1 of 1 sizes" in notebook_results.fundus_sets(ledger)
    assert "(undecided)" in notebook_results.hidden(ledger)


def test_the_best_rank_and_the_best_network():
    rows = [("forest", 0.7), ("ridge", 0.9), ("dbcnn", 0.8), ("reiqa", 0.6)]
    table = pd.DataFrame(rows, columns=["method", "srcc"]).assign(data="real")
    said = notebook_results.best_rank(table.assign(row=table["method"].str.upper()))
    assert said == "Real: RIDGE ranks best, SRCC 0.90; of the networks DBCNN, 0.80"


def test_few_labels_are_those_and_no_others():
    chosen, last = budgets_of("open", "better", "worse"), budgets_of("better", "better", "open")
    said = notebook_results.few_labels(chosen)
    assert said == "Real, 100 labels: of 3 methods 1 shown better than supervised, 1 worse"
    assert "1 of 3, with the last step's weights 2 of 3" in notebook_results.own_controls(
        chosen, last
    )


def test_sentences_come_from_tracked_files_and_a_dash_without(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_results.paths, "reference", lambda: tmp_path)
    assert {notebook_results.result(name) for name in notebook_results.NOTEBOOKS} == {"–"}
    store.write_table(tmp_path / "table2.csv", table2_of(("crmatch", 0.3, -0.05, -0.03)))
    assert notebook_results.result("09_crmatch").endswith("better")
    assert notebook_results.result("10_second_stage") == "–"  # one of its two tables


def test_every_notebook_has_a_short_line():
    folder = REPOSITORY / "notebooks"
    there = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.ipynb")}
    assert there - {".ipynb_checkpoints"} == set(notebook_results.NOTEBOOKS)
    said = {name: notebook_results.result(name) for name in notebook_results.NOTEBOOKS}
    assert {name for name, one in said.items() if one == "–"} == {
        "00_start_here",
        *(name for name in said if name.startswith("tools/")),
    }
    assert max(map(len, said.values())) <= 130
    lines = notebook_results.block().splitlines()
    assert len(lines) == len(said) + 4
    assert said["09_crmatch"] in next(line for line in lines if "09_crmatch.ipynb" in line)


def test_seeds_are_said_once_where_they_are_equal():
    assert headlines._seeds(8, 8) == "8 seeds each"
    assert headlines._seeds(8, 3) == "8 and 3 seeds, real and simulated"
