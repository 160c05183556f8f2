from __future__ import annotations

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
from picture_files import chunk, deep_grey, encoded, noise, with_chunk
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.datasets.data_folder import open_dataset, write_dataset
from riqa_lib.datasets.problems import FolderError
from riqa_lib.pictures import decode
from riqa_lib.pictures.decode import check_pictures, import_folder
from riqa_lib.pictures.windows import centre as fit

DECLARED = {"id": "name", "score": "mos", "low": 0, "high": 100}
SIZE = 12


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


def names_in(folder: Path) -> list[str]:
    """What a user sees in a data folder."""
    return sorted(p.name for p in folder.glob("[!.]*"))


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
    assert names_in(tmp_path / "d") == ["dataset.json", "frame.csv", "pixels.npy"]
    threads = made(photos, tmp_path / "e", processes=3)
    assert (threads / "pixels.npy").read_bytes() == (tmp_path / "d" / "pixels.npy").read_bytes()


def test_the_same_again_decodes_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(photos, tmp_path / "d")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "d").glob("[!.]*")}
    monkeypatch.setattr(decode, "_seen", lambda _: pytest.fail("decoded again"))
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
        "unreadable picture (3): row 5: 3: not a picture: an empty file; "
        "row 152: 150: cannot be decoded" in text
    )
    assert "row 201: 199: not a picture" in text
    assert names_in(tmp_path / "d") == ["problems.csv"]
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
    assert not names_in(tmp_path / "d")


# ---------------------------------------------------------------- faults
SLOW = """
import sys, time
from pathlib import Path
sys.path[:0] = {tests!r}
from riqa_lib.pictures import decode
from test_decode import made
decode.BLOCK = 8
decode._seen = lambda job, seen=decode._seen: (time.sleep(0.02), seen(job))[1]
made(Path({root!r}), Path({folder!r}), **{more!r})
"""


def killed(photos: Path, folder: Path, **more: object) -> None:
    """An import of these photos into the folder, killed when some of its pixels are written."""
    code = SLOW.format(
        tests=[str(Path(__file__).parent), str(REPOSITORY / "tests")],
        root=str(photos),
        folder=str(folder),
        more=more,
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=paths.ROOT)
    each, deadline = SIZE * SIZE * 3, time.monotonic() + 60
    while sum(p.stat().st_size for p in folder.glob(".pixels-*.part")) < 30 * each:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_and_started_again_gives_the_same_bytes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, folder = made(photos, tmp_path / "whole"), tmp_path / "killed"
    killed(photos, folder)
    with pytest.raises(FileNotFoundError, match="01_koka10k"):
        open_dataset(folder)
    part = next(folder.glob(".pixels-*.part"))
    with open(part, "ab") as f:  # a block written in part
        f.write(b"\x07" * (SIZE * SIZE * 3 // 2))
    calls: list[int] = []
    seen = decode._seen
    monkeypatch.setattr(decode, "_seen", lambda job: (calls.append(1), seen(job))[1])
    made(photos, folder)
    assert 0 < len(calls) <= 170, "it began again from the start"
    for name in ("pixels.npy", "frame.csv", "dataset.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_full_disk_is_noticed_before_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: type("S", (), {"f_bavail": 1, "f_frsize": 4096}))
    monkeypatch.setattr(decode, "_seen", lambda _: pytest.fail("began to decode"))
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
            more={},
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
    assert names_in(tmp_path / "d") == ["problems.csv"]
    assert store.read_table(tmp_path / "d" / "problems.csv").to_dict("list") == {
        "file": ["4.png", "7.png", "3.png"],
        "row": [6, 9, 5],
        "kind": ["missing file", "mos out of range", "unreadable picture"],
        "what": [np.nan, "700, expected 0 to 100", "not a picture"],
    }
    with pytest.raises(TypeError, match="scroe"):
        import_folder(photos, table, tmp_path / "d", SIZE, name="mine", id="name", scroe="mos")


# ---------------------------------------------------------------- bad files, and slightly bad ones
def spoilt(root: Path, files: list[int]) -> None:
    for i in files:
        (root / f"{i}.png").write_bytes(b"%PDF-1.7")


def imported(photos: Path, folder: Path, **more: object) -> Path:
    table = photos.parent / "scores.csv"
    told: dict = {"name": "mine", "progress": False} | DECLARED | more
    return import_folder(photos, table, folder, told.pop("size", SIZE), **told)


def test_every_problem_is_on_disk_and_a_few_in_the_message(photos: Path, tmp_path: Path) -> None:
    spoilt(photos, [*range(0, 50, 2)])
    with pytest.raises(FolderError) as caught:
        imported(photos, tmp_path / "d")
    assert "unreadable picture (25): row 2: 0.png: not a picture: a PDF" in str(caught.value)
    assert "and 15 more" in str(caught.value)
    assert f"a line each: {tmp_path / 'd' / 'problems.csv'}" in str(caught.value)
    lines = store.read_table(tmp_path / "d" / "problems.csv")
    assert lines["file"].tolist() == [f"{i}.png" for i in range(0, 50, 2)]
    assert lines["row"].tolist() == [*range(2, 52, 2)]
    assert set(lines["kind"]) == {"unreadable picture"}
    assert set(lines["what"]) == {"not a picture: a PDF document"}


BAD = [0, 1, 40, *range(64, 128), 199]  # at both ends, and a whole block


@pytest.mark.filterwarnings("ignore:mine")
@pytest.mark.parametrize("processes", [1, 3])
def test_bad_pictures_are_skipped_and_told(photos: Path, tmp_path: Path, processes: int) -> None:
    spoilt(photos, BAD)
    folder = imported(photos, tmp_path / "d", bad="skip", processes=processes)
    data = open_dataset(folder)
    left = [i for i in range(200) if i not in BAD]
    assert data.frame["id"].tolist() == [f"{i}.png" for i in left]
    assert data.frame["row"].tolist() == [i + 2 for i in left]
    assert all(
        (data.pixels[k] == fit(Image.fromarray(noise(i)), SIZE)).all() for k, i in enumerate(left)
    )
    assert data.info["pictures"] == len(left)
    assert data.info["left_out"] == len(BAD)
    notes = [n for n in data.info["notes"] if n[0] == "left out: unreadable picture"]
    assert notes[0] == ["left out: unreadable picture", 2, "0.png", "not a picture: a PDF document"]
    assert notes[-1][3] == f"and {len(BAD) - 10} more, in problems.csv"
    assert store.read_table(folder / "problems.csv")["row"].tolist() == [i + 2 for i in BAD]


def test_a_warning_says_how_many_are_left_out(photos: Path, tmp_path: Path) -> None:
    spoilt(photos, [3, 4])
    for _ in range(2):  # also where nothing is decoded again
        with pytest.warns(UserWarning, match=r"mine: worth knowing; 2 pictures are left out"):
            imported(photos, tmp_path / "d", bad="skip")


@pytest.mark.filterwarnings("ignore:mine")
def test_skipped_once_skipped_again_without_decoding(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(photos, [3, 150])
    folder = imported(photos, tmp_path / "d", bad="skip")
    before = {p.name: p.read_bytes() for p in folder.glob("[!.]*")}
    seen = decode._seen
    monkeypatch.setattr(decode, "_seen", lambda _: pytest.fail("decoded again"))
    imported(photos, folder, bad="skip")
    assert {p.name: p.read_bytes() for p in folder.glob("[!.]*")} == before
    table = photos.parent / "scores.csv"
    table.write_text(table.read_text().replace("199.png,99", "199.png,0"))
    imported(photos, folder, bad="skip")  # other scores: the table is new, the pixels are not
    data = open_dataset(folder)
    assert data.frame.set_index("id").loc["199.png", "grade"] == 0
    assert len(data) == 198
    monkeypatch.setattr(decode, "_seen", seen)
    Image.fromarray(noise(3)).save(photos / "3.png")  # mended by its owner
    data = open_dataset(imported(photos, folder, bad="skip"))
    assert data.info["left_out"] == 1
    assert (data.pixels[3] == fit(Image.fromarray(noise(3)), SIZE)).all()
    with pytest.raises(FolderError, match=r"150\.png"):
        imported(photos, folder)
    Image.fromarray(noise(150)).save(photos / "150.png")
    data = open_dataset(imported(photos, folder, bad="skip"))
    assert "left_out" not in data.info
    assert names_in(folder) == ["dataset.json", "frame.csv", "pixels.npy"]


@pytest.mark.filterwarnings("ignore:mine")
@pytest.mark.parametrize("reader", ["heif_is_there", "pydicom_is_there"])
def test_what_was_skipped_is_tried_again_where_a_reader_was_installed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    spoilt(photos, [3])
    monkeypatch.setattr(decode, reader, lambda: False)
    imported(photos, tmp_path / "d", bad="skip")
    monkeypatch.setattr(decode, "_seen", lambda _: pytest.fail("decoded again"))
    imported(photos, tmp_path / "d", bad="skip")
    monkeypatch.setattr(decode, reader, lambda: True)
    with pytest.raises(pytest.fail.Exception, match="decoded again"):
        imported(photos, tmp_path / "d", bad="skip")


@pytest.mark.filterwarnings("ignore:t:")
def test_killed_while_skipping_and_started_again_gives_the_same_bytes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(photos, BAD)
    Image.fromarray(noise(5, 6, 9)).save(photos / "5.png")  # enlarged: told of before the kill
    whole, folder = made(photos, tmp_path / "whole", bad="skip"), tmp_path / "killed"
    killed(photos, folder, bad="skip")
    (log,) = folder.glob(".told-*")
    with open(log, "a") as f:
        f.write("[199, true, [[")  # a line written in part
    calls: list[int] = []
    seen = decode._seen
    monkeypatch.setattr(decode, "_seen", lambda job: (calls.append(1), seen(job))[1])
    made(photos, folder, bad="skip")
    assert 0 < len(calls) <= 170, "it began again from the start"
    for name in ("pixels.npy", "frame.csv", "dataset.json", "problems.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.filterwarnings("ignore:mine")
def test_missing_files_are_skipped_too(photos: Path, tmp_path: Path) -> None:
    (photos / "3.png").unlink()
    (photos / "4.png").write_bytes(b"")
    spoilt(photos, [5])
    data = open_dataset(imported(photos, tmp_path / "d", bad="skip"))
    assert len(data) == 197
    assert data.info["left_out"] == 3
    lines = store.read_table(tmp_path / "d" / "problems.csv")
    assert dict(zip(lines["file"], lines["kind"], strict=True)) == {
        "3.png": "left out: missing file",
        "4.png": "left out: empty file",
        "5.png": "left out: unreadable picture",
    }
    table = photos.parent / "scores.csv"
    table.write_text(table.read_text().replace("7.png,7\n", "7.png,700\n", 1))
    with pytest.raises(
        FolderError, match="mos out of range"
    ):  # the table's faults are no picture's
        imported(photos, tmp_path / "d", bad="skip")


def test_where_no_picture_can_be_read_nothing_is_skipped(photos: Path, tmp_path: Path) -> None:
    spoilt(photos, [*range(200)])
    with pytest.raises(FolderError, match=r"unreadable picture \(200\)"):
        imported(photos, tmp_path / "d", bad="skip")
    assert names_in(tmp_path / "d") == ["problems.csv"]


def test_a_frame_whose_files_are_missing_is_imported_without_them(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "3.png").unlink()
    options: dict = {"name": "t", "progress": False}
    with pytest.raises(FolderError, match=r"missing file \(1\): row 5: 3: 3.png"):
        decode.import_frame(frame_of(photos), photos, tmp_path / "d", SIZE, **options)
    with pytest.warns(UserWarning, match="1 pictures are left out"):
        decode.import_frame(frame_of(photos), photos, tmp_path / "d", SIZE, bad="skip", **options)
    data = open_dataset(tmp_path / "d")
    assert len(data) == 199
    assert (data.pixels[3] == fit(Image.fromarray(noise(4)), SIZE)).all()


def test_what_is_read_all_the_same_is_noted(photos: Path, tmp_path: Path) -> None:
    (photos / "0.png").write_bytes(
        with_chunk(encoded(noise(0), "PNG"), chunk(b"tEXt", b"a\0b", wrong=True))
    )
    (photos / "1.png").write_bytes(encoded(deep_grey(4095), "PNG"))
    for i in range(2, 22):
        (photos / f"{i}.png").write_bytes(encoded(noise(i, 8, 30), "PNG"))
    (photos / "30.png").write_bytes(encoded(noise(30, 64, 64), "JPEG", quality=90)[:-2])
    with pytest.warns(UserWarning, match="worth knowing") as warned:
        data = open_dataset(imported(photos, tmp_path / "d"))
    (said,) = [str(w.message) for w in warned if str(w.message).startswith("mine")]
    for line in (
        "slightly damaged file (2): row 2: 0.png: comments damaged or too long (tEXt); left out",
        "row 32: 30.png: its end marker is missing; every pixel is there",
        "12 bits in 16 (1): row 3: 1.png: values up to 4095 of 65535: stretched",
        "smaller than the working size (20): row 4: 2.png: 30 x 8 px, enlarged to 12",
        "and 10 more",
    ):
        assert line in said
    assert len(data) == 200
    assert "left_out" not in data.info
    assert ["12 bits in 16", 3, "1.png", "values up to 4095 of 65535: stretched"] in data.info[
        "notes"
    ]
    assert len(data.info["notes"]) == 2 + 1 + 10 + 1
    assert len(store.read_table(tmp_path / "d" / "problems.csv")) == 23
    assert (data.pixels[0] == fit(Image.fromarray(noise(0)), SIZE)).all()
    assert 120 < data.pixels[1].mean() < 135


def test_native_windows_are_stored_under_another_key(photos: Path, tmp_path: Path) -> None:
    whole = open_dataset(imported(photos, tmp_path / "d"))
    native = open_dataset(imported(photos, tmp_path / "e", scale="native"))
    assert whole.info["key"] != native.info["key"]
    assert (native.pixels[7] == noise(7)[2:14, 4:16]).all()
    assert (native.pixels[7] != whole.pixels[7]).any()


def test_settings_of_reading_are_checked(photos: Path, tmp_path: Path) -> None:
    for more, said in (
        ({"bad": "ignore"}, "data.bad is 'ignore'; allowed: stop, skip"),
        ({"scale": "whole"}, "data.scale is 'whole'; allowed: fit, native"),
        ({"max_pixels": 319}, "too large: 20 x 16 px are 320 pixels"),
    ):
        with pytest.raises(ValueError, match=said):
            imported(photos, tmp_path / "d", **more)


# ---------------------------------------------------------------- real ones
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
