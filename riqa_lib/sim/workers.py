"""Processes that make pictures, one thread each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context

from ..variables import variables


def one_thread() -> AbstractContextManager[None]:
    """Processes that start in this block compute with one thread each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return variables(dict.fromkeys(names, "1"))


@contextmanager
def spawned(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes of one thread each, started afresh (a fork of a process with threads may
    hang), so a script needs `if __name__ == "__main__":`."""
    with one_thread(), ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as workers:
        yield workers
