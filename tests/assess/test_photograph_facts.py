"""Whose eye a photograph shows, when and by what it was taken: said where it is sure."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from riqa_lib.assess.photograph_facts import facts, of_name


@pytest.mark.parametrize(
    ("name", "patient", "eye"),
    [
        ("99009_left.jpeg", "99009", "left"),
        ("Images/965/965_l2.jpg", "965", "left"),
        ("965_r1.jpg", "965", "right"),
        ("1234567_21016_0_0.png", "1234567", "right"),
        ("1234567_21015_1_0.png", "1234567", "left"),
        ("RET902OD.jpg", "RET902", "right"),
        ("Image_91L.jpg", "91", "left"),
        ("12 OD.jpg", "12", "right"),
        ("12_os.jpg", "12", "left"),
        ("p1_OI.png", "p1", "left"),
        ("P0034_OS_2.png", "P0034", "left"),
        ("12345_20190102_101010_Color_R_001.jpg", "12345", "right"),
        ("IMG0012_OD.jpg", "", "right"),
        ("LeftEye3.png", "", "left"),
        ("left/3.png", "", "left"),
        ("Right eyes/7/3.png", "", "right"),
    ],
)
def test_names_in_use(name, patient, eye):
    found = of_name(name)
    assert (found["patient"], found["eye"]) == (patient, eye)


@pytest.mark.parametrize(
    "name",
    [
        "DOE_JANE_L.jpg",  # a middle name
        "R_and_D.jpg",
        "12_left_right.png",
        "12_OD_OS.jpg",
        "left/12_right.png",
        "right/left/3.png",
        "top_left.png",
        "12_rotated_right.png",
        "left_half_3.png",
        "12_OU.jpg",
        "IDRiD_901_OD.tif",  # an optic disc
        "12_OD_mask.png",
        "OD/3.png",
        "mac os 12.png",
        "os/3.png",
        "L/3.png",
        "R1M0_12.jpg",  # a grade of retinopathy
        "copyright_12.jpg",
        "brightside.png",
        "stereo_12_L.png",
        "IDRiD_960.jpg",
        "1.png",
    ],
)
def test_an_eye_that_is_unsure_is_not_said(name):
    assert of_name(name)["eye"] == ""


def test_folders_of_codes_need_each_other(tmp_path):
    for folder in ("OD", "OS"):
        (tmp_path / folder).mkdir()
    assert of_name(tmp_path / "OD" / "3.png")["eye"] == "right"
    (tmp_path / "OS").rmdir()
    assert of_name(tmp_path / "OD" / "3.png")["eye"] == ""


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("20051020_99999_0100_PP.png", "2005-10-20"),
        ("7_20190102_101112_Color_R.jpg", "2019-01-02T10:11:12"),
        ("IMG_20190102101112.jpg", "2019-01-02T10:11:12"),
        ("2019-01-02 10-11-12 left.png", "2019-01-02T10:11:12"),
        ("DOE_20010101_R.jpg", ""),  # perhaps a birth
        ("7_20190102_101112_20190103_101112.jpg", ""),
        ("7_20191302_101112.jpg", ""),
        ("7_20190102_256199.jpg", ""),
    ],
)
def test_a_time_is_said_where_it_is_one(name, taken):
    assert of_name(name)["taken"] == taken


def test_exif_says_time_and_camera_and_never_the_place(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D\0"
    exif.get_ifd(0x8769)[0x9003] = "2005:10:20 10:11:12"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    same = {0x010F: "Canon", 0x0110: "Canon EOS 5D", 0x8769: {0x9003: "2005:10:20 10:11:12"}}
    for name in ("9_left.jpg", "9_left.png", "9_left.tif"):
        how = {"tiffinfo": same} if name.endswith("tif") else {"exif": exif}
        Image.new("RGB", (8, 8)).save(tmp_path / name, **how)
        found = facts(tmp_path / name)
        assert found == {
            "patient": "9",
            "eye": "left",
            "taken": "2005-10-20T10:11:12",
            "camera": "Canon EOS 5D",
        }
    exif.get_ifd(0x8769)[0x9003] = "0000:00:00 00:00:00"
    exif[0x010F] = "KOWA"
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=exif)
    assert [*facts(tmp_path / "x.jpg").values()] == ["", "", "", "KOWA Canon EOS 5D"]


def test_what_is_no_picture_says_nothing_and_raises_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe1\0\x20Exif\0\0II")
    (tmp_path / "damaged.dcm").write_bytes(bytes(128) + b"DICM\x02\0")
    for name in ("pipe.jpg", "damaged.jpg", "damaged.dcm", "gone.jpg"):
        assert {*facts(tmp_path / name).values()} == {""}
