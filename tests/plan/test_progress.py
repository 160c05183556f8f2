"""What a run says while it goes on and at its end; how long it may still take."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import threading
import time

import pytest
from conftest import REPOSITORY
from toy_notebooks import write_notebook

from riqa_lib.plan import progress as shown
from riqa_lib.plan.progress import Progress, where_to_look
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.schedule import pace, seconds_left
from riqa_lib.plan.steps import Record, Step, Walk

STEPS = [
    Step("data", "data.ipynb", seconds=60),
    Step("train", "train.ipynb", needs=("data",), seconds=120, gpu=True),
    Step("again", "train.ipynb", needs=("data",), seconds=120, gpu=True),
    Step("table", "table.ipynb", needs=("train", "again"), seconds=20),
]


class Screen(io.StringIO):
    """A terminal of 200 columns."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test turns: clock.now, in seconds."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(shown.time, "monotonic", lambda: Clock.now)
    monkeypatch.setenv("COLUMNS", "200")
    return Clock


def begun(stream, tmp_path):
    return Progress(tmp_path / "log.txt", stream, STEPS, 5, 5)


def lines_of(screen):
    """What a terminal's live line showed, one after the other."""
    return [line for line in screen.getvalue().split(shown.CLEAR) if line.startswith("[")]


# ---------------------------------------------------------------- how long it may still take
def test_seconds_left_by_hand():
    # two at a time: 60, then two of 120 side by side, then 20; one at a time: the sum
    assert seconds_left(STEPS, {}, {}) == 200
    assert seconds_left(STEPS, {}, {}, room=(1, 0)) == 320
    assert seconds_left(STEPS, {}, {}, room=(2, 1)) == 320  # one GPU for both
    assert seconds_left(STEPS, {}, {}, room=(3, 2)) == 200
    # (30 + 180) / (30 + 60): what is left takes 7 / 3 of what was declared
    assert seconds_left(STEPS, {"data": 180}, {}) == pytest.approx(140 * 7 / 3)
    assert seconds_left(STEPS, {"data": 60}, {"train": 30, "again": 90}) == 110
    assert seconds_left(STEPS, {"data": 60}, {"train": 30}, frozenset({"again"})) == 110
    assert seconds_left(STEPS, {"data": 60, "train": 120, "again": 120}, {"table": 5}) == 15
    assert seconds_left(STEPS, {}, {}, frozenset(s.name for s in STEPS)) == 0


def test_a_step_that_takes_far_longer_than_declared_slows_what_is_expected_of_all():
    declared = {s.name: s.seconds for s in STEPS}
    assert pace(declared, {}, {"data": 59}) == 1
    assert pace(declared, {}, {"data": 90}) == pytest.approx(120 / 90)
    assert pace(declared, {}, {"data": 7200}) == pytest.approx(7230 / 90)
    left = seconds_left(STEPS, {}, {"data": 7200})
    assert left == pytest.approx(720 + 140 * 7230 / 90)
    # and fast ones speed it up: a smoke run is not told the demo's quarter of an hour
    assert seconds_left(STEPS, {"data": 6}, {}) == pytest.approx(140 * 36 / 90)


# ---------------------------------------------------------------- while it runs
def test_a_terminal_has_one_live_line_with_steps_times_and_where_a_training_is(tmp_path, clock):
    screen = Screen()
    with begun(screen, tmp_path) as progress:
        progress.record(Record("old", "up to date"))
        progress.begin("data")
        clock.now += 60
        progress.record(Record("data", "done", seconds=60))
        progress.begin("train")
        progress.begin("again")
        progress.cell("train", 3, 20, "import torch")
        clock.now += 30
        progress.cell("train", 9, 20, "", "FixMatch 120/300")
        progress.say("said")
        progress.cell("train", 9, 20, "", "")
        progress.say("said")
    live = lines_of(screen)
    assert live[0] == "[##----------] 1 of 5, 0:00, about 3 min left   starts"
    assert live[-2] == (
        "[####--------] 2 of 5, 1:30, about 2 min left   train 9/20 FixMatch 120/300   again starts"
    )
    assert live[-1].endswith("train 9/20   again starts")
    assert "cell 3 of 20" not in screen.getvalue()
    assert re.search(r"data +done +60 s\n", screen.getvalue())
    log = (tmp_path / "log.txt").read_text()
    assert "train  cell 3 of 20  import torch" in log
    assert "FixMatch 120/300" not in log
    before = screen.getvalue()
    progress.say("over")
    assert screen.getvalue() == f"{before}{shown.CLEAR}over\n"  # and no live line


def test_the_live_line_moves_by_itself_and_fits_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    screen, drawn = Screen(), threading.Event()
    progress = begun(screen, tmp_path)
    monkeypatch.setattr(progress.left, "wait", lambda _: drawn.is_set() or time.sleep(0.01))
    with progress:
        progress.begin("train")
        end = time.monotonic() + 10
        while len(lines_of(screen)) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        drawn.set()
    assert len(lines_of(screen)) >= 3
    assert {len(line) for line in lines_of(screen)} == {39}


def test_into_a_pipe_goes_a_line_a_step_without_control_characters(tmp_path, clock):
    pipe = io.StringIO()
    with begun(pipe, tmp_path) as progress:
        progress.record(Record("old", "up to date"))
        for name, state in (("data", "done"), ("train", "failed")):
            progress.begin(name)
            progress.cell(name, 1, 2, "x = 1")
            progress.cell(name, 1, 2, "", "FixMatch 1/2")
            clock.now += 60
            progress.record(Record(name, state, "" if state == "done" else "cell 2", seconds=60))
    assert pipe.getvalue().splitlines() == [
        "  old    up to date",
        shown.STARTING,
        "  data   done        60 s  (2 of 5, 1:00, about 2 min left)",
        "  train  FAILED      cell 2  (3 of 5, 2:00, about 2 min left)",
    ]


def test_in_a_real_terminal_where_a_training_is_and_nothing_of_it_in_the_copy(tmp_path):
    for name in ("lib", "nb"):
        (tmp_path / name).mkdir()
    code = "from riqa_lib.bars import bar\nimport time\n"
    code += "for _ in bar(range(3), desc='FixMatch'): time.sleep(0.6)\n"
    write_notebook(tmp_path / "nb" / "a.ipynb", [code, "time.sleep(1.1)"])
    walk = Walk((Step("a", "a.ipynb"),), "toy", tmp_path / "nb", tmp_path, tmp_path / "lib")
    ours, theirs = pty.openpty()
    said = []

    def read():
        with contextlib.suppress(OSError):  # the other end is closed
            while text := os.read(ours, 4096):
                said.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(theirs, "w") as terminal:
        records = run_plan(walk, serial=True, stream=terminal)
    reader.join(10)
    os.close(ours)
    assert records["a"].state == "done", records
    text = b"".join(said).decode()
    assert re.search(r"\r\x1b\[K\[-{12}\] 0 of 1, 0:\d\d   a 3/4 FixMatch [012]/3", text)
    assert re.search(r"\[-{12}\] 0 of 1, 0:\d\d   a 4/4\r", text)  # and then it is over
    assert re.search(r"\r\x1b\[Kresults/toy: 1 done; \d+ s\r\n", text)
    cells = json.loads(walk.executed("a").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)


# ---------------------------------------------------------------- when it is over
def test_the_end_says_where_to_look_what_failed_and_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walk = Walk(tuple(STEPS), "toy", tmp_path, tmp_path / "home", tmp_path)
    done = {s.name: Record(s.name, "done") for s in STEPS}
    assert where_to_look(walk, done) == []  # it left nothing
    for file in ("figures/toy/a.png", "figures/toy/b.png", "results/toy/tables/t.csv"):
        (walk.home / file).parent.mkdir(parents=True, exist_ok=True)
        (walk.home / file).touch()
    assert where_to_look(walk, done) == [
        "  2 figures               home/figures/toy",
        "  1 table                 home/results/toy/tables",
        "  site                    home/results/toy/site/index.html, made by --site",
    ]
    bad = Record("train", "failed", "cell 4: ValueError; see results/toy/executed/train.ipynb")
    ended = done | {"train": bad, "table": Record("table", "skipped", "waits for train")}
    monkeypatch.chdir("/")
    told = where_to_look(walk, ended)
    assert told[0].endswith(str(tmp_path / "home/figures/toy").lstrip("/"))
    assert told[-3:] == [
        "  train failed: cell 4: ValueError; see results/toy/executed/train.ipynb",
        "  not run, since they wait for it: table",
        "  mend it and start the same command again: it goes on from here",
    ]


@pytest.mark.parametrize("stream", [Screen, io.StringIO])
def test_the_first_step_says_what_the_first_minute_is_spent_on(stream, tmp_path):
    with begun(screen := stream(), tmp_path) as progress:
        assert shown.STARTING not in screen.getvalue()
        for step in STEPS[:2]:
            progress.begin(step.name)
    assert screen.getvalue().count(shown.STARTING) == 1
    assert (tmp_path / "log.txt").read_text().count(shown.STARTING) == 1


def test_setup_says_how_many_packages_it_installs():
    ran = subprocess.run(["make", "-n", "-B", ".venv/.stamp"], cwd=REPOSITORY, text=True,
                         capture_output=True, check=True)  # fmt: skip
    lines = ran.stdout.splitlines()
    said = [line for line in lines if line.startswith("echo") and "packages" in line]
    assert lines.index(said[0]) < next(
        i for i, line in enumerate(lines) if "-r requirements.lock" in line
    )
    out = subprocess.run(["sh", "-c", said[0]], cwd=REPOSITORY, text=True, capture_output=True)
    lock = (REPOSITORY / "requirements.lock").read_text()
    pinned = re.findall(r"^[\w.-]+(?:\[.*\])?==", lock, re.M)
    assert f"about {len(pinned)} packages" in out.stdout
