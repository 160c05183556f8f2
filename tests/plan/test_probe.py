"""Whether workers of a cluster can run our steps: asked of forked processes, as of workers."""

from __future__ import annotations

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from riqa_lib.plan import probe
from riqa_lib.plan.probe import Seen, look, problem
from riqa_lib.plan.steps import PlanError

OURS = Seen(True, True, "1f", {"torch": "2.11", "numpy": "2.3"})


def elsewhere(call, *given):
    """What a call gives in a process of its own."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writes, pickle.dumps(call(*given)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return pickle.loads(os.read(reads, 1 << 16))


class Client:
    """Stands in for dask's: workers "a", "b", ... that are processes of their own."""

    def __init__(self) -> None:
        self.sent_away: list[str] = []
        self.lost: dict[str, BaseException] = {}  # workers on which nothing runs

    def run(self, call, *given, workers, on_error):
        assert on_error == "return"
        return {w: self.lost.get(w) or elsewhere(call, *given) for w in workers}

    def retire_workers(self, workers):
        self.sent_away += workers


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A probe with its client; the library's hash is none of these tests' matter."""
    monkeypatch.setattr(probe, "code", lambda: "1f")
    client = Client()
    with probe.probe(client, tmp_path) as its:
        yield its, client


def test_a_worker_that_sees_the_folder_and_its_locks_is_taken(asked, tmp_path):
    its, client = asked
    its.admit({"a", "b"}, print)
    assert its.known == {"a", "b"}
    assert client.sent_away == []
    assert look(str(its.file), probe._me()).locked  # where a worker is this very process
    assert elsewhere(look, str(its.file), probe._me()).locked  # and its lock is still ours


def test_the_file_goes_with_the_run(tmp_path):
    with probe.probe(Client(), tmp_path):
        assert len(list((tmp_path / "results").iterdir())) == 1
    assert not list((tmp_path / "results").iterdir())


def test_a_folder_that_is_not_shared_stops_all_before_anything_runs(asked):
    its, _ = asked
    its.file.unlink()
    with pytest.raises(PlanError, match=r"worker b: it does not see .*results; all machines must"):
        its.admit({"b"}, print)


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_one_kind_of_lock_that_is_not_seen_is_not_enough(asked, monkeypatch, kind):
    its, _ = asked
    monkeypatch.setattr(fcntl, kind, lambda *a: None)  # as on a folder mounted with local locks
    with pytest.raises(PlanError, match=r"worker a: it sees .* but not our locks on it; mount"):
        its.admit({"a"}, print)


def test_one_that_comes_later_is_sent_away_and_the_others_go_on(asked):
    its, client = asked
    said: list[str] = []
    its.admit({"a"}, said.append)
    client.lost["b"] = ModuleNotFoundError("No module named 'riqa_lib'")
    its.admit({"a", "b"}, said.append)
    its.admit({"a", "b"}, said.append)  # it is known by now
    assert client.sent_away == ["b"]
    assert len(said) == 1
    assert "worker b is sent away: riqa cannot be run there (ModuleNotFoundError" in said[0]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (OURS, ""),
        (OURS._replace(code="2e"), "its riqa is not the one that runs here"),
        (
            OURS._replace(versions={"torch": "2.10", "numpy": "2.3"}),
            "it has torch 2.10, here it is 2.11",
        ),
    ],
)
def test_another_library_is_named(seen, said):
    assert problem(seen, OURS, "x") == said


def test_the_library_s_hash_sees_every_module(tmp_path, monkeypatch):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(probe.house, "LIBRARY", tmp_path)
    before = probe.code()
    Path(tmp_path, "b.py").write_text("x = 2\n")
    assert probe.code() != before
