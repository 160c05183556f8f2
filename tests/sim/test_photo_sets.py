"""The KOKA10K-like set: shares, truth, extras, splits; the same bytes for any number of processes
and after a kill."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from photo_trees import floor_counts

from riqa_lib.datasets.data_folder import DataSet, open_dataset
from riqa_lib.sim import photo_raters, photo_sets
from riqa_lib.sim.scenes import scene
from riqa_lib.stats import votes

SMALL = {"labelled": 90, "pool": 40, "size": 40, "progress": False}
FEW = {"labelled": 30, "pool": 7, "size": 32, "progress": False}  # what is only made again


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> DataSet:
    return open_dataset(photo_sets.make_koka10k(tmp_path_factory.mktemp("koka"), **SMALL))


def content(folder) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir())}


@pytest.fixture
def chunks_of_8(monkeypatch):
    """So that FEW is five chunks, the last not a whole one."""
    monkeypatch.setattr(photo_sets, "CHUNK", 8)


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> dict[str, bytes]:
    """FEW, made in one go and by the usual chunks."""
    return content(photo_sets.make_koka10k(tmp_path_factory.mktemp("few"), **FEW))


@pytest.fixture(scope="module")
def remains(tmp_path_factory):
    """What FEW leaves when it is killed after two chunks of 8."""

    def dies_after_two_chunks(rows, size, seed):
        if rows[0].id == "k000016":
            raise KeyboardInterrupt
        return make(rows, size, seed)

    make, folder = photo_sets._make, tmp_path_factory.mktemp("remains")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_sets, "CHUNK", 8)
        patch.setattr(photo_sets, "_make", dies_after_two_chunks)
        with pytest.raises(KeyboardInterrupt):
            photo_sets.make_koka10k(folder, **FEW)
    return folder


def test_frame_and_files(made):
    assert made.info["simulated"] is True
    assert made.info["settings"]["labelled"] == 90
    assert sorted(content(made.folder)) == ["dataset.json", "frame.csv", "pixels.npy"]
    frame = made.frame
    assert made.pixels.shape == (130, 40, 40, 3)
    assert frame["id"].is_unique
    assert (frame["path"] == "").all()
    assert frame["source"].value_counts().to_dict() == {"koniq-like": 87, "pool": 40, "extra": 3}
    assert frame["true_quality"].between(0, 1).all()
    assert frame["true_grade"].between(0, 4).all()
    assert ((frame["defects"] == "untouched") == (frame["n_defects"] == 0)).all()


def test_labels_are_the_modes_of_votes(made):
    voted = made.frame[made.frame["source"] == "koniq-like"]
    counts = voted[[f"c{k}" for k in range(1, 6)]].to_numpy()
    assert (voted["grade"] == votes.mode_grade(counts)).all()
    assert (counts.sum(axis=1) == voted["raters"]).all()
    assert voted["raters"].between(93, 157).all()
    assert np.allclose(voted["score"], counts @ np.arange(1, 6) / counts.sum(axis=1), atol=1e-5)
    others = made.frame[made.frame["source"] != "koniq-like"]
    assert (others["raters"] == 0).all()
    assert others["score"].isna().all()


def test_extras_come_out_of_the_pool(made):
    extras = made.frame[made.frame["source"] == "extra"]
    assert extras["moved"].all()
    assert not made.frame.loc[made.frame["source"] != "extra", "moved"].any()
    assert extras["id"].str.startswith("p").all()
    assert sorted(extras["grade"]) == [0, 4, 4]
    assert (extras["grade"] == extras["true_grade"]).all()


def test_splits_are_the_floor_split_and_share_no_content(made):
    frame = made.frame
    pool = frame["split"] == "pool"
    assert (frame.loc[pool, "grade"] == -1).all()
    assert (pool == (frame["source"] == "pool")).all()
    for grade, part in frame[~pool].groupby("grade"):
        found = tuple((part["split"] == s).sum() for s in ("train", "val", "test"))
        assert found == floor_counts(len(part)), grade
    assert len(frame[["group", "split"]].drop_duplicates()) == frame["group"].nunique()


def test_truth_can_be_measured_again(made):
    for row in (0, 50, 88, 129):
        clean = scene((0, made.frame["id"][row]), 40)
        found = photo_raters.quality(
            photo_raters.Look(clean), photo_raters.Look(np.array(made.pixels[row]))
        )
        assert found == pytest.approx(made.frame["true_quality"][row], abs=1e-6)
    untouched = made.frame.index[made.frame["defects"] == "untouched"][0]
    clean = scene((0, made.frame["id"][untouched]), 40)
    assert np.array_equal(made.pixels[untouched], np.round(clean * 255).astype(np.uint8))


def test_class_shares():
    rows = [photo_sets.Row(f"share{i}", "koniq-like", "koniq-like") for i in range(300)]
    _, table = photo_sets._make(rows, 40, 0)
    grade = votes.mode_grade(np.array([entry["votes"] for entry in table]))
    share = np.bincount(grade, minlength=5) / len(rows)
    error = np.sqrt(0.5 * 0.5 / len(rows))  # of a share of one half, by chance
    assert np.abs(share - [0.008, 0.137, 0.511, 0.344, 0]).max() < 0.03 + error


def test_pools(made, tmp_path):
    matched = open_dataset(
        photo_sets.make_koka10k(tmp_path / "matched", **SMALL | {"pool": 60}, pool_kind="matched")
    ).frame
    good = (matched.loc[matched["source"] == "pool", "true_grade"] >= 3).mean()
    assert good < 0.6
    pool = made.frame[made.frame["source"] == "pool"]
    assert (pool["true_grade"] >= 3).mean() > 0.85
    assert (pool["defects"] == "untouched").mean() == pytest.approx(
        1 - photo_sets.TOUCHED, abs=0.25
    )
    same = [c for c in matched if c not in ("split",)]
    labelled = matched["source"] == "koniq-like"
    pd.testing.assert_frame_equal(
        matched.loc[labelled, same], made.frame.loc[made.frame["source"] == "koniq-like", same]
    )


def test_same_bytes_for_two_processes(few, tmp_path, chunks_of_8):
    assert content(photo_sets.make_koka10k(tmp_path / "two", **FEW, processes=2)) == few


def test_killed_and_resumed_gives_the_same_bytes(few, tmp_path, monkeypatch, chunks_of_8):
    make, calls = photo_sets._make, []

    def dies_in_the_third_chunk(rows, size, seed):
        calls.append(len(rows))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make(rows, size, seed)

    folder = tmp_path / "killed"
    monkeypatch.setattr(photo_sets, "_make", dies_in_the_third_chunk)
    with pytest.raises(KeyboardInterrupt):
        photo_sets.make_koka10k(folder, **FEW)
    assert not (folder / "dataset.json").exists()
    calls.clear()
    monkeypatch.setattr(
        photo_sets,
        "_make",
        lambda rows, size, seed: calls.append(len(rows)) or make(rows, size, seed),
    )
    photo_sets.make_koka10k(folder, **FEW)
    # the two finished chunks are not made again; one picture is checked
    assert sum(calls) == 37 - 2 * 8 + 1
    assert content(folder) == few


@pytest.mark.parametrize("damage", ["no facts", "torn facts", "other pixels", "rubbish"])
def test_damaged_remains_are_not_trusted(few, remains, tmp_path, damage):
    folder = shutil.copytree(remains, tmp_path / "remains")
    (part,), (facts,) = folder.glob(".pixels-*.part"), folder.glob(".pixels-*.facts")
    if damage == "no facts":
        facts.unlink()
    elif damage == "torn facts":
        facts.write_bytes(facts.read_bytes()[:-20])
    elif damage == "other pixels":
        whole = part.read_bytes()
        part.write_bytes(whole[:-3072] + bytes(3072))
    else:
        part.write_bytes(b"rubbish" * 4000)
    assert content(photo_sets.make_koka10k(folder, **FEW)) == few


def test_a_finished_folder_is_left_alone(made, monkeypatch):
    before = {f: f.stat().st_mtime_ns for f in made.folder.iterdir()}
    assert photo_sets.make_koka10k(made.folder, **SMALL) == made.folder
    assert {f: f.stat().st_mtime_ns for f in made.folder.iterdir()} == before


def test_what_a_kill_at_the_very_end_left_is_cleared(made):
    (made.folder / f".pixels-{made.info['key']}.part.facts").write_text("{}\n")
    photo_sets.make_koka10k(made.folder, **SMALL)
    assert sorted(content(made.folder)) == ["dataset.json", "frame.csv", "pixels.npy"]


def test_other_code_makes_the_set_again(made, tmp_path, monkeypatch):
    small = {"labelled": 5, "pool": 2, "size": 32, "progress": False}
    folder = photo_sets.make_koka10k(tmp_path / "code", **small)
    before = content(folder)
    monkeypatch.setattr(photo_sets, "scene", lambda key, size: scene((key, "other"), size))
    after = content(photo_sets.make_koka10k(folder, **small))
    assert after["pixels.npy"] != before["pixels.npy"]
    assert after["dataset.json"] == before["dataset.json"]


def test_other_settings_are_refused(made):
    with pytest.raises(ValueError, match=r"other settings \(pool: 40 there, 41 asked for\)"):
        photo_sets.make_koka10k(made.folder, **SMALL | {"pool": 41})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labelled": 0}, "labelled is 0"),
        ({"pool": -1}, "pool is -1"),
        ({"size": 8}, "size is 8"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"pool_kind": "clean"}, "expected one of pristine, matched"),
        ({"fractions": (0.8, 0.1)}, "fractions"),
        ({"fractions": (0.8, 0.1, 0.2)}, "fractions"),
    ],
)
def test_bad_arguments(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        photo_sets.make_koka10k(tmp_path / "x", **SMALL | change)
    assert not (tmp_path / "x").exists()
