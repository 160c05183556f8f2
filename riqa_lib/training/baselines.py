"""What a network has to beat: rows of the table that learn from the same labels without training
one.

    source_mean  the mean grade of the labelled pictures of the same source (subset, collection): it
                 looks at no picture. Where pictures come from several sources only (`rows_for`)
    forest       a random forest on hand-made statistics of the stored picture
                 (stats.picture_statistics)
    ridge        ridge regression of the grade on the means and standard deviations of a frozen
                 stem's maps, picture and mirror image averaged (networks.map_store); its penalty by
                 leave-one-out on the labelled pictures

and, for the table of related work only (training.related):

    brisque      support vector regression of the grade on natural-scene statistics
                 (stats.natural_scenes)
    ridge_stages the ridge on means and deviations of all of the network's stages
                 (networks.lite0_moments)
    kernel_stages kernel ridge regression, Gaussian kernel, on these beside both kinds of
                 statistics; memory and time go with the square of the labels and more

What is measured, what is fitted and what says are apart (KINDS), so that a fitted row can be asked
of new pictures' pixels (`of_pixels`).

Settings are fixed: no run chooses any by validation or test pictures. They leave predictions like
any run, in the same form, so that every table, interval and comparison holds them beside the
networks. A row that stays below one of these has learnt less than these few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import linalg
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from .. import paths
from ..bounds import Checked, Range
from ..datasets.data_folder import DataSet, data_key
from ..networks import lite0, map_store
from ..networks.lite0_moments import FEATURES as STAGES
from ..networks.lite0_moments import stage_moments
from ..networks.predict import predictions
from ..pictures.photo_data import processes_at_most
from ..seeding import seed_of
from ..stats.natural_scenes import natural_scenes
from ..stats.picture_statistics import statistics
from . import run_folder
from .measured import Floats, by_blocks, measured

PENALTIES = np.logspace(0, 5, 21)  # of the ridge, on standardised features
# of the support vectors, on standardised features; gamma "scale": 1 over their number. Chosen once,
# as KERNEL below, on validation pictures of the simulated world and of BIQ2021
SUPPORT = {"kernel": "rbf", "C": 3.0, "gamma": "scale", "epsilon": 0.1}

# of the kernel ridge
KERNEL = {"kernel": "rbf", "gamma": 0.3, "alpha": 0.3}
WEIGHT = 1.0


@dataclass(frozen=True)
class Baseline(Checked):
    """name: one of SAID; trees and leaf: of the forest (pictures in a leaf, at least)."""

    name: str
    trees: Annotated[int, Range(1)] = 500
    leaf: Annotated[int, Range(1)] = 2


def forest(x: Floats, grades: np.ndarray, settings: Baseline, seed: int) -> RandomForestClassifier:
    """Fitted to statistics (N, features) and grades (N,)."""
    return RandomForestClassifier(
        settings.trees,
        min_samples_leaf=settings.leaf,
        random_state=seed % 2**32,
        n_jobs=1,
    ).fit(x, grades)


def ridge(x: Floats, grades: np.ndarray) -> Pipeline:
    """Fitted to features (N, F) and grades (N,); features are standardised by these pictures."""
    return make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(x, grades)


def wide_ridge(x: Floats, grades: np.ndarray) -> Pipeline:
    """As `ridge`, of thousands of features: the errors of leaving out each picture in turn come
    from one eigendecomposition of the smaller Gram matrix, some times as fast as RidgeCV's."""
    penalty = PENALTIES[
        np.argmin((_left_out(StandardScaler().fit_transform(x), grades) ** 2).sum(0))
    ]
    return make_pipeline(StandardScaler(), Ridge(penalty, solver="cholesky")).fit(x, grades)


def _left_out(z: Floats, y: np.ndarray) -> Floats:
    """Errors (N, penalties) of ridge regressions of y (N,) on centred features z (N, F), each
    picture by those fitted without it: (y - said) / (1 - h), h the diagonal of the hat matrix
    Q diag(l / (l + a)) Q' + 1/N, Q and l of z z' = Q diag(l) Q'."""
    n = len(z)
    if n <= z.shape[1]:
        values, q = linalg.eigh(z @ z.T)
    else:
        values, vectors = linalg.eigh(z.T @ z)
        q = z @ vectors / np.sqrt(np.maximum(values, 1e-9))
    values = np.maximum(values, 0)
    kept = values[:, None] / (values[:, None] + PENALTIES)
    said = q @ (kept * (q.T @ (y - y.mean()))[:, None]) + y.mean()
    return (y[:, None] - said) / (1 - q**2 @ kept - 1 / n)


def support_vectors(x: Floats, grades: np.ndarray) -> Pipeline:
    """A support vector regression with a Gaussian kernel (SUPPORT), fitted to features (N, F) and
    grades (N,); features are standardised by these pictures."""
    return make_pipeline(StandardScaler(), SVR(**SUPPORT)).fit(x, grades)


def kernel(x: Floats, grades: np.ndarray) -> RegressorMixin:
    """Kernel ridge regression (KERNEL), fitted to stage moments with statistics after them (N, F)
    and grades (N,): features are standardised by these pictures, and a picture's distance to
    another is the mean square difference of stage moments plus WEIGHT times that of statistics."""
    line = make_pipeline(StandardScaler(), FunctionTransformer(_balanced), KernelRidge(**KERNEL))
    centred = StandardScaler(with_std=False)
    return TransformedTargetRegressor(line, transformer=centred).fit(x, grades)


def _balanced(x: Floats) -> Floats:
    rest = x.shape[1] - STAGES
    return np.hstack([x[:, :STAGES] / STAGES**0.5, x[:, STAGES:] * (WEIGHT / rest) ** 0.5])


def as_probabilities(expected: Floats, classes: int) -> Floats:
    """Probabilities (N, classes) whose mean is the expected grade (N,), held to the two grades
    beside it; what lies outside the scale is its end.

    >>> as_probabilities(np.array([1.25, 9.0]), 3).tolist()
    [[0.0, 0.75, 0.25], [0.0, 0.0, 1.0]]
    """
    e = np.clip(expected, 0, classes - 1)
    low = np.minimum(e.astype(int), classes - 2)
    out = np.zeros((len(e), classes))
    rows = np.arange(len(e))
    out[rows, low] = 1 - (e - low)
    out[rows, low + 1] = e - low
    return out


def map_features(maps: np.ndarray) -> Floats:
    """Means, then standard deviations, over the grid of maps (N, K, h, w, channels), averaged over
    K: (N, 2 channels)."""
    whole = maps.astype(np.float32)
    parts = [whole.mean(axis=(2, 3)), whole.std(axis=(2, 3))]
    return np.concatenate(parts, axis=2).mean(axis=1).astype(np.float64)


@dataclass(frozen=True)
class Lesson:
    """What a baseline learns from and is asked: rows of the data set's frame.

    labelled: rows that it may know the grade of; asked: rows that it must say something of."""

    data: DataSet
    labelled: np.ndarray
    asked: np.ndarray
    seed: int
    scales: bool = True  # of the stem's maps, see networks.lite0

    @property
    def grades(self) -> np.ndarray:
        """Of the labelled rows, 0..classes-1."""
        return self.data.frame["grade"].to_numpy()[self.labelled]

    @property
    def classes(self) -> int:
        return int(self.data.info["classes"])


def train(settings: Baseline, lesson: Lesson, labels: int) -> Path:
    """Fit, predict every row that is asked, write the run's folder; returns it. A finished one is
    reused. labels: data.labels, as a network's run has it (0: all)."""
    config = {
        "method": asdict(settings),
        "labels": labels,
        "scales": lesson.scales,
        "seed": lesson.seed,
        "data_key": data_key(lesson.data),
    }
    with run_folder.opened(config) as place:
        if not place.done:
            place.write(_fitted(settings, lesson))
    return place.folder


def _fitted(settings: Baseline, lesson: Lesson) -> run_folder.Result:
    p = SAID[settings.name](settings, lesson)
    facts = {
        "labels": len(lesson.labelled),
        "unlabelled": 0,
        "pseudo_labels": 0,
        "pictures_seen": len(lesson.labelled),
    }
    history = pd.DataFrame({"step": [], "val_mae": []})
    table = predictions(lesson.data.frame.iloc[lesson.asked], torch.from_numpy(p))
    return run_folder.Result(None, history, table, facts)


# ---------------------------------------------------------------- what each says
def source_mean_says(settings: Baseline, lesson: Lesson) -> Floats:
    """Probabilities (asked, classes) around the mean grade of the labelled pictures of the same
    source; of a source that nobody labelled, around that of all labelled ones. ValueError, naming
    the file and what a folder's table would have to declare, where there is one source only."""
    if len(sources_of(lesson.data)) < 2:
        raise ValueError(_one_source(lesson.data))
    source = lesson.data.frame["source"].to_numpy(str)
    theirs = pd.Series(lesson.grades, dtype=float).groupby(source[lesson.labelled]).mean()
    expected = pd.Series(source[lesson.asked]).map(theirs).fillna(lesson.grades.mean())
    return as_probabilities(expected.to_numpy(float), lesson.classes)


def sources_of(data: DataSet) -> list[str]:
    """Where the graded pictures come from (column `source` of the frame), in order; empty where the
    frame has no such column or it says nothing."""
    if "source" not in data.frame:
        return []
    return sorted({*data.frame.loc[data.frame["grade"] >= 0, "source"].dropna()} - {""})


def _one_source(data: DataSet) -> str:
    found = ", ".join(map(repr, sources_of(data))) or "none"
    return (
        f"{paths.shown(data.folder / 'frame.csv')}: the row source_mean needs graded pictures of "
        f"at least two sources in column source, found {found}; of your own folder, declare the "
        'column of its table that names the subset: data.folder = {..., "source": "subset"}'
    )


def rows_for(rows: Iterable[str], data: DataSet) -> list[str]:
    """These rows without those that the data set cannot have: source_mean, where graded pictures
    are of one source."""
    several = len(sources_of(data)) > 1
    return [row for row in rows if several or row != "source_mean"]


# ---------------------------------------------------------------- what looks at pictures
class Kind(NamedTuple):
    """A row that looks at pictures. every(lesson): what it measures of all pictures of the data
    set, (P, features), made once; look(lesson): what measures the same of pixels (N, S, S, 3)
    uint8, (N, features); fit(settings, lesson, shown): learns from what was measured of the
    labelled pictures, and gives what says probabilities (N, classes) of features (N, features)."""

    every: Callable[[Lesson], Floats]
    look: Callable[[Lesson], Callable[[np.ndarray], Floats]]
    fit: Callable[[Baseline, Lesson, Floats], Callable[[Floats], Floats]]


def looking_says(settings: Baseline, lesson: Lesson) -> Floats:
    """Probabilities (asked, classes) of a row of KINDS."""
    kind = KINDS[settings.name]
    every = kind.every(lesson)
    return kind.fit(settings, lesson, every[lesson.labelled])(every[lesson.asked])


def of_pixels(settings: Baseline, lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    """A row of KINDS, learnt from the labelled pictures: what says probabilities (N, classes) of
    new pictures' pixels (N, S, S, 3) uint8, S that of the data set or another."""
    kind = KINDS[settings.name]
    says = kind.fit(settings, lesson, kind.every(lesson)[lesson.labelled])
    look = kind.look(lesson)

    def said(pixels: np.ndarray) -> Floats:
        return says(by_blocks(look, pixels, np.arange(len(pixels))))

    return said


def _every_statistic(lesson: Lesson) -> Floats:
    processes = processes_at_most()  # the statistics need no torch, so these start fast
    return measured(lesson.data, statistics, lesson.data.pixels, processes=processes)


def _every_map(lesson: Lesson) -> Floats:
    stored = map_store.open_maps(lesson.data, lesson.scales)
    return measured(lesson.data, map_features, stored.maps, stored.key)


def _every_scene(lesson: Lesson) -> Floats:
    processes = processes_at_most()
    return measured(lesson.data, natural_scenes, lesson.data.pixels, processes=processes)


def _every_stage(lesson: Lesson) -> Floats:
    return measured(lesson.data, stage_moments, lesson.data.pixels, lite0.SHA256).astype(float)


def _every_kind(lesson: Lesson) -> Floats:
    return np.hstack([of(lesson) for of in (_every_stage, _every_scene, _every_statistic)])


def _look_kinds(lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    def look(pixels: np.ndarray) -> Floats:
        return np.hstack([of(pixels) for of in (stage_moments, natural_scenes, statistics)])

    return look


def _look_statistics(lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    return statistics


def _look_maps(lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    stem = map_store.the_stem(lesson.scales)

    def look(pixels: np.ndarray) -> Floats:
        return map_features(map_store.maps_of(stem, torch.from_numpy(np.array(pixels))).numpy())

    return look


def _look_scenes(lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    return natural_scenes


def _look_stages(lesson: Lesson) -> Callable[[np.ndarray], Floats]:
    return stage_moments


def _forest_says(settings: Baseline, lesson: Lesson, shown: Floats) -> Callable[[Floats], Floats]:
    """A grade that nobody showed the forest gets 0."""
    learnt = forest(shown, lesson.grades, settings, seed_of("forest", lesson.seed))

    def says(x: Floats) -> Floats:
        p = np.zeros((len(x), lesson.classes))
        p[:, learnt.classes_] = learnt.predict_proba(x)
        return p

    return says


def _regressed(
    fit: Callable[[Floats, np.ndarray], Pipeline | RegressorMixin],
) -> Callable[[Baseline, Lesson, Floats], Callable[[Floats], Floats]]:
    """Of a regression: probabilities around the grade that it expects."""

    def fitted(settings: Baseline, lesson: Lesson, shown: Floats) -> Callable[[Floats], Floats]:
        learnt = fit(shown, lesson.grades)

        def says(x: Floats) -> Floats:
            return as_probabilities(learnt.predict(x), lesson.classes)

        return says

    return fitted


KINDS: dict[str, Kind] = {
    "forest": Kind(_every_statistic, _look_statistics, _forest_says),
    "ridge": Kind(_every_map, _look_maps, _regressed(ridge)),
    "brisque": Kind(_every_scene, _look_scenes, _regressed(support_vectors)),
    "ridge_stages": Kind(_every_stage, _look_stages, _regressed(wide_ridge)),
    "kernel_stages": Kind(_every_kind, _look_kinds, _regressed(kernel)),
}


SAID: dict[str, Callable[[Baseline, Lesson], Floats]] = {
    "source_mean": source_mean_says,
    **dict.fromkeys(KINDS, looking_says),
}
