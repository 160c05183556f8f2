"""Where rows of `assess` pass on their way to terminal and tables: page and overlays take what they
show of them, and it is kept in mind who must be photographed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import store
from . import overlays
from .apart import Call, apart
from .fundus_student import Assessor
from .grading import assess
from .inputs import Known
from .looks import LOOK, with_maps
from .report import Report
from .retake import Patients
from .taken import Taken
from .wanted import Wanted

Row = dict[str, Any]
RETAKE = 3  # exit status, with strict: something must be photographed again


class Desk:
    """What is made of the rows of a Student: page (where one is wanted), overlays, patients."""

    def __init__(
        self, one: Assessor, wanted: Wanted, workers: int = 2, taken: Taken | None = None
    ) -> None:
        self.one, self.wanted, self.workers, self.taken = one, wanted, workers, taken
        self.patients = Patients()
        self.page = (
            Report(one.describe(), one.headline(), self.patients, wanted.sort)
            if wanted.report
            else None
        )

    def rows(
        self, named: Iterable[str | Path], known: Known = frozenset(), call: Call = apart
    ) -> Iterator[Row]:
        """Rows of `assess`, plain JSON, once page and overlays have taken what they show. known:
        files and pages that get no row; call: how a picture is read, in a process of its own."""
        keep = self.page is not None or self.wanted.overlays is not None
        how: dict[str, Any] = {
            "workers": self.workers,
            "keep": keep,
            "taken": self.taken,
            "known": known,
        }
        rows = assess(named, self.one, **how, call=call)
        if keep:
            rows = with_maps(rows, self.one, first=self.wanted.overlays is None)
        for row in rows:
            place = self.page.add(row) if self.page else ""
            self.patients.add(row, place)
            if self.wanted.overlays:
                overlays.write(self.wanted.overlays, row)
            row.pop(LOOK, None)
            yield row

    def drop(self, file: str) -> None:
        """Forget a file: it was replaced, or goes by another name now."""
        self.patients.drop(file)
        if self.page:
            self.page.drop(file)

    @contextmanager
    def page_written(self) -> Iterator[None]:
        """The page is written where the block ends without an error; that it can be is known where
        it begins."""
        if self.page is None or self.wanted.report is None:
            yield
            return
        with store.replacing(self.wanted.report) as part, open(part, "w", encoding="utf-8") as out:
            yield
            self.page.write(out)

    def status(self) -> int:
        """The exit status: 1 where no picture was a fundus, RETAKE where that is wanted and
        something must be taken again, else 0."""
        counts = self.patients.counts()
        if not counts["graded"] + counts["abstained"]:
            return 1
        return RETAKE if self.wanted.strict and self.patients.of_need("retake") else 0
