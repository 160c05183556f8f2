"""Grade some, train, let the run choose what to grade next: on a folder without any table."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import riqa_lib
from riqa_lib.labelling import choose, places
from riqa_lib.seeding import rng
from riqa_lib.training import photographs

GRADES = ("noisy", "clean")


def test_a_run_that_learnt_from_hand_labels_chooses_the_next_ones(tmp_path, home):
    root = tmp_path / "photos"
    root.mkdir()
    for k in range(40):  # the first half noisy
        noise = rng("rounds", k).normal(0, 60 * (k < 20) + 2, (40, 40, 3))
        Image.fromarray(np.clip(128 + noise, 0, 255).astype(np.uint8)).save(root / f"{k:02d}.png")
    place = places.open_folder(root, "own", GRADES)
    first = choose.kept(place.candidates, place.pool, 30)
    session = place.session(first["id"], "ann")
    for _ in range(30):
        session.grade(int(session.current() >= "20.png"))
    own = {"data.source": "folder", "data.size": 16, "data.crop": 16, "data.grid": 2}
    own |= {"data.folder": place.declared, "data.fractions": (0.6, 0.2, 0.2)}
    own |= {"train.steps": 10, "train.batch": 8}
    with pytest.warns(UserWarning, match="worth knowing"):
        data = photographs.make_data("own", "smoke", own)
    run = photographs.train(photographs.settings("smoke", "supervised", 0, own), data)
    scores = riqa_lib.score(root, run)
    said = choose.of_scores(scores, root)
    assert said["id"].tolist() == place.pool["id"].tolist()
    assert said[["p0", "p1"]].to_numpy(float).tolist() == pytest.approx(
        scores[["p_noisy", "p_clean"]].to_numpy(float)
    )
    both = choose.kept(place.candidates, place.pool, 34, said, by="margin")
    assert both["id"].tolist()[:30] == first["id"].tolist()
    left = said[~said["id"].isin(first["id"])]
    doubt = (left["p0"] - left["p1"]).abs().sort_values().index[:4]
    assert set(both["id"][30:]) == set(left["id"][doubt])
    again = place.session(both["id"], "ann")
    assert again.progress == (30, 34)
