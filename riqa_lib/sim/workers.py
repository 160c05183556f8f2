"""Processes that make pictures, one thread each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that start in this block compute with one thread each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def spawned(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes of one thread each, started afresh (a fork of a process with threads may
    hang), so a script needs `if __name__ == "__main__":`."""
    with one_thread(), ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as workers:
        yield workers
