"""Grad-CAM (Selvaraju et al., ICCV 2017) of a fundus network, by captum: where it looks.

With A (K, h, w) a layer's activations and s the score explained,
    map = relu(sum_k alpha_k A_k),  alpha_k = mean over h, w of ds/dA_k,
resized (bilinear) to the picture, and 0 outside the field of view: what lies there is no retina,
and a map that is resized, or a network that sees the rim, puts a quarter of itself there. The
scores are evidence for *bad*: for the overall grade the logit of the worst class less that of the
best, for a detail (whose logit speaks for good) the logit's negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from scipy import ndimage
from torch import Tensor, nn

from ..networks.field_moments import one_view
from ..networks.views import normalise
from ..scales import DETAILS

HEADS = ("overall", *DETAILS)


BLACK = 2  # of 255: a pixel that is no brighter may be surround, which crops hold as 0


# ---------------------------------------------------------------- maps
def evidence(net: nn.Module, head: str) -> Callable[[Tensor], Tensor]:
    """The score (B,) that a head's map explains, of normalised pictures (B, 3, S, S): evidence for
    bad.

    net returns overall logits (B, C), worst class first, and detail logits (B, 3), positive for
    good. ValueError for other heads."""
    if head not in HEADS:
        raise ValueError(f"head {head!r}: expected {', '.join(HEADS)}")

    def score(x: Tensor) -> Tensor:
        overall, details = net(x)[:2]
        return (
            overall[:, 0] - overall[:, -1]
            if head == "overall"
            else -details[:, DETAILS.index(head)]
        )

    return score


def fields_of(pixels: np.ndarray, side: int = 0) -> np.ndarray:
    """The fields of view of crops (N, S, S, 3) uint8 as data sets store them: (N, S, S), bool.
    Inside the circle that fills a square of `side` px (0: S) of which the crops are the middle, and
    not the black that one gets to from its rim: bars, straight cuts. Black inside is retina.

    >>> crop = np.full((1, 8, 8, 3), 90, np.uint8)
    >>> crop[:, :3] = 0
    >>> fields_of(crop)[0].sum(axis=1).tolist()
    [0, 0, 0, 8, 8, 8, 6, 4]
    """
    size = pixels.shape[1]
    where = (np.arange(size) + 0.5 - size / 2) * 2 / (side or size)
    circle = np.hypot(where[:, None], where) <= 1
    out = np.empty(pixels.shape[:3], bool)
    for k, black in enumerate(pixels.max(axis=3) <= BLACK):
        lots, _ = ndimage.label(black | ~circle)
        rim = np.concatenate([lots[0], lots[-1], lots[:, 0], lots[:, -1]])
        out[k] = circle & ~np.isin(lots, rim[rim > 0])
    return out


def grad_cam(
    net: nn.Module,
    layer: nn.Module,
    pixels: np.ndarray,
    head: str,
    *,
    inside: np.ndarray | Sequence[np.ndarray] | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Grad-CAM maps (N, S, S) float32, 0 or more, of pictures (N, S, S, 3) uint8 for a head; the
    net is left as it was.

    layer: whose activations are weighted, a module of the net with an output (B, K, h, w). inside:
    fields of view (N, S, S), bool, outside which the maps are 0; by default `fields_of` the
    pictures. ValueError for other pictures."""
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: {pixels.dtype} {pixels.shape}, expected uint8 (N, S, S, 3)")
    mode, out = net.training, []
    where = next(net.parameters()).device
    net.eval()
    cam = LayerGradCam(evidence(net, head), layer)
    for start in range(0, len(pixels), batch):
        part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + batch])).to(where)
        x = normalise(part).requires_grad_()
        with one_view(net):
            maps = cam.attribute(x, relu_attributions=True)
        maps = F.interpolate(
            maps.detach().float(), size=pixels.shape[1:3], mode="bilinear", align_corners=False
        )
        out.append(maps[:, 0].cpu().numpy())
    net.train(mode)
    if not out:
        return np.zeros((0, *pixels.shape[1:3]), np.float32)
    fields = fields_of(pixels) if inside is None else np.asarray(inside, bool)
    return np.concatenate(out) * fields


def last_layer(net: nn.Module, size: int, least: int = 4) -> nn.Module:
    """The last module of a net whose output for pictures of this size is a map of at least `least`
    x `least`, found by a trial run: Grad-CAM on a map of 2 x 2 could not point at anything.
    ValueError if there is none."""
    found: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, _: object, y: object) -> None:
        if isinstance(y, Tensor) and y.ndim == 4:
            found.append((module, min(y.shape[2:])))

    hooks = [m.register_forward_hook(note) for m in net.modules() if m is not net]
    mode = net.training
    try:
        with torch.no_grad(), one_view(net):
            net.eval()(torch.zeros(1, 3, size, size, device=next(net.parameters()).device))
    finally:
        net.train(mode)
        for hook in hooks:
            hook.remove()
    fine = [m for m, side in found if side >= least]
    if not fine:
        raise ValueError(
            f"no layer with a map of at least {least} x {least} for pictures of {size} px"
        )
    return fine[-1]


# ---------------------------------------------------------------- to look at
def overlay(
    pixels: np.ndarray,
    cam: np.ndarray,
    *,
    inside: np.ndarray | None = None,
    strength: float = 0.6,
) -> np.ndarray:
    """A map (S, S) >= 0 over its picture (S, S, 3) uint8, as uint8: grey where it is 0, yellow to
    red towards its maximum inside the field. inside: (S, S), bool, by default `fields_of` the
    picture."""
    cam = cam * (fields_of(pixels[None])[0] if inside is None else inside)
    grey = pixels.astype(float).mean(axis=2, keepdims=True) * np.ones(3)
    m = (cam / cam.max() if cam.max() > 0 else cam)[..., None].astype(float)
    heat = np.concatenate([np.full_like(m, 255), 235 * (1 - m), np.zeros_like(m)], axis=2)
    share = strength * np.sqrt(m)
    return np.round(grey * (1 - share) + heat * share).astype(np.uint8)
