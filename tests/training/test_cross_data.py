"""Graders on another data set: what they are shown, against what they are held, which pictures are
left out; sets found and not found below a fake RIQA_DATA."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from photo_trees import make_csiq, make_koka10k, make_live_challenge
from PIL import Image

from riqa_lib.datasets.data_folder import DataSet
from riqa_lib.training import cross_data

NOISE = np.random.default_rng(3).integers(0, 256, (12, 40, 40, 3), np.uint8)
SPLITS = ["train", "train", "val", "test", "test", "test", "test", "pool"]


def small(
    name: str = "A",
    simulated: bool = False,
    source: tuple[str, ...] = ("s1", "s2"),
    pixels: np.ndarray = NOISE,
    **settings: object,
) -> DataSet:
    """Eight pictures in memory, of every split."""
    frame = pd.DataFrame({"id": [f"{name}{i}" for i in range(8)], "split": SPLITS})
    frame = frame.assign(
        path="", group=[f"g{i}" for i in range(8)], grade=[0, 1, 2, 3, 4, 0, 1, -1]
    )
    frame["source"] = [source[i % len(source)] for i in range(8)]
    frame["score"] = frame["grade"] / 4.0
    info = {"name": name, "simulated": simulated, "size": pixels.shape[1], "classes": 5}
    info |= {"key": name, "settings": settings}
    return DataSet(None, frame, pixels[:8], info)  # type: ignore[arg-type]


def brightness(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=(1, 2, 3)) / 64


# ---------------------------------------------------------------- one set
def test_the_test_part_at_the_graders_size():
    test = cross_data.trial_of(small(), 20)
    assert test.frame["id"].tolist() == ["A3", "A4", "A5", "A6"]
    assert test.frame["subset"].tolist() == ["s2", "s1", "s2", "s1"]
    assert test.against == "score"
    assert test.grades == "A's own"
    assert test.shown == "stored at 40 px, made 20 px"
    slow = [
        np.asarray(Image.fromarray(NOISE[i]).resize((20, 20), Image.Resampling.BICUBIC))
        for i in (3, 4, 5, 6)
    ]
    shown = np.concatenate(list(test.blocks()))
    assert (shown == np.stack(slow)).all()
    assert (test.pixels([2, 0]) == np.stack([slow[2], slow[0]])).all()
    same = cross_data.trial_of(small(), 40)
    assert same.shown == "40 px, as stored"
    assert (np.concatenate(list(same.blocks())) == NOISE[3:7]).all()
    assert cross_data.trial_of(small(), 80).shown.endswith("enlarged, which adds no detail")


def test_what_it_is_held_against():
    data = small(simulated=True)
    assert cross_data.trial_of(data, 40).frame["subset"].tolist() == [""] * 4
    assert cross_data.trial_of(data, 40).grades == cross_data.VOTES
    data.frame.loc[4, "score"] = np.nan
    data.frame.loc[5, "grade"] = -1
    test = cross_data.trial_of(data, 40)
    assert test.against == "grade"
    assert test.frame["id"].tolist() == ["A3", "A4", "A6"]  # A5 has no grade
    assert test.frame["score"].tolist() == [3, 4, 1]
    assert cross_data.trial_of(small(source=("one",)), 40).frame["subset"].eq("").all()
    koka = small(source=("koniq-like", "extra"), rule="mode")
    assert cross_data.trial_of(koka, 40).frame["subset"].eq("").all()
    assert cross_data.trial_of(koka, 40).grades == cross_data.VOTES
    assert "rule equal_width" in cross_data.meaning(small(rule="equal_width"))
    data.frame["split"] = "train"
    with pytest.raises(ValueError, match="A: no test picture has a grade or a score"):
        cross_data.trial_of(data, 40)


# ---------------------------------------------------------------- no picture twice
def test_copies_of_what_was_learnt_from_are_left_out():
    learnt = small()
    pixels = NOISE.copy()
    pixels[3:7] = NOISE[[11, 0, 2, 3]]  # another; labelled; validation; test, which may be known
    pixels[4] = np.clip(pixels[4].astype(int) + 3, 0, 255)  # a little brighter
    pixels[6] = 7  # plain: not compared, nor taken for a copy of a plain one
    learnt.pixels[1] = 7
    test = cross_data.without_copies(cross_data.trial_of(small("B", pixels=pixels), 40), learnt)
    assert test.copies == 2
    assert test.frame["id"].tolist() == ["B3", "B6"]
    assert (np.concatenate(list(test.blocks())) == pixels[[3, 6]]).all()
    learnt.pixels[1] = NOISE[9]


def test_simulated_pictures_by_their_scene():
    learnt, other = small(simulated=True), small("B", simulated=True)
    other.frame.loc[3, "group"] = "g0"
    test = cross_data.trial_of(other, 40)
    assert cross_data.without_copies(test, learnt).frame["id"].tolist() == ["B4", "B5", "B6"]
    assert cross_data.without_copies(test, learnt).copies == 1
    real = cross_data.without_copies(test, small())
    assert (len(real), real.copies) == (4, None)


def test_a_part_by_chance():
    trial = cross_data.trial_of(small(), 40)
    assert cross_data.at_most(trial, 0) is trial
    assert cross_data.at_most(trial, 4) is trial
    some = cross_data.at_most(trial, 3)
    assert len(some) == 3
    assert some.shown == "40 px, as stored, 3 of 4 by chance"
    places = [trial.frame["id"].tolist().index(name) for name in some.frame["id"]]
    assert places == sorted(places)
    assert (np.concatenate(list(some.blocks())) == NOISE[3:7][places]).all()
    assert cross_data.at_most(trial, 3).frame.equals(some.frame)


# ---------------------------------------------------------------- asked
def test_graders_are_asked_and_facts_told(monkeypatch):
    monkeypatch.setattr(cross_data, "BLOCK", 3)
    learnt, other = small(), small("B", rule="mode")
    seen: list[tuple[int, ...]] = []

    def looked(pixels: np.ndarray) -> np.ndarray:
        seen.append(pixels.shape)
        return brightness(pixels)

    test = cross_data.trial_of(other, 40)
    said = cross_data.asked({"forest": looked, "ridge": brightness}, learnt, test)
    assert seen == [(3, 40, 40, 3), (1, 40, 40, 3)]
    assert said["row"].tolist() == ["forest"] * 4 + ["ridge"] * 4
    assert said["expected"].tolist()[:4] == pytest.approx(brightness(NOISE[3:7]).tolist())
    assert said[["trained_on", "tested_on"]].drop_duplicates().values.tolist() == [["A", "B"]]
    told = cross_data.facts(learnt, test)
    assert told["no_mae"] == f"{cross_data.UNLIKE}: A's own; {cross_data.VOTES}"
    assert cross_data.facts(learnt, cross_data.trial_of(learnt, 40))["no_mae"] == ""
    assert (told["size"], told["pictures"], told["copies"]) == (40, 4, None)

    def wrong(pixels: np.ndarray) -> np.ndarray:
        return np.full(len(pixels), np.nan)

    with pytest.raises(ValueError, match="B: expected one finite grade for each of 4 pictures"):
        cross_data.ask(wrong, test)


# ---------------------------------------------------------------- below RIQA_DATA
@pytest.mark.filterwarnings("ignore:.*worth knowing")
def test_sets_found_and_not_found(tmp_path, home):
    root = tmp_path / "sets"
    make_koka10k(root)
    make_csiq(root / "csiq")
    make_live_challenge(root / "live_challenge", pictures=8)
    (root / "live_challenge" / "Images" / "9.bmp").write_bytes(b"no picture")
    (root / "tid2013").mkdir()
    (root / "live").mkdir()
    (root / "live" / "notes.txt").write_text("no tables")
    found = cross_data.sets_found(root).set_index("key")["state"]
    assert found[found == "found"].index.tolist() == ["koniq10k", "live", "csiq", "live_challenge"]
    stored, table = cross_data.store_sets(root, tmp_path / "stored", 16)
    assert [*stored] == ["koniq10k", "csiq", "live_challenge"]
    states = table.set_index("key")["state"]
    assert states["live"].startswith("broken: ")
    assert "dmos.mat" in states["live"]
    assert states["tid2013"] == states["kadid10k"] == "not found"

    csiq = cross_data.trial_of(stored["csiq"], 16)
    assert csiq.grades == ""
    assert csiq.frame["score"].tolist()[:2] == [0.9, 0.8]  # 1 - DMOS: higher is better
    assert csiq.frame["subset"].nunique() == 6
    assert csiq.frame["group"].nunique() == 2
    with Image.open(root / "csiq" / stored["csiq"].frame["path"][5]) as file:
        square = file.convert("RGB").crop((2, 0, 22, 20))  # of 24 x 20: aspect ratio kept
    slow = np.asarray(square.resize((16, 16), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(csiq.pixels([5])[0].astype(int) - slow).max() <= 1
    phones = cross_data.trial_of(stored["live_challenge"], 16)
    assert phones.frame["id"].tolist()[:4] == ["7.bmp", "8.bmp", "10.JPG", "11.bmp"]
    assert len(phones) == 7
    assert phones.frame["score"].is_monotonic_increasing
    koniq = cross_data.trial_of(stored["koniq10k"], 16)
    assert koniq.grades == cross_data.VOTES
    assert koniq.frame["grade"].value_counts().to_dict() == dict.fromkeys(range(4), 15)

    before = (tmp_path / "stored" / "csiq-16" / "pixels.npy").stat().st_mtime_ns
    again, _ = cross_data.store_sets(root, tmp_path / "stored", 16)
    assert again["csiq"].info["key"] == stored["csiq"].info["key"]
    assert (tmp_path / "stored" / "csiq-16" / "pixels.npy").stat().st_mtime_ns == before
    assert cross_data.store_sets(None, tmp_path, 16)[1]["state"].eq("not found").all()
    with pytest.raises(ValueError, match="kadis700k: no set that tests graders"):
        cross_data.store_set("kadis700k", root, tmp_path / "x", 16)
