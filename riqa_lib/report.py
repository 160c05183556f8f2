"""From stored results to tables: paper and ours side by side, with intervals and plain words.

A walk is one pass through the plan. Its tables (`load_walk`) come from results/<name> and the runs it lists or, for
the name "reference", from the tracked results/reference, which `collect` fills: enough to draw every figure again.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from . import paths, provenance, stats, store
from .metrics import best_constant, columns_p, grades, target

REFERENCE = "reference"  # the walk that is tracked
BASE = "supervised"  # the row that the others are compared with
SECOND = "_second"  # rows of the second stage: "simmatch_second" comes right after "simmatch"
CONSTANT, RATER = "constant", "rater"
ALWAYS = {"always_2": 2, "always_3": 3}
UNTRAINED = frozenset({CONSTANT, *ALWAYS, RATER})  # rows that look at no picture, and people
FIVE = ("simmatch", "adamatch", "comatch", "freematch", "crmatch")  # the paper's methods, Holm's family in each stage
NAMES = {
    CONSTANT: "best constant",
    "always_2": "always 2",
    "always_3": "always 3",
    RATER: "one rater",
    "supervised": "ViT, supervised",
    "supervised_strong": "ViT, supervised, strong views",
    "supervised_all": "ViT, supervised, all labels",
    "fixmatch": "ViT + FixMatch",
    "fixmatch_randaugment": "ViT + FixMatch, RandAugment views",
    "simmatch": "ViT + SimMatch",
    "adamatch": "ViT + AdaMatch",
    "comatch": "ViT + CoMatch",
    "freematch": "ViT + FreeMatch",
    "crmatch": "ViT + CRMatch",
}
FUNDUS_NAMES = {
    "teacher": "Teacher", "single": "single-task", "multi": "multi-task", "multi_hard": "multi-task, hard pseudo-labels",
    "multi_filtered": "multi-task, filtered pseudo-labels", "label": "overall grade by people, alone",
}  # fmt: skip
PUBLISHED = {"mae": "MAE ↓", "mae_3": "MAE 3 ↓", "mae_4": "MAE 4 ↓", "mae_34": "MAE 3&4 ↓"}  # the paper's four columns
COLUMNS = PUBLISHED | {
    "mae_012": "MAE 0–2 ↓",
    "mae_0": "MAE 0 ↓",
    "mae_1": "MAE 1 ↓",
    "mae_2": "MAE 2 ↓",
    "macro_mae": "macro-MAE ↓",
    "accuracy": "accuracy ↑",
    "qwk": "QWK ↑",
    "srcc": "SRCC ↑",
}
POINTS = {"krcc": "KRCC ↑", "plcc_logistic": "PLCC (logistic) ↑", "mae_median": "MAE, posterior median ↓",
          "mae_expected": "MAE, expected grade ↓"}  # without interval  # fmt: skip
COMPARED = {"mae": "MAE", "macro_mae": "macro-MAE"}
KINDS = {
    "summary": ("mae", "mae_34", "macro_mae", "qwk", "srcc"),
    "paper": tuple(PUBLISHED),
    "hidden": ("mae_0", "mae_1", "mae_2", "mae_3", "mae_4", "mae_012", "macro_mae", "accuracy", "qwk"),
    "correlation": ("srcc", *POINTS),
}  # what `show_table` shows
MOST_BYTES = 1_000_000  # of tracked predictions
MOST_LINES = 6  # of `findings` with a line each


def name_of(method: str) -> str:
    """A method's name as tables and figures print it."""
    for on in ("eyeq", "deepdrid"):
        kind = method.removesuffix(f"_{on}")
        if kind != method and kind in FUNDUS_NAMES:
            return f"{FUNDUS_NAMES[kind]} ({on})"
    first = method.removesuffix(SECOND)
    known = NAMES.get(method) or FUNDUS_NAMES.get(method)
    return known or (f"{NAMES.get(first, first)}, second stage" if first != method else method)


def order(methods: object) -> list[str]:
    """Methods in the order of NAMES, others after them by name; a second stage right after its first."""
    known = list(NAMES)
    place = lambda m: known.index(m) if m in known else len(known)  # noqa: E731
    unique = {str(m) for m in methods}  # type: ignore[attr-defined]
    return sorted(unique, key=lambda m: (place(m.removesuffix(SECOND)), m.removesuffix(SECOND), m))


# ---------------------------------------------------------------- published numbers
def published(name: str = "table2") -> pd.DataFrame:
    """A table of published numbers (table1, table2), each row with its source, of equivalence margins (margins) or of what
    the paper states or leaves open, and what we chose (choices: item, paper, ours).

    Raises ValueError listing what there is."""
    folder = Path(__file__).parent / "reference"
    file = folder / f"{name}.csv"
    if not file.exists():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.csv")))
        raise ValueError(f"no published table {name}; there are {known}")
    return pd.read_csv(file, encoding="utf-8")


# ---------------------------------------------------------------- what a data set says by itself
def class_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Pictures per source, split and grade: columns source, split, grade, count, known.

    known is "label", or "truth" for unlabelled pictures of a simulation (column true_grade), else "none" (grade -1)."""
    table = frame[["source", "split", "grade"]].assign(known=np.where(frame["grade"] >= 0, "label", "none"))
    if "true_grade" in frame:
        hidden = (frame["grade"] < 0) & (frame["true_grade"] >= 0)
        table.loc[hidden, "grade"] = frame.loc[hidden, "true_grade"]
        table.loc[hidden, "known"] = "truth"
    out = table.groupby(["source", "split", "grade", "known"]).size().rename("count").reset_index()
    return out[["source", "split", "grade", "count", "known"]]


def one_rater(frame: pd.DataFrame) -> dict[str, float]:
    """Expected errors of one vote, drawn from a picture's own votes c1..c5, against its label: keys as in COLUMNS.

    frame: labelled pictures; those that nobody voted on (graded by hand) are left out. The vote helped to make the
    label, so this flatters the rater a little (KonIQ: 0.402, and 0.409 against the mode of the others).
    Raises ValueError for missing or negative votes, or none at all."""
    names = [f"c{k}" for k in range(1, 6)]
    if missing := [c for c in names if c not in frame]:
        raise ValueError(f"votes: no column {', '.join(missing)}; found {', '.join(map(str, frame.columns))}")
    votes = frame[names].to_numpy(float)
    bad = np.flatnonzero(~(votes >= 0).all(axis=1))
    if bad.size:
        raise ValueError(f"votes: {bad.size} rows have negative votes or gaps, first {frame['id'].iloc[bad[0]]}")
    voted = votes.sum(axis=1) > 0
    if not voted.any():
        raise ValueError("votes: no picture has any")
    votes, truth = votes[voted], grades("grade", frame["grade"])[voted]
    error = (votes * np.abs(np.arange(5) - truth[:, None])).sum(axis=1) / votes.sum(axis=1)
    sets = {"mae": range(5), "mae_34": [3, 4], "mae_012": [0, 1, 2], **{f"mae_{k}": [k] for k in range(5)}}
    out = {m: float(error[np.isin(truth, of)].mean()) for m, of in sets.items() if np.isin(truth, of).any()}
    right = votes[np.arange(len(truth)), truth] / votes.sum(axis=1)
    macro = np.mean([error[truth == k].mean() for k in np.unique(truth)])
    return out | {"macro_mae": float(macro), "accuracy": float(right.mean())}


def table1(counts: pd.DataFrame) -> pd.DataFrame:
    """Table 1 of Dang et al. beside ours: one row per grade, ours and the paper's counts per split, the pool's in ours.

    counts: from `class_counts`."""
    ours = counts[counts["known"] != "none"].pivot_table(index="grade", columns="split", values="count", aggfunc="sum",
                                                         fill_value=0)  # fmt: skip
    paper = published("table1").pivot_table(index="grade", columns="split", values="count", aggfunc="sum")
    order_ = [s for s in ("train", "val", "test", "pool") if s in ours]
    both = ours[order_].add_suffix(", ours").join(paper[["train", "val", "test"]].add_suffix(", paper"), how="outer")
    return both.fillna(0).astype(int).reset_index()


# ---------------------------------------------------------------- the table
def table2(
    predictions: pd.DataFrame,
    published: pd.DataFrame,
    simulated: bool,
    train_grades: object,
    rater: Mapping[str, float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Table 2 of Dang et al. with what it leaves out: constants, one rater, then each method, its second stage after it.

    predictions: long predictions (method, seed, labels, id, group, truth, p0..p4, ...); only split "test" is used where
    there is a split column. train_grades: labels of the training part, for the best constant. rater: from `one_rater`.

    One row per method and number of labels. Columns: row, method, labels, seeds, pictures, data ("simulated"/"real"),
    against (what correlations are taken against); each metric of COLUMNS with _low and _high (95 %, percentile, `stats`);
    each of POINTS, the mean over seeds; d_mae and d_macro_mae with _low and _high: this row minus "supervised" (first
    stage) with as many labels, paired, over the seeds both have (below 0 is better; where "supervised" has one number of
    labels only, that one serves all); p_mae and p_macro_mae, their bootstrap p-values, of trained rows; p_holm and
    p_holm_macro_mae, Holm's over the paper's five methods within a stage and number of labels (five also where some were not
    run); published_mae, published_mae_3, ..: the paper's four columns, the same for both stages.

    Rows with the same seeds and pictures share the draws of one bootstrap. Raises ValueError for predictions that don't
    fit together."""
    if missing := [c for c in ("method", "seed", "labels") if c not in predictions]:
        raise ValueError(f"predictions: no column {', '.join(missing)}; found {', '.join(map(str, predictions))}")
    if "split" in predictions:
        predictions = predictions[predictions["split"] == "test"]
    if predictions.empty:
        raise ValueError("predictions: no rows of split test")
    predictions = predictions.assign(labels=predictions["labels"].astype(int))
    train = grades("train_grades", np.asarray(train_grades))
    budgets = predictions[["method", "labels"]].drop_duplicates()
    base = sorted(budgets.loc[budgets["method"] == BASE, "labels"])
    paper = published.pivot_table(index="method", columns="metric", values="value")

    first = predictions.merge(budgets[budgets["method"] == (BASE if base else budgets["method"].iloc[0])].head(1))
    fixed = {CONSTANT: best_constant(train), **ALWAYS}
    constants = [stats.constant_rows(first, said, name).assign(labels=len(train)) for name, said in fixed.items()]
    everything = pd.concat([*constants, predictions], ignore_index=True)
    parts = {(m, n): part for (m, n), part in everything.groupby(["method", "labels"])}
    found = _shared_bootstraps(parts, resamples, seed)
    rows = []
    for method in order(everything["method"]):
        for labels in sorted(n for m, n in parts if m == method):
            own = parts[method, labels]
            row: dict[str, object] = {"row": name_of(method), "method": method, "labels": int(labels)}
            row |= {"seeds": 0 if method in fixed else own["seed"].nunique(), "pictures": own["id"].nunique()}
            row |= {"data": "simulated" if simulated else "real", "against": target(own)[0]}
            for m in COLUMNS:
                row |= _three(m, found[method, labels].interval(f"{method} {labels}", m))
            row |= dict.fromkeys(POINTS, np.nan) if method in fixed else stats.point_estimates(own, POINTS)
            near = [n for n in base if n == labels] or (base[:1] if len(base) == 1 or method in fixed else [])
            row |= _compared(parts, found, (method, labels), (BASE, near[0]) if near else None, resamples, seed)
            stage_1 = method.removesuffix(SECOND)
            row |= {f"published_{m}": paper[m].get(stage_1, np.nan) if m in paper else np.nan for m in PUBLISHED}
            rows.append(row)
    rows[0]["row"] = f"{name_of(CONSTANT)} (always {fixed[CONSTANT]})"
    if rater is not None:
        row = {"row": name_of(RATER), "method": RATER, "labels": 0, "seeds": 0}
        row |= {c: rows[0][c] for c in ("pictures", "data")} | {m: rater.get(m, np.nan) for m in COLUMNS}
        rows.insert(len(fixed), row)
    table = pd.DataFrame(rows)[list(rows[0])]
    for m, name in (("mae", "p_holm"), ("macro_mae", "p_holm_macro_mae")):
        table.insert(int(table.columns.get_loc(f"p_{m}")) + 1, name, _holm(table, f"p_{m}"))  # type: ignore[arg-type]
    return table


Key = tuple[str, int]  # method and number of labels


def _shared_bootstraps(parts: Mapping[Key, pd.DataFrame], resamples: int, seed: int) -> dict[Key, stats.Bootstrap]:
    """One bootstrap per set of seeds and pictures: rows that share it are compared on the same draws."""
    groups: dict[tuple, list[Key]] = {}
    for key, part in parts.items():
        groups.setdefault((*sorted(part["seed"].unique()), frozenset(part["id"])), []).append(key)
    out: dict[Key, stats.Bootstrap] = {}
    for keys in groups.values():
        together = pd.concat([parts[k].assign(method=f"{k[0]} {k[1]}") for k in keys], ignore_index=True)
        found = stats.paired_bootstrap(together, [f"{m} {n}" for m, n in keys], COLUMNS, resamples, seed)
        out |= dict.fromkeys(keys, found)
    return out


def _three(name: str, values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _compared(
    parts: Mapping[Key, pd.DataFrame],
    found: Mapping[Key, stats.Bootstrap],
    own: Key,
    base: Key | None,
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """Differences of one row to the supervised row `base`, over the seeds that both have, with p-values of trained rows."""
    shared = sorted({*parts[own]["seed"]} & {*parts[base]["seed"]}) if base else []
    if own[0] == BASE or base is None or not shared:
        return {k: v for m in COMPARED for k, v in (_three(f"d_{m}", (np.nan,) * 3) | {f"p_{m}": np.nan}).items()}
    a, b = f"{own[0]} {own[1]}", f"{base[0]} {base[1]}"
    draws = found[own]
    if found[base] is not draws:  # other seeds: those that both have
        both = pd.concat([parts[own].assign(method=a), parts[base].assign(method=b)])
        draws = stats.paired_bootstrap(both[both["seed"].isin(shared)], [a, b], COMPARED, resamples, seed)
    out: dict[str, float] = {}
    for m in COMPARED:
        out |= _three(f"d_{m}", draws.difference(a, b, m))
        out[f"p_{m}"] = np.nan if own[0] in UNTRAINED else draws.p_value(a, b, m)
    return out


def _holm(table: pd.DataFrame, column: str) -> pd.Series:
    """Holm's adjusted p-values of FIVE, per stage and number of labels; nan for other rows. A method of the five that was not
    run counts as p = 1: what is said of the others does not depend on it."""
    out = pd.Series(np.nan, index=table.index)
    for end in ("", SECOND):
        family = table[table["method"].isin([f"{m}{end}" for m in FIVE]) & table[column].notna()]
        for _, rows in family.groupby("labels"):
            p = [*rows[column], *[1.0] * (len(FIVE) - len(rows))]
            out[rows.index] = stats.holm(p)[: len(rows)]
    return out


def verdict(row: Mapping | pd.Series, metric: str = "mae") -> str:
    """Plain words for a row's paired difference to "supervised" in an error: its 95 % interval decides and, for the paper's five
    methods, Holm's p-value (one of five intervals misses 0 by chance more often than one).

    "better" (all below 0), "worse" (all above 0), "not decided" (0 is inside, or p is .05 or more after Holm; that is not "the
    same"), "reference" for the supervised row, "not compared" where there is no paired difference."""
    low, high = row[f"d_{metric}_low"], row[f"d_{metric}_high"]
    p = row.get("p_holm" if metric == "mae" else f"p_holm_{metric}", np.nan)
    if row["method"] == BASE:
        return "reference"
    if pd.isna(low) or pd.isna(high):
        return "not compared"
    if pd.notna(p) and p >= 0.05:
        return "not decided"
    return "better" if high < 0 else "worse" if low > 0 else "not decided"


def cell(value: float, low: float = np.nan, high: float = np.nan, sign: bool = False, digits: int = 2) -> str:
    """A number with its interval as text: "0.53 [0.50, 0.56]"; "–" where there is none."""
    if pd.isna(value):
        return "–"
    text = lambda v: f"{v + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")  # noqa: E731
    return text(value) if pd.isna(low) else f"{text(value)} [{text(low)}, {text(high)}]"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[int] = (0,)) -> str:
    """A markdown table; columns are set right but those numbered in `left`. "|" inside a cell is escaped."""
    line = lambda cells: "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"  # noqa: E731
    rule = "|" + "|".join("---" if i in left else "---:" for i in range(len(head))) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def show_frame(frame: pd.DataFrame) -> str:
    """A table of words as a markdown table, nothing cut off; numbers with three digits, "–" where there is none."""
    said = lambda v: "–" if pd.isna(v) else f"{v:.3f}" if isinstance(v, float) else str(v)  # noqa: E731
    numbers = [pd.api.types.is_numeric_dtype(frame[c]) for c in frame]
    left = [i for i, number in enumerate(numbers) if not number]
    return markdown(list(frame), [[said(v) for v in row] for row in frame.itertuples(index=False)], left) + "\n"


def show_table(frame: pd.DataFrame, kind: str = "summary") -> str:
    """`table2` as a markdown table, with what its numbers are in a line below it. Columns that the table lacks show "–".

    kind: "summary" (what decides), "paper" (the paper's four columns, ours beside published), "hidden" (what these leave out:
    grades one by one, 0-2, macro-MAE, accuracy, QWK) or "correlation". ValueError for another."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}; allowed: {', '.join(KINDS)}")
    titles, columns = COLUMNS | POINTS, KINDS[kind]
    head, left = ["", "labels", "seeds"], [0]
    for m in columns:
        head += [f"{titles[m]}, ours", "published"] if kind == "paper" else [titles[m]]
    if kind == "summary":
        head += ["MAE − supervised", "Holm p", "verdict", "published MAE", "data"]
        left += [len(head) - 3, len(head) - 1]
    rows = []
    for row in frame.to_dict("records"):
        get = lambda name: row.get(name, np.nan)  # noqa: B023, E731
        cells = [row["row"], *("–" if not row[c] else str(int(row[c])) for c in ("labels", "seeds"))]
        for m in columns:
            cells.append(cell(get(m), get(f"{m}_low"), get(f"{m}_high")))
            cells += [cell(get(f"published_{m}"))] if kind == "paper" else []
        if kind == "summary":
            cells.append(cell(row["d_mae"], row["d_mae_low"], row["d_mae_high"], sign=True))
            cells += [cell(get("p_holm"), digits=3), verdict(row), cell(row["published_mae"]), row["data"]]
        rows.append(cells)
    return markdown(head, rows, left) + "\n\n" + _note(frame, kind) + "\n"


def _note(frame: pd.DataFrame, kind: str) -> str:
    data = "Simulated data" if (frame["data"] == "simulated").all() else "Real data"
    note = (
        f"{data}, {int(frame['pictures'].max())} test pictures. In brackets: 95 % percentile intervals of a bootstrap "
        "that resamples pictures (by group) and seeds together; with one seed they say nothing about other seeds."
    )
    if kind == "summary":
        note += (
            " Verdict: by the interval of the paired MAE difference to the supervised row and, for the paper's five methods, by "
            "its bootstrap p-value after Holm's correction within a stage; “not decided” does not mean that the two are the same."
        )
    if kind == "paper":
        note += " Published: Table 2 of Dang et al., on their pictures; it does not say which stage it reports."
    if kind == "correlation":
        against = " and ".join(sorted(set(frame["against"].dropna()))) if "against" in frame else ""
        note += f" Correlations of the expected grade with the {against or 'label'}; numbers without brackets are means over seeds."
    return note


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
            problems.append(f"{paths.shown(file)}: no column {', '.join(lacking)}; found {', '.join(part.columns)}")
        else:
            parts.append(part[["run", "method", "seed", "labels"]])
    runs = pd.concat(parts).drop_duplicates(ignore_index=True) if parts else pd.DataFrame({"run": []})
    for run in runs["run"]:
        if not store.done(paths.runs() / run):
            problems.append(f"{paths.shown(paths.runs() / run)}: no finished run; run its notebook again")
    for run in runs["run"][runs["run"].duplicated()]:
        problems.append(f"{paths.shown(folder)}: run {run} is listed with different methods, seeds or labels")
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
    """The tables of `load_walk` for some runs of a walk only (columns run, method, seed, labels)."""
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
    paper = published() if "KOKA10K" in info["name"] else published().iloc[:0]  # of other pictures it published nothing
    labelled = frame[frame["grade"] >= 0]
    test, train = labelled[labelled["split"] == "test"], labelled.loc[labelled["split"] == "train", "grade"]
    rater = one_rater(test) if {f"c{k}" for k in range(1, 6)} <= {*frame} and len(test) else None
    about: dict[str, object] = {"walk": name, "data": "simulated" if simulated else "real"}
    about |= {k: info.get(k, "") for k in ("name", "size")}
    about |= {f"collected.{k}": v for k, v in store.flat(provenance.provenance()).items()}
    about = dict(sorted(about.items()))
    return {
        "predictions": together,
        "history": pd.concat(history or [pd.DataFrame(columns=["method", "seed", "step"])], ignore_index=True),
        "counts": class_counts(frame),
        "table2": table2(together, paper, simulated, train, rater),
        "runs": pd.concat([runs, pd.DataFrame(facts)], axis=1),
        "provenance": pd.DataFrame({"item": list(about), "value": [str(v) for v in about.values()]}),
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
    """The finished runs of these rows and this seed in a walk (run, method, seed, labels); empty where there are none."""
    files = sorted((paths.results(name) / "tables").glob("runs-*.csv"))
    none = pd.DataFrame(columns=["run", "method", "seed", "labels"])
    runs = pd.concat([store.read_table(f) for f in files], ignore_index=True) if files else none
    return runs[runs["method"].isin(methods) & (runs["seed"] == seed)].reset_index(drop=True)


def pool_accuracy(name: str, runs: pd.DataFrame) -> pd.DataFrame:
    """How right each run is on the pool, where its true grades are known but were hidden: one row per run, with the
    accuracy overall and per confidence quarter (the surest quarter first). Empty where nothing is known of the pool."""
    rows = []
    for run in runs.to_dict("records"):
        table = store.read_predictions(paths.runs() / run["run"])
        pool = table[(table["split"] == "pool") & (table["truth"] >= 0)]
        if pool.empty:
            continue
        p = pool[columns_p(pool)].to_numpy(float)
        right = (p.argmax(axis=1) == pool["truth"].to_numpy())[np.argsort(-p.max(axis=1), kind="stable")]
        quarters = {f"quarter {i + 1}": float(part.mean()) for i, part in enumerate(np.array_split(right, 4))}
        rows.append({"method": run["method"], "seed": run["seed"], "pictures": len(pool), "accuracy": right.mean()} | quarters)
    return pd.DataFrame(rows).round(3)


def walk_status(name: str) -> pd.DataFrame:
    """What there is of a walk: its data set, its finished runs, its table; one row each."""
    data = paths.results(name) / "data" / "dataset.json"
    info = store.read_json(data) if data.exists() else {}
    kind = "simulated" if info.get("simulated") else "real"
    runs = sum(len(store.read_table(f)) for f in (paths.results(name) / "tables").glob("runs-*.csv"))
    table = (paths.results(name) / "tables" / "table2.csv").exists()
    rows = [("pictures", f"{info['name']}, {kind}" if info else "not yet: notebook 01_koka10k"),
            ("trained models", str(runs) if runs else "not yet: notebook 03_vit_supervised"),
            ("Table 2", "made" if table else "not yet: notebook 11_table2")]  # fmt: skip
    return pd.DataFrame(rows, columns=["item", f"in results/{name}"])


def findings(table: pd.DataFrame) -> str:
    """What a `table2` says, in words made from its numbers: markdown, one line per row while there are few, else per verdict."""
    data = "Simulated data" if (table["data"] == "simulated").all() else "Real data"
    trained = table[~table["method"].isin(UNTRAINED)].to_dict("records")
    base = [r for r in trained if r["method"] == BASE]
    constant = next((r for r in table.to_dict("records") if r["method"] == CONSTANT), None)
    others = [r for r in trained if r["method"] != BASE]
    said = [_base_finding(r, constant) for r in base]
    if len(others) <= MOST_LINES:
        said += [f"{_score(r)}; MAE against supervised {_change(r)}: {verdict(r)}" for r in others]
    else:
        for word in ("better", "worse", "not decided", "not compared"):
            rows = sorted((r for r in others if verdict(r) == word), key=lambda r: r["mae"])
            listed = "; ".join(f"{r['row']} {_change(r) if word != 'not compared' else cell(r['mae'])}" for r in rows)
            said += [f"**{word}** than supervised in MAE ({len(rows)}): {listed}"] if word in ("better", "worse") and rows else []
            said += [f"**{word}** ({len(rows)}): {listed}"] if word not in ("better", "worse") and rows else []
        held = [f"{r['row']} ({'lower' if r['d_mae'] < 0 else 'higher'} MAE)" for r in others if r.get("p_holm", np.nan) <= 0.05]
        said.append(f"of the paper's methods, with p at most 0.05 after Holm: {'; '.join(held) or 'none'}")
        best = min(trained, key=lambda r: r["macro_mae"])
        said.append(f"least macro-MAE: {best['row']}, {cell(best['macro_mae'], best['macro_mae_low'], best['macro_mae_high'])}")
    note = "“Not decided”: the interval holds 0; it is not “the same”."
    head = f"{data}, {int(table['pictures'].max())} test pictures; in brackets 95 % intervals."
    return "\n".join([head, "", *(f"- {text}." for text in said), "", note])


def _score(row: Mapping) -> str:
    seeds = "1 seed" if row["seeds"] == 1 else f"{row['seeds']:.0f} seeds"
    mae, macro = (cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in ("mae", "macro_mae"))
    return f"**{row['row']}** ({row['labels']:.0f} labels, {seeds}): MAE {mae}, macro-MAE {macro}"


def _change(row: Mapping) -> str:
    return cell(row["d_mae"], row["d_mae_low"], row["d_mae_high"], sign=True)


def _base_finding(row: Mapping, constant: Mapping | None) -> str:
    if constant is None or pd.isna(constant["d_mae"]):
        return _score(row)
    gains = [cell(-constant[f"d_{m}"], -constant[f"d_{m}_high"], -constant[f"d_{m}_low"], sign=True) for m in ("mae", "macro_mae")]
    return f"{_score(row)}; against the best constant {gains[0]} in MAE and {gains[1]} in macro-MAE"


def provenance_line(about: Mapping) -> str:
    """One line: which data, which commit, which software. about: a dataset.json, or the tables of `load_walk`."""
    if "provenance" in about:
        facts = about["provenance"].set_index("item")["value"]
        name, kind = facts["name"], facts["data"]
    else:
        name, kind = about["name"], "simulated" if about["simulated"] else "real"
    versions = provenance.versions(("torch", "timm", "numpy", "pandas"))
    software = ", ".join(f"{k} {v}" for k, v in versions.items())
    return f"{name} ({kind} data); riqa commit {provenance.commit()}; {software}; {provenance.machine()}"


FILES = {"predictions": "predictions.csv.gz", "history": "history.csv", "counts": "counts.csv", "table2": "table2.csv",
         "runs": "runs.csv"}  # fmt: skip


def load_walk(name: str) -> dict[str, pd.DataFrame]:
    """A walk's tables: predictions (long; val and test), history, counts (`class_counts`), table2, runs, provenance
    (item, value). "reference" reads the tracked results/reference, any other name results/<name> and the runs it lists.

    Raises FileNotFoundError that names the notebook to run, ValueError that lists what is damaged."""
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
    words = dict.fromkeys(("run", "commit", "machine", "python", "torch"), str)  # "3.11" and "1234567" are no numbers
    out["runs"] = pd.read_csv(folder / FILES["runs"], dtype=words)
    return out | {"provenance": pd.DataFrame({"item": list(facts), "value": [str(v) for v in facts.values()]})}


def is_simulated(frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether a walk's data (`load_walk`) are simulated."""
    facts = frames["provenance"].set_index("item")["value"]
    return facts["data"] == "simulated"


def collect(name: str) -> Path:
    """Copy what redraws every figure and table of the walk `name` into results/reference; returns that folder.

    provenance.json goes first and comes back last, so a half-written folder is never read. Predictions are of val and
    test, or of test alone where both exceed 1 MB; ValueError, with nothing replaced, where that is still too much."""
    frames = load_walk(name)
    folder = paths.reference()
    both = frames["predictions"].sort_values(["id", "method", "labels", "seed"], kind="stable")  # stores a third smaller
    for predictions in (both, both[both["split"] == "test"]):
        size = len(gzip.compress(predictions.to_csv(index=False).encode()))
        if size <= MOST_BYTES:
            break
    else:
        raise ValueError(
            f"the test predictions of {name} take {size / 1e6:.1f} MB, at most {MOST_BYTES / 1e6:.0f} MB are tracked; "
            "collect a walk with fewer seeds"
        )
    (folder / "provenance.json").unlink(missing_ok=True)
    for key, file in FILES.items():
        store.write_table(folder / file, predictions if key == "predictions" else frames[key])
    facts = frames["provenance"].set_index("item")["value"].to_dict()
    store.write_json(folder / "provenance.json", facts)
    return folder


# ---------------------------------------------------------------- README
MARK = re.compile(r"<!-- (/?)riqa:([\w-]+) -->")


def fill_markers(text: str, blocks: Mapping[str, str]) -> str:
    """The text with what stands between `<!-- riqa:NAME -->` and `<!-- /riqa:NAME -->` replaced by blocks[NAME].

    Raises ValueError, naming the line, for an unknown name, a marker not closed, closed twice or inside another."""
    out, last, opened = [], 0, ""
    for mark in MARK.finditer(text):
        closing, name = mark.groups()
        line = text.count("\n", 0, mark.start()) + 1
        if name not in blocks:
            raise ValueError(f"line {line}: unknown marker riqa:{name}; known are {', '.join(sorted(blocks))}")
        if (closing and opened != name) or (opened and not closing):
            raise ValueError(f"line {line}: marker {mark.group()} does not fit; {opened or 'no marker'} is open")
        if not closing:
            out.append(text[last : mark.end()])
            opened = name
        else:
            out.append(f"\n{blocks[name].strip()}\n")
            last, opened = mark.start(), ""
    if opened:
        raise ValueError(f"marker riqa:{opened} is not closed")
    return "".join(out) + text[last:]


def readme_blocks() -> dict[str, str]:
    """The README's generated blocks: "table2" (the reference table), "provenance" (data, runs, machine, software), "bench"."""
    frames = load_walk(REFERENCE)
    runs = frames["runs"]
    facts = frames["provenance"].set_index("item")["value"]
    every = lambda column: ", ".join(sorted({str(v) for v in runs[column]}))  # noqa: E731
    minutes = runs["train_seconds"].sum() / 60
    kind = "Simulated" if is_simulated(frames) else "Real"
    line = (
        f"{kind} data ({facts['name']}, {facts['size']} px); {len(runs)} runs, seeds {every('seed')}, {minutes:.0f} "
        f"minutes of training in all; {every('machine')}; torch {every('torch')}, Python {every('python')}; commit "
        f"{every('commit')}."
    )
    return {"table2": show_table(frames["table2"]), "provenance": line, "bench": show_bench()}


def show_bench() -> str:
    """The table of `python -m riqa_lib bench --keep` as markdown, or a line that says there is none yet."""
    file = paths.reference() / "bench.csv"
    if not file.exists():
        return "No benchmark is stored yet: `python -m riqa_lib bench --keep`."
    table = store.read_table(file)
    rows = [[name_of(r["method"]), str(int(r["pictures"])), f"{r['step_ms']:.0f}", f"{r['ratio']:.2f}",
             f"{r['pictures_per_second']:,.0f}", f"{r['share_of_peak']:.0%}"] for r in table.to_dict("records")]  # fmt: skip
    about = table.iloc[0]
    head = ["", "pictures a step", "ms a step", "step over bare forward + backward", "pictures a second", "share of matrix product"]
    said = (f"{about['machine']}; {about['threads']} thread; torch {about['torch']}; profile {about['profile']}; a matrix product "
            f"reaches {about['gflops_peak']:.0f} GFLOP/s.")  # fmt: skip
    return markdown(head, rows) + "\n\n" + said
