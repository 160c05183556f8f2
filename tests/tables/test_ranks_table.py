"""What sharing a training costs, as a table."""

from __future__ import annotations

import pandas as pd

from riqa_lib.tables import ranks_table


def test_two_processes_stand_beside_one(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks_table.paths, "reference", lambda: tmp_path)
    assert "not measured yet" in ranks_table.show()
    table = pd.DataFrame({
        "network": "maps", "method": ["fixmatch"] * 2 + ["comatch"] * 2, "processes": [1, 2, 2, 1],
        "pictures": 96, "pictures_per_second": [1200.0, 900.4, 700.0, 800.0],
        "cpu_ms_a_picture": [1.0, 1.25, 3.0, 2.0], "machine": "2 cores", "torch": "9", "load": 3.5,
        "profile": "demo", "rounds": 3, "steps": 6,
    })  # fmt: skip
    table.to_csv(tmp_path / "ranks.csv", index=False)
    said = ranks_table.show()
    assert "| ViT + FixMatch | maps | 96 | 1,200 | 900 | 1.25 |" in said
    assert "| ViT + CoMatch | maps | 96 | 800 | 700 | 1.50 |" in said
    assert "2 cores, no GPU, torch 9, load 3.5" in said
    assert "medians of 3 rounds of 6 steps" in said
