"""A plan gives the same bytes serially, in one worker, in two, and killed and resumed."""

from __future__ import annotations

import signal

from benchmarks.faults_ready import ready
from benchmarks.faults_toy import How


def test_jobs_1_jobs_2_serial_and_killed_are_byte_identical(tmp_path):
    lane = ready(tmp_path, quick=True)
    serial = lane.references["first"]
    assert {name.rpartition("/")[2] for name in serial} >= {
        "pixels.npy",
        "model.safetensors",
        "predictions.csv.gz",
        "history.csv",
        "table.csv",
        "errors.svg",
    }
    try:
        for jobs in (1, 2):
            lane.begin("nothing")
            done = lane.run(How(jobs=jobs))
            assert done.status == 0, done.said
            assert lane.results() == serial, f"{jobs} side by side"
        lane.begin("nothing")
        step = {"who": "train", "does": "signal", "to": "runner", "signal": int(signal.SIGKILL)}
        killed = lane.run(How(faults=(step | {"count": lane.events["train"] // 2},)))
        assert killed.status == -signal.SIGKILL, killed.said
        assert list(lane.home.rglob("state.safetensors"))
        again = lane.run()
        assert again.status == 0, again.said
        assert lane.results() == serial, "killed and resumed"
    finally:
        lane.close()
