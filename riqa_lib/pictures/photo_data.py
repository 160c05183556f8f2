"""The photographs of a walk: simulated, KOKA10K or a folder of one's own, made once and opened
again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from .. import paths, store
from ..bounds import Checked, OneOf, Range
from ..datasets import koka10k
from ..datasets.data_folder import DataSet, open_dataset
from ..sim.photo_sets import make_koka10k
from . import windows
from .decode import check_bad, import_folder, import_frame
from .reading import MAX_PIXELS

LATER = {"later": True}  # a setting that runs from before don't have: RunSettings.config


@dataclass(frozen=True)
class DataConfig(Checked):
    """Which pictures, how many labels, how the network sees them.

    >>> DataConfig(crop=96)
    Traceback (most recent call last):
    ValueError: data.crop is 96 px, larger than data.size, 80 px: the network sees crops of ...
    """

    # pool_kind, world, extra, rule, grid: no profile or row changes them; the papers' or the
    # peer's choices, or a user's
    # "simulation" (KOKA10K-like), "koka10k" (real, below RIQA_DATA) or "folder" (see `folder`)
    where: ClassVar[str] = "data."

    source: Annotated[str, OneOf("simulation", "koka10k", "folder")] = "simulation"
    labelled: Annotated[int, Range(1)] = 2600  # simulation: labelled pictures in all splits
    pool: Annotated[int, Range(0)] = 2000  # simulation: unlabelled pictures
    # simulation: "pristine" (shifted prior, as in the paper) or "matched"
    pool_kind: Annotated[str, OneOf("pristine", "matched")] = "pristine"
    size: Annotated[int, Range(16)] = 80  # px, side of the stored pictures
    # train, validation, test
    fractions: Annotated[tuple[float, float, float], Range(0, 1)] = (0.5, 0.1, 0.4)
    # simulation: seed of the world; koka10k, folder: seed of the split
    world: Annotated[int, Range(0)] = 0
    # koka10k: table of hand labels (columns id, grade); "" = RIQA_DATA/koka10k/extra.csv, if it is
    # there
    extra: str = ""
    # koka10k: how votes become grades: "mode", "equal_width" or "round_mean"
    rule: Annotated[str, OneOf(*koka10k.RULES)] = "mode"
    # source = folder: arguments of decode.import_folder (root and table as typed, made absolute);
    # name: what tables and figures call it (the folder's own by default)
    folder: dict = field(default_factory=dict)
    # pictures that can't be read: "stop" at them, all told, or "skip" them, all told
    bad: str = field(default="stop", metadata=LATER)
    # "fit": the whole picture made small; "native": size x size of its centre as it is (windows)
    scale: str = field(default="fit", metadata=LATER)
    # larger pictures can't be read
    max_pixels: Annotated[int, Range(1)] = field(default=MAX_PIXELS, metadata=LATER)
    # labelled training pictures that are used; 0 = all. The rest joins the pool, its grades hidden
    labels: Annotated[int, Range(0)] = 0
    crop: Annotated[int, Range(1)] = 64  # px, side of what the network sees
    grid: Annotated[int, Range(1)] = 1  # evaluation: mean over grid x grid crops (1 = the centre)
    # evaluation on a frozen stem's maps: mean over four corner windows of the picture and of its
    # mirror image (8), or over one of either (2)
    looks: Annotated[int, OneOf(2, 8)] = field(default=8, metadata=LATER)
    # second stage: pseudo-labels surer than this are used (0: all, as in the paper)
    pseudo_confidence: Annotated[float, Range(0, below=1)] = 0.0

    def __post_init__(self) -> None:
        # as typed: a notebook of the plan runs in another folder
        object.__setattr__(self, "folder", paths.folder_placed(self.folder))
        object.__setattr__(self, "extra", self.extra and paths.typed(self.extra))
        super().__post_init__()
        windows.check_scale(self.scale)
        check_bad(self.bad)
        if len(self.fractions) != 3 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(
                f"data.fractions is {self.fractions}; expected three shares that sum to 1: "
                "training, validation, test"
            )
        if self.source == "simulation" and not 32 <= self.size <= 1024:
            raise ValueError(f"data.size is {self.size} px; simulated pictures have 32 to 1024")
        if self.crop > self.size:
            raise ValueError(
                f"data.crop is {self.crop} px, larger than data.size, {self.size} px: the network "
                "sees crops of the stored pictures"
            )


def walk_data(name: str, asked: DataConfig | None = None) -> DataSet:
    """The data set of a walk, as notebook 01 left it.

    asked: the settings of whoever will learn from it; ValueError where it was made with others: a
    notebook run by itself was not given the walk's PROFILE and SETTINGS."""
    data = open_dataset(store.need(paths.results(name) / "data", "01_koka10k"))
    there = data.info
    if asked is not None:
        wanted = {"simulated": asked.source == "simulation", "size": asked.size}
        if asked.source == "simulation":
            wanted |= {k: getattr(asked, k) for k in ("labelled", "pool", "fractions", "pool_kind")}
            wanted["seed"] = asked.world
        else:
            wanted |= {k: v for k, v in asked.folder.items() if k not in (*paths.PLACES, "name")}
        store.same(paths.results(name) / "data", {**there.get("settings", {}), **there}, wanted)
    return data


def processes_at_most() -> int:
    """How many processes make or decode pictures: RIQA_PROCESSES, else one a core, at most 16. The
    pictures are the same with any number. ValueError for one that is no whole number from 1 on."""
    value = os.environ.get("RIQA_PROCESSES") or str(min(16, os.cpu_count() or 1))
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"RIQA_PROCESSES is {value!r}, expected a whole number from 1 on")
    return int(value)


def make(name: str, d: DataConfig, profile: str) -> DataSet:
    """The pictures of a walk, in results/<name>/data; made once, opened where they are there.

    profile: for the ValueError where pictures of one's own are asked for and not said where."""
    folder = paths.results(name) / "data"
    processes = processes_at_most()
    if d.source == "simulation":
        _simulate(folder, d, processes)
    elif d.source == "koka10k":
        _import_koka10k(folder, d, processes)
    elif {"root", "table"} <= set(d.folder):
        _import_own(folder, d, processes)
    else:
        raise ValueError(
            f"profile {profile!r} reads real pictures: say where they are, for example "
            '--set \'data.folder={"root": "photos", "table": "scores.csv", '
            '"id": "name", "score": "MOS", "low": 0, "high": 100}\''
        )
    return open_dataset(folder)


def _simulate(folder: Path, d: DataConfig, processes: int) -> None:
    make_koka10k(
        folder,
        labelled=d.labelled,
        pool=d.pool,
        size=d.size,
        fractions=d.fractions,
        pool_kind=d.pool_kind,
        seed=d.world,
        processes=processes,
    )


def _import_koka10k(folder: Path, d: DataConfig, processes: int) -> None:
    frame, root = koka10k.load(d.extra, d.rule, d.fractions, d.world)
    told = {
        "extra": int((frame["source"] == koka10k.EXTRA).sum()),
        "by_hand": int(frame["by_hand"].sum()),
        "rule": d.rule,
        "fractions": list(d.fractions),
        "seed": d.world,
    }
    name = "KOKA10K"
    if d.rule != "mode":
        name += f", rule {d.rule}"
    if not told["by_hand"]:
        name += ", no hand labels"
    if frame.attrs["part"]:
        name += ", a part"  # which, the notes say
    import_frame(
        frame, root, folder, d.size, name=name, processes=processes, settings=told, **_how(d)
    )


def _import_own(folder: Path, d: DataConfig, processes: int) -> None:
    declared = {"fractions": d.fractions, "seed": d.world, **d.folder}
    place = {key: Path(str(declared.pop(key))) for key in paths.PLACES}
    name = str(declared.pop("name", place["root"].name))
    import_folder(
        place["root"],
        place["table"],
        folder,
        d.size,
        name=name,
        processes=processes,
        **_how(d),
        **declared,
    )


def _how(d: DataConfig) -> dict[str, Any]:
    """How real pictures are read, for decode's functions."""
    return {"bad": d.bad, "scale": d.scale, "max_pixels": d.max_pixels}
