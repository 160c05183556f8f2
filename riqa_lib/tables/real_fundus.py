"""What Students of the reference run, who saw simulated photographs alone, say of real ones:
from the counts and summaries that benchmarks/real_fundus.py leaves in results/reference/fundus."""

from __future__ import annotations

import pandas as pd

from .. import paths, store
from ..scales import DETAILS
from .names import encoder_of, name_of
from .text import markdown

BLUR, STABILITY = "real_blur.csv", "real_stability.csv"


def block() -> str:
    """The block of docs/fundus.md; says so where nothing was measured."""
    folder = paths.reference() / "fundus"
    if not (folder / BLUR).exists() or not (folder / STABILITY).exists():
        return "Not measured yet: benchmarks/real_fundus.py."
    parts = [show_blur(store.read_table(folder / BLUR))]
    return "\n\n".join([*parts, show_stability(store.read_table(folder / STABILITY))])


def show_blur(table: pd.DataFrame) -> str:
    """Least to most, over seeds, of the pictures whose details are called bad. table: row, seed,
    pictures_are (sharp, blurred), pictures, and a column for each of DETAILS."""
    rows: list[list[object]] = []
    for (row, kind), part in table.groupby(["row", "pictures_are"], sort=False):
        cells = [_range(part[d], part["pictures"].max()) for d in DETAILS]
        rows.append([name_of(str(row)), encoder_of(str(row)), part["seed"].nunique(), kind, *cells])
    head = ["", "encoder", "seeds", "pictures", *(f"{d} called bad" for d in DETAILS)]
    return "Real data.\n\n" + markdown(head, rows, left=range(len(head)))


def _range(counts: pd.Series, pictures: int) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low if low == high else f'{low} to {high}'} of {pictures}"


def show_stability(table: pd.DataFrame) -> str:
    """`assess.stability.summary` as markdown."""
    heads = ["change", "of", "pictures", "refused after it", "mean change", "largest"]
    names = ["change", "head", "pictures", "refused", "mean", "largest"]
    rows: list[list[object]] = [
        [f"{v:.3f}" if isinstance(v, float) else v for v in line]
        for line in table[names].itertuples(index=False)
    ]
    told = markdown(heads, rows, left=range(len(heads)))
    return f"Real data, changes of probabilities, one seed.\n\n{told}"
