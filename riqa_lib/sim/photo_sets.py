"""A simulated set built like KOKA10K (Dang et al., IJCA 186(9), 2024): a labelled part with extras,
and a pool.

koniq-like  scenes with one to several defects, mild to strong, whose opinions are distributed as
            KonIQ-10k's; about 107 raters vote on each, the label is the mode (0.8, 13.7, 51.1, 34.4
            and 0 % for grades 0 to 4).
extra       taken out of the pool and graded by hand, without votes: 359 of 10,432 labelled
            pictures, 149 : 210 strongly distorted (grade 0) and pristine (grade 4). Only they have
            grade 4, as in the paper: a source detector can pass for a quality model there, so
            report them separately.
pool        unlabelled. "pristine": untouched scenes and some mildly damaged ones, so its grades are
            distributed otherwise than the labelled ones' (as in the paper); "matched": the law of
            the labelled part (control).

The truth stays beside each picture: true_quality (photo_raters.quality of the stored pixels),
true_grade, its defects. Every picture has a content of its own. Defects read "blur4+jpeg3": in the
order they struck, with the level of sim.distortions. Lengths in px are scaled by side / 200, so
that defects show the same at every size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from .. import paths, seeding, store
from ..datasets import data_folder
from ..datasets.splits import floor_split
from ..scales import VOTES
from ..stats.votes import mode_grade, vote_counts
from . import photo_raters
from .photo_defects import STAGES, ladder, struck
from .scenes import scene
from .workers import spawned

CHUNK = 32  # pictures that are made, and resumed, at a time

EXTRAS = 359 / 10432  # share of extras in the labelled part
ZEROS = 149 / 359  # share of grade 0 in the extras

POOLS = ("pristine", "matched")
TOUCHED = 0.45  # share of the pristine pool that has any defect
TOLERANCE = 0.06  # how near a picture must come to the quality it was meant to have

# Quantiles of quality in KonIQ-10k: the maximum likelihood opinion of each picture's votes under
# sim.photo_raters.
KONIQ = (
    (0, .005, .01, .02, .05, .10, .20, .30, .40,
     .50, .60, .70, .80, .90, .95, .98, .99, 1),
    (.05, .114, .152, .196, .270, .336, .425, .488, .535,
     .572, .606, .638, .666, .700, .726, .751, .768, .86),
)  # fmt: skip


# ---------------------------------------------------------------- one picture
class Picture(NamedTuple):
    """A stored picture and its truth."""

    pixels: np.ndarray  # (size, size, 3), uint8
    quality: float  # photo_raters.quality of the pixels
    defects: str  # "" when untouched


def picture(key: object, size: int, target: float) -> Picture:
    """The scene of this key with defects that bring its quality near to `target`; untouched when
    that is 1 or more.

    Types are drawn first; how strong they are is then searched, all rising together, until the
    measured quality is within TOLERANCE. Where they can't bring this content there, others are
    tried, more of them at a time and less strictly; in the end the nearest found is taken."""
    rng, clean = seeding.rng("defects", key), scene(key, size)
    truth = photo_raters.Look(clean)
    best = untouched = _measured(truth, clean, "")
    if target >= 1:
        return untouched
    for attempt in range(3):
        rungs = ladder(rng, min(int(rng.integers(2, 5)) + attempt, len(STAGES)))
        low, high = -1, len(rungs)  # rungs that are too good and too bad, and their quality
        quality_low, quality_high = untouched.quality, 0.0
        while high - low > 1:
            share = (quality_low - target) / max(quality_low - quality_high, 1e-6)
            rung = min(max(low + round(share * (high - low)), low + 1), high - 1)
            found = _measured(truth, *struck(clean, rungs[rung], key, size))
            if best is untouched or _miss(found, target) < _miss(best, target):
                best = found
            if _miss(found, target) < TOLERANCE * (1 + attempt / 2):
                return found
            if found.quality > target:
                low, quality_low = rung, found.quality
            else:
                high, quality_high = rung, found.quality
    return best


def _measured(clean: photo_raters.Look, seen: np.ndarray, defects: str) -> Picture:
    pixels = np.round(seen * 255).astype(np.uint8)
    return Picture(pixels, photo_raters.quality(clean, photo_raters.Look(pixels)), defects)


def _miss(found: Picture, target: float) -> float:
    """How far from its target a picture is; one that should have a defect and looks like having
    none is far off.

    Too bad counts more than too good: mild damage is harder to come by, and the shares of grades 2
    and 3 feel it."""
    return max(found.quality - target, 1.3 * (target - found.quality)) + (
        found.quality > 0.9 > target
    )


# ---------------------------------------------------------------- what each part is made of
def _target(part: str, rng: np.random.Generator) -> float:
    """The quality that a picture of this part is meant to have: "koniq-like", "extra0", "extra4" or
    "pristine"."""
    if part == "extra0":
        return rng.uniform(0.01, 0.03)
    if part == "extra4" or (part == "pristine" and rng.random() > TOUCHED):
        return 1.0
    if part == "pristine":
        return 0.92 - abs(rng.normal(0, 0.14))
    return float(np.interp(rng.random(), *KONIQ))


# ---------------------------------------------------------------- the data set
def make_koka10k(
    folder: Path | str,
    *,
    labelled: int,
    pool: int,
    size: int,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    pool_kind: str = "pristine",
    seed: int = 0,
    processes: int = 1,
    progress: bool = True,
) -> Path:
    """Write the set as a data folder (frame.csv, pixels.npy, dataset.json last); returns the
    folder.

    labelled: pictures with a grade, extras among them; pool: pictures without (split "pool", grade
    -1); size: side in px; fractions: train, val, test, split per grade by floor_split. processes:
    worker processes of one thread each, started afresh, so a script needs `if __name__ ==
    "__main__":`; any number gives the same files, byte for byte. Columns besides those of every
    frame: true_quality, true_grade, c1..c5 (votes; 0 where none voted), raters, defects, n_defects,
    moved (taken out of the pool). score is the mean vote, 1 to 5. Killed and called again, it goes
    on where it was. A finished folder with these settings is left as it is, unless the code now
    makes other pictures; one with other settings raises ValueError, as bad arguments do."""
    folder = Path(folder)
    settings = {
        "labelled": labelled,
        "pool": pool,
        "size": size,
        "fractions": list(fractions),
        "pool_kind": pool_kind,
        "seed": seed,
    }
    _check(settings)
    rows = _rows(settings)
    key = store.settings_hash(settings)
    shape = (len(rows), size, size, 3)
    facts = Facts(data_folder.part_file(folder, key).with_suffix(".part.facts"))
    if _finished(folder, settings, rows):
        facts.file.unlink(missing_ok=True)  # left where a kill came at the very end
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    _distrust(data_folder.part_file(folder, key), shape, facts, rows, seed)

    def blocks(start: int) -> Iterator[np.ndarray]:
        facts.keep(start)
        for pixels, table in _work(rows[start:], size, seed, processes):
            facts.add(table)  # before its pictures: what is made has its facts
            yield pixels

    part = data_folder.complete(folder, shape, key, blocks, "simulated", progress)
    info = {
        "name": "KOKA10K-like",
        "simulated": True,
        "size": size,
        "classes": 5,
        "settings": settings,
        "key": key,
    }
    data_folder.put(folder, _frame(rows, facts.read(), settings), info, part)
    facts.file.unlink()
    return folder


def _check(settings: dict) -> None:
    wrong = []
    for name, least in (("labelled", 1), ("pool", 0), ("size", 32), ("seed", 0)):
        value = settings[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            wrong.append(f"{name} is {value!r}, expected a whole number, at least {least}")
    if settings["pool_kind"] not in POOLS:
        wrong.append(f"pool_kind is {settings['pool_kind']!r}, expected one of {', '.join(POOLS)}")
    if wrong:
        raise ValueError("; ".join(wrong))
    floor_split(
        np.zeros(1, int), None, settings["fractions"]
    )  # raises where the fractions are wrong


class Row(NamedTuple):
    """What a picture is to be: its name, its place in the set, and what it is made like."""

    id: str
    source: str  # "koniq-like", "extra", "pool"
    part: str  # see _target


def _rows(settings: dict) -> list[Row]:
    """The koniq-like pictures, then what was the pool, the extras at its head."""
    extras = round(settings["labelled"] * EXTRAS)
    zeros = round(extras * ZEROS)
    rest = ["pristine"] * settings["pool"]
    if settings["pool_kind"] == "matched":
        law = (1 - EXTRAS, EXTRAS * ZEROS, EXTRAS * (1 - ZEROS))
        rng = seeding.rng("matched pool", settings["seed"])
        rest = rng.choice(["koniq-like", "extra0", "extra4"], settings["pool"], p=law).tolist()
    rows = [
        Row(f"k{i:06d}", "koniq-like", "koniq-like") for i in range(settings["labelled"] - extras)
    ]
    for i, part in enumerate(["extra0"] * zeros + ["extra4"] * (extras - zeros) + rest):
        rows.append(Row(f"p{i:06d}", "extra" if i < extras else "pool", part))
    return rows


def _make(rows: list[Row], size: int, seed: int) -> tuple[np.ndarray, list[dict]]:
    """Pixels (n, size, size, 3) of these rows, and what the table says of them."""
    made, table = [], []
    for row in rows:
        key = (seed, row.id)
        rng = seeding.rng("picture", key)
        one = picture(key, size, _target(row.part, rng))
        raters = photo_raters.rater_counts(1, rng) * (row.source == "koniq-like")
        made.append(one.pixels)
        table.append(
            {
                "quality": one.quality,
                "defects": one.defects,
                "votes": photo_raters.votes([one.quality], raters, rng)[0].tolist(),
            }
        )
    return np.stack(made), table


def _finished(folder: Path, settings: dict, rows: list[Row]) -> bool:
    """Whether the folder holds this set, as today's code makes it (three of its pictures are made
    again to see)."""
    file = folder / "dataset.json"
    if not file.exists():
        return False
    found = store.read_json(file).get("settings", {})
    if found != settings:
        differ = ", ".join(
            f"{k}: {found.get(k)!r} there, {settings.get(k)!r} asked for"
            for k in sorted({*found, *settings})
            if found.get(k) != settings.get(k)
        )
        raise ValueError(
            f"{paths.shown(folder)} holds a data set of other settings ({differ}); move it away"
        )
    try:
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        frame = store.read_table(folder / "frame.csv")
    except (OSError, ValueError):
        return False
    some = [0, len(rows) // 2, len(rows) - 1]
    again, _ = _make([rows[i] for i in some], settings["size"], settings["seed"])
    return len(frame) == len(pixels) == len(rows) and np.array_equal(pixels[some], again)


class Facts:
    """What the table says of the pictures made so far, a line of JSON each, beside their pixels."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[dict]:
        """The whole lines (a kill may cut off the last)."""
        if not self.file.exists():
            return []
        text = self.file.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def keep(self, n: int) -> None:
        """Forget all but the first n: the pixels of the others did not reach the disk."""
        lines = [json.dumps(entry) + "\n" for entry in self.read()[:n]]
        self.file.write_text("".join(lines))

    def add(self, table: list[dict]) -> None:
        with open(self.file, "a") as f:
            f.write("".join(json.dumps(entry) + "\n" for entry in table))


def _distrust(part: Path, shape: tuple[int, ...], facts: Facts, rows: list[Row], seed: int) -> None:
    """Remove what an earlier call left, unless its facts are whole and today's code makes the same
    (its last picture is made again to see)."""
    pixels = data_folder.left(part, shape)
    n = len(pixels)
    if n == 0:
        return
    whole = n <= len(rows) and len(facts.read()) >= n
    if not whole or not np.array_equal(pixels[-1:], _make(rows[n - 1 : n], shape[1], seed)[0]):
        part.unlink()


def _work(
    rows: list[Row], size: int, seed: int, processes: int
) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """_make(rows), CHUNK of them at a time, in their order, here or by worker processes."""
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
    if processes <= 1 or len(chunks) < 2:
        yield from (_make(chunk, size, seed) for chunk in chunks)
        return
    with spawned(min(processes, len(chunks))) as workers:
        for future in [workers.submit(_make, chunk, size, seed) for chunk in chunks]:
            yield future.result()


def _frame(rows: list[Row], table: list[dict], settings: dict) -> pd.DataFrame:
    """The data set's table: one row a picture."""
    frame = pd.DataFrame(rows, columns=["id", "source", "part"])
    votes = np.array([entry["votes"] for entry in table])
    raters = votes.sum(axis=1)
    quality = np.array([entry["quality"] for entry in table])
    voted, moved = (
        (frame["source"] == "koniq-like").to_numpy(),
        (frame["source"] == "extra").to_numpy(),
    )
    grade = np.full(len(frame), -1)
    grade[voted] = mode_grade(vote_counts(votes[voted]))
    grade[moved] = frame.loc[moved, "part"].map({"extra0": 0, "extra4": 4})
    split = np.full(len(frame), "pool", dtype=object)
    group = "scene-" + frame["id"]
    labelled = grade >= 0
    split[labelled] = floor_split(
        grade[labelled], group[labelled], settings["fractions"], settings["seed"], floors=True
    )
    defects = [entry["defects"] for entry in table]
    return pd.DataFrame(
        {
            "id": frame["id"],
            "path": "",
            "group": group,
            "source": frame["source"],
            "split": split,
            "grade": grade,
            "score": np.where(voted, votes @ np.arange(1, 6) / np.maximum(raters, 1), np.nan),
            "true_quality": quality,
            "true_grade": photo_raters.true_grade(quality),
            **{name: votes[:, k] for k, name in enumerate(VOTES)},
            "raters": raters,
            "defects": [d or "untouched" for d in defects],
            "n_defects": [len(d.split("+")) if d else 0 for d in defects],
            "moved": moved,
        }
    )
