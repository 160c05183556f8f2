"""What two processes, and one, train in tests of ranks: every method, tiny. In a module of its own,
since processes that are spawned import what they run."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from exercises import OWN_METHODS
from timm.layers import BatchNormAct2d
from torch import nn

from riqa_lib.networks import ranks, views
from riqa_lib.networks.network import Network
from riqa_lib.networks.sources import Maps, Pixels
from riqa_lib.networks.synced_norm import synced
from riqa_lib.networks.vit import ViT, ViTConfig
from riqa_lib.ssl.adamatch import AdaMatch
from riqa_lib.ssl.base import Method
from riqa_lib.ssl.comatch import CoMatch
from riqa_lib.ssl.crmatch import CRMatch
from riqa_lib.ssl.fixmatch import FixMatch
from riqa_lib.ssl.freematch import FreeMatch
from riqa_lib.ssl.mean_teacher import MeanTeacher
from riqa_lib.ssl.simmatch import SimMatch
from riqa_lib.ssl.supervised import Supervised
from riqa_lib.ssl.teacher_student import Student, Teacher
from riqa_lib.training import photographs
from riqa_lib.training.loop import Material, Trainer, batch_of
from riqa_lib.training.optimisation import TrainConfig

CLASSES, SIDE = 3, 16
# a convolutional stem, so with batch normalisation; no dropout, which each process draws for itself
TINY = ViTConfig(width=8, depth=1, heads=2, patch=8, weights="none")
# gradients are longer than `clip` at first: they must be cut after they are averaged
TRAIN = TrainConfig(steps=4, batch=4, mu=2, evaluations=2, lr=0.2, warmup=0.0, clip=0.7, ema=0.5,
                    precision="fp32")  # fmt: skip
SETTINGS = {
    "supervised": (Supervised, {"strong": True}),
    "fixmatch": (FixMatch, {"tau": 0.4, "align": True}),
    "fixmatch, labels first": (FixMatch, {"tau": 0.4, "start": 3, "weak": "ema"}),
    "simmatch": (SimMatch, {"tau": 0.3, "queue": 2, "dim": 4, "lambda_in": 5.0}),
    "simmatch, average": (SimMatch, {"tau": 0.3, "bank": "ema", "weak": "ema", "dim": 4}),
    "adamatch": (AdaMatch, {"momentum": 0.5, "tau": 0.97}),
    "adamatch, as in the paper": (
        AdaMatch, {"window": 3, "labelled_strong": True, "interpolate": True, "tau": 0.9}),
    "comatch": (CoMatch, {"tau": 0.4, "bank": 20, "edge": 0.3, "dim": 4, "lambda_c": 5.0}),
    "freematch": (FreeMatch, {"momentum": 0.5, "lambda_e": 0.5, "align": True}),
    "freematch, quantile": (FreeMatch, {"momentum": 0.5, "quantile": 0.7, "lambda_e": 0.5}),
    "crmatch": (CRMatch, {"tau": 0.4, "lambda_rot": 1.0, "align": True}),
    "mean_teacher": (MeanTeacher, {"ramp_steps": 2}),
}  # fmt: skip


class LocalThreshold(Method):
    """Wrong with several processes: its threshold is of a rank's own rows."""

    unlabelled_views = ("weak",)

    def __init__(self, net):
        super().__init__(net, CLASSES)
        self.register_buffer("cut", torch.zeros(()))

    def forward(self, batch):
        (z_x, _), (z_w, _) = self.look(batch, ("weak",), "train")
        self.cut.copy_(z_w.detach().softmax(dim=1).max(dim=1).values.mean())
        return {"loss": nn.functional.cross_entropy(z_x, batch.y)}


class Idle(Method):
    """Has a weight that no loss needs."""

    def __init__(self, net):
        super().__init__(net, CLASSES)
        self.idle = nn.Linear(2, 2)

    def forward(self, batch):
        ((z_x, _),) = self.look(batch, (), "train")
        return {"loss": nn.functional.cross_entropy(z_x, batch.y)}


class TwoHeads(Network):
    """Overall grades, and details, as the networks of fundus pictures say them."""

    def __init__(self):
        super().__init__()
        self.trunk = net()
        self.details = nn.Linear(self.trunk.width, 3)
        self.width, self.tokens = self.trunk.width, self.trunk.tokens

    def forward(self, x, keep=None):
        overall, feature = self.trunk(x, keep)
        return overall, self.details(feature)


def material(crop=SIDE):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 20, 3), np.uint8)
    rows = np.arange(len(pixels))
    for k in range(CLASSES):  # grade = brightness
        pixels[rows % CLASSES == k] //= CLASSES + 1 - k
    return Material(
        source=Pixels(torch.from_numpy(pixels), crop),
        labelled=rows[:9],
        grades=rows[:9] % CLASSES,
        unlabelled=rows[9:],
        val=rows[17:],  # an odd number of them
        val_grades=rows[17:] % CLASSES,
    )


def net():
    torch.manual_seed(0)
    return ViT(TINY, SIDE, CLASSES)


def methods():
    """{name: what makes the method anew}."""
    prior = torch.tensor([0.5, 0.3, 0.2])

    def library(kind, settings):
        return kind(net(), CLASSES, kind.Config(**settings), prior)

    g = np.random.default_rng(1)
    labels, p = g.integers(-1, 2, (30, 3)), g.random((30, 3))
    return {
        **{name: partial(library, *its) for name, its in SETTINGS.items()},
        "softmatch": partial(library, OWN_METHODS["softmatch"], {"momentum": 0.5}),
        "teacher": lambda: Teacher(TwoHeads(), CLASSES, labels, labels[17:]),
        "student": lambda: Student(TwoHeads(), CLASSES, Student.Config(pseudo="filtered"), p),
    }


def trainer_of(method, stuff=None):
    """SGD, which is linear in the gradient: Adam would make much of what is 0 but for rounding."""
    stuff = stuff or material()
    if isinstance(method, Student):  # some overall grades are unknown
        stuff = dataclasses.replace(stuff, grades=np.where(stuff.labelled % 4, stuff.grades, -1))
    trainer = Trainer(method, stuff, TRAIN, seed=0)
    trainer.optim = torch.optim.SGD(method.parameters(), lr=TRAIN.lr, momentum=0.9)
    return trainer


def stepped(trainer, steps):
    for _ in range(steps):
        trainer.step()
        if trainer.is_due():
            trainer.check()
    return trainer


def left_by(trainer):
    """All that a training leaves: {name: tensor}."""
    parts = {"method": trainer.method, "average": trainer.average.net}
    kept = {f"{p}.{k}": v.clone() for p, m in parts.items() for k, v in m.state_dict().items()}
    kept |= {f"best.{k}": v for k, v in trainer.best.weights.items()}
    for i, row in enumerate(trainer.history):
        kept |= {f"history.{i}.{k}": torch.tensor(v) for k, v in row.items()}
    return kept


def trained():
    """{name: what a training of the method leaves}."""
    return {name: left_by(stepped(trainer_of(make()), 4)) for name, make in methods().items()}


def shown():
    """The views of a step, of the whole batch: {name: tensor}."""
    asks = SimpleNamespace(
        weak_policy=views.Policy(), labelled_strong=True, unlabelled_views=("weak", "strong"),
        parameters=lambda: iter(()),
    )  # fmt: skip
    maps = torch.rand(30, 2, 4, 4, 6, generator=torch.Generator().manual_seed(0)).half()
    sources = {"pixels": material().source, "maps": Maps(maps, 3, torch.zeros(6), maps)}
    out = {}
    for name, source in sources.items():
        for strong in ("quality", "randaugment"):
            c = dataclasses.replace(TRAIN, strong=strong)
            batch = batch_of(dataclasses.replace(material(), source=source), asks, c, 0, 1, 4)
            named = {"x": batch.x, "s": batch.s, **batch.u}
            for view, (images, keep) in named.items():
                out[f"{name} {strong} {view}"] = ranks.rows(images)
                if keep is not None:
                    out[f"{name} {strong} {view} keep"] = ranks.rows(keep)
            out[f"{name} {strong} y"] = ranks.rows(batch.y)
    return out


def normed(bf16=False):
    """What a stem of timm's, whose normalisation is also its activation, makes of a batch; bf16:
    after a convolution in that precision, as on a CPU with matrix units."""
    torch.manual_seed(0)
    x = torch.randn(6, 3, 5, 5)
    stem = synced(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4)), x.device)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        out = stem(ranks.mine(x))
    out.square().mean().backward()
    kept = {k: v.clone() for k, v in stem.state_dict().items()} | {"out": ranks.rows(out.detach())}
    return kept | {f"{k} gradient": ranks.mean(p.grad) for k, p in stem.named_parameters()}


def everything(folder: Path, run: photographs.Run, pictures: Path) -> None:
    """In each of two processes: train all, and leave what was left as rank-N.pt; go on from
    before.safetensors; say what is said of methods that are wrong; train a run of photographs."""
    found = {"trained": trained(), "shown": shown(), "said": []}
    found |= {"normed": normed(), "normed in bf16": normed(bf16=True)}
    trainer = trainer_of(methods()["comatch"]())
    trainer.resume(folder / "before.safetensors")
    stepped(trainer, 1).save(folder / "between.safetensors")
    trainer.save(folder / f"by-{ranks.rank()}.safetensors")
    for wrong in (LocalThreshold, Idle):
        try:
            stepped(trainer_of(wrong(net())), 4)
        except (RuntimeError, ValueError) as e:
            found["said"].append(str(e))
    photographs.train_there(run, pictures)
    torch.save(found, folder / f"rank-{ranks.rank()}.pt")
