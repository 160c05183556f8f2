"""Tries of settings look at validation pictures only, and at those that selected nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import tries
from riqa_lib.training import photographs

SMALL = {"data.labelled": 200, "data.pool": 40}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RIQA_HOME", str(tmp_path_factory.mktemp("home")))
    yield photographs.make_data("small", "smoke", SMALL)
    patch.undo()


def test_judged_on_validation_pictures_that_selected_nothing(data, monkeypatch):
    asked = []
    whole = tries.probabilities
    monkeypatch.setattr(
        tries, "probabilities", lambda n, s, rows: asked.append(rows) or whole(n, s, rows)
    )
    found = tries.one(data, "smoke", 12, 0, dict(SMALL, row="fixmatch"))
    (rows,) = asked
    run = photographs.settings("smoke", "fixmatch", 0, {**SMALL, "data.labels": 12})
    used = photographs.rows_of(run, data)
    assert len(used["val"]) == 12
    assert set(data.frame["split"].iloc[rows]) == {"val"}
    assert not {*rows} & {*used["val"], *used["labelled"], *used["unlabelled"]}
    assert found["pictures"] == len(rows) > 0
    assert 0 <= found["kept"] <= 1


def test_numbers_by_hand():
    frame = pd.DataFrame({"grade": [0, 1, 2, 2] * 15, "score": np.arange(60.0) % 4, "source": "a"})
    p = np.eye(3)[[0, 1, 1, 2] * 15]
    found = tries.judged(frame, p)
    assert found["mae"] == pytest.approx(1 / 4)
    assert found["macro_mae"] == pytest.approx((0 + 0 + 1 / 2) / 3)
    assert found["commonest"] == pytest.approx(1 / 2)
    assert found["srcc"] == found["within"] > 0.9
