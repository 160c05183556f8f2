"""What is looked at of all that people have in folders: pictures, page by page; nothing hangs."""

from __future__ import annotations

import os

import pytest
from picture_files import at_once
from PIL import Image

from riqa_lib.assess import fundus_reading, grading, inputs, photo_scoring
from riqa_lib.assess.inputs import Page
from riqa_lib.sim import fundus_camera

ODD = os.fsdecode(b"not utf-8 \xff.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd")
    picture = Image.fromarray(fundus_camera.fundus(("inputs", 0), 96, {}).pixels)
    picture.save(root / "12_left.tif", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    picture.save(root / "=HYPERLINK(1).png")
    picture.save(root / "a\x1b[2J\n.png")
    picture.save(os.path.join(root, ODD))
    for name in ("Thumbs.db", "a.csv", "b.csv", ".DS_Store", "._x.png"):
        (root / name).write_text("no picture\n")
    os.mkfifo(root / "pipe.png")
    (root / "inner").mkdir()
    (root / "inner" / "back").symlink_to(root)  # a circle
    (root / "inner" / "round.png").symlink_to(root / "inner" / "round.png")
    return root


def test_pictures_page_by_page_and_all_else_counted(folder):
    found = inputs.look([folder])
    pages = [(page.file.name, page.number) for page in inputs.pages([folder])]
    assert sorted(pages, key=str) == sorted(
        [
            ("12_left.tif", 1),
            ("12_left.tif", 2),
            ("=HYPERLINK(1).png", None),
            ("a\x1b[2J\n.png", None),
            (ODD, None),
            ("pipe.png", None),
            ("round.png", None),
        ],
        key=str,
    )
    assert found.files == 6
    assert found.told() == "5 files that are no pictures were skipped: 2 hidden, 2 .csv, 1 .db"


def test_what_is_named_by_itself_is_not_passed_over(folder):
    named = [folder / "a.csv", folder / ".DS_Store"]
    assert [*inputs.pages(named)] == [Page(file) for file in named]
    assert inputs.look(named).told() == ""


def test_a_page_and_whose_it_is_are_in_its_row(folder):
    rows = [
        grading.prepare(page.file, 32, 96, page=page.number).row
        for page in inputs.pages([folder / "12_left.tif"])
    ]
    assert [(r["page"], r["width"], r["patient"], r["eye"]) for r in rows] == [
        (1, 96, "12", "left"),
        (2, 40, "12", "left"),
    ]
    how = {"size": 32}
    scored = [photo_scoring.prepare(folder / "12_left.tif", how, page).row for page in (1, 2)]
    assert [(r["page"], r["width"], r["reason"]) for r in scored] == [
        (1, 96, ""),
        (2, 40, "smaller than the working size: 40 x 30 px, enlarged to 32"),
    ]


def test_pipes_links_and_folders_get_their_rows(folder):
    kinds = {"pipe.png": "a pipe", "inner/round.png": "a link", "inner": "a folder"}
    for name, said in kinds.items():
        with at_once():
            row = grading.prepare(folder / name, 32).row
        assert row["state"] == "unreadable"
        assert row["reason"].startswith(f"not a picture: {said}")
    picture, _ = fundus_reading.read(folder / ODD)
    assert picture.shape == (96, 96, 3)


def test_a_folder_that_cannot_be_looked_into_gets_a_row(folder, monkeypatch):
    real = os.scandir

    def scandir(path="."):
        if os.path.basename(path) == "inner":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert folder / "inner" in [*inputs.files([folder])]


def test_what_is_named_twice_is_looked_at_once(tmp_path, monkeypatch):
    """By itself, within its folder, the long way round; a link is a picture of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "p" / name).touch()
    (tmp_path / "p" / "c.png").symlink_to("a.png")
    found = inputs.Found()
    named = ["p/b.png", "p", "p/../p/a.png", str(tmp_path / "p"), "p/*.png"]
    once = [str(file) for file in inputs.files(named, found)]
    assert once == ["p/b.png", "p/a.png", "p/c.png"]
    assert (found.files, found.empty) == (3, [])


def test_a_folder_without_pictures_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no picture in it$"):
        inputs.look([tmp_path / "empty"])
    (tmp_path / "empty" / "a.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"no picture in it\n1 file that is no picture was"):
        inputs.look([tmp_path / "empty"])
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    found = inputs.look([tmp_path / "empty", tmp_path / "a.png"])
    assert found.told().startswith(f"{tmp_path}/empty: no picture in it\n1 file")
