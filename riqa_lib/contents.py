"""What files hold, known again by their size and time; and the list of what a step read.

A file is hashed once. While its size and time of change stay it is not read again; where one of
them differs it is hashed anew, so that a file which was only touched is still the same. As git's
index, a time is not trusted that lies within two seconds of the hashing: a second edit could leave
it as it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from . import paths

READING = "RIQA_READING"  # a file that lists what a step read, kept by `plan.data_read`
SETTLED = 2_000_000_000  # ns; the coarsest times of change that file systems keep (FAT)
UNREADABLE = "unreadable"


class Known(NamedTuple):
    """A file as it was: size in bytes, time of change and of the look at it in ns, SHA-256 ("": no
    such file; UNREADABLE: it cannot be opened)."""

    size: int = 0
    changed: int = 0
    seen: int = 0
    sha: str = ""

    def still(self, stat: os.stat_result) -> bool:
        """Whether a file of this size and time can only be the same."""
        same = (self.size, self.changed) == (stat.st_size, stat.st_mtime_ns)
        return same and abs(self.seen - self.changed) > SETTLED and self.sha != UNREADABLE


Index = dict[str, Known]


# ---------------------------------------------------------------- files
def _hashed(file: str) -> Known:
    seen = time.time_ns()
    try:
        with open(file, "rb") as f:
            stat = os.fstat(f.fileno())
            sha = hashlib.file_digest(f, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return Known()
    except OSError:
        return Known(seen=seen, sha=UNREADABLE)
    return Known(stat.st_size, stat.st_mtime_ns, seen, sha)


def _if_still(file: str, known: Known | None) -> Known | None:
    """What was known of a file, if it still is so; None where it has to be read."""
    try:
        stat = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return Known()
    except OSError:
        return None
    return known if known and known.still(stat) else None


def look(files: Sequence[str], known: Mapping[str, Known]) -> list[Known]:
    """Files as they are now; those of unchanged size and time are not read."""
    found = [_if_still(file, known.get(file)) for file in files]
    anew = [file for file, one in zip(files, found, strict=True) if one is None]
    # threads: hashing lets go of Python's lock
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        read = iter(list(pool.map(_hashed, anew)) if len(anew) > 1 else map(_hashed, anew))
    return [one if one is not None else next(read) for one in found]


def digests(files: Sequence[Path], index: Path) -> list[str]:
    """SHA-256 of each file ("": it is not there), noted as read.

    index: the file that keeps what is known of them for the next time; made where it is not there,
    made anew where it is damaged.

    >>> import tempfile
    >>> where = Path(tempfile.mkdtemp())
    >>> _ = (where / "a.txt").write_text("a")
    >>> [sha[:8] for sha in digests([where / "a.txt", where / "b.txt"], where / "index.json")]
    ['ca978112', '']
    """
    names = [os.path.abspath(file) for file in files]
    known = read_index(index)
    found = dict(zip(names, look(names, known), strict=True))
    if found != known:
        write_index(index, found)
    _note_files(found)
    return [found[name].sha for name in names]


def read_index(file: Path) -> Index:
    """What a file of `write_index` says; {} where it is absent or damaged."""
    try:
        return {name: Known(*one) for name, one in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_index(file: Path, index: Mapping[str, Known]) -> None:
    """Write it whole or not at all. It is no output of a step: it holds times."""
    write_whole(file, json.dumps(index).encode())


def write_whole(file: Path, data: bytes) -> None:
    """As store.write_bytes, without its imports and without noting it as an output."""
    with replacing(file) as part:
        part.write_bytes(data)


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a temporary name beside `file`; on success it replaces `file` at once, on failure it is
    removed. What a killed process of this machine left of the same file is removed first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    host = _host()
    for left in _left_of(file, host):
        left.unlink(missing_ok=True)
    part = file.with_name(f".{file.name}.{host}-{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sweep(*folders: Path) -> None:
    """Remove all temporary files of `replacing`, in these folders and below, that killed processes
    of this machine left; what cannot be removed stays."""
    host = _host().replace(".", r"\.")
    its = re.compile(rf"\..+\.{host}-(\d+)-\d+\.part")
    for folder in folders:
        for place, _, names in os.walk(folder):
            for found in filter(None, map(its.fullmatch, names)):
                if not _runs(int(found[1])):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(place, found[0]))


def _host() -> str:
    """This machine's name, as it is in the names of temporary files."""
    return re.sub(r"[^\w.]", "_", platform.node())


def _left_of(file: Path, host: str) -> Iterator[Path]:
    """Temporary files of `file` whose process is no more."""
    for name in os.listdir(file.parent):
        if name.startswith(f".{file.name}.{host}-"):
            its = re.fullmatch(r"(\d+)-\d+\.part", name.removeprefix(f".{file.name}.{host}-"))
            if its and not _runs(int(its[1])):
                yield file.with_name(name)


def _runs(pid: int) -> bool:
    """Whether there is such a process; one that is dead and was never waited for (in a container
    nobody may) is none."""
    try:
        os.kill(pid, 0)
        with contextlib.suppress(FileNotFoundError):  # no Linux
            return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] not in "ZX"
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


# ---------------------------------------------------------------- folders
def names_below(folder: Path | str, deep: bool, endings: Collection[str] = ()) -> list[str]:
    """Names of what lies in a folder, sorted, hidden ones left out; [] where there is none.

    deep: of files in all folders below it too, as paths with "/". endings: only such names, in
    lower case, for example (".jpg", ".png")."""
    return sorted(
        name
        for name in (_deep(Path(folder)) if deep else _flat(Path(folder)))
        if not endings or name.lower().endswith(tuple(endings))
    )


def _flat(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (e.name for e in entries if not e.name.startswith("."))
    except OSError:
        return


def _deep(folder: Path) -> Iterator[str]:
    top = str(folder)
    for place, folders, files in os.walk(top):
        folders[:] = [f for f in folders if not f.startswith(".")]
        below = "" if place == top else place[len(top) :].strip(os.sep).replace(os.sep, "/") + "/"
        yield from (below + file for file in files if not file.startswith("."))


# ---------------------------------------------------------------- what a step read
def note(*files: Path | str) -> None:
    """Note that this step read these files, whole, just now; a file that is not there counts too:
    it may come. Does nothing outside the plan."""
    if os.environ.get(READING):
        names = [os.path.abspath(file) for file in files]
        _note_files(dict(zip(names, look(names, {}), strict=True)))


def note_names(folder: Path | str, deep: bool = False, endings: Collection[str] = ()) -> None:
    """Note that this step took what lies in this folder, by name (see `names_below`). Does nothing
    outside the plan."""
    if os.environ.get(READING):
        names = names_below(folder, deep, endings)
        (where,) = paths.portable([os.path.abspath(folder)])
        _note([{"folder": where, "deep": deep, "endings": sorted(endings), "names": names}])


def _note_files(index: Index) -> None:
    names = paths.portable(index)
    _note({"file": name, "as": one} for name, one in zip(names, index.values(), strict=True))


def _note(lines: Iterable[dict]) -> None:
    log = os.environ.get(READING)
    if log:
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        with open(log, "a", encoding="utf-8") as f:
            f.write(text)
