"""What notebook 10 shows: how right the first stages' pseudo-labels are, and what a second stage
makes of them. One call a cell:

    page = SecondStagePage("demo", "demo", seed=0, settings={})
    page.compared()             the first stages that are there
    page.symbols()              the letters of the formulas, with this run's values
    page.story()                what they say of the pictures that they had no label for
    page.quality()              how right and how sure, a row a method
    page.shares()               the shares of grades, drawn
    page.per_grade()            which grades are given, how often rightly
    page.precision()            the same, drawn
    page.surest()               what a first stage is surest of, rightly and wrongly: pictures
    page.calibration()          are they as sure as they are right?
    page.train()                the second stages, trained or from the store
    page.changes()              what training again changes, in words and numbers
    page.stages()               the same, drawn
    page.learning_curves()      of the second stages
    page.read(WHAT)             a sentence that reads a figure; page.show(WHAT): figure and sentence
    page.found()                in words
    page.provenance()           with what data and software

Without a picture that has no label there is nothing that a second stage could add to the first:
none is trained, and `story` and `found` say so. Where no true grade is known, nothing is judged.
What is not there to be shown is None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import IPython.display
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from .. import paths, store
from ..figures import curves, results, stages, style
from ..figures.pool_shares import pool_shares
from ..pictures import photo_data
from ..tables import (
    figure_sentences,
    photo_symbols,
    pool,
    run_lists,
    second_stage,
    stored,
    symbols,
)
from ..tables.names import BASE, name_of
from ..tables.published import of_paper
from ..tables.text import grade_names, kind_of, show_frame
from ..training import photo_profiles, photographs
from . import seen_photographs
from .whose_pictures import STAGES

NOT_KNOWN = "no true grade is known, so nothing is judged"


class SecondStagePage:
    """The second stage of one seed and walk.

    name: the walk, results/<name>; profile: size of everything; settings: overrides, as in the
    notebooks' parameters cell. Raises FileNotFoundError, naming notebook 01, where the walk has no
    pictures, and ValueError where no first stage was run."""

    def __init__(self, name: str, profile: str, seed: int, settings: Mapping[str, object]) -> None:
        self.name, self.profile, self.seed, self.settings = name, profile, seed, dict(settings)
        self.data = data = photo_data.walk_data(name)
        self.info, self.simulated = data.info, bool(data.info["simulated"])
        self.words = grade_names(data.info)
        row = f"supervised{photographs.SECOND}"
        self.run = photographs.settings(profile, row, seed, self.settings)
        labelled = photographs.rows_of(self.run, data)["labelled"]
        self.grades = data.frame["grade"].iloc[labelled]
        rows = [*photo_profiles.BASELINES, *photographs.METHODS]
        listed = stored.runs_of(name, rows, seed)
        listed = listed[listed["labels"] == len(labelled)]
        self.first = listed[listed["method"].isin(photographs.METHODS)]
        # these, and the rows that train no network
        self.said = pool.told(listed, simulated=self.simulated)
        self.labels = second_stage.pseudo_labels(self.first, simulated=self.simulated)
        self.known = self.labels[self.labels["truth"] >= 0]
        self.walk: dict[str, pd.DataFrame] = {}
        self.changed = pd.DataFrame()
        self.said_of_pictures = ""  # a sentence, once they are drawn

    def compared(self) -> Markdown:
        """Which first stages are there, in a sentence."""
        return Markdown(run_lists.listed(self.first, "First stages"))

    def symbols(self) -> Markdown:
        """What each letter of the formulas is, with this run's values."""
        config = self.run.config("")
        return Markdown(symbols.show(photo_symbols.SECOND_STAGE, config))

    # ------------------------------------------------------------ the pseudo-labels
    def story(self) -> Markdown:
        """What every first stage says of the pictures without a label; how right that is where the
        truth is known."""
        said = pool.show(self.said, self.grades, simulated=self.simulated, words=self.words)
        return Markdown(said)

    def quality(self) -> Markdown:
        """How right and how sure each method's pseudo-labels are; a sentence where no truth is
        known."""
        if self.known.empty:
            return Markdown(NOT_KNOWN)
        table = second_stage.quality(self.labels)
        self._write("pseudo_labels", table)
        named_rows = table.assign(method=table["method"].map(name_of)).drop(columns="seed")
        return Markdown(show_frame(named_rows.rename(columns={"method": "row"})))

    def shares(self) -> Figure | None:
        """The shares of grades in the labels and in what is said, drawn."""
        if self.said.empty:
            return None
        table = pool.shares(self.said, self.grades)
        return self._save("pool", pool_shares(table, simulated=self.simulated, words=self.words))

    def per_grade(self) -> pd.DataFrame | str:
        """Which grades are given and how often rightly, a row a method; a sentence where no truth
        is known. With a floor (data.pseudo_confidence) also what of it the second stage keeps."""
        if self.known.empty:
            return NOT_KNOWN
        floor = self.run.data.pseudo_confidence
        values = ["share", "precision", *(["kept", "kept_precision"] if floor else [])]
        table = pool.per_grade(self.labels, floor)
        table["method"] = table["method"].map(name_of)
        wide = table.pivot_table(values, ["part", "method"], "grade", sort=False)
        return wide.round(2)

    def precision(self) -> Figure | None:
        """`per_grade` of the pool (else of the hidden training pictures), drawn."""
        if self.known.empty:
            return None
        table = pool.per_grade(self.labels)
        one = table[table["part"] == table["part"].iloc[0]]
        drawn = stages.precision_per_class(one, simulated=self.simulated, words=self.words)
        return self._save("precision", drawn)

    def _of_one(self) -> tuple[str, pd.DataFrame]:
        """The row whose pictures are shown, FixMatch where it is there, and what it says of the
        pool."""
        there = list(self.labels["method"])
        method = next((m for m in ("fixmatch", BASE) if m in there), there[0])
        mine = self.labels[self.labels["method"] == method]
        return method, mine[mine["part"] == mine["part"].iloc[0]]

    def surest(self) -> Figure | None:
        """Pictures without a label that one first stage is surest of, rightly and wrongly (of a
        real pool: just the surest); None where there is none."""
        if self.labels.empty:
            return None
        method, mine = self._of_one()
        figure, self.said_of_pictures = seen_photographs.surest(self.data, mine, method)
        return figure and self._save("surest", figure)

    def calibration(self) -> Figure | None:
        """How right the pseudo-labels are against how sure, drawn."""
        if self.known.empty:
            return None
        return self._save("calibration", results.reliability(self.known, simulated=self.simulated))

    # ------------------------------------------------------------ what is made of them
    def train(self) -> Markdown:
        """Train a second stage of each first one, or take it from the store; says which. No
        training where all pictures have a label."""
        if self.labels.empty:
            return Markdown(f"{pool.NO_POOL} So there is no second stage.")
        rows = [f"{method}{photographs.SECOND}" for method in self.first["method"]]
        second = photographs.train_rows(self.name, self.profile, rows, self.seed, self.settings)
        both = pd.concat([self.first, second], ignore_index=True)
        self.walk = stored.load_runs(self.name, both)
        return Markdown(run_lists.listed(second, "Second stages, trained or from the store"))

    def changes(self) -> Markdown | None:
        """What training again changes, paired on the same test pictures."""
        if not self.walk:
            return None
        self.changed = second_stage.changes(self.walk["predictions"])
        self._write("second_stage", self.changed)
        papers = f"\n{STAGES}\n" if of_paper(self.info) else ""
        return Markdown(second_stage.show(self.changed) + papers)

    def stages(self) -> Figure | None:
        """`changes`, drawn."""
        if self.changed.empty:
            return None
        return self._save("stages", stages.stages(self.changed, simulated=self.simulated))

    def learning_curves(self) -> Figure | None:
        """Learning curves of the second stages."""
        if not self.walk:
            return None
        drawn = curves.learning_curves(self._late(), simulated=self.simulated)
        return self._save("learning_curves", drawn)

    def _late(self) -> pd.DataFrame:
        """The history of the second stages."""
        history = self.walk["history"]
        return history[history["method"].str.endswith(photographs.SECOND)]

    def show(self, what: str) -> None:
        """Draw a figure and read it, where there is anything to draw. what: see `read`."""
        for part in (getattr(self, what)(), self.read(what)):
            if part is not None:
                IPython.display.display(part)

    def read(self, what: str) -> Markdown | None:
        """A sentence that reads a figure's numbers, made from its table; None where there is no
        figure. what: "precision", "calibration", "surest", "stages" or "learning_curves"."""
        sentences: dict[str, Callable[[], str]] = {
            "precision": self._read_precision,
            "calibration": partial(figure_sentences.reliability, self.known),
            "surest": lambda: self.said_of_pictures,
            "stages": partial(figure_sentences.stages, self.changed),
            "learning_curves": lambda: figure_sentences.learning_curves(self._late()),
        }
        lacking = {
            "precision": self.known.empty,
            "calibration": self.known.empty,
            "surest": self.labels.empty,
            "stages": self.changed.empty,
            "learning_curves": not self.walk,
        }
        return None if lacking[what] else Markdown(sentences[what]())

    def _read_precision(self) -> str:
        table = pool.per_grade(self.labels)
        one = table[table["part"] == table["part"].iloc[0]]
        return figure_sentences.pseudo_label_grades(one, self.words)

    def found(self) -> Markdown:
        """What always saying one grade would score, and which rows are above it; or why nothing is
        said of that."""
        if self.labels.empty:
            said = f"{pool.NO_POOL} A second stage would learn from nothing but the first's labels."
        else:
            story = pool.judged(self.labels, self.grades)
            said = pool.summary(story) or f"Of the pictures without a label {NOT_KNOWN}."
        return Markdown(f"{kind_of(self.simulated)}.\n\n{said}")

    def provenance(self) -> object:
        """With what data and software."""
        return Markdown(stored.provenance_line(self.info))

    def _write(self, what: str, table: pd.DataFrame) -> None:
        folder = paths.results(self.name) / "tables"
        store.write_table(folder / f"{what}-seed{self.seed}.csv", table)

    def _save(self, what: str, figure: Figure) -> Figure:
        style.save(figure, f"10_{what}-seed{self.seed}", self.name)
        return figure
