"""Views of pictures: batched, on the device, a parameter per picture, no loop over pictures.
Where several processes share a batch, each draws what one process would draw for its pictures.

Quality is a label that most augmentations change: blur, contrast, JPEG and noise *are* the defects
that graders grade. So the default strong view keeps quality (crops at the same scale, flips,
quarter turns, jitter below what is just noticeable) and perturbs the network instead: a share of
its tokens is blanked. The algorithms' usual RandAugment (three random operations, then a grey
cutout; Cubuk et al., 2020, with the ranges of the USB code base) is the control."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from . import ranks
from .device import sent

MEAN, SD = 0.45, 0.25  # pixels in 0..1 are shown to networks as (x - MEAN) / SD


LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class View(NamedTuple):
    """images (N, 3, S, S) normalised; keep (N, tokens) with 0 for tokens to blank, or None for
    all."""

    images: Tensor
    keep: Tensor | None = None


@dataclass(frozen=True)
class Policy:
    """What a view may change. All ranges are half-widths of uniform draws, one draw per picture."""

    flip: float = 0.5  # chance of a left-right flip
    turns: bool = False  # quarter turns, and so up-down flips too
    gain: float = 0.0  # brightness factor 1 +- gain
    contrast: float = 0.0  # contrast factor 1 +- contrast about the picture's mean
    saturation: float = 0.0  # saturation factor 1 +- saturation
    offset: float = 0.0  # brightness offset, in units of full range
    noise: float = 0.0  # standard deviation of (uniform) noise, in grey levels of 255
    token_drop: float = 0.0  # share of tokens blanked
    channel_drop: float = 0.0  # share of a frozen stem's channels set to their mean (maps only)
    randaugment: int = 0  # number of RandAugment operations (0 = none), followed by a grey cutout


WEAK = Policy()


def of_maps(policy: Policy) -> Policy:
    """What of a policy is left where views are windows of stored maps (see sources.Maps)."""
    return replace(
        policy, turns=False, gain=0.0, contrast=0.0, saturation=0.0, offset=0.0, noise=0.0
    )


STRONG = {
    "quality": Policy(
        turns=True,
        gain=0.03,
        contrast=0.03,
        saturation=0.03,
        offset=0.01,
        noise=1.0,
        token_drop=0.3,
        channel_drop=0.1,
    ),
    "randaugment": Policy(randaugment=3),
    "weak": WEAK,
}


def crop(
    pixels: Tensor,
    rows: Tensor,
    size: int,
    g: torch.Generator,
    flip: float = 0.5,
    turns: bool = False,
) -> Tensor:
    """Random crops of `size` px, flipped and turned, straight from the store: one gather.

    pixels (P, H, W, 3) uint8; rows (N,) which pictures; returns (N, size, size, 3) uint8. No
    resampling."""
    n, height, width = len(rows), pixels.shape[1], pixels.shape[2]
    if size > min(height, width):
        raise ValueError(f"a crop of {size} px does not fit into pictures of {height} x {width} px")
    top = ranks.randint(height - size + 1, (n, 1, 1), g)
    left = ranks.randint(width - size + 1, (n, 1, 1), g)
    turn = ranks.randint(4, (n,), g) if turns else torch.zeros(n, dtype=torch.long)
    mirror = (ranks.rand((n,), g) < flip).long()
    # (size, size) offsets in the store, row by row; only a number or two of each picture are sent
    where = pixels.device
    side = torch.arange(size, device=where)
    place = side[:, None] * width + side
    table = torch.stack([torch.rot90(m, k) for k in range(4) for m in (place, place.flip(1))])
    first = sent(rows * height * width + (top * width + left).view(n), where)
    flat = table[sent(2 * turn + mirror, where)] + first[:, None, None]
    return pixels.reshape(-1, 3).index_select(0, flat.view(-1)).view(n, size, size, 3)


def centre_crops(pixels: Tensor, size: int, grid: int = 1) -> Tensor:
    """(N, H, W, 3) uint8 -> (grid^2, N, size, size, 3): the centre (grid 1), or a grid x grid
    lattice of crops.

    >>> centre_crops(torch.zeros(5, 80, 80, 3, dtype=torch.uint8), 64, grid=2).shape
    torch.Size([4, 5, 64, 64, 3])
    """
    height, width = pixels.shape[1:3]

    def places(room: int) -> list[int]:
        if grid == 1:
            return [room // 2]
        return [round(room * k / (grid - 1)) for k in range(grid)]

    return torch.stack(
        [
            pixels[:, a : a + size, b : b + size]
            for a in places(height - size)
            for b in places(width - size)
        ]
    )


def eight_views(pixels: Tensor) -> Tensor:
    """(N, S, S, 3) -> (8, N, S, S, 3): the four quarter turns of each picture, then those of its
    mirror image; the first is the picture itself. No resampling.

    Averaged over these, what a network says does not depend on how the picture is turned or
    mirrored. Raises ValueError for pictures that are not square: half of the turns would have
    another shape.

    >>> eight_views(torch.zeros(5, 80, 80, 3, dtype=torch.uint8)).shape
    torch.Size([8, 5, 80, 80, 3])
    """
    height, width = pixels.shape[1:3]
    if height != width:
        raise ValueError(f"pictures of {height} x {width} px: expected square ones")
    both = (pixels, pixels.flip(2))
    return torch.stack([torch.rot90(x, k, dims=(1, 2)) for x in both for k in range(4)])


def normalise(x: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 or float 0..255 -> (N, 3, H, W) float, channels last in memory."""
    return x.permute(0, 3, 1, 2).float().sub_(255 * MEAN).mul_(1 / (255 * SD))


def make(
    pixels: Tensor, rows: Tensor, size: int, policy: Policy, tokens: int, g: torch.Generator
) -> View:
    """One view of pixels[rows] under a policy. g: a CPU generator; the same state gives the same
    view.

    >>> pixels, rows = torch.zeros(3, 40, 40, 3, dtype=torch.uint8), torch.tensor([0, 2])
    >>> view = make(pixels, rows, 32, STRONG["quality"], 16, torch.Generator().manual_seed(0))
    >>> view.images.shape, view.keep.shape
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 16]))
    """
    raw = crop(pixels, rows, size, g, policy.flip, policy.turns)
    n, device = len(rows), pixels.device
    if policy.randaugment:
        changed = randaugment(raw.permute(0, 3, 1, 2).float() / 255, policy.randaugment, g)
        raw = changed.permute(0, 2, 3, 1) * 255
    x = normalise(raw)
    if policy.gain or policy.contrast or policy.saturation or policy.offset:
        x = jitter(x, policy, g)
    if policy.noise:
        on_device = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=g)))
        # uniform, since Gaussian draws cost eight times as much
        width = policy.noise * math.sqrt(3) / (255 * SD)
        x = x.add_(ranks.uniform(x, -width, width, on_device))
    keep = None
    if policy.token_drop:
        keep = sent((ranks.rand((n, tokens), g) >= policy.token_drop).float(), device)
    return View(x, keep)


def jitter(x: Tensor, policy: Policy, g: torch.Generator) -> Tensor:
    """Brightness, contrast about the picture's mean, saturation: one affine map of colours per
    picture.

    x (N, 3, H, W) normalised. With y = gain x + offset, m = mean(y), c and s the contrast and
    saturation factors: out = (1 - s) luma(m + c (y - m)) + s (m + c (y - m)), clipped to the range
    of pixels."""
    n = len(x)

    def factor(width: float) -> Tensor:
        return sent(1 + width * (2 * ranks.rand((n, 1, 1), g) - 1), x.device)

    gain, shift, c, s = (
        factor(policy.gain),
        factor(policy.offset) - 1,
        factor(policy.contrast),
        factor(policy.saturation),
    )
    low, high = -MEAN / SD, (1 - MEAN) / SD
    luma = sent(torch.tensor(LUMA, dtype=x.dtype), x.device).expand(3, 3)
    colour = gain * c * ((1 - s) * luma + s * torch.eye(3, device=x.device))  # (N, 3, 3)
    mean = x.mean(dim=(1, 2, 3)).view(n, 1, 1)
    bias = (gain - 1) * MEAN / SD + shift / SD  # gain and offset act on 0..1, x is normalised
    bias = c * bias + (1 - c) * (gain * mean + bias)
    pixels = x.permute(0, 2, 3, 1).reshape(n, -1, 3)  # (N, H*W, 3), no copy in channels-last memory
    out = torch.baddbmm(bias, pixels, colour.transpose(1, 2)).clamp_(low, high)
    return out.view(n, x.shape[2], x.shape[3], 3).permute(0, 3, 1, 2)


def grey(x: Tensor) -> Tensor:
    """Luma of (N, 3, H, W) as (N, 1, H, W)."""
    return (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


# ---------------------------------------------------------------- RandAugment, the control
# Each operation: x (K, 3, S, S) in 0..1 and u (K,) uniform in 0..1 -> the same shape. Ranges: USB
# (see ssl.md, section 8).
def _blend(x: Tensor, other: Tensor, u: Tensor) -> Tensor:
    return torch.lerp(other, x, (0.05 + 0.9 * u).view(-1, 1, 1, 1)).clamp(0, 1)


def _smooth(x: Tensor) -> Tensor:
    kernel = x.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]).div(13).expand(3, 1, 3, 3)
    out = x.clone()
    out[..., 1:-1, 1:-1] = F.conv2d(x, kernel, groups=3)
    return out


def _autocontrast(x: Tensor, u: Tensor) -> Tensor:
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp_min(1e-6), x)


def _equalise(x: Tensor, u: Tensor) -> Tensor:
    levels = (x * 255).round().long().flatten(2)  # (K, 3, S*S)
    counts = torch.zeros(*levels.shape[:2], 256, device=x.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels, dtype=counts.dtype))
    rank = counts.cumsum(dim=2)
    first = counts.gather(2, levels.amin(dim=2, keepdim=True))
    flat = (rank - first) / (levels.shape[2] - first).clamp_min(1)
    return flat.clamp(0, 1).gather(2, levels).view_as(x)


def _affine(x: Tensor, rows: list[list[Tensor]]) -> Tensor:
    theta = torch.stack([torch.stack(r, dim=1) for r in rows], dim=1)  # (K, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def _geometry(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    def op(x: Tensor, u: Tensor) -> Tensor:
        s, one, nil = 0.3 * (2 * u - 1), torch.ones_like(u), torch.zeros_like(u)
        if kind == "rotate":
            a = s / 0.3 * math.radians(30)
            return _affine(x, [[a.cos(), -a.sin(), nil], [a.sin(), a.cos(), nil]])
        shear_x, shear_y, move_x, move_y = (
            s if kind == k else nil for k in ("shear_x", "shear_y", "move_x", "move_y")
        )
        return _affine(x, [[one, shear_x, 2 * move_x], [shear_y, one, 2 * move_y]])

    return op


def _identity(x: Tensor, u: Tensor) -> Tensor:
    return x


def _brightness(x: Tensor, u: Tensor) -> Tensor:
    return _blend(x, torch.zeros_like(x), u)


def _colour(x: Tensor, u: Tensor) -> Tensor:
    return _blend(x, grey(x).expand_as(x), u)


def _contrast(x: Tensor, u: Tensor) -> Tensor:
    return _blend(x, grey(x).mean(dim=(1, 2, 3), keepdim=True).expand_as(x), u)


def _sharpness(x: Tensor, u: Tensor) -> Tensor:
    return _blend(x, _smooth(x), u)


def _posterise(x: Tensor, u: Tensor) -> Tensor:
    step = 2.0 ** (8 - (4 + (u * 5).floor().clamp(max=4))).view(-1, 1, 1, 1)  # keep 4 to 8 bits
    return ((x * 255).round() / step).floor() * step / 255


def _solarise(x: Tensor, u: Tensor) -> Tensor:
    return torch.where(x >= u.view(-1, 1, 1, 1), 1 - x, x)


# their order counts: `randaugment` draws places in it
OPERATIONS = {
    "identity": _identity,
    "autocontrast": _autocontrast,
    "equalise": _equalise,
    "brightness": _brightness,
    "colour": _colour,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterise": _posterise,
    "solarise": _solarise,
    **{k: _geometry(k) for k in ("rotate", "shear_x", "shear_y", "move_x", "move_y")},
}


def randaugment(
    x: Tensor,
    count: int,
    g: torch.Generator,
    table: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = OPERATIONS,
    hole: bool = True,
) -> Tensor:
    """`count` operations of `table`, drawn with replacement per picture, then (`hole`) a grey
    square. x (N, 3, S, S) in 0..1."""
    operations = list(table.values())
    x = x.clone()
    for _ in range(count):
        which = ranks.randint(len(operations), (len(x),), g)
        u = ranks.rand((len(x),), g)
        for k, operation in enumerate(operations):
            rows = (which == k).nonzero().flatten().to(x.device)
            if len(rows):
                x[rows] = operation(x[rows], u.to(x.device)[rows])
    return cutout(x, g) if hole else x


def cutout(x: Tensor, g: torch.Generator) -> Tensor:
    """A grey (125, 123, 114) square of side U(0, 0.5) of the width, centred anywhere, per
    picture."""
    n, size = len(x), x.shape[-1]
    half = ranks.rand((n, 1), g) * size / 4
    centre = ranks.rand((2, n, 1), g, dim=1) * size
    inside = ((torch.arange(size) + 0.5 - centre).abs() <= half).to(x.device)  # (2, N, S)
    hole = (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)
    return torch.where(hole, x.new_tensor([125, 123, 114]).div(255).view(1, 3, 1, 1), x)
