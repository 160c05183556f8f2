"""Whoever trains asks for data of its own settings (photo_data.walk_data, fundus_data.open_set)."""

from __future__ import annotations

import pytest

from riqa_lib.training import budgets, fundus, photographs, related


class Asked(Exception):
    """Instead of data: the settings that they were asked for with."""


def instead(*given):
    raise Asked(given[-1])


@pytest.mark.parametrize(
    ("module", "train"),
    [
        (photographs, lambda *how: photographs.train_rows("w", "smoke", ["fixmatch"], *how)),
        (budgets, lambda *how: budgets.train("w", "smoke", [50], *how)),
        (related, lambda *how: related.train("w", "smoke", ["dbcnn"], *how)),
    ],
)
def test_photographs(module, train, monkeypatch):
    monkeypatch.setattr(module, "walk_data", instead)
    with pytest.raises(Asked) as e:
        train(3, {"data.pool": 7})
    assert (e.value.args[0].pool, e.value.args[0].size) == (7, 40)


def test_fundus(monkeypatch):
    monkeypatch.setattr(fundus, "open_set", instead)
    with pytest.raises(Asked) as e:
        fundus.train_rows("w", "smoke", ["teacher"], 3, {"fundus.data.world": 7})
    assert (e.value.args[0].world, e.value.args[0].size) == (7, 40)
