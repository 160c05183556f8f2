"""The training loop: one for all methods, the same code on CPU and GPU.

Every step's randomness depends on (seed, step) alone, so a run that is killed and started again
from its last saved state ends with the same bits as one that was not (on the same machine and
thread count).

Several processes may train together (training.launch, networks.ranks): each makes and learns its
rows of the same batch, and all hold the same weights, averages and method's state. They end as one
process would within rounding, but for dropout, which each draws for itself."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import bars
from ..networks import ranks, views
from ..networks.device import device, device_of, sent
from ..networks.network import Network
from ..networks.precision import mixed
from ..networks.predict import probabilities
from ..networks.sources import Source
from ..networks.synced_norm import synced
from ..networks.weights import is_finite
from ..seeding import rng, seed_of
from ..ssl.base import Batch, Method
from ..stats import metrics
from . import saved_state
from .optimisation import TrainConfig, lr_at, one_step, optimiser


@dataclass(frozen=True)
class Material:
    """What a run learns from: a source of views; the rest are rows of it and grades."""

    source: Source
    labelled: np.ndarray  # rows
    grades: np.ndarray  # 0..classes-1, one for each labelled row
    unlabelled: np.ndarray  # rows
    val: np.ndarray  # rows
    val_grades: np.ndarray


def drawn(rows: int, count: int, step: int, *keys: object) -> np.ndarray:
    """Which of `rows` items step number `step` takes: `count` positions along endless whole
    permutations.

    >>> print(np.sort([drawn(6, 3, 0, "seed"), drawn(6, 3, 1, "seed")], axis=None))
    [0 1 2 3 4 5]
    """
    start = step * count
    out: list[int] = []
    while len(out) < count:
        epoch, place = divmod(start + len(out), rows)
        out += _order(rows, *keys, epoch)[place : place + count - len(out)].tolist()
    return np.array(out)


@lru_cache(maxsize=4)  # of two batches, the one that ends in this epoch and the next
def _order(rows: int, *keys: object) -> np.ndarray:
    """A whole permutation (rows,): as long as the pool, so that it is drawn once an epoch."""
    return rng("order", *keys).permutation(rows)


def batch_of(
    material: Material, method: Method, c: TrainConfig, seed: int, step: int, tokens: int
) -> Batch:
    """The batch of a step, views made where the pictures lie and sent to the network where that is
    elsewhere. Depends on seed and step only: all methods see the same draws. Of several processes
    each gets its rows of it."""
    weak, strong = method.weak_policy, views.STRONG[c.strong]
    where = device_of(method, material.source.device)

    def view(rows: np.ndarray, policy: views.Policy, name: str) -> views.View:
        g = torch.Generator().manual_seed(seed_of("view", seed, step, name))
        images, keep = material.source.view(torch.from_numpy(rows), policy, tokens, g)
        return views.View(sent(images, where), None if keep is None else sent(keep, where))

    index = ranks.mine(drawn(len(material.labelled), c.batch, step, seed, "labelled"))
    rows = material.labelled[index]
    y = sent(torch.from_numpy(material.grades[index]), where)
    batch = Batch(view(rows, weak, "x"), y, torch.from_numpy(index))
    if method.labelled_strong:
        batch.s = view(rows, strong, "s")
    if method.unlabelled_views:
        pool = material.unlabelled[
            ranks.mine(drawn(len(material.unlabelled), c.mu * c.batch, step, seed, "unlabelled"))
        ]
        batch.u = {
            n: view(pool, weak if n in ("weak", "weak2") else strong, n)
            for n in method.unlabelled_views
        }
    return batch


class Average:
    """Running average of a network: parameters by decay, buffers copied; always in evaluation mode.
    decay 0: the network itself. Both keep their tensors from then on (what changes is in them)."""

    def __init__(self, net: Network, decay: float) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False).eval() if decay else net
        # looked up once: going through the modules takes as long as averaging
        self.mine: list[Tensor] = list(self.net.parameters())
        self.its: list[Tensor] = list(net.parameters())
        mine, its = list(self.net.buffers()), list(net.buffers())
        self.buffers = [  # one kernel a kind, not one a buffer
            ([b for b in mine if b.dtype == kind], [b for b in its if b.dtype == kind])
            for kind in {b.dtype for b in mine}
        ]

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self.decay:
            return
        # the average forgets the random start sooner
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.mine, self.its, 1 - decay)
        for mine, its in self.buffers:
            torch._foreach_copy_(mine, its)


@contextmanager
def passes(*networks: nn.Module) -> Iterator[list[tuple[Tensor, bool]]]:
    """A list that gets every pass through these networks in the block: its pictures, and whether
    with gradients."""
    shown: list[tuple[Tensor, bool]] = []

    def look(_: nn.Module, given: tuple) -> None:
        shown.append((given[0], torch.is_grad_enabled()))

    hooks = [net.register_forward_pre_hook(look) for net in {*networks}]
    try:
        yield shown
    finally:
        for hook in hooks:
            hook.remove()


class Trainer:
    """A training on its way: the method, its optimiser, the running average, the best weights.

    `step` learns from one batch, `check` looks at validation, `save` and `resume` keep all that the
    next step depends on. ValueError where there is nothing to learn from, or where processes cannot
    share a batch evenly."""

    def __init__(self, method: Method, material: Material, c: TrainConfig, seed: int) -> None:
        if len(material.labelled) == 0:
            raise ValueError("no labelled pictures to learn from")
        if method.unlabelled_views and len(material.unlabelled) == 0:
            raise ValueError(
                f"{type(method).__name__} needs unlabelled pictures, and there are none"
            )
        if method.unlabelled_views and c.mu < 1:
            raise ValueError(
                f"train.mu is {c.mu}; {type(method).__name__} learns from unlabelled pictures: "
                "expected at least 1"
            )
        ranks.must_share(c.batch, c.mu, ranks.world())
        stored = material.source.device
        where = stored if stored.type == "cuda" else device()
        synced(method.to(where), where).train()
        self.method, self.material, self.c, self.seed = method, material, c, seed
        self.learner = ranks.learner(method, method.uses_all)
        self.precision = mixed(method.net, where, c.precision)
        self.average = Average(method.net, c.ema)
        method.teacher = [self.average.net]
        self.optim = optimiser(method, c)
        self.best = Best()
        self.done = 0  # steps
        self.before, self.began = 0.0, time.perf_counter()  # seconds before it was resumed; since
        self.history: list[dict] = []
        self.terms: list[dict[str, Tensor]] = []  # what each step since the last check gave
        self.pictures = 0  # that the last step put through the network or its average

    def step(self) -> None:
        """Learn from the next batch. Its randomness depends on seed and step alone."""
        c, step = self.c, self.done
        own = (ranks.rank(),) if ranks.rank() else ()
        torch.manual_seed(seed_of("dropout", self.seed, step, *own))
        batch = batch_of(self.material, self.method, c, self.seed, step, self.method.net.tokens)
        with passes(self.method.net, self.average.net) as shown:
            out = one_step(
                self.learner, (batch,), self.optim, lr_at(step, c), c.clip, self.precision
            )
        if self.method.uses_all:
            ranks.must_use_all(self.method)
        self.pictures = ranks.world() * sum(len(images) for images, _ in shown)
        self.average.update(step)
        self.terms.append({k: v.detach() for k, v in out.items()})
        self.done += 1

    def is_due(self) -> bool:
        """Whether validation is looked at after this many steps."""
        c = self.c
        return self.done in {round(c.steps * (k + 1) / c.evaluations) for k in range(c.evaluations)}

    def check(self) -> None:
        """Note the mean terms since the last check and the validation metrics; offer the weights as
        the best. FloatingPointError where the loss or a weight is not a number, RuntimeError where
        processes no longer hold the same."""
        names = list(self.terms[-1])
        means = [torch.stack([t[k] for t in self.terms]).mean().double() for k in names]
        row = dict(zip(names, ranks.mean(torch.stack(means)).tolist(), strict=True))
        if not math.isfinite(row["loss"]):
            raise FloatingPointError(
                f"the loss is {row['loss']} by step {self.done} (lr {self.c.lr}); nothing was kept"
            )
        net = self.average.net
        if not is_finite(net):  # the last step's loss was seen before it moved the weights
            raise FloatingPointError(
                f"weights are no numbers by step {self.done} (lr {self.c.lr}); nothing was kept"
            )
        ranks.must_agree(self.method, f"by step {self.done}")
        row |= self.method.validation(net, self.material) or validate(
            net, self.method, self.material
        )
        self.history.append({"step": self.done} | row)
        self.terms = []
        self.best.offer(self._score(row), net)

    def _score(self, row: dict[str, float]) -> float:
        """What the best weights have the least of."""
        if self.c.select == "last":
            return -self.done
        value = row[self.method.criterion]
        return -value if self.method.higher_is_better else value

    def seconds(self) -> float:
        """That the training took so far, with what it took before it was resumed."""
        return self.before + time.perf_counter() - self.began

    def save(self, file: Path) -> None:
        """Everything that the next step depends on, in one file (see saved_state). Any number of
        processes goes on from it."""
        if not ranks.first():
            return
        parts = {
            "method": self.method.state_dict(),
            "average": self.average.net.state_dict(),
            "best": self.best.weights,
        }
        note = {"step": self.done, "history": self.history, "score": self.best.score}
        saved_state.save(file, parts, note | {"seconds": self.seconds()}, self.optim)

    def resume(self, file: Path) -> None:
        """Go on from a saved state; from the start where there is none, or a damaged one."""
        with ranks.in_turn():  # the first throws a damaged one away
            state = saved_state.read(file, self.optim)
        if state is None:
            return
        self.method.load_state_dict(state.part("method"))
        self.average.net.load_state_dict(state.part("average"))
        self.best.score, self.best.weights = state.note["score"], state.part("best")
        state.load_into(self.optim)
        self.done, self.history = state.note["step"], state.note["history"]
        self.before, self.began = state.note["seconds"], time.perf_counter()


def fit(
    method: Method,
    material: Material,
    c: TrainConfig,
    seed: int,
    state_file: Path | None = None,
    stop_after: int | None = None,
    at_end: Callable[[Network, bool], None] | None = None,
) -> tuple[Network, pd.DataFrame, dict[str, float]]:
    """Train; return the selected network, the history and the times.

    Resumes from `state_file` if it is there and whole. stop_after: return early
    after that many steps (tests). at_end: is shown the network as the last step left it, before the
    selected weights are put into it, and told whether they are the same. Model selection looks at
    validation pictures only."""
    trainer = Trainer(method, material, c, seed)
    if state_file is not None:
        trainer.resume(state_file)
    first = trainer.done
    steps = range(first, c.steps if stop_after is None else min(stop_after, c.steps))
    name, shown = type(method).__name__, ranks.first()
    for _ in bars.bar(steps, initial=first, total=c.steps, desc=name, shown=shown):
        trainer.step()
        if trainer.is_due():
            trainer.check()
            if state_file is not None and trainer.done < c.steps:
                trainer.save(state_file)
    seconds = trainer.seconds()
    if at_end is not None:
        at_end(trainer.average.net, trainer.best.is_of(trainer.average.net))
    trainer.best.load_into(trainer.average.net)
    times = {
        "train_seconds": seconds,
        "steps_now": trainer.done - first,
        "pictures_a_step": trainer.pictures,
    }
    return trainer.average.net, pd.DataFrame(trainer.history), times


def validate(net: nn.Module, method: Method, material: Material) -> dict[str, float]:
    """Validation metrics, and how good the pseudo-labels are that the method would give to these
    held-out pictures."""
    p = probabilities(net, material.source, material.val)
    y, grade = material.val_grades, p.argmax(dim=1).numpy()
    kept = method.selected(p.to(device_of(net, material.source.device))).cpu().numpy()
    return {
        "val_mae": metrics.mae(y, grade, p.shape[1]),
        "val_macro_mae": metrics.macro_mae(y, grade, p.shape[1]),
        "val_kept": float(kept.mean()),
        "val_kept_accuracy": float((y == grade)[kept].mean()) if kept.any() else float("nan"),
    }


class Best:
    """The weights with the lowest score so far."""

    def __init__(self) -> None:
        self.score = math.inf
        self.weights: dict[str, Tensor] = {}

    def offer(self, score: float, net: nn.Module) -> None:
        if score < self.score:
            self.score = float(score)
            self.weights = {k: v.detach().clone() for k, v in net.state_dict().items()}

    def is_of(self, net: nn.Module) -> bool:
        """Whether a network has these weights now, or would keep its own."""
        now = net.state_dict()
        return all(torch.equal(value, now[key]) for key, value in self.weights.items())

    def load_into(self, net: nn.Module) -> None:
        if self.weights:
            net.load_state_dict(self.weights)
