"""Whatever a row of the table of related work is, asked one thing: how good are these pictures?

A grader takes pixels (N, S, S, 3) uint8, any N, and says expected grades (N,), 0 (worst) to
classes - 1. `of` makes one of any row out of its finished run: of a network that classifies (the
mean of its probabilities; maps of a frozen stem are made on the fly), of a model of related work
(what it says), of a row that trains no network (learnt again from the labelled pictures of its run,
seconds) and of the constant.

    >>> import numpy as np
    >>> always = of_constant(np.array([0, 2, 2, 4]), 5)
    >>> always(np.zeros((2, 32, 32, 3), np.uint8))
    array([2., 2.])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from ..datasets.data_folder import DataSet, data_key
from ..networks.regressor import Regressor
from ..stats.metrics import best_constant
from . import baselines, stored_networks
from .baselines import Floats
from .photographs import Run, rows_of
from .related_profiles import ROWS

NOTEBOOK = "12_related_models"  # where the table's rows are trained

Grader = Callable[[np.ndarray], Floats]


def of(row: str, run: str | Path, data: DataSet) -> Grader:
    """The grader of a row. run: its finished run, by folder or by its name in results/runs (as
    results/NAME/tables/related-*.csv lists it; of "constant" it is not read); data: the data set
    that it was trained on.

    FileNotFoundError, naming the notebook to run, where the run is not there; ValueError for a row
    that was fitted to other data than these, is another row's, or can't be asked of new pictures
    (source_mean looks at no picture)."""
    if row == "constant":
        rows = rows_of(Run(), data)
        return of_constant(data.frame["grade"].to_numpy()[rows["labelled"]], _classes(data))
    folder = _finished(row, run)
    if row in baselines.SAID:
        return _of_baseline(row, folder, data)
    return of_network(folder)


def of_constant(grades: np.ndarray, classes: int) -> Grader:
    """The one grade with the least MAE on these (`metrics.best_constant`), whatever it is shown."""
    said = best_constant(grades, classes)

    def grade(pixels: np.ndarray) -> Floats:
        return np.full(len(pixels), float(said))

    return grade


def of_network(folder: Path) -> Grader:
    """The grader of a trained network's folder, of whatever data set; no file is read later."""
    trained = stored_networks.load(folder)
    if isinstance(trained.net, Regressor):
        return trained.quality
    k = np.arange(int(trained.about["classes"]))

    def grade(pixels: np.ndarray) -> Floats:
        return trained.probabilities(pixels) @ k

    return grade


def of_walk(
    name: str, data: DataSet, seed: int = 0, rows: Iterable[str] = ROWS
) -> dict[str, Grader]:
    """{row: grader} of the rows that a walk has trained with this seed, in the order of the table.
    data: the walk's own (`photo_data.walk_data`). FileNotFoundError, naming the notebook, where it
    has trained none."""
    table = listed(name)
    mine = table[table["seed"] == seed].set_index("method")["run"]
    found = {
        row: of(row, mine.get(row, ""), data) for row in rows if row in {"constant", *mine.index}
    }
    return found


def listed(name: str) -> pd.DataFrame:
    """What a walk has trained for the table of related work: run, method, seed, labels
    (results/NAME/tables/related-*.csv). FileNotFoundError, naming the notebook, where there is
    none."""
    folder = paths.results(name) / "tables"
    files = sorted(folder.glob("related-*.csv"))
    store.need(files[0] if files else folder / "related-*.csv", NOTEBOOK)
    every = pd.concat([store.read_table(file) for file in files])
    return every.drop_duplicates(["method", "seed"], keep="last", ignore_index=True)


def _finished(row: str, run: str | Path) -> Path:
    for folder in (Path(run), paths.runs() / run) if str(run) else ():
        if store.done(folder):
            return folder
    raise FileNotFoundError(
        f"{row}: no finished run {str(run)!r} in {paths.shown(paths.runs())}; train it first: "
        f"run the notebook {NOTEBOOK} (python run_all.py --only {NOTEBOOK})"
    )


def _of_baseline(row: str, folder: Path, data: DataSet) -> Grader:
    config = store.read_json(folder / "config.json")
    if row not in baselines.KINDS:
        raise ValueError(f"{row} looks at no picture: it says nothing of new ones")
    if config["method"].get("name") != row:
        raise ValueError(
            f"{paths.shown(folder)}: a run of {config['method']['name']}, not of {row}"
        )
    if config["data_key"] != data_key(data):
        raise ValueError(
            f"{paths.shown(folder)}: fitted to other pictures or labels than those in "
            f"{paths.shown(data.folder)}"
        )
    run = Run().but(**{"data.labels": config["labels"], "seed": config["seed"]})
    labelled = rows_of(run, data)["labelled"]
    lesson = baselines.Lesson(data, labelled, labelled[:0], config["seed"], config["scales"])
    says = baselines.of_pixels(baselines.Baseline(**config["method"]), lesson)
    k = np.arange(_classes(data))

    def grade(pixels: np.ndarray) -> Floats:
        return says(pixels) @ k

    return grade


def _classes(data: DataSet) -> int:
    return int(data.info["classes"])
