"""What a training step costs, and what the hardware allows: `python -m riqa_lib bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from .. import provenance
from ..networks import device, lite0
from ..networks.precision import mixed
from ..networks.sources import Maps, Pixels, Source
from ..networks.vit import ViT
from ..seeding import rng
from ..ssl.base import Batch
from . import loop, photographs


def timed(repeats: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each call, taken in turns (so that what else the machine does hits all),
    after one to warm up."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for work, seconds in zip(works, times, strict=True):
            wait()
            began = time.perf_counter()
            work()
            wait()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(t[1:]) for t in times]


def peak(where: torch.device) -> float:
    """Floating-point operations a second of a large matrix product: what the hardware gives to a
    simple program."""
    n = 8192 if where.type == "cuda" else 1536
    a = torch.randn(
        n, n, device=where, dtype=torch.bfloat16 if where.type == "cuda" else torch.float32
    )
    return 2 * n**3 / timed(5, lambda: a @ a)[0]


def bench(profile: str, steps: int, overrides: dict[str, object] | None = None) -> pd.DataFrame:
    """Measure each method, print it as it comes, and return it: one row a method, with machine and
    software.

    overrides: other settings, as `photographs.settings` takes them. Columns: method, pictures
    (through the network in a step), step_ms, bare_ms (forward + backward of the same pictures
    alone), ratio, pictures_per_second, share_of_peak (the bare network's operations a second over a
    matrix product's), views_ms, gflops_peak, profile, machine, threads, torch."""
    return pd.DataFrame(measured(profile, steps, overrides))


def measured(
    profile: str, steps: int, overrides: dict[str, object] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of `bench`, each when it has been measured."""
    device.threads()
    where = device.device()
    top = peak(where)
    about = {
        "profile": profile,
        "machine": provenance.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(
        f"{about['machine']}; {about['threads']} threads; torch {about['torch']}; profile {profile}"
    )
    print(f"a matrix product reaches {top / 1e9:.0f} GFLOP/s")
    print(f"{'method':20} pictures  step ms  bare ms  ratio  pict./s  of peak  views ms")
    for row in (
        "supervised",
        "supervised_strong",
        *(m for m in photographs.METHODS if m != "supervised"),
    ):
        found = measure(profile, row, steps, where, overrides)
        r: dict[str, Any] = {
            "method": row,
            "pictures": int(found["pictures"]),
            "step_ms": 1e3 * found["step"],
            "bare_ms": 1e3 * found["bare"],
            "ratio": found["step"] / found["bare"],
            "pictures_per_second": found["pictures"] / found["step"],
            "share_of_peak": found["flops"] / found["bare"] / top,
            "views_ms": 1e3 * found["views"],
            "gflops_peak": top / 1e9,
            **about,
        }
        print(
            f"{row:20} {r['pictures']:8} {r['step_ms']:8.1f} {r['bare_ms']:8.1f} {r['ratio']:6.2f} "
            f"{r['pictures_per_second']:8.0f} {r['share_of_peak']:8.1%} {r['views_ms']:8.1f}",
            flush=True,
        )
        yield r


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
    pictures alone) and views: calls; pictures: through the network in a step."""

    step: Callable[[], object]
    bare: Callable[[], object]
    views: Callable[[], object]
    pictures: int


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

    return Work(step, bare, views, sum(len(images) for images, _ in shown))


def measure(
    profile: str,
    row: str,
    steps: int,
    where: torch.device,
    overrides: dict[str, object] | None = None,
) -> dict[str, float]:
    """Times of one method on made-up pictures: seconds of a step, of its bare forward + backward,
    of its views."""
    its = work(profile, row, where, overrides)
    with FlopCounterMode(display=False) as flops:
        its.bare()
    times = timed(steps, its.step, its.bare, its.views)
    seconds = dict(zip(("step", "bare", "views"), times, strict=True))
    return seconds | {"pictures": its.pictures, "flops": flops.get_total_flops()}
