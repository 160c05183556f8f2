"""Common to all tests: one thread each, a temporary home, the extra of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RIQA_THREADS"):
    os.environ.setdefault(name, "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh RIQA_HOME: everything a test writes goes there."""
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIQA_JOURNAL", raising=False)
    return tmp_path / "home"
