"""What each row knows within the subsets that pictures come from, beside what it reaches on all.

Where subsets differ in quality, a row that only tells the subset has a good SRCC over all pictures
and none within: a network that only knows the subset is found out here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .. import checks
from ..stats import bootstrap
from ..stats.crossed import COUNTED, LEAST_SEEDS
from ..stats.metrics import best_constant, columns_p
from ..stats.resampling import Bootstrap
from ..stats.within import LEAST, METRICS, WITHIN, Subsets, bootstrap_within, metric_in
from .fitting import BOLD, called, fitted, marked, shared
from .names import CONSTANT, name_of, order
from .quantities import on_test
from .rank_target import against
from .text import as_text, cell_of, kind_of, with_ends

ALL = "all"  # the part that is every picture; WITHIN: the plain mean over subsets


KINDS = {
    CONSTANT: "constant",
    "source_mean": "subset mean",
    "forest": "no network",
    "ridge": "no network",
}  # of rows; all others are networks


NETWORK = "network"


COLUMNS = ("row", "method", "kind", "labels", "seeds", "part", "pictures", "against", "data")


BEYOND = "beyond the subset"  # title of the column that says so


TITLES = {"srcc": "SRCC ↑", "mae": "MAE ↓"}


SAME = "says the same of all pictures of a subset"


# ---------------------------------------------------------------- the table
def subsets(
    predictions: pd.DataFrame,
    counts: pd.DataFrame,
    simulated: bool,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """SRCC of the expected grade and MAE of each row, on all test pictures, within subsets (the
    plain mean over them) and in each one.

    predictions: long (method, seed, labels, id, group, source, truth, p0.., score if there; of
    split test where there is a split column), as in `stored.load_walk`. counts:
    `table1.class_counts`, for the best constant, which comes first. One row per method, number of
    labels and part ("all", "within", then each source): COLUMNS, srcc and mae with _low and _high
    (95 %, percentile, pictures by group and seeds resampled together), note: why a value is nan
    (`stats.within`). Empty where test pictures are of one source. ValueError for a missing column
    or a picture of two sources."""
    checks.has(predictions, ["method", "seed", "labels", "source"], "predictions")
    test = on_test(predictions)
    ends = [f"{m}{end}" for m in METRICS for end in ("", "_low", "_high")]
    if test["source"].nunique() < 2:
        return pd.DataFrame(columns=[*COLUMNS, *ends, "note"])
    everything = pd.concat([_constant(test, counts), test])
    parts = dict(iter(everything.groupby(["method", "labels"])))
    rows = []
    for method in order(everything["method"]):
        for labels in sorted(n for m, n in parts if m == method):
            own = parts[method, labels]
            front = {
                "row": name_of(method),
                "method": method,
                "kind": KINDS.get(method, NETWORK),
                "labels": int(labels),
                "seeds": 0 if method == CONSTANT else own["seed"].nunique(),
                "against": against(own),
                "data": "simulated" if simulated else "real",
            }
            rows += [front | part for part in _parts(method, own, resamples, seed)]
    return pd.DataFrame(rows)[[*COLUMNS, *ends, "note"]]


def _constant(test: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The best constant of the labelled training pictures, on the pictures of one run."""
    train = counts[(counts["split"] == "train") & (counts["known"] == "label")]
    said = best_constant(np.repeat(train["grade"], train["count"]), len(columns_p(test)))
    first = test[["method", "seed", "labels"]].iloc[0].to_dict()
    one = test[(test[list(first)] == pd.Series(first)).all(axis=1)]
    rows = bootstrap.constant_rows(one, said, CONSTANT)
    return rows.assign(labels=int(train["count"].sum()))


def _parts(method: str, own: pd.DataFrame, resamples: int, seed: int) -> list[dict[str, object]]:
    """What differs between the parts of one row: part, pictures, metrics with ends, note."""
    mine, found = bootstrap_within(own, method, resamples, seed)
    sizes = [len(rows) for rows in mine.members]
    judged = [n for n, fine in zip(sizes, mine.judged("mae"), strict=True) if fine]
    pictures = {ALL: sum(sizes), WITHIN: sum(judged), **dict(zip(mine.names, sizes, strict=True))}
    whys = {ALL: "", WITHIN: _left_out(mine)} | dict(zip(mine.names, mine.why("srcc"), strict=True))
    return [
        {"part": part, "pictures": n}
        | _with_intervals(method, found, part)
        | {"note": "; ".join(filter(None, [whys[part], _same(method, found, part, whys[part])]))}
        for part, n in pictures.items()
    ]


def _metric(metric: str, part: str) -> str:
    """A part's metric as `bootstrap_within` names it."""
    if part == ALL:
        return metric
    return f"{metric}_{WITHIN}" if part == WITHIN else metric_in(metric, part)


def _with_intervals(method: str, found: Bootstrap, part: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for m in METRICS:
        out |= with_ends(m, found.interval(method, _metric(m, part)))
    return out


def _left_out(mine: Subsets) -> str:
    """Which subsets the mean SRCC leaves out, and why."""
    whys = zip(mine.names, mine.why("srcc"), strict=True)
    return "; ".join(f"without {name}: {why}" for name, why in whys if why)


def _same(method: str, found: Bootstrap, part: str, why: str) -> str:
    """SAME where nothing but that explains why a row has no SRCC; "" elsewhere."""
    undefined = np.isnan(found.estimate[method, _metric("srcc", part)])
    if not undefined or (part not in (ALL, WITHIN) and why):
        return ""
    return SAME


# ---------------------------------------------------------------- as markdown
def show(table: pd.DataFrame) -> str:
    """The table as markdown: SRCC, then MAE; over all pictures, within subsets, in each. Says of
    each row what it is and, by its interval, whether it knows more than the subset."""
    if table.empty:
        return "All test pictures are of one source: there are no subsets to look into.\n\n"
    parts = list(dict.fromkeys(table["part"]))
    lines = [
        dict(zip(own["part"], own.to_dict("records"), strict=True))
        for _, own in table.groupby(["method", "labels"], sort=False)
    ]
    return "\n\n".join([*(_shown(lines, parts, m) for m in TITLES), _note(table)]) + "\n"


def _shown(lines: Sequence[Mapping], parts: Sequence[str], metric: str) -> str:
    """The markdown table of a metric. lines: the parts of each row, by name."""
    head = ["", "what it is", *(_head(TITLES[metric], part) for part in parts)]
    columns = [_column(lines, part, metric) for part in parts]
    if metric == "srcc":
        head.insert(2, BEYOND)
        columns.insert(0, [beyond(line[WITHIN]) for line in lines])
    every = [line[ALL] for line in lines]
    rows = [
        [name, row["kind"], *cells]
        for name, row, *cells in zip(called(every), every, *columns, strict=True)
    ]
    return fitted(head, rows, [i for i, x in enumerate(head) if x in ("", "what it is", BEYOND)])


def _column(lines: Sequence[Mapping], part: str, metric: str) -> list[str]:
    """A part's metric of every row, the best in bold."""
    values = [line[part][metric] for line in lines]
    return marked([cell_of(line[part], metric) for line in lines], values, metric == "mae")


def _head(title: str, part: str) -> str:
    known = {ALL: f"{title}, all pictures", WITHIN: f"{title}, within"}
    return known.get(part, f"{title}, {as_text(part)}")


def beyond(row: Mapping) -> str:
    """Whether a row (part "within") knows more of pictures than their subset: whether the 95 %
    interval of its SRCC within lies above 0; below three seeds, of how many.

    >>> beyond({"srcc": 0.4, "srcc_low": 0.3, "seeds": 3})
    'yes'
    >>> beyond({"srcc": 0.4, "srcc_low": 0.3, "seeds": 1})
    'yes, of one seed'
    >>> beyond({"srcc": 0.1, "srcc_low": -0.1, "seeds": 3})
    'not shown: the subset may be all it knows'
    """
    if np.isnan(row["srcc"]):
        return f"no: {SAME}" if SAME in row["note"] else "not judged"
    if not row["srcc_low"] > 0:
        return "not shown: the subset may be all it knows"
    return f"yes, of {COUNTED[row['seeds']]}" if row["seeds"] < LEAST_SEEDS else "yes"


def _note(table: pd.DataFrame) -> str:
    sizes = table[~table["part"].isin([ALL, WITHIN])].drop_duplicates("part")
    listed = ", ".join(f"{as_text(r.part)} {r.pictures}" for r in sizes.itertuples())
    left_out = next(iter(table.loc[(table["part"] == WITHIN), "note"]), "").replace(SAME, "")
    same = shared(table[table["part"] == ALL].to_dict("records"))
    return (
        f"{kind_of((table['data'] == 'simulated').all())}{same and f', {same}'}; test pictures: "
        f"{listed}. {BOLD} SRCC: the "
        f"expected grade against the {table['against'].iloc[0]}; MAE: of the most probable grade; "
        "within: the plain mean over subsets"
        + (f" ({as_text(left_out.strip('; '))})" if left_out.strip("; ") else "")
        + f", of those with at least {LEAST} pictures. In brackets: 95 % percentile intervals, "
        "pictures (by group) and seeds resampled together; with one seed they say nothing about "
        "other seeds. The subset mean knows where a picture comes from and nothing else: a network "
        "that only knows the subset has its SRCC over all pictures, and none within."
    )
