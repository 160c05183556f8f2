"""CPU time a picture of what the stores do, of the bare decoder and of the bare network, for
benchmarks.stores."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from riqa_lib import contents
from riqa_lib.datasets.data_folder import DataSet, open_dataset
from riqa_lib.networks import lite0, map_store
from riqa_lib.networks.vit import ViT
from riqa_lib.pictures import damage, windows
from riqa_lib.pictures.decode import import_frame
from riqa_lib.pictures.reading import read
from riqa_lib.training import photographs

from . import stores_pictures

SIZES = (128, 256)  # px of the stores
# networks of the plan, beside the settings of the profile `paper`
NETWORKS: dict[str, dict[str, object]] = {
    "frozen": {
        "model.arch": "", "model.stem": "lite0", "model.freeze": True, "model.skip": True,
        "model.width": 128, "model.depth": 2,
    },
    "unfrozen": {"model.weights": "none"},
}  # fmt: skip
ABOUT = {"frozen": "the walk's hybrid ViT, on maps", "unfrozen": "the paper's ViT-B/16"}


# ---------------------------------------------------------------- milliseconds of CPU
def cpu_ms(count: int, rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of CPU of this process, all threads, a picture of `count`: medians over rounds
    in which the works are taken in turns, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            times[name].append(1e3 * (time.process_time() - began) / count)
    return {name: statistics.median(seen[1:]) for name, seen in times.items()}


def _pillow(file: Path) -> Image.Image:
    with Image.open(file) as opened:
        return opened.convert("RGB")


def _drafted(file: Path, size: int) -> None:
    with Image.open(file) as opened:
        opened.draft(None, (size, size))
        opened.load()


def _resampled(file: Path, size: int) -> None:
    windows.centre(_pillow(file), size)


def _each(work: Callable[[Path], object], files: list[Path]) -> Callable[[], None]:
    def over_all() -> None:
        for file in files:
            work(file)

    return over_all


def imported(root: Path, frame: pd.DataFrame, folder: Path, size: int, processes: int = 1) -> Path:
    """These pictures in a data folder."""
    how: dict[str, Any] = {"name": "by code", "processes": processes, "progress": False}
    return import_frame(frame, root, folder, size, **how)


def _imported_anew(root: Path, frame: pd.DataFrame, folder: Path, size: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    imported(root, frame, folder, size)


def _hashed(files: list[Path], index: Path) -> None:
    index.unlink(missing_ok=True)
    contents.digests(files, index)


def decode_rates(folder: Path, count: int, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of "decode"."""
    for form in ("jpg", "png"):
        frame = stores_pictures.written(folder / form, count, form)
        files = [folder / form / path for path in frame["path"]]
        works: dict[str, Callable[[], object]] = {"Pillow": _each(_pillow, files)}
        if form == "jpg":
            works |= _other_decoders(files)
        works |= {
            f"Pillow, made {size}": _each(partial(_resampled, size=size), files) for size in SIZES
        }
        works |= _parts(files, folder)
        for size in SIZES:
            how = (folder / form, frame, folder / "data", size)
            works[f"import {size}"] = partial(_imported_anew, *how)
        found = cpu_ms(count, rounds, works)
        size_of = sum(file.stat().st_size for file in files)
        for way, ms in found.items():
            yield {"what": "decode", "form": form, "way": way, "pictures": count, "cpu_ms": ms,
                   "share": found["Pillow"] / ms, "bytes": size_of}  # fmt: skip


def _other_decoders(files: list[Path]) -> dict[str, Callable[[], object]]:
    """Faster ways to decode a JPEG: by simplejpeg, to the same pixels; by Pillow at a half, a
    quarter or an eighth, to others."""
    works: dict[str, Callable[[], object]] = {
        f"Pillow, draft {size}": _each(partial(_drafted, size=size), files) for size in SIZES
    }
    if damage.simplejpeg_is_there():
        whole = (stores_pictures.WIDTH, stores_pictures.HEIGHT)
        exact: Callable[[Any], object] = partial(damage.undamaged_jpeg, size=whole)
        works["simplejpeg"] = _each(exact, files)
    return works


def _parts(files: list[Path], folder: Path) -> dict[str, Callable[[], object]]:
    """What an import does of each picture, one after the other."""
    whole = [read(file).image for file in files]
    works: dict[str, Callable[[], object]] = {"part: read and checked": _each(read, files)}
    works |= {f"part: made {size}": partial(_all_made, whole, size) for size in SIZES}
    return works | {"part: hashed": partial(_hashed, files, folder / "index.json")}


def _all_made(images: list[Image.Image], size: int) -> None:
    for image in images:
        windows.centre(image, size)


# ---------------------------------------------------------------- maps
def map_rates(folder: Path, count: int, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of "maps": of a picture and its mirror image."""
    root = folder / "jpg"
    frame = stores_pictures.written(root, count)
    stem = map_store.the_stem(True)
    for size in SIZES:
        data = open_dataset(imported(root, frame, folder / f"maps{size}", size))
        shown = _normalised(data, stem)
        works = {
            "bare forward": partial(_forward, stem, shown),
            "maps": partial(_mapped_anew, data),
        }
        found = cpu_ms(count, rounds, works)
        for way, ms in found.items():
            yield {"what": "maps", "form": "lite0", "way": f"{way} {size}", "pictures": count,
                   "cpu_ms": ms, "share": found["bare forward"] / ms,
                   "bytes": map_store.open_maps(data, progress=False).maps.nbytes}  # fmt: skip


def _normalised(data: DataSet, stem: lite0.Lite0) -> list[torch.Tensor]:
    """What the stem is shown of all pictures, ready for it: blocks (n, 3, S, S)."""
    out = []
    for i in range(0, len(data), map_store.BLOCK):
        pixels = torch.from_numpy(np.array(data.pixels[i : i + map_store.BLOCK]))
        for look in map_store.mirrored(pixels, i):
            look = lite0.renormalised(look)
            out.append(look.contiguous(memory_format=torch.channels_last))
    return out


@torch.no_grad()
def _forward(stem: lite0.Lite0, shown: list[torch.Tensor]) -> None:
    with map_store.fp32(torch.device("cpu")):
        for block in shown:
            stem(block)


def _mapped_anew(data: DataSet) -> None:
    for file in data.folder.glob("maps-*"):
        file.unlink()
    map_store.open_maps(data, progress=False)


# ---------------------------------------------------------------- the paper's network
def network_rates(rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of "network": a step of FixMatch at the size of the profile `paper`, from what a
    picture takes forward, and forward and backward: its own ViT, from pixels, and the walk's, from
    maps."""
    for way, changes in NETWORKS.items():
        run = photographs.settings("paper", "fixmatch", 0, changes)
        net = ViT(run.model, run.data.crop, 5).train()
        shown = torch.zeros(2, 3, run.data.crop, run.data.crop)
        if run.model.freeze:
            side = run.data.crop // lite0.STRIDE
            shown = torch.zeros(32, lite0.channels(run.model.scales), side, side)
        works = {
            "looks": torch.no_grad()(partial(net, shown)),
            "learns": partial(_learns, net, shown),
        }
        found = cpu_ms(len(shown), rounds, works)
        labelled, pool = run.train.batch, run.train.mu * run.train.batch
        yield {"what": "network", "way": f"step, {way}", "form": ABOUT[way],
               "pictures": labelled + 2 * pool, "steps": run.train.steps,
               "cpu_ms": (labelled + pool) * found["learns"] + pool * found["looks"]}  # fmt: skip


def _learns(net: ViT, shown: torch.Tensor) -> None:
    net.zero_grad(set_to_none=True)
    net(shown)[0].sum().backward()
