"""A run whose pool is gathered from its file ends with the same bytes as one that holds it."""

from __future__ import annotations

import shutil

from map_trees import mapped_pictures

from riqa_lib import store
from riqa_lib.networks import blocks
from riqa_lib.training import photographs
from riqa_lib.training.photographs import settings

FEW = {"data.size": 48, "data.crop": 32, "data.labels": 30, "train.steps": 3, "model.skip": False}
FROM = {
    "pixels": {"model.weights": "none"},
    "maps": {"model.stem": "lite0", "model.freeze": True, "model.weights": "imagenet"},
}
LEFT = ("config.json", "history.csv", *store.PREDICTIONS.values(), "model.safetensors")


def left_by(run, data):
    folder = photographs.train(run, data)
    found = {name: (folder / name).read_bytes() for name in LEFT}
    shutil.rmtree(folder)
    return found


def test_a_run_ends_with_the_same_bytes_held_or_gathered(home, monkeypatch):
    data = mapped_pictures()
    gathered = []
    of = blocks.Blocks._of
    monkeypatch.setattr(blocks.Blocks, "_of", lambda s, rows: (gathered.append(1), of(s, rows))[1])
    for each in FROM.values():
        run = settings("smoke", "fixmatch", 0, FEW | each)
        found = []
        for share, asked in (("1", False), ("0", True)):
            monkeypatch.setenv(blocks.SHARE, share)
            gathered.clear()
            found.append(left_by(run, data))
            assert bool(gathered) == asked
        assert found[0] == found[1]
