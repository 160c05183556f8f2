"""What Students say of real photographs, shown: ranges over seeds, and where nothing is."""

from __future__ import annotations

import pandas as pd

from riqa_lib import paths
from riqa_lib.tables import real_fundus


def test_counts_are_ranges_over_seeds():
    table = pd.DataFrame(
        [
            ("multi_lite0_eyeq", 0, "blurred", 13, 13, 10, 0),
            ("multi_lite0_eyeq", 1, "blurred", 13, 13, 12, 0),
            ("multi_eyeq", 0, "blurred", 13, 12, 0, 4),
        ],
        columns=["row", "seed", "pictures_are", "pictures", "illumination", "clarity", "contrast"],
    )
    said = real_fundus.show_blur(table)
    assert "| 2 | blurred | 13 of 13 | 10 to 12 of 13 | 0 of 13 |" in said
    assert "| 1 | blurred | 12 of 13 | 0 of 13 | 4 of 13 |" in said
    assert said.startswith("Real data.")


def test_nothing_measured_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "reference", lambda: tmp_path)
    assert "Not measured yet" in real_fundus.block()
    assert "Not measured yet" in real_fundus.tries_block()


def tries(nearest: float) -> pd.DataFrame:
    names = ["variant", "seed", "real_jpeg", "real_over", "real_sizes", "macro_f1"]
    table = pd.DataFrame(
        [
            ("as it is", 0, 0.12, 2, 0.03, 0.74),
            ("as it is", 1, 0.16, 3, 0.04, 0.76),
            ("grain", 1, nearest, 1, 0.05, 0.73),
            ("grain", 0, 0.04, 0, 0.04, 0.75),
            ("drop", 0, 0.11, 2, 0.03, 0.70),
            ("drop", 1, 0.17, 2, 0.03, 0.70),
        ],
        columns=names,
    )
    same = {"real_pictures": 20, "real_sharp_bad": 0, "simulated_jpeg_mean": 0.0214}
    aucs = {"clarity_auc": 0.9, "clarity_auc_others_bad": 0.8}
    return table.assign(**same, **aucs, real_blurred_bad=[12, 13, 13, 13, 11, 12])


def test_tries_are_means_and_ranges_over_seeds():
    said = real_fundus.show_tries(tries(0.07))
    row = (
        "| as it is | 0.120 to 0.160 | 2 to 3 of 20 | 0.030 to 0.040 | 0, 12 to 13 | 0.021 | 0.750"
    )
    assert row in said
    assert "| grain | 0.040 to 0.070 | 0 to 1 of 20 | 0.040 to 0.050 | 0, 13 |" in said


def test_the_nearest_try_is_told_with_its_price():
    said = real_fundus.found_by_tries(tries(0.07))
    assert said.startswith(
        "None of 3 keeps every change of a probability within 0.05 in all 2 seeds."
    )
    assert '"grain": 0.070 instead of 0.160' in said
    assert "macro F1 −0.010, AUC of clarity +0.000" in said
    said = real_fundus.found_by_tries(tries(0.05))
    assert said.startswith("1 of 3 keeps every change of a probability within 0.05 in all 2 seeds.")
