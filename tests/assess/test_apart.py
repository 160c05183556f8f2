"""What ends a process, or never comes to an end, is one picture's row, and the rest goes on."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from picture_files import noise
from PIL import Image

from riqa_lib.assess import apart as module
from riqa_lib.assess import flow, inputs, window_reading
from riqa_lib.assess.apart import Ended, apart
from riqa_lib.assess.inputs import Page
from riqa_lib.assess.taken import Taken
from riqa_lib.pictures import file_pages


def deadly(file: Path, how: dict, page: int | None = None) -> window_reading.Prepared:
    """`prepare`, but for a decoder that some files kill."""
    if file.name == "b.png":
        os.kill(os.getpid(), signal.SIGSEGV)
    if file.name == "e.png":
        raise MemoryError
    if file.name == "f.png":
        raise KeyError("a fault of ours")
    print("what decoders print disturbs nothing")
    return window_reading.prepare(file, how, page)


@pytest.fixture
def five(tmp_path):
    for k, name in enumerate("abcef"):
        Image.fromarray(noise(k)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_picture_that_kills_its_process_is_named_and_the_rest_goes_on(five):
    def ready(page: Page) -> window_reading.Prepared:
        try:
            return apart(deadly, page.file, {"size": 16})
        except Ended as e:
            return window_reading.unread(page.file, page.number, str(e))

    (rows,) = flow.batches(inputs.pages([five], apart), ready, workers=2)
    said = {os.path.basename(its.row["file"]): its.row["reason"] for its in rows}
    assert said == {
        "a.png": "",
        "b.png": "reading it ended the program that did (signal SIGSEGV)",
        "c.png": "",
        "e.png": "it needs more memory than there is",
        "f.png": "cannot be read (KeyError: 'a fault of ours')",
    }
    assert [its.windows is not None for its in rows] == [True, False, True, False, False]
    assert (rows[0].windows == window_reading.prepare(five / "a.png", {"size": 16}).windows).all()


def test_a_process_is_used_again_and_brings_no_network():
    assert apart(os.getpid) == apart(os.getpid) != os.getpid()
    apart(file_pages.count, "no such picture.png")
    assert not apart(loaded)


def loaded() -> bool:
    return "torch" in sys.modules


def test_what_never_comes_to_an_end_is_given_up(monkeypatch):
    process = apart(os.getpid)
    monkeypatch.setattr(module, "LIMIT", 0.2)
    with pytest.raises(Ended, match=r"^not read within 0\.2 s$"):
        apart(time.sleep, 60)
    monkeypatch.undo()
    with pytest.raises(ProcessLookupError):  # it was ended
        os.kill(process, 0)
    assert apart(os.getpid) != process


def test_a_process_that_cannot_be_started_is_said(monkeypatch):
    module.end_all()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Ended, match="no process to read it could be started"):
        apart(os.getpid)


def test_interrupted_nothing_more_is_begun():
    begun = []

    def slow(k: int) -> int:
        begun.append(k)
        time.sleep(0.001)
        return k

    for _ in flow.batches(iter(range(1000)), slow, workers=1, batch=100):
        break
    assert 100 <= len(begun) < 190  # of 200 that were waiting


@pytest.mark.parametrize("refuse", [False, True])
def test_a_damaged_picture_is_named_and_refused_where_that_is_asked_for(tmp_path, refuse):
    Image.fromarray(noise(0)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:-16] + bytes(4) + data[-12:])
    its = window_reading.prepare(tmp_path / "a.png", {"size": 16}, None, Taken(None, refuse))
    if refuse:
        assert its.row["state"] == "unreadable"
        assert its.row["reason"] == "damaged file, refused: PNG: checksum of IDAT is wrong"
        assert its.windows is None
    else:
        assert its.row["reason"] == "damaged file: PNG: checksum of IDAT is wrong"
        assert np.shape(its.windows) == (1, 16, 16, 3)


def test_relative_paths_are_of_the_folder_one_is_in_now(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert [apart(os.getcwd) for _ in range(2)] == [str(tmp_path / name)] * 2
    assert len({process.folder for process in module._idle}) == 1


def test_what_a_decoder_warns_of_stays_out_of_the_table(capfd):
    """On the terminal it would stand between rows and name no picture."""
    module.end_all()  # a new process has this test's standard error
    assert apart(warnings.warn, "Corrupt EXIF data") is None
    module.end_all()
    assert capfd.readouterr().err == ""
