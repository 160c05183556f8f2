"""Loaders of CSIQ and of LIVE Challenge, on tiny trees in their own formats and on broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from openpyxl import load_workbook
from photo_trees import csiq_rows, make_csiq, make_live_challenge

from riqa_lib.__main__ import main
from riqa_lib.datasets import catalogue, csiq, live_challenge
from riqa_lib.datasets.problems import FolderError


def said_of(call) -> str:
    with pytest.raises(FolderError) as caught:
        call()
    return str(caught.value)


# ---------------------------------------------------------------- CSIQ
def test_csiq_reads_the_workbook_as_it_is_published(tmp_path):
    frame = csiq.load(make_csiq(tmp_path))
    rows = csiq_rows()
    assert len(frame) == len(rows) == 24
    assert frame["score"].tolist() == [dmos for *_, dmos in rows]
    assert frame["group"].tolist() == [str(name) for name, *_ in rows]
    assert frame["level"].tolist() == [level for *_, level, _ in rows]
    assert frame["sd"].eq(0.05).all()
    assert frame["id"][0] == "1600.AWGN.1.png"
    assert frame["path"][0] == "dst_imgs/awgn/1600.AWGN.1.png"  # as on disk
    assert set(frame["type"]) == {"AWGN", "BLUR", "contrast", "fnoise", "JPEG", "jpeg2000"}
    one = frame.set_index("id").loc["snow_leaves.jpeg2000.2.png"]
    assert (one["path"], one["type"], one["group"]) == (
        "dst_imgs/jpeg2000/snow_leaves.jpeg2000.2.png",
        "jpeg2000",
        "snow_leaves",
    )
    assert frame.attrs["higher_is_better"] is False
    assert (frame.attrs["low"], frame.attrs["high"]) == (0.0, 1.0)
    assert frame.attrs["notes"] == [["scores", 0, "csiq.DMOS.xlsx", ""]]
    assert csiq.counts(frame) == {"pictures": 24, "references": 2}
    assert csiq.load(tmp_path, pictures=False)["path"][0] == "dst_imgs/AWGN/1600.AWGN.1.png"


def test_csiq_from_the_list_is_the_same_and_either_layout_of_pictures_will_do(tmp_path):
    book = csiq.load(make_csiq(tmp_path / "book"))
    flat = csiq.load(make_csiq(tmp_path / "flat", flat=True))
    same = ["id", "group", "score", "type", "level"]
    assert flat[same].equals(book[same])
    assert flat["sd"].isna().all()
    assert flat["path"][0] == "dst_imgs_all/1600.AWGN.1.png"
    assert flat.attrs["notes"] == [["scores", 0, "csiq_label.txt", ""]]
    (tmp_path / "book" / "csiq.DMOS.xlsx").rename(tmp_path / "flat" / "CSIQ.dmos.xlsx")
    assert csiq.load(tmp_path / "flat")["sd"].eq(0.05).all()
    (tmp_path / "flat" / "csiq_label.txt").rename(tmp_path / "book" / "csiq_label.txt")
    assert csiq.load(tmp_path / "book")["path"][0] == "dst_imgs/awgn/1600.AWGN.1.png"


def test_csiq_reports_everything_at_once(tmp_path):
    rows = [
        (1600, "noise", 1, 0.1),
        (1600, "noise", 1, 0.2),
        (1600, "fog", 1, 0.3),
        ("rushmore", "blur", 6, 0.4),
        ("rushmore", "jpeg", 2, 1.2),
        ("rushmore", "jpeg 2000", 3, None),
        (None, "noise", 2, 0.5),
        (1600, "contrast", 1, -0.1),
    ]
    make_csiq(tmp_path, rows)
    (tmp_path / "dst_imgs" / "contrast" / "1600.contrast.1.png").unlink()
    (tmp_path / "dst_imgs" / "contrast" / "x.png").write_bytes(b"")
    said = said_of(lambda: csiq.load(tmp_path))
    for words in (
        "doubled id (1): row 6: 1600.AWGN.1.png: also in row 5",
        "unknown dst_type (1): row 7: 1600: 'fog'",
        "unexpected name (2): row 7: 1600.fog.1.png: expected <name>.<AWGN, BLUR,",
        "row 8: rushmore.BLUR.6.png",
        "bad dmos (3): row 9: rushmore.JPEG.2.png: '1.2', expected 0 to 1",
        "row 10: rushmore.jpeg2000.3.png: ''",
        "row 12: 1600.contrast.1.png: '-0.1'",
        "empty id (1): row 11",
        "missing picture (1): row 12: dst_imgs/contrast/1600.contrast.1.png",
    ):
        assert words in said, said


def test_csiq_a_part_is_used_and_told(tmp_path):
    make_csiq(tmp_path)
    (tmp_path / "dst_imgs" / "blur" / "1600.BLUR.2.png").rename(tmp_path / "dst_imgs/blur/y.png")
    frame = csiq.load(tmp_path)
    assert len(frame) == 23
    notes = [tuple(n) for n in frame.attrs["notes"]]
    part = "23 of 24 pictures; not there: dst_imgs/BLUR/1600.BLUR.2.png"
    assert ("part of the set", 0, "CSIQ", part) in notes
    assert ("files not in the table", 0, "dst_imgs/blur/", "1") in notes


def test_csiq_files_that_are_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"s2\.smu\.edu"):
        csiq.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"expected csiq\.DMOS\.xlsx or csiq_label\.txt"):
        csiq.load(tmp_path)
    (tmp_path / "csiq_label.txt").write_text("1600.AWGN.1.png 0.1 0.2\n1600.AWGN.png 0.3\n")
    said = said_of(lambda: csiq.load(tmp_path))
    assert "unexpected line (1): row 1: '1600.AWGN.1.png 0.1 0.2', expected <file> <dmos>" in said
    assert "unexpected name (1): row 2: 1600.AWGN.png" in said
    assert "missing folder (1): dst_imgs" in said
    (tmp_path / "csiq_label.txt").write_bytes(b"")
    assert "empty table" in said_of(lambda: csiq.load(tmp_path))
    (tmp_path / "csiq.DMOS.xlsx").write_bytes(b"PK no workbook")
    assert "unreadable workbook (1)" in said_of(lambda: csiq.load(tmp_path))
    make_csiq(tmp_path)
    book = load_workbook(tmp_path / "csiq.DMOS.xlsx")
    book["all_by_distortion"]["D1"] = book["all_by_image"]["I4"] = "score"
    book.save(tmp_path / "csiq.DMOS.xlsx")
    said = said_of(lambda: csiq.load(tmp_path))
    assert "missing column (1): image, dst_type, dst_lev, dmos" in said
    assert "all_by_distortion, all_by_image" in said
    make_csiq(tmp_path, [])
    assert "no rows" in said_of(lambda: csiq.load(tmp_path))


# ---------------------------------------------------------------- LIVE Challenge
def test_live_challenge_drops_the_training_pictures_and_keeps_the_order(tmp_path):
    frame = live_challenge.load(make_live_challenge(tmp_path))
    assert len(frame) == 1162
    assert frame["id"].tolist()[:4] == ["7.bmp", "8.bmp", "9.bmp", "10.JPG"]
    assert frame["path"][3] == "Images/10.JPG"
    assert frame["score"].tolist() == pytest.approx(np.linspace(3.42, 92.43, 1169)[7:].tolist())
    assert frame["sd"].eq(15).all()
    assert (frame["group"] == frame["id"]).all()
    assert frame.attrs["higher_is_better"] is True
    assert frame.attrs["notes"] == [
        ["training pictures, left out", 0, "", ", ".join(f"t{k}.bmp" for k in range(1, 8))]
    ]
    assert live_challenge.ABOUT.compare(live_challenge.counts(frame)) == []


def test_live_challenge_reports_what_is_wrong(tmp_path):
    make_live_challenge(tmp_path, pictures=1160)
    part = live_challenge.load(tmp_path)
    found = "1,160 of 1,162 pictures; not there: Images/1167.bmp, Images/1168.bmp"
    assert ["part of the set", 0, "LIVE In the Wild Challenge", found] in part.attrs["notes"]
    assert len(live_challenge.load(tmp_path, pictures=False)) == 1162
    mos = np.linspace(3, 92, 1169)
    mos[[3, 20, 30]] = 500, 101, np.nan  # one of them does not count
    sd = np.full(1169, 15.0)
    sd[40] = -1
    names = np.array([f"{k}.bmp" for k in range(1169)], dtype=object)
    names[50] = "49.BMP"
    names[60] = ""
    make_live_challenge(tmp_path, 1160, mos=mos[:, None], sd=sd[None], names=names[None])
    said = said_of(lambda: live_challenge.load(tmp_path))
    for words in (
        "bad MOS (2): row 21: 20.bmp: 101, expected 0 to 100; row 31: 30.bmp: nan",
        "bad standard deviation (1): row 41: 40.bmp: -1, expected 0 or more",
        "doubled id (1): row 51: 49.BMP: also in row 50",
        "empty id (1): row 61",
    ):
        assert words in said, said


def test_live_challenge_files_that_are_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match="Data: no such folder"):
        live_challenge.load(tmp_path)
    short = {"mos": np.ones((1, 1162)), "sd": np.array([["a"] * 1169])}
    make_live_challenge(tmp_path, 3, **short)
    said = said_of(lambda: live_challenge.load(tmp_path))
    assert "AllMOS_release.mat: AllMOS_release: 1162 values, expected 1169 values" in said
    assert "AllStdDev_release" in said
    (tmp_path / "Data" / "AllImages_release.mat").write_bytes(b"no")
    said = said_of(lambda: live_challenge.load(tmp_path))
    assert "unreadable .mat file (1): AllImages_release.mat" in said
    make_live_challenge(tmp_path, 0)
    (tmp_path / "Data" / "AllMOS_release.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"AllMOS_release\.mat: no such file"):
        live_challenge.load(tmp_path)
    none = make_live_challenge(tmp_path / "none", 0)
    said = said_of(lambda: live_challenge.load(none))
    assert "missing picture (1162): row 8: Images/7.bmp" in said


# ---------------------------------------------------------------- the command
def test_the_command_lists_both(tmp_path, capsys):
    make_csiq(tmp_path / "csiq")
    make_live_challenge(tmp_path / "live_challenge")
    assert main(["data", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "CSIQ (csiq): found, other counts" in said
    assert "pictures: 24 of 866, references: 2 of 30" in said
    assert "LIVE In the Wild Challenge (live_challenge): found\n" in said
    assert "training pictures, left out: t1.bmp, t2.bmp" in said
    states = catalogue.status(tmp_path).set_index("key")["state"]
    assert states["live_challenge"] == catalogue.COMPLETE
