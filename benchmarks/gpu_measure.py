"""What a step costs on this machine and where its time goes, on made-up pictures, into OUT:
machine.json, bench-gpu.csv (`riqa bench`, from pixels and from a frozen stem's maps), where.csv.

Each table is written anew after every row, so whoever stops this has what was measured so far."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from riqa_lib import provenance, store
from riqa_lib.networks.device import device, threads
from riqa_lib.training import bench

from .gpu_sizes import MEASURED, SIZES

MADE_UP = "simulated: made-up pictures"
FORMS = {form: bench.FORMS[form] for form in ("pixels", "maps")}
LOOKED_INTO = ("supervised", "simmatch")
Line = tuple[str, float, float]  # what, count a step, milliseconds a step
LONGEST = 12  # kernels that where.csv names
# what a step does to the GPU without computing, by the name of the CUDA call
CALLS = {
    "waits for the GPU": ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"),
    "copies started": ("cudaMemcpyAsync",),
    "kernels started": ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel"),
}


def machine(size: str) -> dict[str, object]:
    """Hardware, software and settings, for machine.json."""
    name, changes, steps = SIZES[size]
    found: dict[str, object] = {
        "data": "simulated",
        "size": size,
        "profile": name,
        "settings": changes,
        "timed_steps": steps,
        "threads": threads(),
        "cuda": torch.version.cuda,
        **provenance.provenance(),
    }
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": gpu.name,
            "gpu_memory_gib": round(gpu.total_memory / 2**30, 1),
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


# ---------------------------------------------------------------- where a step's time goes
def where_time_goes(size: str, form: str, row: str) -> Iterator[dict[str, object]]:
    """Rows of where.csv of one method: method, form, what, count (a step), ms (a step), share (of
    the step's time). The step is timed alone, then looked into with torch's profiler, which makes
    it slower on the CPU: shares are of the time without it."""
    name, changes, steps = SIZES[size]
    its = bench.work(name, row, device(), changes | FORMS[form])
    (seconds,) = bench.timed(max(3, steps), its.step)
    events = looked_into(its.step, steps)
    lines = [("step", 1.0, 1e3 * seconds), *computing(events, steps), *calling(events, steps)]
    lines += [(f"waits at {line}", float(n), 0.0) for line, n in bench.waits(its.step).items()]
    for what, count, ms in lines:
        yield {
            "data": MADE_UP,
            "form": form,
            "method": row,
            "what": what,
            "count": round(count, 1),
            "ms": round(ms, 3),
            "share": round(ms / (1e3 * seconds), 4),
        }


def computing(events: list[Any], steps: int) -> list[Line]:
    """What computes: all of it, then the longest kernels (operations on a machine with no GPU)."""
    found = [e for e in events if e.device_type == DeviceType.CUDA]
    where = "GPU busy" if found else "CPU busy"
    found = found or events
    each = [(e.key[:90], e.count / steps, _ms(e) / steps) for e in found]
    whole = (where, sum(count for _, count, _ in each), sum(ms for _, _, ms in each))
    return [whole, *sorted(each, key=lambda line: -line[2])[:LONGEST]]


def calling(events: list[Any], steps: int) -> list[Line]:
    """What the CPU asks of the GPU, by kind of call."""
    lines = []
    for what, calls in CALLS.items():
        mine = [e for e in events if e.key in calls]
        count, took = sum(e.count for e in mine), sum(e.self_cpu_time_total for e in mine)
        lines.append((what, count / steps, took / 1e3 / steps))
    return lines


def looked_into(step: Callable[[], object], steps: int) -> list[Any]:
    """The profiler's events of so many steps, summed by name."""
    kinds = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        kinds.append(ProfilerActivity.CUDA)
    with profile(activities=kinds) as found:
        for _ in range(steps):
            step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    # what a program notes beside its kernels spans their time a second time
    return [e for e in found.key_averages() if not getattr(e, "is_user_annotation", False)]


def _ms(event: Any) -> float:
    on_gpu = event.device_type == DeviceType.CUDA
    return (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e3


# ---------------------------------------------------------------- all of it
def benched(size: str) -> Iterator[dict[str, object]]:
    """Rows of bench-gpu.csv: those of `riqa bench`, in both forms."""
    name, changes, steps = SIZES[size]
    precision = "bfloat16" if torch.cuda.is_available() else "fp32"
    for form in FORMS:
        print(f"--- from {form}", flush=True)
        try:
            for row in islice(bench.measured(name, steps, changes, form), MEASURED[size]):
                yield {"data": MADE_UP, "peak_of": precision, **row}
        except torch.OutOfMemoryError as e:  # the other form, and what follows, may fit
            print(f"from {form}: no further method, {e}", flush=True)


def kept(rows: Iterator[dict[str, object]], file: Path) -> None:
    """Write the rows as a table, anew after each."""
    found = []
    for row in rows:
        found.append(row)
        store.write_table(file, pd.DataFrame(found).round(4))


def main() -> int:
    """All of it, into OUT, at SIZE."""
    out, size = Path(os.environ["OUT"]), os.environ["SIZE"]
    found = machine(size)
    store.write_json(out / "machine.json", found)
    print({k: found[k] for k in ("machine", "versions", "cuda")}, flush=True)
    kept(benched(size), out / "bench-gpu.csv")
    looked = (r for form in FORMS for m in LOOKED_INTO for r in where_time_goes(size, form, m))
    kept(looked, out / "where.csv")
    table = pd.read_csv(out / "where.csv").query("count > 0")
    print(table.drop(columns="data").to_string(index=False, max_colwidth=60))
    return 0


if __name__ == "__main__":
    sys.exit(main())
