"""What it costs to share a training between processes, where there is no GPU: two processes of one
thread each beside one process of two threads, the same global batch, made-up pictures.

    python -m benchmarks.ranks_cpu [--profile demo] [--steps 6] [--rounds 3]
        [--networks maps pixels] [--to FILE.csv]

Taken in turns, so that what else the machine does hits both. It says nothing of GPUs: on a CPU both
ways have the same two cores. What it shows is the price of gathering and averaging: processor
seconds a picture of all processes, one over the other."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from riqa_lib import provenance, store
from riqa_lib.networks import device, ranks
from riqa_lib.networks.vit import ViT
from riqa_lib.training import launch, loop, photographs
from riqa_lib.training.bench import FORMS, made_up

from . import ranks_cpu  # by its name: other processes find nothing in __main__

METHODS = ("fixmatch", "simmatch", "comatch")
NETWORKS = ("maps", "pixels")
PROCESSES = (1, 2)


def trainer(profile: str, method: str, network: str) -> loop.Trainer:
    """A training on made-up pictures, as `riqa bench` has them."""
    run = photographs.settings(profile, method, 0, {**FORMS[network], "train.steps": 10**6})
    if not run.model.freeze:
        run = run.but(**{"model.weights": "none"})
    torch.manual_seed(0)
    net = ViT(run.model, run.data.crop, 5)
    rows = np.arange(600)
    material = loop.Material(
        source=made_up(run, device.device()),
        labelled=rows[:200],
        grades=rows[:200] % 5,
        unlabelled=rows[200:],
        val=rows[:50],
        val_grades=rows[:50] % 5,
    )
    return loop.Trainer(
        photographs.made(run, net, 5, torch.full((5,), 0.2)), material, run.train, 0
    )


def timed(profile: str, steps: int, networks: Sequence[str], file: Path) -> None:
    """In each of the processes: some steps of everything; the first notes what they took."""
    device.threads()
    lines = []
    for network in networks:
        for method in METHODS:
            learns = trainer(profile, method, network)
            learns.step()
            learns.step()
            ranks.wait()
            began, busy = time.perf_counter(), time.process_time()
            for _ in range(steps):
                learns.step()
            ranks.wait()
            wall = time.perf_counter() - began
            cpu = ranks.mean(torch.tensor(time.process_time() - busy)).item() * ranks.world()
            pictures = steps * learns.pictures
            lines.append({
                "network": network, "method": method, "processes": ranks.world(),
                "threads": torch.get_num_threads(), "pictures": learns.pictures,
                "pictures_per_second": pictures / wall, "cpu_ms_a_picture": 1e3 * cpu / pictures,
            })  # fmt: skip
    if ranks.first():
        store.write_table(file, pd.DataFrame(lines))


def measured(profile: str, steps: int, rounds: int, networks: Sequence[str]) -> pd.DataFrame:
    """Medians over rounds: a row a network, a method and a number of processes."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "round.csv"
        for turn in range(rounds):
            for processes in PROCESSES:
                os.environ[launch.RANKS] = str(processes)
                os.environ["RIQA_THREADS"] = str(max(PROCESSES) // processes)
                if launch.is_due():
                    c = photographs.settings(profile, METHODS[0]).train
                    launch.several(c, ranks_cpu.timed, profile, steps, networks, file)
                else:
                    timed(profile, steps, networks, file)
                found.append(store.read_table(file).assign(turn=turn))
    keys = ["network", "method", "processes", "threads", "pictures"]
    values = ["pictures_per_second", "cpu_ms_a_picture"]
    every = pd.concat(found).groupby(keys, sort=False)[values]
    about: dict[str, Any] = {
        "rounds": rounds,
        "steps": steps,
        "profile": profile,
        "machine": provenance.machine(),
        "torch": torch.__version__,
        "load": round(statistics.mean(os.getloadavg()[:2]), 1),
    }
    return every.median().reset_index().assign(**about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--to", type=Path)
    chosen = parser.parse_args()
    table = measured(chosen.profile, chosen.steps, chosen.rounds, chosen.networks)
    print(table.to_string(index=False))
    if chosen.to:
        store.write_table(chosen.to, table)
