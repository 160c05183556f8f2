"""What a Teacher and a Student have to beat: rows of the fundus tables that train no network.

    constant    the shares of the labels among the pictures learnt from, said of every picture; it
                calls all the commonest grade, which is the best constant for accuracy and macro F1
    always_bad  bad, of every picture: the best constant for F1 of bad
    forest      a random forest on hand-made statistics of the picture (stats.picture_statistics)
                inside the field of view
    logistic    logistic regression on what the frozen encoder says of the picture
                (networks.field_moments), from which the networks of rows "..._lite0" learn as
                well; its penalty by a rule (`penalty`)

Each kind is a row beside the Teacher ("forest") and one beside the Students of each set
("forest_eyeq", "forest_deepdrid"). The details are learnt as the Teacher learns them: from the same
pictures of MSHF, the same sources left out one by one, the same calibration by what those left out
say. The overall grade is learnt from the same training pictures and grades as a Student's; its
validation pictures are asked, never learnt from. No Teacher and no pseudo-label is read.

Settings are fixed: nothing is chosen by validation or test pictures. They leave predictions like
any fundus run (`fundus`), noted in the same lists, so that every table holds them beside the
networks.

    fundus_baselines.train_rows("demo", "demo", ["forest", "logistic"], 0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from .. import paths
from ..bounds import Checked, Range
from ..datasets.data_folder import DataSet, data_key
from ..pictures.fundus_data import open_set
from ..scales import DETAILS
from ..seeding import seed_of
from ..stats.calibration import calibrated
from ..stats.picture_statistics import SMALLEST, statistics
from . import run_folder
from .baselines import Baseline, forest
from .fundus_learning import (
    AS_IT_IS,
    Lesson,
    as_table,
    asked_of,
    calibrated_by_others,
    graded,
    grades_on,
    lesson,
)
from .fundus_settings import ALSO, Run, settings
from .fundus_sources import features as moments_of_set
from .measured import Floats, by_blocks
from .settings import must_be_one_of

CONSTANTS = ("constant", "always_bad")  # look at no picture
KINDS = (*CONSTANTS, "forest", "logistic")
TEACHERS = "mshf"  # the set whose details all learn
ROWS: dict[str, tuple[str, str]] = {kind: (kind, TEACHERS) for kind in KINDS} | {
    f"{kind}_{on}": (kind, on) for on in ("eyeq", "deepdrid") for kind in KINDS
}  # row -> (kind, set)


@dataclass(frozen=True)
class Logistic(Checked):
    """spread: standard deviation of a logit under the prior that the penalty is (`penalty`)."""

    name: str = "logistic"
    spread: Annotated[float, Range(above=0)] = 2.0


# ---------------------------------------------------------------- learners
def inside_field(pixels: np.ndarray) -> np.ndarray:
    """The middle of pictures (N, S, S, 3): the square that fits into the circle which fills a
    picture cropped to its field of view, of side S / sqrt(2), at least SMALLEST px. What lies
    outside a field is black, and says nothing of the picture."""
    size = pixels.shape[1]
    first = (size - int(size / np.sqrt(2)) + 1) // 2  # as much on every side
    side = max(SMALLEST, size - 2 * first)
    first = (size - side) // 2
    return pixels[:, first : first + side, first : first + side]


def _inside_statistics(pixels: np.ndarray) -> Floats:
    return statistics(inside_field(pixels))


def features(kind: str, data: DataSet) -> Floats:
    """What a kind looks at, of every picture of a set: (N, F); F = 0 of one that looks at
    nothing."""
    rows = np.arange(len(data))
    if kind == "forest":
        return by_blocks(_inside_statistics, data.pixels, rows)
    if kind == "logistic":
        return moments_of_set(data)
    return np.empty((len(data), 0))


def penalty(features: int, spread: float) -> float:
    """C of the logistic regression: the variance of a weight under a Gaussian prior by which a
    logit of that many independent standardised features has this standard deviation.

    >>> penalty(400, 2.0)
    0.01
    """
    return spread**2 / features


def logistic(x: Floats, grades: np.ndarray, settings: Logistic) -> Pipeline:
    """Fitted to features (N, F) and grades (N,); features are standardised by these pictures."""
    c = penalty(x.shape[1], settings.spread)
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x, grades)


Learner = Callable[[Floats, np.ndarray, Floats, int, int], Floats]


def _constant(x: Floats, grades: np.ndarray, asked: Floats, classes: int, seed: int) -> Floats:
    return np.tile(np.bincount(grades, minlength=classes) / len(grades), (len(asked), 1))


def _always_bad(x: Floats, grades: np.ndarray, asked: Floats, classes: int, seed: int) -> Floats:
    return np.tile(np.eye(classes)[0], (len(asked), 1))


def _forest(x: Floats, grades: np.ndarray, asked: Floats, classes: int, seed: int) -> Floats:
    learnt = forest(x, grades, Baseline("forest"), seed_of("fundus forest", seed))
    return _spread_out(learnt.predict_proba(asked), learnt.classes_, classes)


def _logistic(x: Floats, grades: np.ndarray, asked: Floats, classes: int, seed: int) -> Floats:
    learnt = logistic(x, grades, Logistic())
    return _spread_out(learnt.predict_proba(asked), learnt.classes_, classes)


def _spread_out(p: Floats, known: np.ndarray, classes: int) -> Floats:
    """Probabilities of the grades that were seen, over all grades: the others get 0."""
    out = np.zeros((len(p), classes))
    out[:, known] = p
    return out


SAID: dict[str, Learner] = {
    "constant": _constant,
    "always_bad": _always_bad,
    "forest": _forest,
    "logistic": _logistic,
}


def says(
    kind: str, x: Floats, grades: np.ndarray, asked: Floats, classes: int, seed: int
) -> Floats:
    """Probabilities (asked, classes), learnt from features x (N, F) and grades (N,), of which -1
    (unknown) are left out. Where all grades seen are one, that one; without any, all alike."""
    known = grades >= 0
    x, grades = x[known], grades[known]
    if not len(grades):
        return np.full((len(asked), classes), 1 / classes)
    if len(np.unique(grades)) == 1:
        kind = kind if kind in CONSTANTS else "constant"
    return SAID[kind](x, grades, asked, classes, seed)


# ---------------------------------------------------------------- details and grades
def _good(
    kind: str, x: Mapping[str, Floats], learnt: Lesson, rows: np.ndarray, asked: dict, seed: int
) -> dict[str, Floats]:
    """Probability of good of each detail, (n, 3), for the rows asked of each set; learnt from these
    rows of MSHF."""
    whole = np.concatenate([x[which][of] for which, of in asked.items()])
    one = [
        says(kind, x[TEACHERS][rows], learnt.labels[rows, j], whole, 2, seed)[:, 1]
        for j in range(len(DETAILS))
    ]
    ends = np.cumsum([len(of) for of in asked.values()])[:-1]
    return dict(zip(asked, np.split(np.column_stack(one), ends), strict=True))


def details(
    kind: str,
    x: Mapping[str, Floats],
    learnt: Lesson,
    own: str,
    data: Mapping[str, DataSet],
    seed: int,
) -> tuple[dict[str, np.ndarray], dict[str, Floats], list[tuple[float, float]]]:
    """What is asked of each set (rows; of MSHF only those that a model answers which did not learn
    from them), calibrated probabilities of good (rows, 3) of each detail, and the calibration. A
    constant is not calibrated, and knows all training pictures."""
    n = len(data[TEACHERS])
    raw = np.full((n, len(DETAILS)), np.nan)
    rest = {which: asked_of(own, which, d) for which, d in data.items() if which != TEACHERS}
    said: dict[str, Floats] = {}
    for fold in (*learnt.sources, ""):
        mine, left = learnt.without(fold)
        mine = learnt.rows if kind in CONSTANTS else mine
        unseen = left if fold else np.setdiff1d(np.arange(n), learnt.rows)
        found = _good(kind, x, learnt, mine, {TEACHERS: unseen} | ({} if fold else rest), seed)
        raw[unseen] = found.pop(TEACHERS)
        said |= found
    there = np.flatnonzero(np.isfinite(raw[:, 0]))
    if kind in CONSTANTS or not learnt.sources:
        return {TEACHERS: there} | rest, {TEACHERS: raw[there]} | said, [AS_IT_IS] * len(DETAILS)
    maps = learnt.maps(raw, learnt.rows)
    own_set = calibrated_by_others(learnt, raw, maps)[there]
    others = {which: calibrated(d, maps) for which, d in said.items()}
    return {TEACHERS: there} | rest, {TEACHERS: own_set} | others, maps


# ---------------------------------------------------------------- runs
def _config(kind: str, run: Run, sets: Mapping[str, DataSet]) -> dict:
    method = {
        "forest": asdict(Baseline("forest")),
        "logistic": asdict(Logistic()),
    }.get(kind, {"name": kind})
    return {
        "method": method,
        "set": run.set,
        "seed": run.seed,
        "details": asdict(run.method),
        "data_key": "+".join(data_key(data) for data in sets.values()),
    }


def train(name: str, kind: str, on: str, run: Run) -> Path:
    """Fit a kind of baseline on a walk's sets, predict, write its folder; returns it. A finished
    one is reused. on: whose overall grade it learns ("mshf": the details alone). run: the Teacher's
    settings, of which it takes the seed, and which pictures and folds."""
    sets = {which: open_set(name, which) for which in dict.fromkeys((on, *ALSO))}
    run = run.but(set=on)
    with run_folder.opened(_config(kind, run, sets)) as place:
        if not place.done:
            place.write(_fitted(kind, run, sets))
    return place.folder


def _fitted(kind: str, run: Run, sets: Mapping[str, DataSet]) -> run_folder.Result:
    x = {which: features(kind, data) for which, data in sets.items()}
    learnt = lesson(run, sets[TEACHERS])
    asked, good, maps = details(kind, x, learnt, run.set, sets, run.seed)
    grades = _grades(kind, run, sets, x, asked) if run.set != TEACHERS else {}
    classes = int(sets[run.set].info["classes"]) if grades else 0
    tables = [
        as_table(
            data.frame.iloc[asked[which]],
            which,
            grades.get(which),
            good[which],
            grades_on(classes, data, asked[which]),
        )
        for which, data in sets.items()
    ]
    about = {
        "calibration": {d: list(m) for d, m in zip(DETAILS, maps, strict=True)},
        "folds": learnt.sources,
        "set": run.set,
        "simulated": bool(sets[run.set].info["simulated"]),
    }
    labels = len(graded(sets[run.set], "train")) if grades else len(learnt.rows)
    none = pd.DataFrame({"step": []})
    predictions = pd.concat(tables, ignore_index=True)
    return run_folder.Result(None, none, predictions, {"labels": labels}, about)


def _grades(
    kind: str,
    run: Run,
    sets: Mapping[str, DataSet],
    x: Mapping[str, Floats],
    asked: Mapping[str, np.ndarray],
) -> dict[str, Floats]:
    """Probabilities (rows, classes) of the overall grade for the rows asked of each set, learnt
    from its own set's training pictures."""
    data = sets[run.set]
    rows, classes = graded(data, "train"), int(data.info["classes"])
    if not len(rows):
        raise ValueError(f"{paths.shown(data.folder)}: no training picture has a grade")
    known = data.frame["grade"].to_numpy(int)[rows]
    whole = np.concatenate([x[which][of] for which, of in asked.items()])
    p = says(kind, x[run.set][rows], known, whole, classes, run.seed)
    ends = np.cumsum([len(of) for of in asked.values()])[:-1]
    return dict(zip(asked, np.split(p, ends), strict=True))


def train_rows(
    name: str, profile: str, rows: list[str], seed: int, overrides: dict[str, object] | None = None
) -> pd.DataFrame:
    """Fit rows of ROWS on a walk's sets and note them in results/<name>/tables/fundus-<last
    row>-seed<seed>.csv; returns that table, which has the columns of `fundus.train_rows` (lambda_a:
    nan).

    ValueError for an unknown row; FileNotFoundError that names the notebook to run first."""
    for row in rows:
        must_be_one_of("row", row, ROWS)
    run = settings(profile, "teacher", seed, overrides)
    lines = []
    for row in rows:
        kind, on = ROWS[row]
        folder = train(name, kind, on, run)
        lines.append(
            {"run": folder.name, "row": row, "set": on, "seed": seed, "lambda_a": float("nan")}
        )
    return run_folder.note(name, "fundus", rows, seed, lines)
