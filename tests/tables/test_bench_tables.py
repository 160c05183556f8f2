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
    assert "ours as the walk trains" not in said
    other = row | {"comparison": "pixels, the same, weak views by the average"}
    store.write_table(tmp_path / "usual.csv", pd.DataFrame([row, other, other]))
    assert bench_tables.show_usual(tmp_path / "usual.csv")[1].count("ours as the walk trains") == 1


def test_the_last_machine_is_shown_whole_and_the_ratios_of_all(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_tables.paths, "reference", lambda: tmp_path)
    numbers = dict.fromkeys(
        [
            *("step_ms", "pictures_per_second", "share_of_peak", "share_of_bandwidth"),
            *(f"{part}_part_ms" for part in ("views", "forward", "backward", "clip")),
            *("optimiser_part_ms", "average_part_ms", "peak_gib", "gflops_peak", "gb_per_second"),
        ],
        1.0,
    )
    row = numbers | {"form": "maps", "method": "fixmatch", "pictures": 96, "ratio": 1.11}
    row |= {"profile": "demo", "torch": "2.15", "machine": "2 cores, X", "threads": 1}
    pixels = row | {"form": "pixels", "ratio": 1.04}
    here = row | {"machine": "2 cores, Y", "ratio": 1.25}
    both = row | {"machine": "2 cores, Y", "ratio": 1.32, "threads": 2}
    more = here | {"method": "simmatch", "ratio": 1.29}
    store.write_table(tmp_path / "bench.csv", pd.DataFrame([row, pixels, both, here, more]))
    shown = bench_tables.show_bench()
    assert "2 cores, Y; 1 thread; torch 2.15" in shown
    assert shown.count("1.25") == 2  # in the table and among the ratios
    assert (
        "|  | maps: 2 cores, X, 1 thread | pixels: 2 cores, X, 1 thread | "
        "maps: 2 cores, Y, 2 threads | maps: 2 cores, Y, 1 thread |"
    ) in shown
    assert "| ViT + FixMatch | 1.11 | 1.04 | 1.32 | 1.25 |" in shown
    assert "| ViT + SimMatch | – | – | – | 1.29 |" in shown
