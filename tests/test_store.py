"""Files are written whole or not at all; a run's folder belongs to its settings."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pandas as pd
import pytest

from riqa_lib import paths, store


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    file = store.write_json(tmp_path / "a.json", {"n": 1})

    def broken():
        with store.replacing(file) as part:
            part.write_text("half of")
            raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="full"):
        broken()
    assert store.read_json(file) == {"n": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_tables_are_the_same_bytes_each_time_and_ids_stay_text(tmp_path):
    frame = pd.DataFrame({"id": ["007", "NA"], "p0": [0.25, np.nan]})
    a = store.write_table(tmp_path / "a.csv.gz", frame).read_bytes()
    b = store.write_table(tmp_path / "b.csv.gz", frame).read_bytes()
    assert a == b
    assert a[4:8] == bytes(4)  # gzip's time stamp
    pd.testing.assert_frame_equal(store.read_table(tmp_path / "a.csv.gz"), frame, check_dtype=False)


def test_what_is_tracked_is_read_as_it_was_and_takes_less(tmp_path):
    frame = pd.DataFrame({"id": ["007", "NA"] * 500, "p0": np.arange(1000) / 7})
    a = store.write_table(tmp_path / "a.csv.xz", frame).read_bytes()
    assert a == store.write_table(tmp_path / "b.csv.xz", frame).read_bytes()
    assert len(a) < len(store.write_table(tmp_path / "a.csv.gz", frame).read_bytes())
    assert store.read_table(tmp_path / "a.csv.xz").equals(store.read_table(tmp_path / "a.csv.gz"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b"",
        lambda b: b"\x1f\x8bnonsense",
        lambda b: b"\xfd7zXZ\x00nonsense",
    ],
)
@pytest.mark.parametrize("end", ["gz", "xz"])
def test_a_damaged_table_is_named(tmp_path, damage, end):
    file = store.write_table(
        tmp_path / f"p.csv.{end}", pd.DataFrame({"id": list("abc") * 50, "p0": range(150)})
    )
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=rf"p\.csv\.{end}: damaged"):
        store.read_table(file)


def test_a_damaged_json_is_named(tmp_path):
    (tmp_path / "c.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"c\.json: not a JSON file"):
        store.read_json(tmp_path / "c.json")


def test_a_missing_input_names_the_notebook(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the notebook 01_koka10k first"):
        store.need(tmp_path / "data", "01_koka10k")


def test_a_missing_input_names_the_walk_that_lacks_it(home, monkeypatch):
    """Of the default walk, and of what is no walk's, the plain command is right."""
    monkeypatch.setattr(paths, "reference", lambda: paths.results("reference"))
    missing = {
        paths.results("r") / "data": "python run_all.py --name r --only 01_a, with its --profile",
        paths.results("demo") / "data": "(python run_all.py --only 01_a)",
        paths.runs() / "supervised-0": "(python run_all.py --only 01_a)",
        paths.results("reference") / "a.csv": "(python run_all.py --only 01_a)",
        home / "elsewhere": "(python run_all.py --only 01_a)",
    }
    for path, words in missing.items():
        with pytest.raises(FileNotFoundError) as e:
            store.need(path, "01_a")
        assert words in str(e.value)


def test_hash_depends_on_values_not_on_order():
    assert store.settings_hash({"a": 1, "b": [2]}) == store.settings_hash({"b": [2], "a": 1})
    assert store.settings_hash({"a": 1}) != store.settings_hash({"a": 1.5})
    for bad in ({"a": float("nan")}, {"a": object()}):
        with pytest.raises(ValueError, match="plain numbers"):
            store.settings_hash(bad)


def test_a_folder_of_other_settings_is_refused(home):
    folder = store.run_folder({"method": {"name": "m"}, "lr": 1})
    assert store.run_folder({"method": {"name": "m"}, "lr": 1}) == folder
    (folder / "config.json").write_text(json.dumps({"method": {"name": "m"}, "lr": 2}))
    with pytest.raises(ValueError, match=r"holds other settings \(lr differ\)"):
        store.run_folder({"method": {"name": "m"}, "lr": 1})


def test_a_run_is_done_when_its_provenance_is_there(home):
    folder = store.run_folder({"method": {"name": "m"}, "train": {"lr": 1}})
    assert not store.done(folder)
    store.write_json(folder / "provenance.json", {})
    assert store.done(folder)


def test_a_run_is_not_done_when_its_provenance_is_damaged(home):
    folder = store.run_folder({"method": {"name": "m"}, "train": {"lr": 1}})
    store.finish(folder, {"seconds": 1.5, "labels": 30, "versions": {"torch": "2"}, "rows": (1, 2)})
    assert store.done(folder)
    whole = (folder / "provenance.json").read_bytes()
    for harmed in (whole.replace(b"30", b"31"), whole[:-9], b"", b"[]", whole[:-2] + b"\xff}"):
        (folder / "provenance.json").write_bytes(harmed)
        assert not store.done(folder)


def test_predictions_must_be_probabilities(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "p0": [0.5, 0.5], "p1": [0.5, 0.6]})
    store.write_table(tmp_path / "predictions.csv.gz", frame)
    with pytest.raises(ValueError, match=r"row 3 \(b\): probabilities sum to 1\.1"):
        store.read_predictions(tmp_path)
    frame["p0"] = [0.5, float("nan")]
    frame["p1"] = [0.5, 1.0]  # without the other, 1: a sum that leaves it out would pass
    store.write_table(tmp_path / "predictions.csv.gz", frame)
    with pytest.raises(ValueError, match=r"row 3 \(b\): probabilities sum to nan"):
        store.read_predictions(tmp_path)


def test_a_full_disk_is_noticed_before_writing(tmp_path):
    with pytest.raises(OSError, match=r"MiB are free"):
        store.free_space(tmp_path / "not" / "there", 2**60)
    store.free_space(tmp_path, 1)


def test_the_journal_lists_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv(store.JOURNAL, str(tmp_path / "log"))
    file = store.write_json(tmp_path / "a.json", {})
    assert (tmp_path / "log").read_text().split() == [str(file.resolve())]


def test_shown_paths_are_relative(home):
    assert paths.shown(home / "results" / "demo") == "results/demo"
    assert paths.shown(paths.ROOT / "README.md") == "README.md"
