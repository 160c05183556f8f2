"""How `riqa score` and `riqa assess` stand a large folder: pictures made by code, one bad in a
hundred, killed on the way and resumed; rate and memory over time.

    python -m benchmarks.load score --run fixmatch-0123456789ab [--pictures 20000] [--to load.csv]
    python -m benchmarks.load assess --run student-0123456789ab [--pictures 20000] [--to load.csv]

Pictures. score: photographs of 128 x 96 px, coarse noise made finer, JPEG. assess: simulated fundus
photographs of 200 px, SHOTS different ones, each turned by another angle and encoded anew. In turn
a bad one is cut off, empty, a text, or overwritten in the middle (that one is read as a rule, and
named as damaged, where simplejpeg is installed).

The command is killed (SIGKILL) once a share of the rows is on the disk, and the same command is
given again with --resume. Then the table must hold every picture once, those of before as they
were, and each bad one by its reason; an AssertionError says which does not hold.

The table: a line each EVERY-th part of the pictures, appended to --to (lines of the same command
are replaced): rows on the disk, seconds since its start; since the line before, rows a second
(rate) and a second of CPU time of all processes (rate_cpu: other work on the machine changes it
little); memory (MiB, resident) of the command and of the processes that read for it, load of the
machine."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from PIL import Image

from riqa_lib import provenance, store
from riqa_lib.assess.unfinished import place_of
from riqa_lib.sim.fundus_camera import fundus

BAD = 100  # one in so many
KINDS = ("cut off", "empty", "a text", "overwritten")
SHOTS = 60  # simulated fundus photographs
EVERY = 20  # lines of the table a command
KILLED_AT = 0.4  # share of the rows
LOOK = 0.5  # s between two looks at the rows on the disk


# ---------------------------------------------------------------- pictures
def photograph(k: int) -> Image.Image:
    """The k-th photograph: coarse noise made finer, 128 x 96 px."""
    coarse = np.random.default_rng((7, k)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((128, 96), Image.Resampling.BICUBIC)


def fundi(count: int) -> Iterator[Image.Image]:
    """So many simulated fundus photographs, of 200 px, of different defects and angles."""
    shots = [
        Image.fromarray(fundus(("load", k), 200, {"clarity": 0.05 * k}).pixels)
        for k in range(min(SHOTS, count))
    ]
    for k in range(count):
        yield shots[k % len(shots)].rotate(7 * (k // len(shots)) % 360)


def bad(k: int) -> str:
    """What is wrong with the k-th picture; "" for most."""
    return KINDS[k // BAD % len(KINDS)] if k % BAD == BAD - 1 else ""


def spoiled(data: bytes, kind: str) -> bytes:
    """The bytes of a JPEG as they are, or bad in this way."""
    half = len(data) // 2
    noise = np.random.default_rng(half).integers(0, 255, 60, dtype=np.uint8).tobytes()
    wrong = {"cut off": data[:half], "empty": b"", "a text": b"this is no picture\n"}
    return wrong.get(kind, data[:half] + noise + data[half + 60 :] if kind else data)


def make(folder: Path, command: str, count: int) -> None:
    """Write the pictures, 1,000 a folder."""
    pictures = map(photograph, range(count)) if command == "score" else fundi(count)
    for k, picture in enumerate(pictures):
        file = folder / f"{k // 1000:03d}" / f"{k:06d}.jpg"
        file.parent.mkdir(exist_ok=True)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=85 + k % 10)
        file.write_bytes(spoiled(out.getvalue(), bad(k)))


# ---------------------------------------------------------------- a command, watched
def used(process: psutil.Process) -> tuple[float, float, float]:
    """MiB resident in a process, and in all that it started; CPU seconds of all of them."""
    memory, cpu = [0.0, 0.0], 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory[one is not process] += one.memory_info().rss / 2**20
            cpu += sum(one.cpu_times()[:2])
    return memory[0], memory[1], cpu


def rows_of(place: Path) -> int:
    """Whole rows on the disk."""
    return max(0, place.read_bytes().count(b"\n") - 1) if place.exists() else 0


def watched(typed: list[str], table: Path, every: int, kill_at: int | None) -> list[dict]:
    """Run a command; a line each `every` rows. kill_at: rows after which it is killed."""
    place, lines, began = place_of(table), [], time.monotonic()
    assert place is not None
    process = psutil.Popen(typed, stdout=subprocess.DEVNULL)
    before = rows_of(place) if "--resume" in typed else 0
    last, last_at, last_cpu = before, 0.0, 0.0
    while process.poll() is None:
        time.sleep(LOOK)
        rows, now = rows_of(place), time.monotonic()
        if not last_at and rows > before:  # what loads before the first row is no part of the rate
            last, last_at, last_cpu = rows, now, used(process)[2]
        if rows - last >= every:
            own, others, cpu = used(process)
            lines.append(
                {
                    "rows": rows,
                    "seconds": round(now - began, 1),
                    "rate": round((rows - last) / (now - last_at), 2),
                    "rate_cpu": round((rows - last) / max(cpu - last_cpu, 0.01), 2),
                    "memory_mib": round(own, 1),
                    "readers_mib": round(others, 1),
                    "load": round(os.getloadavg()[0], 1),
                }
            )
            last, last_at, last_cpu = rows, now, cpu
        if kill_at is not None and rows >= kill_at:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return lines
    assert process.returncode == 0, f"{typed} ended with {process.returncode}"
    return lines


# ---------------------------------------------------------------- what must hold
def check(folder: Path, table: Path, kept: list[dict[str, Any]]) -> int:
    """How many bad pictures are named as such. AssertionError where a picture lacks its row, has
    two, or another one than it had; where one that can't be read is not named, or another is."""
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [str(file) for file in sorted(folder.rglob("*.jpg"))]
    assert sorted(row["file"] for row in rows) == names
    for before, row in zip(kept, rows, strict=False):
        same = all(str(before[key] or "") == row[key] for key in ("file", "state", "reason"))
        assert same, f"{row['file']}: {before} became {row}"
    named = 0
    for row in rows:
        kind = bad(int(Path(row["file"]).stem))
        unread = row["state"] == "unreadable"
        # what is overwritten may read, or not: by chance there is an end of the picture in it
        assert unread == (kind in KINDS[:3]) or (kind == KINDS[3] and row["reason"]), row
        named += bool(kind and row["reason"])
    return named


def measured(command: str, run: str, count: int, workers: int, folder: Path) -> pd.DataFrame:
    """Make the pictures, run, kill, resume, check."""
    pictures, table = folder / "pictures", folder / "table.csv"
    pictures.mkdir()
    make(pictures, command, count)
    typed = [sys.executable, "-m", "riqa_lib", command, str(pictures), "--run", run]
    typed += ["--csv", str(table), "--workers", str(workers)]
    typed += ["--simulated"] if command == "assess" else []
    every = max(1, count // EVERY)
    first = watched(typed, table, every, int(KILLED_AT * count))
    place = place_of(table)
    assert place is not None
    whole = place.read_bytes().rpartition(b"\n")[0].splitlines()[1:]
    kept = [json.loads(line) for line in whole]
    with open(place, "ab") as file:  # a row that was being written
        file.write(b'{"file": "')
    second = watched([*typed, "--resume"], table, every, None)
    named = check(pictures, table, kept)
    lines = [{"part": "until killed", **line} for line in first]
    lines += [{"part": "resumed", **line} for line in second]
    own = {"command": command, "pictures": count, "bad": count // BAD, "named": named}
    own |= {"kept": len(kept)}
    own |= {"workers": workers, "machine": provenance.machine()}
    return pd.DataFrame([own | line for line in lines])


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    own = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    own.add_argument("command", choices=("score", "assess"))
    own.add_argument("--run", required=True, help="a run's folder, or its name in results/runs")
    own.add_argument("--pictures", type=int, default=20_000)
    own.add_argument("--workers", type=int, default=2)
    own.add_argument("--to", type=Path, help="append to this table")
    chosen = own.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        how = (chosen.command, chosen.run, chosen.pictures, chosen.workers, Path(folder))
        found = measured(*how)
    print(found.to_string(index=False))
    if chosen.to is not None:
        others = pd.DataFrame()
        if chosen.to.exists():
            others = store.read_table(chosen.to)
            others = others[others["command"] != chosen.command]
        store.write_table(chosen.to, pd.concat([others, found], ignore_index=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
