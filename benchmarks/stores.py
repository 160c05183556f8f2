"""What the stores cost: pixels decoded once, maps of a frozen stem made once, and training from
either where the pool is larger than the memory that it may take.

    python -m benchmarks.stores measure [--pictures 20000] [--folder F] [--to stores.csv]
    python -m benchmarks.stores plan [--pictures 140000] [--cores 2]

`measure` makes pictures by code (stores_pictures), 512 x 384 px as KOKA10K's, and, in this order:

    decode   milliseconds of CPU a picture, one process, ways taken in turns: Pillow alone, at a
             reduced size (draft), simplejpeg, Pillow and the resampling that every reader needs,
             and the whole import into a data folder (hash, decode, look for damage, resample,
             write), with its parts; JPEG and PNG
    maps     the same of a frozen stem: its forward pass alone, and the whole store
    network  a step of FixMatch of the profile `paper`, from what a few pictures take, of its ViT
             and of the walk's on a frozen stem
    import   all the pictures, by a process of its own that is killed (SIGKILL) on the way and
             started again; what of it was made is noted every quarter, with its memory
    build    their maps, likewise
    steps    FixMatch from pixels and from maps, of a tenth of the pool and of all of it, held and
             gathered (networks.blocks): milliseconds and memory a step

cpu_ms is CPU time of all threads, in import and build with the start of Python, in milliseconds;
share: of the bare way of the same form (Pillow alone, the forward pass alone). predicted_ms: what
`decode` or `maps` say of a few hundred pictures, taken for what all will cost. Everything that was
made is deleted. `plan` says from that what other numbers of pictures cost (tables.stores_table)."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch

from riqa_lib import paths, provenance, store
from riqa_lib.datasets.data_folder import DataSet, open_dataset
from riqa_lib.networks import blocks, lite0, map_store
from riqa_lib.networks.sources import Source
from riqa_lib.tables import stores_table
from riqa_lib.training import bench, loop, photographs

from . import stores_pictures
from .stores_rates import SIZES, decode_rates, imported, map_rates, network_rates

FEW = 64  # pictures of a rate
ROUNDS = 3  # in which ways of decoding are taken in turns
KILLED_AT = 0.4  # share of the pictures
LOOK = 0.2  # s between two looks at a process
STEPS = 3  # timed, after one to warm up
# of the available memory, so little that a pool of some thousand pictures is gathered
FORCED = "0.01"
CROPS = {"pixels": 64, "maps": 96}
PARTS = ("decode", "maps", "network", "stores", "steps")
OF = {"stores": ("import", "build")}  # what a part's rows are called, where it has two kinds
ALL = tuple(what for part in PARTS for what in OF.get(part, (part,)))


# ---------------------------------------------------------------- all of them, killed on the way
def _of_all(process: psutil.Process) -> tuple[float, float]:
    """CPU seconds so far, and MiB of its own (no pages of files), of a process."""
    its = process.memory_info()
    return sum(process.cpu_times()[:2]), (its.rss - its.shared) / 2**20


def watched(
    typed: list[str], grows: Callable[[], int], total: int, kill_at: float | None
) -> list[dict[str, Any]]:
    """Run a command whose work is `grows()` bytes of `total`: a row a quarter, and one for all."""
    process, began = psutil.Popen(typed), time.monotonic()
    first = grows()
    rows, cpu, memory, peak = [], 0.0, 0.0, 0.0
    quarter = first * 4 // total + 1
    while process.poll() is None:
        try:
            cpu, memory = _of_all(process)
        except psutil.Error:
            break
        peak, there = max(peak, memory), grows()
        if there * 4 // total >= quarter and there < total:
            quarter = there * 4 // total + 1
            rows.append({"part": f"{quarter - 1} quarters", "peak_mib": peak})
        if kill_at is not None and there >= kill_at * total:
            process.send_signal(signal.SIGKILL)
            process.wait()
            break
        time.sleep(LOOK)
    assert kill_at is not None or process.wait() == 0, f"{typed} ended with {process.returncode}"
    done = {"part": "until killed" if kill_at else "resumed", "peak_mib": peak}
    done |= {"cpu_s": cpu, "seconds": time.monotonic() - began, "done": grows() - first}
    return [*rows, done]


def _size_of(folder: Path, *patterns: str) -> int:
    """Bytes of the files of these patterns in a folder."""
    found = [file for pattern in patterns for file in folder.glob(pattern)]
    return sum(file.stat().st_size for file in found if file.exists())


def all_of_them(
    folder: Path, count: int, size: int, decode: pd.DataFrame, maps: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    """The rows of "import" and "build". decode, maps: rates, by which they are predicted."""
    stores_pictures.written(folder / "jpg", count, processes=os.cpu_count() or 1)
    each = {"import": size * size * 3, "build": map_bytes(size)}
    grown = {"import": (".pixels-*.part", "pixels.npy"), "build": (".maps-*.part", "maps-*.npy")}
    said = {
        "import": decode.loc[decode["way"] == f"import {size}", "cpu_ms"],
        "build": maps.loc[maps["way"] == f"maps {size}", "cpu_ms"],
    }
    data = folder / "all"
    for what, patterns in grown.items():
        typed = [sys.executable, "-m", "benchmarks.stores", what, "--folder", str(folder)]
        typed += ["--pictures", str(count), "--size", str(size)]
        grows, total = partial(_size_of, data, *patterns), each[what] * count
        for kill_at in (KILLED_AT, None):
            for row in watched(typed, grows, total, kill_at):
                made = row.pop("done", 0) / each[what]
                if made:
                    row |= {"cpu_ms": 1e3 * row.pop("cpu_s") / made, "pictures": round(made)}
                    row |= {"predicted_ms": float(said[what].iloc[0]), "bytes": grows()}
                yield {"what": what, "form": "jpg", "way": f"{what} {size}"} | row
    assert len(open_dataset(data)) == count


def map_bytes(size: int) -> int:
    """Bytes of the maps of a picture, and its mirror image, of this size."""
    grid = -(-size // lite0.STRIDE)
    return 2 * grid * grid * lite0.channels(True) * 2


# ---------------------------------------------------------------- steps
def steps(folder: Path, way: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of "steps" of one way, measured in this process: first all that gathers, since pages of
    files stay where a pool is held."""
    data = open_dataset(folder / "all")
    frozen: dict[str, object] = {"model.freeze": way == "maps", "model.skip": False}
    frozen |= {"model.weights": "imagenet", "data.crop": CROPS[way], "data.size": data.info["size"]}
    run = photographs.settings("demo", "fixmatch", 0, frozen)
    for part, share in (("gathered", FORCED), ("held", "1")):
        os.environ[blocks.SHARE] = share
        source = photographs.source_of(run, data)
        assert isinstance(source, blocks.Blocks) == (part == "gathered"), part
        for pictures in (count // 10, count):
            few = DataSet(data.folder, data.frame.iloc[:pictures], data.pixels, data.info)
            row = {"what": "steps", "way": way, "part": part, "pictures": pictures}
            yield row | _some_steps(run, few, source)


def _some_steps(run: photographs.Run, data: DataSet, source: Source) -> dict[str, Any]:
    """Milliseconds of CPU of a step, and the most memory since the first, the pages of files that
    the process has before it among it, when the whole pool has been seen."""
    rows, grades = photographs.rows_of(run, data), data.frame["grade"].to_numpy()
    material = loop.Material(
        source, rows["labelled"], grades[rows["labelled"]], rows["unlabelled"],
        rows["val"], grades[rows["val"]],
    )  # fmt: skip
    method = photographs.build(run, data, rows["labelled"], source)
    trainer = loop.Trainer(method, material, run.train, 0)
    trainer.step()
    bench.forget_peak()
    times = []
    for _ in range(STEPS):
        began = time.process_time()
        trainer.step()
        times.append(1e3 * (time.process_time() - began))
    for chunk in torch.from_numpy(rows["unlabelled"]).split(128):
        source.view(chunk, method.weak_policy, method.net.tokens, torch.Generator())
    return {"cpu_ms": statistics.median(times), "peak_mib": bench.peak_memory() / 2**20}


def step_rows(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """The rows of "steps", each way in a process of its own."""
    for way in CROPS:
        file = folder / "steps.csv"
        typed = [sys.executable, "-m", "benchmarks.stores", "steps", "--folder", str(folder)]
        typed += ["--pictures", str(count), "--way", way, "--to", str(file)]
        subprocess.run(typed, check=True)
        yield from store.read_table(file).to_dict("records")


# ---------------------------------------------------------------- the command
def measured(
    folder: Path, count: int, to: Path, only: Sequence[str] = PARTS, few: int = FEW
) -> pd.DataFrame:
    """Every row, written to a table as they come; the pictures are made below `folder`. only: some
    of PARTS, measured anew beside what the table has of the others."""
    before = store.read_table(to) if {*only} != {*PARTS} else pd.DataFrame({"what": []})
    found = {what: before[before["what"] == what].to_dict("records") for what in ALL}
    about = {"machine": provenance.machine(), "torch": torch.__version__}

    def rates(what: str) -> pd.DataFrame:
        return pd.DataFrame(found[what])

    works: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "decode": lambda: decode_rates(folder / "few", few, ROUNDS),
        "maps": lambda: map_rates(folder / "few", 4 * few, 1),  # the stem is loaded each time
        "network": lambda: network_rates(1),
        "stores": lambda: all_of_them(folder, count, SIZES[0], rates("decode"), rates("maps")),
        "steps": lambda: step_rows(folder, count),
    }
    for part in only:
        for what in OF.get(part, (part,)):
            found[what] = []
        for row in works[part]():
            found[row["what"]].append(row | {"load": round(os.getloadavg()[0], 1)} | about)
            store.write_table(to, pd.DataFrame([r for what in ALL for r in found[what]]))
            print(row, flush=True)
    return store.read_table(to)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    own = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    own.add_argument("what", choices=("measure", "plan", "import", "build", "steps"))
    own.add_argument("--pictures", type=int, help="20,000 to measure, 140,000 to plan")
    own.add_argument("--folder", type=Path, help="where pictures and stores are made")
    own.add_argument("--cores", type=int, default=2, help="plan: cores that work")
    own.add_argument("--size", type=int, default=SIZES[0])
    own.add_argument("--way", choices=tuple(CROPS), default="maps")
    own.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="measure these anew")
    own.add_argument("--to", type=Path, default=paths.reference() / stores_table.STORED)
    chosen = own.parse_args(arguments)
    count = chosen.pictures or (140_000 if chosen.what == "plan" else 20_000)
    torch.set_num_threads(1)
    if chosen.what == "plan":
        print(stores_table.plan(count, (chosen.cores,)))
    elif chosen.what == "import":
        frame = stores_pictures.frame(count)
        imported(chosen.folder / "jpg", frame, chosen.folder / "all", chosen.size, 2)
    elif chosen.what == "build":
        map_store.open_maps(open_dataset(chosen.folder / "all"), progress=False)
    elif chosen.what == "steps":
        store.write_table(chosen.to, pd.DataFrame(steps(chosen.folder, chosen.way, count)))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measured(chosen.folder or Path(temporary), count, chosen.to, chosen.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
