"""Maps made once: the stem's own, kept under the right name, whole after a kill, refused if not."""

from __future__ import annotations

import dataclasses
import json
import os
import types

import numpy as np
import pandas as pd
import pytest
import torch

from riqa_lib import store
from riqa_lib.datasets.data_folder import open_dataset, write_dataset
from riqa_lib.networks import lite0, map_store, views
from riqa_lib.networks.map_store import COPIES, key_of, open_maps

N, SIZE, BLOCK = 11, 40, 4  # pictures, px, pictures between two writes (in these tests)
SPLITS = ["train"] * 4 + ["val"] + ["pool"] * 4 + ["test"] * 2
WHOLE = lite0.Lite0
HALF_STEP = 2.0**-11  # of float16, relative: what rounding to it changes


def dataset(folder, seed=0, splits=SPLITS, size=SIZE):
    """A tiny data folder of noise; split by split."""
    grade = [-1 if s == "pool" else i % 5 for i, s in enumerate(splits)]
    frame = pd.DataFrame({"id": [f"p{i}" for i in range(len(splits))], "path": "", "source": ""})
    frame = frame.assign(group=frame["id"], split=splits, grade=grade, score=1.0)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(splits), size, size, 3), np.uint8)
    info = {"name": "tiny", "simulated": True, "classes": 5, "settings": {}}
    write_dataset(
        folder, frame, size, lambda i: [pixels[i:]], key=f"{seed}", info=info, progress=False
    )
    return open_dataset(folder)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(map_store, "BLOCK", BLOCK)


@pytest.fixture
def tiny(tmp_path):
    return dataset(tmp_path / "data")


def made(data, **how):
    return open_maps(data, progress=False, **how)


def slow_maps(pixels, scales=True):
    """The stem's maps of one picture (H, W, 3) uint8: (h, w, channels) float32."""
    x = (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
    with torch.no_grad():
        return lite0.Lite0(scales).eval()(x)[0].permute(1, 2, 0).numpy()


# ---------------------------------------------------------------- what is stored
@pytest.mark.parametrize("scales", [True, False])
def test_maps_are_the_stems_own_of_each_picture_and_its_mirror_image(tiny, scales):
    stored = made(tiny, scales=scales)
    assert stored.maps.shape == (N, 2, 3, 3, 176 if scales else 112)
    assert stored.maps.dtype == np.float16
    for row in (0, 3, 4, 10):
        for k, picture in enumerate((tiny.pixels[row], tiny.pixels[row][:, ::-1])):
            exact = slow_maps(picture, scales)
            off = np.abs(stored.maps[row, k].astype(np.float32) - exact)
            assert (off <= HALF_STEP * np.abs(exact) + 2e-5).all()
    assert not np.allclose(stored.maps[0, 0], stored.maps[0, 1, :, ::-1], atol=1e-2)


def test_mean_and_deviation_are_those_of_everything(tiny):
    stored = made(tiny)
    everything = stored.maps.astype(np.float64).reshape(-1, 176)
    assert stored.mean.numpy() == pytest.approx(everything.mean(axis=0), abs=1e-6)
    assert stored.sd.numpy() == pytest.approx(everything.std(axis=0), abs=1e-6)
    constant = np.ones((3, 2, 1, 1, 2), np.float16)
    mean, sd = map_store.moments(constant)
    assert mean.tolist() == [1, 1]
    assert sd == pytest.approx([1e-6, 1e-6])  # never 0: it divides


def test_augmented_copies_are_the_stems_of_randaugmented_pictures(tiny):
    stored = made(tiny, shown="augmented")
    assert stored.maps.shape == (N, COPIES, 3, 3, 176)
    learns = tiny.frame["split"].isin(["train", "pool"]).to_numpy()
    assert not stored.maps[~learns].any()
    assert stored.maps[learns].any(axis=(2, 3, 4)).all()  # every copy of each
    copies = stored.maps[learns].reshape(-1, 3 * 3 * 176)
    assert len(np.unique(copies, axis=0)) == COPIES * learns.sum()
    for first in (0, 4):  # a block's copies, again from its pixels
        rows = np.arange(first, first + 4)[learns[first : first + 4]]
        looks = map_store.augmented(torch.from_numpy(tiny.pixels[rows]), first)
        for copy in range(COPIES):
            for x, row in zip(looks[copy], rows, strict=True):
                shown = x.permute(1, 2, 0) * views.SD + views.MEAN
                exact = slow_maps((shown * 255).numpy())
                off = np.abs(stored.maps[row, copy].astype(np.float32) - exact)
                assert (off <= HALF_STEP * np.abs(exact) + 5e-5).all()


def test_some_copies_are_mirrored_and_all_end_with_a_hole():
    flat = torch.full((40, 32, 32, 3), 10, dtype=torch.uint8)
    flat[:, :, :16] = 250
    plain = map_store.SHOWN["augmented"][1](flat, 0)
    assert plain.shape == (COPIES, 40, 3, 32, 32)
    left, right = (x.mean(dim=(2, 3, 4)) for x in (plain[..., :4], plain[..., -4:]))
    assert 0.3 < (left > right).float().mean() < 0.7
    assert torch.equal(plain, map_store.augmented(flat, 0))
    assert not torch.equal(plain, map_store.augmented(flat, 64))


# ---------------------------------------------------------------- under which name
def test_the_key_changes_with_all_that_changes_maps(tiny, tmp_path, monkeypatch):
    keys = {key_of(tiny, True, "mirrored"), key_of(tiny, False, "mirrored")}
    keys |= {key_of(tiny, True, "augmented")}
    keys |= {key_of(dataset(tmp_path / "other", seed=1), True, "mirrored")}
    keys |= {key_of(dataset(tmp_path / "larger", size=48), True, "mirrored")}
    monkeypatch.setattr(lite0, "SHA256", "0" * 64)
    keys |= {key_of(tiny, True, "mirrored")}
    assert len(keys) == 6
    monkeypatch.undo()
    assert made(tiny).key == key_of(tiny, True, "mirrored")


def test_a_new_split_keeps_maps_but_not_augmented_copies(tmp_path):
    """The pixels stay, and so do their maps; but copies are made of other pictures."""
    before = dataset(tmp_path / "data")
    keys = {shown: key_of(before, True, shown) for shown in map_store.SHOWN}
    copies = made(before, shown="augmented").maps
    assert not copies[4].any()
    after = dataset(tmp_path / "data", splits=["test", *SPLITS[1:4], "train", *SPLITS[5:]])
    assert after.info["key"] == before.info["key"]
    assert key_of(after, True, "mirrored") == keys["mirrored"]
    assert key_of(after, True, "augmented") != keys["augmented"]
    assert made(after, shown="augmented").maps[4].any()


def test_maps_of_other_weights_are_never_taken(tiny, monkeypatch):
    one = made(tiny)
    monkeypatch.setattr(lite0, "SHA256", "0" * 64)
    monkeypatch.setattr(map_store, "_make", lambda *a: pytest.fail("made anew, as it should be"))
    with pytest.raises(pytest.fail.Exception, match="made anew"):
        made(tiny)
    assert (tiny.folder / f"maps-{one.key}.npy").exists()


# ---------------------------------------------------------------- once, and whole
def test_made_once_and_noted_as_a_steps_files(tiny, tmp_path, monkeypatch):
    log = tmp_path / "journal"
    first = made(tiny)
    monkeypatch.setattr(lite0, "Lite0", lambda *a: pytest.fail("computed again"))
    monkeypatch.setenv(store.JOURNAL, str(log))
    again = made(tiny)
    assert np.array_equal(first.maps, again.maps)
    assert torch.equal(first.mean, again.mean)
    assert torch.equal(first.sd, again.sd)
    assert isinstance(again.maps, np.memmap)
    noted = {line.rsplit("/", 1)[1] for line in log.read_text().splitlines()}
    assert noted == {f"maps-{first.key}.npy", f"maps-{first.key}.json"}


def kill_after(monkeypatch, blocks):
    """The stem is killed after so many blocks (two passes each)."""
    calls = []

    class Killed(WHOLE):
        def forward(self, x):
            if len(calls) == 2 * blocks:
                raise KeyboardInterrupt
            calls.append(len(x))
            return super().forward(x)

    monkeypatch.setattr(lite0, "Lite0", Killed)
    return calls


@pytest.mark.parametrize("odd", [0, 1, 7])
def test_killed_and_resumed_gives_the_same_bytes(tmp_path, monkeypatch, odd):
    """Also where the kill left half a picture, or a picture that is no whole block."""
    whole = made(dataset(tmp_path / "whole"))
    data = dataset(tmp_path / "cut")
    kill_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        made(data)
    part = data.folder / f".maps-{whole.key}.npy.part"
    each = whole.maps[0].nbytes
    assert part.stat().st_size == whole.maps.offset + 2 * BLOCK * each
    assert not [*data.folder.glob("maps-*")]
    if odd:
        os.truncate(part, part.stat().st_size - odd * each // 2 - 1)
    seen = kill_after(monkeypatch, 99)
    resumed = made(data)
    assert seen[::2] == ([4, 3] if odd else [3])
    names = [f"maps-{whole.key}.npy", f"maps-{whole.key}.json"]
    for name in names:
        ours = (tmp_path / "whole" / name).read_bytes()
        assert (data.folder / name).read_bytes() == ours
    assert resumed.maps.tobytes() == whole.maps.tobytes()
    assert not [*data.folder.glob(".maps*")]


def test_killed_at_the_very_end_computes_nothing_again(tiny, monkeypatch):
    """After the maps and before the note; or after the note; or after all, where parts of an older
    version lie about: no half-made file stays."""
    one = made(tiny)
    file, note = tiny.folder / f"maps-{one.key}.npy", tiny.folder / f"maps-{one.key}.json"
    said = file.read_bytes(), note.read_bytes()
    del one
    part = tiny.folder / f".{file.name}.part"
    monkeypatch.setattr(lite0.Lite0, "forward", lambda *a: pytest.fail("computed again"))
    for gone in ([file, note], [file], []):
        part.write_bytes(said[0])
        (tiny.folder / f".{file.stem}.part").write_bytes(b"raw maps of an older version")
        for each in gone:
            each.unlink()
        made(tiny)
        assert (file.read_bytes(), note.read_bytes()) == said
        assert not [*tiny.folder.glob(".maps*")]


def test_parts_of_other_maps_are_left_alone(tiny):
    others = [tiny.folder / ".maps-0123456789ab.part", tiny.folder / "maps-0123456789ab.npy"]
    for other in others:
        other.write_bytes(b"x")
    made(tiny)
    assert all(other.exists() for other in others)


def test_a_full_disk_is_told_before_any_work(tiny, monkeypatch):
    each = 2 * 2 * 3 * 3 * 176  # bytes: float16, two images, the grid, channels

    def disk(free):
        monkeypatch.setattr(
            os, "statvfs", lambda p: types.SimpleNamespace(f_bavail=free, f_frsize=1)
        )

    monkeypatch.setattr(lite0, "Lite0", lambda *a: pytest.fail("began to work"))
    disk(N * each - 1)  # the maps once, no copy of them
    with pytest.raises(OSError, match="needs 1 MiB, only 0 MiB are free"):
        made(tiny)
    assert not [*tiny.folder.glob("*maps*")]
    monkeypatch.undo()
    monkeypatch.setattr(map_store, "BLOCK", BLOCK)
    disk(N * each)
    made(tiny)


# ---------------------------------------------------------------- damage
def damaged(data, change):
    """The maps and their note, changed: change(npy file, note file, what the note says)."""
    one = made(data)
    file, note = data.folder / f"maps-{one.key}.npy", data.folder / f"maps-{one.key}.json"
    del one
    change(file, note, json.loads(note.read_text()))


def cut(file, note, said):
    os.truncate(file, file.stat().st_size - 1)


def emptied(file, note, said):
    file.write_bytes(b"")


def overwritten(file, note, said):
    file.write_bytes(b"no maps at all, by far")


def other_shape(file, note, said):
    said["shape"][0] += 1
    note.write_text(json.dumps(said))


def other_type(file, note, said):
    np.save(file, np.zeros(said["shape"], np.float32))


def of_other_pictures(file, note, said):
    np.save(file, np.zeros((N - 1, *said["shape"][1:]), np.float16))


def half_a_note(file, note, said):
    note.write_text(note.read_text()[:40])


def a_note_without_mean(file, note, said):
    del said["mean"]
    note.write_text(json.dumps(said))


def a_note_of_other_weights(file, note, said):
    said["weights"] = "f" * 64
    note.write_text(json.dumps(said))


def a_note_without_weights(file, note, said):
    del said["weights"]
    note.write_text(json.dumps(said))


@pytest.mark.parametrize(("change", "words"), [
    (cut, r"maps-\w+\.npy: damaged .*delete it and it is made again"),
    (emptied, r"maps-\w+\.npy: damaged .*delete it"),
    (overwritten, r"maps-\w+\.npy: damaged .*delete it"),
    (other_shape, r"maps-\w+\.npy: float16 \(11, .*expected float16 \(12, 2, 3, 3, 176\); delete"),
    (other_type, r"maps-\w+\.npy: float32 .*expected float16"),
    (of_other_pictures, r"maps-\w+\.npy: float16 \(10, .*expected float16 \(11, "),
    (half_a_note, r"maps-\w+\.json: not a JSON file"),
    (a_note_without_mean, r"maps-\w+\.json: mean missing; delete it and it is made again"),
    (a_note_of_other_weights, r"json: maps of other weights, sha256 f{16}\.\.\., expected 5793"),
    (a_note_without_weights, r"json: maps of other weights, sha256 None.*; delete it and it is"),
])  # fmt: skip
def test_damage_is_named_and_mended_by_deleting(tiny, change, words):
    damaged(tiny, change)
    with pytest.raises(ValueError, match=words):
        made(tiny)
    for file in tiny.folder.glob("maps-*"):
        file.unlink()
    assert len(made(tiny).maps) == N


def test_a_data_set_of_other_pictures_has_maps_of_its_own(tiny):
    """As after `data.size` or the pictures changed: another key, another file."""
    one = made(tiny)
    other = dataclasses.replace(tiny, info=tiny.info | {"key": "another"})
    two = made(other)
    assert one.key != two.key
    assert len([*tiny.folder.glob("maps-*.npy")]) == 2
