"""Common to all tests: one thread each, a temporary home, the extra of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RIQA_THREADS"):
    os.environ.setdefault(name, "1")

REPOSITORY = Path(__file__).resolve().parents[1]


def real_data(*parts: str) -> Path:
    """A file or folder of the real data beside the repository (or below RIQA_SHARED_DATA); without
    it the test is skipped."""
    path = Path(
        os.environ.get("RIQA_SHARED_DATA") or REPOSITORY.parent / "shared" / "data"
    ).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there: nothing was checked against it")
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh RIQA_HOME: everything a test writes goes there."""
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIQA_JOURNAL", raising=False)
    return tmp_path / "home"
