"""A data set on disk: a table beside a uint8 memory-mapped store of pixels.

A data folder holds
    frame.csv       one row a picture (see riqa_lib.datasets)
    pixels.npy      uint8, N x size x size x 3, RGB; row i belongs to row i of the frame
    dataset.json    {"name", "simulated", "size", "classes", "settings", "key", ...}; written last:
                    it means "done"
While it is being written: .pixels-<key>.part, to resume from.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import bars, paths, store
from .splits import check_splits


def data_key(data: DataSet) -> str:
    """Names what a run learns from: the pictures, by their key, and what the table says of them, by
    its content."""
    return f"{data.info['key']}-{_named(data.frame)}"


COLUMNS = ("id", "path", "group", "source", "split", "grade", "score")
TEXT = ("id", "path", "group", "source", "split")
Finish = Callable[[], tuple[pd.DataFrame, dict]]


# ---------------------------------------------------------------- reading
@dataclass(frozen=True)
class DataSet:
    """A data folder, opened: frame (one row a picture), pixels (uint8, N x size x size x 3, on
    disk), info."""

    folder: Path
    frame: pd.DataFrame
    pixels: np.ndarray
    info: dict

    def __len__(self) -> int:
        return len(self.frame)


def open_dataset(folder: Path | str) -> DataSet:
    """Open a data folder; the pixels stay on disk until used.

    Raises FileNotFoundError, naming the notebook to run, when it is not there, and ValueError,
    naming the file, when its parts don't fit together."""
    folder = Path(folder)
    info = store.read_json(store.need(folder / "dataset.json", "01_koka10k"))
    frame_file, pixel_file = (
        store.need(folder / name, "01_koka10k") for name in ("frame.csv", "pixels.npy")
    )
    missing = [key for key in ("name", "simulated", "size", "classes") if key not in info]
    if missing:
        raise ValueError(f"{paths.shown(folder / 'dataset.json')}: {', '.join(missing)} missing")
    frame = store.read_table(frame_file)
    frame = frame.fillna({c: "" for c in TEXT if c in frame})
    _check_frame(frame, paths.shown(frame_file), info["classes"])
    try:
        pixels = np.load(pixel_file, mmap_mode="r")
    except (ValueError, EOFError, OSError) as e:
        raise ValueError(
            f"{paths.shown(pixel_file)}: damaged ({e}); delete the folder and make it again"
        ) from e
    expected = (len(frame), info["size"], info["size"], 3)
    if pixels.shape != expected or pixels.dtype != np.uint8:
        raise ValueError(
            f"{paths.shown(pixel_file)}: {pixels.dtype} {pixels.shape}, but frame.csv and "
            f"dataset.json say uint8 {expected}"
        )
    return DataSet(folder, frame, pixels, info)


def _check_frame(frame: pd.DataFrame, name: str, classes: int) -> None:
    """Raise ValueError, naming column or row, unless this is a frame of the agreed form."""
    lacking = store.no_column(frame, COLUMNS)
    if lacking:
        raise ValueError(f"{name}: {lacking}")
    if not len(frame):
        raise ValueError(f"{name}: no pictures")
    for wrong, column, expected in (
        (frame["id"].duplicated().to_numpy(), "id", "each id once"),
        (
            ~frame["grade"].isin(range(-1, classes)).to_numpy(),
            "grade",
            f"-1 (none) to {classes - 1}",
        ),
    ):
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(
                f"{name}: row {i + 2}: {column} {frame[column].iloc[i]}, expected {expected}"
            )
    try:
        check_splits(frame)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from e


# ---------------------------------------------------------------- writing
def write_dataset(
    folder: Path | str,
    frame: pd.DataFrame,
    size: int,
    blocks: Callable[[int], Iterable[np.ndarray]],
    *,
    key: str,
    info: dict,
    progress: bool = True,
    finish: Finish | None = None,
) -> Path:
    """Write a data folder, resumably; returns it. A reader sees all of it or none.

    blocks(start): yields uint8 arrays (n, size, size, 3) for the frame's rows start, start + 1, ...
    in order. finish: where some rows may turn out to have no pixels: blocks leave them out (start
    counts those that are there), and finish() returns the frame without them and what dataset.json
    says besides. key: names what the pixels are made from; pixels of the same key, size and length
    are kept. info: name, simulated, classes, settings (plain JSON). Raises OSError when the disk is
    too small, what blocks raises, ValueError for a frame not of the agreed form. An OSError or a
    kill leaves a .part file to resume from, any other error nothing."""
    folder = Path(folder)
    if size < 1:
        raise ValueError(f"size = {size}: expected a side in pixels, at least 1")
    _check_frame(frame, info["name"], info["classes"])
    shape = (len(frame), size, size, 3)
    key = store.settings_hash({"key": key, "shape": shape})
    info = info | {"size": size, "pictures": len(frame), "key": key, "frame": _named(frame)}
    store.settings_hash(info)  # complains now, not after the work, of what JSON can't hold
    info = json.loads(json.dumps(info))
    files = [folder / file for file in ("frame.csv", "pixels.npy", "dataset.json")]
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        found = store.read_json(files[-1]) if all(file.exists() for file in files) else {}
        part = None
        if found.get("key") != key:
            told = f"{info['name']}: pictures"
            part = complete(folder, shape, key, blocks, told, progress, finish is not None)
        if finish is not None:
            frame, more = finish()
            there = len(left(part, shape)) if part else found["pictures"]
            if there != len(frame):
                raise ValueError(
                    f"{paths.shown(folder)}: {there} pictures are there, expected {len(frame)}; "
                    "delete the folder and make it again"
                )
            info |= more | {"pictures": len(frame), "frame": _named(frame)}
        if found != info:
            put(folder, frame, info, part)
        for file in files:
            store.journal(file)
    return folder


def _named(frame: pd.DataFrame) -> str:
    """Names a table by its content."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()[:12]


def put(folder: Path, frame: pd.DataFrame, info: dict, pixels: Path | None) -> None:
    """Finish a data folder: the pixels that `complete` returned (None: those there stay), the
    frame, and dataset.json, without which nobody takes it for whole."""
    done = folder / "dataset.json"
    done.unlink(missing_ok=True)
    if pixels is not None:
        os.replace(pixels, folder / "pixels.npy")
        store.journal(folder / "pixels.npy")
    store.write_table(folder / "frame.csv", frame)
    store.write_json(done, info)


# ---------------------------------------------------------------- pixels on their way
def part_file(folder: Path, key: str) -> Path:
    """Where the pixels of this key grow: a .npy whose length says how many pictures are done."""
    return folder / f".pixels-{key}.part"


def npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """How a .npy of this shape and type begins."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


def _header(shape: tuple[int, ...]) -> bytes:
    return npy_header(shape, np.dtype(np.uint8))


def left(part: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The whole pictures that an earlier call left, uint8 (n, ...), read-only; n may be 0."""
    header, each = len(_header(shape)), int(np.prod(shape[1:]))
    length = part.stat().st_size if part.exists() else 0
    n = max(0, (length - header) // each)
    if not n:
        return np.empty((0, *shape[1:]), np.uint8)
    return np.memmap(part, np.uint8, mode="r", offset=header, shape=(n, *shape[1:]))


def complete(
    folder: Path,
    shape: tuple[int, ...],
    key: str,
    blocks: Callable[[int], Iterable[np.ndarray]],
    name: str,
    bar: bool,
    fewer: bool = False,
) -> Path:
    """Make what the .part file of this key lacks; returns it. See `write_dataset` for blocks and
    what is raised. fewer: whether there may be less pictures in the end than in `shape`. The .part
    files of other keys, and what lies beside them, are removed."""
    header, each = _header(shape), int(np.prod(shape[1:]))
    part = part_file(folder, key)
    for other in folder.glob(".pixels-*"):
        if not other.name.startswith(part.name):
            other.unlink()
    start = len(left(part, shape))
    store.free_space(folder, (shape[0] - start) * each)
    part.touch()
    try:
        with (
            open(part, "r+b") as f,
            bars.bar(
                total=shape[0], initial=start, desc=name, unit="picture", shown=bar
            ) as progress,
        ):
            f.write(header)
            f.truncate(len(header) + start * each)
            f.seek(0, os.SEEK_END)
            for block in blocks(start) if start < shape[0] else ():
                _check_block(block, shape, name)
                f.write(np.ascontiguousarray(block).data)
                f.flush()
                progress.update(len(block))
            written = (f.tell() - len(header)) // each
            if fewer and written:
                f.seek(0)
                f.write(_header((written, *shape[1:])))  # as long: numpy leaves room for any length
            elif written != shape[0]:
                raise ValueError(f"{name}: {written} were made, expected {shape[0]}")
            os.fsync(f.fileno())
    except OSError:  # a full disk: what is there can be resumed
        raise
    except Exception:
        part.unlink(missing_ok=True)
        raise
    return part


def _check_block(block: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    if block.dtype != np.uint8 or block.shape[1:] != shape[1:]:
        raise ValueError(f"{name}: {block.dtype} {block.shape[1:]}, expected uint8 {shape[1:]}")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time writes a data folder; another waits. A killed process lets go by
    itself."""
    with open(folder / ".lock", "w", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield
