"""Texts on their way into a file whose order is known only at the end: on the disk, not in
memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any


def order(row: dict[str, Any], by: str) -> tuple:
    """What rows of `assess` are sorted by: file (its name), score (the worst first), patient (then
    eye and time), taken (the earliest first); "": as they come. What a row doesn't know comes
    last.

    >>> rows = [{"file": "b", "score": 70.0}, {"file": "a"}, {"file": "c", "score": 3.5}]
    >>> [row["file"] for row in sorted(rows, key=lambda row: order(row, "score"))]
    ['c', 'b', 'a']
    """
    if by == "score":
        score = row.get("score")
        return (score is None, score or 0.0)
    taken, patient = str(row.get("taken") or ""), str(row.get("patient") or "")
    if by == "taken":
        return (not taken, taken)
    if by == "patient":
        return (not patient, patient, row.get("eye") != "right", not taken, taken)
    return (str(row["file"]),) if by == "file" else ()


class Spool:
    """Texts in a file that has no name, so that nothing is left of it whatever happens; some dozens
    of bytes of each are in memory.

    >>> spool = Spool()
    >>> for name, key in (("b.jpg", 2), ("a.jpg", 1), ("c.jpg", 3)):
    ...     spool.add(name, f"<{name}>", (key,))
    >>> spool.drop("c.jpg")
    >>> list(spool)
    ['<a.jpg>', '<b.jpg>']
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.texts: dict[str, list[tuple[tuple, int, int]]] = {}  # name: key, offset, bytes

    def add(self, name: str, text: str, key: tuple = ()) -> None:
        """Keep a text. name: the file it belongs to; key: where it comes, equal ones in the order
        in which they were added."""
        data = text.encode("utf-8", "backslashreplace")  # names of files may be no text at all
        offset = self.file.seek(0, 2)
        self.file.write(data)
        self.texts.setdefault(name, []).append((key, offset, len(data)))

    def drop(self, name: str) -> None:
        """Forget the texts of a file."""
        self.texts.pop(name, None)

    def of(self, name: str) -> str:
        """The first text of a file; "" where it has none."""
        return self._read(self.texts[name][0]) if name in self.texts else ""

    def __len__(self) -> int:
        return sum(map(len, self.texts.values()))

    def __iter__(self) -> Iterator[str]:
        for text in sorted(text for texts in self.texts.values() for text in texts):
            yield self._read(text)

    def _read(self, text: tuple[tuple, int, int]) -> str:
        self.file.seek(text[1])
        return self.file.read(text[2]).decode("utf-8")
