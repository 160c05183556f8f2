"""Runs as tasks of their own: two workers over TLS, one of them killed in the middle, end with the
bytes of a serial run; what is listed, begun, gone on with. No kernels: notebooks are stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_notebooks import write_notebook

from riqa_lib import paths, store
from riqa_lib.plan import one_step, runs_apart
from riqa_lib.plan.cluster import Elsewhere
from riqa_lib.plan.freshness import why, why_all
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import Record, Step, Walk
from riqa_lib.training import loop, photographs
from riqa_lib.training.planned_runs import planned

SOME = {"data.labelled": 60, "data.pool": 20, "train.steps": 4, "train.evaluations": 2}
GIVEN = {"NAME": "small", "PROFILE": "smoke", "SEED": 0, "SETTINGS": SOME}
NAMES = ("04_fixmatch", "05_simmatch")
SHOWN = 'NAME = PROFILE = ""\nSEED = 0\nSETTINGS = {}'


def walk_of(home: Path) -> Walk:
    """Two steps of one run each, on data that are there."""
    for name in NAMES:
        write_notebook(home / "nb" / f"{name}.ipynb", ["1"], parameters=SHOWN)
    steps = tuple(Step(n, f"{n}.ipynb", GIVEN, seconds=9, gpu=True) for n in NAMES)
    return Walk(steps, "small", home / "nb", home)


def show(walk: Walk, step: Step, lock: object, event: object) -> None:
    """Instead of a kernel: a copy; beside it, what the notebook would find finished."""
    copy = walk.executed(step.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with runs_apart._places(walk.home):
        (run,) = planned(step.notebook, step.parameters)
        shutil.copy(walk.notebooks / step.notebook, copy)
        copy.with_suffix(".found").write_text(f"{run.folder().name} {store.done(run.folder())}")


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> Path:
    """A home where both runs were trained one after another, here."""
    home = tmp_path_factory.mktemp("serial")
    (home / "nb").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(home))
        patch.delenv("RIQA_JOURNAL", raising=False)
        photographs.make_data("small", "smoke", SOME)
        walk = walk_of(home)
        why_all(walk, walk.steps)  # what the library's code says is kept in home
        shutil.copytree(home, home / "before")  # its data, and no run
        for name in NAMES:
            (run,) = planned(name, GIVEN)
            run.train()
    return home


@pytest.fixture
def fresh(serial, tmp_path, monkeypatch) -> Walk:
    """The same data, and nothing trained."""
    shutil.copytree(serial / "before", tmp_path / "home")
    monkeypatch.setattr(one_step, "execute", show)
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIQA_JOURNAL", raising=False)
    return walk_of(tmp_path / "home")


def outcome(home: Path) -> dict[str, bytes]:
    """What the runs of a home left, but for what holds times."""
    every = (home / "results/runs").glob("*match-*/*")
    return {
        f"{f.parent.name}/{f.name}": f.read_bytes() for f in every if f.name != "provenance.json"
    }


def work(address: str, security: object) -> None:
    """A dask worker, until it is killed."""
    from distributed import Worker

    async def run() -> None:
        place = {"resources": {"GPU": 1}, "dashboard": False, "host": "127.0.0.1"}
        async with Worker(address, nthreads=1, security=security, **place) as worker:
            await worker.finished()

    asyncio.run(run())


@contextlib.contextmanager
def elsewhere(count: int, folder: Path) -> Iterator[tuple[Elsewhere, list[int]]]:
    """A scheduler that only TLS reaches, in this process, and workers in forked ones (torch is
    there already); certificates as files."""
    import distributed
    from distributed.security import Security

    security = Security.temporary()
    asked = [os.pipe() for _ in range(count)]
    workers = []
    for listens, _ in asked:
        workers.append(os.fork())
        if workers[-1] == 0:
            try:
                work(os.read(listens, 99).decode(), security)
            finally:
                os._exit(1)
    given = {"security": security, "protocol": "tls"}
    given |= {"scheduler_kwargs": {"dashboard": False}, "dashboard_address": None}
    try:
        with distributed.LocalCluster(n_workers=0, host="127.0.0.1", **given) as own:
            for _, tells in asked:
                os.write(tells, own.scheduler_address.encode())
            files = []
            for part in ("tls_ca_file", "tls_client_cert", "tls_client_key"):
                files.append(folder / f"{part}.pem")
                files[-1].write_text(getattr(security, part))
            yield Elsewhere(own.scheduler_address, *map(str, files)), workers
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker, 0)


def stop_after_a_save(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Who saved a state waits for home/go; who goes on from one says where."""
    save, resume = loop.Trainer.save, loop.Trainer.resume

    def held(trainer: loop.Trainer, file: Path) -> None:
        save(trainer, file)
        while not (home / "go").exists():
            time.sleep(0.02)

    def told(trainer: loop.Trainer, file: Path) -> None:
        resume(trainer, file)
        with open(home / "resumed", "a") as f:
            f.write(f"{file.parent.name} {trainer.done}\n")

    patch.setattr(loop.Trainer, "save", held)
    patch.setattr(loop.Trainer, "resume", told)


def until(happened, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def in_training(home: Path) -> dict[str, int]:
    """{run: process that trains it}, of those that saved a state."""
    states = (home / "results/runs").glob("*/state.safetensors")
    folders = [state.parent for state in states]
    owners = {f.name: (f.parent / ".locks" / f.name).read_text().split() for f in folders}
    return {name: int(words[1]) for name, words in owners.items() if words}


def started(walk: Walk, scheduler: Elsewhere) -> tuple[threading.Thread, dict, io.StringIO]:
    """run_plan in a thread; its records, once it is over; what it prints."""
    records: dict[str, Record] = {}
    said = io.StringIO()

    def run() -> None:
        records.update(run_plan(walk, scheduler=scheduler, stream=said, runs=True))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, records, said


def test_a_worker_killed_in_the_middle_leaves_the_bytes_of_a_serial_run(
    serial, fresh, tmp_path, monkeypatch
):
    stop_after_a_save(monkeypatch, fresh.home)
    with elsewhere(2, tmp_path) as (scheduler, workers):
        assert scheduler.address.startswith("tls://")
        thread, records, said = started(fresh, scheduler)
        until(lambda: set(in_training(fresh.home).values()) == set(workers))  # a run each
        trains = in_training(fresh.home)
        lost = next(name for name in trains if name.startswith("fixmatch"))
        os.kill(trains[lost], signal.SIGKILL)
        (fresh.home / "go").touch()
        thread.join(60)
    assert {name: r.state for name, r in records.items()} == dict.fromkeys(NAMES, "done"), said
    begun = (fresh.home / "resumed").read_text().split("\n")
    assert f"{lost} 2" in begun  # gone on with from step 2, by the other
    assert len(begun) == 4  # two runs, one of them begun twice
    assert outcome(fresh.home) == outcome(serial)
    assert len(outcome(serial)) == 12
    for name in NAMES:  # the notebook found its run finished, and it is the step's own
        found = fresh.executed(name).with_suffix(".found").read_text()
        assert found.endswith(" True")
        outputs = fresh.manifest(name)["outputs"]
        assert f"results/runs/{found.split()[0]}/model.safetensors" in outputs
    assert not list((fresh.home / "results").glob(".probe-*"))


def test_a_run_that_loses_every_worker_is_named(fresh, tmp_path, monkeypatch):
    import dask

    stop_after_a_save(monkeypatch, fresh.home)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        elsewhere(2, tmp_path) as (scheduler, _),
    ):
        thread, records, said = started(fresh, scheduler)
        until(lambda: len(in_training(fresh.home)) == 2)
        trains = in_training(fresh.home)
        lost = next(name for name in trains if name.startswith("fixmatch"))
        os.kill(trains[lost], signal.SIGKILL)
        until(lambda: f"results/runs/{lost}: its worker was lost" in said.getvalue())
        (fresh.home / "go").touch()
        thread.join(60)
    assert {name: r.state for name, r in records.items()} == dict(
        zip(NAMES, ("skipped", "done"), strict=True)
    )
    assert "waits for 04_fixmatch: fixmatch" in records[NAMES[0]].text
    # started again, by whoever, it goes on
    assert (
        runs_apart.state_of(fresh, fresh.steps[0], runs_apart.runs_of(fresh.steps[0])[0])
        == "to go on"
    )


def test_runs_are_listed_with_how_they_stand(serial, fresh):
    def states() -> list[str]:
        return [line.split("  ")[0] for line in runs_apart.listed(fresh, fresh.steps)]

    assert states() == ["to train", "to train"]
    (run,) = runs_apart.runs_of(fresh.steps[0])
    shutil.copytree(serial / "results/runs" / run.folder.name, run.folder)
    assert states() == ["done", "to train"]
    line = next(runs_apart.listed(fresh, fresh.steps))
    assert line.split() == ["done", f"results/runs/{run.folder.name}", "04_fixmatch:", "fixmatch"]
    shutil.rmtree(paths.results("small"))
    assert "run the notebook 01_koka10k first" in next(runs_apart.listed(fresh, fresh.steps))


def test_a_step_begun_for_its_runs_counts_as_cut_off_and_other_code_makes_them_anew(
    serial, fresh, monkeypatch
):
    step = fresh.steps[0]
    (run,) = runs_apart.runs_of(step)
    shutil.copytree(serial / "results/runs" / run.folder.name, run.folder)
    first, runs = runs_apart.begun(fresh, step, False)
    assert (first, [r.done for r in runs]) == ([], [True])
    assert why(fresh, step) == ["did not finish last time"]
    runs_apart.begun(fresh, step, False)
    assert run.done  # nothing changed: it goes on
    components = runs_apart.components

    def other(walk: Walk, step: Step) -> dict[str, str]:
        return components(walk, step) | {"library riqa_lib.training.loop": "other"}

    monkeypatch.setattr(runs_apart, "components", other)
    assert runs_apart.state_of(fresh, step, run) == "to train anew"
    runs_apart.begun(fresh, step, False)
    assert not list(run.folder.glob("*.*"))
    assert runs_apart.state_of(fresh, step, run) == "to train"
