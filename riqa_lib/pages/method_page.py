"""What notebooks 04 to 09 have in common, in the same order in all six, so that methods compare:
symbols, views, training, pseudo-labels, photographs, the row, how to change it.

    page = MethodPage("demo", "demo", "simmatch", seed=0, settings={})
    page.compared_with()      the rows it is compared with
    page.symbols()            the letters of its formulas, with their values
    page.views()              what it sees of a picture
    page.departures()         settings that are not its paper's, and why
    page.train()              its run, trained or from the store; fills page.history, page.walk
    page.pseudo_labels()      how many pictures get one over training, and how right these are
    page.pool_shares()        the shares of the pool's grades, as it says them and as they are
    page.pool_story()         the same in numbers, beside what always saying one grade would score
    page.surest()             pictures of the pool: surest and right, surest and wrong
    page.most_wrong()         test pictures that it is furthest off on
    page.row()                its row beside those that it is compared with, and what each cost
    page.learning_curves()    theirs
    page.found()              the row in words
    page.how_to_change()      its settings: what each may be, and what to type
    page.provenance()         with what data and software

What is drawn returns a list, the figure and the sentence that reads it: `display(*page.views())`.
What is one method's own is in `method_mechanisms`. Figures are saved as figures/<name>/<number of
the notebook>_<figure>-seed<seed>."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from .. import bounds, paths, store
from ..figures import curves, style
from ..figures.pool_shares import pool_shares
from ..figures.view_rows import view_rows
from ..pictures import photo_data
from ..stats.metrics import columns_p
from ..tables import (
    costs,
    departures,
    mechanism_words,
    method_symbols,
    pool,
    selected,
    stored,
    symbols,
    table2,
    table2_shown,
)
from ..tables.names import BASE, CONSTANT, RATER, name_of
from ..tables.symbols import said, typed
from ..tables.text import grade_names, markdown, named
from ..training import photographs
from . import seen_photographs, seen_views

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
# of these, beside the method itself: rows of its table, of its curves, of its pool's story; the
# rest is in notebooks 10 and 11
IN_TABLE = [CONSTANT, RATER, "forest", "ridge", BASE, "supervised_equal", ALL_LABELS]
IN_CURVES = [BASE, "supervised_strong"]
IN_POOL = ["forest", BASE, ALL_LABELS]
FEW = 0.05  # share of pseudo-labels kept below which a run says nothing of its method

Shown = list[Figure | Markdown]


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

    def compared_with(self) -> Markdown:
        """The rows of this seed that it is compared with, in a sentence; or which notebook makes
        them, where there are none."""
        if self.supervised.empty:
            return Markdown(
                "nothing to compare with: run notebook 03_vit_supervised with "
                f"SEED = {self.seed} first"
            )
        rows = self.supervised.groupby("labels", sort=False)["method"].agg(list)
        told = [f"{'; '.join(map(name_of, of))} ({n:,} labels each)" for n, of in rows.items()]
        return Markdown(f"Compared with, of seed {self.seed}: {'; '.join(told)}.")

    @property
    def counts(self) -> dict[str, int]:
        """What no setting says, by its letter: C grades, M pictures of the pool in a batch, K
        labelled pictures."""
        train = self.run.train
        classes, labelled = int(self.data.info["classes"]), len(self.labels())
        return {"C": classes, "M": train.mu * train.batch, "K": labelled}

    def symbols(self) -> Markdown:
        """The letters of its formulas: what each is, its setting, its value in this run."""
        letters = method_symbols.letters(self.method)
        return Markdown(symbols.show(letters, self.run.config(""), self.counts, self.method))

    def views(self) -> Shown:
        """Pictures of the first batch as the method sees them, and what was done to them."""
        seen = seen_views.first_step(self.run, self.data)
        figure = view_rows(seen.pixels, seen.names, simulated=self.simulated)
        self.save(figure, "views", per_seed=False)
        return [figure, Markdown(seen.read())]

    def how_to_change(self) -> Markdown:
        """Its own settings: as typed, the value in this run, what is allowed, what each is."""
        run, name = store.flat(self.run.config("")), self.method
        kind: type = type(self.run.method)
        rules = bounds.stated(kind)
        rows = []
        for one in method_symbols.settings(name):
            rule = rules.get(one.setting.removeprefix("method."))
            allowed = "True or False" if isinstance(run[one.setting], bool) else _allowed(rule)
            sign = f"${one.sign}$: " if one.sign else ""
            meaning = f"{sign}{one.meaning}"
            rows.append([f"`{typed(one.setting, name)}`", said(run[one.setting]), allowed, meaning])
        table = markdown(["setting", "in this run", "may be", "what it is"], rows, left=(0, 2, 3))
        typed_name, value = rows[0][0].strip("`"), rows[0][1]
        step = photographs.NOTEBOOKS[name]
        return Markdown(
            f'Write another value into the second cell, `SETTINGS = {{"{typed_name}": {value}}}`, '
            f"or type `python run_all.py --only {step} --set {typed_name}={value}` in a terminal. "
            "A run is named by its settings: a changed one stands beside this one and overwrites "
            f"nothing but the table's line.\n\n{table}\n"
        )

    def departures(self) -> Markdown:
        """Its settings that are not those of the algorithm's paper, each with the reason."""
        return Markdown(departures.show(self.run.config("")))

    def train(self) -> Markdown:
        """Train the row, or take it from the store; fills runs, history and walk. Says how long it
        trained on what."""
        self.runs = photographs.train_rows(
            self.name, self.profile, [self.method], self.seed, self.settings
        )
        everything = pd.concat([self.supervised, self.runs], ignore_index=True)
        self.walk = stored.load_runs(self.name, everything)
        history = self.walk["history"]
        self.history = history[history["method"] == self.method]
        run = self.walk["runs"].query("method == @self.method").iloc[0]
        return Markdown(
            f"{name_of(self.method)}, seed {self.seed}: {self.run.train.steps:,} steps, each of "
            f"{self.run.train.batch} labelled pictures and {self.counts['M']} of "
            f"{run['unlabelled']:,} without a label; {run['pictures_seen']:,} views in all, "
            f"{run['train_seconds']:.0f} seconds."
        )

    @property
    def pool(self) -> pd.DataFrame:
        """Stored predictions of the kept weights on the pool: id, truth (-1: unknown, as of every
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

    def pseudo_labels(self, what: str = "pseudo_labels") -> Shown:
        """Share kept against how right, over training; where the method keeps all or nothing, its
        learning curves instead."""
        kept = self.history["val_kept"]
        chooses = ((kept > 0) & (kept < 1)).any()
        draw = curves.pseudo_labels if chooses else curves.learning_curves
        figure = self.save(draw(self.history, simulated=self.simulated), what)
        rows = photographs.rows_of(self.run, self.data)["val"]
        commonest = self.data.frame["grade"].iloc[rows].value_counts(normalize=True).max()
        words = mechanism_words.pseudo_labels(self.history, float(commonest))
        return _there(figure, words)

    def told(self) -> pd.DataFrame:
        """What the row, and some of those beside it that have the same labels (or all of them), say
        of the pictures that they had no label for: `tables.pool.told`."""
        everything = pd.concat([self.supervised, self.runs], ignore_index=True)
        everything = everything[everything["method"].isin([*IN_POOL, self.method])]
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

    def pool_shares(self) -> Shown:
        """The shares of grades, drawn, and what they say of the method; nothing without a pool."""
        told = self.told()
        if told.empty:
            return []
        drawn = told[told["method"].isin([BASE, ALL_LABELS, self.method])]
        table = pool.shares(drawn, self.labels())
        figure = pool_shares(table, simulated=self.simulated, words=self.words)
        words = pool.findings(pool.judged(told, self.labels()), self.method)
        return _there(self.save(figure, "pool"), words or self._said_of_an_unknown_pool(told))

    def _said_of_an_unknown_pool(self, told: pd.DataFrame) -> str:
        mine = told.loc[told["method"] == self.method, "grade"]
        most = int(mine.mode().iloc[0])
        return (
            f"{name_of(self.method)} says {named(most, self.words)} of {(mine == most).mean():.0%} "
            "of the pictures without a label, more than any other grade; whether it is right, "
            "nobody knows."
        )

    # ------------------------------------------------------------ photographs
    def surest(self) -> Shown:
        """Pictures of the pool whose pseudo-label it is surest of, rightly and wrongly."""
        if self.pool.empty:
            return []
        figure, words = seen_photographs.surest(self.data, self.pool, self.method)
        return _there(self.save(figure, "surest"), words)

    def most_wrong(self) -> Shown:
        """Test pictures that it is furthest off on; how many it and the supervised row get
        right."""
        mine = self._on_test(self.method)
        figure, words = seen_photographs.most_wrong(self.data, mine, self.method)
        other = self._on_test(BASE)
        if len(other):
            both = (name_of(self.method), name_of(BASE))
            words += f" {mechanism_words.beside(mine, other, *both)}"
        return _there(self.save(figure, "most_wrong"), words)

    def _on_test(self, method: str) -> pd.DataFrame:
        """Test predictions of a row that has the method's own labels."""
        labels = self.runs["labels"].iloc[0]
        rows = self.walk["predictions"].query("method == @method and split == 'test'")
        return rows[rows["labels"] == labels]

    # ------------------------------------------------------------ the row

    def row(self) -> Markdown:
        """Its row beside those that it is compared with, and what each cost."""
        rows, runs = (_of(self.walk[k], [*IN_TABLE, self.method]) for k in ("table2", "runs"))
        return Markdown(table2_shown.show_table(rows) + "\n" + costs.show(runs))

    def learning_curves(self) -> Shown:
        """Learning curves of the method and of what it is compared with."""
        history = _of(self.walk["history"], [*IN_CURVES, self.method])
        figure = curves.learning_curves(history, simulated=self.simulated)
        words = mechanism_words.learning_curves(history, self.method, self.run.train.select)
        return _there(self.save(figure, "learning_curves"), words)

    def found(self) -> Markdown:
        """What the row says, in words, and whether the run was a test of the method at all."""
        return Markdown(
            table2.findings(_of(self.walk["table2"], [*IN_TABLE, self.method])) + self._caution()
        )

    def _caution(self) -> str:
        """A sentence where hardly any pseudo-label was kept, one grade is said of all pictures,
        validation chose weights of before the method began, or those of its first look; "" else."""
        said = []
        kept = self.history["kept"].iloc[-1] if "kept" in self.history else 1.0
        if kept < FEW:
            said.append(f"At the end {100 * kept:.1f} % of the pseudo-labels were kept")
        mine = self._on_test(self.method)
        grades = mine[columns_p(mine)].to_numpy().argmax(axis=1)
        if len(set(grades)) == 1:
            said.append(f"every test picture is graded {named(grades[0], self.words)}")
        cautions = f"**No test of the method**: {'; '.join(said)}." if said else ""
        start, select = getattr(self.run.method, "start", 0), self.run.train.select
        late = mechanism_words.not_in_the_row(self.history, start, select)
        looked = selected.sentence(self.history) if select == "best" else ""
        return "".join(f"\n\n{text}" for text in (cautions, late, looked) if text)

    def provenance(self) -> Markdown:
        """With what data and software."""
        return Markdown(stored.provenance_line(self.data.info))


# ---------------------------------------------------------------- parts
def _there(figure: Figure | None, words: str) -> Shown:
    """The figure, where there is one, and its sentence."""
    return [one for one in (figure, Markdown(words)) if one is not None]


def _of(rows: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    return rows[rows["method"].isin(methods)].reset_index(drop=True)


def _allowed(rule: bounds.Range | bounds.OneOf | None) -> str:
    """What a setting may be.

    >>> _allowed(bounds.Range(0, 1)), _allowed(bounds.OneOf("train", "ema"))
    ('0 to 1', 'train, ema')
    """
    if isinstance(rule, bounds.OneOf):
        return ", ".join(map(str, rule.allowed))
    return "" if rule is None else str(rule)
