"""The runs of a walk and what they stored: listed, loaded, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths, provenance, store
from ..scales import DETAILS
from ..stats.metrics import columns_p
from ..stats.votes import one_rater
from .names import REFERENCE
from .published import published
from .table1 import class_counts
from .table2 import table2


def fundus_runs_of(name: str, rows: list[str], seed: int | None = None) -> pd.DataFrame:
    """The finished runs of these rows in a walk (see fundus_report.listed), of one seed or of
    all."""
    table = fundus_runs(name)
    return table[table["row"].isin(rows) & ((table["seed"] == seed) | (seed is None))].reset_index(
        drop=True
    )


# ---------------------------------------------------------------- loading
def fundus_runs(name: str) -> pd.DataFrame:
    """The fundus runs of a walk: run, row, set, seed, lambda_a
    (results/<name>/tables/fundus-*.csv); empty where there are none."""
    files = sorted((paths.results(name) / "tables").glob("fundus-*.csv"))
    none = pd.DataFrame(columns=["run", "row", "set", "seed", "lambda_a"])
    table = pd.concat([store.read_table(f) for f in files], ignore_index=True) if files else none
    return table.drop_duplicates(["row", "seed"], keep="last").reset_index(drop=True)


def read_fundus_predictions(folder: Path | str) -> pd.DataFrame:
    """Predictions of one fundus run. ValueError, naming file and row, for probabilities that are
    none or don't sum to 1."""
    file = Path(folder) / "predictions.csv.gz"
    table = store.read_table(file)
    details = [f"d_{d}" for d in DETAILS]
    if missing := [
        c for c in ("set", "id", "group", "split", "truth", *DETAILS, *details) if c not in table
    ]:
        raise ValueError(
            f"{paths.shown(file)}: no column {', '.join(missing)}; found {', '.join(table)}"
        )
    grades = [c for c in table if c.startswith("p") and c[1:].isdigit()]
    wrong = ~table[details].apply(lambda c: c.between(0, 1)).all(axis=1)
    if grades:
        wrong |= ~((table[grades].sum(axis=1) - 1).abs() <= 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        names = ", ".join([*details, *grades])
        raise ValueError(
            f"{paths.shown(file)}: row {row + 2} ({table['id'][row]}): not probabilities in {names}"
        )
    return table


def load_fundus(name: str, runs: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """A walk's fundus runs: predictions and history (long, with method = row, seed first), runs.

    runs: some of `listed` (all by default). FileNotFoundError, naming the notebook, where there are
    none."""
    runs = fundus_runs(name) if runs is None else runs
    if runs.empty:
        raise FileNotFoundError(
            f"{paths.shown(paths.results(name) / 'tables')}: no fundus runs; run notebook 14_teacher first"
        )
    predictions, history = [], []
    for run in runs.to_dict("records"):
        folder = store.need(
            paths.runs() / run["run"], "14_teacher" if run["row"] == "teacher" else "15_student"
        )
        front = {"method": run["row"], "seed": run["seed"]}
        predictions.append(read_fundus_predictions(folder).assign(**front))
        history.append(store.read_table(folder / "history.csv").assign(**front))
    first = lambda t: t[["method", "seed", *[c for c in t if c not in ("method", "seed")]]]
    together = lambda tables: first(pd.concat(tables, ignore_index=True))
    return {"predictions": together(predictions), "history": together(history), "runs": runs}


# ---------------------------------------------------------------- a walk's tables
def _listed(name: str) -> pd.DataFrame:
    """The runs of a walk, from results/<name>/tables/runs-*.csv; all problems at once."""
    folder = paths.results(name) / "tables"
    files = sorted(folder.glob("runs-*.csv"))
    if not files:
        raise FileNotFoundError(
            f"{paths.shown(folder)}/runs-*.csv: not there yet; run a training notebook first "
            "(python run_all.py --only 03_vit_supervised)"
        )
    problems, parts = [], []
    for file in files:
        part = store.read_table(file)
        lacking = [c for c in ("run", "method", "seed", "labels") if c not in part]
        if lacking:
            problems.append(
                f"{paths.shown(file)}: no column {', '.join(lacking)}; found {', '.join(part.columns)}"
            )
        else:
            parts.append(part[["run", "method", "seed", "labels"]])
    runs = (
        pd.concat(parts).drop_duplicates(ignore_index=True) if parts else pd.DataFrame({"run": []})
    )
    for run in runs["run"]:
        if not store.done(paths.runs() / run):
            problems.append(
                f"{paths.shown(paths.runs() / run)}: no finished run; run its notebook again"
            )
    for run in runs["run"][runs["run"].duplicated()]:
        problems.append(
            f"{paths.shown(folder)}: run {run} is listed with different methods, seeds or labels"
        )
    for _, row in runs[runs.duplicated([c for c in runs if c != "run"])].iterrows():
        twice = f"{row['method']}, seed {row['seed']}, {row['labels']} labels"
        problems.append(f"{paths.shown(folder)}: two runs are {twice}")
    if problems:
        raise ValueError("\n".join(problems))
    return runs.sort_values(["method", "labels", "seed"], kind="stable", ignore_index=True)


def _rounded(predictions: pd.DataFrame) -> pd.DataFrame:
    """Probabilities to 4 decimals, so that they store small; no picture's grade changes."""
    names = columns_p(predictions)
    p = predictions[names].to_numpy(float)
    short = p.round(4)
    tied = np.flatnonzero(p.argmax(axis=1) != short.argmax(axis=1))
    short[tied, p[tied].argmax(axis=1)] += 1e-4
    return predictions.assign(**{n: short[:, k] for k, n in enumerate(names)})


def load_runs(name: str, runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of `load_walk` for some runs of a walk only (columns run, method, seed,
    labels)."""
    data = paths.results(name) / "data"
    info = store.read_json(store.need(data / "dataset.json", "01_koka10k"))
    frame = store.read_table(store.need(data / "frame.csv", "01_koka10k"))
    simulated = bool(info["simulated"])
    predictions, history, facts = [], [], []
    for run in runs.to_dict("records"):
        folder = paths.runs() / run["run"]
        front = {c: run[c] for c in ("method", "seed", "labels")}
        table = store.read_predictions(folder)
        predictions.append(_in_front(table[table["split"].isin(["val", "test"])], front))
        if (folder / "history.csv").exists():
            history.append(_in_front(store.read_table(folder / "history.csv"), front))
        facts.append(_facts(folder))
    together = _rounded(pd.concat(predictions, ignore_index=True))
    paper = (
        published() if "KOKA10K" in info["name"] else published().iloc[:0]
    )  # of other pictures it published nothing
    labelled = frame[frame["grade"] >= 0]
    test, train = (
        labelled[labelled["split"] == "test"],
        labelled.loc[labelled["split"] == "train", "grade"],
    )
    rater = one_rater(test) if {f"c{k}" for k in range(1, 6)} <= {*frame} and len(test) else None
    about: dict[str, object] = {"walk": name, "data": "simulated" if simulated else "real"}
    about |= {k: info.get(k, "") for k in ("name", "size")}
    about |= {f"collected.{k}": v for k, v in store.flat(provenance.provenance()).items()}
    about = dict(sorted(about.items()))
    return {
        "predictions": together,
        "history": pd.concat(
            history or [pd.DataFrame(columns=["method", "seed", "step"])], ignore_index=True
        ),
        "counts": class_counts(frame),
        "table2": table2(together, paper, simulated, train, rater),
        "runs": pd.concat([runs, pd.DataFrame(facts)], axis=1),
        "provenance": pd.DataFrame(
            {"item": list(about), "value": [str(v) for v in about.values()]}
        ),
    }


def _in_front(table: pd.DataFrame, values: dict) -> pd.DataFrame:
    rest = table.drop(columns=[c for c in values if c in table])
    return rest.assign(**values)[[*values, *rest.columns]]


def _facts(folder: Path) -> dict:
    """What a run's provenance.json says of machine, software and time."""
    found = store.read_json(folder / "provenance.json")
    versions = found.get("versions", {})
    out = {k: found.get(k, "unknown") for k in ("commit", "machine")}
    out |= {k: versions.get(k, "unknown") for k in ("python", "torch")}
    return out | {"train_seconds": found.get("train_seconds", np.nan)}


def runs_of(name: str, methods: list[str], seed: int) -> pd.DataFrame:
    """The finished runs of these rows and this seed in a walk (run, method, seed, labels); empty
    where there are none."""
    files = sorted((paths.results(name) / "tables").glob("runs-*.csv"))
    none = pd.DataFrame(columns=["run", "method", "seed", "labels"])
    runs = pd.concat([store.read_table(f) for f in files], ignore_index=True) if files else none
    return runs[runs["method"].isin(methods) & (runs["seed"] == seed)].reset_index(drop=True)


def pool_accuracy(name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """How right each run is on the pool, where its true grades are known but were hidden: one row
    per run, with the accuracy overall and per confidence quarter (the surest quarter first). Empty
    where nothing is known of the pool."""
    rows = []
    for run in runs.to_dict("records"):
        table = store.read_predictions(paths.runs() / run["run"])
        pool = table[(table["split"] == "pool") & (table["truth"] >= 0)]
        if pool.empty:
            continue
        p = pool[columns_p(pool)].to_numpy(float)
        right = (p.argmax(axis=1) == pool["truth"].to_numpy())[
            np.argsort(-p.max(axis=1), kind="stable")
        ]
        quarters = {
            f"quarter {i + 1}": float(part.mean())
            for i, part in enumerate(np.array_split(right, 4))
        }
        rows.append(
            {
                "method": run["method"],
                "seed": run["seed"],
                "pictures": len(pool),
                "accuracy": right.mean(),
            }
            | quarters
        )
    return pd.DataFrame(rows).round(3)


def walk_status(name: str) -> pd.DataFrame:
    """What there is of a walk: its data set, its finished runs, its table; one row each."""
    data = paths.results(name) / "data" / "dataset.json"
    info = store.read_json(data) if data.exists() else {}
    kind = "simulated" if info.get("simulated") else "real"
    runs = sum(
        len(store.read_table(f)) for f in (paths.results(name) / "tables").glob("runs-*.csv")
    )
    table = (paths.results(name) / "tables" / "table2.csv").exists()
    rows = [
        ("pictures", f"{info['name']}, {kind}" if info else "not yet: notebook 01_koka10k"),
        ("trained models", str(runs) if runs else "not yet: notebook 03_vit_supervised"),
        ("Table 2", "made" if table else "not yet: notebook 11_table2"),
    ]
    return pd.DataFrame(rows, columns=["item", f"in results/{name}"])


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
    return f"{name} ({kind} data); riqa commit {provenance.commit()}; {software}; {provenance.machine()}"


FILES = {
    "predictions": "predictions.csv.gz",
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
            f"{paths.shown(folder)}: {', '.join(lacking)} not there; make it with python run_all.py --reference"
        )
    facts = store.flat(store.read_json(folder / "provenance.json"))
    out = {key: store.read_table(folder / file) for key, file in FILES.items()}
    as_run = ["method", "labels", "seed"]  # stored by picture, which is smaller
    out["predictions"] = out["predictions"].sort_values(as_run, kind="stable", ignore_index=True)
    words = dict.fromkeys(
        ("run", "commit", "machine", "python", "torch"), str
    )  # "3.11" and "1234567" are no numbers
    out["runs"] = pd.read_csv(folder / FILES["runs"], dtype=words)
    return out | {
        "provenance": pd.DataFrame({"item": list(facts), "value": [str(v) for v in facts.values()]})
    }


def is_simulated(frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether a walk's data (`load_walk`) are simulated."""
    facts = frames["provenance"].set_index("item")["value"]
    return facts["data"] == "simulated"
