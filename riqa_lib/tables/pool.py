"""The pool's story: how its grades differ from those of the labels, what runs say of it, and what
one would score who always said its commonest grade.

Everything comes from stored predictions. What is right can be said only where the true grade is
known and was hidden from training: in the simulation, where it is that of the picture's quality
(nobody votes on the pool), and of training pictures whose label was hidden (data.labels). These
were drawn like the labelled ones, so they are told apart from the pool proper (`PARTS`). Of
pictures without a known grade nothing but what the runs say is counted. A real pool has no known
grade, whatever its table says: a score in a row of split pool may be a stopgap for a cell that must
not be empty, so it is never held against what a run says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .. import paths, store
from ..stats.confusions import ERRORS, Confusions, confusions
from ..stats.crossed import COUNTED, LEAST_SEEDS
from ..stats.metrics import columns_p
from .names import name_of, order
from .text import (
    cell,
    cell_of,
    decided,
    kind_of,
    markdown,
    named,
    percent,
    show_frame,
    with_ends,
)

PARTS = {"pool": "pool", "train": "hidden training pictures"}  # by split


LABELS, TRUE = "labels", "true"  # rows of `shares` that no run says


TOLD = ("method", "seed", "labels", "part", "id", "group", "truth", "grade", "confidence")


NO_POOL = "There is no pool, or no run graded it."


QUARTERS = 4  # of a run's pictures, by confidence


# ---------------------------------------------------------------- what runs say
def told(runs: pd.DataFrame, *, simulated: bool) -> pd.DataFrame:
    """What runs say of the pictures that they had no label for: the columns TOLD (part: one of
    PARTS; truth: -1 unknown; grade: the most probable one; confidence: its probability), p0.. .
    Empty where there are none. runs: columns run, method, seed, labels (`stored.runs_of`);
    simulated: whether their pictures are. The truth of a real pool is unknown (`judgeable`).

    Raises FileNotFoundError for a run without predictions."""
    parts = [_told_by(run) for run in runs.to_dict("records")]
    said = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(TOLD))
    return judgeable(said, said["part"] == PARTS["pool"], simulated)


def judgeable(rows: pd.DataFrame, pool: pd.Series, simulated: bool) -> pd.DataFrame:
    """Predictions (column truth) with the truth of the pool's rows (pool: which they are) unknown,
    -1, unless they are simulated: nothing may be said to be right or wrong by it.

    >>> rows = pd.DataFrame({"truth": [2, 3]})
    >>> judgeable(rows, pd.Series([True, False]), simulated=False)["truth"].tolist()
    [-1, 3]
    """
    return rows if simulated else rows.assign(truth=rows["truth"].where(~pool, -1))


def _told_by(run: Mapping) -> pd.DataFrame:
    table = store.read_predictions(paths.runs() / run["run"])
    names = columns_p(table)
    rows = table[table["split"].isin([*PARTS])]
    p = rows[names].to_numpy(float)
    front = {column: run[column] for column in ("method", "seed", "labels")}
    said = {"part": rows["split"].map(PARTS), "grade": p.argmax(axis=1)}
    rows = rows.assign(**front, **said, confidence=p.max(axis=1, initial=0))
    return rows[[*TOLD, *names]]


def _parts(said: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The parts that are there, in the order of PARTS."""
    found = [(part, said[said["part"] == part]) for part in PARTS.values()]
    return [(part, rows) for part, rows in found if len(rows)]


def _by_row(said: pd.DataFrame) -> list[tuple[tuple[str, int], pd.DataFrame]]:
    """Each method and label budget with its rows, in the tables' order."""
    return [
        ((method, int(labels)), rows)
        for method in order(said["method"])
        for labels, rows in said[said["method"] == method].groupby("labels")
    ]


def _counts(grades: ArrayLike, classes: int) -> np.ndarray:
    return np.bincount(np.asarray(grades, int), minlength=classes)


def _known(said: pd.DataFrame) -> pd.DataFrame:
    return said[said["truth"] >= 0]


# ---------------------------------------------------------------- tables
def shares(said: pd.DataFrame, labels: ArrayLike) -> pd.DataFrame:
    """Share of each grade: in the labels, in each part (where true grades are known), and in what
    each run says of it (mean of seeds): part, method (LABELS, TRUE or a row's), pictures, share_0,
    share_1, ... said: `told`; labels: the grades of the labelled training pictures."""
    classes = len(columns_p(said))
    rows = [_share(LABELS, LABELS, _counts(labels, classes))]
    for part, of_part in _parts(said):
        known = _known(of_part).drop_duplicates("id")
        if len(known):
            rows.append(_share(part, TRUE, _counts(known["truth"], classes)))
        for (method, _), of_row in _by_row(of_part):
            row = _share(part, method, _counts(of_row["grade"], classes))
            rows.append(row | {"pictures": of_row["id"].nunique()})
    return pd.DataFrame(rows)


def _share(part: str, method: str, counts: np.ndarray) -> dict[str, object]:
    each = {f"share_{k}": float(n / counts.sum()) for k, n in enumerate(counts)}
    return {"part": part, "method": method, "pictures": int(counts.sum()), **each}


def by_confidence(said: pd.DataFrame) -> pd.DataFrame:
    """How right each run is, overall and in each quarter of its pictures, the surest quarter first:
    part, method, labels, seed, pictures, accuracy, quarter 1..4. Only pictures whose true grade is
    known; empty where there are none."""
    rows = []
    for part, of_part in _parts(_known(said)):
        for (method, labels), of_row in _by_row(of_part):
            for seed, run in of_row.groupby("seed"):
                surest_first = np.argsort(-run["confidence"].to_numpy(), kind="stable")
                right = (run["grade"] == run["truth"]).to_numpy()[surest_first]
                row = {"part": part, "method": method, "labels": labels, "seed": seed}
                row |= {"pictures": len(run), "accuracy": right.mean()}
                for i, quarter in enumerate(np.array_split(right, QUARTERS)):
                    row[f"quarter {i + 1}"] = quarter.mean() if len(quarter) else np.nan
                rows.append(row)
    return pd.DataFrame(rows)


def per_grade(said: pd.DataFrame, floor: float = 0.0) -> pd.DataFrame:
    """What pseudo-labels are like, per method, seed, part and grade, of pictures whose true grade
    is known: given (their number), share (of all) and true_share, precision (of those given this
    grade, how many are right), recall (of those that truly have it, how many are given it); kept
    (share of the given that are surer than `floor`) and kept_precision (how many of these are
    right). nan where there are none; empty where no truth is known.

    floor: data.pseudo_confidence, by which a second stage chooses what it learns from."""
    rows = []
    classes = range(len(columns_p(said)))
    groups = _known(said).groupby(["method", "seed", "part"], sort=False)
    for (method, seed, part), of_run in groups:
        truth, grade = of_run["truth"].to_numpy(), of_run["grade"].to_numpy()
        sure = of_run["confidence"].to_numpy() > floor
        for k in classes:
            given, true = grade == k, truth == k
            row = {"method": method, "seed": seed, "part": part, "grade": k, "given": given.sum()}
            row |= {"share": given.mean(), "true_share": true.mean()}
            row |= {"precision": _mean(true[given]), "recall": _mean(given[true])}
            row |= {"kept": _mean(sure[given]), "kept_precision": _mean(true[given & sure])}
            rows.append(row)
    return pd.DataFrame(rows)


def _mean(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else float("nan")


def judged(said: pd.DataFrame, labels: ArrayLike, resamples: int = 2000) -> pd.DataFrame:
    """How right each row is, and what one answer for all pictures would score, with 95 % intervals
    over pictures (and seeds, where there are several). Only pictures whose true grade is known;
    empty where there are none.

    A row per part, method and label budget, and in each part one for always saying the commonest
    grade of its pictures (answer: "commonest"; it takes the hidden truth to know it) and of the
    labels ("labels"): part, method, row (its name), answer ("" of a run), grade (the answer's; -1
    of a run), top (the best grade), labels, seeds, pictures; with _low and _high: the metrics of
    ERRORS, and each less that of the two answers (accuracy_to_commonest, mae_to_labels, ...);
    true_k, share_k, recall_k, precision_k of each grade k.

    Answers are judged on the pictures of the part's first row, differences on each row's own. Of
    grades that are equally common the lower counts. Of a row with several seeds the pictures count
    that all of them have."""
    rows: list[dict[str, object]] = []
    if said.empty:
        return pd.DataFrame(rows)
    classes = len(columns_p(said))
    for part, of_part in _parts(_known(said)):
        known = of_part.drop_duplicates("id")
        answers = {
            "commonest": int(_counts(known["truth"], classes).argmax()),
            "labels": int(_counts(labels, classes).argmax()),
        }
        found = {key: _confusions(of_row, classes, resamples) for key, of_row in _by_row(of_part)}
        for (method, budget), its in found.items():
            front: dict[str, object] = {"part": part, "method": method, "answer": ""}
            front |= {"row": name_of(method)}
            front |= {"grade": -1, "top": classes - 1, "labels": budget}
            rows.append(front | _measures(its, answers))
        first = next(iter(found.values()))
        for answer, grade in answers.items():
            front = {"part": part, "method": f"always_{grade}", "answer": answer, "grade": grade}
            front |= {"row": _always(answers, answer), "top": classes - 1, "labels": 0}
            rows.append(front | _measures(first.always(grade), answers))
    table = pd.DataFrame(rows)
    # one answer may be the commonest of both
    return table.drop_duplicates(["part", "row", "labels"], ignore_index=True) if rows else table


def _always(answers: Mapping[str, int], answer: str) -> str:
    if len(set(answers.values())) == 1:
        return f"always {answers[answer]}, the commonest of both"
    of = {"commonest": "here", "labels": "of the labels"}[answer]
    return f"always {answers[answer]}, the commonest {of}"


def _confusions(rows: pd.DataFrame, classes: int, resamples: int) -> Confusions:
    """Of the seeds of one row, lined up by picture."""
    wide = rows.set_index(["id", "seed"])["grade"].unstack("seed").dropna()  # noqa: PD010
    facts = rows.drop_duplicates("id").set_index("id").loc[wide.index]
    said = wide.to_numpy(int).T
    return confusions(facts["truth"], said, facts["group"], classes, resamples)


def _measures(its: Confusions, answers: Mapping[str, int]) -> dict[str, object]:
    seeds, classes = its.whole.shape[1:3]
    out: dict[str, object] = {"seeds": seeds, "pictures": int(its.whole[0, 0].sum())}
    for metric in ERRORS:
        out |= with_ends(metric, its.interval(metric))
        for answer, grade in answers.items():
            out |= with_ends(f"{metric}_to_{answer}", its.beyond(its.always(grade), metric))
    for k in range(classes):
        for kind in ("true", "share", "recall", "precision"):
            out |= with_ends(f"{kind}_{k}", its.interval(f"{kind}_{k}"))
    return out


# ---------------------------------------------------------------- as text
def show_shares(table: pd.DataFrame, words: Sequence[str] = ()) -> str:
    """`shares` as markdown. words: names of the grades, worst first."""
    names = [c for c in table if c.startswith("share_")]
    rows = []
    for row in table.to_dict("records"):
        of = {LABELS: "labels", TRUE: f"{row['part']}: true"}
        name = of.get(row["method"], f"{row['part']}: {name_of(row['method'])} says")
        rows.append([name, f"{row['pictures']:,}", *(percent(row[c]) for c in names)])
    head = ["share of each grade", "pictures", *(named(k, words) for k in range(len(names)))]
    return markdown(head, rows)


def show_judged(table: pd.DataFrame) -> str:
    """`judged`, of one part, as markdown: how right; recall and precision of each grade, the best
    one's with intervals, the others with the number of pictures that have it."""
    top = int(table["top"].iloc[0])
    head = ["row", "labels", "accuracy", "MAE", "macro-MAE"]
    head += [f"{kind} of grade {top}" for kind in ("recall", "precision")]
    lower = [f"{kind}_{k}" for kind in ("recall", "precision") for k in range(top)]
    some = table.iloc[0]
    have = [f"{round(some[f'true_{k}'] * some['pictures']):,}" for k in range(top)]
    first, second = [], []
    for row in table.to_dict("records"):
        budget = f"{row['labels']:,}" if not row["answer"] else "–"
        columns = [*ERRORS, f"recall_{top}", f"precision_{top}"]
        first.append([row["row"], budget, *(cell_of(row, c) for c in columns)])
        second.append([row["row"], *(cell(row[c]) for c in lower)])
    others = ["row", *(f"recall of {k} ({n} have it)" for k, n in enumerate(have))]
    others += [f"precision of {k}" for k in range(top)]
    return markdown(head, first) + "\n\n" + markdown(others, second)


def show(
    said: pd.DataFrame, labels: ArrayLike, *, simulated: bool, words: Sequence[str] = ()
) -> str:
    """The pool's story as markdown: shares of grades, then of each part how right the rows are, and
    how right in each quarter by confidence. Where no true grade is known it says so, and no
    accuracy. said: `told`; labels: the grades of the labelled training pictures; words: names of
    the grades, worst first."""
    if said.empty:
        return f"{kind_of(simulated)}. {NO_POOL}\n"
    table, quarters = judged(said, labels), by_confidence(said)
    text = [f"{kind_of(simulated)}.", show_shares(shares(said, labels), words)]
    for part, _ in _parts(said):
        if table.empty or part not in set(table["part"]):
            text.append(f"**{part.capitalize()}**: no true grade is known, so nothing is judged.")
            continue
        rows = table[table["part"] == part]
        over = "pictures and seeds" if rows["seeds"].max() > 1 else "pictures"
        text.append(
            f"**{part.capitalize()}**, {int(rows['pictures'].max()):,} pictures with a known grade "
            f"that was hidden from training; in brackets 95 % intervals over {over}."
        )
        text.append(show_judged(rows))
        mine = quarters[quarters["part"] == part].drop(columns="part")
        mine = mine.assign(method=mine["method"].map(name_of))
        text.append(f"Accuracy by quarters of confidence, the surest first:\n\n{show_frame(mine)}")
    return "\n\n".join(text) + "\n"


def findings(table: pd.DataFrame, method: str) -> str:
    """What `judged` says of one method, in sentences made from its numbers: a line per part and
    label budget; "" where nothing is judged."""
    if table.empty:
        return ""
    return "\n".join(f"- {_finding(row)}" for row in _of_runs(table, method))


def _of_runs(table: pd.DataFrame, method: str) -> list[dict]:
    return table[(table["method"] == method) & (table["answer"] == "")].to_dict("records")


def _finding(row: Mapping) -> str:
    """One row of `judged` in words."""
    top = row["top"]
    commonest, most = (
        int(np.argmax([row[f"{kind}_{k}"] for k in range(top + 1)])) for kind in ("true", "share")
    )
    said = (
        f"**{row['row']}** on the {row['part']} ({row['pictures']:,} pictures): "
        f"it says {commonest} of {percent(row[f'share_{commonest}'])} where "
        f"{percent(row[f'true_{commonest}'])} are {commonest}"
    )
    if most != commonest:
        shown = percent(row[f"share_{most}"])
        said += f", and {most} of {shown} where {percent(row[f'true_{most}'])} are {most}"
    said += f"; recall of grade {top} {cell_of(row, f'recall_{top}')}, precision "
    said += f"{cell_of(row, f'precision_{top}')}. "
    compared = [
        _against(row, metric, name)
        for metric, name in zip(ERRORS, ("accuracy", "MAE", "macro-MAE"), strict=True)
    ]
    said += f"Held against always saying {commonest}: {'; '.join(compared)}."
    if row["seeds"] < LEAST_SEEDS:
        said += f" ({COUNTED[row['seeds']].capitalize()}: said of new pictures, not of new seeds.)"
    return said


def _against(row: Mapping, metric: str, name: str) -> str:
    """One metric of a row, and by how much it is below or above that of the commonest grade."""
    value, low, high = (row[f"{metric}_to_commonest{end}"] for end in ("", "_low", "_high"))
    place = decided(low, high, "below", "above", "not told apart")
    if place == "below":
        value, low, high = -value, -high, -low
    by = cell(value, low, high, sign=place == "not told apart")
    return f"{name} {cell_of(row, metric)}, {place} by {by}".replace("apart by", "apart:")


def summary(table: pd.DataFrame) -> str:
    """What `judged` says of many rows at once: of each part, what always saying its commonest grade
    would score, and which rows are above it; a line per part, "" where nothing is judged."""
    if table.empty:
        return ""
    parts = dict.fromkeys(table["part"])
    return "\n".join(f"- {_summed_up(table[table['part'] == part])}" for part in parts)


def _summed_up(table: pd.DataFrame) -> str:
    run = table["answer"] == ""
    runs, best = table[run].to_dict("records"), table.loc[table.loc[run, "accuracy"].idxmax()]
    # of the two answers the first is that of the commonest grade
    always, top = table[~run].iloc[0], int(table["top"].iloc[0])
    places = [
        decided(r["accuracy_to_commonest_low"], r["accuracy_to_commonest_high"], "below", "above")
        for r in runs
    ]
    recalls = [r[f"recall_{top}"] for r in runs]
    return (
        f"On the {best['part']} ({int(always['pictures']):,} pictures) always saying "
        f"{always['grade']} is right for {cell(always['accuracy'])}. In accuracy "
        f"{places.count('below')} of {len(runs)} rows lie below that by the interval over "
        f"pictures, {places.count('above')} above; the most accurate is {best['row']}, "
        f"{cell_of(best, 'accuracy')}. Recall of grade {top}: "
        f"{_range(recalls)}."
    )


def _range(values: Sequence[float]) -> str:
    if np.isnan(values).all():
        return "no picture has it"
    return f"{cell(np.nanmin(values))} to {cell(np.nanmax(values))}"
