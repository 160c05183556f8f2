"""The training loop: one for all methods, the same code on CPU and GPU.

Every step's randomness depends on (seed, step) alone, so a run that is killed and started again
from its last saved state ends with the same bits as one that was not (on the same machine and
thread count)."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn
from tqdm import tqdm

from .. import paths, store
from ..networks import views
from ..networks.device import device, has_bf16
from ..networks.predict import probabilities
from ..networks.vit import ConvStem
from ..seeding import rng, seed_of
from ..ssl.base import Batch, Method
from ..stats import metrics


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation. Steps are optimiser steps; learning rates are those of the head."""

    steps: int = 500
    batch: int = 32  # labelled pictures a step
    mu: int = 1  # unlabelled pictures per labelled one, for methods that use any
    optimiser: str = (
        "adamw"  # "adamw", or "adam" (as the paper states; weight decay is then left out)
    )
    lr: float = 5e-4
    weight_decay: float = 0.05
    layer_decay: float = 1.0  # factor of the learning rate per block from the head down
    warmup: float = 0.08  # share of the steps with rising learning rate; a cosine follows
    final: float = 0.02  # last learning rate, as a share of lr
    clip: float = 1.0  # largest gradient norm; 0 = no clipping
    ema: float = (
        0.99  # decay of the running average of weights, which is what is evaluated; 0 = off
    )
    evaluations: int = 8  # how often validation is looked at (and the state saved)
    # keep the weights of the "best" validation MAE (or the method's criterion), or the "last"
    select: str = "best"
    # "auto": bfloat16 where the hardware has it (CPU: convolutional stem only); or "fp32"
    precision: str = "auto"
    strong: str = "quality"  # the strong view: "quality", "randaugment" (control) or "weak"

    def __post_init__(self) -> None:
        for name, allowed in {
            "optimiser": ("adamw", "adam"),
            "select": ("best", "last"),
            "precision": ("auto", "fp32"),
            "strong": tuple(views.STRONG),
        }.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"train.{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
                )
        for name in ("steps", "batch", "evaluations"):
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} is {getattr(self, name)}; expected at least 1")
        if self.mu < 0:
            raise ValueError(f"train.mu is {self.mu}; expected 0 or more")


@dataclass(frozen=True)
class Material:
    """What a run learns from. pixels (P, H, W, 3) uint8; the rest are rows of it and grades."""

    pixels: Tensor
    labelled: np.ndarray  # rows
    grades: np.ndarray  # 0..classes-1, one for each labelled row
    unlabelled: np.ndarray  # rows
    val: np.ndarray  # rows
    val_grades: np.ndarray
    crop: int  # px
    grid: int = 1  # crops at evaluation: grid x grid


def optimiser(method: Any, c: TrainConfig) -> torch.optim.Optimizer:
    """Adam(W) with layer-wise decay; no weight decay on 1-D parameters, positions and tokens."""
    net = method.net
    vit = getattr(net, "vit", net)
    decay = c.weight_decay if c.optimiser == "adamw" else 0.0
    groups = (
        param_groups_layer_decay(
            vit,
            decay,
            vit.no_weight_decay() if hasattr(vit, "no_weight_decay") else (),
            layer_decay=c.layer_decay,
        )
        if hasattr(vit, "group_matcher")
        else []
    )
    grouped = {id(p) for g in groups for p in g["params"]}
    rest = [p for p in method.parameters() if id(p) not in grouped]
    for part, its_decay in (
        ([p for p in rest if p.ndim > 1], decay),
        ([p for p in rest if p.ndim <= 1], 0.0),
    ):
        if part:
            groups.append({"params": part, "weight_decay": its_decay, "lr_scale": 1.0})
    kind = torch.optim.AdamW if c.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=c.lr, fused=True)


def lr_at(step: int, c: TrainConfig) -> float:
    """Learning rate of a step (0-based): linear warm-up to lr, then a cosine to final * lr."""
    warm = round(c.warmup * c.steps)
    if step < warm:
        return c.lr * (step + 1) / warm
    t = (step - warm) / max(1, c.steps - 1 - warm)
    return c.lr * (c.final + (1 - c.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, t))))


def drawn(rows: int, count: int, step: int, *keys: object) -> np.ndarray:
    """Which of `rows` items step number `step` takes: `count` positions along endless whole
    permutations."""
    start = step * count
    out: list[int] = []
    while len(out) < count:
        epoch, place = divmod(start + len(out), rows)
        order = rng("order", *keys, epoch).permutation(rows)
        out += order[place : place + count - len(out)].tolist()
    return np.array(out)


def batch_of(
    material: Material, method: Method, c: TrainConfig, seed: int, step: int, tokens: int
) -> Batch:
    """The batch of a step, views made on the device. Depends on seed and step only: all methods see
    the same draws."""
    weak, strong = method.weak_policy, views.STRONG[c.strong]

    def view(rows: np.ndarray, policy: views.Policy, name: str) -> views.View:
        g = torch.Generator().manual_seed(seed_of("view", seed, step, name))
        return views.make(material.pixels, torch.from_numpy(rows), material.crop, policy, tokens, g)

    index = drawn(len(material.labelled), c.batch, step, seed, "labelled")
    rows = material.labelled[index]
    y = torch.from_numpy(material.grades[index]).to(material.pixels.device)
    batch = Batch(view(rows, weak, "x"), y, torch.from_numpy(index))
    if method.labelled_strong:
        batch.s = view(rows, strong, "s")
    if method.unlabelled_views:
        pool = material.unlabelled[
            drawn(len(material.unlabelled), c.mu * c.batch, step, seed, "unlabelled")
        ]
        batch.u = {
            n: view(pool, weak if n == "weak" else strong, n) for n in method.unlabelled_views
        }
    return batch


class Average:
    """Running average of a network: parameters by decay, buffers copied. decay 0: the network
    itself."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.source = decay, net
        self.net = copy.deepcopy(net).requires_grad_(False) if decay else net

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self.decay:
            return
        decay = min(
            self.decay, (1 + step) / (10 + step)
        )  # the average forgets the random start sooner
        torch._foreach_lerp_(list(self.net.parameters()), list(self.source.parameters()), 1 - decay)
        for mine, its in zip(self.net.buffers(), self.source.buffers(), strict=True):
            mine.copy_(its)


def fit(
    method: Method,
    material: Material,
    c: TrainConfig,
    seed: int,
    state_file: Path | None = None,
    log: Callable[[str], None] | None = None,
    stop_after: int | None = None,
) -> tuple[nn.Module, pd.DataFrame, dict[str, float]]:
    """Train; return the selected network, the history and the times.

    Resumes from `state_file` if it is there (ValueError if it is damaged). stop_after: return early
    after that many steps (tests). Model selection looks at validation pictures only."""
    if len(material.labelled) == 0:
        raise ValueError("no labelled pictures to learn from")
    if method.unlabelled_views and len(material.unlabelled) == 0:
        raise ValueError(f"{type(method).__name__} needs unlabelled pictures, and there are none")
    where = material.pixels.device if material.pixels.is_cuda else device()
    method.to(where).train()
    net = method.net
    bf16 = c.precision == "auto" and has_bf16(where)
    for module in net.modules():
        if isinstance(module, ConvStem):
            module.bf16 = bf16 and where.type == "cpu"
    average = Average(net, c.ema)
    method.teacher = [average.net]
    optim = optimiser(method, c)
    best = Best()
    first = 0
    history: list[dict] = []
    if state_file is not None and state_file.exists():
        first, history = load_state(state_file, method, average, optim, best)
    checks = {round(c.steps * (k + 1) / c.evaluations) for k in range(c.evaluations)}
    tokens, terms, began, trained = net.tokens, [], time.perf_counter(), 0
    shown: list[int] = []  # pictures of each pass through the network, or its average
    hooks = [
        n.register_forward_pre_hook(lambda _, given: shown.append(len(given[0])))
        for n in {net, average.net}
    ]
    a_step = 0
    bar = tqdm(
        range(first, c.steps),
        initial=first,
        total=c.steps,
        disable=None,
        mininterval=2,
        desc=type(method).__name__,
    )
    for step in bar:
        for group in optim.param_groups:
            group["lr"] = lr_at(step, c) * group.get("lr_scale", 1.0)
        torch.manual_seed(seed_of("dropout", seed, step))
        batch = batch_of(material, method, c, seed, step, tokens)
        shown.clear()
        with torch.autocast(where.type, torch.bfloat16, enabled=bf16 and where.type == "cuda"):
            out = method(batch)
        a_step = sum(shown)
        optim.zero_grad(set_to_none=True)
        out["loss"].backward()
        if c.clip:
            nn.utils.clip_grad_norm_(method.parameters(), c.clip)
        optim.step()
        average.update(step)
        terms.append({k: v.detach() for k, v in out.items()})
        trained += 1
        if step + 1 in checks:
            row = {"step": step + 1} | {
                k: float(torch.stack([t[k] for t in terms]).mean()) for k in terms[-1]
            }
            if not math.isfinite(row["loss"]):
                raise FloatingPointError(
                    f"the loss is {row['loss']} by step {step + 1} (lr {c.lr}); nothing was kept"
                )
            row |= method.validation(average.net, material) or validate(
                average.net, method, material
            )
            history.append(row)
            terms = []
            value = row[method.criterion]
            best.offer(
                (-value if method.higher_is_better else value) if c.select == "best" else -step,
                average.net,
            )
            if log:
                name = method.criterion.removeprefix("val_").replace("_", " ").replace("mae", "MAE")
                log(
                    f"step {step + 1}/{c.steps}  loss {row['loss']:.3f}  validation {name} {value:.3f}"
                )
            if state_file is not None and step + 1 < c.steps:
                save_state(state_file, step + 1, history, method, average, optim, best)
        if stop_after is not None and step + 1 >= stop_after:
            break
    seconds = time.perf_counter() - began
    for hook in hooks:
        hook.remove()
    best.load_into(average.net)
    return (
        average.net,
        pd.DataFrame(history),
        {"train_seconds": seconds, "steps_now": trained, "pictures_a_step": a_step},
    )


def validate(net: nn.Module, method: Method, material: Material) -> dict[str, float]:
    """Validation metrics, and how good the pseudo-labels are that the method would give to these
    held-out pictures."""
    p = probabilities(net, material.pixels, material.val, material.crop, material.grid)
    y, grade = material.val_grades, p.argmax(dim=1).numpy()
    kept = method.selected(p.to(material.pixels.device)).cpu().numpy()
    return {
        "val_mae": metrics.mae(y, grade),
        "val_macro_mae": metrics.macro_mae(y, grade),
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

    def load_into(self, net: nn.Module) -> None:
        if self.weights:
            net.load_state_dict(self.weights)


# ---------------------------------------------------------------- state on disk: one file, so it is whole or not there
def save_state(
    file: Path,
    step: int,
    history: list[dict],
    method: Method,
    average: Average,
    optim: torch.optim.Optimizer,
    best: Best,
) -> None:
    """Everything that the next step depends on; written atomically, without pickle."""
    tensors = {f"method.{k}": v for k, v in method.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.net.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.weights.items()}
    for i, slots in optim.state_dict()["state"].items():
        tensors |= {f"optim.{i}.{k}": torch.as_tensor(v) for k, v in slots.items()}
    note = {"step": step, "history": history, "score": best.score}
    with store.replacing(file) as part:
        save_file(
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
            part,
            {"riqa": json.dumps(note)},
        )


def load_state(
    file: Path, method: Method, average: Average, optim: torch.optim.Optimizer, best: Best
) -> tuple[int, list]:
    """Put a saved state back; returns (next step, history). ValueError naming the file if it is
    damaged."""
    try:
        with safe_open(file, "pt") as f:
            note = json.loads(f.metadata()["riqa"])
            tensors = {k: f.get_tensor(k) for k in f.keys()}
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as e:
        raise ValueError(
            f"{paths.shown(file)}: damaged ({e}); delete it and the run starts again"
        ) from e
    part = lambda name: {
        k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")
    }
    method.load_state_dict(part("method"))
    average.net.load_state_dict(part("average"))
    best.score, best.weights = note["score"], part("best")
    state = optim.state_dict()
    for key, value in part("optim").items():
        i, slot = key.split(".", 1)
        state["state"].setdefault(int(i), {})[slot] = value
    optim.load_state_dict(state)
    return note["step"], note["history"]
