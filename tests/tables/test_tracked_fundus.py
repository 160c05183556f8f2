"""Tracked predictions of fundus runs: every table from them equals the table from the runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store
from riqa_lib.scales import DETAILS
from riqa_lib.seeding import rng
from riqa_lib.tables import (
    comparisons,
    experts,
    fundus_grades,
    own_defect,
    stored,
    tracked_predictions,
)

N = 36
LEVELS = (0.0, 1.0, 2.5)
ROWS = ("teacher", "multi_eyeq", "forest_eyeq")
CLASSES = {"eyeq": 3, "deepdrid": 2}


def frame_of(which):
    g = rng("frame", which)
    if which == "single":
        cells = [(e, c, s) for e in range(3) for c in DETAILS for s in LEVELS]
        table = pd.DataFrame(cells, columns=["eye", "cause", "severity"])
        table["id"] = [f"eye-{e}-{c}-{s:g}" for e, c, s in cells]
        table["group"] = [f"eye-{e}" for e in table.pop("eye")]
        table = table.assign(split="test", grade=2)
    else:
        split = {"mshf": ["train", "test"], "eyeq_d": ["test"]}.get(which, ["train", "val", "test"])
        table = pd.DataFrame({"id": [f"{which}{i}" for i in range(N)]})
        table["group"] = [f"p{i // 2}" for i in range(N)]
        table["split"] = [split[i % len(split)] for i in range(N)]
        table["grade"] = g.integers(0, CLASSES.get(which, 3), N)
    for d in DETAILS:
        known = which not in CLASSES
        table[d] = g.integers(0, 2, len(table)) if known else -1
        for k in (1, 2, 3) if known else ():
            table[f"{d}_{k}"] = np.where(g.random(len(table)) < 0.8, table[d], 1 - table[d])
    return table


FRAMES = {which: frame_of(which) for which in ("mshf", "eyeq", "deepdrid", "eyeq_d", "single")}


def said(row, seed):
    """A run's predictions, as it stores them: many close to a half, some as sure as can be."""
    parts, learns = [], row.rpartition("_")[2]
    for which, frame in FRAMES.items():
        if which in CLASSES and which != learns:
            continue
        g = rng("said", row, seed, which)
        part = frame[["id", "group", "split", *DETAILS]].assign(set=which, truth=-1)
        for d in DETAILS:
            p = g.choice([0.5, 0.50003, 0.49998, 1.0, 0.0, 1 / 3], len(frame))
            part[f"d_{d}"] = np.clip(p + g.choice([0, 0.1, 1e-5], len(frame)), 0, 1)
        if learns in CLASSES:
            p = g.dirichlet([0.3] * CLASSES[learns], len(frame))
            p[::5] = np.eye(CLASSES[learns])[g.integers(0, CLASSES[learns], len(p[::5]))]
            p[1::5] = [0.33335, 0.33334, 0.33331][: CLASSES[learns]]
            p[2::5] = [0.40006, 0.40007, 0.19987][: CLASSES[learns]]  # rounded, all are too much
            p /= p.sum(axis=1, keepdims=True)
            part = part.assign(**{f"p{k}": p[:, k] for k in range(p.shape[1])})
            part["truth"] = frame["grade"] if which == learns else -1
        parts.append(part[part["split"] != "train"] if which in CLASSES else part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def walk(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "reference", lambda: tmp_path / "reference")
    runs = []
    rows = (*ROWS, "multi_deepdrid")
    for row, seed in ((row, seed) for row in rows for seed in (0, 1)):
        folder = paths.runs() / f"{row}-{seed}"
        store.write_table(folder / "predictions.csv.gz", said(row, seed))
        runs.append({"run": folder.name, "row": row, "set": "", "seed": seed, "lambda_a": 1.0})
    store.write_table(paths.results("w") / "tables" / "fundus-all-seed0.csv", pd.DataFrame(runs))
    for which, frame in FRAMES.items():
        folder = paths.results("w") / "fundus" / which
        store.write_json(folder / "dataset.json", {"name": which, "simulated": True})
        store.write_table(folder / "frame.csv", frame)
    return "w"


def track(name):
    """As reference.collect_fundus does."""
    frames = {which: comparisons.frame_of(name, which)[0] for which in FRAMES}
    folder = paths.reference() / "fundus"
    kept = tracked_predictions.packed(stored.load_fundus(name)["predictions"], frames)
    for file, table in kept.items():
        store.write_table(folder / file, table)
    store.write_json(folder / "provenance.json", {"simulated": True})
    return folder


def tables(name):
    """Every table of notebooks 16 and 17."""
    predictions = stored.load_fundus(name)["predictions"]
    frames = comparisons.held_out_frames(name)
    single, _ = comparisons.frame_of(name, "single")
    rows = ["teacher", "multi_eyeq"]
    on = (predictions, "eyeq_d", rows, frames["eyeq_d"], frames["mshf"])
    out = {
        on: fundus_grades.overall(predictions, on, resamples=10)[0] for on in ("eyeq", "deepdrid")
    }
    return out | {
        "significance": comparisons.all_of(predictions, frames, resamples=10),
        "details": fundus_grades.details(*on, resamples=10),
        "agreement": experts.expert_agreement(frames["eyeq_d"], resamples=10),
        "models": experts.model_agreement(predictions, frames["eyeq_d"], "eyeq_d", rows[-1:]),
        "noise": experts.noise(predictions, frames["eyeq_d"], "eyeq_d"),
        "conditional": own_defect.conditional(predictions, "eyeq_d", resamples=10),
        "responses": own_defect.responses(predictions, single, resamples=10),
        "verdicts": own_defect.verdicts(predictions, single, resamples=10),
    }


def test_tables_from_what_is_tracked_are_those_from_the_runs(walk):
    track(walk)
    runs, tracked = tables(walk), tables("reference")
    assert runs.keys() == tracked.keys()
    for key, table in runs.items():
        assert len(table), key
        pd.testing.assert_frame_equal(tracked[key], table, obj=key, check_exact=True)


def test_rounding_changes_no_grade_and_no_call():
    whole = pd.concat([said(row, 0).assign(method=row) for row in ROWS], ignore_index=True)
    short = tracked_predictions.rounded(whole)
    p = ["p0", "p1", "p2"]
    known = whole["p0"].notna()
    before, after = (t.loc[known, p].to_numpy(float) for t in (whole, short))
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert np.allclose(after.sum(axis=1), 1, atol=1e-9)
    assert np.abs(before - after).max() < 2.5e-4
    assert np.allclose(after * 1e4, np.round(after * 1e4), atol=1e-6)
    for d in (f"d_{d}" for d in DETAILS):
        assert (np.sign(whole[d] - 0.5) == np.sign(short[d] - 0.5)).all()
        single = whole["set"] == "single"
        error = (whole[d] - short[d]).abs()
        assert error[~single].max() < 1.5e-4
        assert error[single].max() < 2.5e-3  # only their means are shown


def test_only_what_tables_ask_for_is_kept(walk):
    folder = track(walk)
    lines = store.read_table(folder / "predictions.csv.xz")
    kept = lines.groupby("set")["quantity"].agg(set).to_dict()
    details = {f"d_{d}" for d in DETAILS}
    grades = {"p0", "grade"}
    assert kept == {w: grades if w in CLASSES else details for w in FRAMES}
    assert not ((lines["method"] == "forest_eyeq") & (lines["set"] != "eyeq")).any()
    first = lines[lines["set"] == "mshf"]["values"].iloc[0].split()
    assert len(first) == (FRAMES["mshf"]["split"] == "test").sum()
    assert len(tracked_predictions.frame(folder, "mshf")) == N  # the baseline learns from all
    assert set(tracked_predictions.frame(folder, "eyeq")["split"]) == {"val", "test"}


def test_what_is_damaged_or_not_there_is_named(walk):
    predictions = stored.load_fundus(walk)["predictions"]
    lacking = predictions[predictions["id"] != "eyeq_d3"]
    with pytest.raises(ValueError, match="eyeq_d: no prediction of eyeq_d3"):
        tracked_predictions.packed(lacking, {"eyeq_d": FRAMES["eyeq_d"]})
    with pytest.raises(FileNotFoundError, match="not tracked yet"):
        stored.load_fundus("reference")
    folder = track(walk)
    with pytest.raises(KeyError, match="olives"):
        tracked_predictions.frame(folder, "olives")
    lines = store.read_table(folder / "predictions.csv.xz")
    short = lines["values"].str.rsplit(" ", n=1).str[0]
    store.write_table(folder / "predictions.csv.xz", lines.assign(values=short))
    with pytest.raises(ValueError, match="seed 0, mshf: 17 values of 18 pictures"):
        tracked_predictions.unpacked(folder)
