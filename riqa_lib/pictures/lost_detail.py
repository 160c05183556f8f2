"""What making pictures small takes away: how much a known blur and a known noise, put on a picture
at its own size, still change the small picture.

    table = measure(images, [80, 160, 320])
    vanished(table, 80)                 the defects that are there at full size and gone at 80 px

The change is the mean absolute difference of grey values, in grey levels of 256. Pictures are
stored in whole grey levels, so of a defect that changes the small picture by less than VISIBLE, one
level, next to nothing is left, however clearly it is seen at full size. Of a texture of 3,000 px at
size 80 a blur of sd 6 px changes 0.5 levels (at full size 16), noise of sd 25 changes 0.4 (20)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from ..seeding import rng

VISIBLE = 1.0  # grey level
LARGEST = 2048  # px: of larger pictures this much of the centre is measured, in the same proportion


class Defect(NamedTuple):
    """A kind and how strong: px of a Gaussian blur's standard deviation, or grey levels of a white
    noise's."""

    kind: str
    sd: float

    @property
    def name(self) -> str:
        """In words, for a table."""
        unit = "px" if self.kind == "blur" else "grey levels"
        return f"{self.kind}, sd {self.sd:g} {unit}"

    def on(self, grey: Image.Image, seed: object) -> Image.Image:
        """A grey picture with the defect."""
        if self.kind == "blur":
            return grey.filter(ImageFilter.GaussianBlur(self.sd))
        noise = rng("lost detail", seed).standard_normal(grey.size[::-1], np.float32)
        noisy = np.asarray(grey, np.float32) + self.sd * noise
        return Image.fromarray(np.rint(noisy.clip(0, 255)).astype(np.uint8))


DEFECTS = (Defect("blur", 2), Defect("blur", 6), Defect("noise", 10), Defect("noise", 25))
OWN = "own size"


def measure(images: Iterable[Image.Image], sizes: Sequence[int]) -> pd.DataFrame:
    """The mean change by each of DEFECTS: a row a defect (its name is the index), columns OWN (the
    picture as it is) and each size (its centre square made size x size px), in grey levels; NaN at
    a size that no picture reaches.

    >>> dots = rng("dots").integers(0, 256, (400, 400), np.uint8)
    >>> table = measure([Image.fromarray(dots)], [40])
    >>> table.loc["noise, sd 10 grey levels"].round(1).to_dict()
    {'own size': 7.8, 40: 0.6}
    """
    changes = [_changes(image, sizes, k) for k, image in enumerate(images)]
    names = [d.name for d in DEFECTS]
    if not changes:
        return pd.DataFrame(np.nan, names, [OWN, *sizes])
    stacked = np.array(changes)  # (pictures, defects, 1 + sizes)
    there = np.isfinite(stacked)
    sums, n = np.where(there, stacked, 0).sum(axis=0), there.sum(axis=0)
    return pd.DataFrame(np.where(n, sums / np.maximum(n, 1), np.nan), names, [OWN, *sizes])


def vanished(table: pd.DataFrame, size: int) -> list[str]:
    """Names of the defects of `measure` that change the picture at its own size, and at this size
    by less than VISIBLE."""
    gone = (table[OWN] >= VISIBLE) & (table[size] < VISIBLE)
    return table.index[gone].tolist()


def enough(table: pd.DataFrame) -> int | None:
    """The least of the measured sizes at which nothing vanishes; None where there is none."""
    sizes = [size for size in table.columns if size != OWN and table[size].notna().all()]
    return next((size for size in sorted(sizes) if not vanished(table, size)), None)


def _changes(image: Image.Image, sizes: Sequence[int], seed: int) -> np.ndarray:
    """(defects, 1 + sizes) of one picture."""
    side = min(image.size)
    part = min(side, LARGEST)
    left, top = ((n - part) // 2 for n in image.size)
    grey = image.crop((left, top, left + part, top + part)).convert("L")
    scaled = [round(size * part / side) if size <= side else 0 for size in sizes]
    plain = _at(grey, scaled)
    return np.array(
        [
            [_difference(a, b) for a, b in zip(_at(d.on(grey, seed), scaled), plain, strict=True)]
            for d in DEFECTS
        ]
    )


def _at(grey: Image.Image, sides: Sequence[int]) -> list[np.ndarray | None]:
    """A square picture as it is, and at each side (None for 0), as pictures.windows makes it."""
    small = [grey.resize((s, s), Image.Resampling.BICUBIC) if s else None for s in sides]
    return [np.asarray(one, np.int16) if one else None for one in [grey, *small]]


def _difference(one: np.ndarray | None, other: np.ndarray | None) -> float:
    return float("nan") if one is None or other is None else float(np.abs(one - other).mean())
