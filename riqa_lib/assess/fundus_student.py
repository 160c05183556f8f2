"""A trained Student of fundus photographs, ready to grade: which run, how it is calibrated, what
its answers promise.

Probabilities of the overall grade are calibrated by temperature on the Student's validation
pictures, and below the threshold of `calibration.abstention` no grade is given. Those of the
details are calibrated (Platt) on the training part of the small labelled set (mshf), from which the
Student saw no label but its Teacher did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import paths, scales, store
from ..networks.resnet import MultiTaskResNet
from ..scales import DETAILS
from ..stats import calibration
from ..stats.calibration import calibrated, platt
from ..tables import stored
from ..training.fundus import TUNING, load_student
from . import advice
from .inputs import RATE
from .which_run import folder_of, of_photographs

# px, longer side that pictures are brought to, or twice the network's if that is more
WORKING = 480

DETAIL_RATE = 0.2  # error promised among the details that are called good or bad


@dataclass(frozen=True)
class Assessor:
    """A trained Student, calibrated. sure: per detail the probability from which it is called;
    words: grades, worst first."""

    net: MultiTaskResNet
    about: dict[str, Any]
    words: tuple[str, ...]
    temperature: float
    abstention: calibration.Abstention
    maps: tuple[tuple[float, float], ...]
    sure: dict[str, float]
    predictions: pd.DataFrame  # what the run stored

    @property
    def working(self) -> int:
        return max(WORKING, 2 * int(self.about["size"]))

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
        }

    def headline(self) -> str:
        """The same in words."""
        kind = "multi-task" if self.about["details_learnt"] else "single-task (no details)"
        data = (
            "SIMULATED photographs: not for real patients"
            if self.about["simulated"]
            else "real photographs"
        )
        about = f"Student {self.about['run']}, {kind}, trained on {self.about['name']}, {data}."
        return f"{about}\nIt {self._promise()}."

    def _promise(self) -> str:
        a = self.abstention
        if not a.met:
            return (
                f"abstains always: {a.n} validation pictures don't show an error of at most "
                f"{a.rate:.0%}; see --rate"
            )
        return (
            f"answers from probability {a.threshold:.2f}: {a.coverage:.0%} of {a.n} validation "
            f"pictures, {a.error:.0%} of these wrong (promised: at most {a.rate:.0%}, "
            f"confidence {a.confidence:.0%})"
        )


def newest() -> Path:
    """The newest finished multi-task Student, one of three grades (eyeq) if there is any.

    FileNotFoundError, naming the notebook to run, without."""
    found = []
    for folder in paths.runs().glob("student-*"):
        if not store.done(folder):
            continue
        about = store.read_json(folder / "about.json")
        config = store.read_json(folder / "config.json")
        if about.get("details_learnt") and config.get("seed") != TUNING:
            finished = (folder / "provenance.json").stat().st_mtime_ns
            found.append((about["classes"] == 3, finished, folder))
    if not found:
        raise FileNotFoundError(
            f"{paths.shown(paths.runs())}: no trained multi-task Student; run notebook 15_student "
            "first (python run_all.py --only 15_student), or name a run"
        )
    return max(found)[2]


def load(run: str | Path | None = None, rate: float = RATE) -> Assessor:
    """A Student ready to grade: the newest, or a run by folder or by its name in results/runs.

    Raises FileNotFoundError or ValueError for what is no finished Student, ValueError for a rate
    outside 0..1."""
    folder = newest() if run is None else folder_of(run)
    if of_photographs(folder):
        raise ValueError(
            f"{paths.shown(folder)}: a run on photographs, not on fundus photographs; "
            f"score with it: riqa score PATH... --run {folder.name}"
        )
    net, about = load_student(folder)
    said = stored.read_fundus_predictions(folder)
    classes = int(about["classes"])
    val = said[(said["set"] == about["set"]) & (said["split"] == "val") & (said["truth"] >= 0)]
    p, truth = val[[f"p{k}" for k in range(classes)]].to_numpy(float), val["truth"].to_numpy(int)
    t = calibration.temperature(p, truth)
    rule = calibration.abstention(calibration.tempered(p, t), truth, rate=rate, groups=val["group"])
    maps, sure = [], {}
    known = said[(said["set"] == "mshf") & (said["split"] == "train")]
    for d in DETAILS:
        mine = known[known[d] >= 0]
        its_map, sure[d] = _calibrated_detail(mine[f"d_{d}"].to_numpy(float), mine[d].to_numpy(int))
        maps.append(its_map)
    words = scales.FUNDUS_GRADES[classes]
    return Assessor(net, about, words, t, rule, tuple(maps), sure, predictions=said)


def _calibrated_detail(p: np.ndarray, good: np.ndarray) -> tuple[tuple[float, float], float]:
    """Of a detail's stored probabilities (N,) and labels (N,): its Platt map, none for too few
    pictures, and the probability from which it is called."""
    its_map = platt(p, good) if len(p) >= calibration.FEW else (1.0, 0.0)
    if not len(p):
        return its_map, advice.SURE
    said = calibrated(p[:, None], [its_map])[:, 0]
    both = np.stack([1 - said, said], axis=1)
    called = calibration.abstention(both, good, rate=DETAIL_RATE)
    return its_map, round(called.threshold, 4) if called.met else advice.SURE


def rounded(x: float | None, digits: int = 4) -> float | None:
    """A number as JSON has it; None for None and what is not finite.

    >>> rounded(1 / 3), rounded(float("nan"))
    (0.3333, None)
    """
    return None if x is None or not np.isfinite(x) else round(float(x), digits)
