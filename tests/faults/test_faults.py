"""Faults of several kinds, drawn as `make faults` draws them: the plan, started again, ends with
the bytes of an undisturbed run, or says what to do."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import counts as counts_of
from benchmarks import faults, faults_kinds
from benchmarks.faults_kinds import KINDS, Told
from benchmarks.faults_ready import ready
from benchmarks.faults_toy import Run, Started
from benchmarks.faults_verdict import (
    AGAIN,
    COMMAND,
    HAND,
    LEFT,
    MENDED,
    NEVER,
    UNCLEAR,
    WELL,
    WRONG,
    judged,
    unclear,
)

FAST = {  # kind: how it may end
    "SIGKILL, runner": {AGAIN, WELL},
    "SIGINT, runner": {AGAIN, WELL},
    "bit flipped, time and size as before": {MENDED, COMMAND, WELL, AGAIN},
    "file truncated": {WELL, AGAIN, COMMAND},
    "data edited between or while it runs": {WELL, AGAIN},
}


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    made = ready(tmp_path_factory.mktemp("faults"), quick=True)
    yield made
    made.close()


@pytest.mark.parametrize("kind", FAST)
def test_what_is_started_again_after_a_fault_ends_as_if_undisturbed(lane, kind):
    told = KINDS[kind][1](lane, np.random.default_rng(1), True)
    assert told.happened, told.said
    found = judged(lane, told)
    assert found.outcome in FAST[kind], (told.said, found)


def test_a_file_in_its_place_that_nobody_noticed_is_silently_wrong(lane):
    lane.begin("whole")
    table = lane.home / "results/toy/tables/table.csv"
    lane.references["first"] = lane.references["first"] | {"results/toy/tables/table.csv": b"else"}
    try:
        assert judged(lane, Told("")).outcome == WRONG
    finally:
        lane.references["first"]["results/toy/tables/table.csv"] = table.read_bytes()


def test_what_a_killed_run_left_is_seen(lane):
    lane.begin("whole")
    part = lane.home / "results/toy/tables/.table.csv.7.part"
    part.write_text("half")
    found = judged(lane, Told(""))
    assert (found.outcome, found.why) == (LEFT, str(part))


RUN = "results/runs/ridge-000000000000"


def _run_of_other_data(lane) -> None:
    folder = lane.home / RUN
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")


def test_a_run_beside_is_allowed_only_where_other_data_was_learnt_from(lane):
    for beside, outcome in ((frozenset(), WRONG), (frozenset({Path(RUN).name}), WELL)):
        lane.begin("whole")
        _run_of_other_data(lane)
        assert judged(lane, Told("", beside=beside)).outcome == outcome


def test_a_finished_run_of_before_has_to_stay(lane):
    lane.begin("whole")
    stays = lane.finished()
    assert any(file.startswith("results/runs/ridge-") for file in stays)
    assert judged(lane, Told("", stays=stays)).outcome == WELL
    lost = stays | {f"{RUN}/config.json": b"{}"}
    lane.begin("whole")
    found = judged(lane, Told("", stays=lost))
    assert (found.outcome, found.why) == (WRONG, f"{RUN}/config.json is not there")


@pytest.mark.parametrize("template", ["nothing", "whole"])
def test_edited_data_give_what_a_walk_from_nothing_gives(lane, template):
    lane.begin(template)
    stays = lane.finished()
    lane.edit("data")
    told = Told("", lane.run(), reference="data", stays=stays)
    assert judged(lane, told).outcome == WELL


def test_data_damaged_unseen_and_put_back_is_mended_by_what_verify_says(lane):
    lane.begin("nothing")
    file = lane.folder / "scores.csv"
    whole, stat = file.read_bytes(), file.stat()
    file.write_bytes(whole.replace(b"3.7", b"1.7", 1))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    first = lane.run()
    beside = lane.runs_there()
    file.write_bytes(whole)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = judged(lane, Told("", first, silent=True, beside=beside))
    assert found.outcome == MENDED, found


def test_an_exit_status_that_was_not_passed_on_is_read_from_what_the_process_wrote(tmp_path):
    out = tmp_path / "out.txt"
    process = multiprocessing.get_context("fork").Process(target=os._exit, args=(255,))
    process.start()
    out.write_text("said")
    assert Started(process, out).end().status == 255
    Path(f"{out}.status").write_text("1")
    assert Started(process, out).end() == Run(1, "said")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (Run(0, ""), ""),
        (Run(-9, ""), ""),
        (Run(None, ""), "it hung"),
        (Run(1, "Traceback (most recent call last)"), "a traceback"),
        (Run(3, "results/toy/a.csv: start it again"), "exit status 3"),
        (Run(1, "something is wrong: start it again"), "no file, step or cell is named"),
        (Run(1, "results/toy/tables/a.csv: damaged"), "no way out is named"),
        (Run(1, "results/toy/tables/a.csv: damaged; delete it"), ""),
    ],
)
def test_a_message_is_clear_where_it_names_file_and_way_out(run, why):
    assert unclear(run) == why


def test_a_trial_draws_the_same_again_and_every_kind_is_drawn():
    draws = [[faults_kinds.drawn(faults.rng("fault", n)) for n in range(300)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert set(draws[0]) == set(KINDS)


def test_what_never_happened_is_not_counted_as_survived(tmp_path):
    counts = Counter({("SIGKILL, runner", NEVER): 3, ("SIGKILL, runner", AGAIN): 5})
    counts["full disk", UNCLEAR] = 1
    counts["full disk", HAND] = 1
    table = counts_of.added(counts_of.kept(tmp_path / "none.csv", faults.COLUMNS), counts)
    assert faults.summary(table).endswith("5 of 7 faults survived")
    twice = counts_of.added(table, counts)
    assert twice["trials"].sum() == 20
