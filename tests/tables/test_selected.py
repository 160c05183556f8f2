"""Which weights validation chose, against a loop over runs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riqa_lib.tables.selected import selected, sentence


def history():
    rng = np.random.default_rng(5)
    rows = []
    for method in ("supervised", "fixmatch", "forest"):
        for seed in range(6):
            steps = [] if method == "forest" else [38, 75, 112]
            rows += [(method, seed, 90, s, rng.integers(3, 6) / 10) for s in steps]
    frame = pd.DataFrame(rows, columns=["method", "seed", "labels", "step", "val_mae"])
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def test_the_first_of_the_least_in_any_order_of_rows():
    frame = history()
    found = selected(frame).set_index(["method", "seed"])
    assert len(found) == 12
    for (method, seed), row in found.iterrows():
        best = None
        for step in (38, 75, 112):
            mine = (frame["method"] == method) & (frame["seed"] == seed) & (frame["step"] == step)
            value = frame.loc[mine, "val_mae"].item()
            best = (value, step) if best is None or value < best[0] else best
        assert (row["step"], row["first"], row["last"]) == (best[1], 38, 112)


def test_the_sentence_counts_first_looks():
    frame = history()
    early = (selected(frame)["step"] == 38).sum()
    assert 0 < early < 12
    assert f"Of {early} of 12 runs" in sentence(frame)
    assert "(step 38 of 112)" in sentence(frame)
    late = frame.assign(val_mae=-frame["step"] / 1000)
    assert sentence(late) == ""
