"""A trained Student of fundus photographs, ready to grade: which run, how it is calibrated, what
its answers promise.

Probabilities of the overall grade are calibrated by temperature on the Student's validation
pictures, and below the threshold of `calibration.abstention` no grade is given. Those of the
details are calibrated (Platt) on the training part of the small labelled set (mshf), from which the
Student saw no label but its Teacher did.

What is promised ("at most 10 % wrong") holds for pictures such as those of the Student's
validation. Where these are simulated, it gives no grade for anybody's own pictures unless it was
calibrated on labelled ones of theirs (calibrations.py), or is asked to answer without any promise.
The likeliest grade, probabilities, details and advice are given all the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from .. import paths, scales, store
from ..networks.network import Network
from ..scales import DETAILS
from ..stats.calibration import FEW, Abstention, abstention, platt, temperature, tempered
from ..stats.calibration import calibrated as through_maps
from ..tables import stored
from ..training.fundus import TUNING, load_student
from . import advice, calibrations
from .calibrations import Calibration
from .fundus_reading import WORKING
from .inputs import RATE
from .which_run import folder_of, of_photographs

DETAIL_RATE = 0.2  # error promised among the details that are called good or bad

NEVER = 1.01  # a threshold that no probability reaches
# why a Student of simulated photographs gives no grade
NOT_YOURS = "learnt from simulated photographs, not calibrated on yours: riqa calibrate"

# what its answers rest on: pictures such as its validation's, the owner's labels, nothing at all
# (it answers all the same), or nothing (it gives no grade)
Basis = Literal["validation", "calibrated", "unpromised", "none"]


@dataclass(frozen=True)
class Assessor:
    """A trained Student, calibrated. sure: per detail the probability from which it is called;
    words: grades, worst first."""

    net: Network
    about: dict[str, Any]
    words: tuple[str, ...]
    temperature: float
    abstention: Abstention
    maps: tuple[tuple[float, float], ...]
    sure: dict[str, float]
    predictions: pd.DataFrame  # what the run stored
    basis: Basis = "validation"
    calibration: Calibration | None = None  # of the owner's own pictures

    @property
    def working(self) -> int:
        return max(WORKING, 2 * int(self.about["size"]))

    @property
    def threshold(self) -> float:
        """The probability from which it gives a grade; NEVER where it gives none."""
        return NEVER if self.basis == "none" else self.abstention.threshold

    def describe(self) -> dict[str, object]:
        """Which Student, trained on what, and what its answers promise; plain JSON."""
        simulated = bool(self.about["simulated"])
        return {
            "run": self.about["run"],
            "trained_on": self.about["name"],
            "simulated": simulated,
            "grades": list(self.words),
            "details": bool(self.about["details_learnt"]),
            "temperature": round(self.temperature, 4),
            "abstention": asdict(self.abstention) | {"error": rounded(self.abstention.error)},
            "sure": self.sure,
            "promise": {"rests_on": self.basis, "in_words": self._promise()},
            "calibration": asdict(self.calibration) if self.calibration else None,
        }

    def headline(self) -> str:
        """The same in words: a line which Student and for what pictures its promise holds, a line
        what it does."""
        kind = "multi-task" if self.about["details_learnt"] else "single-task (no details)"
        about = f"Student {self.about['run']}, {kind}, trained on {self.about['name']}"
        return f"{about}, {self._holds()}.\nIt {self._promise()}."

    def _holds(self) -> str:
        """On what it was trained, and where what it promises holds."""
        own = self.calibration
        if own is not None:
            data = "SIMULATED" if self.about["simulated"] else "real"
            return f"{data} photographs; calibrated on {own.in_words()}"
        if self.about["simulated"]:
            return (
                "SIMULATED photographs: not for real patients; an error that it promises holds for "
                "simulated photographs only"
            )
        return "real photographs"

    def _promise(self) -> str:
        a = self.abstention
        if self.basis == "none":
            return (
                "gives no grade for your pictures, only the likeliest (with ?), until it is "
                "calibrated on labelled ones of yours: riqa calibrate"
            )
        if not a.met:
            return (
                f"abstains always: {a.n} {self._shown_by()} don't show an error of at most "
                f"{a.rate:.0%}; see --rate"
            )
        shown = f"{a.coverage:.0%} of {a.n} {self._shown_by()}, {a.error:.0%} of these wrong"
        if self.basis == "unpromised":
            return (
                f"answers from probability {a.threshold:.2f} ({shown}); not calibrated on your "
                "pictures: no promise is made"
            )
        return (
            f"answers from probability {a.threshold:.2f}: {shown} (promised: at most {a.rate:.0%}, "
            f"confidence {a.confidence:.0%})"
        )

    def _shown_by(self) -> str:
        if self.calibration is None:
            return "validation pictures"
        return "of your patients" if self.calibration.patients else "of your pictures"


def newest() -> Path:
    """The newest finished multi-task Student: one of three grades (eyeq) if there is any, of these
    one that learnt from own-defect copies, whose details answer to their own defect, and saw
    pictures through the frozen encoder.

    FileNotFoundError, naming the notebook to run, without."""
    found = []
    for folder in paths.runs().glob("student-*"):
        if not store.done(folder):
            continue
        about = store.read_json(folder / "about.json")
        config = store.read_json(folder / "config.json")
        if about.get("details_learnt") and config.get("seed") != TUNING:
            finished = (folder / "provenance.json").stat().st_mtime_ns
            answers = bool(about.get("own_defects")), about.get("encoder") == "lite0"
            found.append((about["classes"] == 3, *answers, finished, folder))
    if not found:
        raise FileNotFoundError(
            f"{paths.shown(paths.runs())}: no trained multi-task Student; run notebook 15_student "
            "first (python run_all.py --only 15_student), or name a run"
        )
    return max(found)[-1]


def load(
    run: str | Path | None = None,
    rate: float = RATE,
    *,
    calibrated: str | None = None,
    uncalibrated: bool = False,
    simulated: bool = False,
) -> Assessor:
    """A Student ready to grade: the newest, or a run by folder or by its name in results/runs.

    Of what the pictures to grade are, at most one: calibrated: the name of a calibration of the run
    ("" for its only one) on pictures such as these; uncalibrated: give grades although nothing is
    promised of them; simulated: they are simulated photographs. Without, a Student of simulated
    photographs gives no grades.

    Raises FileNotFoundError or ValueError for what is no finished Student or no calibration of it,
    ValueError for a rate outside 0..1, another than the calibration's, or several of these
    choices."""
    if (calibrated is not None) + uncalibrated + simulated > 1:
        raise ValueError(
            "pictures are graded as calibrated, as uncalibrated or as simulated ones: choose one"
        )
    folder = newest() if run is None else folder_of(run)
    if of_photographs(folder):
        raise ValueError(
            f"{paths.shown(folder)}: a run on photographs, not on fundus photographs; "
            f"score with it: riqa score PATH... --run {folder.name}"
        )
    one = _of_validation(folder, rate)
    if calibrated is not None:
        return with_calibration(one, calibrations.read(folder, calibrated), rate)
    if uncalibrated:
        return replace(one, basis="unpromised")
    return replace(one, basis="none") if one.about["simulated"] and not simulated else one


def with_calibration(one: Assessor, own: Calibration, rate: float = RATE) -> Assessor:
    """The Student with what its owner's labelled pictures say; ValueError for a rate (other than
    the usual) that is not the calibration's."""
    if rate not in (RATE, own.abstention.rate):
        raise ValueError(
            f"rate = {rate}: {own.name} was calibrated for an error of at most "
            f"{own.abstention.rate:.0%}; calibrate again: riqa calibrate ... --rate {rate}"
        )
    maps = [
        own.details[d].map if d in own.details else its_own
        for d, its_own in zip(DETAILS, one.maps, strict=True)
    ]
    return replace(
        one,
        temperature=own.temperature,
        abstention=own.abstention,
        maps=tuple(maps),
        sure=one.sure | {d: its.sure for d, its in own.details.items()},
        basis="calibrated",
        calibration=own,
    )


def _of_validation(folder: Path, rate: float) -> Assessor:
    """The Student as its own validation pictures calibrate it."""
    net, about = load_student(folder)
    said = stored.read_fundus_predictions(folder)
    classes = int(about["classes"])
    val = said[(said["set"] == about["set"]) & (said["split"] == "val") & (said["truth"] >= 0)]
    p, truth = val[[f"p{k}" for k in range(classes)]].to_numpy(float), val["truth"].to_numpy(int)
    t = temperature(p, truth)
    rule = abstention(tempered(p, t), truth, rate=rate, groups=val["group"])
    maps, sure = [], {}
    known = said[(said["set"] == "mshf") & (said["split"] == "train")]
    for d in DETAILS:
        mine = known[known[d] >= 0]
        its_map, sure[d] = calibrated_detail(mine[f"d_{d}"].to_numpy(float), mine[d].to_numpy(int))
        maps.append(its_map)
    words = scales.FUNDUS_GRADES[classes]
    return Assessor(net, about, words, t, rule, tuple(maps), sure, predictions=said)


def calibrated_detail(
    p: np.ndarray, good: np.ndarray, groups: np.ndarray | None = None
) -> tuple[tuple[float, float], float]:
    """Of a detail's probabilities (N,) and labels (N,): its Platt map, none for too few pictures,
    and the probability from which it is called. groups (N,): whose pictures are alike."""
    its_map = platt(p, good) if len(p) >= FEW else (1.0, 0.0)
    if not len(p):
        return its_map, advice.SURE
    said = through_maps(p[:, None], [its_map])[:, 0]
    both = np.stack([1 - said, said], axis=1)
    called = abstention(both, good, rate=DETAIL_RATE, groups=groups)
    return its_map, round(called.threshold, 4) if called.met else advice.SURE


def rounded(x: float | None, digits: int = 4) -> float | None:
    """A number as JSON has it; None for None and what is not finite.

    >>> rounded(1 / 3), rounded(float("nan"))
    (0.3333, None)
    """
    return None if x is None or not np.isfinite(x) else round(float(x), digits)
