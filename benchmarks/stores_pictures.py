"""Pictures for benchmarks.stores: windows of the photographs that scikit-image and scikit-learn
carry, 512 x 384 px as KOKA10K's, so that decoding costs what it costs for photographs."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from riqa_lib.pictures.pristine import CARRIED
from riqa_lib.seeding import rng

WIDTH, HEIGHT = 512, 384
QUALITY = 90  # of the JPEGs
TRAIN, VAL = 1000, 100  # of the pictures; the others are the pool
IN_A_FOLDER = 1000


@lru_cache(maxsize=1)
def _photographs() -> list[Image.Image]:
    return [Image.fromarray(one.load()) for one in CARRIED]


def picture(k: int) -> Image.Image:
    """The k-th: a window of its own of one of the photographs, at another scale."""
    g, source = rng("stores", k), _photographs()[k % len(CARRIED)]
    most = min(source.width, source.height * WIDTH // HEIGHT)
    width = int(g.integers(most // 2, most + 1))
    height = width * HEIGHT // WIDTH
    left = int(g.integers(source.width - width + 1))
    top = int(g.integers(source.height - height + 1))
    box = (left, top, left + width, top + height)
    return source.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=box)


def path_of(k: int, form: str) -> str:
    """Where the k-th lies in its folder."""
    return f"{k // IN_A_FOLDER:03}/{k:06}.{form}"


def _write(folder: Path, form: str, k: int) -> None:
    how: dict[str, Any] = {"quality": QUALITY} if form == "jpg" else {"compress_level": 6}
    picture(k).save(folder / path_of(k, form), **how)


def written(folder: Path, count: int, form: str = "jpg", processes: int = 1) -> pd.DataFrame:
    """So many picture files, where they are not there yet; the frame of them."""
    for k in range(0, count, IN_A_FOLDER):
        (folder / path_of(k, form)).parent.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(count) if not (folder / path_of(k, form)).exists()]
    if processes == 1:
        for k in missing:
            _write(folder, form, k)
    else:
        with ProcessPoolExecutor(processes) as workers:
            list(workers.map(partial(_write, folder, form), missing, chunksize=50))
    return frame(count, form)


def frame(count: int, form: str = "jpg") -> pd.DataFrame:
    """Their table: TRAIN with a grade to learn from, VAL to select by, the others without."""
    split = np.where(np.arange(count) < TRAIN, "train", "pool")
    split[TRAIN : TRAIN + VAL] = "val"
    grade = np.where(split == "pool", -1, np.arange(count) % 5)
    ids = [f"{k:06}" for k in range(count)]
    table = pd.DataFrame(
        {"id": ids, "path": [path_of(k, form) for k in range(count)], "group": ids}
    )
    return table.assign(source="", split=split, grade=grade, score=np.where(grade < 0, np.nan, 3.0))
