"""Copies of pristine pictures: which there are, which are the same, how they depend on the seed."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from riqa_lib import seeding
from riqa_lib.pictures import distorted_copies, pristine, windows
from riqa_lib.pictures.distorted_copies import MEASURED, SIDE, Recipe, copies, stream
from riqa_lib.sim.distortions import MONOTONE, TYPES, distort

FAST = tuple(sorted({*TYPES} - {6, 9, 15}))  # without the slow ones


@pytest.fixture(scope="module")
def photo():
    return pristine.carried(40)["chelsea.png"]


def test_they_are_the_distortions_of_the_picture_rounded_to_bytes(photo):
    kinds = (1, 11, 23)
    made = copies(photo, Recipe(kinds, seed=3))
    key = hashlib.sha256(photo.tobytes()).hexdigest()
    assert np.array_equal(made.pixels[0], photo)
    for row in made.table.to_dict("records")[1:]:
        draw = seeding.rng("distorted copy", 3, key, row["distortion"])
        slow = distort(photo, row["distortion"], row["level"], draw, scale=40 / SIDE)
        assert np.array_equal(made.pixels[row["at"]], np.round(slow * 255)), row


def test_the_table_has_each_level_of_each_distortion(photo):
    made = copies(photo, Recipe(FAST)).table
    assert made.iloc[0][["distortion", "name", "level", "same", "at"]].tolist() == [
        0, "pristine", 0, 0, 0,
    ]  # fmt: skip
    assert list(zip(made["distortion"], made["level"], strict=True))[1:] == [
        (kind, level) for kind in FAST for level in range(1, 6)
    ]
    told = made[1:].groupby("distortion")["counted"].agg(["min", "max"])
    assert {k for k, row in told.iterrows() if row["min"] and row["max"]} == MONOTONE & {*FAST}
    assert (made.iloc[1:]["name"] == made.iloc[1:]["distortion"].map(TYPES)).all()


def test_what_is_the_picture_itself_or_a_milder_copy_is_told_and_stored_once(photo):
    made = copies(photo, Recipe(FAST))
    assert len({x.tobytes() for x in made.pixels}) <= len(made.pixels)
    assert made.table["at"].nunique() == len(made.pixels)
    by = made.table.set_index(["distortion", "level"])
    assert by.loc[(8, 1), ["same", "at"]].tolist() == [0, 0]  # saturation times one
    assert by.loc[(18, 3), "same"] == 0  # a mean shifted by nought
    assert by.loc[1, "same"].tolist()[:2] == [0, 2] or by.loc[1, "same"].tolist()[:2] == [0, 0]
    for kind in FAST:
        for level in range(1, 6):
            row = by.loc[(kind, level)]
            whole = made.pixels[int(row["at"])].tobytes()
            earlier = [0 if whole == photo.tobytes() else None] + [
                k if made.pixels[int(by.loc[(kind, k), "at"])].tobytes() == whole else None
                for k in range(1, level)
            ]
            first = min((k for k in earlier if k is not None), default=level)
            assert row["same"] == first, (kind, level)


def test_closeness_is_measured_of_the_four_and_falls_with_their_level(photo):
    made = copies(photo, Recipe((1, 8, 10, 11, 23))).table
    there = made[["ssim", "gmsd", "mse"]].notna().all(axis=1)
    assert {*made.loc[there, "distortion"]} == {0, 1, 10, 11} == {0, *MEASURED} - {9}
    assert made.loc[0, ["ssim", "gmsd", "mse"]].tolist() == [1, 0, 0]
    for kind in (10, 11):
        its = made[made["distortion"] == kind]
        assert its["ssim"].is_monotonic_decreasing
        assert its["mse"].is_monotonic_increasing


def test_they_depend_on_seed_and_pixels_alone(photo):
    recipe = Recipe((11, 23))
    first = copies(photo, recipe)
    assert np.array_equal(copies(photo, Recipe((23, 11))).pixels[1:6], first.pixels[6:11])
    assert not np.array_equal(copies(photo, Recipe((11, 23), seed=1)).pixels, first.pixels)
    other = photo.copy()
    other[0, 0, 0] ^= 1
    noise = [made.pixels[3].astype(int) - made.pixels[0] for made in (first, copies(other, recipe))]
    assert not np.array_equal(*noise)


def test_a_level_is_the_one_before_stronger():
    """White noise: one field, whatever the level."""
    grey = np.full((32, 32, 3), 128, np.uint8)
    made = copies(grey, Recipe((11,))).pixels.astype(float) - 128
    for milder, worse in ((1, 2), (2, 5)):
        both = np.corrcoef(made[milder].ravel(), made[worse].ravel())[0, 1]
        assert both > 0.99
    assert made[5].std() > made[1].std()


def test_lengths_are_a_share_of_the_picture_unless_given(photo):
    small, kept = copies(photo, Recipe((2,))), copies(photo, Recipe((2,), lengths=1.0))
    assert kept.table["same"].tolist()[-1] == 5
    blurred = [np.abs(x.pixels[-1].astype(int) - photo).mean() for x in (small, kept)]
    assert blurred[0] < blurred[1]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stream_is_in_order_and_reads_no_further_than_it_must(processes, photo, monkeypatch):
    # threads for processes: what starts them is tested with what it was made for
    monkeypatch.setattr(distorted_copies, "spawned", ThreadPoolExecutor)
    read = []

    def source():
        for k in range(9):
            read.append(k)
            yield f"{k}", np.roll(photo, k, axis=0)

    found = stream(source(), Recipe((8,)), processes)
    name, made = next(found)
    assert name == "0"
    assert len(read) <= 2 * processes
    assert np.array_equal(made.pixels, copies(photo, Recipe((8,))).pixels)
    assert [name for name, _ in found] == [f"{k}" for k in range(1, 9)]


def test_bad_input_says_what_was_expected(photo):
    with pytest.raises(ValueError, match=r"float64 \(40, 40, 3\); expected uint8"):
        copies(photo / 255, Recipe((1,)))
    with pytest.raises(ValueError, match="a picture of 8 x 40 px; expected 16 or more"):
        copies(photo[:, :8], Recipe((1,)))
    with pytest.raises(ValueError, match="no distortion 26, 27; there are 1 Gaussian blur"):
        distorted_copies.check_kinds([1, 26, 27])
    for wrong in ([], [3, 3]):
        with pytest.raises(ValueError, match="one or more, each once"):
            distorted_copies.check_kinds(wrong)


# ---------------------------------------------------------------- what packages carry
def test_carried_photographs_are_there_in_colour_and_named_with_their_licence(tmp_path):
    for one in pristine.CARRIED:
        pixels = one.load()
        assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3), one.name
        assert np.ptp(pixels.astype(int), axis=2).max() > 100, one.name
        assert one.licence in ("public domain", "CC0", "CC BY 2.0")
    files = pristine.write(tmp_path / "photos")
    assert len(files) == len(pristine.CARRIED)
    every = pristine.carried(48, "native")
    for file, (name, pixels) in zip(files, every.items(), strict=True):
        assert file.stem == name.split(".")[0]
        assert np.array_equal(windows.read_for(file, 48, "native").pixels[0], pixels)
    with pytest.raises(ValueError, match="have 300 px or more"):
        pristine.carried(301)
    with pytest.raises(ValueError, match="allowed: fit, native"):
        pristine.carried(48, "whole")
    assert Image.open(files[0]).size == (512, 512)


def test_the_best_of_a_data_set_are_by_score_and_name_no_file():
    pixels = np.arange(7, dtype=np.uint8)[:, None, None, None] + np.zeros((7, 4, 4, 3), np.uint8)
    frame = pd.DataFrame(
        {
            "id": ["f", "e", "d", "c", "b", "a", "g"],
            "split": ["test", "test", "train", "test", "test", "test", "test"],
            "source": ["stock", "stock", "stock", "own", "stock", "stock", "stock"],
            "score": [0.7, 0.9, 0.99, 0.98, 0.9, 0.8, np.nan],
        }
    )
    data = SimpleNamespace(frame=frame, pixels=pixels, info={"name": "some"})
    found = pristine.best_of(data, 3, "stock")
    assert [x[0, 0, 0] for x in found.values()] == [4, 1, 5]  # b, e, a
    assert list(found) == ["best 01", "best 02", "best 03"]
    assert [x[0, 0, 0] for x in pristine.best_of(data, 1).values()] == [3]
    with pytest.raises(
        ValueError, match="some: 5 pictures wanted; 4 in split test of source stock"
    ):
        pristine.best_of(data, 5, "stock")
