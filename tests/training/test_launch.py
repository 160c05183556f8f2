"""Several processes in one training: two of them, over gloo, leave what one leaves."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import dying_ranks
import numpy as np
import pandas as pd
import pytest
import torch
import two_ranks
from map_trees import blurred_pictures

from riqa_lib import store
from riqa_lib.networks import ranks
from riqa_lib.training import launch, photographs
from riqa_lib.training.optimisation import TrainConfig

# Sums of other order and products of other shape: 2^-23 of a number each. After four steps with
# momentum, the largest difference found is 8e-6, of a loss of 20
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


RUN = photographs.settings("smoke", "crmatch", 0, {"model.weights": "none", "train.steps": 4})


class Forked:
    """A process of launch.several that is a copy of this one: it has imported everything already.
    Python itself is started by test_a_process_that_dies_ends_all."""

    def __init__(self, command, env):
        def one():
            os.environ.update(env)
            launch._one(Path(command[3]), *map(int, command[4:]))

        self.process = multiprocessing.get_context("fork").Process(target=one)
        self.process.start()

    def poll(self):
        return self.process.exitcode

    def kill(self):
        self.process.kill()

    def wait(self):
        self.process.join()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(what each of two processes leaves, the folder in which they left it)."""
    folder = tmp_path_factory.mktemp("ranks")
    stopped = two_ranks.trainer_of(two_ranks.methods()["comatch"]())
    two_ranks.stepped(stopped, 2).save(folder / "before.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(launch.RANKS, "2")
        patch.setenv("RIQA_HOME", str(folder / "two"))
        patch.delenv("RIQA_JOURNAL", raising=False)
        alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
        if sys.platform == "linux" and alone:  # else a copy may hang
            patch.setattr(launch, "subprocess", SimpleNamespace(Popen=Forked))
        pictures = blurred_pictures().folder
        launch.several(two_ranks.TRAIN, two_ranks.everything, folder, RUN, pictures)
    return [torch.load(folder / f"rank-{k}.pt", weights_only=False) for k in (0, 1)], folder


@pytest.mark.parametrize("name", two_ranks.methods())
def test_two_processes_leave_what_one_leaves(both, name):
    """Weights, average, best weights, thresholds, banks, every term of the loss, validation."""
    one = two_ranks.left_by(two_ranks.stepped(two_ranks.trainer_of(two_ranks.methods()[name]()), 4))
    for found in both[0]:
        two = found["trained"][name]
        assert two.keys() == one.keys()
        for key, value in one.items():
            torch.testing.assert_close(
                two[key], value, **TOLERANCE, equal_nan=True, msg=lambda text, k=key: f"{k}: {text}"
            )


def test_both_hold_the_same_bits(both):
    (first, second), _ = both
    for name, its in first["trained"].items():
        for key, value in its.items():
            assert torch.equal(value.nan_to_num(), second["trained"][name][key].nan_to_num()), key


def test_two_processes_see_the_views_of_one(both):
    one = two_ranks.shown()
    for found in both[0]:
        assert found["shown"].keys() == one.keys()
        assert all(torch.equal(found["shown"][name], view) for name, view in one.items())


def test_batch_normalisation_of_two_processes_is_that_of_one(both):
    one = two_ranks.normed()
    assert (one["out"] == 0).any()  # its activation is a part of it
    for found in both[0]:
        assert found["normed"].keys() == one.keys()
        for key, value in one.items():
            torch.testing.assert_close(found["normed"][key], value, rtol=1e-5, atol=1e-6)


def test_batch_normalisation_of_two_processes_after_bfloat16_is_that_of_one(both):
    one = two_ranks.normed(bf16=True)
    assert one["out"].dtype == torch.bfloat16
    for found in both[0]:
        for key, value in one.items():
            torch.testing.assert_close(found["normed in bf16"][key], value, rtol=0.02, atol=0.002)


def test_one_process_two_and_one_again_go_on_from_each_other(both):
    whole = two_ranks.stepped(two_ranks.trainer_of(two_ranks.methods()["comatch"]()), 4)
    back = two_ranks.trainer_of(two_ranks.methods()["comatch"]())
    back.resume(both[1] / "between.safetensors")
    assert back.done == 3
    assert [f.name for f in both[1].glob("by-*")] == ["by-0.safetensors"]  # one writes
    one, three = two_ranks.left_by(whole), two_ranks.left_by(two_ranks.stepped(back, 1))
    for key, value in one.items():
        if not key.startswith("history"):  # a mean of terms since it went on
            torch.testing.assert_close(three[key], value, **TOLERANCE, equal_nan=True)


def test_a_method_that_remembers_its_own_rows_is_named(both):
    local, idle = both[0][1]["said"]
    assert local.startswith("cut is not the same in all 2 processes by step 2")
    assert idle.startswith("no loss needs idle.weight: with several processes, set uses_all = Fa")


def test_a_run_of_two_processes_is_that_of_one(both, home):
    """Its folder is written once, with the same pictures, within what Adam makes of rounding."""
    one = photographs.train(RUN, blurred_pictures())
    two = both[1] / "two" / "results" / "runs" / one.name
    assert {f.name for f in two.iterdir()} == {f.name for f in one.iterdir()}
    facts = [store.read_json(folder / "provenance.json") for folder in (one, two)]
    assert [f.get("processes") for f in facts] == [None, 2]
    assert facts[0]["pictures_seen"] == facts[1]["pictures_seen"]
    for name in ("history.csv", *store.PREDICTIONS.values()):
        first, second = store.read_table(one / name), store.read_table(two / name)
        pd.testing.assert_frame_equal(first, second, atol=1e-3, rtol=1e-3)


def test_a_training_starts_processes_that_open_what_is_prepared(home, monkeypatch):
    monkeypatch.setenv(launch.RANKS, "2")
    run, data = photographs.settings("smoke", "fixmatch"), blurred_pictures()
    started = []
    monkeypatch.setattr(photographs, "prepare_weights", lambda *given: started.append(given))
    monkeypatch.setattr(launch, "several", lambda *given: started.append(given))
    with pytest.raises(RuntimeError, match="nothing was written for this run"):
        photographs.train(run, data)
    assert started == [(run, data), (run.train, photographs.train_there, run, data.folder)]


def test_a_process_that_dies_ends_all(monkeypatch):
    monkeypatch.setenv(launch.RANKS, "2")
    with pytest.raises(ChildProcessError, match=r"process 1 of 2 \(0 to 1\) .* stopped: SIGKILL"):
        launch.several(two_ranks.TRAIN, dying_ranks.second_is_killed)


class Started:
    """Processes that do nothing: each ends as `codes` says, and leaves what `said` says."""

    codes: ClassVar = [None, 1, 1]
    said: ClassVar = {2: "ValueError: no more room", 1: "RuntimeError: connection closed"}
    killed: ClassVar = []

    def __init__(self, command, env):
        self.rank = int(command[-1])
        if self.rank == 2:
            for k, (rank, text) in enumerate(self.said.items()):
                file = Path(command[3]) / str(rank)
                file.write_text(text)
                os.utime(file, (k, k))
        self.env = env

    def poll(self):
        return self.codes[self.rank]

    def kill(self):
        self.killed.append(self.rank)

    def wait(self):
        assert self.env["RIQA_THREADS"] == "1"


def test_what_the_first_that_failed_raised_is_said_and_none_is_left(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setenv(launch.RANKS, "3")
    with pytest.raises(ChildProcessError, match=r"process 2 of 3 .* stopped: ValueError: no more"):
        launch.several(TrainConfig(batch=6), dying_ranks.second_is_killed)
    assert Started.killed == [0, 1, 2]


@pytest.mark.parametrize(("value", "gpus", "words"), [
    ("two", 0, "RIQA_RANKS is 'two', expected a whole number from 1 on"),
    ("0", 0, "expected a whole number from 1 on"),
    ("4", 2, r"RIQA_RANKS is 4, but this process sees 2 GPU\(s\)"),
    ("3", 0, r"train.batch is 32 \(train.mu 2: 64 unlabelled\), which 3 processes cannot share "
     "evenly; expected a multiple of 3, for example 33"),
])  # fmt: skip
def test_what_cannot_be_is_said_before_anything_starts(monkeypatch, value, gpus, words):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv(launch.RANKS, value)
    with pytest.raises(ValueError, match=words):
        launch.several(TrainConfig(mu=2), dying_ranks.second_is_killed)


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv(launch.RANKS, raising=False)
    assert not launch.is_due()
    x = torch.arange(3.0)
    assert ranks.rows(x) is x
    assert ranks.mean(x) is x
    assert ranks.shared(x.numpy()).tolist() == [0, 1, 2]
    g, h = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    assert torch.equal(ranks.rand((2, 3), g, dim=1), torch.rand(2, 3, generator=h))


@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_any_number_of_rows_is_shared(monkeypatch, count):
    every = []
    for rank in range(3):
        monkeypatch.setattr(ranks, "world", lambda: 3)
        monkeypatch.setattr(ranks, "rank", lambda r=rank: r)
        every.append(ranks.shared(np.arange(count)))
    assert len({len(part) for part in every}) == 1
    assert np.stack(every, axis=1).reshape(-1)[:count].tolist() == [*range(count)]
