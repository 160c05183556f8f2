"""What a training step costs, and what the hardware allows: `python -m riqa_lib bench`."""

from __future__ import annotations

import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .. import provenance, store
from ..networks import device, lite0
from ..networks.precision import mixed
from ..networks.sources import Maps, Pixels, Source
from ..networks.vit import ViT
from ..seeding import rng
from ..ssl.base import Batch
from . import loop, photographs


def timed(repeats: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each call, `in_turns`."""
    return [statistics.median(t) for t in in_turns(repeats, *works)]


def in_turns(repeats: int, *works: Callable[[], object]) -> list[list[float]]:
    """Seconds of each call, `repeats` of them, taken in turns (so that what else the machine does
    hits all), after one to warm up."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for work, seconds in zip(works, times, strict=True):
            wait()
            began = time.perf_counter()
            work()
            wait()
            seconds.append(time.perf_counter() - began)
    return [t[1:] for t in times]


def peak(where: torch.device) -> float:
    """Floating-point operations a second of a large matrix product: what the hardware gives to a
    simple program."""
    n = 8192 if where.type == "cuda" else 1536
    a = torch.randn(
        n, n, device=where, dtype=torch.bfloat16 if where.type == "cuda" else torch.float32
    )
    return 2 * n**3 / timed(5, lambda: a @ a)[0]


def bandwidth(where: torch.device) -> float:
    """Bytes a second of a large copy, read and written: what the memory gives to a simple
    program."""
    source = torch.ones(2**28 if where.type == "cuda" else 2**25, device=where)
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(5, lambda: target.copy_(source))[0]


# Networks that are measured: the settings of each, beside the profile's
FORMS: dict[str, dict[str, object]] = {
    "maps": {
        "model.arch": "", "model.stem": "lite0", "model.weights": "imagenet",
        "model.freeze": True,
    },
    "pixels": {
        "model.arch": "", "model.stem": "lite0", "model.weights": "imagenet",
        "model.freeze": False,
    },
    "timm ViT": {
        "model.arch": "vit_tiny_patch16_224", "model.stem": "conv", "model.weights": "none",
        "model.freeze": False, "model.skip": False,
    },
}  # fmt: skip
ABOUT_FORMS = {
    "maps": "hybrid ViT on the stored maps of its frozen stem",
    "pixels": "hybrid ViT, stem and all, from pixels",
    "timm ViT": "timm's ViT-Tiny/16, from pixels",
}
PARTS = ("views", "forward", "backward", "clip", "optimiser", "average")  # of a step, in order


def bench(
    profile: str,
    steps: int,
    overrides: dict[str, object] | None = None,
    forms: tuple[str, ...] = ("",),
) -> pd.DataFrame:
    """Measure each method, print it as it comes, and return it: one row a form and method, with
    machine and software.

    forms: of FORMS; "": the profile's own network. overrides: other settings, as
    `photographs.settings` takes them. Columns: form, method, pictures (through the network in a
    step), step_ms, bare_ms (forward + backward of the same pictures alone), ratio (of the two, the
    median over turns in which one follows the other), pictures_per_second, share_of_peak (the bare
    network's operations a second over a matrix product's), views_ms, share_of_bandwidth (bytes
    that views have to read and write at least, a second, over those of a large copy), one column
    of PARTS each (ms, measured one after the other, so their sum is a little more than a step),
    waits (times that a step lets the CPU wait for the GPU; none on a CPU), peak_gib (memory: on a
    GPU what was allocated, on a CPU the process), gflops_peak, gb_per_second, size, profile,
    machine, threads, torch."""
    return pd.DataFrame(r for form in forms for r in measured(profile, steps, overrides, form))


def measured(
    profile: str, steps: int, overrides: dict[str, object] | None = None, form: str = ""
) -> Iterator[dict[str, Any]]:
    """The rows of `bench` of one form, each when it has been measured."""
    device.threads()
    where = device.device()
    top, copied = peak(where), bandwidth(where)
    changes = {**(overrides or {}), **(FORMS[form] if form else {})}
    about = {
        "size": photographs.settings(profile, "supervised", 0, changes).data.crop,
        "profile": profile,
        "machine": provenance.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(
        f"{about['machine']}; {about['threads']} threads; torch {about['torch']}; profile {profile}"
        + (f"; {ABOUT_FORMS[form]}" if form else "")
    )
    print(f"a matrix product reaches {top / 1e9:.0f} GFLOP/s, a copy {copied / 1e9:.0f} GB/s")
    print(f"{'method':20} pictures  step ms  bare ms  ratio  pict./s  of peak  views ms")
    for row in (
        "supervised",
        "supervised_strong",
        *(m for m in photographs.METHODS if m != "supervised"),
    ):
        found = measure(profile, row, steps, where, changes)
        r: dict[str, Any] = {
            "form": form or "profile",
            "method": row,
            "pictures": int(found["pictures"]),
            "step_ms": 1e3 * found["step"],
            "bare_ms": 1e3 * found["bare"],
            "ratio": found["ratio"],
            "pictures_per_second": found["pictures"] / found["step"],
            "share_of_peak": found["flops"] / found["bare"] / top,
            "views_ms": 1e3 * found["views"],
            "share_of_bandwidth": found["view_bytes"] / found["views"] / copied,
            **{f"{part}_part_ms": 1e3 * found[part + "_part"] for part in PARTS},
            "waits": int(found["waits"]),
            "peak_gib": found["memory"] / 2**30,
            "gflops_peak": top / 1e9,
            "gb_per_second": copied / 1e9,
            **about,
        }
        print(
            f"{row:20} {r['pictures']:8} {r['step_ms']:8.1f} {r['bare_ms']:8.1f} {r['ratio']:6.2f} "
            f"{r['pictures_per_second']:8.0f} {r['share_of_peak']:8.1%} {r['views_ms']:8.1f}",
            flush=True,
        )
        yield r


def keep(table: pd.DataFrame, file: Path) -> None:
    """Store these rows, behind those of other machines and numbers of threads that lie there."""
    stored = store.read_table(file) if file.exists() else table.iloc[:0]
    place = ["machine", "threads"]
    others = stored.set_index(place).index.isin(table.set_index(place).index)
    store.write_table(file, pd.concat([stored[~others], table.round(4)]))


def made_up(run: photographs.Run, where: torch.device) -> Source:
    """600 pictures of noise, or maps as a frozen stem would have stored them."""
    side = run.data.size
    if not run.model.freeze:
        pixels = torch.from_numpy(rng("bench").integers(0, 256, (600, side, side, 3), np.uint8))
        return Pixels(pixels.to(where), run.data.crop)
    grid, channels = -(-side // lite0.STRIDE), lite0.channels(run.model.scales)
    maps = rng("bench").standard_normal((600, 2, grid, grid, channels)).astype(np.float16)
    stored, mean = torch.from_numpy(maps).to(where), torch.zeros(channels)
    return Maps(stored, run.data.crop // lite0.STRIDE, mean)


class Work(NamedTuple):
    """What is timed of one method, on made-up pictures. step, bare (forward + backward of the same
    pictures alone) and views: calls; parts: seconds of each of PARTS of a step; pictures: through
    the network in a step; flops: of the bare work."""

    step: Callable[[], object]
    bare: Callable[[], object]
    views: Callable[[], Batch]
    parts: Callable[[], dict[str, float]]
    pictures: int
    flops: float


def work(
    profile: str, row: str, where: torch.device, overrides: dict[str, object] | None = None
) -> Work:
    """The work of a step of one method, one step done."""
    run = photographs.settings(profile, row, 0, overrides)
    if not run.model.freeze:
        run = run.but(**{"model.weights": "none"})
    c = run.train
    net = ViT(run.model, run.data.crop, 5).to(where)
    method = photographs.made(run, net, 5, torch.full((5,), 0.2)).to(where).train()
    method.teacher = [net]
    rows = np.arange(600)
    material = loop.Material(
        source=made_up(run, where),
        labelled=rows[:200],
        grades=rows[:200] % 5,
        unlabelled=rows[200:],
        val=rows[:50],
        val_grades=rows[:50] % 5,
    )
    precision = mixed(net, where, c.precision)
    optim, average = loop.optimiser(method, c), loop.Average(net, c.ema)
    counter = iter(range(10**9))

    def views() -> Batch:
        return loop.batch_of(material, method, c, 0, next(counter), net.tokens)

    def step() -> None:
        loop.one_step(method, (views(),), optim, c.lr, c.clip, precision)
        average.update(1000)

    def parts() -> dict[str, float]:
        clock = _Clock()
        batch = views()
        clock.lap("views")
        with precision:
            out = method(batch)
        clock.lap("forward")
        optim.zero_grad(set_to_none=True)
        out["loss"].backward()
        clock.lap("backward")
        if c.clip:
            nn.utils.clip_grad_norm_(method.parameters(), c.clip)
        clock.lap("clip")
        optim.step()
        clock.lap("optimiser")
        average.update(1000)
        clock.lap("average")
        return clock.laps

    with loop.passes(net) as shown:
        step()

    def bare() -> None:
        net.zero_grad(set_to_none=True)
        with precision:
            with torch.no_grad():
                for images in (p for p, learns in shown if not learns):
                    net(images)
            out = sum(net(images)[0].sum() for images in (p for p, learns in shown if learns))
        out.backward()

    return Work(step, bare, views, parts, sum(len(i) for i, _ in shown), flops_of(net, shown))


@torch.no_grad()
def flops_of(net: nn.Module, shown: list[tuple[torch.Tensor, bool]]) -> float:
    """Floating-point operations of these passes (pictures, whether with gradients): a forward pass
    as torch counts it, a backward pass as two of them. Not torch's count of the backward pass,
    which takes a depthwise convolution for a dense one (torch 2.15)."""
    total = 0.0
    for images, learns in shown:
        few = images[:2]
        with FlopCounterMode(display=False) as counted:
            net(few)
        total += counted.get_total_flops() * len(images) / len(few) * (3 if learns else 1)
    return total


class _Clock:
    """Seconds between laps, each when the GPU has done what it was given."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.now = self._time()

    def _time(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def lap(self, name: str) -> None:
        before, self.now = self.now, self._time()
        self.laps[name] = self.now - before


def measure(
    profile: str,
    row: str,
    steps: int,
    where: torch.device,
    overrides: dict[str, object] | None = None,
) -> dict[str, float]:
    """Of one method on made-up pictures: seconds of a step, of its bare forward + backward, of its
    views and of each of PARTS ("views_part", ...), medians over `steps` turns; ratio, the median
    of a turn's step over its bare work; pictures, flops, view_bytes, waits and memory (bytes)."""
    forget_peak()
    its = work(profile, row, where, overrides)
    turns = in_turns(steps, its.step, its.bare, its.views)
    parts = [its.parts() for _ in range(steps + 1)][1:]
    step, bare, seen = (statistics.median(t) for t in turns)
    return {
        "step": step,
        "bare": bare,
        "views": seen,
        "ratio": statistics.median(a / b for a, b in zip(turns[0], turns[1], strict=True)),
        **{f"{name}_part": statistics.median(p[name] for p in parts) for name in PARTS},
        "pictures": its.pictures,
        "flops": its.flops,
        "view_bytes": view_bytes(its.views()),
        "waits": sum(waits(its.step).values()),
        "memory": peak_memory(),
    }


def view_bytes(batch: Batch) -> int:
    """Bytes that making a batch's views has to move at least: what is read of the store (uint8
    pixels or float16 maps) and what is written."""
    every = [v.images for v in (batch.x, batch.s, *batch.u.values()) if v is not None]
    stored = [1 if images.shape[1] == 3 else 2 for images in every]
    return sum(x.numel() * (x.element_size() + b) for x, b in zip(every, stored, strict=True))


def waits(step: Callable[[], object]) -> dict[str, int]:
    """Where one step makes the CPU wait for the GPU, "file:line", and how often; none on a CPU."""
    if not torch.cuda.is_available():
        return {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    mine = [w for w in said if "synchroni" in str(w.message)]
    return dict(Counter(f"{Path(w.filename).name}:{w.lineno}" for w in mine))


def forget_peak() -> None:
    """Begin to measure `peak_memory` anew."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():  # Linux: the highest so far becomes what is now
        with suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def peak_memory() -> float:
    """The most memory taken since `forget_peak`, bytes: on a GPU allocated there, on a CPU by the
    process; not a number where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    (line,) = [t for t in status.read_text().splitlines() if t.startswith("VmHWM")]
    return 1024 * float(line.split()[1])
