"""Whether the workers of a cluster can run our steps: they must see the folder that everything is
written to, and its locks, and run the same library.

What a worker of another machine writes elsewhere would be found by nobody; without locks two of
them could train one run; another library would leave other numbers."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .. import house, provenance
from .steps import PlanError


class Seen(NamedTuple):
    """What a process sees. folder: whether the probe file is there; locked: whether it is known
    there that another process holds it; code: hash of the library; versions: of what results
    depend on."""

    folder: bool
    locked: bool
    code: str
    versions: dict[str, str]


def code() -> str:
    """A hash of the library's modules as they lie on this machine's disk."""
    seen = hashlib.sha256()
    for name, file in house.modules(house.LIBRARY).items():
        seen.update(name.encode() + file.read_bytes())
    return seen.hexdigest()[:16]


def look(file: str, holder: str) -> Seen:
    """What this process sees of a probe file that another one, the holder, holds."""
    there = os.path.isfile(file)
    locked = there and (holder == _me() or _is_held(file))
    return Seen(there, locked, code(), provenance.versions())


def _me() -> str:
    return f"{os.getpid()} on {platform.node()}"


def _is_held(file: str) -> bool:
    """Whether both kinds of lock that we use (flock: steps; fcntl: runs) are refused."""
    refused = 0
    for take in (fcntl.flock, fcntl.lockf):
        with open(file, "r+b") as f:
            try:
                take(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                refused += 1
    return refused == 2


def problem(seen: Seen | BaseException, ours: Seen, folder: str) -> str:
    """Why a worker that saw this cannot run our steps; "" where it can.

    >>> ours = Seen(True, True, "1f", {"torch": "2.11"})
    >>> problem(ours._replace(versions={"torch": "2.10"}), ours, "/home/me/riqa")
    'it has torch 2.10, here it is 2.11'
    """
    if isinstance(seen, BaseException):
        return f"riqa cannot be run there ({type(seen).__name__}: {seen})"
    if not seen.folder:
        return f"it does not see {folder}; all machines must share that folder, under that name"
    if not seen.locked:
        return (
            f"it sees {folder} but not our locks on it; mount it with locks "
            "(NFS: without nolock and local_lock)"
        )
    differ = [
        f"{name} {there}, here it is {ours.versions[name]}"
        for name, there in seen.versions.items()
        if there != ours.versions[name]
    ]
    if differ:
        return f"it has {'; '.join(differ)}"
    return "" if seen.code == ours.code else "its riqa is not the one that runs here"


class Probe:
    """A file under home/results, held by this process, that every worker is asked for. client:
    dask's; use `probe`."""

    def __init__(self, client: Any, file: Path) -> None:
        self.client, self.file = client, file
        self.ours = look(str(file), _me())
        self.known: set[str] = set()  # addresses of workers that were looked at

    def problems(self, workers: Iterable[str]) -> dict[str, str]:
        """{address: why it cannot run our steps} of those of these workers that cannot."""
        asked = list(workers)
        seen = self.client.run(look, str(self.file), _me(), workers=asked, on_error="return")
        self.known |= set(asked)
        folder = str(self.file.parent)
        said = {address: problem(one, self.ours, folder) for address, one in seen.items()}
        return {address: why for address, why in said.items() if why}

    def admit(self, workers: Iterable[str], say: Callable[[str], None]) -> None:
        """Look at workers that came. PlanError where one of the first cannot run our steps; one
        that comes later is sent away, with a line."""
        first, new = not self.known, set(workers) - self.known
        wrong = self.problems(sorted(new)) if new else {}
        if first and wrong:
            raise PlanError("\n".join(f"worker {a}: {why}" for a, why in wrong.items()))
        for address, why in wrong.items():
            say(f"  worker {address} is sent away: {why}")
        if wrong:
            self.client.retire_workers(list(wrong))


@contextlib.contextmanager
def probe(client: Any, home: Path) -> Iterator[Probe]:
    """A probe of the cluster's workers, while a run goes on."""
    file = home / "results" / f".probe-{uuid.uuid4().hex[:12]}"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w+b") as flocked, open(file, "r+b") as locked:
        fcntl.flock(flocked, fcntl.LOCK_EX)
        fcntl.lockf(locked, fcntl.LOCK_EX)
        try:
            yield Probe(client, file)
        finally:
            file.unlink(missing_ok=True)
