"""Sentences that read the figures of notebooks 13 to 18: numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.scales import DETAILS
from riqa_lib.tables import (
    answers,
    experts,
    fundus_run_readings,
    fundus_set_readings,
    telling_details,
)

NAN = float("nan")


# ---------------------------------------------------------------- sets
def test_counts_stand_beside_the_published_ones():
    table = pd.DataFrame(
        {"set": ["eyeq", "mshf"], "what": ["train", "clarity good"], "ours": [1400, 7]}
        | {"published": [12543.0, NAN], "our_share": [1.0, 0.25], "published_share": [1.0, NAN]}
    )
    said = fundus_set_readings.show_counts(table)
    assert "| eyeq | train | 1,400 | 100 % | 12,543 | 100 % |" in said
    assert "| mshf | clarity good | 7 | 25 % | – | – |" in said


def test_grades_of_a_sheet_and_of_its_set():
    frame = pd.DataFrame({"grade": [0, 1, 1, 2]})
    said = fundus_set_readings.pictures(frame.head(2), frame)
    assert said == (
        "Of these 2 pictures 1 reject, 1 usable, 0 good; of all 4 25 % reject, 50 % usable, "
        "25 % good."
    )


def test_a_sheet_of_single_defects_says_from_where_they_are_bad():
    rows = [
        {"cause": c, "severity": s} | {d: int(d != c or s < at) for d in DETAILS}
        for c, at in zip(DETAILS, (1, 2, 9), strict=True)
        for s in (0.0, 1.0, 2.0)
    ]
    said = fundus_set_readings.single_defects(pd.DataFrame(rows))
    assert said.startswith("9 pictures of one eye, 3 severities of each of 3 details, from 0 to 2;")
    assert "2 of the 3 are 1 or more" in said
    assert said.endswith("Labelled bad: illumination from 1 on, clarity from 2 on.")


@pytest.mark.parametrize(("sure", "words"), [(0.1, "it says so"), (0.9, "does not notice")])
def test_the_worst_circle_and_whether_it_was_noticed(sure, words):
    errors = pd.DataFrame(
        {"centre": [0.01, 0.02, 0.03], "radius": [0.0, 0.01, 0.25], "confidence": [1, 1, sure]}
    )
    said = fundus_set_readings.circle_errors(errors)
    assert "of the centre below 2.00% in half of 3 frames" in said
    assert f"off by 25.0%, with a confidence of {sure:.2f}" in said
    assert words in said


def test_what_each_detail_takes_from_pictures():
    pixels = np.full((2, 2, 2, 10, 10, 3), 100, np.uint8)
    pixels[0, 0, 1] = 60  # illumination
    pixels[0, 0, 0, :, ::2] = 120
    pixels[0, 1, 0, :, ::2] = 104
    said = fundus_set_readings.picture_space(pixels, (0.0, 1.5))
    assert "From severity 0 to 1.5" in said
    assert "mean grey level from 110 to 60" in said
    assert "neighbours from 20.00 to 4.00" in said
    assert "standard deviation from 10.0 to 0.0" in said


def test_grades_follow_severities():
    frame = pd.DataFrame(
        {"severity_illumination": [0, 0, 2, 2, 2.0], "severity_clarity": [0, 0.5, 2, 0, 0]}
        | {"severity_contrast": [0, 1, 0, 3.0, 0], "grade": [2, 1, 0, 1, 1]}
    )
    assert fundus_set_readings.detail_space(frame) == (
        "Of 2 pictures with no severity above 1 50 % are good; of 2 pictures with two or more "
        "above 1 50 % are reject."
    )
    assert "there is no picture with two" in fundus_set_readings.detail_space(frame.head(2))


def test_the_teachers_means_are_commented():
    index = pd.MultiIndex.from_tuples(
        [("eyeq", "reject"), ("eyeq", "good"), ("x", "a"), ("x", "b")]
    )
    columns = dict(
        zip(DETAILS, ([0.1, 0.4, 0.2, 0.9], [0.5, 0.8, 0.6, 0.7], [0.2] * 4), strict=True)
    )
    means = pd.DataFrame(columns, index=index).assign(pictures=5)
    learnt = pd.DataFrame({"illumination": [1, 0, 0, 0], "clarity": 1, "contrast": [1, 1, 0, 0]})
    first, second = fundus_set_readings.said_of_a_set(means, learnt).splitlines()
    assert "illumination 0.10 to 0.40" in first
    assert "it does not rise in contrast" in first
    assert "of good pictures its mean for good illumination and contrast is below 1/2" in first
    assert "(Good in the set that it learns from: illumination 25 %, contrast 50 %.)" in first
    assert "its mean for good contrast is below" in second
    assert "| eyeq | reject | 0.10 | 0.50 | 0.20 | 5 |" in fundus_set_readings.show_said(means)
    assert "| s | train | 4 | 25 % | 100 % | 50 % |" in fundus_set_readings.show_sources(
        learnt.assign(source="s", split="train")
    )


# ---------------------------------------------------------------- runs
def test_runs_are_shown_without_the_names_of_their_folders():
    runs = pd.DataFrame(
        {"run": ["a-12ab", "b-34cd"], "row": "multi_lite0_eyeq", "set": "eyeq", "seed": [1, 0]}
        | {"lambda_a": 0.5}
    )
    said = fundus_run_readings.show_runs(runs)
    assert "| multi-task, Lite0 | EfficientNet-Lite0, frozen | eyeq | 0, 1 | 0.5 |" in said
    assert "12ab" not in said
    simple = runs.assign(row=["forest_eyeq", "constant_eyeq"], seed=0, lambda_a=NAN)
    assert fundus_run_readings.show_runs(simple).splitlines() == [
        "| row | learns from |",
        "|---|---|",
        "| statistics + forest | eyeq |",
        "| best constant | eyeq |",
        "",
        "In every row: seeds 0.",
    ]
    said = fundus_run_readings.show_calibration(dict.fromkeys(DETAILS, (0.5, -0.1)))
    assert "| clarity | 0.50 | -0.10 | less sure |" in said


def test_curves_say_where_they_end_and_where_they_were_greatest():
    history = pd.DataFrame(
        {"method": "teacher", "seed": 0, "step": [10, 20, 10, 20], "val_auc": [0.9, 0.8, NAN, NAN]}
        | {"fold": ["a", "a", "none", "none"]}
    )
    assert fundus_run_readings.curve_ends(history, "val_auc") == (
        "Teacher without a ends at 0.80, its greatest is 0.90 at step 10."
    )
    assert "No evaluation" in fundus_run_readings.curve_ends(history.tail(2), "val_auc")


def details():
    rows = []
    for method, skill in (("teacher", 0.7), ("forest", 0.8), ("label", 0.75)):
        for d, over in zip(DETAILS, (-0.1, 0.0, 0.1), strict=True):
            row = {"method": method, "detail": d, "auc": skill, "f1": skill - 0.2}
            ends = {
                "over_label": over,
                "over_label_low": over - 0.05,
                "over_label_high": over + 0.05,
            }
            rows.append(row | ends)
    return pd.DataFrame(rows)


def test_the_best_and_the_worst_of_each_detail_are_named():
    best = fundus_run_readings.detail_points(details()).splitlines()
    assert "- clarity: most AUC has statistics + forest, 0.80; least F1 has Teacher, 0.50." in best


def test_heads_and_their_own_defects_are_counted():
    table = pd.DataFrame(
        {"method": "teacher", "detail": DETAILS, "monotone": [True, True, False]}
        | {"rise": [0.5, -0.1, 0.4], "own": [False, False, True]}
    )
    assert fundus_run_readings.own_defects(table) == (
        "- Teacher: rises with its own defect throughout in illumination (+0.50); with its own "
        "more than with another's in contrast."
    )
    assert "No row" in fundus_run_readings.own_defects(pd.DataFrame())
    table = pd.DataFrame(
        {"method": "teacher", "detail": DETAILS, "on": "mshf", "among": "others bad"}
        | {"auc_low": [0.6, 0.4, NAN]}
    )
    said = fundus_run_readings.conditional(table)
    assert "of 2 heads that can be judged" in said
    assert "1 are above chance. Not shown for Teacher (clarity)." in said


def test_gaps_of_a_calibration():
    table = pd.DataFrame(
        {"detail": "clarity", "said": [0.2, 0.8], "found": [0.3, 0.5], "pictures": 5}
    )
    assert fundus_run_readings.calibration(table) == (
        "clarity: mean gap 0.20, largest 0.30 (said 0.80, found 0.50: bad more often than it says)."
    )


def compared():
    rows = [
        ("multi_eyeq", "single_eyeq", "overall", 0.1, 0.05, 0.15, 0.01, "superior"),
        ("multi_deepdrid", "single_deepdrid", "overall", -0.1, -0.2, -0.05, 0.01, "inferior"),
        ("multi_eyeq", "teacher", "clarity", 0.0, -0.01, 0.01, 0.9, "equivalent"),
        ("multi_eyeq", "teacher", "contrast", 0.0, -0.3, 0.3, 0.9, "undecided"),
        ("multi_eyeq", "teacher", "illumination", NAN, NAN, NAN, NAN, "undefined"),
    ]
    names = ["a", "b", "quantity", "difference", "low", "high", "p_holm", "verdict"]
    table = pd.DataFrame(rows, columns=names)
    metric = np.where(table["quantity"] == "overall", "macro_f1", "auc")
    on = np.where(table["a"] == "multi_deepdrid", "deepdrid", "eyeq")
    table = table.assign(metric=metric, primary=True, detectable=0.07, margin=0.02)
    return table.assign(set=np.where(table["quantity"] == "overall", on, "eyeq_d"))


def test_answers_in_a_word():
    table = compared()
    words = [answers.answer(row) for row in table.to_dict("records")]
    assert words == ["better", "worse", "alike", "not shown", "cannot be judged"]
    shown = answers.show(table)
    assert (
        "| multi-task − single-task | eyeq | overall, macro F1 | **better** | +0.100 [+0.050, "
        "+0.150] | 0.070 | 0.020 |"
    ) in shown
    assert "| multi-task (eyeq) − Teacher | eyeq_d | contrast, AUC of bad | not shown |" in shown
    assert answers.findings(table).splitlines() == [
        "- multi-task − single-task, overall grade: of 2 1 better, 1 worse.",
        "- multi-task − Teacher, details: of 3 1 alike, 1 not shown, 1 cannot be judged.",
    ]
    assert answers.show(table.assign(primary=False)).count("\n") == 3  # head and foot alone


def test_a_forest_and_null_worlds_are_counted():
    said = fundus_run_readings.margins(compared())
    assert said.startswith("Of 4 differences 1 lie above 0 and 1 below.")
    assert "1 superior, 1 inferior, 1 equivalent, 1 undecided" in said
    worlds = pd.DataFrame(
        {"world": "w", "test": ["a_b", "c", "d"], "clusters": ["kept", "none", "ignored"]}
        | {"rejected": [0.05, 0.04, 0.2], "true_difference": 0.0}
    )
    said = fundus_run_readings.null_worlds(worlds)
    assert "Tests that keep the patients reject in 4.0% to 5.0% of worlds (most: a b, w)" in said
    assert "tests that ignore them reject in 20.0% to 20.0%" in said


def test_maps_are_counted_against_both_kinds_of_chance_and_each_other():
    against = ["itself", "chance", "chance", "shuffled", "single_eyeq"]
    low = [0.5, 0.1, -0.1, -0.5, 0.2]
    result = pd.DataFrame({"against": against, "low": low, "high": [1, 1, 0.1, -0.1, 0.4]})
    said = fundus_run_readings.maps_on_defects(result)
    assert "field 1 of 2, below 0" in said
    assert "maps of other pictures 0 of 1, below 1" in said
    assert said.endswith("single-task's in 1 of 1 comparisons, less in 0.")


# ---------------------------------------------------------------- pictures
def told():
    people = [(0, 0, 0), (0, 0, 0), (1, 1, 1), (1, 0, 1), (1, 1, -1)]
    good = [(0.1, 0.1, 0.1), (0.2, 0.2, 0.2), (0.9, 0.6, 0.6), (0.4, 0.9, 0.9), (0.9, 0.9, 0.9)]
    table = pd.DataFrame(people, columns=list(DETAILS)).assign(id=list("abcde"))
    return table.assign(**{f"d_{d}": [g[k] for g in good] for k, d in enumerate(DETAILS)})


def test_pictures_that_tell_of_details():
    rows = telling_details.judged(told())
    assert rows["id"].tolist() == ["a", "b", "c", "d"]  # one detail of the last is unknown
    assert rows["right"].tolist() == [3, 3, 3, 1]
    # of the last those that are wrong: .1 and .4 away from a half
    assert rows["sure"].tolist() == pytest.approx([0.4, 0.3, 0.2, 0.25])
    chosen = telling_details.telling(told(), 2)
    assert chosen["id"].tolist() == ["a", "c", "d"]  # the second of a pattern comes later
    assert chosen["part"].tolist() == [telling_details.RIGHT] * 2 + [telling_details.WRONG]
    said = telling_details.sentence(told(), "teacher")
    assert "all three details of 3 of 4 pictures, on two of 0, on one of 1, on none of 0" in said
    assert "illumination by the network 75 %, by people 50 %" in said
    with pytest.raises(ValueError, match="picture a is there twice"):
        telling_details.judged(pd.concat([told(), told()]))
    assert "Nobody" in telling_details.sentence(told().tail(1), "teacher")


# ---------------------------------------------------------------- experts
def test_a_kappa_of_exactly_nought_is_explained_and_errors_are_counted():
    table = told().head(4).assign(set="eyeq_d", method="teacher", seed=0)
    always = table.assign(method="multi_eyeq", d_clarity=0.1)
    both = pd.concat([table, always], ignore_index=True)
    cells = experts.confusion(both, "eyeq_d", ["teacher", "multi_eyeq"])
    n = cells.set_index(["method", "detail", "truth", "said"])["pictures"]
    assert [n["teacher", "clarity", t, s] for t in (0, 1) for s in (0, 1)] == [2, 1, 0, 1]
    assert n.groupby(["method", "detail"]).sum().eq(4).all()
    models = pd.DataFrame(
        {"method": ["teacher", "multi_eyeq", "constant"], "quantity": "clarity"}
        | {"estimate": [0.5, 0.0, 0.0], "low": [0.1, 0.0, 0.0], "high": [0.9, 0.0, 0.0]}
    )
    among = pd.DataFrame(
        {"quantity": ["clarity", "clarity"], "kappa": ["mean pairwise", "Fleiss"], "pictures": 4}
        | {"estimate": [0.34, 0.3], "low": 0.2, "high": 0.4}
    )
    lines = experts.sentence(models, among, cells).splitlines()
    assert lines[0] == (
        "- clarity: greatest kappa Teacher, 0.50 [0.10, 0.90]; experts with each other 0.34."
    )
    assert lines[1].startswith("- multi-task, clarity: kappa is exactly 0, since it calls all 4 ")
    assert "pictures bad. Its answer is a constant" in lines[1]
    assert len(lines) == 2  # a row that is a constant by name needs no reason
    said = experts.read_confusion(cells)
    assert "clarity: misses 1 of 3 bad, calls 0 of 1 good ones bad" in said
    shown = experts.show_agreement(models, among)
    assert "| experts with each other | – | 0.34 [0.20, 0.40] | – |" in shown
    assert "| clarity | 4 | 0.34 [0.20, 0.40] | 0.30 [0.20, 0.40] |" in experts.show_experts(among)
    assert "| illumination | 2 | 2 | 50% |" in experts.show_set(told().head(4))
