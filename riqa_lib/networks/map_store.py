"""Maps of a frozen stem, made once: of each picture and of its mirror image, float16,
memory-mapped.

A frozen stem says the same of a picture at every step, so it is asked once: two passes a picture
instead of hundreds. The store lies beside the pixels of its data folder:

    maps-<key>.npy    float16 (N, K, h, w, channels); K = 2, the picture and its mirror image, or
                      K RandAugmented copies (the control, see views.randaugment)
    maps-<key>.json   shape, mean and sd by channel; maps are taken only where both are there
    .maps-<key>.npy.part  while it is being made: whole blocks of pictures, to resume from

The key names the pictures (the data set's own key), the weights (their sha256), what is kept of the
stem, how the pictures are shown, and the precision: maps of other weights are never taken for
these. They are always computed in fp32, whatever the machine could do beside it (no autocast, no
TF32), so that stored maps differ between machines by a step of float16 here and there and no more.
Rounding all of them to float16 changes no predicted probability of a trained network by more than
.001; bfloat16 would (both held by tests/training/test_frozen_runs.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import bars, paths, store
from ..datasets.data_folder import DataSet, alone, npy_header
from . import lite0, views
from .device import device

BLOCK = 64  # pictures between two writes
COPIES = 4  # RandAugmented copies of each picture

Shown = Callable[[Tensor, int], Tensor]  # pixels (n, H, W, 3), first row -> (K, n, 3, H, W)


@dataclass(frozen=True)
class MapStore:
    """maps (N, K, h, w, channels) float16, on disk until used; mean, sd (channels,) over all."""

    maps: np.ndarray
    mean: Tensor
    sd: Tensor
    key: str


def mirrored(pixels: Tensor, first: int) -> Tensor:
    """The pictures and their mirror images, normalised: (2, n, 3, H, W)."""
    x = views.normalise(pixels)
    return torch.stack([x, x.flip(3)])


def augmented(pixels: Tensor, first: int) -> Tensor:
    """COPIES RandAugmented copies, normalised. Drawn by the number of the first row, so that a
    store that was cut off goes on with the same copies."""
    x = pixels.permute(0, 3, 1, 2).float() / 255
    copies = []
    for copy in range(COPIES):
        g = torch.Generator().manual_seed(COPIES * first + copy)
        flips = (torch.rand(len(x), generator=g) < 0.5).view(-1, 1, 1, 1)
        turned = torch.where(flips, x.flip(3), x)
        copies.append(views.randaugment(turned, views.STRONG["randaugment"].randaugment, g))
    return (torch.stack(copies) - views.MEAN) / views.SD


SHOWN: dict[str, tuple[int, Shown]] = {"mirrored": (2, mirrored), "augmented": (COPIES, augmented)}


def key_of(data: DataSet, scales: bool, shown: str) -> str:
    """Names pictures, weights, what is kept of the stem, how pictures are shown, precision; of
    augmented copies also which pictures have them, since a new split keeps the pixels."""
    named = {
        "pictures": data.info["key"],
        "weights": lite0.SHA256,
        "stages": lite0.STAGES,
        "scales": scales,
        "shown": [shown, SHOWN[shown][0]],
        "precision": "fp32, kept as float16",
    }
    if shown == "augmented":
        named["copied"] = hashlib.sha256(_wanted(data, shown).tobytes()).hexdigest()
    return store.settings_hash(named)


def _wanted(data: DataSet, shown: str) -> np.ndarray:
    """Which pictures (N,) have maps. Augmented copies are for learning: none of validation and test
    pictures."""
    if shown == "augmented":
        return data.frame["split"].isin(["train", "pool"]).to_numpy(bool)
    return np.ones(len(data), bool)


def open_maps(
    data: DataSet, scales: bool = True, shown: str = "mirrored", progress: bool = True
) -> MapStore:
    """The maps of a data set's pictures, made now where they are not there yet.

    What was cut off goes on. Raises ValueError, naming the file, for maps that are damaged, shorter
    than they should be or, by their note, of other weights, and OSError
    before any work where the disk is too full."""
    key = key_of(data, scales, shown)
    file, note = data.folder / f"maps-{key}.npy", data.folder / f"maps-{key}.json"
    with alone(data.folder):  # another process may be making the same
        if not (file.exists() and note.exists()):
            _make(data, scales, shown, file, note, progress)
        for left in data.folder.glob(f".{file.stem}*.part"):
            left.unlink()  # of a kill at the very end
    about = _read_note(note)
    again = "delete it and it is made again"
    try:
        maps = np.load(file, mmap_mode="r")
    except (ValueError, EOFError, OSError) as e:
        raise ValueError(f"{paths.shown(file)}: damaged ({e}); {again}") from e
    if list(maps.shape) != about["shape"] or maps.dtype != np.float16:
        raise ValueError(
            f"{paths.shown(file)}: {maps.dtype} {maps.shape}, "
            f"expected float16 {tuple(about['shape'])}; {again}"
        )
    for path in (file, note):
        store.journal(path)
    mean, sd = torch.tensor(about["mean"]), torch.tensor(about["sd"])
    return MapStore(maps, mean, sd, key)


def _read_note(note: Path) -> dict:
    about = store.read_json(note)
    if missing := [key for key in ("shape", "mean", "sd") if key not in about]:
        raise ValueError(
            f"{paths.shown(note)}: {', '.join(missing)} missing; delete it and it is made again"
        )
    if (found := about.get("weights")) != lite0.SHA256:
        raise ValueError(
            f"{paths.shown(note)}: maps of other weights, sha256 {str(found)[:16]}..., expected "
            f"{lite0.SHA256[:16]}...; delete it and it is made again"
        )
    return about


def _make(data: DataSet, scales: bool, shown: str, file: Path, note: Path, progress: bool) -> None:
    """Write the maps as a .npy that grows beside its place, then the note, then put it there:
    whoever finds both has whole maps. On the disk they lie once; in memory is a block of them."""
    count, _ = SHOWN[shown]
    grid = -(-data.pixels.shape[1] // lite0.STRIDE)  # the stem's padding rounds up
    shape = (len(data), count, grid, grid, lite0.channels(scales))
    part = data.folder / f".{file.name}.part"
    header = npy_header(shape, np.dtype(np.float16))
    each = np.dtype(np.float16).itemsize * int(np.prod(shape[1:]))
    done = max(0, part.stat().st_size - len(header)) // each if part.exists() else 0
    done = done // BLOCK * BLOCK if done < len(data) else done  # copies are drawn block by block
    store.free_space(data.folder, (len(data) - done) * each)
    part.touch()
    what = f"{data.info['name']}: maps"
    with (
        open(part, "r+b") as f,
        bars.bar(desc=what, total=len(data), initial=done, unit="picture", shown=progress) as bar,
    ):
        f.write(header)
        f.truncate(len(header) + done * each)
        f.seek(0, os.SEEK_END)
        for block in _blocks(data, scales, shown, shape[1:], done):
            f.write(block.data)
            bar.update(len(block))
        os.fsync(f.fileno())
    mean, sd = moments(np.load(part, mmap_mode="r"))
    told = {"shape": list(shape), "mean": mean.tolist(), "sd": sd.tolist()}
    told |= {"weights": lite0.SHA256, "shown": shown, "name": data.info["name"]}
    store.write_json(note, told)
    os.replace(part, file)


@contextmanager
def fp32(where: torch.device) -> Iterator[None]:
    """Neither somebody's autocast nor TF32, which GPUs take for convolutions unless told not to."""
    tf32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.autocast(where.type, enabled=False), tf32:
        yield


def the_stem(scales: bool) -> lite0.Lite0:
    """The frozen stem in evaluation mode, on the device, laid out as it runs fastest."""
    return lite0.frozen(scales).to(device())


@torch.no_grad()
def maps_of(stem: lite0.Lite0, pixels: Tensor, shown: str = "mirrored", first: int = 0) -> Tensor:
    """What a store keeps of pixels (n, S, S, 3) uint8: (n, K, h, w, channels) float16, on the CPU.
    stem: `the_stem`; first: the number of their first row, by which copies are drawn."""
    where = next(stem.parameters()).device
    looks = [lite0.renormalised(x.to(where)) for x in SHOWN[shown][1](pixels, first)]
    with fp32(where):
        maps = [stem(x.contiguous(memory_format=torch.channels_last)) for x in looks]
    return torch.stack(maps, dim=1).permute(0, 1, 3, 4, 2).half().cpu()


def _blocks(
    data: DataSet, scales: bool, shown: str, shape: tuple[int, ...], start: int
) -> Iterator[np.ndarray]:
    """Blocks (n, *shape) float16, from the row `start` on; 0 of pictures that have no maps."""
    stem, wanted = the_stem(scales), _wanted(data, shown)
    for i in range(start, len(data), BLOCK):
        mine = wanted[i : i + BLOCK]
        out = np.zeros((len(mine), *shape), np.float16)
        if mine.any():
            pixels = torch.from_numpy(data.pixels[i : i + BLOCK][mine])
            out[mine] = maps_of(stem, pixels, shown, i).numpy()
        yield out


def moments(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by channel of maps (N, K, h, w, channels), by blocks."""
    total, square = np.zeros((2, maps.shape[-1]))
    for i in range(0, len(maps), BLOCK):
        block = maps[i : i + BLOCK].astype(np.float64).reshape(-1, maps.shape[-1])
        total += block.sum(axis=0)
        square += (block**2).sum(axis=0)
    n = int(np.prod(maps.shape[:-1]))
    mean = total / n
    return mean, np.sqrt(np.maximum(square / n - mean**2, 1e-12))
