"""The ledger of claims: each verdict is computed from stored tables by its rule, changes with the
numbers, and says what is missing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.tables import claims_ledger, claims_ledger_inputs, claims_ledger_labels
from riqa_lib.tables import claims_ledger_words as words
from riqa_lib.tables.claims_ledger_inputs import Inputs
from riqa_lib.tables.claims_ledger_rules import (
    NEVER,
    REFUTED,
    REPRODUCED,
    UNDECIDED,
    UNTESTED,
    VERDICTS,
    Item,
    together,
    verdict_of,
)
from riqa_lib.tables.published import published

MARGIN = 0.02


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """The tracked tables, read once."""
    return claims_ledger_inputs.load("reference", claims_ledger_labels.tracked())


@pytest.fixture(scope="module")
def table(inputs) -> pd.DataFrame:
    return claims_ledger.judged(inputs)


def judged(inputs: Inputs, *claims: str) -> pd.DataFrame:
    """The ledger of a few claims."""
    asked = claims_ledger.asked()
    return claims_ledger.judged(inputs, asked[asked["id"].isin(claims)])


def of(table: pd.DataFrame, claim: str, tested: str, on: str = "") -> pd.Series:
    """The row of a claim's test on a table."""
    mine = table[(table["id"] == claim) & (table["table"] == tested)]
    mine = mine[mine["on"].str.contains(on, regex=False)]
    assert len(mine) == 1
    return mine.iloc[0]


# ---------------------------------------------------------------- rules on made differences
def item(low: float, high: float, **more: float) -> Item:
    """A difference in the middle of its 95 % interval; the 90 % one is a sixth narrower."""
    middle, half = (low + high) / 2, (high - low) / 2
    ends = {"low_90": middle - half * 5 / 6, "high_90": middle + half * 5 / 6}
    return Item("it", middle, low, high, **({"seeds": 3, "margin": MARGIN} | ends | more))


@pytest.mark.parametrize(
    ("rule", "it", "expected"),
    [
        ("better", item(0.01, 0.05), REPRODUCED),
        ("better", item(0.01, 0.05, p=0.2), UNDECIDED),  # not after Holm's correction
        ("better", item(0.001, 0.003, p=0.01), REPRODUCED),  # small, but a gain
        ("better", item(-0.05, -0.01), REFUTED),
        ("better", item(-0.05, -0.01, p=0.2), REFUTED),  # a gain of the margin is shut out
        ("better", item(-0.03, 0.03), UNDECIDED),
        ("better", item(-0.015, 0.015), REFUTED),
        ("better", item(-0.015, 0.015, margin=np.nan), UNDECIDED),
        ("better", item(-0.05, -0.01, margin=np.nan), REFUTED),
        ("better", item(-0.05, -0.01, margin=np.nan, p=0.2), UNDECIDED),
        ("as good", item(-0.015, 0.03), REPRODUCED),
        ("as good", item(-0.018, -0.001, p=0.01), REPRODUCED),  # worse, but by less than the margin
        ("as good", item(-0.05, 0.01), UNDECIDED),
        ("as good", item(-0.05, -0.01), REFUTED),
        ("as good", item(-0.05, -0.01, p=0.3), UNDECIDED),
        ("alike", item(-0.015, 0.015), REPRODUCED),
        ("alike", item(-0.03, 0.03), UNDECIDED),
        ("alike", item(0.03, 0.05), REFUTED),
        ("alike", item(-0.05, -0.03), REFUTED),
        ("not shown", item(-0.05, -0.01, p=0.049), REFUTED),
        ("not shown", item(-0.05, -0.01, p=0.05), REPRODUCED),
        ("not shown", item(-0.05, -0.01), UNDECIDED),  # no p
        ("equal", Item("", 0.0), REPRODUCED),
        ("equal", Item("", 1.0), REFUTED),
        ("equal", Item("", -1.0), REFUTED),
        ("equal", Item("", 1.0, margin=1), REPRODUCED),
        ("other", Item("", 0.0), REFUTED),
        ("other", Item("", 3.0), REPRODUCED),
    ],
)
def test_a_rule_decides_one_difference(rule, it, expected):
    assert verdict_of(it, rule) == (expected, "")


def test_what_cannot_be_decided_says_why():
    sure = item(0.01, 0.05)
    assert verdict_of(replace(sure, seeds=1), "better") == (UNDECIDED, "one seed: not a comparison")
    assert verdict_of(replace(sure, seeds=2), "better")[0] == UNDECIDED
    assert verdict_of(replace(sure, seeds=np.nan), "better")[0] == REPRODUCED  # of no training
    assert verdict_of(replace(sure, seeds=0), "better")[0] == UNTESTED
    assert verdict_of(Item("", 0.0, 0.0, 0.0, seeds=8), "better") == (UNTESTED, NEVER)
    verdict, why = verdict_of(Item("", 0.1, seeds=8), "better")
    assert verdict == UNTESTED
    assert "no interval" in why
    with pytest.raises(ValueError, match="rule 'worse': expected one of better, as good"):
        verdict_of(sure, "worse")


YES, NO, OPEN = item(0.01, 0.05), item(-0.05, -0.01), item(-0.03, 0.03)


@pytest.mark.parametrize(
    ("items", "expected"),  # of all, most, any
    [
        ([YES, YES, YES], (REPRODUCED, REPRODUCED, REPRODUCED)),
        ([YES, YES, OPEN], (UNDECIDED, REPRODUCED, REPRODUCED)),
        ([YES, YES, NO], (REFUTED, REPRODUCED, REPRODUCED)),
        ([YES, NO, NO], (REFUTED, REFUTED, REPRODUCED)),
        ([OPEN, NO, NO], (REFUTED, REFUTED, UNDECIDED)),
        ([YES, OPEN], (UNDECIDED, UNDECIDED, REPRODUCED)),  # half is not most
        ([NO, OPEN], (REFUTED, UNDECIDED, UNDECIDED)),
        ([NO, NO], (REFUTED, REFUTED, REFUTED)),
        ([OPEN], (UNDECIDED, UNDECIDED, UNDECIDED)),
    ],
)
def test_several_differences_together(items, expected):
    assert tuple(together(items, "better", n)[0] for n in ("all", "most", "any")) == expected


def test_several_differences_of_which_one_is_no_test():
    never = Item("FreeMatch", 0.0, 0.0, 0.0, seeds=3)
    assert together([YES, never], "better", "any") == (REPRODUCED, f"FreeMatch: {NEVER}")
    assert together([NO, never], "better", "any")[0] == UNDECIDED
    assert together([never, never], "better", "all") == (UNTESTED, NEVER)
    with pytest.raises(ValueError, match="need 'some': expected one of all, most, any"):
        together([YES], "better", "some")
    with pytest.raises(ValueError, match="no difference"):
        together([], "better", "all")


# ---------------------------------------------------------------- the claims as data
def test_every_claim_is_told_in_full():
    asked = claims_ledger.asked()
    assert asked["id"].nunique() >= 25
    assert set(asked["paper"]) == {*words.PAPERS}
    assert not (asked[["claim", "item", "published", "source", "on", "rule"]] == "").any().any()
    none = asked["rule"] == "none"
    assert ((asked["why"] != "") == none).all()
    assert (asked.loc[~none, "measure"] != "").all()
    rules = published("claim_rules").set_index("rule")
    assert set(asked["rule"]) <= set(rules.index)
    assert set(asked["need"]) <= {"", "all", "most", "any"}
    assert not asked["claim"].str.contains("[{}]").any()
    assert not asked["published"].str.contains("[{}]").any()


def test_published_numbers_are_those_of_the_tables(table):
    shown = table.drop_duplicates("id").set_index("id")["published"]
    assert shown["D22"] == "MAE 0.53 → 0.40"
    assert shown["T1"].startswith("F1 0.863 → 0.875")
    assert shown["D1"] == "8,345"
    raw = published("claims")["published"]
    typed = raw.str.replace(r"\{[^}]*\}", "", regex=True)
    assert not typed.str.contains(r"(?<!p > )0\.\d").any()  # no such number is typed


def test_a_claim_without_a_test_is_refused(monkeypatch):
    def cut(name):
        found = published(name)
        return found[found["id"] != "D4"] if name == "claim_tests" else found

    monkeypatch.setattr(claims_ledger, "published", cut)
    with pytest.raises(ValueError, match="differ: D4"):
        claims_ledger.asked()


# ---------------------------------------------------------------- verdicts from stored tables
def test_every_row_has_a_verdict_and_what_would_refute_it(table):
    assert list(table) == list(claims_ledger.COLUMNS)
    assert set(table["verdict"]) <= {*VERDICTS}
    tested = table[table["rule"] != "none"]
    assert (tested["refuted"] != "").all()
    assert (tested["ours"] != "–").all()  # the reference lacks nothing
    assert not table["why"].str.contains("input missing").any()
    trained = table[table["table"].isin(["table2", "biq2021", "significance", "pairs"])]
    assert (trained["seeds"] >= 3).all()
    assert (trained["pictures"] > 0).all()
    assert not table["files"].str.contains("again").any()  # no file was read


def test_the_tracked_ledger_is_what_the_tracked_tables_say(table, tmp_path):
    """Made by claims_ledger.collect()."""
    file = store.write_table(tmp_path / "claims.csv", table)
    tracked = claims_ledger.place("reference")
    assert tracked == paths.reference() / "claims.csv"
    found, kept = store.read_table(file), store.read_table(tracked)
    pd.testing.assert_frame_equal(found, kept, rtol=1e-4)
    again = claims_ledger.load("reference")
    assert words.show(again) == words.show(table)
    assert words.show_refuted(again).count("\n") == 1 + (table["rule"] != "none").sum()
    assert words.summary(again) == words.summary(table)


def changed(inputs: Inputs, table: str, rows: dict[str, object], **values: float) -> Inputs:
    """The inputs with some stored numbers changed."""
    frame = inputs.tables[table].copy()
    mine = np.all([frame[c].isin(np.atleast_1d(v)) for c, v in rows.items()], axis=0)
    assert mine.any()
    frame.loc[mine, [*values]] = [*values.values()]
    return replace(inputs, tables={**inputs.tables, table: frame})


GAIN = {"d_mae": -0.05, "d_mae_low": -0.07, "d_mae_high": -0.03}
GAIN_90 = {"d_mae_low_90": -0.066, "d_mae_high_90": -0.034}
LOSS = {k: -v for k, v in GAIN.items()} | {"d_mae_low": 0.03, "d_mae_high": 0.07}
LOSS_90 = {"d_mae_low_90": 0.034, "d_mae_high_90": 0.066}


@pytest.mark.parametrize(("tested", "on"), [("table2", ""), ("biq2021", ""), ("biq2021_last", "")])
def test_a_changed_error_changes_the_verdict(inputs, tested, on):
    rows = {"method": ["crmatch", "crmatch_second"]}
    for numbers, p, expected in (
        (GAIN | GAIN_90, 0.01, REPRODUCED),
        (GAIN | GAIN_90, 0.5, UNDECIDED),
        (LOSS | LOSS_90, 0.01, REFUTED),
    ):
        new = judged(changed(inputs, tested, rows, **numbers, p_holm=p), "D22")
        row = of(new, "D22", tested, on)
        assert row["verdict"] == expected
        assert ("+0.050 [+0.030, +0.070]" in row["ours"]) == (numbers["d_mae"] < 0)


def test_a_gain_at_one_number_of_labels_is_not_most_of_two(inputs):
    rows = {"method": "comatch", "labels": 300}
    new = changed(inputs, "biq2021", rows, **GAIN, **GAIN_90, p_holm=0.01)
    new = changed(new, "biq2021", {"method": "comatch", "labels": 100}, **LOSS, **LOSS_90)
    assert of(judged(new, "D20"), "D20", "biq2021")["verdict"] == UNDECIDED


def test_a_changed_fundus_comparison_changes_the_verdict(inputs, table):
    about = {"comparison": "multi v single", "metric": "macro_f1", "a": "multi_eyeq"}
    better = {"difference": 0.02, "low": 0.01, "high": 0.03, "low_90": 0.012, "high_90": 0.028}
    new = judged(changed(inputs, "significance", about, **better, p_holm=0.01), "T1")
    assert of(new, "T1", "significance", "ResNet-18")["verdict"] == REPRODUCED
    assert of(table, "T1", "significance", "ResNet-18")["verdict"] != REPRODUCED
    lite0 = of(new, "T1", "significance", "Lite0")  # another row: as it was
    assert lite0["ours"] == of(table, "T1", "significance", "Lite0")["ours"]

    teacher = {"comparison": "Student v Teacher", "set": "eyeq_d", "metric": "auc"}
    new = changed(inputs, "significance", teacher | {"quantity": ["clarity"]}, p_holm=0.01)
    assert of(judged(new, "T5"), "T5", "significance")["verdict"] == REPRODUCED
    two = teacher | {"quantity": ["clarity", "contrast"]}
    new = changed(inputs, "significance", two, p_holm=0.01)
    assert of(judged(new, "T5"), "T5", "significance")["verdict"] == REFUTED
    worse = {"difference": -0.08, "low": -0.1, "high": -0.06, "low_90": -0.097, "high_90": -0.063}
    new = changed(inputs, "significance", two, **worse, p_holm=0.01)
    assert of(judged(new, "T6"), "T6", "significance", "EyeQ-D")["verdict"] == REFUTED
    assert of(table, "T6", "significance", "EyeQ-D")["verdict"] == REPRODUCED


def test_changed_noise_maps_and_defects_change_the_verdict(inputs):
    within = {"difference": 0.0, "low_90": -0.04, "high_90": 0.04}
    details = {"detail": ["clarity", "contrast"]}
    new = judged(changed(inputs, "noise", details, **within), "T8")
    assert of(new, "T8", "noise")["verdict"] == REPRODUCED
    beyond = {"difference": 0.1, "low_90": 0.06, "high_90": 0.14}
    new = judged(changed(inputs, "noise", details, **beyond), "T8")
    assert of(new, "T8", "noise")["verdict"] == REFUTED

    heads = {"measure": "energy", "against": "single_eyeq"}
    new = judged(changed(inputs, "explain", heads, low=0.01, high=0.1), "T15")
    assert of(new, "T15", "explain", "share")["verdict"] == REPRODUCED
    own = {"method": "multi_eyeq"}
    new = judged(changed(inputs, "verdicts", own, over_low=0.01, over_high=0.3), "T16")
    assert of(new, "T16", "verdicts", "ResNet-18")["verdict"] == REPRODUCED


def test_a_changed_fact_of_a_label_file_changes_the_verdict(inputs, table):
    assert of(table, "T9", "audit")["verdict"] == REFUTED
    new = replace(inputs, facts={**inputs.facts, "eyeq_d_same_grade": 150})
    row = of(judged(new, "T9"), "T9", "audit")
    assert row["verdict"] == REPRODUCED
    assert row["ours"] == "10 pictures graded otherwise (the same: 150 of 160)"
    assert row["data"] == "label files"
    assert row["files"] == "as counted before; not all files are here"
    now = replace(new, again=frozenset({"eyeq_d_same_grade", "eyeq_d_pictures"}))
    row = of(judged(now, "T9"), "T9", "audit")
    assert row["files"] == "counted again from the files"


def test_a_missing_input_is_told_and_nothing_else_changes(inputs, table):
    without = {k: v for k, v in inputs.tables.items() if k not in ("biq2021", "noise")}
    lacking = {"noise": "run the notebook 17_expert_agreement first"}
    facts = {k: v for k, v in inputs.facts.items() if k != "kadis_pictures"}
    new = claims_ledger.judged(replace(inputs, tables=without, missing=lacking, facts=facts))
    gone = new["why"].str.startswith("input missing: ")
    assert set(new.loc[gone, "table"]) == {"biq2021", "noise", "audit"}
    assert (new.loc[gone, "verdict"] == UNTESTED).all()
    assert (new.loc[gone, "ours"] == "–").all()
    assert of(new, "T8", "noise")["why"].endswith("17_expert_agreement first")
    assert of(new, "D2", "audit")["why"] == "input missing: label_facts.csv has no kadis_pictures"
    pd.testing.assert_frame_equal(new[~gone], table[~gone])


def test_rows_that_a_table_lacks_are_told(inputs):
    frame = inputs.tables["biq2021"]
    fewer = {**inputs.tables, "biq2021": frame[frame["labels"] != 300]}
    fewer["explain"] = inputs.tables["explain"].drop(columns="against")
    new = judged(replace(inputs, tables=fewer), "D18", "T15")
    assert of(new, "D18", "biq2021")["why"] == "input missing: biq2021: no such row with labels 300"
    assert "no column against" in of(new, "T15", "explain", "share")["why"]
    with pytest.raises(ValueError, match="expected column=value"):
        claims_ledger_inputs.wanted("method")


def test_an_empty_walk_says_which_notebooks_to_run(home):
    found = claims_ledger_inputs.load("demo", claims_ledger_labels.tracked())
    assert set(found.tables) == {"biq2021", "biq2021_last", "real_blur"}  # these are tracked
    new = claims_ledger.judged(found)
    why = new.loc[new["table"].isin(["significance", "explain", "table2", "matched"]), "why"]
    assert why.str.contains("input missing: results/demo").all()
    for notebook in ("16_significance", "17_expert", "18_explain", "03_vit", "14_teacher"):
        assert new["why"].str.contains(notebook).any()
    assert of(new, "D10", "audit")["verdict"] == UNDECIDED
    assert "0 of 5 (5 not testable) methods are, with all labels" in words.sentences(new)[3]
    file = claims_ledger.keep(new, "demo")
    assert file == home / "results" / "demo" / "tables" / "claims_ledger.csv"
    assert words.show(claims_ledger.load("demo")) == words.show(new)
    with pytest.raises(FileNotFoundError, match="run the notebook 19_claims first"):
        claims_ledger.load("other")


def test_photographs_of_ones_own_are_not_the_papers(monkeypatch):
    facts = pd.DataFrame({"item": ["name", "data"], "value": ["mine", "real"]})
    monkeypatch.setattr(
        claims_ledger_inputs.stored, "load_walk", lambda name: {"provenance": facts}
    )
    found = claims_ledger_inputs._photographs(Inputs({}), "own")
    assert found.missing["table2"] == "the photographs of own are not the paper's"
    assert not found.tables


# ---------------------------------------------------------------- what no notebook stores
def test_pairs_are_mean_errors_of_the_same_pictures_and_seeds():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2, 3, 4], 12)
    rows = []
    for method, seeds in {"supervised": (0, 1, 2), "crmatch": (0, 1, 2, 3)}.items():
        for seed in seeds:
            p = rng.dirichlet(np.ones(5), len(truth))
            each = pd.DataFrame(p, columns=[f"p{k}" for k in range(5)])
            each = each.assign(method=method, seed=seed, labels=60, split="test", truth=truth)
            ids = [f"i{k}" for k in range(len(truth))]
            rows.append(each.assign(id=ids, group=ids))
    predictions = pd.concat(rows, ignore_index=True)
    found = claims_ledger_inputs.pairs(predictions).set_index(["a", "b", "grades"])
    assert list(found.index) == [
        ("crmatch", "supervised", "34"),
        ("crmatch", "supervised", "012"),
        ("crmatch", "supervised", "all"),
    ]
    said = predictions[[f"p{k}" for k in range(5)]].to_numpy().argmax(axis=1)
    errors = predictions.assign(error=np.abs(said - predictions["truth"]))
    errors = errors[errors["seed"] < 3]
    for grades, of_them in {"34": (3, 4), "012": (0, 1, 2), "all": range(5)}.items():
        part = errors[errors["truth"].isin(of_them)]
        mae = part.groupby("method")["error"].mean()
        row = found.loc[("crmatch", "supervised", grades)]
        assert row["difference"] == pytest.approx(mae["supervised"] - mae["crmatch"])
        assert row["low"] < row["low_90"] < row["difference"] < row["high_90"] < row["high"]
        assert (row["seeds"], row["pictures"]) == (3, 12 * len(of_them))


def test_matched_is_the_difference_of_the_tables_columns(inputs):
    (row,) = inputs.tables["matched"].to_dict("records")
    kept = store.read_table(paths.reference() / "fundus" / "overall_deepdrid.csv")
    f1 = kept.set_index("method")["matched"]
    assert row["difference"] == pytest.approx(
        f1["multi_deepdrid"] - f1["single_deepdrid"], abs=1e-6
    )
    assert row["low"] < row["low_90"] < row["difference"] < row["high_90"] < row["high"]


def test_the_tracked_ledger_is_not_written_by_a_notebook(table, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    assert claims_ledger.keep(table, "reference") == tmp_path / "claims.csv"
    assert not any(tmp_path.iterdir())


def test_blurred_is_the_mean_over_seeds_with_students_t():
    counts = pd.DataFrame(
        {
            "row": "multi_eyeq",
            "seed": [0, 0, 1, 1, 2, 2],
            "pictures_are": ["sharp", "blurred"] * 3,
            "pictures": [10, 8] * 3,
            "clarity": [1, 4, 2, 8, 0, 2],
        }
    )
    (row,) = claims_ledger_inputs.blurred(counts).to_dict("records")
    gaps = [4 / 8 - 0.1, 1 - 0.2, 2 / 8 - 0.0]
    assert row["difference"] == pytest.approx(np.mean(gaps))
    half = 4.302653 * np.std(gaps, ddof=1) / 3**0.5  # t of two degrees of freedom
    assert row["low"] == pytest.approx(max(-1, np.mean(gaps) - half), abs=1e-6)
    assert row["high"] == pytest.approx(min(1, np.mean(gaps) + half), abs=1e-6)
    assert (row["seeds"], row["pictures"]) == (3, 10)


# ---------------------------------------------------------------- to be read
def test_the_ledger_is_readable_and_complete(table):
    text = words.show(table)
    lines = text.splitlines()
    assert sum(line.startswith("### ") for line in lines) == len(words.PAPERS)
    tests = [line for line in lines if re.match(r"\| (?:[DT]\d+)? \| (?!claim)", line)]
    assert len(tests) == len(table)
    assert {line.count("|") for line in tests} == {7}  # six columns
    ids = [line.split("|")[1].strip() for line in tests]
    assert [i for i in ids if i] == list(table["id"].unique())
    counts = words.counts(table)
    assert counts["tests"].sum() == len(table) == counts[[*VERDICTS]].sum().sum()
    assert f"| all, {table['id'].nunique()} claims |" in text
    assert "a third party" not in text
    assert "(third party)" in text  # beside the number that is known by hearsay
    with pytest.raises(ValueError, match="paper 'x': expected one of dang, telesco"):
        words.show_paper(table, "x")
    assert words.show_rules(table).count("\n") == 1 + table["rule"].nunique() - 1


def test_five_sentences_say_what_the_tables_say(inputs, table):
    said = words.sentences(table)
    assert len(said) == 5
    assert words.summary(table) == " ".join(said)
    assert [s.split("**")[1] for s in said] == [
        "In the paper on photographs",
        "In the paper on fundus images",
        "On real photographs",
        "In the simulation",
        "In all",
    ]
    for number in ("MAE 0.53", "0.022 better", "(0.552)", "6 of its 6", "(0.062)", "best 0.23"):
        assert number in said[0]
    for number in ("0.745 → 0.721", "293 → 294 right of 400", "160 of 160"):
        assert number in said[1]
    rows = {"method": ["crmatch", "simmatch"]}
    new = changed(inputs, "biq2021", rows, **GAIN, **GAIN_90, p_holm=0.01)
    assert "seeds) 2 of 5 (" in words.sentences(judged(new, "D18", "D19", "D20", "D21", "D22"))[2]
    assert "seeds) 2 of 5 (" not in said[2]
    n = table["verdict"].value_counts()
    assert f"{n[REPRODUCED]} reproduced, {n[REFUTED]} not reproduced" in said[4]
