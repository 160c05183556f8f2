"""What lies among pictures and is none; what is no file; which formats are opened at all."""

from __future__ import annotations

import os
import socket
import zipfile

import pytest
from picture_files import at_once, encoded, noise
from PIL import EpsImagePlugin

from riqa_lib.pictures import file_kinds, formats
from riqa_lib.pictures.reading import read

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
DICOM = bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0\0\0\0\0" + bytes(400)


@pytest.mark.parametrize(
    ("name", "data", "known"),
    [
        ("Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", True),
        ("desktop.ini", "[.ShellClassInfo]\r\n".encode("utf-16"), True),
        ("labels.csv", b"name,grade\n", True),
        ("labels", b"name,grade\n", True),
        ("report.pdf", b"%PDF-1.7\n%\xe2\xe3", True),
        ("report", b"%PDF-1.7\n%\xe2\xe3", True),
        ("table.xls", b"", True),
        ("data.npy", b"\x93NUMPY\1\0", True),
        ("old.zip", b"PK\x03\x04" + bytes(40), True),
        ("DICOMDIR", DICOM, True),
        ("scan.dcm", DICOM, False),
        ("photo.txt", encoded(noise(0), "JPEG"), False),
        ("photo", encoded(noise(0), "PNG"), False),
        ("raw.cr2", b"II*\0\x10\0\0\0CR\x02\0", False),
        ("nothing known", b"\0\1\2\3", False),
        ("an empty one", b"", False),
        ("plain.ppm", b"P3\n1 1\n255\n9 9 9\n", False),
    ],
)
def test_what_is_surely_no_picture(tmp_path, name, data, known):
    (tmp_path / name).write_bytes(data)
    assert file_kinds.surely_no_picture(tmp_path / name) is known


def test_archives_are_told_from_office_documents(tmp_path):
    for inside, said in (("a.jpg", "a ZIP archive"), ("[Content_Types].xml", "an office document")):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(inside, "x")
        with pytest.raises(ValueError, match=f"^not a picture: {said}"):
            read(tmp_path / "x.zip")


def test_pipes_sockets_devices_and_links_are_named_and_never_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")  # to open it would wait for ever
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as end, at_once():
        monkeypatch.chdir(tmp_path)  # a socket's path may not be long
        end.bind("socket.jpg")
        said = {"pipe": "a pipe", "round": "a link", "gone": "a link", "device": "a device"}
        for name, kind in {**said, "socket": "a socket"}.items():
            with pytest.raises(ValueError, match=rf"^not a picture: {kind}"):
                read(tmp_path / f"{name}.jpg")
            assert not file_kinds.surely_no_picture(tmp_path / f"{name}.jpg")


def test_no_permission_is_said(tmp_path, monkeypatch):
    (tmp_path / "x.jpg").write_bytes(encoded(noise(0), "JPEG"))

    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("riqa_lib.pictures.reading.Image.open", closed)
    with pytest.raises(ValueError, match=r"^permission denied$"):
        read(tmp_path / "x.jpg")


def test_postscript_is_handed_to_no_program(tmp_path, monkeypatch):
    def run(*_, **__):
        pytest.fail("PostScript was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    (tmp_path / "x.jpg").write_bytes(EPS)
    with pytest.raises(ValueError, match=r"^not a picture: a PostScript document$"):
        read(tmp_path / "x.jpg")
    assert {"JPEG", "TIFF", "PNG"} <= {*formats.formats()}


def test_dicom_is_named_with_what_reads_it(tmp_path, monkeypatch):
    monkeypatch.setattr(file_kinds, "pydicom_is_there", lambda: False)
    for data in (DICOM, DICOM[132:]):
        (tmp_path / "x.jpg").write_bytes(data)
        with pytest.raises(ValueError, match=r"^a DICOM file, read .* pip install pydicom$"):
            read(tmp_path / "x.jpg")
    (tmp_path / "x.dcm").write_bytes(encoded(noise(0, 40, 40), "JPEG"))
    assert read(tmp_path / "x.dcm").size == (40, 40)
