"""The block of RESULTS.md about the models around the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib import store
from riqa_lib.tables import related_models, related_reference


def predictions(method: str, seed: int, noise: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.arange(60) % 5
    said = np.clip(np.rint(truth + rng.normal(0, noise, 60)), 0, 4).astype(int)
    p = pd.DataFrame(np.eye(5)[said], columns=[f"p{k}" for k in range(5)])
    ids = [f"secret-{i}" for i in range(60)]
    return p.assign(
        method=method, seed=seed, labels=9, id=ids, group=ids, source="a", split="test",
        truth=truth, score=truth / 4,
    )  # fmt: skip


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    monkeypatch.setattr(related_reference.paths, "reference", lambda: tmp_path)
    parts = [predictions("ridge", 0, 1.5), predictions("dbcnn", 0, 0.3)]
    runs = pd.DataFrame(
        {
            "method": ["ridge", "dbcnn"],
            "backbone": ["", "VGG-16"],
            "parameters": [1.0, 2.0],
            "seconds": [60.0, 120.0],
            "pictures_a_second": [np.nan, 7.0],
            "machine": "m",
            "threads": 1,
        }
    )
    table = related_models.table(pd.concat(parts), runs, [2, 2, 3], False, resamples=50)
    store.write_table(tmp_path / "related/real.csv", table)
    facts = {"commit": "abc", "machine": "m", "seeds": [0], "versions": {"torch": "9"}}
    data = {"real": {"name": "Set", "size": 192, "splits": {}, "rows": ["ridge"]}}
    store.write_json(tmp_path / "related/about.json", facts | {"data": data})
    return tmp_path


def test_what_is_tracked_is_told(tracked):
    said = related_reference.block()
    assert "### Real photographs" in said
    assert "### Simulated photographs" not in said
    assert "- DBCNN: passes every simple row." in said
    assert "Of every row that learns: labels 9; seeds 1." in said
    assert "| DBCNN | VGG-16 | " in said
    assert (
        "Real data (Set, 192 px); other sets are shown to seed 0; m; torch 9; commit abc." in said
    )
    assert said.count("Published, on KonIQ-10k") == 1
    assert "nan" not in said
    assert "secret" not in said


def test_half_a_collection_is_none(tracked):
    (tracked / "related/about.json").unlink()
    assert "benchmarks/related_models.py" in related_reference.block()


def test_the_best_rows_and_what_is_left_elsewhere_in_a_sentence(tracked):
    assert related_reference.in_short() == ""  # nothing was asked about another set
    cross = pd.DataFrame(
        {
            "trained_on": ["A", "A", "B", "B", "B"],
            "tested_on": ["A", "B", "B", "A", "A"],
            "part": ["all", "all", "all", "all", "within"],
            "srcc": [0.7, 0.1, 0.5, -0.2, 0.99],
        }
    )
    store.write_table(tracked / "related/cross_data.csv", cross)
    said = related_reference.in_short()
    assert "with 9 labels, DBCNN ranks best" in said
    assert "from SRCC 0.50 to 0.70 at home to −0.20 to 0.10 away." in said
