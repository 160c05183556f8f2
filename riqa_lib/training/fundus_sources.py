"""Through what a fundus network sees the pictures of a set: pixels, or moments of a frozen
encoder's maps; with own-defect copies behind them where it learns from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..datasets.data_folder import DataSet
from ..networks import lite0
from ..networks.blocks import seen_through
from ..networks.device import device, device_of, on_device
from ..networks.field_moments import MomentNet, MomentsOfPixels, moments_under
from ..networks.network import Network
from ..networks.predict import two_heads
from ..networks.sources import Pixels, Source
from ..networks.views import Policy, View
from ..ssl.teacher_student import Floats
from .fundus_settings import Run
from .measured import measured
from .own_defects import Copies, copies, moments_of


@dataclass(frozen=True)
class Rows:
    """values (P, F): what an encoder said of each picture. A view is the row itself: the moments
    are the same however a picture lies."""

    values: Tensor

    @property
    def device(self) -> torch.device:
        return self.values.device

    def view(self, rows: Tensor, policy: Policy, tokens: int, g: torch.Generator) -> View:
        return View(self.values[rows.to(self.device)])

    def looks(self, rows: Tensor) -> Tensor:
        return self.values[rows.to(self.device)][None]


def _rows(values: np.ndarray) -> Rows:
    return Rows(on_device(np.asarray(values, np.float32), device()))


def features(data: DataSet, grain: float = 0.0) -> Floats:
    """networks.field_moments of every picture of a set (N, F), under so much grain; made now where
    they are not there yet."""
    under = f", grain {grain:g}" if grain else ""
    return measured(data, moments_under(grain), data.pixels, f"{lite0.SHA256}{under}")


def learning(run: Run, data: DataSet, own: Copies | None) -> Source:
    """What a run learns from: the pictures of a set, then the copies. One look each."""
    if run.model.frozen:
        grain = run.model.grain
        parts = [features(data, grain), *([] if own is None else [moments_of(data, own, grain)])]
        return _rows(np.concatenate(parts))
    pixels = data.pixels if own is None else np.concatenate([data.pixels, own.pixels])
    crop, grid = run.data.crop, run.data.grid
    return seen_through(lambda stored: Pixels(stored, crop, grid), pixels)


def learnt_copies(run: Run, data: DataSet, rows: np.ndarray) -> Copies | None:
    """The own-defect copies of these rows, for a run that learns from such."""
    return copies(data, rows) if run.method.own_defects else None


def asking(run: Run, data: DataSet) -> Source:
    """What a trained network of these settings is asked of: every picture of a set, in so many
    views as the settings say."""
    if run.model.frozen:
        return _rows(features(data, run.model.grain))
    crop, grid, looks = run.data.crop, run.data.grid, run.data.views
    return seen_through(lambda stored: Pixels(stored, crop, grid, looks), data.pixels)


def said_of(run: Run, net: Network, data: DataSet, rows: np.ndarray) -> tuple[Floats, Floats]:
    """What a network in the form in which it learnt says of rows of a set: probabilities of the
    overall grade (n, C), and of good for each detail (n, 3)."""
    overall, details = two_heads(net, asking(run, data), rows)
    return overall.numpy(), details.numpy()


def said_of_pixels(
    net: Network, about: Mapping[str, Any], pixels: np.ndarray
) -> tuple[Floats, Floats]:
    """The same of a loaded network (fundus.load_student) and pictures (N, S, S, 3) uint8 cropped
    to their field, S as about["size"] says; in the views that its stored predictions are means
    over."""
    # the frozen encoder takes its eight views itself
    views = 1 if isinstance(net, MomentsOfPixels) else int(about["views"])
    stored = torch.from_numpy(np.ascontiguousarray(pixels)).to(device_of(net, device()))
    crop = stored.shape[1] if isinstance(net, MomentsOfPixels) else int(about["crop"])
    overall, details = two_heads(
        net, Pixels(stored, crop, int(about["grid"]), views), np.arange(len(pixels))
    )
    return overall.numpy(), details.numpy()


def start(net: Network, source: Source, rows: np.ndarray) -> None:
    """What a network needs of the pictures it will learn from before its first step: one on moments
    their means and deviations."""
    if isinstance(net, MomentNet) and isinstance(source, Rows):
        net.standardise(source.values[torch.from_numpy(rows).to(source.device)].cpu())
