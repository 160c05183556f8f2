"""The S-CNN of DBCNN (networks.dbcnn) learns to tell distortions: which one, and how much.

    L = cross-entropy over 39 classes of type and level, no label of quality

The paper's nine types (Zhang et al., 2020; 7 with five levels, over- and under-exposure with two)
and what stands for each here, of the 25 of sim.distortions:

| paper | here | how near |
|---|---|---|
| Gaussian blur | 1 Gaussian blur | the same, milder levels |
| white noise | 11 white noise | the same, milder levels |
| JPEG | 10 JPEG | the same; qualities 43 to 4, there 43 to 0 |
| JPEG2000 | 9 JPEG2000 | the same; ratios 16 to 400, there 52 to 1,200 |
| contrast stretching | 25 contrast change | a curve, up and down; there down only |
| pink noise | 15 denoise | no pink noise among the 25: what denoising leaves of noise is the only one with more low frequencies than high |
| colour quantisation with dither | 6 colour quantisation | the same; 64 to 8 colours, there 64 to 4 |
| over-exposure, 2 levels | 18 mean shift by +.08, +.15 | the same formula |
| under-exposure, 2 levels | 18 mean shift by -.08, -.15 | the same formula |

Pictures: those without a grade (in KOKA10K: undistorted ones) first, then training pictures; never
one of validation or test. The weights depend on pictures and settings only: they are made once for
a data set and lie in results/runs/scnn-<hash>, where all seeds and budgets of labels find them.

Known differences: the paper distorts 4,744 undistorted pictures of Waterloo and 17,125 of PASCAL
VOC in all 39 ways (852,891 pictures), crops 224 px of a side of 256, and trains with SGD for 30
epochs; here some thousand small cut-outs, each distorted once, Adam and a cosine. Where there are
no undistorted pictures (BIQ2021), those that are distorted are distorted once more.
"""  # noqa: E501 (the table)

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import bars, store
from ..bounds import Checked, Range
from ..datasets.data_folder import DataSet, data_key
from ..networks.dbcnn import SCNN, STRIDE, shown
from ..networks.device import device
from ..networks.weights import load_weights, save_weights
from ..provenance import provenance
from ..seeding import rng, seed_of
from ..sim.distortions import distort
from .loop import drawn
from .one_stage import Stage
from .optimisation import TrainConfig, lr_at

# (type, level) of each class, types in the paper's order
CLASSES: tuple[tuple[int, int], ...] = (
    *((kind, level) for kind in (1, 11, 10, 9, 25, 15, 6) for level in range(1, 6)),
    *((18, level) for level in (2, 1, 4, 5)),
)


@dataclass(frozen=True)
class Pretraining(Checked):
    """pictures: distorted ones; side: of what is cut out of a picture to be distorted, px; crop: of
    what a step shows, px.

    >>> Pretraining(side=32, crop=48)
    Traceback (most recent call last):
    ValueError: dbcnn.scnn.crop is 48; expected 16 to dbcnn.scnn.side, 32
    """

    where: ClassVar[str] = "dbcnn.scnn."

    pictures: Annotated[int, Range(1)] = 3900
    side: Annotated[int, Range(STRIDE)] = 64
    crop: Annotated[int, Range(STRIDE)] = 32
    steps: Annotated[int, Range(1)] = 500
    batch: Annotated[int, Range(1)] = 64
    lr: Annotated[float, Range(above=0)] = 3e-3
    # lengths in px (blurs) times this: KADID's are for 512 px wide pictures
    scale: Annotated[float, Range(above=0)] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop > self.side:
            raise ValueError(
                f"dbcnn.scnn.crop is {self.crop}; expected {STRIDE} to dbcnn.scnn.side, {self.side}"
            )


def folder(data: DataSet, c: Pretraining) -> Path:
    """Where the weights of a data set lie, made now if need be: model.safetensors, and what is
    known of them in provenance.json (seconds, the last steps' loss, accuracy)."""
    made = {"method": {"name": "scnn"} | dataclasses.asdict(c), "data_key": data_key(data)}
    there = store.run_folder(made)
    if not store.done(there):
        began = time.perf_counter()
        net, facts = pretrained(data, c, there / "state.safetensors")
        save_weights(there / "model.safetensors", net)
        facts["seconds"] = round(time.perf_counter() - began, 1)
        store.finish(there, provenance() | facts)
        (there / "state.safetensors").unlink(missing_ok=True)
    for file in there.iterdir():
        store.journal(file)
    return there


def known(place: Path) -> dict[str, float]:
    """What is known of the weights in such a folder: seconds that they took, loss, accuracy."""
    told = store.read_json(place / "provenance.json")
    return {k: told[k] for k in ("seconds", "loss", "accuracy")}


def load(place: Path) -> SCNN:
    """The S-CNN out of such a folder."""
    net = SCNN()
    load_weights(place / "model.safetensors", net)
    return net


def rows_of(data: DataSet) -> np.ndarray:
    """Rows of the frame that may be distorted, in the order in which they are taken: the pool, then
    training pictures, each shuffled."""
    parts = [np.flatnonzero(data.frame["split"] == split) for split in ("pool", "train")]
    return np.concatenate([rng("scnn", "rows").permutation(rows) for rows in parts])


def distorted(data: DataSet, c: Pretraining) -> tuple[np.ndarray, np.ndarray]:
    """Distorted cut-outs (n, side, side, 3) uint8 and their classes (n,), 0..38, as many of each.

    A row that was distorted in one way may be in another, once all rows had their turn."""
    rows = rows_of(data)
    side = min(c.side, data.pixels.shape[1])
    out = np.empty((c.pictures, side, side, 3), np.uint8)
    classes = np.arange(c.pictures) % len(CLASSES)
    for i in bars.bar(range(c.pictures), desc="distorting"):
        r = rng("scnn", i)
        top, left = r.integers(data.pixels.shape[1] - side + 1, size=2)
        row = rows[i % len(rows)]
        kind, level = CLASSES[classes[i]]
        cut = np.array(data.pixels[row, top : top + side, left : left + side])
        out[i] = np.round(255 * distort(cut, kind, level, r, scale=c.scale))
    return out, classes


def crops(pixels: np.ndarray, rows: np.ndarray, size: int, r: np.random.Generator) -> Tensor:
    """(n, size, size, 3) uint8 of these rows: one place a batch, each mirrored or not."""
    size = min(size, pixels.shape[1])
    top, left = r.integers(pixels.shape[1] - size + 1, size=2)
    cut = pixels[rows, top : top + size, left : left + size]
    mirror = r.random(len(rows)) < 0.5
    return torch.from_numpy(np.where(mirror[:, None, None, None], cut[:, :, ::-1], cut))


def pretrained(
    data: DataSet, c: Pretraining, state: Path, stop_after: int | None = None
) -> tuple[SCNN, dict[str, float]]:
    """The S-CNN, trained, and loss and accuracy over the last tenth of its steps, on pictures that
    it learns from. state: where it is saved on the way; stop_after: see one_stage.Stage.run."""
    pixels, classes = distorted(data, c)
    torch.manual_seed(seed_of("scnn"))
    where = device()
    net = SCNN().to(where).train()
    net.to(memory_format=torch.channels_last)  # twice as fast
    optim = torch.optim.Adam(net.parameters(), lr=c.lr)
    stage = Stage(net, optim, state, "S-CNN")
    schedule = TrainConfig(steps=c.steps, lr=c.lr)
    right: list[Tensor] = []

    def learn(step: int) -> Tensor:
        rows = drawn(len(classes), c.batch, step, "scnn")
        x = shown(crops(pixels, rows, c.crop, rng("scnn", "crop", step)).to(where))
        y = torch.from_numpy(classes[rows]).to(where)
        set_rate(optim, lr_at(step, schedule))
        logits = net(x)
        right.append((logits.detach().argmax(dim=1) == y).float().mean())
        return descend(optim, F.cross_entropy(logits, y))

    def check(step: int) -> dict[str, float]:
        accuracy = float(torch.stack(right).mean())
        right.clear()
        return {"accuracy": accuracy}

    stage.run(c.steps, min(10, c.steps), learn, check, stop_after)
    last = stage.history[-1] if stage.history else {"loss": math.nan, "accuracy": math.nan}
    return net.eval(), {k: round(last[k], 4) for k in ("loss", "accuracy")}


def set_rate(optim: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of all parameters from the next step on."""
    for group in optim.param_groups:
        group["lr"] = lr


def descend(optim: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One step of the optimiser down this loss, which is returned."""
    optim.zero_grad(set_to_none=True)
    loss.backward()
    optim.step()
    return loss
