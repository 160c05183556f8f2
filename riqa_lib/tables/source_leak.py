"""The source leak: in KOKA10K grades 0 and 4 come mostly from other photographs than the rest.

All of grade 4 but a few, and two thirds of grade 0, were added from KADIS-700k; everything else is
KonIQ-10k. So a model that only tells the two collections apart can look like one that sees quality.
Two ways to see how much of that there is: `koniq_only` leaves the added pictures out of the test;
`source_detector` scores a model that knows nothing but sources. Real and simulated sets name their
sources alike (datasets.koka10k)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..datasets.koka10k import KONIQ
from ..stats.metrics import best_constant, summary
from ..stats.picture_statistics import FIRST, statistics
from .fitting import BOLD, called, fitted, marked, shared
from .names import name_of, order
from .quantities import on_test
from .table2 import COLUMNS
from .text import cell, kind_of

ALL, ADDED = "all", "added"


NAMED = {
    "mae": "MAE",
    "macro_mae": "macro-MAE",
    "mae_0": "MAE of grade 0",
    "mae_4": "of grade 4",
    "mae_34": "of 3 and 4",
}


SHOWN = tuple(NAMED)


# what `show` has of each part
LEAK = {
    "mae": "MAE",
    "macro_mae": "macro-MAE",
    "mae_0": "MAE 0",
    "mae_4": "MAE 4",
    "mae_34": "MAE 3&4",
}


# ---------------------------------------------------------------- without the added pictures
def koniq_only(predictions: pd.DataFrame) -> pd.DataFrame:
    """Table 2's metrics on all test pictures, on KonIQ's (or those simulated like them) alone, and
    on the added ones.

    predictions: long (method, seed, labels, source, truth, p0.., ...; of split test where there is
    a split column), as in `stored.load_walk`. One row per method, number of labels and part ("all",
    "koniq-like", "added"): row, method, labels, part, pictures, seeds, then `table2.COLUMNS`, each
    the mean over seeds. All correlations are with the grade, since added pictures have no score.
    nan where a part lacks the grade. Empty where no picture, or every one, is KonIQ's."""
    test = on_test(predictions)
    columns = ["row", "method", "labels", "part", "pictures", "seeds", *COLUMNS]
    koniq = test["source"] == KONIQ
    if not koniq.any() or koniq.all():
        return pd.DataFrame(columns=columns)
    rows = []
    for method in order(test["method"]):
        for labels in sorted(test.loc[test["method"] == method, "labels"].unique()):
            own = (test["method"] == method) & (test["labels"] == labels)
            for part, inside in ((ALL, own), (KONIQ, own & koniq), (ADDED, own & ~koniq)):
                seeds = [
                    summary(one.drop(columns="score", errors="ignore"))
                    for _, one in test[inside].groupby("seed")
                ]
                row = {
                    "row": name_of(method),
                    "method": method,
                    "labels": int(labels),
                    "part": part,
                }
                row |= {"pictures": test.loc[inside, "id"].nunique(), "seeds": len(seeds)}
                rows.append(row | {m: float(np.mean([s[m] for s in seeds])) for m in COLUMNS})
    return pd.DataFrame(rows, columns=columns)


def show(parts: pd.DataFrame) -> str:
    """`koniq_only` as markdown: the parts of each row below each other, of each part the best in
    bold; a sentence where it is empty."""
    if parts.empty:
        return "All test pictures are of one collection."
    rows = parts.to_dict("records")
    titles = {m: f"{name} ↓" for m, name in LEAK.items()} | {"srcc": "SRCC ↑"}
    columns = [_marked_by_part(parts, m) for m in titles]
    lines = [
        [name, f"{row['part']}, {row['pictures']:,}", *cells]
        for name, row, *cells in zip(called(rows), rows, *columns, strict=True)
    ]
    same = shared(rows)
    foot = f"Means over seeds{same and f' ({same})'}. {BOLD}"
    return f"{fitted(['', 'pictures', *titles.values()], lines, (0, 1))}\n\n{foot}\n"


def _marked_by_part(parts: pd.DataFrame, metric: str) -> list[str]:
    """A column's cells, the best of each part in bold."""
    said: dict[int, str] = {}
    for _, mine in parts.reset_index(drop=True).groupby("part"):
        cells = [cell(value, digits=3) for value in mine[metric]]
        said |= dict(zip(mine.index, marked(cells, mine[metric], metric != "srcc"), strict=True))
    return [said[i] for i in range(len(parts))]


# ---------------------------------------------------------------- a model that knows only sources
def _first(pixels: np.ndarray) -> NDArray[np.float64]:
    """The first seven of `picture_statistics.statistics`, (N, 7): those that tell sources apart."""
    return statistics(pixels)[:, : len(FIRST)]


def source_detector(frame: pd.DataFrame, pixels: np.ndarray) -> pd.DataFrame:
    """What a model that only knows where a picture comes from reaches as a quality model, beside
    constants.

    frame: a data set's, row i of pixels (N, S, S, 3) belongs to row i. Everything is fitted on
    labelled training pictures and scored on labelled test pictures. The detector: logistic
    regression (scikit-learn) of the source on the first seven of `picture_statistics`, their
    squares and products; its answer is the source's best constant (least MAE on training labels).
    Rows: best constant, always 3, source detector, true source (the same constants, sources given:
    no error in telling them apart). Columns: row, knows, pictures, sources (share of sources told
    right), added (share of added pictures found), auc (chance that an added picture looks more like
    added than one that is not), mae, macro_mae, mae_0, mae_4, mae_34. Empty where the
    training pictures are not some of KonIQ's (or those simulated like them) and some others, or
    there is no test."""
    columns = ["row", "knows", "pictures", "sources", "added", "auc", *SHOWN]
    graded = frame["grade"] >= 0
    train, test = (np.flatnonzero(graded & (frame["split"] == s)) for s in ("train", "test"))
    source, grade = frame["source"].to_numpy(str), frame["grade"].to_numpy()
    if KONIQ not in source[train] or len(set(source[train])) < 2 or not len(test):
        return pd.DataFrame(columns=columns)
    from sklearn.linear_model import LogisticRegression  # a second to import: only where it is used
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    detector = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=5000),
    )
    detector.fit(_first(pixels[train]), source[train])
    chances = detector.predict_proba(_first(pixels[test]))  # (test, sources)
    told = detector.classes_[chances.argmax(axis=1)]
    likely = chances[:, detector.classes_ != KONIQ].sum(axis=1)
    best = {s: best_constant(grade[train][source[train] == s], 5) for s in set(source[train])}
    one = best_constant(grade[train], 5)
    true = source[test]
    guesses = [
        Guess(f"best constant (always {one})", "nothing", np.full(len(test), one)),
        Guess("always 3", "nothing", np.full(len(test), 3)),
        Guess(
            "source detector",
            "statistics of the pixels",
            _best_of(told, best, one),
            Told(told, likely),
        ),
        Guess(
            "true source",
            "the source",
            _best_of(true, best, one),
            Told(true, (true != KONIQ).astype(float)),
        ),
    ]
    rows = [_guessed(guess, grade[test], true) for guess in guesses]
    return pd.DataFrame(rows, columns=columns)


class Told(NamedTuple):
    """What a model says of sources: the source (N,), and how much it looks like an added one
    (N,)."""

    source: np.ndarray
    added: np.ndarray


class Guess(NamedTuple):
    """A quality model that sees no quality: what it knows, its grades (N,), what it says of
    sources."""

    row: str
    knows: str
    grade: np.ndarray
    told: Told | None = None


def _best_of(sources: np.ndarray, best: dict[str, int], other: int) -> np.ndarray:
    """Each source's best constant (N,); `other` for a source that training pictures lack."""
    return np.array([best.get(source, other) for source in sources])


def _guessed(guess: Guess, truth: np.ndarray, source: np.ndarray) -> dict[str, object]:
    """A row of `source_detector`; truth and source of the test pictures, (N,)."""
    from sklearn.metrics import roc_auc_score

    p = pd.DataFrame(np.eye(5)[guess.grade], columns=[f"p{k}" for k in range(5)])
    found = summary(p.assign(truth=truth))
    row: dict[str, object] = {"row": guess.row, "knows": guess.knows, "pictures": len(truth)}
    row |= dict.fromkeys(("sources", "added", "auc"), np.nan)
    if guess.told is not None:
        added = source != KONIQ
        row["sources"] = float((guess.told.source == source).mean())
        if added.any():
            row["added"] = float((guess.told.source != KONIQ)[added].mean())
        if 0 < added.sum() < len(added):
            row["auc"] = float(roc_auc_score(added, guess.told.added))
    return row | {m: found[m] for m in SHOWN}


def findings(detector: pd.DataFrame, simulated: bool) -> str:
    """What `source_detector` found, in words made from its numbers (markdown)."""
    kind = kind_of(simulated)
    if detector.empty:
        return f"{kind}. The training pictures are not of several collections: nothing to detect."
    rows = detector.set_index("row")
    constant, found, known = rows.iloc[0], rows.loc["source detector"], rows.loc["true source"]
    scores = ", ".join(
        f"{name} {found[m]:.3f} ({constant[m]:.3f}; {known[m]:.3f})" for m, name in NAMED.items()
    )
    return (
        f"{kind}, {found['pictures']} test pictures. A model that knows nothing but a few "
        f"statistics of the pixels, fitted to tell sources apart, has an AUC of {found['auc']:.2f} "
        f"and finds {100 * found['added']:.0f} % of the added pictures. Scored as a quality model "
        f"(in brackets: the best constant; the same with the true source): {scores}."
    )


# ---------------------------------------------------------------- sources of one's own pictures
def sources(graded: pd.DataFrame) -> pd.DataFrame:
    """Where pictures of one's own come from: source, pictures, mean grade, commonest grade (of
    equals the lower). Empty where they are of one source only, or nothing is said of it.

    graded: those with a known grade (`table1.graded`).

    >>> two = {"source": ["street", "home", "home"], "grade": [0, 3, 4]}
    >>> sources(pd.DataFrame(two))
       source  pictures  mean grade  commonest grade
    0    home         2         3.5                3
    1  street         1         0.0                0
    """
    by = graded.assign(source=graded["source"].astype(object).fillna("").astype(str)).groupby(
        "source"
    )["grade"]
    columns = {"pictures": "size", "mean grade": "mean"}
    table = by.agg(**columns).assign(**{"commonest grade": by.agg(lambda g: g.mode().iloc[0])})
    table = table.reset_index()
    return table if len(table) > 1 else table.iloc[:0]


def own_findings(table: pd.DataFrame) -> str:
    """What `sources` found, in words made from its numbers."""
    if table.empty:
        return (
            "Real data. Your pictures are of one source, as far as their table says (column "
            "`source`, where it is declared): nothing could be told from it."
        )
    means = table["mean grade"]
    return (
        f"Real data. Your pictures come from {len(table)} sources, whose mean grades go from "
        f"{means.min():.2f} to {means.max():.2f}. What knowing the source alone is worth stands in "
        "notebook 03, in the row “mean of its subset”: a network that is not better has learnt "
        "nothing else."
    )
