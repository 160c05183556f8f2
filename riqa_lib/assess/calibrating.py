"""Calibrate a Student on labelled pictures of one's own, and say how well that works:

    found = calibrate("labels.csv", ["photos"], name="clinic")
    found.calibration.temperature, found.calibration.abstention.threshold
    student = fundus_student.load(calibrated="clinic")

From the labels: the temperature of the overall grade, the threshold below which it gives none
(stats.calibration), and for every detail with enough labels a Platt map and the probability from
which it is called. How well: by cross-validation over patients (stats.held_out), beside the Student
as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..scales import DETAILS
from ..stats import held_out
from ..stats.calibration import FEW, Floats
from ..stats.held_out import Ints, Rule, answers, mapped_rule, of_grades, tempered_rule
from ..training.fundus_sources import said_of_pixels
from . import calibrations, flow
from .apart import Ended, apart
from .calibrate_labels import Labelled, Labels, read_labels
from .calibrations import Calibration, Detail
from .fundus_reading import Prepared, prepare, unread
from .fundus_student import Assessor, calibrated_detail, load
from .inputs import RATE, check, files
from .which_run import folder_of

OF_EACH = (
    5  # labelled pictures of a grade, or good and bad of a detail, below which little is known
)


@dataclass(frozen=True)
class Calibrated:
    """What came of it: the calibration, its file (None: not stored), the Student as it was,
    labelled pictures that were not graded (file, why), and what is worth knowing."""

    calibration: Calibration
    file: Path | None
    student: Assessor
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """What the network says of the labelled pictures, not calibrated: p (N, C), details (N, 3), and
    what people said: truth (N,), labels (N, 3) with -1 for not said; groups (N,): whose."""

    p: Floats
    details: Floats
    truth: Ints
    labels: Ints
    groups: Ints


def calibrate(
    labels: str | Path,
    pictures: str | Path | Sequence[str | Path],
    run: str | Path | None = None,
    *,
    name: str = "",
    rate: float = RATE,
    workers: int = 2,
) -> Calibrated:
    """Calibrate a run (the newest Student by default) on pictures (files, folders, globs) with the
    labels of a table (calibrate_labels), and store that beside the run under a name (of date and
    labels by default; one of the same name is replaced).

    rate: error promised among the answered. Raises what inputs.check, fundus_student.load and
    read_labels raise; ValueError for too few pictures, or only one grade.

    >>> calibrate("no labels.csv", ["no such folder"])
    Traceback (most recent call last):
    FileNotFoundError: no such folder: no such file or folder
    """
    named = [pictures] if isinstance(pictures, str | Path) else [*pictures]
    check(named, rate, (), workers)
    calibrations.checked_name(name or "a")
    one = load(run, rate, uncalibrated=True)
    table = Path(labels)
    there = [file for file in files(named) if file.resolve() != table.resolve()]
    known = read_labels(table, there, one.words)
    kept, crops, left_out = _seen(one, known.pictures, workers)
    _enough(kept, one.words, rate)
    said = _said(one, kept, crops)
    rule = of_grades(said.p, said.truth, said.groups, rate, one.temperature)
    details = _details(said)
    folder = folder_of(str(one.about["run"]) if run is None else run)
    digest = calibrations.hash_of(table)
    today = datetime.now(UTC).date().isoformat()
    own = Calibration(
        name=name or f"{today}-{digest[:6]}",
        made=today,
        run=str(one.about["run"]),
        weights=calibrations.hash_of(folder / calibrations.WEIGHTS),
        labels=digest,
        pictures=len(kept),
        patients=_patients(kept),
        grades=_counted(kept, one.words),
        temperature=rule[0],
        abstention=rule[1],
        details=details,
        how_well=how_well(one, said, details, rate),
    )
    file = calibrations.write(folder, own) if _is_better_than_none(folder, own) else None
    notes = [*known.notes, *_worth_knowing(one, known, kept, said)]
    return Calibrated(own, file, one, left_out, notes)


def _is_better_than_none(folder: Path, own: Calibration) -> bool:
    """Whether it may be stored: not one that abstains always over one of its name that answers."""
    if own.abstention.met or own.name not in calibrations.known(folder):
        return True
    try:
        return not calibrations.read(folder, own.name).abstention.met
    except ValueError:  # damaged, or of other weights
        return True


# ---------------------------------------------------------------- the pictures
def _seen(
    one: Assessor, labelled: Sequence[Labelled], workers: int
) -> tuple[list[Labelled], np.ndarray, list[tuple[str, str]]]:
    """The labelled pictures that are graded, their crops (N, S, S, 3), and the others with the
    reason."""
    kept, crops, left_out = [], [], []
    how = {"size": int(one.about["size"]), "working": one.working}

    def ready(file: Path) -> Prepared:
        try:
            return apart(prepare, file, **how)
        except Ended as e:
            return unread(file, None, str(e))

    rows = iter(labelled)
    batch: list[Prepared]
    for batch in flow.batches((k.file for k in labelled), ready, workers):
        for its in batch:
            label = next(rows)
            if its.crop is None or its.too_small:
                left_out.append((str(label.file), its.too_small or its.row["reason"]))
            else:
                kept.append(label)
                crops.append(its.crop)
    size = int(one.about["size"])
    return kept, np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8), left_out


def _said(one: Assessor, kept: Sequence[Labelled], crops: np.ndarray) -> Said:
    parts = [
        said_of_pixels(one.net, one.about, crops[k : k + flow.BATCH])
        for k in range(0, len(crops), flow.BATCH)
    ]
    p, details = (np.concatenate(x).astype(float) for x in zip(*parts, strict=True))
    if not one.about["details_learnt"]:
        details = np.full_like(details, np.nan)
    whose = [k.patient or f"\0{i}" for i, k in enumerate(kept)]  # unknown: each its own
    return Said(
        p,
        details,
        np.array([k.grade for k in kept]),
        np.array([k.details for k in kept]),
        np.unique(whose, return_inverse=True)[1],
    )


def _patients(kept: Sequence[Labelled]) -> int:
    """Of how many patients they are, each that is not known its own; 0 where none is known."""
    if not any(k.patient for k in kept):
        return 0
    return len({k.patient or i for i, k in enumerate(kept)})


def _counted(kept: Sequence[Labelled], words: Sequence[str]) -> dict[str, int]:
    counts = Counter(k.grade for k in kept)
    return {word: counts[k] for k, word in enumerate(words)}


def _enough(kept: Sequence[Labelled], words: Sequence[str], rate: float) -> None:
    """ValueError where the labels cannot show anything."""
    counts = _counted(kept, words)
    independent = len({k.patient or i for i, k in enumerate(kept)})
    least = held_out.pictures_for(rate)
    wrong = []
    if independent < least:
        wrong.append(
            f"{len(kept)} labelled pictures (of {independent} patients) can be graded, but to "
            f"promise an error of at most {rate:.0%} takes {least} patients and not one wrong "
            "answer; label more, or promise less (--rate)"
        )
    if kept and max(counts.values()) == len(kept):
        word = max(counts, key=lambda w: counts[w])
        wrong.append(f"all labelled pictures are {word}: label some of the other grades, too")
    if wrong:
        raise ValueError("; ".join(wrong))


# ---------------------------------------------------------------- what they say
def _of_detail(said: Said, detail: str) -> tuple[Floats, Ints, Ints]:
    """Probabilities of bad and good (n, 2), labels (n,) and groups (n,) of a detail's pictures."""
    k = DETAILS.index(detail)
    rows = np.flatnonzero((said.labels[:, k] >= 0) & np.isfinite(said.details[:, k]))
    good = said.details[rows, k]
    return np.stack([1 - good, good], axis=1), said.labels[rows, k], said.groups[rows]


def _details(said: Said) -> dict[str, Detail]:
    """The calibrations of all details that have enough labels."""
    return {d: detail for d in DETAILS if (detail := _detail(said, d)) is not None}


def _detail(said: Said, detail: str) -> Detail | None:
    """A detail's calibration; None for too few labels."""
    p, labels, groups = _of_detail(said, detail)
    good, bad = int((labels == 1).sum()), int((labels == 0).sum())
    if good + bad < FEW or min(good, bad) < OF_EACH:
        return None
    its_map, sure = calibrated_detail(p[:, 1], labels, groups)
    return Detail(its_map, sure, good, bad)


def how_well(one: Assessor, said: Said, details: dict[str, Detail], rate: float) -> dict[str, Any]:
    """What the calibration is worth, as held_out tells it of pictures whose patient it was not made
    from (`calibrated`), and what the Student as it was says of the same (`before`): of grades, and
    of each calibrated detail. promised_at_most: the least error that so many patients could show;
    shown: the least that these labels do show, None for none up to one half."""

    def fit(p: Floats, truth: Ints, groups: Ints) -> Rule:
        t, rule = of_grades(p, truth, groups, rate, one.temperature)
        return tempered_rule(t, rule.threshold)

    as_it_was = tempered_rule(one.temperature, one.abstention.threshold)
    t, _ = of_grades(said.p, said.truth, said.groups, rate, one.temperature)
    changed = tempered_rule(t, 0.0).changed(said.p)
    return {
        "grades": {
            "calibrated": held_out.held_out(fit, said.p, said.truth, said.groups).told(),
            "before": answers(as_it_was, said.p, said.truth, said.groups).told(),
        },
        "details": {d: _how_well_called(one, said, d) for d in details},
        "promised_at_most": held_out.least_rate(len(np.unique(said.groups))),
        "shown": held_out.rate_shown(changed, said.truth, said.groups),
    }


def _how_well_called(one: Assessor, said: Said, detail: str) -> dict[str, Any]:
    def fit(p: Floats, labels: Ints, groups: Ints) -> Rule:
        return mapped_rule(*calibrated_detail(p[:, 1], labels, groups))

    p, labels, groups = _of_detail(said, detail)
    as_it_was = mapped_rule(one.maps[DETAILS.index(detail)], one.sure[detail])
    return {
        "calibrated": held_out.held_out(fit, p, labels, groups).told(),
        "before": answers(as_it_was, p, labels, groups).told(),
    }


def _worth_knowing(one: Assessor, known: Labels, kept: Sequence[Labelled], said: Said) -> list[str]:
    """What the owner should know of the labels."""
    notes = []
    for word, n in _counted(kept, one.words).items():
        if n < OF_EACH:
            notes.append(f"{word}: {n} labelled pictures, too few to say how often it is right")
    if not any(k.patient for k in kept):
        notes.append(
            "whose pictures they are is not known: they count as of one patient each; a column "
            "patient would tell"
        )
    if len(kept) < FEW:
        notes.append(f"fewer than {FEW} pictures: the Student's own temperature is kept")
    grade = said.p.argmax(axis=1)
    right, turned = (
        float((grade == truth).mean()) for truth in (said.truth, len(one.words) - 1 - said.truth)
    )
    if known.numbers and turned > right + 0.2:
        notes.append(
            f"the numbers fit better the other way round ({turned:.0%} right, as they are "
            f"{right:.0%}): 0 is {one.words[0]} here; write the words to be sure"
        )
    return notes
