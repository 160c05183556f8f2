"""Rows of fundus photographs that train no network, beside networks: who stands in a table, and
what is said of a network that does not pass them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.tables import (
    beside_simple,
    comparisons,
    experts,
    fundus_found,
    fundus_grades,
    names,
    stored,
)

SKILL = {
    "constant_eyeq": 0,
    "always_bad_eyeq": 0,
    "forest_eyeq": 0.35,
    "logistic_eyeq": 0.05,
    "single_eyeq": 0.15,
    "multi_eyeq": 0.9,
    "constant": 0,
    "forest": 0.35,
    "logistic": 0.05,
    "teacher": 0.15,
}


def told(methods=tuple(SKILL), seeds=(0, 1), n=80):
    """Predictions of two sets, by skill; constants say one thing."""
    parts = []
    for which, split in (("eyeq", ("val", "test")), ("eyeq_d", ("test",)), ("mshf", ("test",))):
        truth = rng("truth", which).integers(0, 3, n)
        for method in methods:
            if which == "eyeq" and not method.endswith("_eyeq"):
                continue
            for seed in seeds:
                g = rng("told", which, method, seed)
                part = pd.DataFrame(
                    {
                        "method": method,
                        "seed": seed,
                        "set": which,
                        "id": [f"{which}{i}" for i in range(n)],
                        "group": [f"p{i // 2}" for i in range(n)],
                        "split": [split[i % len(split)] for i in range(n)],
                        "truth": truth,
                    }
                )
                skill = SKILL[method]
                noise = g.dirichlet([1.0] * 3, n)
                p = skill * np.eye(3)[truth] + (1 - skill) * noise
                if names.kind_of_row(method) == "constant":
                    p = np.tile([0.3, 0.5, 0.2], (n, 1))
                if names.kind_of_row(method) == "always_bad":
                    p = np.tile([1.0, 0, 0], (n, 1))
                if method.endswith("_eyeq"):
                    part = part.assign(**{f"p{k}": p[:, k] for k in range(3)})
                for d in DETAILS:
                    part[d] = (truth > 0).astype(int)
                    part[f"d_{d}"] = 1 - p[:, 0]
                parts.append(part)
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- who is in a table
def test_simple_rows_of_the_set_stand_first_with_the_seeds_of_the_networks():
    said = told()
    assert beside_simple.rows_of(said, ["teacher", "multi_eyeq", "nowhere"]) == [
        "constant",
        "forest",
        "logistic",
        "teacher",
        "multi_eyeq",
    ]
    eyeq = ["constant_eyeq", "always_bad_eyeq", "forest_eyeq", "logistic_eyeq", "multi_eyeq"]
    assert beside_simple.rows_of(said, ["multi_eyeq"], "eyeq") == eyeq
    fewer = said[(said["method"] != "forest_eyeq") | (said["seed"] == 0)]
    assert "forest_eyeq" not in beside_simple.rows_of(fewer, ["multi_eyeq"], "eyeq")
    assert beside_simple.rows_of(told(("teacher",)), ["teacher"]) == ["teacher"]


def test_their_names_are_those_of_photographs_where_they_are_the_same():
    assert names.row_name("forest_eyeq") == names.NAMES["forest"] == "statistics + forest"
    assert names.name_of("constant_deepdrid") == "best constant (deepdrid)"
    assert names.name_of("forest") == "statistics + forest"
    assert names.name_of("logistic_eyeq") == "logistic regression on frozen maps (eyeq)"
    assert names.name_of("ridge") == "ridge on frozen maps"
    assert [beside_simple.is_constant(m) for m in ("always_bad_eyeq", "forest_eyeq")] == [
        True,
        False,
    ]
    assert not beside_simple.is_simple("multi_hard_eyeq")


@pytest.mark.parametrize(
    ("row", "notebook"), [("forest", "14_teacher"), ("forest_eyeq", "15_student")]
)
def test_a_run_that_is_gone_names_the_notebook_that_makes_it(home, row, notebook):
    runs = pd.DataFrame({"run": ["forest-0"], "row": [row], "set": ["mshf"], "seed": [0]})
    with pytest.raises(FileNotFoundError, match=notebook):
        stored.load_fundus("w", runs)


# ---------------------------------------------------------------- the overall grade
@pytest.fixture(scope="module")
def overall():
    return fundus_grades.overall(told(), "eyeq", resamples=40)


def slow_not_passed(table, method, measures):
    """Pairs (simple row, measure) that a network's value does not exceed."""
    value = table.set_index("method")
    return {
        (value.loc[simple, "row"], m)
        for simple in table["method"]
        for m in measures
        if simple.split("_eyeq")[0] in ("constant", "always_bad", "forest", "logistic")
        and not value.loc[method, m] > value.loc[simple, m]
    }


def test_a_network_that_does_not_pass_a_simple_row_says_so(overall):
    table, boot = overall
    assert table["method"].tolist() == [m for m in SKILL if m.endswith("_eyeq")]
    measures = ("macro_f1", "f1", "auc", "accuracy")
    below = slow_not_passed(table, "single_eyeq", measures)
    assert {m for row, m in below if row == "statistics + forest"} == {*measures}
    said = dict(
        zip(
            table["method"],
            beside_simple.cells(table.to_dict("records"), measures, on="eyeq"),
            strict=True,
        )
    )
    assert said["multi_eyeq"] == beside_simple.NONE
    assert not slow_not_passed(table, "multi_eyeq", measures)
    assert said["forest_eyeq"] == said["constant_eyeq"] == "–"
    assert (
        "statistics + forest (macro F1, F1 of reject, AUC of reject, accuracy)"
        in said["single_eyeq"]
    )
    assert said["single_eyeq"].count("(") == len({row for row, _ in below})
    shown = fundus_grades.show_overall(table, "eyeq", True)
    assert f"- single-task does not pass {said['single_eyeq']}, by point estimates." in shown
    assert shown.count("does not pass") == 1
    words = fundus_found.overall_said(table, boot, "eyeq")
    assert "by point estimates 1 of 2 are not above every simple row (" in words
    assert "statistics + forest in 1" in words


def test_a_constant_has_no_threshold_to_match(overall):
    table = overall[0].set_index("method")
    constants = ["constant_eyeq", "always_bad_eyeq"]
    assert table.loc[constants, ["matched", "matched_low", "matched_high"]].isna().all(axis=None)
    assert table.drop(index=constants)["matched"].notna().all()
    assert (table.loc[constants, "auc"] == 0.5).all()
    said = told()
    test = said[
        (said["set"] == "eyeq")
        & (said["split"] == "test")
        & (said["method"] == "multi_eyeq")
        & (said["seed"] == 0)
    ]
    bad = (test["truth"] == 0).mean()
    assert table.loc["always_bad_eyeq", "f1"] == pytest.approx(2 * bad / (1 + bad))
    assert table.loc["constant_eyeq", "accuracy"] == pytest.approx((test["truth"] == 1).mean())


def test_older_results_without_simple_rows_say_nothing_of_them():
    networks = told(("single_eyeq", "multi_eyeq", "teacher"))
    table, boot = fundus_grades.overall(networks, "eyeq", resamples=20)
    assert table["method"].tolist() == ["single_eyeq", "multi_eyeq"]
    details = fundus_grades.details(networks, "eyeq_d", ["teacher", "single_eyeq"], resamples=20)
    kappas = experts.model_agreement(
        networks, networks.drop_duplicates("id"), "eyeq_d", ["teacher", "single_eyeq"]
    )
    assert "not_passed" not in kappas
    texts = (
        fundus_grades.show_overall(table, "eyeq", True),
        fundus_found.overall_said(table, boot, "eyeq"),
        fundus_grades.show_details(details, True),
        fundus_found.details_said(details, "EyeQ-D"),
    )
    for text in texts:
        assert "pass" not in text
        assert "simple row" not in text
        assert "forest" not in text
    pairs = comparisons.all_of(networks, resamples=20)["comparison"]
    assert set(pairs) == {"multi v single", "Student v Teacher"}


# ---------------------------------------------------------------- details
def test_details_and_kappas_name_the_simple_rows_not_passed():
    said = told()
    methods = beside_simple.rows_of(said, ["teacher", "multi_eyeq"])
    table = fundus_grades.details(said, "eyeq_d", methods, resamples=20)
    auc = table.set_index(["method", "detail"])["auc"]
    assert all(auc["teacher", d] <= auc["forest", d] for d in DETAILS)
    assert all(auc["multi_eyeq", d] > auc["forest", d] for d in DETAILS)
    cells = table.assign(
        cell=beside_simple.cells(table.to_dict("records"), ("f1", "auc", "accuracy"))
    )
    teacher = cells[cells["method"] == "teacher"]["cell"]
    assert teacher.str.contains(r"statistics \+ forest \(.*AUC of bad").all()
    assert (cells[cells["method"] == "multi_eyeq"]["cell"] == beside_simple.NONE).all()
    words = fundus_found.details_said(table, "EyeQ-D")
    assert "3 of 6 are not above every simple row (statistics + forest in 3" in words
    frame = said[said["set"] == "eyeq_d"].drop_duplicates("id")
    kappas = experts.model_agreement(said, frame, "eyeq_d", methods).set_index("method")
    assert (kappas.loc["teacher", "not_passed"].str.count("forest") == 1).all()
    assert kappas.loc["teacher", "not_passed"].str.contains(r"statistics \+ forest \(kappa\)").all()
    assert (kappas.loc["forest", "not_passed"] == "–").all()
    assert (kappas.loc["constant", "estimate"] == 0).all()


def test_only_rows_of_the_same_detail_are_held_against_each_other():
    rows = [
        {"method": "forest", "detail": "clarity", "auc": 0.9},
        {"method": "forest", "detail": "contrast", "auc": 0.6},
        {"method": "teacher", "detail": "clarity", "auc": 0.95},
        {"method": "teacher", "detail": "contrast", "auc": 0.6},
        {"method": names.LABEL, "detail": "contrast", "auc": 0.5},
    ]
    assert beside_simple.cells(rows, ["auc"]) == [
        "–",
        "–",
        beside_simple.NONE,
        "statistics + forest (AUC of bad)",
        "–",
    ]
    assert beside_simple.cells(rows[2:], ["auc"]) is None
    assert beside_simple.not_passed(rows[1], rows, ["auc"]) == []


# ---------------------------------------------------------------- comparisons
def test_networks_are_compared_with_what_looks_at_pictures():
    said = told()
    table = comparisons.all_of(said, resamples=40)
    found = set(zip(*(table[c] for c in ("comparison", "set", "a", "b")), strict=True))
    assert found == {
        ("multi v single", "eyeq", "multi_eyeq", "single_eyeq"),
        ("multi v single", "mshf", "multi_eyeq", "single_eyeq"),
        ("multi v single", "eyeq_d", "multi_eyeq", "single_eyeq"),
        ("Student v Teacher", "mshf", "multi_eyeq", "teacher"),
        ("Student v Teacher", "eyeq_d", "multi_eyeq", "teacher"),
    } | {
        pair
        for kind in ("forest", "logistic")
        for pair in (
            (f"multi v {kind}", "eyeq", "multi_eyeq", f"{kind}_eyeq"),
            (f"multi v {kind}", "mshf", "multi_eyeq", kind),
            (f"multi v {kind}", "eyeq_d", "multi_eyeq", kind),
            (f"Teacher v {kind}", "mshf", "teacher", kind),
            (f"Teacher v {kind}", "eyeq_d", "teacher", kind),
        )
    }
    one = table[(table["comparison"] == "Teacher v forest") & (table["set"] == "eyeq_d")]
    assert set(one["quantity"]) == {*DETAILS}
    assert (table[table["set"] == "eyeq"]["pictures"] == 40).all()  # of its test split
    shown = fundus_grades.details(said, "eyeq_d", ["teacher", "forest"], resamples=20)
    auc = shown.set_index(["method", "detail"])["auc"]
    difference = one[one["metric"] == "auc"].set_index("quantity")["difference"]
    for d in DETAILS:
        assert difference[d] == pytest.approx(auc["teacher", d] - auc["forest", d])
