"""How fast this library trains beside a usual pipeline: the same network, pictures, batch and
passes, end to end, in one run, taken in turns.

Usual: picture files, torch's DataLoader with a worker a core, Pillow, torchvision's v2 transforms
(crop and flip; RandAugment and a grey cutout for the strong view), then the step as the public
codes write it (FixMatch: kekmodel/FixMatch-pytorch; SimMatch: USB): one pass over labelled, weak
and strong pictures, AdamW, a running average of weights by a loop over parameters. It is not made
worse than it is: workers persist and prefetch, memory is pinned, the forward pass has the precision
that ours has.
Ours: `training.loop.Trainer.step` from the pixel store ("pixels"), with RandAugment views, and with
the views that keep quality; the same with weak views seen by the running average, without
gradients, as the walk trains (fewer passes with gradients than the public codes make); and from the
maps of a frozen stem ("frozen store"), for which the usual pipeline puts every picture through the
same frozen stem. The store is made once, from the same files: store_seconds.

    python -m benchmarks.usual_pipeline [--profile demo] [--steps 8] [--rounds 3] [--to usual.csv]
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms import v2

from riqa_lib import provenance, store
from riqa_lib.networks import device, lite0, views
from riqa_lib.networks.precision import mixed
from riqa_lib.networks.sources import Maps, Pixels, Source
from riqa_lib.networks.vit import ViT
from riqa_lib.pictures.pristine import CARRIED
from riqa_lib.seeding import rng
from riqa_lib.ssl.parts import Projection
from riqa_lib.training import loop, photographs

from .gpu_sizes import SIZES, STORED

METHODS = ("fixmatch", "simmatch")
PICTURES = 1280  # on disk; a fifth of them is labelled
SHARE = 5
CLASSES = 5
WARM = 5  # steps of ours before any is timed; the usual pipeline warms up as it begins to load
# what both do alike, beside the network: no step on labels alone
ALIKE: dict[str, object] = {"model.weights": "none", "fixmatch.align": False}
# name of the comparison: (what ours reads, its strong view, how ours sees weak views: "train", in
# the one pass with gradients, as the public codes and the usual pipeline do; "ema", as the walk's
# profiles do)
COMPARISONS = {
    "pixels, RandAugment": ("pixels", "randaugment", "train"),
    "pixels, views that keep quality": ("pixels", "quality", "train"),
    "pixels, the same, weak views by the average": ("pixels", "quality", "ema"),
    "frozen store, views that keep quality": ("maps", "quality", "train"),
}


# ---------------------------------------------------------------- pictures
def written(folder: Path, count: int, size: int, quality: int = 92) -> list[Path]:
    """JPEG files of size x size px: windows of the photographs that scikit-image and scikit-learn
    carry, so that decoding costs what it costs for photographs."""
    sources = [Image.fromarray(one.load()) for one in CARRIED]
    files = []
    for i in range(count):
        g = rng("usual pictures", i)
        picture = sources[i % len(sources)]
        side = int(g.integers(size, min(picture.size) + 1))
        left, top = (int(g.integers(0, n - side + 1)) for n in picture.size)
        window = picture.crop((left, top, left + side, top + side)).resize((size, size))
        files.append(folder / f"{i:05}.jpg")
        window.save(files[-1], quality=quality)
    return files


class Files(Dataset):
    """Pictures from files, each through every transform; with the labels 0..4 in turn."""

    def __init__(self, files: list[Path], transforms: list[Callable]) -> None:
        self.files, self.transforms = files, transforms

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple:
        with Image.open(self.files[i]) as opened:
            picture = opened.convert("RGB")
        return (*(t(picture) for t in self.transforms), i % CLASSES, i)


def weak_transform(crop: int) -> v2.Compose:
    """Crop and flip, as most codes have it; -> normalised (3, crop, crop)."""
    return v2.Compose([v2.RandomCrop(crop), v2.RandomHorizontalFlip(), *_to_tensor()])


def strong_transform(crop: int) -> v2.Compose:
    """The same, then three operations of RandAugment and a grey square."""
    return v2.Compose(
        [
            v2.RandomCrop(crop),
            v2.RandomHorizontalFlip(),
            v2.RandAugment(num_ops=3, magnitude=10),
            *_to_tensor(),
            v2.RandomErasing(p=1.0, scale=(0.01, 0.25), ratio=(1, 1), value=0.0),
        ]
    )


def _to_tensor() -> list[nn.Module]:
    mean, sd = [views.MEAN] * 3, [views.SD] * 3
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, sd)]


# ---------------------------------------------------------------- the usual step
def fixmatch_loss(z_x: Tensor, y: Tensor, z_w: Tensor, z_s: Tensor, tau: float) -> Tensor:
    """FixMatch's loss as its public codes write it."""
    sup_loss = F.cross_entropy(z_x, y)
    probability = torch.softmax(z_w.detach(), dim=-1)
    confidence, target = torch.max(probability, dim=-1)
    mask = confidence.ge(tau).float()
    return sup_loss + (F.cross_entropy(z_s, target, reduction="none") * mask).mean()


class SimMatchLoss:
    """SimMatch's loss and memory as its public codes write them: a bank of all labelled pictures,
    predictions aligned by a list of the last batches' means. Full from the first step on (random
    features), so that what is timed is the whole of it."""

    def __init__(self, c: Any, labels: Tensor, where: torch.device) -> None:
        self.c, self.labels = c, labels.to(where)
        g = torch.Generator().manual_seed(0)
        self.bank = F.normalize(torch.randn(len(labels), c.dim, generator=g), dim=1).to(where)
        self.target = torch.full((CLASSES,), 1 / CLASSES, device=where)
        self.means: list[Tensor] = []

    def __call__(
        self,
        z_x: Tensor, y: Tensor, index: Tensor, f_x: Tensor,
        z_w: Tensor, f_w: Tensor, z_s: Tensor, f_s: Tensor,
    ) -> Tensor:  # fmt: skip
        c, bank = self.c, self.bank.clone()
        sup_loss = F.cross_entropy(z_x, y)
        with torch.no_grad():
            p = torch.softmax(z_w, dim=1)
            self.means = [*self.means, p.mean(0)][-c.queue :]
            p = p * (self.target + 1e-6) / (torch.stack(self.means).mean(0) + 1e-6)
            p = p / p.sum(dim=1, keepdim=True)
            teacher = torch.softmax(f_w @ bank.T / c.temperature, dim=1)
            factor = p.gather(1, self.labels.expand(len(p), -1))
            told = teacher * factor
            told = told / told.sum(dim=1, keepdim=True)
            shares = torch.zeros_like(p)
            shares.scatter_add_(1, self.labels.expand(len(p), -1), teacher)
            q = p * c.alpha + shares * (1 - c.alpha)
            mask = q.max(1).values.ge(c.tau).float()
        student = torch.log_softmax(f_s @ bank.T / c.temperature, dim=1)
        in_loss = (-told * student).sum(dim=1).mean()
        unsup_loss = ((-q * torch.log_softmax(z_s, dim=1)).sum(1) * mask).mean()
        with torch.no_grad():
            self.bank[index] = F.normalize(c.mix * bank[index] + (1 - c.mix) * f_x.detach(), dim=1)
        return sup_loss + c.lambda_u * unsup_loss + c.lambda_in * in_loss


class Usual:
    """The usual pipeline of one method: loaders, and the step. net: its own copy."""

    def __init__(self, run: photographs.Run, net: ViT, files: list[Path], workers: int) -> None:
        c, crop, self.where = run.train, run.data.crop, device.device_of(net, torch.device("cpu"))
        self.run, self.net, self.head, self.workers = run, net, None, workers
        weak, strong = weak_transform(crop), strong_transform(crop)
        labelled = len(files) // SHARE
        self.labelled = Files(files[:labelled], [weak])
        self.pool = Files(files[labelled:], [weak, strong])
        self.loaders: list[Iterator] = []
        self.stem: nn.Module | None = None  # frozen, before a network that reads its maps
        if run.model.freeze:
            self.stem = lite0.Lite0(run.model.scales).to(self.where).eval().requires_grad_(False)
        self.precision = mixed(net, self.where, c.precision)
        if run.method.name == "simmatch":
            self.head = Projection(net.width, run.method.dim).to(self.where)
            labels = torch.arange(labelled) % CLASSES
            self.simmatch = SimMatchLoss(run.method, labels, self.where)
        self.trained = [*net.parameters(), *(self.head.parameters() if self.head else ())]
        self.trained = [p for p in self.trained if p.requires_grad]
        self.optim = torch.optim.AdamW(self.trained, lr=c.lr, weight_decay=c.weight_decay)
        self.average = copy.deepcopy(net).requires_grad_(False)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Workers at their work, past what they had ready at the start; none outside of it."""
        c = self.run.train
        self.loaders = [
            iter(_loader(self.labelled, c.batch, self.workers)),
            iter(_loader(self.pool, c.mu * c.batch, self.workers)),
        ]
        for _ in range(1 + 2 * self.workers):
            self.step()
        try:
            yield
        finally:
            self.loaders = []

    def load(self) -> tuple[list[Tensor], Tensor, Tensor]:
        """The next batch, sent to the network: ([labelled, weak, strong], grades, index)."""
        x, y, index = next(self.loaders[0])
        weak, strong, *_ = next(self.loaders[1])
        images = [t.to(self.where, non_blocking=True) for t in (x, weak, strong)]
        return images, y.to(self.where), index.to(self.where)

    def learn(self, loaded: tuple[list[Tensor], Tensor, Tensor]) -> None:
        """One step of the optimiser and of the average."""
        images, y, index = loaded
        sizes = [len(t) for t in images]
        with self.precision:
            shown = torch.cat(images)
            if self.stem is not None:
                with torch.no_grad():
                    shown = self.stem(lite0.renormalised(shown)).float()
            logits, feature = self.net(shown)
            z_x, z_w, z_s = logits.float().split(sizes)
            if self.head is None:
                loss = fixmatch_loss(z_x, y, z_w, z_s, self.run.method.tau)
            else:
                f_x, f_w, f_s = self.head(feature).float().split(sizes)
                with torch.autocast(self.where.type, enabled=False):
                    loss = self.simmatch(z_x, y, index, f_x, z_w, f_w.detach(), z_s, f_s)
        self.optim.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, self.run.train.clip)
        self.optim.step()
        self._follow(self.run.train.ema)

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        its = self.net.state_dict()
        for key, value in self.average.state_dict().items():
            if value.dtype.is_floating_point:
                value.copy_(value * decay + (1 - decay) * its[key])
            else:
                value.copy_(its[key])

    def step(self) -> None:
        self.learn(self.load())


def _loader(data: Files, batch: int, workers: int) -> DataLoader:
    return DataLoader(
        data,
        batch_size=batch,
        sampler=RandomSampler(data, replacement=True, num_samples=10**7),
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        drop_last=True,
    )


# ---------------------------------------------------------------- ours
def decoded(files: list[Path], where: torch.device) -> Tensor:
    """The pixel store of the same files: (N, S, S, 3) uint8."""
    return device.on_device(np.stack([np.asarray(Image.open(f)) for f in files]), where)


@torch.no_grad()
def maps_of(pixels: Tensor, run: photographs.Run, batch: int = 64) -> Source:
    """The maps that the frozen stem makes of each picture and its mirror image."""
    stem = lite0.Lite0(run.model.scales).to(pixels.device).eval()
    made = []
    for part in pixels.split(batch):
        both = [stem(lite0.renormalised(views.normalise(x))) for x in (part, part.flip(2))]
        made.append(torch.stack(both, 1).permute(0, 1, 3, 4, 2).half())
    maps = torch.cat(made)
    return Maps(maps, run.data.crop // lite0.STRIDE, maps.float().mean((0, 1, 2, 3)).cpu())


def trainer_of(run: photographs.Run, net: ViT, source: Source, pictures: int) -> loop.Trainer:
    """Our training of these pictures."""
    rows, labelled = np.arange(pictures), pictures // SHARE
    material = loop.Material(
        source=source,
        labelled=rows[:labelled],
        grades=rows[:labelled] % CLASSES,
        unlabelled=rows[labelled:],
        val=rows[:8],
        val_grades=rows[:8] % CLASSES,
    )
    method = photographs.made(run, net, CLASSES, torch.full((CLASSES,), 1 / CLASSES))
    return loop.Trainer(method, material, run.train, 0)


# ---------------------------------------------------------------- both, in turns
def each_seconds(step: Callable[[], object], steps: int) -> list[float]:
    """Seconds of each of so many steps."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else _nothing
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        step()
        wait()
        times.append(time.perf_counter() - began)
    return times


def _nothing() -> None:
    pass


def run_of(
    method: str,
    profile: str,
    form: str,
    strong: str,
    changes: dict[str, object],
    weak: str = "train",
) -> Any:
    """The settings that both sides read; how weak views are seen is ours alone."""
    frozen: dict[str, object] = {"model.freeze": False}
    if form == "maps":
        frozen = {
            "model.arch": "", "model.stem": "lite0", "model.weights": "imagenet",
            "model.freeze": True,
        }  # fmt: skip
    given = {**changes, **ALIKE, **frozen, **{f"{m}.weak": weak for m in METHODS}}
    return photographs.settings(profile, method, 0, {**given, "train.strong": strong})


def compared(
    name: str,
    method: str,
    profile: str,
    files: list[Path],
    steps: int,
    rounds: int,
    workers: int,
    changes: dict[str, object],
) -> dict[str, object]:
    """One row: milliseconds a step of ours and of the usual pipeline, medians over all rounds."""
    form, strong, weak = COMPARISONS[name]
    where = device.device()
    run = run_of(method, profile, form, strong, changes, weak)
    torch.manual_seed(0)
    net = ViT(run.model, run.data.crop, CLASSES).to(where)
    began = time.perf_counter()
    pixels = decoded(files, where)
    source: Source = Pixels(pixels, run.data.crop) if form == "pixels" else maps_of(pixels, run)
    store_seconds = time.perf_counter() - began
    usual = Usual(run, copy.deepcopy(net), files, workers)
    trainer = trainer_of(run, net, source, len(files))
    each_seconds(trainer.step, WARM)
    times: dict[str, list[float]] = {"ours": [], "usual": [], "usual_load": [], "usual_learn": []}
    for _ in range(rounds):
        times["ours"] += each_seconds(trainer.step, steps)
        with usual.loading():
            times["usual"] += each_seconds(usual.step, steps)
            loaded = usual.load()
            times["usual_learn"] += each_seconds(partial(usual.learn, loaded), steps)
            times["usual_load"] += each_seconds(usual.load, 2 * workers + steps)[2 * workers :]
    found = {f"{key}_ms": 1e3 * statistics.median(t) for key, t in times.items()}
    # a loader gives several batches at once, then none: the mean is what a training waits
    found |= {f"{key}_mean_ms": 1e3 * statistics.mean(times[key]) for key in ("ours", "usual")}
    pictures = run.train.batch * (1 + 2 * run.train.mu)
    return {
        "comparison": name,
        "method": method,
        "pictures": pictures,
        **found,
        "times_faster": found["usual_mean_ms"] / found["ours_mean_ms"],
        "ours_pictures_per_second": 1e3 * pictures / found["ours_mean_ms"],
        "usual_pictures_per_second": 1e3 * pictures / found["usual_mean_ms"],
        "store_seconds": store_seconds,
        "stored_pictures": len(files),
        "size": run.data.size,
        "crop": run.data.crop,
    }


def all_compared(
    profile: str,
    steps: int,
    rounds: int,
    changes: dict[str, object] | None = None,
    workers: int | None = None,
    pictures: int = PICTURES,
) -> Iterator[dict[str, object]]:
    """Every comparison of both methods, each row when it has been measured."""
    if workers is None:  # for two loaders
        workers = max(1, min(16, os.cpu_count() or 1) // 2)
    size = photographs.settings(profile, "fixmatch", 0, changes).data.size
    about = {
        "data": "photographs that scikit-image and scikit-learn carry",
        "profile": profile,
        "workers": workers,
        "threads": device.threads(),
        "machine": provenance.machine(),
        "torch": torch.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        files = written(Path(folder), pictures, size)
        for name in COMPARISONS:
            for method in METHODS:
                row = compared(name, method, profile, files, steps, rounds, workers, changes or {})
                print(
                    f"{name:44} {method:9} ours {row['ours_mean_ms']:7.1f} ms, usual "
                    f"{row['usual_mean_ms']:7.1f} ms a step: {row['times_faster']:.2f} times",
                    flush=True,
                )
                yield {**row, **about}


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--size", choices=SIZES, help="settings of gpu_sizes, not of a profile")
    parser.add_argument("--steps", type=int, default=8, help="timed steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, help="a CSV file, written anew after each row")
    chosen = parser.parse_args()
    profile, changes, pictures = chosen.profile, None, PICTURES
    if chosen.size:
        profile, changes, chosen.steps = SIZES[chosen.size]
        pictures = STORED[chosen.size] or PICTURES
    rows = []
    for row in all_compared(profile, chosen.steps, chosen.rounds, changes, pictures=pictures):
        rows.append(row)
        if chosen.to:
            store.write_table(chosen.to, pd.DataFrame(rows).round(4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
