"""What the audit's verdicts are in words: policies first, numbers as in the table."""

from __future__ import annotations

import math

import pandas as pd

from riqa_lib.tables import view_verdicts as verdicts


def row(name: str, group: str, true: float, model: float, said: tuple[str, str]) -> dict:
    out: dict = {"operation": name, "group": group, "rough": name == "randaugment"}
    for what, change in (("true", true), ("model", model)):
        out |= {f"d_{what}": change, f"flip_{what}": abs(change)}
        for number in ("d", "flip"):
            value = out[f"{number}_{what}"]
            out |= {f"{number}_{what}_low": value - 0.01, f"{number}_{what}_high": value + 0.01}
    return out | {"by_truth": said[0], "by_model": said[1], "pictures": 9, "grades_model": 3}


TABLE = pd.DataFrame(
    [
        row("identity", "none", 0, 0, ("keeps", "keeps")),
        row("flip", "geometry", 0, -0.05, ("keeps", "undecided")),
        row("quarter turn", "geometry", 0, -0.3, ("keeps", "changes")),
        row("noise 10", "noise", -0.5, 0.02, ("changes", "undecided")),
        row("cutout", "RandAugment", -0.9, -0.2, ("changes", "changes")),
        row("noise 1", "noise", -0.02, 0.02, ("undecided", "undecided")),
        row("crop 75%", "crop", -0.1, math.nan, ("undecided", "not measured")),
        row("weak", "policy", 0, 0, ("undecided", "changes")),
        row("quality", "policy", -0.02, -0.08, ("undecided", "changes")),
        row("randaugment", "policy", -0.8, -0.4, ("changes", "changes")),
    ]
)


def test_the_figure_has_policies_on_top_then_the_most_damage_first():
    drawn = verdicts.by_effect(TABLE)["operation"].tolist()
    assert drawn[:3] == ["randaugment", "quality", "weak"]
    # neither the identity nor noise 1
    assert drawn[3:] == ["cutout", "noise 10", "crop 75%", "flip", "quarter turn"]
    real = verdicts.by_effect(TABLE.assign(d_true=math.nan))["operation"].tolist()
    assert real[:3] == ["randaugment", "quality", "weak"]
    assert real[3:6] == ["quarter turn", "cutout", "flip"]


def test_the_policies_are_told_with_their_numbers_and_what_keeps():
    text = verdicts.findings(TABLE, True, 0.06)
    assert text.startswith("Simulated data, 9 pictures.")
    assert "both by truth and by the model: **none**." in text
    assert (
        "- **quality**: by the true quality **undecided** (change −0.02 [−0.03, −0.01] class; "
        "2 % [1, 3] of grades change, limit 6 %); by the supervised model **changes** "
        "(change −0.08 [−0.09, −0.07] class; 8 % [7, 9] of grades change, limit 6 %)."
    ) in text
    assert "| the true quality | 3 | 3 | 4 | 0 |" in text
    assert "| the supervised model | 1 | 5 | 3 | 1 |" in text
    assert "does not surely see it (1): noise 10." in text
    assert "changes its own (1): quarter turn." in text
    assert "Both keep (1): identity." in text
    kept = TABLE.assign(by_truth="keeps", by_model="keeps")
    assert "**weak, quality, randaugment**" in verdicts.findings(kept, True, 0.06)
    assert "no limit is known" in verdicts.findings(TABLE, False)
    assert "**one grade**" in verdicts.findings(TABLE.assign(grades_model=1), True)


def test_every_operation_is_in_the_table():
    text = verdicts.show(TABLE)
    assert text.count("\n") == len(TABLE) + 2
    assert "| randaugment (rough) | −0.80 [−0.81, −0.79] |" in text
    assert "| crop 75% | −0.10 [−0.11, −0.09] | – |" in text


def test_graders_and_training_are_read():
    told = verdicts.graders({"pictures": 2511, "redraw": 0.061, "two_raters": 0.514})
    assert "Of 2,511 labelled pictures with votes, 6 % would get another label" in told
    assert "51 %" in told
    assert "no limit" in verdicts.graders({"pictures": 0, "redraw": math.nan, "two_raters": 0})
    found = [
        ("mae", 0.012, -0.009, 0.033),
        ("macro_mae", -0.2, -0.3, -0.1),
        ("srcc", 0.2, 0.1, 0.3),
    ]
    table = pd.DataFrame(found, columns=["metric", "difference", "low", "high"])
    one = verdicts.policies_said(table, 1)
    assert "MAE +0.012 [−0.009, +0.033]: not decided" in one
    assert "macro-MAE −0.200 [−0.300, −0.100]: RandAugment better" in one
    assert "SRCC +0.200 [+0.100, +0.300]: RandAugment better" in one
    assert "One seed" in one
    assert "One seed" not in verdicts.policies_said(table, 3)
    assert "missing" in verdicts.policies_said(table[:0], 1)
