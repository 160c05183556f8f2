"""Picture files read, and decoded once into a data folder (datasets.data_folder)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from .. import bars, contents, paths, store
from ..datasets.data_folder import write_dataset
from ..datasets.folder import read_folder
from ..datasets.problems import FolderError, Problem, listed
from .file_kinds import heif_is_there, pydicom_is_there
from .reading import MAX_PIXELS, read
from .told import LEFT_OUT, Seen, Told, folder_error, left_out, shortened, write_problems
from .windows import WAYS, WHOLE, Way, check_scale, enlarged

BLOCK = 64  # pictures between two writes
BAD = ("stop", "skip")  # what becomes of pictures that can't be read
INDEX = ".files.json"  # in a data folder: what its files held, by size and time (contents.digests)


# ---------------------------------------------------------------- one picture
class Job(NamedTuple):
    """A picture to decode: its row and id in the table, its file, and how."""

    row: int
    name: str
    file: Path
    size: int
    cut: Callable[[Image.Image, int], np.ndarray]
    max_pixels: int


def _seen(job: Job) -> Seen:
    try:
        picture = read(job.file, None, job.max_pixels)
        pixels = job.cut(picture.image, job.size)
    except ValueError as e:
        return Seen(None, [Problem("unreadable picture", job.row, job.name, str(e))])
    notes = picture.notes + enlarged(picture, job.size)
    return Seen(pixels, [Problem(kind, job.row, job.name, what) for kind, what in notes])


def check_bad(bad: str) -> None:
    """ValueError for something else than "stop" or "skip"."""
    if bad not in BAD:
        raise ValueError(f"data.bad is {bad!r}; allowed: {', '.join(BAD)}")


def _decoded(
    frame: pd.DataFrame,
    root: Path,
    size: int,
    processes: int,
    start: int = 0,
    way: Way = WHOLE,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[list[Seen]]:
    """Blocks of decoded pictures, in order."""
    jobs = [
        Job(int(row), name, root / path, size, way.cut, max_pixels)
        for row, name, path in zip(_rows(frame), frame["id"], frame["path"], strict=True)
    ][start:]
    with way.workers(processes) as pool:
        for i in range(0, len(jobs), BLOCK):
            run: Callable = pool.map if processes > 1 else map
            yield list(run(_seen, jobs[i : i + BLOCK]))


def check_pictures(
    frame: pd.DataFrame,
    root: Path | str,
    *,
    processes: int = 1,
    progress: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> list[Problem]:
    """Decode every picture of a frame (columns id, path, perhaps row) and return those that can't
    be: [] is good."""
    problems: list[Problem] = []
    with bars.bar(desc="check pictures", total=len(frame), unit="picture", shown=progress) as bar:
        for block in _decoded(frame, Path(root), 8, processes, max_pixels=max_pixels):
            problems += [p for seen in block if seen.pixels is None for p in seen.told]
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
    bad: str = "stop",
    max_pixels: int = MAX_PIXELS,
) -> Path:
    """Decode the pictures of a frame, once, into a data folder; returns the folder.

    frame: as read_folder returns it, `path` relative to root. size: side in pixels. name,
    simulated, classes, settings: noted in dataset.json. processes: how many pictures are decoded
    side by side (the result is the same). way: how a picture becomes pixels. max_pixels: larger
    ones can't be read. The same files and size again return at once, with another frame (splits,
    grades) only that is written anew; interrupted, it goes on where it was.

    bad: what happens where pictures can't be read. "stop": FolderError with every one of them, and
    no data set. "skip": they are left out, of the frame too, unless all are; how many is told in
    dataset.json (left_out). In both cases, and where pictures were read but something is worth
    knowing (damage, 12 bits in 16, smaller than `size`), problems.csv in the folder lists each; the
    first of each kind are in dataset.json (notes) and in a warning. OSError when the disk is too
    small; ValueError for a frame that is not of the agreed form."""
    check_bad(bad)
    root, folder = Path(root), Path(folder)
    key = _key(frame, root, folder, way.version | _left_out_by(bad, max_pixels))
    gone = [Problem(*p) for p in frame.attrs.get("left_out", [])]
    told: Told | None = None

    def blocks(start: int) -> Iterator[np.ndarray]:
        nonlocal told
        told = Told(folder, f"{key}-{size}")
        place = told.resume(start, len(frame))
        for block in _decoded(frame, root, size, processes, place, way, max_pixels):
            told.add(place, block)
            place += len(block)
            whole = [seen.pixels for seen in block if seen.pixels is not None]
            if whole and (bad == "skip" or not told.left_out):
                yield np.stack(whole)
        if told.left_out and (bad == "stop" or len(told.left_out) == len(frame)):
            told.forget()
            raise folder_error(name, gone + told.problems(left_out=True), folder)

    def finish() -> tuple[pd.DataFrame, dict]:
        return _finished(frame, gone, told or Told(folder, f"{key}-{size}"), name)

    info = {
        "name": name,
        "simulated": simulated,
        "classes": classes,
        "settings": settings or {},
        "notes": frame.attrs.get("notes", []),
    }
    if "scale" in frame.attrs:  # its owner's, as folder.read_folder has it
        info["scale"] = frame.attrs["scale"]
    return write_dataset(
        folder,
        frame,
        size,
        blocks,
        key=key,
        info=info,
        progress=progress,
        finish=finish,
    )


def _left_out_by(bad: str, max_pixels: int) -> dict[str, Any]:
    """What decides, besides the files, which pictures are left out: where it changes, they are
    decoded anew."""
    if bad != "skip":
        return {}
    readers = {"heic": heif_is_there()} | ({"dicom": True} if pydicom_is_there() else {})
    return {"bad": bad, "max_pixels": max_pixels} | readers


def _finished(
    frame: pd.DataFrame, gone: list[Problem], told: Told, name: str
) -> tuple[pd.DataFrame, dict]:
    """The frame without the pictures that can't be read, and what dataset.json says of them and of
    how the others were read; problems.csv is written. gone: those whose files are not there."""
    problems = gone + left_out(told.problems(left_out=True)) + told.problems(left_out=False)
    file, out = write_problems(told.file.parent, problems), told.left_out
    more: dict[str, Any] = {"notes": frame.attrs.get("notes", []) + shortened(problems)}
    if gone or out:
        more["left_out"] = len(gone) + len(out)
    if problems:
        said = f"; {more['left_out']} pictures are left out" if gone or out else ""
        warnings.warn(
            f"{name}: worth knowing{said}\n{listed(problems)}\nall of them, a line each: "
            f"{paths.shown(file)}",
            UserWarning,
            stacklevel=2,
        )
    return (frame.drop(frame.index[out]).reset_index(drop=True) if out else frame), more


def _key(frame: pd.DataFrame, root: Path, folder: Path, way: dict[str, Any]) -> str:
    """What the pixels depend on besides the size: names and contents of the files, wherever they
    lie, and the way."""
    problems = [
        Problem("missing file", int(row), str(name), str(path))
        for row, name, path in zip(_rows(frame), frame["id"], frame["path"], strict=True)
        if not os.path.isfile(root / path)
    ]
    if problems:
        raise folder_error(paths.shown(root), problems, folder)
    held = contents.digests([root / path for path in frame["path"]], folder / INDEX)
    return store.settings_hash({**way, "files": list(zip(frame["path"], held, strict=True))})


def _rows(frame: pd.DataFrame) -> Iterable[int]:
    """The table's row of each picture; where it has none, as if it were the table."""
    return frame["row"] if "row" in frame else range(2, len(frame) + 2)


def import_folder(
    root: Path | str,
    table: Path | str,
    folder: Path | str,
    size: int,
    *,
    name: str,
    processes: int = 1,
    progress: bool = True,
    bad: str = "stop",
    scale: str = "fit",
    max_pixels: int = MAX_PIXELS,
    **declared: Any,
) -> Path:
    """Your own pictures, in one call: read_folder, then decode, into a data folder; returns the
    folder.

    bad: "stop" at files that are missing or can't be read, or "skip" them (see `decode`). scale:
    the whole picture made small ("fit"), or its centre as it is ("native"; see windows).
    max_pixels: larger pictures can't be read. declared: what the table's columns mean, the keywords
    of riqa_lib.datasets.folder.read_folder (id=, score=, low=, high=, ...). Raises FolderError with
    every problem of the table, its files and its pictures together; all of them are in
    problems.csv in `folder`."""
    check_bad(bad)
    try:
        frame = read_folder(root, table, bad=bad, **declared)
    except FolderError as e:
        problems = e.problems
        if e.good is not None:
            problems = problems + check_pictures(
                e.good, root, processes=processes, progress=progress, max_pixels=max_pixels
            )
        raise folder_error(e.table, problems, folder, e.good) from None
    notes = frame.attrs.get("notes", [])
    for key, whether in (("left_out", True), ("notes", False)):
        frame.attrs[key] = [n for n in notes if n[0].startswith(LEFT_OUT) == whether]
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
        bad=bad,
        scale=scale,
        max_pixels=max_pixels,
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
    bad: str = "stop",
    scale: str = "fit",
    max_pixels: int = MAX_PIXELS,
) -> Path:
    """A loader's frame (columns COLUMNS; `path` relative to root) into a data folder, in one call;
    returns the folder.

    As decode, but missing files and pictures that can't be decoded are reported together, in one
    FolderError, or left out together. scale: see import_folder."""
    check_bad(bad)
    check_scale(scale)
    root = Path(root)
    there = np.array([os.path.isfile(root / path) for path in frame["path"]], dtype=bool)
    if not there.all():
        lines = frame.assign(row=list(_rows(frame)))
        problems = [
            Problem("missing file", int(line.row), str(line.id), str(line.path))
            for line in lines[~there].itertuples()
        ]
        if bad == "stop" or not there.any():
            problems += check_pictures(
                lines[there], root, processes=processes, progress=progress, max_pixels=max_pixels
            )
            raise folder_error(name, problems, folder)
        frame = _without(frame, there, problems)
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
        way=WAYS[scale],
        bad=bad,
        max_pixels=max_pixels,
    )


def _without(frame: pd.DataFrame, there: np.ndarray, problems: list[Problem]) -> pd.DataFrame:
    """The rows whose files are there (N,), each with its row of the table; the problems of the
    others are kept in attrs["left_out"]."""
    kept = frame.assign(row=list(_rows(frame)))[there].reset_index(drop=True)
    before = frame.attrs.get("left_out", [])
    kept.attrs = {**frame.attrs, "left_out": before + left_out(problems)}
    return kept
