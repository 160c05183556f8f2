"""A run's folder, from its settings to its last file. Used like this:

    with run_folder.opened(config) as place:
        if not place.done:
            place.write(train_and_predict(place.state()))  # a Result
    return place.folder

A finished run is reused; an interrupted one finds its saved states and goes on; what a training
leaves is written whole: weights, history, predictions, about, and provenance last, which means
"done". Only then do the saved states go. One process at a time trains a run, also where several
machines share the folder: others wait, and find it finished."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from .. import paths, store
from ..networks import ranks
from ..networks.device import threads
from ..networks.weights import save_weights
from ..provenance import commit, provenance


@dataclass(frozen=True)
class Result:
    """What a training leaves. net: None of a row that trains no network; facts: for
    provenance.json, besides software and machine; about: for about.json, which is not written where
    it is empty; last: what the weights of the last step say, where those that are kept were
    selected."""

    net: nn.Module | None
    history: pd.DataFrame
    predictions: pd.DataFrame
    facts: Mapping[str, object]
    about: Mapping[str, object] = field(default_factory=dict)
    last: pd.DataFrame | None = None


class RunFolder:
    """The folder of one run's settings. done: whether a finished run lies there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.done = folder, store.done(folder)
        self.began = time.perf_counter()

    def state(self, part: str = "") -> Path:
        """Where a training saves its state, to resume from; part: of runs that train several."""
        return self.folder / f"state{part and f'-{part}'}.safetensors"

    def write(self, result: Result) -> None:
        """Write what a training leaves. "seconds" are counted from when the folder was opened. Of
        several processes the first writes, and the others wait for that."""
        if ranks.first():
            self._write(result)
        ranks.wait()

    def _write(self, result: Result) -> None:
        if result.net is not None:
            save_weights(self.folder / "model.safetensors", result.net)
        store.write_table(self.folder / "history.csv", result.history)
        store.write_table(self.folder / store.PREDICTIONS["selected"], result.predictions)
        if result.last is not None:
            store.write_table(self.folder / store.PREDICTIONS["last"], result.last)
        if result.about:
            store.write_json(self.folder / "about.json", result.about)
        counted = {
            "seconds": round(time.perf_counter() - self.began, 1),
            "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in result.net.parameters()) if result.net else 0,
        }
        if ranks.world() > 1:
            counted["processes"] = ranks.world()
        facts = {**provenance(), **counted, **result.facts}
        store.finish(self.folder, facts)
        for state in self.folder.glob("state*.safetensors"):
            state.unlink(missing_ok=True)

    def reuse(self) -> None:
        """Note the finished run's files as this step's, and say so where other code made them. What
        it saved on its way goes, where it was killed before that."""
        for state in self.folder.glob("state*.safetensors"):
            state.unlink(missing_ok=True)
        for file in store.own_files(self.folder):
            store.journal(file)
        then = store.read_json(self.folder / "provenance.json")
        differs = [f"at commit {then.get('commit')}"] if then.get("commit") != commit() else []
        if then.get("threads", threads()) != threads():  # their sums differ in the last bits
            differs.append(f"with {then['threads']} threads, not {threads()}")
        if differs:
            print(
                f"{self.folder.name}: reusing a finished run made {', '.join(differs)}; "
                "delete the folder to train anew"
            )


class _Opened(Exception):
    """A training opened its folder while `place_of` asked for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


_asked: ContextVar[bool] = ContextVar("_asked", default=False)


def place_of(train: Callable[[], object]) -> Path:
    """The folder of the run that this call would train, or find finished; nothing is trained, made
    or written. Raises what the training raises before it opens a run."""
    before = _asked.set(True)
    try:
        train()
    except _Opened as found:
        return found.folder
    finally:
        _asked.reset(before)
    raise RuntimeError("no run's folder was opened")


def _named(config: dict) -> Path:
    return paths.runs() / f"{config['method']['name']}-{store.run_hash(config)}"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time has a run's folder; another says who has it, and waits.

    The lock lies beside the runs, in .locks. It is fcntl's: it works across machines where their
    shared file system has locks (NFS: mounted without nolock and local_lock), goes with the
    process that holds it, however that ends, and no child inherits it."""
    file = folder.parent / ".locks" / folder.name
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip()
            print(f"{folder.name}: {owner} trains it; waiting for that", flush=True)
            fcntl.lockf(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}")
        lock.flush()
        yield
        lock.truncate(0)


@contextlib.contextmanager
def opened(config: dict) -> Iterator[RunFolder]:
    """The run's folder for these settings, made if need be; what of it is not finished is locked
    (see `alone`). RuntimeError where the block ends and the run is not there; ValueError for a
    folder that holds other settings."""
    folder = _named(config)
    if _asked.get():
        raise _Opened(folder)
    with contextlib.ExitStack() as held:
        if not store.done(folder) and ranks.world() == 1:  # else the one that started these has it
            held.enter_context(alone(folder))
        if not (folder / "config.json").exists():  # whatever lies there is of no run
            for state in folder.glob("state*.safetensors"):
                state.unlink()
        place = RunFolder(store.run_folder(config))
        if place.done:
            place.reuse()
        else:
            threads()
        yield place
    if not store.done(place.folder):
        raise RuntimeError(f"{paths.shown(place.folder)}: nothing was written for this run")


def finished(config: dict, what: str, notebook: str, seed: int) -> str:
    """The name of the finished run's folder for these settings; FileNotFoundError, naming the
    notebook to run, where there is none."""
    folder = _named(config)
    if not store.done(folder):
        raise FileNotFoundError(
            f"{paths.shown(folder)}: {what} is not there yet; "
            f"run notebook {notebook} with SEED = {seed} and the same settings"
        )
    return folder.name


def note(name: str, kind: str, rows: list[str], seed: int, lines: list[dict]) -> pd.DataFrame:
    """Note what was trained, a line a run, in a table of results/<name>/tables, named by kind, last
    row and seed; returns that table."""
    table = pd.DataFrame(lines)
    store.write_table(paths.results(name) / "tables" / f"{kind}-{rows[-1]}-seed{seed}.csv", table)
    return table
