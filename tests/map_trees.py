"""A tiny walk of pictures by code, whose blur is their grade: enough for a frozen stem to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from riqa_lib import paths
from riqa_lib.datasets.data_folder import DataSet, open_dataset, write_dataset
from riqa_lib.networks import map_store
from riqa_lib.seeding import rng

COUNTS = {"train": 60, "val": 15, "pool": 25, "test": 40}


def blurred_pictures(name: str = "small", size: int = 48) -> DataSet:
    """A data set in results/<name>/data: noise, blurred by .4 px a grade; COUNTS pictures a split.

    The pool's grades are hidden, and known as true_grade."""
    split = np.repeat([*COUNTS], [*COUNTS.values()])
    true = rng("grades").permutation(np.arange(len(split)) % 5)
    frame = pd.DataFrame({"id": [f"p{i}" for i in range(len(split))], "path": "", "source": ""})
    frame = frame.assign(group=frame["id"], split=split, true_grade=true, score=5.0 - true)
    frame["grade"] = np.where(split == "pool", -1, true)
    pixels = np.stack([_blurred(i, g, size) for i, g in enumerate(true)])
    info = {"name": "by code", "simulated": True, "classes": 5, "settings": {}}
    folder = paths.results(name) / "data"
    write_dataset(
        folder, frame, size, lambda i: [pixels[i:]], key="blurred", info=info, progress=False
    )
    return open_dataset(folder)


def mapped_pictures() -> DataSet:
    """The same with the maps of a frozen stem beside them."""
    data = blurred_pictures()
    map_store.open_maps(data, progress=False)
    return data


def _blurred(number: int, grade: int, size: int) -> np.ndarray:
    soft = ndimage.gaussian_filter(
        rng("picture", number).normal(size=(size, size, 3)), (0.3 + 0.4 * grade,) * 2 + (0,)
    )
    return np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)
