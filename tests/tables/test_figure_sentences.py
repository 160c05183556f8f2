"""Sentences below figures, against tables that are counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.tables import figure_sentences as said

THREE = ("bad", "fair", "good")


def counts() -> pd.DataFrame:
    rows = [("train", 0, 10, "label"), ("test", 1, 90, "label"), ("pool", 2, 30, "truth")]
    rows += [("pool", 1, 10, "truth"), ("pool", -1, 99, "none")]
    return pd.DataFrame(rows, columns=["split", "grade", "count", "known"])


def predictions() -> pd.DataFrame:
    """Two rows and a blind one on five pictures; split test."""
    grades = {"supervised": [0, 1, 1, 2, 2], "fixmatch": [0, 0, 1, 0, 1], "source_mean": [1] * 5}
    sure = {"supervised": 0.6, "fixmatch": 0.9, "source_mean": 0.4}
    parts = []
    for method, given in grades.items():
        p = np.full((5, 3), (1 - sure[method]) / 2)
        p[np.arange(5), given] = sure[method]
        part = pd.DataFrame(p, columns=["p0", "p1", "p2"])
        parts.append(part.assign(method=method, seed=0, truth=[0, 1, 1, 2, 2], split="test"))
    return pd.concat(parts, ignore_index=True)


def test_shares_of_labels_and_of_the_pool_are_counted():
    text = said.class_shares(counts(), THREE)
    assert "Of the labels 90 % are grade 1 (fair) and 10 % grade 0 (bad)" in text
    assert "Grade 2 (good) is 0 % of the labels, and in truth 75 % of the pool." in text
    assert "pool" not in said.class_shares(counts().query("known != 'truth'"))
    unknown = counts().query("known == 'none'")
    assert said.class_shares(unknown) == "No picture has a label."


def test_defects_are_told_of_simulated_pictures_only():
    graded = pd.DataFrame({"grade": [0, 0, 2], "n_defects": [3, 4, 1]})
    assert "grade 0 (bad) have 3.5 simulated defects" in said.defects_of_grades(graded, THREE)
    assert "grade 2 (good) 1.0" in said.defects_of_grades(graded, THREE)
    assert said.defects_of_grades(graded[["grade"]]) == ""


def test_curves_are_read_at_their_least():
    rows = [("supervised", 0, 10, 0.4), ("supervised", 1, 10, 0.6), ("supervised", 0, 20, 0.6)]
    rows += [("supervised", 1, 20, 0.7), ("fixmatch", 0, 10, 0.5), ("fixmatch", 0, 20, 0.3)]
    history = pd.DataFrame(rows, columns=["method", "seed", "step", "val_mae"])
    text = said.learning_curves(history)
    assert "Lowest mean validation MAE: ViT + FixMatch, 0.300 at step 20 of 20" in text
    assert "Beside it ViT, supervised, 0.500 at step 10 of 20 (at the end 0.650)" in text
    assert "1 of 2 rows end above their lowest. 1 have it at the very first look." in text
    assert "first look" not in said.learning_curves(history[4:])


def test_confusions_are_those_of_rows_that_look_at_pictures():
    text = said.confusion(predictions(), THREE)
    assert "Grade 0 (bad) is found most often (100 % of it, by row)" in text
    assert "grade 2 (good) least (0 % to 100 %)" in text
    # fixmatch: 1 called 0, 2 called 0, 2 called 1
    assert "67 % of all errors are one grade off; 0 % are too kind." in text


def test_calibration_names_the_best_and_the_worst_row():
    text = said.reliability(predictions())
    # five bins of one picture each: |0.6 - 1| five times; 0.1 twice and 0.9 three times
    assert "Least calibration error: ViT, supervised, 0.40; most: ViT + FixMatch, 0.58." in text
    assert "1 of 3 rows are surer than they are right" in text
    surer = predictions().query("method != 'supervised'")
    assert "1 of 2 rows are surer" in said.reliability(surer)  # FixMatch; the blind one is as sure
    one = said.reliability(predictions().query("method == 'fixmatch'"))
    assert one.startswith("ViT + FixMatch is sure of 90 % on average and right on 40 %")


def test_table_2_is_read_without_the_blind_rows():
    rows = [("constant", "best constant", 0.5), ("source_mean", "mean of its subset", 0.2)]
    rows += [("supervised", "ViT", 0.4), ("fixmatch", "ViT + FixMatch", 0.55)]
    table = pd.DataFrame(rows, columns=["method", "row", "mae"])
    table = table.assign(mae_low=table["mae"] - 0.1, mae_high=table["mae"] + 0.1)
    table = table.assign(macro_mae=[1, 1, 0.9, 0.8], srcc=[np.nan, 0.9, 0.6, 0.7])
    text = said.table2(table)
    assert "Lowest MAE: ViT, 0.400 [0.300, 0.500]. Lowest macro-MAE: ViT + FixMatch." in text
    assert "Highest SRCC: ViT + FixMatch." in text
    assert "MAE 0.40 to 0.55; the best one's own interval is 0.20 wide" in text
    assert "1 of 2 are no better than the best constant" in text
    assert said.table2(table[:2]) == "No row looks at pictures yet."


@pytest.mark.parametrize(("arrow", "beat", "best"), [("↓", 0, "ViT"), ("↑", 1, "ViT + FixMatch")])
def test_rows_with_a_pool_are_held_against_their_control(arrow, beat, best):
    rows = [
        ("supervised", "ViT", 100, None, 0.4),
        ("fixmatch", "ViT + FixMatch", 100, "supervised", 0.5),
    ]
    rows += [("source_mean", "mean", 100, None, 0.1), ("constant", "c", 100, None, 0.9)]
    table = pd.DataFrame(rows, columns=["method", "row", "labels", "control", "mae"])
    text = said.labels_saved(table, "mae", f"MAE {arrow}")
    assert text.startswith(f"MAE, by means alone. 100 labels: best {best}, ")
    assert f"{beat} of 1 rows with a pool beat their control" in text


def test_pseudo_labels_and_stages_are_read():
    rows = [
        ("a", 0, 0.7, 0.2, 0.3, 0.9),
        ("a", 1, 0.3, 0.8, 0.6, 0.1),
        ("b", 1, 0.5, 0.8, 0.4, 0.2),
    ]
    rows += [("b", 0, 0.5, 0.2, 0.5, 0.8)]
    table = pd.DataFrame(
        rows, columns=["method", "grade", "share", "true_share", "precision", "recall"]
    )
    text = said.pseudo_label_grades(table, THREE)
    assert "80 % of these pictures are truly grade 1 (fair)" in text
    assert "say so of 30 % to 50 %, and find 10 % to 20 % of them" in text
    assert "What they say most is grade 0 (bad), and that is right in 30 % to 50 %" in text
    change = {"method": ["simmatch", "comatch"], "mae_change": [0.02, -0.01]}
    text = said.stages(pd.DataFrame({**change, "mae_second": [0.4, 0.35]}))
    assert "1 of 2 rows gain from the second stage and 1 lose: −0.010 to +0.020 MAE." in text
    assert "ViT + CoMatch, 0.350" in text


def test_levels_and_spreads_are_read():
    rows = [
        ("forest", d, level, 3 - level * fall)
        for d, fall in ((1, 0.5), (2, 0.1))
        for level in (0, 5)
    ]
    rows += [
        ("dbcnn", d, level, 3 - level * fall)
        for d, fall in ((1, 0.2), (2, -0.1))
        for level in (0, 5)
    ]
    rows += [("dbcnn", 3, level, 3 + level) for level in (0, 5)]
    curves = pd.DataFrame(rows, columns=["row", "distortion", "level", "grade"])
    text = said.distortion_levels(curves.assign(counted=curves["distortion"] < 3))
    assert "statistics + forest falls most, 1.50 grades on average, DBCNN least, 0.25" in text
    assert "DBCNN likes the distorted pictures better on 1 of 2 distortions" in text
    flat = curves[curves["row"] == "forest"].assign(counted=True)
    assert "No row likes" in said.distortion_levels(flat)
    told = pd.DataFrame({"row": ["a"] * 3 + ["b"] * 3, "id": list("xyz") * 2})
    told = told.assign(score=[1, 2, 3] * 2, expected=[1, 1.5, 2, 0, 2, 4])
    wrong = pd.DataFrame({"row": ["a", "b", "b"], "id": ["x", "x", "y"]})
    text = said.predicted_spread(told, wrong)
    assert "deviation of 1.00, the rows' expected grades one of 0.50 to 2.00" in text
    assert "Of the 2 pictures" in text
    assert "1 are shared by several rows, one by 2 of 2" in text
