"""Rows of a table that is not finished yet, kept so that what was stopped can go on.

    scores.csv.unfinished     beside scores.csv while it is made: a line of JSON what made it, then
                              a line a row, written as each picture is done

It is removed once the table is there. `--resume` reads it: its rows are kept, whatever files are
named now; a last line that was cut off is dropped, and its picture is looked at again. So is a
picture that was replaced meanwhile: a row is kept with size and time of its file, taken before the
file is opened, and doesn't count once the file there has others. Rows that another model or other
settings made are no part of this table: that is refused."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from .. import store
from .apart import Call
from .calibrations import WEIGHTS, hash_of
from .inputs import shown
from .printed import Terminal
from .which_run import folder_of

SUFFIX = ".unfinished"
SHOWN = 3  # settings that differ, named in a message
STAMP = "stamp"  # of a row on the disk: `stamp` of its file
KEYS = ("file", "page", "state", STAMP)  # that say which row it is
Row = dict[str, Any]
Stamp = list[int] | None


class Model(Protocol):
    """What grades or scores: fundus_student.Assessor, photo_runs.Scorer."""

    @property
    def about(self) -> dict[str, Any]: ...

    def describe(self) -> dict[str, object]: ...


def stamp(file: str | Path) -> Stamp:
    """Size (bytes) and time (ns) of a file; None where there is none.

    >>> stamp("no such picture.jpg") is None
    True
    """
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # a name with a NUL is none
        return None
    return [found.st_size, found.st_mtime_ns]


class Unfinished:
    """The rows so far. known: (file, page) of each that was there; states: how many of each state
    these have; replaced: files whose rows no longer count. Without a file (None) nothing is
    kept."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self.file = file
        self.known: set[tuple[str, int | None]] = set()
        self.states: Counter[str] = Counter()
        self.replaced: set[str] = set()
        self._stamps: dict[str, Stamp] = {}  # of files that are being read
        self._dropped: set[int] = set()  # lines

    def stamped(self, call: Call) -> Call:
        """`call`, for functions of a file, which notes the file's stamp first. The first one counts
        until there is a row: what is replaced while it is read is looked at again."""

        def noted(function: Call, file: str | Path, *given: Any, **named: Any) -> Any:
            if self.file is not None:
                self._stamps.setdefault(str(file), stamp(file))
            return call(function, file, *given, **named)

        return noted

    def add(self, row: Row) -> None:
        """Keep a row; it is on its way to the disk when this returns."""
        if self.file is not None:
            # pages to come have the same stamp
            forget = self._stamps.get if row.get("page") else self._stamps.pop
            kept = row | {STAMP: forget(row["file"], None)}
            self.file.write(json.dumps(kept, allow_nan=False).encode() + b"\n")
            self.file.flush()

    def added(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, each kept before it goes on."""
        for row in rows:
            self.add(row)
            yield row

    def __iter__(self) -> Iterator[Row]:
        """All rows, in the order in which they were made."""
        if self.file is not None:
            with open(self.file.name, "rb") as lines:
                for number, line in enumerate(lines, 1):
                    if number > 1 and number not in self._dropped:
                        row = json.loads(line)
                        row.pop(STAMP, None)
                        yield row

    def take_up(self, rows: Sequence[tuple[int, Row]]) -> None:
        """Know rows of before, each with its line. Those of a file that was replaced are dropped:
        not of its last stamp, or not of the file that is there now, if one is."""
        last = {row["file"]: row[STAMP] for _, row in rows}
        there = {file: stamp(file) for file in last}
        for number, row in rows:
            file = row["file"]
            if row[STAMP] == last[file] and there[file] in (None, last[file]):
                self.known.add((file, row["page"]))
                self.states[row["state"]] += 1
            else:
                self._dropped.add(number)
        self.replaced = last.keys() - {file for file, _ in self.known}

    @property
    def files(self) -> int:
        """Of how many files there were rows."""
        return len({file for file, _ in self.known})

    def told(self) -> str:
        """What there is of before, in a line or two; "" without any."""
        lines = []
        if n := self.states.total():
            rows = "row" if n == 1 else "rows"
            lines.append(f"({n:,} {rows} of before: kept, not printed again)")
        if n := len(self.replaced):
            files = "file has" if n == 1 else "files have"
            lines.append(f"({n:,} {files} changed since: no row of before is kept)")
        return "\n".join(lines)


def place_of(*tables: Path | None) -> Path | None:
    """Where rows are kept for the first of these tables that is to be written; None for none."""
    first = next((table for table in tables if table is not None), None)
    return first.with_name(first.name + SUFFIX) if first is not None else None


@contextmanager
def unfinished(
    place: Path | None, made_by: Mapping[str, Any], resume: bool = False, without: str = ""
) -> Iterator[Unfinished]:
    """Rows kept at `place` (None: nowhere) while the block runs, and removed where it ends without
    an error; with resume those that are there already are the first.

    made_by: model and settings, plain JSON; without: an option that --resume doesn't go with.
    Raises ValueError where `place` was made by others, where a row is damaged, and where another
    process is at it."""
    if place is None:
        yield Unfinished()
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place, "a+b") as file:
        _lock(file, place)
        rows = Unfinished(file)
        if not (resume and _go_on(rows, place, _plain(made_by))):
            file.truncate(0)
            file.write(json.dumps(_plain(made_by)).encode() + b"\n")
            file.flush()
        try:
            yield rows
        except BaseException as e:
            if n := sum(1 for _ in rows):
                rows_are = "row is" if n == 1 else "rows are"
                less = f", but without {without}," if without else ""
                e.add_note(
                    f"{shown(str(place))}: {n:,} {rows_are} kept; the same command with --resume"
                    f"{less} goes on"
                )
            else:
                place.unlink()
            raise
        place.unlink()


def made_by(one: Model, run: str | None, **settings: Any) -> dict[str, Any]:
    """Which model and settings make the rows. run: as it was asked for."""
    folder = folder_of(one.about["run"] if run is None else run)
    return {**one.describe(), "weights": hash_of(folder / WEIGHTS), **settings}


def is_finished(resume: bool, terminal: Terminal, *tables: Path | None) -> bool:
    """Whether nothing is left to do, which is said: `resume` is asked for, all of these tables are
    there (None: not asked for), and nothing of them is unfinished. ValueError where no table is."""
    place, there = place_of(*tables), [table for table in tables if table is not None]
    if not resume:
        return False
    if place is None:
        raise ValueError("--resume goes on with a table: name it with --csv or --json")
    if place.exists() or not all(table.exists() for table in there):
        return False
    names = ", ".join(shown(str(table)) for table in there)
    terminal.say(
        f"{names}: finished before, nothing to go on with. Pictures that came since are not looked "
        "at; without --resume all are, and it is made anew"
    )
    terminal.flush()
    return True


def _plain(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: tuples are lists."""
    return json.loads(json.dumps(made_by))


def _lock(file: IO[bytes], place: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"{place}: another riqa is writing this table") from None


def _go_on(rows: Unfinished, place: Path, made_by: dict[str, Any]) -> bool:
    """Take up what is there, a line that was cut off dropped. False where there is nothing."""
    file = rows.file
    assert file is not None
    file.seek(0)
    end, before = 0, []
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            break
        found = _parsed(line, place, number)
        if number == 1:
            _compare(found, made_by, place)
        else:
            before.append((number, {key: found.get(key) for key in KEYS}))
        end += len(line)
    file.truncate(end)
    rows.take_up(before)
    return end > 0


def _parsed(line: bytes, place: Path, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
        if number > 1:
            found["file"], found["state"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{place}, line {number}: damaged, expected a row as JSON; delete the file to begin "
            "anew, or the line to have its picture looked at again"
        ) from None
    return found


def _compare(before: dict[str, Any], now: dict[str, Any], place: Path) -> None:
    """ValueError that names what differs."""
    old, new = store.flat(before), store.flat(now)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        told = [f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in names[:SHOWN]]
        more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        raise ValueError(
            f"{place}: begun with other settings, or by another model ({'; '.join(told + more)}); "
            "go on with those, or begin anew without --resume"
        )
