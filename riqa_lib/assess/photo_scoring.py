"""Score photographs with a trained run: files, folders or globs; `riqa score PATH...`, or

    table = riqa_lib.score(["photos"], "run-name")

Every file gets a row, whatever it is: graded (score and grade), abstained (score, but too unsure of
the grade to name it) or unreadable, with the reason. A picture is shown to the network as those it
learnt from were (pictures.windows): at the run's working size, whole or at native scale, its
centre, or several windows of it (`windows`), over which probabilities are averaged.

Pictures flow: some dozens are in memory, as windows of the working size, however many there are;
as they are in their file, no more than there are threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import bars
from ..pictures.reading import MAX_PIXELS
from ..stats import calibration
from . import flow
from .apart import Call, Ended, here
from .inputs import SCORE_RATE, Known, Page, check, look, pages
from .photo_runs import Scorer, load, number
from .taken import Taken
from .window_reading import Prepared, prepare, unread

COLUMNS = (
    "file",
    "page",
    "state",
    "score",
    "score_low",
    "score_high",
    "grade",
    "likeliest",
    "confidence",
    "reason",
    "width",
    "height",
    "windows",
    "run",
    "trained_on",
    "data",
    "labels",
)
FORWARD = 64  # windows a forward pass


def how_read(one: Scorer, windows: int, max_pixels: int | None = None) -> dict[str, Any]:
    """How the run's pictures were read, for windows.read_for; max_pixels: another limit than the
    run's own."""
    data = one.config["data"] if "data" in one.config else one.about.get("read", {})
    return {
        "size": int(one.about["size"]),
        "scale": data.get("scale", "fit"),
        "max_pixels": max_pixels or data.get("max_pixels", MAX_PIXELS),
        "windows": windows,
    }


# ---------------------------------------------------------------- probabilities
def raw_probabilities(one: Scorer, pixels: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of windows (N, S, S, 3) uint8, as the run stores them: not calibrated.
    Any N: FORWARD of them at a time."""
    return one.trained.probabilities(pixels, FORWARD)


def _scored(one: Scorer, batch: list[Prepared]) -> list[dict[str, Any]]:
    """Rows of prepared pictures, in order."""
    there = [b.windows for b in batch if b.windows is not None]
    if not there:
        return [b.row for b in batch]
    p = raw_probabilities(one, np.concatenate(there))
    ends = np.cumsum([0, *map(len, there)])
    each = np.stack([p[a:b].mean(axis=0) for a, b in pairwise(ends)])
    calibrated = calibration.tempered(each, one.temperature)
    answers = iter([*map(partial(_answer, one), calibrated, *one.ruler.expected(calibrated))])
    return [b.row if b.windows is None else b.row | next(answers) for b in batch]


def _answer(one: Scorer, p: np.ndarray, mean: float, spread: float) -> dict[str, Any]:
    k = int(p.argmax())
    sure = bool(p[k] >= one.abstention.threshold)
    half = one.interval.factor * spread if one.interval.met else 0.0
    score, low, high = one.ruler.owners(mean, half)
    return {
        "state": "graded" if sure else "abstained",
        "score": number(score),
        "score_low": number(low) if one.interval.met else None,
        "score_high": number(high) if one.interval.met else None,
        "grade": one.ruler.grades[k] if sure else "",
        "likeliest": one.ruler.grades[k],
        "confidence": number(p[k], 4),
        "probabilities": {g: number(x, 4) for g, x in zip(one.ruler.grades, p, strict=True)},
    }


# ---------------------------------------------------------------- many
def rows(
    named: Iterable[str | Path],
    one: Scorer,
    *,
    windows: int = 1,
    workers: int = 2,
    taken: Taken | None = None,
    call: Call = here,
    known: Known = frozenset(),
) -> Iterator[dict[str, Any]]:
    """A row for every file of `files`, in order, and for every page of those that have several
    (page, from 1): file, state ("graded", "abstained" or "unreadable"), reason (or what is worth
    knowing of how it was read); of pictures also width, height (px, of the file), windows (how many
    were looked at), score, score_low, score_high (on the owner's scale and in its direction; None
    where there is no interval), grade ("" where it abstains), likeliest, its probability
    confidence, and probabilities {grade: 0..1}.

    windows: along each side that is longer than a window (windows.read_for); workers: threads that
    read; at most flow.BATCH x (workers + 1) pictures are in memory. taken: which files are, by size
    and damage (None: as the run's were). call: how a picture is read: `apart.apart` in a process of
    its own, so that none can end the rest. known: files and pages that get no row."""
    how = how_read(one, windows, taken.max_pixels if taken else None)

    def prepared(one_page: Page) -> Prepared:
        file, page = one_page
        try:
            return call(prepare, file, how=how, page=page, taken=taken)
        except (Ended, MemoryError) as e:
            return unread(file, page, str(e) or "it needs more memory than there is")

    for batch in flow.batches(pages(named, call, known), prepared, workers):
        yield from _scored(one, batch)


def columns(one: Scorer) -> list[str]:
    """Of the table: COLUMNS and p_<grade>, worst grade first."""
    return [*COLUMNS, *(f"p_{grade}" for grade in one.ruler.grades)]


def flat(row: dict[str, Any], one: Scorer) -> dict[str, Any]:
    """A row of `rows` as one of the table's; what is not known is None."""
    own = one.about
    trained = {
        "run": own["run"],
        "trained_on": own["name"],
        "data": "simulated" if own["simulated"] else "real",
        "labels": own["labels"],
    }
    p = {f"p_{grade}": x for grade, x in row.get("probabilities", {}).items()}
    cells = row | trained | p
    return {name: cells.get(name) for name in columns(one)}


def score(
    paths: str | Path | Iterable[str | Path],
    run: str | Path | None = None,
    *,
    rate: float = SCORE_RATE,
    windows: int = 1,
    workers: int = 2,
) -> pd.DataFrame:
    """`riqa score` in Python: a table with a row for every file, in order; columns: see `rows` and
    COLUMNS, and p_<grade>. attrs["about"]: which run, trained on what, what it promises.

    paths: a file, folder or glob, or several. run: a run's folder or its name in results/runs (the
    newest by default). rate: error promised among named grades. Raises what inputs.check and
    photo_runs.load raise."""
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    check(named, rate, (), workers, windows)
    total = look(named).files
    one = load(run, rate)
    found = rows(named, one, windows=windows, workers=workers)
    bar = bars.bar(found, total=total, unit="picture", desc="score")
    table = pd.DataFrame([flat(row, one) for row in bar], columns=columns(one))
    table.attrs["about"] = one.describe()
    return table
