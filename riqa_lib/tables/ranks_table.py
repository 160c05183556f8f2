"""What it costs to share a training between processes, from results/reference/ranks.csv
(benchmarks/ranks_cpu.py)."""

from __future__ import annotations

import pandas as pd

from .. import paths, store
from .names import name_of
from .text import markdown

HEAD = [
    "method", "network", "pictures a step", "one process: pictures a second",
    "two: pictures a second", "processor seconds a picture, two over one",
]  # fmt: skip


def show() -> str:
    """Two processes beside one, as markdown; a line that says there is none yet."""
    file = paths.reference() / "ranks.csv"
    if not file.exists():
        return "What sharing costs is not measured yet: `python -m benchmarks.ranks_cpu`."
    return text_of(store.read_table(file))


def text_of(table: pd.DataFrame) -> str:
    """The same of such a table."""
    cells = []
    for (network, method), its in table.groupby(["network", "method"], sort=False):
        one, two = (its[its["processes"] == n].iloc[0] for n in (1, 2))
        cells.append([
            name_of(str(method)), str(network), str(int(one["pictures"])),
            *(f"{r['pictures_per_second']:,.0f}" for r in (one, two)),
            f"{two['cpu_ms_a_picture'] / one['cpu_ms_a_picture']:.2f}",
        ])  # fmt: skip
    about = table.iloc[0]
    said = (
        f"{about['machine']}, no GPU, torch {about['torch']}, load {about['load']:g} (other work "
        "counts in it: compare processor seconds, which wait for nobody); profile "
        f"{about['profile']}, made-up pictures. One process of two threads, or two of one, took "
        f"turns: medians of {about['rounds']:g} rounds of {about['steps']:g} steps. So this is the "
        "price of gathering and averaging on a CPU, and says nothing of GPUs. Networks from pixels "
        "have batch norms; over several processes on a CPU they are plain torch operations "
        "(`networks/synced_norm.py`), on a GPU torch's own."
    )
    return f"{markdown(HEAD, cells, [0, 1])}\n\n{said}"
