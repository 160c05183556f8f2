"""What Students of the reference run, who saw simulated photographs alone, say of real ones:
from the counts and summaries that benchmarks/real_fundus.py and benchmarks/jpeg_tries.py leave in
results/reference/fundus."""

from __future__ import annotations

import pandas as pd

from .. import paths, store
from ..scales import DETAILS
from .names import encoder_of, name_of
from .text import markdown

BLUR, STABILITY, TRIES = "real_blur.csv", "real_stability.csv", "real_jpeg_tries.csv"
ASKED = 0.05  # largest change of a probability
COSTS = {
    "macro_f1": "macro F1",
    "clarity_auc": "AUC of clarity",
    "clarity_auc_others_bad": "AUC of clarity, others bad",
}  # of simulated photographs


def block() -> str:
    """The block of docs/fundus.md; says so where nothing was measured."""
    folder = paths.reference() / "fundus"
    if not (folder / BLUR).exists() or not (folder / STABILITY).exists():
        return "Not measured yet: benchmarks/real_fundus.py."
    parts = [show_blur(store.read_table(folder / BLUR))]
    parts += [show_stability(store.read_table(folder / STABILITY)), tries_block()]
    return "\n\n".join(parts)


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
    return f"{_whole(counts)} of {pictures}"


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


def tries_block() -> str:
    """What was tried against a coarse JPEG; says so where nothing was."""
    file = paths.reference() / "fundus" / TRIES
    if not file.exists():
        return "Not measured yet: benchmarks/jpeg_tries.py."
    table = store.read_table(file)
    said = f"Real and simulated data, {table['seed'].nunique()} seeds, changes by JPEG 30."
    return f"{said}\n\n{show_tries(table)}\n\n{found_by_tries(table)}"


def show_tries(table: pd.DataFrame) -> str:
    """Means over seeds as markdown, of largest changes least to most. table: variant, seed,
    real_jpeg, real_over, real_pictures, real_sizes, real_sharp_bad, real_blurred_bad,
    simulated_jpeg_mean, and COSTS; the first variant is the Student as it is."""
    head = [
        "",
        "largest change, real",
        f"real photographs over {ASKED:g}",
        "largest by size, real",
        "sharp, blurred: clarity bad, real",
        "mean change, simulated",
        *(f"{name}, simulated" for name in COSTS.values()),
    ]
    rows: list[list[object]] = []
    for variant, part in table.groupby("variant", sort=False):
        bad = ", ".join(_whole(part[f"real_{kind}_bad"]) for kind in ("sharp", "blurred"))
        over = f"{_whole(part['real_over'])} of {part['real_pictures'].max()}"
        means = [part["simulated_jpeg_mean"], *(part[name] for name in COSTS)]
        cells = [_span(part["real_jpeg"]), over, _span(part["real_sizes"]), bad]
        rows.append([variant, *cells, *(f"{x.mean():.3f}" for x in means)])
    return markdown(head, rows, left=range(len(head)))


def found_by_tries(table: pd.DataFrame) -> str:
    """Whether a variant comes to ASKED in every seed, and what the nearest costs."""
    worst = table.groupby("variant", sort=False)["real_jpeg"].max()
    usual, best = str(worst.index[0]), str(worst.idxmin())
    plain, near = (table[table["variant"] == variant] for variant in (usual, best))
    lost = [
        f"{name} {near[key].mean() - plain[key].mean():+.3f}".replace("-", "−")
        for key, name in COSTS.items()
    ]
    reached = int((worst <= ASKED).sum())
    return (
        f"{reached or 'None'} of {len(worst)} keeps every change of a probability within {ASKED:g} "
        f"in all {table['seed'].nunique()} seeds. "
        f'The nearest, "{best}": {worst[best]:.3f} instead of {worst[usual]:.3f}, at a price '
        f"(means over seeds, simulated photographs): {', '.join(lost)}."
    )


def _whole(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _span(values: pd.Series) -> str:
    return f"{values.min():.3f} to {values.max():.3f}"
