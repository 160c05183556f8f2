"""What notebooks 14, 15 and 17 say in the end: sentences and short tables made from numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib.scales import DETAILS
from riqa_lib.tables import fundus_found

SHIFTS = {"teacher": (-0.1, 0.0, 0.1), "forest": (0.0, 0.0, 0.0), "multi_eyeq": (0.1, 0.1, 0.0)}


def details() -> pd.DataFrame:
    """Rows on three details: the Teacher below the grade alone, undecided, above it."""
    rows = []
    for method, skill in (("constant", 0.5), ("forest", 0.8), ("teacher", 0.7),
                          ("multi_eyeq", 0.9), ("label", 0.75)):  # fmt: skip
        for d, over in zip(DETAILS, SHIFTS.get(method, (np.nan,) * 3), strict=True):
            row = {"method": method, "detail": d}
            for name, value in (("auc", skill), ("over_label", over)):
                row |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
            rows.append(row)
    return pd.DataFrame(rows)


def test_details_in_short_are_a_line_for_each_row_that_looks_at_pictures():
    lines = fundus_found.details(details(), True).splitlines()
    assert lines[0] == "| AUC of bad | illumination | clarity | contrast |"
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [
        *("statistics + forest", "Teacher", "multi-task"),
    ]
    assert "| 0.70 [0.65, 0.75]: below | 0.70 [0.65, 0.75]: not decided | 0.70" in lines[3]
    assert lines[3].endswith("[0.65, 0.75]: above |")
    assert lines[-1].startswith("Simulated data;")
    none = fundus_found.details(details().drop(columns=["over_label_low"]), False)
    assert "| 0.70 [0.65, 0.75] | 0.70" in none
    assert "Real data" in none


def test_details_are_counted_over_the_networks_alone():
    said = fundus_found.details_said(details(), "EyeQ-D")
    assert said == (
        "On EyeQ-D the networks tell 6 details: against what the overall grade alone says, 3 "
        "above, 1 below, 2 not decided (AUC of bad); by point estimates 3 of 6 are not above every "
        "simple row (statistics + forest in 3)."
    )
    bare = details().query("method in ['teacher', 'multi_eyeq']").drop(columns="over_label_low")
    assert fundus_found.details_said(bare, "MSHF") == "On MSHF the networks tell 6 details."


class Boot:
    """What a Bootstrap says of pairs; the differences are given."""

    def __init__(self, **given: tuple[float, float, float]) -> None:
        self.given = given

    def difference(self, _a: str, _b: str, metric: str) -> tuple[float, float, float]:
        return self.given.get(metric, (0.0, -0.1, 0.1))

    def p_value(self, *_of: str) -> float:
        return 1.0


GRADES = pd.DataFrame(
    [{"method": m, "row": m, "seeds": 1, "f1": v, "macro_f1": v, "auc": v, "accuracy": v}
     for m, v in (("forest_eyeq", 0.8), ("single_eyeq", 0.7), ("multi_eyeq", 0.9))]
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        ({"f1": (0.2, 0.1, 0.3)}, True),
        ({"f1": (0.2, 0.1, 0.3), "matched": (0.2, 0.1, 0.3)}, False),
        ({"f1": (0.2, 0.1, 0.3), "auc": (0.2, 0.1, 0.3)}, False),
        ({"auc": (0.2, 0.1, 0.3)}, False),
    ],
)
def test_more_than_a_moved_threshold_or_not(given, moved):
    said = fundus_found.overall_said(GRADES, Boot(**given), "eyeq")
    n, last = len(given), "matched" in given
    assert f"higher than single-task in {n} of 4 comparisons (" in said
    assert f"lower in 0, not decided in {4 - n}" in said
    assert ("a moved operating point" in said) == moved
    assert ("F1 of reject, matched threshold, ResNet-18" in said) == last
    assert "by point estimates 1 of 2 are not above every simple row (statistics + forest" in said


def test_differences_stand_in_a_table_with_what_they_decide():
    boot = Boot(auc=(-0.2, -0.3, -0.1), f1=(0.1, np.nan, np.nan))
    shown = fundus_found.overall(GRADES, boot, "eyeq", True)
    assert "| eyeq | multi-task − single-task |" in shown
    assert "| AUC of reject | −0.200 [−0.300, −0.100]: lower |" in shown
    assert "| F1 of reject | cannot be judged: a class is missing |" in shown
    assert shown.endswith("Simulated data; in brackets 95 % intervals. 1 seed: the spread between "
                          "seeds is not in these intervals.")  # fmt: skip
    assert fundus_found.overall(GRADES.assign(seeds=3), boot, "eyeq", False).endswith("3 seeds.")


def test_heads_are_counted_and_those_that_see_their_own_are_named():
    rows = [("teacher", "illumination", True, 0.5, True), ("teacher", "clarity", True, -0.1, False),
            ("teacher_lite0", "contrast", False, 0.5, True)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["method", "detail", "monotone", "rise", "own"])
    said = fundus_found.heads_said(table)
    assert "1 of 3 heads rise" in said
    assert "2 more than with another's (Teacher: illumination; Teacher, Lite0: contrast)" in said
    assert fundus_found.heads_said(table.assign(own=False)).endswith("0 more than with another's.")


def test_noise_is_a_table_and_a_sentence_or_cannot_be_tested():
    row = {"pseudo": 0.3, "experts": 0.25, "difference": 0.05, "low_90": -0.01, "high_90": 0.11}
    table = pd.DataFrame(
        [{"detail": d, "verdict": v} | row for d, v in zip(DETAILS, "abc", strict=True)]
    )
    table.loc[0, "pseudo"] = 0.4
    shown = fundus_found.noise(table, True)
    assert "| clarity | 0.300 | 0.250 | +0.050 [−0.010, +0.110] | b |" in shown
    said = fundus_found.noise_said(table)
    assert "in 30% to 40% of the pictures, two graders in 25% to 25%;" in said
    assert said.endswith("as noisy as an expert: illumination a, clarity b, contrast c.")
    assert fundus_found.noise(table.iloc[:0], False) == fundus_found.NO_VOTES
    assert fundus_found.noise_said(table.iloc[:0]) == fundus_found.NO_VOTES
