"""Copies of pristine pictures by the 25 distortions of KADID at five levels each (sim.distortions),
at the size that a network sees: what tests without labels grade.

    for name, made in stream([("cat", pixels)], Recipe()):      pixels uint8 (S, S, 3)
        made.pixels                                             uint8 (n, S, S, 3), the first is it

All levels of a distortion have the same random numbers (where patches lie, the field of noise), so
that a level is the one before, stronger. They depend on the seed and on the picture's pixels, not
on its name or on other pictures. Some copies are no copies: level 1 of type 8 is the picture
itself, a blur of sigma .04 px too. What is byte for byte the pristine picture or a milder copy is
told (`same`) and not stored twice.

Lengths. KADID's are in px of pictures 512 px wide. `Recipe.lengths` multiplies them: side / 200 is
what the simulated world has (sim.photo_sets), the same share of the picture at every size; 1 keeps
px, which is right where a picture is not made smaller (pictures.windows, "native")."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd

from ..bounds import Checked, Range
from ..seeding import rng
from ..sim.distortions import MIN_SIDE, MONOTONE, TYPES, distort
from ..sim.workers import spawned
from .full_reference import SAME, Closeness, closeness

SIDE = 200  # px, of pictures in which lengths are KADID's, where none are given
LEVELS = (1, 2, 3, 4, 5)

# Those of the Waterloo Exploration Database: blur, JPEG2000, JPEG, white noise. Full-reference
# measures were made for them, and are asked about no others
MEASURED = (1, 9, 10, 11)


@dataclass(frozen=True)
class Recipe(Checked):
    """Which copies: kinds of sim.distortions.TYPES; lengths: times KADID's px, 0: side / SIDE."""

    kinds: Annotated[tuple[int, ...], Range(1, 25)] = tuple(TYPES)
    lengths: Annotated[float, Range(0)] = 0.0
    seed: Annotated[int, Range(0)] = 0


class Copies(NamedTuple):
    """A picture and its copies. pixels (n, S, S, 3) uint8: each that is one of its own, the
    pristine one first. table: a row for the pristine picture (distortion 0, level 0), then one for
    each distortion and level: distortion, name, level, counted (whether quality must fall with its
    level), same (the lowest level whose picture this is: its own where it is new, 0: the pristine
    one), at (its row of pixels), ssim, gmsd, mse (of MEASURED; else nan)."""

    pixels: np.ndarray
    table: pd.DataFrame


def copies(pixels: np.ndarray, recipe: Recipe) -> Copies:
    """All copies of a pristine picture, uint8 (S, S, 3). ValueError for another form, for a
    picture too small, and for kinds that there are not.

    >>> made = copies(np.zeros((32, 32, 3), np.uint8), Recipe(kinds=(8, 10)))
    >>> len(made.table), made.table["same"].tolist()[:6]
    (11, [0, 0, 0, 0, 0, 0])
    """
    _check(pixels, recipe)
    key = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    lengths = recipe.lengths or min(pixels.shape[:2]) / SIDE
    kept, rows = [pixels], [_row(0, 0, 0, 0, SAME)]
    for kind in recipe.kinds:
        # of this distortion: level, row of pixels, closeness
        known: dict[bytes, tuple[int, int, Closeness | None]] = {pixels.tobytes(): (0, 0, SAME)}
        for level in LEVELS:
            draw = rng("distorted copy", recipe.seed, key, kind)
            made = distort(pixels, kind, level, draw, scale=lengths)
            seen = np.round(made * 255).astype(np.uint8)
            if (whole := seen.tobytes()) not in known:
                close = closeness(pixels, seen) if kind in MEASURED else None
                known[whole] = (level, len(kept), close)
                kept.append(seen)
            rows.append(_row(kind, level, *known[whole]))
    return Copies(np.stack(kept), pd.DataFrame(rows))


def _row(kind: int, level: int, same: int, at: int, close: Closeness | None) -> dict[str, object]:
    told = close if kind in (0, *MEASURED) and close is not None else [np.nan] * 3
    return {
        "distortion": kind,
        "name": TYPES.get(kind, "pristine"),
        "level": level,
        "counted": kind in MONOTONE,
        "same": same,
        "at": at,
    } | dict(zip(Closeness._fields, told, strict=True))


def _check(pixels: np.ndarray, recipe: Recipe) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"a picture {pixels.dtype} {pixels.shape}; expected uint8 (S, S, 3)")
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise ValueError(
            f"a picture of {pixels.shape[1]} x {pixels.shape[0]} px; expected {MIN_SIDE} or more"
        )
    check_kinds(recipe.kinds)


def check_kinds(kinds: Iterable[int]) -> None:
    """ValueError for no distortion, one twice, or one that there is not, naming those there are.

    >>> check_kinds([1, 26])
    Traceback (most recent call last):
    ValueError: no distortion 26; there are 1 Gaussian blur, 2 lens blur, 3 motion blur, ...
    """
    wanted = list(kinds)
    if unknown := [str(k) for k in wanted if k not in TYPES]:
        known = ", ".join(f"{k} {name}" for k, name in TYPES.items())
        raise ValueError(f"no distortion {', '.join(unknown)}; there are {known}")
    if not wanted or len({*wanted}) < len(wanted):
        raise ValueError(f"distortions {wanted}: expected one or more, each once")


Named = tuple[str, np.ndarray]


def stream(
    pictures: Iterable[Named], recipe: Recipe, processes: int = 1
) -> Iterator[tuple[str, Copies]]:
    """Names and `copies` of pictures, in order, as they come: of at most two pictures a process is
    there anything in memory. processes: 1 makes them in this one."""
    if processes == 1:
        for name, pixels in pictures:
            yield name, copies(pixels, recipe)
        return
    source, waiting = iter(pictures), deque[tuple[str, Future[Copies]]]()
    with spawned(processes) as workers:
        while True:
            for name, pixels in islice(source, 2 * processes - len(waiting)):
                waiting.append((name, workers.submit(copies, pixels, recipe)))
            if not waiting:
                return
            first, made = waiting.popleft()
            yield first, made.result()
