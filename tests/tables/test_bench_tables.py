"""The tables of what a step costs, from stored measurements."""

from __future__ import annotations

import pandas as pd

from riqa_lib import store
from riqa_lib.tables import bench_tables


def test_a_usual_pipeline_is_shown_with_what_it_waits_for(tmp_path):
    assert bench_tables.show_usual(tmp_path / "usual.csv") == []
    row = {
        "comparison": "pixels, RandAugment",
        "method": "fixmatch",
        "ours_pictures_per_second": 1500.0,
        "usual_pictures_per_second": 1000.0,
        "times_faster": 1.5,
        "usual_mean_ms": 160.0,
        "usual_learn_ms": 100.0,
        "size": 80,
        "crop": 64,
        "workers": 2,
        "threads": 2,
        "machine": "2 cores, X",
        "stored_pictures": 1280,
        "store_seconds": 0.5,
    }
    frozen = row | {"comparison": "frozen store, views that keep quality", "store_seconds": 9.0}
    store.write_table(tmp_path / "usual.csv", pd.DataFrame([row, frozen]))
    table, said = bench_tables.show_usual(tmp_path / "usual.csv")
    assert "| ViT + FixMatch | pixels, RandAugment | 1,500 | 1,000 | 1.50 | 60 |" in table
    assert "1,280 pictures took 0.5 s to decode, its maps 9.0 s" in said
