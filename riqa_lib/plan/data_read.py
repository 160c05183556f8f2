"""The data that a step read (tables, pictures, hand labels), and what of them is not as it was.

While a step runs, its notebook lists what it reads in steps/<step>.reading (see contents.note);
when it ends well, that becomes steps/<step>.reads:
    {"files": {path: [size, time, seen, sha256]},
     "folders": [{"folder": path, "deep": bool, "endings": [...], "names": [...]}]}
Paths below RIQA_DATA begin with that word. A look at it costs a stat a file; only files of another
size or time are read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from .. import contents, paths
from ..contents import Index, Known
from .steps import Step, Walk

SHOWN = 3  # files that a reason names
UNCERTAIN = Known(sha=contents.UNREADABLE)  # read twice, and not the same: as it was in between?


class Folder(TypedDict):
    """Names that a step took from a folder, as contents.names_below gives them."""

    folder: str
    deep: bool
    endings: list[str]
    names: list[str]


@dataclass
class Reads:
    """What a step read. files: by path; folders: those whose list of names it took."""

    files: Index = field(default_factory=dict)
    folders: list[Folder] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files) + len(self.folders)


# ---------------------------------------------------------------- on disk
def _lines(file: Path) -> list[Any]:
    """What a notebook listed; a last line that was cut off is left out."""
    lines = []
    with contextlib.suppress(OSError), open(file, encoding="utf-8") as f:
        for line in f:
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
    return lines


def listed(file: Path) -> Reads:
    """What is noted in a .reading file. A file that was read twice and was not the same counts as
    changed ever after."""
    files: Index = {}
    folders: dict[tuple[str, bool], Folder] = {}
    for line in _lines(file):
        if "folder" in line:
            folders.setdefault((line["folder"], line["deep"]), line)
            continue
        name, now = line["file"], Known(*line["as"])
        before = files.get(name, now)
        files[name] = now if before.sha == now.sha else UNCERTAIN
    return Reads(files, list(folders.values()))


def _stored(file: Path) -> Reads | None:
    """What is in a .reads file; None where it is absent or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        files = {name: Known(*one) for name, one in found["files"].items()}
        return Reads(files, found["folders"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _store(file: Path, reads: Reads) -> None:
    text = json.dumps({"files": reads.files, "folders": reads.folders})
    contents.write_whole(file, text.encode())


def begin(walk: Walk, step: str) -> None:
    """An attempt begins: nothing is read yet."""
    walk.file(step, "reading").unlink(missing_ok=True)


def finish(walk: Walk, step: str) -> int:
    """An attempt ended well: what it read is what the step depends on. Returns how many files and
    folders that are, for the manifest."""
    reading, file = walk.file(step, "reading"), walk.file(step, "reads")
    reads = listed(reading)
    if reads:
        _store(file, reads)
    else:
        file.unlink(missing_ok=True)
    reading.unlink(missing_ok=True)
    return len(reads)


# ---------------------------------------------------------------- what changed
def changes(walk: Walk, step: Step, manifest: dict[str, Any]) -> list[str]:
    """What a finished step read and is not as it was, in words; [] is up to date."""
    if not manifest.get("reads"):
        return []
    file = walk.file(step.name, "reads")
    before = _stored(file)
    if before is None:
        return ["the list of the data it read is gone"]
    words, touched = _compared(before)
    if touched:  # the same by content: known by its new time from now on
        with contextlib.suppress(OSError):
            _store(file, before)
    return words


def read_by(walk: Walk, step: str) -> Index:
    """The files that a finished step read, as they were; {} where none are listed."""
    reads = _stored(walk.file(step, "reads"))
    return reads.files if reads else {}


def cut_off_changes(walk: Walk, step: Step) -> bool:
    """Whether something that a cut-off attempt read is not as it was."""
    return bool(_compared(listed(walk.file(step.name, "reading")))[0])


def _compared(reads: Reads) -> tuple[list[str], bool]:
    """What is not as it was, in words; and whether files were touched only (their new times are
    put into `reads`)."""
    places = paths.located(reads.files)
    known = dict(zip(places, reads.files.values(), strict=True))
    now = dict(zip(reads.files, contents.look(places, known), strict=True))
    changed, gone, new = _kinds(reads.files, now)
    more, less = _names(reads)
    words = [*_words("changed", changed), *_words("gone", gone | less), *_words("new", new | more)]
    same = {name: one for name, one in now.items() if name not in changed | gone | new}
    touched = any(reads.files[name] != one for name, one in same.items())
    reads.files |= same
    return words, touched


def _kinds(then: Index, now: Index) -> tuple[set[str], set[str], set[str]]:
    """Files whose contents changed, that are gone, and that are new."""
    differ = {name for name, one in now.items() if one.sha != then[name].sha}
    gone = {name for name in differ if not now[name].sha}
    new = {name for name in differ if not then[name].sha}
    uncertain = {name for name, one in then.items() if one == UNCERTAIN}
    return (differ | uncertain) - gone - new, gone, new


def _names(reads: Reads) -> tuple[set[str], set[str]]:
    """Files of the folders that came, and those that went."""
    more: set[str] = set()
    less: set[str] = set()
    for one, place in zip(
        reads.folders, paths.located(f["folder"] for f in reads.folders), strict=True
    ):
        now = set(contents.names_below(place, one["deep"], one["endings"]))
        then = set(one["names"])
        more |= {f"{one['folder']}/{name}" for name in now - then}
        less |= {f"{one['folder']}/{name}" for name in then - now}
    return more, less


def _words(what: str, files: Iterable[str]) -> list[str]:
    """One reason for all files of a kind: how many, and the first by name.

    >>> _words("gone", ["/b.jpg", "/a.jpg"])
    ['2 data files gone: /a.jpg, /b.jpg']
    """
    names = sorted(files)
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    many = "data file" if len(names) == 1 else f"{len(names)} data files"
    return [f"{many} {what}: {', '.join(names[:SHOWN])}{more}"]
