from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, real_data
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.datasets.data_folder import open_dataset, write_dataset
from riqa_lib.datasets.problems import FolderError
from riqa_lib.pictures import decode
from riqa_lib.pictures.decode import check_pictures, fit, import_folder, read_picture

DECLARED = {"id": "name", "score": "mos", "low": 0, "high": 100}
SIZE = 12


def noise(seed: int, height: int = 16, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two hundred small pictures with a table beside them."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(200):
        Image.fromarray(noise(i)).save(root / f"{i}.png")
    rows = [f"{i}.png,{i % 100}" for i in range(200)]
    (tmp_path / "scores.csv").write_text("\n".join(["name,mos", *rows, ""]))
    return root


def frame_of(root: Path, n: int = 200) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [str(i) for i in range(n)],
            "path": [f"{i}.png" for i in range(n)],
            "source": "",
            "group": [str(i) for i in range(n)],
            "split": "train",
            "grade": 1,
            "score": 0.5,
        }
    )


def made(root: Path, folder: Path, **changed: object) -> Path:
    return decode.decode(
        frame_of(root), root, folder, SIZE, **({"name": "t", "progress": False} | changed)
    )  # type: ignore[arg-type]


# ---------------------------------------------------------------- one picture
def saved(tmp_path: Path, image: Image.Image, kind: str, **options: object) -> np.ndarray:
    image.save(tmp_path / f"x.{kind}", **options)
    return np.asarray(read_picture(tmp_path / f"x.{kind}"))


def test_every_kind_of_picture_becomes_rgb(tmp_path: Path) -> None:
    rgb = noise(0)
    grey = Image.fromarray(rgb[..., 0])
    assert (saved(tmp_path, Image.fromarray(rgb), "png") == rgb).all()
    assert (saved(tmp_path, grey, "png") == rgb[..., :1]).all()
    assert (
        saved(tmp_path, grey.convert("1"), "png") == np.asarray(grey.convert("1").convert("RGB"))
    ).all()
    palette = Image.fromarray(rgb).quantize(16)
    assert (saved(tmp_path, palette, "png") == np.asarray(palette.convert("RGB"))).all()
    flat = Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK")
    assert np.abs(saved(tmp_path, flat, "jpg", quality=95).astype(int) - (200, 40, 90)).max() <= 4


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    found = saved(tmp_path, Image.fromarray(deep), "png")
    assert (found == np.arange(256).reshape(16, 16, 1)).all()
    assert (saved(tmp_path, Image.fromarray(deep.astype(np.int32)), "tif") == found).all()


def test_see_through_parts_are_white(tmp_path: Path) -> None:
    rgba = np.dstack([noise(1), np.full((16, 20), 255, np.uint8)])
    rgba[:8, :, 3] = 0
    found = saved(tmp_path, Image.fromarray(rgba), "png")
    assert (found[:8] == 255).all()
    assert (found[8:] == rgba[8:, :, :3]).all()


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter to the right
    assert (
        saved(tmp_path, Image.fromarray(noise(2)), "png", exif=exif) == np.rot90(noise(2), -1)
    ).all()


@pytest.mark.parametrize(("height", "width"), [(40, 61), (61, 40), (40, 40), (9, 30)])
def test_fit_scales_the_shorter_side_and_cuts_the_centre(height: int, width: int) -> None:
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.dstack([2 * y, 2 * x, y + x]).astype(np.uint8)
    side = min(height, width)
    at = (np.arange(10) + 0.5) * side / 10 - 0.5  # centres of the ten new pixels, in old ones
    rows, columns = at + (height - side) / 2, at + (width - side) / 2
    expected = np.dstack(
        [2 * rows[:, None] + 0 * columns, 0 * rows[:, None] + 2 * columns, rows[:, None] + columns]
    )
    found = fit(Image.fromarray(ramp), 10)
    assert found.shape == (10, 10, 3)
    assert found.dtype == np.uint8
    inner = slice(2, -2)  # a ramp ends at the picture's edge
    assert np.abs(found.astype(float) - expected)[inner, inner].max() <= 1


def test_fit_does_not_resample_what_fits() -> None:
    for width in (20, 21):
        assert (fit(Image.fromarray(noise(3, 16, width)), 16) == noise(3, 16, width)[:, 2:18]).all()


def test_fit_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(fit(Image.fromarray(stripes), 16)[:, 2:-2] - 127.5).max() <= 4


def test_bad_files_say_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = io.BytesIO()
    Image.fromarray(noise(4, 64, 64)).save(whole, "JPEG")
    for content, message in (
        (b"", "not a picture"),
        (b"name,mos\n", "not a picture"),
        (whole.getvalue()[: len(whole.getvalue()) // 2], "truncated"),
    ):
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_picture(tmp_path / "x.jpg")
    with pytest.raises(ValueError, match="missing file"):
        read_picture(tmp_path / "none.jpg")
    (tmp_path / "x.jpg").write_bytes(whole.getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="decompression bomb"):
        read_picture(tmp_path / "x.jpg")
    Image.fromarray(np.full((16, 16), 70000, np.int32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="grey values from 70000 to 70000, expected 0 to 65535"):
        read_picture(tmp_path / "x.tif")
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="range is not known"):
        read_picture(tmp_path / "x.tif")


# ---------------------------------------------------------------- all pictures
def test_decode_then_open(photos: Path, tmp_path: Path) -> None:
    data = open_dataset(made(photos, tmp_path / "d", simulated=True, settings={"a": 1}))
    assert len(data) == len(data.frame) == 200
    for i in (0, 63, 64, 199):
        assert (data.pixels[i] == fit(Image.fromarray(noise(i)), SIZE)).all()
    assert isinstance(data.pixels, np.memmap)
    assert {
        k: data.info[k] for k in ("name", "simulated", "size", "classes", "settings", "pictures")
    } == {
        "name": "t",
        "simulated": True,
        "size": SIZE,
        "classes": 5,
        "settings": {"a": 1},
        "pictures": 200,
    }
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        ".lock",
        "dataset.json",
        "frame.csv",
        "pixels.npy",
    ]
    threads = made(photos, tmp_path / "e", processes=3)
    assert (threads / "pixels.npy").read_bytes() == (tmp_path / "d" / "pixels.npy").read_bytes()


def test_the_same_again_decodes_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(photos, tmp_path / "d")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "d").glob("[!.]*")}
    monkeypatch.setattr(decode, "fit", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setenv(store.JOURNAL, str(tmp_path / "journal"))
    made(photos, tmp_path / "d")
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "d").glob("[!.]*")} == before
    assert {Path(line).name for line in (tmp_path / "journal").read_text().split()} == set(before)
    other = frame_of(photos).assign(grade=2)  # another label: the frame is new, the pixels are not
    decode.decode(other, photos, tmp_path / "d", SIZE, name="t", progress=False)
    assert set(open_dataset(tmp_path / "d").frame["grade"]) == {2}


def test_changed_files_or_another_size_are_decoded_again(photos: Path, tmp_path: Path) -> None:
    made(photos, tmp_path / "d")
    Image.fromarray(noise(999)).save(photos / "5.png")
    data = open_dataset(made(photos, tmp_path / "d"))
    assert (data.pixels[5] == fit(Image.fromarray(noise(999)), SIZE)).all()
    decode.decode(frame_of(photos), photos, tmp_path / "d", 7, name="t", progress=False)
    assert open_dataset(tmp_path / "d").pixels.shape == (200, 7, 7, 3)


def test_all_unreadable_pictures_are_named_and_nothing_is_left(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "3.png").write_bytes(b"")
    (photos / "150.png").write_bytes((photos / "150.png").read_bytes()[:200])
    (photos / "199.png").write_text("hello")
    with pytest.raises(FolderError) as caught:
        made(photos, tmp_path / "d")
    text = str(caught.value)
    assert (
        "unreadable picture (3): row 5: 3: not a picture; row 152: 150: cannot be decoded" in text
    )
    assert "row 201: 199: not a picture" in text
    assert [p.name for p in (tmp_path / "d").iterdir()] == [".lock"]
    assert [p.row for p in check_pictures(frame_of(photos), photos, progress=False)] == [
        5,
        152,
        201,
    ]
    (photos / "7.png").unlink()
    with pytest.raises(FolderError, match=r"missing file \(1\): row 9: 7: 7.png"):
        made(photos, tmp_path / "d")


def test_a_frame_that_is_wrong_is_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    good = frame_of(photos)
    for frame, message in (
        (good.drop(columns="group"), "t: no column group"),
        (good[:0], "no pictures"),
        (good.assign(grade=5), "row 2: grade 5, expected -1"),
        (good.assign(id="x"), "row 3: id x, expected each id once"),
        (good.assign(split=["train", "test"] * 100, group="p"), "p in train, test"),
    ):
        with pytest.raises(ValueError, match=message):
            decode.decode(frame, photos, tmp_path / "d", SIZE, name="t", progress=False)
    with pytest.raises(ValueError, match="size = 0"):
        decode.decode(good, photos, tmp_path / "d", 0, name="t", progress=False)
    with pytest.raises(ValueError, match="plain numbers"):
        made(photos, tmp_path / "d", settings={"a": object()})
    assert not (tmp_path / "d").exists()


# ---------------------------------------------------------------- faults
SLOW = """
import sys, time
from pathlib import Path
sys.path[:0] = {tests!r}
from riqa_lib.pictures import decode
from test_decode import made
decode.BLOCK = 8
decode.fit = lambda image, size, fit=decode.fit: (time.sleep(0.02), fit(image, size))[1]
made(Path({root!r}), Path({folder!r}))
"""


def test_killed_and_started_again_gives_the_same_bytes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, folder = made(photos, tmp_path / "whole"), tmp_path / "killed"
    code = SLOW.format(
        tests=[str(Path(__file__).parent), str(REPOSITORY / "tests")],
        root=str(photos),
        folder=str(folder),
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=paths.ROOT)
    each, deadline = SIZE * SIZE * 3, time.monotonic() + 60
    while sum(p.stat().st_size for p in folder.glob(".pixels-*.part")) < 30 * each:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(FileNotFoundError, match="01_koka10k"):
        open_dataset(folder)
    part = next(folder.glob(".pixels-*.part"))
    with open(part, "ab") as f:  # a block written in part
        f.write(b"\x07" * (each // 2))
    calls: list[int] = []
    monkeypatch.setattr(
        decode, "fit", lambda image, size, fit=fit: (calls.append(1), fit(image, size))[1]
    )
    made(photos, folder)
    assert len(calls) <= 170, "it began again from the start"
    for name in ("pixels.npy", "frame.csv", "dataset.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_full_disk_is_noticed_before_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: type("S", (), {"f_bavail": 1, "f_frsize": 4096}))
    monkeypatch.setattr(decode, "fit", lambda *_: pytest.fail("began to decode"))
    with pytest.raises(OSError, match="needs 1 MiB, only 0 MiB are free"):
        made(photos, tmp_path / "d")


def test_a_disk_that_fills_up_leaves_no_pixels_and_can_be_resumed(
    photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))\n"
        + SLOW.format(
            tests=[str(Path(__file__).parent), str(REPOSITORY / "tests")],
            root=str(photos),
            folder=str(folder),
        ).replace("0.02", "0")
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    assert "File too large" in out.stderr
    assert not (folder / "pixels.npy").exists()
    assert not (folder / "dataset.json").exists()
    made(photos, folder)
    assert (folder / "pixels.npy").read_bytes() == (
        made(photos, tmp_path / "e") / "pixels.npy"
    ).read_bytes()


def test_two_at_once_write_one_whole_data_folder(photos: Path, tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def one() -> None:
        try:
            made(photos, tmp_path / "d")
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (tmp_path / "d" / "pixels.npy").read_bytes() == (
        made(photos, tmp_path / "e") / "pixels.npy"
    ).read_bytes()


def test_write_dataset_refuses_other_shapes_and_lengths(photos: Path, tmp_path: Path) -> None:
    info = {"name": "t", "simulated": True, "classes": 5, "settings": {}}
    for block, message in (
        (np.zeros((200, SIZE, SIZE, 3), np.float32), "float32"),
        (np.zeros((200, SIZE, SIZE + 1, 3), np.uint8), "expected uint8"),
        (np.zeros((199, SIZE, SIZE, 3), np.uint8), "199 were made, expected 200"),
    ):
        with pytest.raises(ValueError, match=message):
            write_dataset(
                tmp_path / "d",
                frame_of(photos),
                SIZE,
                lambda _, b=block: [b],
                key="k",
                info=info,  # type: ignore[misc]
                progress=False,
            )
        assert [p.name for p in (tmp_path / "d").iterdir()] == [".lock"]


def test_open_dataset_names_what_does_not_fit(photos: Path, tmp_path: Path) -> None:
    folder = made(photos, tmp_path / "d")
    whole = {p: p.read_bytes() for p in folder.glob("[!.]*")}
    pixel_file, frame_file, info_file = (
        folder / "pixels.npy",
        folder / "frame.csv",
        folder / "dataset.json",
    )
    for file, content, message in (
        (pixel_file, whole[pixel_file][:-1], r"pixels\.npy: damaged"),
        (pixel_file, b"", r"pixels\.npy: damaged"),
        (
            frame_file,
            whole[frame_file].rsplit(b"\n", 2)[0],
            r"pixels\.npy: uint8 \(200, 12, 12, 3\), but .*\(199, ",
        ),
        (frame_file, whole[frame_file].replace(b"grade", b"label"), r"frame\.csv: no column grade"),
        (info_file, b"{", r"dataset\.json: not a JSON file"),
        (info_file, b"{}", r"dataset\.json: name, simulated, size, classes missing"),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            open_dataset(folder)
        file.write_bytes(whole[file])
    open_dataset(folder)
    for file in whole:
        file.rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError, match=f"{file.name} is not there yet.*01_koka10k"):
            open_dataset(folder)
        (tmp_path / "away").rename(file)


# ---------------------------------------------------------------- your own pictures
def test_import_folder(photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    data = open_dataset(
        import_folder(photos, table, tmp_path / "d", SIZE, name="mine", progress=False, **DECLARED)
    )
    assert data.frame["grade"].tolist() == [i % 100 // 20 for i in range(200)]
    assert data.info["settings"] == DECLARED
    assert data.info["simulated"] is False
    assert (data.pixels[9] == fit(Image.fromarray(noise(9)), SIZE)).all()


def test_import_folder_reports_table_and_pictures_together(photos: Path, tmp_path: Path) -> None:
    (photos / "3.png").write_bytes(b"hello")
    (photos / "4.png").unlink()
    table = tmp_path / "scores.csv"
    table.write_text(table.read_text().replace("7.png,7\n", "7.png,700\n", 1))
    with pytest.raises(FolderError) as caught:
        import_folder(photos, table, tmp_path / "d", SIZE, name="mine", progress=False, **DECLARED)
    for line in (
        "3 problem(s)",
        "missing file (1): row 6: 4.png",
        "mos out of range (1): row 9: 7.png: 700",
        "unreadable picture (1): row 5: 3.png: not a picture",
    ):
        assert line in str(caught.value)
    assert not (tmp_path / "d").exists()
    with pytest.raises(TypeError, match="scroe"):
        import_folder(photos, table, tmp_path / "d", SIZE, name="mine", id="name", scroe="mos")


@pytest.mark.real
def test_real_photographs(tmp_path: Path) -> None:
    real = real_data("biq2021")
    table = pd.read_csv(real / "scores.csv").head(60)
    table.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.warns(UserWarning, match="file not in the table \\(9940\\)"):
        folder = import_folder(
            real / "images",
            tmp_path / "scores.csv",
            tmp_path / "d",
            64,
            name="biq",
            progress=False,
            id="image_name",
            score="MOS",
            source="subset",
            low=0,
            high=1,
        )
    data = open_dataset(folder)
    assert data.pixels.shape == (60, 64, 64, 3)
    for i, name in enumerate(table["image_name"][:5]):  # against area averages: 192 is 3 x 64
        with Image.open(real / "images" / name) as image:
            mean = (
                np.asarray(image.convert("RGB"))
                .astype(float)
                .reshape(64, 3, 64, 3, 3)
                .mean(axis=(1, 3))
            )
        assert np.abs(data.pixels[i] - mean).mean() < 4
