"""The sets of fundus photographs of a walk: simulated, or real ones cropped to their field of
view, as data folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from PIL import Image

from .. import paths, store
from ..bounds import Checked, OneOf, Range
from ..datasets import deepdrid, eyeq, eyeq_d, mshf
from ..datasets.data_folder import DataSet, open_dataset
from ..seeding import rng
from ..sim.fundus_camera import CAUSES, fundus
from ..sim.fundus_sets import KINDS as SIMULATED
from ..sim.fundus_sets import SIZES, make_fundus
from ..sim.workers import spawned
from .decode import BLOCK, decode
from .field import crop_field, field_errors, find_field
from .windows import Way

# always drawn: every eye with one detail spoilt at a time, to see which heads answer
DRAWN = "single"
SETS = ("mshf", "eyeq", "deepdrid", "eyeq_d", DRAWN)
KINDS = dict(zip(SETS, SIMULATED, strict=True))
ABOUT = {"mshf": mshf.ABOUT, "eyeq": eyeq.ABOUT, "deepdrid": deepdrid.ABOUT, "eyeq_d": eyeq_d.ABOUT}
FEW = 500  # simulated pictures that are not worth starting processes for


def _field(image: Image.Image, size: int) -> np.ndarray:
    return crop_field(np.asarray(image), size)[0]


# processes: finding a field is mostly Python
FIELD = Way(_field, {"fundus": 1}, spawned)


@dataclass(frozen=True)
class FundusData(Checked):
    """Which pictures, and how the network sees them."""

    where: ClassVar[str] = "fundus.data."

    # or "real": EyeQ, MSHF, DeepDRiD and EyeQ-D below RIQA_DATA
    source: Annotated[str, OneOf("simulation", "real")] = "simulation"
    # simulation: how many of each of SETS
    pictures: Annotated[tuple[int, ...], Range(1)] = tuple(SIZES["demo"].values())
    size: Annotated[int, Range(24)] = 128  # px, side of the stored pictures
    # px, side of what a ResNet sees: at least 95 % of size, since the field must stay in the
    # picture. A frozen encoder sees all of it
    crop: Annotated[int, Range(1)] = 122
    # evaluation: mean over the eight views of a picture (four turns, two sides), or 1, as it lies
    views: Annotated[int, OneOf(1, 8)] = 8
    # No profile or row changes the following: how the papers and their data's authors divide them,
    # and our own seed and single crop.
    grid: Annotated[int, Range(1)] = 1  # evaluation: mean over grid x grid crops
    world: Annotated[int, Range(0)] = 0  # seed of the simulation; of the validation split of EyeQ
    # real EyeQ: share of its training patients that validate
    validation: Annotated[float, Range(above=0, below=1)] = 0.15
    held_out: tuple[str, ...] = (
        "Local1",
        "Local2",
    )  # real MSHF: sources for testing (the portable cameras)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source == "simulation" and self.size > 1024:
            raise ValueError(
                f"fundus.data.size is {self.size} px; simulated pictures have 1024 at most"
            )
        if not 0.95 * self.size <= self.crop <= self.size:
            raise ValueError(
                f"fundus.data.crop is {self.crop} px; expected 95 to 100 % of fundus.data.size, "
                f"{self.size} px"
            )
        if len(self.pictures) != len(SETS):
            raise ValueError(
                f"fundus.data.pictures is {self.pictures}; expected {len(SETS)} numbers, of "
                f"{', '.join(SETS)}"
            )


def folder_of(name: str, which: str) -> Path:
    """Where a walk keeps one of SETS."""
    return paths.results(name) / "fundus" / which


def open_set(name: str, which: str, asked: FundusData | None = None) -> DataSet:
    """One of SETS as notebook 13 left it; FileNotFoundError that says so where it is not there.

    asked: the settings of whoever will learn from it; ValueError where it was made with others."""
    store.need(folder_of(name, which) / "dataset.json", "13_fundus_datasets")
    data = open_dataset(folder_of(name, which))
    if asked is not None:
        simulated = asked.source == "simulation" or which == DRAWN
        wanted = {"simulated": simulated, "size": asked.size, "seed": asked.world}
        store.same(folder_of(name, which), {**data.info.get("settings", {}), **data.info}, wanted)
    return data


def make(name: str, d: FundusData, progress: bool = True) -> dict[str, DataSet]:
    """The sets of a walk in results/<name>/fundus/<set>: simulated, or real ones below RIQA_DATA
    (but for DRAWN, which is always simulated). See open_set.

    Raises FileNotFoundError, one for all real sets that are missing; FolderError for what is wrong
    with those that are there."""
    processes = min(2, os.cpu_count() or 1)
    drawn = dict(zip(SETS, d.pictures, strict=True))
    if d.source == "real":
        drawn = {DRAWN: drawn[DRAWN]}
        for which, (frame, root) in _real(d).items():
            decode(
                frame,
                root,
                folder_of(name, which),
                d.size,
                name=ABOUT[which].title,
                classes=int(frame.attrs.get("classes", 3)),
                processes=processes if len(frame) > BLOCK else 1,
                progress=progress,
                settings={"size": d.size},
                way=FIELD,
            )
    processes = processes if sum(drawn.values()) > FEW else 1
    with spawned(processes) as workers:
        for which, n in drawn.items():
            make_fundus(
                folder_of(name, which),
                KINDS[which],
                n,
                d.size,
                d.world,
                progress=progress,
                workers=workers if processes > 1 else None,
            )
    return {which: open_set(name, which) for which in SETS}


def _real(d: FundusData) -> dict[str, tuple[pd.DataFrame, Path]]:
    """Frames of the real sets, with splits that no group shares, and where their paths begin."""
    base = paths.data()
    gone = [which for which in ABOUT if base is None or not (base / which).is_dir()]
    if gone:
        where = "RIQA_DATA is not set" if base is None else f"below RIQA_DATA, {base},"
        told = "\n".join(
            f"  {a.title}: to RIQA_DATA/{a.key}/, from {a.where}" for a in (ABOUT[w] for w in gone)
        )
        raise FileNotFoundError(
            f"profile paper needs real fundus photographs; {where} and these are missing:\n{told}\n"
            "python -m riqa_lib data says what goes where, and checks it"
        )
    assert base is not None
    one = eyeq.load(base / "eyeq")
    group = one["group"].where(one["split"] == "train", "")
    patients = np.array(sorted({*group} - {""}))
    chosen = rng("fundus validation", d.world).permutation(patients)[
        : max(1, round(d.validation * len(patients)))
    ]
    val = {*chosen.tolist()}
    details = eyeq_d.load(base / "eyeq_d")
    joined = eyeq_d.join(details, one) if (details["path"] == "").all() else details
    photographs = base / ("eyeq" if joined is not details else "eyeq_d")
    other = deepdrid.load(base / "deepdrid")
    inner = base / "deepdrid"
    split = one["split"].where(~one["group"].isin(val), "val")
    return {
        "mshf": (mshf.hold_out(mshf.load(base / "mshf"), d.held_out), base / "mshf"),
        "eyeq": (one.assign(split=split), base / "eyeq"),
        "deepdrid": (other, inner),
        "eyeq_d": (joined, photographs),
    }


def field_check(n: int = 48, size: int = 160, seed: int = 0) -> pd.DataFrame:
    """How well field.find_field does on n simulated frames of `size` px with defects of up to 2.5
    times what graders call bad: field.field_errors, with camera and severity (the largest)."""
    fields, rows = [], []
    for i in range(n):
        draw = rng("field check", seed, i)
        severity = dict(
            zip(
                CAUSES,
                np.round(draw.uniform(0, 2.5, len(CAUSES)) * (draw.random(len(CAUSES)) < 0.5), 3),
                strict=True,
            )
        )
        one = fundus(("field check", seed, i), size, severity)
        fields.append(find_field(one.pixels))
        rows.append(
            {
                "x": one.x,
                "y": one.y,
                "radius": one.radius,
                "degrees": one.style.degrees,
                "severity": max(severity.values()),
            }
        )
    told = pd.DataFrame(rows)
    errors = field_errors(fields, *told[["x", "y", "radius"]].to_numpy().T)
    return errors.assign(degrees=told["degrees"], severity=told["severity"])
