"""Pristine photographs that come with installed packages: scikit-image and scikit-learn carry a few
in their wheels, so that anybody has the same ones without a download.

Those in colour that their package calls a photograph and whose licence it names. Not taken:
microscope, fundus and telescope pictures, drawings, grey ones (half of the 25 distortions are of
colour), and the stereo pair of a motorcycle, for which no licence is named. Three come as JPEG, of
a quality that does not show at the sizes that they are looked at in here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..datasets.data_folder import DataSet
from . import windows


class Photograph(NamedTuple):
    """A photograph that a package carries. name: of its file; load: -> uint8 (H, W, 3) RGB."""

    name: str
    package: str
    about: str
    licence: str
    load: Callable[[], np.ndarray]


def _of_skimage(name: str) -> Callable[[], np.ndarray]:
    return lambda: getattr(importlib.import_module("skimage.data"), name)()


def _of_sklearn(name: str) -> Callable[[], np.ndarray]:
    return lambda: importlib.import_module("sklearn.datasets").load_sample_image(name)


_BY_SKLEARN = "CC BY 2.0"
CARRIED = (
    Photograph("astronaut.png", "scikit-image", "Eileen Collins, NASA", "public domain",
               _of_skimage("astronaut")),
    Photograph("chelsea.png", "scikit-image", "a cat, by Stefan van der Walt", "CC0",
               _of_skimage("chelsea")),
    Photograph("coffee.png", "scikit-image", "a cup of coffee, by Rachel Michetti", "CC0",
               _of_skimage("coffee")),
    Photograph("rocket.jpg", "scikit-image", "a launch of DSCOVR, by SpaceX", "public domain",
               _of_skimage("rocket")),
    Photograph("china.jpg", "scikit-learn", "a temple, by danielbuechele", _BY_SKLEARN,
               _of_sklearn("china.jpg")),
    Photograph("flower.jpg", "scikit-learn", "a flower, by vultilion", _BY_SKLEARN,
               _of_sklearn("flower.jpg")),
)  # fmt: skip


def carried(size: int, scale: str = "fit") -> dict[str, np.ndarray]:
    """{name: pixels uint8 (size, size, 3)} of CARRIED, as a network that learns from pictures of
    this size and scale sees them (pictures.windows). ValueError for a size that enlarges them.

    >>> {name: x.shape for name, x in carried(64).items()}["coffee.png"]
    (64, 64, 3)
    """
    windows.check_scale(scale)
    every = {one.name: Image.fromarray(one.load()) for one in CARRIED}
    least = min(min(image.size) for image in every.values())
    if size > least:
        raise ValueError(f"size {size}: the photographs have {least} px or more; ask for no more")
    return {name: windows.centre(image, size, scale) for name, image in every.items()}


def best_of(
    data: DataSet, count: int, source: str = "", split: str = "test"
) -> dict[str, np.ndarray]:
    """The pictures of a real data set that people liked best, which come nearest to pristine ones:
    {"best 01": pixels uint8 (S, S, 3), ...}, the highest score first, by id where scores are equal;
    no file is named. source: of its column `source`, as a subset of stock photographs; "": any.

    ValueError where there are fewer than `count` with a score."""
    frame = data.frame
    mine = frame[(frame["split"] == split) & frame["score"].notna()]
    if source:
        mine = mine[mine["source"] == source]
    if not 0 < count <= len(mine):
        of = f" of source {source}" if source else ""
        raise ValueError(
            f"{data.info['name']}: {count} pictures wanted; {len(mine)} in split {split}{of} have "
            "a score"
        )
    best = mine.sort_values(["score", "id"], ascending=[False, True], kind="stable").index[:count]
    places = frame.index.get_indexer(best)
    return {f"best {k:02}": np.array(data.pixels[at]) for k, at in enumerate(places, 1)}


def write(folder: Path) -> list[Path]:
    """CARRIED as PNG files in a folder, which is made: what `riqa audit RUN FOLDER` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for one in CARRIED:
        files.append(folder / Path(one.name).with_suffix(".png"))
        Image.fromarray(one.load()).save(files[-1])
    return files
