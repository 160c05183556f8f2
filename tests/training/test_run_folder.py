"""A run's folder: written whole, reused, resumed; what is missing is said."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from riqa_lib import paths, store
from riqa_lib.networks.weights import load_weights
from riqa_lib.training import run_folder
from riqa_lib.training.run_folder import Result

CONFIG = {"method": {"name": "made-up"}, "seed": 3}


def result(**about):
    table = pd.DataFrame({"id": ["a"], "p0": [1.0]})
    history = pd.DataFrame({"step": [1], "loss": [0.5]})
    return Result(torch.nn.Linear(2, 1), history, table, {"labels": 7}, about)


def test_a_run_is_written_whole_and_its_states_go(home):
    with run_folder.opened(CONFIG) as place:
        assert not place.done
        assert place.state() == place.folder / "state.safetensors"
        for state in (place.state(), place.state("fold")):
            state.write_bytes(b"half")
        place.write(result(classes=5))
    assert {file.name for file in place.folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "history.csv",
        "predictions.csv.gz",
        "about.json",
        "provenance.json",
    }
    facts = store.read_json(place.folder / "provenance.json")
    assert (facts["labels"], facts["parameters"]) == (7, 3)
    assert {"commit", "machine", "versions", "seconds", "threads"} <= set(facts)
    load_weights(place.folder / "model.safetensors", torch.nn.Linear(2, 1))


def test_nothing_about_a_network_is_no_file(home):
    with run_folder.opened(CONFIG) as place:
        place.write(result())
    assert not (place.folder / "about.json").exists()


def test_a_finished_run_is_reused_noted_and_its_other_code_named(home, monkeypatch, capsys):
    with run_folder.opened(CONFIG) as place:
        place.write(result())
    own = {str(file.resolve()) for file in place.folder.iterdir()}
    # notebook 12's: were it noted as this step's too, all steps after this would train anew
    (place.folder / "speed.json").write_text("{}")
    journal = home / "journal"
    monkeypatch.setenv(store.JOURNAL, str(journal))
    monkeypatch.setattr(run_folder, "commit", lambda: "another")
    with run_folder.opened(CONFIG) as again:
        assert again.done
    assert again.folder == place.folder
    said = capsys.readouterr().out
    assert f"{place.folder.name}: reusing a finished run made at commit" in said
    noted = set(journal.read_text().split("\n")) - {""}
    assert noted == own
    facts = store.read_json(place.folder / "provenance.json")
    del facts["files"]
    store.write_json(place.folder / "provenance.json", facts)
    assert {str(file.resolve()) for file in store.own_files(place.folder)} > own


def test_an_interrupted_run_keeps_its_states_and_is_not_done(home):
    def killed():
        with run_folder.opened(CONFIG) as place:
            place.state().write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with run_folder.opened(CONFIG) as again:
        assert not again.done
        assert again.state().read_bytes() == b"half"
        again.write(result())


def test_a_block_that_writes_nothing_is_an_error(home):
    with (
        pytest.raises(RuntimeError, match="nothing was written for this run"),
        run_folder.opened(CONFIG),
    ):
        pass


def test_a_run_that_is_needed_names_its_notebook_and_makes_no_folder(home):
    with pytest.raises(FileNotFoundError, match="the Teacher is not there yet; run notebook 14 w"):
        run_folder.finished(CONFIG, "the Teacher", "14", 3)
    assert not paths.runs().exists()
    with run_folder.opened(CONFIG) as place:
        place.write(result())
    assert run_folder.finished(CONFIG, "the Teacher", "14", 3) == place.folder.name


def test_where_a_run_lies_is_told_and_nothing_is_made(home):
    def train():
        with run_folder.opened(CONFIG) as place:
            place.write(result())

    place = run_folder.place_of(train)
    assert not paths.runs().exists()
    train()
    assert store.done(place)
    with pytest.raises(RuntimeError, match="no run's folder was opened"):
        run_folder.place_of(list)


def test_a_state_without_its_settings_is_of_no_run(home):
    """The plan takes config.json away where a run is to be made anew."""
    folder = run_folder.place_of(lambda: run_folder.opened(CONFIG).__enter__())
    folder.mkdir(parents=True)
    (folder / "state-fold.safetensors").write_bytes(b"of other code")
    with run_folder.opened(CONFIG) as place:
        assert not place.state("fold").exists()
        place.write(result())


def test_one_process_trains_a_run_and_another_waits_and_finds_it_finished(home, capfd):
    """The other is forked while this one trains, and asked whether it had to train."""
    with run_folder.opened(CONFIG) as place:
        asks, answers = os.pipe()
        other = os.fork()
        if other == 0:
            try:
                with run_folder.opened(CONFIG) as again:
                    os.write(answers, b"done" if again.done else b"trains it too")
            finally:
                os._exit(0)
        time.sleep(0.2)
        place.write(result())
    os.waitpid(other, 0)
    assert os.read(asks, 99) == b"done"
    said = f"process {os.getpid()} on {platform.node()} trains it; waiting for that"
    assert f"{place.folder.name}: {said}" in capfd.readouterr().out
    assert (home / "results/runs/.locks" / place.folder.name).read_text() == ""


def test_a_killed_process_lets_go_of_its_run(home):
    ready, told = os.pipe()
    other = os.fork()
    if other == 0:
        try:
            with run_folder.opened(CONFIG):
                os.write(told, b"x")
                time.sleep(60)
        finally:
            os._exit(0)
    os.read(ready, 1)
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    with run_folder.opened(CONFIG) as place:
        place.write(result())


def test_names_of_rows_and_profiles_load_no_torch():
    code = (
        "import sys; from riqa_lib.training import photo_profiles, fundus_profiles; "
        "from riqa_lib.pictures import photo_data; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
