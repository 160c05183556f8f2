"""What baselines measure of every picture, once: a small table of numbers beside the pixels.

    measured-<what>-<key>.npy    float64 (N, features), in the order of the frame

The key names the pictures (the data set's own key), what they are measured on, and the code that
measures: a changed formula measures anew. Runs at other seeds and numbers of labels read it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import paths, store
from ..datasets.data_folder import DataSet, alone
from ..sim.workers import spawned

Floats = NDArray[np.float64]
BLOCK = 64  # pictures measured at a time: what is measured lies on disk, maybe larger than memory
AHEAD = 4  # blocks a process is given ahead
MANY = 1000  # pictures from which it is worth starting processes


def by_blocks(
    measure: Callable[[np.ndarray], Floats],
    stored: np.ndarray,
    rows: np.ndarray,
    processes: int = 1,
) -> Floats:
    """measure(stored[rows]), some rows at a time; of many pictures in so many processes, some
    blocks for each in memory at a time, which changes no bit."""
    blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
    if processes == 1 or len(rows) < MANY:
        return np.concatenate([measure(stored[block]) for block in blocks])
    out: list[Floats] = []
    with spawned(processes) as workers:
        for i in range(0, len(blocks), AHEAD * processes):
            read = [stored[block] for block in blocks[i : i + AHEAD * processes]]
            out += workers.map(measure, read)
    return np.concatenate(out)


def key_of(data: DataSet, measure: Callable, source: str) -> str:
    """Names pictures, what they are measured on (source: a key, "" for the pixels) and the code."""
    code = inspect.getsource(inspect.getmodule(measure) or measure)
    return store.settings_hash(
        {
            "pictures": data.info["key"],
            "on": source,
            "measure": [measure.__name__, hashlib.sha256(code.encode()).hexdigest()],
        }
    )


def measured(
    data: DataSet,
    measure: Callable[[np.ndarray], Floats],
    stored: np.ndarray,
    source: str = "",
    processes: int = 1,
) -> Floats:
    """measure(stored), (N, features), made now where it is not there yet.

    ValueError, naming the file, where what is there is damaged or of another number of pictures."""
    name = f"measured-{measure.__name__}-{key_of(data, measure, source)}.npy"
    return kept(
        data.folder,
        name,
        (len(data), -1),
        lambda: by_blocks(measure, stored, np.arange(len(data)), processes),
    )


def kept(
    folder: Path, name: str, shape: tuple[int, ...], make: Callable[[], np.ndarray]
) -> np.ndarray:
    """The array of this name in a data folder, made now where it is not there yet. shape: what it
    must have, -1 for any length.

    ValueError, naming the file, where what is there is damaged or of another shape."""
    file = folder / name
    with alone(folder):  # another process may be making the same
        if not file.exists():
            made = make()
            with store.replacing(file) as temporary, open(temporary, "wb") as f:
                np.save(f, made)
    again = "delete it and it is made again"
    try:
        table = np.load(file)
    except (ValueError, EOFError, OSError) as e:
        raise ValueError(f"{paths.shown(file)}: damaged ({e}); {again}") from e
    fits = table.ndim == len(shape) and all(
        want in (-1, n) for want, n in zip(shape, table.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{paths.shown(file)}: {table.shape}, expected a row for each of {shape[0]} pictures; "
            f"{again}"
        )
    store.journal(file)
    return table
