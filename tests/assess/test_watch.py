"""A folder that is watched: what arrives, by whatever way, is assessed once it is whole; the tables
hold all of it after each batch."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
from assessed_rows import graded
from fundus_students import photograph, student

from riqa_lib import paths
from riqa_lib.__main__ import main
from riqa_lib.assess import command, watch
from riqa_lib.assess.printed import Terminal
from riqa_lib.assess.retake import Patients
from riqa_lib.assess.wanted import Wanted

WHOLE = b"\xff\xd8\xff\xe0 as a JPEG file begins"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    return tmp_path / "in"


class Clocked:
    """A folder that is looked at, at times that the test chooses."""

    def __init__(self, folder, **how):
        self.known, self.now = watch.Folder(folder, 1.0, **how), 0.0

    def after(self, seconds):
        self.now += seconds
        found = self.known.look(self.now)
        return [f.name for f in found.new], [os.path.basename(name) for name in found.void]


def test_a_file_is_taken_once_it_has_not_changed_for_a_while(folder):
    seen = Clocked(folder)
    (folder / "a.jpg").write_bytes(WHOLE)
    assert seen.after(0) == ([], [])
    with open(folder / "a.jpg", "ab") as f:
        for _ in range(3):
            f.write(b"more")
            f.flush()
            assert seen.after(0.9) == ([], [])
    assert seen.after(0.5) == ([], [])
    assert seen.after(0.5) == (["a.jpg"], [])
    assert seen.after(9) == ([], [])


def test_a_file_of_the_same_size_that_changes_is_not_whole(folder):
    seen = Clocked(folder)
    (folder / "a.jpg").write_bytes(WHOLE)
    for k in range(3):
        os.utime(folder / "a.jpg", ns=(k, k))
        assert seen.after(0.9) == ([], [])
    assert seen.after(1) == (["a.jpg"], [])


def test_moves_and_renames(folder, tmp_path):
    seen = Clocked(folder)
    part = folder / ".a.jpg.part"  # as rsync and we ourselves write
    part.write_bytes(WHOLE)
    assert seen.after(2) == ([], [])
    os.replace(part, folder / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(WHOLE)
    os.utime(tmp_path / "b.jpg", (1000, 1000))  # old, but new here
    os.rename(tmp_path / "b.jpg", folder / "below" / "b.jpg")
    assert seen.after(1) == ([], [])
    assert seen.after(1) == (["a.jpg", "b.jpg"], [])
    os.rename(folder / "a.jpg", folder / "7_left.jpg")  # the name may say whose it is
    seen.after(0)
    assert seen.after(1) == (["7_left.jpg"], ["a.jpg"])
    (folder / "7_left.jpg").write_bytes(WHOLE + b"another picture")
    seen.after(0)
    assert seen.after(1) == (["7_left.jpg"], ["7_left.jpg"])
    os.rename(folder / "below" / "b.jpg", tmp_path / "archive.jpg")  # its row stays
    assert seen.after(2) == ([], [])


def test_no_picture_and_nothing_of_ours_is_taken_and_many_come_in_parts(folder):
    seen = Clocked(folder, ours=[folder / "grades.jpg"])
    (folder / "grades.jpg").write_bytes(WHOLE)
    (folder / "notes.txt").write_text("no picture")
    for k in range(40):
        (folder / f"{k:02d}.jpg").write_bytes(WHOLE)
    seen.after(0)
    first, _ = seen.after(1)
    second, _ = seen.after(0)
    assert (len(first), len(second)) == (32, 8)
    assert first + second == [f"{k:02d}.jpg" for k in range(40)]


class MadeUp:
    """A desk that needs no Student."""

    one = SimpleNamespace(words=("reject", "usable", "good"), describe=dict)

    def __init__(self, wanted):
        self.wanted, self.patients, self.begun = wanted, Patients(), threading.Event()

    def rows(self, named):
        for file in named:
            self.begun.set()
            row = graded(file, "reject" if "bad" in file.name else "good")
            self.patients.add(row)
            yield row

    def drop(self, file):
        self.patients.drop(file)

    def page_written(self):
        return open(os.devnull)


def test_tables_hold_all_that_came_after_each_batch(folder, tmp_path):
    """Files are dropped by a thread while the folder is watched; readers see whole tables only."""
    table, book = tmp_path / "o.csv", folder / "o.json"
    desk = MadeUp(Wanted(csv=table, json=book, sort="score"))
    out, over, broken = io.StringIO(), threading.Event(), []

    def names():
        if not table.exists():
            return []
        read = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
        broken.extend(r for r in read if r["p_good"] not in ("0.95", "0.02"))
        return [os.path.basename(r["file"]) for r in read]

    def until(wanted):
        end = time.monotonic() + 20
        while names() != wanted:
            assert time.monotonic() < end, (names(), out.getvalue())
            time.sleep(0.01)

    def drops():
        try:
            (folder / "a.jpg").write_bytes(WHOLE)
            until(["a.jpg"])
            (folder / "b bad.jpg").write_bytes(WHOLE)
            until(["b bad.jpg", "a.jpg"])
            os.rename(folder / "a.jpg", folder / "c bad.jpg")
            until(["b bad.jpg", "c bad.jpg"])
        except BaseException as e:
            broken.append(e)
        finally:
            over.set()

    thread = threading.Thread(target=drops)
    thread.start()
    write = partial(command.written, desk)
    how = {"poll": 0.01, "settled": 0.05}
    watch.watched(str(folder), desk, write, command.line, Terminal(out), over.is_set, **how)
    thread.join()
    assert not broken
    assert len(json.loads(book.read_text())["pictures"]) == 2
    said = out.getvalue().splitlines()
    assert len(said) == 6  # the first line, three pictures, an empty one, how many
    assert said[-1] == "2 graded, 0 abstained, 0 refused, 0 unreadable"  # nothing is left
    assert sorted(f.name for f in folder.iterdir()) == ["b bad.jpg", "below", "c bad.jpg", "o.json"]


def test_what_is_left_where_it_ends_is_counted(folder):
    """One is taken, then written anew; another came too late."""
    (folder / "a.jpg").write_bytes(WHOLE)
    desk, out = MadeUp(Wanted()), io.StringIO()

    def over():
        if desk.begun.is_set():
            (folder / "a.jpg").write_bytes(WHOLE + b"x")
            (folder / "late.jpg").write_bytes(WHOLE)
        return desk.begun.is_set()

    how = {"poll": 0.01, "settled": 0.05}
    watch.watched(str(folder), desk, list, command.line, Terminal(out), over, **how)
    assert out.getvalue().splitlines()[-1].startswith("2 more pictures are there, not looked at")


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_leaves_whole_files(
    number, home, folder, tmp_path, monkeypatch, capsys
):
    student(paths.runs() / "student-aaa")
    photograph("a", 96).save(folder / "7_left.png")
    page = tmp_path / "o.html"
    monkeypatch.setattr(watch, "watched", partial(watch.watched, poll=0.01, settled=0.05))
    before = signal.getsignal(number)

    def end():
        until = time.monotonic() + 60
        while not page.exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=end)
    thread.start()
    status = main(["assess", "--watch", str(folder), "--report", str(page), "--uncalibrated"])
    thread.join()
    said, wrong = capsys.readouterr()
    assert (status, wrong) == (0, "")
    assert "7_left.png" in said
    assert "0 unreadable" in said.splitlines()[-1]
    assert page.read_text().rstrip().endswith("</html>")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["home", "in", "o.html"]
    assert signal.getsignal(number) is before
