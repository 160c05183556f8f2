"""Pictures that are nearly the same: shot twice, saved anew, made smaller, made brighter.

By the perceptual hash of the package imagehash (pHash: the signs of the low frequencies of a small
grey picture), 256 bits, of which near-duplicates differ in at most NEAR. Measured on 2,000 of
BIQ2021's photographs: of 2 million pairs 76 differ in at most 60 bits; 40 of them were looked at,
and all show one scene (so do the nine nearest of those that differ in more). Saved anew (JPEG
quality 30) or at half the size a picture differs from itself in at most 34 bits, with noise of sd
25 in at most 54, 15 % brighter in at most 62, cut by 2 % at each edge in at most 46; cut by 5 % in
more than 70, so a cut picture is not found. Pictures nearly without detail (one colour, black
frames) are all alike to it, and are not compared."""

from __future__ import annotations

import imagehash
import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 16  # the hash has SIDE x SIDE bits
NEAR = 60  # bits
PLAIN = 2.0  # grey levels; a picture that varies less (standard deviation) has no detail
LEAST = 128  # px: a picture need not be decoded any larger for its hash


def bits_of(image: Image.Image) -> np.ndarray | None:
    """The hash of a picture, uint64 (4,); None for one nearly without detail.

    >>> grey = Image.new("RGB", (64, 48), (90, 90, 90))
    >>> bits_of(grey) is None
    True
    """
    grey = image.convert("L")
    if np.asarray(grey.reduce(max(1, min(grey.size) // LEAST))).std() < PLAIN:
        return None
    return np.packbits(imagehash.phash(grey, hash_size=SIDE).hash).view(np.uint64)


def pairs(bits: np.ndarray, asked: np.ndarray | None = None, most: int = NEAR) -> pd.DataFrame:
    """Pairs of rows whose hashes differ in at most `most` bits: columns one < other, distance.

    bits: uint64 (N, 4). asked: bool (N,): only pairs of which one row at least is asked for."""
    rows = np.arange(len(bits)) if asked is None else np.flatnonzero(asked)
    wanted = np.zeros(len(bits), bool)
    wanted[rows] = True
    found = []
    for start in range(0, len(rows), 64):
        block = rows[start : start + 64]
        distance = sum(
            np.bitwise_count(bits[block, None, k] ^ bits[None, :, k]).astype(np.int16)
            for k in range(bits.shape[1])
        )
        near = np.asarray(distance) <= most
        # each pair once: where both are asked for, from the lower row
        near &= ~wanted[None, :] | (np.arange(len(bits))[None, :] > block[:, None])
        i, j = np.nonzero(near)
        found.append(np.column_stack([block[i], j, np.asarray(distance)[i, j]]))
    table = np.concatenate(found) if found else np.empty((0, 3), int)
    one, other = np.minimum(table[:, 0], table[:, 1]), np.maximum(table[:, 0], table[:, 1])
    frame = pd.DataFrame({"one": one, "other": other, "distance": table[:, 2]})
    return frame.sort_values(["one", "other"], ignore_index=True)


def scenes(found: pd.DataFrame, n: int) -> np.ndarray:
    """Which of n pictures show the same scene (N,), numbered: those that pairs of `pairs` connect,
    however many lie between.

    >>> scenes(pd.DataFrame({"one": [0, 1], "other": [1, 3], "distance": [4, 9]}), 4).tolist()
    [0, 0, 1, 0]
    """
    ones = np.ones(len(found))
    graph = coo_array((ones, (found["one"], found["other"])), shape=(n, n))
    return connected_components(graph, directed=False)[1]
