"""Common to all tests: one thread each, a temporary home, the extra of real data."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RIQA_THREADS"):
    os.environ.setdefault(name, "1")
# few pictures: two processes would start for longer than they work
os.environ.setdefault("RIQA_PROCESSES", "1")

# A grammar that jsonschema builds when it is imported, and no test uses (riqa_lib/plan/kernel.py)
sys.modules.setdefault("rfc3987_syntax", None)

# looking for garbage after 700 objects takes a quarter of the time of importing torch
gc.set_threshold(50_000)

# After an installation whoever imports a package first compiles it. Every other worker begins with
# torch, so that two don't compile the same one at once: 19 s until tests begin, 24 without.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579":
    import timm  # noqa: F401

REPOSITORY = Path(__file__).resolve().parents[1]
# Begun first, so that at the end no worker is alone with one of them
LONG = ("notebooks", "benchmarks", "faults", "plan")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders of LONG first, in its order; the rest as it was found."""
    rank = {REPOSITORY / "tests" / folder: place for place, folder in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.parent, len(LONG)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", metavar="CSV", help="append what each test costs (CONTRIBUTING.md)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """With --costs, a line a test: its CPU seconds, those of processes that it started and that
    ended, seconds by the clock, file, test. What a fixture costs counts for the first test that
    uses it."""
    before = os.times()
    try:
        return (yield)
    finally:
        if file := item.config.getoption("--costs"):
            mine, ended, clock = costs(before, os.times())
            where, _, test = item.nodeid.partition("::")
            with open(file, "a", encoding="utf-8") as f:
                f.write(f"{mine:.2f},{ended:.2f},{clock:.2f},{where},{test}\n")


def costs(before: os.times_result, now: os.times_result) -> tuple[float, float, float]:
    """CPU seconds of this process, of its ended children, and seconds by the clock."""
    mine = now.user + now.system - before.user - before.system
    every = sum(now[:4]) - sum(before[:4])
    return mine, max(0.0, every - mine), now.elapsed - before.elapsed


def real_data(*parts: str) -> Path:
    """A file or folder of the real data beside the repository (or below RIQA_SHARED_DATA); without
    it the test is skipped."""
    path = Path(
        os.environ.get("RIQA_SHARED_DATA") or REPOSITORY.parent / "shared" / "data"
    ).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there: nothing was checked against it")
    return path


@pytest.fixture(scope="module")
def module_home(tmp_path_factory) -> Iterator[Path]:
    """As `home`, one for all tests of a file."""
    folder = tmp_path_factory.mktemp("module") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIQA_HOME", str(folder))
        patch.delenv("RIQA_JOURNAL", raising=False)
        yield folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh RIQA_HOME: everything a test writes goes there."""
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIQA_JOURNAL", raising=False)
    return tmp_path / "home"
