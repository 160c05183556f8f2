"""The views that a method learns from, as it sees them: of the first step's own pictures, drawn by
the same code and the same chance as in training.

    views = seen_views.first_step(run, data)
    view_effects.view_rows(views.pixels, views.names, simulated=True)
    views.read()                what was done to them, in words and numbers

Where the network learns from pixels, its views are shown as they are. A frozen stem is asked once
per picture, so a view is a window of its map and has no pixels: shown is that window on the
photograph, what lies outside faded, what is blanked grey; dropped channels are said in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..datasets.data_folder import DataSet
from ..networks import hybrid, lite0, map_store, views
from ..networks.sources import Maps, Pixels
from ..networks.vit import ViT
from ..seeding import seed_of
from ..tables.text import percent
from ..training import loop, photographs
from ..training.photographs import Run

SHOWN = 6  # photographs
GREY = 128  # of what is blanked
FADED = 0.75  # share of white outside a window
NAMES = {
    "s": "labelled, strong",
    "weak": "weak view",
    "strong": "strong view",
    "strong2": "second strong view",
}
PHOTOGRAPH = "photograph"


@dataclass(frozen=True)
class SeenViews:
    """names: of the rows of a figure; pixels: uint8 (rows, pictures, S, S, 3); told: what was done,
    a sentence each."""

    names: list[str]
    pixels: np.ndarray
    told: list[str]

    def read(self) -> str:
        """What was done to the views, in words."""
        return " ".join(self.told)


def first_step(run: Run, data: DataSet, count: int = SHOWN) -> SeenViews:
    """The views of the first `count` pictures of the pool in a run's first batch, a row of each
    kind that its method asks for, below the photographs themselves; of CRMatch its turned ones too.
    ValueError for a method that asks for none."""
    method: Any = photographs.METHODS[run.method.name]
    if not method.unlabelled_views:
        raise ValueError(f"{run.method.name} sees no picture of the pool")
    rows = _first_batch(run, data)
    kind = _Windows if run.model.freeze else _Crops
    seen = kind(run, data, rows, min(count, len(rows)))
    shown = {PHOTOGRAPH: data.pixels[rows[: seen.count]]}
    told = [
        f"The first {seen.count} of the {len(rows)} pictures of the pool in the first step's batch."
    ]
    each: dict[str, _Drawn] = {}
    for name in method.unlabelled_views:
        policy = method.weak_policy if name == "weak" else views.STRONG[run.train.strong]
        each[name] = seen.draw(name, policy)
        shown[NAMES[name]] = each[name].pixels
    told += seen.told(each)
    if turned := getattr(run.method, "lambda_rot", 0):
        for k in (1, 2, 3):
            shown[f"turned by {90 * k}°"] = seen.turned(each["weak"], k)
        told.append(
            f"The rows below, and the weak view itself, are what the second head has to tell apart "
            f"(weight {turned:g}){seen.how_turned}."
        )
    return SeenViews(list(shown), _one_size(list(shown.values())), told)


def _first_batch(run: Run, data: DataSet) -> np.ndarray:
    """Rows (M,) of the pool's part of the first batch, as the training loop draws them."""
    unlabelled = photographs.rows_of(run, data)["unlabelled"]
    count = run.train.mu * run.train.batch
    return unlabelled[loop.drawn(len(unlabelled), count, 0, run.seed, "unlabelled")]


def _one_size(shown: list[np.ndarray]) -> np.ndarray:
    """Pictures (n, s, s, 3) of several sizes in the middle of white ones of the largest size."""
    side = max(pixels.shape[1] for pixels in shown)
    out = np.full((len(shown), len(shown[0]), side, side, 3), 255, np.uint8)
    for room, pixels in zip(out, shown, strict=True):
        first = (side - pixels.shape[1]) // 2
        room[:, first : first + pixels.shape[1], first : first + pixels.shape[2]] = pixels
    return out


@dataclass(frozen=True)
class _Drawn:
    """Views of a whole batch: pixels (count, S, S, 3) of those shown; keep (M, t, t): 0 where
    blanked; cells (M, t, t): which cell of the map each is, from 0, -1 of pixels; mirrored (M,);
    dropped: share of the channels."""

    pixels: np.ndarray
    keep: np.ndarray
    cells: np.ndarray
    mirrored: np.ndarray
    dropped: float = 0.0


@dataclass(frozen=True)
class _Crops:
    """Views of pixels."""

    run: Run
    data: DataSet
    rows: np.ndarray
    count: int
    how_turned = ""

    def draw(self, name: str, policy: views.Policy) -> _Drawn:
        plain = replace(self.run.model, weights="none", freeze=False)
        tokens = ViT(plain, self.run.data.crop, 5).tokens
        g = _chance(self.run, name)
        source = Pixels(torch.from_numpy(np.asarray(self.data.pixels[self.rows])), self._side)
        view = source.view(torch.arange(len(self.rows)), policy, tokens, g)
        images = (view.images[: self.count] * views.SD + views.MEAN).clamp(0, 1)
        pixels = (images.permute(0, 2, 3, 1) * 255).round().byte().numpy().copy()
        keep = _grid(view.keep, len(self.rows), tokens)
        _blank(pixels, keep[: self.count])
        nothing = np.zeros(len(self.rows))
        return _Drawn(pixels, keep, np.full(keep.shape, -1), nothing)

    @property
    def _side(self) -> int:
        return self.run.data.crop

    def turned(self, weak: _Drawn, k: int) -> np.ndarray:
        return np.rot90(weak.pixels, k, (1, 2))

    def told(self, each: dict[str, _Drawn]) -> list[str]:
        size = self.data.pixels.shape[1]
        first = (
            f"A view is a crop of {self._side} of {size} px at a place of its own, mirrored for "
            f"{percent(views.WEAK.flip)}."
        )
        policy = views.STRONG[self.run.train.strong]
        done = _in_words(policy)
        said = f"The strong view besides: {done}." if done else "The strong view is as the weak."
        return [first, said, *_blanked(each["strong"].keep)]


@dataclass(frozen=True)
class _Windows:
    """Windows of a frozen stem's maps, found by asking the same code for maps that hold their own
    places: each cell its number, in every channel."""

    run: Run
    data: DataSet
    rows: np.ndarray
    count: int
    how_turned = ": the map's cells change places, what each holds stays upright"

    @property
    def _cells(self) -> int:
        return -(-self.data.pixels.shape[1] // lite0.STRIDE)

    @property
    def _window(self) -> int:
        return self.run.data.crop // lite0.STRIDE

    def draw(self, name: str, policy: views.Policy) -> _Drawn:
        tokens = math.prod(hybrid.grid(self.run.data.crop, self.run.model.pool))
        channels, n = lite0.channels(self.run.model.scales), len(self.rows)
        plain, copies = (self._places(n, looks, channels) for looks in (2, map_store.COPIES))
        source = Maps(plain, self._window, torch.full((channels,), -1.0), copies)
        view = source.view(torch.arange(n), policy, tokens, _chance(self.run, name))
        places = view.images.amax(dim=1).long().numpy()  # some channel is never dropped
        look, cells = np.divmod(places, self._cells**2)
        keep = _grid(view.keep, n, tokens)
        whole = self._photographs(look[:, 0, 0], bool(policy.randaugment))
        pixels = self._drawn(whole, cells[: self.count], keep[: self.count])
        mirrored = np.zeros(n) if policy.randaugment else look[:, 0, 0]
        dropped = float((view.images < 0).float().mean())
        return _Drawn(pixels, keep, cells, mirrored, dropped)

    def _places(self, n: int, looks: int, channels: int) -> Tensor:
        side = self._cells
        places = torch.arange(looks * side * side).view(looks, side, side, 1).float()
        return places.expand(n, looks, side, side, channels).contiguous()

    def _photographs(self, look: np.ndarray, augmented: bool) -> np.ndarray:
        """The photographs shown (count, S, S, 3), mirrored or RandAugmented as the views are."""
        rows, look = self.rows[: self.count], look[: self.count]
        if augmented:
            return np.stack([self._copy(*one) for one in zip(rows, look, strict=True)])
        pixels = np.asarray(self.data.pixels[rows])
        return np.where(look[:, None, None, None] == 1, pixels[:, :, ::-1], pixels)

    def _copy(self, row: int, which: int) -> np.ndarray:
        """The RandAugmented copy that the store's map was made of: copies are drawn by blocks."""
        first = row // map_store.BLOCK * map_store.BLOCK
        block = np.arange(first, min(first + map_store.BLOCK, len(self.data)))
        learnt = self.data.frame["split"].iloc[block].isin(["train", "pool"]).to_numpy(bool)
        pixels = torch.from_numpy(np.asarray(self.data.pixels[block[learnt]]))
        copies = map_store.augmented(pixels, int(first))[which]
        mine = copies[int(np.flatnonzero(block[learnt] == row)[0])]
        shown = (mine * views.SD + views.MEAN).clamp(0, 1) * 255
        return shown.round().byte().permute(1, 2, 0).numpy()

    def _drawn(self, whole: np.ndarray, cells: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """Photographs with their windows: outside faded, blanked cells grey, a line around it."""
        faded = (FADED * 255 + (1 - FADED) * whole).round().astype(np.uint8)
        out, side = faded.copy(), self._window * lite0.STRIDE
        for one, (picture, places) in enumerate(zip(whole, cells, strict=True)):
            top, left = (int(v) * lite0.STRIDE for v in divmod(places[0, 0], self._cells))
            inside = (slice(top, top + side), slice(left, left + side))
            out[one][inside] = picture[inside]
            _blank(out[one][inside][None], keep[one][None])
            _line(out[one], top, left, side)
        return out

    def turned(self, weak: _Drawn, k: int) -> np.ndarray:
        """The windows alone, their cells in the places where a turn of the map puts them."""
        whole = self._photographs(weak.mirrored.astype(int), augmented=False)
        step, out = lite0.STRIDE, []
        for picture, places in zip(whole, weak.cells, strict=False):
            moved = np.rot90(places, k)
            at = [[divmod(int(cell), self._cells) for cell in line] for line in moved]
            lines = [
                [picture[r * step : (r + 1) * step, c * step : (c + 1) * step] for r, c in line]
                for line in at
            ]
            out.append(np.concatenate([np.concatenate(line, axis=1) for line in lines]))
        return np.stack(out)

    def told(self, each: dict[str, _Drawn]) -> list[str]:
        side, window = self._cells, self._window
        strong = each["strong"]
        pairs = zip(_unmirrored(each["weak"], side), _unmirrored(strong, side), strict=True)
        mirrored = percent(float(each["weak"].mirrored.mean()))
        shared = float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))
        said = [
            f"The stem is frozen, so a view is a window of its map, {window} x {window} of "
            f"{side} x {side} cells; what lies outside is faded. "
            f"{mirrored} of the batch's weak views are mirrored; "
            f"a picture's weak and strong window share {percent(shared)} of their cells.",
            *_blanked(strong.keep),
        ]
        if strong.dropped:
            said.append(
                f"In it {percent(strong.dropped)} of the map's channels are set to their mean, "
                "which no photograph can show."
            )
        policy = views.STRONG[self.run.train.strong]
        rest = _in_words(policy, pixels_only=True)
        if policy.randaugment:
            said.append(
                f"The strong view is a window of one of {map_store.COPIES} copies of the "
                f"photograph, made in advance: {rest}."
            )
        elif rest:
            said.append(f"Left out, since the stem would have to look again: {rest}.")
        return said


# ---------------------------------------------------------------- parts
def _chance(run: Run, name: str) -> torch.Generator:
    """The chance that the training loop has for this view in its first step."""
    return torch.Generator().manual_seed(seed_of("view", run.seed, 0, name))


def _grid(keep: Tensor | None, n: int, tokens: int) -> np.ndarray:
    """(n, t, t): 1 where a token is seen, 0 where it is blanked."""
    side = math.isqrt(tokens)
    return np.ones((n, side, side)) if keep is None else keep.numpy().reshape(n, side, side)


def _blank(pixels: np.ndarray, keep: np.ndarray) -> None:
    """Grey squares, in place, where tokens are blanked: pixels (n, S, S, 3), keep (n, t, t)."""
    each = pixels.shape[1] // keep.shape[1]
    pixels[np.kron(keep, np.ones((1, each, each))) == 0] = GREY


def _line(picture: np.ndarray, top: int, left: int, side: int) -> None:
    """A dark line, in place, one px wide inside a square's edge."""
    last = side - 1
    for down, across in (
        (slice(top, top + side), left),
        (slice(top, top + side), left + last),
        (top, slice(left, left + side)),
        (top + last, slice(left, left + side)),
    ):
        picture[down, across] = 0


def _unmirrored(view: _Drawn, side: int) -> list[list[int]]:
    """The cells of each view in the photograph that is not mirrored."""
    row, column = np.divmod(view.cells, side)
    turned = np.where(view.mirrored[:, None, None] == 1, side - 1 - column, column)
    return [list(one) for one in (row * side + turned).reshape(len(view.cells), -1)]


def _blanked(keep: np.ndarray) -> list[str]:
    gone = 1 - float(keep.mean())
    if not gone:
        return []
    return [f"In the strong view {percent(gone)} of the tokens are blanked (grey)."]


def _in_words(policy: views.Policy, pixels_only: bool = False) -> str:
    """What a policy does besides window and mirror; pixels_only: what maps cannot have.

    >>> _in_words(views.Policy(turns=True, gain=0.03, noise=1.0))
    'quarter turns, brightness ±3 %, noise of 1 grey level'
    """
    if policy.randaugment:
        return f"{policy.randaugment} operations of RandAugment, then a grey square"
    said = ["quarter turns"] if policy.turns else []
    for value, what in (
        (policy.gain, "brightness"),
        (policy.contrast, "contrast"),
        (policy.saturation, "saturation"),
    ):
        said += [f"{what} ±{100 * value:g} %"] if value else []
    levels = "level" if policy.noise == 1 else "levels"
    said += [f"noise of {policy.noise:g} grey {levels}"] if policy.noise else []
    if policy.token_drop and not pixels_only:
        said.append(f"tokens blanked with a chance of {percent(policy.token_drop)}")
    return ", ".join(said)
