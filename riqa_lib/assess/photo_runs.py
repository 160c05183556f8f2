"""Trained runs of photographs, found and made ready to score new pictures: on their owner's scale,
calibrated on the run's own stored validation predictions.

The score of a picture is what its calibrated probabilities (temperature) expect: the mean over
grades of their levels, a level being the mean score of the grade's labelled pictures. Its interval
is split conformal (stats.conformal): expected score +- a factor, from validation, times the spread
that the probabilities give, cut at the ends of the scale. A grade is named only where
`calibration.abstention` can promise how often it is wrong. Validation pictures also chose the
weights, so both promises are a little too good."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import paths, store
from ..networks.regressor import Regressor
from ..stats import calibration
from ..stats.conformal import LEVEL, Conformal, conformal
from ..training import stored_networks
from ..training.photo_about import KIND
from ..training.stored_networks import ABOUT, WEIGHTS, Trained
from .inputs import SCORE_RATE
from .which_run import folder_of, of_fundus


# ---------------------------------------------------------------- a scale, and scores on it
@dataclass(frozen=True)
class Ruler:
    """The owner's scale. levels (C,): score of each grade, worst first, as the frame has it: turned
    round (low + high - score) where higher is worse."""

    name: str
    low: float
    high: float
    higher_is_better: bool
    grades: tuple[str, ...]
    levels: np.ndarray

    @property
    def step(self) -> float:
        """How far one grade is from the next, on average."""
        return (self.high - self.low) / len(self.levels)

    def expected(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected score (N,) of probabilities (N, C), and its spread: the standard deviation of a
        score whose grade is drawn from them and which lies anywhere within it."""
        mean = p @ self.levels
        variance = (p * (self.levels - mean[:, None]) ** 2).sum(axis=1)
        return mean, np.sqrt(variance + self.step**2 / 12)

    def owners(self, score: float, half: float) -> tuple[float, float, float]:
        """Score, lower and upper end of its interval (half: its half-width), in the owner's
        direction."""
        middle = score if self.higher_is_better else self.low + self.high - score
        ends = np.clip([middle - half, middle + half], self.low, self.high)
        return float(np.clip(middle, self.low, self.high)), float(ends[0]), float(ends[1])

    def words(self) -> str:
        """Its name, range and direction."""
        better = "higher" if self.higher_is_better else "lower"
        name = self.name or "the grade"
        return f"{name} from {self.low:g} to {self.high:g}, {better} is better"


def ruler(about: dict[str, Any]) -> Ruler:
    """The scale that about.json tells."""
    told = about["scale"]
    return Ruler(
        str(told["score"]),
        float(told["low"]),
        float(told["high"]),
        bool(told["higher_is_better"]),
        tuple(map(str, told["grades"])),
        np.array(about["levels"], float),
    )


# ---------------------------------------------------------------- a run ready to score
@dataclass(frozen=True)
class Scorer:
    """A trained run, calibrated. chosen: how it came to be this run, in words."""

    trained: Trained
    about: dict[str, Any]
    config: dict[str, Any]
    ruler: Ruler
    temperature: float
    abstention: calibration.Abstention
    interval: Conformal
    validation: int
    chosen: str = ""

    @property
    def method(self) -> str:
        """What it was trained by, and whether it also learnt from what a first stage says."""
        return self.about["method"] + (", second stage" if self.config.get("teacher") else "")

    @property
    def calibrated(self) -> bool:
        """Whether probabilities are by validation pictures: of what regresses they aren't."""
        classifies = not isinstance(self.trained.net, Regressor)
        return classifies and self.validation >= calibration.FEW

    @property
    def unlabelled(self) -> int:
        """Pictures without a label that it learnt from; the labelled ones are shown so too."""
        return max(0, int(self.about["unlabelled"]) - int(self.about["labels"]))

    def describe(self) -> dict[str, object]:
        """Which run, trained on what, and what its answers promise; plain JSON."""
        own = self.about
        interval = asdict(self.interval) | {
            "factor": number(self.interval.factor),
            "held": [round(share, 4) for share in self.interval.held],
        }
        return {
            "run": own["run"],
            "method": self.method,
            "trained_on": own["name"],
            "simulated": own["simulated"],
            "labels": own["labels"],
            "unlabelled": self.unlabelled,
            "scale": own["scale"],
            "validation_pictures": self.validation,
            "temperature": round(self.temperature, 4),
            "interval": interval,
            "abstention": asdict(self.abstention) | {"error": number(self.abstention.error)},
        }

    def headline(self) -> str:
        """The same in words."""
        own = self.about
        data = "SIMULATED pictures" if own["simulated"] else "real pictures"
        more = f" and {self.unlabelled:,} without" if self.unlabelled else ""
        return "\n".join(
            (
                f"Run {own['run']}{self.chosen}: {self.method}, trained on {own['name']}, "
                f"{data}, {own['labels']:,} with a label{more}.",
                f"Score: {self.ruler.words()}. {self._interval()}",
                f"Grade: {self._grades()}",
            )
        )

    def _interval(self) -> str:
        told = self.interval
        if not told.met:
            return (
                f"No interval: {told.n} validation pictures are too few to show how far scores are "
                f"off ({_least(told.level)} or more are needed)."
            )
        low, high = told.held
        return (
            f"In brackets: where {told.level:.0%} of true scores lie, by {told.n} validation "
            f"pictures (by so many mostly {low:.0%} to {high:.0%})."
        )

    def _grades(self) -> str:
        rule = self.abstention
        raw = "" if self.calibrated else ", probabilities not calibrated"
        if not rule.met:
            return (
                f"none is named, only guessed (?): {rule.n} validation pictures don't show an "
                f"error of at most {rule.rate:.0%} (--rate){raw}."
            )
        return (
            f"named from probability {rule.threshold:.2f} on, else guessed (?): {rule.coverage:.0%}"
            f" of {rule.n} validation pictures, {rule.error:.0%} of these wrong (promised: at most "
            f"{rule.rate:.0%}, confidence {rule.confidence:.0%}){raw}."
        )


def number(x: float, digits: int = 6) -> float | None:
    """A finite number, rounded; None for what JSON does not have."""
    return round(float(x), digits) if math.isfinite(x) else None


def _least(level: float) -> int:
    return math.ceil(round(level / (1 - level), 9))


# ---------------------------------------------------------------- which run
def suitable(folder: Path) -> bool:
    """Whether a finished run lies there that can score photographs."""
    there = all((folder / name).is_file() for name in (WEIGHTS, ABOUT))
    return there and store.done(folder) and store.read_json(folder / ABOUT).get("kind") == KIND


def newest() -> tuple[Path, str]:
    """The newest finished run of photographs, one on real pictures if there is any, and how it was
    chosen, in words; none of a model of related work, which is there to be compared with, and has
    to be named. FileNotFoundError, saying what to run, without."""
    found = [f for f in paths.runs().glob("*") if suitable(f) and not of_related_work(f)]
    if not found:
        raise FileNotFoundError(
            f"{paths.shown(paths.runs())}: no trained run of photographs; train one first (README, "
            "My own pictures; or python run_all.py --only 03_vit_supervised), or name a run"
        )
    simulated = {f: bool(store.read_json(f / ABOUT)["simulated"]) for f in found}
    real = [f for f in found if not simulated[f]]
    among = real or found
    kind = "on real pictures" if real else "of photographs"
    chosen = max(among, key=_finished)
    return chosen, f" (the newest {kind} of {len(among)}; --run takes another)"


def _finished(folder: Path) -> tuple[int, str]:
    return (folder / "provenance.json").stat().st_mtime_ns, folder.name


def of_related_work(folder: Path) -> bool:
    """Whether a run that is `suitable` is one of a model of related work."""
    return "model" not in store.read_json(folder / "config.json")


def check_run(folder: Path) -> None:
    """ValueError or FileNotFoundError, saying what to do, for a folder that holds no run to score
    photographs with."""
    shown = paths.shown(folder)
    if of_fundus(folder):
        raise ValueError(
            f"{shown}: a run on fundus photographs; grade with a Student: "
            f"riqa assess PATH... --run {folder.name}"
        )
    if not store.done(folder):
        raise FileNotFoundError(f"{shown}: no finished run; train it first")
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{shown}: a run that trained no network; choose one that did")
    if not suitable(folder):
        raise ValueError(
            f"{shown}: does not say on which scale and pictures it was trained ({ABOUT}): made by "
            "an earlier riqa, or only a first step of a run; train again, or choose another"
        )


# ---------------------------------------------------------------- made ready
def load(run: str | Path | None = None, rate: float = SCORE_RATE) -> Scorer:
    """A run ready to score: the newest (see `newest`), or one by folder or by its name in
    results/runs. rate: error promised among named grades.

    FileNotFoundError or ValueError for what is no run to score with, ValueError for a rate outside
    0..1."""
    folder, chosen = newest() if run is None else (folder_of(run), "")
    check_run(folder)
    config, about = store.read_json(folder / "config.json"), store.read_json(folder / ABOUT)
    trained = stored_networks.load(folder)
    scale = ruler(about)
    val = _validation(folder, len(scale.levels))
    p, truth = val[store.columns_of_p(val)].to_numpy(float), val["truth"].to_numpy(int)
    # what regresses says one number; its two probabilities are that number
    classifies = not isinstance(trained.net, Regressor)
    t = calibration.temperature(p, truth) if len(val) and classifies else 1.0
    p = calibration.tempered(p, t)
    return Scorer(
        trained=trained,
        about=about | {"run": folder.name},
        config=config,
        ruler=scale,
        temperature=t,
        abstention=_named(p, val, rate),
        interval=_interval(scale, p, val),
        validation=len(val),
        chosen=chosen,
    )


def _validation(folder: Path, classes: int) -> pd.DataFrame:
    """What the run stored of its validation pictures that have a grade."""
    said = store.read_predictions(folder)
    if len(store.columns_of_p(said)) != classes:
        raise ValueError(
            f"{paths.shown(folder)}: {len(store.columns_of_p(said))} probabilities a picture, but "
            f"{classes} grades in {ABOUT}"
        )
    return said[(said["split"] == "val") & (said["truth"] >= 0)].reset_index(drop=True)


def _named(p: np.ndarray, val: pd.DataFrame, rate: float) -> calibration.Abstention:
    if len(val):
        return calibration.abstention(p, val["truth"], rate=rate, groups=val["group"])
    return calibration.Abstention(1.01, rate, 0.9, False, 0.0, math.nan, 0)


def _interval(scale: Ruler, p: np.ndarray, val: pd.DataFrame) -> Conformal:
    """From validation pictures with a score (with a grade, where the owner has no scores), of a
    group the first one."""
    score = val["score"].to_numpy(float)
    if np.isnan(score).all() and len(val):
        score = scale.levels[val["truth"]]
    first = ~val["group"].duplicated().to_numpy(bool) & ~np.isnan(score)
    mean, spread = scale.expected(p)
    return conformal(score[first], mean[first], spread[first], LEVEL)
