"""A method that is no part of the library: one file with one subclass of ssl.base.Method, trained
as the library's own are, beside the rows that it is compared with.

    runs = own_method.train("docs/exercises/softmatch_answer.py", "smoke", "smoke")
    stored.load_runs("smoke", runs)["table2"]            # tables.stored: its row, by the same rules

Runs lie in results/runs with all others; their settings hold a hash of the file, so a changed
method is trained anew. No walk lists them: such a method is in no table of the notebooks."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch
from torch import Tensor

from ..networks.views import View
from ..networks.vit import ViT, ViTConfig
from ..ssl.base import Batch, Method
from . import photographs
from .settings import must_be_one_of

BESIDE = ("supervised", "fixmatch")  # rows that it is compared with
VIEWS = ("weak", "weak2", "strong", "strong2")
SIDE, PATCH, CLASSES = 16, 8, 5  # of the pictures of `tried`


# ---------------------------------------------------------------- the file
def load(file: str | Path) -> type[Method]:
    """The method that a file defines. ValueError, naming the file, where it defines none or
    several, where it has no Config with a name of its own, or a method of ours has that name."""
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    name = f"riqa_method_{_digest(file)}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file}: not a Python file (its name does not end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up what their annotations mean
    spec.loader.exec_module(module)
    own = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Method) and kind.__module__ == name
    ]
    if len(own) != 1:
        found = ", ".join(kind.__name__ for kind in own) or "none"
        raise ValueError(
            f"{file}: expected one subclass of riqa_lib.ssl.base.Method; found {found}"
        )
    _check_config(file, own[0])
    return own[0]


def _check_config(file: Path, kind: type[Method]) -> None:
    config = getattr(kind, "Config", None)
    name = getattr(config, "name", "")
    if not dataclasses.is_dataclass(config) or not name:
        raise ValueError(
            f"{file}: {kind.__name__} has no Config: a frozen dataclass inside it, its settings "
            f'with their defaults, among them name: str = "{kind.__name__.lower()}"'
        )
    if name in {*photographs.METHODS, *photographs.ROWS}:
        raise ValueError(f"{file}: {name} is a method of ours; give Config another name")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


# ---------------------------------------------------------------- one step on random pictures
def tried(kind: type[Method]) -> dict[str, Tensor]:
    """What the method gives for a batch of random pictures, after a second of work.

    ValueError in words for what the training loop cannot use: views that there are not, no scalar
    "loss" with a gradient, another term with one, a loss that is no number, nothing learnt;
    NotImplementedError and other errors of the method's own as they are."""
    torch.manual_seed(0)
    model = ViTConfig(width=8, depth=1, heads=1, patch=PATCH, weights="none")
    maker: Any = kind
    prior = torch.full((CLASSES,), 1 / CLASSES)
    method = maker(ViT(model, SIDE, CLASSES), CLASSES, maker.Config(), prior).train()
    method.teacher = [method.net]
    out = method(_random_batch(kind))
    method.selected(torch.softmax(torch.randn(3, CLASSES), dim=1))
    if wrong := _wrong(out):
        raise ValueError(f"{kind.__name__}.forward: {wrong}")
    out["loss"].backward()
    if not any(p.grad is not None and p.grad.any() for p in method.net.parameters()):
        raise ValueError(f"{kind.__name__}.forward: the loss moves no weight of the network")
    return {k: v.detach() for k, v in out.items()}


def _random_batch(kind: type[Method]) -> Batch:
    def random(count: int) -> View:
        return View(torch.randn(count, 3, SIDE, SIDE))

    for name in kind.unlabelled_views:
        must_be_one_of(f"view of {kind.__name__}.unlabelled_views", name, VIEWS)
    u = {name: random(6) for name in kind.unlabelled_views}
    return Batch(random(4), torch.arange(4) % CLASSES, torch.arange(4), random(4), u)


def _wrong(out: Any) -> str:
    """What the loop could not use of what forward gave; "" for nothing."""
    loss = out.get("loss") if isinstance(out, dict) else None
    if not isinstance(loss, Tensor) or loss.shape != () or not loss.requires_grad:
        return f'expected {{"loss": a scalar with gradient, ...}}; found {loss!r}'
    if attached := [k for k, v in out.items() if k != "loss" and v.requires_grad]:
        return f"detach {', '.join(attached)}: only the loss has a gradient"
    return "" if torch.isfinite(loss) else f"the loss of random pictures is {loss.item()}"


# ---------------------------------------------------------------- training
@dataclass(frozen=True)
class OwnRun(photographs.Run):
    """Settings of a run of such a method."""

    code: str = ""  # hash of its file


def settings(
    kind: type[Method],
    profile: str,
    seed: int = 0,
    overrides: Mapping[str, object] | None = None,
    code: str = "",
) -> OwnRun:
    """The settings of a profile for this method, with overrides by dotted name ("softmatch.weak",
    "train.steps"). ValueError and TypeError as photographs.settings."""
    name = kind.Config.name
    own = {k: v for k, v in (overrides or {}).items() if k.partition(".")[0] == name}
    rest = {k: v for k, v in (overrides or {}).items() if k not in own}
    plain = photographs.settings(profile, "supervised", seed, rest)

    common = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
    return _run_of(kind)(**common, code=code).but(method=name).adjusted(own)


def _run_of(kind: type[Method]) -> type[OwnRun]:
    class Its(OwnRun):
        methods: ClassVar[dict[str, type[Method]]] = {
            **photographs.METHODS,
            kind.Config.name: kind,
        }

        def __reduce__(self) -> tuple:
            """Pickled for other processes: they load the file again."""
            fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
            file = inspect.getfile(kind)
            return _unpickled, (file, fields | {"method": dataclasses.asdict(self.method)})

    return Its


def _unpickled(file: str, fields: dict[str, Any]) -> OwnRun:
    kind: Any = load(file)
    return _run_of(kind)(**fields | {"method": kind.Config(**fields["method"])})


def train(
    file: str | Path,
    name: str,
    profile: str,
    seeds: Sequence[int] = (0,),
    overrides: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Train the method of a file, and the rows of BESIDE with the same overrides, on the pictures
    of results/<name>/data, which are made where they are not there; returns run, method, seed,
    labels, of the rows of BESIDE first. What is stored already is not trained again.

    Raises as `load`, `tried` and `settings`."""
    kind = load(file)
    tried(kind)
    code = _digest(Path(file))
    of_seed = {seed: settings(kind, profile, seed, overrides, code) for seed in seeds}
    own = kind.Config.name
    rest = {k: v for k, v in (overrides or {}).items() if k.partition(".")[0] != own}
    data = photographs.make_data(name, profile, rest)
    lines = []
    for seed, run in of_seed.items():
        lines.append(photographs.train_row(own, run, data))
        for row in BESIDE:
            its = photographs.settings(profile, row, seed, rest)
            lines.append(photographs.train_row(row, its, data))
    return pd.DataFrame(sorted(lines, key=lambda line: line["method"] == own))
