"""Which operations on pictures keep the quality label: what each does to it, measured per operation
and picture. Intervals, and verdicts by a declared rule, come from tables.view_verdicts.

An operation keeps the label when the mean change of the expected grade is less than LIMIT classes
and the share of grades that change is at most the graders' own disagreement. Measured twice: on the
truth, where the clean scene is known (simulation), and on a trained model. The truth is what
sim.photo_raters sees: the operation's picture against the clean scene, which is moved along where
the operation moves things (`clean`), so that only what it does to the picture counts. Where the
scene cannot be aligned strictly (`rough`: black borders and the softness of enlarging come into the
scene too), an operation can be found to damage quality, but never to keep it, and what looks like a
gain is no evidence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.data_folder import DataSet
from ..networks import views
from ..networks.hybrid import OnPixels
from ..networks.network import Network
from ..networks.vit import ViT, ViTConfig
from ..networks.weights import load_weights
from ..seeding import rng, seed_of
from ..sim import photo_raters
from ..sim.scenes import scene
from ..stats import metrics

Change = Callable[[Tensor, torch.Generator], Tensor]  # (N, 3, S, S) in 0..1 -> (N, 3, s, s)


# of RandAugment: they move things, black comes in
MOVES = ("rotate", "shear_x", "shear_y", "move_x", "move_y")


AT_ONCE = ("autocontrast", "equalise")  # of RandAugment: they have no strength


DRAWS = 20  # at most so many are tried for an example that shows something
BLANKED = 128  # grey level of a blanked token in an example


@dataclass(frozen=True)
class Operation:
    """One operation at one strength. seen: what it does to a picture; clean: what of it moves the
    clean scene along."""

    group: str
    name: str
    seen: Change
    clean: Change
    rough: bool = False  # the scene is aligned roughly only: what comes into it too is not counted
    token_drop: float = 0.0  # share of the network's tokens blanked


# ---------------------------------------------------------------- the operations
def _same(x: Tensor, g: torch.Generator) -> Tensor:
    return x


def _stored(x: Tensor) -> Tensor:
    """(N, S, S, 3) in 0..255 as views take it; not rounded, so that a scene stays what it is."""
    return (x * 255).permute(0, 2, 3, 1).contiguous()


def _cropped(side: float, flip: float = 0.0, turns: bool = False) -> Change:
    """Same-scale crops; side: a fraction of the picture's, 1 for all of it."""

    def change(x: Tensor, g: torch.Generator) -> Tensor:
        size = round(side * x.shape[-1])
        cut = views.crop(_stored(x), torch.arange(len(x)), size, g, flip, turns)
        return cut.permute(0, 3, 1, 2) / 255

    return change


def _resized(area: float) -> Change:
    def change(x: Tensor, g: torch.Generator) -> Tensor:
        part = _cropped(math.sqrt(area))(x, g)
        return F.interpolate(part, size=x.shape[-2:], mode="bicubic", antialias=True).clamp(0, 1)

    return change


def _policy(policy: views.Policy, size: int) -> Change:
    def change(x: Tensor, g: torch.Generator) -> Tensor:
        view = views.make(_stored(x), torch.arange(len(x)), min(size, x.shape[-1]), policy, 0, g)
        return (view.images * views.SD + views.MEAN).clamp(0, 1)

    return change


def _coloured(policy: views.Policy) -> Change:
    """Jitter and noise of a policy on the whole picture."""

    def change(x: Tensor, g: torch.Generator) -> Tensor:
        return _policy(dataclasses.replace(policy, flip=0.0), x.shape[-1])(x, g)

    return change


def _randaugment(name: str, u: float) -> Change:
    def change(x: Tensor, g: torch.Generator) -> Tensor:
        return views.OPERATIONS[name](x, torch.full((len(x),), u))

    return change


def _moved_along(size: int) -> Change:
    """The crop of the weak view and the moves of RandAugment's draws: its other operations left
    out."""
    still = views.OPERATIONS["identity"]
    moves = {n: (op if n in MOVES else still) for n, op in views.OPERATIONS.items()}

    def change(x: Tensor, g: torch.Generator) -> Tensor:
        x = _policy(views.WEAK, size)(x, g)
        return views.randaugment(x, views.STRONG["randaugment"].randaugment, g, moves, hole=False)

    return change


def operations(crop: int) -> list[Operation]:
    """All operations that notebook 02 audits. crop: px, side of what the network sees (the policies
    crop to it).

    >>> [o.name for o in operations(64) if o.group == "geometry"]
    ['flip', 'quarter turn']
    """
    return [
        Operation("none", "identity", _same, _same),
        *_geometry(),
        *_crops(),
        *_jitters(),
        *_randaugment_operations(),
        *_policies(crop),
    ]


def _geometry() -> list[Operation]:
    flipped, turned = _cropped(1, flip=1), _cropped(1, turns=True)
    return [
        Operation("geometry", "flip", flipped, flipped),
        Operation("geometry", "quarter turn", turned, turned),
    ]


def _crops() -> list[Operation]:
    out = []
    for area in (0.9, 0.75, 0.64, 0.5):
        cut = _cropped(math.sqrt(area))
        out.append(Operation("crop", f"crop {area:.0%}", cut, cut))
    for area in (0.64, 0.25, 0.08):
        cut = _resized(area)
        out.append(Operation("crop", f"resized crop {area:.0%}", cut, cut, rough=True))
    return out


def _jitters() -> list[Operation]:
    out = []
    for w in (0.03, 0.05, 0.1, 0.4):
        jitter = _coloured(views.Policy(gain=w, contrast=w, saturation=w))
        out.append(Operation("jitter", f"jitter ±{w:.0%}", jitter, _same))
    for n in (1.0, 2.5, 10.0):
        noise = _coloured(views.Policy(noise=n))
        out.append(Operation("noise", f"noise {n:g}", noise, _same))
    return out


def _randaugment_operations() -> list[Operation]:
    out = []
    for name in views.OPERATIONS:
        if name == "identity":
            continue
        moves = name in MOVES
        for u in _strengths(name):
            change = _randaugment(name, u)
            label = name if name in AT_ONCE else f"{name} u={u:g}"
            clean = change if moves else _same
            out.append(Operation("RandAugment", label, change, clean, rough=moves))
    return [*out, Operation("RandAugment", "cutout", views.cutout, _same)]


def _strengths(name: str) -> tuple[float, ...]:
    if name in MOVES:
        return (0.6, 0.75, 1.0)  # 0.5 moves nothing
    return (0.5,) if name in AT_ONCE else (0.1, 0.5, 0.9)


def _policies(crop: int) -> list[Operation]:
    """The views that the methods learn from, and what the network blanks."""
    quality, randaugment = views.STRONG["quality"], views.STRONG["randaugment"]
    drop, weak = quality.token_drop, _policy(views.WEAK, crop)
    pixels = _policy(dataclasses.replace(quality, token_drop=0.0), crop)
    frame = _policy(dataclasses.replace(views.WEAK, flip=quality.flip, turns=quality.turns), crop)
    seen, moved = _policy(randaugment, crop), _moved_along(crop)
    return [
        Operation("network", f"token drop {drop:.0%}", _same, _same, token_drop=drop),
        Operation("policy", "weak", weak, weak),
        Operation("policy", "quality", pixels, frame, token_drop=drop),
        Operation("policy", "randaugment", seen, moved, rough=True),
    ]


def chosen(crop: int, names: list[str]) -> list[Operation]:
    """The operations of these names, in this order. ValueError, listing what there is, for an
    unknown one."""
    known = {o.name: o for o in operations(crop)}
    if wrong := [n for n in names if n not in known]:
        raise ValueError(
            f"unknown operation {', '.join(map(repr, wrong))}; allowed: {', '.join(known)}"
        )
    return [known[n] for n in names]


# ---------------------------------------------------------------- what they do
def pictures(data: DataSet, count: int, seed: int = 0) -> np.ndarray:
    """Rows of at most `count` graded test pictures, drawn at random, sorted. ValueError if there
    are none."""
    rows = np.flatnonzero((data.frame["split"] == "test") & (data.frame["grade"] >= 0))
    if len(rows) == 0 or count < 1:
        raise ValueError(
            f"{len(rows)} graded test pictures, {count} asked for; expected at least 1"
        )
    return np.sort(rng("audit", seed).permutation(rows)[:count])


def clean_scenes(data: DataSet, rows: np.ndarray) -> np.ndarray | None:
    """The scenes (N, S, S, 3), float32 in 0..1, of simulated pictures without their defects; None
    for real pictures.

    ValueError where a picture's quality against its scene is not the table's true_quality: other
    code made it."""
    if not data.info["simulated"] or "true_quality" not in data.frame:
        return None
    frame, seed, size = data.frame.iloc[rows], data.info["settings"]["seed"], data.pixels.shape[1]
    clean = np.stack([scene((seed, one), size) for one in frame["id"]])
    for one, name, row, told in zip(clean, frame["id"], rows, frame["true_quality"], strict=True):
        found = photo_raters.quality(photo_raters.Look(one), photo_raters.Look(data.pixels[row]))
        if abs(found - told) > 1e-4:
            raise ValueError(
                f"picture {name}: its scene, made again, does not give its true_quality {told}; "
                "run 01 again"
            )
    return clean


def load_model(file: Path, model: ViTConfig, crop: int, classes: int) -> Network:
    """A trained network in evaluation mode, which takes pixels: one that learnt from the maps of a
    frozen stem gets it in front. ValueError if the weights are another network's."""
    if model.freeze:
        learnt = ViT(model, crop, classes)
        load_weights(file, learnt)
        return OnPixels(learnt, model.scales).eval()
    net = ViT(dataclasses.replace(model, weights="none"), crop, classes)
    load_weights(file, net)
    return net.eval()


@torch.no_grad()
def _grades(
    net: Network, x: Tensor, crop: int, drop: float, g: torch.Generator
) -> np.ndarray | None:
    """Probabilities (N, C) on the centre crop; None where the picture is smaller than that."""
    side = x.shape[-1]
    if side < crop:
        return None
    a = (side - crop) // 2
    images = views.normalise((x[..., a : a + crop, a : a + crop] * 255).permute(0, 2, 3, 1))
    keep = (torch.rand(len(x), net.tokens, generator=g) >= drop).float() if drop else None
    return net(images, keep)[0].double().softmax(dim=1).numpy()


def _looks(x: Tensor) -> list[photo_raters.Look]:
    return [photo_raters.Look(one) for one in x.permute(0, 2, 3, 1).contiguous().numpy()]


def _quality(clean: list[photo_raters.Look], seen: list[photo_raters.Look]) -> np.ndarray:
    return np.array([photo_raters.quality(c, s) for c, s in zip(clean, seen, strict=True)])


def measure(
    net: Network,
    pixels: np.ndarray,
    clean: np.ndarray | None,
    groups: np.ndarray,
    todo: list[Operation],
    crop: int,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per operation and picture: operation, group, rough, picture, cluster, grade_model
    (unchanged), and in classes or 0/1 d_true, flip_true (NaN without `clean`), d_model, flip_model
    (NaN where an operation leaves too few pixels for the net).

    pixels (N, S, S, 3) uint8; clean (N, S, S, 3) in 0..1 or None; groups (N,): pictures of one
    content are resampled together; crop: px, what `net` sees. The same draws change a picture and
    its clean scene. CPU only."""

    def draws(name: str) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of("audit", seed, name))

    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    truth = None if clean is None else _Truth(clean, x)
    p = _grades(net, x, crop, 0.0, draws(""))
    if p is None:
        raise ValueError(f"pictures of {x.shape[-1]} px, smaller than the network's {crop} px")
    tables = []
    for op in todo:
        seen = op.seen(x, draws(op.name))
        row: dict[str, object] = {
            "operation": op.name,
            "group": op.group,
            "rough": op.rough,
            "picture": np.arange(len(x)),
            "cluster": groups,
            "grade_model": p.argmax(axis=1),
            **dict.fromkeys(("d_true", "flip_true", "d_model", "flip_model"), np.nan),
        }
        if truth is not None:
            row |= truth.changed_by(op, seen, draws(op.name))
        q = _grades(net, seen, crop, op.token_drop, draws(op.name + " tokens"))
        if q is not None:
            row["d_model"] = metrics.expected_grade(q) - metrics.expected_grade(p)
            row["flip_model"] = (q.argmax(axis=1) != p.argmax(axis=1)).astype(float)
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)


class _Truth:
    """The true quality of pictures x, whose clean scenes (N, S, S, 3) are known."""

    def __init__(self, clean: np.ndarray, x: Tensor) -> None:
        self.scenes = torch.from_numpy(np.ascontiguousarray(clean)).permute(0, 3, 1, 2)
        self.still = _looks(self.scenes)
        self.before = _quality(self.still, _looks(x))

    def changed_by(self, op: Operation, seen: Tensor, g: torch.Generator) -> dict[str, np.ndarray]:
        """d_true and flip_true of an operation that left `seen`; g: in the state that it began
        with."""
        against = self.still if op.clean is _same else _looks(op.clean(self.scenes, g))
        after, raters = _quality(against, _looks(seen)), photo_raters
        flips = raters.true_grade(after) != raters.true_grade(self.before)
        return {
            "d_true": raters.opinion(after) - raters.opinion(self.before),
            "flip_true": flips.astype(float),
        }


def shown(crop: int, names: Sequence[str]) -> list[Operation]:
    """What the figures show: the first of these operations (`view_verdicts.SHOWN`), the policies
    and what the network blanks, the others. crop: px, side of what the network sees."""
    whole = [o for o in operations(crop) if o.group in ("policy", "network")]
    first, *rest = chosen(crop, list(names))
    return [first, *whole, *rest]


def best_of(data: DataSet, rows: np.ndarray) -> int:
    """The first of these rows that has the best grade among them: damage is seen on a good
    picture."""
    return int(rows[data.frame["grade"].to_numpy()[rows].argmax()])


def examples(
    picture: np.ndarray, todo: list[Operation], tokens: int = 16, seed: int = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """One picture (S, S, 3) uint8 under each operation, for looking at: pixels (K, S, S, 3) uint8
    (smaller results in the middle of white), and a frame with column `view`. Where an operation has
    a draw that leaves the picture as it is (no turn, no token blanked), the next draw is shown.
    Blanked tokens are grey patches. tokens: how many the network has, a square number."""
    x = torch.from_numpy(picture.copy())[None].permute(0, 3, 1, 2).float() / 255
    size = x.shape[-1]
    out = np.full((len(todo), size, size, 3), 255, np.uint8)
    for one, op in zip(out, todo, strict=True):
        draws = (_example(x, op, tokens, seed + again) for again in range(DRAWS))
        still = np.asarray(picture)
        seen = next((d for d in draws if d.shape != still.shape or (d != still).any()), still)
        a = (size - len(seen)) // 2
        one[a : a + len(seen), a : a + len(seen)] = seen
    return out, pd.DataFrame({"view": [op.name for op in todo]})


def _example(x: Tensor, op: Operation, tokens: int, seed: int) -> np.ndarray:
    """One draw of an operation on a picture (1, 3, S, S) in 0..1: (s, s, 3) uint8."""
    g = torch.Generator().manual_seed(seed_of("audit", seed, op.name))
    seen = _stored(op.seen(x, g))[0].round().byte().numpy()
    if op.token_drop:
        grid = round(tokens**0.5)
        keep = (torch.rand(grid, grid, generator=g) >= op.token_drop).numpy()
        at = np.arange(len(seen)) * grid // len(seen)  # the token of each line of pixels
        seen[~keep[at][:, at]] = BLANKED
    return seen
