"""What the notebooks of a toy plan do, in riqa's own formats: a data folder, a run without network,
a run of a tiny network that saves its state and goes on from it, a table, a figure.

`watch` makes a fault happen at an exact moment: when a process has opened, renamed or removed its
n-th file below home. TOY_FAULT says which, as JSON: a list of
    {"who": "runner" or a step, "count": n, "does": "signal", "to": .., "signal": ..}
    {"who": .., "count": n, "does": "put", "file": .., "from": ..}   one file's bytes over another's
    {"who": .., "does": "count"}                                     a byte a moment, to be counted
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riqa_lib import contents, paths, store
from riqa_lib.datasets.data_folder import DataSet, data_key, open_dataset, write_dataset
from riqa_lib.seeding import rng

SIZE, CLASSES, STEPS = 8, 5, 12
RIDGE, TINY = "ridge", "tiny"


# ---------------------------------------------------------------- the steps
def data(name: str, table: str) -> None:
    """Pictures of noise, one a line of a table of scores, as bright as its score."""
    contents.note(table)
    with open(table, encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    frame = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "path": "",
            "group": [row["id"] for row in rows],
            "source": "toy",
            "split": [("train", "train", "val", "test")[i % 4] for i in range(len(rows))],
            "grade": [int(float(row["score"])) for row in rows],
            "score": [float(row["score"]) for row in rows],
        }
    )

    def blocks(start: int) -> Iterator[np.ndarray]:
        for at in range(start, len(frame)):
            noise = rng("toy", at).integers(0, 60, (1, SIZE, SIZE, 3))
            yield (noise + int(frame["score"][at] * 38)).astype(np.uint8)

    told = {"name": "toy", "simulated": True, "classes": CLASSES, "settings": {}}
    key = store.settings_hash({"scores": frame["score"].tolist()})
    write_dataset(_data(name), frame, SIZE, blocks, key=key, info=told, progress=False)


def _data(name: str) -> Path:
    return paths.results(name) / "data"


def _predictions(data: DataSet, p: np.ndarray) -> pd.DataFrame:
    facts = data.frame[["id", "group", "source", "split"]].assign(truth=data.frame["grade"])
    columns = {f"p{k}": p[:, k].round(6) for k in range(CLASSES)}
    return facts.assign(**columns)


def ridge(name: str) -> None:
    """A run without a network: the grade whose brightness is nearest."""
    data = open_dataset(_data(name))
    folder = store.run_folder({"method": {"name": RIDGE}, "data_key": data_key(data)})
    if not store.done(folder):
        light = data.pixels.reshape(len(data), -1).mean(axis=1)
        far = np.abs(light[:, None] - (30 + 38 * (np.arange(CLASSES) + 0.5)))
        p = np.exp(-far / 20)
        table = _predictions(data, p / p.sum(axis=1, keepdims=True))
        store.write_table(folder / "history.csv", pd.DataFrame({"step": [1], "loss": [far.mean()]}))
        store.write_table(folder / store.PREDICTIONS["selected"], table)
        store.finish(folder, {"labels": len(data)})
    for file in folder.iterdir():
        store.journal(file)
    line = pd.DataFrame([{"method": RIDGE, "run": folder.name}])
    store.write_table(paths.results(name) / "tables" / f"{RIDGE}.csv", line)


def train(name: str, seed: int) -> None:
    """A tiny network, its state saved after every step."""
    from riqa_lib.training import run_folder

    data = open_dataset(_data(name))
    config = {"method": {"name": TINY}, "data_key": data_key(data), "seed": seed}
    with run_folder.opened(config) as place:
        if not place.done:
            place.write(_learn(data, seed, place.state()))
    line = {"method": TINY, "run": place.folder.name}
    run_folder.note(name, "runs", [TINY], seed, [line])


def _learn(data: DataSet, seed: int, state: Path) -> Any:
    import torch

    from riqa_lib.training import run_folder, saved_state

    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(3 * SIZE**2, 12), torch.nn.Linear(12, CLASSES))
    # by hand: the first step of an optimiser of torch's takes seconds
    pace = {name: torch.zeros_like(value) for name, value in net.named_parameters()}
    x = torch.from_numpy(np.array(data.pixels)).reshape(len(data), -1) / 255
    y = torch.from_numpy(data.frame["grade"].to_numpy().copy())
    history: list[dict] = []
    if found := saved_state.read(state):
        net.load_state_dict(found.part("net"))
        pace = found.part("pace")
        history = found.note
    for step in range(len(history), STEPS):
        rows = torch.from_numpy(rng("batch", seed, step).permutation(len(x))[:8].copy())
        loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
        slopes = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for (name, value), slope in zip(net.named_parameters(), slopes, strict=True):
                pace[name] = 0.9 * pace[name] + slope
                value -= 0.01 * pace[name]
        history.append({"step": step + 1, "loss": loss.item()})
        saved_state.save(state, {"net": net.state_dict(), "pace": pace}, history)
    with torch.no_grad():
        p = net(x).softmax(dim=1).double().numpy()
    about = {"classes": CLASSES, "name": TINY}
    facts = {"labels": len(data)}
    return run_folder.Result(net, pd.DataFrame(history), _predictions(data, p), facts, about)


def table(name: str, digits: int) -> None:
    """Errors of all runs."""
    found = paths.results(name) / "tables"
    lines = []
    for listed in (found / f"{RIDGE}.csv", found / f"runs-{TINY}-seed0.csv"):
        run = store.read_table(listed).iloc[0]
        folder = paths.runs() / run["run"]
        said = store.read_predictions(folder)
        grades = (said[store.columns_of_p(said)] * range(CLASSES)).sum(axis=1)
        facts = store.read_json(folder / "provenance.json")
        first = store.read_table(folder / "history.csv")["loss"].iloc[0]
        lines.append(
            {
                "method": run["method"],
                "labels": facts["labels"],
                "mae": round(float((grades - said["truth"]).abs().mean()), digits),
                "loss": first,
            }
        )
    store.write_table(found / "table.csv", pd.DataFrame(lines))


def figure(name: str) -> None:
    """Bars, drawn from the table."""
    rows = store.read_table(paths.results(name) / "tables" / "table.csv")
    bars = "".join(f'<rect y="{i}" width="{mae}" height="1"/>' for i, mae in enumerate(rows["mae"]))
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg">{bars}</svg>'
    store.write_bytes(paths.figures(name) / "errors.svg", drawn.encode())


# ---------------------------------------------------------------- faults at exact moments
def watch(who: str) -> None:
    """From now on, do what TOY_FAULT says of this process. who: "runner" or a step's name."""
    faults = [f for f in json.loads(os.environ.get("TOY_FAULT") or "[]") if f["who"] == who]
    if not faults:
        return
    me, home, seen = os.getpid(), os.environ["RIQA_HOME"], 0
    counting = os.environ.get("TOY_COUNT")
    count = os.open(f"{counting}.{who}", os.O_WRONLY | os.O_CREAT, 0o644) if counting else None

    def hook(event: str, given: tuple) -> None:
        nonlocal seen
        if os.getpid() == me and _touches(event, given, home):
            seen += 1
            if count is not None:
                os.write(count, b".")
            for fault in faults:
                if fault.get("count") == seen:
                    DOES[fault["does"]](fault)

    sys.addaudithook(hook)


def _touches(event: str, given: tuple, home: str) -> bool:
    """Whether an audit event is about to change a file below home."""
    if event == "open":
        mode, flags = given[1], given[2]
        if not (flags & (os.O_WRONLY | os.O_RDWR) or (mode and set(mode) & set("wax+"))):
            return False
    elif event not in ("os.rename", "os.remove", "os.mkdir"):
        return False
    file = given[0]
    return not isinstance(file, int) and os.fsdecode(file).startswith(home)


def _happened(fault: dict) -> None:
    os.close(os.open(os.environ["TOY_HAPPENED"], os.O_CREAT | os.O_WRONLY, 0o644))


def _signal(fault: dict) -> None:
    _happened(fault)
    runner = int(os.environ["TOY_RUNNER"])
    if fault["to"] == "group":
        os.killpg(runner, fault["signal"])
    else:
        to = {"runner": runner, "self": os.getpid(), "parent": os.getppid()}[fault["to"]]
        os.kill(to, fault["signal"])
    time.sleep(2)  # not a file more: who was hit takes this process along


def _put(fault: dict) -> None:
    _happened(fault)
    shutil.copyfile(fault["from"], fault["file"])


def _nothing(fault: dict) -> None:
    pass


DOES: dict[str, Callable[[dict], None]] = {"signal": _signal, "put": _put, "count": _nothing}
