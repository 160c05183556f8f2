"""A simulated eye, drawn from a key: vessel trees, optic disc, macula, pigment, choroid. Lengths in
mm on the retina.

The frame: the optic disc is at (0, 0), x points to the temple, y down; the fovea lies 3.9 to 4.9 mm
temporal. 1 degree of view is 0.28 mm. Sizes of disc, fovea and vessels are those of the
literature: disc about 1.8 mm across, arteries about 0.135 and veins about 0.15 mm wide at the
disc, a fovea free of vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2

from .. import seeding
from .vessels import ARTERY, VEIN, Tree, grow, thickness

MM_PER_DEGREE = 0.28
TEXELS, TILE = 128, 12.0  # textures: texels a side, mm a side; they wrap around


LESIONS = ("bleeding", "exudate", "laser scar", "dark scar")


def colour(red: float, green: float, blue: float) -> np.ndarray:
    """(3,) float32."""
    return np.array([red, green, blue], np.float32)


@dataclass(frozen=True)
class Eye:
    """All that makes one eye look as it does; the same in every view of it."""

    tree: Tree
    fovea: tuple[float, float]  # mm
    disc: tuple[float, float]  # half axes in mm, horizontal and vertical
    cup: float  # cup to disc ratio
    crescent: float  # 0 none, 1 a strong crescent of atrophy at the disc's temporal side
    pigment: float  # 0 blond to 1 dark
    tigroid: float  # how much the choroid shows, 0 to 1
    sheen: float  # reflexes of the nerve fibre layer, 0 (old) to 1 (young)
    texture: np.ndarray  # (3, TEXELS, TEXELS), float32, mean 0, standard deviation 1
    fibres: np.ndarray  # (360,), the nerve fibres' brightness by direction from the disc
    lesions: np.ndarray  # (n, 4): x, y, radius in mm, kind: place in LESIONS


# ---------------------------------------------------------------- the eye
def eye(key: object, pigment: float | None = None) -> Eye:
    """The eye of this key. pigment: 0 blond to 1 dark; drawn when None (fellow eyes share it)."""
    rng = seeding.rng("eye", key)
    fovea = (rng.uniform(3.9, 4.9), rng.uniform(0.1, 0.6))
    tree = grow(rng, fovea)
    half = rng.normal(0.90, 0.07)
    fy, fx = np.fft.fftfreq(TEXELS)[:, None], np.fft.rfftfreq(TEXELS)[None, :]
    f = np.hypot(fy, fx)
    f[0, 0] = np.inf
    lean = rng.uniform(-0.9, 0.9)  # the choroid's vessels run mostly this way, and not as a mesh
    across = (fx * np.sin(lean) - fy * np.cos(lean)) ** 2 / f**2
    choroid = np.exp(-((np.log(f / 0.085) / 0.75) ** 2)) * (0.25 + across**2)
    amplitude = np.stack([f**-1.6, choroid, f**-0.5]).astype(np.float32)
    noise = irfft2(rfft2(rng.standard_normal((3, TEXELS, TEXELS), dtype=np.float32)) * amplitude)
    fibres = rng.standard_normal(360)
    fibres = np.mean(
        [
            np.convolve(np.tile(fibres, 3), np.ones(k) / np.sqrt(k), "same")[360:720]
            for k in (1, 3, 9)
        ],
        axis=0,
    )
    return Eye(
        tree=tree,
        fovea=fovea,
        disc=(half * rng.uniform(0.88, 0.97), half),
        cup=float(np.clip(rng.normal(0.42, 0.12), 0.15, 0.8)),
        crescent=max(0.0, rng.normal(-0.1, 0.5)),
        pigment=float(rng.beta(2, 2.2)) if pigment is None else pigment,
        tigroid=float(rng.beta(1.4, 2.6)),
        sheen=float(rng.beta(1.2, 1.8)),
        texture=noise / noise.std(axis=(1, 2), keepdims=True),
        fibres=fibres,
        lesions=_lesions(rng, fovea),
    )


def _lesions(rng: np.random.Generator, fovea: tuple[float, float]) -> np.ndarray:
    """Bleedings and exudates, large exudates and scars of laser treatment: each in some eyes."""
    found = [np.empty((0, 4))]

    def add(places: np.ndarray, radius: np.ndarray, kind: np.ndarray | int) -> None:
        found.append(np.column_stack([places, radius, np.broadcast_to(kind, len(places))]))

    small, large, treated = rng.random(3) < (0.3, 0.08, 0.05)
    if small:
        n, middle = int(rng.integers(4, 40)), rng.normal((fovea[0], 0), (1.8, 2.0), (3, 2))
        places = middle[rng.integers(0, 3, n)] + rng.normal(0, rng.uniform(0.3, 1.4), (n, 2))
        radius = np.minimum(0.03 * np.exp(rng.exponential(0.5, n)), 0.25)
        add(places, radius, rng.random(n) < rng.random())
    if large:  # plaques: heaps of overlapping exudates, some in a ring
        for _ in range(int(rng.integers(1, 4))):
            n, middle = int(rng.integers(12, 44)), rng.normal((fovea[0], 0), (1.8, 1.6))
            turn, ring, wide = (
                rng.uniform(0, 2 * np.pi, n),
                rng.random() < 0.5,
                rng.uniform(0.15, 0.4),
            )
            far = (0.7 if ring else 0.0) + rng.normal(0, 0.15 if ring else wide, n)
            add(
                middle + np.column_stack([far * np.cos(turn), far * np.sin(turn)]),
                np.minimum(0.04 * np.exp(rng.exponential(0.5, n)), 0.18),
                1,
            )
    if treated:  # rows of burns, pale or pigmented, outside the arcades
        at = np.mgrid[-9:12:0.85, -9:9.1:0.85].reshape(2, -1).T
        at = at + rng.normal(0, 0.24, at.shape)
        away = np.hypot(*(at - fovea).T), np.hypot(*at.T)
        at = at[(away[0] > rng.uniform(3.6, 4.6)) & (away[1] > 1.8) & (rng.random(len(at)) < 0.6)]
        dark = rng.random(len(at)) < rng.uniform(0.1, 0.7)
        add(at, 0.2 * np.exp(rng.normal(0, 0.25, len(at))), 2 + dark)
    return np.concatenate(found)


def _sampled(texture: np.ndarray, x: np.ndarray, y: np.ndarray, zoom: float = 1.0) -> np.ndarray:
    """The wrapping texture at columns x and rows y (mm), Catmull-Rom; (len(y), len(x))."""

    def taps(where: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        t = where * (TEXELS / TILE / zoom)
        base, f = np.floor(t).astype(int), (t - np.floor(t)).astype(np.float32)
        weights = (
            f * (-0.5 + f * (1 - 0.5 * f)),
            1 + f * f * (1.5 * f - 2.5),
            f * (0.5 + f * (2 - 1.5 * f)),
            f * f * (0.5 * f - 0.5),
        )
        return [((base + k - 1) % TEXELS, weight) for k, weight in enumerate(weights)]

    # sums of four, not products of matrices: those give other bytes with other numbers of threads
    rows = sum(texture[at] * weight[:, None] for at, weight in taps(y))
    return sum(rows[:, at] * weight for at, weight in taps(x))  # type: ignore[return-value,index]


def reflectance(one: Eye, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the retina reflects, (len(y), len(x), 3), float32, RGB, about 0..1, at columns x and
    rows y in mm.

    Both must be evenly spaced, with the same step but for the sign."""
    size = len(x)
    gx, gy = x[None, :].astype(np.float32), y[:, None].astype(np.float32)
    fx, fy = gx - np.float32(one.fovea[0]), gy - np.float32(one.fovea[1])
    from_fovea = np.sqrt(fx * fx + fy * fy)
    from_disc = np.sqrt(gx * gx + gy * gy)
    cloud, mesh = (
        _sampled(one.texture[0], x, y),
        _sampled(one.texture[1], 1.1 * x + 0.5 * y.mean(), 0.9 * y),
    )
    grain = _sampled(one.texture[2], x + 5, y, 0.45)
    pale, dark = colour(0.88, 0.50, 0.31), colour(0.70, 0.36, 0.20)
    base = pale + (dark - pale) * np.float32(one.pigment)

    # light lost to pigment and blood, as optical density for red, green, blue
    macula = np.exp(-((from_fovea / 1.5) ** 2))
    density = 0.055 * cloud + 0.018 * grain - 0.20 * np.exp(-((from_disc / 3.0) ** 2))
    density += 0.24 * macula + 0.30 * np.exp(-((from_fovea / 0.42) ** 2))
    choroid = (np.exp(-((mesh / 0.85) ** 2)) - 0.6) * np.clip(0.6 + 0.8 * cloud, 0, 1.7)
    bare = 1 - 0.85 * np.exp(-((from_fovea / 2.6) ** 2)) - 0.4 * np.exp(-((from_disc / 1.8) ** 2))
    density -= (0.03 + 0.20 * one.tigroid**1.5) * choroid * bare
    bundle = np.interp(
        np.degrees(np.arctan2(gy, gx)).ravel() % 360, np.arange(360), one.fibres
    ).reshape(size, size)
    shine = (
        one.sheen
        * np.exp(-(((from_disc - 1.4) / 1.9) ** 2))
        * (0.35 + 0.65 * np.abs(gy) / (from_disc + 0.2))
    )
    density -= shine * (0.11 + 0.10 * bundle)
    image = base * np.exp(-density[..., None] * colour(0.55, 1.1, 1.2))
    if one.sheen > 0.55:
        _reflexes(one, image, x, y, from_fovea, bundle)

    columns, rows = (np.flatnonzero(np.abs(axis) < 2.3) for axis in (x, y))
    if len(columns) and len(rows):
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image[part] = _disc(one, image[part], gx[:, part[1]], gy[part[0]], bundle[part])
    for px, py, r, kind in one.lesions:
        _lesion(image, x, y, px, py, r, int(kind))
    step = x[1] - x[0]
    where = (1 / step, -x[0] / step + 0.5, 1 / (y[1] - y[0]), -y[0] / (y[1] - y[0]) + 0.5)
    artery, vein = (thickness(one.tree, kind, where, size) for kind in (ARTERY, VEIN))
    blood = artery[..., None] * colour(0.13, 0.52, 0.46) + vein[..., None] * colour(
        0.23, 0.66, 0.50
    )
    image *= np.exp(-blood)
    if (
        abs(step) < 0.06
    ):  # the light streak along arteries and larger veins, where a pixel can show it
        reflex = 0.26 * thickness(one.tree, ARTERY, where, size, 0.24) + 0.10 * thickness(
            one.tree, VEIN, where, size, 0.22
        )
        image *= 1 + reflex[..., None] * colour(0.6, 1.0, 0.9)
    return image.astype(np.float32)


def _reflexes(
    one: Eye,
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    from_fovea: np.ndarray,
    bundle: np.ndarray,
) -> None:
    """The shine of a young eye's inner limiting membrane, added in place: patches between the
    arcades, a ring round the macula, a spot in the fovea."""
    strength = np.float32((one.sheen - 0.55) / 0.45)
    streaks = np.clip(0.4 + 0.6 * bundle, 0.1, 1.6)
    patches = np.clip(_sampled(one.texture[0], x + 3, y, 0.33) - 0.5, 0, 1) * streaks
    between = np.exp(-(((from_fovea - 2.4) / 1.0) ** 2))
    ring = 0.35 * np.exp(-(((from_fovea - 1.5) / 0.22) ** 2))
    spot = np.exp(-((from_fovea / 0.09) ** 2))
    shine = strength * (0.26 * between * patches + 0.14 * ring + 0.30 * spot)
    image += shine[..., None] * colour(0.75, 0.85, 0.62)


def _disc(
    one: Eye, image: np.ndarray, gx: np.ndarray, gy: np.ndarray, bundle: np.ndarray
) -> np.ndarray:
    """The optic disc: rim, pale cup (towards the temple), a dark or pale crescent at its temporal
    side."""
    rho = np.sqrt((gx / one.disc[0]) ** 2 + (gy / one.disc[1]) ** 2)
    soft = np.float32(0.10)
    halo = np.exp(-((np.maximum(rho - 1, 0) / 0.5) ** 2))
    image = image * (1 + 0.10 * halo[..., None])
    if one.crescent > 0:
        shifted = np.sqrt(((gx - 0.22 * one.disc[0]) / one.disc[0]) ** 2 + (gy / one.disc[1]) ** 2)
        alpha = np.clip((1.06 - shifted) / soft, 0, 1) * np.float32(min(one.crescent, 0.9))
        image += alpha[..., None] * (colour(0.93, 0.72, 0.52) - image)
        edge = (
            np.exp(-(((shifted - 1.08) / 0.06) ** 2))
            * np.clip(gx, 0, 1)
            * np.float32(0.35 * min(one.crescent, 1))
        )
        image *= 1 - edge[..., None]
    rim = colour(1.12, 0.92, 0.62) - np.clip(-gx / one.disc[0], -1, 1)[..., None] * colour(
        0.03, 0.10, 0.08
    )
    rim = rim * (1 + 0.02 * bundle[..., None])
    alpha = np.clip((1 - rho) / (1.6 * soft) + 0.5, 0, 1)
    image += alpha[..., None] * (rim - image)
    inner = np.sqrt(
        ((gx - 0.12 * one.disc[0]) / (one.cup * one.disc[0])) ** 2
        + ((gy + 0.03) / (one.cup * one.disc[1])) ** 2
    )
    alpha = 0.85 * np.clip((1 - inner) / 0.45 + 0.5, 0, 1)
    return image + alpha[..., None] * (colour(1.24, 1.20, 0.98) - image)


TINTS = (  # of LESIONS
    colour(0.42, 0.12, 0.10),
    colour(0.98, 0.80, 0.42),
    colour(0.80, 0.66, 0.42),
    colour(0.34, 0.22, 0.16),
)


def _lesion(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, px: float, py: float, r: float, kind: int
) -> None:
    """Paint one of LESIONS, of radius r mm."""
    edge = max((0.7, 0.35, 0.8, 1.1)[kind] * r, 0.6 * abs(x[1] - x[0]))
    columns, rows = (np.flatnonzero(np.abs(v - p) < r + 2 * edge) for v, p in ((x, px), (y, py)))
    if not len(columns) or not len(rows):
        return
    box = np.ix_(rows, columns)
    distance = np.hypot(x[columns][None, :] - px, y[rows][:, None] - py)
    alpha = np.clip((r - distance) / edge + 0.5, 0, 1) * (0.6, 0.75, 0.4, 0.42)[kind]
    image[box] += (alpha[..., None] * (TINTS[kind] - image[box])).astype(np.float32)
