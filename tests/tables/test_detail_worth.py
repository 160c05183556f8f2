"""What the details are worth: who is compared within and between encoders, the baseline that knows
people's overall grade alone, Holm's families; and the words of what is worst."""

from __future__ import annotations

import ast
import json

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from sklearn.metrics import roc_auc_score

from riqa_lib.figures import fundus_results
from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.stats.bootstrap import holm
from riqa_lib.tables import (
    beside_simple,
    comparisons,
    fundus_found,
    fundus_grades,
    fundus_pairs,
    names,
    paired_differences,
)

ROWS = {  # skill of each
    "teacher": 0.4,
    "teacher_lite0": 0.6,
    "multi_eyeq": 0.3,
    "single_eyeq": 0.35,
    "multi_lite0_eyeq": 0.6,
    "single_lite0_eyeq": 0.4,
    "forest": 0.3,
    "always_bad_eyeq": 0.0,
}


def frame_of(which, n=60):
    g = rng("frame", which)
    table = pd.DataFrame({"id": [f"{which}{i}" for i in range(n)]})
    table["group"] = [f"p{i // 2}" for i in range(n)]
    first = "val" if which == "eyeq" else "train"
    table["split"] = np.where(np.arange(n) % 3 == 0, first, "test")
    table["grade"] = g.integers(0, 3, n)
    for d in DETAILS:
        # of clarity people say the opposite in one set: what is learnt there misleads
        grade = 2 - table["grade"] if (which, d) == ("mshf", "clarity") else table["grade"]
        table[d] = (grade + g.normal(0, 0.7, n) > 1).astype(int)
    return table


FRAMES = {which: frame_of(which) for which in ("mshf", "eyeq_d", "eyeq")}


def said(rows=ROWS, seeds=(0, 1)):
    parts = []
    for which, frame in FRAMES.items():
        for method, skill in rows.items():
            learns = method.endswith("_eyeq")
            if which == "eyeq" and not learns:
                continue
            for seed in seeds if isinstance(seeds, tuple) else seeds[method]:
                g = rng("said", which, method, seed)
                part = frame.assign(method=method, seed=seed, set=which, truth=-1)
                for d in DETAILS:
                    p = skill * frame[d] + (1 - skill) * g.random(len(frame))
                    part[f"d_{d}"] = p.round(4)
                if learns:
                    p = skill * np.eye(3)[frame["grade"]] + (1 - skill) * g.dirichlet(
                        [1.0] * 3, len(frame)
                    )
                    part = part.assign(truth=frame["grade"], **{f"p{k}": p[:, k] for k in range(3)})
                parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    frames = {which: FRAMES[which] for which in ("mshf", "eyeq_d")}
    return comparisons.all_of(said(), frames, resamples=60)


# ---------------------------------------------------------------- who with whom
def test_rows_are_compared_within_their_encoder_and_the_same_row_between(table):
    details = table[table["quantity"] != "overall"]
    pairs = set(zip(details["comparison"], details["a"], details["b"], strict=True))
    within = {
        ("multi v single", "multi_eyeq", "single_eyeq"),
        ("multi v single", "multi_lite0_eyeq", "single_lite0_eyeq"),
        ("Student v Teacher", "multi_eyeq", "teacher"),
        ("Student v Teacher", "multi_lite0_eyeq", "teacher_lite0"),
    }
    against = {
        (f"{who} v {kind}", row, kind)
        for who, rows in (
            ("multi", ("multi_eyeq", "multi_lite0_eyeq")),
            ("Teacher", ("teacher", "teacher_lite0")),
        )
        for row in rows
        for kind in ("forest", names.LABEL)
    }
    between = {
        ("Lite0 v ResNet", "multi_lite0_eyeq", "multi_eyeq"),
        ("Lite0 v ResNet", "teacher_lite0", "teacher"),
    }
    assert pairs == within | against | between
    for _, part in details.groupby(["comparison", "a", "b"]):
        assert set(part["set"]) == {"mshf", "eyeq_d"}
    grade = table[table["quantity"] == "overall"]
    assert set(zip(grade["a"], grade["b"], strict=True)) == {
        ("multi_eyeq", "single_eyeq"),
        ("multi_lite0_eyeq", "single_lite0_eyeq"),
        ("multi_lite0_eyeq", "multi_eyeq"),
        ("single_lite0_eyeq", "single_eyeq"),
    }
    said_of = dict(zip(table["a"] + table["b"], table["encoder"], strict=True))
    assert said_of["multi_eyeqsingle_eyeq"] == "ResNet-18"
    assert said_of["teacher_lite0label"] == "EfficientNet-Lite0, frozen"
    assert said_of["teacher_lite0teacher"] == "EfficientNet-Lite0, frozen − ResNet-18"


def test_the_held_out_source_alone_is_judged_on_mshf(table):
    row = table[(table["set"] == "mshf") & (table["quantity"] == "clarity")].iloc[0]
    assert row["pictures"] == (FRAMES["mshf"]["split"] == "test").sum()
    assert row["patients"] == row["pictures"]  # sources are no sample


def test_what_the_overall_grade_alone_says_is_a_table_from_the_other_set(table):
    """By hand: shares of good of each grade in the other set, one more of each added."""
    for which, other in (("eyeq_d", "mshf"), ("mshf", "eyeq_d")):
        on, learn = FRAMES[which], FRAMES[other]
        on = on[on["split"] == "test"] if which == "mshf" else on
        good = {
            g: (1 + learn.loc[learn["grade"] == g, "clarity"].sum())
            / (2 + (learn["grade"] == g).sum())
            for g in range(3)
        }
        by_hand = roc_auc_score(on["clarity"] == 0, [-good[g] for g in on["grade"]])
        mine = (table["b"] == names.LABEL) & (table["set"] == which) & (table["metric"] == "auc")
        rows = table[mine & (table["quantity"] == "clarity")]
        assert set(rows["a"]) == {"multi_eyeq", "multi_lite0_eyeq", "teacher", "teacher_lite0"}
        assert np.allclose(rows["value_b"], by_hand)
        assert by_hand < 0.4


def test_holm_counts_every_set_and_student_of_a_pair_of_kinds():
    frames = {which: FRAMES[which] for which in ("mshf", "eyeq_d")}
    rows = said({"multi_eyeq": 0.3, "single_eyeq": 0.5})
    twin = rows.assign(method=rows["method"].str.replace("eyeq", "deepdrid"))
    twin = twin[twin["set"] != "eyeq"]
    both = pd.concat([rows, twin], ignore_index=True)
    of = comparisons.worth(comparisons.all_of(both, frames, resamples=60))
    family = of[of["comparison"] == "multi v single"]
    assert len(family) == 2 * 2 * 3  # sets, Students, details
    assert np.allclose(family["p_holm"], holm(family["p"]))


def test_only_rows_that_are_there_and_seeds_that_both_have():
    few = said({"multi_eyeq": 0.3, "single_eyeq": 0.3, "teacher_lite0": 0.5}, (0, 1))
    few = few[(few["method"] != "single_eyeq") | (few["seed"] == 1)]
    got = comparisons.all_of(few, resamples=20)
    assert set(got["comparison"]) == {"multi v single"}
    assert set(got["seeds"]) == {1}
    assert names.LABEL not in set(got["b"])
    assert fundus_pairs.rows_of_details(set(few["method"])) == [
        "single_eyeq",
        "multi_eyeq",
        "teacher_lite0",
    ]
    # a table's rows share their seeds: those of most networks
    networks = ["single_eyeq", "multi_eyeq", "teacher_lite0"]
    assert beside_simple.rows_of(few, networks) == networks[1:]


def test_worth_is_told_in_a_table_and_in_words(table):
    shown = comparisons.show_worth(table).splitlines()
    its = comparisons.worth(table)
    assert len(shown) == 2 + len(its) / 3 + 2  # a line a pair and set; three details
    line = next(t for t in shown if t.startswith("| multi-task − single-task | eyeq |"))
    first = its[(its["a"] == "multi_eyeq") & (its["b"] == "single_eyeq")].iloc[0]
    assert f"{first['difference']:+.3f}".replace("-", "−") in line
    star = shown[-3].count("\\*") + sum(t.count("\\*") for t in shown[2:-3])
    assert star == (its["p_holm"] < 0.05).sum()
    words = comparisons.findings(table, simulated=True)
    part = its[(its["comparison"] == "Teacher v label") & (its["a"] == "teacher")]
    above, below = (part["low"] > 0).sum(), (part["high"] < 0).sum()
    assert (
        "Teacher − overall grade by people, alone: of 6 (sets x Students x details) "
        f"{above} above 0, {below} below" in words
    )
    only = comparisons.show_worth(table, ["Student v Teacher"])
    assert only.count("\n| ") == 4
    assert "single-task" not in only


# ---------------------------------------------------------------- the baseline is not forgotten
def test_a_table_of_details_without_its_baseline_is_refused():
    with pytest.raises(ValueError, match="learn_from is missing"):
        fundus_grades.details(said(), "eyeq_d", ["teacher"], FRAMES["eyeq_d"])
    with pytest.raises(ValueError, match="frame is missing"):
        fundus_grades.details(said(), "eyeq_d", ["teacher"], learn_from=FRAMES["mshf"])


def test_every_notebook_gives_details_their_baseline():
    found = 0
    for file in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        for call in (n for text in code for n in ast.walk(ast.parse(text))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "fundus_grades.details":
                found += 1
                given = len(call.args) + sum(k.arg == "learn_from" for k in call.keywords)
                assert given >= 5, f"{file.name}: {ast.unparse(call)}"
    assert found >= 4


# ---------------------------------------------------------------- words
def test_what_is_worst_has_one_word_in_each_set():
    """The worst of three grades is reject, of two bad, and so is a detail; encoders stand
    beside."""
    rows = {**ROWS, "single_eyeq": 0.2}
    grades, boot = fundus_grades.overall(said(rows), "eyeq", resamples=20)
    shown = fundus_grades.show_overall(grades, "eyeq", True)
    assert "F1 of reject" in shown
    assert "AUC of reject" in shown
    assert "always reject" in shown
    assert "reject as are" in shown
    assert "bad" not in shown.replace("always_bad", "").split("Published")[0]
    assert "F1 of reject" in fundus_found.overall(grades, boot, "eyeq", True)
    assert "ResNet-18: single-task; multi-task. " in shown
    assert "multi-task, Lite0" in shown.split("EfficientNet-Lite0, frozen: ")[1].split(".")[0]
    assert "In every row: seeds 2. " in shown
    of_grades = paired_differences.of_bootstrap(boot, "eyeq")
    drawn = fundus_results.differences(of_grades, simulated=True)
    assert "F1 of reject" in [text.get_text() for text in drawn.legends[0].get_texts()]
    deepdrid = grades.assign(method=grades["method"].str.replace("eyeq", "deepdrid"))
    assert "reject" not in fundus_grades.show_overall(deepdrid, "deepdrid", True)
    table = fundus_grades.details(
        said(), "eyeq_d", ["teacher"], FRAMES["eyeq_d"], FRAMES["mshf"], resamples=20
    )
    assert "reject" not in fundus_grades.show_details(table, True)
    assert "overall grade by people, alone" in fundus_grades.show_details(table, True)
    assert names.name_of("always_bad_eyeq") == "always reject (eyeq)"
    assert names.name_of("always_bad") == "always bad"


def test_single_and_multi_task_of_each_encoder_are_told():
    grades, boot = fundus_grades.overall(said(), "eyeq", resamples=20)
    words = fundus_found.overall(grades, boot, "eyeq", True)
    pairs = "multi-task − single-task | multi-task, Lite0 − single-task, Lite0"
    assert words.startswith(f"| eyeq | {pairs} |")
