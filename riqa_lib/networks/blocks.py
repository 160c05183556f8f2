"""Pools larger than memory: their pictures, or maps, stay in the file, and what a step sees of them
is gathered when it is asked for.

    source = seen_through(lambda pixels: Pixels(pixels, 64), data.pixels)

`RIQA_IN_MEMORY` is the share of the memory that is available now, 0 to 1 (half of it where nothing
is said), that a pool may take; 0 gathers from any. It is no setting of a run: what a run sees, and
so what it ends with, is the same bytes either way (tests/networks/test_blocks.py). On a GPU a pool
lies there while it takes less than half of what is free, else it is gathered here, in pinned
memory, and its views are made on the GPU as if it lay there."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from ..bounds import Range
from .device import device, on_device, sent
from .sources import Source
from .views import Policy, View

SHARE = "RIQA_IN_MEMORY"
HALF = 0.5
# what a container may take; absent, or no number, where there is no such limit
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def share() -> float:
    """Of the available memory, what a pool may take: RIQA_IN_MEMORY. ValueError unless 0 to 1."""
    typed = os.environ.get(SHARE) or str(HALF)
    try:
        value = float(typed)
    except ValueError:
        value = float("nan")
    if wrong := Range(0, 1).wrong(value):
        raise ValueError(f"{SHARE} is {typed!r}; {wrong}: the share of memory that a pool may take")
    return value


def available() -> int:
    """Bytes that this process could take: what the system says, in a container at most its
    limit."""
    limits = [file.read_text().strip() for file in LIMITS if file.exists()]
    return min([psutil.virtual_memory().available, *(int(n) for n in limits if n.isdigit())])


def seen_through(make: Callable[..., Source], *arrays: np.ndarray) -> Source:
    """The source that `make` makes of tensors, one an array (N, ...), on the device that networks
    run on; or, where arrays on disk are too large to be held, one that shows the same, and gathers
    of them what each view asks for."""
    where = device()
    stored = [a for a in arrays if isinstance(a, np.memmap)]
    if len(stored) == len(arrays) and not fits(where, arrays):
        return Blocks(make, tuple(map(Mapped, stored)), where)
    return make(*(on_device(a, where) for a in arrays))


def fits(where: torch.device, arrays: tuple[np.ndarray, ...]) -> bool:
    """Whether arrays may lie there whole: on a GPU in half of its free memory, else in `share` of
    what is `available`."""
    size = sum(a.nbytes for a in arrays)
    if where.type == "cuda":
        return size < torch.cuda.mem_get_info()[0] // 2
    return size <= share() * available()


class Mapped:
    """An array on disk of which rows are gathered, and no page stays in memory after.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "rows.npy"
    >>> np.save(file, np.arange(6).reshape(3, 2))
    >>> Mapped(np.load(file, mmap_mode="r")).gathered(torch.tensor([2, 0]))
    tensor([[4, 5],
            [0, 1]])
    """

    def __init__(self, array: np.memmap) -> None:
        with open(str(array.filename), "rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self.map, array.dtype, array.size, array.offset)
        self.array = flat.reshape(array.shape)

    def gathered(self, rows: Tensor) -> Tensor:
        """Rows (N,) of it, in memory of their own."""
        found = torch.from_numpy(self.array[rows.numpy()])
        self.map.madvise(mmap.MADV_DONTNEED)  # the system's cache of the file keeps them or not
        return found


class Blocks:
    """A source of pictures that lie on disk: `make` of the rows that a view asks for, and of no
    others. where: the device that they are sent to, on which views are made. Raises what `make`
    raises of such arrays."""

    def __init__(
        self, make: Callable[..., Source], arrays: tuple[Mapped, ...], where: torch.device
    ) -> None:
        self.make, self.arrays, self.where = make, arrays, where
        self._of(torch.arange(0))  # what does not fit is told now

    @property
    def device(self) -> torch.device:
        return self.where

    def view(self, rows: Tensor, policy: Policy, tokens: int, g: torch.Generator) -> View:
        return self._of(rows).view(torch.arange(len(rows)), policy, tokens, g)

    def looks(self, rows: Tensor) -> Tensor:
        return self._of(rows).looks(torch.arange(len(rows)))

    def _of(self, rows: Tensor) -> Source:
        return self.make(*(sent(a.gathered(rows), self.where) for a in self.arrays))
