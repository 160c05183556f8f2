"""Many pictures through a few threads: read ahead, in order, never more than some dozens at a
time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
BATCH = 32  # pictures a forward pass


def batches(
    source: Iterator[S], prepare: Callable[[S], T], workers: int, batch: int = BATCH
) -> Iterator[list[T]]:
    """What `prepare` makes of each file or page, in order, `batch` at a time. workers: threads that
    prepare; at most batch x (workers + 1) results are in memory.

    >>> [*batches(iter("abc"), str.upper, workers=1, batch=2)]
    [['A', 'B'], ['C']]
    """
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        while True:
            while len(waiting) < batch * (workers + 1) and (file := next(source, None)) is not None:
                waiting.append(pool.submit(prepare, file))
            if not waiting:
                return
            yield [waiting.popleft().result() for _ in range(min(batch, len(waiting)))]
    finally:
        pool.shutdown(cancel_futures=True)  # interrupted: nothing more is begun
