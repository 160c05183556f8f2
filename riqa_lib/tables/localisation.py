"""How well maps lie on defects: means of the measures of `explain.scores` with intervals, and what
they say in words.

Source of the claim: Telesco et al., multi-task maps "better reflect image defects"; here it is
counted (see `explain`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..stats import bootstrap
from .names import row_name

MEASURES = ("pointing", "energy")


ITSELF = "itself"  # compared with nothing


COLUMNS = ("head", "id", "group", *MEASURES, "chance", *(f"shuffled_{m}" for m in MEASURES))


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
        methods = list(dict.fromkeys(part["method"]))
        columns = ["id", "seed", *COLUMNS[3:]]
        wide = {
            m: part.loc[part["method"] == m, columns].set_index(["id", "seed"]).unstack()
            for m in methods
        }
        first = wide[methods[0]]
        for m in methods:
            alike = wide[m].index.equals(first.index) and wide[m].columns.equals(first.columns)
            if not alike or wide[m][list(MEASURES)].isna().any(axis=None):
                raise ValueError(
                    f"{head}: {m} has other pictures or seeds than {methods[0]}; a paired comparison needs the same"
                )
        groups = part.drop_duplicates("id").set_index("id")["group"].reindex(first.index)
        for measure_name in MEASURES:
            values = {m: wide[m][measure_name].to_numpy() for m in methods}
            chance = first["chance"].to_numpy()
            pairs = [(m, ITSELF, values[m]) for m in methods] + [
                (m, "chance", values[m] - chance) for m in methods
            ]
            pairs += [
                (m, "shuffled", values[m] - wide[m][f"shuffled_{measure_name}"].to_numpy())
                for m in methods
            ]
            pairs += [(m, methods[0], values[m] - values[methods[0]]) for m in methods[1:]]
            for method, against, x in pairs:
                low, high = _interval(x, groups, resamples, seed, level)
                rows.append(
                    {
                        "head": head,
                        "measure": measure_name,
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
    names = [
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
    ]
    return pd.DataFrame(rows, columns=names)


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
    clusters, seeds = bootstrap.resamples_of(len(names), x.shape[1], resamples, seed)
    mean = np.einsum("rc,cs,rs->r", clusters, sums, seeds, optimize=True) / (
        (clusters @ counts) * x.shape[1]
    )
    low, high = np.quantile(mean, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def findings(result: pd.DataFrame) -> str:
    """What `table` says, in words: for each head whether maps beat those of other pictures, and
    which of two methods is more."""
    lines = []
    for row in result[~result["against"].isin([ITSELF, "chance"])].itertuples():
        verdict = (
            "not decided"
            if not (row.low > 0 or row.high < 0)
            else "more"
            if row.value > 0
            else "less"
        )
        than = "maps of other pictures" if row.against == "shuffled" else row_name(row.against)
        lines.append(
            f"- {row.head}, {row.measure}: {row_name(row.method)} − {than} {row.value:+.3f} "
            f"[{row.low:+.3f}, {row.high:+.3f}], {row.pictures} pictures: {verdict}."
        )
    if not lines:
        return "No defect could be pointed at."
    seeds = int(result["seeds"].iloc[0])
    own = " (the spread between seeds is not in the intervals)" if seeds == 1 else ""
    return "\n".join(
        [
            *lines,
            f"- {len(lines)} comparisons, 95 % intervals not adjusted for their number; {seeds} seed(s){own}.",
        ]
    )
