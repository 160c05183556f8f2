"""What a training step costs, from the tracked measurements: results/reference/bench.csv (`riqa
bench --keep`, a laptop's CPU) and results/reference/gpu/bench-gpu.csv (benchmarks/gpu.sh)."""

from __future__ import annotations

from collections.abc import Mapping

from .. import paths, store
from .names import name_of
from .text import markdown

HEAD = ["pictures a step", "ms a step", "step over bare forward + backward", "pictures a second"]


def _cells(row: Mapping) -> list[str]:
    return [
        str(int(row["pictures"])),
        f"{row['step_ms']:.0f}",
        f"{row['ratio']:.2f}",
        f"{row['pictures_per_second']:,.0f}",
        f"{row['share_of_peak']:.0%}",
    ]


def _peak(row: Mapping) -> str:
    return f"a matrix product reaches {row['gflops_peak']:,.0f} GFLOP/s"


def show_bench() -> str:
    """The table of `python -m riqa_lib bench --keep` as markdown, or a line that says there is none
    yet."""
    file = paths.reference() / "bench.csv"
    if not file.exists():
        return "No benchmark is stored yet: `python -m riqa_lib bench --keep`."
    rows = store.read_table(file).to_dict("records")
    about = rows[0]
    said = (
        f"{about['machine']}; {about['threads']} thread; torch {about['torch']}; "
        f"profile {about['profile']}; {_peak(about)}."
    )
    head = ["", *HEAD, "share of matrix product"]
    return markdown(head, [[name_of(r["method"]), *_cells(r)] for r in rows]) + "\n\n" + said


def show_gpu() -> str:
    """The same on a GPU, of networks trained from pixels and from the maps of a frozen stem, as
    markdown; or a line that says there is none yet."""
    file = paths.reference() / "gpu" / "bench-gpu.csv"
    if not file.exists():
        return "Nothing was measured on a GPU yet: `benchmarks/gpu.sh`, see GPU.md."
    rows = store.read_table(file).to_dict("records")
    head = ["", "trained from", *HEAD, "share of matrix product (bfloat16)"]
    table = markdown(head, [[name_of(r["method"]), r["form"], *_cells(r)] for r in rows], [0, 1])
    machine = store.read_json(file.parent / "machine.json")
    said = (
        f"{machine['gpu']}; {machine['machine'].split(',')[0]}; torch {rows[0]['torch']}; "
        f"hybrid ViT of width {machine['settings']['model.width']} and depth "
        f"{machine['settings']['model.depth']}, {machine['settings']['data.crop']} px; made-up "
        f"pictures; {_peak(rows[0])}."
    )
    return f"{table}\n\n{said}"
