"""Grading pictures by hand, one person at a time: no grade is lost, whatever happens.

Dang et al. graded 359 pictures of KADIS-700k by hand, since KonIQ-10k has almost none of grade 0
and none of grade 4 (by our reading of their Table 1, 149 and 210). Their list is not public; this
makes one's own. Pictures of one's own are graded the same way, with grades of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..datasets import hand_labels
from ..scales import PHOTO_GRADES
from .keyboard import check_names


def _nothing() -> None:
    """What is renewed after a grade where there is nothing to renew."""


class Session:
    """One person grading a list of pictures, each grade stored at once; it goes on where the file
    ends.

    ids: in the order to show them. file: see `datasets.hand_labels`. clock: seconds, for the time
    that a grade took. names: of the grades, worst first, 2 to 10. renew: called when a line is on
    disk, and once at the beginning (`places.Place` makes its table so). lines: how many lines this
    session has put on the disk."""

    def __init__(
        self,
        ids: Collection[str],
        file: Path | str,
        labeller: str,
        clock: Callable[[], float] = time.monotonic,
        names: Sequence[str] = PHOTO_GRADES,
        renew: Callable[[], object] = _nothing,
    ) -> None:
        if not labeller.strip():
            raise ValueError(
                "labeller is empty: expected a name or initials, so that two people can be compared"
            )
        self.ids, self.file, self.labeller, self.clock = (
            [str(i) for i in ids],
            Path(file),
            labeller.strip(),
            clock,
        )
        self.names, self.renew, self.lines = check_names(names), renew, 0
        known = hand_labels.read(self.file, len(self.names))
        mine = known[known["labeller"] == self.labeller]
        listed = set(self.ids)
        self.graded: dict[str, int] = {
            i: g for i, g in zip(mine["id"], mine["grade"], strict=True) if i in listed
        }
        self.skipped: list[str] = []
        # what undo takes back, last first
        self.history: list[str] = [i for i in mine["id"] if i in self.graded]
        self.shown = clock()
        renew()

    def left(self) -> list[str]:
        """What is still to be graded, in the order to show it: the skipped ones come at the end."""
        open_ = [i for i in self.ids if i not in self.graded]
        skipped = set(self.skipped)
        return [i for i in open_ if i not in skipped] + sorted(
            skipped.intersection(open_), key=self.skipped.index
        )

    def current(self) -> str | None:
        """The picture to grade now; None when all are graded."""
        return next(iter(self.left()), None)

    def grade(self, value: int) -> None:
        """Store a grade, 0 for the worst, for the current picture; ValueError for another number,
        or where there is no picture left. OSError after the grade counts: only `renew` failed."""
        picture = self.current()
        if picture is None:
            raise ValueError("all pictures are graded")
        self._write(picture, value)
        self.graded[picture] = value
        self.history.append(picture)
        if picture in self.skipped:
            self.skipped.remove(picture)
        self.renew()

    def skip(self) -> None:
        """Put the current picture at the end of the list; nothing is stored."""
        picture = self.current()
        if picture is not None:
            if picture in self.skipped:
                self.skipped.remove(picture)
            self.skipped.append(picture)
            self.shown = self.clock()

    def undo(self) -> str | None:
        """Take the last grade back; the picture comes again at once. Its id, or None where there is
        nothing to take back."""
        if not self.history:
            return None
        picture = self.history[-1]
        self._write(picture, "")
        self.history.pop()
        del self.graded[picture]
        self.renew()
        return picture

    def _write(self, picture: str, value: int | str) -> None:
        seconds = round(self.clock() - self.shown, 1)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        row: dict[str, object] = {
            "id": picture,
            "grade": value,
            "labeller": self.labeller,
            "seconds": seconds,
            "when": when,
        }
        hand_labels.append(self.file, row, len(self.names))
        self.lines += 1
        self.shown = self.clock()

    @property
    def progress(self) -> tuple[int, int]:
        """(graded, in all)."""
        return len(self.graded), len(self.ids)
