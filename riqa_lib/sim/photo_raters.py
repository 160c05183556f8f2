"""Simulated observers: how good a picture looks (a truth), and what people who vote 1 to 5 make of
it.

Quality, in [0, 1], is measured, not declared: what a defect destroys depends on the picture. With d
the damage,

    d = GMSD + 0.15 * tone + 0.35 * colour        quality = (0.96 + content) * exp(-(d / 0.15)^1.3)

GMSD is the gradient magnitude similarity deviation of Xue, Zhang, Mou and Bovik (IEEE Trans. Image
Processing 23(2), 2014), tone and colour the mean absolute change of brightness and of chroma over
blocks of 8 x 8 pixels, and content within +-0.04: contrast and colour please a little.

Raters see the mean opinion 1 + 4 * quality. Each adds a bias of his own and noise, and votes by
four thresholds: the ordered normal model. Its constants are maximum likelihood estimates on the
votes of KonIQ-10k (every fifth of 10,073 pictures; koniq10k_distributions_sets.csv of subpic/koniq,
MIT), one mean opinion a picture: thresholds at 0, 1.925, 3.845, 6.075 standard deviations of a
vote; here one step of the scale is 1.92 of these, so SPREAD = 0.52 and the top grade is given
grudgingly. Raters a picture: 107 +- 8, 93 to 157, from 1,459 people, as there. How the spread
divides into bias and noise cannot be seen in histograms; a quarter of a grade of bias is a declared
choice. Held against KonIQ (tests/sim/test_photo_raters.py): standard deviation of the votes on a
picture 0.575, one vote's distance to the mode 0.402, labels that change when all votes are drawn
again 6.1 %."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from .. import seeding

THRESHOLDS = np.array([1.5, 2.5, 3.5, 4.66])  # on the scale of mean opinions, 1 to 5
SPREAD = 0.52  # standard deviation of what raters feel about one picture, in grades
BIAS = 0.25  # of which between raters
PEOPLE = 1459
RATERS = (107.0, 8.0, 93, 157)  # a picture: mean, standard deviation, least, most


# ---------------------------------------------------------------- the truth
@dataclass(frozen=True)
class Look:
    """A picture as it is judged; what is measured on it is kept, so one reference serves many
    comparisons.

    pixels: (H, W, 3) RGB, uint8 or float in [0, 1], H and W at least 16."""

    pixels: np.ndarray

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < 16:
            raise ValueError(
                f"a picture of shape {shape}; expected (H, W, 3) with H and W of at least 16"
            )

    @cached_property
    def image(self) -> np.ndarray:
        """float32 at about 96 px a side (means of whole blocks): the size that damage is measured
        at."""
        scaled = self.pixels * np.float32(1 / 255 if self.pixels.dtype == np.uint8 else 1)
        k = max(1, round(min(scaled.shape[:2]) / 96))
        return _blocks(scaled, k) if k > 1 else scaled

    @cached_property
    def light(self) -> np.ndarray:
        return _light(self.image)

    @cached_property
    def gradient(self) -> np.ndarray:
        return _gradient(self.light)

    @cached_property
    def content(self) -> float:
        """-0.04 to 0.04: contrast and colour please a little."""
        chroma = (self.image - self.light[..., None]).std()
        return float(
            0.025 * np.tanh((self.light.std() - 0.17) / 0.06)
            + 0.015 * np.tanh((chroma - 0.09) / 0.05)
        )


def quality(clean: Look, seen: Look) -> float:
    """How good `seen` looks, in [0, 1], higher is better; 0.92 to 1 for a picture without defects.

    clean, seen: the same content without and with its defects, of one shape, else ValueError."""
    if clean.pixels.shape != seen.pixels.shape:
        raise ValueError(
            f"pictures of shapes {clean.pixels.shape} and {seen.pixels.shape}; expected the same "
            "twice"
        )
    change = _blocks(seen.image - clean.image, 8)
    tone = _light(change)
    colour = np.abs(change - tone[..., None]).mean()
    damage = _deviation(clean.gradient, seen.gradient) + 0.15 * np.abs(tone).mean() + 0.35 * colour
    return float((0.96 + clean.content) * np.exp(-((damage / 0.15) ** 1.3)))


def _deviation(one: np.ndarray, two: np.ndarray) -> float:
    """GMSD of two gradient maps (H, W): 0 for equal ones, worse higher. Prewitt gradients, c = 170
    on the 0-255 scale, at the resolution given (the paper halves it first)."""
    c = np.float32(170 / 255**2)
    return float(((2 * one * two + c) / (one * one + two * two + c)).std())


def _blocks(x: np.ndarray, k: int) -> np.ndarray:
    """Means over k x k blocks of (H, W, C); what is left over at the far borders is dropped."""
    rows, columns = x.shape[0] // k, x.shape[1] // k
    return x[: rows * k, : columns * k].reshape(rows, k, columns, k, -1).mean(axis=(1, 3))


def _light(image: np.ndarray) -> np.ndarray:
    """Brightness (H, W) of RGB, as in ITU-R BT.601."""
    return (
        np.float32(0.299) * image[..., 0]
        + np.float32(0.587) * image[..., 1]
        + np.float32(0.114) * image[..., 2]
    )


def _gradient(light: np.ndarray) -> np.ndarray:
    across, down = light[:, 2:] - light[:, :-2], light[2:] - light[:-2]
    across = (across[:-2] + across[1:-1] + across[2:]) / 3
    down = (down[:, :-2] + down[:, 1:-1] + down[:, 2:]) / 3
    return np.sqrt(across * across + down * down)


# ---------------------------------------------------------------- the votes
def opinion(quality: ArrayLike) -> np.ndarray:
    """Mean opinion on the 1-5 scale of qualities (N,) in [0, 1]; ValueError, with the row, for
    others."""
    q = np.asarray(quality, dtype=float)
    wrong = np.flatnonzero(~((q >= 0) & (q <= 1)))  # also NaN
    if len(wrong):
        raise ValueError(f"row {wrong[0]}: quality {q.ravel()[wrong[0]]}; expected 0 to 1")
    return 1 + 4 * q


def vote_shares(quality: ArrayLike) -> np.ndarray:
    """Expected share of each vote, (N, 5), rows sum to 1, for qualities (N,)."""
    below = ndtr((THRESHOLDS - opinion(quality)[:, None]) / SPREAD)
    edges = np.concatenate([np.zeros((len(below), 1)), below, np.ones((len(below), 1))], axis=1)
    return np.diff(edges, axis=1)


def true_grade(quality: ArrayLike) -> np.ndarray:
    """The grade 0..4 (N,) that infinitely many raters would give: the mode of the expected
    votes."""
    return vote_shares(quality).argmax(axis=1)


def rater_counts(n: int, rng: np.random.Generator) -> np.ndarray:
    """How many people rate each of n pictures, (n,), as in KonIQ-10k."""
    mean, sd, least, most = RATERS
    return np.clip(np.rint(rng.normal(mean, sd, n)), least, most).astype(int)


@cache
def _biases() -> np.ndarray:
    return seeding.rng("people").normal(0, BIAS, PEOPLE)


def votes(quality: ArrayLike, raters: ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Counts of the votes 1..5, (N, 5), of `raters` (N,) people drawn at random for each picture of
    `quality` (N,)."""
    means, n = opinion(quality), np.asarray(raters)
    picture = np.repeat(np.arange(len(means)), n)
    felt = means[picture] + _biases()[rng.integers(0, PEOPLE, len(picture))]
    felt += rng.normal(0, np.sqrt(SPREAD**2 - BIAS**2), len(picture))
    vote = np.searchsorted(THRESHOLDS, felt)
    return np.bincount(5 * picture + vote, minlength=5 * len(means)).reshape(-1, 5)
