"""Quality-aware pairs of Re-IQA: what its quality encoder is to call alike, and what not.

Saha, Mishra and Bovik, "Re-IQA: Unsupervised Learning for Image Quality Assessment in the Wild",
CVPR 2023, section 3.2. Of a picture and its distorted copies:

    chunk      the picture and `copies` (11) distorted copies, each of another type and any level
    two crops  of the whole chunk at two places that share 10 to 30 % of a crop's area
    half-swap  the two crops change sides in half of the chunk. Query j and key j are then still the
               same copy at the two places (a positive pair: same distortion, hardly the same
               content), but on the key's side half of the other copies lie just where query j does:
               same content, other distortion
    two scales all of that again of the copies at half their size

Known differences from the public code (avinabsaha/ReIQA, MIT; read, not copied), each deliberate:
- Distortions are the 25 of sim.distortions. Theirs: np.roll without an axis shifts the flattened
  picture (colour shift); impulses strike whole pixels, not elements; sharpening gives 0..255 to a
  conversion that expects 0..1; "denoise" is noise with a blur; motion blur, JPEG and lens blur have
  other levels, and a branch of the lens blur names a variable that is not there; no JPEG2000, no
  colour or grey quantisation, kinds of resizing instead; bytes are truncated, not rounded.
- In the versions of the code that could be read the two crops are drawn independently: they may be
  the same place or share nothing. Here the overlap is what the paper says, always.
- Their swap takes a view of the first crop before it is written over, so nothing is exchanged: both
  sides get the same crop of the undistorted picture, an identical pair. Here half of the chunk
  really changes sides, the undistorted picture being as likely in either half as any copy.
- Pictures smaller than the crop are padded there; here the patch is a share of the side (paper:
  160 px of pictures of about 500), and lengths of distortions are scaled with the side.
- A distorted picture is stored with 8 bits, as everything that is scored."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..sim.distortions import TYPES, distort

OVERLAP = (0.1, 0.3)  # of a crop's area
COPIES = 11  # distorted ones of a picture


class Pair(NamedTuple):
    """query, key (copies + 1, patch, patch, 3) uint8: row j of both shows the same copy."""

    query: np.ndarray
    key: np.ndarray


class Place(NamedTuple):
    """Upper left corner of a crop, px."""

    top: int
    left: int


def shared(a: Place, b: Place, patch: int) -> float:
    """Share of a crop's area that the crops at two places have in common, 0..1.

    >>> shared(Place(0, 0), Place(5, 0), 10)
    0.5
    """
    down, across = (max(0, patch - abs(i - j)) for i, j in zip(a, b, strict=True))
    return down * across / patch**2


@lru_cache(maxsize=8)
def shifts(room: int, patch: int) -> np.ndarray:
    """All (down, across), 0..room px, by which two crops of this side may differ: (n, 2).

    ValueError, where there is none."""
    reach = np.arange(min(room, patch) + 1)
    left = (patch - reach) / patch
    share = left[:, None] * left[None, :]
    found = np.argwhere((share >= OVERLAP[0]) & (share <= OVERLAP[1]))
    if not len(found):
        raise ValueError(
            f"crops of {patch} px in pictures of {room + patch} px cannot share "
            f"{OVERLAP[0]:.0%} to {OVERLAP[1]:.0%} of their area: take a smaller patch"
        )
    return found


def two_places(side: int, patch: int, rng: np.random.Generator) -> tuple[Place, Place]:
    """Where the two crops of this patch lie in a picture of this side, px. The shift is drawn
    uniformly from those that are allowed, then its direction, then the place."""
    room = side - patch
    shift = rng.choice(shifts(room, patch)) * rng.choice([-1, 1], 2)
    low, high = np.maximum(0, -shift), room - np.maximum(0, shift)
    first = rng.integers(low, high + 1)
    return Place(*map(int, first)), Place(*map(int, first + shift))


def patch_of(side: int, share: float) -> int:
    """Side of a crop, px, that is this share of a picture's.

    >>> patch_of(80, 0.5), patch_of(96, 0.5)
    (40, 48)
    """
    return max(8, round(side * share))


def chunk(picture: np.ndarray, copies: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """(copies + 1, S, S, 3) uint8 of a picture (S, S, 3) uint8: itself and its distorted copies, in
    any order. scale: of the distortions' lengths (sim.distortions.distort).

    ValueError for more copies than there are types."""
    if not 0 < copies <= len(TYPES):
        raise ValueError(f"{copies} distorted copies: expected 1 to {len(TYPES)}, a type for each")
    out = [picture]
    for kind in rng.choice([*TYPES], copies, replace=False):
        worse = distort(picture, int(kind), int(rng.integers(1, 6)), rng, scale=scale)
        out.append(np.round(worse * 255).astype(np.uint8))
    return np.stack(out)[rng.permutation(copies + 1)]


def halved(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, S, S, 3) uint8 at half their size: means of 2 x 2 px; of an odd side the last
    row and column are left out.

    >>> halved(np.array([[[[10], [20]], [[30], [41]]]], np.uint8)).item()
    25
    """
    side = pictures.shape[1] // 2
    four = pictures[:, : 2 * side, : 2 * side].reshape(len(pictures), side, 2, side, 2, -1)
    return np.round(four.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)


def crop(pictures: np.ndarray, place: Place, patch: int) -> np.ndarray:
    """The same crop of all these pictures (N, S, S, 3)."""
    return pictures[:, place.top : place.top + patch, place.left : place.left + patch]


def half_swapped(first: np.ndarray, second: np.ndarray) -> Pair:
    """Crops (N, ...) of one chunk at two places, their second half changed over between the
    sides."""
    half = len(first) // 2
    return Pair(
        np.concatenate([first[:half], second[half:]]), np.concatenate([second[:half], first[half:]])
    )


def pair(copies: np.ndarray, share: float, rng: np.random.Generator) -> Pair:
    """Queries and keys of a chunk (N, S, S, 3) uint8; share: of the side that a crop takes."""
    side = copies.shape[1]
    patch = patch_of(side, share)
    first, second = two_places(side, patch, rng)
    return half_swapped(crop(copies, first, patch), crop(copies, second, patch))


def two_scales(
    picture: np.ndarray, copies: int, share: float, scale: float, rng: np.random.Generator
) -> tuple[Pair, Pair]:
    """The pairs of a picture (S, S, 3) uint8: at its own size, and at half of it (places of their
    own)."""
    whole = chunk(picture, copies, scale, rng)
    return pair(whole, share, rng), pair(halved(whole), share, rng)
