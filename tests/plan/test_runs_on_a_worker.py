"""One run in a worker's process: where it trains, with how many threads, what it says of failures;
and how a step is begun for its runs. No cluster and no network: what trains is a stand-in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info
from toy_notebooks import write_notebook

from riqa_lib import paths, store
from riqa_lib.plan import runs_apart
from riqa_lib.plan.freshness import components, why
from riqa_lib.plan.steps import Step, Walk
from riqa_lib.training import planned_runs


class Worker:
    """What a run asks of dask's worker."""

    def log_event(self, *event):
        pass


class Trains:
    """In place of a Planned."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.seen = error, {}

    def train_into(self, folder: Path) -> None:
        self.seen = {
            "folder": folder,
            "home": paths.home(),
            "journal": os.environ[store.JOURNAL],
            "threads": {pool["num_threads"] for pool in threadpool_info()},
        }
        if self.error:
            raise self.error
        print("trained\nin 3 s")


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr("distributed.get_worker", Worker)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_run_trains_in_the_home_it_is_told_whatever_the_worker_s_is(
    worker, tmp_path, monkeypatch, cores
):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv(store.JOURNAL, "another step's")
    monkeypatch.setenv("RIQA_THREADS", str(cores))
    one, home = Trains(), tmp_path / "home"
    record = runs_apart.train("fixmatch", one, "results/runs/x", home, cores)
    assert (record.step, record.state, record.text) == ("fixmatch", "done", "in 3 s")
    assert one.seen["folder"] == home / "results/runs/x"
    assert one.seen["home"] == home
    assert not one.seen["journal"]
    assert one.seen["threads"] == {cores}
    assert os.environ["RIQA_HOME"] == str(tmp_path / "elsewhere")
    assert os.environ[store.JOURNAL] == "another step's"


def test_a_run_that_fails_says_where_and_why(worker, tmp_path):
    one = Trains(FloatingPointError("the loss is nan\nby step 3"))
    record = runs_apart.train("fixmatch", one, "results/runs/x", tmp_path, 1)
    assert record.state == "failed"
    assert not record.ok
    assert record.text == "results/runs/x: FloatingPointError: the loss is nan | by step 3"


def test_what_all_runs_of_a_step_wait_for_is_one_of_them(monkeypatch, tmp_path):
    files = [tmp_path / "w" / "config.json", tmp_path / "w" / "model.safetensors"]
    one = planned_runs.Planned("weights", "weights", {})
    step = Step("03_vit_supervised", "03_vit_supervised.ipynb", {"SEED": 0})

    def found(notebook, parameters):
        assert (notebook, parameters) == (step.notebook, step.parameters)
        return one, files

    monkeypatch.setattr(planned_runs, "first_weights", found)
    (run,) = runs_apart.weights_of(step)
    assert run.name == f"03_vit_supervised: {runs_apart.WEIGHTS}"
    assert (run.planned, run.folder, run.files) == (one, tmp_path / "w", tuple(files))
    assert not run.done
    files[0].parent.mkdir()
    for file in files:
        file.touch()
    assert run.done
    monkeypatch.setattr(planned_runs, "first_weights", lambda *_: None)
    assert runs_apart.weights_of(step) == []


def test_a_finished_step_that_is_begun_for_its_runs_counts_as_cut_off(tmp_path):
    write_notebook(tmp_path / "a.ipynb", ["1"])
    step = Step("a", "a.ipynb", {"SEED": 0})
    walk = Walk((step,), "toy", tmp_path, tmp_path / "home")
    manifest = {"step": "a", "components": components(walk, step), "outputs": {}}
    walk.file("a", "json").parent.mkdir(parents=True)
    walk.file("a", "json").write_text(json.dumps(manifest))
    assert why(walk, step) != ["did not finish last time"]
    runs_apart.begin_apart(walk, step, False, [tmp_path / "home/results/runs/x/config.json"])
    assert why(walk, step) == ["did not finish last time"]
    assert "runs/x/config.json" in walk.file("a", "journal").read_text()


def test_a_run_that_would_lie_elsewhere_is_not_trained(monkeypatch, tmp_path):
    """The worker's data or settings are others than those of who asked."""
    trained = []
    monkeypatch.setattr(planned_runs.Planned, "folder", lambda self: tmp_path / "other")
    monkeypatch.setattr(planned_runs.Planned, "train", lambda self: trained.append(self.kind))
    with pytest.raises(RuntimeError, match="it would train other: settings or data differ"):
        planned_runs.Planned("row", "fixmatch", {}).train_into(tmp_path / "mine")
    assert not trained
    planned_runs.Planned("row", "fixmatch", {}).train_into(tmp_path / "other")
    planned_runs.Planned("weights", "weights", {}).train_into(tmp_path / "mine")  # has no such name
    assert trained == ["row", "weights"]
