"""What is graded by hand, and where the grades go: a walk's pool, KADIS-700k, or a folder of one's
own pictures that needs no table at all.

A folder of one's own keeps beside its grades, in results/NAME/labels/FOLDER:
    labels.csv             one row per labeller and picture, to train from (columns TABLE); made
                           anew from the next one after each grade: change it elsewhere
    labels.log.csv         every key as it came (`datasets.hand_labels`); only grows
    labels-candidates.csv  the list of pictures, the same for all labellers (`choose.kept`)
    labels.json            the folder, and the names of the grades, worst first
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import contents, paths, store
from ..datasets import data_folder, hand_labels, kadis
from ..datasets.file_matching import is_picture
from ..pictures.reading import read_picture
from ..scales import PHOTO_GRADES
from .keyboard import check_names
from .session import Session

SOURCES = ("walk", "kadis", "folder")
NUMBERED = tuple(f"{k} {word}" for k, word in enumerate(PHOTO_GRADES))  # typed as they are stored
# of labels.csv: the picture's path below the folder; 0 for the worst grade; its name; whose grade;
# seconds that it took; when, in UTC
TABLE = ("id", "grade", "name", "labeller", "seconds", "when")


class Reader:
    """Pictures by id. source: the pixels (N, H, W, 3) of a data set, or a folder; place: {id: row,
    or path below the folder}."""

    def __init__(self, source: np.ndarray | Path, place: dict[str, Any]) -> None:
        self.source, self.place = source, place

    def __call__(self, picture: str) -> np.ndarray:
        """uint8 (H, W, 3). Raises ValueError, naming the file, for one that can't be decoded."""
        if not isinstance(self.source, Path):
            return np.asarray(self.source[self.place[picture]])
        try:
            return np.asarray(read_picture(self.source / self.place[picture]))
        except ValueError as e:
            raise ValueError(f"{paths.shown(self.source / self.place[picture])}: {e}") from e


@dataclass(frozen=True)
class Place:
    """pool: the pictures (column id). read: one of them. log: every grade as it came. table: the
    same as a table to train from; None where the log itself is read. names: of the grades, worst
    first. title, simulated: as of a data set. notes: what of the folder was left out."""

    pool: pd.DataFrame
    read: Reader
    log: Path
    names: tuple[str, ...]
    title: str
    simulated: bool
    table: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def candidates(self) -> Path:
        """Where the list of pictures is kept."""
        return self.log.with_name(f"{self.log.name.split('.')[0]}-candidates.csv")

    @property
    def file(self) -> Path:
        """The file that others read."""
        return self.table or self.log

    @property
    def declared(self) -> dict[str, Any]:
        """How to read the grades for training: the setting data.folder; without root and table, the
        keywords of `datasets.folder.read_folder`. Pictures without a grade are the pool."""
        return {
            "root": str(self.read.source) if isinstance(self.read.source, Path) else "",
            "table": str(self.file),
            "id": "id",
            "grade": "grade",
            "rater": "labeller",
            "classes": len(self.names),
            "names": list(self.names),
            "pool": True,
        }

    @property
    def settings(self) -> str:
        """`declared` as it is typed behind run_all.py."""
        folder = "data.folder=" + json.dumps(self.declared, ensure_ascii=False)
        return f"--set data.source=folder --set {shlex.quote(folder)}"

    def session(self, ids: Collection[str], labeller: str) -> Session:
        """A person's session on these pictures; goes on where it ended."""
        if self.table is None:
            return Session(ids, self.log, labeller, names=self.names)
        renew = partial(renew_table, self.log, self.table, self.names)
        return Session(ids, self.log, labeller, names=self.names, renew=renew)

    def labels(self) -> pd.DataFrame:
        """The grades that count, of all labellers."""
        return hand_labels.read(self.log, len(self.names))


def open_place(
    source: str, name: str, folder: Path | str = "", grades: Sequence[str] = PHOTO_GRADES
) -> Place:
    """What to grade. source: "walk", the pool of results/NAME/data, with the grades of its scale;
    "kadis", KADIS-700k below RIQA_DATA, 5 grades; "folder", all pictures of `folder` and of the
    folders in it, with these grades (2 to 10 names, worst first).

    Raises ValueError for another source, and see `open_folder`; FileNotFoundError for what is not
    there."""
    if source == "walk":
        return _walk(name)
    if source == "kadis":
        root = (paths.data() or paths.ROOT / "data") / kadis.ABOUT.key
        pool = kadis.load(root)
        read = Reader(root, dict(zip(pool["id"].astype(str), pool["path"], strict=True)))
        log = root.parent / "koka10k" / "extra.csv"
        return Place(pool, read, log, NUMBERED, kadis.ABOUT.title, simulated=False)
    if source == "folder":
        return open_folder(folder, name, grades)
    raise ValueError(f"source = {source!r}: expected one of {', '.join(SOURCES)}")


def _walk(name: str) -> Place:
    data = data_folder.open_dataset(paths.results(name) / "data")
    pool = data.frame[data.frame["split"] == "pool"]
    names = tuple((data.info.get("scale") or {}).get("grades") or ())
    if len(names) != data.info["classes"] or names == PHOTO_GRADES:
        plain = tuple(map(str, range(data.info["classes"])))
        names = NUMBERED if data.info["classes"] == len(NUMBERED) else plain
    read = Reader(data.pixels, dict(zip(pool["id"].astype(str), pool.index, strict=True)))
    log = paths.results(name) / "labels" / "labels.csv"
    return Place(pool, read, log, names, data.info["name"], data.info["simulated"])


# ---------------------------------------------------------------- a folder of one's own
def open_folder(
    folder: Path | str, name: str, grades: Sequence[str] = PHOTO_GRADES, at: Path | None = None
) -> Place:
    """A folder of one's own pictures. at: where the grades go (results/NAME/labels/FOLDER).

    Raises FileNotFoundError where it is not there; ValueError where it has no picture, for grades
    that `keyboard.check_names` refuses, or where other grades or another folder were begun under
    this name."""
    root = Path(paths.typed(folder)) if str(folder) else None
    if root is None or not root.is_dir():
        raise FileNotFoundError(f"{root or 'folder = '}: no such folder of pictures")
    names = check_names(grades)
    pool, notes = pictures_below(root)
    if not len(pool):
        raise ValueError(f"{root}: no pictures in it (known by their ending)")
    at = at or paths.results(name) / "labels" / root.name
    log, table = at / "labels.log.csv", at / "labels.csv"
    read = Reader(root, {i: i for i in pool["id"]})
    place = Place(pool, read, log, names, f"your folder {root.name}", False, table, notes)
    _same_as_begun(at / "labels.json", root, place)
    return place


def _same_as_begun(file: Path, root: Path, place: Place) -> None:
    """Note folder and grades at the first time; ValueError where they were others."""
    said = {"pictures": str(root), "grades": list(place.names)}
    old = store.read_json(file) if file.exists() else said
    if old.get("grades") != said["grades"]:
        raise ValueError(
            f"{paths.shown(file)}: begun with the grades {old.get('grades')}, not with "
            f"{said['grades']}: take another NAME, or, to rename a grade only, change it there"
        )
    if old.get("pictures") != said["pictures"] and place.candidates.exists():
        listed = store.read_table(place.candidates)["id"]
        if not listed.isin(place.pool["id"]).all():
            raise ValueError(
                f"{paths.shown(file)}: begun with the pictures of {old.get('pictures')}, and "
                f"{root} has not the same: take another NAME"
            )
    if not file.exists() or old != said:
        store.write_json(file, said)


def pictures_below(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """All pictures of a folder and of the folders in it (column id: path below root, with /),
    sorted, known by their ending; hidden ones aside. And what was left out, in words."""
    taken, other, unnamed = [], [], []
    for path in contents.names_below(root, deep=True):
        if not is_picture(path):
            other.append(path)
        elif _can_be_a_cell(path):
            taken.append(path)
        else:
            unnamed.append(path)
    notes = []
    for found, why in ((other, "no picture by its ending"), (unnamed, "a name no table can hold")):
        if found:
            files = "file" if len(found) == 1 else "files"
            notes.append(f"{len(found)} {files} left out: {why}, first {found[0]!r}")
    return pd.DataFrame({"id": pd.Series(taken, dtype=str)}), notes


def _can_be_a_cell(path: str) -> bool:
    """Whether a table gives this name back as it is: no line break, no blank at its ends, UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return path == path.strip() and not {"\n", "\r"} & set(path)


def renew_table(log: Path, table: Path, names: Sequence[str]) -> Path | None:
    """Write labels.csv (columns TABLE) from its log: one row per labeller and picture, the last
    grade of each; `datasets.folder.read_folder` reads it. None where nothing was graded yet.

    Raises OSError that says the grade is safe where the table can't be written; ValueError for
    another file of that name, which is left as it was."""
    if not log.exists():
        return None
    if table.exists() and not table.read_bytes().startswith(",".join(TABLE).encode()):
        raise ValueError(
            f"{paths.shown(table)}: row 1: expected {','.join(TABLE)}; it is left as it was"
        )
    handle = hand_labels.locked(log)  # an older state must not be written after a newer one
    try:
        labels = hand_labels.read(log, len(names))
        labels["name"] = [names[g] for g in labels["grade"]]
        return store.write_table(table, labels[list(TABLE)])
    except OSError as e:
        raise OSError(
            f"{paths.shown(table)} could not be renewed ({e}); all is in {log.name}"
        ) from e
    finally:
        os.close(handle)
