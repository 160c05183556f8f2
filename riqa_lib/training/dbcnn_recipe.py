"""How DBCNN (networks.dbcnn) is trained, in the paper's stages:

    0   the S-CNN learns to tell distortions (training.scnn_pretraining), once for a data set
    1   the FC alone: mean (f(x) - grade)^2 + penalty |w|^2, all else as it is
    2   all (on "lite0": S-CNN and FC): the same loss, Adam, pictures mirrored half of the time

After stage 1 and at even distances in stage 2 validation pictures are graded; the weights with the
smallest mean absolute error are kept, and may be stage 1's. Pictures are seen whole (the stored
squares, cut from the middle, which nobody squeezed) in stage 1, in validation and in test; stage 2
sees a window of `share` of the side, 64 px at least, at a place drawn anew for each batch, in steps
of 16 px (the public code: 432 or 448 px of about 500). Batch norm keeps the means and variances of
stage 0 throughout.

The paper's, by its public code (`PAPER`): VGG-16, 50 epochs of SGD with rate 1e-3 in stage 1 and of
Adam with 1e-5 in stage 2, batches of 8, weight decay 5e-4. The defaults are for frozen Lite0 and
were chosen on validation pictures.

Known differences, and faults of the public code that are avoided (networks.dbcnn has those of the
network): stage 1 is not descended but solved, since least squares of a line has one answer (ridge
regression in its dual form, by scikit-learn); its penalty, a share of the features' variance, is
the one of PENALTIES with the smallest error on validation pictures; the rate of stage 2 follows a
cosine; test pictures select nothing; one split and several seeds (which differ in what stage 2
draws), not ten splits by random.shuffle, whose seed is set nowhere there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from ..bounds import Checked, OneOf, Range
from ..networks import map_store
from ..networks.dbcnn import BACKBONES, DBCNN, STRIDE
from ..networks.device import device
from ..seeding import rng, seed_of
from ..stats import metrics
from . import scnn_pretraining
from .baselines import Floats
from .loop import drawn
from .one_stage import Stage
from .optimisation import TrainConfig, lr_at
from .regressors import Learnt, Lesson
from .scnn_pretraining import Pretraining, descend, set_rate

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # of stage 1, as shares of the features' variance
LEAST = 64  # px of a side, of the windows of stage 2
AT_ONCE = 64  # pictures graded at a time


@dataclass(frozen=True)
class Settings(Checked):
    """smoke: SMOKE; reference: the defaults; demo: half of them; paper: PAPER.

    >>> Settings(backbone="vgg19")
    Traceback (most recent call last):
    ValueError: dbcnn.backbone is 'vgg19'; allowed: lite0, vgg16
    """

    where: ClassVar[str] = "dbcnn."

    name: str = "dbcnn"
    backbone: Annotated[str, OneOf(*BACKBONES)] = "lite0"  # or "vgg16", the paper's
    pretrained: bool = True  # the backbone starts from ImageNet weights
    scnn: Pretraining = field(default_factory=Pretraining)
    epochs: Annotated[float, Range(above=0)] = 3.0  # of stage 2
    batch: Annotated[int, Range(1)] = 16
    lr: Annotated[float, Range(above=0)] = 5e-4  # of stage 2
    weight_decay: Annotated[float, Range(0)] = 5e-4  # of stage 2
    # of a side, that stage 2 sees; 64 px at least
    share: Annotated[float, Range(above=0, high=1)] = 0.5
    checks: Annotated[int, Range(1)] = 3  # of validation pictures in stage 2

    def __post_init__(self) -> None:
        if isinstance(self.scnn, dict):  # read from a run's config.json
            object.__setattr__(self, "scnn", Pretraining(**self.scnn))
        super().__post_init__()


SMOKE: dict[str, object] = {"scnn.pictures": 78, "scnn.steps": 4, "epochs": 0.1, "checks": 1}
PAPER: dict[str, object] = {
    "backbone": "vgg16",
    "scnn.pictures": 20_000,
    "scnn.side": 256,
    "scnn.crop": 224,
    "scnn.steps": 20_000,
    "scnn.batch": 128,
    "scnn.scale": 1.0,
    "epochs": 50.0,
    "batch": 8,
    "lr": 1e-5,
    "share": 0.9,
    "checks": 50,
}


def build(settings: Settings, classes: int, size: int) -> DBCNN:
    """The network, untrained; it takes pictures of any size and shape and grades them on one scale,
    however many classes it has. settings.pretrained: whether the backbone's weights are read."""
    return DBCNN(settings.backbone, settings.pretrained)


def learn(settings: Settings, lesson: Lesson) -> Learnt:
    """Train on the labelled rows, select on val, grade the asked ones. What is finished of an
    interrupted training is not done again."""
    place = scnn_pretraining.folder(lesson.data, settings.scnn)
    torch.manual_seed(seed_of("network", lesson.seed))
    net = build(settings, lesson.classes, lesson.data.pixels.shape[1])
    net.distortions.load_state_dict(scnn_pretraining.load(place).features.state_dict())
    net.to(device())
    pictures = Pictures(net, lesson)
    first = fc_alone(net, pictures, lesson)
    second = everything(settings, net, pictures, lesson, first.history[0]["val_mae"])
    second.best.load_into(net)
    net.eval()
    rows = [row | {"stage": k} for k, s in ((1, first), (2, second)) for row in s.history]
    steps = steps_of(settings, lesson)
    facts = {
        "backbone": settings.backbone,
        "scnn": place.name,
        **{f"scnn_{k}": v for k, v in scnn_pretraining.known(place).items()},
        "penalty": first.history[0]["penalty"],
        "pictures_seen": len(lesson.labelled) + steps * settings.batch,
    }
    return Learnt(net, pictures.grades(net, lesson.asked), pd.DataFrame(rows), facts)


class Pictures:
    """A data set as the network sees it: pixels, and the stored maps of a frozen backbone."""

    def __init__(self, net: DBCNN, lesson: Lesson) -> None:
        self.pixels, self.maps = lesson.data.pixels, None
        if net.kind == "lite0":
            stored = map_store.open_maps(lesson.data)
            self.maps = stored.maps
            net.standardise(stored.mean, stored.sd)
        self.where = next(net.parameters()).device

    def seen(
        self, net: DBCNN, rows: np.ndarray, mirror: np.ndarray, window: tuple[int, int, int]
    ) -> tuple[Tensor, Tensor]:
        """What the network takes, the backbone's maps and pixels, of a window of these rows (n,),
        in px: (top, left, side); mirror (n,): 0, or 1 for the mirror image."""
        top, left, side = window
        pixels = self.pixels[rows]
        pixels = np.where(mirror[:, None, None, None] == 1, pixels[:, :, ::-1], pixels)
        cut = np.ascontiguousarray(pixels[:, top : top + side, left : left + side])
        shown = torch.from_numpy(cut).to(self.where)
        if self.maps is None:
            return net.content(shown), shown
        a, b, n = top // STRIDE, left // STRIDE, -(-side // STRIDE)
        maps = torch.from_numpy(self.maps[rows, mirror, a : a + n, b : b + n])
        return maps.to(self.where).float().permute(0, 3, 1, 2), shown

    def whole(self, net: DBCNN, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The same of whole pictures."""
        return self.seen(net, rows, np.zeros(len(rows), int), (0, 0, self.pixels.shape[1]))

    @torch.no_grad()
    def features(self, net: DBCNN, rows: np.ndarray) -> np.ndarray:
        """What the FC sees of whole pictures, (n, channels x 128) float32."""
        out = np.empty((len(rows), net.fc.in_features), np.float32)
        for i in range(0, len(rows), AT_ONCE):
            out[i : i + AT_ONCE] = net.pooled(*self.whole(net, rows[i : i + AT_ONCE])).cpu()
        return out

    @torch.no_grad()
    def grades(self, net: DBCNN, rows: np.ndarray) -> Floats:
        """What the network says of whole pictures, (n,), as `net.quality` would."""
        parts = [rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE)]
        said = [net(*self.whole(net, part)).double().cpu() for part in parts]
        return torch.cat(said).numpy()

    def drawn_window(self, share: float, r: np.random.Generator) -> tuple[int, int, int]:
        """A window of this share of the side, LEAST px at least, its corner and side multiples of
        16 px; the whole where that is not smaller."""
        size = self.pixels.shape[1]
        side = max(LEAST, STRIDE * round(share * size / STRIDE))
        if side >= size:
            return 0, 0, size
        top, left = (STRIDE * r.integers((size - side) // STRIDE + 1, size=2)).tolist()
        return top, left, side


def said_of(expected: Floats, lesson: Lesson) -> dict[str, float]:
    """val_mae and val_srcc of what is said of the validation rows, held to the scale."""
    held = np.clip(expected, 0, lesson.classes - 1)
    return {
        "val_mae": float(np.abs(held - lesson.val_grades).mean()),
        "val_srcc": metrics.srcc(lesson.val_grades, held),
    }


# ---------------------------------------------------------------- stage 1
def fc_alone(net: DBCNN, pictures: Pictures, lesson: Lesson) -> Stage:
    """Stage 1: the FC is what least squares say of the labelled pictures' features."""
    optim = torch.optim.SGD(net.fc.parameters(), lr=0.0)  # never asked for a step
    stage = Stage(net, optim, lesson.state("fc"), "DBCNN, FC")
    told: dict[str, float] = {}

    def solve(step: int) -> Tensor:
        net.eval()
        x, val = pictures.features(net, lesson.labelled), pictures.features(net, lesson.val)
        weight, bias, penalty = least_squares(x, lesson.grades, val, lesson.val_grades)
        with torch.no_grad():
            net.fc.weight.copy_(torch.from_numpy(weight[None]))
            net.fc.bias.fill_(bias)
        told.update(said_of(val @ weight + bias, lesson), penalty=penalty)
        return torch.tensor(np.square(x @ weight + bias - lesson.grades).mean())

    stage.run(1, 1, solve, lambda step: told)
    return stage


def least_squares(
    x: np.ndarray, y: Floats, val: np.ndarray, val_y: Floats
) -> tuple[np.ndarray, float, float]:
    """Ridge regression of y (n,) on x (n, F), F far above n: (weight (F,) float32, bias, penalty).

    The penalty, a share of PENALTIES of the features' variance, is the one with the smallest mean
    absolute error of what is said of val (m, F) beside val_y (m,)."""
    mean, centre = x.mean(axis=0), float(y.mean())
    x, val = x - mean, val - mean
    inner, across = (x @ x.T).astype(np.float64), (val @ x.T).astype(np.float64)
    variance = float(inner.trace() / len(x))
    fits = []
    for share in PENALTIES:
        fitted = KernelRidge(alpha=share * variance, kernel="precomputed").fit(inner, y - centre)
        error = np.abs(fitted.predict(across) + centre - val_y).mean()
        fits.append((float(error), share, fitted.dual_coef_))
    _, share, dual = min(fits, key=_error)
    weight = (dual.astype(np.float32) @ x).astype(np.float32)
    return weight, centre - float(weight @ mean), share


def _error(fit: tuple[float, float, np.ndarray]) -> float:
    return fit[0]


# ---------------------------------------------------------------- stage 2
def steps_of(settings: Settings, lesson: Lesson) -> int:
    """Steps of stage 2."""
    return max(1, round(settings.epochs * len(lesson.labelled) / settings.batch))


def everything(
    settings: Settings,
    net: DBCNN,
    pictures: Pictures,
    lesson: Lesson,
    before: float,
    stop_after: int | None = None,
) -> Stage:
    """Stage 2: all weights that are not frozen. before: the validation error after stage 1, whose
    weights are the best until others are better; stop_after: see one_stage.Stage.run."""
    optim = torch.optim.Adam(
        [p for p in net.parameters() if p.requires_grad],
        lr=settings.lr,
        weight_decay=settings.weight_decay,
    )
    stage = Stage(net, optim, lesson.state("all"), "DBCNN, all")
    if stage.done == 0:
        stage.best.offer(before, net)
    steps = steps_of(settings, lesson)
    schedule = TrainConfig(steps=steps, lr=settings.lr)
    grades = torch.from_numpy(lesson.grades).float()

    def step_of(step: int) -> Tensor:
        net.train()
        index = drawn(len(lesson.labelled), settings.batch, step, lesson.seed, "labelled")
        r = rng("dbcnn", lesson.seed, step)
        mirror = r.integers(2, size=len(index))
        window = pictures.drawn_window(settings.share, r)
        shown = pictures.seen(net, lesson.labelled[index], mirror, window)
        set_rate(optim, lr_at(step, schedule))
        return descend(optim, F.mse_loss(net(*shown), grades[index].to(pictures.where)))

    def check(step: int) -> dict[str, float]:
        net.eval()
        return said_of(pictures.grades(net, lesson.val), lesson)

    stage.run(steps, min(settings.checks, steps), step_of, check, stop_after)
    return stage
