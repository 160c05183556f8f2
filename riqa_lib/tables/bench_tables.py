"""What a training step costs, from the tracked measurements: results/reference/bench.csv (`riqa
bench --keep`, a CPU), results/reference/gpu (benchmarks/gpu.sh) and, beside a usual pipeline,
usual.csv of both (benchmarks/usual_pipeline.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .. import paths, store
from .fitting import counted
from .names import name_of
from .text import markdown

HEAD = [
    "",
    "network",
    "pictures a step",
    "ms a step",
    "step over bare forward + backward",
    "pictures a second",
    "share of matrix product",
    "views, forward, backward, rest (ms)",
    "GiB",
]
REST = ("clip", "optimiser", "average")
USUAL_HEAD = [
    "",
    "compared",
    "ours, pictures a second",
    "usual, pictures a second",
    "times faster",
    "usual: waits for pictures (ms a step)",
]


def by_machine(table: pd.DataFrame) -> list[pd.DataFrame]:
    """`riqa bench`'s rows of each machine and number of threads; the last measured is the last."""
    return [rows for _, rows in table.groupby(["machine", "threads"], sort=False)]


def _cells(row: Mapping) -> list[str]:
    """A row of the table."""
    parts = [row[f"{part}_part_ms"] for part in ("views", "forward", "backward")]
    parts.append(sum(row[f"{part}_part_ms"] for part in REST))
    return [
        name_of(row["method"]),
        row["form"],
        str(int(row["pictures"])),
        f"{row['step_ms']:.0f}",
        f"{row['ratio']:.2f}",
        f"{row['pictures_per_second']:,.0f}",
        f"{row['share_of_peak']:.0%}",
        ", ".join(f"{ms:.0f}" for ms in parts),
        f"{row['peak_gib']:.1f}",
    ]


def _peak(row: Mapping) -> str:
    return (
        f"a matrix product reaches {row['gflops_peak']:,.0f} GFLOP/s, "
        f"a copy {row['gb_per_second']:,.0f} GB/s"
    )


def _bandwidth(rows: list[dict]) -> str:
    """What the views make of the memory's bandwidth."""
    shares = [row["share_of_bandwidth"] for row in rows]
    return (
        f"Views move at least what they read and write: {min(shares):.1%} to {max(shares):.1%} of "
        "the bandwidth of a copy."
    )


def show_bench() -> str:
    """The table of `python -m riqa_lib bench --keep` as markdown, of the machine that was measured
    last, the ratios of all, and what a usual pipeline does; or a line that says there is none
    yet."""
    file = paths.reference() / "bench.csv"
    if not file.exists():
        return "No benchmark is stored yet: `python -m riqa_lib bench --keep`."
    machines = by_machine(store.read_table(file))
    rows = machines[-1].to_dict("records")
    about = rows[0]
    said = (
        f"{about['machine']}; {counted(int(about['threads']), 'threads')}; torch {about['torch']}; "
        f"profile {about['profile']}; {_peak(about)}. {_bandwidth(rows)} GiB: the process's."
    )
    table = markdown(HEAD, [_cells(r) for r in rows], [0, 1])
    ratios = _ratios(machines) if len(machines) > 1 else []
    return "\n\n".join([table, said, *ratios, *show_usual(paths.reference() / "usual.csv")])


def _ratios(machines: list[pd.DataFrame]) -> list[str]:
    """Step over bare passes of every machine that was measured: a row a method, a column a machine
    and network."""
    columns = {}
    for rows in machines:
        about = rows.iloc[0]
        place = f"{about['machine']}, {counted(int(about['threads']), 'threads')}"
        for form, own in rows.groupby("form", sort=False):
            columns[f"{form}: {place}"] = own.set_index("method")["ratio"]
    table = pd.DataFrame(columns).reindex(machines[-1]["method"].unique())
    cells = [
        [name_of(method), *("–" if pd.isna(r) else f"{r:.2f}" for r in ratios)]
        for method, *ratios in table.itertuples()
    ]
    said = "Step over bare forward + backward on each machine that was measured:"
    return [said, markdown(["", *columns], cells, [0])]


def show_usual(file: Path) -> list[str]:
    """Our training beside a usual pipeline (DataLoader, Pillow, torchvision), as markdown; nothing
    where it was not measured."""
    if not file.exists():
        return []
    rows = store.read_table(file).to_dict("records")
    cells = [
        [
            name_of(r["method"]),
            r["comparison"],
            f"{r['ours_pictures_per_second']:,.0f}",
            f"{r['usual_pictures_per_second']:,.0f}",
            f"{r['times_faster']:.2f}",
            f"{r['usual_mean_ms'] - r['usual_learn_ms']:.0f}",
        ]
        for r in rows
    ]
    about = rows[0]
    average = [
        "“Weak views by the average”: ours as the walk trains, whose running average sees them "
        "without gradients; the usual pipeline's one pass has gradients for them too. "
        for r in rows
        if "weak views by the average" in r["comparison"]
    ]
    said = (
        f"Whole steps, end to end, of the same network, batch and pictures (JPEG, {about['size']} "
        f"px, crops of {about['crop']} px), in one run: {about['machine']}; {about['threads']} "
        f"threads; the usual pipeline's DataLoader has {about['workers']} workers for labelled "
        f"and as many for unlabelled pictures. Means of all timed steps. {''.join(average[:1])}"
        "“Frozen store”: ours reads "
        "maps that the frozen stem made once, the usual pipeline runs it in every step. The store "
        f"of {about['stored_pictures']:,} pictures took {rows[0]['store_seconds']:.1f} s to "
        f"decode, its maps {max(r['store_seconds'] for r in rows):.1f} s."
    )
    return [markdown(USUAL_HEAD, cells, [0, 1]), said]


def show_gpu() -> str:
    """The same on a GPU, of networks trained from pixels and from the maps of a frozen stem, what a
    usual pipeline does there, and Table 2 of the walk cut to fit, as markdown; or a line that says
    there is none yet."""
    folder = paths.reference() / "gpu"
    if not (folder / "bench-gpu.csv").exists():
        return "Nothing was measured on a GPU yet: `benchmarks/gpu.sh`, see GPU.md."
    rows = store.read_table(folder / "bench-gpu.csv").to_dict("records")
    machine = store.read_json(folder / "machine.json")
    waits = int(sum(row["waits"] for row in rows))
    often = {0: "never", 1: "once"}.get(waits, f"{waits} times")
    said = (
        f"{machine['gpu']}; {machine['machine'].split(',')[0]}; torch {rows[0]['torch']}; "
        f"hybrid ViT of width {machine['settings']['model.width']} and depth "
        f"{machine['settings']['model.depth']}, {machine['settings']['data.crop']} px; bfloat16; "
        f"made-up pictures; {_peak(rows[0])}. {_bandwidth(rows)} In one step of each of these "
        f"{len(rows)} rows the CPU waits {often} in all for the GPU."
    )
    shown = [markdown(HEAD, [_cells(r) for r in rows], [0, 1]), said]
    shown += show_usual(folder / "usual.csv")
    if (folder / "table2.csv").exists():
        shown += _trained_there(folder, machine)
    return "\n\n".join(shown)


def _trained_there(folder: Path, machine: Mapping) -> list[str]:
    """What the walk trained on the GPU: rows of its Table 2, one seed."""
    table = store.read_table(folder / "table2.csv")
    runs = store.read_table(folder / "runs.csv").set_index("name")
    cells = [
        [
            r["row"],
            f"{r['mae']:.2f}",
            f"{r['srcc']:.2f}" if pd.notna(r["srcc"]) else "–",
            f"{runs['seconds'].get(r['method'], float('nan')):.0f}"
            if r["method"] in runs.index
            else "–",
        ]
        for r in table.to_dict("records")
    ]
    facts = machine["settings"]
    labels = int(table["labels"].max())
    said = (
        f"Simulated data, {labels} labels, {int(table['pictures'].max())} test pictures, "
        f"{facts['train.steps']} steps, one seed: not a comparison. The walk (notebooks "
        f"{', '.join(runs[runs['what'] == 'notebook'].index)}) took "
        f"{runs.loc[runs['what'] == 'notebook', 'seconds'].sum():.0f} s there."
    )
    head = ["trained on the GPU from pixels", "MAE", "SRCC", "seconds"]
    return [markdown(head, cells, [0]), said]
