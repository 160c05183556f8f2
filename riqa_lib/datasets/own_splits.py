"""The pool and the splits of somebody's own pictures: what has no score is in the pool, and nothing
that is tested on is seen before, neither the same file nor the same group."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

from .. import contents, paths
from .declaration import Declaration
from .file_matching import Files, few, is_picture
from .problems import FolderError, Problem
from .splits import floor_split, shared_groups

POOL = "pool"


def unscored_pool(frame: pd.DataFrame) -> list[Problem]:
    """Takes score and grade (in place) of pictures that their owner put into the pool: none is
    learnt from, and none is a truth to be judged by, since it may be a stopgap for a cell that was
    not to be empty. A note of them."""
    scored = (frame["split"] == POOL) & (frame["grade"] >= 0)
    names = frame.loc[scored, "id"].tolist()
    frame.loc[scored, ["score", "grade"]] = np.nan, -1
    return [Problem("score not used: split pool", 0, "", few(names))] if names else []


def completed(
    frame: pd.DataFrame, files: Files, table: Path, said: Declaration
) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame with the files that the table doesn't name (where they are the pool) and its
    splits, without what the pool must not have; notes."""
    extra = _extra_files(frame, files, table)
    added = [name for name in extra if said.pool and is_picture(name)]
    if added:
        frame = pd.concat([frame, _added(frame, added, table)], ignore_index=True)
        extra = [name for name in extra if not is_picture(name)]
    notes = [Problem("file not in the table", 0, name) for name in extra]
    if any(map(is_picture, extra)):
        notes[0] = notes[0]._replace(
            found="declare pool=true to learn from pictures without a score"
        )
    frame, found = _without_duplicates(frame, files.root)
    scored = (frame["grade"] >= 0).to_numpy()
    if said.split is None:
        frame.loc[scored, "split"] = floor_split(
            frame["grade"][scored], frame["group"][scored], said.fractions, said.seed
        )
    frame, held = _pool_apart(frame)
    pool = frame.loc[frame["grade"] < 0, "id"].tolist()
    if pool:
        found.append(Problem("without a score, in the pool", 0, "", few(pool)))
    return frame, found + held + notes


def _added(frame: pd.DataFrame, names: list[str], table: Path) -> pd.DataFrame:
    """Rows of the pool for files that the table doesn't name; their path is their id."""
    ids = {*frame["id"]}
    found = "the id of another picture: name the pictures by their files, or move this one away"
    if clash := [Problem("doubled id", 0, name, found) for name in names if name in ids]:
        raise FolderError(paths.shown(table), clash)
    return pd.DataFrame(
        {
            "id": names,
            "path": names,
            "group": names,
            "source": "",
            "split": POOL,
            "row": 0,
            "score": np.nan,
            "grade": -1,
        }
    )


def _pool_apart(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame without the unscored pictures whose group is validated or tested on (with a note
    of each); those of a training picture's group are a group of their own in the pool, where they
    tell nothing that training must not know."""
    bare = (frame["grade"] < 0).to_numpy()
    held = {*frame.loc[~bare & frame["split"].isin(["val", "test"]), "group"]}
    out = bare & frame["group"].isin(held).to_numpy()
    notes = [
        Problem("left out of the pool", row, name, f"group {group} is validated or tested on")
        for row, name, group in frame.loc[out, ["row", "id", "group"]].itertuples(index=False)
    ]
    shared = bare & frame["group"].isin({*frame.loc[~bare, "group"]}).to_numpy()
    frame.loc[shared, "group"] = frame.loc[shared, "id"]
    return frame[~out].reset_index(drop=True), notes


def leaks(frame: pd.DataFrame) -> list[Problem]:
    first = frame.drop_duplicates("group").set_index("group")["row"]
    return [
        Problem("group in more than one split", int(first[g]), g, ", ".join(splits))
        for g, splits in shared_groups(frame).items()
    ]


def _without_duplicates(frame: pd.DataFrame, root: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """Pictures with the same bytes get one group, so that no two splits share a picture; an
    unscored copy of a scored picture is left out. With a note of each."""
    notes, parent, out = [], {}, []  # type: list[Problem], dict[str, str], list[int]
    grade, name = frame["grade"].to_numpy(), frame["id"].to_numpy()
    group = frame["group"].to_numpy(object)
    for same in _same_bytes(frame, root):
        scored = [i for i in same if grade[i] >= 0]
        first = min(scored or same)
        for i in sorted({*same} - {first}):
            found = f"same bytes as {name[first]}"
            if grade[i] < 0 <= grade[first]:
                found += ", which has a score: left out of the pool"
                out.append(i)
            else:
                parent[_top(parent, group[i])] = _top(parent, group[first])
            if grade[i] not in (-1, grade[first]):
                found += f", but grade {grade[i]} and {grade[first]}"
            notes.append(Problem("duplicate picture", int(frame["row"][i]), name[i], found))
    if parent:
        frame["group"] = [_top(parent, g) for g in group]
    contents.note(*(root / path for path in frame["path"].iloc[out]))
    return frame.drop(index=out).reset_index(drop=True), notes


def _top(parent: dict[str, str], group: str) -> str:
    """The group that a group has become part of."""
    while parent.get(group, group) != group:
        group = parent[group]
    return group


def _same_bytes(frame: pd.DataFrame, root: Path) -> list[list[int]]:
    """Rows of pictures with the same bytes, in order of their first. (Only files of one size can be
    the same.)"""
    sizes = pd.Series([os.path.getsize(root / p) for p in frame["path"]])
    found: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(sizes.duplicated(keep=False)):
        with open(root / frame["path"][i], "rb") as f:
            found.setdefault(hashlib.file_digest(f, "sha256").digest(), []).append(int(i))
    return [same for same in found.values() if len(same) > 1]


def _extra_files(frame: pd.DataFrame, files: Files, table: Path) -> list[str]:
    """Files below root that the table doesn't name; the table itself doesn't count."""
    top, place = files.root.resolve(), table.resolve()
    known = {*frame["path"]}
    if place.is_relative_to(top):
        known.add(place.relative_to(top).as_posix())
    return [path for path in files.names if path not in known]
