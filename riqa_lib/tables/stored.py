"""The runs of a walk and what they stored: listed, loaded, checked.

A walk is one pass through the plan. It lists its runs in results/<name>/tables, those of
photographs in runs-*.csv and those of fundus pictures in fundus-*.csv; what they stored lies in
results/runs. The walk "reference" is read from the tracked results/reference instead, which
`reference.collect` fills: enough to draw every figure again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .. import checks, paths, provenance, store
from ..scales import DETAILS
from ..stats.metrics import columns_p
from ..stats.votes import one_rater, vote_columns
from . import departures, tracked_predictions, wide_predictions
from .names import REFERENCE, kind_of_row
from .published import of_paper, published
from .table1 import class_counts
from .table2 import table2
from .text import as_text, grade_names
from .wide_predictions import STEPS, whole_steps

LISTED = ("run", "method", "seed", "labels")  # columns of runs-*.csv


FUNDUS_LISTED = ("run", "row", "set", "seed", "lambda_a")  # columns of fundus-*.csv


# ---------------------------------------------------------------- lists of runs
def _lists(name: str, kind: str) -> list[Path]:
    """The lists of runs that a walk's notebooks left; kind: "runs" or "fundus"."""
    return sorted((paths.results(name) / "tables").glob(f"{kind}-*.csv"))


def _all_of(name: str, kind: str, columns: Sequence[str]) -> pd.DataFrame:
    """These lists as one table; empty, with these columns, where there are none."""
    tables = [store.read_table(file) for file in _lists(name, kind)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(columns))


def runs_of(name: str, methods: list[str], seed: int) -> pd.DataFrame:
    """The finished runs of these rows and this seed in a walk (run, method, seed, labels); empty
    where there are none."""
    runs = _all_of(name, "runs", LISTED)
    return runs[runs["method"].isin(methods) & (runs["seed"] == seed)].reset_index(drop=True)


def fundus_runs(name: str) -> pd.DataFrame:
    """The fundus runs of a walk: run, row, set, seed, lambda_a
    (results/<name>/tables/fundus-*.csv); empty where there are none."""
    runs = _all_of(name, "fundus", FUNDUS_LISTED)
    return runs.drop_duplicates(["row", "seed"], keep="last").reset_index(drop=True)


def fundus_runs_of(name: str, rows: list[str], seed: int | None = None) -> pd.DataFrame:
    """The finished runs of these rows in a walk (see `fundus_runs`), of one seed or of all."""
    runs = fundus_runs(name)
    mine = runs["row"].isin(rows) & ((runs["seed"] == seed) | (seed is None))
    return runs[mine].reset_index(drop=True)


def _listed(name: str) -> pd.DataFrame:
    """The runs of a walk, from results/<name>/tables/runs-*.csv; all problems at once."""
    folder = paths.shown(paths.results(name) / "tables")
    files = _lists(name, "runs")
    if not files:
        raise FileNotFoundError(
            f"{folder}/runs-*.csv: not there yet; run a training notebook first "
            "(python run_all.py --only 03_vit_supervised)"
        )
    tables = {paths.shown(file): store.read_table(file) for file in files}
    lacking = {file: store.no_column(table, LISTED) for file, table in tables.items()}
    problems = [f"{file}: {said}" for file, said in lacking.items() if said]
    parts = [table[list(LISTED)] for file, table in tables.items() if not lacking[file]]
    if parts:
        runs = pd.concat(parts).drop_duplicates(ignore_index=True)
        problems += [*_unfinished(runs), *(f"{folder}: {said}" for said in _contradictions(runs))]
    if problems:
        raise ValueError("\n".join(problems))
    return runs.sort_values(["method", "labels", "seed"], kind="stable", ignore_index=True)


def _unfinished(runs: pd.DataFrame) -> list[str]:
    folders = [paths.runs() / run for run in runs["run"]]
    return [
        f"{paths.shown(folder)}: no finished run; run its notebook again"
        for folder in folders
        if not store.done(folder)
    ]


def _contradictions(runs: pd.DataFrame) -> list[str]:
    """One run that is two things, or two runs that are one thing."""
    said = [
        f"run {run} is listed with different methods, seeds or labels"
        for run in runs["run"][runs["run"].duplicated()]
    ]
    same = runs[runs.duplicated([c for c in LISTED if c != "run"])]
    for row in same.to_dict("records"):
        said.append(f"two runs are {row['method']}, seed {row['seed']}, {row['labels']} labels")
    return said


# ---------------------------------------------------------------- what runs stored
def read_fundus_predictions(folder: Path | str) -> pd.DataFrame:
    """Predictions of one fundus run. ValueError, naming file and row, for probabilities that are
    none or don't sum to 1."""
    file = Path(folder) / "predictions.csv.gz"
    table = store.read_table(file)
    details = [f"d_{d}" for d in DETAILS]
    needed = ["set", "id", "group", "split", "truth", *DETAILS, *details]
    checks.has(table, needed, paths.shown(file))
    grades = store.columns_of_p(table)
    wrong = ~table[details].apply(lambda column: column.between(0, 1)).all(axis=1)
    if grades:
        wrong |= ~((table[grades].sum(axis=1) - 1).abs() <= 1e-3)
    if wrong.any():
        where = store.row_of(file, table, int(np.flatnonzero(wrong)[0]))
        raise ValueError(f"{where}: not probabilities in {', '.join([*details, *grades])}")
    return table


def _in_front(table: pd.DataFrame, values: Mapping[str, object]) -> pd.DataFrame:
    rest = table.drop(columns=[c for c in values if c in table])
    return rest.assign(**values)[[*values, *rest.columns]]


def _gathered(
    runs: pd.DataFrame,
    front: Callable[[Mapping], dict[str, object]],
    read: Callable[[Path], pd.DataFrame],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and history of these runs, long: each a table, with what `front` says of its run
    in its first columns."""
    predictions, history = [], []
    for run in runs.to_dict("records"):
        folder = paths.runs() / run["run"]
        predictions.append(_in_front(read(folder), front(run)))
        if (folder / "history.csv").exists():
            history.append(_in_front(store.read_table(folder / "history.csv"), front(run)))
    none = pd.DataFrame(columns=["method", "seed", "step"])
    return (
        pd.concat(predictions, ignore_index=True),
        pd.concat(history or [none], ignore_index=True),
    )


def load_fundus(name: str, runs: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """A walk's fundus runs: predictions (`tracked_predictions.rounded`) and history (long, with
    method = row, seed first), runs. "reference" has the tracked predictions and nothing else.

    runs: some of `fundus_runs` (all by default). FileNotFoundError, naming the notebook, where
    there are none."""
    if name == REFERENCE:
        none = pd.DataFrame()
        predictions = tracked_predictions.unpacked(paths.reference() / "fundus")
        return {"predictions": predictions, "history": none, "runs": none}
    runs = fundus_runs(name) if runs is None else runs
    if runs.empty:
        folder = paths.shown(paths.results(name) / "tables")
        raise FileNotFoundError(f"{folder}: no fundus runs; run notebook 14_teacher first")
    for run, row in zip(runs["run"], runs["row"], strict=True):
        of_a_set = kind_of_row(row) != row  # "multi_eyeq"; not "teacher", "forest"
        store.need(paths.runs() / run, "15_student" if of_a_set else "14_teacher")
    predictions, history = _gathered(runs, _row_and_seed, read_fundus_predictions)
    predictions = tracked_predictions.rounded(predictions)
    return {"predictions": predictions, "history": history, "runs": runs}


def _row_and_seed(run: Mapping) -> dict[str, object]:
    return {"method": run["row"], "seed": run["seed"]}


def load_runs(name: str, runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of `load_walk` for some runs of a walk only (columns run, method, seed,
    labels)."""
    data = paths.results(name) / "data"
    info = store.read_json(store.need(data / "dataset.json", "01_koka10k"))
    frame = store.read_table(store.need(data / "frame.csv", "01_koka10k"))
    simulated = bool(info["simulated"])
    predictions, history = _gathered(runs, _method_seed_labels, _judged_predictions)
    predictions = _rounded(predictions)
    paper = published()
    if not of_paper(info):  # of other pictures the paper published nothing
        paper = paper.iloc[:0]
    labelled = frame[frame["grade"] >= 0]
    train = labelled.loc[labelled["split"] == "train", "grade"]
    facts = pd.DataFrame([_facts(paths.runs() / run) for run in runs["run"]])
    return {
        "predictions": predictions,
        "history": history,
        "counts": class_counts(frame),
        "table2": table2(
            predictions, paper, simulated, train, _rater(labelled), names=grade_names(info)
        ),
        "runs": pd.concat([runs, facts], axis=1),
        "provenance": _items(_about(name, info)),
    }


def _method_seed_labels(run: Mapping) -> dict[str, object]:
    return {column: run[column] for column in ("method", "seed", "labels")}


def _judged_predictions(folder: Path) -> pd.DataFrame:
    table = store.read_predictions(folder)
    return table[table["split"].isin(["val", "test"])]


def _rounded(predictions: pd.DataFrame) -> pd.DataFrame:
    """Probabilities to 4 decimals, so that they store small; they sum to 1, and no picture's grade
    changes."""
    names = columns_p(predictions)
    short = whole_steps(predictions[names].to_numpy(float)) / STEPS
    return predictions.assign(**{n: short[:, k] for k, n in enumerate(names)})


def _rater(labelled: pd.DataFrame) -> dict[str, float] | None:
    """Errors of one rater on the test pictures; None where nobody's votes are known."""
    test = labelled[labelled["split"] == "test"]
    return one_rater(test) if {*vote_columns(test)} <= {*test} and len(test) else None


def _about(name: str, info: Mapping) -> dict[str, object]:
    """Where a walk's results come from, by item."""
    about: dict[str, object] = {"walk": name, "data": "simulated" if info["simulated"] else "real"}
    about |= {k: info.get(k, "") for k in ("name", "size")} | {"of_paper": of_paper(info)}
    about |= {f"collected.{k}": v for k, v in store.flat(provenance.provenance()).items()}
    return dict(sorted(about.items()))


def _items(facts: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame({"item": list(facts), "value": [str(v) for v in facts.values()]})


# what a run's provenance.json says of what it cost; nan where an older one lacks it
COSTS = (
    "train_seconds",
    "seconds",
    "pictures_seen",
    "unlabelled",
    "pseudo_labels",
    "threads",
    "parameters",
)


def _facts(folder: Path) -> dict:
    """What a run's provenance.json says of machine, software and cost, and its config.json of its
    steps and of the settings that are not its algorithm's."""
    found = store.read_json(folder / "provenance.json")
    versions = found.get("versions", {})
    out = {k: found.get(k, "unknown") for k in ("commit", "machine")}
    out |= {k: versions.get(k, "unknown") for k in ("python", "torch")}
    config = store.read_json(folder / "config.json")
    out |= {"steps": config.get("train", {}).get("steps", np.nan)}
    out |= {"departs": departures.stored_words(config)}
    return out | {k: found.get(k, np.nan) for k in COSTS}


def summed_up(runs: pd.DataFrame) -> dict[str, object]:
    """What is tracked of some runs (columns run, seed): how many, their seeds, minutes in all, and
    every machine, commit, torch and python that made them; "collected": the commit of now."""
    found = [store.flat(store.read_json(paths.runs() / r / "provenance.json")) for r in runs["run"]]

    def said(key: str) -> str:
        return every(facts.get(key, "unknown") for facts in found)

    return {
        "runs": len(runs),
        "seeds": sorted({int(seed) for seed in runs["seed"]}),
        "minutes": round(sum(float(str(facts.get("seconds", 0))) for facts in found) / 60, 1),
        "machine": said("machine"),
        "commit": said("commit"),
        "torch": said("versions.torch"),
        "python": said("versions.python"),
        "collected": provenance.commit(),
    }


def every(values: Iterable[object]) -> str:
    """All different values, by name.

    >>> every(["b", "a", "b"])
    'a, b'
    """
    return ", ".join(sorted({str(v) for v in values}))


# ---------------------------------------------------------------- a walk's tables
def provenance_line(about: Mapping) -> str:
    """One line: which data, which commit, which software. about: a dataset.json, or the tables of
    `load_walk`."""
    if "provenance" in about:
        facts = about["provenance"].set_index("item")["value"]
        name, kind = facts["name"], facts["data"]
    else:
        name, kind = about["name"], "simulated" if about["simulated"] else "real"
    versions = provenance.versions(("torch", "timm", "numpy", "pandas"))
    software = ", ".join(f"{k} {v}" for k, v in versions.items())
    return (
        f"{as_text(name)} ({kind} data); riqa commit {provenance.commit()}; {software}; "
        f"{provenance.machine()}"
    )


FILES = {
    "predictions": "predictions.csv.xz",
    "history": "history.csv",
    "counts": "counts.csv",
    "table2": "table2.csv",
    "runs": "runs.csv",
}


def load_walk(name: str) -> dict[str, pd.DataFrame]:
    """A walk's tables: predictions (long; val and test), history, counts (`class_counts`), table2,
    runs, provenance (item, value). "reference" reads the tracked results/reference, any other name
    results/<name> and the runs it lists.

    Raises FileNotFoundError that names the notebook to run, ValueError that lists what is
    damaged."""
    if name != REFERENCE:
        return load_runs(name, _listed(name))
    folder = paths.reference()
    lacking = [f for f in (*FILES.values(), "provenance.json") if not (folder / f).exists()]
    if lacking:
        raise FileNotFoundError(
            f"{paths.shown(folder)}: {', '.join(lacking)} not there; "
            "make it with python run_all.py --reference"
        )
    facts = store.flat(store.read_json(folder / "provenance.json"))
    out = {key: store.read_table(folder / file) for key, file in FILES.items()}
    out["predictions"] = wide_predictions.unpacked(out["predictions"])
    # "3.11" and "1234567" are no numbers
    words = dict.fromkeys(("run", "commit", "machine", "python", "torch", "departs"), str)
    out["runs"] = pd.read_csv(folder / FILES["runs"], dtype=words)
    return out | {"provenance": _items(facts)}


def is_of_paper(frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether the paper's numbers may stand beside a walk's (`load_walk`): `published.of_paper`."""
    facts = dict(frames["provenance"].set_index("item")["value"])
    return facts.get("of_paper", str(of_paper(facts))) == "True"


def is_simulated(frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether a walk's data (`load_walk`) are simulated."""
    facts = frames["provenance"].set_index("item")["value"]
    return facts["data"] == "simulated"
