"""What notebooks 04 to 09 have in common: one method's settings, its runs, its curves and its row
of the table.

The method's own mechanism stays in its notebook; everything else is one call a cell:

    page = MethodPage("demo", "demo", "simmatch", seed=0, settings={})
    page.compared_with()      the supervised runs it is compared with
    page.method_settings()    its settings
    page.departures()         those that are not its paper's, and why
    page.train()              its runs, trained or from the store; fills page.history, page.pool
    page.no_pool              said where page.pool has no rows
    page.over_time()          losses, share kept, how right, at each look at validation
    page.pseudo_labels()      the same, drawn
    page.pool_story()         grades of the pool, what runs say of it, what one answer would score
    page.pool_shares()        the shares of its grades, drawn
    page.row()                its row beside the supervised ones, and what each cost
    page.learning_curves()    theirs
    page.overview()           what each of its own diagnostics means and came to
    page.found()              the row in words
    page.provenance()         with what data and software

Figures are saved as figures/<name>/<number of the notebook>_<figure>-seed<seed>.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from .. import paths, store
from ..figures import curves, style
from ..figures.pool_shares import pool_shares
from ..pictures import photo_data
from ..stats.metrics import columns_p
from ..tables import costs, departures, diagnostics, pool, selected, stored, table2
from ..tables.text import grade_names, named
from ..training import photographs

# What the method is compared with: rows that train no network, and the same network without a pool,
# without and with strong views, for as many pictures as FixMatch sees, and with all labels
ROWS_WITHOUT_POOL = [
    "source_mean",
    "forest",
    "ridge",
    "supervised",
    "supervised_strong",
    "supervised_equal",
    "supervised_all",
]
ALL_LABELS = "supervised_all"  # the row whose labels are other than the page's, where these are few
FEW = 0.05  # share of pseudo-labels kept below which a run says nothing of its method
OVER_TIME = [
    "step",
    "loss",
    "sup_loss",
    "unsup_loss",
    "kept",
    "val_kept",
    "val_kept_accuracy",
    "val_mae",
]


class MethodPage:
    """One method, one seed, one walk.

    name: the walk, results/<name>; profile: size of everything; method: a key of
    photographs.METHODS; settings: overrides, as in the notebooks' parameters cell. Raises
    FileNotFoundError, naming notebook 01, where the walk has no pictures, and ValueError, listing
    what is allowed, for an unknown profile, method or setting."""

    no_pool = pool.NO_POOL

    def __init__(
        self, name: str, profile: str, method: str, seed: int, settings: Mapping[str, object]
    ) -> None:
        self.name, self.profile, self.method, self.seed = name, profile, method, seed
        self.settings = dict(settings)
        self.run = photographs.settings(profile, method, seed, self.settings)
        self.data = photo_data.walk_data(name)
        self.simulated = bool(self.data.info["simulated"])
        self.words = grade_names(self.data.info)
        self.supervised = stored.runs_of(name, ROWS_WITHOUT_POOL, seed)
        self.runs = self.history = pd.DataFrame()
        self.walk: dict[str, pd.DataFrame] = {}

    def compared_with(self) -> pd.DataFrame | str:
        """The supervised runs of this seed: run, method, seed, labels; a sentence where there are
        none."""
        if len(self.supervised):
            return self.supervised
        return (
            f"nothing to compare with: run notebook 03_vit_supervised with SEED = {self.seed} first"
        )

    def method_settings(self) -> pd.DataFrame:
        """The method's own settings, one a row."""
        own = store.flat(self.run.config("")["method"])
        return pd.Series(own, name="setting").to_frame()

    def departures(self) -> Markdown:
        """Its settings that are not those of the algorithm's paper, each with the reason."""
        return Markdown(departures.show(self.run.config("")))

    def train(self) -> pd.DataFrame:
        """Train the row, or take it from the store; returns run, method, seed, labels, and fills
        history and walk."""
        self.runs = photographs.train_rows(
            self.name, self.profile, [self.method], self.seed, self.settings
        )
        everything = pd.concat([self.supervised, self.runs], ignore_index=True)
        self.walk = stored.load_runs(self.name, everything)
        history = self.walk["history"]
        self.history = history[history["method"] == self.method]
        return self.runs

    @property
    def pool(self) -> pd.DataFrame:
        """Stored predictions of the final network on the pool: id, truth (-1: unknown, as of every
        real pool), p0, p1, ...; no rows where there is none."""
        predictions = store.read_predictions(paths.runs() / self.runs["run"].iloc[0])
        mine = predictions[predictions["split"] == "pool"]
        return pool.judgeable(mine, mine["split"] == "pool", self.simulated)

    def save(self, figure: Figure | None, what: str, per_seed: bool = True) -> Figure | None:
        """Save a figure of this page under the notebook's number and return it, to be shown; None,
        a figure for which there was nothing to draw, stays None."""
        number = photographs.NOTEBOOKS[self.method].split("_")[0]
        style.save(figure, f"{number}_{what}{f'-seed{self.seed}' if per_seed else ''}", self.name)
        return figure

    def over_time(self) -> pd.DataFrame:
        """Losses, the share of pictures that get a pseudo-label, and how many of these are
        right; of these, what the method has."""
        return self.history[[c for c in OVER_TIME if c in self.history]].round(3)

    def pseudo_labels(self, what: str = "pseudo_labels") -> Figure | None:
        """Share kept against how right; where the method keeps all or nothing, its learning curves
        instead."""
        kept = self.history["val_kept"]
        chooses = ((kept > 0) & (kept < 1)).any()
        draw = curves.pseudo_labels if chooses else curves.learning_curves
        return self.save(draw(self.history, simulated=self.simulated), what)

    def told(self) -> pd.DataFrame:
        """What the row, and the rows beside it that have the same labels (or all of them), say of
        the pictures that they had no label for: `tables.pool.told`."""
        everything = pd.concat([self.supervised, self.runs], ignore_index=True)
        own = everything["labels"].isin(self.runs["labels"])
        rows = everything[own | (everything["method"] == ALL_LABELS)]
        return pool.told(rows, simulated=self.simulated)

    def labels(self) -> pd.Series:
        """The grades (n,) of the labelled training pictures."""
        return self.data.frame["grade"].iloc[photographs.rows_of(self.run, self.data)["labelled"]]

    def pool_story(self) -> Markdown:
        """How the pool's grades differ from the labels', what the row and those beside it say of
        it, how right that is, and what always saying one grade would score; the same of training
        pictures whose label was hidden. Accuracy only where true grades are known."""
        said, labels = self.told(), self.labels()
        return Markdown(pool.show(said, labels, simulated=self.simulated, words=self.words))

    def pool_shares(self) -> Figure | None:
        """The shares of grades, drawn; None where there is no pool."""
        said = self.told()
        if said.empty:
            return None
        table = pool.shares(said, self.labels())
        return self.save(pool_shares(table, simulated=self.simulated, words=self.words), "pool")

    def row(self) -> Markdown:
        """Its row beside the supervised ones, and what each cost."""
        return Markdown(
            table2.show_table(self.walk["table2"]) + "\n" + costs.show(self.walk["runs"])
        )

    def learning_curves(self) -> Figure | None:
        """Learning curves of the method and of what it is compared with."""
        figure = curves.learning_curves(self.walk["history"], simulated=self.simulated)
        return self.save(figure, "learning_curves")

    def overview(self) -> pd.DataFrame:
        """The method's own diagnostics: what each means and where it ended."""
        return diagnostics.overview(self.history)

    def found(self) -> Markdown:
        """What the row says, in words; what it says of the pool; and whether the run was a test of
        the method at all."""
        judged = pool.judged(self.told(), self.labels())
        words = [table2.findings(self.walk["table2"]), pool.findings(judged, self.method)]
        return Markdown("\n\n".join(word for word in words if word) + self._caution())

    def _caution(self) -> str:
        """A sentence where hardly any pseudo-label was kept, one grade is said of all pictures, or
        validation chose the weights of its first look; "" else."""
        said = []
        kept = self.history["kept"].iloc[-1] if "kept" in self.history else 1.0
        if kept < FEW:
            said.append(f"At the end {100 * kept:.1f} % of the pseudo-labels were kept")
        mine = self.walk["predictions"].query("method == @self.method and split == 'test'")
        grades = mine[columns_p(mine)].to_numpy().argmax(axis=1)
        if len(set(grades)) == 1:
            said.append(f"every test picture is graded {named(grades[0], self.words)}")
        cautions = f"**No test of the method**: {'; '.join(said)}." if said else ""
        return "".join(
            f"\n\n{text}" for text in (cautions, selected.sentence(self.history)) if text
        )

    def provenance(self) -> object:
        """With what data and software."""
        return stored.provenance_line(self.data.info)
