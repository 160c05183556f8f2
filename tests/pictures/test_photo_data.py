"""How many processes make pictures; how real ones are read, as settings of a walk."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from photo_trees import make_biq2021
from PIL import Image

from riqa_lib import store
from riqa_lib.pictures.photo_data import DataConfig, make, processes_at_most
from riqa_lib.training.photographs import Run

HOW = {"data.bad": "skip", "data.scale": "native", "data.max_pixels": 10**9, "data.looks": 2}


@pytest.mark.parametrize(("cores", "expected"), [(None, 1), (2, 2), (16, 16), (96, 16)])
def test_one_process_a_core_up_to_sixteen(monkeypatch, cores, expected):
    monkeypatch.delenv("RIQA_PROCESSES", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert processes_at_most() == expected


def test_what_is_asked_for_is_taken(monkeypatch):
    monkeypatch.setenv("RIQA_PROCESSES", "3")
    assert processes_at_most() == 3


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(monkeypatch, asked):
    monkeypatch.setenv("RIQA_PROCESSES", asked)
    with pytest.raises(ValueError, match=r"RIQA_PROCESSES is '.*', expected a whole number"):
        processes_at_most()


# ---------------------------------------------------------------- how real pictures are read
def test_settings_that_came_later_do_not_rename_runs():
    stored = Run().config("key")
    assert not {"bad", "scale", "max_pixels", "looks"} & {*stored["data"]}
    assert stored["data"] == {
        f.name: getattr(DataConfig(), f.name)
        for f in dataclasses.fields(DataConfig)
        if f"data.{f.name}" not in HOW
    }
    for name, value in HOW.items():
        changed = Run().but(**{name: value}).config("key")
        assert changed["data"][name.removeprefix("data.")] == value
        assert store.settings_hash(changed) != store.settings_hash(stored)
        assert len(changed["data"]) == len(stored["data"]) + 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bad": "ignore"}, "data.bad is 'ignore'; allowed: stop, skip"),
        ({"scale": "whole"}, "data.scale is 'whole'; allowed: fit, native"),
        ({"max_pixels": 0}, "data.max_pixels is 0; expected 1 or more"),
        ({"grid": 0}, "data.grid is 0; expected 1 or more"),
        ({"crop": 0}, "data.crop is 0; expected 1 or more"),
        ({"size": 32}, "data.crop is 64 px, larger than data.size, 32 px: the network sees"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        DataConfig(**changes)


def test_a_walk_skips_what_cannot_be_read_and_stores_native_windows(tmp_path, home):
    own = make_biq2021(tmp_path / "own", each=20)
    images = sorted((tmp_path / "own" / "images").iterdir())
    large = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
    images[0].write_bytes(b"%PDF")
    images[1].unlink()
    Image.fromarray(large).save(images[2], "PNG")
    Image.fromarray(large.repeat(2, axis=0)).save(images[3], "PNG")
    config = DataConfig(
        source="folder", folder=own, size=32, crop=32, bad="skip", scale="native", max_pixels=12000
    )
    with pytest.warns(UserWarning, match="3 pictures are left out"):
        data = make("mine", config, "smoke")
    assert len(data) == 57
    assert data.info["left_out"] == 3
    row = data.frame.index[data.frame["path"] == images[2].name][0]
    assert (data.pixels[row] == large[34:66, 44:76]).all()
    lines = store.read_table(data.folder / "problems.csv")
    assert sorted(lines["what"].dropna()) == [
        "not a picture: a PDF document",
        "too large: 120 x 200 px are 24,000 pixels, more than max_pixels, 12,000",
    ]
