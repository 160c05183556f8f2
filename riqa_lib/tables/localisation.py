"""How well maps lie on defects: means of the measures of `explain.scores` with intervals, and what
they say in words.

Source of the claim: Telesco et al., multi-task maps "better reflect image defects"; here it is
counted (see `explain`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from ..stats.resampling import interval, resamples_of
from .names import kind_of_row, row_name
from .text import cell, decided, markdown

MEASURES = ("pointing", "energy")


ITSELF = "itself"  # compared with nothing


COLUMNS = ("head", "id", "group", *MEASURES, "chance", *(f"shuffled_{m}" for m in MEASURES))


# columns of `table`
TABLE = (
    "head",
    "measure",
    "method",
    "against",
    "pictures",
    "seeds",
    "value",
    "low",
    "high",
    "chance",
)


def table(
    of: pd.DataFrame, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Mean measures with bootstrap intervals that resample patients and seeds, and differences
    paired by picture.

    of: method, seed, COLUMNS; a row for each method, seed and picture. Returns rows (head, measure,
    method, against, pictures, seeds, value, low, high, chance): each method itself (against
    ITSELF), less chance, less shuffled maps (against "chance", "shuffled"), and every later method
    less the first (against = the first). ValueError unless all have the same pictures."""
    rows = []
    for head, part in of.groupby("head", sort=False):
        wide = _by_picture(part, str(head))
        first = next(iter(wide.values()))
        groups = part.drop_duplicates("id").set_index("id")["group"].reindex(first.index)
        chance = first["chance"].to_numpy()
        for measure in MEASURES:
            for method, against, x in _compared(wide, measure):
                low, high = _interval(x, groups, resamples, seed, level)
                rows.append(
                    {
                        "head": head,
                        "measure": measure,
                        "method": method,
                        "against": against,
                        "pictures": len(x),
                        "seeds": x.shape[1],
                        "value": x.mean(),
                        "low": low,
                        "high": high,
                        "chance": chance.mean(),
                    }
                )
    return pd.DataFrame(rows, columns=list(TABLE))


def _by_picture(part: pd.DataFrame, head: str) -> dict[str, pd.DataFrame]:
    """Each method's measures, a row a picture and a column a seed; ValueError where pictures or
    seeds differ."""
    wide = {
        str(method): rows.set_index(["id", "seed"])[list(COLUMNS[3:])].unstack()  # noqa: PD010
        for method, rows in part.groupby("method", sort=False)
    }
    (name, first), *_ = wide.items()
    for method, its in wide.items():
        alike = its.index.equals(first.index) and its.columns.equals(first.columns)
        if not alike or its[list(MEASURES)].isna().any(axis=None):
            raise ValueError(
                f"{head}: {method} has other pictures or seeds than {name}; "
                "a paired comparison needs the same"
            )
    return wide


def _compared(wide: dict[str, pd.DataFrame], measure: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """(method, against, differences (pictures, seeds)) in the order of `table`."""
    values = {method: its[measure].to_numpy() for method, its in wide.items()}
    first, *later = values
    chance = wide[first]["chance"].to_numpy()
    for method, x in values.items():
        yield method, ITSELF, x
    for method, x in values.items():
        yield method, "chance", x - chance
    for method, x in values.items():
        yield method, "shuffled", x - wide[method][f"shuffled_{measure}"].to_numpy()
    for method in later:
        yield method, first, values[method] - values[first]


def _interval(
    x: np.ndarray, groups: pd.Series, resamples: int, seed: int, level: float
) -> tuple[float, float]:
    """Percentile interval of the mean of x (pictures, seeds), resampling groups and seeds."""
    code, names = pd.factorize(groups)
    if len(names) < 2:
        return float("nan"), float("nan")
    sums = np.zeros((len(names), x.shape[1]))
    np.add.at(sums, code, x)
    counts = np.bincount(code)
    clusters, seeds = resamples_of(len(names), x.shape[1], resamples, seed)
    mean = np.einsum("rc,cs,rs->r", clusters, sums, seeds, optimize=True) / (
        (clusters @ counts) * x.shape[1]
    )
    return interval(float(x.mean()), mean, level)[1:]


# against what a row of `table` is, in words
AGAINST = {"chance": "the region's share of the field", "shuffled": "maps of other pictures"}


def _map_of(method: str, head: str) -> str:
    """Whose map it is; a single-task network has that of the overall grade alone.

    >>> _map_of("single_eyeq", "clarity"), _map_of("multi_eyeq", "clarity")
    ("single-task's overall map", 'multi-task')
    """
    name = row_name(method)
    only = kind_of_row(method).startswith("single") and head != "overall"
    return f"{name}'s overall map" if only else name


def show(result: pd.DataFrame) -> str:
    """`table` as markdown: a line for each defect, measure and network, with its difference from
    both kinds of chance and from the first network."""
    first = result["method"].iloc[0]
    against = [*AGAINST, *(a for a in dict.fromkeys(result["against"]) if a == first)]
    less = [f"− {AGAINST.get(a, f'{row_name(a)}, same picture')}" for a in against]
    head = ["defect", "measure", "map of", "value", *less]
    rows = []
    for (which, measure, method), part in result.groupby(["head", "measure", "method"], sort=False):
        by = part.set_index("against").to_dict("index")
        cells = [_cell(by.get(ITSELF)), *(_cell(by.get(a), sign=True) for a in against)]
        rows.append([which, measure, _map_of(method, which), *cells])
    return markdown(head, rows, left=range(len(head)))


def _cell(row: Mapping | None, sign: bool = False) -> str:
    return "–" if row is None else cell(row["value"], row["low"], row["high"], sign, digits=3)


def findings(result: pd.DataFrame) -> str:
    """What `table` says, in words: for each head whether maps beat both kinds of chance, and which
    of two networks is more."""
    lines = []
    for row in result[result["against"] != ITSELF].itertuples():
        than = AGAINST.get(row.against) or _map_of(row.against, row.head)
        lines.append(
            f"- {row.head}, {row.measure}: {_map_of(row.method, row.head)} − {than} "
            f"{row.value:+.3f} [{row.low:+.3f}, {row.high:+.3f}], {row.pictures} pictures: "
            f"{decided(row.low, row.high, below='less', above='more')}."
        )
    if not lines:
        return "No defect could be pointed at."
    seeds = int(result["seeds"].iloc[0])
    own = " (the spread between seeds is not in the intervals)" if seeds == 1 else ""
    lines.append(
        f"- {len(lines)} comparisons, 95 % intervals not adjusted for their number; "
        f"{seeds} seed(s){own}."
    )
    return "\n".join(lines)
