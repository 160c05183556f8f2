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
