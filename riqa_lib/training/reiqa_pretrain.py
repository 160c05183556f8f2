"""Re-IQA's quality encoder: trained once for a data set, without grades, shared by all seeds and
numbers of labels.

It sees training and pool pictures only, in pairs (training.reiqa_views), and learns by momentum
contrast (training.reiqa_contrast). Its folder lies beside the runs':

    results/runs/reiqa-quality-<hash>/
        model.safetensors   the encoder
        history.csv         step, loss, found (share of queries nearest to their own key)
        provenance.json     written last: it means "done"
        state*.safetensors  while it is trained, to go on from

With "lite0" the frozen stem is asked once for the maps of all crops, which are kept meanwhile;
with "resnet50" pairs are made when their turn comes, with other distortions each time."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import bars, store
from ..bounds import Checked, OneOf, Range
from ..datasets.data_folder import DataSet, alone, data_key
from ..networks.device import device
from ..networks.reiqa import BACKBONES, LiteEncoders, ReIQA, as_floats
from ..networks.weights import load_weights, save_weights
from ..provenance import provenance
from ..seeding import rng, seed_of
from . import reiqa_views, saved_state
from .loop import drawn
from .optimisation import TrainConfig, lr_at, one_step
from .reiqa_contrast import OPTIMISERS, MomentumContrast, optimiser_of

SEED = 0  # of the quality encoder, whatever the run's
SAVES = 4  # how often the state is saved


@dataclass(frozen=True)
class QualityConfig(Checked):
    """What the quality encoder learns from, and how.

    backbone, pretrained, width: see networks.reiqa; pictures: how many are distorted, at most;
    copies: distorted ones of each; patch: a crop's share of the side; scale: of the distortions'
    lengths in px (KADID's are for 512 px); steps; batch: pictures a step, each with all its copies
    at both scales; queue, momentum, temperature, within: see reiqa_contrast; optimiser: "adamw" or
    "lars"; warmup: share of the steps, a cosine follows."""

    where: ClassVar[str] = "reiqa."

    backbone: Annotated[str, OneOf(*BACKBONES)] = "lite0"
    pretrained: bool = True
    width: Annotated[int, Range(1)] = 128
    pictures: Annotated[int, Range(1)] = 600
    copies: Annotated[int, Range(1, 25)] = reiqa_views.COPIES
    patch: Annotated[float, Range(above=0, below=1)] = 0.5
    scale: Annotated[float, Range(above=0)] = 0.5
    steps: Annotated[int, Range(1)] = 600
    batch: Annotated[int, Range(1)] = 16
    queue: Annotated[int, Range(1)] = 4096
    momentum: Annotated[float, Range(above=0, below=1)] = 0.99
    temperature: Annotated[float, Range(above=0)] = 0.2
    within: bool = True
    optimiser: Annotated[str, OneOf(*OPTIMISERS)] = "adamw"
    lr: Annotated[float, Range(above=0)] = 3e-3
    weight_decay: Annotated[float, Range(0)] = 1e-4
    warmup: Annotated[float, Range(above=0, below=1)] = 0.08


def folder_of(c: QualityConfig, data: DataSet) -> Path:
    """The folder of the quality encoder of these settings and pictures (made if need be)."""
    method = {"name": "reiqa-quality"} | asdict(c)
    return store.run_folder({"method": method, "data_key": data_key(data)})


def learnt_rows(data: DataSet) -> np.ndarray:
    """Rows that it may look at: training and pool pictures, never validation or test."""
    return np.flatnonzero(data.frame["split"].isin(["train", "pool"]))


def prepare(c: QualityConfig, net: ReIQA, data: DataSet) -> Path:
    """Put the trained quality encoder into the network, training it now where it is not there yet;
    returns its folder. A training that was cut off goes on; a second process waits for the
    first."""
    folder, encoder = folder_of(c, data), net.encoders.quality
    with alone(folder):
        if not store.done(folder):
            _train(c, net, data, folder)
    load_weights(folder / "model.safetensors", encoder)
    for file in folder.iterdir():
        if file.name != ".lock":
            store.journal(file)
    return folder


def _train(c: QualityConfig, net: ReIQA, data: DataSet, folder: Path) -> None:
    began = time.perf_counter()
    torch.manual_seed(seed_of("quality encoder", SEED))
    net.encoders.start()  # the same, whatever was drawn before
    rows = rng("quality encoder", SEED).permutation(learnt_rows(data))[: c.pictures]
    shown: Pairs
    if isinstance(net.encoders, LiteEncoders):
        shown = StoredMaps(c, net.encoders, data, rows, folder / "state-maps.safetensors")
    else:
        shown = FreshPixels(c, data, rows)
    history = learn(c, net, shown, folder / "state.safetensors")
    save_weights(folder / "model.safetensors", net.encoders.quality)
    store.write_table(folder / "history.csv", history)
    facts = {
        "seconds": round(time.perf_counter() - began, 1),
        "threads": torch.get_num_threads(),
        "pictures": len(rows),
        "pictures_seen": 4 * c.steps * min(c.batch, len(rows)) * (c.copies + 1),
    }
    store.finish(folder, provenance() | facts)
    for state in folder.glob("state*.safetensors"):
        state.unlink()


# ---------------------------------------------------------------- what it is shown
class Pairs(Protocol):
    """Queries and keys of each step, at both scales."""

    def of(self, step: int) -> list[tuple[Tensor, Tensor]]:
        """Depends on the step only."""


def _drawn(c: QualityConfig, count: int, step: int) -> np.ndarray:
    return drawn(count, min(c.batch, count), step, "quality encoder", SEED)


def views_of(c: QualityConfig, picture: np.ndarray, *keys: object) -> list[reiqa_views.Pair]:
    """The pairs of a picture (S, S, 3) uint8 at both scales, drawn by these keys."""
    r = rng("quality-aware views", SEED, *keys)
    return list(reiqa_views.two_scales(picture, c.copies, c.patch, c.scale, r))


class FreshPixels:
    """Pairs of pixels, made when their turn comes."""

    def __init__(self, c: QualityConfig, data: DataSet, rows: np.ndarray) -> None:
        self.c, self.data, self.rows = c, data, rows

    def of(self, step: int) -> list[tuple[Tensor, Tensor]]:
        chosen = self.rows[_drawn(self.c, len(self.rows), step)]
        made = [views_of(self.c, self.data.pixels[row], int(row), step) for row in chosen]
        where = device()
        out = []
        for of_scale in zip(*made, strict=True):
            sides = (np.concatenate(side) for side in zip(*of_scale, strict=True))
            query, key = (as_floats(torch.from_numpy(side).to(where)) for side in sides)
            out.append((query, key))
        return out


class StoredMaps:
    """Pairs of maps of the frozen stem, made now, or read from `file`."""

    def __init__(
        self, c: QualityConfig, eyes: LiteEncoders, data: DataSet, rows: np.ndarray, file: Path
    ) -> None:
        self.c = c
        self.scales = _read_maps(file) or _make_maps(c, eyes, data, rows, file)
        eyes.quality.standardise(_sample(self.scales))

    def of(self, step: int) -> list[tuple[Tensor, Tensor]]:
        index = torch.from_numpy(_drawn(self.c, len(self.scales[0]), step))
        where, out = device(), []
        for maps in self.scales:  # (pictures, 2 sides, copies, channels, h, w)
            query, key = (maps[index, side].flatten(0, 1).to(where) for side in (0, 1))
            out.append((query, key))
        return out


def _sample(scales: list[Tensor], most: int = 64) -> Tensor:
    """Queries' maps of some pictures at their own size, (n, channels, h, w)."""
    return scales[0][:most, 0].flatten(0, 1)


def _make_maps(
    c: QualityConfig, eyes: LiteEncoders, data: DataSet, rows: np.ndarray, file: Path
) -> list[Tensor]:
    where = next(eyes.stem.parameters()).device
    scales: list[list[Tensor]] = [[], []]
    for row in bars.bar(rows, desc="quality-aware views"):
        for found, pair in zip(scales, views_of(c, data.pixels[row], int(row)), strict=True):
            both = torch.from_numpy(np.concatenate(pair)).to(where)
            maps = eyes.maps(both, mirrored=False)[:, 0].cpu()
            found.append(maps.unflatten(0, (2, -1)))
    out = [torch.stack(found) for found in scales]
    saved_state.save(file, {"maps": {str(k): maps for k, maps in enumerate(out)}}, None)
    return out


def _read_maps(file: Path) -> list[Tensor] | None:
    state = saved_state.read(file)
    return None if state is None else [maps for _, maps in sorted(state.part("maps").items())]


# ---------------------------------------------------------------- training
def learn(
    c: QualityConfig, net: ReIQA, shown: Pairs, state: Path, stop_after: int | None = None
) -> pd.DataFrame:
    """Train the network's quality encoder in place; returns step, loss, found, means over a tenth
    of the steps each. Goes on from `state` where that is there. stop_after: return early after so
    many steps (tests)."""
    eyes = net.encoders
    moco = MomentumContrast(
        eyes.quality, eyes.quality_features, c.queue, c.momentum, c.temperature, c.within
    )
    moco.to(device()).train()
    optim = optimiser_of(moco, c.optimiser, c.lr, c.weight_decay)
    schedule = TrainConfig(steps=c.steps, lr=c.lr, warmup=c.warmup)
    first, seen = _resume(state, moco, optim)
    plain = torch.autocast(device().type, enabled=False)
    until = c.steps if stop_after is None else min(stop_after, c.steps)
    for step in bars.bar(range(first, until), initial=first, total=c.steps, desc="quality"):
        out = one_step(moco, (shown.of(step),), optim, lr_at(step, schedule), 0.0, plain)
        moco.follow()
        seen.append([float(out["loss"].detach()), float(out["found"])])
        if not math.isfinite(seen[-1][0]):
            raise FloatingPointError(
                f"the quality encoder's loss is {seen[-1][0]} at step {step + 1} (reiqa.lr {c.lr})"
            )
        if step + 1 < c.steps and (step + 1) % max(1, c.steps // SAVES) == 0:
            _save(state, moco, optim, seen)
    net.eval()
    return _summed_up(np.array(seen).reshape(-1, 2))


def _summed_up(seen: np.ndarray) -> pd.DataFrame:
    parts = np.array_split(np.arange(len(seen)), min(10, len(seen))) if len(seen) else []
    table = pd.DataFrame({"step": [int(part[-1]) + 1 for part in parts]})
    return table.assign(
        loss=[seen[part, 0].mean() for part in parts],
        found=[seen[part, 1].mean() for part in parts],
    )


def _save(
    file: Path, moco: MomentumContrast, optim: torch.optim.Optimizer, seen: list[list[float]]
) -> None:
    saved_state.save(file, {"moco": moco.state_dict()}, seen, optim)


def _resume(
    file: Path, moco: MomentumContrast, optim: torch.optim.Optimizer
) -> tuple[int, list[list[float]]]:
    state = saved_state.read(file, optim)
    if state is None:
        return 0, []
    moco.load_state_dict(state.part("moco"))
    state.load_into(optim)
    return len(state.note), state.note
