"""The table of related work: DBCNN, HyperIQA and Re-IQA beside our network and what one would use
instead, on the same labelled, validation and test pictures; and what their papers print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .. import checks, paths, store
from ..stats import bootstrap
from ..stats.correlation_intervals import METRICS as CORRELATIONS
from ..stats.correlation_intervals import correlations
from ..stats.crossed import LEAST_SEEDS, compare, verdict
from ..stats.metrics import best_constant, columns_p
from ..stats.within import bootstrap_within
from .names import BASE, CONSTANT, name_of
from .published import published
from .quantities import on_test
from .rank_target import against
from .text import cell, cell_of, kind_of, markdown, said_once, show_frame, with_ends

NOTEBOOK = "12_related_models"


# rows that train no network, and those that do, in the table's order
SIMPLE = (CONSTANT, "brisque", "forest", "ridge", "ridge_stages", "kernel_stages")


NETWORKS = (BASE, "dbcnn", "hyperiqa", "reiqa")


ROWS = (*SIMPLE, *NETWORKS)


ERRORS = ("mae", "macro_mae", "qwk", "srcc")  # by `bootstrap`


TITLES = {
    "mae": "MAE ↓",
    "macro_mae": "macro-MAE ↓",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
    "krcc": "KRCC ↑",
    "plcc_logistic": "PLCC (logistic) ↑",
    "srcc_within": "SRCC within subsets ↑",
}


STEM, WHOLE = 700_768, 3_371_008  # parameters of Lite0 up to stride 16, and up to its head


LITE0 = "EfficientNet-Lite0, frozen"


BACKBONES = {"lite0": LITE0, "vgg16": "VGG-16", "resnet50": "ResNet-50"}


# ---------------------------------------------------------------- what was trained
def load(name: str) -> dict[str, pd.DataFrame]:
    """What a walk has trained for this table: predictions (long, of test pictures: method, seed,
    labels, id, group, source, truth, p0.., score if there), runs (`facts` of each), grades (column
    grade, of the labelled training pictures) and info (item, value: name, simulated).

    FileNotFoundError, naming the notebook to run, where there is nothing yet."""
    place = paths.results(name)
    info = store.read_json(store.need(place / "data" / "dataset.json", "01_koka10k"))
    frame = store.read_table(store.need(place / "data" / "frame.csv", "01_koka10k"))
    listed = _listed(place / "tables")
    parts, runs = [], []
    for run in listed.to_dict("records"):
        folder = store.need(paths.runs() / run["run"], NOTEBOOK)
        said = store.read_predictions(folder)
        front = {c: run[c] for c in ("method", "seed", "labels")}
        parts.append(on_test(said).assign(**front))
        runs.append(run | facts(folder, run["method"]))
    train = frame.loc[(frame["split"] == "train") & (frame["grade"] >= 0), ["grade"]]
    told = {"name": info["name"], "simulated": bool(info["simulated"])}
    return {
        "predictions": pd.concat(parts, ignore_index=True),
        "runs": pd.DataFrame(runs),
        "grades": train.reset_index(drop=True),
        "info": pd.DataFrame({"item": list(told), "value": [str(v) for v in told.values()]}),
    }


def _listed(folder: Path) -> pd.DataFrame:
    files = sorted(folder.glob("related-*.csv"))
    store.need(files[0] if files else folder / "related-*.csv", NOTEBOOK)
    every = pd.concat([store.read_table(file) for file in files])
    return every.drop_duplicates(["method", "seed"], keep="last", ignore_index=True)


def facts(folder: Path, method: str) -> dict[str, object]:
    """What a run cost: backbone, in words ("" where there is none); parameters, of all that a
    picture's pixels pass through, a frozen stem too (nan of what has no fixed number); seconds of
    training (of a row that trains no network: of measuring what was not there yet, fitting and
    answering); pictures_a_second, from its speed.json (nan without); machine and threads."""
    config, found = (store.read_json(folder / f"{n}.json") for n in ("config", "provenance"))
    speed = store.read_json(folder / "speed.json") if (folder / "speed.json").exists() else {}
    backbone, parameters = _network(config, method, int(found.get("parameters", 0)))
    return {
        "backbone": backbone,
        "parameters": parameters,
        "seconds": float(found.get("train_seconds", found.get("seconds", np.nan))),
        "pictures_a_second": float(speed.get("pictures_a_second", np.nan)),
        "machine": str(speed.get("machine", found.get("machine", "unknown"))),
        "threads": speed.get("threads", found.get("threads", np.nan)),
    }


def _network(config: Mapping, method: str, own: int) -> tuple[str, float]:
    """A run's backbone in words, and the parameters of all."""
    if method == "ridge":
        return LITE0, STEM + 2 * 176 + 1
    if method in ("ridge_stages", "kernel_stages"):
        fitted = 2 * (24 + 40 + 112 + 320 + 1280) + 1
        return LITE0, WHOLE + fitted if method == "ridge_stages" else np.nan
    if "model" in config:
        model = config["model"]
        if model["stem"] == "lite0":
            return (LITE0, own + STEM) if model["freeze"] else (LITE0.split(",")[0], own)
        return model["arch"], own
    if "backbone" in config["method"]:
        its = config["method"]["backbone"]
        return BACKBONES.get(its, its), own
    return "", np.nan


# ---------------------------------------------------------------- the table
def table(
    predictions: pd.DataFrame,
    runs: pd.DataFrame,
    grades: Sequence[int] | pd.Series,
    simulated: bool,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a method, in the order of ROWS, those that are there; the best constant first.

    predictions, runs: as `load` has them; grades: of the labelled training pictures. Columns: row,
    method, backbone, labels, seeds, pictures, data, against (what correlations are taken against);
    each of TITLES with _low and _high (95 %, percentile, pictures by group and seeds resampled
    together, rows of the same seeds and pictures on the same draws; srcc_within only where there
    are several sources); parameters, pictures_a_second and minutes (means over seeds); beats,
    open, loses: of a network, the simple rows (names, "; " between) that its MAE is below, not
    decided against, above, by `crossed` intervals with Holm's correction over these; not_below: by
    point estimates, those that its MAE does not undercut or its SRCC does not exceed.

    ValueError for a missing column, no test picture, or predictions that don't fit together."""
    checks.has(predictions, ["method", "seed", "labels", "source"], "predictions")
    test = on_test(predictions)
    test = test[test["method"].isin(ROWS)]
    if test.empty:
        raise ValueError(f"predictions: no test picture of {', '.join(ROWS)}")
    said = best_constant(np.asarray(grades), len(columns_p(test)))
    parts = {CONSTANT: _constant(test, said)} | dict(iter(test.groupby("method")))
    parts = {row: parts[row] for row in ROWS if row in parts}
    values = _values(parts, resamples, seed)
    rows = []
    for method, own in parts.items():
        row: dict[str, object] = {
            "row": f"{name_of(method)} (always {said})" if method == CONSTANT else name_of(method),
            "method": method,
            "labels": int(own["labels"].max()),
            "seeds": 0 if method == CONSTANT else own["seed"].nunique(),
            "pictures": own["id"].nunique(),
            "data": "simulated" if simulated else "real",
            "against": against(own),
        }
        rows.append(row | values[method] | _costs(runs[runs["method"] == method]))
    out = pd.DataFrame(rows)
    judged = [_against_simple(row, parts, out) for row in out.to_dict("records")]
    return pd.concat([out, pd.DataFrame(judged)], axis=1)


def _constant(test: pd.DataFrame, said: int) -> pd.DataFrame:
    """The best constant on the pictures and seeds of the row that has most seeds."""
    first = test.groupby("method")["seed"].nunique().idxmax()
    return bootstrap.constant_rows(test[test["method"] == first], said, CONSTANT)


def _values(
    parts: Mapping[str, pd.DataFrame], resamples: int, seed: int
) -> dict[str, dict[str, float]]:
    """Every metric with its interval, of each row."""
    groups: dict[tuple, list[str]] = {}
    for method, own in parts.items():
        alike = (*sorted(own["seed"].unique()), frozenset(own["id"]))
        groups.setdefault(alike, []).append(method)
    out: dict[str, dict[str, float]] = {}
    for methods in groups.values():
        rows = pd.concat([parts[m] for m in methods], ignore_index=True)
        errors = bootstrap.paired_bootstrap(rows, methods, ERRORS, resamples, seed)
        ranks = correlations(rows, methods, resamples, seed)
        for m in methods:
            found = [(k, errors.interval(m, k)) for k in ERRORS]
            found += [(k, ranks.interval(m, k)) for k in CORRELATIONS]
            if len(rows["source"].unique()) > 1:
                _, inside = bootstrap_within(parts[m], m, resamples, seed)
                found.append(("srcc_within", inside.interval(m, "srcc_within")))
            out[m] = {c: v for k, three in found for c, v in with_ends(k, three).items()}
    return out


def _costs(runs: pd.DataFrame) -> dict[str, object]:
    if runs.empty:
        nothing = dict.fromkeys(("parameters", "pictures_a_second", "minutes"), np.nan)
        return {"backbone": "", **nothing, "machine": ""}
    machines = [
        str(m) if pd.isna(t) else f"{m}, threads: {int(t)}"
        for m, t in zip(runs["machine"], runs["threads"], strict=True)
    ]
    return {
        "backbone": "; ".join(sorted(set(runs["backbone"]))),
        "parameters": runs["parameters"].mean(),
        "pictures_a_second": runs["pictures_a_second"].mean(),
        "minutes": runs["seconds"].mean() / 60,
        "machine": "; ".join(sorted(set(machines))),
    }


# ---------------------------------------------------------------- against the simple rows
WORDS = {"better": "beats", "worse": "loses"}  # verdict: column; all others "open"


def _against_simple(
    row: Mapping, parts: Mapping[str, pd.DataFrame], out: pd.DataFrame
) -> dict[str, str]:
    """What a network's row is against each simple row; empty for a simple row."""
    sides: dict[str, list[str]] = {"beats": [], "open": [], "loses": [], "not_below": []}
    if row["method"] in NETWORKS:
        others = out[out["method"].isin(SIMPLE)].to_dict("records")
        for simple, words in _verdicts(row["method"], others, parts):
            sides[WORDS.get(words, "open")].append(name_of(simple))
        for simple in others:  # nan, of a constant's SRCC, is no more than anything
            if simple["mae"] <= row["mae"] or simple["srcc"] >= row["srcc"]:
                sides["not_below"].append(name_of(simple["method"]))
    return {column: "; ".join(names) for column, names in sides.items()}


def _verdicts(
    method: str, others: Sequence[Mapping], parts: Mapping[str, pd.DataFrame]
) -> list[tuple[str, str]]:
    """(simple row, verdict in MAE) over the seeds that both have, Holm's correction over all."""
    found = []
    for simple in others:
        own, its = parts[method], parts[simple["method"]]
        if simple["method"] == CONSTANT:
            its = bootstrap.constant_rows(own, int(its[columns_p(its)].iloc[0].argmax()), CONSTANT)
        shared = {*own["seed"]} & {*its["seed"]}
        if shared:
            rows = pd.concat([part[part["seed"].isin(shared)] for part in (own, its)])
            data = bootstrap.paired(rows, [method, simple["method"]])
            found.append((simple["method"], compare(data, method, simple["method"], "mae")))
    p = [1.0 if np.isnan(one.p) else one.p for _, one in found]
    adjusted = bootstrap.holm(p)
    return [
        (name, verdict(one.interval()[1:], one.interval(0.9)[1:], one.seeds, float(holm)))
        for (name, one), holm in zip(found, adjusted, strict=True)
    ]


# ---------------------------------------------------------------- as markdown
def show(table: pd.DataFrame) -> str:
    """`show_rows`, then `show_published`."""
    return f"{show_rows(table)}\n\n{show_published()}"


def show_rows(table: pd.DataFrame) -> str:
    """The table as markdown: how well, what networks are against the simple rows, at what cost;
    below it what its numbers are."""
    every = table.to_dict("records")
    against = [f"- {row['row']}: {said}." for row in every if (said := _said(row))]
    parts = (_scores(table), "\n".join(against), _spent(every), _note(table))
    return "\n\n".join(part for part in parts if part)


def _scores(table: pd.DataFrame) -> str:
    metrics = [m for m in TITLES if m != "srcc_within" or m in table]
    head = ["", "labels", "seeds", *(TITLES[m] for m in metrics)]
    rows = [
        [*_who(row), *(cell_of(row, m, digits=3) for m in metrics)]
        for row in table.to_dict("records")
    ]
    shared = said_once(head, rows, ("labels", "seeds"), "Of every row that learns")
    return "\n\n".join(part for part in (markdown(head, rows), shared.strip()) if part)


def _who(row: Mapping) -> list[str]:
    none = row["method"] == CONSTANT  # learns from no label and has no seed
    return [row["row"], *("–" if none else str(int(row[c])) for c in ("labels", "seeds"))]


def _spent(rows: Sequence[Mapping]) -> str:
    """What the rows cost, as a markdown table; the constant costs nothing."""
    head = ["", "backbone", "parameters", "pictures a second", "minutes of training"]
    lines = []
    for row in rows:
        if row["method"] != CONSTANT:
            counts = (row["parameters"], row["pictures_a_second"])
            said = ["–" if pd.isna(count) else f"{count:,.0f}" for count in counts]
            lines.append(
                [row["row"], row["backbone"] or "–", *said, cell(row["minutes"], digits=1)]
            )
    return markdown(head, lines, (0, 1))


def _said(row: Mapping) -> str:
    """What a network is against the simple rows, in words; "" for a row that is no network."""
    if row["method"] not in NETWORKS:
        return ""
    if row["seeds"] >= LEAST_SEEDS:
        told = {"better than": row["beats"], "not decided": row["open"], "worse than": row["loses"]}
        return ". ".join(f"{words}: {names}" for words, names in told.items() if names) or "–"
    if not row["not_below"]:
        return "passes all (point estimates)"
    return f"does not pass, by point estimates: {row['not_below']}"


def _note(table: pd.DataFrame) -> str:
    first = table.iloc[0]
    machines = "; ".join(sorted({m for cell in table["machine"] for m in cell.split("; ") if m}))
    within = (
        " SRCC within subsets: the plain mean over the subsets that pictures come from."
        if "srcc_within" in table
        else ""
    )
    return (
        f"{kind_of(first['data'] == 'simulated')}, {first['pictures']:,} test pictures. Errors and "
        "QWK: of the most probable grade; correlations: of the expected grade against the "
        f"{first['against']}. PLCC after VQEG's 4-parameter logistic, fitted to these test "
        f"pictures, as VQEG prescribes; many papers print it unfitted.{within} In brackets: 95 % "
        "percentile intervals, pictures (by group) and seeds resampled together; with one seed "
        "they say nothing about other seeds. Against the simple rows: the difference in MAE, "
        "paired, its 95 % interval and Holm's p over the simple rows, from three seeds on; below, "
        "point estimates of MAE and SRCC. Parameters: all that pixels pass through, a frozen stem "
        "too. Pictures a second: from stored pixels to the grade. Minutes: of training; of a row "
        "that trains no network of measuring pictures that were not measured yet, fitting and "
        f"answering; with what else the machine did meanwhile. {machines}."
    )


# ---------------------------------------------------------------- what is printed elsewhere
def published_koniq() -> pd.DataFrame:
    """What papers and others print of KonIQ-10k: model, method (the row of this table, "" where
    there is none), srcc, plcc, trained_on, known (how we know it), source."""
    return published("koniq").fillna({"method": ""})


def show_published() -> str:
    """`published_koniq` as markdown, under its title."""
    shown = published_koniq().drop(columns="method")
    shown = shown.rename(columns={"srcc": "SRCC", "plcc": "PLCC", "trained_on": "trained on"})
    return (
        "**Published, on KonIQ-10k: another data set, not comparable row by row.** PLCC as its "
        f"source has it, mostly unfitted.\n\n{show_frame(shown)}"
    )
