"""Trained runs tried without labels: on pristine pictures of one's own and on copies of them whose
defects are known to grow (pictures.distorted_copies, stats.label_free).

Runs are asked about the same pictures, each at its own working size and scale; a picture that one
of them would see enlarged, or that cannot be read, is left out for all, and named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .. import paths, store
from ..pictures.distorted_copies import Recipe
from ..pictures.reading import MAX_PIXELS
from ..pictures.windows import read_for
from ..sim.distortions import TYPES
from ..sim.photo_defects import STAGES
from ..tables import label_free_tests
from ..training import graders, scnn_pretraining
from ..training.label_free_runs import levels_graded
from .apart import apart
from .photo_runs import check_run
from .which_run import folder_of

SIMULATED = frozenset(defect.kind for stage in STAGES for defect in stage)  # what that world has
# what a part of a model of related work was pre-trained to tell apart
PRETRAINED = {
    "dbcnn": frozenset(kind for kind, _ in scnn_pretraining.CLASSES),
    "reiqa": frozenset(TYPES),
}


class How(NamedTuple):
    """How a run sees a picture: side in px, "fit" or "native", the most pixels a file may have."""

    size: int
    scale: str
    max_pixels: int


@dataclass(frozen=True)
class Asked:
    """A run that is asked: its folder, config.json and about.json."""

    folder: Path
    config: dict[str, Any]
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def how(self) -> How:
        data = self.config.get("data") or self.about.get("read", {})
        scale = data.get("scale", "fit")
        return How(int(self.about["size"]), scale, data.get("max_pixels", MAX_PIXELS))

    @property
    def seen(self) -> frozenset[int]:
        """Which distortions it learnt from, as simulated defects or in pre-training: of them this
        is no test of something new."""
        found: set[int] = set(SIMULATED) if self.about["simulated"] else set()
        if self.config.get("model", {}).get("weights") == "distortion":
            found |= {*self.config.get("pretrain", {}).get("kinds", ())}
        name = self.config.get("method", {}).get("name", "")
        return frozenset(found) | PRETRAINED.get(name, frozenset())

    def told(self) -> str:
        """In a line: what it was trained on."""
        data = "SIMULATED pictures" if self.about["simulated"] else "real pictures"
        method, labels = self.about["method"], int(self.about["labels"])
        return f"{self.name}: {method}, trained on {self.about['name']}, {data}, {labels:,} labels"


def runs(named: Sequence[str]) -> list[Asked]:
    """The runs of these names or folders. FileNotFoundError or ValueError, saying what to do, for
    what is no run of photographs that holds a network; ValueError for one named twice."""
    found = []
    for name in named:
        folder = folder_of(name)
        check_run(folder)
        config, about = (store.read_json(folder / f"{n}.json") for n in ("config", "about"))
        found.append(Asked(folder, config, about))
    names = [one.name for one in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))}: named twice")
    return found


# ---------------------------------------------------------------- pictures
@dataclass(frozen=True)
class Pristine:
    """Pictures as each way of seeing has them. windows: of each How, {name: uint8 (S, S, 3)};
    skipped: {name: why}; of: how many files there were to choose from."""

    windows: dict[How, dict[str, np.ndarray]]
    skipped: dict[str, str]
    of: int

    @property
    def names(self) -> list[str]:
        return list(next(iter(self.windows.values())))


def pristine(files: Sequence[Path], hows: Iterable[How], most: int = 0) -> Pristine:
    """These files, or `most` of them, evenly from the first to the last (0: all), read in each of
    these ways. ValueError, with reasons, where none is left."""
    wanted = list(dict.fromkeys(hows))
    chosen = spread(files, most)
    windows: dict[How, dict[str, np.ndarray]] = {how: {} for how in wanted}
    skipped: dict[str, str] = {}
    known: dict[str, str] = {}
    for file in chosen:
        name = str(file)
        try:
            seen = {how: _read(file, how) for how in wanted}
        except ValueError as e:
            skipped[name] = str(e)
            continue
        first = known.setdefault(_digest(seen[wanted[0]]), name)
        if first != name:
            skipped[name] = f"the same picture as {Path(first).name}"
            continue
        for how, pixels in seen.items():
            windows[how][name] = pixels
    if not known:
        least = max(how.size for how in wanted)
        some = "; ".join(f"{Path(name).name}: {why}" for name, why in list(skipped.items())[:3])
        raise ValueError(
            f"none of {len(chosen)} pictures can be used: a shorter side of {least} px or more is "
            f"needed ({some})"
        )
    return Pristine(windows, skipped, len(files))


def spread(files: Sequence[Path], most: int) -> list[Path]:
    """`most` of the files, evenly from the first to the last; all of them for 0 or for fewer.

    >>> [file.name for file in spread([Path(c) for c in "abcdef"], 3)]
    ['a', 'c', 'e']
    """
    if not most or len(files) <= most:
        return list(files)
    return [files[k * len(files) // most] for k in range(most)]


def _read(file: Path, how: How) -> np.ndarray:
    seen = apart(read_for, file, how.size, how.scale, max_pixels=how.max_pixels)
    if min(seen.size) < how.size:
        width, height = seen.size
        raise ValueError(f"too small: {width} x {height} px, seen at {how.size}")
    return seen.pixels[0]


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


# ---------------------------------------------------------------- asked
@dataclass(frozen=True)
class Audit:
    """What was found. frame: a line a run, picture, distortion and level
    (training.label_free_runs); tests, each, curves: of tables.label_free_tests."""

    runs: list[Asked]
    frame: pd.DataFrame
    tests: pd.DataFrame
    each: pd.DataFrame
    curves: pd.DataFrame


def audit(
    asked: Sequence[Asked],
    there: Pristine,
    recipe: Recipe,
    *,
    processes: int = 1,
    resamples: int = 2000,
) -> Audit:
    """Ask each run about each picture and its copies. Lengths of distortions are a share of the
    picture for runs that see the whole of it, KADID's px for those that see it at native scale."""
    parts = []
    for how, windows in there.windows.items():
        mine = {one.name: graders.of_network(one.folder) for one in asked if one.how == how}
        lengths = recipe.lengths or (1.0 if how.scale == "native" else 0.0)
        parts.append(levels_graded(mine, windows, replace(recipe, lengths=lengths),
                                   processes=processes))  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.set_index("row").loc[[one.name for one in asked]].reset_index()
    tables = (label_free_tests.every_test, label_free_tests.by_distortion, label_free_tests.curves)
    every, each, curves = (table(frame, resamples, recipe.seed) for table in tables)
    return Audit(list(asked), frame, every, each, curves)


def about(found: Audit, there: Pristine, recipe: Recipe) -> dict[str, Any]:
    """What was asked, plain JSON: runs, pictures, what was skipped, distortions."""
    return {
        "runs": [
            {
                "run": one.name,
                "trained_on": one.about["name"],
                "simulated": bool(one.about["simulated"]),
                "size": one.how.size,
                "scale": one.how.scale,
                "learnt_from_distortions": sorted(one.seen & {*recipe.kinds}),
            }
            for one in found.runs
        ],
        "pictures": len(there.names),
        "skipped": [{"file": paths.shown(name), "why": why} for name, why in there.skipped.items()],
        "distortions": list(recipe.kinds),
        "seed": recipe.seed,
    }
