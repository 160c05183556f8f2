"""About twenty statistics of a picture that need no learning: what a network has to beat.

One module serves the baseline "statistics + forest" (training/baselines), the source detector
(tables/source_leak, its first seven) and whoever asks how much of a grade is brightness, blur or
noise. All are of pictures as they are shown to a network.

With grey I = mean of R, G, B in [0, 1], dx and dy its differences to the next pixel, and Gaussian
blurs I_s of s px:

    brightness      mean of I
    contrast        standard deviation of I
    saturation      mean of max(R, G, B) - min(R, G, B)
    gradient        log mean of dx^2 + dy^2
    noise           log of Immerkaer's estimate (CVIU 1996): sqrt(pi/2)/6 of the mean |3x3
                    Laplacian difference|
    blockiness      log ratio of the mean |difference| across the borders of 8 px blocks (JPEG) to
                    that elsewhere
    frame           standard deviation of I within a frame of S/8 px less that of the rest
    colourfulness   of Hasler and Suesstrunk (SPIE 2003), RG = R - G, YB = (R + G)/2 - B
    dark, bright    shares of I below .05, above .95
    range           95th less 5th percentile of I
    entropy         of a histogram of I in 64 bins, in bits
    edges           log 95th percentile of |(dx, dy)|
    laplacian       log variance of the 5-point Laplacian
    sharpest        log of the largest mean |(dx, dy)| of a block of 8 x 8 px
    flattest        log of the 10th percentile of the standard deviations of these blocks
    uneven          standard deviation of the logs of these
    fine, middle    log ratios of mean squares: (I - I_.7) to (I_.7 - I_1.4), and that to
                    (I_1.4 - I_2.8)
    direction       0 where edges run all ways alike, 1 where all run one way (structure tensor)
    chroma_noise    log mean |3x3 Laplacian difference| of R - B
    mscn            log mean absolute value of the mean-subtracted, contrast-normalised
                    coefficients (Mittal et al., TIP 2012)
    mscn_tail       their kurtosis, log
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

FIRST = ("brightness", "contrast", "saturation", "gradient", "noise", "blockiness", "frame")
STATISTICS = (
    *FIRST,
    "colourfulness",
    "dark",
    "bright",
    "range",
    "entropy",
    "edges",
    "laplacian",
    "sharpest",
    "flattest",
    "uneven",
    "fine",
    "middle",
    "direction",
    "chroma_noise",
    "mscn",
    "mscn_tail",
)
SMALLEST = 17  # px, side: two blocks of 8 and a border between
BLOCK = 64  # pictures at a time, so that memory stays small
TINY = 1e-4  # added before a logarithm: a tenth of a grey level of 255 is 4e-4


def statistics(pixels: np.ndarray) -> Floats:
    """Statistics of pictures (N, S, S, 3) uint8, S at least 17: (N, 23), in the order of
    STATISTICS.

    Raises ValueError for another shape.

    >>> flat = np.full((1, 32, 32, 3), 128, np.uint8)
    >>> dict(zip(STATISTICS, statistics(flat)[0].round(2)))["contrast"]
    np.float64(0.0)
    """
    if pixels.ndim != 4 or pixels.shape[3] != 3 or min(pixels.shape[1:3]) < SMALLEST:
        raise ValueError(f"pixels {pixels.shape}: expected (N, S, S, 3) with S at least {SMALLEST}")
    if len(pixels) == 0:
        return np.empty((0, len(STATISTICS)))
    parts = [pixels[i : i + BLOCK] for i in range(0, len(pixels), BLOCK)]
    return np.concatenate([_block(np.asarray(part)) for part in parts])


def _block(pixels: np.ndarray) -> Floats:
    colour = pixels.astype(np.float32) / 255
    grey = colour.mean(axis=3)  # (N, S, S)
    found = {
        **_light(colour, grey),
        **_differences(grey),
        **_blocks(grey),
        **_bands(grey),
        **_mscn(grey),
        "chroma_noise": _log(np.abs(_laplace(colour[..., 0] - colour[..., 2])).mean(axis=(1, 2))),
    }
    return np.column_stack([found[name] for name in STATISTICS]).astype(float)


def _log(x: np.ndarray) -> np.ndarray:
    return np.log(x + TINY)


def _laplace(x: np.ndarray) -> np.ndarray:
    """Second differences across, then down: the 3 x 3 mask [1 -2 1]' [1 -2 1] of Immerkaer."""
    across = x[:, :, :-2] - 2 * x[:, :, 1:-1] + x[:, :, 2:]
    return across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]


def _light(colour: np.ndarray, grey: np.ndarray) -> dict[str, np.ndarray]:
    red, green, blue = (colour[..., k] for k in range(3))
    opponents = (red - green, (red + green) / 2 - blue)
    spread = np.sqrt(sum(o.var(axis=(1, 2)) for o in opponents))
    shift = np.sqrt(sum(o.mean(axis=(1, 2)) ** 2 for o in opponents))
    low, high = np.percentile(grey, [5, 95], axis=(1, 2))
    bins = np.minimum((grey * 64).astype(int), 63).reshape(len(grey), -1)
    counts = np.stack([np.bincount(row, minlength=64) for row in bins]) / bins.shape[1]
    edge = grey.shape[1] // 8
    frame = np.ones(grey.shape[1:], dtype=bool)
    frame[edge:-edge, edge:-edge] = False
    return {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "saturation": np.ptp(colour, axis=3).mean(axis=(1, 2)),
        "frame": grey[:, frame].std(axis=1) - grey[:, ~frame].std(axis=1),
        "colourfulness": spread + 0.3 * shift,
        "dark": (grey < 0.05).mean(axis=(1, 2)),
        "bright": (grey > 0.95).mean(axis=(1, 2)),
        "range": high - low,
        "entropy": -(counts * np.log2(np.maximum(counts, 1e-12))).sum(axis=1),
    }


def _differences(grey: np.ndarray) -> dict[str, np.ndarray]:
    dx, dy = np.diff(grey, axis=2), np.diff(grey, axis=1)
    square = (dx**2).mean(axis=(1, 2)) + (dy**2).mean(axis=(1, 2))
    on_x, on_y = (np.arange(d) % 8 == 7 for d in (dx.shape[2], dy.shape[1]))
    border = np.abs(dx[:, :, on_x]).mean(axis=(1, 2)) + np.abs(dy[:, on_y]).mean(axis=(1, 2))
    inner = np.abs(dx[:, :, ~on_x]).mean(axis=(1, 2)) + np.abs(dy[:, ~on_y]).mean(axis=(1, 2))
    size = np.hypot(dx[:, :-1], dy[:, :, :-1])
    inside = grey[:, 1:-1, 1:-1]
    five = grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] + grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1]
    five -= 4 * inside
    xx, yy = (dx**2).mean(axis=(1, 2)), (dy**2).mean(axis=(1, 2))
    xy = (dx[:, :-1] * dy[:, :, :-1]).mean(axis=(1, 2))
    apart = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    return {
        "gradient": np.log(square + TINY**2),
        "noise": _log(np.sqrt(np.pi / 2) / 6 * np.abs(_laplace(grey)).mean(axis=(1, 2))),
        "blockiness": np.log((border + TINY) / (inner + TINY)),
        "edges": _log(np.percentile(size, 95, axis=(1, 2))),
        "laplacian": np.log(five.var(axis=(1, 2)) + TINY**2),
        "direction": apart / (xx + yy + TINY**2),
    }


def _blocks(grey: np.ndarray) -> dict[str, np.ndarray]:
    """Of blocks of 8 x 8 px (what doesn't fill a block at the right and the bottom is left out)."""
    across, down = grey.shape[2] // 8, grey.shape[1] // 8
    whole = grey[:, : 8 * down, : 8 * across].reshape(len(grey), down, 8, across, 8)
    dx, dy = np.diff(whole, axis=4)[:, :, :-1], np.diff(whole, axis=2)[..., :-1]
    sharp = np.hypot(dx, dy).mean(axis=(2, 4)).reshape(len(grey), -1)
    spread = np.log(whole.std(axis=(2, 4)) + TINY).reshape(len(grey), -1)
    return {
        "sharpest": _log(sharp.max(axis=1)),
        "flattest": np.percentile(spread, 10, axis=1),
        "uneven": spread.std(axis=1),
    }


def _bands(grey: np.ndarray) -> dict[str, np.ndarray]:
    blurred = [grey, *(_blur(grey, s) for s in (0.7, 1.4, 2.8))]
    energy = [((a - b) ** 2).mean(axis=(1, 2)) for a, b in pairwise(blurred)]
    return {
        "fine": np.log((energy[0] + TINY**2) / (energy[1] + TINY**2)),
        "middle": np.log((energy[1] + TINY**2) / (energy[2] + TINY**2)),
    }


def _blur(x: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(x, sigma, axes=(1, 2), truncate=3.0)


def _mscn(grey: np.ndarray) -> dict[str, np.ndarray]:
    """(I - mean) / (deviation + 1/255), both in a Gaussian window of 7/6 px."""
    mean = _blur(grey, 7 / 6)
    deviation = np.sqrt(np.maximum(_blur(grey**2, 7 / 6) - mean**2, 0))
    m = (grey - mean) / (deviation + 1 / 255)
    second, fourth = (m**2).mean(axis=(1, 2)), (m**4).mean(axis=(1, 2))
    return {
        "mscn": _log(np.abs(m).mean(axis=(1, 2))),
        "mscn_tail": np.log(fourth / np.maximum(second**2, TINY**2) + TINY),
    }
