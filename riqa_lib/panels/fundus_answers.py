"""What a walk's Teacher and Student say of one simulated photograph, as `riqa assess` would say it
of the file.

    pair = open_pair("demo")
    pair.answer(photograph(Scene(severity={"clarity": 1.5})))"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from .. import paths, store
from ..assess import fundus_student
from ..assess.fundus_student import Assessor, rounded
from ..assess.grading import assess, prepare
from ..assess.looks import LOOK, Look
from ..hints import did_you_mean
from ..networks.network import Network
from ..scales import DETAILS
from ..sim.fundus_camera import Shot
from ..stats.calibration import calibrated
from ..tables import stored
from ..tables.names import row_name
from ..training.fundus import load_teacher
from ..training.fundus_sources import said_of_pixels
from . import fundus_scene
from .fundus_scene import Scene, photograph
from .prediction_walk import there_are


# ---------------------------------------------------------------- who answers
@dataclass(frozen=True)
class Teacher:
    """A trained Teacher: probabilities of good of the details, calibrated."""

    net: Network
    about: Mapping[str, Any]
    run: str

    def details(self, crop: np.ndarray) -> dict[str, float]:
        """Probability of good of each detail of a picture (S, S, 3) uint8, cropped to its field."""
        _, said = said_of_pixels(self.net, self.about, crop[None])
        good = calibrated(said, [self.about["calibration"][d] for d in DETAILS])[0]
        return dict(zip(DETAILS, map(float, good), strict=True))


@dataclass(frozen=True)
class Pair:
    """A Student and its Teacher (None: it learnt from none, or that is not there any more). name:
    the Student's row, in words."""

    student: Assessor
    teacher: Teacher | None
    name: str

    def headline(self) -> list[str]:
        """Who answers, trained on what."""
        about = self.student.about
        kind = "SIMULATED" if about["simulated"] else "real"
        lines = [f"Student: {self.name}, run {about['run']}, learnt from {kind} photographs"]
        if not about["simulated"]:
            lines.append("What it says of simulated ones is promised nowhere.")
        if self.teacher is None:
            lines.append("Its Teacher is not there: none answers.")
        else:
            lines.append(f"Teacher: run {self.teacher.run}")
        return lines

    def answer(self, shot: Shot) -> dict[str, Any]:
        """What both say of a photograph, and the truth.

        png: the photograph's file (bytes); truth: `fundus_scene.truth`; student: a row of
        `assess`, without what its file says; teacher: {detail: probability of good}, {} where there
        is none, or where the picture was refused."""
        with tempfile.TemporaryDirectory() as folder, one_thread():
            file = Path(folder) / "simulated.png"
            Image.fromarray(shot.pixels).save(file, compress_level=1)
            row = next(assess([file], self.student, workers=1, keep=True))
            look: Look | None = row.pop(LOOK, None)
            teacher = self._teacher(file, look)
            png = file.read_bytes()
        return {
            "png": png,
            "truth": fundus_scene.truth(shot, len(self.student.words)),
            "student": row,
            "teacher": teacher,
        }

    def _teacher(self, file: Path, look: Look | None) -> dict[str, float]:
        if self.teacher is None or look is None or look.crop is None:
            return {}
        crop: np.ndarray | None = look.crop
        if crop is not None and len(crop) != int(self.teacher.about["size"]):
            crop = prepare(file, int(self.teacher.about["size"]), self.student.working).crop
        return {} if crop is None else self.teacher.details(crop)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread: for a single picture more of them only wait for each other, long where other
    programs work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------- which there are
def walks() -> list[str]:
    """Names of the walks that list fundus runs, by name."""
    found = (paths.home() / "results").glob("*/tables/fundus-*.csv")
    return sorted({file.parents[1].name for file in found})


def students(name: str) -> pd.DataFrame:
    """The finished Students of a walk, that which `riqa assess` would take first: run, row, set,
    seed."""
    runs = stored.fundus_runs(name)
    there = [store.done(paths.runs() / r) and r.startswith("student-") for r in runs["run"]]
    runs = runs[np.array(there, dtype=bool)].reset_index(drop=True)
    abouts = [store.read_json(paths.runs() / run / "about.json") for run in runs["run"]]
    ranks = [_rank(about) for about in abouts]
    order = sorted(range(len(runs)), key=ranks.__getitem__, reverse=True)
    return runs.iloc[order][["run", "row", "set", "seed"]].reset_index(drop=True)


def _rank(about: Mapping[str, Any]) -> tuple[bool, ...]:
    """As `fundus_student.newest` chooses."""
    answers = bool(about.get("own_defects")), about.get("encoder") == "lite0"
    return bool(about.get("details_learnt")), about["classes"] == 3, *answers


def open_pair(name: str, run: str = "") -> Pair:
    """A walk's Student (by its run's name; "": the first of `students`) and its Teacher.

    FileNotFoundError, saying what to run or what there is, without; ValueError for damaged
    files."""
    found = students(name)
    if found.empty:
        known = walks()
        raise FileNotFoundError(
            f"{paths.shown(paths.results(name))}: no trained Student yet"
            f"{did_you_mean(name, known)}; of walks with fundus runs {there_are(known)}. Train one "
            f"(python run_all.py --name {name} --only 15_student)"
        )
    run = run or str(found["run"].iloc[0])
    if run not in set(found["run"]):
        raise FileNotFoundError(
            f"{run}: no Student of the walk {name}{did_you_mean(run, found['run'])}; "
            f"there are: {', '.join(found['run'])}"
        )
    folder = paths.runs() / run
    simulated = bool(store.read_json(folder / "about.json")["simulated"])
    student = fundus_student.load(folder, simulated=simulated, uncalibrated=not simulated)
    of = found[found["run"] == run].iloc[0]
    words = f"{row_name(of['row'])} ({of['set']}), seed {of['seed']}"
    return Pair(student, _teacher_of(student), words)


def _teacher_of(student: Assessor) -> Teacher | None:
    run = str(student.about.get("taught_by") or "")
    if not run or not store.done(paths.runs() / run):
        return None
    net, about = load_teacher(paths.runs() / run)
    return Teacher(net, about, run)


# ---------------------------------------------------------------- one defect after the other
def sweep(pair: Pair, scene: Scene, cause: str, levels: Iterable[float]) -> pd.DataFrame:
    """What both say while one cause grows: severity (measured), likeliest (grade), confidence, for
    each detail student_<detail> and teacher_<detail> (probabilities of good; nan where not judged),
    advice, true_grade."""
    rows = []
    for level in levels:
        said = pair.answer(photograph(scene.but(severity={cause: float(level)})))
        row, details = said["student"], said["student"].get("details", {})
        student = {f"student_{d}": details.get(d, {}).get("good", np.nan) for d in DETAILS}
        teacher = {f"teacher_{d}": rounded(said["teacher"].get(d)) for d in DETAILS}
        rows.append(
            {
                "severity": said["truth"]["causes"][cause]["severity"],
                "likeliest": row.get("likeliest", row["state"]),
                "confidence": row.get("confidence", np.nan),
                **student,
                **teacher,
                "advice": "; ".join(a["say"] for a in row.get("advice", [])),
                "true_grade": said["truth"]["grade"],
            }
        )
    return pd.DataFrame(rows)


def findings(table: pd.DataFrame, cause: str) -> str:
    """What a `sweep` shows, in words: how far probabilities of good move from the least to the
    greatest severity, and the grades on the way."""
    first, last = table.iloc[0], table.iloc[-1]
    who = [
        f"the {name.capitalize()}'s from {first[column]:.2f} to {last[column]:.2f}"
        for name in ("teacher", "student")
        if (column := f"{name}_{cause}") in table and table[column].notna().all()
    ]
    grades = " → ".join(dict.fromkeys(table["likeliest"]))
    true = " → ".join(dict.fromkeys(table["true_grade"]))
    moved = f"the probability of good {cause} goes, {', '.join(who)}; " if who else ""
    return (
        f"Simulated data, one eye. While {cause} gets worse (severity {first['severity']:g} to "
        f"{last['severity']:g}), {moved}the Student's likeliest grade: {grades}; in truth: {true}."
    )
