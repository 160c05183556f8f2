"""A walk's photographs and what its finished runs stored of them: what the panel of predictions
browses.

    walk = open_walk("demo")
    walk.runs                                  run, method, seed, labels
    walk.said("fixmatch", 0, 1299)             its predictions, a row a picture

Of real photographs and simulated ones alike; nothing is trained, nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, store
from ..datasets.data_folder import DataSet
from ..hints import did_you_mean
from ..pictures.photo_data import walk_data
from ..scales import PHOTO_GRADES
from ..stats.votes import vote_columns
from ..tables.names import REFERENCE, order
from ..tables.published import of_paper
from ..tables.stored import LISTED
from ..tables.text import grade_names

LISTS = ("runs", "related", "budgets")  # results/<walk>/tables/<one of them>-*.csv list runs
FIRST = "03_vit_supervised"  # the notebook that trains the first runs


@dataclass(frozen=True)
class Walk:
    """One walk's photographs, opened. runs: run, method, seed, labels (how many it learnt from), in
    the order of tables; notes: what of the walk is not there, in sentences; words: names of the
    grades, worst first, () where they have none."""

    name: str
    data: DataSet
    runs: pd.DataFrame
    notes: tuple[str, ...] = ()
    known: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    @property
    def simulated(self) -> bool:
        return bool(self.data.info["simulated"])

    @property
    def classes(self) -> int:
        return int(self.data.info["classes"])

    @property
    def words(self) -> tuple[str, ...]:
        return grade_names(self.data.info) or (PHOTO_GRADES if of_paper(self.data.info) else ())

    @cached_property
    def _run_of(self) -> dict[tuple[str, int, int], str]:
        each = self.runs[["method", "seed", "labels"]].itertuples(index=False, name=None)
        return dict(zip(each, self.runs["run"], strict=True))

    def methods(self, seed: int, labels: int) -> list[str]:
        """The methods that there are for this seed and number of labels, in the order of tables."""
        mine = (self.runs["seed"] == seed) & (self.runs["labels"] == labels)
        return order(self.runs.loc[mine, "method"])

    def said(self, method: str, seed: int, labels: int) -> pd.DataFrame:
        """What a run stored, read once and `judged`: id, split, truth (-1: unknown), p0, p1, ...;
        and row: where each picture is in `data`. The ids are the index too.

        ValueError, naming the run, for one that is not in the walk, or whose predictions are
        damaged, have another number of grades or are of other pictures."""
        run = self._run_of.get((method, seed, labels))
        if run is None:
            raise ValueError(
                f"{method}, seed {seed}, {labels} labels: no such run in the walk {self.name}"
            )
        if run not in self.known:
            self.known[run] = self._read(paths.runs() / run)
        return self.known[run]

    def _read(self, folder: Path) -> pd.DataFrame:
        table = store.read_predictions(folder)
        grades = len(store.columns_of_p(table))
        if grades != self.classes:
            raise ValueError(
                f"{paths.shown(folder)}: {grades} probabilities a picture, but the walk "
                f"{self.name} has {self.classes} grades: run its notebook again"
            )
        rows = pd.Series(np.arange(len(self.data)), index=self.data.frame["id"].to_numpy())
        row = rows.reindex(table["id"]).to_numpy()
        if strangers := int(np.isnan(row).sum()):
            raise ValueError(
                f"{paths.shown(folder)}: {strangers} of {len(table)} predictions are of pictures "
                f"that the walk {self.name} has no more: run its notebook again"
            )
        found = judged(table.assign(row=row.astype(int)))
        found.index = pd.Index(found["id"].to_numpy())
        return found

    def votes(self, row: int) -> list[int]:
        """How many people gave picture `row` each grade, worst first; [] where nobody's votes are
        known."""
        columns = vote_columns(self.data.frame)
        if len(columns) != self.classes or not {*columns} <= {*self.data.frame}:
            return []
        counts = self.data.frame[columns].iloc[row].to_numpy(float)
        return [int(v) for v in counts] if np.nansum(counts) > 0 else []


# ---------------------------------------------------------------- what is said, judged
def judged(said: pd.DataFrame) -> pd.DataFrame:
    """Stored predictions with what follows from them: said (the likeliest grade), sure (its
    probability), unsure (1 - sure), expected (grade), right, error (in grades), against
    (probability of anything but the truth); the last two nan where no truth is known.

    >>> table = pd.DataFrame({"id": ["a"], "truth": 2, "p0": 0.7, "p1": 0.2, "p2": 0.1})
    >>> judged(table)[["said", "sure", "error", "against"]].values.tolist()
    [[0.0, 0.7, 2.0, 0.9]]
    """
    p = said[store.columns_of_p(said)].to_numpy(float)
    truth, grade = said["truth"].to_numpy(int), p.argmax(axis=1)
    known = truth >= 0
    rows = np.arange(len(p))
    sure = p[rows, grade]
    return said.assign(
        said=grade,
        sure=sure,
        unsure=1 - sure,
        expected=p @ np.arange(p.shape[1]),
        right=grade == truth,
        error=np.where(known, np.abs(grade - truth), np.nan),
        against=np.where(known, 1 - p[rows, np.maximum(truth, 0)], np.nan),
    )


# ---------------------------------------------------------------- which walks there are
def walks() -> list[str]:
    """Names of the walks that have photographs, by name."""
    found = (paths.home() / "results").glob("*/data/dataset.json")
    return sorted(file.parents[1].name for file in found)


def there_are(names: Sequence[str]) -> str:
    """Which walks could be named instead, in words.

    >>> there_are(["best", "demo"]), there_are([])
    ('there are: best, demo', 'there is none yet: python run_all.py')
    """
    return f"there are: {', '.join(names)}" if names else "there is none yet: python run_all.py"


# ---------------------------------------------------------------- opening
def open_walk(name: str) -> Walk:
    """A walk's photographs with the finished runs that its tables list.

    FileNotFoundError, saying what to run or which walks there are, where the walk, its pictures or
    any finished run is not there; ValueError for the tracked reference, which has no pictures, and
    for damaged files."""
    if name == REFERENCE:
        raise ValueError(
            f"{paths.shown(paths.reference())} keeps predictions, but no pictures to look at: "
            f"name a walk of your own; {there_are(walks())}"
        )
    folder = paths.results(name)
    if not (folder / "data" / "dataset.json").exists():
        known = walks()
        raise FileNotFoundError(
            f"{paths.shown(folder)}: no photographs of a walk of this name"
            f"{did_you_mean(name, known)}; {there_are(known)}. Its notebook 01_koka10k makes them "
            f"(python run_all.py --name {name} --only 01_koka10k)"
        )
    runs, notes = _finished(listed(name))
    if runs.empty:
        raise FileNotFoundError(
            f"{paths.shown(folder)}: no finished run of photographs yet; train one "
            f"(python run_all.py --name {name} --only {FIRST})"
        )
    return Walk(name, walk_data(name), runs, notes)


def listed(name: str) -> pd.DataFrame:
    """The runs that a walk's tables list: run, method, seed, labels; the first of those that are
    the same thing, empty where there are none. ValueError, naming the file, for a list without
    these columns."""
    tables = [pd.DataFrame(columns=list(LISTED))]
    for kind in LISTS:
        for file in sorted((paths.results(name) / "tables").glob(f"{kind}-*.csv")):
            table = store.read_table(file)
            if said := store.no_column(table, LISTED):
                raise ValueError(f"{paths.shown(file)}: {said}")
            tables.append(table[list(LISTED)])
    runs = pd.concat(tables, ignore_index=True).drop_duplicates(["method", "seed", "labels"])
    return runs.astype({"seed": int, "labels": int}).reset_index(drop=True)


def _finished(runs: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The runs that have finished, and a sentence about the others."""
    done = np.array([store.done(paths.runs() / run) for run in runs["run"]], dtype=bool)
    gone = runs.loc[~done, "method"].tolist() if len(runs) else []
    notes = (f"Listed, but no finished run any more: {', '.join(gone)}.",) if gone else ()
    return runs[done].reset_index(drop=True) if len(runs) else runs, notes
