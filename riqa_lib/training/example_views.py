"""A few pictures as a run's network sees them, for looking at."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from ..datasets.data_folder import DataSet
from ..networks import views
from ..networks.device import on_device
from ..networks.vit import ViT
from .photographs import Run, rows_of


def example_views(run: Run, data: DataSet, count: int = 3) -> tuple[np.ndarray, pd.DataFrame]:
    """A few unlabelled pictures under both strong policies, for looking at: (pixels (N, S, S, 3)
    uint8, frame with a column `view`). Blanked tokens are shown as grey patches; the network sees
    no pixels there."""
    rows = torch.from_numpy(np.tile(rows_of(run, data)["unlabelled"][:count], 2))
    pixels, side = on_device(data.pixels, torch.device("cpu")), run.data.crop
    plain = dataclasses.replace(run.model, weights="none", freeze=False)
    tokens = ViT(plain, side, 5).tokens
    shown, captions = [], []
    for name in ("weak", "quality", "randaugment"):
        policy = views.of_maps(views.STRONG[name]) if run.model.freeze else views.STRONG[name]
        g = torch.Generator().manual_seed(run.seed)
        view = views.make(pixels, rows, side, policy, tokens, g)
        images = (view.images * views.SD + views.MEAN).clamp(0, 1)
        if view.keep is not None:
            grid = round(tokens**0.5)
            keep = (
                view.keep.view(-1, 1, grid, grid)
                .repeat_interleave(side // grid, 2)
                .repeat_interleave(side // grid, 3)
            )
            images = images * keep + 0.5 * (1 - keep)
        shown.append((images.permute(0, 2, 3, 1) * 255).round().byte().numpy())
        captions += [name] * len(rows)
    return np.concatenate(shown), pd.DataFrame({"view": captions})
