"""The reference of the models of related work: rows trained on a simulated walk and on a real one,
each tested at home and on the other, and on every set below RIQA_DATA; tracked as aggregates.

    RIQA_HOME=HOME python benchmarks/related_models.py SIMULATED REAL [--profile reference]
        [--real '{"data.folder": {"root": ..., "table": ..., "id": ..., "score": ..., "low": 0,
                  "high": 1, "source": ...}, "data.source": "folder", "data.size": 192,
                  "data.crop": 128, "data.fractions": [0.6, 0.1, 0.3]}']

SIMULATED, REAL: names of walks below HOME/results. What is there already is taken as it is: data,
finished runs and what they said of their own test pictures, what graders said of another set
(HOME/results/WALK/cross/). Data that are not there are made, the simulated ones by the profile, the
real ones by --real, which also says how runs on them differ from the profile. Killed and called
again, it goes on where it was. A row that is not there, or can't be trained, is left out, and a
line says so.

results/reference/related/ (below --to, the repository by default)
    simulated.csv, real.csv      the table of related work (tables.related_models)
    cross_data.csv               trained on one, tested on another (tables.cross_data_table)
    cross_facts.csv              how pictures were shown, what was left out
    cross_sets.csv               the sets below RIQA_DATA: found or not
    levels_*.csv                 label-free tests on photographs that packages carry
    about.json                   data, software, machine; written last
figures/reference/related/
    predicted_against_true_*     with pictures where they are simulated; the real ones with their
                                 pictures go to HOME/figures/REAL, which is not tracked
    cross_data, cross_data_within, levels_against_grade_*

No picture, file name or picture's score of a real data set is in what is tracked."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from riqa_lib import paths, store
from riqa_lib.datasets.data_folder import DataSet, data_key, open_dataset
from riqa_lib.figures import style
from riqa_lib.figures.cross_data_matrix import cross_data_matrix
from riqa_lib.figures.levels_against_grade import levels_against_grade
from riqa_lib.figures.predicted_against_true import predicted_against_true
from riqa_lib.networks.device import threads
from riqa_lib.pictures import pristine
from riqa_lib.pictures.distorted_copies import Recipe
from riqa_lib.pictures.photo_data import processes_at_most
from riqa_lib.provenance import provenance
from riqa_lib.sim.photo_sets import make_koka10k
from riqa_lib.stats.metrics import columns_p, expected_grade
from riqa_lib.stats.score_agreement import ALL, WITHIN
from riqa_lib.tables import cross_data_table, label_free_tests, related_models
from riqa_lib.tables.names import name_of
from riqa_lib.training import cross_data, graders, photographs, related
from riqa_lib.training.label_free_runs import levels_graded

ROWS = related.ROWS
FOLDER = "related"  # below results/reference and figures/reference
COMMAND = "python benchmarks/related_models.py"
WRONG = (OSError, RuntimeError, ValueError, TypeError, KeyError)  # of one row, which is left out


@dataclass
class Walk:
    """A walk whose rows are asked. kind: "simulated" or "real", as tracked files are called; runs:
    row -> name of its finished run with the first seed."""

    name: str
    kind: str
    data: DataSet
    overrides: dict[str, object]
    runs: dict[str, str] = field(default_factory=dict)
    made: dict[str, graders.Grader] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(self.data.info["size"])

    def grader(self, row: str) -> graders.Grader:
        """Of a row that has a run, made once: some are fitted again."""
        if row not in self.made:
            self.made[row] = graders.of(row, self.runs[row], self.data)
        return self.made[row]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


# ---------------------------------------------------------------- trained
def opened(name: str, kind: str, profile: str, overrides: dict[str, object]) -> Walk:
    """The walk's data, made where they are not there. ValueError for data of the other kind."""
    folder = paths.results(name) / "data"
    if not (folder / "dataset.json").exists():
        say(f"{name}: making the data")
        photographs.make_data(name, profile, overrides)
    data = open_dataset(folder)
    if bool(data.info["simulated"]) != (kind == "simulated"):
        raise ValueError(f"{name}: expected {kind} pictures, found {data.info['name']}")
    return Walk(name, kind, data, overrides)


def train(walk: Walk, profile: str, rows: Sequence[str], seeds: Sequence[int]) -> None:
    """Train the rows, one at a time, each noted by itself; notes the runs of the first seed."""
    for seed in seeds:
        for row in rows:
            if row == "constant":
                walk.runs[row] = ""
                continue
            try:
                began = time.perf_counter()
                table = related.train(walk.name, profile, [row], seed, walk.overrides)
                say(f"{walk.name}: {row}, seed {seed}, {time.perf_counter() - began:.0f} s")
            except WRONG as e:
                say(f"{walk.name}: {row}, seed {seed} left out: {type(e).__name__}: {e}")
                continue
            if seed == seeds[0]:
                walk.runs[row] = str(table["run"].iloc[0])


# ---------------------------------------------------------------- asked
def trials(
    mine: Walk, walks: Sequence[Walk], real_sets: bool, most: int = 0
) -> tuple[list[cross_data.Trial], pd.DataFrame]:
    """What the rows of a walk are tested on, at their size: their own test part, that of the other
    walks, every set below RIQA_DATA, at most so many pictures of each but the first; and which sets
    are there."""
    found = [cross_data.trial_of(mine.data, mine.size)]
    for other in walks:
        if other.name != mine.name:
            found.append(cross_data.trial_of(at_size(other, mine.size), mine.size))
    root, table = paths.data(), cross_data.sets_found(None)
    if real_sets:
        place = paths.results("sets")
        stored, table = cross_data.store_sets(root, place, mine.size, processes_at_most())
        found += [cross_data.trial_of(one, mine.size) for one in stored.values()]
    kept = [cross_data.without_copies(one, mine.data) for one in found]
    return [kept[0], *(cross_data.at_most(one, most) for one in kept[1:])], table


def at_size(walk: Walk, size: int) -> DataSet:
    """A walk's data for graders of another size: a simulated world is made anew at that size, a
    real set is brought to it picture by picture later."""
    if walk.kind == "real" or walk.size == size:
        return walk.data
    folder = paths.results(walk.name) / f"data-at-{size}"
    told = {**walk.data.info["settings"], "size": size, "pool": 0}
    told["fractions"] = tuple(told["fractions"])
    if not (folder / "dataset.json").exists():
        say(f"{walk.name}: making the same world at {size} px")
    return open_dataset(make_koka10k(folder, **told, processes=processes_at_most()))


def said_of(mine: Walk, row: str, trial: cross_data.Trial) -> pd.DataFrame:
    """What a row says of a set, asked once."""
    told = {
        "run": mine.runs[row],
        "learnt": data_key(mine.data),
        "size": trial.size,
        "pictures": trial.frame["id"].astype(str).tolist(),
        "scores": trial.frame["score"].round(6).tolist(),
    }
    name = f"{row}-{'-'.join(trial.name.split())}-{trial.size}-{store.settings_hash(told)}.csv.gz"
    file = paths.results(mine.name) / "cross" / name
    if not file.exists():
        began = time.perf_counter()
        said = _stored(mine, row, trial)
        if said is None:
            said = cross_data.ask(mine.grader(row), trial)
        store.write_table(file, said[["id", "expected"]])
        say(f"{mine.name}: {row} on {trial.name}, {time.perf_counter() - began:.0f} s")
    said = store.read_table(file)
    names = {"trained_on": str(mine.data.info["name"]), "tested_on": trial.name, "row": row}
    return trial.frame.assign(expected=said["expected"].to_numpy(float), **names)


def _stored(mine: Walk, row: str, trial: cross_data.Trial) -> pd.DataFrame | None:
    """What a run said of its own test pictures when it was trained; None of another set, or where
    it lacks one of them."""
    folder = paths.runs() / mine.runs[row]
    if not mine.runs[row] or trial.stored is not mine.data.pixels or not store.done(folder):
        return None
    table = store.read_predictions(folder).set_index("id")
    names = trial.frame["id"]
    if not names.isin(table.index).all():
        return None
    p = table.loc[names, columns_p(table)]
    return trial.frame.assign(expected=expected_grade(p))


def asked(mine: Walk, tests: Sequence[cross_data.Trial]) -> pd.DataFrame:
    """What every row of a walk says of every set; rows that can't be asked are left out."""
    parts = []
    for row in list(mine.runs):
        try:
            parts += [said_of(mine, row, trial) for trial in tests]
        except WRONG as e:
            say(f"{mine.name}: {row} left out of the other sets: {type(e).__name__}: {e}")
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- label-free
def levels(mine: Walk) -> pd.DataFrame:
    """What the rows say of photographs that packages carry, and of their distorted copies."""
    told = {"runs": mine.runs, "learnt": data_key(mine.data)}
    file = paths.results(mine.name) / "cross" / f"levels-{store.settings_hash(told)}.csv.gz"
    if not file.exists():
        pictures, found = pristine.carried(mine.size), {}
        for row in mine.runs:
            with contextlib.suppress(*WRONG):  # said before
                found[row] = mine.grader(row)
        store.write_table(file, levels_graded(found, pictures, Recipe()))
    return store.read_table(file)


# ---------------------------------------------------------------- collected
@contextlib.contextmanager
def written_below(place: Path) -> Iterator[None]:
    """Figures go below this folder instead of RIQA_HOME."""
    before = os.environ.get("RIQA_HOME")
    os.environ["RIQA_HOME"] = str(place)
    try:
        yield
    finally:
        os.environ.pop("RIQA_HOME")
        if before is not None:
            os.environ["RIQA_HOME"] = before


@dataclass
class Out:
    """Where tracked tables and figures go: below `place`."""

    place: Path

    def table(self, name: str, table: pd.DataFrame) -> None:
        store.write_table(self.place / "results" / "reference" / FOLDER / f"{name}.csv", table)

    def figure(self, name: str, figure: Figure) -> None:
        with written_below(self.place):
            style.save(figure, name, f"reference/{FOLDER}", COMMAND)


def tried(what: str, do: Callable[[], Any]) -> Any:
    """What `do` returns; None, with a line, where it can't be done."""
    try:
        return do()
    except WRONG as e:
        say(f"{what} left out: {type(e).__name__}: {e}")
        return None


def collect_home(mine: Walk, out: Out, resamples: int) -> None:
    """The table of related work of one walk."""
    frames = related_models.load(mine.name)
    table = related_models.table(
        frames["predictions"],
        frames["runs"],
        frames["grades"]["grade"],
        mine.kind == "simulated",
        resamples,
    )
    out.table(mine.kind, table)


def collect_levels(mine: Walk, out: Out, resamples: int) -> None:
    """Label-free tests of one walk's rows."""
    frame = levels(mine)
    out.table(f"levels_{mine.kind}", label_free_tests.every_test(frame, resamples))
    curves = label_free_tests.curves(frame, resamples)
    out.table(f"levels_{mine.kind}_curves", curves)
    # the photographs are real; what learnt from which is in the name
    out.figure(f"levels_against_grade_{mine.kind}", levels_against_grade(curves, simulated=False))


def draw_home(mine: Walk, trial: cross_data.Trial, said: pd.DataFrame, table: pd.DataFrame,
              out: Out) -> None:  # fmt: skip
    """Predicted against true on the walk's own test part; of real pictures those below RIQA_HOME
    alone show them."""
    its = said[said["tested_on"] == trial.name]
    agreed = table[(table["tested_on"] == trial.name) & (table["part"] == ALL)]
    wrong = cross_data_table.most_wrong(its)
    at = {name: place for place, name in enumerate(trial.frame["id"])}
    names = list(dict.fromkeys(wrong["id"]))
    pictures = dict(zip(names, trial.pixels([at[name] for name in names]), strict=True))
    classes = int(mine.data.info["classes"])

    def drawn(shown: Mapping[str, np.ndarray] | None) -> Figure:
        return predicted_against_true(
            its,
            agreed,
            wrong,
            simulated=trial.simulated,
            classes=classes,
            pictures=shown,
            against=trial.against,
            rows=ROWS,
        )

    out.figure(f"predicted_against_true_{mine.kind}", drawn(pictures if trial.simulated else None))
    if not trial.simulated:
        style.save(drawn(pictures), "predicted_against_true", mine.name, COMMAND)


def collect_cross(
    walks: Sequence[Walk], out: Out, resamples: int, real_sets: bool, most: int = 0
) -> None:
    """Every walk's rows on every set: tables and figures."""
    parts, facts, sets = [], [], pd.DataFrame()
    own: dict[str, cross_data.Trial] = {}
    for mine in walks:
        tests, sets = trials(mine, walks, real_sets, most)
        own[mine.name] = tests[0]
        facts += [cross_data.facts(mine.data, trial) for trial in tests]
        parts.append(asked(mine, tests))
    said, about = pd.concat(parts, ignore_index=True), pd.DataFrame(facts)
    say("intervals")
    table = cross_data_table.cross_data(said, about, resamples)
    out.table("cross_data", table)
    out.table("cross_facts", about.drop(columns="learnt"))
    # what is wrong with a set names its folder
    out.table("cross_sets", sets.assign(state=sets["state"].str.partition(":")[0]))
    for mine in walks:
        at_home = said["trained_on"] == str(mine.data.info["name"])
        of_it = table[table["trained_on"] == str(mine.data.info["name"])]
        draw_home(mine, own[mine.name], said[at_home], of_it, out)
    kinds = {f["tested_on"]: f["simulated_tested"] for f in facts}
    simulated = [name for name, is_simulated in kinds.items() if is_simulated]
    for part, name in ((ALL, "cross_data"), (WITHIN, "cross_data_within")):
        if table.loc[table["part"] == part, "srcc"].notna().any():
            out.figure(name, cross_data_matrix(table, simulated=simulated, part=part, rows=ROWS))
    print(cross_data_table.show(table, about, sets, name_of, ROWS), flush=True)


def about_of(walks: Sequence[Walk], profile: str, seeds: Sequence[int]) -> dict[str, object]:
    """What the tracked tables come from; never a path."""
    data = {
        walk.kind: {
            "name": Path(str(walk.data.info["name"])).name,
            "size": walk.size,
            "splits": {k: int(n) for k, n in walk.data.frame["split"].value_counts().items()},
            "rows": list(walk.runs),
        }
        for walk in walks
    }
    return provenance() | {"data": data, "profile": profile, "seeds": list(seeds)}


# ---------------------------------------------------------------- all
def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("simulated", help="name of the simulated walk")
    add("real", nargs="?", default="", help="name of the real walk; without it only the other")
    add("--profile", default="reference")
    add("--seeds", type=int, nargs="+", default=[0], help="the first is asked about other sets")
    add("--rows", nargs="+", default=list(ROWS), metavar="ROW", help=f"some of {', '.join(ROWS)}")
    add("--set", type=json.loads, default={}, help="settings of the simulated walk, as JSON")
    add("--real", dest="of_real", type=json.loads, default={}, help="settings of the real walk")
    add("--resamples", type=int, default=1000)
    add("--to", type=Path, default=paths.ROOT, help="folder of results/reference and figures/")
    add("--most", type=int, default=0, help="pictures of each other set, by chance (0: all)")
    add("--no-sets", action="store_true", help="leave out the sets below RIQA_DATA")
    add("--no-levels", action="store_true", help="leave out the label-free tests")
    given = parser.parse_args(words)
    threads()
    if lacking := [row for row in given.rows if row not in ROWS]:
        say(f"rows left out, which are not there (yet): {', '.join(lacking)}")
    rows = [row for row in ROWS if row in given.rows]
    walks = [opened(given.simulated, "simulated", given.profile, given.set)]
    if given.real:
        walks.append(opened(given.real, "real", given.profile, given.of_real))
    out = Out(given.to.resolve())
    about = out.place / "results" / "reference" / FOLDER / "about.json"
    about.unlink(missing_ok=True)  # written last: without it this is half a collection
    for walk in walks:
        train(walk, given.profile, rows, given.seeds)
        tried(f"{walk.name}: table", lambda walk=walk: collect_home(walk, out, given.resamples))
    collect_cross(walks, out, given.resamples, not given.no_sets, given.most)
    if not given.no_levels:
        for walk in walks:
            tried(
                f"{walk.name}: levels", lambda walk=walk: collect_levels(walk, out, given.resamples)
            )
    store.write_json(about, about_of(walks, given.profile, given.seeds))
    say("done")


if __name__ == "__main__":
    main()
