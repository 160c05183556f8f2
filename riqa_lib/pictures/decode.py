"""Picture files read, and decoded once into a data folder (datasets.data_folder)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from .. import paths, store
from ..datasets.data_folder import write_dataset
from ..datasets.folder import read_folder
from ..datasets.problems import FolderError, Problem

BLOCK = 64  # pictures between two writes


# ---------------------------------------------------------------- one picture
def read_picture(file: Path | str) -> Image.Image:
    """A picture file as an upright RGB image: EXIF orientation applied, see-through parts on white,
    16 bits made 8.

    Raises ValueError that says what is wrong with it: not a picture, truncated, too large, of
    unknown range."""
    return read_near(file, None)[0]


def read_near(file: Path | str, least: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """`read_picture`, and the file's own (width, height). A JPEG is decoded at the least of 1/8,
    1/4, 1/2, 1 that leaves its shorter side at `least` px or more (None: as it is), which is much
    faster."""
    try:
        with Image.open(file) as opened:
            size = opened.size
            if least is not None:
                opened.draft(None, (least, least))
            return rgb(ImageOps.exif_transpose(opened)), size
    except UnidentifiedImageError as e:
        raise ValueError("not a picture") from e
    except Image.DecompressionBombError as e:
        raise ValueError(f"too large, a decompression bomb? ({e})") from e
    except FileNotFoundError as e:
        raise ValueError("missing file") from e
    except Exception as e:  # damaged files make decoders raise almost anything
        raise ValueError(f"cannot be decoded ({str(e) or type(e).__name__})") from e


def rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip at 255
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"grey values from {grey.min()} to {grey.max()}, expected 0 to 65535")
        image = Image.fromarray(((grey + 128) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point grey values: their range is not known")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def fit(image: Image.Image, size: int) -> np.ndarray:
    """An RGB image as uint8 (size, size, 3): shorter side scaled to `size`, centre cut out, in one
    resampling.

    Bicubic with antialiasing; a shorter side of just `size` is not resampled at all."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    if side == size:
        return np.asarray(image.crop((int(left), int(top), int(left) + size, int(top) + size)))
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


class Way(NamedTuple):
    """How a picture becomes pixels.

    cut: an RGB image and a side -> uint8 (side, side, 3); ValueError for one that it can't take.
    version: a name and a number, raised when the same files would give other pixels. workers: those
    that decode side by side; processes need a `cut` that can be sent to them."""

    cut: Callable[[Image.Image, int], np.ndarray]
    version: dict[str, int]
    workers: Callable[[int], AbstractContextManager[Executor]]


# threads: Pillow lets go of Python's lock while it decodes and resamples
WHOLE = Way(fit, {"decoding": 1}, ThreadPoolExecutor)


def _pixels_or_problem(job: tuple[int, str, Path, int, Callable]) -> np.ndarray | Problem:
    row, name, file, size, cut = job
    try:
        return cut(read_picture(file), size)
    except ValueError as e:
        return Problem("unreadable picture", row, name, str(e))


def _decoded(
    frame: pd.DataFrame, root: Path, size: int, processes: int, start: int = 0, way: Way = WHOLE
) -> Iterator[list[np.ndarray | Problem]]:
    """Blocks of decoded pictures, in order."""
    rows = frame["row"] if "row" in frame else range(2, len(frame) + 2)
    jobs = [
        (int(row), name, root / path, size, way.cut)
        for row, name, path in zip(rows, frame["id"], frame["path"], strict=True)
    ][start:]
    with way.workers(processes) as pool:
        for i in range(0, len(jobs), BLOCK):
            run: Callable = pool.map if processes > 1 else map
            yield list(run(_pixels_or_problem, jobs[i : i + BLOCK]))


def check_pictures(
    frame: pd.DataFrame, root: Path | str, *, processes: int = 1, progress: bool = True
) -> list[Problem]:
    """Decode every picture of a frame (columns id, path, perhaps row) and return those that can't
    be: [] is good."""
    problems: list[Problem] = []
    with tqdm(total=len(frame), desc="check pictures", unit="picture", disable=not progress) as bar:
        for block in _decoded(frame, Path(root), 8, processes):
            problems += [p for p in block if isinstance(p, Problem)]
            bar.update(len(block))
    return problems


# ---------------------------------------------------------------- all pictures
def decode(
    frame: pd.DataFrame,
    root: Path | str,
    folder: Path | str,
    size: int,
    *,
    name: str,
    simulated: bool = False,
    classes: int = 5,
    processes: int = 1,
    progress: bool = True,
    settings: dict | None = None,
    way: Way = WHOLE,
) -> Path:
    """Decode the pictures of a frame, once, into a data folder; returns the folder.

    frame: as read_folder returns it, `path` relative to root. size: side in pixels. name,
    simulated, classes, settings: noted in dataset.json. processes: how many pictures are decoded
    side by side (the result is the same). way: how a picture becomes pixels. The same files and
    size again return at once, with another frame (splits, grades) only that is written anew;
    interrupted, it goes on where it was. Raises FolderError with every picture that can't be
    decoded (nothing is written then); OSError when the disk is too small; ValueError for a frame
    that is not of the agreed form."""
    root = Path(root)
    problems: list[Problem] = []

    def blocks(start: int) -> Iterator[np.ndarray]:
        for block in _decoded(frame, root, size, processes, start, way):
            problems.extend(p for p in block if isinstance(p, Problem))
            if not problems:
                yield np.stack(block)
        if problems:
            raise FolderError(name, problems)

    info = {
        "name": name,
        "simulated": simulated,
        "classes": classes,
        "settings": settings or {},
        "notes": frame.attrs.get("notes", []),
    }
    return write_dataset(
        folder, frame, size, blocks, key=_key(frame, root, way), info=info, progress=progress
    )


def _key(frame: pd.DataFrame, root: Path, way: Way) -> str:
    """What the pixels depend on besides the size: names, lengths and times of the files, and the
    way."""
    problems, files = [], []
    for i, path in enumerate(frame["path"]):
        if os.path.isfile(root / path):
            stat = os.stat(root / path)
            files.append([path, stat.st_size, stat.st_mtime_ns])
        else:
            row = int(frame["row"].iloc[i]) if "row" in frame else i + 2
            problems.append(Problem("missing file", row, str(frame["id"].iloc[i]), path))
    if problems:
        raise FolderError(paths.shown(root), problems)
    return store.settings_hash({**way.version, "files": files})


def import_folder(
    root: Path | str,
    table: Path | str,
    folder: Path | str,
    size: int,
    *,
    name: str,
    processes: int = 1,
    progress: bool = True,
    **declared: Any,
) -> Path:
    """Your own pictures, in one call: read_folder, then decode, into a data folder; returns the
    folder.

    declared: what the table's columns mean, the keywords of riqa_lib.datasets.folder.read_folder
    (id=, score=, low=, high=, ...). Raises FolderError with every problem of the table, its files
    and its pictures together."""
    try:
        frame = read_folder(root, table, **declared)
    except FolderError as e:
        if e.good is None:
            raise
        unreadable = check_pictures(e.good, root, processes=processes, progress=progress)
        raise FolderError(e.table, e.problems + unreadable) from None
    return import_frame(
        frame,
        root,
        folder,
        size,
        name=name,
        classes=declared.get("classes", 5),
        processes=processes,
        progress=progress,
        settings=declared,
    )


def import_frame(
    frame: pd.DataFrame,
    root: Path | str,
    folder: Path | str,
    size: int,
    *,
    name: str,
    classes: int = 5,
    processes: int = 1,
    progress: bool = True,
    settings: dict | None = None,
) -> Path:
    """A loader's frame (columns COLUMNS; `path` relative to root) into a data folder, in one call;
    returns the folder.

    As decode, but missing files and pictures that can't be decoded are reported together, in one
    FolderError."""
    root = Path(root)
    there = np.array([os.path.isfile(root / path) for path in frame["path"]], dtype=bool)
    if not there.all():
        rows = frame["row"] if "row" in frame else pd.Series(range(2, len(frame) + 2), frame.index)
        lines = frame.assign(row=rows)
        problems = [
            Problem("missing file", int(line.row), str(line.id), str(line.path))
            for line in lines[~there].itertuples()
        ]
        problems += check_pictures(lines[there], root, processes=processes, progress=progress)
        raise FolderError(name, problems)
    return decode(
        frame,
        root,
        folder,
        size,
        name=name,
        classes=classes,
        processes=processes,
        progress=progress,
        settings=settings,
    )
